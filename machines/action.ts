/**
 * One admitted action, from its first attempt to its one outcome; and then the next one of its slot. From the inside out: work within its time limit,
 * classified, retried as its policy, its component's breaker and retry budget allow, mended by a known fix, undone, replaced
 * by a fallback that is good enough, and settled once.
 *
 *        replacing <──isTooPoor── permitting ──action.permitted──> attempting ──hasReturned──> settled (ok, recovered)
 *                                  │ action.refused                 │ failed ──canRetry──> backingOff ──> permitting
 *                                  ├─canWait─> waiting ──┐          │      └─────────┐
 *                                  │   └─────────────────┘          │                v
 *                                  └──────────────────────────> exhausted ──> recalling ──isFixable──> permitting
 *                                                                                │
 *                                                                                v
 *            settled (failed) <──undoing──> replacing ──hasFallback──> fallingBack ──hasReturned──> settled (degraded)
 *                                               └──mustAsk──> settled (asks)  └──> replacing (the next one)
 *   action.cancel: the attempt is ended, what it did is undone, settled (cancelled)
 *
 * An action that leans on no component needs no permit. The time limit of an attempt is kept by whoever carries it out: it
 * counts from the start of the work in this life of the process, and what was down in between does not count; the deadline of the
 * action does not stand still.
 *
 * Its input and its value never enter the context: they are in its row.
 */
import { assign, enqueueActions, fromPromise, setup, type PromiseActorLogic } from 'xstate';
import { PerdureError, type PerdureErrorCode } from '../errors.ts';
import type { ComponentAnswer, ComponentEvent, Permit } from './component.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Band } from './gate.ts';
import { notProvided } from './not-provided.ts';
import type { ErrorRecord, OutcomeKind } from './outcome.ts';
import { nextDelayMs, type RetryPolicy } from './retry.ts';
import type { Risk } from './risk.ts';

/** What stands in when the work has failed for good. */
export interface FallbackSpec {
  readonly name: string;
  /** 0 for as good as the real thing, 1 for nothing at all. */
  readonly loss: number;
  /** Whether the real work is owed, and done when its component has recovered. */
  readonly owes: boolean;
}

/** What happens to the action while the breaker of its component is open. */
export type WhenOpen = 'reject' | 'wait';

/** What the action machine must know of an action. Plain data, stored with it. */
export interface ActionPolicy {
  readonly retry: RetryPolicy;
  /** Longest duration of one attempt, of the undoing, and of a fallback, ms; null for no limit. */
  readonly timeoutMs: number | null;
  /** From its first start to the end of its last attempt, ms; null for no limit. */
  readonly deadlineMs: number | null;
  /** The dependency that it leans on. */
  readonly component: string | null;
  readonly whenOpen: WhenOpen;
  /** The best first. */
  readonly fallbacks: readonly FallbackSpec[];
  /** The least quality, composed with what it depends on, from 0 to 1. */
  readonly qualityFloor: number;
  /** What happens when only less can be had. */
  readonly belowFloor: 'fail' | 'ask';
  readonly hasUndo: boolean;
}

/** The policy as it is stored: with what the gate must know. */
export interface StoredPolicy extends ActionPolicy {
  readonly risk: Risk;
  /** Of a plan's step: whether it waits while the error budget is spent. */
  readonly optional?: boolean;
}

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
  /** Somebody approved of it, also with less quality than its floor. */
  readonly approved: boolean;
  readonly at: number;
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
export interface ActionContext extends ActionInput {
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
  | { readonly type: 'action.begin'; readonly input: ActionInput };

type Refusal = Extract<ComponentAnswer, { type: 'action.refused' }>;

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
  | { readonly type: 'action.asks'; readonly id: string; readonly slot: number; readonly quality: number }
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

function begun(input: ActionInput): ActionContext {
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
    undoError: null,
    isUndone: false,
    workMs: 0,
  };
}

type Args = { readonly context: ActionContext };
type Settled = { readonly event: { readonly output: AttemptResult } };

function ownError(code: PerdureErrorCode, message: string): ErrorRecord {
  const name = 'PerdureError';
  return { name, code, message, class: 'permanent', fingerprint: fingerprintOf({ name, code, message }) };
}

