/** When and how often an action is tried again. Plain data: it is stored with the action. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** The shortest back-off, ms. */
  readonly delayMs: number;
  /** The longest back-off, ms. */
  readonly capMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 1, delayMs: 1_000, capMs: 30_000 };

/**
 * Decorrelated jitter: `min(cap, U(base, 3 * previous))`, capped after sampling. Source: M. Brooker, "Exponential
 * Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @param previousMs the back-off before this one; `delayMs` for the first.
 * @param roll uniform in [0, 1).
 */
export function backOffMs({ delayMs, capMs }: RetryPolicy, previousMs: number, roll: number): number {
  const longest = Math.max(delayMs, previousMs * 3);
  return Math.round(Math.min(capMs, delayMs + roll * (longest - delayMs)));
}
