import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amountText, stepOf, ticksOf } from '../../../inspector/page/views/resources/amounts.ts';

const GIB = 2 ** 30;

describe('amounts', () => {
  test.each([
    [0, 'B', '0 B'],
    [900, 'B', '900 B'],
    [1.5 * GIB, 'bytes', '1.5 GB'],
    [-2 * GIB, 'B', '-2 GB'],
    [0.342, 'share', '34.2 %'],
    [250, '', '250'],
    [1.5, 'cores', '1.5 cores'],
    [187_000, 'ms', '3 min 7 s'],
    [12_345, 'count', '12 345'],
    [Number.NaN, 'B', '–'],
    [3, 'constructor', '3 constructor'],
  ])('%d %s is written %s', (value, unit, text) => expect(amountText(value, unit)).toBe(text));
});

describe('the marks of an axis', () => {
  test('property: they begin at 0, end within the axis, are as far apart as each other, and not too many', () => {
    const units = fc.constantFrom('B', 'ms', 'share', '', 'cores');
    fc.assert(
      fc.property(
        fc.double({ min: 1e-3, max: 1e13, noNaN: true }),
        fc.integer({ min: 1, max: 10 }),
        units,
        (max, most, unit) => {
          const ticks = ticksOf(max, most, unit);
          expect(ticks[0]).toBe(0);
          expect(ticks.length).toBeLessThanOrEqual(most + 1);
          expect(ticks.at(-1)).toBeLessThanOrEqual(max * (1 + 1e-6));
          const step = stepOf(max, most, unit);
          for (const [i, tick] of ticks.entries()) expect(tick).toBeCloseTo(i * step, 6);
        },
      ),
    );
  });

  test('those of bytes are round in bytes, and those of time in time', () => {
    expect(ticksOf(1.9 * GIB, 4, 'B')).toEqual([0, GIB / 2, GIB, 1.5 * GIB]);
    expect(stepOf(3_600_000, 5, 'ms')).toBe(900_000);
    expect(ticksOf(1, 4, 'share')).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });
});
