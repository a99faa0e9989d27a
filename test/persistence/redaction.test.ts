import { inspect } from 'node:util';
import { createActor, fromTransition } from 'xstate';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PerdureError, isPerdureError } from '../../errors.ts';
import { commonSecrets, redaction } from '../../persistence/redaction.ts';
import { secret } from '../../persistence/secrets.ts';

const GONE = '[redacted]';
const CANARY = 'canary-4eC39HqLyjWDarjtT1zdp7dc';

test('without rules the usual names are taken out, and nothing else; with rules only what they say', () => {
  const value = {
    user: 'ada',
    password: 'x',
    nested: [{ API_KEY: 'x', 'x-api-key': 'x', tokens: 3, keyboard: 'qwerty' }],
  };
  expect(redaction()(value)).toEqual({
    user: 'ada',
    password: GONE,
    nested: [{ API_KEY: GONE, 'x-api-key': GONE, tokens: 3, keyboard: 'qwerty' }],
  });
  expect(redaction({})(value)).toEqual(value);
  expect(redaction({ names: ['user'] })(value)).toEqual({ ...value, user: GONE });
});

test('a path is taken out from the top, and a star is one step of any kind', () => {
  const shown = redaction({ paths: ['card.number', 'items.*.token', 'map.key', 'deep.*.*.x'] });
  expect(
    shown({
      card: { number: 1, brand: 'visa' },
      other: { card: { number: 2 } },
      items: [{ token: 'a', id: 1 }, { token: 'b' }, 'c'],
      map: new Map([['key', 'd']]),
      deep: { a: new Set([{ x: 1 }]), x: 2 },
    }),
  ).toEqual({
    card: { number: GONE, brand: 'visa' },
    other: { card: { number: 2 } },
    items: [{ token: GONE, id: 1 }, { token: GONE }, 'c'],
    map: new Map([['key', GONE]]),
    deep: { a: new Set([{ x: GONE }]), x: 2 },
  });
});

test('all matches of a pattern are taken out of texts, names and keys, and two keys stay two', () => {
  const pattern = /sk_\w+/y;
  const shown = redaction({ patterns: [pattern, /\d{4}$/] });
  const value = { a: 'sk_1 and sk_2 and 1234', sk_3: 1, sk_4: 2, map: new Map([['sk_5', new Set(['sk_6'])]]) };
  for (let time = 0; time < 2; time++) {
    expect(shown(value)).toEqual({
      a: `${GONE} and ${GONE} and ${GONE}`,
      [GONE]: 1,
      [`${GONE} 2`]: 2,
      map: new Map([[GONE, new Set([GONE])]]),
    });
  }
});

test('a function is asked about every value that is left, with its path, and what it gives is looked at again', () => {
  const asked: string[] = [];
  const shown = redaction({
    names: ['password'],
    patterns: [/secret/],
    replace(path, value) {
      asked.push(path.join('.'));
      return value instanceof Date ? `secret day ${value.getTime()}` : value;
    },
  });
  expect(shown({ a: [new Date(7)], password: 'x', m: new Map([[1, null]]) })).toEqual({
    a: [`${GONE} day 7`],
    password: GONE,
    m: new Map([[1, null]]),
  });
  expect(asked).toEqual(['', 'a', 'a.0', 'm', 'm.1']);
});

test('what a function that throws was asked about is not shown', () => {
  const shown = redaction({
    replace(path, value) {
      if (path.at(-1) === 'b') throw new Error(String(value));
      return value;
    },
  });
  expect(shown({ a: 1, b: CANARY })).toEqual({ a: 1, b: GONE });
});

test('an error is shown without its secrets: message, stack, cause, own properties and the errors of many', () => {
  const cause = new TypeError(`inner ${CANARY}`);
  const error = Object.assign(new AggregateError([new Error(CANARY)], `outer ${CANARY}`, { cause }), {
    token: CANARY,
    n: 1,
  });
  const shown = redaction({ names: ['token'], patterns: [/canary-\w+/] })(error) as typeof error;
  expect(shown).toBeInstanceOf(AggregateError);
  expect(shown).toMatchObject({ message: `outer ${GONE}`, token: GONE, n: 1, name: 'AggregateError' });
  expect(shown.cause).toBeInstanceOf(TypeError);
  expect((shown.errors[0] as Error).message).toBe(GONE);
  expect(inspect(shown, { depth: 9, showHidden: true })).not.toContain(CANARY);
  expect(shown.stack).toContain('redaction.test.ts');
});

test('an error whose prototype reads out of the error itself is shown without its secrets, and stays one', () => {
  const shown = redaction({ patterns: [/canary-\w+/] })(new DOMException(`late ${CANARY}`, 'TimeoutError')) as Error;
  expect(shown).toBeInstanceOf(DOMException);
  expect([shown.name, shown.message]).toEqual(['TimeoutError', `late ${GONE}`]);
  expect(shown.stack).not.toContain(CANARY);
});

test('a part that throws when it is read is not shown, and the rest is', () => {
  const hostile = Object.defineProperty({}, 'x', { get: () => fail(), enumerable: true });
  const shown = redaction({ paths: ['c'] });
  expect(shown({ a: [hostile], b: 1, c: 2 })).toEqual({ a: ['[cannot be shown]'], b: 1, c: GONE });
});

