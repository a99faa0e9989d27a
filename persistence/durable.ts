/**
 * Makes any tree of XState actors durable. Read this file first; it is the whole loop:
 *
 *   run the turn        `send`, a due timer, the result of an effect: XState runs it to the end, synchronously
 *   collect and write   `write`: the rows of the actors that changed (tree.ts), into the store's open transaction
 *   commit              the store, for all turns of the batch at once (commits.ts)
 *   release             `committed`: acknowledgements, effects, subscribers; nobody hears anything before
 *
 * D1  An awaited `send` that resolved is on disk with everything that it caused.
 * D2  A `send` that did not resolve happened whole or not at all; repeated with the same id it is applied once.
 * D3  After any failure the live tree is dropped and only what is read back from the rows counts; `actor` is then
 *     another object.
 */
import type { ActorRefFrom, EventFromLogic, InspectionEvent, Observer, OutputFrom, SnapshotFrom } from 'xstate';
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import type { Participant, Stimulus } from './batch.ts';
import type { Cause, TurnRecord } from './history.ts';
import type { Commits } from './commits.ts';
import { compareTurns, type TurnDifference } from './compare-turns.ts';
import { durableActionsOf, type DurableActionHandler } from './durable-action.ts';
import { fallBack, type FallenBack } from './fallback.ts';
import { Listeners } from './listeners.ts';
import type { Migrations } from './migrations.ts';
import { Outbox, type OutboxHost } from './outbox.ts';
import { isWaiting, takeRow, type OutboxRow } from './outbox-rows.ts';
import type { Store } from './store.ts';
import { refuseUnstorable } from './codec.ts';
import { isStoreFailure } from './sqlite.ts';
import { findTree } from './tree-rows.ts';
import { asDamage, damageOf, goBack, storedTree } from './time-travel.ts';
import { LiveTree, type Interruption, type TreeHost, type TreeOptions } from './tree.ts';
import { areShared, rolledBackTables } from './versioned-tables.ts';
import type { Timer } from './timers.ts';
import {
  failureInsteadOf,
  isStorable,
  listensTo,
  pathOf,
  type AnyEventObject,
  type AnyRef,
  type AnySnapshot,
  type Logic,
} from './xstate-port.ts';

/** Options of a tree. */
export interface TreeSettings<TLogic extends Logic> {
  /** Which tree in the store. */
  readonly id: string;
  /** Used only when the tree does not exist yet. */
  readonly input?: InputOf<TLogic> | undefined;
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void);
  readonly logger?: (...args: unknown[]) => void;
  /** Brings the stored state of other versions of its machines to these. */
  readonly migrate?: Migrations | undefined;
}

/** What the store keeps to itself about a tree. */
export interface TreeOwnership {
  /** The name of the machine in a store that opens its trees by itself. */
  readonly machine?: string;
  /** Called instead of closing it, when the host closes a tree that others may use. */
  readonly letGo?: () => void;
  /** Called when the host has closed the tree. */
  readonly onClose?: () => void;
}

export type InputOf<TLogic> = TLogic extends { getInitialSnapshot: (scope: never, input: infer TInput) => unknown }
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
  /** Effects that were running and wait for {@link DurableActor.decide}. */
  readonly asked: number;
  /** The turn of the checkpoint that took the place of damaged rows; undefined where none was damaged. */
  readonly fellBackTo?: number;
  /** How long that took. */
  readonly ms: number;
}

/** Options of {@link DurableActor.restore}. */
export interface RestoreOptions {
  /**
   * The tables of subsystems that go back with the tree. Default: all but those that are declared with `rolledBack: false`, which
   * is refused while the store has other trees, because the tables may be theirs.
   */
  readonly tables?: readonly string[];
}

/** What became of a tree that was taken back to a kept turn. */
export interface Restoration {
  /** The turn that it was taken back to. */
  readonly from: number;
  /** The turn in which it was. */
  readonly turn: number;
  /** The turn before, which is named now: restoring it undoes this. */
  readonly before: number;
  readonly actors: number;
  /** Timers that are due. */
  readonly timersDue: number;
  /** Effects of that turn that run again. */
  readonly effects: number;
  /** Effects of that turn that wait for {@link DurableActor.decide}: those of logic without {@link onRestore}. */
  readonly asked: number;
  readonly ms: number;
}

