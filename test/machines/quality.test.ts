import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  composeQuality,
  fallbackOrder,
  isBelow,
  isShed,
  isWorse,
  levelOf,
  LEVELS,
  type Criticality,
} from '../../machines/quality.ts';

const loss = fc.double({ min: 0, max: 1, noNaN: true });

test('a quality is between 0 and 1, whole when nothing is lost, and nothing when one part loses all', () => {
  fc.assert(
    fc.property(fc.array(loss, { maxLength: 20 }), (losses) => {
      const quality = composeQuality(losses);
      expect(quality).toBeGreaterThanOrEqual(0);
      expect(quality).toBeLessThanOrEqual(1);
      expect(composeQuality([...losses, 1])).toBe(0);
      expect(composeQuality(losses.map(() => 0))).toBe(1);
    }),
  );
});

test('another loss never raises a quality, and the order of losses does not matter', () => {
  fc.assert(
    fc.property(fc.array(loss, { maxLength: 20 }), loss, (losses, one) => {
      expect(composeQuality([...losses, one])).toBeLessThanOrEqual(composeQuality(losses));
      expect(composeQuality(losses.toReversed())).toBeCloseTo(composeQuality(losses), 5);
    }),
  );
});

test('H24: a composed quality below its floor is told, one at the floor is not', () => {
  expect(composeQuality([0.3, 0.5])).toBe(0.35);
  expect(isBelow(composeQuality([0.3, 0.5]), 0.5)).toBe(true);
  expect(isBelow(1 - 0.9, 0.1)).toBe(false);
  expect(isBelow(0, 0)).toBe(false);
});

test('a level is worse when the quality is less, and full only when nothing is lost', () => {
  fc.assert(
    fc.property(loss, loss, (a, b) => {
      const [less, more] = a < b ? [a, b] : [b, a];
      expect(isWorse(levelOf(more), levelOf(less))).toBe(false);
    }),
  );
  expect([1, 0.999, 0.9, 0.7, 0.5, 0.499, 0].map(levelOf)).toEqual([
    'full',
    'minor',
    'minor',
    'moderate',
    'severe',
    'minimal',
    'minimal',
  ]);
});

test('tries the fallback with the least loss first, and equal ones as they were written', () => {
  const names = (losses: Record<string, number>) =>
    fallbackOrder(Object.entries(losses).map(([name, value]) => ({ name, loss: value }))).map(({ name }) => name);
  expect(names({ skip: 0.3, subset: 0.2, cached: 0.3 })).toEqual(['subset', 'skip', 'cached']);
});

test('sheds more with every level, the least critical first, and what is critical never', () => {
  const criticalities: Criticality[] = ['sheddable', 'sheddable-plus', 'critical', 'critical-plus'];
  const shed = LEVELS.map((level) => criticalities.filter((one) => isShed(level, one)));
  expect(shed.map((kinds) => kinds.length)).toEqual([0, 0, 1, 2, 2]);
  for (const kinds of shed) expect(kinds).toEqual(criticalities.slice(0, kinds.length));
});
