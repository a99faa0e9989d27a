/** What is known of a dependency before it is ever called: from what a host says, checked, with the defaults filled in. */
import { PerdureError } from '../errors.ts';
import { DEFAULT_BREAKER, type BreakerPolicy } from './breaker.ts';
import { isObject, shown, unknownKey } from './option-keys.ts';
import type { Criticality } from './quality.ts';
import { DEFAULT_RETRY_BUDGET, type RetryBudgetPolicy } from './retry-budget.ts';

/** What the component machine must know. Plain data, stored with it. */
export interface ComponentPolicy {
  /** Null: it is called whatever happens. */
  readonly breaker: BreakerPolicy | null;
  /** Null: retries are not limited. */
  readonly retryBudget: RetryBudgetPolicy | null;
  readonly criticality: Criticality;
  /** How much its loss counts in the quality of the whole, 0 to 1. */
  readonly weight: number;
  readonly hasFallback: boolean;
  /** The least loss of its fallbacks, 0 to 1; 1 without. */
  readonly loss: number;
}

/** What a host may say of a dependency. */
export interface ComponentOptions {
  /** Default: {@link DEFAULT_BREAKER}; null or false for none. */
  readonly breaker?: Partial<BreakerPolicy> | null | false;
  /** Default: {@link DEFAULT_RETRY_BUDGET}; null or false for none. */
  readonly retryBudget?: Partial<RetryBudgetPolicy> | null | false;
  /** Default: `critical`. */
  readonly criticality?: Criticality;
  /** 0 to 1. Default: by its criticality 1, 0.5, 0.25 or 0.1. */
  readonly weight?: number;
  /** How many of its actions run at once, from 1 to 1,000. Default: as many as the supervisor allows. */
  readonly concurrency?: number;
  /** At most `limit` of its actions start in any `perMs`. Default: any number. */
  readonly rate?: { readonly limit: number; readonly perMs: number };
  /** What is lost while fallbacks stand in that only submissions name, 0 to 1. Default: none is known of. */
  readonly fallbackLoss?: number;
}

/** All that may be said. */
export const COMPONENT_OPTIONS: readonly string[] = Object.keys({
  breaker: 1,
  retryBudget: 1,
  criticality: 1,
  weight: 1,
  concurrency: 1,
  rate: 1,
  fallbackLoss: 1,
} satisfies Record<keyof ComponentOptions, 1>);

/**
 * By these one critical component that runs on a fair fallback (loss 0.6) is `moderate`, and one that is down `severe`;
 * one that may be shed is never worse than `minor`.
 */
const WEIGHTS: Readonly<Record<Criticality, number>> = {
  'critical-plus': 1,
  critical: 0.5,
  'sheddable-plus': 0.25,
  sheddable: 0.1,
};

/** What all of them take in a context of 4 KB is bounded by these. */
export const MAX_COMPONENTS = 40;
const NAME = /^[A-Za-z0-9][\w.:/-]{0,39}$/;

/** The longest window that leaves a component's context below 4 KB, and the longest time that a timer is good for. */
const MAX_WINDOW = 1_000;
const MAX_MS = 365 * 86_400_000;

/**
 * The policies of what a host named. Throws OPTIONS_INVALID.
 *
 * @param losses of the fallbacks of the actions that lean on a component, by its name.
 */
export function componentPolicies(
  components: Readonly<Record<string, ComponentOptions>>,
  losses: Readonly<Record<string, readonly number[]>> = {},
): Record<string, ComponentPolicy> {
  const names = Object.keys(components);
  if (names.length > MAX_COMPONENTS) {
    throw invalid('components', `at most ${MAX_COMPONENTS} components`, names.length);
  }
  return Object.fromEntries(
    names.map((name) => [
      name,
      componentPolicyOf(
        name,
        components[name] ?? {},
        lossesOf(components[name], Object.hasOwn(losses, name) ? losses[name] : []),
      ),
    ]),
  );
}

function lossesOf({ fallbackLoss }: ComponentOptions = {}, losses: readonly number[] = []): readonly number[] {
  return fallbackLoss === undefined ? losses : [...losses, fallbackLoss];
}

