/**
 * From rows to a live tree. Everything is checked before anything starts; what does not fit is refused, with the actor,
 * the path and the reason, and the file stays as it is. XState would drop such an actor without a word.
 */
import { PerdureError, messageOf } from '../errors.ts';
import { readActors, seedOf, verify, type ActorRow } from './actor-rows.ts';
import { TAG_IN_TEXT, decode, encode, type Refs } from './codec.ts';
import { migrateState, renamed, type Migrations, type Renames, type StoredState } from './migrations.ts';
import { lastSoundVersion, type DamagedRow } from './quarantine.ts';
import type { Statements } from './rows.ts';
import {
  createRoot,
  forgetStored,
  isMachine,
  logicOf,
  machineName,
  putValues,
  type AnyRef,
  type AnySnapshot,
  type Logic,
  type RootOptions,
  type Scheduler,
  type TreeHooks,
} from './xstate-port.ts';

/** What is kept of a row, found whole, until the tree is complete; the row itself, with its text, is let go at once. */
interface Assembled {
  readonly id: number;
  readonly parent: Assembled | undefined;
  readonly key: string;
  readonly src: string | null;
  readonly machine: string | null;
  readonly attempt: number;
  readonly turn: number;
  readonly seed: number;
  readonly storedSeed: number;
  readonly isStale: boolean;
  readonly renames: Renames;
  readonly logic: Logic;
  readonly snapshot: StoredSnapshot;
  /** Once the actor was made. */
  ref: AnyRef | undefined;
}

interface StoredSnapshot extends Record<string, unknown> {
  status: string;
  context?: unknown;
  children?: Record<string, unknown>;
}

/** An actor that came back, and what its row says of it. */
export interface Restored {
  readonly ref: AnyRef;
  readonly id: number;
  readonly parent: number | null;
  readonly attempt: number;
  readonly turn: number;
  readonly seed: number;
  /** The seed of the row as it was found: another one when the machine has changed its version. */
  readonly storedSeed: number;
  /** Whether the row holds something else, and must be written again. */
  readonly isStale: boolean;
  /** What its machine was renamed to by the migration. */
  readonly renames: Renames;
}

export interface RestoreOptions {
  readonly tree: number;
  readonly logic: Logic;
  readonly root: RootOptions;
  readonly migrate: Migrations | undefined;
  readonly hooks: TreeHooks & Refs;
  readonly scheduler: Scheduler;
  /** Told every row that a kept version takes the place of. */
  readonly damaged: (row: DamagedRow) => void;
}

/** XState revives what looks like this in a context as a reference. */
const XSTATE_MARKER = '"xstate$$type"';
const STATUSES = new Set(['active', 'done', 'error', 'stopped']);

/** The tree, not started yet, in the order of its rows; undefined when the tree has none. `adopt` is told every actor. */
export function restoreTree(
  statements: Statements,
  options: RestoreOptions,
  adopt: (restored: Restored) => void,
): AnyRef | undefined {
  const late = new Map<number, Late>();
  const assembled = assemble(statements, options, late);
  const [root] = assembled;
  if (root === undefined) return undefined;
  const snapshot = root.snapshot as unknown as AnySnapshot;
  const ref = createRoot(options.logic, { ...options.root, snapshot }, options.hooks, options.scheduler);
  match(assembled, ref, adopt);
  if (late.size > 0) putLate(assembled, late, options.hooks);
  return ref;
}

