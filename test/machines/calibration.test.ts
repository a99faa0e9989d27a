import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  adaptThresholds,
  brierOf,
  calibrationErrorOf,
  calibrator,
  MAX_SHIFT,
  MIN_SAMPLES,
  NO_OUTCOMES,
  observe,
  type Bins,
} from '../../machines/calibration.ts';
import { checkThresholds, DEFAULT_THRESHOLDS, LEAST_GAP, type Thresholds } from '../../machines/thresholds.ts';

const share = fc.double({ min: 0, max: 1, noNaN: true });
const outcomes = (maxLength: number) => fc.array(fc.tuple(share, fc.boolean()), { maxLength });
const counted = (pairs: readonly (readonly [number, boolean])[], bins: Bins = NO_OUTCOMES) =>
  pairs.reduce((all, [score, isOk]) => observe(all, score, isOk), bins);
/** `n` outcomes of one score, of which this share is good. */
const repeated = (n: number, score: number, rate: number, bins: Bins = NO_OUTCOMES) =>
  counted(
    Array.from({ length: n }, (_, i) => [score, Math.floor((i + 1) * rate) > Math.floor(i * rate)] as const),
    bins,
  );

const anyBins: fc.Arbitrary<Bins> = fc
  .array(fc.tuple(fc.nat(400), share, share), { minLength: 10, maxLength: 10 })
  .map((cells) =>
    cells.map(([n, rate, within], i) => {
      const ok = Math.round(n * rate);
      const x = (i + within) / 10;
      return { n, ok, sum: n * x, squares: ok * (1 - x) ** 2 + (n - ok) * x ** 2 };
    }),
  );
const anyBase: fc.Arbitrary<Thresholds> = fc
  .tuple(fc.integer({ min: 5, max: 88 }), fc.integer({ min: 5, max: 40 }), fc.integer({ min: 5, max: 40 }))
  .filter(([reversible, gap, next]) => reversible + gap + next <= 98)
  .map(([reversible, gap, next]) => ({
    reversible: reversible / 100,
    monitored: (reversible + gap) / 100,
    immediate: (reversible + gap + next) / 100,
  }));

test('the Brier score and the calibration error are those of the definition', () => {
  const bins = counted([
    [0.9, true],
    [0.9, true],
    [0.3, true],
    [0.3, false],
  ]);
  expect(brierOf(bins)).toBeCloseTo((0.01 + 0.01 + 0.49 + 0.09) / 4, 6);
  expect(calibrationErrorOf(bins)).toBeCloseTo((0.2 + 0.4) / 4, 6);
  expect([brierOf(NO_OUTCOMES), calibrationErrorOf(NO_OUTCOMES)]).toEqual([null, null]);
});

test('property: with fewer than 50 outcomes a score stays as it is', () => {
  fc.assert(
    fc.property(outcomes(MIN_SAMPLES - 1), share, (pairs, score) => {
      expect(calibrator(counted(pairs))(score)).toBe(score);
    }),
  );
});

test('property: calibration keeps the order of scores, and gives probabilities', () => {
  fc.assert(
    fc.property(anyBins, share, share, (bins, a, b) => {
      const calibrate = calibrator(bins);
      const [low, high] = [calibrate(Math.min(a, b)), calibrate(Math.max(a, b))];
      expect(low).toBeLessThanOrEqual(high + 1e-9);
      expect(low).toBeGreaterThanOrEqual(0);
      expect(high).toBeLessThanOrEqual(1);
    }),
  );
});

test('property: where every score keeps its promise, calibration changes next to nothing', () => {
  fc.assert(
    fc.property(share, (score) => {
      const honest = Array.from({ length: 10 }, (_, i) => {
        const x = (i + 0.5) / 10;
        return { n: 200, ok: 200 * x, sum: 200 * x, squares: 200 * x * (1 - x) };
      });
      expect(calibrator(honest)(score)).toBeCloseTo(score, 6);
    }),
  );
});

test('property: scores that promise too much come down towards what came of them, and never past it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 60, max: 900 }), share, (tenth, n, part) => {
      const score = tenth / 10 + 0.05;
      const bins = repeated(n, score, score * part);
      const [rate, after] = [bins[tenth]!.ok / n, calibrator(bins)(score)];
      expect(after).toBeLessThanOrEqual(score + 1e-9);
      expect(after).toBeGreaterThanOrEqual(Math.min(rate, score) - 1e-9);
    }),
  );
});