/** One component's policy, with the defaults filled in. Throws OPTIONS_INVALID. */
export function componentPolicyOf(
  name: string,
  options: ComponentOptions = {},
  losses: readonly number[] = [],
): ComponentPolicy {
  if (!NAME.test(name)) {
    throw invalid('components', 'a name of 1 to 40 letters, digits and _ . : / -, a letter or digit first', name);
  }
  const criticality = options.criticality ?? 'critical';
  if (!Object.hasOwn(WEIGHTS, criticality)) {
    throw invalid(`components.${name}.criticality`, `one of ${Object.keys(WEIGHTS).join(', ')}`, criticality);
  }
  const check = new Check(`components.${name}`);
  for (const loss of losses) check.number('loss of a fallback', loss, 0, 1);
  return {
    breaker: breakerOf(check.in('breaker'), options.breaker),
    retryBudget: retryBudgetOf(check.in('retryBudget'), options.retryBudget),
    criticality,
    weight: check.number('weight', options.weight ?? WEIGHTS[criticality], 0, 1),
    hasFallback: losses.length > 0,
    loss: Math.min(1, ...losses),
  };
}

function breakerOf(check: Check, options: ComponentOptions['breaker'] = {}): BreakerPolicy | null {
  if (options === null || options === false) return null;
  check.keys(options, Object.keys(DEFAULT_BREAKER));
  const { window, openMs } = { ...DEFAULT_BREAKER, ...options };
  const minCalls = Math.min(DEFAULT_BREAKER.minCalls, window);
  const maxOpenMs = Math.max(DEFAULT_BREAKER.maxOpenMs, openMs);
  const policy = { ...DEFAULT_BREAKER, minCalls, maxOpenMs, ...options };
  check.count('window', policy.window, 1, MAX_WINDOW);
  check.count('minCalls', policy.minCalls, 1, policy.window);
  check.number('failureRate', policy.failureRate, 0.001, 1);
  if (policy.slowCallMs !== null) check.number('slowCallMs', policy.slowCallMs, 0, MAX_MS);
  check.number('slowCallRate', policy.slowCallRate, 0.001, 1);
  check.number('openMs', policy.openMs, 1, MAX_MS);
  check.number('maxOpenMs', policy.maxOpenMs, policy.openMs, MAX_MS);
  check.number('openFactor', policy.openFactor, 1, 1_000);
  check.count('probes', policy.probes, 1, 1_000);
  check.count('successes', policy.successes, 1, 1_000);
  return policy;
}

function retryBudgetOf(check: Check, options: ComponentOptions['retryBudget'] = {}): RetryBudgetPolicy | null {
  if (options === null || options === false) return null;
  check.keys(options, Object.keys(DEFAULT_RETRY_BUDGET));
  const policy = { ...DEFAULT_RETRY_BUDGET, ...options };
  check.number('ratio', policy.ratio, 0, 1);
  check.number('burst', policy.burst, 0, 1_000_000);
  return policy;
}

/** The keys and numbers of one option, refused with the way to them. */
class Check {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  in(option: string): Check {
    return new Check(`${this.#path}.${option}`);
  }

  keys(value: unknown, known: readonly string[]): void {
    if (!isObject(value)) throw invalid(this.#path, 'an object, or null or false for none', value);
    const wrong = unknownKey(value, known);
    if (wrong === undefined) return;
    throw new PerdureError('OPTIONS_INVALID', `${this.#path} ${wrong}.`, { facts: { option: this.#path } });
  }

  number(option: string, value: number, least: number, most: number): number {
    if (typeof value === 'number' && value >= least && value <= most) return value;
    throw invalid(`${this.#path}.${option}`, `a number from ${least} to ${most}`, value);
  }

  count(option: string, value: number, least: number, most: number): void {
    if (Number.isInteger(value) && value >= least && value <= most) return;
    throw invalid(`${this.#path}.${option}`, `a whole number from ${least} to ${most}`, value);
  }
}

function invalid(option: string, expected: string, got: unknown): PerdureError {
  return new PerdureError('OPTIONS_INVALID', `${option} must be ${expected}, got ${shown(got)}.`, {
    facts: { option, expected, got },
  });
}
