import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MOST_BUCKETS, RELATIVE_ERROR, Sketch } from '../../machines/sketch.ts';

function sketchOf(values: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value);
  return sketch;
}

const duration = fc.oneof(
  fc.double({ min: 0, max: 1e7, noNaN: true }),
  fc.double({ min: 1e-9, max: 1, noNaN: true }),
  fc.constantFrom(0, 1, 1e-12),
);
const durations = fc.array(duration, { minLength: 1, maxLength: 300 });

test('every quantile is within 1 % of a value of its rank', () => {
  fc.assert(
    fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, part) => {
      const sorted = values.toSorted((a, b) => a - b);
      const rank = part * (values.length - 1);
      const near = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]] as [number, number];
      const found = sketchOf(values).quantile(part);
      const error = RELATIVE_ERROR + 1e-9;
      expect(found).toBeGreaterThanOrEqual(near[0] * (1 - error) - 1e-9);
      expect(found).toBeLessThanOrEqual(near[1] * (1 + error) + 1e-9);
    }),
  );
});

test('merging two is the same as adding the values of both, in any order, also when buckets are folded', () => {
  const wide = fc.array(fc.double({ min: 1e-9, max: Number.MAX_VALUE, noNaN: true }), { maxLength: 50 });
  fc.assert(
    fc.property(wide, wide, (some, others) => {
      const merged = sketchOf(some);
      merged.merge(sketchOf(others));
      const { sum, ...rest } = sketchOf([...others, ...some]).toJSON();
      expect(merged.toJSON()).toMatchObject(rest);
      expect(merged.size).toBeLessThanOrEqual(MOST_BUCKETS);
      if (Number.isFinite(sum)) expect(merged.sum).toBeCloseTo(sum, -Math.log10(sum + 1) + 3);
    }),
  );
});

test('it is the same after it was stored', () => {
  fc.assert(
    fc.property(durations, fc.integer({ min: 1, max: 50 }), (values, weight) => {
      const sketch = sketchOf(values);
      sketch.add(3, weight);
      const stored = JSON.stringify(sketch);
      const back = Sketch.from(JSON.parse(stored));
      expect(JSON.stringify(back)).toBe(stored);
      expect(back.quantile(0.95)).toBe(sketch.quantile(0.95));
      back.add(1e6);
      sketch.add(1e6);
      expect(back.toJSON()).toEqual(sketch.toJSON());
    }),
  );
});

test('H37: a million values take no more room than their range needs, and p95 is within 2 %', () => {
  const sketch = new Sketch();
  const values = new Float64Array(1_000_000);
  let seed = 1;
  for (let at = 0; at < values.length; at += 1) {
    seed = (seed * 48_271) % 2_147_483_647;
    values[at] = -Math.log(seed / 2_147_483_647) * 10;
    sketch.add(values[at] as number);
  }
  values.sort();
  const exact = values[949_999] as number;
  expect(Math.abs(sketch.quantile(0.95) - exact) / exact).toBeLessThan(0.02);
  expect(sketch.count).toBe(1_000_000);
  expect(sketch.size).toBeLessThan(1_200);
  expect(JSON.stringify(sketch).length).toBeLessThan(16_384);
});

test('an empty one has no values, and what is no duration counts as 0', () => {
  const sketch = new Sketch();
  expect([sketch.count, sketch.min, sketch.max, sketch.mean, sketch.quantile(0.5)]).toEqual([0, 0, 0, 0, 0]);
  for (const wrong of [-1, NaN, Infinity]) sketch.add(wrong);
  expect(sketch.toJSON()).toEqual({ count: 3, sum: 0, min: 0, max: 0, zeros: 3, buckets: [] });
});

test.each([[undefined], [{}], [{ count: 1, sum: -1, min: 0, max: 0, zeros: 0, buckets: [] }]])(
  'what is no sketch is refused: %j',
  (stored) => {
    expect(() => Sketch.from(stored)).toThrow(expect.objectContaining({ code: 'ROW_CORRUPT' }));
  },
);
