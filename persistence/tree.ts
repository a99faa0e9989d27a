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
import { deleteActor, insertActor, seedOf, updateActor, type ActorIdentity, type ActorRecord } from './actor-rows.ts';
import { decode, encode, type Refs } from './codec.ts';
import { Effects, type EffectIdentity } from './effects.ts';
import { restoreTree, type Migrate, type Restored } from './restore.ts';
import type { Store } from './store.ts';
import { Timers, type Timer, type TimerHost } from './timers.ts';
import { deleteTimer, insertTimer, readTimers } from './timer-rows.ts';
import type { Clock } from './clock.ts';
import {
  childrenOf,
  createRoot,
  durable,
  isRunning,
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
  readonly logic: Logic;
  readonly root: RootOptions;
  readonly migrate: Migrate | undefined;
}

/** What the owner of a tree does with what begins a turn in it. */
export interface TreeHost {
  /** A timer is due. */
  fire(timer: Timer): void;
  /** The result of an effect has been taken by the actor of this row. */
  resulted(actor: number, event: AnyEventObject): void;
  /** Something changed; a write is needed. */
  touched(): void;
}

export class LiveTree implements TreeHooks, Refs, TimerHost {
  readonly root: AnyRef;
  readonly timers: Timers;
  readonly effects = new Effects();
  /** The last turn found in the rows; undefined for a tree that is new. */
  readonly restoredTurn: number | undefined;
  dropped = false;
  starting = false;
  readonly #store: Store;
  readonly #host: TreeHost;
  readonly #options: TreeOptions;
  readonly #records = new Map<AnyRef, ActorRecord>();
  readonly #dirty = new Set<AnyRef>();
  readonly #newborn: AnyRef[] = [];
  /** Effects of a restored tree that have not been counted as started again. */
  readonly #restarts = new Set<AnyRef>();
  #removed: number[] = [];
  readonly #gone = new WeakMap<AnyRef, number>();
  #refusal: PerdureError | undefined;

  constructor(store: Store, options: TreeOptions, host: TreeHost) {
    this.#store = store;
    this.#host = host;
    this.#options = options;
    this.timers = new Timers(this);
    const logic = durable(options.logic);
    const restore = { ...options, logic, hooks: this, scheduler: this.timers };
    let turn = 0;
    const root = restoreTree(store.statements, restore, (restored) => {
      turn = Math.max(turn, restored.turn);
      this.#adopt(restored);
    });
    this.root = root ?? createRoot(logic, options.root, this, this.timers);
    if (root === undefined) this.#attach(this.root, null, options.root.id);
    else this.#newborn.length = 0;
    this.restoredTurn = root === undefined ? undefined : turn;
  }

  get clock(): Clock {
    return this.#store.clock;
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
    if (this.starting) this.#adoptTimers();
    this.starting = false;
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
    this.#store.rows.enterStep();
    this.#host.touched();
  }

  stepped(threw: boolean): void {
    this.#store.rows.leaveStep(threw);
  }

  born(ref: AnyRef): void {
    this.#newborn.push(ref);
  }

  refused(error: PerdureError): void {
    this.#refusal ??= error;
  }

  resulted(ref: AnyRef, event: AnyEventObject): void {
    const record = this.#records.get(ref);
    if (record !== undefined) this.#host.resulted(record.id, event);
  }

  effectCreated(ref: AnyRef, effect: Effect): void {
    this.effects.created(ref, effect);
    this.#host.touched();
  }

  effectEnded(ref: AnyRef): void {
    this.effects.ended(ref);
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
    this.timers.add({ ...delayed, id: this.nextId() });
  }

  incident(kind: string, detail: string): void {
    if (!this.dropped) this.#store.incident(kind, detail);
  }

  nextId(): number {
    return this.#store.nextId();
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
    for (const key of address.split('/')) ref = childrenOf(ref?.getSnapshot() as AnySnapshot)?.[key];
    return ref;
  }

  // Writing.

