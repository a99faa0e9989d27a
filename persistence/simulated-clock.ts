import type { Clock } from './clock.ts';

interface Alarm {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that is moved by hand. Timeouts fire in order, each at its own time, while it advances. */
export class SimulatedClock implements Clock {
  #now: number;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  /** @param now where it begins, ms since 1970. */
  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(fn: () => void, ms: number): unknown {
    const alarm: Alarm = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
    this.#alarms.add(alarm);
    return alarm;
  }

  clearTimeout(handle: unknown): void {
    this.#alarms.delete(handle as Alarm);
  }

  /** Moves on by `ms`, firing what becomes due; before each timeout, commits and effects get their chance. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await new Promise((resolve) => setImmediate(resolve));
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#alarms.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
    await new Promise((resolve) => setImmediate(resolve));
  }

  #next(end: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at > end) continue;
      if (next === undefined || alarm.at < next.at || (alarm.at === next.at && alarm.order < next.order)) next = alarm;
    }
    return next;
  }
}
