/**
 * Makes any tree of XState actors durable. Read this file first; it is the whole loop:
 *
 *   run the turn        `send`, a due timer, the result of an effect: XState runs it to the end, synchronously
 *   collect and write   `write`: the rows of the actors that changed (tree.ts), into the store's open transaction
 *   commit              the store, for all turns of the batch at once (store.ts)
 *   release             `committed`: acknowledgements, effects, subscribers; nobody hears anything before
 *
 * D1  An awaited `send` that resolved is on disk with everything that it caused.
 * D2  A `send` that did not resolve happened whole or not at all; repeated with the same id it is applied once.
 * D3  After any failure the live tree is dropped and only what is read back from the rows counts; `actor` is then
 *     another object.
 */
import type { ActorRefFrom, EventFromLogic, InspectionEvent, Observer, OutputFrom, SnapshotFrom } from 'xstate';
import { PerdureError } from '../errors.ts';
import type { Clock } from './clock.ts';
import { Listeners } from './listeners.ts';
import type { Migrate } from './restore.ts';
import { Store, type CommitReport, type Participant, type Stimulus, type StoreOptions } from './store.ts';
import { isStoreFailure, sqliteError, type Durability } from './sqlite.ts';
import { LiveTree, type TreeHost, type TreeOptions } from './tree.ts';
import type { Timer } from './timers.ts';
import {
  failureInsteadOf,
  listensTo,
  pathOf,
  type AnyEventObject,
  type AnyRef,
  type AnySnapshot,
  type Logic,
} from './xstate-port.ts';
import { watchCommands } from './commands.ts';
import { proveXStateOnce } from './xstate-self-test.ts';

/** Options of {@link createDurableActor}. */
export interface DurableOptions<TLogic extends Logic> extends StoreOptions {
  /** The path of the SQLite file, or an open store, which keeps its own clock, durability, onCommit and dedupeForMs. */
  readonly store: string | Store;
  /** Which tree in that store. Default: `main`. */
  readonly id?: string;
  /** Used only when the tree does not exist yet. */
  readonly input?: InputOf<TLogic>;
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void);
  readonly logger?: (...args: unknown[]) => void;
  readonly clock?: Clock;
  /** What an acknowledgement survives. Default: `power-loss`, an fsync per commit. */
  readonly durability?: Durability;
  /** Told after every commit, before anybody else. */
  readonly onCommit?: (report: CommitReport) => void;
  /** Brings the stored state of another version of a machine to this one. */
  readonly migrate?: Migrate;
}

type InputOf<TLogic> = TLogic extends { getInitialSnapshot: (scope: never, input: infer TInput) => unknown }
  ? TInput
  : never;

/** Options of {@link DurableActor.send}. */
export interface SendOptions {
  /** A systemId, or a path of child ids joined by `/`. Default: the root. */
  readonly to?: string;
  /** Makes a repeat harmless: an id that was accepted before is acknowledged and not applied. Any string; UUIDs v7 are fastest. */
  readonly id?: string;
}

/** What an acknowledged `send` says. */
export interface Receipt {
  /** The turn in which it was committed, or, for a repeat, in which its acknowledgement was. */
  readonly turn: number;
  /** False for a repeat of an id that had been accepted before. */
  readonly applied: boolean;
}

/** What was found when the tree came back. */
export interface Resumption {
  readonly turn: number;
  readonly actors: number;
  /** Timers that became due while nobody was there. */
  readonly timersDue: number;
  /** Effects that were running and run again. */
  readonly effects: number;
  readonly ms: number;
}

/**
 * Makes the machine durable: created on the first run, brought back ever after.
 * Throws XSTATE_UNSUPPORTED, and what {@link Store.open} and a restore throw.
 */
export async function createDurableActor<TLogic extends Logic>(
  logic: TLogic,
  options: DurableOptions<TLogic>,
): Promise<DurableActor<TLogic>> {
  proveXStateOnce();
  const store = typeof options.store === 'string' ? Store.open(options.store, options) : options.store;
  const owns = typeof options.store === 'string';
  let durable: DurableActor<TLogic> | undefined;
  try {
    durable = new DurableActor(logic, store, owns, options);
    store.join(durable);
    await durable.opened();
    return durable;
  } catch (error) {
    const reason = isStoreFailure(error) ? sqliteError(error, store.path) : error;
    durable?.discard();
    if (owns) store.drop(reason as PerdureError);
    throw reason;
  }
}

/** A tree of actors that survives. Made by {@link createDurableActor}. */
export class DurableActor<TLogic extends Logic> implements Participant, TreeHost, AsyncDisposable {
  readonly id: string;
  readonly store: Store;
  /** What came back; undefined when the tree was created by this call. */
  readonly resumed: Resumption | undefined;
  readonly #ownsStore: boolean;
  readonly #options: TreeOptions;
  readonly #listeners = new Listeners<SnapshotFrom<TLogic>>();
  readonly #refusals = new Map<number, number>();
  #tree: LiveTree;
  /** The root's state as of the last committed turn, and as of the last written one. */
  #snapshot: AnySnapshot;
  #written: AnySnapshot;
  #unwatch = () => {};
  #started = false;
  #closed = false;

