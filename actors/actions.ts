/** What a host app names: its actions, by name and version, and the components that they lean on. */
import { messageOf, PerdureError } from '../errors.ts';
import type { FallbackSpec, StoredPolicy, WhenOpen } from '../machines/action-policy.ts';
import type { Classifier } from '../machines/error-class.ts';
import { fallbackOrder } from '../machines/quality.ts';
import { DEFAULT_RETRY, type RetryPolicy } from '../machines/retry.ts';
import type { Impact } from '../machines/gate.ts';
import type { OnSilence } from '../machines/approvals.ts';
import type { OnRestore } from '../machines/executor.ts';
import type { ComponentPolicy } from '../machines/component-policy.ts';
import { shown } from '../machines/option-keys.ts';
import type { Risk } from '../machines/risk.ts';
import { DEFAULT_LOSS, type ActionContext, type Fallback, type FallbackTerms } from './action-context.ts';
import {
  checkComponents,
  checkDefinition,
  checkFunction,
  checkObject,
  checkPolicy,
  checkStandIns,
} from './action-options.ts';
import { memoPolicyOf, type MemoOptions } from './memos.ts';
import { policiesOf, type Components } from './components.ts';
import type { ThreadWork } from './thread-work.ts';

/** Takes back what the work did, or a part of it that `willUndo` named. */
export type Undo<TInput> =
  | ((input: TInput, context: ActionContext) => unknown)
  | Readonly<Record<string, (data: never, context: ActionContext) => unknown>>;

/** What an action does. */
export interface ActionDefinition<TInput = never, TValue = unknown> extends ActionTerms<TInput, TValue> {
  /** The work. What it returns must be plain data. */
  run(input: TInput, context: ActionContext): Promise<TValue> | TValue;
  readonly thread?: never;
  readonly prepare?: never;
}

/** What an action does whose work is done in a thread of the background pool. Everything but the work is done here. */
export interface ThreadActionDefinition<TInput = never, TValue = unknown> extends ActionTerms<TInput, TValue> {
  /** The work: an export of a module, called as `(input, context)` in a thread. What it returns must be plain data. */
  readonly thread: ThreadWork;
  /** Called here before the thread is: what it returns, plain data, is the function's input instead. `timeoutMs` does not bound it. */
  prepare?(input: TInput, context: ActionContext): unknown;
  readonly run?: never;
}

/** What may be said of an action beside its work. */
export interface ActionTerms<TInput = never, TValue = unknown> {
  /** Whether what the work returned is good: false, or an error that is thrown, fails the attempt for good. */
  verify?(value: TValue, input: TInput, context: ActionContext): Promise<boolean> | boolean;
  /** What to do when the work has failed for good, by name, or one of them: the outcome is then `degraded`. The least loss goes first. */
  readonly fallback?:
    | ((input: TInput, context: ActionContext) => Promise<TValue> | TValue)
    | Readonly<Record<string, Fallback<TInput, TValue>>>;
  /** Called when the action has failed or was cancelled, and an attempt had begun. Must bear being called again after a crash. */
  readonly undo?: Undo<TInput>;
  /**
   * Ends what an attempt of an earlier life of the process left running. Called when such an action is cancelled or timed out;
   * `key` is that of its work.
   */
  cleanUp?(id: string, input: TInput, key: string): Promise<void>;
  /** Default: one attempt. Delays in ms. */
  readonly retry?: Partial<RetryPolicy>;
  /** Longest duration of one attempt, of a fallback and of the undoing, ms. A restart begins it anew. Default: no limit. */
  readonly timeoutMs?: number;
  /** From the first start to the end of the last attempt, ms; what was down in between counts. Default: no limit. */
  readonly deadlineMs?: number;
  /** Change it when stored inputs must not meet the new code: actions of other versions are parked. Default: `1`. */
  readonly version?: string;
  /** The dependency that it leans on: it has a circuit breaker, a retry budget and fallbacks. Default: none. */
  readonly component?: string;
  /** What happens while the component's breaker is open. Default: `reject`, which fails, or falls back, at once. */
  readonly whenOpen?: WhenOpen;
  /** The least quality that will do, from 0 to 1. Default: 0. */
  readonly qualityFloor?: number;
  /** What happens when only less can be had. Default: `fail`. */
  readonly belowFloor?: 'fail' | 'ask';
  /** How bad it is when it goes wrong. Default: `low`. */
  readonly impact?: Impact;
  /** Whether it can be taken back. Default: true with `undo`, else unknown. */
  readonly reversible?: boolean;
  /** What it will do, in words: for whoever is asked, and for the gate, which knows what deleting means. Default: its name. */
  summary?(input: TInput): string;
  /** What silence means when somebody is asked. Default: `wait`, for ever. */
  readonly approval?: { readonly silence: OnSilence; readonly afterMs?: number };
  /**
   * What becomes of an attempt that was under way in the checkpoint that is restored, and may have been done since: it asks
   * somebody, runs again, or fails with ATTEMPT_INTERRUPTED. Default: `ask`.
   */
  readonly onRestore?: OnRestore;
  /** Says of what class an error is; undefined leaves it to Perdure. */
  readonly classify?: Classifier;
  /** In a plan: whether it is left out when nothing that it is made of has changed. Default: false. */
  readonly memo?: boolean | MemoOptions;
}

