import { isDeepStrictEqual } from 'node:util';
import { createActor, fromTransition } from 'xstate';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PerdureError } from '../../errors.ts';
import { decode, encode, type Refs } from '../../persistence/codec.ts';

const noRefs: Refs = {
  idOf: () => undefined,
  refOf: (id) => {
    throw new Error(`nobody has row ${id}`);
  },
};

function through(value: unknown): unknown {
  return decode(encode(value, noRefs, 'the test'), noRefs);
}

/** As strict as Node can be: prototypes, holes, -0, own keys; `expect` alone would forgive some of it. */
function expectSame(found: unknown, expected: unknown): void {
  if (isDeepStrictEqual(found, expected)) return;
  expect(found).toStrictEqual(expected);
  expect.unreachable('node:util sees a difference that vitest does not');
}

const keys = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'value',
    '$perdure',
    'xstate$$type',
    'id',
    '',
    '0',
    '\0',
    '\ud800',
    'toJSON',
  ),
);

const leaves = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    Number.NaN,
    -0,
    0,
    Infinity,
    -Infinity,
    true,
    2 ** 53,
    5e-324,
    '',
    '\0',
    '\ud800',
    '\udc00x',
    '$perdure',
    '"$perdure"',
  ),
  fc.double(),
  fc.string({ unit: 'binary' }),
  fc.bigInt(),
  // To Node 20 no invalid date equals another, so they have a test of their own.
  fc.date({ noInvalidDate: true }),
  fc.int8Array(),
  fc.uint8Array(),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.uint8Array().map((bytes) => bytes.subarray(Math.floor(bytes.length / 2))),
  fc.uint8ClampedArray(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
  fc.uint8Array().map((bytes) => bytes.slice().buffer),
);

const { value: anything } = fc.letrec<{ value: unknown; record: object }>((tie) => {
  const value = tie('value');
  const entries = fc.array(fc.tuple(keys, value), { maxLength: 4 });
  const errorClass = fc.constantFrom(Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError);
  return {
    record: entries.map((all) => Object.fromEntries(all)),
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaves,
      tie('record'),
      entries.map((all) => Object.setPrototypeOf(Object.fromEntries(all), null)),
      fc.array(value, { maxLength: 4 }),
      fc.sparseArray(value, { maxLength: 6 }),
      fc.array(fc.tuple(value, value), { maxLength: 3 }).map((all) => new Map(all)),
      fc.array(value, { maxLength: 3 }).map((all) => new Set(all)),
      fc
        .tuple(errorClass, fc.string(), fc.option(value, { nil: undefined }))
        .map(([Class, message, cause]) => new Class(message, { cause })),
      fc.tuple(fc.string(), entries).map(([message, all]) => withOwn(new Error(message), all)),
      fc
        .tuple(fc.array(value, { maxLength: 2 }), fc.string())
        .map(([errors, message]) => new AggregateError(errors, message)),
      fc.record({
        [`$perdure`]: fc.oneof(fc.constantFrom('map', 'date', 'actor', 'undefined', 'record'), value),
        value,
      }),
      fc.record({ xstate$$type: fc.constant(1), id: fc.string() }),
    ),
  };
});

function withOwn(error: Error, entries: [string, unknown][]): Error {
  for (const [key, value] of entries) {
    if (['name', 'message', 'stack', 'cause'].includes(key)) continue;
    Object.defineProperty(error, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return error;
}

test('an invalid date comes back invalid, wherever it is', () => {
  const invalid = new Date(Number.NaN);
  const found = through({ a: [invalid], b: new Map([[1, invalid]]), c: new Error('', { cause: invalid }) }) as {
    a: Date[];
    b: Map<number, Date>;
    c: Error;
  };
  const dates = [through(invalid), found.a[0], found.b.get(1), found.c.cause];
  for (const date of dates) {
    expect(date).toBeInstanceOf(Date);
    expect((date as Date).getTime()).toBeNaN();
  }
});

test('property: every value that is encoded comes back as it was', () => {
  fc.assert(
    fc.property(anything, (value) => expectSame(through(value), value)),
    { numRuns: 3_000 },
  );
});

test('property: text is well-formed, and plain JSON where the value is JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false } as never), (value) => {
      const text = encode(value, noRefs, 'the test');
      if (!JSON.stringify(value).includes('-0') && !text.includes('$perdure')) expect(text).toBe(JSON.stringify(value));
      expect(Buffer.from(text, 'utf8').toString('utf8')).toBe(text);
    }),
  );
});

test.each<[string, unknown]>([
  ['a tag', { $perdure: 'actor', value: 1 }],
  ['a tag in a tag', { $perdure: 'record', value: [['$perdure', { $perdure: 'undefined' }]] }],
  ['a reference of XState', { xstate$$type: 1, id: 'kid' }],
  ['a text with a tag in it', '{"$perdure":"undefined","value":null}'],
])('property of looks: %s in user data comes back as data', (_, value) => {
  expectSame(through(value), value);
  expectSame(through({ deep: [value, new Map([[value, value]])] }), { deep: [value, new Map([[value, value]])] });
});

