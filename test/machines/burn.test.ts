import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BUDGET_TIERS,
  budgetPolicy,
  type BudgetOptions,
  type BudgetTier,
  type SloBudget,
} from '../../machines/budget-policy.ts';
import {
  burnRate,
  concentrationOf,
  judge,
  measuresOf,
  severityOf,
  spentOf,
  thresholdOf,
  tierOf,
  type BudgetCounts,
  type Standing,
  type Tally,
} from '../../machines/burn.ts';

const HOUR = 3_600_000;
const POLICY = budgetPolicy() as SloBudget;
const COUNT = budgetPolicy({ kind: 'count' });

const NONE: Tally = { good: 0, bad: 0 };
const countsOf = (over: Partial<BudgetCounts> = {}): BudgetCounts => ({
  at: 0,
  windows: POLICY.windows.map(() => ({ long: NONE, short: NONE })),
  period: { ...NONE, spanMs: 0 },
  ...over,
});
const failures = (bad: number): BudgetCounts => countsOf({ windows: [], period: { good: 0, bad, spanMs: HOUR } });

const tally = fc.record({ good: fc.nat(300), bad: fc.nat(300) });
const counts: fc.Arbitrary<BudgetCounts> = fc.record({
  at: fc.nat(100_000_000),
  windows: fc.array(fc.record({ long: tally, short: tally }), { minLength: 3, maxLength: 3 }),
  period: fc.record({ good: fc.nat(3_000), bad: fc.nat(3_000), spanMs: fc.nat(8 * HOUR) }),
});
const policy = fc.constantFrom(POLICY, COUNT, budgetPolicy({ slo: 0.99, minEvents: 50 }));
const tier = fc.constantFrom(...BUDGET_TIERS);

describe('the policy', () => {
  test('of an 8-hour run has the windows and rates of the workbook, scaled', () => {
    const minute = 60_000;
    expect(POLICY.windows.map(({ longMs, shortMs }) => [longMs / minute, shortMs / 1_000])).toEqual([
      [10, 50],
      [60, 300],
      [240, 1_200],
    ]);
    for (const periodMs of [minute, HOUR, 8 * HOUR, 30 * 24 * HOUR]) {
      const { windows, slo } = budgetPolicy({ periodMs }) as SloBudget;
      const rates = windows.map((window) => thresholdOf(window, slo, periodMs));
      for (const [i, rate] of [4.8, 2, 1].entries()) expect(rates[i]).toBeCloseTo(rate, 9);
    }
    // The table of chapter 5 itself: 2 % of 30 days in an hour is a burn of 14.4.
    const page = { fraction: 0.02, longMs: HOUR, shortMs: HOUR / 12, tier: 'fastBurn' } as const;
    expect(thresholdOf(page, 0.999, 720 * HOUR)).toBeCloseTo(14.4, 9);
  });

  test('lowers a threshold that no share of failures can reach to failing always', () => {
    const { windows, slo, periodMs } = budgetPolicy({ slo: 0.5 }) as SloBudget;
    expect(windows.map((window) => thresholdOf(window, slo, periodMs))).toEqual([2, 2, 1]);
  });

  test.each<[string, BudgetOptions]>([
    ['kind', { kind: 'daily' } as never],
    ['perHour', { kind: 'count', perHour: -1 }],
    ['perHour', { kind: 'count', perHour: NaN }],
    ['slo', { slo: 1 }],
    ['slo', { slo: 0 }],
    ['periodMs', { periodMs: 0 }],
    ['minEvents', { minEvents: 0.5 }],
    ['exitRatio', { exitRatio: 1.1 }],
    ['dwellMs', { dwellMs: -1 }],
    ['windows', { windows: [] }],
    ['windows[0].fraction', { windows: [{ fraction: -0.1, longMs: 60_000, shortMs: 5_000, tier: 'fastBurn' }] }],
    ['windows[0].shortMs', { windows: [{ fraction: 0.1, longMs: 60_000, shortMs: 60_000, tier: 'fastBurn' }] }],
    ['windows[0].longMs', { windows: [{ fraction: 0.1, longMs: 9 * HOUR, shortMs: 60_000, tier: 'fastBurn' }] }],
    ['windows[0].tier', { windows: [{ fraction: 0.1, longMs: 60_000, shortMs: 5_000, tier: 'page' as never }] }],
  ])('refuses a wrong %s and names it', (option, options) => {
    expect(() => budgetPolicy(options)).toThrow(
      expect.objectContaining({
        code: 'OPTIONS_INVALID',
        facts: expect.objectContaining({ option: `budget.${option}` }),
      }),
    );
  });
});

