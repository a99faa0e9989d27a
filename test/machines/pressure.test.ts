import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  hasChanged,
  presentValue,
  standingOf,
  watched,
  type Outlook,
  type PressureLevel,
  type Reading,
  type Watch,
} from '../../machines/pressure.ts';
import { DEFAULT_PRESSURE, type PressurePolicy } from '../../machines/resource-policy.ts';
import { MOST_SAMPLES } from '../../machines/forecast.ts';
import { later, normal, seeded } from '../support/loads.ts';

const LEVELS: readonly PressureLevel[] = ['normal', 'elevated', 'critical'];
const OUTLOOKS: readonly Outlook[] = ['none', 'watch', 'imminent'];
const DAY_MS = 86_400_000;

function run(readings: Iterable<Reading>, isStock = true, policy: PressurePolicy = DEFAULT_PRESSURE): Watch[] {
  const watches: Watch[] = [];
  for (const reading of readings) watches.push(watched(watches.at(-1), reading, policy, isStock));
  return watches;
}

function* every5s(values: Iterable<number>): Generator<Reading> {
  let at = 0;
  for (const value of values) yield { at: (at += 5_000), value, limit: 1 };
}

const constant = (value: number, n: number) => Array.from({ length: n }, () => value);
const levels = (watches: readonly Watch[]) => watches.map(({ level }) => level);

describe('the level of a resource', () => {
  test('rises at once when most of the last samples say so, and not for one that is astray', () => {
    expect(levels(run(every5s([0.5, 0.5, 0.5, 0.99, 0.5, 0.5, 0.99, 0.5])))).toEqual(
      constant(0, 8).map(() => 'normal'),
    );
    expect(levels(run(every5s([0.5, 0.5, 0.5, 0.99, 0.99, 0.99]))).at(-1)).toBe('critical');
    expect(levels(run(every5s([0.9, 0.9, 0.9])))).toEqual(['normal', 'normal', 'elevated']);
  });

  test('is left only below its line by the margin, and when that has lasted', () => {
    const high = constant(0.96, 3);
    expect(levels(run(every5s([...high, ...constant(0.92, 100)]))).at(-1)).toBe('critical');
    const eased = levels(run(every5s([...high, ...constant(0.88, 12)])));
    // The median turns with the third, and half a minute later it is believed.
    expect(eased.lastIndexOf('critical')).toBe(3 + 2 + 6 - 1);
    expect(eased.at(-1)).toBe('elevated');
  });

  test('falls to the worst that it was while it eased', () => {
    const values = [...constant(0.99, 3), ...constant(0.88, 5), ...constant(0.5, 4)];
    expect(levels(run(every5s(values))).at(-1)).toBe('elevated');
  });

  test('is of its own limit: where that is lowered, as much is more', () => {
    const watches = run([
      ...[1, 2, 3].map((i) => ({ at: i * 5_000, value: 50, limit: 100 })),
      { at: 20_000, value: 50, limit: 51 },
    ]);
    expect(levels(watches)).toEqual(['normal', 'normal', 'normal', 'critical']);
  });

  test('is not changed by what is no number, or has no limit', () => {
    const good = run(every5s([0.9, 0.9, 0.9])).at(-1) as Watch;
    for (const bad of [
      { value: Number.NaN, limit: 1 },
      { value: Infinity, limit: 1 },
      { value: 5, limit: 0 },
      { value: 5, limit: Number.NaN },
    ])
      expect(watched(good, { at: 20_000, ...bad }, DEFAULT_PRESSURE, true)).toEqual(good);
    const first = watched(undefined, { at: 0, value: Number.NaN, limit: 1 }, DEFAULT_PRESSURE, true);
    expect(standingOf(first)).toMatchObject({ value: 0, level: 'normal', forecast: 'none' });
  });

  test('is only told when it changes', () => {
    const watches = run(every5s([0.9, 0.9, 0.9, 0.9]));
    expect(watches.map((now, i) => hasChanged(watches[i - 1], now))).toEqual([false, false, true, false]);
    expect(standingOf(watches[3] as Watch)).toEqual({
      value: 0.9,
      limit: 1,
      level: 'elevated',
      forecast: 'none',
      etaMs: null,
      earliestMs: null,
      latestMs: null,
    });
  });
});

describe('the forecast of a resource', () => {
  /** Full after ten minutes, from nothing. */
  const rising = Array.from({ length: 120 }, (_, i) => i / 120);

  test('is watched, then imminent, five minutes before, and not sooner', () => {
    const watches = run(every5s(rising));
    const first = (outlook: Outlook) => (watches.findIndex((watch) => watch.outlook === outlook) + 1) * 5_000;
    expect(first('watch')).toBeLessThan(first('imminent'));
    expect(600_000 - first('imminent')).toBeGreaterThan(270_000);
    expect(600_000 - first('imminent')).toBeLessThan(310_000);
  });

  test('is believed when three in a row say so', () => {
    const watches = run(every5s(rising.map((value) => 0.3 + 0.7 * value)));
    const first = watches.findIndex((watch) => watch.forecast !== null);
    expect(first).toBeGreaterThan(0);
    expect(watches.slice(first, first + 3).map(({ outlook }) => outlook)).toEqual(['none', 'none', 'watch']);
  });

  test('is given up only when none has borne it out for the dwell', () => {
    const watches = run(every5s([...rising.slice(0, 90), ...constant(0.3, 30)]));
    const given = watches.findIndex((watch, i) => i > 90 && watch.outlook === 'none');
    expect(watches[89]?.outlook).toBe('imminent');
    expect(given - 90).toBeGreaterThanOrEqual(6);
    expect(given).toBeGreaterThan(0);
  });

  test('there is none of what does not stay when it is full', () => {
    expect(run(every5s(rising), false).every(({ outlook }) => outlook === 'none')).toBe(true);
  });

  test('does not forget when it is put away and brought back', () => {
    let kept: Watch | undefined;
    for (const reading of every5s(rising))
      kept = watched(JSON.parse(JSON.stringify(kept ?? null)) ?? undefined, reading, DEFAULT_PRESSURE, true);
    expect(kept).toEqual(run(every5s(rising)).at(-1));
  });
});

