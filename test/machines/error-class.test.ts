import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordOf } from '../../actors/error-record.ts';
import { retryAfterOf } from '../../actors/retry-after.ts';
import { ERROR_CLASSES, classify, isRetryable, type ErrorClass } from '../../machines/error-class.ts';
import { fingerprintOf, framesOf, templateOf } from '../../machines/fingerprint.ts';

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

const coded = (code: string, message = 'x') => Object.assign(new Error(message), { code });
const answered = (status: number) => Object.assign(new Error('x'), { status });

describe('an error is classified by its type, code and status', () => {
  test.each<readonly [string, unknown, ErrorClass]>([
    ['a reset connection', coded('ECONNRESET'), 'transient'],
    ['a locked database', coded('SQLITE_BUSY_SNAPSHOT'), 'transient'],
    ['a connection that timed out', coded('ETIMEDOUT'), 'timeout'],
    ['a full disk', coded('ENOSPC'), 'resource'],
    ['a missing file', thrownBy(() => readFileSync('/does/not/exist')), 'permanent'],
    ['a broken constraint', coded('SQLITE_CONSTRAINT_UNIQUE'), 'permanent'],
    ['a call of nothing', thrownBy(() => (undefined as unknown as () => void)()), 'programmer'],
    ['a failed assertion', thrownBy(() => assert.equal(1, 2)), 'programmer'],
    ['a missing module', coded('ERR_MODULE_NOT_FOUND'), 'programmer'],
    ['an abort', AbortSignal.abort().reason, 'cancelled'],
    ['a status of 429', answered(429), 'throttled'],
    ['a status of 503', answered(503), 'transient'],
    ['a status of 504', answered(504), 'timeout'],
    ['a status of 404', answered(404), 'permanent'],
    ['a status in a response', Object.assign(new Error('x'), { response: { status: 429 } }), 'throttled'],
    ['something unknown', new Error('x'), 'transient'],
    ['a text', 'oops', 'transient'],
    ['nothing', undefined, 'transient'],
  ])('%s', (_, error, expected) => expect(classify(error)).toBe(expected));

  test('a cause with a code decides before the type of what wraps it, as fetch needs it', () => {
    expect(classify(new TypeError('fetch failed', { cause: coded('ECONNREFUSED') }))).toBe('transient');
    expect(classify(new AggregateError([coded('ENOENT')], 'all failed'))).toBe('permanent');
  });

  test('words of a message decide nothing', () => {
    const word = fc.constantFrom('user profile missing', 'timeout', 'memory', 'path', 'unicode', 'database is locked');
    fc.assert(fc.property(word, (message) => classify(new Error(message)) === 'transient'));
  });

  test('a host says more of its own errors, and only classes count', () => {
    expect(classify(new Error('x'), () => 'permanent')).toBe('permanent');
    expect(classify(new Error('x'), () => 'fatal' as never)).toBe('transient');
    expect(classify(coded('ENOENT'), () => undefined)).toBe('permanent');
  });

  test('the error itself says first whether another attempt can help', () => {
    for (const kind of ERROR_CLASSES) {
      expect(isRetryable(kind, false)).toBe(false);
      expect(isRetryable(kind, true)).toBe(true);
    }
    expect(ERROR_CLASSES.filter((kind) => isRetryable(kind))).toEqual([
      'transient',
      'throttled',
      'timeout',
      'resource',
    ]);
  });

  test('a cause that is its own cause comes to an end', () => {
    const error = new Error('x');
    error.cause = error;
    expect(classify(error)).toBe('transient');
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  test.each<readonly [string, unknown, number | undefined]>([
    ['as seconds', { headers: { 'retry-after': '120' } }, 120_000],
    ['as a date', { response: { headers: new Headers({ 'Retry-After': 'Thu, 01 Jan 2026 00:00:30 GMT' }) } }, 30_000],
    ['as a date that is over', { headers: { 'Retry-After': 'Wed, 31 Dec 2025 00:00:00 GMT' } }, 0],
    ['as ms of the error', { retryAfterMs: 5 }, 5],
    ['as something else', { headers: { 'retry-after': 'soon' } }, undefined],
    ['not at all', {}, undefined],
  ])('%s', (_, facts, expected) => {
    expect(retryAfterOf(Object.assign(new Error('x'), facts), now)).toBe(expected);
  });
});

describe('a fingerprint', () => {
  const name = 'Error';
  const print = (message: string, over = {}) => fingerprintOf({ name, code: null, message, ...over });

  test('is the same for the same fault with other ids, paths, numbers, dates and quoted texts', () => {
    const uuid = fc.uuid();
    const path = fc
      .array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 4 })
      .map((parts) => `/${parts.join('/')}`);
    const facts = fc.record({
      uuid,
      path,
      n: fc.integer(),
      at: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }),
      word: fc.stringMatching(/^[a-z]{1,9}$/),
    });
    const message = ({ uuid, path, n, at, word }: { uuid: string; path: string; n: number; at: Date; word: string }) =>
      `order ${uuid} of "${word}" in ${path} failed after ${n} ms at ${at.toISOString()}`;
    fc.assert(fc.property(facts, facts, (a, b) => print(message(a)) === print(message(b))));
  });

  test('differs for another type, another code, another message and another frame', () => {
    const stack = 'Error: x\n    at load (/app/a.ts:1:2)';
    const prints = [
      print('x'),
      print('y'),
      print('x', { name: 'RangeError' }),
      print('x', { code: 'E' }),
      print('x', { stack }),
      print('x', { stack: stack.replace('load', 'save') }),
    ];
    expect(new Set(prints).size).toBe(prints.length);
    expect(print('x')).toMatch(/^[0-9a-f]{16}$/);
  });

  test('does not change with the line of a frame, and leaves out what is not our own code', () => {
    const stack = (line: number) =>
      `Error: x\n    at node:internal/a:1:2\n    at b (/x/node_modules/b/c.js:1:1)\n    at async load (file:///app/a.ts?v=1:${line}:7)\n    at /app/main.ts:${line}:1`;
    expect(framesOf(stack(1))).toEqual(['load@a.ts', '@main.ts']);
    expect(print('x', { stack: stack(1) })).toBe(print('x', { stack: stack(99) }));
  });

  test('masks, and keeps the words', () => {
    expect(templateOf('cannot read C:\\a\\b.txt: 12 of 0x1f, deadbeef01')).toBe(
      'cannot read <path>: <n> of <hex>, <hex>',
    );
  });
});

test('a record is made of whatever is thrown, and never throws', () => {
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('no');
      },
      getPrototypeOf: () => {
        throw new Error('no');
      },
    },
  );
  for (const thrown of [hostile, null, undefined, Symbol('s'), 7, Object.freeze(new Error('x')), Object.create(null)]) {
    expect(recordOf(thrown, 0)).toMatchObject({
      class: 'transient',
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    });
  }
});
