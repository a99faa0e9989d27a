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

/** For common kinds of work: give one as `retry`. */
export const RETRY_PRESETS = {
  network: { attempts: 6, delayMs: 1_000, capMs: 30_000 },
  database: { attempts: 4, delayMs: 500, capMs: 10_000 },
  timeout: { attempts: 3, delayMs: 2_000, capMs: 20_000 },
  resource: { attempts: 5, delayMs: 1_000, capMs: 60_000 },
  default: { attempts: 4, delayMs: 1_000, capMs: 30_000 },
} as const satisfies Record<string, RetryPolicy>;

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

/** The longest Retry-After that is honoured, ms: who asks for more is asked again after a day, and keeps nobody for ever. */
export const MAX_RETRY_AFTER_MS = 86_400_000;

/**
 * The back-off before the next attempt: never sooner than the other side asked for, also when it asked for more than the cap,
 * and up to {@link MAX_RETRY_AFTER_MS}.
 */
export function nextDelayMs(policy: RetryPolicy, previousMs: number, roll: number, retryAfterMs = 0): number {
  return Math.max(backOffMs(policy, previousMs, roll), Math.min(Math.ceil(retryAfterMs), MAX_RETRY_AFTER_MS));
}
