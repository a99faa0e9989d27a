/** What was thrown in a thread, as data: the copy between threads would drop names and codes. */
import { types } from 'node:util';

/** As far as causes are looked at. */
const CAUSES = 8;
/** Errors that are described in all: each may gather others. */
const ERRORS = 32;
/** What is asked of an error to learn what it is, also where it is inherited. */
const SPEAKING = ['code', 'status', 'statusCode', 'retryable', 'retryAfterMs', 'facts'];
const KEPT_FIELDS = 32;
/** Of each text, characters; of any other value about as many bytes. A copy of more would only be thrown away by the owner. */
const LONGEST = 65_536;
/** Characters of a message whose stack is not read. */
const HUGE = 4_194_304;
/** Of what an error and its causes say of themselves beside their texts, bytes. */
const SAID = 262_144;
const LONGEST_KEY = 200;
/** What is no larger than this crosses even when that much has been said: the code of a cause says of what class it is. */
const SMALL = 1_000;

/** @typedef {{ left: number, room: number }} Budget Errors that may still be described, and bytes for their fields. */

/**
 * An error as data: its name, code, message, stack, causes, and what else it says of itself.
 * @param {unknown} error
 * @param {number} depth
 * @param {Budget} budget
 * @returns {object}
 */
export function described(error, depth = 0, budget = { left: ERRORS, room: SAID }) {
  budget.left -= 1;
  if (!isError(error)) return { value: copied(error) };
  const any = /** @type {any} */ (error);
  const isAmong = (/** @type {PropertyKey} */ key) => attempted(() => key in any) === true;
  const goesOn = () => depth < CAUSES && budget.left > 0;
  return {
    name: textOf(() => any.name, 'Error'),
    message: textOf(() => any.message, ''),
    stack: attempted(() => stackOf(any)),
    perdure: isAmong(Symbol.for('perdure.error')),
    isDomException: attempted(() => any instanceof DOMException) === true,
    own: saidBy(any, budget),
    ...(goesOn() && isAmong('cause')
      ? {
          cause: described(
            attempted(() => any.cause),
            depth + 1,
            budget,
          ),
        }
      : {}),
    ...(goesOn() && attempted(() => Array.isArray(any.errors)) === true
      ? { errors: gathered(any, depth, budget) }
      : {}),
  };
}

/**
 * Not all are native ones: a DOMException is an error by its prototype only.
 * @param {unknown} thrown
 */
function isError(thrown) {
  return attempted(() => types.isNativeError(thrown) || thrown instanceof Error) === true;
}

/**
 * @param {any} error
 * @param {number} depth
 * @param {Budget} budget
 */
function gathered(error, depth, budget) {
  const found = [];
  for (const one of attempted(() => Array.prototype.slice.call(error.errors, 0, CAUSES)) ?? [])
    if (budget.left > 0) found.push(described(one, depth + 1, budget));
  return found;
}

/**
 * What else an error says of itself.
 * @param {any} error
 * @param {Budget} budget
 */
function saidBy(error, budget) {
  /** @type {Record<string, unknown>} */
  const own = {};
  const keys = attempted(() => Object.keys(error)) ?? [];
  for (const key of [...SPEAKING, ...keys].slice(0, KEPT_FIELDS)) {
    if (key === 'cause' || key === 'errors' || key === 'stack' || key.length > LONGEST_KEY) continue;
    const value = attempted(() => (key === 'headers' || key === 'response' ? spoken(error[key]) : error[key]));
    const copy = value === undefined ? undefined : boundedCopy(value, budget.room);
    if (copy === undefined) continue;
    own[key] = copy;
    budget.room -= attempted(() => sizeOf(copy)) ?? LONGEST;
  }
  return own;
}

/**
 * @param {() => any} read
 * @param {string} otherwise
 */
function textOf(read, otherwise) {
  return attempted(() => String(read() ?? otherwise).slice(0, LONGEST)) ?? otherwise;
}

/**
 * It begins with the message and ends with the frames. Node writes it when it is read: that of a huge message is left alone, for
 * it could be what the memory of this thread has no room for.
 * @param {any} error
 * @returns {string | undefined}
 */
function stackOf(error) {
  if (error.message?.length > HUGE) return undefined;
  const { stack } = error;
  if (typeof stack !== 'string') return undefined;
  if (stack.length <= LONGEST) return stack;
  const half = LONGEST / 2 - 3;
  return `${stack.slice(0, half)}\n...\n${stack.slice(-half)}`;
}

/**
 * Headers, or a response that has some, as plain data.
 * @param {any} value
 * @returns {unknown}
 */
function spoken(value) {
  if (typeof value !== 'object' || value === null) return value;
  const { status, headers } = value;
  if (typeof value.entries === 'function') return Object.fromEntries(value.entries());
  if (headers !== undefined) return { status, headers: spoken(headers) };
  return value;
}

/**
 * What was thrown that is no error.
 * @param {unknown} thrown
 */
function copied(thrown) {
  return boundedCopy(thrown) ?? attempted(() => String(thrown).slice(0, LONGEST));
}

/**
 * A text is cut; anything else is copied, or left out where it is too large.
 * @param {unknown} value
 * @param {number} room
 */
function boundedCopy(value, room = LONGEST) {
  const most = Math.max(SMALL, Math.min(room, LONGEST));
  if (typeof value === 'string') return value.slice(0, most);
  return attempted(() => (sizeOf(value) > most ? undefined : structuredClone(value)));
}

/**
 * About how many bytes a copy would take; it is looked at no further than to {@link LONGEST}.
 * @param {unknown} value
 */
function sizeOf(value) {
  /** @type {Set<unknown>} */
  const seen = new Set();
  const open = [value];
  let size = 0;
  while (open.length > 0 && size <= LONGEST) {
    const one = open.pop();
    if (seen.has(one)) continue;
    seen.add(one);
    size += ownSize(one);
    if (size <= LONGEST) open.push(...partsOf(one));
  }
  return size;
}

/**
 * Without what it holds, but with a place for each of that.
 * @param {any} value
 * @returns {number}
 */
function ownSize(value) {
  if (typeof value === 'string') return value.length;
  if (typeof value === 'bigint') return value.toString(16).length;
  if (typeof value !== 'object' || value === null) return 0;
  if (ArrayBuffer.isView(value)) return value.buffer.byteLength;
  if (types.isAnyArrayBuffer(value)) return value.byteLength;
  if (types.isNativeError(value)) return String(value.message).length + String(value.stack).length;
  return (
    8 *
    (types.isMap(value) || types.isSet(value)
      ? value.size
      : Array.isArray(value)
        ? value.length
        : Object.keys(value).length)
  );
}

/**
 * @param {any} value
 * @returns {unknown[]}
 */
function partsOf(value) {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  if (types.isMap(value)) return [...value].flat();
  if (types.isSet(value)) return [...value];
  const keys = Object.keys(value);
  return [...keys, ...keys.map((key) => value[key])];
}

/**
 * @template T
 * @param {() => T} read
 * @returns {T | undefined}
 */
function attempted(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