/** A tree of actors that survives. Made by `createDurableActor` or `store.open`. */
export class DurableActor<TLogic extends Logic> implements Participant, TreeHost, OutboxHost, AsyncDisposable {
  readonly id: string;
  readonly store: Store;
  /** What came back; undefined when the tree was created by this call. */
  readonly resumed: Resumption | undefined;
  readonly #commits: Commits;
  readonly #ownership: TreeOwnership;
  #options: TreeOptions;
  readonly #listeners = new Listeners<SnapshotFrom<TLogic>>();
  readonly #refusals = new Map<number, number>();
  #outbox: Outbox;
  #tree: LiveTree;
  /** The checkpoint that took the place of damaged rows. */
  #fellBackTo: number | undefined;
  /** What the last restore found. */
  #found = { actors: 0, timersDue: 0, effects: 0, asked: 0 };
  /** The root's state as of the last committed turn, and as of the last written one. */
  #snapshot: AnySnapshot;
  #written: AnySnapshot;
  #started = false;
  #closed = false;
  /** Why nothing more will be committed. */
  #over: PerdureError | undefined;
  /** Why it could not be started. */
  #unstarted: PerdureError | undefined;

  constructor(logic: TLogic, store: Store, settings: TreeSettings<TLogic>, ownership: TreeOwnership) {
    this.id = checkedName(settings.id);
    this.store = store;
    this.#commits = store.commits;
    this.#ownership = ownership;
    const { input, inspect, logger } = settings;
    this.#options = {
      ...this.#identity(),
      name: this.id,
      machine: ownership.machine ?? null,
      logic,
      actions: durableActionsOf(logic),
      root: {
        id: this.id,
        input,
        ...(inspect === undefined ? {} : { inspect }),
        ...(logger === undefined ? {} : { logger }),
      },
      migrate: settings.migrate,
    };
    const began = this.#monotonic();
    this.#outbox = new Outbox(this);
    this.#tree = this.#loadOrFallBack();
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
  opened(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const deliver = () => {
        if (!this.#started) this.#start();
      };
      const fail = (error: PerdureError) => {
        if (!this.#started) this.#unstarted = error;
        reject(error);
      };
      const cause: Cause = { kind: this.resumed === undefined ? 'start' : 'resume' };
      this.#run({ participant: this, cause, deliver, resolve: () => resolve(), reject: fail });
    });
  }

  /**
   * Sends an event; resolves once it and all that it caused are durable.
   * Throws EVENT_INVALID, ACTOR_NOT_FOUND, ACTOR_STOPPED, CODEC_REFUSED, TURN_REFUSED or STORE_CLOSED: the event was then not
   * applied. After STORE_FAILED it may have been or not: send it again with the same id.
   */
  send(event: EventFromLogic<TLogic>, options: SendOptions = {}): Promise<Receipt> {
    return this.apply(event as AnyEventObject, options);
  }

  /** Sends an event that somebody left in the store. One that ends the root with an error is refused: it would do so at each start. */
  obey(event: AnyEventObject, options: SendOptions): Promise<Receipt> {
    return this.apply(event, options, undefined, true);
  }

