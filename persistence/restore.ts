/**
 * From rows to a live tree. Everything is checked before anything starts; what does not fit is refused, with the actor,
 * the path and the reason, and the file stays as it is. XState would drop such an actor without a word.
 */
import { isDeepStrictEqual } from 'node:util';
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import { bindingOf, readActors, seedOf, verify, type ActorRow } from './actor-rows.ts';
import { TAG_IN_TEXT, decode, encode, type Refs } from './codec.ts';
import { migrateState, renamed, type Migrations, type Renames, type StoredState } from './migrations.ts';
import { lastSoundVersion, type DamagedRow } from './quarantine.ts';
import type { Payloads } from './payloads.ts';
import type { Statements } from './rows.ts';
import { fieldOf, type Seed, type SupervisorField } from './supervision-state.ts';
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
  readonly payloads: Payloads;
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
    const isDamaged = sound !== found;
    if (isDamaged) options.damaged({ row: found, replacedBy: sound.from_turn });
    // A kept version may be older than the last migration, and what the digest counts is the row that was there.
    const storedSeed = verified ?? seedOf({ ...sound, machine: found.machine });
    const clear = unsealed(sound, options.payloads);
    // Brothers follow each other, mostly.
    if (sound.parent === null) parent = undefined;
    else if (parent?.id !== sound.parent) parent = findById(assembled, sound.parent);
    const row = underRenamed(clear, parent);
    const logic = findLogic(row, parent, options.logic);
    const { machine, text, renames } = current(row, logic, parent, options);
    const isStale = isDamaged || row !== clear || machine !== row.machine;
    const seed = isStale ? seedOf({ ...row, machine }) : storedSeed;
    const snapshot = orUnreadable(row, () => storedSnapshot(row, text, logic, parent, late));
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

function unsealed(row: ActorRow, payloads: Payloads): ActorRow {
  const snapshot = payloads.unseal(row.snapshot, () => bindingOf(row, row.attempt, row.from_turn));
  return snapshot === row.snapshot ? row : { ...row, snapshot };
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
  const actor = () => pathOf(row.key, parent);
  if (typeof snapshot !== 'object' || snapshot === null || !STATUSES.has(snapshot.status)) {
    throw new PerdureError('SNAPSHOT_INVALID', `The stored state of "${actor()}" has no valid status.`, {
      facts: { actor: actor() },
    });
  }
  refuseOutdatedSeeds(snapshot, logic, actor);
  const isTagged = text.includes(TAG_IN_TEXT);
  if (isTagged || text.includes(XSTATE_MARKER)) takeLate(row.id, snapshot, logic, isTagged, late);
  if (isMachine(logic)) snapshot.children ??= {};
  return snapshot;
}

/**
 * A group restart that waits for shutdowns keeps the states of its children in the supervisor's own, where no step of a
 * migration reaches them.
 */
function refuseOutdatedSeeds(snapshot: StoredSnapshot, logic: Logic, actor: () => string): void {
  const { seeds = [] } = fieldOf<SupervisorField>(snapshot).restarting ?? {};
  for (const seed of seeds) {
    const outdated = outdatedIn(seed, logic);
    if (outdated === undefined) continue;
    throw new PerdureError(
      'MACHINE_CHANGED',
      `The supervisor "${actor()}" waits to restart "${seed.id}" in a state of ${outdated.from}; the machine is now ` +
        `${outdated.to}: let the version that stored it finish the restart (it waits for shutdowns), then change the version.`,
      { facts: { actor: actor(), child: seed.id, ...outdated } },
    );
  }
}

type Kept = NonNullable<Seed['kept']>;

function outdatedIn(
  { src, kept }: { readonly src: unknown; readonly kept?: Kept | undefined },
  parent: Logic,
): { from: string; to: string } | undefined {
  const logic = typeof src === 'string' ? logicOf(parent, src) : undefined;
  if (kept === undefined || logic === undefined) return undefined;
  const [from, to] = [kept.machine, machineName(logic)];
  if (from !== to) return { from: from ?? 'other logic', to: to ?? 'other logic' };
  return kept.children.map((child) => outdatedIn(child, logic)).find((found) => found !== undefined);
}

