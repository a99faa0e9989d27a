/**
 * Keeps bounded queues bounded: whoever submits to one that is full waits until there is room, or is refused.
 *
 * P1 Nothing is queued beyond the bound: it is looked at in the turn that queues, so that it holds for submissions that come
 *    together. Steps of plans, occurrences of schedules and payments of debts are not submitted, and not held back.
 * P2 Who waits longest goes first, and nobody who comes goes before.
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

/** Somebody who waits for room. */
interface Waiter {
  readonly submission: Submission;
  /** Queues the submission, in this very moment. */
  readonly go: () => void;
  readonly fail: (error: unknown) => void;
}

/** Who waits for room in which queue. */
export class BackPressure {
  readonly #rows: () => Pick<Rows, 'get'>;
  readonly #waiting = new Map<string, Waiter[]>();
  #ended: PerdureError | undefined;

  constructor(rows: () => Pick<Rows, 'get'>) {
    this.#rows = rows;
  }

  /** Calls `enter` as soon as there is room. Throws QUEUE_FULL, and the reason of `signal`. */
  async enter<T>(
    submission: Submission,
    onFull: OnFull,
    enter: () => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const queue = submission.queue ?? DEFAULT_QUEUE;
    const isFirst = !this.#waiting.has(queue);
    if (isFirst && !isFull(this.#rows(), submission)) return enter();
    if (onFull === 'refuse') throw this.#fullError(queue, submission.most as number);
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const abort = () => {
        this.#leave(queue, waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        submission,
        go: () => {
          signal?.removeEventListener('abort', abort);
          enter().then(resolve, reject);
        },
        fail: (error) => {
          signal?.removeEventListener('abort', abort);
          reject(error as Error);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.set(queue, [...(this.#waiting.get(queue) ?? []), waiter]);
    });
  }

  /** There may be room. P2. */
  look(): void {
    for (const [queue, waiting] of this.#waiting) {
      for (let first = waiting[0]; first !== undefined && !isFull(this.#rows(), first.submission); first = waiting[0]) {
        waiting.shift();
        first.go();
      }
      if (waiting.length === 0) this.#waiting.delete(queue);
    }
  }

  /** Nothing will be queued any more. */
  end(error: PerdureError): void {
    this.#ended = error;
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const { fail } of all) fail(error);
  }

  #leave(queue: string, waiter: Waiter): void {
    const rest = (this.#waiting.get(queue) ?? []).filter((other) => other !== waiter);
    if (rest.length > 0) this.#waiting.set(queue, rest);
    else this.#waiting.delete(queue);
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
