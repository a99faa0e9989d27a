/**
 * One live tree of actors and its rows. A turn runs in XState; afterwards the tree writes the rows of what changed into the
 * open transaction, and lets go of what waited when the commit is done. Its parts are
 *
 *   actor-register.ts   the actors that live, and their rows
 *   timers.ts           the events that wait; timer-register.ts, their rows
 *   effects.ts          the work outside; interruptions.ts, what of it a restart interrupted
 *   wanted.ts           what is to be done after the commit
 *   tree-digest.ts      whether all rows are there
 *
 * A2  The rows of a committed turn, assembled, equal XState's own persisted snapshot of the whole tree.
 * A3  A tree that was dropped or rolled back is never used again; a reload makes a new one from the rows.
 */
import { PerdureError } from '../errors.ts';
import { ActorRegister, type ActorHost } from './actor-register.ts';
import type { ActorRecord } from './actor-rows.ts';
import type { Refs } from './codec.ts';
import { Effects, type EffectIdentity } from './effects.ts';
import type { Commits } from './commits.ts';
import type { DurableActionHandler } from './durable-action.ts';
import { Interruptions } from './interruptions.ts';
import type { Migrations, Renames } from './migrations.ts';
import type { Outbox } from './outbox.ts';
import type { OutboxRow } from './outbox-rows.ts';
import { damagedRow, quarantine, type DamagedRow } from './quarantine.ts';
import { restoreTree } from './restore.ts';
import type { Rows } from './rows.ts';
import { Timers, type Timer, type TimerHost } from './timers.ts';
import { TimerRegister, type TimerRegisterHost } from './timer-register.ts';
import type { Clock } from './clock.ts';
import { TreeDigest } from './tree-digest.ts';
import { insertTree } from './tree-rows.ts';
import { Wanted, type WantedHost } from './wanted.ts';
import {
  childrenOf,
  createRoot,
  durable,
  pathOf,
  type AnyEventObject,
  type AnyRef,
  type AnySnapshot,
  type Delayed,
  type Effect,
  type Logic,
  type RootOptions,
  type TreeHooks,
} from './xstate-port.ts';

/** What a tree is made of. */
export interface TreeOptions {
  readonly tree: number;
  readonly name: string;
  readonly generation: number;
  /** The turn at which it was last taken back to another; null when it never was. */
  readonly restored: number | null;
  /** The name under which a store that opens its trees by itself knows the logic. */
  readonly machine: string | null;
  readonly logic: Logic;
  readonly actions: ReadonlyMap<string, DurableActionHandler>;
  readonly root: RootOptions;
  readonly migrate: Migrations | undefined;
  /** Whether a damaged row is refused also where a version of before could take its place. Default: false. */
  readonly isStrict?: boolean;
}

/** How an effect came to be interrupted, and what becomes of it. */
export interface Interruption {
  readonly attempt: number;
  readonly policy: 'fail' | 'ask';
  /** Whether it ran at the turn to which the tree was taken back. */
  readonly isRestored: boolean;
}

/** What the owner of a tree does with what begins a turn in it. */
export interface TreeHost {
  /** A timer is due. */
  fire(timer: Timer): void;
  /** The result of an effect has been taken by the actor of this row. */
  resulted(actor: number, path: string, event: AnyEventObject): void;
  /** Something changed; a write is needed. */
  touched(): void;
  /** Takes what a turn wants done after its commit; it outlives the live tree. */
  readonly outbox: Outbox;
  /** An effect was interrupted that is not to run again by itself. */
  effectInterrupted(actor: string, interruption: Interruption): void;
}

export class LiveTree implements TreeHooks, Refs, TimerHost, ActorHost, TimerRegisterHost, WantedHost {
  readonly root: AnyRef;
  readonly timers: Timers;
  readonly effects: Effects;
  readonly interruptions: Interruptions;
  readonly digest: TreeDigest;
  readonly commits: Commits;
  /** The last turn found in the rows; undefined for a tree that is new. */
  readonly restoredTurn: number | undefined;
  dropped = false;
  starting = false;
  readonly #host: TreeHost;
  readonly #options: TreeOptions;
  readonly #actors: ActorRegister;
  readonly #timerRows: TimerRegister;
  readonly #wanted: Wanted;
  readonly #damaged: DamagedRow[] = [];
  /** Of the actors whose machine was renamed, by their row. */
  readonly #renames = new Map<number, Renames>();
  #refusal: PerdureError | undefined;