test('an own __proto__ is data and never a prototype', () => {
  const value = JSON.parse('{"__proto__":{"admin":true},"n":1}') as Record<string, unknown>;
  const plain = through(value) as Record<string, unknown>;
  const tagged = through({ ...value, ['__proto__']: undefined, when: new Date(0), inner: value }) as { inner: object };
  expect(Object.hasOwn(plain, '__proto__')).toBe(true);
  expect(plain['admin']).toBeUndefined();
  expect(Object.hasOwn(tagged.inner, '__proto__')).toBe(true);
  const error = through(withOwn(new Error('x'), [['__proto__', { admin: true }]])) as Error;
  expect(error).toBeInstanceOf(Error);
  expect((error as unknown as { admin?: boolean }).admin).toBeUndefined();
});

test('an error comes back with its name, code, cause and stack; ours with its code and facts', () => {
  const cause = new TypeError('inner', { cause: 'text' });
  const error = Object.assign(new Error('outer', { cause }), { name: 'OtherError', code: 'E_OTHER', at: new Date(1) });
  const back = through(error) as typeof error;
  expect(back).toBeInstanceOf(Error);
  expect(back).toMatchObject({
    name: 'OtherError',
    message: 'outer',
    code: 'E_OTHER',
    at: new Date(1),
    stack: error.stack,
  });
  expect(back.cause).toBeInstanceOf(TypeError);
  expect(back.cause).toMatchObject({ message: 'inner', cause: 'text' });
  const ours = new PerdureError('ROW_CORRUPT', 'broken', { facts: { id: 1 }, retryable: true, cause });
  const oursBack = through(ours) as PerdureError;
  expect(oursBack).toBeInstanceOf(PerdureError);
  expect(oursBack).toMatchObject({ code: 'ROW_CORRUPT', message: 'broken', facts: { id: 1 }, retryable: true });
  expect(oursBack.cause).toMatchObject({ message: 'inner' });
});

test('an error without a name or a stack is an error', () => {
  const error = Object.assign(new Error('x'), { name: undefined, stack: undefined });
  expect(through(error)).toMatchObject({ message: 'x', name: undefined });
});

class Money {
  readonly amount = 1;
}
class Numbers extends Array<number> {}
class Day extends Date {}

function cycle(): object {
  const inner: { back?: object } = {};
  const outer = { inner };
  inner.back = outer;
  return outer;
}

function deep(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = wrap(value);
  return value;
}

test.each<[string, unknown]>([
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['a property named by a symbol', { [Symbol('s')]: 1 }],
  ['a class instance', new Money()],
  ['a subclass of Array', Numbers.from([1, 2])],
  ['a subclass of Date', new Day(0)],
  ['an array with a named property', Object.assign([1], { index: 0 })],
  ['a property that is not enumerable', Object.defineProperty({ n: 1 }, 'hidden', { value: 1 })],
  ['an array with a hidden property', Object.defineProperty([1, 2], 'hidden', { value: 1 })],
  ['a Date with a property', Object.assign(new Date(0), { zone: 'UTC' })],
  ['a Map with a property', Object.assign(new Map(), { size2: 1 })],
  ['a Set with a property named by a symbol', Object.assign(new Set(), { [Symbol('s')]: 1 })],
  ['a RegExp', /x/],
  ['a WeakMap', new WeakMap()],
  ['a Promise', Promise.resolve()],
  ['a boxed number', Object(1)],
  ['a URL', new URL('http://x.y')],
  ['a DataView', new DataView(new ArrayBuffer(1))],
  ['an error whose message is no text', Object.assign(new Error('x'), { message: new Map([[1, 2]]) })],
  ['an error whose name is no text', Object.assign(new Error('x'), { name: () => 1 })],
  ['a cycle', cycle()],
  ['100,000 levels of objects', deep(100_000, (inner) => ({ inner }))],
  ['100,000 levels of arrays', deep(100_000, (inner) => [inner])],
  ['100,000 levels of maps', deep(100_000, (inner) => new Map([['k', inner]]))],
  ['100,000 levels of causes', deep(100_000, (cause) => new Error('x', { cause }))],
])('refuses %s, and says where it is', (_, value) => {
  for (const [holder, path] of [
    [{ a: [0, { b: value }] }, 'a.1.b'],
    [{ when: new Date(0), a: new Map([['b', value]]) }, 'a.b'],
  ] as const) {
    const attempt = () => encode(holder, noRefs, 'the actor "x"');
    expect(attempt).toThrow(expect.objectContaining({ code: 'CODEC_REFUSED' }));
    expect(attempt).toThrow('the actor "x"');
    expect(attempt).toThrow(path);
  }
});

