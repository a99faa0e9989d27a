/**
 * Values to text and back. Text is plain JSON wherever the value is JSON-safe, so that rows stay readable and
 * `json_extract` works; the rest is written with tags from a closed list. Nothing falls back to anything.
 *
 * C1  decode(encode(v)) equals v, or encode throws CODEC_REFUSED naming the path. Nothing is dropped in silence.
 * C2  User data that looks like a tag (or like XState's own marker) comes back as data.
 * C3  An actor reference is written as the row id of the actor; `resolve` turns it back when the row is read.
 * C4  Functions, symbols, class instances and cycles are refused; so is nesting beyond MAX_DEPTH.
 * C5  A value whose text would be larger than the limit is refused after work in the order of the limit, not of the value.
 * C6  A text that was not written by `encode` gives a value of the kinds above or ROW_CORRUPT: no prototype, no code.
 */
import { PerdureError, isPerdureError } from '../errors.ts';
import { isSecretRef, secret } from './secrets.ts';
import { isActorRef, type AnyRef } from './xstate-port.ts';

const TAG = '$perdure';
/** Whether a text holds tagged values. */
export const TAG_IN_TEXT = `"${TAG}"`;
const MAX_DEPTH = 500;
/** The largest text of one value, in bytes: 16 MiB. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024;

/** Where a codec gets the row id of a reference, and the reference of a row id. */
export interface Refs {
  /** The row id of an actor of this tree, or undefined when it is not one. */
  idOf(ref: AnyRef): number | undefined;
  /** The actor of a row id; for an actor that is gone, a tombstone that swallows what is sent to it. */
  refOf(id: number): AnyRef;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The text of `value`, of `maxBytes` at most. `where` names the actor and the part of it, for the error. */
export function encode(
  value: unknown,
  refs: Refs,
  where: string | (() => string),
  maxBytes: number = MAX_VALUE_BYTES,
): string {
  // Every value is counted with a comma or bracket behind it, and the last one has none.
  bytesLeft = maxBytes + 1;
  if (isPlain(value, 0)) return sized(JSON.stringify(value), where, maxBytes);
  if (bytesLeft < 0) throw tooLarge(nameOf(where), maxBytes - bytesLeft, 'at least ', maxBytes);
  const walk: Walk = { refs, where: nameOf(where), path: [], ancestors: [], maxBytes, bytes: -1 };
  return sized(JSON.stringify(tagged(value, walk)), where, maxBytes);
}

/** Throws CODEC_REFUSED unless the value could be written. Costs little where it is plain JSON. */
export function refuseUnstorable(value: unknown, refs: Refs, where: () => string): void {
  bytesLeft = MAX_VALUE_BYTES;
  if (!isPlain(value, 0)) encode(value, refs, where);
}

/** The value of a text written by {@link encode}. Throws ROW_CORRUPT for any other. */
export function decode(text: string, refs: Refs): unknown {
  try {
    const json = JSON.parse(text) as Json;
    return text.includes(TAG_IN_TEXT) ? untagged(json, refs) : json;
  } catch (error) {
    if (isPerdureError(error, 'ROW_CORRUPT')) throw error;
    throw corrupt('A stored value is not one that Perdure wrote', error);
  }
}

function nameOf(where: string | (() => string)): string {
  return typeof where === 'string' ? where : where();
}

function sized(text: string, where: string | (() => string), maxBytes: number): string {
  // No UTF-16 unit takes more than three bytes.
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  throw tooLarge(nameOf(where), bytes, '', maxBytes);
}

/** The refusal of a value whose text is too large. */
export function tooLarge(where: string, bytes: number, about: '' | 'at least ', maxBytes: number): PerdureError {
  return new PerdureError(
    'CODEC_REFUSED',
    `Cannot persist ${where}: its text has ${about}${bytes} bytes and the limit is ${maxBytes}. Keep large data in a file or in rows of ` +
      'its own, and its name here; or raise maxValueBytes.',
    { facts: { where, bytes, maxBytes } },
  );
}

/** A value takes a character, and one that ends it. */
const VALUE_BYTES = 2;
const QUOTES = 2;

/** What the plain value that is being looked at may still take; it is no parameter because every value on the way pays for that. */
let bytesLeft = 0;

/** Whether JSON.stringify keeps the value whole, and the text is not larger than allowed, as far as can be told without it. */
function isPlain(value: unknown, depth: number): boolean {
  if ((bytesLeft -= VALUE_BYTES) < 0) return false;
  switch (typeof value) {
    case 'string':
      bytesLeft -= value.length + QUOTES - 1;
      return true;
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      return value === null || (depth < MAX_DEPTH && isPlainObject(value, depth + 1));
    default:
      return false;
  }
}

function isPlainObject(value: object, depth: number): boolean {
  if (Array.isArray(value)) {
    if (!isPlainArray(value)) return false;
    for (let index = 0; index < value.length; index++) if (!isPlain(value[index], depth)) return false;
    return true;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  let keys = 0;
  for (const key in value) {
    bytesLeft -= key.length + QUOTES + 1;
    if (key === TAG || !isPlain((value as Record<string, unknown>)[key], depth)) return false;
    keys += 1;
  }
  return Reflect.ownKeys(value).length === keys;
}

/** An array of no subclass, with nothing but its items and its length. */
function isPlainArray(value: unknown[]): boolean {
  return Object.getPrototypeOf(value) === Array.prototype && Reflect.ownKeys(value).length === value.length + 1;
}

interface Walk {
  readonly refs: Refs;
  readonly where: string;
  readonly path: (string | number)[];
  readonly ancestors: object[];
  readonly maxBytes: number;
  /** What the text has at least, so far. */
  bytes: number;
}

function count(walk: Walk, bytes: number): void {
  walk.bytes += bytes;
  if (walk.bytes > walk.maxBytes) throw tooLarge(walk.where, walk.bytes, 'at least ', walk.maxBytes);
}

function refuse(walk: Walk, what: string, remedy: string): PerdureError {
  const path = walk.path.length === 0 ? 'the value itself' : `"${walk.path.join('.')}"`;
  return new PerdureError('CODEC_REFUSED', `Cannot persist ${what} at ${path} of ${walk.where}: ${remedy}`, {
    facts: { where: walk.where, path: [...walk.path] },
  });
}

function tag(name: string, value: Json): Json {
  return { [TAG]: name, value };
}

function tagged(value: unknown, walk: Walk): Json {
  count(walk, VALUE_BYTES);
  switch (typeof value) {
    case 'string':
      count(walk, value.length + QUOTES - 1);
      return value;
    case 'boolean':
      return value;
    case 'number':
      if (Object.is(value, -0)) return tag('number', '-0');
      return Number.isFinite(value) ? value : tag('number', String(value));
    case 'undefined':
      return tag('undefined', null);
    case 'bigint':
      return tag('bigint', value.toString());
    case 'function':
      throw refuse(walk, 'a function', 'keep its name instead, and look it up in the machine’s implementations.');
    case 'symbol':
      throw refuse(walk, 'a symbol', 'use a string.');
    default:
      return value === null ? null : taggedObject(value as object, walk);
  }
}

function taggedObject(value: object, walk: Walk): Json {
  if (isActorRef(value)) return taggedRef(value, walk);
  if (isSecretRef(value)) return tag('secret', value.name);
  if (walk.ancestors.includes(value)) throw refuse(walk, 'a cycle', 'refer to the other value by an id.');
  if (walk.ancestors.length >= MAX_DEPTH) throw refuse(walk, `more than ${MAX_DEPTH} levels`, 'flatten the value.');
  walk.ancestors.push(value);
  const json = taggedByKind(value, walk);
  walk.ancestors.pop();
  return json;
}

function taggedRef(ref: AnyRef, walk: Walk): Json {
  const id = walk.refs.idOf(ref);
  if (id === undefined) {
    throw refuse(walk, `a reference to the actor "${ref.id}" of another tree`, 'keep its systemId or an address.');
  }
  return tag('actor', id);
}

function taggedByKind(value: object, walk: Walk): Json {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return taggedArray(value as unknown[], walk);
  if (prototype === Object.prototype || prototype === null) return taggedRecord(value, prototype, walk);
  if (value instanceof Error) return taggedError(value, walk);
  const isBox = prototype === Date.prototype || prototype === Map.prototype || prototype === Set.prototype;
  if (isBox) refuseOwn(value, walk);
  if (prototype === Date.prototype) return taggedDate(value as Date);
  if (prototype === Map.prototype) return tag('map', taggedEntries([...(value as Map<unknown, unknown>)], walk));
  if (prototype === Set.prototype) {
    return tag(
      'set',
      [...(value as Set<unknown>)].map((item, index) => at(walk, index, item)),
    );
  }
  const bytes = taggedBytes(value, walk);
  if (bytes !== undefined) return bytes;
  const name = (prototype as { constructor?: { name?: string } }).constructor?.name ?? 'an unnamed class';
  throw refuse(walk, `an instance of ${name}`, 'keep its data as a plain object.');
}

function at(walk: Walk, step: string | number, value: unknown): Json {
  walk.path.push(step);
  const json = tagged(value, walk);
  walk.path.pop();
  return json;
}

function taggedDate(date: Date): Json {
  return tag('date', Number.isNaN(date.getTime()) ? null : date.getTime());
}

/** Where items are missing, those that are there are written with their places. */
function taggedArray(value: unknown[], walk: Walk): Json {
  const keys = Object.keys(value);
  const named = keys.find((key) => String(Number(key) >>> 0) !== key);
  if (named !== undefined) throw refuse(walk, `an array with the property "${named}"`, 'keep it in an object.');
  // An array owns its length.
  refuseHidden(value, walk, keys.length + 1);
  if (keys.length === value.length) return value.map((item, index) => at(walk, index, item));
  return tag('sparse', [value.length, ...keys.map((key): Json => [Number(key), at(walk, key, value[Number(key)])])]);
}

function taggedRecord(value: object, prototype: unknown, walk: Walk): Json {
  refuseHidden(value, walk, Object.keys(value).length);
  const entries = Object.keys(value).map((key): [string, Json] => {
    count(walk, key.length + QUOTES + 1);
    return [key, at(walk, key, (value as Record<string, unknown>)[key])];
  });
  if (prototype === null) return tag('dictionary', entries);
  return Object.hasOwn(value, TAG) ? tag('record', entries) : Object.fromEntries(entries);
}

/** What JSON would leave out in silence: properties named by symbols, and those that are not enumerable. */
function refuseHidden(value: object, walk: Walk, seen: number): void {
  const keys = Reflect.ownKeys(value);
  if (keys.length === seen) return;
  const symbol = keys.find((key) => typeof key === 'symbol');
  if (symbol !== undefined) throw refuse(walk, `a property named by a symbol, ${String(symbol)},`, 'use a string.');
  const hidden = keys.find((key) => !Object.prototype.propertyIsEnumerable.call(value, key) && key !== 'length');
  throw refuse(walk, `the property "${String(hidden)}", which is not enumerable,`, 'assign it like any other.');
}

/** Dates, maps and sets are written as what they hold; what was assigned to them beside it would be lost. */
function refuseOwn(value: object, walk: Walk): void {
  const [key] = Reflect.ownKeys(value);
  if (key === undefined) return;
  const name = value.constructor.name;
  throw refuse(walk, `a ${name} with the property "${String(key)}"`, `keep it beside the ${name}, in an object.`);
}

function taggedEntries(entries: [unknown, unknown][], walk: Walk): Json {
  return entries.map(([key, item], index) => [
    at(walk, `key ${index}`, key),
    at(walk, typeof key === 'string' || typeof key === 'number' ? key : `value ${index}`, item),
  ]);
}

/** The one place where an error becomes JSON: threads and disks drop `name`, `code` or `message`. */
function taggedError(error: Error, walk: Walk): Json {
  const keys = [...Object.keys(error), ...(error instanceof AggregateError ? ['errors'] : [])];
  const own = keys.filter((key) => !['name', 'message', 'stack', 'cause'].includes(key));
  for (const part of ['name', 'message', 'stack'] as const) {
    const text: unknown = error[part];
    if (typeof text === 'string') count(walk, text.length);
    else if (text !== undefined) throw refuse(walk, `an error whose ${part} is no text`, 'give it a text.');
  }
  return tag('error', {
    name: error.name,
    message: error.message,
    stack: error.stack ?? '',
    own: own.map((key) => [key, at(walk, key, (error as unknown as Record<string, unknown>)[key])]),
    ...('cause' in error ? { cause: at(walk, 'cause', error.cause) } : {}),
  });
}

const BYTES = { Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array } as const;
const ARRAYS = { ...BYTES, Float32Array, Float64Array, BigInt64Array, BigUint64Array, ArrayBuffer, Buffer } as const;

function taggedBytes(value: object, walk: Walk): Json | undefined {
  for (const [name, type] of Object.entries(ARRAYS)) {
    if (Object.getPrototypeOf(value) !== type.prototype) continue;
    const view = value as Uint8Array;
    count(walk, Math.floor((view.byteLength * 4) / 3));
    const bytes =
      value instanceof ArrayBuffer ? Buffer.from(value) : Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    return tag(name, bytes.toString('base64'));
  }
  return undefined;
}

function untagged(json: Json, refs: Refs): unknown {
  if (json === null || typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map((item) => untagged(item, refs));
  if (!(TAG in json)) return record(Object.entries(json), refs);
  return untaggedByName(json[TAG] as string, json['value'] ?? null, refs);
}

function record(entries: [string, Json][], refs: Refs): Record<string, unknown> {
  return Object.fromEntries(entries.map(([key, item]) => [key, untagged(item, refs)]));
}

function untaggedByName(name: string, value: Json, refs: Refs): unknown {
  switch (name) {
    case 'undefined':
      return undefined;
    case 'number':
      return Number(value);
    case 'bigint':
      return BigInt(value as string);
    case 'date':
      return new Date(value === null ? Number.NaN : (value as number));
    case 'secret':
      return secret(value as string);
    case 'actor':
      return refs.refOf(value as number);
    case 'map':
      return new Map((value as [Json, Json][]).map(([key, item]) => [untagged(key, refs), untagged(item, refs)]));
    case 'set':
      return new Set((value as Json[]).map((item) => untagged(item, refs)));
    case 'sparse':
      return sparseArray(value as Json[], refs);
    case 'dictionary':
      return Object.setPrototypeOf(record(value as [string, Json][], refs), null);
    case 'record':
      return record(value as [string, Json][], refs);
    case 'error':
      return untaggedError(value as { [key: string]: Json }, refs);
    default:
      return untaggedBytes(name, value);
  }
}

function sparseArray([length, ...items]: Json[], refs: Refs): unknown[] {
  const array: unknown[] = [];
  array.length = length as number;
  for (const [index, item] of items as [number, Json][]) {
    // A number, so that no item of a forged text is put where the prototype is.
    if (typeof index !== 'number') throw corrupt('A stored array has a place that is no number');
    array[index] = untagged(item, refs);
  }
  return array;
}

const ERRORS = { Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError };

function untaggedError(json: { [key: string]: Json }, refs: Refs): Error {
  const own = record(json['own'] as [string, Json][], refs);
  const error = restoredError(json['name'] as string, json['message'] as string, own);
  Object.defineProperty(error, 'stack', { value: json['stack'], configurable: true, writable: true });
  if ('cause' in json) {
    Object.defineProperty(error, 'cause', {
      value: untagged(json['cause'] ?? null, refs),
      configurable: true,
      writable: true,
    });
  }
  return error;
}

function restoredError(name: string, message: string, own: Record<string, unknown>): Error {
  if (name === 'PerdureError') {
    const { code, ...rest } = own as unknown as PerdureError;
    return new PerdureError(code, message, { facts: rest.facts, retryable: rest.retryable });
  }
  const { errors, ...rest } = own;
  const isAggregate = name === 'AggregateError';
  const error = isAggregate
    ? new AggregateError(errors as unknown[], message)
    : new ((Object.hasOwn(ERRORS, name) ? ERRORS[name as keyof typeof ERRORS] : undefined) ?? Error)(message);
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  // Not by assignment, which would take an own `__proto__` for the prototype.
  for (const [key, value] of Object.entries(isAggregate ? rest : own)) {
    Object.defineProperty(error, key, { value, configurable: true, enumerable: true, writable: true });
  }
  return error;
}

function corrupt(what: string, cause?: unknown): PerdureError {
  return new PerdureError('ROW_CORRUPT', `${what}: it was damaged, or written by a newer version.`, { cause });
}

function untaggedBytes(name: string, value: Json): unknown {
  const type = Object.hasOwn(ARRAYS, name) ? ARRAYS[name as keyof typeof ARRAYS] : undefined;
  if (type === undefined) throw corrupt(`A stored value has the unknown tag "${name}"`);
  if (typeof value !== 'string') throw corrupt(`A stored ${name} is no text`);
  const bytes = Buffer.from(value, 'base64');
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  if (type === ArrayBuffer) return buffer;
  return type === Buffer ? Buffer.from(buffer) : new (type as typeof Uint8Array)(buffer);
}