  constructor(commits: Commits, options: TreeOptions, host: TreeHost) {
    this.commits = commits;
    this.effects = new Effects(commits.payloads.secrets);
    this.interruptions = new Interruptions(this.effects);
    this.digest = new TreeDigest(commits.statements, options.tree);
    this.#actors = new ActorRegister(this);
    this.#host = host;
    this.#options = options;
    this.timers = new Timers(this);
    this.#timerRows = new TimerRegister(this, this.#actors);
    this.#wanted = new Wanted(this, this.#actors);
    const logic = durable(options.logic);
    const damaged = (row: DamagedRow) => {
      if (options.isStrict === true) throw damagedRow(row.row);
      this.#damaged.push(row);
    };
    const restore = { ...options, logic, hooks: this, scheduler: this.timers, payloads: commits.payloads, damaged };
    let turn = 0;
    const root = restoreTree(commits.statements, restore, (restored) => {
      turn = Math.max(turn, restored.turn);
      if (restored.renames.length > 0) this.#renames.set(restored.id, restored.renames);
      this.#actors.adopt(restored);
    });
    this.root = root ?? createRoot(logic, options.root, this, this.timers);
    this.restoredTurn = root === undefined ? undefined : turn;
    if (root !== undefined) this.#verifyWhole();
    else if (this.#isRegistered()) throw notWhole(options.name, 0, 0);
    else this.#actors.attach(this.root, null, options.root.id);
  }

  get clock(): Clock {
    return this.commits.clock;
  }

  get rows(): Rows {
    return this.commits.rows;
  }

  get id(): string {
    return this.#options.name;
  }

  get number(): number {
    return this.#options.tree;
  }

  get actions(): ReadonlyMap<string, unknown> {
    return this.#options.actions;
  }

  get outbox(): Outbox {
    return this.#host.outbox;
  }

  get restoredAt(): number {
    return this.#options.restored ?? 0;
  }

  /** Nothing was written since it was taken back to a turn. */
  get isAsRestored(): boolean {
    return this.restoredTurn !== undefined && this.restoredTurn <= this.restoredAt;
  }

  get rootKey(): string {
    return this.#options.root.id;
  }

  /** Nothing is under way: it can be closed and will come back as it is. */
  get isIdle(): boolean {
    return this.effects.isIdle;
  }

  get size(): number {
    return this.#actors.size;
  }

  /** Something that cannot be stored appeared: nothing of the open batch will be committed as it is. */
  get condemned(): boolean {
    return this.#refusal !== undefined;
  }

  /** Starts the actors, and takes the timers of a restored tree from their rows. */
  start(): void {
    this.starting = this.restoredTurn !== undefined;
    this.root.start();
    if (this.starting) {
      this.#actors.startOrphans();
      this.#timerRows.adopt(this.#renames);
      quarantine(this.commits, this.#options, this.#damaged);
    }
    this.starting = false;
    this.interruptions.fail();
    this.#host.touched();
  }

  /** Stops everything at once, without a trace in the store. */
  drop(): void {
    this.dropped = true;
    this.timers.close();
    this.effects.abort();
  }

  // What the port asks and tells.

  touched(ref: AnyRef): void {
    this.#actors.touched(ref);
    this.#wanted.enterStep();
    this.commits.rows.enterStep(this.number);
    this.#host.touched();
  }

  /** What a transition that throws wanted done is undone with its rows. */
  stepped(threw: boolean): void {
    this.#wanted.leaveStep(threw);
    this.commits.rows.leaveStep(threw);
  }

  born(ref: AnyRef): void {
    this.#actors.born(ref);
  }

  refused(error: PerdureError): void {
    this.#refusal ??= error;
  }

  resulted(ref: AnyRef, event: AnyEventObject): void {
    const record = this.#actors.recordOf(ref);
    if (record !== undefined) this.#host.resulted(record.id, pathOf(ref), event);
  }

  effectCreated(ref: AnyRef, effect: Effect): void {
    this.#host.touched();
    const held = this.interruptions.hold(ref, effect);
    if (held === undefined) return this.effects.created(ref, effect);
    const attempt = Math.abs(this.#actors.recordOf(ref)?.attempt ?? 0);
    const isRestored = this.interruptions.isRestored(ref);
    this.#host.effectInterrupted(pathOf(ref), { attempt, policy: held, isRestored });
  }

  effectEnded(ref: AnyRef): void {
    this.effects.ended(ref);
    this.interruptions.ended(ref);
  }

  enqueue(ref: AnyRef, kind: OutboxRow['kind'], name: string, payload: unknown): void {
    this.#wanted.add(ref, kind, name, payload);
    this.#host.touched();
  }

  /** What a row of the outbox is to carry out. */
  payloadOf(row: OutboxRow): unknown {
    return this.#wanted.payloadOf(row);
  }

  effectTold(ref: AnyRef, tell: () => void): void {
    this.effects.told(ref, tell);
  }

  now(): number {
    return this.clock.now();
  }

  delayedBy(ref: AnyRef): Delayed[] {
    return [...this.timers.of(ref)];
  }

  delayUntil(delayed: Delayed): void {
    this.timers.add({ ...delayed, id: this.nextId(), checksum: 0 });
  }

  incident(kind: string, detail: string): void {
    if (!this.dropped) this.commits.incident({ kind, detail, tree: this.#options.tree, isOfTurn: true });
  }

  nextId(): number {
    return this.commits.nextId();
  }

  timersChanged(): void {
    this.#host.touched();
  }

  fire(timer: Timer): void {
    this.#host.fire(timer);
  }

  // References and addresses.

  idOf(ref: AnyRef): number | undefined {
    return this.#actors.idOf(ref);
  }

  refOf(id: number): AnyRef {
    return this.#actors.refOf(id);
  }

  /** The live actor of a row. */
  actorOf(id: number): AnyRef | undefined {
    return this.#actors.actorOf(id);
  }

  /** The live actor at a systemId, or at a path of child ids from the root, joined by `/`. */
  find(address: string): AnyRef | undefined {
    const keyed = this.root.system.get(address) as AnyRef | undefined;
    if (keyed !== undefined) return keyed;
    let ref: AnyRef | undefined = this.root;
    for (const key of address.split('/')) {
      const children: ReturnType<typeof childrenOf> = ref && childrenOf(ref.getSnapshot() as AnySnapshot);
      ref = children !== undefined && Object.hasOwn(children, key) ? children[key] : undefined;
    }
    return ref;
  }

  // Writing.

  /** Writes what changed since the last commit into the open transaction. */
  write(turn: number): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    const changed = this.#actors.collect();
    if (!this.digest.isWritten && this.restoredTurn === undefined) this.#register(turn);
    this.#actors.write(changed, turn);
    this.#timerRows.write(turn);
    this.#wanted.write(turn);
    this.digest.write(turn);
    this.#forgetWritten();
  }

  /** The turn is on disk: releases its effects. */
  committed(): void {
    this.effects.release((ref) => this.#identityOf(ref));
  }

  /** A new tree's own row. */
  #register(turn: number): void {
    const { tree, name, generation, machine } = this.#options;
    insertTree(this.commits.statements, { tree, name, generation, machine, created_at: this.clock.now() }, turn);
  }

  /**
   * What happens from here on belongs to the next turn, also what listeners of this commit do. Before the commit it is
   * safe to forget, because a tree whose commit failed is never used again (A3).
   */
  #forgetWritten(): void {
    this.#actors.forgetWritten();
    this.timers.added.clear();
    this.timers.removed.clear();
    this.effects.seal();
  }

  #identityOf(ref: AnyRef): EffectIdentity {
    const { id, attempt } = this.#actors.recordOf(ref) as ActorRecord;
    const { name, generation } = this.#options;
    return { key: `${this.commits.file.id}/${name}/${generation}/${id}`, attempt };
  }

  // Restoring.

  /** A tree that is known and has no actor has lost its rows. */
  #isRegistered(): boolean {
    return this.commits.statements.of('select 1 from trees where tree = ?').get(this.#options.tree) !== undefined;
  }

  /** Throws ROW_CORRUPT when rows of the tree have vanished, or strange ones have appeared. */
  #verifyWhole(): void {
    this.#actors.adopted();
    const timers = this.#timerRows.read();
    if (this.digest.verify()) return;
    throw notWhole(this.#options.name, this.size, timers);
  }
}

function notWhole(tree: string, actors: number, timers: number): PerdureError {
  return new PerdureError(
    'ROW_CORRUPT',
    `The rows of the tree "${tree}" do not add up: ${actors} actors and ${timers} timers were read, and some of them are ` +
      'missing or strange, so the file was damaged. Nothing was changed; run `perdure doctor`, or restore a backup.',
    { facts: { tree, actors, timers } },
  );
}