  constructor(logic: TLogic, store: Store, ownsStore: boolean, options: DurableOptions<TLogic>) {
    this.id = options.id ?? 'main';
    this.store = store;
    this.#ownsStore = ownsStore;
    const { input, inspect, logger } = options;
    this.#options = {
      ...this.#register(),
      name: this.id,
      logic,
      root: {
        id: this.id,
        input,
        ...(inspect === undefined ? {} : { inspect }),
        ...(logger === undefined ? {} : { logger }),
      },
      migrate: options.migrate,
    };
    const began = this.#monotonic();
    this.#tree = this.#load();
    this.#snapshot = this.#written = this.#tree.root.getSnapshot() as AnySnapshot;
    this.resumed = this.#resumption(began);
  }

  /** The live actor: what it shows inside a turn may still be undone by a crash. Another object after a reload. */
  get actor(): ActorRefFrom<TLogic> {
    return this.#tree.root as unknown as ActorRefFrom<TLogic>;
  }

  /** The root's state as of the last committed turn. */
  getSnapshot(): SnapshotFrom<TLogic> {
    return this.#snapshot as SnapshotFrom<TLogic>;
  }

  /** Starts the tree; resolves when that is committed. */
  async opened(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const deliver = () => {
        if (!this.#started) this.#start();
      };
      this.#run({ participant: this, deliver, resolve: () => resolve(), reject });
    });
    this.#unwatch = watchCommands(this.store, this.id, (event, sending) => this.send(event as never, sending));
  }

  /**
   * Sends an event; resolves once it and all that it caused are durable.
   * Throws EVENT_INVALID, ACTOR_NOT_FOUND, ACTOR_STOPPED, CODEC_REFUSED, TURN_REFUSED, STORE_FAILED or STORE_CLOSED; the
   * event was then not applied.
   */
  send(event: EventFromLogic<TLogic>, options: SendOptions = {}): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      if (!isEvent(event)) return reject(invalidEvent(event));
      let applied = true;
      const deliver = () => {
        const target = this.#target(options);
        applied =
          target !== undefined && (options.id === undefined || this.store.accept(options.id, this.#options.tree));
        if (applied) target?.send(event);
      };
      this.#run({ participant: this, deliver, resolve: (turn) => resolve({ turn, applied }), reject });
    });
  }

  /** Resolves, with the reason, when nothing more will be committed: it was closed, or the store failed. */
  get ended(): Promise<PerdureError> {
    return this.#listeners.ended;
  }

  /** The root's committed states, from the next one on. */
  subscribe(next: (snapshot: SnapshotFrom<TLogic>) => void): { unsubscribe(): void } {
    return this.#listeners.onSnapshot(next);
  }

  /** What the root emitted in committed turns. `'*'` hears everything. */
  on(type: string, listener: (event: AnyEventObject) => void): { unsubscribe(): void } {
    return this.#listeners.on(type, listener);
  }

  /** The first committed state for which `predicate` holds, the present one included. Throws WAIT_FAILED or ABORTED. */
  waitFor(
    predicate: (snapshot: SnapshotFrom<TLogic>) => boolean,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<SnapshotFrom<TLogic>> {
    return this.#listeners.waitFor(this.getSnapshot(), predicate, options.signal);
  }

  /** The output of the root, once it is done and committed; rejects with its error when it fails. */
  get output(): Promise<OutputFrom<TLogic>> {
    const ended = (snapshot: AnySnapshot) => snapshot.status !== 'active';
    return this.waitFor(ended as never).then((snapshot) => {
      const { status, output, error } = snapshot as AnySnapshot;
      if (status === 'error') throw error;
      return output as OutputFrom<TLogic>;
    });
  }

  /** Commits what is pending, aborts effects, and lets go of the store. The tree goes on when it is opened again. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.store.isOpen) this.store.flush();
    this.discard();
    if (this.#ownsStore) this.store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Drops the live tree and commits nothing more of it. */
  discard(): void {
    this.#closed = true;
    this.#unwatch();
    this.#tree.drop();
    this.store.leave(this);
    this.#listeners.end(this.#closedError());
  }

  #closedError(): PerdureError {
    return new PerdureError('STORE_CLOSED', `The tree "${this.id}" was closed: open it again.`);
  }

  // The store asks.

  get condemned(): boolean {
    return this.#tree.condemned;
  }

  write(turn: number): void {
    this.#tree.write(turn);
    this.#written = this.#tree.root.getSnapshot() as AnySnapshot;
  }

  committed(): void {
    const snapshot = this.#written;
    const changed = snapshot !== this.#snapshot;
    this.#snapshot = snapshot;
    this.#tree.committed();
    if (changed) this.#listeners.snapshot(snapshot as SnapshotFrom<TLogic>);
  }

  reload(): void {
    this.#tree.drop();
    this.#started = false;
    this.#tree = this.#load();
    this.#snapshot = this.#written = this.#tree.root.getSnapshot() as AnySnapshot;
    if (this.#tree.restoredTurn === undefined) return;
    this.#start();
    this.#listeners.emit({ type: 'reopened' });
  }

  failed(error: PerdureError): void {
    this.#tree.drop();
    this.#unwatch();
    this.#listeners.end(error);
  }

  // The tree asks.

  fire(timer: Timer): void {
    const tree = this.#tree;
    const deliver = () => {
      // After a refusal in its batch the timer is in its row again, and in the queue of a new tree.
      const due = this.#tree === tree ? timer : this.#tree.timers.take(timer.id);
      due?.target.send(due.event);
    };
    this.#run({
      participant: this,
      deliver,
      resolve: () => {},
      reject: (error) => this.#timerRefused(timer, error),
    });
  }

  resulted(actor: number, event: AnyEventObject): void {
    if (!this.store.isOpen) return;
    const deliver = () => this.#tree.actorOf(actor)?.send(event);
    const reject = (error: PerdureError) => {
      if (!this.store.isOpen) return;
      const fail = () => this.#tree.actorOf(actor)?.send(failureInsteadOf(event, error));
      const note = (again: PerdureError) => {
        if (this.store.isOpen) this.store.incident('effect.refused', again.message);
      };
      this.#run({ participant: this, deliver: fail, resolve: () => {}, reject: note });
    };
    this.store.note({ participant: this, deliver, resolve: () => {}, reject });
  }

  touched(): void {
    this.store.touch(this);
  }

  #start(): void {
    this.#started = true;
    const { root, restoredTurn } = this.#tree;
    root.on('*', (event) => this.store.afterCommit(() => this.#listeners.emit(event as AnyEventObject)));
    this.#tree.start();
    if (
      restoredTurn !== undefined &&
      root.getSnapshot().status === 'active' &&
      listensTo(this.#options.logic, 'runtime.resumed')
    ) {
      root.send({ type: 'runtime.resumed', at: this.store.clock.now(), turn: restoredTurn });
    }
    this.#tree.timers.start();
  }

  #run(stimulus: Stimulus): void {
    try {
      if (this.#closed) throw this.#closedError();
      this.store.run(stimulus);
    } catch (error) {
      stimulus.reject(error as PerdureError);
    }
  }

  /** Who is to get the event; undefined for a repeat whose actor has ended since, perhaps by that very event. */
  #target({ to: address, id }: SendOptions): AnyRef | undefined {
    const target = address === undefined ? this.#tree.root : this.#tree.find(address);
    if (target?.getSnapshot().status === 'active') return target;
    if (id !== undefined && this.store.hasAccepted(id, this.#options.tree)) return undefined;
    if (target === undefined) {
      throw new PerdureError(
        'ACTOR_NOT_FOUND',
        `No actor "${address}" in the tree "${this.id}": give a systemId or a path.`,
        {
          facts: { to: address },
        },
      );
    }
    const { status } = target.getSnapshot() as AnySnapshot;
    throw new PerdureError('ACTOR_STOPPED', `The actor "${pathOf(target)}" is ${status} and takes no events.`, {
      facts: { to: address, status },
    });
  }

  #monotonic(): number {
    const { clock } = this.store;
    return clock.monotonic?.() ?? clock.now();
  }

  #load(): LiveTree {
    return new LiveTree(this.store, this.#options, this);
  }

  #register(): { tree: number; generation: number } {
    const { statements, clock } = this.store;
    const find = statements.of('select tree, generation from trees where name = ?');
    const found = find.get(this.id) as { tree: number; generation: number } | undefined;
    if (found !== undefined) return found;
    statements.of('insert into trees(name, generation, created_at) values (?, 1, ?)').run(this.id, clock.now());
    return find.get(this.id) as { tree: number; generation: number };
  }

  #resumption(began: number): Resumption | undefined {
    const { restoredTurn: turn, size } = this.#tree;
    if (turn === undefined) return undefined;
    const { statements, clock } = this.store;
    const due = statements.of('select count(*) as n from timers where tree = ? and due <= ?');
    const { n } = due.get(this.#options.tree, clock.now()) as { n: number };
    return { turn, actors: size, timersDue: n, effects: this.#tree.restartCount, ms: this.#monotonic() - began };
  }

  /** S2 for timers: the same event refused three times will be refused for ever, so it is put aside, visibly. */
  #timerRefused(timer: Timer, error: PerdureError): void {
    if (!this.store.isOpen) return;
    const times = (this.#refusals.get(timer.id) ?? 0) + 1;
    this.#refusals.set(timer.id, times);
    if (times < 3) return;
    this.#refusals.delete(timer.id);
    this.store.incident('timer.deadLettered', `${timer.event.type}: ${error.message}`);
    this.#tree.timers.take(timer.id);
  }
}

function isEvent(event: unknown): event is AnyEventObject {
  return typeof event === 'object' && event !== null && typeof (event as { type?: unknown }).type === 'string';
}

function invalidEvent(event: unknown): PerdureError {
  return new PerdureError(
    'EVENT_INVALID',
    `An event is an object with a string \`type\`; got ${event === null ? 'null' : typeof event}${
      typeof event === 'object' && event !== null ? ' without one' : ''
    }.`,
  );
}
