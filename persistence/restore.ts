/**
 * From rows to a live tree. Everything is checked before anything starts; what does not fit is refused, with the actor,
 * the path and the reason, and the file stays as it is. XState would drop such an actor without a word.
 */
import { PerdureError, messageOf } from '../errors.ts';
import { readActors, verify, type ActorRow } from './actor-rows.ts';
import { TAG_IN_TEXT, decode, type Refs } from './codec.ts';
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

/** Turns the stored state of an actor of another machine version into this version's. */
export type Migrate = (snapshot: unknown, about: { actor: string; from: string; to: string }) => unknown;

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
}

export interface RestoreOptions {
  readonly tree: number;
  readonly logic: Logic;
  readonly root: RootOptions;
  readonly migrate: Migrate | undefined;
  readonly hooks: TreeHooks;
  readonly scheduler: Scheduler;
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
  if (late.size > 0) putLate(assembled, late, options.hooks as TreeHooks & Refs);
  return ref;
}

function assemble(statements: Statements, options: RestoreOptions, late: Map<number, Late>): Assembled[] {
  const assembled: Assembled[] = [];
  let parent: Assembled | undefined;
  for (const row of readActors(statements, options.tree)) {
    const seed = verify(row);
    // Brothers follow each other, mostly.
    if (row.parent === null) parent = undefined;
    else if (parent?.id !== row.parent) parent = findById(assembled, row.parent);
    const logic = findLogic(row, parent, options.logic);
    const snapshot = storedSnapshot(row, logic, parent, options.migrate, late);
    const { id, key, src, machine, attempt, from_turn: turn } = row;
    assembled.push({ id, parent, key, src, machine, attempt, turn, seed, logic, snapshot, ref: undefined });
    if (parent !== undefined) adoptChild(parent.snapshot, row, snapshot);
  }
  return assembled;
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
  const logic = parent === undefined || row.src === null ? undefined : logicOf(parent.logic, row.src);
  if (logic !== undefined) return logic;
  const path = pathOf(row.key, parent);
  const machine =
    parent === undefined ? 'its parent, which is missing' : `the machine of "${pathOf(parent.key, parent.parent)}"`;
  throw new PerdureError(
    'LOGIC_MISSING',
    `The store holds the actor "${path}", made from "${row.src}", but ${machine} does not know that name: ` +
      'add it to setup({ actors }) again, or migrate the tree.',
    { facts: { actor: path, src: row.src } },
  );
}

function storedSnapshot(
  row: ActorRow,
  logic: Logic,
  parent: Assembled | undefined,
  migrate: Migrate | undefined,
  late: Map<number, Late>,
): StoredSnapshot {
  const parsed: unknown = JSON.parse(row.snapshot);
  const current = row.machine === machineName(logic);
  const snapshot = (
    current ? parsed : migrated(parsed, row, logic, pathOf(row.key, parent), migrate)
  ) as StoredSnapshot;
  if (typeof snapshot !== 'object' || snapshot === null || !STATUSES.has(snapshot.status)) {
    const actor = pathOf(row.key, parent);
    throw new PerdureError('SNAPSHOT_INVALID', `The stored state of "${actor}" has no valid status.`, {
      facts: { actor },
    });
  }
  if (!current || row.snapshot.includes(TAG_IN_TEXT) || row.snapshot.includes(XSTATE_MARKER))
    takeLate(row, snapshot, logic, late);
  if (isMachine(logic)) snapshot.children ??= {};
  return snapshot;
}

function migrated(snapshot: unknown, row: ActorRow, logic: Logic, path: string, migrate: Migrate | undefined): unknown {
  const to = machineName(logic);
  const about = { actor: path, from: row.machine ?? 'other logic', to: to ?? 'other logic' };
  const result = migrate?.(snapshot, about);
  if (result !== undefined) return result;
  throw new PerdureError(
    'MACHINE_CHANGED',
    `The store holds the actor "${path}" as ${about.from}; the machine is now ${about.to}: pass migrate(snapshot, about) to ` +
      'createDurableActor, or run the old version until the tree is done.',
    { facts: about },
  );
}

type Late = (refs: Refs) => Readonly<Record<string, unknown>>;

/**
 * What an actor gets when every actor exists: a value with a tag, because a tag may be a reference to anybody; and a
 * context in which XState's reviving would mistake data for references.
 */
function takeLate(row: ActorRow, snapshot: StoredSnapshot, logic: Logic, late: Map<number, Late>): void {
  const { context, children: _children, ...own } = snapshot;
  if (row.snapshot.includes(TAG_IN_TEXT)) {
    const text = JSON.stringify({ ...own, context });
    late.set(row.id, (refs) => pickLate(decode(text, refs) as StoredSnapshot, logic));
  } else if (isMachine(logic)) {
    late.set(row.id, () => ({ context }));
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
  const { context, output, error, supervision } = decoded as Record<string, unknown>;
  return { context, output, error, ...(supervision === undefined ? {} : { supervision }) };
}

function match(assembled: readonly Assembled[], root: AnyRef, adopt: (restored: Restored) => void): void {
  for (const one of assembled) {
    const { id, parent, key, snapshot, attempt, turn, seed } = one;
    const ref = parent === undefined ? root : childOf(parent.ref as AnyRef, key);
    const found = ref?.getSnapshot() as { status: string; error?: unknown } | undefined;
    if (ref === undefined || found?.status !== snapshot.status) throw misfit(one, found);
    one.ref = ref;
    forgetStored(ref);
    adopt({ ref, id, parent: parent?.id ?? null, attempt, turn, seed });
  }
}

function misfit(
  { key, parent, src, machine, snapshot }: Assembled,
  found: { error?: unknown } | undefined,
): PerdureError {
  const path = pathOf(key, parent);
  return new PerdureError(
    'MACHINE_CHANGED',
    `The actor "${path}" cannot be restored in the state ${JSON.stringify(snapshot['value'] ?? snapshot.status)} of ` +
      `${machine ?? src}: ${found === undefined ? 'it is missing' : messageOf(found.error)}. ` +
      'Give the machine a new version and pass migrate to createDurableActor.',
    { facts: { actor: path, machine } },
  );
}

function childOf(parent: AnyRef, key: string): AnyRef | undefined {
  return (parent.getSnapshot() as { children?: Record<string, AnyRef> }).children?.[key];
}
