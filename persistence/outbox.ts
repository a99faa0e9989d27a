/**
 * What a turn wants done after its commit, as rows of that turn: durable actions, and events for other trees.
 *
 * O1  A row is written in the turn that caused it, and taken up only after the commit.
 * O2  Rows of one actor are done in their order, one at a time; those of different actors beside each other.
 * O3  A durable action is run at least once. A failed one is tried again after a back-off that is on disk; after its last
 *     attempt it is dead: it stays as a row, with an incident, lets the next one pass, and can be tried again by hand.
 * O4  An event for another tree is applied once: its row goes in the turn that the event begins there.
 */
import { PerdureError, messageOf } from '../errors.ts';
import type { Commits } from './commits.ts';
import type { DurableActionContext, DurableActionHandler } from './durable-action.ts';
import { buryRow, insertRow, postponeRow, readOutbox, removeRow, type OutboxRow } from './outbox-rows.ts';

/** What the outbox needs of its tree. */
export interface OutboxHost {
  readonly commits: Commits;
  /** The number of the tree. */
  readonly number: number;
  readonly id: string;
  /** The stable key of a row. */
  keyOf(row: number): string;
  handlerOf(name: string): DurableActionHandler | undefined;
  /** Delivers an event to another tree, and calls `remove` in the turn that it begins. */
  deliver(row: OutboxRow, remove: () => void): Promise<void>;
  /** Something was done, or became due: nothing is left when it is empty. */
  changed(): void;
  payloadOf(row: OutboxRow): unknown;
}

interface Queue {
  readonly rows: OutboxRow[];
  /** Aborts what is being done. */
  running: AbortController | undefined;
  timer: unknown;
}

export class Outbox {
  readonly #host: OutboxHost;
  /** By the row id of the actor that wants it. */
  readonly #queues = new Map<number, Queue>();
  /** Written by the turns of the open batch, to be taken up after the commit. */
  #written: OutboxRow[] = [];
  #closed = false;

  constructor(host: OutboxHost) {
    this.#host = host;
  }

  /** Whether nothing waits and nothing runs. */
  get isEmpty(): boolean {
    return this.#queues.size === 0 && this.#written.length === 0;
  }

