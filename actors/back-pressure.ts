/**
 * Keeps bounded queues bounded: whoever submits to one that is full waits until there is room, or is refused.
 *
 * P1 Nothing is queued beyond the bound: it is looked at in the turn that queues, so that it holds for submissions that come
 *    together. Steps of plans, occurrences of schedules and payments of debts are not submitted, and not held back.
 * P2 Who waits longest goes first, and nobody who comes goes before; who is turned away in the turn keeps their place.
 */
import { PerdureError } from '../errors.ts';
import type { Submission } from '../machines/executor.ts';
import type { Rows } from '../persistence/rows.ts';
import { DEFAULT_QUEUE, type OnFull } from './queue-options.ts';
import { PENDING } from './queue-tables.ts';

/**
 * How many wait in a queue that is named in its rows, delayed and held ones included, as far as `most`: no more than those entries
 * of one index are looked at, whatever else there is.
 */
export function pendingIn(rows: Pick<Rows, 'get'>, queue: string, most: number): number {
  const row = rows.get<{ n: number }>(
    `select count(*) as n from (select 1 from actions where queue = ? and queue is not null and ${PENDING} limit ?)`,
    queue,
    most,
  );
  return row?.n ?? 0;
}

/** P1. */
export function isFull(rows: Pick<Rows, 'get'>, { queue, most }: Pick<Submission, 'queue' | 'most'>): boolean {
  return most !== undefined && pendingIn(rows, queue ?? DEFAULT_QUEUE, most) >= most;
}

/** Queues a submission in this very moment: gives the id of what it is or has joined, undefined when there was no room. */
type Enter = () => Promise<string | undefined>;

/** Somebody who waits for room. */
interface Waiter {
  /** Their place. */
  readonly nth: number;
  readonly submission: Submission;
  readonly enter: Enter;
  readonly signal: AbortSignal | undefined;
  readonly abort: () => void;
  readonly resolve: (id: string) => void;
  readonly reject: (error: unknown) => void;
}

/** Who waits for room in which queue. */
export class BackPressure {
  readonly #rows: () => Pick<Rows, 'get'>;
  /** Only lines in which somebody waits; each in the order of their places. */
  readonly #lines = new Map<string, Set<Waiter>>();
  #came = 0;
  #ended: PerdureError | undefined;

  constructor(rows: () => Pick<Rows, 'get'>) {
    this.#rows = rows;
  }

  /** Calls `enter` as soon as there is room, until it gives an id. Throws QUEUE_FULL, and the reason of `signal`. */
  async enter(submission: Submission, onFull: OnFull, enter: Enter, signal: AbortSignal | undefined): Promise<string> {
    const queue = submission.queue ?? DEFAULT_QUEUE;
    const nth = this.#came++;
    while (!this.#lines.has(queue) && !isFull(this.#rows(), submission)) {
      const id = await enter();
      if (id !== undefined) return id;
    }
    if (onFull === 'refuse') throw this.#fullError(queue, submission.most as number);
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#leave(queue, waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = { nth, submission, enter, signal, abort, resolve, reject };
      this.#wait(queue, waiter);
    });
  }

  /** There may be room. P2. */
  look(): void {
    for (const [queue, line] of this.#lines) {
      for (const first of line) {
        if (isFull(this.#rows(), first.submission)) break;
        this.#leave(queue, first);
        void this.#go(queue, first);
      }
    }
  }

  /** Nothing will be queued any more. */
  end(error: PerdureError): void {
    this.#ended = error;
    for (const [queue, line] of this.#lines) {
      for (const waiter of line) {
        this.#leave(queue, waiter);
        waiter.reject(error);
      }
    }
  }

  async #go(queue: string, waiter: Waiter): Promise<void> {
    try {
      const id = await waiter.enter();
      if (id !== undefined) return waiter.resolve(id);
      this.#wait(queue, waiter);
      this.look();
    } catch (error) {
      waiter.reject(error);
    }
  }

  /** Who comes last goes to the end of the line; who was turned away goes back to their place. */
  #wait(queue: string, waiter: Waiter): void {
    const { signal, abort, nth } = waiter;
    if (this.#ended !== undefined) return waiter.reject(this.#ended);
    if (signal?.aborted === true) return waiter.reject(signal.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const line = this.#lines.get(queue) ?? new Set();
    const later = nth === this.#came - 1 ? [] : [...line].filter((other) => other.nth > nth);
    for (const one of later) line.delete(one);
    for (const one of [waiter, ...later]) line.add(one);
    this.#lines.set(queue, line);
  }

  #leave(queue: string, waiter: Waiter): void {
    waiter.signal?.removeEventListener('abort', waiter.abort);
    const line = this.#lines.get(queue);
    line?.delete(waiter);
    if (line?.size === 0) this.#lines.delete(queue);
  }

  #fullError(queue: string, limit: number): PerdureError {
    const waiting = pendingIn(this.#rows(), queue, limit);
    return new PerdureError(
      'QUEUE_FULL',
      `The queue "${queue}" is full: ${waiting} wait in it, and its maxWaiting is ${limit}: submit later, or with onFull: 'wait'.`,
      { facts: { queue, waiting, limit }, retryable: true },
    );
  }
}
