/**
 * One admitted action, from its first attempt to its one outcome.
 *
 *   attempting ──hasReturned─────────────────────────────────────> settled (ok, recovered)
 *       │ failed ──canRetry──> backingOff ──backOff──> attempting
 *       │      └─hasFallback─> fallingBack ───────────────────────> settled (degraded, failed)
 *       │      └──────────────────────────────────────────────────> settled (failed)
 *       └ action.cancel ────> ending ──(the attempt has ended)────> settled (cancelled)
 *
 * The time limit of an attempt is kept by whoever carries it out: it counts from the start of the work in this life of the
 * process, and what was down in between does not count.
 *
 * Its input and its value never enter the context: they are in its row.
 */
import { assign, fromPromise, setup, type PromiseActorLogic } from 'xstate';
import { PerdureError } from '../errors.ts';
import { notProvided } from './not-provided.ts';
import type { ErrorRecord, OutcomeKind } from './outcome.ts';
import { backOffMs, type RetryPolicy } from './retry.ts';

/** What the action machine must know of an action. Plain data, stored with it. */
export interface ActionPolicy {
  readonly retry: RetryPolicy;
  /** Longest duration of one attempt, and of the fallback, ms; null for no limit. */
  readonly timeoutMs: number | null;
  readonly hasFallback: boolean;
}

export interface ActionInput {
  readonly id: string;
  readonly slot: number;
  readonly policy: ActionPolicy;
}

/** How an attempt ended. It never rejects: what was thrown is data. `roll` is uniform in [0, 1), for the back-off. */
export type AttemptResult =
  /** `value` is JSON, by the codec. */
  | { readonly kind: 'returned'; readonly value: string; readonly at: number }
  | {
      readonly kind: 'threw';
      readonly error: ErrorRecord;
      readonly retryable: boolean;
      readonly at: number;
      readonly roll: number;
    }
  | { readonly kind: 'unregistered'; readonly at: number };

export interface AttemptInput {
  readonly id: string;
  readonly attempt: number;
  readonly work: 'run' | 'fallback';
  /** ms; null for no limit. */
  readonly timeoutMs: number | null;
}

/** What survives a restart. */
export interface ActionContext extends ActionInput {
  readonly attempt: number;
  readonly backOffMs: number;
  readonly error: ErrorRecord | null;
  readonly retryable: boolean;
  readonly roll: number;
  /** When the last attempt ended. */
  readonly at: number;
}

export type ActionEvent = { readonly type: 'action.cancel'; readonly at: number };

/** What an action tells the executor. */
export type ActionNotice =
  | { readonly type: 'action.attempting'; readonly id: string; readonly slot: number; readonly attempt: number }
  | {
      readonly type: 'action.backingOff';
      readonly id: string;
      readonly slot: number;
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: ErrorRecord | null;
    }
  | {
      readonly type: 'action.ended';
      readonly id: string;
      readonly slot: number;
      /** Null when nobody could tell: then it is the time of its being written. */
      readonly at: number | null;
      readonly result: ActionResult;
    }
  | { readonly type: 'action.orphaned'; readonly id: string; readonly slot: number };

/** The part of an outcome that the action itself knows. */
export interface ActionResult {
  readonly kind: OutcomeKind;
  /** JSON, by the codec. */
  readonly value?: string;
  readonly error?: ErrorRecord;
  readonly attempts: number;
  readonly qualityLoss: number;
}

type Args = { readonly context: ActionContext };
type Settled = { readonly event: { readonly output: AttemptResult } };

function noteFailure(_: Args, { result }: { readonly result: AttemptResult }): Partial<ActionContext> {
  if (result.kind !== 'threw') return {};
  return { error: result.error, retryable: result.retryable, roll: result.roll, at: result.at };
}

function planBackOff({ context }: Args): Partial<ActionContext> {
  const previous = context.backOffMs || context.policy.retry.delayMs;
  return { backOffMs: backOffMs(context.policy.retry, previous, context.roll) };
}

function canRetry({ context }: Args): boolean {
  return context.retryable && context.attempt < context.policy.retry.attempts;
}

function hasReturned({ event }: Settled): boolean {
  return event.output.kind === 'returned';
}

function isUnregistered({ event }: Settled): boolean {
  return event.output.kind === 'unregistered';
}

function valueOf(result: AttemptResult): string {
  return result.kind === 'returned' ? result.value : 'null';
}

function returned({ context }: Args, value: string): ActionResult {
  const { attempt, error } = context;
  if (error === null) return { kind: 'ok', value, attempts: attempt, qualityLoss: 0 };
  return { kind: 'recovered', value, error, attempts: attempt, qualityLoss: 0 };
}

function fellBack({ context }: Args, value: string): ActionResult {
  const { attempt, error } = context;
  return { kind: 'degraded', value, ...(error === null ? {} : { error }), attempts: attempt, qualityLoss: 0.5 };
}

function ended({ context }: Args, kind: 'failed' | 'cancelled'): ActionResult {
  const { attempt, error } = context;
  return { kind, ...(error === null ? {} : { error }), attempts: attempt, qualityLoss: 1 };
}

type Notified = { readonly notice: ActionNotice };

function attempting({ context: { id, slot, attempt } }: Args): Notified {
  return { notice: { type: 'action.attempting', id, slot, attempt } };
}

