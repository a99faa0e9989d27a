/**
 * The delayed events of one tree: XState's scheduler, with absolute due times that are rows.
 *
 * T1  A timer fires when the wall clock has reached its due time, checked again on firing, never before.
 * T2  It fires once: the turn that it begins removes its row.
 * T3  Those that are due fire in the order of their due times; late ones at restart, in the same order.
 * T4  When the wall clock goes back, a timer waits no longer than its delay in monotonic time while the process lives.
 * T5  One timeout of the clock is armed, for the earliest; at most RECHECK_MS ahead, so that a suspended machine and a
 *     delay beyond 32 bits are seen.
 * T6  Ids mean what they mean in XState, for ever and across restarts: set again under its id, a timer rings twice; the
 *     id is then the second one's, until one of that id has rung; and only what has an id of its own ends with its source.
 */
import type { Clock } from './clock.ts';
import { PerdureError } from '../errors.ts';
import { pathOf, type AnyEventObject, type AnyRef, type Delayed, type Scheduler } from './xstate-port.ts';

const RECHECK_MS = 30_000;
/** Timers fired in one go, before the loop gets its chance. */
const BURST = 1_000;
/** Before the key of a timer that waits without its id: it cannot be cancelled any more (T6). */
const BEREFT = '\0';
/** A difference between the two clocks that is no jump. */
const JITTER_MS = 500;

/** A delayed event. */
export interface DelayedEvent extends Delayed {
  readonly id: number;
  /** Of its row; 0 while it has none. */
  checksum: number;
}

/** A delayed event that waits in this process. */
export interface Timer extends DelayedEvent {
  /** Changes when it loses its id (T6). */
  key: string;
  /** When it began to wait in this process, by the clock that never goes back. */
  readonly since: number;
  /** When it fires, by the wall clock as it goes now: `due`, or earlier after that went back (T4). */
  fireAt: number;
  state: 'waiting' | 'gone';
}

/** What the timers need of their tree. */
export interface TimerHost {
  readonly clock: Clock;
  nextId(): number;
  /** A delayed event cannot be kept: the turn must not be committed. */
  refused(error: PerdureError): void;
  /** Timers changed, so the batch has something to write. */
  timersChanged(): void;
  /** Begins a turn with a due timer. */
  fire(timer: Timer): void;
}

export class Timers implements Scheduler {
  readonly #host: TimerHost;
  readonly #queue: Timer[] = [];
  readonly #bySource = new Map<AnyRef, Map<string, Timer>>();
  #gone = 0;
  #rings = false;
  #armed: { at: number; handle: unknown } | undefined;
  #offset: number;
  #closed = false;
  /** Not yet written. */
  readonly added = new Set<Timer>();
  /** Gone, and their rows not yet deleted. */
  readonly removed = new Set<Timer>();

  constructor(host: TimerHost) {
    this.#host = host;
    this.#offset = this.#offsetNow();
  }

  schedule(source: AnyRef, target: AnyRef, event: AnyEventObject, delayMs: number, key?: string): void {
    if (Number.isNaN(delayMs) || (key !== undefined && typeof key !== 'string')) {
      return this.#host.refused(unusable(source, event, delayMs, key));
    }
    const id = this.#host.nextId();
    const delay = Math.max(0, delayMs);
    const due = this.#host.clock.now() + delay;
    this.add({ id, source, target, key: key ?? `auto.${id}`, event, due, delay, checksum: 0 });
  }

  /** Puts a timer that has no row yet in the queue. Whoever has its key waits on without it. */
  add(delayed: DelayedEvent): void {
    this.#followClock();
    this.#free(delayed.source, delayed.key);
    this.added.add(this.adopt(delayed));
    this.#host.timersChanged();
    this.#arm();
  }

  /** What this actor waits to send. */
  of(source: AnyRef): Iterable<DelayedEvent> {
    return this.#bySource.get(source)?.values() ?? [];
  }