/**
 * Gives an action its types.
 *
 * @example
 * const hash = defineAction<Uint8Array, string>({ thread: { module: './hash.mjs', export: 'hash' } });
 */
export function defineAction<TInput, TValue>(
  definition: ActionDefinition<TInput, TValue>,
): ActionDefinition<TInput, TValue>;
export function defineAction<TInput, TValue>(
  definition: ThreadActionDefinition<TInput, TValue>,
): ThreadActionDefinition<TInput, TValue>;
export function defineAction(definition: unknown): unknown {
  return definition;
}

/** Actions by name. */
export type Actions = Readonly<
  Record<string, ActionDefinition<never, unknown> | ThreadActionDefinition<never, unknown>>
>;

export type InputOf<TAction> =
  TAction extends ThreadActionDefinition<infer TInput, infer _>
    ? TInput
    : TAction extends ActionDefinition<infer TInput, infer _>
      ? TInput
      : never;
export type ValueOf<TAction> =
  TAction extends ThreadActionDefinition<infer _, infer TValue>
    ? TValue
    : TAction extends { run: (...args: never[]) => infer TValue }
      ? Awaited<TValue>
      : unknown;

/** An action as the runtime calls it. */
export type AnyAction = ActionDefinition<unknown, unknown> | ThreadActionDefinition<unknown, unknown>;

/** Overrides of a definition, for one submission. */
export interface PolicyOverrides {
  readonly retry?: Partial<RetryPolicy>;
  readonly timeoutMs?: number;
  readonly deadlineMs?: number;
  /**
   * Whether the fallbacks are used, if there are any; default true. Or those of this submission, by name, instead: what has none of
   * these names is done by the definition's `fallback` where that is one function, which finds the name in its context.
   */
  readonly fallback?: boolean | Readonly<Record<string, FallbackTerms>>;
  /** Whether it is undone when it fails, if there is an `undo`. Default: true. */
  readonly undo?: boolean;
  /** Actions of the same subject are judged by how the others went. Default: the action's name. */
  readonly subject?: string;
  readonly component?: string;
  readonly whenOpen?: WhenOpen;
  readonly qualityFloor?: number;
  readonly belowFloor?: 'fail' | 'ask';
  readonly impact?: Impact;
  readonly reversible?: boolean;
  /** How clear it is what is wanted, from 0 to 1. */
  readonly clarity?: number;
  /** How sure the caller is that it may run, from 0 to 1: replaces the gate's own score. */
  readonly confidence?: number;
  readonly summary?: string;
  readonly approval?: { readonly silence: OnSilence; readonly afterMs?: number };
}

export interface RegistryOptions {
  readonly components?: Components;
  readonly classify?: Classifier;
}

/** The longest summary, in characters. */
export const SUMMARY_LIMIT = 500;

/** The registered actions. */
export class Registry {
  readonly #actions: ReadonlyMap<string, AnyAction>;
  readonly #components: Components;
  readonly #classify: Classifier | undefined;
  readonly #named: ReadonlySet<string>;

