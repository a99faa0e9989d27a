import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { factorText, pathPieces, spanText, worthText } from '../../../inspector/page/views/profile/profile-words.ts';

const ms = fc.oneof(fc.constant(0), fc.double({ min: 0.1, max: 1e6, noNaN: true }));
const steps = fc.array(
  fc.record({ step: fc.constantFrom('a', 'b', 'c'), waitedMs: ms, ranMs: ms, backedOffMs: ms, heldUpMs: ms }),
  { maxLength: 12 },
);

describe('the critical path', () => {
  test('property: its pieces lie side by side, and are the whole time that the plan took', () => {
    fc.assert(
      fc.property(steps, (criticalPath) => {
        const makespanMs = criticalPath.reduce(
          (sum, { waitedMs, ranMs, backedOffMs, heldUpMs }) => sum + waitedMs + ranMs + backedOffMs + heldUpMs,
          0,
        );
        const pieces = pathPieces({ criticalPath, makespanMs });
        let at = 0;
        for (const { left, width } of pieces) {
          expect(left).toBeCloseTo(at, 9);
          expect(width).toBeGreaterThan(0);
          at = left + width;
        }
        expect(at).toBeCloseTo(makespanMs > 0 ? 1 : 0, 9);
      }),
    );
  });
});

describe('words', () => {
  test.each([
    [0, '0 ms'],
    [0.0001, '1 µs'],
    [0.34, '340 µs'],
    [0.96, '1 ms'],
    [1_200, '1.2 s'],
  ])('%d ms is written %s', (value, text) => expect(spanText(value)).toBe(text));

  test('what a cure is worth is told with its part of the whole', () => {
    expect(worthText({ mostSpeedUp: 2.5, share: 0.6, of: 'makespan' })).toBe(
      '60\u202f% of the time that the plan took: up to 2.5× as fast',
    );
    expect(worthText({ mostSpeedUp: null, share: 1, of: 'work' })).toBe(
      '100\u202f% of all work: nothing else takes any time',
    );
    expect([factorText(1.04), factorText(12.6), factorText(4_000)]).toEqual(['1.0×', '13×', '100+×']);
  });
});
