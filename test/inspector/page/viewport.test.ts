import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  centred,
  fitted,
  opening,
  revealing,
  roundedPath,
  zoomed,
  type Viewport,
} from '../../../inspector/page/views/actors/viewport.ts';

const size = fc.record({ width: fc.integer({ min: 50, max: 4_000 }), height: fc.integer({ min: 50, max: 4_000 }) });
const pane = fc.record({ width: fc.integer({ min: 200, max: 2_000 }), height: fc.integer({ min: 200, max: 2_000 }) });
const view = fc.record({
  x: fc.integer({ min: -2_000, max: 2_000 }),
  y: fc.integer({ min: -2_000, max: 2_000 }),
  scale: fc.double({ min: 0.2, max: 2, noNaN: true }),
});
const seen = (at: Viewport, x: number, y: number) => ({ x: x * at.scale + at.x, y: y * at.scale + at.y });

test('what is fitted is seen as a whole, and never much larger than it is', () => {
  fc.assert(
    fc.property(size, pane, (drawing, there) => {
      const at = fitted(drawing, there);
      expect(at.scale).toBeLessThanOrEqual(1.2);
      if (at.scale <= 0.1) return;
      const end = seen(at, drawing.width, drawing.height);
      expect(at.x).toBeGreaterThanOrEqual(-0.001);
      expect(at.y).toBeGreaterThanOrEqual(-0.001);
      expect(end.x).toBeLessThanOrEqual(there.width + 0.001);
      expect(end.y).toBeLessThanOrEqual(there.height + 0.001);
    }),
  );
});

test('what is under the pointer stays under it while zooming', () => {
  fc.assert(
    fc.property(view, fc.double({ min: 0.5, max: 2, noNaN: true }), fc.nat(900), fc.nat(900), (from, factor, x, y) => {
      const point = { x: (x - from.x) / from.scale, y: (y - from.y) / from.scale };
      const after = seen(zoomed(from, factor, { x, y }), point.x, point.y);
      expect(after.x).toBeCloseTo(x, 5);
      expect(after.y).toBeCloseTo(y, 5);
    }),
  );
});

test('a chart that would be too small to read opens around what is active', () => {
  const there = { width: 800, height: 600 };
  expect(opening({ width: 700, height: 500 }, there, [])).toEqual(fitted({ width: 700, height: 500 }, there));
  const active = { x: 1_900, y: 2_900, width: 80, height: 40 };
  const at = opening({ width: 2_000, height: 3_000 }, there, [active]);
  const corner = seen(at, active.x + active.width, active.y + active.height);
  expect(corner.x).toBeLessThanOrEqual(there.width);
  expect(corner.y).toBeLessThanOrEqual(there.height);
  expect(at.scale).toBeGreaterThan(0.5);
  // Regions that are far from each other are seen in the whole.
  const far = [{ x: 0, y: 0, width: 80, height: 40 }, active];
  expect(opening({ width: 2_000, height: 3_000 }, there, far)).toEqual(fitted({ width: 2_000, height: 3_000 }, there));
});

test('no emptiness is shown beside a drawing that is larger than the pane', () => {
  const at = centred(
    { width: 2_000, height: 2_000 },
    { width: 500, height: 500 },
    [{ x: 0, y: 0, width: 9, height: 9 }],
    1,
  );
  expect(at).toEqual({ scale: 1, x: 16, y: 16 });
});

test('what is revealed is in sight, and what was in sight does not move', () => {
  const there = { width: 500, height: 500 };
  const still = { x: 0, y: 0, scale: 1 };
  expect(revealing(still, { x: 100, y: 100, width: 50, height: 50 }, there)).toEqual(still);
  expect(revealing(still, { x: 600, y: -80, width: 50, height: 50 }, there)).toEqual({ x: -166, y: 96, scale: 1 });
});

test('corners are rounded, and no more than the line is long', () => {
  expect(roundedPath([])).toBe('');
  expect(roundedPath([{ x: 0, y: 0 }, { x: 0, y: 10 }])).toBe('M0 0L0 10'); // prettier-ignore
  expect(roundedPath([{ x: 0, y: 0 }, { x: 0, y: 20 }, { x: 4, y: 20 }])).toBe('M0 0L0 14Q0 20 2 20L4 20'); // prettier-ignore
});
