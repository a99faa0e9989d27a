/** What an action is told, what it keeps, and what it tells. */
import type { ActionPolicy } from './action-policy.ts';
import type { ComponentAnswer, Permit } from './component.ts';
import type { Band } from './gate.ts';
import type { ErrorRecord, OutcomeKind } from './outcome.ts';

export interface ActionInput {
  readonly id: string;
  readonly slot: number;
  readonly policy: ActionPolicy;
  /** How the gate let it pass. */
  readonly band: Exclude<Band, 'ask'>;
  readonly score: number;
  /** Before it was calibrated. */
  readonly raw: number;
  /** A monitored attempt that takes longer is told of, ms. */
  readonly slowMs: number;
  /** The composed quality of what it depends on, from 0 to 1. */
  readonly quality: number;
  /** Somebody said that less quality than its floor will do. */
  readonly waivesFloor: boolean;
  /** It asked for its quality, and goes on from there; null for one that begins. */
  readonly reached: Reached | null;
  readonly at: number;
}

/** How far an action has come that asks for its quality. */
export type Reached = Pick<
  ActionContext,
  | 'attempt'
  | 'band'
  | 'error'
  | 'fix'
  | 'isCancelled'
  | 'isUndone'
  | 'raw'
  | 'replaced'
  | 'score'
  | 'undoError'
  | 'workMs'
>;

/** What somebody is asked who is to say whether less than the floor will do. */
export interface Shortfall {
  /** What can still be had, and why no more than that. */
  readonly message: string;
  readonly reached: Reached;
}

/** How an attempt ended. It never rejects: what was thrown is data. `roll` is uniform in [0, 1), for the back-off. */
export type AttemptResult =
  /** `value` is JSON, by the codec. */
  | { readonly kind: 'returned'; readonly value: string; readonly at: number; readonly ms: number }
  | {
      readonly kind: 'threw';
      readonly error: ErrorRecord;
      readonly retryable: boolean;
      readonly at: number;
      readonly ms: number;
      readonly roll: number;
    }
  | { readonly kind: 'unregistered'; readonly at: number };

export interface AttemptInput {
  readonly id: string;
  readonly attempt: number;
  readonly work: 'run' | 'undo' | 'fallback';
  /** The fallback's name. */
  readonly fallback: string | null;
  /** What is known to have helped. */
  readonly fix: string | null;
  /** ms; null for no limit. */
  readonly timeoutMs: number | null;
  /** Wall-clock ms since 1970; null for no limit. */
  readonly deadlineAt: number | null;
}

/** What survives a restart. */
export interface ActionContext extends Omit<ActionInput, 'reached'> {
  /** Begun so far. */
  readonly attempt: number;
  readonly backOffMs: number;
  readonly error: ErrorRecord | null;
  readonly retryable: boolean;
  readonly roll: number;
  /** When it was admitted. */
  readonly startedAt: number;
  /** What its component gave it, until it is told how the call went. */
  readonly permit: Required<Permit> | null;
  readonly fix: string | null;
  /** Fallbacks that were tried. */
  readonly replaced: number;
  readonly isCancelled: boolean;
  /** Whether what waits must go on waiting until it is released: the whole is paused. */
  readonly isHeld: boolean;
  /** What the undoing failed of. */
  readonly undoError: ErrorRecord | null;
  readonly isUndone: boolean;
  /** What its attempts took in all, ms. */
  readonly workMs: number;
}

export type ActionEvent =
  | { readonly type: 'action.cancel'; readonly at: number }
  | ({ readonly type: 'action.permitted' } & Required<Permit>)
  | Refusal
  | { readonly type: 'action.recalled'; readonly fix: string | null }
  | { readonly type: 'action.slowed' }
  /** It waits no longer for its next attempt, if it is this one that it waits after. */
  | { readonly type: 'action.retryNow'; readonly id: string; readonly attempt: number }
  | { readonly type: 'action.hold' }
  | { readonly type: 'action.release' }
  /** Its tree is of the past: what is under way may have been done since. */
  | { readonly type: 'action.restored'; readonly policy: 'ask' | 'fail' }
  | { readonly type: 'action.begin'; readonly input: ActionInput };

export type Refusal = Extract<ComponentAnswer, { type: 'action.refused' }>;

/** What an action tells the executor. */
export type ActionNotice =
  | {
      readonly type: 'action.attempting';
      readonly id: string;
      readonly slot: number;
      readonly attempt: number;
      /** Only of a first attempt that had to wait in its slot. */
      readonly hasWaited?: true;
    }
  | {
      readonly type: 'action.backingOff';
      readonly id: string;
      readonly slot: number;
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: ErrorRecord | null;
    }
  /** It waits no more. */
  | { readonly type: 'action.woken'; readonly id: string; readonly slot: number }
  | { readonly type: 'action.slow'; readonly id: string; readonly slot: number; readonly slowMs: number }
  | {
      readonly type: 'action.undoFailed';
      readonly id: string;
      readonly slot: number;
      readonly error: ErrorRecord;
    }
  /** What its stand-in failed of; the outcome tells what the work itself did. */
  | {
      readonly type: 'action.fallbackFailed';
      readonly id: string;
      readonly slot: number;
      readonly fallback: string;
      readonly error: ErrorRecord;
    }
  | {
      readonly type: 'action.ended';
      readonly id: string;
      readonly slot: number;
      /** Null when nobody could tell: then it is the time of its being written. */
      readonly at: number | null;
      readonly result: ActionResult;
    }
  /** Only less quality than its floor can be had, and somebody is to say whether that will do. */
  | {
      readonly type: 'action.asks';
      readonly id: string;
      readonly slot: number;
      readonly quality: number;
      readonly shortfall: Shortfall;
    }
  /** It was under way in a turn that was restored, and somebody is to say whether it begins again. */
  | { readonly type: 'action.asksAgain'; readonly id: string; readonly slot: number; readonly score: number }
  /** Its component is out of use: it waits without a slot, and is not tried before `until`, ms since 1970. */
  | { readonly type: 'action.deferred'; readonly id: string; readonly slot: number; readonly until: number }
  | { readonly type: 'action.orphaned'; readonly id: string; readonly slot: number };

/** The part of an outcome that the action itself knows. */
export interface ActionResult {
  readonly kind: OutcomeKind;
  /** JSON, by the codec. */
  readonly value?: string;
  readonly error?: ErrorRecord;
  readonly attempts: number;
  /** Composed with what it depends on. */
  readonly qualityLoss: number;
  readonly workMs: number;
  readonly band: ActionInput['band'];
  readonly score: number;
  readonly raw: number;
  /** The fallback whose value it is. */
  readonly via?: string;
  readonly owes?: boolean;
  readonly fix?: string;
  readonly undo?: 'done' | ErrorRecord;
}

export function begun({ reached, ...input }: ActionInput): ActionContext {
  return {
    ...input,
    attempt: 0,
    backOffMs: 0,
    error: null,
    retryable: false,
    roll: 0,
    startedAt: input.at,
    permit: null,
    fix: null,
    replaced: 0,
    isCancelled: false,
    isHeld: false,
    undoError: null,
    isUndone: false,
    workMs: 0,
    ...reached,
  };
}

export type Args = { readonly context: ActionContext };
export type Settled = { readonly event: { readonly output: AttemptResult } };
