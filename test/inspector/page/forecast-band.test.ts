import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chartEnd, forecastBand, forecastText } from '../../../inspector/page/views/resources/forecast-band.ts';

const NOW = 10_000_000;

const series = fc
  .record({
    value: fc.double({ min: 0, max: 99, noNaN: true }),
    pastMs: fc.integer({ min: 1, max: 3_600_000 }),
    eta: fc.integer({ min: -1_000, max: 7_200_000 }),
    before: fc.option(fc.integer({ min: 0, max: 7_200_000 })),
    after: fc.option(fc.integer({ min: 0, max: 7_200_000 })),
  })
  .map(({ value, pastMs, eta, before, after }) => ({
    value,
    limit: 100,
    samples: [
      { at: NOW - pastMs, value: 0 },
      { at: NOW, value },
    ],
    forecast: {
      at: NOW + eta,
      earliest: before === null ? null : NOW + eta - before,
      latest: after === null ? null : NOW + eta + after,
    },
  }));

describe('a forecast as it is drawn', () => {
  test('property: the line and its band begin at now, and lie within the chart and below the limit', () => {
    fc.assert(
      fc.property(series, (one) => {
        const end = chartEnd(one, NOW);
        expect(end).toBeGreaterThanOrEqual(NOW);
        expect(end - NOW).toBeLessThanOrEqual(NOW - one.samples[0]!.at);
        const { line, band } = forecastBand(one, NOW, end)!;
        expect(line[0]).toEqual({ at: NOW, value: one.value });
        expect(band[0]).toEqual(line[0]);
        for (const { at, value } of [...line, ...band]) {
          expect(at).toBeGreaterThanOrEqual(NOW);
          expect(at).toBeLessThanOrEqual(Math.max(end, NOW));
          expect(value).toBeLessThanOrEqual(100 + 1e-9);
          expect(value).toBeGreaterThanOrEqual(one.value - 1e-9);
        }
      }),
    );
  });

  test('property: the line lies in its band', () => {
    fc.assert(
      fc.property(series, (one) => {
        const end = chartEnd(one, NOW);
        const { line, band } = forecastBand(one, NOW, end)!;
        const [, early, ...rest] = band;
        const steep = (to: { at: number; value: number }) => (to.value - one.value) / Math.max(1e-9, to.at - NOW);
        expect(steep(line[1])).toBeLessThanOrEqual(steep(early!) * (1 + 1e-9) + 1e-12);
        expect(steep(line[1])).toBeGreaterThanOrEqual(steep(rest.at(-1)!) * (1 - 1e-9) - 1e-12);
      }),
    );
  });

  test('where the limit is reached within the chart the band goes along it', () => {
    const one = {
      value: 50,
      limit: 100,
      samples: [{ at: NOW - 1_000, value: 40 }],
      forecast: { at: NOW + 200, earliest: NOW + 100, latest: NOW + 400 },
    };
    const { line, band } = forecastBand(one, NOW, NOW + 500)!;
    expect(line[1]).toEqual({ at: NOW + 200, value: 100 });
    expect(band.map(({ at }) => at - NOW)).toEqual([0, 100, 400]);
    const open = forecastBand({ ...one, forecast: { ...one.forecast, latest: null } }, NOW, NOW + 500)!;
    expect(open.band.map(({ at, value }) => [at - NOW, value])).toEqual([
      [0, 40],
      [100, 100],
      [500, 100],
      [500, 40],
    ]);
  });

  test('without a forecast nothing is drawn or told', () => {
    const calm = { value: 1, limit: 2, samples: [], forecast: null };
    expect(forecastBand(calm, NOW, NOW)).toBeUndefined();
    expect(chartEnd(calm, NOW)).toBe(NOW);
    expect(forecastText(null, NOW)).toBeUndefined();
  });

  test('is told in words, with few digits', () => {
    const hour = 3_600_000;
    const told = (at: number, earliest: number | null, latest: number | null) =>
      forecastText(
        {
          at: NOW + at,
          earliest: earliest === null ? null : NOW + earliest,
          latest: latest === null ? null : NOW + latest,
        },
        NOW,
      );
    expect(told(3.17 * hour, 2 * hour, 6 * hour)).toBe('full in 3 h 10 min (2 h – 6 h)');
    expect(told(95_400, 61_000, null)).toBe('full in 1 min 35 s (1 min – maybe never)');
    expect(told(4_000, -1, 8_400)).toBe('full in 4 s (now – 8 s)');
    expect(told(-5, null, null)).toBe('full now');
  });
});
