/**
 * One live tree of actors and its rows. A turn runs in XState; afterwards the tree writes the rows of what changed into the
 * open transaction, and lets go of what waited when the commit is done. Its parts are
 *
 *   actor-register.ts   the actors that live, and their rows
 *   timers.ts           the events that wait
 *   effects.ts          the work outside
 *   interruptions.ts    the effects that a restart interrupted
 *
 * A2  The rows of a committed turn, assembled, equal XState's own persisted snapshot of the whole tree.
 * A3  A tree that was dropped or rolled back is never used again; a reload makes a new one from the rows.
 */
import { PerdureError } from '../errors.ts';
import { ActorRegister, type ActorHost } from './actor-register.ts';
import type { ActorRecord } from './actor-rows.ts';
import { decode, type Refs } from './codec.ts';
import { Effects, type EffectIdentity } from './effects.ts';
import type { Commits } from './commits.ts';
import type { DurableActionHandler } from './durable-action.ts';
import { Interruptions } from './interruptions.ts';
import { renamed, type Migrations, type Renames } from './migrations.ts';
import type { Outbox } from './outbox.ts';
import { bindingOf as outboxBinding, type OutboxRow } from './outbox-rows.ts';
import { quarantine, type DamagedRow } from './quarantine.ts';
import { restoreTree } from './restore.ts';
import type { Rows } from './rows.ts';
import { Timers, type Timer, type TimerHost } from './timers.ts';
import { bindingOf as timerBinding, deleteTimer, insertTimer, readTimers, type TimerRow } from './timer-rows.ts';
import type { Clock } from './clock.ts';
import { TreeDigest } from './tree-digest.ts';
import { insertTree } from './tree-rows.ts';
import {
  childrenOf,
  createRoot,
  durable,
  isStorable,
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
  /** The name under which a store that opens its trees by itself knows the logic. */
  readonly machine: string | null;
  readonly logic: Logic;
  readonly actions: ReadonlyMap<string, DurableActionHandler>;
  readonly root: RootOptions;
  readonly migrate: Migrations | undefined;
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
  /** A restart interrupted an effect that is not to run again by itself. */
  effectInterrupted(actor: string, attempt: number, policy: 'fail' | 'ask'): void;
}