  /** Puts a timer in the queue, without arming the clock. */
  adopt(delayed: DelayedEvent): Timer {
    const timer: Timer = { ...delayed, since: this.#monotonic(), fireAt: delayed.due, state: 'waiting' };
    let own = this.#bySource.get(timer.source);
    if (own === undefined) this.#bySource.set(timer.source, (own = new Map<string, Timer>()));
    if (!timer.key.startsWith(BEREFT)) own.set(timer.key, timer);
    push(this.#queue, timer);
    return timer;
  }

  cancel(source: AnyRef, key: string): void {
    const timer = this.#bySource.get(source)?.get(key);
    if (timer !== undefined) this.#remove(timer);
  }

  cancelAll(source: AnyRef): void {
    for (const timer of this.#bySource.get(source)?.values() ?? []) this.#remove(timer);
  }

  /** Takes a timer out for good, by its row id. */
  take(id: number): Timer | undefined {
    const timer = this.#queue.find((candidate) => candidate.id === id && candidate.state === 'waiting');
    if (timer !== undefined) this.#remove(timer);
    return timer;
  }

  /** When the next one fires, wall-clock ms. */
  get nextDue(): number | undefined {
    return this.#next()?.fireAt;
  }

  /** Begins to fire: what is due at once, the rest in time. */
  start(): void {
    this.#arm();
  }

  /** Nothing fires any more. */
  close(): void {
    this.#closed = true;
    if (this.#armed !== undefined) this.#host.clock.clearTimeout(this.#armed.handle);
    this.#armed = undefined;
  }

  #remove(timer: Timer): void {
    timer.state = 'gone';
    this.#gone += 1;
    const own = this.#bySource.get(timer.source);
    if (own?.get(timer.key) === timer) own.delete(timer.key);
    if (own?.size === 0) this.#bySource.delete(timer.source);
    if (!this.added.delete(timer)) this.removed.add(timer);
    this.#host.timersChanged();
    if (this.#gone > 64 && this.#gone > this.#queue.length / 2) this.#compact();
  }

  /** T6: the id is another's from now on, or nobody's; whoever has it waits without it. */
  #free(source: AnyRef, key: string): void {
    const own = this.#bySource.get(source);
    const holder = own?.get(key);
    if (own === undefined || holder === undefined) return;
    own.delete(key);
    if (own.size === 0) this.#bySource.delete(source);
    holder.key = BEREFT + key;
    if (this.added.has(holder)) return;
    this.removed.add(holder);
    this.added.add(holder);
  }

  #compact(): void {
    const waiting = this.#queue.filter((timer) => timer.state === 'waiting').sort(before);
    this.#queue.length = 0;
    this.#queue.push(...waiting);
    this.#gone = 0;
  }

  #next(): Timer | undefined {
    while (this.#queue[0]?.state === 'gone') {
      pop(this.#queue);
      this.#gone -= 1;
    }
    return this.#queue[0];
  }

  #arm(): void {
    const next = this.#next();
    if (this.#closed || this.#rings || next === undefined) return;
    if (this.#armed !== undefined) {
      if (this.#armed.at <= next.fireAt) return;
      this.#host.clock.clearTimeout(this.#armed.handle);
    }
    const wait = Math.min(Math.max(0, next.fireAt - this.#host.clock.now()), RECHECK_MS);
    this.#armed = { at: next.fireAt, handle: this.#host.clock.setTimeout(() => this.#wake(), wait) };
  }

  #wake(): void {
    this.#armed = undefined;
    this.#followClock();
    // What a turn sets for at once, to leave others their turn, is for the next time, which comes after the commit.
    const now = this.#host.clock.now();
    this.#rings = true;
    try {
      for (let fired = 0; fired < BURST && !this.#closed; fired++) {
        const timer = this.#next();
        if (timer === undefined || timer.fireAt > now) break;
        this.#remove(timer);
        this.#free(timer.source, timer.key.replace(BEREFT, ''));
        this.#host.fire(timer);
      }
    } finally {
      this.#rings = false;
    }
    this.#arm();
  }

  #monotonic(): number {
    const { clock } = this.#host;
    return clock.monotonic?.() ?? clock.now();
  }

  #offsetNow(): number {
    return this.#host.clock.now() - this.#monotonic();
  }

  /**
   * T4: a timer that has waited for all of its delay here fires, though the wall clock is not there yet. One that came from
   * its row waits for all of it, too: by what the wall clock was wrong when it came is not known.
   */
  #followClock(): void {
    const offset = this.#offsetNow();
    const jumped = Math.abs(offset - this.#offset) > JITTER_MS;
    this.#offset = offset;
    if (!jumped) return;
    for (const timer of this.#queue) timer.fireAt = Math.min(timer.due, timer.since + timer.delay + offset);
    this.#compact();
  }
}

function unusable(source: AnyRef, event: AnyEventObject, delay: number, key: unknown): PerdureError {
  return new PerdureError(
    'CODEC_REFUSED',
    `"${pathOf(source)}" delayed "${event.type}" by ${delay} ms under the id ${String(key)}: the delay must be a number, and the id a string.`,
    { facts: { actor: pathOf(source), event: event.type, delay } },
  );
}

function before(a: Timer, b: Timer): number {
  return a.fireAt - b.fireAt || a.id - b.id;
}

function push(heap: Timer[], timer: Timer): void {
  let index = heap.push(timer) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (before(heap[parent] as Timer, timer) <= 0) break;
    heap[index] = heap[parent] as Timer;
    index = parent;
  }
  heap[index] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child + 1 < heap.length && before(heap[child + 1] as Timer, heap[child] as Timer) < 0) child += 1;
    if (child >= heap.length || before(last, heap[child] as Timer) <= 0) break;
    heap[index] = heap[child] as Timer;
    index = child;
  }
  heap[index] = last;
}
