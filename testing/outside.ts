/**
 * What a turn may reach outside of its machine: time, chance and the timers of Node. While a turn of a checked tree runs,
 * and only then, these are ours: two trees that do the same see the same, and what was used is noted for the report.
 *
 * A machine may keep the time and random values in its context: they are stored with it. So these are no bugs by
 * themselves, and two runs that differed only by them could not be compared.
 */
import type { Clock } from '../persistence/clock.ts';

/** What the turns of a check used of the outside. */
export type Use = 'Date' | 'Math.random' | 'crypto.randomUUID' | 'setTimeout';

export class Outside {
  readonly used = new Set<Use>();
  #inside = false;

  /** Runs `fn` with the time of `clock` and with randomness drawn from `seed`. */
  within<T>(clock: Clock, seed: string, fn: () => T): T {
    if (this.#inside) return fn();
    const { setTimeout, clearTimeout } = globalThis;
    const leave = this.#enter(clock, seed);
    globalThis.setTimeout = ((late: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      this.#note('setTimeout', new Timeout(clock, () => late(...args), ms))) as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((handle: unknown) => {
      if (handle instanceof Timeout) handle.clear();
      else clearTimeout(handle as NodeJS.Timeout);
    }) as typeof clearTimeout;
    try {
      return fn();
    } finally {
      Object.assign(globalThis, { setTimeout, clearTimeout });
      leave();
    }
  }

  /** The same, but for the timers, until the synchronous code that runs now has ended. */
  untilMicrotask(clock: Clock, seed: string): void {
    if (!this.#inside) queueMicrotask(this.#enter(clock, seed));
  }

  #enter(clock: Clock, seed: string): () => void {
    const RealDate = Date;
    const { random } = Math;
    const next = stream(seed);
    this.#inside = true;
    globalThis.Date = dateAt(() => this.#note('Date', clock.now()));
    Math.random = () => this.#note('Math.random', next());
    Object.defineProperty(crypto, 'randomUUID', {
      configurable: true,
      value: () => this.#note('crypto.randomUUID', uuid(next)),
    });
    return () => {
      globalThis.Date = RealDate;
      Math.random = random;
      Reflect.deleteProperty(crypto, 'randomUUID');
      this.#inside = false;
    };
  }

  #note<T>(use: Use, value: T): T {
    this.used.add(use);
    return value;
  }
}

/** What setTimeout returns in a turn: Node's, as far as it is used. */
class Timeout {
  readonly #clock: Clock;
  readonly #handle: unknown;

  constructor(clock: Clock, fn: () => void, ms: number) {
    this.#clock = clock;
    this.#handle = clock.setTimeout(fn, ms);
  }

  clear(): void {
    this.#clock.clearTimeout(this.#handle);
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/** The real class, so that its instances are what they always are, but for what it takes for now. */
function dateAt(now: () => number): DateConstructor {
  return new Proxy(Date, {
    construct: (target, args: unknown[], newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
    apply: (target) => new target(now()).toString(),
    get: (target, key, receiver) => (key === 'now' ? now : (Reflect.get(target, key, receiver) as unknown)),
  });
}

/** Uniform numbers in [0, 1) from a text: FNV-1a, then mulberry32. */
function stream(seed: string): () => number {
  let state = 0x811c9dc5;
  for (const letter of seed) state = Math.imul(state ^ (letter.codePointAt(0) as number), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function uuid(next: () => number): string {
  const hex = (length: number) => Array.from({ length }, () => Math.floor(next() * 16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
}
