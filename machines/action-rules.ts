/** When an action is tried again, waits, asks, or makes do with less: the rules of its chart, as functions of its state. */
import type { PerdureErrorCode } from '../errors.ts';
import type { FallbackSpec } from './action-policy.ts';
import type { ActionContext, Args, AttemptResult, Reached, Refusal } from './action-state.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { ErrorRecord } from './outcome.ts';
import { isBelow } from './quality.ts';
import { nextDelayMs } from './retry.ts';

export function ownError(code: PerdureErrorCode, message: string): ErrorRecord {
  const name = 'PerdureError';
  return { name, code, message, class: 'permanent', fingerprint: fingerprintOf({ name, code, message }) };
}

export function noteFailure({ context }: Args, { result }: { readonly result: AttemptResult }): Partial<ActionContext> {
  if (result.kind !== 'threw') return {};
  const { error, retryable, roll, at, ms } = result;
  return { error, retryable, roll, at, workMs: context.workMs + ms };
}

export function msOf(result: AttemptResult): number {
  return result.kind === 'unregistered' ? 0 : result.ms;
}

/** What the work itself failed of says more than what its stand-in failed of. */
export function noteFallbackFailure(
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

/** What failed would have been tried again: whoever reads its error must learn why it was not. */
function notRetried({ context: { error, policy } }: Args): ErrorRecord | null {
  if (error === null) return null;
  return { ...error, message: `${error.message} (not retried: the retry budget of "${policy.component}" is spent)` };
}

export function noteRefusal(
  { context }: Args,
  { reason, retryAfterMs, at = context.at }: Refusal,
): Partial<ActionContext> {
  const { component } = context.policy;
  if (reason === 'retryBudget') return { at, retryable: false, error: notRetried({ context }) };
  const code = reason === 'shed' ? 'LOAD_SHED' : 'CIRCUIT_OPEN';
  const error = ownError(code, `The component "${component}" ${REFUSALS[reason]}; the action was not tried.`);
  // What failed before says more than that nothing was tried again.
  return { at, retryable: false, error: context.error ?? (retryAfterMs > 0 ? { ...error, retryAfterMs } : error) };
}

/** How long a refusal that names no time is good for: a probe is out, or an operator keeps it out of use, ms. */
export const RECHECK_MS = 5_000;

export function noteWait({ context }: Args, { retryAfterMs, at = context.at }: Refusal): Partial<ActionContext> {
  return { at, backOffMs: retryAfterMs || RECHECK_MS };
}

export function delayMs({ context }: Args): number {
  const { policy, backOffMs, roll, error } = context;
  return nextDelayMs(policy.retry, backOffMs || policy.retry.delayMs, roll, error?.retryAfterMs);
}

export function canRetry({ context }: Args): boolean {
  const { retryable, attempt, policy, fix } = context;
  return retryable && fix === null && attempt < policy.retry.attempts && isInTime({ context }, delayMs({ context }));
}

export function deadlineOf({ context: { policy, startedAt } }: Args): number | null {
  return policy.deadlineMs === null ? null : startedAt + policy.deadlineMs;
}

function isInTime({ context }: Args, waitMs: number, at = context.at): boolean {
  const deadline = deadlineOf({ context });
  return deadline === null || at + waitMs < deadline;
}

export function canWait({ context }: Args, refusal: Refusal): boolean {
  const { backOffMs = 0, at } = noteWait({ context }, refusal);
  return context.policy.whenOpen === 'wait' && refusal.reason !== 'retryBudget' && isInTime({ context }, backOffMs, at);
}

/**
 * What has not begun waits as a row, and keeps no slot. One with a deadline does not: it must not wait for longer than that,
 * and has to make do with less in time.
 */
export function canDefer({ context }: Args, refusal: Refusal): boolean {
  return context.policy.deadlineMs === null && isUntried(context) && canWait({ context }, refusal);
}

/** The composed quality of its own result, given what the result itself loses. */
export function qualityOf({ context: { quality } }: Args, loss: number): number {
  return quality * (1 - loss);
}

export function isEnough({ context }: Args, loss: number): boolean {
  const { waivesFloor, policy } = context;
  return waivesFloor || !isBelow(qualityOf({ context }, loss), policy.qualityFloor);
}

export function nextFallback({ context }: Args): FallbackSpec | undefined {
  return context.policy.fallbacks[context.replaced];
}

export function hasFallback({ context }: Args): boolean {
  const next = nextFallback({ context });
  return !context.isCancelled && next !== undefined && isEnough({ context }, next.loss);
}

/** Whether the work itself can still be had: nothing came of it so far. */
export function isUntried({ attempt, error }: Pick<Reached, 'attempt' | 'error'>): boolean {
  return attempt === 0 && error === null;
}

/** What the best that can still be had would lose: the work itself, while nothing speaks against it. */
export function leastLoss({ context }: Args): number | undefined {
  return isUntried(context) ? 0 : nextFallback({ context })?.loss;
}

/** The best that can be had is below the floor, and somebody is to say whether it will do. */
export function mustAsk({ context }: Args): boolean {
  const { policy, isCancelled } = context;
  const least = leastLoss({ context });
  return !isCancelled && policy.belowFloor === 'ask' && least !== undefined && !isEnough({ context }, least);
}

export function mustUndo({ context }: Args): boolean {
  return context.policy.hasUndo && context.attempt > 0 && !context.isUndone;
}