function fail(): never {
  throw new Error('unreadable');
}

test('a message that is taken out by its path is not left in the stack', () => {
  const shown = redaction({ paths: ['error.message'] })({ error: new Error(CANARY) }) as { error: Error };
  expect(inspect(shown)).not.toContain(CANARY);
});

test('an error of ours stays one', () => {
  const ours = new PerdureError('ROW_CORRUPT', `row ${CANARY}`, { facts: { token: CANARY } });
  const shown = redaction({ names: ['token'], patterns: [/canary-\w+/] })(ours) as PerdureError;
  expect(isPerdureError(shown, 'ROW_CORRUPT')).toBe(true);
  expect(shown).toMatchObject({ message: `row ${GONE}`, facts: { token: GONE } });
});

class Money {
  readonly amount = CANARY;
}

test('what cannot be looked into is shown by its name, references and bytes as they are', () => {
  const actor = createActor(fromTransition(() => 0, 0));
  const bytes = new Uint8Array(3);
  const value = {
    money: new Money(),
    run: () => CANARY,
    symbol: Symbol(CANARY),
    actor,
    bytes,
    key: secret('k'),
    big: 1n,
  };
  expect(redaction()(value)).toEqual({
    money: '[Money]',
    run: '[function run]',
    symbol: '[symbol]',
    actor,
    bytes,
    key: secret('k'),
    big: 1n,
  });
});

test('an own __proto__ is a property like others, and a record without a prototype stays one', () => {
  const value = JSON.parse(`{"__proto__":{"password":"${CANARY}"},"n":1}`) as object;
  const shown = redaction()(value) as Record<string, unknown>;
  expect(Object.hasOwn(shown, '__proto__')).toBe(true);
  expect(Object.getPrototypeOf(shown)).toBe(Object.prototype);
  expect(JSON.stringify(shown)).toBe(`{"__proto__":{"password":"${GONE}"},"n":1}`);
  expect(redaction()(Object.setPrototypeOf({ a: 1 }, null))).toStrictEqual(Object.setPrototypeOf({ a: 1 }, null));
});

test('a cycle, 100,000 levels, an array of four thousand million places and what is shared 2^60 times end', () => {
  const cycle: { self?: object; password: string } = { password: CANARY };
  cycle.self = cycle;
  expect(redaction()(cycle)).toEqual({ password: GONE, self: '[cycle]' });
  let deep: unknown = CANARY;
  for (let level = 0; level < 100_000; level++) deep = level % 2 === 0 ? [deep] : new Map([['k', deep]]);
  expect(inspect(redaction()(deep), { depth: Infinity })).toContain('[too deep]');
  const sparse: unknown[] = [];
  sparse[4_294_967_294] = { password: CANARY };
  const shown = redaction()(sparse) as unknown[];
  expect([shown.length, Object.keys(shown), shown.at(-1)]).toEqual([sparse.length, ['4294967294'], { password: GONE }]);
  let shared: unknown = CANARY;
  for (let level = 0; level < 60; level++) shared = [shared, shared];
  const patterns = [new RegExp(CANARY)];
  expect(redaction({ patterns })(shared)).toBeInstanceOf(Array);
});

test('every text goes through the scrubber of revealed values, names and errors included', () => {
  const shown = redaction({}, (text) => text.replaceAll(CANARY, GONE));
  const value = { [CANARY]: [CANARY], map: new Map([[CANARY, new Error(CANARY, { cause: CANARY })]]) };
  expect(inspect(shown(value), { depth: 9, showHidden: true })).not.toContain(CANARY);
});

const { value: anything } = fc.letrec<{ value: unknown }>((tie) => {
  const value = tie('value');
  const leaves = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constantFrom(undefined, null, CANARY),
    fc.date(),
    fc.uint8Array(),
  );
  const keys = fc.oneof(fc.string(), fc.constantFrom(...commonSecrets, '__proto__', CANARY));
  const entries = fc.array(fc.tuple(keys, value), { maxLength: 4 });
  return {
    value: fc.oneof(
      { maxDepth: 5 },
      leaves,
      entries.map((all) => Object.fromEntries(all)),
      entries.map((all) => new Map(all)),
      fc.array(value, { maxLength: 4 }),
      fc.sparseArray(value, { maxLength: 4 }),
      fc.array(value, { maxLength: 4 }).map((all) => new Set(all)),
      fc.tuple(fc.string(), entries, value).map(([message, all, cause]) => errorOf(message, all, cause)),
    ),
  };
});

function errorOf(message: string, entries: [string, unknown][], cause: unknown): Error {
  const error = new Error(message + CANARY, { cause });
  for (const [key, value] of entries) {
    if (!['name', 'message', 'stack', 'cause'].includes(key))
      Object.defineProperty(error, key, { value, enumerable: true, configurable: true });
  }
  return error;
}

function look(value: unknown): string {
  return inspect(value, { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null });
}

test('property: the argument is not changed, nothing that matches is left, and without rules the value is shown as it is', () => {
  fc.assert(
    fc.property(anything, (value) => {
      const before = look(value);
      expect(look(redaction({ patterns: [/canary-\w+/] })(value))).not.toContain(CANARY);
      expect(look(redaction({})(value))).toBe(before);
      redaction()(value);
      expect(look(value)).toBe(before);
    }),
    { numRuns: 500 },
  );
});
