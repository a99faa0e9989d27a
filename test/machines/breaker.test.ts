import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_BREAKER, nextOpenMs, tally, trips, withCall, type BreakerPolicy } from '../../machines/breaker.ts';

const call = fc.record({ failed: fc.boolean(), durationMs: fc.nat(20) });
const policy: fc.Arbitrary<BreakerPolicy> = fc
  .record({
    window: fc.integer({ min: 1, max: 30 }),
    failureRate: fc.double({ min: 0.01, max: 1, noNaN: true }),
    slowCallMs: fc.option(fc.nat(20)),
    slowCallRate: fc.double({ min: 0.01, max: 1, noNaN: true }),
    openMs: fc.integer({ min: 1, max: 1_000 }),
    openFactor: fc.double({ min: 1, max: 10, noNaN: true }),
    more: fc.nat(100_000),
  })
  .map(({ more, ...rest }) => ({
    ...DEFAULT_BREAKER,
    ...rest,
    minCalls: Math.min(3, rest.window),
    maxOpenMs: rest.openMs + more,
  }));

test('looks at the last calls only, and at each as it was', () => {
  fc.assert(
    fc.property(policy, fc.array(call, { maxLength: 60, size: 'max' }), (breaker, calls) => {
      const window = calls.reduce((sum, one) => withCall(breaker, sum, one), '');
      const last = calls.slice(-breaker.window);
      const failed = last.filter((one) => one.failed).length;
      const slow = last.filter((one) => breaker.slowCallMs !== null && one.durationMs > breaker.slowCallMs).length;
      expect(window).toHaveLength(last.length);
      expect(tally(window)).toEqual({ failed, slow });
      const enough = last.length >= breaker.minCalls;
      const bad = failed / last.length >= breaker.failureRate;
      const late = breaker.slowCallMs !== null && slow / last.length >= breaker.slowCallRate;
      expect(trips(breaker, window)).toBe(enough && (bad || late));
    }),
  );
});

test('stays open for longer every time, within its bounds', () => {
  fc.assert(
    fc.property(policy, (breaker) => {
      let previous = 0;
      for (let opening = 0; opening < 30; opening++) {
        const next = nextOpenMs(breaker, previous);
        expect(next).toBeGreaterThanOrEqual(Math.max(previous, breaker.openMs));
        expect(next).toBeLessThanOrEqual(breaker.maxOpenMs);
        previous = next;
      }
    }),
  );
  expect([0, 60_000, 120_000, 480_000].map((ms) => nextOpenMs(DEFAULT_BREAKER, ms))).toEqual([
    60_000, 120_000, 240_000, 600_000,
  ]);
});

test('does not open for four failures, nor for nine in twenty', () => {
  expect(trips(DEFAULT_BREAKER, 'xxxx')).toBe(false);
  expect(trips(DEFAULT_BREAKER, 'xxxxx')).toBe(true);
  expect(trips(DEFAULT_BREAKER, `${'x'.repeat(9)}${'.'.repeat(11)}`)).toBe(false);
  expect(trips(DEFAULT_BREAKER, `${'x'.repeat(10)}${'.'.repeat(10)}`)).toBe(true);
});
