/**
 * What a turn wants done after its commit, as rows of that turn: durable actions, and events for other trees. It belongs to
 * the tree's handle and not to its live actors, so that what runs goes on when a turn of the tree is refused.
 *
 *   write ──(commit)──> release ──> #next ──> #act, #deliver ──(commit)──> #next ...
 *                                     ^                │
 *                                     └── the back-off ┴─ #failed ──> a dead letter
 *
 * O1  A row is written in the turn that caused it, and taken up only after the commit.
 * O2  Rows of one actor are done in their order, one at a time; those of different actors beside each other.
 * O3  A durable action is run at least once. Every attempt is counted on disk before it begins, so that one which kills the
 *     process is counted too; one that a close cut off is not. A failed one is tried again after a back-off that is on disk;
 *     after its last attempt it is dead: it stays as a row, with an incident, lets the next one pass, and can be tried again
 *     by hand.
 * O4  An event for another tree is applied once: its row goes in the turn that the event begins there.
 */
import { PerdureError, messageOf, saysRetryable } from '../errors.ts';
import type { Commits } from './commits.ts';
import type { DurableActionContext, DurableActionHandler } from './durable-action.ts';
import {
  buryRow,
  insertRow,
  postponeRow,
  readOutbox,
  removeRow,
  startRow,
  type OutboxRow,
  type StoredRow,
} from './outbox-rows.ts';

/** What the outbox needs of its tree. */
export interface OutboxHost {
  readonly commits: Commits;
  /** The number of the tree. */
  readonly number: number;
  readonly id: string;
  /** The turn at which the tree was last taken back to another; 0 when it never was. */
  readonly restoredAt: number;
  /** The stable key of a row. */
  keyOf(row: number): string;
  handlerOf(name: string): DurableActionHandler | undefined;
  paramsOf(row: OutboxRow): unknown;
  /** Delivers an event to another tree; its row goes in the turn that it begins there. */
  deliver(row: OutboxRow): Promise<void>;
  /** Nothing is left. */
  emptied(): void;
}

/** Something to be done. */
interface Entry {
  readonly row: OutboxRow;
  /** Attempts that are counted on disk. */
  attempt: number;
  /** Whether the last of them has not begun. */
  isCounted: boolean;
  /** Whether its handler runs. */
  isRunning: boolean;
  due: number;
  /** The longest that it still waits, ms, whatever the wall clock does. */
  patience: number;
}

/** What one actor wants. */
interface Queue {
  readonly source: number;
  waiting: Entry[];
  /** What is being done. */
  current: Entry | undefined;
  /** Aborts it. */
  readonly abort: AbortController;
  timer: unknown;
}

/** How often a durable action is tried, and how long it waits in between: doubled each time. */
export interface OutboxRetry {
  /** Attempts in all. */
  readonly attempts: number;
  /** The first wait, ms. */
  readonly delayMs: number;
  /** The longest wait, ms. */
  readonly capMs: number;
}

export const DEFAULT_RETRY: OutboxRetry = { attempts: 8, delayMs: 200, capMs: 60_000 };
/** A wait is looked at again after so long, so that a suspended machine and a wait beyond 32 bits are ordinary. */
const RECHECK_MS = 30_000;

export class Outbox {
  readonly #host: OutboxHost;
  /** By the row id of the actor. */
  readonly #queues = new Map<number, Queue>();
  /** Written by the turns of the open batch, to be taken up after the commit. */
  #written: Entry[] = [];
  /** The actors that wrote them. */
  readonly #writing = new Set<number>();
  /** Whether rows were found on disk that wait for the next commit. */
  #isResumed = false;
  #closed = false;
  /** Of the turn to which the tree was taken back: they may have been done since, so they are not done by themselves. */
  #restored: OutboxRow[] = [];

  constructor(host: OutboxHost) {
    this.#host = host;
  }

  /** Whether nothing waits and nothing runs. */
  get isEmpty(): boolean {
    return this.#queues.size === 0 && this.#written.length === 0;
  }