function noteFailure({ context }: Args, { result }: { readonly result: AttemptResult }): Partial<ActionContext> {
  if (result.kind !== 'threw') return {};
  const { error, retryable, roll, at, ms } = result;
  return { error, retryable, roll, at, workMs: context.workMs + ms };
}

/** What the work itself failed of says more than what its stand-in failed of. */
function noteFallbackFailure(
  { context }: Args,
  { result }: { readonly result: AttemptResult },
): Partial<ActionContext> {
  return { replaced: context.replaced + 1, at: result.at, workMs: context.workMs + msOf(result) };
}

const REFUSALS: Readonly<Record<Exclude<Refusal['reason'], 'retryBudget'>, string>> = {
  open: 'does not work: its circuit is open',
  probing: 'does not work: its circuit is open, and another action is trying it',
  bypassed: 'is bypassed by an operator',
  shed: 'is left alone while too much else is down',
};

function noteRefusal({ context }: Args, { reason, retryAfterMs, at = context.at }: Refusal): Partial<ActionContext> {
  const { component } = context.policy;
  if (reason === 'retryBudget') return { at, retryable: false };
  const code = reason === 'shed' ? 'LOAD_SHED' : 'CIRCUIT_OPEN';
  const error = ownError(code, `The component "${component}" ${REFUSALS[reason]}; the action was not tried.`);
  // What failed before says more than that nothing was tried again.
  return { at, retryable: false, error: context.error ?? (retryAfterMs > 0 ? { ...error, retryAfterMs } : error) };
}

/** How long a refusal that names no time is good for: a probe is out, or an operator keeps it out of use, ms. */
const RECHECK_MS = 5_000;

function noteWait({ context }: Args, { retryAfterMs, at = context.at }: Refusal): Partial<ActionContext> {
  return { at, backOffMs: retryAfterMs || RECHECK_MS };
}

function delayMs({ context }: Args): number {
  const { policy, backOffMs, roll, error } = context;
  return nextDelayMs(policy.retry, backOffMs || policy.retry.delayMs, roll, error?.retryAfterMs);
}

function canRetry({ context }: Args): boolean {
  const { retryable, attempt, policy, fix } = context;
  return retryable && fix === null && attempt < policy.retry.attempts && isInTime({ context }, delayMs({ context }));
}

function deadlineOf({ context: { policy, startedAt } }: Args): number | null {
  return policy.deadlineMs === null ? null : startedAt + policy.deadlineMs;
}

function isInTime({ context }: Args, waitMs: number, at = context.at): boolean {
  const deadline = deadlineOf({ context });
  return deadline === null || at + waitMs < deadline;
}

function canWait({ context }: Args, refusal: Refusal): boolean {
  const { backOffMs = 0, at } = noteWait({ context }, refusal);
  return context.policy.whenOpen === 'wait' && refusal.reason !== 'retryBudget' && isInTime({ context }, backOffMs, at);
}

/** The composed quality of its own result, given what the result itself loses. */
function qualityOf({ context: { quality } }: Args, loss: number): number {
  return quality * (1 - loss);
}

function isEnough({ context }: Args, loss: number): boolean {
  const { approved, policy } = context;
  return approved || qualityOf({ context }, loss) >= policy.qualityFloor;
}

function nextFallback({ context }: Args): FallbackSpec | undefined {
  return context.policy.fallbacks[context.replaced];
}

function hasFallback({ context }: Args): boolean {
  const next = nextFallback({ context });
  return !context.isCancelled && next !== undefined && isEnough({ context }, next.loss);
}

/** What the best that can still be had would lose: the work itself, while nothing speaks against it. */
function leastLoss({ context }: Args): number | undefined {
  return context.attempt === 0 && context.error === null ? 0 : nextFallback({ context })?.loss;
}

/** The best that can be had is below the floor, and somebody is to say whether it will do. */
function mustAsk({ context }: Args): boolean {
  const { policy, isCancelled } = context;
  const least = leastLoss({ context });
  return !isCancelled && policy.belowFloor === 'ask' && least !== undefined && !isEnough({ context }, least);
}

