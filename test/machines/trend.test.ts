import fc from 'fast-check';
import { expect, test } from 'vitest';
import { atLeast, trendOf } from '../../machines/trend.ts';

/** The binomial distribution, one trial after the other. */
function binomial(n: number, p: number): number[] {
  let chances = [1];
  for (let i = 0; i < n; i += 1) {
    chances = [...chances, 0].map((chance, k) => chance * (1 - p) + (chances[k - 1] ?? 0) * p);
  }
  return chances;
}

const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });

test('property: the tail is that of the distribution added up one trial after the other', () => {
  fc.assert(
    fc.property(fc.nat(60), fc.nat(60), share, (n, k, p) => {
      const sum = binomial(n, p)
        .slice(k)
        .reduce((a, b) => a + b, 0);
      expect(atLeast(k, n, p)).toBeCloseTo(sum, 10);
    }),
  );
});

test('is a probability and falls with k, also for a million', () => {
  const tails = [0, 400_000, 499_000, 500_000, 501_000, 600_000, 1_000_001].map((k) => atLeast(k, 1_000_000, 0.5));
  expect(tails.toSorted((a, b) => b - a)).toEqual(tails);
  expect(tails[0]).toBe(1);
  expect(tails[2]).toBeCloseTo(0.97729, 3); // Two standard deviations.
  expect(tails.at(-1)).toBe(0);
});

test('property: when nothing has changed, a trend is seen in at most one case of twenty', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 80 }), share, (n, p) => {
      const seen = binomial(n, p).reduce((sum, chance, k) => {
        const { direction } = trendOf({ bad: k, exposure: p }, { bad: n - k, exposure: 1 - p });
        return direction === 'steady' ? sum : sum + chance;
      }, 0);
      expect(seen).toBeLessThanOrEqual(0.05 + 1e-9);
    }),
  );
});

test('sees a rate that has risen, one that has fallen, and none in more traffic', () => {
  expect(trendOf({ bad: 20, exposure: 100 }, { bad: 20, exposure: 500 })).toMatchObject({
    direction: 'rising',
    ratio: 5,
  });
  expect(trendOf({ bad: 1, exposure: 100 }, { bad: 100, exposure: 500 })).toMatchObject({ direction: 'falling' });
  expect(trendOf({ bad: 30, exposure: 300 }, { bad: 10, exposure: 100 })).toMatchObject({
    direction: 'steady',
    ratio: 1,
  });
});

test('says nothing of what cannot be compared', () => {
  const nothing = { bad: 0, exposure: 0 };
  expect(trendOf({ bad: 9, exposure: 9 }, nothing)).toEqual({ direction: 'steady', ratio: null, p: 1 });
  expect(trendOf(nothing, nothing)).toEqual({ direction: 'steady', ratio: null, p: 1 });
  expect(trendOf({ bad: 3, exposure: 10 }, { bad: 0, exposure: 50 })).toMatchObject({
    direction: 'rising',
    ratio: null,
  });
});
