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

function bytesOf(value: unknown, depth: number, look: { left: number }): number {
  look.left -= 1;
  if (typeof value === 'string') return VALUE_BYTES + value.length;
  if (typeof value !== 'object' || value === null) return VALUE_BYTES;
  if (look.left < 0 || depth > MAX_DEPTH || isActorRef(value)) return OBJECT_BYTES;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return OBJECT_BYTES + value.byteLength;
  const inside = (part: unknown) => bytesOf(part, depth + 1, look);
  if (Array.isArray(value)) return OBJECT_BYTES + sampled(value.length, (at) => inside(value[at]));
  if (value instanceof Map) {
    const bytes = firstOf<[unknown, unknown]>(value).map(([key, part]) => OBJECT_BYTES + inside(key) + inside(part));
    return OBJECT_BYTES + scaled(value.size, bytes);
  }
  if (value instanceof Set) return OBJECT_BYTES + scaled(value.size, firstOf(value).map(inside));
  const before = known.get(value);
  if (before !== undefined) return before;
  const keys = Object.keys(value);
  const record = value as Readonly<Record<string, unknown>>;
  // A few properties may well be of very different sizes.
  if (keys.length <= MOST_VALUES) return keys.reduce((sum, key) => sum + inside(record[key]), OBJECT_BYTES);
  const bytes = OBJECT_BYTES + sampled(keys.length, (at) => OBJECT_BYTES + inside(record[keys[at] as string]));
  known.set(value, bytes);
  return bytes;
}

function firstOf<T>(values: Iterable<T>): T[] {
  const first: T[] = [];
  for (const value of values) if (first.push(value) >= MOST_PARTS) break;
  return first;
}

/** Of places all over it. */
function sampled(length: number, bytesAt: (at: number) => number): number {
  const count = Math.min(length, MOST_PARTS);
  return scaled(
    length,
    Array.from({ length: count }, (_, nth) => bytesAt(Math.floor((nth * length) / count))),
  );
}

function scaled(length: number, bytes: readonly number[]): number {
  const sum = bytes.reduce((all, one) => all + one, 0);
  return bytes.length === 0 ? 0 : Math.ceil((sum * length) / bytes.length);
}
