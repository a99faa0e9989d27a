/**
 * Notices when the event loop of this process stood still. It owns one timer, which is set while somebody works, and a measure
 * of time in which such stalls do not count: whoever waits for a sign of life must not take its own sleep for the other's death.
 *
 * M1. Time that `awakeMs` does not count is time in which this process could hear nothing.
 * M2. Listeners are told of every stall once, as soon as it is over. It is telemetry: no turn, no row.
 */
import { systemClock, type Clock } from '../persistence/clock.ts';

/** How often it looks, ms. */
const SAMPLE_MS = 50;
/** A delay beyond that is a stall, ms. */
const STALL_MS = 200;

/** The event loop stood still. */
export interface Stall {
  readonly type: 'runtime.stalled';
  /** How long, ms. */
  readonly ms: number;
}

export class StallMonitor {
  readonly #clock: Clock;
  readonly #listeners = new Set<(stall: Stall) => void>();
  #workers = 0;
  #timer: unknown;
  #seenAt = 0;
  #stalledMs = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Hears of stalls, until the result is called. */
  listen(listener: (stall: Stall) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Somebody works from now on, until {@link leave}. */
  enter(): void {
    this.#workers += 1;
    if (this.#timer === undefined) this.#watch();
  }

  leave(): void {
    // The timer ends by itself: actions that are short must not set one each.
    this.#workers -= 1;
  }

  /** Milliseconds in which this process could hear; only differences say something, and only while somebody works. */
  awakeMs(): number {
    const now = this.#now();
    if (this.#timer === undefined) return now - this.#stalledMs;
    const late = now - this.#seenAt - SAMPLE_MS;
    this.#seenAt = now;
    if (late >= STALL_MS) {
      this.#stalledMs += late;
      const stall: Stall = { type: 'runtime.stalled', ms: Math.round(late) };
      for (const listener of this.#listeners) listener(stall);
    }
    return now - this.#stalledMs;
  }

  #watch(): void {
    this.#seenAt = this.#now();
    this.#arm();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.awakeMs();
      this.#timer = undefined;
      if (this.#workers > 0) this.#arm();
    }, SAMPLE_MS);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #now(): number {
    return this.#clock.monotonic?.() ?? this.#clock.now();
  }
}
