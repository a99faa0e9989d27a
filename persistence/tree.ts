/**
 * One live tree of actors and its rows. A turn runs in XState; afterwards the tree knows who changed, writes their rows
 * into the open transaction, and lets go of what waited when the commit is done.
 *
 * A1  A row is written if and only if the actor's snapshot is another object than the one its row holds: O(changed).
 * A2  The rows of a committed turn, assembled, equal XState's own persisted snapshot of the whole tree.
 * A3  A tree that was dropped or rolled back is never used again; a reload makes a new one from the rows.
 */
import { createActor, fromTransition } from 'xstate';
import { PerdureError } from '../errors.ts';
import {
  bindingOf,
  deleteActor,
  insertActor,
  rewriteActor,
  seedOf,
  updateActor,
  type ActorIdentity,
  type ActorRecord,
} from './actor-rows.ts';
import { decode, type Refs } from './codec.ts';
import { Effects, type EffectIdentity } from './effects.ts';
import type { Commits } from './commits.ts';
import type { DurableActionHandler } from './durable-action.ts';
import { renamed, type Migrations, type Renames } from './migrations.ts';
import type { Outbox } from './outbox.ts';
import { bindingOf as outboxBinding, type OutboxRow } from './outbox-rows.ts';
import { quarantine, type DamagedRow } from './quarantine.ts';
import { restoreTree, type Restored } from './restore.ts';
import type { Rows } from './rows.ts';
import { Timers, type Timer, type TimerHost } from './timers.ts';
import { bindingOf as timerBinding, deleteTimer, insertTimer, readTimers, type TimerRow } from './timer-rows.ts';
import type { Clock } from './clock.ts';
import { insertTree } from './tree-rows.ts';
import {
  childrenOf,
  createRoot,
  durable,
  failEffect,
  isRunning,
  isStorable,
  isSynced,
  machineName,
  ownSnapshot,
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
import { tellDeadLetters } from './xstate-restart.ts';

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

/** An effect that a restart interrupted, and that waits for a decision. */
interface Interrupted {
  readonly ref: AnyRef;
  readonly effect: Effect;
}

export class LiveTree implements TreeHooks, Refs, TimerHost {
  readonly root: AnyRef;
  readonly timers: Timers;
  readonly effects: Effects;
  readonly commits: Commits;
  /** The last turn found in the rows; undefined for a tree that is new. */
  readonly restoredTurn: number | undefined;
  dropped = false;
  starting = false;
  readonly #host: TreeHost;
  readonly #options: TreeOptions;
  readonly #records = new Map<AnyRef, ActorRecord>();
  readonly #dirty = new Set<AnyRef>();
  readonly #newborn: AnyRef[] = [];
  /** Effects of a restored tree that have not been counted as started again. */
  readonly #restarts = new Set<AnyRef>();
  /** Effects that wait for a decision, by the path of their actor. */
  readonly interrupted = new Map<string, Interrupted>();
  readonly #failing: AnyRef[] = [];
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
  /** Of the rows of the tree: one that vanishes, or comes from elsewhere, does not add up. */
  #digest = 0;
  #digestFound = 0;
  #digestWritten: number | null = null;
  #removed: number[] = [];
  readonly #gone = new WeakMap<AnyRef, number>();
  #refusal: PerdureError | undefined;

  constructor(commits: Commits, options: TreeOptions, host: TreeHost) {
    this.commits = commits;
    this.effects = new Effects(commits.payloads.secrets);
    this.#host = host;
    this.#options = options;
    this.timers = new Timers(this);
    const logic = durable(options.logic);
    const damaged = (row: DamagedRow) => void this.#damaged.push(row);
    const restore = { ...options, logic, hooks: this, scheduler: this.timers, payloads: commits.payloads, damaged };
    let turn = 0;
    const root = restoreTree(commits.statements, restore, (restored) => {
      turn = Math.max(turn, restored.turn);
      this.#adopt(restored);
    });
    this.root = root ?? createRoot(logic, options.root, this, this.timers);
    this.restoredTurn = root === undefined ? undefined : turn;
    if (root !== undefined) this.#verifyWhole();
    else if (this.#isRegistered()) throw notWhole(options.name, 0, 0);
    else this.#attach(this.root, null, options.root.id);
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

  /** Nothing is under way: it can be closed and will come back as it is. */
  get isIdle(): boolean {
    return this.effects.isIdle;
  }

  get size(): number {
    return this.#records.size;
  }

  /** Something that cannot be stored appeared: nothing of the open batch will be committed as it is. */
  get condemned(): boolean {
    return this.#refusal !== undefined;
  }

  /** How many effects were running and run again. */
  get restartCount(): number {
    return this.#restarts.size;
  }

  /** Starts the actors, and takes the timers of a restored tree from their rows. */
  start(): void {
    this.starting = this.restoredTurn !== undefined;
    this.root.start();
    if (this.starting) {
      this.#startOrphans();
      this.#adoptTimers();
      quarantine(this.commits, this.#options, this.#damaged);
    }
    this.starting = false;
    this.#failInterrupted();
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
    this.#dirty.add(ref);
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
    this.#newborn.push(ref);
  }

  refused(error: PerdureError): void {
    this.#refusal ??= error;
  }

  resulted(ref: AnyRef, event: AnyEventObject): void {
    const record = this.#records.get(ref);
    if (record !== undefined) this.#host.resulted(record.id, pathOf(ref), event);
  }

  effectCreated(ref: AnyRef, effect: Effect): void {
    this.#host.touched();
    const { onRestart } = effect;
    if (onRestart === 'rerun' || !this.#restarts.has(ref)) return this.effects.created(ref, effect);
    if (onRestart === 'fail') this.#failing.push(ref);
    else this.interrupted.set(pathOf(ref), { ref, effect });
    this.#host.effectInterrupted(pathOf(ref), this.#records.get(ref)?.attempt ?? 0, onRestart);
  }

  /** Decides about an effect that a restart interrupted. In a turn. False when none waits there. */
  decide(path: string, decision: 'rerun' | 'fail'): boolean {
    const interrupted = this.interrupted.get(path);
    if (interrupted === undefined) return false;
    this.interrupted.delete(path);
    if (decision === 'rerun') this.effects.created(interrupted.ref, interrupted.effect);
    else failEffect(interrupted.ref, interruptedError(interrupted.ref));
    return true;
  }

  #failInterrupted(): void {
    for (const ref of this.#failing.splice(0)) {
      this.#restarts.delete(ref);
      failEffect(ref, interruptedError(ref));
    }
  }

  effectEnded(ref: AnyRef): void {
    this.effects.ended(ref);
    if (this.interrupted.size > 0) this.interrupted.delete(pathOf(ref));
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
    return decode(text, { idOf: (ref) => this.idOf(ref), refOf: (id) => this.actorOf(id) ?? this.refOf(id) });
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
    if (!this.dropped) this.commits.incident({ kind, detail, tree: this.#options.tree });
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
    return this.#records.get(ref)?.id ?? this.#gone.get(ref) ?? this.#neverStored(ref);
  }

  /** An actor that came and went within one turn may still be referred to; nobody else gets its id. */
  #neverStored(ref: AnyRef): number | undefined {
    if (ref.system !== this.root.system || isRunning(ref)) return undefined;
    const id = this.nextId();
    this.#gone.set(ref, id);
    return id;
  }

  /** A tombstone: refers to an actor that is gone; what it is sent is noted. */
  refOf(id: number): AnyRef {
    const tombstone = createActor(
      fromTransition(() => undefined, undefined),
      { id: `gone.${id}` },
    );
    tombstone.start();
    tombstone.stop();
    tellDeadLetters(tombstone, ({ type }) =>
      this.incident('actor.deadLettered', `"${type}" was sent to an actor that is gone (row ${id})`),
    );
    this.#gone.set(tombstone, id);
    return tombstone;
  }

  /** The live actor of a row. */
  actorOf(id: number): AnyRef | undefined {
    for (const [ref, record] of this.#records) if (record.id === id) return ref;
    return undefined;
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
    const changed = this.#collect();
    const { statements } = this.commits;
    if (this.#digestWritten === null && this.restoredTurn === undefined) this.#register();
    for (const id of this.#removed) deleteActor(statements, id);
    for (const [ref, record] of changed) if (this.#records.has(ref)) this.#writeActor(ref, record, turn);
    this.#writeEffects(turn);
    this.#writeTimers(turn);
    this.#writeOutbox(turn);
    this.#writeDigest();
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
      const refs = kind === 'event' ? NO_REFS : this;
      const where = () => `what "${pathOf(ref)}" wants done by "${name}"`;
      const text = this.commits.payloads.write(payload, refs, where, () => outboxBinding(this.#options.tree, row));
      this.#host.outbox.write({ ...row, payload: text }, turn);
    }
    this.#wanted = [];
    // An action of the host's may have the store write in the midst of a transition.
    this.#wantedBefore.fill(0);
  }

  #writeDigest(): void {
    if (this.#digest === this.#digestWritten) return;
    this.commits.statements.of('update trees set digest = ? where tree = ?').run(this.#digest, this.#options.tree);
    this.#digestWritten = this.#digest;
  }

  /**
   * What happens from here on belongs to the next turn, also what listeners of this commit do. Before the commit it is
   * safe to forget, because a tree whose commit failed is never used again (A3).
   */
  #forgetWritten(): void {
    this.#dirty.clear();
    this.#newborn.length = 0;
    this.#removed = [];
    this.timers.added.clear();
    this.timers.removed.clear();
    this.effects.seal();
  }

  #collect(): (readonly [AnyRef, ActorRecord])[] {
    const changed: (readonly [AnyRef, ActorRecord])[] = [];
    // A parent that gained a child adds it to #dirty, and a Set visits what is added while it is walked.
    for (const ref of this.#dirty) {
      const record = this.#records.get(ref);
      if (record === undefined) continue;
      const snapshot = ref.getSnapshot() as AnySnapshot;
      if (snapshot === record.snapshot) continue;
      changed.push([ref, record]);
      this.#followChildren(ref, record, snapshot);
    }
    for (const ref of this.#newborn) this.#refuseOrphan(ref);
    return changed;
  }

  #followChildren(ref: AnyRef, record: ActorRecord, snapshot: AnySnapshot): void {
    const children = childrenOf(snapshot);
    const before = record.children;
    if (children === undefined || children === before) return;
    for (const [key, child] of Object.entries(before ?? {})) {
      if (child !== undefined && children[key] !== child) this.#detach(child, ref);
    }
    for (const [key, child] of Object.entries(children)) {
      if (child !== undefined && !this.#records.has(child)) this.#attach(child, record.id, key);
    }
    record.children = children;
  }

  #attach(ref: AnyRef, parent: number | null, key: string): void {
    const identity = this.#identity(ref, this.commits.nextId(), parent, key);
    this.#records.set(ref, {
      id: identity.id,
      parent,
      seed: seedOf(identity),
      attempt: 0,
      isStored: false,
      isStale: false,
      snapshot: undefined,
      children: undefined,
    });
    this.#digest ^= seedOf(identity);
    // To the end of the walk, wherever it stands: XState starts children first, so it may be ahead of its parent.
    this.#dirty.delete(ref);
    this.#dirty.add(ref);
  }

  #identity(ref: AnyRef, id: number, parent: number | null, key: string): ActorIdentity {
    return {
      id,
      tree: this.#options.tree,
      parent,
      key,
      src: typeof ref.src === 'string' ? ref.src : null,
      system_id: (ref as { systemId?: string }).systemId ?? null,
      synced: isSynced(ref),
      machine: machineName((ref as unknown as { logic: Logic }).logic),
    };
  }

  #detach(ref: AnyRef, parent: AnyRef): void {
    const record = this.#records.get(ref);
    if (record === undefined) return;
    if (isRunning(ref)) throw duplicateChild(ref, parent);
    this.#records.delete(ref);
    this.effects.settled(ref);
    this.#gone.set(ref, record.id);
    // One that has its result and is its parent's child no more has no row that would say so.
    this.effects.settled(ref);
    if (record.isStored) {
      this.#removed.push(record.id);
      this.commits.history?.changed(this.#options.name, pathOf(ref));
    }
    this.#digest ^= record.seed;
    for (const child of Object.values(record.children ?? {})) if (child !== undefined) this.#detach(child, ref);
  }

  /** An actor that runs and is nobody's child was overwritten by another of the same id within one transition. */
  #refuseOrphan(ref: AnyRef): void {
    if (!this.#records.has(ref) && this.#gone.get(ref) === undefined && isRunning(ref)) {
      throw duplicateChild(ref, ref._parent ?? ref);
    }
  }

  #writeActor(ref: AnyRef, record: ActorRecord, turn: number): void {
    const snapshot = ref.getSnapshot() as AnySnapshot;
    if (this.effects.isWaiting(ref)) {
      record.attempt += 1;
      this.#restarts.delete(ref);
    }
    const identity = () => this.#identity(ref, record.id, record.parent, this.#keyOf(ref));
    const text = this.commits.payloads.write(
      ownSnapshot(ref),
      this,
      () => `the actor "${pathOf(ref)}"`,
      () => bindingOf(identity(), record.attempt, turn),
    );
    if (snapshot.status !== 'active') this.effects.settled(ref);
    const { statements, history } = this.commits;
    if (!record.isStored) insertActor(statements, identity(), record, text, turn);
    else if (record.isStale) rewriteActor(statements, identity(), record, text, turn);
    else updateActor(statements, record, text, turn);
    history?.changed(this.#options.name, pathOf(ref));
    record.isStored = true;
    record.isStale = false;
    record.snapshot = snapshot;
    this.commits.count(1, text.length);
  }

  #keyOf(ref: AnyRef): string {
    return ref === this.root ? this.#options.root.id : ref.id;
  }

  /** E2: an effect that starts again in a tree that was restored has an unchanged state, but another attempt. */
  #writeEffects(turn: number): void {
    if (this.effects.waitingCount === 0) return;
    for (const ref of this.effects.waiting) {
      const record = this.#records.get(ref);
      if (record === undefined || record.snapshot !== ref.getSnapshot() || !this.#restarts.has(ref)) continue;
      this.#writeActor(ref, record, turn);
    }
  }

  #writeTimers(turn: number): void {
    const { statements } = this.commits;
    for (const timer of this.timers.removed) {
      deleteTimer(statements, timer.id);
      this.#digest ^= timer.checksum;
    }
    for (const timer of this.timers.added) {
      const target = this.idOf(timer.target);
      if (target === undefined && timer.target.system !== this.root.system) throw strangeTarget(timer);
      if (target === undefined) continue;
      // A timer may outlive its source (T6), even one that came and went within this batch and has no row.
      const source = this.idOf(timer.source) ?? target;
      const where = () => `a delayed event of "${pathOf(timer.source)}"`;
      const text = this.commits.payloads.write(timer.event, this, where, () =>
        timerBinding(this.#options.tree, { ...timer, source, target }),
      );
      timer.checksum = insertTimer(statements, { tree: this.#options.tree, source, target, timer, text }, turn);
      this.#digest ^= timer.checksum;
      this.commits.count(1, text.length);
    }
  }

  #identityOf(ref: AnyRef): EffectIdentity {
    const { id, attempt } = this.#records.get(ref) as ActorRecord;
    const { name, generation } = this.#options;
    return { key: `${this.commits.file.id}/${name}/${generation}/${id}`, attempt };
  }

  // Restoring.

  #adopt({ ref, id, parent, attempt, seed, storedSeed, isStale, renames }: Restored): void {
    if (renames.length > 0) this.#renames.set(id, renames);
    const snapshot = ref.getSnapshot() as AnySnapshot;
    const children = childrenOf(snapshot);
    const stored = isStale ? undefined : snapshot;
    this.#records.set(ref, { id, parent, seed, attempt, isStored: true, isStale, snapshot: stored, children });
    this.#digest ^= seed;
    this.#digestFound ^= storedSeed;
    if (isStale) this.#dirty.add(ref);
    if (snapshot.status === 'active' && attempt > 0) this.#restarts.add(ref);
  }

  /** A tree that is known and has no actor has lost its rows. */
  #isRegistered(): boolean {
    return this.commits.statements.of('select 1 from trees where tree = ?').get(this.#options.tree) !== undefined;
  }

  /** Throws ROW_CORRUPT when rows of the tree have vanished, or strange ones have appeared. */
  #verifyWhole(): void {
    this.#newborn.length = 0;
    this.#timerRows = readTimers(this.commits.statements, this.#options.tree);
    for (const { checksum } of this.#timerRows) {
      this.#digest ^= checksum;
      this.#digestFound ^= checksum;
    }
    const find = this.commits.statements.of('select digest from trees where tree = ?');
    const { digest } = find.get(this.#options.tree) as { digest: number | null };
    this.#digestWritten = digest;
    if (digest === null || digest === this.#digestFound) return;
    throw notWhole(this.#options.name, this.#records.size, this.#timerRows.length);
  }

  /** Children of an actor that threw run on in XState; but it starts none below an actor that comes back failed. */
  #startOrphans(): void {
    for (const { snapshot, children } of this.#records.values()) {
      if (snapshot?.status !== 'error') continue;
      for (const child of Object.values(children ?? {})) {
        if (child !== undefined && child.getSnapshot().status === 'active' && !isRunning(child)) child.start();
      }
    }
  }

  #refs(): Refs {
    const actors = new Map([...this.#records].map(([ref, { id }]) => [id, ref]));
    return { idOf: (ref) => this.idOf(ref), refOf: (id) => actors.get(id) ?? this.refOf(id) };
  }

  #adoptTimers(): void {
    if (this.#timerRows.length === 0) return;
    const refs = this.#refs();
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

function interruptedError(ref: AnyRef): PerdureError {
  const facts = { actor: pathOf(ref) };
  return new PerdureError(
    'EFFECT_INTERRUPTED',
    `The effect of "${facts.actor}" was interrupted when its process ended, or when its tree was read back from the file, ` +
      'and is not to run again by itself: find out what it did, and go on from there.',
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

function duplicateChild(ref: AnyRef, parent: AnyRef): PerdureError {
  const facts = { parent: pathOf(parent), child: ref.id };
  return new PerdureError(
    'CHILD_ID_DUPLICATE',
    `"${facts.parent}" spawned "${ref.id}" while another child of that id was running, which would go on unseen: ` +
      'stop the first one, or give the second another id.',
    { facts },
  );
}