  /** Takes up what an earlier life left. */
  resume(): void {
    for (const row of readOutbox(this.#host.commits.statements, this.#host.number)) this.#enqueue(row);
    for (const [source, queue] of this.#queues) this.#next(source, queue);
  }

  /** Writes what the turn wants done. */
  write(wanted: Pick<OutboxRow, 'id' | 'source' | 'kind' | 'name' | 'payload'>, turn: number): void {
    const { commits, number } = this.#host;
    const row = { ...wanted, due: commits.clock.now(), attempt: 0, dead_at: null, error: null };
    insertRow(commits.statements, number, row, turn);
    commits.wrote(1, row.payload.length);
    this.#written.push(row);
  }

  /** The turn is on disk. */
  release(): void {
    if (this.#written.length === 0) return;
    const written = this.#written;
    this.#written = [];
    for (const row of written) this.#enqueue(row);
    for (const { source } of written) {
      const queue = this.#queues.get(source);
      if (queue !== undefined) this.#next(source, queue);
    }
  }

  /** Gives a dead row another round of attempts. */
  revive(row: OutboxRow): void {
    // Opened for it, the tree has found it in its rows.
    if (this.#queues.get(row.source)?.rows.some(({ id }) => id === row.id) === true) return;
    this.#enqueue(row);
    const queue = this.#queues.get(row.source);
    if (queue !== undefined) this.#next(row.source, queue);
  }

  /** Aborts what runs; the rows stay. */
  close(): void {
    this.#closed = true;
    for (const { running, timer } of this.#queues.values()) {
      running?.abort(new PerdureError('STORE_CLOSED', `The tree "${this.#host.id}" was closed.`));
      if (timer !== undefined) this.#host.commits.clock.clearTimeout(timer);
    }
    this.#queues.clear();
  }

  #enqueue(row: OutboxRow): void {
    const queue = this.#queues.get(row.source);
    if (queue === undefined) this.#queues.set(row.source, { rows: [row], running: undefined, timer: undefined });
    else queue.rows.push(row);
  }

  /** O2. */
  #next(source: number, queue: Queue): void {
    if (this.#closed || queue.running !== undefined || queue.timer !== undefined) return;
    const [row] = queue.rows;
    if (row === undefined) {
      this.#queues.delete(source);
      return this.#host.changed();
    }
    const { clock } = this.#host.commits;
    const wait = row.due - clock.now();
    if (wait <= 0) return void this.#do(row, source, queue);
    queue.timer = clock.setTimeout(
      () => {
        queue.timer = undefined;
        this.#next(source, queue);
      },
      Math.min(wait, MAX_WAIT_MS),
    );
  }

  async #do(row: OutboxRow, source: number, queue: Queue): Promise<void> {
    const running = (queue.running = new AbortController());
    const done = () => {
      queue.running = undefined;
      queue.rows.shift();
    };
    try {
      if (row.kind === 'event') await this.#host.deliver(row, () => removeRow(this.#host.commits.rows, row.id));
      else await this.#perform(row, running.signal);
      if (this.#closed) return;
      if (row.kind === 'action') removeRow(this.#host.commits.rows, row.id);
      done();
    } catch (error) {
      if (this.#closed || !this.#host.commits.isOpen) return;
      queue.running = undefined;
      if (this.#failed(row, error)) done();
    }
    this.#next(source, queue);
  }

  async #perform(row: OutboxRow, signal: AbortSignal): Promise<void> {
    const handler = this.#host.handlerOf(row.name);
    if (handler === undefined) {
      throw new PerdureError(
        'LOGIC_MISSING',
        `The outbox of "${this.#host.id}" holds the durable action "${row.name}", which no machine of the tree declares: ` +
          'add durableAction() under that name again.',
        { facts: { action: row.name } },
      );
    }
    const context: DurableActionContext = { key: this.#host.keyOf(row.id), attempt: row.attempt + 1, signal };
    await handler.run(this.#host.payloadOf(row) as never, context);
  }

  /** O3. Gives whether the row is dead. */
  #failed(row: OutboxRow, error: unknown): boolean {
    const { commits, id, number } = this.#host;
    const policy = this.#host.handlerOf(row.name)?.retry ?? DEFAULT_RETRY;
    const attempt = row.attempt + 1;
    const { retryable } = (error ?? {}) as { retryable?: unknown };
    const isLast = attempt >= policy.attempts || retryable === false || (row.kind === 'event' && retryable !== true);
    const now = commits.clock.now();
    const message = messageOf(error);
    if (isLast) {
      buryRow(commits.rows, row, { attempt, at: now, error: message });
      const what = row.kind === 'action' ? `The durable action "${row.name}"` : `The event for the tree "${row.name}"`;
      const detail = `${what} of "${id}" failed ${attempt} times: ${message}`;
      commits.incident({ kind: 'outbox.deadLettered', detail, tree: number });
      return true;
    }
    const due = now + Math.min(policy.delayMs * 2 ** (attempt - 1), policy.capMs);
    postponeRow(commits.rows, row, { attempt, due, error: message });
    Object.assign(row, { attempt, due, error: message });
    return false;
  }
}

/** How often a durable action is tried, and how long it waits in between: doubled each time. */
export interface OutboxRetry {
  readonly attempts: number;
  readonly delayMs: number;
  readonly capMs: number;
}

export const DEFAULT_RETRY: OutboxRetry = { attempts: 8, delayMs: 200, capMs: 60_000 };
/** A wait is looked at again after so long, so that a suspended machine and long waits are ordinary. */
const MAX_WAIT_MS = 30_000;
