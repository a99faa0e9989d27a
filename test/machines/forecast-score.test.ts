import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_FORECASTS, noteActed, scoreOf, tallied, type ForecastTally } from '../../machines/forecast-score.ts';
import { watched, type Watch } from '../../machines/pressure.ts';
import { DEFAULT_PRESSURE } from '../../machines/resource-policy.ts';
import { normal, seeded } from '../support/loads.ts';

interface Run {
  tally: ForecastTally;
  watch: Watch | undefined;
}

/** Samples every 5 s, one value after the other. `act`: something is done once it is imminent. */
function run(
  values: readonly number[],
  { act = false, tally = NO_FORECASTS }: { act?: boolean; tally?: ForecastTally } = {},
): Run {
  const all: Run = { tally, watch: undefined };
  values.forEach((value, i) => {
    const now = watched(all.watch, { at: i * 5_000, value, limit: 1 }, DEFAULT_PRESSURE, true);
    all.tally = tallied(all.tally, all.watch, now);
    all.watch = now;
    if (act && now.outlook === 'imminent') all.tally = noteActed(all.tally);
  });
  return all;
}

const rising = (samples: number, to: number, noise = 0) => {
  const random = seeded(4);
  return Array.from({ length: samples }, (_, i) => (to * i) / 120 + noise * normal(random));
};
const flat = (value: number, samples: number) => Array.from({ length: samples }, () => value);

describe('forecasts are scored', () => {
  test('one that comes true is hit, and by how much it was wrong is known', () => {
    const { tally } = run(rising(120, 1, 0.004));
    const score = scoreOf([tally]);
    expect(score).toMatchObject({ precision: 1, recall: 1, averted: 0, judged: 1 });
    expect(score.error).toBeLessThan(0.1);
    expect(score.errorMs).toBeLessThan(15_000);
  });

  test('one that does not come true is false', () => {
    const { tally } = run([...rising(75, 1), ...flat(0.6, 120)]);
    expect(scoreOf([tally])).toMatchObject({ precision: 0, recall: null, errorMs: null, error: null, judged: 1 });
  });

  test('one that does not come true because something was done says nothing', () => {
    const { tally } = run([...rising(75, 1), ...flat(0.6, 120)], { act: true });
    expect(scoreOf([tally])).toMatchObject({ precision: null, recall: null, averted: 1, judged: 0 });
  });

  test('what comes out of nothing was missed', () => {
    const { tally } = run([...flat(0.4, 60), ...flat(0.97, 5)]);
    expect(scoreOf([tally])).toMatchObject({ precision: null, recall: 0 });
  });

  test('after a sweep it is asked anew whether it was seen coming', () => {
    const seen = run(rising(120, 1)).tally;
    const { tally } = run([...flat(0.3, 20), ...flat(0.97, 5)], { tally: seen });
    expect(scoreOf([tally]).recall).toBe(0.5);
  });

  test('of nothing there is nothing to say, and of several it is told together', () => {
    expect(scoreOf([])).toEqual({ precision: null, recall: null, errorMs: null, error: null, averted: 0, judged: 0 });
    const hit: ForecastTally = { ...NO_FORECASTS, hit: 3, errorMs: 30_000, error: 0.3, seen: 3 };
    const wrong: ForecastTally = { ...NO_FORECASTS, false: 1, missed: 1 };
    expect(scoreOf([hit, wrong])).toEqual({
      precision: 0.75,
      recall: 0.75,
      errorMs: 10_000,
      error: expect.closeTo(0.1, 9),
      averted: 0,
      judged: 4,
    });
  });

  test('O1: whatever is sampled, each forecast is judged once and the tally does not grow', () => {
    const values = fc.array(
      fc.oneof(
        fc.double({ min: 0, max: 1, noNaN: true }).map((value) => flat(value, 30)),
        fc.integer({ min: 20, max: 120 }).map((n) => rising(n, 1)),
      ),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(values, fc.boolean(), (parts, act) => {
        let [opened, tally, watch]: [number, ForecastTally, Watch | undefined] = [0, NO_FORECASTS, undefined];
        parts.flat().forEach((value, i) => {
          const now = watched(watch, { at: i * 5_000, value, limit: 1 }, DEFAULT_PRESSURE, true);
          const before = tally.open;
          tally = tallied(tally, watch, now);
          if (tally.open !== null && tally.open !== before) opened += 1;
          if (act) tally = noteActed(tally);
          watch = now;
        });
        expect(tally.hit + tally.false + tally.averted + (tally.open === null ? 0 : 1)).toBe(opened);
        expect(JSON.stringify(tally).length).toBeLessThan(500);
      }),
      { numRuns: 15 },
    );
  });
});
