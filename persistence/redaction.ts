/**
 * Takes secrets out of what is shown and never restored: history, logs, the inspector, the text of errors. What a restore needs
 * is never redacted; it is encrypted (sealing.ts) or holds references (secrets.ts).
 *
 * W1  The argument is never changed; what is given back shares nothing with it that can be changed, but for bytes and references.
 * W2  The work is bounded: each value is visited once for each way to it, MAX_DEPTH deep and MAX_VALUES in all. What is beyond
 *     that is not shown. Regular expressions are the host's own, and so is their time.
 * W3  What cannot be looked into (an instance of a class, a function) is shown by its name only.
 * W4  When a rule of the host throws, the value it was asked about is not shown; nor is a part that throws when it is read.
 */
import { REDACTED, isSecretRef } from './secrets.ts';
import { isActorRef } from './xstate-port.ts';

/** The steps from the whole value down to a part of it: property names, keys of maps, places in arrays and sets. */
export type ValuePath = readonly (string | number)[];

/** What is to be taken out; rules of all four kinds apply together. */
export interface RedactionRules {
  /** Properties, and keys of maps, of these names, anywhere. Case, `_` and `-` do not count: `apiKey` is also `API_KEY`. */
  readonly names?: readonly string[];
  /** Places from the top, joined by dots: `card.number`. A `*` is any one step: `items.*.token`. */
  readonly paths?: readonly string[];
  /** All matches are taken out of every text, property names and keys of maps included. */
  readonly patterns?: readonly RegExp[];
  /** Asked about every value that is left, from the top down, and gives what is shown instead, or the same value. */
  readonly replace?: (path: ValuePath, value: unknown) => unknown;
}

/** The usual names of secrets. It is short, and says only what is never anything else. */
export const commonSecrets: readonly string[] = [
  'password',
  'passwd',
  'passphrase',
  'pwd',
  'secret',
  'clientSecret',
  'token',
  'accessToken',
  'refreshToken',
  'idToken',
  'authToken',
  'bearer',
  'authorization',
  'proxyAuthorization',
  'cookie',
  'setCookie',
  'apiKey',
  'xApiKey',
  'privateKey',
  'secretKey',
  'accessKey',
  'secretAccessKey',
  'credentials',
  'connectionString',
];

const MAX_DEPTH = 500;
const MAX_VALUES = 1_000_000;

/**
 * Makes the function that takes secrets out of values; each match becomes `[redacted]`. Without rules it takes out the properties
 * of {@link commonSecrets}: nothing is ever restored from what is shown, so a word too many costs a look, and a secret too many
 * cannot be taken back. `redaction({})` takes out nothing. `redactText` is applied to every text, last.
 *
 * @example
 * const shown = redaction({ names: [...commonSecrets, 'iban'], paths: ['card.number'], patterns: [/sk_live_\w+/] });
 * shown({ card: { number: '4242', brand: 'visa' } }); // { card: { number: '[redacted]', brand: 'visa' } }
 */