test('refuses a reference to an actor that is of no row', () => {
  const actor = createActor(
    fromTransition(() => 0, 0),
    { id: 'stranger' },
  );
  expect(() => encode({ a: { b: actor } }, noRefs, 'the actor "x"')).toThrow(/"stranger".*"a\.b".*"x"/);
});

test.each(['"{$perdure}"', '{"$perdure":"constructor","value":"AA=="}', '{"$perdure":"toString","value":null}'])(
  'does not guess at a text that it did not write: %s',
  (text) => {
    if (text.startsWith('"')) expect(decode(text, noRefs)).toBe('{$perdure}');
    else expect(() => decode(text, noRefs)).toThrow(expect.objectContaining({ code: 'ROW_CORRUPT' }));
  },
);

/** What a list of lists, each twice in the next, has in the end: 2^60 texts. */
function shared(levels: number): unknown {
  let value: unknown = 'x';
  for (let level = 0; level < levels; level++) value = [value, value];
  return value;
}

test.each<[string, unknown]>([
  ['50 MB of text', { log: 'x'.repeat(50_000_000) }],
  ['50 MB of short texts', { log: Array.from({ length: 5_000_000 }, () => '12345678') }],
  ['50 MB of bytes', { log: new Uint8Array(50_000_000) }],
  ['50 MB in the message of an error', { log: new Error('x'.repeat(50_000_000)) }],
  ['50 MB of names', { log: new Map([[1, Object.fromEntries([['x'.repeat(50_000_000), 1]])]]) }],
  ['little that is shared 2^60 times', { log: shared(60) }],
  ['little that is shared 2^60 times, beside a date', { day: new Date(0), log: shared(60) }],
])('refuses %s, with the actor, the size and the limit', (_, context) => {
  const facts = { where: 'the actor "x"', bytes: expect.any(Number), maxBytes: 16 * 1024 * 1024 };
  const message = expect.stringMatching(
    /^Cannot persist the actor "x": its text has .*\d{8} bytes and the limit is 16777216\./,
  );
  expect(() => encode(context, noRefs, () => 'the actor "x"')).toThrow(
    expect.objectContaining({ code: 'CODEC_REFUSED', facts, message }),
  );
});

test('property: a value is refused if and only if its text has more bytes than allowed', () => {
  fc.assert(
    fc.property(anything, (value) => {
      const bytes = Buffer.byteLength(encode(value, noRefs, 'the test'));
      expect(Buffer.byteLength(encode(value, noRefs, 'the test', bytes))).toBe(bytes);
      expect(() => encode(value, noRefs, 'the test', bytes - 1)).toThrow(
        expect.objectContaining({ code: 'CODEC_REFUSED', facts: expect.objectContaining({ maxBytes: bytes - 1 }) }),
      );
    }),
    { numRuns: 1_000 },
  );
});

const nested = (levels: number) => `${'['.repeat(levels)}{"$perdure":"undefined","value":null}${']'.repeat(levels)}`;

test.each<[string, string]>([
  ['no JSON', 'perdure'],
  ['half of a text', '{"$perdure":"map","val'],
  ['a tag that is no text', '{"$perdure":7,"value":null}'],
  ['a map that is none', '{"$perdure":"map","value":7}'],
  ['a map of what is no pair', '{"$perdure":"map","value":[null]}'],
  ['a number of digits that is none', '{"$perdure":"bigint","value":"x"}'],
  ['an array whose length is none', '{"$perdure":"sparse","value":[-1]}'],
  ['an array with its prototype as a place', '{"$perdure":"sparse","value":[0,["__proto__",{"map":1}]]}'],
  ['bytes that are none', '{"$perdure":"Uint8Array","value":{"length":4000000000}}'],
  ['bytes that are not enough for their kind', '{"$perdure":"Float64Array","value":"AAAA"}'],
  ['an error without its properties', '{"$perdure":"error","value":{"name":"Error","message":"x"}}'],
  ['an error that is none', '{"$perdure":"error","value":null}'],
  ['a secret without a name', '{"$perdure":"secret","value":null}'],
  ['100,000 levels', nested(100_000)],
])('a forged text is ROW_CORRUPT and changes no prototype: %s', (_, text) => {
  expect(() => decode(text, noRefs)).toThrow(expect.objectContaining({ code: 'ROW_CORRUPT' }));
  expect(Object.getPrototypeOf([])).toBe(Array.prototype);
  expect(({} as { map?: unknown }).map).toBeUndefined();
});

test.each(['__proto__', 'constructor', 'prototype', 'toString'])(
  'a forged error may be named %s and is an Error',
  (name) => {
    const own = [[name, { admin: true }]];
    const error = decode(JSON.stringify({ $perdure: 'error', value: { name, message: 'x', stack: '', own } }), noRefs);
    expect(Object.getPrototypeOf(error)).toBe(Error.prototype);
    expect((error as { admin?: unknown }).admin).toBeUndefined();
  },
);
