/**
 * The actors of one live tree and their rows: who lives, whose child it is, who changed, and what its row holds.
 *
 * A1  A row is written if and only if the actor's snapshot is another object than the one its row holds: O(changed).
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
import type { Refs } from './codec.ts';
import type { Commits } from './commits.ts';
import type { Effects } from './effects.ts';
import type { Interruptions } from './interruptions.ts';
import type { Restored } from './restore.ts';
import type { TreeDigest } from './tree-digest.ts';
import {
  childrenOf,
  isRunning,
  isSynced,
  machineName,
  ownSnapshot,
  pathOf,
  type AnyRef,
  type AnySnapshot,
  type Logic,
} from './xstate-port.ts';
import { tellDeadLetters } from './xstate-restart.ts';

/** What the register needs of its tree. */
export interface ActorHost {
  readonly id: string;
  readonly number: number;
  readonly root: AnyRef;
  /** The key of the root's row. */
  readonly rootKey: string;
  readonly commits: Commits;
  readonly effects: Effects;
  readonly interruptions: Interruptions;
  readonly digest: TreeDigest;
  /** The turn of its last restore; 0 when there was none. */
  readonly restoredAt: number;
  /** Notes what went wrong, with the next commit. */
  incident(kind: string, detail: string): void;
}

export class ActorRegister implements Refs {
  readonly #tree: ActorHost;
  readonly #records = new Map<AnyRef, ActorRecord>();
  readonly #dirty = new Set<AnyRef>();
  readonly #newborn: AnyRef[] = [];
  /** Rows of actors that are gone, to be deleted. */
  #removed: number[] = [];
  /** The rows of actors that are gone, or that never had one. */
  readonly #gone = new WeakMap<AnyRef, number>();

  constructor(tree: ActorHost) {
    this.#tree = tree;
  }

  get size(): number {
    return this.#records.size;
  }

  /** What is remembered of a live actor. */
  recordOf(ref: AnyRef): Readonly<ActorRecord> | undefined {
    return this.#records.get(ref);
  }

  /** The actor is about to take an event. */
  touched(ref: AnyRef): void {
    this.#dirty.add(ref);
  }

  born(ref: AnyRef): void {
    this.#newborn.push(ref);
  }

  // References and addresses.

  idOf(ref: AnyRef): number | undefined {
    return this.#records.get(ref)?.id ?? this.#gone.get(ref) ?? this.#neverStored(ref);
  }