function backingOff({ context: { id, slot, attempt, backOffMs: delayMs, error } }: Args): Notified {
  return { notice: { type: 'action.backingOff', id, slot, attempt, delayMs, error } };
}

function orphaned({ context: { id, slot } }: Args): Notified {
  return { notice: { type: 'action.orphaned', id, slot } };
}

function settling({ context: { id, slot } }: Args, at: number | null, result: ActionResult): Notified {
  return { notice: { type: 'action.ended', id, slot, at, result } };
}

function succeeded({ context, event: { output } }: Args & Settled): Notified {
  return settling({ context }, output.at, returned({ context }, valueOf(output)));
}

function degraded({ context, event: { output } }: Args & Settled): Notified {
  return settling({ context }, output.at, fellBack({ context }, valueOf(output)));
}

function failedToFallBack({ context, event: { output } }: Args & Settled): Notified {
  return settling({ context }, output.at, ended({ context }, 'failed'));
}

function failed({ context }: Args): Notified {
  return settling({ context }, context.at, ended({ context }, 'failed'));
}

/** A worker never rejects; only the runtime does in its place, when what it gave could not be stored. */
function refused({ context, event }: Args & { readonly event: { readonly error: unknown } }): Notified {
  const { name, code, message } = event.error as Partial<ErrorRecord>;
  const error = { name: name ?? 'Error', code: code ?? null, message: (message ?? 'unknown').slice(0, 500) };
  return settling({ context }, null, { ...ended({ context }, 'failed'), error });
}

function attemptOf({ context: { id, attempt, policy } }: Args, work: AttemptInput['work']): AttemptInput {
  return { id, attempt, work, timeoutMs: policy.timeoutMs };
}

function notPerformed(): never {
  throw new PerdureError('NOT_PROVIDED', 'The action machine needs its workers: spawn it with spawnSupervisor.');
}

/** Tries an action, backs off, falls back, ends what must end, and settles once. */
export const actionMachine = setup({
  types: {} as { input: ActionInput; context: ActionContext; events: ActionEvent },
  actors: {
    attempter: fromPromise<AttemptResult, AttemptInput>(notPerformed) as PromiseActorLogic<AttemptResult, AttemptInput>,
    ender: fromPromise<number, { id: string }>(notPerformed) as PromiseActorLogic<number, { id: string }>,
  },
  delays: { backOff: ({ context }) => context.backOffMs },
  guards: {
    canRetry,
    hasFallback: ({ context }) => context.policy.hasFallback,
  },
  actions: {
    noteFailure: assign(noteFailure),
    planBackOff: assign(planBackOff),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    /** Tells the executor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('action', 'announce') as (_: unknown, p: { notice: ActionNotice }) => void,
  },
}).createMachine({
  id: 'action',
  version: '1',
  context: ({ input }) => ({
    ...input,
    attempt: 1,
    backOffMs: 0,
    error: null,
    retryable: false,
    roll: 0,
    at: 0,
  }),
  initial: 'attempting',
  states: {
    attempting: {
      entry: { type: 'announce', params: attempting },
      on: { 'action.cancel': 'ending' },
      invoke: {
        id: 'attempter',
        src: 'attempter',
        input: ({ context }) => attemptOf({ context }, 'run'),
        onDone: [
          {
            guard: hasReturned,
            target: 'settled',
            actions: { type: 'announce', params: succeeded },
          },
          {
            guard: isUnregistered,
            target: 'settled',
            actions: { type: 'announce', params: orphaned },
          },
          { target: 'failed', actions: { type: 'noteFailure', params: ({ event }) => ({ result: event.output }) } },
        ],
        onError: {
          target: 'settled',
          actions: { type: 'announce', params: refused },
        },
      },
    },
    failed: {
      always: [
        { guard: 'canRetry', target: 'backingOff', actions: 'planBackOff' },
        { guard: 'hasFallback', target: 'fallingBack' },
        {
          target: 'settled',
          actions: { type: 'announce', params: failed },
        },
      ],
    },
    backingOff: {
      entry: { type: 'announce', params: backingOff },
      after: { backOff: { target: 'attempting', actions: 'countAttempt' } },
      on: {
        'action.cancel': {
          target: 'settled',
          actions: {
            type: 'announce',
            params: ({ context, event }) => settling({ context }, event.at, ended({ context }, 'cancelled')),
          },
        },
      },
    },
    fallingBack: {
      on: { 'action.cancel': 'ending' },
      invoke: {
        id: 'fallback',
        src: 'attempter',
        input: ({ context }) => attemptOf({ context }, 'fallback'),
        onDone: [
          {
            guard: hasReturned,
            target: 'settled',
            actions: { type: 'announce', params: degraded },
          },
          {
            target: 'settled',
            actions: { type: 'announce', params: failedToFallBack },
          },
        ],
        onError: {
          target: 'settled',
          actions: { type: 'announce', params: refused },
        },
      },
    },
    ending: {
      invoke: {
        id: 'ender',
        src: 'ender',
        input: ({ context: { id } }) => ({ id }),
        onDone: {
          target: 'settled',
          actions: {
            type: 'announce',
            params: ({ context, event }) => settling({ context }, event.output, ended({ context }, 'cancelled')),
          },
        },
        onError: {
          target: 'settled',
          actions: { type: 'announce', params: refused },
        },
      },
    },
    settled: {},
  },
});