describe('the tier of a count', () => {
  test('is reached at its threshold exactly', () => {
    expect([3, 4, 7, 8, 14, 15].map((bad) => tierOf(COUNT, failures(bad)))).toEqual([
      'healthy',
      'slowBurn',
      'slowBurn',
      'fastBurn',
      'fastBurn',
      'exhausted',
    ]);
  });

  test('property: an objective that is missed by exactly what a window allows has reached its tier', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 50 }), (percent, times) => {
        const one = budgetPolicy({ slo: 1 - percent / 100 }) as SloBudget;
        const missed = { good: (100 - percent) * times, bad: percent * times };
        const burning = { long: missed, short: missed };
        const windows = [{ long: NONE, short: NONE }, { long: NONE, short: NONE }, burning];
        expect(tierOf(one, countsOf({ windows }))).toBe('slowBurn');
        expect(tierOf(one, countsOf({ period: { ...missed, spanMs: 8 * HOUR } }))).toBe('exhausted');
      }),
    );
  });

  test('H27: a long window whose short one has calmed down does not burn, nor a short one alone', () => {
    const failing = { good: 0, bad: 100 };
    const calm = { good: 100, bad: 0 };
    const windows = (long: Tally, short: Tally) => POLICY.windows.map(() => ({ long, short }));
    expect(tierOf(POLICY, countsOf({ windows: windows(failing, failing) }))).toBe('fastBurn');
    expect(tierOf(POLICY, countsOf({ windows: windows(failing, calm) }))).toBe('healthy');
    expect(tierOf(POLICY, countsOf({ windows: windows(calm, failing) }))).toBe('healthy');
  });

  test('property, H27: too few actions say nothing, however bad', () => {
    const few = fc.nat(9).chain((n) => fc.nat(n).map((bad) => ({ good: n - bad, bad })));
    fc.assert(
      fc.property(few, tally, few, (long, short, period) => {
        const windows = POLICY.windows.map(() => ({ long, short }));
        expect(tierOf(POLICY, countsOf({ windows, period: { ...period, spanMs: 8 * HOUR } }))).toBe('healthy');
      }),
    );
  });

  test('property: never falls when a good action turns out bad, never rises when there are more good ones', () => {
    const spoilt = ({ good, bad }: Tally) => ({ good: Math.max(0, good - 1), bad: bad + Math.min(1, good) });
    const bettered = ({ good, bad }: Tally) => ({ good: good + (good + bad < 10 ? 0 : 1), bad });
    const all = (of: (tally: Tally) => Tally, { at, windows, period }: BudgetCounts): BudgetCounts => ({
      at,
      windows: windows.map(({ long, short }) => ({ long: of(long), short: of(short) })),
      period: { ...period, ...of(period) },
    });
    fc.assert(
      fc.property(fc.constantFrom(POLICY, COUNT), counts, (one, before) => {
        const now = severityOf(tierOf(one, before));
        expect(severityOf(tierOf(one, all(spoilt, before)))).toBeGreaterThanOrEqual(now);
        expect(severityOf(tierOf(one, all(bettered, before)))).toBeLessThanOrEqual(now);
      }),
      { numRuns: 1_000 },
    );
  });

  test('a share of errors counts, not their number', () => {
    expect(burnRate({ good: 10, bad: 10 }, 0.9)).toBeCloseTo(5);
    expect(burnRate({ good: 9_990, bad: 10 }, 0.9)).toBeCloseTo(0.01);
    expect(burnRate(NONE, 0.9)).toBe(0);
  });

  test('a window of a pair that burns at its threshold spends the fraction of the budget that the pair names', () => {
    for (const window of POLICY.windows) {
      const bad = thresholdOf(window, POLICY.slo, POLICY.periodMs) * (1 - POLICY.slo) * 1_000;
      const period = { good: 1_000 - bad, bad, spanMs: window.longMs };
      expect(spentOf(POLICY, countsOf({ period }))).toBeCloseTo(window.fraction, 9);
    }
  });
});