  /** An actor that came and went within one turn may still be referred to; nobody else gets its id. */
  #neverStored(ref: AnyRef): number | undefined {
    if (ref.system !== this.#tree.root.system || isRunning(ref)) return undefined;
    const id = this.#tree.commits.nextId();
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
      this.#tree.incident('actor.deadLettered', `"${type}" was sent to an actor that is gone (row ${id})`),
    );
    this.#gone.set(tombstone, id);
    return tombstone;
  }

  /** The live actor of a row. */
  actorOf(id: number): AnyRef | undefined {
    for (const [ref, record] of this.#records) if (record.id === id) return ref;
    return undefined;
  }

  /** For many references to actors that live. */
  refs(): Refs {
    const actors = new Map([...this.#records].map(([ref, { id }]) => [id, ref]));
    return { idOf: (ref) => this.idOf(ref), refOf: (id) => actors.get(id) ?? this.refOf(id) };
  }

  // Coming and going.

  attach(ref: AnyRef, parent: number | null, key: string): void {
    const identity = this.#identity(ref, this.#tree.commits.nextId(), parent, key);
    const seed = seedOf(identity);
    this.#records.set(ref, {
      id: identity.id,
      parent,
      seed,
      attempt: 0,
      isStored: false,
      isStale: false,
      snapshot: undefined,
      children: undefined,
    });
    this.#tree.digest.toggle(seed);
    // To the end of the walk, wherever it stands: XState starts children first, so it may be ahead of its parent.
    this.#dirty.delete(ref);
    this.#dirty.add(ref);
  }

  #identity(ref: AnyRef, id: number, parent: number | null, key: string): ActorIdentity {
    return {
      id,
      tree: this.#tree.number,
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
    // One that has its result and is its parent's child no more has no row that would say so.
    this.#tree.effects.settled(ref);
    if (record.isStored) {
      this.#removed.push(record.id);
      this.#tree.commits.history?.changed(this.#tree.id, pathOf(ref));
    }
    this.#tree.digest.toggle(record.seed);
    for (const child of Object.values(record.children ?? {})) if (child !== undefined) this.#detach(child, ref);
  }

  /** An actor that runs and is nobody's child was overwritten by another of the same id within one transition. */
  #refuseOrphan(ref: AnyRef): void {
    if (!this.#records.has(ref) && this.#gone.get(ref) === undefined && isRunning(ref)) {
      throw duplicateChild(ref, ref._parent ?? ref);
    }
  }

  // Writing.

  /** Follows what came and went since the last write, and says whose rows are to be written. */
  collect(): (readonly [AnyRef, ActorRecord])[] {
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
      if (child !== undefined && !this.#records.has(child)) this.attach(child, record.id, key);
    }
    record.children = children;
  }

  /** Writes the rows of what was collected. */
  write(changed: readonly (readonly [AnyRef, ActorRecord])[], turn: number): void {
    for (const id of this.#removed) deleteActor(this.#tree.commits.statements, id);
    for (const [ref, record] of changed) if (this.#records.has(ref)) this.#writeActor(ref, record, turn);
    this.#writeEffects(turn);
  }

  #writeActor(ref: AnyRef, record: ActorRecord, turn: number): void {
    const { commits, effects, interruptions, id: tree } = this.#tree;
    const snapshot = ref.getSnapshot() as AnySnapshot;
    if (effects.isWaiting(ref)) {
      record.attempt = Math.abs(record.attempt) + 1;
      interruptions.counted(ref);
    } else if (interruptions.isRestored(ref)) record.attempt = -Math.abs(record.attempt);
    // Only an effect that runs has an attempt: it is what wakes a tree.
    if (snapshot.status !== 'active') record.attempt = 0;
    const identity = () => this.#identity(ref, record.id, record.parent, this.#keyOf(ref));
    const text = commits.payloads.write(
      ownSnapshot(ref),
      this,
      () => `the actor "${pathOf(ref)}"`,
      () => bindingOf(identity(), record.attempt, turn),
    );
    if (snapshot.status !== 'active') effects.settled(ref);
    const { statements, history } = commits;
    if (!record.isStored) insertActor(statements, identity(), record, text, turn);
    else if (record.isStale) rewriteActor(statements, identity(), record, text, turn);
    else updateActor(statements, record, text, turn);
    history?.changed(tree, pathOf(ref));
    record.isStored = true;
    record.isStale = false;
    record.snapshot = snapshot;
    commits.count(1, text.length);
  }

  #keyOf(ref: AnyRef): string {
    return ref === this.#tree.root ? this.#tree.rootKey : ref.id;
  }

  /** E2: an effect that starts again in a tree that was restored has an unchanged state, but another attempt. */
  #writeEffects(turn: number): void {
    const { effects, interruptions } = this.#tree;
    if (effects.waitingCount === 0) return;
    for (const ref of effects.waiting) {
      const record = this.#records.get(ref);
      if (record === undefined || record.snapshot !== ref.getSnapshot() || !interruptions.isUncounted(ref)) continue;
      this.#writeActor(ref, record, turn);
    }
  }

  /** What happens from here on belongs to the next turn. */
  forgetWritten(): void {
    this.#dirty.clear();
    this.#newborn.length = 0;
    this.#removed = [];
  }

  // Restoring.

  /** Takes an actor that came back from its row. */
  adopt({ ref, id, parent, attempt, turn, seed, storedSeed, isStale }: Restored): void {
    const snapshot = ref.getSnapshot() as AnySnapshot;
    const children = childrenOf(snapshot);
    const stored = isStale ? undefined : snapshot;
    this.#records.set(ref, { id, parent, seed, attempt, isStored: true, isStale, snapshot: stored, children });
    this.#tree.digest.read(storedSeed, seed);
    if (isStale) this.#dirty.add(ref);
    if (snapshot.status !== 'active' || attempt === 0) return;
    this.#tree.interruptions.found(ref, attempt < 0 || turn <= this.#tree.restoredAt);
  }

  /** All have come back: none of them is new. */
  adopted(): void {
    this.#newborn.length = 0;
  }

  /** Children of an actor that threw run on in XState; but it starts none below an actor that comes back failed. */
  startOrphans(): void {
    for (const { snapshot, children } of this.#records.values()) {
      if (snapshot?.status !== 'error') continue;
      for (const child of Object.values(children ?? {})) {
        if (child !== undefined && child.getSnapshot().status === 'active' && !isRunning(child)) child.start();
      }
    }
  }
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