/** The checksum says that it was written like this; so it was forged, or written by something else. */
function orUnreadable<T>({ key, id }: Pick<ActorRow, 'key' | 'id'>, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw isPerdureError(error) ? error : unreadable(key, id, error);
  }
}

function unreadable(key: string, id: number, cause: unknown): PerdureError {
  return new PerdureError(
    'ROW_CORRUPT',
    `The row of the actor "${key}" (id ${id}) cannot be read: ${messageOf(cause)}. Nothing was changed.`,
    { cause, facts: { actor: key, id } },
  );
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
    const found = findById(assembled, id) as Assembled;
    orUnreadable(found, () => putValues(found.ref as AnyRef, values(refs)));
  }
}

function pickLate(decoded: StoredSnapshot, logic: Logic): Readonly<Record<string, unknown>> {
  if (!isMachine(logic)) return decoded;
  const { context, output, error, supervision } = decoded as Record<string, unknown>;
  return { context, output, error, ...(supervision === undefined ? {} : { supervision }) };
}

function match(assembled: readonly Assembled[], root: AnyRef, adopt: (restored: Restored) => void): void {
  for (const one of assembled) {
    const { id, parent, key, attempt, turn, seed, storedSeed, isStale, renames } = one;
    const ref = parent === undefined ? root : childOf(parent.ref as AnyRef, key);
    const found = ref?.getSnapshot() as Found | undefined;
    if (ref === undefined || found === undefined || !isWhole(found, one)) throw misfit(one, found);
    one.ref = ref;
    forgetStored(ref);
    adopt({ ref, id, parent: parent?.id ?? null, attempt, turn, seed, storedSeed, isStale, renames });
  }
}

/** What XState made of a stored snapshot. */
function isEmpty(history: unknown): boolean {
  return typeof history === 'object' && history !== null && Object.keys(history).length === 0;
}

interface Found {
  readonly status: string;
  readonly error?: unknown;
  readonly value?: unknown;
  readonly historyValue?: unknown;
}

/** XState completes a state that it knows in part, and drops history that it does not know. */
function isWhole(found: Found, { logic, snapshot }: Assembled): boolean {
  if (found.status !== snapshot.status) return false;
  if (!isMachine(logic) || found.value === undefined) return true;
  const stored = snapshot as Found;
  return isSame(found.value, stored.value) && isSameHistory(found.historyValue, stored.historyValue);
}

/** States are mostly names. */
function isSame(found: unknown, stored: unknown): boolean {
  return found === stored || isDeepStrictEqual(found, stored);
}

function isSameHistory(found: unknown = {}, stored: unknown = {}): boolean {
  if (isEmpty(found) && isEmpty(stored)) return true;
  const idsOf = (history: unknown) =>
    Object.entries((history ?? {}) as Record<string, { id: string }[]>).map(([key, nodes]) => [
      key,
      nodes.map(({ id }) => id),
    ]);
  return isDeepStrictEqual(idsOf(found), idsOf(stored));
}

function misfit(
  { key, parent, src, machine, snapshot, isStale: isMigrated }: Assembled,
  found: Found | undefined,
): PerdureError {
  const path = pathOf(key, parent);
  return new PerdureError(
    'MACHINE_CHANGED',
    `The actor "${path}" cannot be restored in the state ${JSON.stringify(snapshot['value'] ?? snapshot.status)} of ` +
      `${machine ?? src}: ${reasonOf(found, snapshot)}. ` +
      (isMigrated
        ? 'Nothing was changed; mend the steps that were passed as `migrate`.'
        : 'Give the machine a new version and pass migrate to createDurableActor.'),
    { facts: { actor: path, machine } },
  );
}

function reasonOf(found: Found | undefined, { status }: StoredSnapshot): string {
  if (found === undefined) return 'it is missing';
  if (found.status !== status) return messageOf(found.error);
  return `XState would make ${JSON.stringify(found.value)} of it, or forget its history`;
}

function childOf(parent: AnyRef, key: string): AnyRef | undefined {
  return (parent.getSnapshot() as { children?: Record<string, AnyRef> }).children?.[key];
}