describe('judging', () => {
  const steps = fc.array(fc.record({ counts, news: fc.boolean() }), { maxLength: 30 });

  test('property, H26: without news no count makes it worse', () => {
    fc.assert(
      fc.property(policy, tier, counts, fc.option(fc.nat()), (one, from, counted, improvingSince) => {
        const next = judge(one, { tier: from, improvingSince }, counted, false);
        expect(severityOf(next.tier)).toBeLessThanOrEqual(severityOf(from));
      }),
      { numRuns: 1_000 },
    );
  });

  test('property, H26: with news it is never better than what was counted', () => {
    fc.assert(
      fc.property(policy, tier, counts, fc.option(fc.nat()), (one, from, counted, improvingSince) => {
        const next = judge(one, { tier: from, improvingSince }, counted, true);
        expect(severityOf(next.tier)).toBeGreaterThanOrEqual(severityOf(tierOf(one, counted)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('property: it improves only when it has looked better at every count for the whole dwell', () => {
    fc.assert(
      fc.property(policy, steps, (one, walk) => {
        let standing: Standing = { tier: 'healthy', improvingSince: null };
        let betterSince: number | null = null;
        const ascending = walk.toSorted((a, b) => a.counts.at - b.counts.at);
        for (const { counts: counted, news } of ascending) {
          const kept = tierOf(one, counted, one.exitRatio);
          betterSince = severityOf(kept) < severityOf(standing.tier) ? (betterSince ?? counted.at) : null;
          const next = judge(one, standing, counted, news);
          if (severityOf(next.tier) < severityOf(standing.tier)) {
            expect(counted.at - (betterSince ?? Infinity)).toBeGreaterThanOrEqual(one.dwellMs);
            expect(next.tier).toBe(kept);
          }
          if (next.tier !== standing.tier) betterSince = null;
          standing = next;
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('property: what looks better for the whole dwell improves, also when the clock is put back meanwhile', () => {
    fc.assert(
      fc.property(policy, tier, fc.nat(1_000_000), fc.nat(2_000_000), (one, from, first, second) => {
        const nothing = (at: number) => countsOf({ at });
        const begun = judge(one, { tier: from, improvingSince: null }, nothing(first), false);
        const later = judge(one, begun, nothing(second), false);
        const done = judge(one, later, nothing(second + one.dwellMs), false);
        expect(done).toEqual({ tier: 'healthy', improvingSince: null });
      }),
    );
  });

  test('hysteresis: what is between the ways in and out changes nothing', () => {
    const at = (tierNow: BudgetTier) => judge(COUNT, { tier: tierNow, improvingSince: null }, failures(7), true);
    expect(at('fastBurn')).toEqual({ tier: 'fastBurn', improvingSince: null });
    expect(at('slowBurn')).toEqual({ tier: 'slowBurn', improvingSince: null });
  });
});

test('a worse tier never asks for less', () => {
  const all = BUDGET_TIERS.map(measuresOf);
  expect(all.map(({ caution }) => caution)).toEqual([0, 1, 2, 3]);
  expect(all.map(({ share }) => share)).toEqual([1, 1, 0.5, 0.25]);
  expect(all.map(({ freezeOptional }) => freezeOptional)).toEqual([false, false, true, true]);
});

test('property: concentration is 1 for one fault, 1/k for k alike, and between them otherwise', () => {
  expect(concentrationOf([])).toBe(0);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 20 }), (ns) => {
      const index = concentrationOf(ns.map((n) => ({ n })));
      expect(index).toBeLessThanOrEqual(1 + 1e-12);
      expect(index).toBeGreaterThanOrEqual(1 / ns.length - 1e-12);
      expect(concentrationOf(ns.map(() => ({ n: 3 })))).toBeCloseTo(1 / ns.length, 9);
    }),
  );
});