function assemble(statements: Statements, options: RestoreOptions, late: Map<number, Late>): Assembled[] {
  const assembled: Assembled[] = [];
  let parent: Assembled | undefined;
  for (const found of readActors(statements, options.tree)) {
    const verified = verify(found);
    const sound = verified === undefined ? lastSoundVersion(statements, found) : found;
    if (sound !== found) options.damaged({ row: found, replacedBy: sound.from_turn });
    // A kept version may be older than the last migration, and what the digest counts is the row that was there.
    const storedSeed = verified ?? seedOf({ ...sound, machine: found.machine });
    // Brothers follow each other, mostly.
    if (sound.parent === null) parent = undefined;
    else if (parent?.id !== sound.parent) parent = findById(assembled, sound.parent);
    const row = underRenamed(sound, parent);
    const logic = findLogic(row, parent, options.logic);
    const { machine, text, renames } = current(row, logic, parent, options);
    const isStale = row !== found || machine !== row.machine;
    const seed = isStale ? seedOf({ ...row, machine }) : storedSeed;
    const snapshot = storedSnapshot(row, text, logic, parent, late);
    const { id, key, src, attempt, from_turn: turn } = row;
    assembled.push({
      id,
      parent,
      key,
      src,
      machine,
      attempt,
      turn,
      seed,
      storedSeed,
      isStale,
      renames,
      logic,
      snapshot,
      ref: undefined,
    });
    if (parent !== undefined) adoptChild(parent.snapshot, row, snapshot);
  }
  return assembled;
}

/** XState names what is invoked without an id after the machine of its parent. */
function underRenamed(row: ActorRow, parent: Assembled | undefined): ActorRow {
  if (parent === undefined || parent.renames.length === 0) return row;
  const isNamed = /^\d+\./.test(row.key);
  const key = isNamed ? renamed(row.key, parent.renames) : row.key;
  const src = row.src?.startsWith('xstate.invoke.') === true ? renamed(row.src, parent.renames) : row.src;
  return key === row.key && src === row.src ? row : { ...row, key, src };
}

/** Rows come by id, so they need no index. */
function findById(assembled: readonly Assembled[], id: number): Assembled | undefined {
  let low = 0;
  let high = assembled.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((assembled[middle] as Assembled).id < id) low = middle + 1;
    else high = middle;
  }
  return assembled[low]?.id === id ? assembled[low] : undefined;
}

/** Written only when something is wrong. */
function pathOf(key: string, parent: Assembled | undefined): string {
  return parent?.parent === undefined ? key : `${pathOf(parent.key, parent.parent)}/${key}`;
}

function adoptChild(parent: StoredSnapshot, row: ActorRow, snapshot: StoredSnapshot): void {
  (parent.children ??= {})[row.key] = {
    snapshot,
    src: row.src,
    systemId: row.system_id ?? undefined,
    syncSnapshot: row.synced === null ? undefined : row.synced === 1,
  };
}

function findLogic(row: ActorRow, parent: Assembled | undefined, root: Logic): Logic {
  if (row.parent === null) return root;
  if (parent === undefined) throw orphaned(row);
  const logic = row.src === null ? undefined : logicOf(parent.logic, row.src);
  if (logic !== undefined) return logic;
  const path = pathOf(row.key, parent);
  throw new PerdureError(
    'LOGIC_MISSING',
    `The store holds the actor "${path}", made from "${row.src}", but the machine of "${pathOf(parent.key, parent.parent)}" ` +
      'does not know that name: add it to setup({ actors }) again, or migrate the tree.',
    { facts: { actor: path, src: row.src } },
  );
}

function orphaned({ id, key, parent }: ActorRow): PerdureError {
  return new PerdureError(
    'ROW_CORRUPT',
    `The row of the actor "${key}" (id ${id}) names the parent ${parent}, whose row is missing: the file was damaged. ` +
      'Nothing was changed; run `perdure doctor`, or restore the store from a backup.',
    { facts: { actor: key, id, parent } },
  );
}

const NONE: Renames = [];

/** The state as this version of the machine understands it. */
function current(
  row: ActorRow,
  logic: Logic,
  parent: Assembled | undefined,
  { migrate, hooks }: RestoreOptions,
): { machine: string | null; text: string; renames: Renames } {
  const machine = machineName(logic);
  if (row.machine === machine) return { machine, text: row.snapshot, renames: NONE };
  const actor = pathOf(row.key, parent);
  const about = { actor, from: row.machine ?? 'other logic', to: machine ?? 'other logic' };
  const { state, renames } = migrateState(decode(row.snapshot, hooks) as StoredState, about, migrate);
  return { machine, text: encode(state, hooks, `the migrated actor "${actor}"`), renames };
}

