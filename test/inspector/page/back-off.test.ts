import { assert, double, nat, property } from 'fast-check';
import { expect, test } from 'vitest';
import { backOffMs } from '../../../inspector/page/back-off.ts';

test('each attempt to connect waits longer than the one before, within a fifth, and none longer than 15 s', () => {
  assert(
    property(nat(10_000), double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
      const ms = backOffMs(attempt, random);
      expect(ms).toBeGreaterThanOrEqual(240);
      expect(ms).toBeLessThanOrEqual(15_000);
      expect(backOffMs(attempt + 1, random)).toBeGreaterThanOrEqual(ms);
      expect(backOffMs(attempt, 1)).toBeLessThanOrEqual(backOffMs(attempt, 0) * 1.26);
    }),
  );
  expect([0, 1, 2, 3].map((attempt) => backOffMs(attempt, 1))).toEqual([300, 600, 1_200, 2_400]);
});
