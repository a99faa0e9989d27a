/** What may leave a thread: the values that the codec of the store takes, and of those which bytes may be moved. */
import { types } from 'node:util';

const BYTES = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array];
const NUMBERS = [Float32Array, Float64Array, BigInt64Array, BigUint64Array];
/** Exactly these are kept as they are, beside plain objects; a Buffer arrives as the Uint8Array that it is. */
const KINDS = [Array, Map, Set, Date, ArrayBuffer, DataView, Buffer, ...BYTES, ...NUMBERS];
const PROTOTYPES = new Set(KINDS.map(({ prototype }) => /** @type {unknown} */ (prototype)));
/** Deeper than this no value goes. */
const DEEPEST = 1_000;

/**
 * Throws unless the codec takes it. Collects the bytes that may be moved: those that nothing else looks at.
 * @param {unknown} value
 * @param {string} path
 * @param {number} depth
 * @param {Set<ArrayBuffer>} buffers
 * @param {object[]} above
 */
export function checkPlain(value, path, depth, buffers, above) {
  if (typeof value === 'function' || typeof value === 'symbol') throw refused(`${at(path)} is a ${typeof value}`);
  if (typeof value !== 'object' || value === null) return;
  if (depth > DEEPEST) throw refused(`it is nested deeper than ${DEEPEST} levels`);
  if (types.isProxy(value)) throw refused(`${at(path)} is a proxy`);
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === null || prototype === Object.prototype;
  if (!isPlain && !PROTOTYPES.has(prototype)) throw instance(value, prototype, path);
  if (types.isArrayBuffer(value)) return movable(value, buffers, path);
  if (ArrayBuffer.isView(value)) {
    if (value instanceof DataView || types.isSharedArrayBuffer(value.buffer))
      throw refused(`${at(path)} is a ${value instanceof DataView ? 'DataView' : 'view of shared memory'}`);
    if (value.byteLength === value.buffer.byteLength) movable(value.buffer, buffers, path);
    return;
  }
  if (types.isDate(value)) return;
  if (above.includes(value)) throw refused(`${at(path)} contains itself`);
  // Not by `push`: a call may have broken it for all that come after.
  above[above.length] = value;
  for (const [key, item] of entriesOf(value)) checkPlain(item, `${path}/${String(key)}`, depth + 1, buffers, above);
  above.length -= 1;
}

/**
 * @param {object} value
 * @returns {Iterable<readonly [unknown, unknown]>}
 */
function entriesOf(value) {
  if (Array.isArray(value)) return value.entries();
  if (types.isSet(value)) return [...value].entries();
  if (types.isMap(value))
    return [...value].flatMap(([key, item], i) => [
      [`key ${i}`, key],
      [`value ${i}`, item],
    ]);
  return Object.entries(value);
}

/**
 * A subclass of what is kept is refused too: the copy would make its parent of it.
 * @param {object} value
 * @param {any} prototype
 * @param {string} path
 */
function instance(value, prototype, path) {
  if (types.isNativeError(value)) return refused(`${at(path)} is an error: throw it, or return what it says`);
  return refused(`${at(path)} is an instance of ${prototype.constructor?.name ?? 'a class'}`);
}

/**
 * @param {ArrayBuffer | SharedArrayBuffer} buffer
 * @param {Set<ArrayBuffer>} buffers
 * @param {string} path
 */
function movable(buffer, buffers, path) {
  try {
    // Throws for one that was moved away before.
    void new Uint8Array(buffer);
  } catch {
    throw refused(`${at(path)} was returned before, and so moved to the owner: return a copy`);
  }
  if (buffer.byteLength > 0) buffers.add(/** @type {ArrayBuffer} */ (buffer));
}

/** @param {string} path */
function at(path) {
  return path === '' ? 'it' : `${path.slice(0, 200)} of it`;
}

/** @param {string} why */
export function refused(why) {
  const message = `What a thread action returns, or tells, must be plain data, but ${why}.`;
  return Object.assign(new Error(message), { name: 'PerdureError', code: 'CODEC_REFUSED', retryable: false });
}
