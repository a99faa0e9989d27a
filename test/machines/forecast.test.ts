import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MOST_SAMPLES, forecast, thinned, withSample, type Sample } from '../../machines/forecast.ts';
import { leak, normal, seeded } from '../support/loads.ts';

const SLOPE = 0.5 / 600_000;

describe('a forecast', () => {
  test('says when a straight rise reaches the limit, and how fast it rises', () => {
    const samples = Array.from({ length: 30 }, (_, i) => ({ at: i * 5_000, value: 0.5 + i * 0.01 }));
    expect(forecast(samples, 1)).toMatchObject({
      etaMs: expect.closeTo(105_000, 0),
      earliestMs: expect.closeTo(105_000, 0),
      latestMs: expect.closeTo(105_000, 0),
      slopePerMs: expect.closeTo(2e-6, 12),
    });
  });

  test('goes by the times, not by the number of samples: those that are a minute apart are', () => {
    const samples = Array.from({ length: 40 }, (_, i) => ({ at: i * 60_000, value: 0.2 + i * 0.01 }));
    expect(forecast(samples, 1, { horizonMs: 3_600_000 })?.etaMs).toBeCloseTo(41 * 60_000, 0);
  });

  test.each([30, 60, 240])('H38: is within a tenth of the truth, by %d irregular samples, a fifth astray', (n) => {
    let found = 0;
    for (let seed = 1; seed <= 100; seed += 1) {
      const slopePerMs = Math.min(SLOPE * 2, 0.6 / (n * 5_000));
      const samples = leak({ samples: n, etaMs: 200_000, slopePerMs, noise: 0.005, outliers: 0.2, seed });
      const told = forecast(samples, 1);
      if (told === null) continue;
      found += 1;
      expect(Math.abs(told.etaMs - 200_000) / 200_000, `seed ${seed}`).toBeLessThan(0.1);
    }
    // Where the very last ones are astray it waits for better.
    expect(found).toBeGreaterThan(75);
  });

  test('has the truth in its interval nearly as often as it says', () => {
    let within = 0;
    for (let seed = 1; seed <= 100; seed += 1) {
      const samples = leak({ samples: 60, etaMs: 200_000, slopePerMs: SLOPE, noise: 0.01, outliers: 0, seed });
      const told = forecast(samples, 1);
      expect(told, `seed ${seed}`).not.toBeNull();
      if (told !== null && told.earliestMs <= 200_000 && 200_000 <= (told.latestMs ?? Infinity)) within += 1;
    }
    expect(within).toBeGreaterThanOrEqual(90);
  });

  test('there is none of what is flat, falls, is unknown, or was seen for too short a time', () => {
    const random = seeded(7);
    const of = (value: (i: number) => number, n = 120) =>
      Array.from({ length: n }, (_, i): Sample => ({ at: i * 5_000, value: value(i) }));
    expect(forecast([], 1)).toBeNull();
    expect(forecast(of((i) => 0.5 + i * 0.01).slice(0, 19), 1)).toBeNull();
    expect(
      forecast(
        of(() => 0.9),
        1,
      ),
    ).toBeNull();
    expect(
      forecast(
        of(() => 0.6 + 0.1 * normal(random)),
        1,
      ),
    ).toBeNull();
    expect(
      forecast(
        of((i) => 0.9 - i * 0.001),
        1,
      ),
    ).toBeNull();
    expect(
      forecast(
        of(() => Number.NaN),
        1,
      ),
    ).toBeNull();
  });

  test('there is none of what is full, and stays so with a little noise', () => {
    const random = seeded(3);
    const samples = Array.from({ length: 120 }, (_, i) => ({
      at: i * 5_000,
      value: 0.997 + i * 0.00002 + 0.00005 * normal(random),
    }));
    expect(forecast(samples, 1)).toBeNull();
    // The same rise is one where the limit is so much nearer that it matters.
    const near = samples.map(({ at, value }) => ({ at, value: value - 0.9 }));
    expect(forecast(near, 0.1)?.etaMs).toBeGreaterThan(0);
  });

  test('there is none of what rises, and has come back from as high before', () => {
    const saw = (i: number) => 0.4 + 0.4 * ((i % 40) / 40);
    const samples = Array.from({ length: 119 }, (_, i) => ({ at: i * 5_000, value: saw(i) }));
    expect(saw(118)).toBeGreaterThan(0.75);
    expect(forecast(samples, 1)).toBeNull();
  });

  test('there is none further away than two horizons', () => {
    const samples = leak({ samples: 60, etaMs: 700_000, slopePerMs: SLOPE, noise: 0, outliers: 0, seed: 1 });
    expect(forecast(samples, 1)).toBeNull();
    expect(forecast(samples, 1, { horizonMs: 400_000 })?.etaMs).toBeCloseTo(700_000, 0);
  });

  test('is 0 ms of what is past its limit and goes on', () => {
    const samples = Array.from({ length: 60 }, (_, i) => ({ at: i * 5_000, value: 0.5 + i * 0.01 }));
    expect(forecast(samples, 1)).toMatchObject({ etaMs: 0, earliestMs: 0 });
  });

  test('sees a leak that began a minute and a half ago, after an hour of nothing', () => {
    const random = seeded(11);
    const [began, full] = [3_600_000, 3_900_000];
    let kept: readonly Sample[] = [];
    for (let at = 0; at <= began + 90_000; at += 5_000) {
      const value = 0.4 + (at < began ? 0 : (0.6 * (at - began)) / (full - began)) + 0.002 * normal(random);
      kept = withSample(kept, { at, value }, 1_800_000);
    }
    const eta = forecast(kept, 1)?.etaMs ?? 0;
    expect(Math.abs(eta - 210_000) / 210_000).toBeLessThan(0.1);
  });

  test('of what rises ever faster goes by what it does now', () => {
    const value = (i: number) => 0.1 + 0.8 * (i / 119) ** 3;
    const samples = Array.from({ length: 120 }, (_, i) => ({ at: i * 5_000, value: value(i) }));
    // It is full after 24 s; by the mean rise of the whole it would take minutes.
    expect(forecast(samples, 1)?.etaMs).toBeLessThan(60_000);
  });

  test('of what has begun to rise four times as fast goes by that, though it rose all the time', () => {
    const random = seeded(9);
    const value = (i: number) => 0.003 * (i < 60 ? i : 60 + 4 * (i - 60)) + 0.001 * normal(random);
    const samples = Array.from({ length: 120 }, (_, i) => ({ at: i * 5_000, value: value(i) }));
    const left = ((1 - 0.003 * (60 + 4 * 59)) / 0.012) * 5_000;
    expect(Math.abs((forecast(samples, 1)?.etaMs ?? 0) - left) / left).toBeLessThan(0.1);
  });

  test.each([0.5, 1.5, 2])('is there for what is bent as well, when nothing scatters: the power of %d', (power) => {
    const samples = Array.from({ length: 120 }, (_, i) => ({ at: i * 5_000, value: 0.1 + 0.8 * (i / 119) ** power }));
    expect(forecast(samples, 1)?.etaMs).toBeGreaterThan(0);
  });

  test.each([20, 40, 60, 80, 100])('there is none of a step, %d samples ago', (ago) => {
    const random = seeded(ago);
    const samples = Array.from({ length: 120 }, (_, i) => ({
      at: i * 5_000,
      value: (i < 120 - ago ? 0.4 : 0.7) + 0.01 * normal(random),
    }));
    expect(forecast(samples, 1)).toBeNull();
  });

  test('there is none of what was seen for less than a quarter of the horizon, however many samples that was', () => {
    const warmUp = (stepMs: number) => Array.from({ length: 100 }, (_, i) => ({ at: i * stepMs, value: i * 0.005 }));
    expect(forecast(warmUp(20), 1)).toBeNull();
    expect(forecast(warmUp(700), 1)).toBeNull();
    expect(forecast(warmUp(800), 1)?.etaMs).toBeGreaterThan(0);
  });

  test('leaves out samples that are no number, or no later than the one before', () => {
    const samples = Array.from({ length: 40 }, (_, i) => ({ at: i * 5_000, value: 0.5 + i * 0.01 }));
    const spoilt = samples.flatMap((sample, i) =>
      i % 7 === 3 ? [sample, { at: sample.at, value: 0 }, { at: sample.at + 1, value: Number.NaN }] : [sample],
    );
    expect(forecast(spoilt, 1)).toEqual(forecast(samples, 1));
  });

  test('whatever the samples, it is null or makes sense', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double(), fc.double()), { maxLength: 200 }),
        fc.double({ min: 1e-3, max: 1e12, noNaN: true }),
        (pairs, limit) => {
          const told = forecast(
            pairs.map(([at, value]) => ({ at, value })),
            limit,
          );
          if (told === null) return;
          expect(told.earliestMs).toBeGreaterThanOrEqual(0);
          expect(told.etaMs).toBeGreaterThanOrEqual(told.earliestMs);
          expect(told.latestMs ?? Infinity).toBeGreaterThanOrEqual(told.etaMs);
          expect(told.slopePerMs).toBeGreaterThan(0);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('the samples that are kept', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 400 });

  test('are at most so many, in order, with the latest whole and the earlier spread over the time', () => {
    fc.assert(
      fc.property(gaps, (steps) => {
        let at = 0;
        let kept: readonly Sample[] = [];
        const all = steps.map((gap) => ({ at: (at += gap), value: gap }));
        for (const sample of all) kept = withSample(kept, sample, 1_000_000);
        expect(kept.length).toBeLessThanOrEqual(MOST_SAMPLES);
        expect(kept.map((sample) => sample.at)).toEqual(kept.map((sample) => sample.at).toSorted((a, b) => a - b));
        expect(kept.slice(-60)).toEqual(all.slice(-60));
        expect(kept.slice(0, -60).every((sample) => sample.at > at - 1_100_000)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('are enough for a forecast however near the horizon is', () => {
    let kept: readonly Sample[] = [];
    for (let i = 0; i < 60; i += 1) kept = withSample(kept, { at: i * 5_000, value: i / 61 }, 30_000);
    expect(forecast(kept, 1, { horizonMs: 6_000 })?.etaMs).toBeCloseTo(10_000, 0);
  });

  test.each([500, 200_000])('reach back to the first when they are thinned from %d', (length) => {
    const samples = Array.from({ length }, (_, i) => ({ at: i, value: i }));
    const kept = thinned(samples);
    expect(kept).toHaveLength(MOST_SAMPLES);
    expect(kept[0]).toBe(samples[0]);
    expect(thinned(kept)).toBe(kept);
  });
});
