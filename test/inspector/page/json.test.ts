import { anything, assert, jsonValue, property } from 'fast-check';
import { expect, test } from 'vitest';
import { changesOf, MAX_CHANGES, type JsonChange } from '../../../inspector/page/json-difference.ts';
import { shapeOf } from '../../../inspector/page/json-shape.ts';
import { plain } from '../../../inspector/page/plain.ts';
import { encode } from '../../../persistence/codec.ts';

const noRefs = {
  idOf: () => undefined,
  refOf(): never {
    throw new Error('no reference is read here');
  },
};

function written(value: unknown): unknown {
  return JSON.parse(encode(value, noRefs, 'test'));
}

test('what the codec writes is shown as what it stands for', () => {
  const shown = (value: unknown): string => shapeOf(written(value)).text;
  expect(shown(new Map([['a', 1]]))).toBe('Map (1)');
  expect(shown(new Set([1, 2]))).toBe('Set [2]');
  expect(shown(new Date(0))).toBe('1970-01-01T00:00:00.000Z');
  expect(shown(new TypeError('no such thing'))).toBe('TypeError: no such thing');
  expect(shown(12n)).toBe('12n');
  expect(shown(NaN)).toBe('NaN');
  expect(shown(undefined)).toBe('undefined');
  expect(shown({ $perdure: 'map', value: 1 })).toBe('{ $perdure, value }');
  expect(shapeOf('[redacted]').kind).toBe('hidden');
});

test('a map shows its entries, also when its keys are no texts', () => {
  const entries = shapeOf(
    written(
      new Map<unknown, unknown>([
        [1, 'one'],
        [{ a: 1 }, 2],
      ]),
    ),
  ).entries?.();
  expect(entries).toEqual([
    ['1', 'one'],
    ['{"a":1}', 2],
  ]);
});

test('anything at all has a shape, and all that is in it has one too', () => {
  const walk = (value: unknown, depth: number): void => {
    const { text, entries, size } = shapeOf(value);
    expect(typeof text).toBe('string');
    const inside = entries?.() ?? [];
    expect(inside).toHaveLength(entries === null ? 0 : size);
    if (depth < 6) for (const [, item] of inside) walk(item, depth + 1);
  };
  assert(property(anything(), (value) => walk(plain(value), 0)));
  for (const tag of ['map', 'set', 'error', 'record', 'date', 'actor', 'nonsense']) {
    assert(property(jsonValue(), (value) => walk({ $perdure: tag, value }, 0)));
  }
});

/** Puts changes into a copy. */
function changed(before: unknown, changes: readonly JsonChange[]): unknown {
  const root = { it: structuredClone(before) } as Record<string, unknown>;
  const removed: [Record<string, unknown>, string][] = [];
  for (const { path, kind, after } of changes) {
    let at = root;
    for (const step of ['it', ...path].slice(0, -1)) at = at[step] as Record<string, unknown>;
    const last = path.at(-1) ?? 'it';
    if (kind === 'removed') removed.push([at, last]);
    else Object.defineProperty(at, last, { value: after, writable: true, enumerable: true, configurable: true });
  }
  for (const [at, last] of removed) if (!Array.isArray(at)) delete at[last];
  const shortest = new Map<unknown[], number>();
  for (const [at, last] of removed) {
    if (Array.isArray(at)) shortest.set(at, Math.min(shortest.get(at) ?? Infinity, Number(last)));
  }
  for (const [at, length] of shortest) at.length = length;
  return root['it'];
}

test('the changes between two values make the one of the other, and there are none between equal ones', () => {
  assert(
    property(jsonValue({ noUnicodeString: false }), jsonValue(), (before, after) => {
      const changes = changesOf(before, after);
      if (changes.length < MAX_CHANGES) expect(changed(before, changes)).toEqual(after);
      expect(changesOf(before, structuredClone(before))).toEqual([]);
    }),
  );
});

test('of values that differ all over only so many changes are told', () => {
  const many = (value: number): number[] => Array.from({ length: 5_000 }, () => value);
  expect(changesOf(many(1), many(2))).toHaveLength(MAX_CHANGES);
});

test('what cannot be JSON becomes a word, and what is too much as well', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  expect(plain(cycle)).toBe('[not JSON]');
  expect(plain({ n: 1n })).toBe('[not JSON]');
  expect(plain('x'.repeat(5_000_000))).toBe('[too large to be shown]');
  expect(plain({ a: [1, undefined, 'x'] })).toEqual({ a: [1, null, 'x'] });
});
