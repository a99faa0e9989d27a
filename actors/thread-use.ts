/** How much of the time that threads had was used. */
import { systemClock } from '../persistence/clock.ts';

export class ThreadUse {
  #size: number;
  #busy = 0;
  #at = now();
  /** Thread time, ms. */
  #used = 0;
  #offered = 0;

  constructor(size: number) {
    this.#size = size;
  }

  begin(): void {
    this.#count();
    this.#busy += 1;
  }

  end(): void {
    this.#count();
    this.#busy -= 1;
  }

  resize(size: number): void {
    this.#count();
    this.#size = size;
  }

  /** From 0 to 1. */
  get share(): number {
    this.#count();
    return this.#offered === 0 ? 0 : this.#used / this.#offered;
  }

  /** What has passed since it was counted last. Threads beyond a smaller size are in use, and so were offered. */
  #count(): void {
    const at = now();
    const ms = at - this.#at;
    this.#at = at;
    this.#used += this.#busy * ms;
    this.#offered += Math.max(this.#size, this.#busy) * ms;
  }
}

function now(): number {
  return systemClock.monotonic?.() ?? systemClock.now();
}