  /** Sends an event; one of an outbox takes its row away in the same turn. `isSpared`: no event may end the root with an error. */
  apply(event: AnyEventObject, options: SendOptions, row?: OutboxRow, isSpared = false): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      if (!isEvent(event)) return reject(invalidEvent(event));
      if (event.type.startsWith('xstate.')) return reject(reservedEvent(event));
      if (options.id !== undefined && typeof options.id !== 'string') return reject(invalidId(options.id));
      let applied = true;
      const kind = row === undefined ? 'send' : 'outbox';
      const cause: Cause = { kind, to: options.to, id: options.id, event };
      const deliver = () => {
        if (!this.#started) throw this.#unstarted ?? this.#closedError();
        const { statements } = this.#commits;
        if (row !== undefined && !isWaiting(statements, row.id)) return void (applied = false);
        const target = this.#target(options);
        refuseUnstorable(event, this.#tree, () => `the event "${event.type}" for "${options.to ?? this.id}"`);
        applied =
          target !== undefined && (options.id === undefined || this.#commits.accept(options.id, this.#options.tree));
        if (row !== undefined) this.#commits.alongside(this, () => takeRow(statements, row.id));
        if (!applied) cause.isRepeat = true;
        else if (isSpared) this.#sendSparing(target, event);
        else this.#sendTo(target, event);
      };
      this.#run({ participant: this, cause, deliver, resolve: (turn) => resolve({ turn, applied }), reject });
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

  /**
   * What the root emitted in committed turns; `'*'` hears everything. And what becomes of the tree itself: `suspended`, with
   * the `error`, when the store failed and is being opened again; `reopened` when the tree was read back from the file, after
   * that, after a turn was refused or when it was taken back to a kept turn; `interrupted`, with the `actor` and the `policy`, when that interrupted an effect which is
   * not to run again by itself.
   */
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

  /**
   * What happened in this tree, oldest first, as far back as the store keeps it: see {@link Store.history}.
   */
  history(query: { readonly from?: number; readonly signal?: AbortSignal } = {}): AsyncIterableIterator<TurnRecord> {
    return this.store.history({ ...query, tree: this.id });
  }

  /**
   * What differs between two kept turns of this tree, or between one and the present: its actors, and the tables of subsystems.
   * Throws CHECKPOINT_UNKNOWN.
   *
   * @example
   * for await (const difference of durable.compare(earlier, later)) console.log(difference);
   */
  compare(a: number, b?: number): AsyncIterableIterator<TurnDifference> {
    this.#commits.assertOpen();
    return compareTurns(this.#commits, this.id, a, b);
  }

  /**
   * The paths of the actors whose effects a restart interrupted, and which wait for {@link decide}. Each is an incident of the
   * kind `effect.interrupted` too, for hosts that look later.
   */
  get interrupted(): readonly string[] {
    return this.#tree.interruptions.asked;
  }

  /**
   * Decides about an effect with `onRestart('ask', ...)` that a restart interrupted: it runs again, or fails with
   * EFFECT_INTERRUPTED. Throws ACTOR_NOT_FOUND when none waits at this path.
   */
  decide(actor: string, decision: 'rerun' | 'fail'): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const deliver = () => {
        if (this.#tree.interruptions.decide(actor, decision)) return;
        throw new PerdureError(
          'ACTOR_NOT_FOUND',
          `No interrupted effect waits at "${actor}" in the tree "${this.id}"; there are: ${this.interrupted.join(', ') || 'none'}.`,
          { facts: { actor } },
        );
      };
      const cause: Cause = { kind: 'send', to: actor, event: { type: 'perdure.effect.decided', decision } };
      this.#run({ participant: this, cause, deliver, resolve: (turn) => resolve({ turn, applied: true }), reject });
    });
  }

  /**
   * Takes the tree back to a kept turn, a checkpoint or one of the history: in one commit every row that it owns becomes what it
   * was, with other keys of effects, and then the live tree is read back, as `reopened` tells. What was committed after stays in
   * the history, and the turn before is named, so that restoring that one undoes this. Accepted message ids stay accepted. What
   * runs outside now is aborted; what ran outside then follows {@link onRestore}.
   * Throws CHECKPOINT_UNKNOWN, CHECKPOINT_DAMAGED, OPTIONS_INVALID, MACHINE_CHANGED and their like: nothing was changed. After
   * STORE_FAILED it may have been or not.
   *
   * @example
   * const { before } = await durable.restore(turn);
   * await durable.restore(before); // as if nothing had been
   */
  async restore(turn: number, options: RestoreOptions = {}): Promise<Restoration> {
    const began = this.#monotonic();
    // Out of whatever is being committed: this is a commit of its own, between two turns.
    await Promise.resolve();
    if (this.#commits.isOpen) this.#commits.flush();
    const now = await new Promise<number>((resolve, reject) => {
      const deliver = () => {
        if (!this.#started) throw this.#unstarted ?? this.#closedError();
        this.#goBack(turn, options);
      };
      const event = { type: 'perdure.tree.restored', turn };
      const done = (at: number) => void this.#startAgain().then(() => resolve(at), reject);
      this.#run({ participant: this, cause: { kind: 'restore', event }, deliver, resolve: done, reject });
      if (this.#commits.isOpen) this.#commits.flush();
    });
    this.#listeners.emit({ type: 'reopened' });
    this.#listeners.snapshot(this.#snapshot as SnapshotFrom<TLogic>);
    return { from: turn, turn: now, before: now - 1, ...this.#found, ms: this.#monotonic() - began };
  }

  /** Commits what is pending, aborts effects, and lets go of the store. The tree goes on when it is opened again. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#ownership.letGo !== undefined) {
      // With the batch that it is in, so that trees that come and go share commits. If that fails, who sent is told.
      if (this.#commits.isOpen && this.#commits.isPending(this)) await this.#commits.transact(() => {}).catch(() => {});
      return this.#ownership.letGo();
    }
    if (this.#commits.isOpen) {
      this.closing();
      this.#commits.flush();
    }
    this.discard();
    this.#ownership.onClose?.();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Drops the live tree and commits nothing more of it. */
  discard(): void {
    this.#closed = true;
    this.#tree.drop();
    this.#outbox.close();
    const reason = this.#closedError();
    this.#commits.leave(this, reason);
    this.#listeners.end(reason);
  }

  #closedError(): PerdureError {
    return new PerdureError('STORE_CLOSED', `The tree "${this.id}" was closed: open it again.`);
  }

  // The store asks.

  get number(): number {
    return this.#options.tree;
  }

  get condemned(): boolean {
    return this.#tree.condemned;
  }

  /** Nothing is under way in it: it can be closed, and comes back as it is. */
  get isIdle(): boolean {
    return this.#tree.isIdle && this.outbox.isEmpty && !this.#commits.isPending(this);
  }

  /** When its next timer is due; undefined when it has none. Wall-clock ms. */
  get nextDue(): number | undefined {
    return this.#tree.timers.nextDue;
  }

  /** It outlives the live tree: what runs outside goes on when a turn is refused. */
  get outbox(): Outbox {
    return this.#outbox;
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
    this.outbox.release();
    if (changed) this.#listeners.snapshot(snapshot as SnapshotFrom<TLogic>);
  }

  reload(): void {
    this.#tree.drop();
    this.#started = false;
    // Whether a restore was committed is only known now.
    const stored = findTree(this.#commits.statements, this.id);
    if (stored !== undefined) this.#options = { ...this.#options, ...this.#identity() };
    this.#tree = this.#load();
    this.#snapshot = this.#written = this.#tree.root.getSnapshot() as AnySnapshot;
    if (this.#tree.restoredTurn === undefined) return;
    this.#start();
    this.#listeners.emit({ type: 'reopened' });
    // A commit whose outcome was unknown may be there.
    this.#listeners.snapshot(this.#snapshot as SnapshotFrom<TLogic>);
  }

  suspended(error: PerdureError): void {
    this.#tree.drop();
    this.#listeners.emit({ type: 'suspended', error });
  }

  failed(error: PerdureError): void {
    this.#over = error;
    this.#tree.drop();
    this.outbox.close();
    this.#listeners.end(error);
  }

  closing(): void {
    this.outbox.rest();
  }

  // The tree asks.

  fire(timer: Timer): void {
    const tree = this.#tree;
    const deliver = () => {
      // After a refusal in its batch the timer is in its row again, and in the queue of a new tree.
      const due = this.#tree === tree ? timer : this.#tree.timers.take(timer.id);
      if (due !== undefined) this.#sendTo(due.target, due.event);
    };
    this.#run({
      participant: this,
      cause: { kind: 'timer', to: pathOf(timer.target), event: timer.event },
      deliver,
      resolve: () => {},
      reject: (error) => this.#timerRefused(timer, error),
    });
  }

  resulted(actor: number, path: string, event: AnyEventObject): void {
    const commits = this.#commits;
    if (!commits.isOpen) return;
    const cause: Cause = { kind: 'result', to: path, event };
    const deliver = () => this.#sendTo(this.#tree.actorOf(actor), event);
    const reject = (error: PerdureError) => {
      if (!commits.isOpen) return;
      const fail = () => this.#sendTo(this.#tree.actorOf(actor), failureInsteadOf(event, error));
      const note = (again: PerdureError) => {
        if (commits.isOpen) commits.incident({ kind: 'effect.refused', detail: again.message, tree: this.number });
      };
      this.#run({ participant: this, cause, deliver: fail, resolve: () => {}, reject: note });
    };
    commits.note({ participant: this, cause, deliver, resolve: () => {}, reject });
  }

  touched(): void {
    this.#commits.touch(this);
  }

  effectInterrupted(actor: string, { attempt, policy, isRestored }: Interruption): void {
    const what = policy === 'ask' ? 'waits for a decision' : 'fails';
    const how = isRestored ? 'ran at the turn to which it was taken back' : `was interrupted in its attempt ${attempt}`;
    const detail = `The effect of "${actor}" in the tree "${this.id}" ${how}, and ${what}.`;
    this.#commits.incident({ kind: 'effect.interrupted', detail, tree: this.number, actor, once: true });
    this.#commits.afterCommit(() => this.#listeners.emit({ type: 'interrupted', actor, policy }), this.number);
  }

  // The outbox asks.

  get commits(): Commits {
    return this.#commits;
  }

  get restoredAt(): number {
    return this.#options.restored ?? 0;
  }

  keyOf(row: number): string {
    return `${this.#commits.file.id}/${this.id}/${this.#options.generation}/${row}`;
  }

  handlerOf(name: string): DurableActionHandler | undefined {
    return this.#options.actions.get(name);
  }

  paramsOf(row: OutboxRow): unknown {
    return this.#tree.payloadOf(row);
  }

  deliver(row: OutboxRow): Promise<void> {
    return this.store.deliver(row, this.paramsOf(row));
  }

  emptied(): void {
    this.store.rested(this);
  }

  #start(): void {
    this.#started = true;
    const { root, restoredTurn } = this.#tree;
    const tell = (event: unknown) => this.#listeners.emit(event as AnyEventObject);
    root.on('*', (event) => this.#commits.afterCommit(() => tell(event), this.number));
    this.#tree.start();
    this.#outbox.putAside();
    if (
      restoredTurn !== undefined &&
      root.getSnapshot().status === 'active' &&
      listensTo(this.#options.logic, 'runtime.resumed')
    ) {
      const restored = this.#tree.isAsRestored ? { restored: true } : {};
      root.send({ type: 'runtime.resumed', at: this.#commits.clock.now(), turn: restoredTurn, ...restored });
    }
    this.#tree.timers.start();
  }

  /** XState keeps what actors throw; what comes out of it all the same, of an inspector say, leaves the turn half done. */
  #sendTo(target: AnyRef | undefined, event: AnyEventObject): void {
    try {
      target?.send(event);
    } catch (error) {
      this.#tree.refused(isPerdureError(error) ? error : turnRefused(event, error));
    }
  }

  /** The same of an event that may not end the root with an error. */
  #sendSparing(target: AnyRef | undefined, event: AnyEventObject): void {
    const wasActive = this.#tree.root.getSnapshot().status === 'active';
    this.#sendTo(target, event);
    const { status, error } = this.#tree.root.getSnapshot() as AnySnapshot;
    if (wasActive && status === 'error') this.#tree.refused(turnRefused(event, error));
  }

  #run(stimulus: Stimulus): void {
    try {
      if (this.#closed) throw this.#closedError();
      if (this.#over !== undefined) throw this.#over;
      this.#commits.run(stimulus);
    } catch (error) {
      stimulus.reject(error as PerdureError);
    }
  }

  /** Who is to get the event; undefined for a repeat whose actor has ended since, perhaps by that very event. */
  #target({ to: address, id }: SendOptions): AnyRef | undefined {
    const target = address === undefined ? this.#tree.root : this.#tree.find(address);
    if (target?.getSnapshot().status === 'active') return target;
    if (id !== undefined && this.#commits.hasAccepted(id, this.#options.tree)) return undefined;
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
    const { clock } = this.#commits;
    return clock.monotonic?.() ?? clock.now();
  }

  #loadOrFallBack(): LiveTree {
    if (this.store.onDamage !== 'checkpoint') return this.#load();
    try {
      return this.#load(true);
    } catch (error) {
      if (!isPerdureError(error, 'ROW_CORRUPT')) throw error;
      return this.#fallBack(error) ?? this.#load();
    }
  }

  /** To the newest checkpoint that is whole, in a commit of its own; undefined when there is none. */
  #fallBack(damage: PerdureError): LiveTree | undefined {
    const commits = this.#commits;
    const { statements, payloads, clock } = commits;
    const tree = storedTree(statements, this.id);
    const tables = rolledBackTables(statements);
    if (areShared(statements, tables)) return undefined;
    const reason = damageOf(statements, tree) ?? damage.message;
    let fallen: FallenBack<LiveTree> | undefined;
    let failure: unknown;
    const options = this.#options;
    const write = () => {
      commits.begin();
      const now = { turn: commits.turn, at: clock.now() };
      const check = (generation: number) => {
        this.#options = { ...options, generation, restored: now.turn };
        return new LiveTree(commits, { ...this.#options, isStrict: true }, this);
      };
      try {
        fallen = fallBack({ statements, payloads, tree, tables, now, reason, check });
      } catch (error) {
        failure = error;
        throw error;
      }
      if (fallen !== undefined) commits.incident(fallen.incident);
    };
    commits.flush();
    // What it throws is known without waiting for it.
    commits.transact(write).catch(() => {});
    commits.flush();
    if (failure !== undefined) throw failure;
    commits.assertOpen();
    if (fallen === undefined) this.#options = options;
    else this.outbox.resume();
    this.#fellBackTo = fallen?.turn;
    return fallen?.checked;
  }

  #load(isStrict = false): LiveTree {
    const tree = new LiveTree(this.#commits, { ...this.#options, isStrict }, this);
    this.#outbox.resume();
    return tree;
  }

  /** Everything is proved on the rows as they will be, before anything of the present is stopped. */
  #goBack(turn: number, options: RestoreOptions): void {
    const { statements, payloads, versions, clock } = this.#commits;
    const before = this.#options;
    this.#commits.begin();
    this.#commits.wrote(this.number, '', []);
    statements.of('savepoint restore').run();
    let fresh: LiveTree;
    try {
      const tree = storedTree(statements, this.id);
      const tables = this.#tablesOf(options);
      const now = { turn: this.#commits.turn, at: clock.now() };
      const detail = JSON.stringify({ to: turn });
      versions.spare(turn);
      versions.name(now.turn - 1, [{ at: now.at, reason: 'restore', detail }], now.at);
      const generation = goBack(statements, payloads, { tree, turn, tables }, now);
      this.#options = { ...before, generation, restored: now.turn };
      fresh = new LiveTree(this.#commits, this.#options, this);
    } catch (error) {
      this.#options = before;
      if (isStoreFailure(error)) throw error;
      versions.rollback();
      statements.of('rollback to restore').run();
      statements.of('release restore').run();
      throw asDamage(error, this.id, turn);
    }
    statements.of('release restore').run();
    this.#tree.drop();
    this.#outbox.close();
    this.#started = false;
    this.#tree = fresh;
    this.#outbox = new Outbox(this);
    this.#outbox.resume();
    this.#commits.history?.changed(this.id, this.#options.root.id);
    this.#found = this.#foundIn(fresh);
  }

  #tablesOf({ tables }: RestoreOptions): readonly string[] {
    const { statements } = this.#commits;
    const all = rolledBackTables(statements);
    const unknown = tables?.find((table) => !all.includes(table));
    if (unknown !== undefined) {
      throw new PerdureError(
        'OPTIONS_INVALID',
        `"${unknown}" is no table that a restore takes back; there are: ${all.join(', ') || 'none'}.`,
        { facts: { table: unknown } },
      );
    }
    if (tables !== undefined || !areShared(statements, all)) return tables ?? all;
    throw new PerdureError(
      'OPTIONS_INVALID',
      `The store has other trees than "${this.id}", and the tables ${all.join(', ')} may be theirs: say which of them go back, as ` +
        '`restore(turn, { tables })`.',
      { facts: { tree: this.id } },
    );
  }

  #startAgain(): Promise<void> {
    return new Promise((resolve, reject) => {
      const deliver = () => {
        if (!this.#started) this.#start();
      };
      this.#run({ participant: this, cause: { kind: 'resume' }, deliver, resolve: () => resolve(), reject });
    });
  }

  /** The number of the tree; a new one for a tree that does not exist yet, of which the first write tells. */
  #identity(): Pick<TreeOptions, 'tree' | 'generation' | 'restored'> {
    const { file } = this.#commits;
    const found = findTree(file.statements, this.id);
    if (found !== undefined) return { tree: found.tree, generation: found.generation, restored: found.restored };
    file.verifyTrees();
    return { tree: file.nextId(), generation: file.generation, restored: null };
  }

  #resumption(began: number): Resumption | undefined {
    const { restoredTurn: turn } = this.#tree;
    if (turn === undefined) return undefined;
    const fellBack = this.#fellBackTo === undefined ? {} : { fellBackTo: this.#fellBackTo };
    return { turn, ...this.#foundIn(this.#tree), ...fellBack, ms: this.#monotonic() - began };
  }

  #foundIn({ size, interruptions }: LiveTree): Pick<Resumption, 'actors' | 'timersDue' | 'effects' | 'asked'> {
    const { statements, clock } = this.#commits;
    const due = statements.of('select count(*) as n from timers where tree = ? and due <= ?');
    const { n } = due.get(this.#options.tree, clock.now()) as { n: number };
    return { actors: size, timersDue: n, ...interruptions.counts };
  }

  /** S2 for timers: the same event refused three times will be refused for ever, so it is put aside, visibly. */
  #timerRefused(timer: Timer, error: PerdureError): void {
    if (!this.#commits.isOpen) return;
    const times = (this.#refusals.get(timer.id) ?? 0) + 1;
    this.#refusals.set(timer.id, times);
    if (times < 3) return;
    this.#refusals.delete(timer.id);
    const detail = `${timer.event.type}: ${error.message}`;
    this.#commits.incident({ kind: 'timer.deadLettered', detail, tree: this.number });
    this.#tree.timers.take(timer.id);
  }
}

/** The name of a tree is a column: text that SQLite gives back as it was. */
function checkedName(id: unknown): string {
  if (typeof id === 'string' && id.length > 0 && isStorable(id)) return id;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `The id of a tree is a text of at least one character and of whole characters; got ${JSON.stringify(id)}.`,
  );
}

function isEvent(event: unknown): event is AnyEventObject {
  return typeof event === 'object' && event !== null && typeof (event as { type?: unknown }).type === 'string';
}

function turnRefused({ type }: AnyEventObject, cause: unknown): PerdureError {
  return new PerdureError('TURN_REFUSED', `The turn of "${type}" threw: ${messageOf(cause)}`, { cause });
}

function reservedEvent({ type }: AnyEventObject): PerdureError {
  return new PerdureError(
    'EVENT_INVALID',
    `"${type}" is an event of XState itself, and cannot be sent: give another type.`,
    {
      facts: { type },
    },
  );
}

function invalidId(id: unknown): PerdureError {
  return new PerdureError('OPTIONS_INVALID', `The id of a message is a text; got ${id === null ? 'null' : typeof id}.`);
}

function invalidEvent(event: unknown): PerdureError {
  return new PerdureError(
    'EVENT_INVALID',
    `An event is an object with a string \`type\`; got ${event === null ? 'null' : typeof event}${
      typeof event === 'object' && event !== null ? ' without one' : ''
    }.`,
  );
}