test('calibration lowers the calibration error of a score that is always too sure', () => {
  const bins = repeated(300, 0.95, 0.6);
  const after = calibrator(bins)(0.95);
  expect(Math.abs(after - 0.6)).toBeLessThan(0.03);
  expect(calibrationErrorOf(bins)).toBeCloseTo(0.35, 2);
});

test('property: however many outcomes, the bins stay small and their figures stay in range', () => {
  fc.assert(
    fc.property(share, share, (score, rate) => {
      const bins = repeated(5_000, score, rate);
      expect(JSON.stringify(bins).length).toBeLessThan(1_000);
      expect(calibrationErrorOf(bins)).toBeGreaterThanOrEqual(0);
      expect(brierOf(bins)).toBeLessThanOrEqual(1);
      for (const { n, ok } of bins) expect(ok).toBeLessThanOrEqual(n);
    }),
    { numRuns: 20 },
  );
});

test('a bin that is full forgets: what changed for good is seen', () => {
  const once = repeated(5_000, 0.95, 1);
  const now = repeated(3_000, 0.95, 0.5, once);
  expect(calibrator(now)(0.95)).toBeLessThan(0.6);
});

function expectInOrder({ immediate, monitored, reversible }: Thresholds, base: Thresholds): void {
  expect(immediate - monitored).toBeGreaterThanOrEqual(LEAST_GAP - 1e-9);
  expect(monitored - reversible).toBeGreaterThanOrEqual(LEAST_GAP - 1e-9);
  for (const name of ['immediate', 'monitored', 'reversible'] as const) {
    const threshold = { immediate, monitored, reversible }[name];
    expect(Math.abs(threshold - base[name])).toBeLessThanOrEqual(MAX_SHIFT + 1e-4);
  }
}

test('H21, property: adapted thresholds stay in order, apart and within bounds, whatever the outcomes', () => {
  fc.assert(
    fc.property(anyBase, fc.array(anyBins, { minLength: 1, maxLength: 8 }), (base, rounds) => {
      let thresholds = checkThresholds(base);
      for (const bins of rounds) {
        thresholds = adaptThresholds(thresholds, bins, base);
        expectInOrder(thresholds, base);
        expect(checkThresholds(thresholds)).toEqual(thresholds);
      }
    }),
  );
});

test('H21, property: below the minimum sample no threshold changes', () => {
  fc.assert(
    fc.property(outcomes(MIN_SAMPLES - 1), (pairs) => {
      expect(adaptThresholds(DEFAULT_THRESHOLDS, counted(pairs))).toEqual(DEFAULT_THRESHOLDS);
    }),
  );
});

test('H29, property: adapting 1,000 times to the same outcomes is adapting once', () => {
  fc.assert(
    fc.property(anyBase, anyBins, (base, bins) => {
      const once = adaptThresholds(base, bins, base);
      let thresholds = once;
      for (let cycle = 0; cycle < 1_000; cycle++) thresholds = adaptThresholds(thresholds, bins, base);
      expect(thresholds).toEqual(once);
    }),
  );
});

test('H29: 1,000 idle cycles change nothing; 1,000 healthy ones settle within the bounds', () => {
  let idle = DEFAULT_THRESHOLDS;
  for (let cycle = 0; cycle < 1_000; cycle++) idle = adaptThresholds(idle, NO_OUTCOMES);
  expect(idle).toEqual(DEFAULT_THRESHOLDS);
  let healthy = DEFAULT_THRESHOLDS;
  let bins = NO_OUTCOMES;
  const seen = new Set<string>();
  for (let cycle = 0; cycle < 1_000; cycle++) {
    bins = observe(observe(observe(bins, 0.95, true), 0.8, true), 0.6, true);
    healthy = adaptThresholds(healthy, bins);
    expectInOrder(healthy, DEFAULT_THRESHOLDS);
    seen.add(JSON.stringify(healthy));
  }
  // Each of the three moves by 0.01 at least, within 0.05.
  expect(seen.size).toBeLessThanOrEqual(16);
});

test('scores that promise too much raise their threshold; when they keep their promise again it comes back', () => {
  const bad = repeated(200, 0.8, 0.5);
  const raised = adaptThresholds(DEFAULT_THRESHOLDS, bad);
  expect(raised).toEqual({ ...DEFAULT_THRESHOLDS, monitored: 0.75 });
  const good = repeated(5_000, 0.8, 0.8, bad);
  expect(adaptThresholds(raised, good)).toEqual(DEFAULT_THRESHOLDS);
});