describe('whatever is sampled', () => {
  const walk = fc.array(
    fc.record({
      gap: fc.integer({ min: 500, max: 20_000 }),
      value: fc.oneof(fc.double({ min: 0, max: 1.1, noNaN: true }), fc.constantFrom(0.84, 0.86, 0.94, 0.96)),
    }),
    { minLength: 1, maxLength: 300 },
  );
  const readings = walk.map((steps) => {
    let at = 0;
    return steps.map(({ gap, value }): Reading => ({ at: (at += gap), value, limit: 1 }));
  });

  test('P1: nothing that became worse becomes better within the dwell', () => {
    fc.assert(
      fc.property(readings, fc.integer({ min: 1_000, max: 60_000 }), (all, dwellMs) => {
        const watches = run(all, true, { ...DEFAULT_PRESSURE, dwellMs });
        for (const rankOf of [
          (watch: Watch) => LEVELS.indexOf(watch.level),
          (watch: Watch) => OUTLOOKS.indexOf(watch.outlook),
        ]) {
          let worseAt = -Infinity;
          watches.forEach((watch, i) => {
            const [before, now] = [i === 0 ? 0 : rankOf(watches[i - 1] as Watch), rankOf(watch)];
            const at = (all[i] as Reading).at;
            if (now > before) worseAt = at;
            if (now < before) expect(at - worseAt).toBeGreaterThanOrEqual(dwellMs);
          });
        }
      }),
      { numRuns: 40 },
    );
  });

  test('the level is never better than what is entered now', () => {
    fc.assert(
      fc.property(readings, (all) => {
        for (const watch of run(all)) {
          if (watch.samples.length < 3) continue;
          const part = presentValue(watch);
          const entered = part >= 0.95 ? 'critical' : part >= 0.85 ? 'elevated' : 'normal';
          expect(LEVELS.indexOf(watch.level)).toBeGreaterThanOrEqual(LEVELS.indexOf(entered));
        }
      }),
      { numRuns: 40 },
    );
  });

  test('P2: a watch of a week is no greater than one of an hour', () => {
    let watch: Watch | undefined;
    const random = seeded(5);
    for (let at = 0; at < 7 * DAY_MS; at += 60_000)
      watch = watched(watch, { at, value: random(), limit: 1 }, DEFAULT_PRESSURE, true);
    expect(watch?.samples.length).toBeLessThanOrEqual(MOST_SAMPLES);
    expect(JSON.stringify(watch).length).toBeLessThan(8_000);
  });
});

/** Flat loads as they are: what only scatters, what resembles its neighbours, a heap that is swept, a fifth astray. */
const FLAT: Readonly<Record<string, (random: () => number) => (i: number) => number>> = {
  'that scatters': (random) => () => 0.6 + 0.08 * normal(random),
  'that is high, and scatters': (random) => () => 0.8 + 0.01 * normal(random),
  'that wanders and comes back': (random) => {
    let off = 0;
    return () => 0.6 + (off = 0.9 * off + 0.02 * normal(random));
  },
  'that is swept every minute and a half': (random) => (i) => 0.5 + 0.25 * ((i % 18) / 18) + 0.01 * normal(random),
  'of which a fifth is astray': (random) => () => (random() < 0.2 ? 0.8 * random() : 0.5 + 0.02 * normal(random)),
  'that has another level every half an hour or so': (random) => {
    let level = 0.5;
    return () => {
      if (random() < 0.003) level = 0.4 + 0.3 * random();
      return level + 0.01 * normal(random);
    };
  },
  'that is filled and emptied every hour': (random) => (i) =>
    0.55 + 0.2 * Math.sin((i / 720) * 2 * Math.PI) + 0.02 * normal(random),
};

test('what is swept every ten minutes may look like a leak until it has been swept once, and not again', () => {
  const random = seeded(1);
  let watch: Watch | undefined;
  let rises = 0;
  for (let [i, at] = [0, 0]; at < DAY_MS; i += 1, at = later(at, random)) {
    const value = 0.4 + 0.4 * ((i % 120) / 120) + 0.01 * normal(random);
    const before: Outlook = watch?.outlook ?? 'none';
    watch = watched(watch, { at, value, limit: 1 }, DEFAULT_PRESSURE, true);
    if (before === 'none' && watch.outlook !== 'none') rises += 1;
  }
  expect(rises).toBeLessThanOrEqual(1);
}, 60_000);

describe('a day of a flat load raises nothing:', () => {
  test.each(Object.entries(FLAT))(
    'one %s',
    (_, load) => {
      const random = seeded(2_026);
      const value = load(random);
      let watch: Watch | undefined;
      const raised: string[] = [];
      for (let [i, at] = [0, 0]; at < DAY_MS; i += 1, at = later(at, random)) {
        watch = watched(watch, { at, value: value(i), limit: 1 }, DEFAULT_PRESSURE, true);
        if (watch.level !== 'normal' || watch.outlook !== 'none')
          raised.push(`${watch.level} ${watch.outlook} after ${at} ms`);
      }
      expect(raised).toEqual([]);
    },
    60_000,
  );
});
