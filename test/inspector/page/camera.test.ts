import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { beginning, fitted, kept, meets, seen, showing, zoomed } from '../../../inspector/page/views/plan/camera.ts';
import { pathOf } from '../../../inspector/page/views/plan/routes.ts';

const place = fc.double({ min: -5000, max: 5000, noNaN: true });
const point = fc.record({ x: place, y: place });
const camera = fc.record({ x: place, y: place, zoom: fc.double({ min: 0.04, max: 2, noNaN: true }) });
const size = fc.record({ width: fc.integer({ min: 200, max: 6000 }), height: fc.integer({ min: 200, max: 6000 }) });
const window = { width: 1200, height: 700 };

describe('the camera of the plan', () => {
  test('keeps what is under the pointer where it is while it zooms', () => {
    fc.assert(
      fc.property(camera, fc.double({ min: 0.2, max: 5, noNaN: true }), point, (from, factor, at) => {
        const to = zoomed(from, factor, at);
        expect(((at.x - from.x) / from.zoom) * to.zoom + to.x).toBeCloseTo(at.x, 3);
        expect(((at.y - from.y) / from.zoom) * to.zoom + to.y).toBeCloseTo(at.y, 3);
      }),
    );
  });

  test('begins with all of it where that can be read, else with the place in sight and no column cut through', () => {
    const columns = Array.from({ length: 9 }, (_, at) => ({ x: at * 300, y: 0, width: 250, height: 80 }));
    const wide = { width: 2_650, height: 600 };
    expect(beginning({ width: 2_300, height: 600 }, window, 0.62).zoom).toBeCloseTo(1200 / 2300, 5);
    for (const place of columns) {
      const camera = beginning(wide, { width: 640, height: 500 }, 0.62, place, columns);
      expect(camera.zoom).toBe(0.62);
      const lefts = columns.map(({ x, width }) => [x * 0.62 + camera.x, (x + width) * 0.62 + camera.x] as const);
      expect(lefts.filter(([from, to]) => from < 0 && to > 0)).toEqual([]);
      expect(place.x * 0.62 + camera.x).toBeGreaterThanOrEqual(0);
      expect((place.x + place.width) * 0.62 + camera.x).toBeLessThanOrEqual(640);
    }
  });

  test('sees all of a drawing that fits, and some of it wherever it is moved', () => {
    fc.assert(
      fc.property(size, camera, (drawing, moved) => {
        const all = seen(fitted(drawing, window), window);
        expect(all.x).toBeLessThanOrEqual(0.01);
        expect(all.x + all.width).toBeGreaterThanOrEqual(drawing.width - 0.01);
        expect(all.y).toBeLessThanOrEqual(0.01);
        expect(all.y + all.height).toBeGreaterThanOrEqual(drawing.height - 0.01);
        expect(meets(seen(kept(moved, drawing, window), window), { x: 0, y: 0, ...drawing })).toBe(true);
      }),
    );
  });

  test('shows a step that somebody goes to', () => {
    fc.assert(
      fc.property(camera, point, (from, { x, y }) => {
        fc.pre(from.zoom < 1.5);
        const box = { x, y, width: 188, height: 54 };
        const view = seen(showing(from, box, window), window, 0.01);
        expect(view.x).toBeLessThanOrEqual(box.x);
        expect(view.x + view.width).toBeGreaterThanOrEqual(box.x + box.width);
        expect(view.y).toBeLessThanOrEqual(box.y);
        expect(view.y + view.height).toBeGreaterThanOrEqual(box.y + box.height);
      }),
    );
  });
});

test('a line begins and ends where it was said to', () => {
  fc.assert(
    fc.property(fc.array(point, { minLength: 2, maxLength: 6 }), (points) => {
      const numbers = pathOf({ points })
        .match(/-?[\d.]+(e-?\d+)?/g)!
        .map(Number);
      const [first, last] = [points[0]!, points.at(-1)!];
      expect(numbers[0]).toBeCloseTo(first.x, 0);
      expect(numbers[1]).toBeCloseTo(first.y, 0);
      if (Math.abs(first.y - last.y) >= 1 || points.length > 2) expect(numbers.at(-1)).toBeCloseTo(last.y, 0);
    }),
  );
});
