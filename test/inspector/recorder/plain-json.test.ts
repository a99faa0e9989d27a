import fc from 'fast-check';
import { createActor, createMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { plainJson } from '../../../inspector/recorder/plain-json.ts';

const plain = (value: unknown, most = 100_000) => plainJson(value, { most, refs: () => 'tree/a' }).json;

test.each([
  ['null', null, null],
  ['a record', { a: [1, 'b', true, null] }, { a: [1, 'b', true, null] }],
  ['undefined', { a: undefined }, { a: { $perdure: 'undefined', value: null } }],
  [
    'a number that JSON lacks',
    [Number.NaN, -Infinity],
    [
      { $perdure: 'number', value: 'NaN' },
      { $perdure: 'number', value: '-Infinity' },
    ],
  ],
  ['a bigint', 10n ** 20n, { $perdure: 'bigint', value: '100000000000000000000' }],
  ['a date', new Date(5), { $perdure: 'date', value: 5 }],
  ['no date', new Date(Number.NaN), { $perdure: 'date', value: null }],
  ['a map', new Map([[{ k: 1 }, 'v']]), { $perdure: 'map', value: [[{ k: 1 }, 'v']] }],
  ['a set', new Set([1, 'a']), { $perdure: 'set', value: [1, 'a'] }],
  ['a function', () => {}, '[function]'],
  ['a symbol', Symbol('x'), '[symbol]'],
  ['an instance of a class', new (class Basket {})(), '[Basket]'],
  ['bytes', new Uint8Array(3), '[Uint8Array, 3 bytes]'],
  ['an actor', createActor(createMachine({})), { $ref: 'tree/a' }],
  ['data that looks like a tag', { $perdure: 'map' }, { $perdure: 'record', value: [['$perdure', 'map']] }],
  ['a record without a prototype', Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
])('%s is shown as what it is', (_, value, expected) => {
  expect(plain(value)).toEqual(expected);
});

test('an error keeps its name, its message, what it has of its own, and its cause', () => {
  const error = Object.assign(new TypeError('no', { cause: 'why' }), { code: 'E' });
  expect(plain(error)).toMatchObject({
    $perdure: 'error',
    value: { name: 'TypeError', message: 'no', own: [['code', 'E']], cause: 'why' },
  });
});

test('an error of many is shown with them', () => {
  const many = new AggregateError([new TypeError('first'), 'second'], 'all failed');
  expect(plain(many)).toMatchObject({
    $perdure: 'error',
    value: {
      message: 'all failed',
      own: [['errors', [{ $perdure: 'error', value: { name: 'TypeError', message: 'first' } }, 'second']]],
    },
  });
});

test('cycles end, and the same value twice is no cycle', () => {
  const twice = { n: 1 };
  const cycle: Record<string, unknown> = { a: twice, b: twice };
  cycle['self'] = cycle;
  expect(plain(cycle)).toEqual({ a: { n: 1 }, b: { n: 1 }, self: '[cycle]' });
});

test('what throws when it is looked at is said to', () => {
  const hostile = {
    get a(): never {
      throw new Error('no');
    },
  };
  const proxy = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error('no');
      },
    },
  );
  expect(plain({ hostile, proxy })).toEqual({ hostile: '[cannot be shown]', proxy: '[cannot be shown]' });
});

describe('what is too large', () => {
  test('is cut, and says so', () => {
    expect(plain('x'.repeat(1_000), 20)).toBe(`${'x'.repeat(16)}… (1000 characters)`);
    expect(
      JSON.stringify(
        plain(
          Array.from({ length: 1_000_000 }, () => 'abc'),
          1_000,
        ),
      ).length,
    ).toBeLessThan(2_000);
    expect(
      plain(
        Array.from({ length: 100 }, () => 1),
        43,
      ),
    ).toContain('[90 more]');
  });

  test('is cut when it is deep', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i += 1) deep = { deep };
    expect(JSON.stringify(plain(deep))).toContain('[too deep]');
  });
});

test('texts are looked through before they are cut, names of properties too', () => {
  const text = (given: string) => given.replaceAll('secret', '***');
  const { json } = plainJson({ secretName: 'a secret' }, { most: 1_000, refs: () => null, text });
  expect(json).toEqual({ '***Name': 'a ***' });
  expect(plainJson('ab secret', { most: 9, refs: () => null, text }).json).not.toContain('se');
});

test('anything becomes JSON, of about the size that it is said to have', () => {
  fc.assert(
    fc.property(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withTypedArray: true,
        withNullPrototype: true,
        withSparseArray: true,
      }),
      fc.nat(500),
      (value, most) => {
        const { json, size } = plainJson(value, { most, refs: () => null });
        const text = JSON.stringify(json);
        expect(JSON.parse(text)).toEqual(json);
        expect(text.length).toBeLessThan(20 * (most + 20));
        expect(size).toBeGreaterThan(0);
      },
    ),
  );
});
