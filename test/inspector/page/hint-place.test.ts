import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hintPlace } from '../../../inspector/page/views/actors/hint-place.ts';

const pane = { width: 900, height: 700 };

test('a hint lies below, and goes elsewhere where it would cover what is active', () => {
  const about = { x: 300, y: 300, width: 80, height: 20 };
  expect(hintPlace(about, pane, [])).toEqual({ x: 300, y: 326, isAbove: false });
  const under = { x: 310, y: 380, width: 60, height: 40 };
  expect(hintPlace(about, pane, [under])).toEqual({ x: 300, y: 294, isAbove: true });
  const over = { ...under, y: 200 };
  expect(hintPlace(about, pane, [under, over])).toEqual({ x: 386, y: 300, isAbove: false });
  expect(hintPlace({ ...about, y: 660 }, pane, [])).toMatchObject({ isAbove: true });
});

test('property: wherever something is in the pane, its hint begins within it', () => {
  const about = fc.record({ x: fc.nat(820), y: fc.nat(680), width: fc.constant(80), height: fc.constant(20) });
  fc.assert(
    fc.property(about, fc.array(about, { maxLength: 3 }), (one, avoided) => {
      const { x, y } = hintPlace(one, pane, avoided);
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x + 320).toBeLessThanOrEqual(pane.width);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThanOrEqual(pane.height);
    }),
  );
});
