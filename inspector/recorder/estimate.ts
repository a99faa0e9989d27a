/** About how many bytes a value takes, at a cost that does not grow with it: of what is long, a few parts are looked at. */
import { isActorRef } from '../../persistence/xstate-port.ts';

const VALUE_BYTES = 8;
const OBJECT_BYTES = 32;
/** Parts of one object that are looked at, and values in all. */
const MOST_PARTS = 8;
const MOST_VALUES = 100;
const MAX_DEPTH = 8;
/** Of objects with many properties: only to list their names takes long, and states share what has not changed. */
const known = new WeakMap<object, number>();

/** It never throws: what cannot be looked into is taken for small. */
export function estimatedBytes(value: unknown): number {
  const look = { left: MOST_VALUES };
  try {
    return bytesOf(value, 0, look);
  } catch {
    return OBJECT_BYTES;
  }
}

/** It is done for every record: without a closure for each object, or a list for each of its parts. */
function bytesOf(value: unknown, depth: number, look: { left: number }): number {
  look.left -= 1;
  if (typeof value === 'string') return VALUE_BYTES + value.length;
  if (typeof value !== 'object' || value === null) return VALUE_BYTES;
  if (look.left < 0 || depth > MAX_DEPTH || isActorRef(value)) return OBJECT_BYTES;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return OBJECT_BYTES + value.byteLength;
  if (Array.isArray(value)) return OBJECT_BYTES + sampled(value as never, undefined, 0, depth, look);
  if (value instanceof Map) return OBJECT_BYTES + ofMap(value, depth, look);
  if (value instanceof Set) return OBJECT_BYTES + ofSet(value, depth, look);
  const before = known.get(value);
  if (before !== undefined) return before;
  const keys = Object.keys(value);
  const record = value as Readonly<Record<string, unknown>>;
  let bytes = OBJECT_BYTES;
  if (keys.length <= MOST_VALUES) {
    // A few properties may well be of very different sizes.
    for (const key of keys) bytes += bytesOf(record[key], depth + 1, look);
    return bytes;
  }
  bytes += sampled(record, keys, OBJECT_BYTES, depth, look);
  known.set(value, bytes);
  return bytes;
}

function ofMap(map: ReadonlyMap<unknown, unknown>, depth: number, look: { left: number }): number {
  let [bytes, count] = [0, 0];
  for (const [key, part] of map) {
    bytes += OBJECT_BYTES + bytesOf(key, depth + 1, look) + bytesOf(part, depth + 1, look);
    if (++count >= MOST_PARTS) break;
  }
  return scaled(map.size, bytes, count);
}

function ofSet(set: ReadonlySet<unknown>, depth: number, look: { left: number }): number {
  let [bytes, count] = [0, 0];
  for (const part of set) {
    bytes += bytesOf(part, depth + 1, look);
    if (++count >= MOST_PARTS) break;
  }
  return scaled(set.size, bytes, count);
}

/** Of places all over it; under their keys, where it has some. */
function sampled(
  whole: Readonly<Record<number | string, unknown>>,
  keys: readonly string[] | undefined,
  each: number,
  depth: number,
  look: { left: number },
): number {
  const length = keys?.length ?? (whole as unknown as readonly unknown[]).length;
  const count = Math.min(length, MOST_PARTS);
  let bytes = 0;
  for (let nth = 0; nth < count; nth += 1) {
    const at = Math.floor((nth * length) / count);
    bytes += each + bytesOf(whole[keys?.[at] ?? at], depth + 1, look);
  }
  return scaled(length, bytes, count);
}

function scaled(length: number, bytes: number, count: number): number {
  return count === 0 ? 0 : Math.ceil((bytes * length) / count);
}
