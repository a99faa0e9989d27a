import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { axisOf, joined, type Span } from '../../../inspector/page/views/timeline/time-scale.ts';
import { labelRoom, ticksOf } from '../../../inspector/page/views/timeline/ticks.ts';

const START = 1_790_000_000_000;
const span = fc
  .tuple(fc.integer({ min: 0, max: 40_000_000 }), fc.integer({ min: 0, max: 3_000_000 }))
  .map(([from, length]): Span => ({ from: START + from, to: START + from + length }));
const busy = fc.array(span, { minLength: 1, maxLength: 30 });
const zoom = fc.double({ min: 0.01, max: 200_000, noNaN: true });
const share = fc.double({ min: -0.2, max: 1.2, noNaN: true });

function wholeOf(spans: readonly Span[]): Span {
  return { from: Math.min(...spans.map(({ from }) => from)), to: Math.max(...spans.map(({ to }) => to)) + 1 };
}

describe('the axis of the timeline', () => {
  test('puts a later moment further right', () => {
    fc.assert(
      fc.property(busy, zoom, share, share, fc.boolean(), (spans, msPerPx, a, b, isCompressed) => {
        const whole = wholeOf(spans);
        const scale = axisOf(spans, whole, isCompressed).at(msPerPx);
        const at = (part: number): number => Math.round(whole.from + part * (whole.to - whole.from));
        const [early, late] = [at(Math.min(a, b)), at(Math.max(a, b))];
        fc.pre(late > early);
        expect(scale.x(late)).toBeGreaterThan(scale.x(early));
      }),
    );
  });

  test('tells of every place which moment it is', () => {
    fc.assert(
      fc.property(busy, zoom, share, fc.boolean(), (spans, msPerPx, part, isCompressed) => {
        const whole = wholeOf(spans);
        const scale = axisOf(spans, whole, isCompressed).at(msPerPx);
        const time = whole.from + part * (whole.to - whole.from);
        // Floats near 2e12 are 0.0002 apart; a pixel of a long gap is many ms.
        expect(Math.abs(scale.timeAt(scale.x(time)) - time)).toBeLessThan(1);
      }),
    );
  });

  test('never draws a gap wider than it would be, nor wider than 52 px', () => {
    fc.assert(
      fc.property(busy, zoom, (spans, msPerPx) => {
        const whole = wholeOf(spans);
        const scale = axisOf(spans, whole).at(msPerPx);
        const pieces = joined(spans);
        for (const [index, piece] of pieces.entries()) {
          const next = pieces[index + 1];
          if (next === undefined) continue;
          const width = scale.x(next.from) - scale.x(piece.to);
          expect(width).toBeLessThanOrEqual(52.001);
          expect(width).toBeLessThanOrEqual((next.from - piece.to) / msPerPx + 0.001);
        }
      }),
    );
  });

  test('finds the zoom at which a span is as wide as the window', () => {
    fc.assert(
      fc.property(busy, fc.integer({ min: 200, max: 3000 }), (spans, width) => {
        const whole = wholeOf(spans);
        const scale = axisOf(spans, whole).fitting(whole, width);
        expect(scale.width).toBeLessThanOrEqual(width + 0.01);
        if (scale.msPerPx > 0.0021) expect(scale.width).toBeGreaterThan(width * 0.999);
      }),
    );
  });

  test('marks a gap that is drawn shorter, with its length', () => {
    const hour = 3_600_000;
    const spans = [
      { from: START, to: START + 10_000 },
      { from: START + 8 * hour, to: START + 8 * hour + 10_000 },
    ];
    const scale = axisOf(spans, wholeOf(spans)).fitting(wholeOf(spans), 1000);
    expect(scale.breaks(0, 1000).map(({ lengthMs }) => lengthMs)).toEqual([8 * hour - 10_000]);
    expect(axisOf(spans, wholeOf(spans), false).fitting(wholeOf(spans), 1000).breaks(0, 1000)).toEqual([]);
  });

  test('leaves the work at least as much room as all gaps together have, however many there are', () => {
    const minute = 60_000;
    const spans = Array.from({ length: 120 }, (_, i): Span => {
      const from = START + i * 15 * minute;
      return { from, to: from + minute };
    });
    for (const width of [1_000, 10_000]) {
      const scale = axisOf(spans, wholeOf(spans)).fitting(wholeOf(spans), width);
      const worked = spans.reduce((sum, { from, to }) => sum + scale.x(to) - scale.x(from), 0);
      expect(worked).toBeGreaterThanOrEqual(scale.width * 0.5);
    }
  });

  test('still breaks one long night where there are many moments without work', () => {
    const hour = 3_600_000;
    const spans = Array.from({ length: 200 }, (_, i): Span => {
      const from = START + i * 1_000 + (i >= 100 ? 8 * hour : 0);
      return { from, to: from + 900 };
    });
    const scale = axisOf(spans, wholeOf(spans)).fitting(wholeOf(spans), 1000);
    expect(scale.breaks(0, 1000).map(({ width, lengthMs }) => [lengthMs, width > 40])).toEqual([
      [8 * hour + 100, true],
    ]);
  });

  test('has marks in order, inside of what is shown, none too close to another', () => {
    fc.assert(
      fc.property(busy, zoom, (spans, msPerPx) => {
        const whole = wholeOf(spans);
        const scale = axisOf(spans, whole).at(msPerPx);
        const ticks = ticksOf(scale, 0, 1200);
        for (const [index, tick] of ticks.entries()) {
          expect(tick.x).toBeGreaterThanOrEqual(0);
          expect(tick.x).toBeLessThanOrEqual(1200);
          if (index > 0) expect(tick.x - ticks[index - 1]!.x).toBeGreaterThanOrEqual(71.9);
          // The picture writes a mark 5 px beside it, no letter wider than 6.5 px.
          if (index > 0)
            expect(tick.x - ticks[index - 1]!.x).toBeGreaterThanOrEqual(labelRoom(ticks[index - 1]!.label));
        }
      }),
    );
  });
});