export class LiveTree implements TreeHooks, Refs, TimerHost, ActorHost {
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
  /** What the turn wants done after its commit. */
  #wanted: {
    readonly ref: AnyRef;
    readonly kind: OutboxRow['kind'];
    readonly name: string;
    readonly payload: unknown;
  }[] = [];
  /** How much of it was wanted when each of the running transitions began. */
  readonly #wantedBefore: number[] = [];
  /** Timers of a restored tree, until it starts. */
  #timerRows: readonly TimerRow[] = [];
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
    const logic = durable(options.logic);
    const damaged = (row: DamagedRow) => void this.#damaged.push(row);
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
      this.#adoptTimers();
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
    this.#wantedBefore.push(this.#wanted.length);
    this.commits.rows.enterStep(this.number);
    this.#host.touched();
  }

  /** What a transition that throws wanted done is undone with its rows. */
  stepped(threw: boolean): void {
    const before = this.#wantedBefore.pop() ?? 0;
    if (threw) this.#wanted.length = before;
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
    this.#host.effectInterrupted(pathOf(ref), this.#actors.recordOf(ref)?.attempt ?? 0, held);
  }

  effectEnded(ref: AnyRef): void {
    this.effects.ended(ref);
    this.interruptions.ended(ref);
  }

  enqueue(ref: AnyRef, kind: OutboxRow['kind'], name: string, payload: unknown): void {
    if (kind === 'action' && !this.#options.actions.has(name)) this.refused(undeclared(ref, name));
    if (kind === 'event' && !isAddress(name)) this.refused(unaddressed(ref, name));
    this.#wanted.push({ ref, kind, name, payload });
    this.#host.touched();
  }

  /** What a row of the outbox is to carry out. */
  payloadOf(row: OutboxRow): unknown {
    const text = this.commits.payloads.unseal(row.payload, () => outboxBinding(this.#options.tree, row));
    const actors = this.#actors;
    return decode(text, { idOf: (ref) => actors.idOf(ref), refOf: (id) => actors.actorOf(id) ?? actors.refOf(id) });
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
    if (!this.digest.isWritten && this.restoredTurn === undefined) this.#register();
    this.#actors.write(changed, turn);
    this.#writeTimers(turn);
    this.#writeOutbox(turn);
    this.digest.write();
    this.#forgetWritten();
  }

  /** The turn is on disk: releases its effects. */
  committed(): void {
    this.effects.release((ref) => this.#identityOf(ref));
  }

  /** A new tree's own row. */
  #register(): void {
    const { tree, name, generation, machine } = this.#options;
    insertTree(this.commits.statements, { tree, name, generation, machine, created_at: this.clock.now() });
  }

  #writeOutbox(turn: number): void {
    for (const { ref, kind, name, payload } of this.#wanted) {
      const row = { id: this.commits.nextId(), source: this.idOf(ref) ?? 0, kind, name };
      const refs = kind === 'event' ? NO_REFS : this.#actors;
      const where = () => `what "${pathOf(ref)}" wants done by "${name}"`;
      const text = this.commits.payloads.write(payload, refs, where, () => outboxBinding(this.#options.tree, row));
      this.#host.outbox.write({ ...row, payload: text }, turn);
    }
    this.#wanted = [];
    // An action of the host's may have the store write in the midst of a transition.
    this.#wantedBefore.fill(0);
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

  #writeTimers(turn: number): void {
    const { statements } = this.commits;
    for (const timer of this.timers.removed) {
      deleteTimer(statements, timer.id);
      this.digest.toggle(timer.checksum);
    }
    for (const timer of this.timers.added) {
      const target = this.idOf(timer.target);
      if (target === undefined && timer.target.system !== this.root.system) throw strangeTarget(timer);
      if (target === undefined) continue;
      // A timer may outlive its source (T6), even one that came and went within this batch and has no row.
      const source = this.idOf(timer.source) ?? target;
      const where = () => `a delayed event of "${pathOf(timer.source)}"`;
      const text = this.commits.payloads.write(timer.event, this.#actors, where, () =>
        timerBinding(this.#options.tree, { ...timer, source, target }),
      );
      timer.checksum = insertTimer(statements, { tree: this.#options.tree, source, target, timer, text }, turn);
      this.digest.toggle(timer.checksum);
      this.commits.count(1, text.length);
    }
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
    this.#timerRows = readTimers(this.commits.statements, this.#options.tree);
    for (const { checksum } of this.#timerRows) this.digest.read(checksum, checksum);
    if (this.digest.verify()) return;
    throw notWhole(this.#options.name, this.size, this.#timerRows.length);
  }

  #adoptTimers(): void {
    if (this.#timerRows.length === 0) return;
    const refs = this.#actors.refs();
    for (const row of this.#timerRows) {
      const { id, source, target, key, due, delay, checksum } = row;
      const text = this.commits.payloads.unseal(row.event, () => timerBinding(this.#options.tree, row));
      const timer = this.timers.adopt({
        id,
        source: refs.refOf(source),
        target: refs.refOf(target),
        key,
        event: decode(text, refs) as AnyEventObject,
        due,
        delay,
        checksum,
      });
      const renames = this.#renames.get(source);
      if (renames !== undefined) this.#renameTimer(timer, renames);
    }
    this.#timerRows = [];
  }

  /** The delayed event of an `after` is named after the machine, which now has another name. */
  #renameTimer(timer: Timer, renames: Renames): void {
    const key = renamed(timer.key, renames);
    if (key === timer.key) return;
    this.timers.cancel(timer.source, timer.key);
    const event = { ...timer.event, type: renamed(timer.event.type, renames) };
    this.timers.added.add(this.timers.adopt({ ...timer, id: this.nextId(), key, event, checksum: 0 }));
  }
}

/** A reference means nothing in another tree. */
const NO_REFS: Refs = {
  idOf: () => undefined,
  refOf: (id) => {
    throw new Error(`an event for another tree refers to the actor ${id}`);
  },
};

function isAddress(name: unknown): boolean {
  return typeof name === 'string' && isStorable(name);
}

function unaddressed(ref: AnyRef, name: unknown): PerdureError {
  const facts = { actor: pathOf(ref) };
  return new PerdureError(
    'CODEC_REFUSED',
    `"${facts.actor}" sent an event to the tree ${JSON.stringify(name) ?? String(name)}: the id of a tree is a text, without ` +
      'halves of surrogate pairs.',
    { facts },
  );
}

function undeclared(ref: AnyRef, name: string): PerdureError {
  const facts = { actor: pathOf(ref), action: name };
  return new PerdureError(
    'NOT_PROVIDED',
    `"${facts.actor}" took the durable action "${name}", which could not be found again after a restart: declare it in ` +
      'setup({ actions }) of a machine of the tree.',
    { facts },
  );
}

function notWhole(tree: string, actors: number, timers: number): PerdureError {
  return new PerdureError(
    'ROW_CORRUPT',
    `The rows of the tree "${tree}" do not add up: ${actors} actors and ${timers} timers were read, and some of them are ` +
      'missing or strange, so the file was damaged. Nothing was changed; run `perdure doctor`, or restore a backup.',
    { facts: { tree, actors, timers } },
  );
}

function strangeTarget({ source, target, event }: Timer): PerdureError {
  const facts = { source: pathOf(source), target: target.id, event: event.type };
  return new PerdureError(
    'CODEC_REFUSED',
    `"${facts.source}" delayed "${event.type}" for the actor "${target.id}" of another tree, which could not be found again ` +
      'after a restart: delay an event to itself, and send from there.',
    { facts },
  );
}
