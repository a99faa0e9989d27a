/**
 * A value as far as it will be shown: the same in its structure, and without what would be too much. To be redacted it is visited as a
 * whole, and that takes the longer the more there is of it.
 *
 * B1  No text is cut in two: a part of a secret is no secret that is known. One that is too long is told by its length.
 * B2  The work is bounded, but for the names of the properties of one object.
 */
import { lostInCopy } from '../../persistence/redaction.ts';
import { isActorRef } from '../../persistence/xstate-port.ts';

/** Of a value beside its text, in characters: to visit it costs as much as a short text. */
const VALUE_COST = 12;
const MAX_DEPTH = 100;
const LONGEST_TEXT = 262_144;
const TOO_LARGE = '[too large]';

/** At most about so many characters of it. What is given back may share what cannot be looked into. It never throws. */
export function bounded(value: unknown, most: number): unknown {
  return new Walk(most).part(value, 0);
}

class Walk {
  #left: number;
  readonly #around = new Set<object>();

  constructor(most: number) {
    this.#left = most;
  }

  part(value: unknown, depth: number): unknown {
    this.#left -= VALUE_COST;
    if (this.#left < 0) return TOO_LARGE;
    if (typeof value === 'string') return this.#text(value);
    if (typeof value !== 'object' || value === null || isActorRef(value)) return value;
    if (depth > MAX_DEPTH) return '[too deep]';
    if (this.#around.has(value)) return '[cycle]';
    this.#around.add(value);
    try {
      return this.#object(value, depth + 1);
    } catch {
      return '[cannot be shown]';
    } finally {
      this.#around.delete(value);
    }
  }

  #text(text: string): string {
    if (text.length > LONGEST_TEXT) return `[${text.length} characters]`;
    this.#left -= text.length;
    return text;
  }

  #object(value: object, depth: number): unknown {
    if (Array.isArray(value)) return this.#items(value, value.length, depth);
    if (value instanceof Map) return new Map(this.#entries(value, value.size, depth));
    if (value instanceof Set) return new Set(this.#items(value, value.size, depth));
    if (value instanceof Error) return this.#error(value, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return value;
    const record = value as Readonly<Record<string, unknown>>;
    const keys = Object.keys(record);
    return Object.fromEntries(this.#entries(pairs(record, keys), keys.length, depth));
  }

  #items(values: Iterable<unknown>, length: number, depth: number): unknown[] {
    const items: unknown[] = [];
    for (const value of values) {
      if (this.#left < 0) {
        items.push(`[${length - items.length} more]`);
        break;
      }
      items.push(this.part(value, depth));
    }
    return items;
  }

  #entries<TKey>(entries: Iterable<readonly [TKey, unknown]>, size: number, depth: number): [TKey | string, unknown][] {
    const shown: [TKey | string, unknown][] = [];
    for (const [key, value] of entries) {
      if (this.#left < 0) {
        shown.push(['…', `[${size - shown.length} more]`]);
        break;
      }
      const name = typeof key === 'object' ? (this.part(key, depth) as TKey) : this.#key(key);
      shown.push([name, this.part(value, depth)]);
    }
    return shown;
  }

  #key<TKey>(key: TKey): TKey | string {
    return typeof key === 'string' ? this.#text(key) : key;
  }

  /** With its own prototype, so that it is still an error of its kind. */
  #error(error: Error, depth: number): Error {
    const copy = Object.create(Object.getPrototypeOf(error) as object) as Error;
    const put = (key: PropertyKey, enumerable: boolean) => {
      const value = this.#read(error, key, depth);
      Object.defineProperty(copy, key, { value, enumerable, configurable: true, writable: true });
    };
    for (const key of Reflect.ownKeys(error)) {
      put(key, Object.getOwnPropertyDescriptor(error, key)?.enumerable === true);
    }
    for (const key of lostInCopy(copy)) put(key, false);
    return copy;
  }

  #read(from: object, key: PropertyKey, depth: number): unknown {
    try {
      return this.part(Reflect.get(from, key), depth);
    } catch {
      return '[cannot be shown]';
    }
  }
}

function* pairs(record: Readonly<Record<string, unknown>>, keys: readonly string[]): Generator<[string, unknown]> {
  for (const key of keys) yield [key, record[key]];
}