function mustUndo({ context }: Args): boolean {
  return context.policy.hasUndo && context.attempt > 0 && !context.isUndone;
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

function msOf(result: AttemptResult): number {
  return result.kind === 'unregistered' ? 0 : result.ms;
}

/** What every outcome tells. */
function facts({ context }: Args): Omit<ActionResult, 'kind' | 'qualityLoss'> {
  const { attempt: attempts, workMs, band, score, raw, error, fix, undoError, isUndone } = context;
  return {
    attempts,
    workMs,
    band,
    score,
    raw,
    ...(error === null ? {} : { error }),
    ...(fix === null ? {} : { fix }),
    ...(undoError === null ? (isUndone ? { undo: 'done' as const } : {}) : { undo: undoError }),
  };
}

function returned({ context }: Args, result: AttemptResult): ActionResult {
  const base = facts({ context });
  return {
    ...base,
    kind: context.error === null ? 'ok' : 'recovered',
    value: valueOf(result),
    workMs: base.workMs + msOf(result),
    qualityLoss: 1 - qualityOf({ context }, 0),
  };
}

function fellBack({ context }: Args, result: AttemptResult): ActionResult {
  const base = facts({ context });
  const { name = '', loss = 0, owes = false } = nextFallback({ context }) ?? {};
  return {
    ...base,
    kind: 'degraded',
    value: valueOf(result),
    workMs: base.workMs + msOf(result),
    qualityLoss: 1 - qualityOf({ context }, loss),
    via: name,
    ...(owes ? { owes } : {}),
  };
}

function ended({ context }: Args): ActionResult {
  return {
    ...facts({ context }),
    kind: context.isCancelled ? 'cancelled' : isShed({ context }) ? 'skipped' : 'failed',
    qualityLoss: 1,
  };
}

/** It was left out so that what matters more has what there is: nothing failed. */
function isShed({ context: { attempt, error } }: Args): boolean {
  return attempt === 0 && error?.code === 'LOAD_SHED';
}

/** What is not good enough has failed, however well its parts went. */
function belowFloor({ context }: Args): ActionResult {
  const { policy, error, quality } = context;
  const least = leastLoss({ context });
  if (least === undefined || context.isCancelled) return ended({ context });
  const what =
    least === 0 && error === null
      ? `what it depends on has a quality of ${quality}`
      : `"${nextFallback({ context })?.name}" would give a quality of ${qualityOf({ context }, least)}`;
  const before = error === null ? '' : ` Before: ${error.message.slice(0, 300)}`;
  const message = `The action needs a quality of ${policy.qualityFloor}, and ${what}.${before}`;
  return { ...ended({ context }), error: ownError('QUALITY_BELOW_FLOOR', message) };
}

type Notified = { readonly notice: ActionNotice };

function attempting({ context: { id, slot, attempt } }: Args): Notified {
  return { notice: { type: 'action.attempting', id, slot, attempt } };
}

function backingOff({ context: { id, slot, attempt, backOffMs: delay, error } }: Args): Notified {
  return { notice: { type: 'action.backingOff', id, slot, attempt, delayMs: delay, error } };
}

function settling({ context: { id, slot } }: Args, at: number | null, result: ActionResult): Notified {
  return { notice: { type: 'action.ended', id, slot, at, result } };
}

function succeeded({ context, event: { output } }: Args & Settled): Notified {
  return settling({ context }, output.at, returned({ context }, output));
}

function degraded({ context, event: { output } }: Args & Settled): Notified {
  return settling({ context }, output.at, fellBack({ context }, output));
}

type Broken = { readonly event: { readonly error: unknown } };

/** A worker never rejects; only the runtime does in its place, when what it gave could not be stored. */
function brokenOf({ event }: Broken): ErrorRecord {
  const { name = 'Error', code = null, message = 'unknown' } = event.error as Partial<ErrorRecord>;
  const fingerprint = fingerprintOf({ name, code, message });
  return { name, code, message: message.slice(0, 500), class: 'permanent', fingerprint };
}

function refused({ context, event }: Args & Broken): Notified {
  return settling({ context }, null, { ...ended({ context }), error: brokenOf({ event }) });
}

/** What is left half done must be seen, and is not covered up by a fallback. */
function undoFailed({ context: { id, slot } }: Args, error: ErrorRecord): Notified {
  return { notice: { type: 'action.undoFailed', id, slot, error } };
}

function attemptOf({ context }: Args, work: AttemptInput['work']): AttemptInput {
  const { id, attempt, policy, fix } = context;
  const fallback = work === 'fallback' ? (nextFallback({ context })?.name ?? null) : null;
  const deadlineAt = work === 'run' ? deadlineOf({ context }) : null;
  return { id, attempt, work, fallback, fix, timeoutMs: policy.timeoutMs, deadlineAt };
}

/** What an attempt says of the component that permitted it. */
function saidOf(result: AttemptResult | null, permit: Permit): ComponentEvent {
  if (result === null || result.kind === 'unregistered') return { type: 'component.released', ...permit };
  const { at, ms: durationMs } = result;
  if (result.kind === 'returned') return { type: 'component.succeeded', ...permit, durationMs, at };
  return { type: 'component.failed', ...permit, durationMs, at, class: result.error.class };
}

function reportOf({ context: { permit, policy } }: Args, result: AttemptResult | null): ToComponent {
  if (permit === null || policy.component === null) return null;
  return { component: policy.component, event: saidOf(result, permit) };
}

/** What an undoing or a fallback failed of. */
function failureOf(result: AttemptResult): ErrorRecord {
  if (result.kind === 'threw') return result.error;
  return ownError('ACTION_UNKNOWN', 'The action is not registered any more, nor what undoes it or stands in for it.');
}

function fallbackFailed({ context }: Args, error: ErrorRecord): Notified {
  const { id, slot } = context;
  const { name: fallback = '' } = nextFallback({ context }) ?? {};
  return { notice: { type: 'action.fallbackFailed', id, slot, fallback, error } };
}

/** What the component is told, which is null for an action that holds no permit. */
type ToComponent = { readonly component: string; readonly event: ComponentEvent } | null;

function notPerformed(): never {
  throw new PerdureError('NOT_PROVIDED', 'The action machine needs its workers: spawn it with spawnSupervisor.');
}

const reporting = [
  { type: 'tellComponent', params: ({ context, event }: Args & Settled) => reportOf({ context }, event.output) },
  'dropPermit',
] as const;
const releasing = [
  { type: 'tellComponent', params: ({ context }: Args) => reportOf({ context }, null) },
  'dropPermit',
] as const;

/** Tries an action, backs off, undoes, falls back, ends what must end, and settles once. */
export const actionMachine = setup({
  types: {} as { input: ActionInput; context: ActionContext; events: ActionEvent },
  actors: {
    attempter: fromPromise<AttemptResult, AttemptInput>(notPerformed) as PromiseActorLogic<AttemptResult, AttemptInput>,
    ender: fromPromise<number, { id: string }>(notPerformed) as PromiseActorLogic<number, { id: string }>,
  },
  delays: {
    backOff: ({ context }) => context.backOffMs,
    reopening: ({ context }) => context.backOffMs,
  },
  guards: {
    canRetry,
    hasFallback,
    mustAsk,
    isTooPoor: ({ context }) => !isEnough({ context }, 0),
    mustUndo,
    hasRecourse: ({ context }) => mustUndo({ context }) || hasFallback({ context }),
  },
  actions: {
    noteFailure: assign(noteFailure),
    noteRefusal: assign((args, refusal: Refusal) => noteRefusal(args, refusal)),
    planBackOff: assign(({ context }) => ({ backOffMs: delayMs({ context }) })),
    planReopening: assign(noteWait),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    holdPermit: assign({ permit: (_, { probe, generation }: Required<Permit>) => ({ probe, generation }) }),
    dropPermit: assign({ permit: null }),
    noteFix: assign({ fix: (_, { fix }: { fix: string | null }) => fix }),
    noteCancel: assign((_, { at }: { at: number }) => ({ isCancelled: true, at })),
    noteUndone: assign((_, { at }: { at: number }) => ({ isUndone: true, at })),
    noteFallbackFailure: assign(noteFallbackFailure),
    noteUndoFailure: assign((_, { error }: { error: ErrorRecord }) => ({ undoError: error })),
    noteBroken: assign((_, { error }: { error: ErrorRecord }) => ({ error, retryable: false })),
    countFallback: assign({ replaced: ({ context }) => context.replaced + 1 }),
    /** Asks the component for a permit: it answers `action.permitted` or `action.refused`. */
    askComponent: notProvided('action', 'askComponent') as (
      _: unknown,
      p: { component: string; retry: boolean },
    ) => void,
    /** Gives the permit back, if there is one, with what came of it. */
    tellComponent: notProvided('action', 'tellComponent') as (_: unknown, p: ToComponent) => void,
    /** Looks for a fix that is known to help against its error; answers `action.recalled`. */
    recall: notProvided('action', 'recall') as (_: unknown, p: { id: string; error: ErrorRecord | null }) => void,
    /** Tells the executor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('action', 'announce') as (_: unknown, p: { notice: ActionNotice }) => void,
  },
}).createMachine({
  id: 'action',
  version: '2',
  context: ({ input }) => begun(input),
  initial: 'permitting',
  on: {
    // A permit that comes when nobody needs it any more.
    'action.permitted': {
      actions: [{ type: 'holdPermit', params: ({ event }) => event }, ...releasing],
    },
  },
  states: {
    permitting: {
      always: [
        { guard: 'isTooPoor', target: 'replacing' },
        { guard: ({ context }) => context.policy.component === null, target: 'attempting' },
      ],
      entry: enqueueActions(({ enqueue, context }) => {
        const { policy, attempt } = context;
        if (policy.component === null || !isEnough({ context }, 0)) return;
        enqueue({ type: 'askComponent', params: { component: policy.component, retry: attempt > 0 } });
      }),
      on: {
        'action.permitted': { target: 'attempting', actions: { type: 'holdPermit', params: ({ event }) => event } },
        'action.refused': [
          {
            guard: ({ context, event }) => canWait({ context }, event),
            target: 'waiting',
            actions: { type: 'planReopening', params: ({ event }) => event },
          },
          { target: 'exhausted', actions: { type: 'noteRefusal', params: ({ event }) => event } },
        ],
        'action.cancel': { target: 'undoing', actions: { type: 'noteCancel', params: ({ event }) => event } },
      },
    },
    waiting: {
      entry: { type: 'announce', params: backingOff },
      after: { reopening: 'permitting' },
      on: { 'action.cancel': { target: 'undoing', actions: { type: 'noteCancel', params: ({ event }) => event } } },
    },
    attempting: {
      // A monitored attempt is looked at when it takes longer than its kind does.
      entry: [
        'countAttempt',
        { type: 'announce', params: attempting },
        enqueueActions(({ enqueue, context: { band, slowMs: delay } }) => {
          if (band === 'monitored') enqueue.raise({ type: 'action.slowed' }, { id: 'slow', delay });
        }),
      ],
      exit: enqueueActions(({ enqueue, context }) => {
        if (context.band === 'monitored') enqueue.cancel('slow');
      }),
      on: {
        'action.cancel': { target: 'ending', actions: { type: 'noteCancel', params: ({ event }) => event } },
        'action.slowed': {
          actions: {
            type: 'announce',
            params: ({ context: { id, slot, slowMs } }) => ({
              notice: { type: 'action.slow' as const, id, slot, slowMs },
            }),
          },
        },
      },
      invoke: {
        id: 'attempter',
        src: 'attempter',
        input: ({ context }) => attemptOf({ context }, 'run'),
        onDone: [
          {
            guard: hasReturned,
            target: 'settled',
            actions: [...reporting, { type: 'announce', params: succeeded }],
          },
          {
            guard: isUnregistered,
            target: 'settled',
            actions: [
              ...releasing,
              {
                type: 'announce',
                params: ({ context: { id, slot } }) => ({ notice: { type: 'action.orphaned' as const, id, slot } }),
              },
            ],
          },
          {
            target: 'failed',
            actions: [...reporting, { type: 'noteFailure', params: ({ event }) => ({ result: event.output }) }],
          },
        ],
        onError: [
          {
            guard: 'hasRecourse',
            target: 'undoing',
            actions: [...releasing, { type: 'noteBroken', params: ({ event }) => ({ error: brokenOf({ event }) }) }],
          },
          { target: 'settled', actions: [...releasing, { type: 'announce', params: refused }] },
        ],
      },
    },
    failed: {
      always: [{ guard: 'canRetry', target: 'backingOff', actions: 'planBackOff' }, { target: 'exhausted' }],
    },
    backingOff: {
      entry: { type: 'announce', params: backingOff },
      after: { backOff: 'permitting' },
      on: { 'action.cancel': { target: 'undoing', actions: { type: 'noteCancel', params: ({ event }) => event } } },
    },
    exhausted: {
      // One fix is tried once.
      always: [
        { guard: ({ context }) => context.fix === null && context.attempt > 0, target: 'recalling' },
        { target: 'undoing' },
      ],
    },
    recalling: {
      entry: { type: 'recall', params: ({ context: { id, error } }) => ({ id, error }) },
      on: {
        'action.recalled': [
          {
            guard: ({ event }) => event.fix !== null,
            target: 'permitting',
            actions: { type: 'noteFix', params: ({ event }) => event },
          },
          { target: 'undoing' },
        ],
        'action.cancel': { target: 'undoing', actions: { type: 'noteCancel', params: ({ event }) => event } },
      },
    },
    undoing: {
      initial: 'deciding',
      states: {
        deciding: { always: [{ guard: 'mustUndo', target: 'running' }, { target: '#action.replacing' }] },
        running: {
          on: { 'action.cancel': { actions: { type: 'noteCancel', params: ({ event }) => event } } },
          invoke: {
            id: 'undoer',
            src: 'attempter',
            input: ({ context }) => attemptOf({ context }, 'undo'),
            onDone: [
              {
                guard: hasReturned,
                target: '#action.replacing',
                actions: { type: 'noteUndone', params: ({ event }) => event.output },
              },
              {
                target: '#action.settled',
                actions: [
                  { type: 'noteUndoFailure', params: ({ event }) => ({ error: failureOf(event.output) }) },
                  {
                    type: 'announce',
                    params: ({ context, event }) => undoFailed({ context }, failureOf(event.output)),
                  },
                  {
                    type: 'announce',
                    params: ({ context, event }) => settling({ context }, event.output.at, ended({ context })),
                  },
                ],
              },
            ],
            onError: {
              target: '#action.settled',
              actions: [
                { type: 'noteUndoFailure', params: ({ event }) => ({ error: brokenOf({ event }) }) },
                { type: 'announce', params: ({ context, event }) => undoFailed({ context }, brokenOf({ event })) },
                { type: 'announce', params: ({ context }) => settling({ context }, null, ended({ context })) },
              ],
            },
          },
        },
      },
    },
    replacing: {
      always: [
        { guard: 'hasFallback', target: 'fallingBack' },
        {
          guard: 'mustAsk',
          target: 'settled',
          actions: {
            type: 'announce',
            params: ({ context }) => ({
              notice: {
                type: 'action.asks' as const,
                id: context.id,
                slot: context.slot,
                quality: qualityOf({ context }, leastLoss({ context }) ?? 1),
              },
            }),
          },
        },
        {
          target: 'settled',
          actions: {
            type: 'announce',
            params: ({ context }) => settling({ context }, context.at, belowFloor({ context })),
          },
        },
      ],
    },
    fallingBack: {
      on: { 'action.cancel': { target: 'ending', actions: { type: 'noteCancel', params: ({ event }) => event } } },
      invoke: {
        id: 'fallback',
        src: 'attempter',
        input: ({ context }) => attemptOf({ context }, 'fallback'),
        onDone: [
          { guard: hasReturned, target: 'settled', actions: { type: 'announce', params: degraded } },
          {
            target: 'replacing',
            actions: [
              {
                type: 'announce',
                params: ({ context, event }) => fallbackFailed({ context }, failureOf(event.output)),
              },
              { type: 'noteFallbackFailure', params: ({ event }) => ({ result: event.output }) },
            ],
          },
        ],
        onError: {
          target: 'replacing',
          actions: [
            { type: 'announce', params: ({ context, event }) => fallbackFailed({ context }, brokenOf({ event })) },
            'countFallback',
          ],
        },
      },
    },
    ending: {
      invoke: {
        id: 'ender',
        src: 'ender',
        input: ({ context: { id } }) => ({ id }),
        onDone: {
          target: 'undoing',
          actions: [...releasing, { type: 'noteCancel', params: ({ event }) => ({ at: event.output }) }],
        },
        // Nobody could wait for its end: it is undone as it is.
        onError: {
          target: 'undoing',
          actions: [...releasing, { type: 'noteBroken', params: ({ event }) => ({ error: brokenOf({ event }) }) }],
        },
      },
    },
    // The slot's actor serves one action after the other: to stop and to spawn it each time would cost more than the action.
    settled: {
      on: { 'action.begin': { target: 'permitting', actions: assign(({ event }) => begun(event.input)) } },
    },
  },
});