  /** Throws OPTIONS_INVALID. */
  constructor(actions: Actions, { components = {}, classify }: RegistryOptions = {}) {
    checkObject('actions', actions);
    checkFunction('classify', classify);
    this.#actions = new Map(Object.entries(actions) as [string, AnyAction][]);
    this.#components = components;
    this.#classify = classify;
    for (const [name, definition] of this.#actions) checkDefinition(name, definition);
    checkComponents(components);
    this.#named = new Set(Object.keys(this.components));
    for (const [name, { memo }] of this.#actions) {
      this.policyOf(name);
      memoPolicyOf(`The action "${name}"`, memo);
    }
  }

  /** The action of this name and version, if it is registered. */
  find(name: string, version: string): AnyAction | undefined {
    const definition = this.#actions.get(name);
    return definition !== undefined && versionOf(definition) === version ? definition : undefined;
  }

  /** The action of this name. Throws ACTION_UNKNOWN. */
  get(name: string): AnyAction {
    const definition = this.#actions.get(name);
    if (definition !== undefined) return definition;
    const known = [...this.#actions.keys()].join(', ');
    throw new PerdureError('ACTION_UNKNOWN', `No action "${name}" is registered; these are: ${known || 'none'}.`, {
      facts: { name, known: [...this.#actions.keys()] },
    });
  }

  /** What is done in threads, by the names of the actions. */
  get threads(): readonly (readonly [name: string, thread: ThreadWork])[] {
    return [...this.#actions].flatMap(([name, { thread }]) => (thread === undefined ? [] : [[name, thread] as const]));
  }

  /** Name and version of every registered action. */
  get names(): readonly (readonly [name: string, version: string])[] {
    return [...this.#actions].map(([name, definition]) => [name, versionOf(definition)] as const);
  }

  /** What the machines must know of every component that is defined, or that an action names. */
  get components(): Record<string, ComponentPolicy> {
    const leaning = [...this.#actions.values()].flatMap((definition) => {
      const { component } = definition;
      return component === undefined ? [] : [{ component, fallbacks: fallbacksOf(definition) }];
    });
    return policiesOf(this.#components, leaning);
  }

  /** The class that the host gives an error of this action. */
  classifierOf({ classify }: AnyAction): Classifier | undefined {
    const general = this.#classify;
    if (classify === undefined || general === undefined) return classify ?? general;
    return (error) => classify(error) ?? general(error);
  }

  /** A fallback of the action, or else of its component. */
  fallbackOf(definition: AnyAction, component: string | null, name: string): Fallback<unknown, unknown> | undefined {
    const { fallback } = definition;
    const shared = component === null ? undefined : this.#components[component]?.fallbacks?.[name];
    return fallbacksOf(definition)[name] ?? shared ?? (typeof fallback === 'function' ? { run: fallback } : undefined);
  }

  /** What the machines must know. */
  policyOf(name: string, overrides: PolicyOverrides = {}, input?: unknown): StoredPolicy {
    const definition = this.get(name);
    const component = overrides.component ?? definition.component ?? null;
    if (component !== null) this.#checkNamed(name, component);
    const policy: StoredPolicy = {
      retry: { ...DEFAULT_RETRY, ...definition.retry, ...overrides.retry },
      timeoutMs: overrides.timeoutMs ?? definition.timeoutMs ?? null,
      deadlineMs: overrides.deadlineMs ?? definition.deadlineMs ?? null,
      component,
      whenOpen: overrides.whenOpen ?? definition.whenOpen ?? 'reject',
      fallbacks: this.#fallbackSpecs(definition, component, overrides.fallback),
      qualityFloor: overrides.qualityFloor ?? definition.qualityFloor ?? 0,
      belowFloor: overrides.belowFloor ?? definition.belowFloor ?? 'fail',
      hasUndo: definition.undo !== undefined && overrides.undo !== false,
      risk: riskOf(name, definition, overrides, input),
    };
    checkPolicy(name, policy);
    return policy;
  }

  /** One that nobody declared would have no breaker at all. */
  #checkNamed(name: string, component: string): void {
    if (this.#named.has(component)) return;
    const known = [...this.#named];
    throw new PerdureError(
      'OPTIONS_INVALID',
      `The action "${name}": component must be one of ${known.join(', ') || 'none, as none is declared'}, got ${shown(component)}: ` +
        'declare it in `components` of the supervisor.',
      { facts: { name, component, known } },
    );
  }

  #fallbackSpecs(
    definition: AnyAction,
    component: string | null,
    asked: PolicyOverrides['fallback'] = true,
  ): readonly FallbackSpec[] {
    if (asked === false) return [];
    const shared = component === null ? {} : (this.#components[component]?.fallbacks ?? {});
    const terms = asked === true ? { ...shared, ...fallbacksOf(definition) } : asked;
    checkStandIns(terms, (fallback) => this.fallbackOf(definition, component, fallback) !== undefined);
    return fallbackOrder(
      Object.entries<FallbackTerms>(terms).map(([name, { qualityLoss = DEFAULT_LOSS, owes = false }]) => ({
        name,
        loss: qualityLoss,
        owes,
      })),
    );
  }
}

function fallbacksOf({ fallback }: AnyAction): Readonly<Record<string, Fallback<unknown, unknown>>> {
  return typeof fallback === 'function' ? { fallback: { run: fallback } } : (fallback ?? {});
}

function riskOf(name: string, definition: AnyAction, overrides: PolicyOverrides, input: unknown): Risk {
  const approval = overrides.approval ?? definition.approval;
  const summary = overrides.summary ?? summaryOf(name, definition, input);
  return {
    impact: overrides.impact ?? definition.impact ?? 'low',
    reversible: overrides.reversible ?? definition.reversible ?? null,
    clarity: overrides.clarity ?? null,
    confidence: overrides.confidence ?? null,
    summary: summary.slice(0, SUMMARY_LIMIT),
    ...(overrides.subject === undefined ? {} : { subject: overrides.subject }),
    silence: approval?.silence ?? 'wait',
    silenceMs: approval?.afterMs ?? null,
  };
}

/** Without an input, as at the start, there is nothing to say it of. */
function summaryOf(name: string, definition: AnyAction, input: unknown): string {
  if (input === undefined || definition.summary === undefined) return name;
  const what = `The action "${name}": its summary must return a text`;
  let summary: unknown;
  try {
    summary = definition.summary(input);
  } catch (cause) {
    throw new PerdureError('OPTIONS_INVALID', `${what}, but it threw: ${messageOf(cause)}`, { cause, facts: { name } });
  }
  if (typeof summary === 'string') return summary;
  throw new PerdureError('OPTIONS_INVALID', `${what}, got ${shown(summary)}.`, { facts: { name } });
}

export function versionOf(definition: AnyAction): string {
  return definition.version ?? '1';
}
