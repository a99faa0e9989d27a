/**
 * A circuit breaker's arithmetic: a window over the last calls, when it trips, and how long it then stays open. The states
 * are those of the component machine. Source: M. Nygard, "Release It!", 2007; window and rates as in resilience4j.
 */

/** When a dependency is left alone, and for how long. Plain data: it is stored with the component. */
export interface BreakerPolicy {
  /** How many of the last calls are looked at. */
  readonly window: number;
  /** Fewer calls than this in the window say nothing. */
  readonly minCalls: number;
  /** It opens when this part of the window failed; 0 to 1. */
  readonly failureRate: number;
  /** A call that takes longer is slow, ms; null for none. */
  readonly slowCallMs: number | null;
  /** It also opens when this part of the window was slow; 0 to 1. */
  readonly slowCallRate: number;
  /** How long it stays open the first time, ms. */
  readonly openMs: number;
  /** The longest it stays open, ms; a probe that has not reported after this time no longer holds its place. */
  readonly maxOpenMs: number;
  /** How much longer it stays open after every probe that failed. */
  readonly openFactor: number;
  /** How many calls at once try whether the dependency is back. */
  readonly probes: number;
  /** How many of them must succeed before it closes. */
  readonly successes: number;
}

export const DEFAULT_BREAKER: BreakerPolicy = {
  window: 20,
  minCalls: 5,
  failureRate: 0.5,
  slowCallMs: null,
  slowCallRate: 1,
  openMs: 60_000,
  maxOpenMs: 600_000,
  openFactor: 2,
  probes: 1,
  successes: 1,
};

/** The last calls, oldest first, a letter each: `.` good, `s` slow, `x` failed, `X` failed and slow. */
export type CallWindow = string;

/** How a call went. */
export interface Call {
  readonly failed: boolean;
  readonly durationMs: number;
}

export function isSlow({ slowCallMs }: BreakerPolicy, durationMs: number): boolean {
  return slowCallMs !== null && durationMs > slowCallMs;
}

/** The window after one more call. */
export function withCall(policy: BreakerPolicy, calls: CallWindow, { failed, durationMs }: Call): CallWindow {
  const slow = isSlow(policy, durationMs);
  const letter = failed ? (slow ? 'X' : 'x') : slow ? 's' : '.';
  return (calls + letter).slice(-policy.window);
}

/** How many calls of the window failed, and how many were slow. */
export function tally(calls: CallWindow): { readonly failed: number; readonly slow: number } {
  let failed = 0;
  let slow = 0;
  for (const letter of calls) {
    if (letter === 'x' || letter === 'X') failed++;
    if (letter === 's' || letter === 'X') slow++;
  }
  return { failed, slow };
}

/** Whether a window is bad enough for the breaker to open. */
export function trips({ minCalls, failureRate, slowCallMs, slowCallRate }: BreakerPolicy, calls: CallWindow): boolean {
  if (calls.length < minCalls) return false;
  const { failed, slow } = tally(calls);
  return failed / calls.length >= failureRate || (slowCallMs !== null && slow / calls.length >= slowCallRate);
}

/** @param previousMs how long it was open the last time without having closed since; 0 for the first time. */
export function nextOpenMs({ openMs, maxOpenMs, openFactor }: BreakerPolicy, previousMs: number): number {
  return Math.min(maxOpenMs, Math.max(openMs, previousMs * openFactor));
}
