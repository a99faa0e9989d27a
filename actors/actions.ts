/** What a host app names: its actions, by name and version. */
import { PerdureError } from '../errors.ts';
import type { ActionPolicy } from '../machines/action.ts';
import { DEFAULT_RETRY, type RetryPolicy } from '../machines/retry.ts';

/** What an attempt is given beside its input. */
export interface ActionContext {
  /** The action's id: the same for all its attempts, so the other side can tell a repeat. */
  readonly id: string;
  /** 1 for the first attempt, counting retries and not restarts of the process. */
  readonly attempt: number;
  /** Aborted when the action is cancelled or timed out, or the supervisor closes. */
  readonly signal: AbortSignal;
  /** In a plan: what the steps that this one depends on returned, by their ids. */
  readonly results: Readonly<Record<string, unknown>>;
  /** Tells whoever watches how far the work is. Telemetry: not stored. */
  progress(value: unknown): void;
}

/** What an action does. */
export interface ActionDefinition<TInput = never, TValue = unknown> {
  /** The work. What it returns must be plain data; what it throws is retried unless it says `retryable: false`. */
  run(input: TInput, context: ActionContext): Promise<TValue> | TValue;
  /** What to do when the work has failed for good: the outcome is then `degraded`. */
  fallback?(input: TInput, context: ActionContext): Promise<TValue> | TValue;
  /** Ends what an attempt of an earlier life of the process left running. Called when such an action is cancelled or timed out. */
  cleanUp?(id: string): Promise<void>;
  /** Default: one attempt. Delays in ms. */
  readonly retry?: Partial<RetryPolicy>;
  /** Longest duration of one attempt, and of the fallback, ms. A restart begins it anew. Default: no limit. */
  readonly timeoutMs?: number;
  /** Change it when stored inputs must not meet the new code: actions of other versions are parked. Default: `1`. */
  readonly version?: string;
}

/** Gives an action its types. */
export function defineAction<TInput, TValue>(
  definition: ActionDefinition<TInput, TValue>,
): ActionDefinition<TInput, TValue> {
  return definition;
}

/** Actions by name. */
export type Actions = Readonly<Record<string, ActionDefinition<never, unknown>>>;

/** Overrides of a definition, for one submission. */
export interface PolicyOverrides {
  readonly retry?: Partial<RetryPolicy>;
  readonly timeoutMs?: number;
  /** Whether the action's fallback is used, if it has one. Default: true. */
  readonly fallback?: boolean;
}

/** The registered actions. */
export class Registry {
  readonly #actions: ReadonlyMap<string, ActionDefinition<unknown, unknown>>;

  constructor(actions: Actions) {
    this.#actions = new Map(Object.entries(actions) as [string, ActionDefinition<unknown, unknown>][]);
    for (const [name, definition] of this.#actions) checkDefinition(name, definition);
  }

  /** The action of this name and version, if it is registered. */
  find(name: string, version: string): ActionDefinition<unknown, unknown> | undefined {
    const definition = this.#actions.get(name);
    return definition !== undefined && versionOf(definition) === version ? definition : undefined;
  }

  /** The action of this name. Throws ACTION_UNKNOWN. */
  get(name: string): ActionDefinition<unknown, unknown> {
    const definition = this.#actions.get(name);
    if (definition !== undefined) return definition;
    const known = [...this.#actions.keys()].join(', ');
    throw new PerdureError('ACTION_UNKNOWN', `No action "${name}" is registered; these are: ${known || 'none'}.`, {
      facts: { name, known: [...this.#actions.keys()] },
    });
  }

  /** Name and version of every registered action. */
  get names(): readonly (readonly [name: string, version: string])[] {
    return [...this.#actions].map(([name, definition]) => [name, versionOf(definition)] as const);
  }

  /** What the action machine must know. */
  policyOf(name: string, overrides: PolicyOverrides = {}): ActionPolicy {
    const definition = this.get(name);
    const retry = { ...DEFAULT_RETRY, ...definition.retry, ...overrides.retry };
    const timeoutMs = overrides.timeoutMs ?? definition.timeoutMs ?? null;
    checkPolicy(name, retry, timeoutMs);
    return { retry, timeoutMs, hasFallback: definition.fallback !== undefined && overrides.fallback !== false };
  }
}

export function versionOf(definition: ActionDefinition<unknown, unknown>): string {
  return definition.version ?? '1';
}

function checkDefinition(name: string, definition: ActionDefinition<unknown, unknown>): void {
  if (typeof definition?.run !== 'function') {
    throw new PerdureError(
      'OPTIONS_INVALID',
      `The action "${name}" needs a function \`run\`: use defineAction({ run }).`,
      {
        facts: { name },
      },
    );
  }
  checkPolicy(name, { ...DEFAULT_RETRY, ...definition.retry }, definition.timeoutMs ?? null);
}

/** Node's timers fire at once beyond it. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

function checkPolicy(name: string, { attempts, delayMs, capMs }: RetryPolicy, timeoutMs: number | null): void {
  const wrong =
    !Number.isInteger(attempts) || attempts < 1
      ? `retry.attempts must be a whole number from 1, got ${attempts}`
      : !(delayMs >= 0) || !(capMs >= 0)
        ? `retry.delayMs and retry.capMs must be milliseconds from 0, got ${delayMs} and ${capMs}`
        : timeoutMs !== null && !(timeoutMs > 0 && timeoutMs <= LONGEST_TIMEOUT_MS)
          ? `timeoutMs must be milliseconds above 0 and up to ${LONGEST_TIMEOUT_MS}, got ${timeoutMs}`
          : undefined;
  if (wrong !== undefined)
    throw new PerdureError('OPTIONS_INVALID', `The action "${name}": ${wrong}.`, { facts: { name } });
}
