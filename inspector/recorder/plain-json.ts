/**
 * Any value as JSON, for whoever looks: with the tags that the codec writes where JSON lacks a kind, `{ "$ref": id }` for an actor,
 * and words for what is no data. Unlike the codec it refuses nothing and promises no way back.
 *
 * J1  It never throws, whatever the value does: getters, proxies, cycles, instances of classes.
 * J2  Its work and its result are bounded: what is beyond the limit is `[too large]`.
 */
import { isActorRef, type AnyRef } from '../../persistence/xstate-port.ts';

const TAG = '$perdure';
const MAX_DEPTH = 100;
/** What a value costs beside its text, in characters. */
const VALUE_COST = 4;

export interface PlainOptions {
  /** Characters of the result, about. */
  readonly most: number;
  /** What an actor is called; null when that is not known. */
  readonly refs: (ref: AnyRef) => string | null;
  /** Applied to every text, names of properties included. Default: as it is. */
  readonly text?: ((text: string) => string) | undefined;
}

/** The value, and how many characters it takes, about. */
export function plainJson(value: unknown, options: PlainOptions): { readonly json: unknown; readonly size: number } {
  const walk = new Walk(options);
  const json = walk.plain(value, 0);
  return { json, size: options.most - walk.left };
}

class Walk {
  left: number;
  readonly #options: PlainOptions;
  readonly #around = new Set<object>();

  constructor(options: PlainOptions) {
    this.#options = options;
    this.left = options.most;
  }

  plain(value: unknown, depth: number): unknown {
    this.left -= VALUE_COST;
    if (this.left < 0) return '[too large]';
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        if (Object.is(value, -0)) return tagged('number', '-0');
        return Number.isFinite(value) ? value : tagged('number', String(value));
      case 'boolean':
        return value;
      case 'undefined':
        return tagged('undefined', null);
      case 'bigint':
        return tagged('bigint', this.#text(String(value)));
      case 'function':
        return '[function]';
      case 'symbol':
        return '[symbol]';
      default:
        return value === null ? null : this.#guarded(value as object, depth);
    }
  }

  #guarded(value: object, depth: number): unknown {
    if (this.#around.has(value)) return '[cycle]';
    if (depth >= MAX_DEPTH) return '[too deep]';
    this.#around.add(value);
    try {
      return this.#object(value, depth + 1);
    } catch {
      return '[cannot be shown]';
    } finally {
      this.#around.delete(value);
    }
  }

  #object(value: object, depth: number): unknown {
    if (isActorRef(value)) return { $ref: this.#options.refs(value) };
    if (Array.isArray(value)) return this.#items(value, value.length, depth);
    if (value instanceof Error) return this.#error(value, depth);
    if (value instanceof Map) return tagged('map', this.#pairs(value, value.size, depth));
    if (value instanceof Set) return tagged('set', this.#items(value, value.size, depth));
    if (value instanceof Date) return tagged('date', Number.isNaN(value.getTime()) ? null : value.getTime());
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
      return `[${classOf(value)}, ${value.byteLength} bytes]`;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return `[${classOf(value)}]`;
    return this.#record(value as Readonly<Record<string, unknown>>, depth);
  }

  #record(value: Readonly<Record<string, unknown>>, depth: number): unknown {
    const entries: [string, unknown][] = [];
    for (const key of Object.keys(value)) {
      if (this.left < 0) {
        entries.push(['…', '[too large]']);
        break;
      }
      entries.push([this.#text(key), this.plain(value[key], depth)]);
    }
    // Data that looks like a tag stays data.
    if (Object.hasOwn(value, TAG)) return tagged('record', entries);
    return Object.fromEntries(entries);
  }

  #items(values: Iterable<unknown>, length: number, depth: number): unknown[] {
    const items: unknown[] = [];
    for (const value of values) {
      if (this.left < 0) {
        items.push(`[${length - items.length} more]`);
        break;
      }
      items.push(this.plain(value, depth));
    }
    return items;
  }

  #pairs(map: ReadonlyMap<unknown, unknown>, size: number, depth: number): unknown[] {
    const pairs: unknown[] = [];
    for (const [key, value] of map) {
      if (this.left < 0) {
        pairs.push(['…', `[${size - pairs.length} more]`]);
        break;
      }
      pairs.push([this.plain(key, depth), this.plain(value, depth)]);
    }
    return pairs;
  }

  #error(error: Error, depth: number): unknown {
    const keys = new Set([...Object.keys(error), ...(Object.hasOwn(error, 'errors') ? ['errors'] : [])]);
    const own = [...keys].filter((key) => !['name', 'message', 'stack', 'cause'].includes(key));
    const part = (text: unknown) => this.#text(typeof text === 'string' ? text : '');
    const fields = error as unknown as Readonly<Record<string, unknown>>;
    return tagged('error', {
      name: part(error.name),
      message: part(error.message),
      stack: part(error.stack),
      own: own.map((key) => [this.#text(key), this.plain(fields[key], depth)]),
      ...(error.cause === undefined ? {} : { cause: this.plain(error.cause, depth) }),
    });
  }

  #text(given: string): string {
    // A secret must not be cut in two before it is looked for.
    const text = this.#options.text === undefined ? given : this.#options.text(given);
    const room = Math.max(0, this.left);
    this.left -= Math.min(text.length, room + 1);
    return text.length <= room ? text : `${text.slice(0, room)}… (${text.length} characters)`;
  }
}

function tagged(name: string, value: unknown): unknown {
  return { [TAG]: name, value };
}

function classOf(value: object): string {
  const { constructor } = value as { constructor?: { name?: unknown } };
  return typeof constructor?.name === 'string' && constructor.name !== '' ? constructor.name : 'object';
}
