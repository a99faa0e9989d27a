import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { median, monotoneTrend, score, type Sample } from '../../machines/monotone-trend.ts';

const finite = fc.double({ min: -1e6, max: 1e6, noNaN: true });
/** In order, none at the same time as another. */
const series = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 60_000 }), finite), { minLength: 2, maxLength: 60 })
  .map((steps) => {
    let at = 0;
    return steps.map(([gap, value]): Sample => ({ at: (at += gap), value }));
  });

const every = (values: readonly number[]): Sample[] => values.map((value, i) => ({ at: i * 1_000, value }));

describe('a monotone trend', () => {
  test('says of ten that rise what the tables say', () => {
    // S = 45, its variance 125: z = 44 / 11.18.
    const { p, slope } = monotoneTrend(every([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 0.95);
    expect(score(every([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))).toBe(45);
    expect(p).toBeCloseTo(8.3e-5, 6);
    expect(slope).toBe(0.001);
  });

  test('counts ties: the variance of ten in five pairs is less', () => {
    // S = 40, its variance 125 - 5 * 2 * 1 * 9 / 18 = 120: z = 39 / 10.95.
    const { p } = monotoneTrend(every([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]), 0.95);
    expect(p).toBeCloseTo(3.7e-4, 5);
  });

  test('of what never changes is none', () => {
    expect(monotoneTrend(every([3, 3, 3, 3]), 0.95)).toEqual({ slope: 0, low: 0, high: 0, p: expect.closeTo(1, 6) });
  });

  test('is the same whatever it is measured in', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 1, max: 1_000 }), (samples, unit) => {
        const plain = monotoneTrend(samples, 0.95);
        const scaled = monotoneTrend(
          samples.map(({ at, value }) => ({ at, value: value * unit })),
          0.95,
        );
        expect(scaled.slope).toBeCloseTo(plain.slope * unit, 5);
      }),
    );
  });

  test('turns with what it is of: what rises so clearly falls as clearly when it is turned over', () => {
    fc.assert(
      fc.property(series, (samples) => {
        const plain = monotoneTrend(samples, 0.95);
        const turned = monotoneTrend(
          samples.map(({ at, value }) => ({ at, value: -value })),
          0.95,
        );
        expect(turned.slope).toBeCloseTo(-plain.slope, 6);
        expect(turned.p).toBeCloseTo(plain.p, 6);
      }),
    );
  });

  test('has its slope within its interval, and a p between 0 and 1', () => {
    fc.assert(
      fc.property(series, fc.double({ min: 0.5, max: 0.999, noNaN: true }), (samples, confidence) => {
        const { slope, low, high, p } = monotoneTrend(samples, confidence);
        expect(low).toBeLessThanOrEqual(slope);
        expect(high).toBeGreaterThanOrEqual(slope);
        expect(p).toBeGreaterThanOrEqual(0);
        expect(p).toBeLessThanOrEqual(1.000001);
      }),
    );
  });

  test('believes neighbours that resemble each other less than as many that do not', () => {
    // One rise that is seen in pieces of eight, and the same rise with what is alike far apart.
    const noise = [3, -2, 4, -4, 1, -3, 2, -1];
    const alike = every(Array.from({ length: 64 }, (_, i) => i / 8 + (noise[i >> 3] as number)));
    const apart = every(Array.from({ length: 64 }, (_, i) => i / 8 + (noise[i % 8] as number)));
    expect(monotoneTrend(alike, 0.95).p).toBeGreaterThan(100 * monotoneTrend(apart, 0.95).p);
  });

  test('believes a bent rise without noise no less than a straight one', () => {
    const of = (power: number) => monotoneTrend(every(Array.from({ length: 60 }, (_, i) => i ** power)), 0.95).p;
    expect(of(3)).toBe(of(1));
    expect(of(0.5)).toBe(of(1));
  });

  test('the median is in the middle, whatever their order, with ties and without', () => {
    const values = fc.array(fc.oneof(finite, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(values, (all) => {
        const sorted = all.toSorted((a, b) => a - b);
        const [low, high] = [sorted[(all.length - 1) >> 1] as number, sorted[all.length >> 1] as number];
        expect(median(all)).toBeCloseTo((low + high) / 2, 9);
      }),
    );
  });
});