  /** Goes by what is on disk, after a restart, or after turns were undone; what is being done goes on. */
  resume(): void {
    this.#forget();
    const underway = new Set<number>();
    for (const queue of this.#queues.values()) {
      queue.waiting = [];
      if (queue.current !== undefined) underway.add(queue.current.row.id);
    }
    this.#restored = [];
    for (const row of readOutbox(this.#host.commits.statements, this.#host.number)) {
      if (this.#mustAsk(row)) this.#restored.push(row);
      else if (!underway.has(row.id)) this.#enqueue(entryOf(row, this.#patienceOf(row)));
    }
    this.#isResumed = this.#queues.size > 0;
  }

  /** Puts aside what waited at the turn to which the tree was taken back: as dead letters, which somebody may try again. */
  putAside(): void {
    const { commits, id, number } = this.#host;
    const { rows, clock, payloads } = commits;
    for (const { id: row, attempt, kind, name } of this.#restored.splice(0)) {
      const what = kind === 'action' ? `The durable action "${name}"` : `The event for the tree "${name}"`;
      const why = 'it waited at the turn to which the tree was taken back, and may have been done since';
      const error = payloads.seal(why, () => `outbox ${row} error`);
      buryRow(rows, row, { attempt, at: clock.now(), error });
      const detail = `${what} of "${id}" is not done by itself: ${why}.`;
      commits.incident({ kind: 'outbox.deadLettered', detail, tree: number, isOfTurn: true });
    }
  }

  #mustAsk(row: StoredRow): boolean {
    if (row.from_turn > this.#host.restoredAt) return false;
    return row.kind === 'event' || this.#host.handlerOf(row.name)?.onRestore !== 'run';
  }

  /** Writes what the turn wants done. */
  write(wanted: Pick<OutboxRow, 'id' | 'source' | 'kind' | 'name' | 'payload'>, turn: number): void {
    const { commits, number } = this.#host;
    const { source, kind } = wanted;
    // What begins with the commit is counted in it.
    const isCounted = kind === 'action' && !this.#queues.has(source) && !this.#writing.has(source);
    this.#writing.add(source);
    const due = commits.clock.now();
    const row = { ...wanted, due, attempt: isCounted ? 1 : 0, dead_at: null, error: null };
    insertRow(commits.statements, number, row, turn);
    commits.count(1, row.payload.length);
    this.#written.push({ ...entryOf(row, 0), isCounted });
  }

  /** The turn is on disk. */
  release(): void {
    if (this.#written.length === 0 && !this.#isResumed) return;
    const written = this.#written;
    this.#forget();
    this.#isResumed = false;
    for (const entry of written) this.#enqueue(entry);
    for (const queue of Array.from(this.#queues.values())) this.#next(queue);
  }

  /** Takes up a row that was dead. */
  revive(row: OutboxRow): void {
    const queue = this.#queues.get(row.source);
    // Opened for it, the tree has found it on disk.
    const isKnown = [queue?.current, ...(queue?.waiting ?? [])].some((entry) => entry?.row.id === row.id);
    if (isKnown || this.#closed) return;
    this.#enqueue(entryOf(row, 0));
    this.#next(this.#queues.get(row.source) as Queue);
  }

  /** Aborts what runs, and does not count it: the host closes the tree. The rows stay. */
  rest(): void {
    if (this.#closed) return;
    const { commits } = this.#host;
    const cutOff = [...this.#queues.values()].flatMap(({ current }) => current ?? []);
    this.close();
    const running = cutOff.filter(({ isRunning }) => isRunning);
    if (running.length === 0) return;
    const undo = () => running.forEach(({ row, attempt }) => startRow(commits.rows, row.id, attempt - 1));
    // The commit that cannot be made is the host's to hear of, where it closes the store.
    commits.transact(undo).catch(() => {});
  }

  /** Aborts what runs; the rows stay. */
  close(): void {
    this.#closed = true;
    for (const { abort, timer } of this.#queues.values()) {
      abort.abort(new PerdureError('STORE_CLOSED', `The tree "${this.#host.id}" was closed.`));
      if (timer !== undefined) this.#host.commits.clock.clearTimeout(timer);
    }
    this.#queues.clear();
    this.#forget();
  }

  #forget(): void {
    this.#written = [];
    this.#writing.clear();
  }

  #enqueue(entry: Entry): void {
    const { source } = entry.row;
    const queue = this.#queues.get(source);
    if (queue !== undefined) queue.waiting.push(entry);
    else {
      const fresh = { source, waiting: [entry], current: undefined, abort: new AbortController(), timer: undefined };
      this.#queues.set(source, fresh);
    }
  }

  /** O2. */
  #next(queue: Queue): void {
    const { commits } = this.#host;
    if (this.#closed || !commits.isOpen || queue.current !== undefined || queue.timer !== undefined) return;
    const [entry] = queue.waiting;
    if (entry === undefined) {
      this.#queues.delete(queue.source);
      return this.#host.emptied();
    }
    const wait = Math.min(entry.due - commits.clock.now(), entry.patience, RECHECK_MS);
    if (wait > 0) {
      entry.patience -= wait;
      queue.timer = commits.clock.setTimeout(() => {
        queue.timer = undefined;
        this.#next(queue);
      }, wait);
      return;
    }
    queue.waiting.shift();
    queue.current = entry;
    void this.#do(entry, queue);
  }

  async #do(entry: Entry, queue: Queue): Promise<void> {
    try {
      if (entry.row.kind === 'event') await this.#deliver(entry, queue);
      else await this.#act(entry, queue);
    } catch (error) {
      // The store failed: what is on disk is read again when it is open.
      if (this.#host.commits.isOpen && !this.#closed) throw error;
    } finally {
      queue.current = undefined;
    }
    this.#next(queue);
  }

  /** O4. */
  async #deliver(entry: Entry, queue: Queue): Promise<void> {
    try {
      await this.#host.deliver(entry.row);
    } catch (error) {
      if (this.#closed || !this.#host.commits.isOpen) return;
      entry.attempt += 1;
      await this.#failed(entry, queue, error, saysRetryable(error) === true);
    }
  }

  /** O3. */
  async #act(entry: Entry, queue: Queue): Promise<void> {
    const { commits } = this.#host;
    const { row } = entry;
    if (!entry.isCounted && !(await this.#count(entry, queue))) return;
    entry.isCounted = false;
    try {
      await this.#perform(entry, queue.abort.signal);
    } catch (error) {
      if (this.#closed) return;
      return this.#failed(entry, queue, error, saysRetryable(error) !== false);
    }
    if (this.#closed) return;
    // The next one begins with the commit that ends this one.
    const next = queue.waiting.slice(0, 1).filter(isFresh);
    await commits.transact(() => {
      removeRow(commits.rows, row.id);
      for (const { row: other } of next) startRow(commits.rows, other.id, 1);
    });
    for (const other of next) Object.assign(other, { attempt: 1, isCounted: true });
  }

  /** Commits the number of the attempt; false when the row is gone, or its last attempt was cut off. */
  async #count(entry: Entry, queue: Queue): Promise<boolean> {
    const { commits } = this.#host;
    const { row } = entry;
    if (entry.attempt >= this.#retryOf(row).attempts) {
      const error = new Error('the process ended while its last attempt ran');
      await this.#failed(entry, queue, error, false);
      return false;
    }
    let isThere = false;
    await commits.transact(() => (isThere = startRow(commits.rows, row.id, entry.attempt + 1)));
    entry.attempt += 1;
    return isThere && !this.#closed;
  }

  async #perform(entry: Entry, signal: AbortSignal): Promise<void> {
    const { row, attempt } = entry;
    const handler = this.#host.handlerOf(row.name);
    if (handler === undefined) {
      throw new PerdureError(
        'LOGIC_MISSING',
        `The outbox of "${this.#host.id}" holds the durable action "${row.name}", which no machine of the tree declares: ` +
          'add durableAction() under that name again.',
        { facts: { action: row.name } },
      );
    }
    const context: DurableActionContext = { key: this.#host.keyOf(row.id), attempt, signal };
    entry.isRunning = true;
    try {
      await handler.run(this.#host.paramsOf(row) as never, context);
    } finally {
      entry.isRunning = false;
    }
  }

  /** O3: again after the back-off, or never. */
  async #failed(entry: Entry, queue: Queue, cause: unknown, isRetryable: boolean): Promise<void> {
    const { commits, id, number } = this.#host;
    const { row, attempt } = entry;
    const now = commits.clock.now();
    const shown = commits.payloads.shownText(messageOf(cause));
    const error = commits.payloads.seal(shown, () => `outbox ${row.id} error`);
    if (isRetryable && attempt < this.#retryOf(row).attempts) {
      const patience = this.#backOff(row, attempt);
      const due = now + patience;
      await commits.transact(() => postponeRow(commits.rows, row.id, { attempt, due, error }));
      if (!this.#closed) queue.waiting.unshift(Object.assign(entry, { due, patience }));
      return;
    }
    const what = row.kind === 'action' ? `The durable action "${row.name}"` : `The event for the tree "${row.name}"`;
    const detail = `${what} of "${id}" was given up after attempt ${attempt}: ${shown}`;
    await commits.transact(() => {
      buryRow(commits.rows, row.id, { attempt, at: now, error });
      commits.incident({ kind: 'outbox.deadLettered', detail, tree: number });
    });
  }

  #retryOf({ name, kind }: OutboxRow): OutboxRetry {
    return (kind === 'action' ? this.#host.handlerOf(name)?.retry : undefined) ?? DEFAULT_RETRY;
  }

  #backOff(row: OutboxRow, attempt: number): number {
    const { delayMs, capMs } = this.#retryOf(row);
    return Math.min(delayMs * 2 ** (attempt - 1), capMs);
  }

  #patienceOf(row: OutboxRow): number {
    return row.attempt === 0 ? 0 : this.#backOff(row, row.attempt);
  }
}

function entryOf(row: OutboxRow, patience: number): Entry {
  return { row, attempt: row.attempt, isCounted: false, isRunning: false, due: row.due, patience };
}

function isFresh({ row, attempt }: Entry): boolean {
  return row.kind === 'action' && attempt === 0;
}