function storedSnapshot(
  row: ActorRow,
  text: string,
  logic: Logic,
  parent: Assembled | undefined,
  late: Map<number, Late>,
): StoredSnapshot {
  const snapshot = JSON.parse(text) as StoredSnapshot;
  if (typeof snapshot !== 'object' || snapshot === null || !STATUSES.has(snapshot.status)) {
    const actor = pathOf(row.key, parent);
    throw new PerdureError('SNAPSHOT_INVALID', `The stored state of "${actor}" has no valid status.`, {
      facts: { actor },
    });
  }
  const isTagged = text.includes(TAG_IN_TEXT);
  if (isTagged || text.includes(XSTATE_MARKER)) takeLate(row.id, snapshot, logic, isTagged, late);
  if (isMachine(logic)) snapshot.children ??= {};
  return snapshot;
}

type Late = (refs: Refs) => Readonly<Record<string, unknown>>;

/**
 * What an actor gets when every actor exists: a value with a tag, because a tag may be a reference to anybody; and a
 * context in which XState's reviving would mistake data for references.
 */
function takeLate(
  id: number,
  snapshot: StoredSnapshot,
  logic: Logic,
  isTagged: boolean,
  late: Map<number, Late>,
): void {
  const { context, children: _children, ...own } = snapshot;
  if (isTagged) {
    const text = JSON.stringify({ ...own, context });
    late.set(id, (refs) => pickLate(decode(text, refs) as StoredSnapshot, logic));
  } else if (isMachine(logic)) {
    late.set(id, () => ({ context }));
  }
  if (isMachine(logic)) snapshot.context = {};
}

function putLate(assembled: readonly Assembled[], late: ReadonlyMap<number, Late>, tree: Refs): void {
  const refs: Refs = {
    idOf: (ref) => tree.idOf(ref),
    refOf: (id) => findById(assembled, id)?.ref ?? tree.refOf(id),
  };
  for (const [id, values] of late) {
    const ref = findById(assembled, id)?.ref;
    if (ref !== undefined) putValues(ref, values(refs));
  }
}

function pickLate(decoded: StoredSnapshot, logic: Logic): Readonly<Record<string, unknown>> {
  if (!isMachine(logic)) return decoded;
  const { context, output, error } = decoded as Record<string, unknown>;
  return { context, output, error };
}

function match(assembled: readonly Assembled[], root: AnyRef, adopt: (restored: Restored) => void): void {
  for (const one of assembled) {
    const { id, parent, key, snapshot, attempt, turn, seed, storedSeed, isStale, renames } = one;
    const ref = parent === undefined ? root : childOf(parent.ref as AnyRef, key);
    const found = ref?.getSnapshot() as { status: string; error?: unknown } | undefined;
    if (ref === undefined || found?.status !== snapshot.status) throw misfit(one, found);
    one.ref = ref;
    forgetStored(ref);
    adopt({ ref, id, parent: parent?.id ?? null, attempt, turn, seed, storedSeed, isStale, renames });
  }
}

function misfit(
  { key, parent, src, machine, snapshot, isStale: isMigrated }: Assembled,
  found: { error?: unknown } | undefined,
): PerdureError {
  const path = pathOf(key, parent);
  return new PerdureError(
    'MACHINE_CHANGED',
    `The actor "${path}" cannot be restored in the state ${JSON.stringify(snapshot['value'] ?? snapshot.status)} of ` +
      `${machine ?? src}: ${found === undefined ? 'it is missing' : messageOf(found.error)}. ` +
      (isMigrated
        ? 'Nothing was changed; mend the steps that were passed as `migrate`.'
        : 'Give the machine a new version and pass migrate to createDurableActor.'),
    { facts: { actor: path, machine } },
  );
}

function childOf(parent: AnyRef, key: string): AnyRef | undefined {
  return (parent.getSnapshot() as { children?: Record<string, AnyRef> }).children?.[key];
}
