/** What the tests of threads run in them. */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, threadId } from 'node:worker_threads';

/** @typedef {import('../../../actors/action-context.ts').ActionContext & { heartbeat(): void }} Context */

/** @param {{ n: number }} input */
export const double = ({ n }) => n * 2;

export const where = () => ({ isMainThread, threadId });

/**
 * @param {unknown} input
 * @param {Context} context
 */
export const given = (input, { id, key, attempt, fix, results }) => ({ input, id, key, attempt, fix, results });

/** @param {{ ms: number }} input */
export async function rest({ ms }) {
  await sleep(ms);
  return 'rested';
}

/** @param {{ ms: number }} input */
export function burn({ ms }) {
  const until = performance.now() + ms;
  let n = 0;
  while (performance.now() < until) n += 1;
  return n > 0;
}

/**
 * Notes that it began, and is deaf.
 * @param {{ notes: string }} input
 * @param {Context} context
 */
export function loop({ notes }, { id, attempt }) {
  appendFileSync(notes, `${id} ${attempt}\n`);
  for (;;);
}

/**
 * Ends when it is asked to.
 * @param {{ notes: string }} input
 * @param {Context} context
 */
export async function polite({ notes }, { signal, progress }) {
  progress('there');
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  appendFileSync(notes, `asked: ${signal.reason.name}\n`);
  throw signal.reason;
}

export function exhaust() {
  const all = [];
  for (;;) all.push(Array.from({ length: 10_000 }, () => Math.random()));
}

/** Asks for 240 MB in one piece. */
export const large = () => Array(30_000_000).fill(0.5).length;

/** @param {{ code: number }} input */
export const exit = ({ code }) => process.exit(code);

export async function uncaught() {
  setTimeout(() => {
    throw Object.assign(new TypeError('nobody caught it'), { code: 'EODD' });
  }, 1);
  await sleep(60_000);
}

export function unhandled() {
  void Promise.reject(new RangeError('nobody handled it'));
  return 'looks good';
}

/**
 * @param {string} kind
 * @returns {never}
 */
export function fail(kind) {
  if (kind === 'code') throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED', retryable: undefined });
  if (kind === 'type') throw new TypeError('not a function', { cause: new Error('why') });
  if (kind === 'fetch')
    throw new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code: 'ECONNRESET' }) });
  if (kind === 'throttled')
    throw Object.assign(new Error('slow down'), { status: 429, headers: new Headers({ 'retry-after': '7' }) });
  if (kind === 'text') throw 'only a text';
  if (kind === 'dom') throw new DOMException('took too long', 'TimeoutError');
  if (kind === 'signal') throw AbortSignal.abort().reason;
  if (kind === 'many') throw new AggregateError([Object.assign(new Error('first'), { code: 'EACCES' })], 'all failed');
  class OddError extends Error {
    /** @override */
    name = 'OddError';
    retryable = false;
    detail = { deep: [1] };
  }
  throw new OddError('odd');
}

/**
 * Throws what is too large to be told.
 * @param {string} kind
 * @returns {never}
 */
export function failsLong(kind) {
  if (kind === 'huge') throw new Error('z'.repeat(50_000_000));
  const long = 'z'.repeat(2 ** 20);
  if (kind === 'text') throw long;
  if (kind === 'data') throw { list: Array.from({ length: 2 ** 17 }, () => long) };
  if (kind === 'message') throw Object.assign(new Error(long), { code: 'ECONNRESET', detail: long, list: [long] });
  if (kind === 'fields') {
    const cause = Object.assign(new Error('root'), { code: 'EACCES' });
    throw Object.assign(new Error('much', { cause }), { a: long, b: long, c: long, d: long, e: long });
  }
  let error = new Error('root');
  if (kind === 'causes') for (let i = 0; i < 1_000; i += 1) error = new Error(`cause ${i}`, { cause: error });
  if (kind === 'many')
    for (let i = 0; i < 7; i += 1)
      error = new AggregateError([error, error, error].map((one) => Object.assign(one, { long })));
  throw error;
}

/** Breaks what every list in its thread can do. */
export function vandal() {
  Array.prototype.push = () => {
    throw new Error('broken');
  };
  return [1];
}

/** @param {{ size: number }} input */
export const bytes = ({ size }) => new Float64Array(size).fill(0.5);

const kept = new Uint8Array(64);
export const again = () => kept;

/** One of each kind that may be returned. */
export const kinds = () => ({
  list: [new Map([['k', new Set([1n])]]), new Date(5), Object.assign(Object.create(null), { own: 1 })],
  bytes: [new Uint8Array([1]), new Float32Array([0.5]), new BigInt64Array([1n]), new ArrayBuffer(2), Buffer.from('b')],
});

/** @param {{ data: Uint8Array }} input */
export const sum = ({ data }) => data.reduce((all, one) => all + one, 0);

/**
 * @param {string} kind
 * @returns {unknown}
 */
export function refused(kind) {
  class Point {
    x = 1;
  }
  /** @type {Record<string, unknown>} */
  const circle = {};
  circle['self'] = { circle };
  class OfArray extends Array {}
  class OfMap extends Map {}
  class OfSet extends Set {}
  class OfDate extends Date {}
  class OfBytes extends Uint8Array {}
  const parented = {
    array: new OfArray(),
    map: new OfMap(),
    set: new OfSet(),
    date: new OfDate(),
    bytes: new OfBytes(2),
  };
  if (kind in parented) return { [kind]: Reflect.get(parented, kind) };
  return { class: { at: [new Point()] }, function: { f: () => 1 }, circle, error: { e: new Error('x') } }[kind];
}

/**
 * @param {{ values: number }} input
 * @param {Context} context
 */
export function tells({ values }, { progress }) {
  for (let i = 1; i <= values; i += 1) progress(i);
  return values;
}

/**
 * Lives, and says so.
 * @param {{ ms: number }} input
 * @param {Context} context
 */
export function alive({ ms }, { heartbeat }) {
  const until = performance.now() + ms;
  while (performance.now() < until) heartbeat();
  return 'alive';
}

/** @param {{ name: string }} input */
export const environment = ({ name }) => process.env[name] ?? null;

/**
 * Dies as often as it is told, then works.
 * @param {{ times: number }} input
 * @param {Context} context
 */
export function mortal({ times }, { attempt }) {
  if (attempt <= times) process.exit(3);
  return attempt;
}

export const notAFunction = 1;
