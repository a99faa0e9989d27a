import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  arcPath,
  axisTimes,
  burnDown,
  burnPlace,
  failuresText,
  faultTimes,
  concentrationText,
  gaugeOf,
  goneInMs,
  heldText,
  tierWords,
  trendText,
  windowWords,
} from '../../../inspector/page/views/budget/burn-figures.ts';
import { BUDGET_TIERS, budgetPolicy } from '../../../machines/budget-policy.ts';
import { measuresOf, spentOf, type BudgetCounts } from '../../../machines/burn.ts';

const HOUR = 3_600_000;
const positive = fc.double({ min: 0, max: 1_000, noNaN: true });

describe('what is left of a budget', () => {
  test('property: is from nothing to all of it, and the less the more is spent', () => {
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const [less, more] = [gaugeOf(Math.max(a, b)), gaugeOf(Math.min(a, b))];
        expect(less.remaining).toBeGreaterThanOrEqual(0);
        expect(more.remaining).toBeLessThanOrEqual(1);
        expect(less.remaining).toBeLessThanOrEqual(more.remaining);
      }),
    );
  });

  test('is told in words', () => {
    expect(gaugeOf(0.28).text).toBe('72\u202f% of the error budget is left');
    expect(gaugeOf(2.4).text).toBe('2.4 times the budget is spent');
    expect(gaugeOf(0.996).text).toBe('0.4\u202f% of the error budget is left');
  });

  test('over the period is drawn within the chart', () => {
    const points = burnDown([
      { at: 1, good: 1, bad: 0, spent: 0 },
      { at: 2, good: 1, bad: 9, spent: 1.5 },
    ]);
    expect(points).toEqual([
      { at: 1, left: 1 },
      { at: 2, left: 0 },
    ]);
  });

  test('at a burn that goes on is gone when the policy says so', () => {
    const policy = budgetPolicy({ slo: 0.9, periodMs: 8 * HOUR });
    const burn = 4;
    const at = goneInMs(burn, 0, 8 * HOUR)!;
    const counts: BudgetCounts = { at: 0, windows: [], period: { good: 60, bad: 40, spanMs: at } };
    expect(spentOf(policy, counts)).toBeCloseTo(1);
    expect(goneInMs(1, 0, HOUR)).toBeUndefined();
    expect(goneInMs(9, 1, HOUR)).toBeUndefined();
  });
});

describe('the arc of a gauge', () => {
  test('property: begins where it always does, and ends on its circle', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1, noNaN: true }), (part) => {
        const numbers = arcPath(part, 40, 50)
          .match(/-?[\d.]+/g)!
          .map(Number);
        const [x, y] = numbers.slice(-2) as [number, number];
        expect(Math.hypot(x - 50, y - 50)).toBeCloseTo(40, 1);
        expect(arcPath(part, 40, 50).split(' A ')[0]).toBe(arcPath(1, 40, 50).split(' A ')[0]);
      }),
    );
  });

  test('of nothing is nothing', () => expect(arcPath(0, 40, 50)).toBe(''));
});