export function redaction(
  rules: RedactionRules = { names: commonSecrets },
  redactText: (text: string) => string = (text) => text,
): (value: unknown) => unknown {
  const names = new Set((rules.names ?? []).map(folded));
  const paths = (rules.paths ?? []).map((path) => path.split('.'));
  const patterns = (rules.patterns ?? []).map(
    (pattern) => new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, '')}g`),
  );
  const text = (given: string): string =>
    redactText(patterns.reduce((result, pattern) => result.replace(pattern, REDACTED), given));
  return (value) => new Walk(names, rules.replace, text).shown(value, paths);
}

function folded(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}

/** The rest of a path pattern that the way down has followed so far. */
type Rest = readonly string[];

/** One value on its way. */
class Walk {
  readonly #names: ReadonlySet<string>;
  readonly #replace: RedactionRules['replace'];
  readonly #text: (text: string) => string;
  readonly #path: (string | number)[] = [];
  readonly #ancestors = new Set<object>();
  #left = MAX_VALUES;

  constructor(names: ReadonlySet<string>, replace: RedactionRules['replace'], text: (text: string) => string) {
    this.#names = names;
    this.#replace = replace;
    this.#text = text;
  }

  shown(given: unknown, rests: readonly Rest[]): unknown {
    if (--this.#left < 0) return '[too large]';
    const value = this.#replaced(given);
    if (typeof value === 'string') return this.#text(value);
    if (typeof value === 'function') return `[function ${value.name}]`;
    if (typeof value === 'symbol') return '[symbol]';
    if (typeof value !== 'object' || value === null) return value;
    if (this.#ancestors.has(value)) return '[cycle]';
    if (this.#ancestors.size >= MAX_DEPTH) return '[too deep]';
    const depth = this.#path.length;
    this.#ancestors.add(value);
    try {
      return this.#object(value, rests);
    } catch {
      this.#path.length = depth;
      return '[cannot be shown]';
    } finally {
      this.#ancestors.delete(value);
    }
  }

  #replaced(value: unknown): unknown {
    if (this.#replace === undefined) return value;
    try {
      return this.#replace([...this.#path], value);
    } catch {
      return REDACTED;
    }
  }

  #object(value: object, rests: readonly Rest[]): unknown {
    if (isActorRef(value) || isSecretRef(value)) return value;
    if (Array.isArray(value)) return this.#array(value, rests);
    if (value instanceof Error) return this.#error(value, rests);
    if (value instanceof Map) return new Map(this.#entries([...value], rests));
    if (value instanceof Set) return new Set([...value].map((item, index) => this.#part(index, item, rests)));
    if (value instanceof Date) return new Date(value);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && prototype !== Object.prototype) return `[${classOf(prototype)}]`;
    const record = Object.fromEntries(this.#entries(Object.entries(value), rests));
    return prototype === null ? Object.setPrototypeOf(record, null) : record;
  }

  /** Only the places that are taken are visited: an array may have four thousand million that are not. */
  #array(value: readonly unknown[], rests: readonly Rest[]): unknown[] {
    const result: unknown[] = [];
    result.length = value.length;
    for (const key of Object.keys(value)) {
      if (String(Number(key) >>> 0) === key) result[Number(key)] = this.#part(Number(key), value[Number(key)], rests);
    }
    return result;
  }

  #entries<K>(entries: readonly (readonly [K, unknown])[], rests: readonly Rest[]): [K, unknown][] {
    const taken = new Map<unknown, number>();
    return entries.map(([key, item], index) => {
      const step = typeof key === 'string' || typeof key === 'number' ? key : index;
      return [this.#key(key, step, taken) as K, this.#part(step, item, rests)];
    });
  }

  /** Two keys that look the same without their secrets stay two. */
  #key(key: unknown, step: string | number, taken: Map<unknown, number>): unknown {
    if (typeof key === 'object' && key !== null) return this.#part(step, key, []);
    const shown = typeof key === 'string' ? this.#text(key) : key;
    if (shown === key) return key;
    const before = taken.get(shown) ?? 0;
    taken.set(shown, before + 1);
    return before === 0 ? shown : `${String(shown)} ${before + 1}`;
  }

  /** The value at one step further down. */
  #part(step: string | number, value: unknown, rests: readonly Rest[]): unknown {
    if (typeof step === 'string' && this.#names.size > 0 && this.#names.has(folded(step))) return REDACTED;
    const next = rests.filter(([first]) => first === '*' || first === String(step)).map((rest) => rest.slice(1));
    if (next.some((rest) => rest.length === 0)) return REDACTED;
    this.#path.push(step);
    const result = this.shown(value, next);
    this.#path.pop();
    return result;
  }

  /** An error again, with everything that it has of its own. The stack repeats the message, so it changes with it. */
  #error(error: Error, rests: readonly Rest[]): Error {
    const message = String(this.#part('message', error.message, rests));
    const stack = String(error.stack ?? '');
    const repeats = error.message !== '' && message !== error.message;
    const shownStack = this.#part('stack', repeats ? stack.replaceAll(error.message, () => message) : stack, rests);
    const copy = new Error(message);
    // First of all: V8 writes a stack when it is first looked at, and asks the prototype for a name.
    Object.defineProperty(copy, 'stack', { value: shownStack, configurable: true, writable: true });
    Object.setPrototypeOf(copy, Object.getPrototypeOf(error) as object);
    const taken = new Map<unknown, number>();
    for (const key of Reflect.ownKeys(error)) {
      if (key === 'message' || key === 'stack') continue;
      const { value, enumerable } = Object.getOwnPropertyDescriptor(error, key) as PropertyDescriptor;
      const shown = this.#part(String(key), value, rests);
      Object.defineProperty(copy, this.#key(key, String(key), taken) as PropertyKey, {
        value: shown,
        enumerable: enumerable === true,
        configurable: true,
        writable: true,
      });
    }
    for (const key of lostInCopy(copy)) {
      const value = this.#part(key, Reflect.get(error, key), rests);
      Object.defineProperty(copy, key, { value, configurable: true, writable: true });
    }
    return copy;
  }
}

/** What the prototype reads out of the error itself, as that of a DOMException does, and so not out of a copy. */
export function lostInCopy(copy: Error): readonly string[] {
  return ['name', 'message', 'code'].filter((key) => {
    try {
      Reflect.get(copy, key);
      return false;
    } catch {
      return true;
    }
  });
}

function classOf(prototype: unknown): string {
  return (prototype as { constructor?: { name?: string } }).constructor?.name ?? 'an unnamed class';
}
