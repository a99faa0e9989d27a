import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { axisOf } from '../../../inspector/page/views/timeline/time-scale.ts';
import { moved, whole, windowOf, windowParams, zoomedAt } from '../../../inspector/page/views/timeline/window.ts';

const START = 1_790_000_000_000;
const HOUR = 3_600_000;
/** Two runs, eight hours apart. */
const busy = [
  { from: START, to: START + 60_000 },
  { from: START + 8 * HOUR, to: START + 8 * HOUR + 60_000 },
];
const axis = axisOf(busy, { from: START, to: START + 8 * HOUR + 60_000 });
const WIDTH = 1000;

describe('the window of the timeline', () => {
  test('shows all there is, with room at both sides', () => {
    const { from, to } = whole(axis, WIDTH);
    expect(from).toBeLessThan(axis.whole.from);
    expect(to).toBeGreaterThan(axis.whole.to);
  });

  test('keeps the moment under the pointer while it zooms', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.2, max: 0.95, noNaN: true }), fc.integer({ min: 0, max: WIDTH }), (factor, px) => {
        const before = whole(axis, WIDTH);
        const after = zoomedAt(axis, before, WIDTH, factor, px);
        const at = (window: typeof before): number => {
          const scale = axis.fitting(window, WIDTH);
          return scale.timeAt(scale.x(window.from) + px);
        };
        // A pixel of the gap is many seconds.
        expect(Math.abs(at(after) - at(before))).toBeLessThan(axis.fitting(before, WIDTH).msPerPx + 60_000);
        expect(after.to - after.from).toBeLessThan(before.to - before.from);
      }),
    );
  });

  test('moves across a gap of hours with a few steps, and never out of sight', () => {
    let window = { from: START + 10_000, to: START + 40_000 };
    for (let step = 0; step < 40; step++) window = moved(axis, window, WIDTH, 100);
    expect(window.to).toBeGreaterThan(START + 8 * HOUR);
    for (let step = 0; step < 200; step++) window = moved(axis, window, WIDTH, 500);
    expect(window.from).toBeLessThan(axis.whole.to);
  });

  test('is the same after it was written in an address', () => {
    const time = fc.integer({ min: START, max: START + 8 * HOUR });
    fc.assert(
      fc.property(time, fc.integer({ min: 1, max: HOUR }), (from, length) => {
        const { from: start, to } = windowParams({ from, to: from + length });
        expect(windowOf({ from: start ?? '', to: to ?? '' })).toEqual({ from, to: from + length });
      }),
    );
  });

  test('is none when the address asks for no span', () => {
    const asked = [{}, { from: '5' }, { from: '5', to: '5' }, { from: 'x', to: '9' }, { from: '', to: '' }];
    for (const params of asked) expect(windowOf(params)).toBeNull();
    expect(windowParams(null)).toEqual({ from: null, to: null });
  });
});