describe('words', () => {
  test('every tier says what it changes, as much as it does', () => {
    const effects = BUDGET_TIERS.map((tier) => tierWords(tier).effect);
    expect(new Set(effects).size).toBe(BUDGET_TIERS.length);
    for (const tier of BUDGET_TIERS) {
      const { share, freezeOptional } = measuresOf(tier);
      expect(/optional ones wait/.test(tierWords(tier).effect)).toBe(freezeOptional);
      expect(/Half as many/.test(tierWords(tier).effect)).toBe(share === 0.5);
      expect(/quarter as many/.test(tierWords(tier).effect)).toBe(share === 0.25);
    }
    expect(heldText('fastBurn', 'fastBurn')).toBeUndefined();
    expect(heldText('fastBurn', 'healthy')).toMatch(/would be healthy by now/);
  });

  test('a pair of windows says when it counts, and whether it does', () => {
    const window = { fraction: 0.1, longMs: 600_000, shortMs: 50_000, tier: 'fastBurn', threshold: 4.8 } as const;
    const tally = (burn: number) => ({ good: 1, bad: 1, burn });
    expect(windowWords({ ...window, long: tally(5), short: tally(9) })).toEqual({
      title: '10 min and 50 s',
      isBurning: true,
      text: '10\u202f% of the budget in 10 min; both windows burn: fast burn',
    });
    expect(windowWords({ ...window, long: tally(5), short: tally(0) }).text).toMatch(/does not any more/);
    expect(windowWords({ ...window, long: tally(1), short: tally(1) }).text).toMatch(/below 4.8×/);
  });

  test('property: a burn lies beyond two thirds of its scale exactly when it reaches the threshold', () => {
    fc.assert(
      fc.property(positive, fc.double({ min: 0.1, max: 100, noNaN: true }), (burn, threshold) => {
        fc.pre(Math.abs(burn - threshold) > 1e-6);
        expect(burnPlace(burn, threshold) > 2 / 3).toBe(burn > threshold);
      }),
    );
  });

  test('a trend says how much, and how sure', () => {
    expect(trendText({ direction: 'steady', ratio: 1.1, p: 0.6 })).toBe('Failures are as frequent as before.');
    expect(trendText({ direction: 'rising', ratio: 2.14, p: 0.0001 })).toBe(
      'Failures are becoming more: 2.14 times as frequent as before (hardly chance)',
    );
    expect(trendText({ direction: 'rising', ratio: null, p: 0.02 })).toBe(
      'Failures are becoming more: there were none before (by chance in 2 of 100 cases)',
    );
  });

  test('faults of one kind say that one thing is broken', () => {
    const told = (...shares: number[]) => concentrationText(shares.map((share) => ({ share })));
    expect(told()).toBe('');
    expect(told(1)).toMatch(/one thing is broken/);
    expect(told(0.7, 0.2, 0.1)).toMatch(/Most failures/);
    expect(told(0.5, 0.5)).toBe('The failures are of 2 kinds.');
    expect(told(0.3, 0.3, 0.2, 0.2)).toMatch(/A few kinds/);
    expect(told(0.1, 0.1, 0.1, 0.1, 0.1)).toMatch(/many kinds/);
  });
});

test('failures that are counted in parts are told as parts, and whole ones as whole', () => {
  expect([0, 0.2, 0.04, 1, 1 - 1e-12, 2.34, 12, 1_200].map(failuresText)).toEqual([
    '0 failures',
    '0.2 failures',
    '0.04 failures',
    '1 failure',
    '1 failure',
    '2.3 failures',
    '12 failures',
    '1\u202f200 failures',
  ]);
});

test('when a kind of fault was is told as exactly as it is known', () => {
  const now = 10 * HOUR + 22_000;
  // A count is of the span of time that began then.
  const fault = { firstAt: 10 * HOUR - 158_000, lastAt: 10 * HOUR - 158_000 };
  expect(faultTimes(fault, 10 * HOUR, now)).toBe('last 22 s ago, all within the last 3 min');
  expect(faultTimes(fault, undefined, now)).toBe('all within the last 3 min');
  // The newest that is there is an older one: those of later were tried again.
  expect(faultTimes(fault, fault.lastAt - 1, now)).toBe('all within the last 3 min');
  expect(faultTimes({ ...fault, firstAt: 0 }, undefined, now)).toBe(
    'newest within the last 3 min, all within the last 10 h',
  );
});

test('property: no two labels of a time axis are equal', () => {
  fc.assert(
    fc.property(fc.nat(2_000_000_000_000), fc.nat({ max: 100 * 24 * HOUR }), (from, span) => {
      const labels = axisTimes(from, from + span);
      expect(labels.length).toBeGreaterThan(0);
      expect(new Set(labels).size).toBe(labels.length);
      if (span > 10 * 60_000) expect(labels).toHaveLength(5);
    }),
  );
});
