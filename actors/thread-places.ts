/**
 * The places in a pool of threads: as many calls as there may be threads have one, and the others wait for it.
 *
 * L1. At most `size` calls have a place, but for those that had one when it became smaller.
 * L2. Those that wait are served in the order in which they came, which is the executor's.
 * L3. That calls wait is told when it is so for a while, never for each: at most once in `PRESSURE_MS`.
 */
import { PerdureError } from '../errors.ts';
import { systemClock } from '../persistence/clock.ts';
import { ThreadUse } from './thread-use.ts';

/** How often it is looked whether calls wait, ms. */
const PRESSURE_MS = 1_000;

export class ThreadPlaces {
  readonly #onPressure: (isPressed: boolean) => void;
  readonly #use: ThreadUse;
  readonly #waiting = new Set<() => void>();
  readonly #whenIdle = new Set<() => void>();
  #size: number;
  #busy = 0;
  #state: 'open' | 'draining' | 'closed' = 'open';
  #pressure: unknown;
  #isPressed = false;

  constructor(size: number, onPressure: (isPressed: boolean) => void) {
    this.#size = size;
    this.#onPressure = onPressure;
    this.#use = new ThreadUse(size);
  }

  get figures() {
    return { size: this.#size, busy: this.#busy, queued: this.#waiting.size, utilisation: this.#use.share };
  }

  /** Resolves when there is a place. Throws the reason of the signal. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state === 'closed') throw new PerdureError('ABORTED', 'The threads of the supervisor have been closed.');
    if (this.#isFree() && this.#waiting.size === 0) return this.#occupy();
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        signal.removeEventListener('abort', give);
        this.#occupy();
        resolve();
      };
      const give = () => {
        this.#waiting.delete(start);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', give, { once: true });
      this.#waiting.add(start);
      this.#watch();
    });
  }

  leave(): void {
    this.#busy -= 1;
    this.#use.end();
    this.#serve();
    if (this.#busy === 0) for (const done of this.#whenIdle) done();
  }

  resize(size: number): void {
    this.#size = size;
    this.#use.resize(size);
    this.#serve();
    // The pool is another one now: that calls still wait is told anew.
    this.#isPressed = false;
    if (this.#waiting.size > 0) this.#watch();
  }

  /** Gives no place any more; resolves when none is in use, or after `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    if (this.#state === 'open') this.#state = 'draining';
    if (this.#busy === 0 || graceMs <= 0) return;
    const whenIdle = this.#whenIdle;
    await new Promise<void>((resolve) => {
      const handle = systemClock.setTimeout(done, graceMs);
      function done(): void {
        systemClock.clearTimeout(handle);
        whenIdle.delete(done);
        resolve();
      }
      whenIdle.add(done);
    });
  }

  close(): void {
    this.#state = 'closed';
    systemClock.clearTimeout(this.#pressure);
  }

  #isFree(): boolean {
    return this.#state === 'open' && this.#busy < this.#size;
  }

  #occupy(): void {
    this.#busy += 1;
    this.#use.begin();
  }

  /** L2. */
  #serve(): void {
    for (const start of this.#waiting) {
      if (!this.#isFree()) return;
      this.#waiting.delete(start);
      start();
    }
  }

  /** L3. */
  #watch(): void {
    if (this.#pressure !== undefined || this.#state !== 'open') return;
    this.#pressure = systemClock.setTimeout(() => {
      this.#pressure = undefined;
      const isPressed = this.#waiting.size > 0;
      if (isPressed !== this.#isPressed) this.#onPressure((this.#isPressed = isPressed));
      if (isPressed) this.#watch();
    }, PRESSURE_MS);
    (this.#pressure as { unref?: () => void }).unref?.();
  }
}
