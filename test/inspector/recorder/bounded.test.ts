import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bounded } from '../../../inspector/recorder/bounded.ts';
import { estimatedBytes } from '../../../inspector/recorder/estimate.ts';
import { shownWithTexts } from '../../../persistence/shown-texts.ts';
import { Payloads } from '../../../persistence/payloads.ts';

const anything = fc.anything({ withMap: true, withSet: true, withDate: true, withBigInt: true, withTypedArray: true });

test('what is small enough is as it was', () => {
  fc.assert(
    fc.property(anything, (value) => {
      expect(bounded(value, 1_000_000)).toEqual(value);
    }),
  );
});

test('B1: of what is too much, every text is whole or not there', () => {
  const text = fc.string({ minLength: 8, maxLength: 20, unit: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(fc.array(text), fc.integer({ min: 20, max: 400 }), (texts, most) => {
      const items = bounded(texts, most) as string[];
      for (const [at, item] of items.entries()) {
        if (!item.startsWith('[')) expect(item).toBe(texts[at]);
      }
    }),
  );
  expect(bounded({ secret: 'x'.repeat(300_000) }, 1_000)).toEqual({ secret: '[300000 characters]' });
});

test('what it does not know, cannot look into, or has been in already does not end it', () => {
  const cycle: Record<string, unknown> = { n: 1 };
  cycle['self'] = cycle;
  expect(bounded(cycle, 1_000)).toEqual({ n: 1, self: '[cycle]' });
  const hostile = new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('no');
      },
    },
  );
  expect(bounded({ hostile, after: 1 }, 1_000)).toEqual({ hostile: '[cannot be shown]', after: 1 });
  const error = bounded(new TypeError('no', { cause: [1, 2] }), 10_000) as TypeError;
  expect(error).toBeInstanceOf(TypeError);
  expect([error.message, error.cause]).toEqual(['no', [1, 2]]);
});

test('an error whose prototype reads out of the error itself can be read in a copy, too', () => {
  const timeout = new DOMException('too slow', 'TimeoutError');
  const { name, message, code } = bounded(timeout, 10_000) as DOMException;
  expect([name, message, code]).toEqual(['TimeoutError', 'too slow', 23]);
});

test('a property of an error that throws costs nothing else of it', () => {
  const error = Object.defineProperty(new Error('no'), 'detail', { get: () => fail(), enumerable: true });
  expect(bounded(error, 10_000)).toMatchObject({ message: 'no', detail: '[cannot be shown]' });
});

function fail(): never {
  throw new Error('unreadable');
}

test('what may be shown of a large value takes no longer than what may be shown of its first part', () => {
  const payloads = new Payloads({});
  const shown = (value: unknown) => shownWithTexts(payloads, bounded(value, 262_144));
  const people = Array.from({ length: 200_000 }, (_, id) => ({ id, name: `person ${id}`, text: 'x'.repeat(40) }));
  const quickest = (value: unknown) =>
    Math.min(
      ...Array.from({ length: 5 }, () => {
        const began = performance.now();
        shown(value);
        return performance.now() - began;
      }),
    );
  const part = quickest({ people: people.slice(0, 10_000) });
  expect(quickest({ people })).toBeLessThan(20 + 3 * part);
});

test('an estimate is near to what there is, however long it is, and looks at little of it', () => {
  const rows = (length: number) => ({ n: 1, rows: Array.from({ length }, (_, at) => at + 0.5) });
  expect(estimatedBytes(rows(130_000))).toBeGreaterThan(1_000_000);
  expect(estimatedBytes(rows(130_000))).toBeLessThan(2_000_000);
  let looks = 0;
  const part = {
    get text() {
      looks += 1;
      return 'x'.repeat(100);
    },
  };
  const size = estimatedBytes(new Map(Array.from({ length: 10_000 }, (_, at) => [at, part])));
  expect(size).toBeGreaterThan(1_000_000);
  expect(looks).toBeLessThan(100);
  fc.assert(
    fc.property(anything, (value) => {
      expect(estimatedBytes(value)).toBeGreaterThan(0);
    }),
  );
});
