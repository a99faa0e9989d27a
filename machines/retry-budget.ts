/**
 * A token bucket without a clock: a first attempt pays a little in, a retry takes one out. So retries never exceed
 * `ratio * requests + burst`, and a dependency that fails at everything is not called much more often than one that works.
 * Source: gRPC A6, "Retry throttling"; Finagle's RetryBudget.
 */

/** How many retries there may be. Plain data: it is stored with the component. */
export interface RetryBudgetPolicy {
  /** Retries that a first attempt pays for, 0 to 1, to three decimals. */
  readonly ratio: number;
  /** Retries that may be saved up; so many are there at the beginning. */
  readonly burst: number;
}

export const DEFAULT_RETRY_BUDGET: RetryBudgetPolicy = { ratio: 0.2, burst: 10 };

/** Thousandths of a retry: whole numbers, so that a million deposits still add up. */
export type Tokens = number;

const RETRY: Tokens = 1_000;

const capacity = ({ burst }: RetryBudgetPolicy): Tokens => Math.floor(burst * RETRY);

/** What there is at the beginning; without a policy nothing is counted. */
export function fullBudget(policy: RetryBudgetPolicy | null): Tokens {
  return policy === null ? 0 : capacity(policy);
}

/** The same tokens under another policy. */
export function withinBudget(policy: RetryBudgetPolicy | null, tokens: Tokens): Tokens {
  return policy === null ? 0 : Math.min(tokens, capacity(policy));
}

export function allowsRetry(policy: RetryBudgetPolicy | null, tokens: Tokens): boolean {
  return policy === null || tokens >= RETRY;
}

/** What is left after a permitted call. */
export function afterCall(policy: RetryBudgetPolicy | null, tokens: Tokens, isRetry: boolean): Tokens {
  if (policy === null) return tokens;
  if (isRetry) return tokens - RETRY;
  return Math.min(capacity(policy), tokens + Math.floor(policy.ratio * RETRY));
}

/** How many retries there are now. */
export function retriesLeft(tokens: Tokens): number {
  return Math.floor(tokens / RETRY);
}