  /** Writes what changed since the last commit into the open transaction. */
  write(turn: number): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    const changed = this.#collect();
    const { statements } = this.#store;
    for (const id of this.#removed) deleteActor(statements, id);
    for (const [ref, record] of changed) if (this.#records.has(ref)) this.#writeActor(ref, record, turn);
    this.#writeEffects(turn);
    this.#writeTimers(turn);
    this.#forgetWritten();
  }

  /** The turn is on disk: releases its effects. */
  committed(): void {
    this.effects.release((ref) => this.#identityOf(ref));
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
    const identity = this.#identity(ref, this.#store.nextId(), parent, key);
    this.#records.set(ref, {
      id: identity.id,
      parent,
      seed: seedOf(identity),
      attempt: 0,
      snapshot: undefined,
      children: undefined,
    });
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
    this.#gone.set(ref, record.id);
    if (record.snapshot !== undefined) this.#removed.push(record.id);
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
    const text = encode(ownSnapshot(ref), this, () => `the actor "${pathOf(ref)}"`);
    if (this.effects.isWaiting(ref)) record.attempt += 1;
    if (snapshot.status !== 'active') this.effects.settled(ref);
    if (record.snapshot === undefined) {
      const identity = this.#identity(ref, record.id, record.parent, this.#keyOf(ref));
      insertActor(this.#store.statements, identity, record, text, turn);
    } else {
      updateActor(this.#store.statements, record, text, turn);
    }
    record.snapshot = snapshot;
    this.#store.wrote(1, text.length);
  }

  #keyOf(ref: AnyRef): string {
    return ref === this.root ? this.#options.root.id : ref.id;
  }

  /** E2: an effect that starts again in a tree that was restored has an unchanged row, but for its attempt. */
  #writeEffects(turn: number): void {
    if (this.effects.waitingCount === 0) return;
    const count = this.#store.statements.of('update actors set attempt = ?, from_turn = ? where id = ?');
    for (const ref of this.effects.waiting) {
      const record = this.#records.get(ref);
      if (record === undefined || record.snapshot !== ref.getSnapshot() || !this.#restarts.delete(ref)) continue;
      record.attempt += 1;
      count.run(record.attempt, turn, record.id);
    }
  }

  #writeTimers(turn: number): void {
    const { statements } = this.#store;
    for (const id of this.timers.removed) deleteTimer(statements, id);
    for (const timer of this.timers.added) {
      if (timer.target.system !== this.root.system) throw strangeTarget(timer);
      const source = this.#records.get(timer.source);
      const target = this.#records.get(timer.target);
      if (source === undefined || target === undefined) continue;
      const text = encode(timer.event, this, () => `a delayed event of "${pathOf(timer.source)}"`);
      insertTimer(statements, { tree: this.#options.tree, source: source.id, target: target.id, timer, text }, turn);
      this.#store.wrote(1, text.length);
    }
  }

  #identityOf(ref: AnyRef): EffectIdentity {
    const { id, attempt } = this.#records.get(ref) as ActorRecord;
    const { name, generation } = this.#options;
    return { key: `${this.#store.id}/${name}/${generation}/${id}`, attempt };
  }

  // Restoring.

  #adopt({ ref, id, parent, attempt, seed }: Restored): void {
    const snapshot = ref.getSnapshot() as AnySnapshot;
    this.#records.set(ref, { id, parent, seed, attempt, snapshot, children: childrenOf(snapshot) });
    if (snapshot.status === 'active' && attempt > 0) this.#restarts.add(ref);
  }

  #adoptTimers(): void {
    const timers = readTimers(this.#store.statements, this.#options.tree);
    if (timers.length === 0) return;
    const actors = new Map([...this.#records].map(([ref, { id }]) => [id, ref]));
    const refs: Refs = { idOf: (ref) => this.idOf(ref), refOf: (id) => actors.get(id) ?? this.refOf(id) };
    for (const { id, source, target, key, event, due, delay } of timers) {
      this.timers.adopt({
        id,
        source: refs.refOf(source),
        target: refs.refOf(target),
        key,
        event: decode(event, refs) as AnyEventObject,
        due,
        delay,
      });
    }
  }
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
