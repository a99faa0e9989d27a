/** What an action says of how it went: to the executor, and to its component. */
import { deadlineOf, isUntried, leastLoss, msOf, nextFallback, noteWait, ownError, qualityOf } from './action-rules.ts';
import type {
  ActionNotice,
  ActionResult,
  Args,
  AttemptInput,
  AttemptResult,
  Reached,
  Refusal,
  Settled,
  Shortfall,
} from './action-state.ts';
import type { ComponentEvent, Permit } from './component.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { ErrorRecord } from './outcome.ts';

export function hasReturned({ event }: Settled): boolean {
  return event.output.kind === 'returned';
}

export function isUnregistered({ event }: Settled): boolean {
  return event.output.kind === 'unregistered';
}

export function valueOf(result: AttemptResult): string {
  return result.kind === 'returned' ? result.value : 'null';
}

type Come = { readonly context: Reached };

/** What every outcome tells. */
export function facts({ context }: Come): Omit<ActionResult, 'kind' | 'qualityLoss'> {
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

export function returned({ context }: Args, result: AttemptResult): ActionResult {
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

export function ended({ context }: Come): ActionResult {
  return {
    ...facts({ context }),
    kind: context.isCancelled ? 'cancelled' : isShed({ context }) ? 'skipped' : 'failed',
    qualityLoss: 1,
  };
}

/** It was left out so that what matters more has what there is: nothing failed. */
export function isShed({ context: { attempt, error } }: Come): boolean {
  return attempt === 0 && error?.code === 'LOAD_SHED';
}

/** What is not good enough has failed, however well its parts went. */
export function belowFloor({ context }: Args): ActionResult {
  const least = leastLoss({ context });
  if (least === undefined || context.isCancelled) return ended({ context });
  return { ...ended({ context }), error: ownError('QUALITY_BELOW_FLOOR', shortfallOf({ context }, least)) };
}

function shortfallOf({ context }: Args, least: number): string {
  const { policy, error, quality } = context;
  const what = isUntried(context)
    ? `what it depends on has a quality of ${shown(quality)}`
    : `"${nextFallback({ context })?.name}" would give a quality of ${shown(qualityOf({ context }, least))}, for it loses ${shown(least)}`;
  const before = error === null ? '' : ` Before: ${error.message.slice(0, 300)}`;
  return `The action needs a quality of ${shown(policy.qualityFloor)}, and ${what}.${before}`;
}

function shown(quality: number): number {
  return Math.round(quality * 1_000) / 1_000;
}

/** Asks whether what can still be had will do, and says how far it has come. */
export function asks({ context }: Args): Notified {
  const { id, slot, attempt, band, error, fix, isCancelled, isUndone, raw, replaced, score, undoError, workMs } =
    context;
  const least = leastLoss({ context }) ?? 1;
  const reached = { attempt, band, error, fix, isCancelled, isUndone, raw, replaced, score, undoError, workMs };
  const shortfall = { message: shortfallOf({ context }, least), reached };
  return { notice: { type: 'action.asks', id, slot, quality: qualityOf({ context }, least), shortfall } };
}

/** Asks whether what was under way in the turn that was restored is to be done again. */
export function asksAgain({ context: { id, slot, score } }: Args): Notified {
  return { notice: { type: 'action.asksAgain', id, slot, score } };
}

/** What became of work that was under way in the turn that was restored nobody can tell. */
export function interruptedError({ context: { id } }: Args, work: AttemptInput['work']): ErrorRecord {
  const what = { run: 'An attempt', undo: 'The undoing', fallback: 'A fallback' }[work];
  return ownError(
    'ATTEMPT_INTERRUPTED',
    `${what} of the action "${id}" was under way in the turn that was restored, and is not begun again: find out what it did.`,
  );
}

/** How an action ends whose shortfall somebody, or silence, does not put up with. */
export function declined({ message, reached }: Shortfall, said: string): ActionResult {
  const error = ownError('QUALITY_BELOW_FLOOR', message);
  return { ...ended({ context: reached }), error: { ...error, message: `${said} ${message}` } };
}

type Notified = { readonly notice: ActionNotice };

export function attempting({ context: { id, slot, attempt, backOffMs } }: Args): Notified {
  const hasWaited = attempt === 1 && backOffMs > 0;
  return { notice: { type: 'action.attempting', id, slot, attempt, ...(hasWaited ? { hasWaited } : {}) } };
}

export function backingOff({ context: { id, slot, attempt, backOffMs: delay, error } }: Args): Notified {
  return { notice: { type: 'action.backingOff', id, slot, attempt, delayMs: delay, error } };
}

/** Nothing of it has begun, and it will be tried when its component can be. */
export function deferred({ context, event }: Args & { readonly event: Refusal }): Notified {
  const { at = context.at, backOffMs = 0 } = noteWait({ context }, event);
  return { notice: { type: 'action.deferred', id: context.id, slot: context.slot, until: at + backOffMs } };
}

export function woken({ context: { id, slot } }: Args): Notified {
  return { notice: { type: 'action.woken', id, slot } };
}

export function settling({ context: { id, slot } }: Args, at: number | null, result: ActionResult): Notified {
  return { notice: { type: 'action.ended', id, slot, at, result } };
}

export function succeeded({ context, event: { output } }: Args & Settled): Notified {
  return settling({ context }, output.at, returned({ context }, output));
}

export function degraded({ context, event: { output } }: Args & Settled): Notified {
  return settling({ context }, output.at, fellBack({ context }, output));
}

type Broken = { readonly event: { readonly error: unknown } };

/** A worker never rejects; only the runtime does in its place, when what it gave could not be stored. */
export function brokenOf({ event }: Broken): ErrorRecord {
  const { name = 'Error', code = null, message = 'unknown' } = event.error as Partial<ErrorRecord>;
  const fingerprint = fingerprintOf({ name, code, message });
  return { name, code, message: message.slice(0, 500), class: 'permanent', fingerprint };
}

export function refused({ context, event }: Args & Broken): Notified {
  return settling({ context }, null, { ...ended({ context }), error: brokenOf({ event }) });
}

/** What is left half done must be seen, and is not covered up by a fallback. */
export function undoFailed({ context: { id, slot } }: Args, error: ErrorRecord): Notified {
  return { notice: { type: 'action.undoFailed', id, slot, error } };
}

export function attemptOf({ context }: Args, work: AttemptInput['work']): AttemptInput {
  const { id, attempt, policy, fix } = context;
  const fallback = work === 'fallback' ? (nextFallback({ context })?.name ?? null) : null;
  const deadlineAt = work === 'run' ? deadlineOf({ context }) : null;
  return { id, attempt, work, fallback, fix, timeoutMs: policy.timeoutMs, deadlineAt };
}

/** What an attempt says of the component that permitted it. */
export function saidOf(result: AttemptResult | null, permit: Permit): ComponentEvent {
  if (result === null || result.kind === 'unregistered') return { type: 'component.released', ...permit };
  const { at, ms: durationMs } = result;
  if (result.kind === 'returned') return { type: 'component.succeeded', ...permit, durationMs, at };
  return { type: 'component.failed', ...permit, durationMs, at, class: result.error.class };
}

export function reportOf({ context: { permit, policy } }: Args, result: AttemptResult | null): ToComponent {
  if (permit === null || policy.component === null) return null;
  return { component: policy.component, event: saidOf(result, permit) };
}

/** What an undoing or a fallback failed of. */
export function failureOf(result: AttemptResult): ErrorRecord {
  if (result.kind === 'threw') return result.error;
  return ownError('ACTION_UNKNOWN', 'The action is not registered any more, nor what undoes it or stands in for it.');
}

export function fallbackFailed({ context }: Args, error: ErrorRecord): Notified {
  const { id, slot } = context;
  const { name: fallback = '' } = nextFallback({ context }) ?? {};
  return { notice: { type: 'action.fallbackFailed', id, slot, fallback, error } };
}

/** What the component is told, which is null for an action that holds no permit. */
export type ToComponent = { readonly component: string; readonly event: ComponentEvent } | null;
