import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  afterCall,
  allowsRetry,
  DEFAULT_RETRY_BUDGET,
  fullBudget,
  retriesLeft,
  withinBudget,
  type RetryBudgetPolicy,
} from '../../machines/retry-budget.ts';

const policy: fc.Arbitrary<RetryBudgetPolicy> = fc.record({
  ratio: fc.integer({ min: 0, max: 1_000 }).map((thousandths) => thousandths / 1_000),
  burst: fc.integer({ min: 0, max: 20_000 }).map((thousandths) => thousandths / 1_000),
});

test('retries never exceed the ratio of the requests and the burst, in any order of both', () => {
  fc.assert(
    fc.property(policy, fc.array(fc.boolean(), { maxLength: 400, size: 'max' }), (budget, calls) => {
      let tokens = fullBudget(budget);
      let [requests, retries] = [0, 0];
      for (const isRetry of calls) {
        if (isRetry && !allowsRetry(budget, tokens)) continue;
        tokens = afterCall(budget, tokens, isRetry);
        if (isRetry) retries++;
        else requests++;
        expect(tokens).toBeGreaterThanOrEqual(0);
        expect(tokens).toBeLessThanOrEqual(fullBudget(budget));
        expect(retries * 1_000).toBeLessThanOrEqual(Math.round(budget.ratio * 1_000) * requests + budget.burst * 1_000);
      }
    }),
  );
});

test('every deposit counts: a retry for each five requests, a million times', () => {
  let tokens = afterCall({ ratio: 0.2, burst: 1 }, fullBudget({ ratio: 0.2, burst: 1 }), true);
  let retries = 0;
  for (let request = 0; request < 1_000_000; request++) {
    tokens = afterCall({ ratio: 0.2, burst: 1 }, tokens, false);
    if (!allowsRetry({ ratio: 0.2, burst: 1 }, tokens)) continue;
    tokens = afterCall({ ratio: 0.2, burst: 1 }, tokens, true);
    retries++;
  }
  expect(retries).toBe(200_000);
  for (let thousandths = 0; thousandths <= 1_000; thousandths++) {
    expect(afterCall({ ratio: thousandths / 1_000, burst: 10 }, 0, false)).toBe(thousandths);
  }
});

test('loses what is above a smaller burst, and counts nothing without a policy', () => {
  expect(retriesLeft(withinBudget({ ratio: 0, burst: 3 }, fullBudget(DEFAULT_RETRY_BUDGET)))).toBe(3);
  expect(withinBudget(null, 5_000)).toBe(0);
  expect(allowsRetry(null, 0)).toBe(true);
  expect(afterCall(null, 0, true)).toBe(0);
});
