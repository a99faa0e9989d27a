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

/** A row, found whole, with the logic it belongs to. */
interface Assembled {
  readonly row: ActorRow;
  readonly seed: number;
  readonly logic: Logic;
  readonly path: string;
  readonly snapshot: StoredSnapshot;
}

interface StoredSnapshot extends Record<string, unknown> {
  status: string;
  context?: unknown;
  children?: Record<string, unknown>;
}

/** An actor that came back, and its row. */
export interface Restored {
  readonly ref: AnyRef;
  readonly row: ActorRow;
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

const STATUSES = new Set(['active', 'done', 'error', 'stopped']);

/** The tree, not started yet, in the order of its rows; undefined when the tree has none. */
export function restoreTree(statements: Statements, options: RestoreOptions): Restored[] | undefined {
  const assembled = assemble(statements, options);
  const root = assembled.values().next().value;
  if (root === undefined) return undefined;
  const late = takeLateValues(assembled);
  const snapshot = root.snapshot as unknown as AnySnapshot;
  const ref = createRoot(options.logic, { ...options.root, snapshot }, options.hooks, options.scheduler);
  const restored = match(assembled, ref);
  const refs = refsOf(restored, options.hooks as TreeHooks & Refs);
  for (const { ref: actor, row } of restored) {
    const values = late.get(row.id);
    if (values !== undefined) putValues(actor, values(refs));
  }
  return restored;
}

function assemble(statements: Statements, options: RestoreOptions): Map<number, Assembled> {
  const assembled = new Map<number, Assembled>();
  for (const row of readActors(statements, options.tree)) {
    const seed = verify(row);
    const parent = row.parent === null ? undefined : assembled.get(row.parent);
    const path = parent === undefined || parent.row.parent === null ? row.key : `${parent.path}/${row.key}`;
    const logic = findLogic(row, parent, path, options.logic);
    const snapshot = storedSnapshot(row, logic, path, options.migrate);
    assembled.set(row.id, { row, seed, logic, path, snapshot });
    if (parent !== undefined) adoptChild(parent.snapshot, row, snapshot);
  }
  return assembled;
}

function adoptChild(parent: StoredSnapshot, row: ActorRow, snapshot: StoredSnapshot): void {
  (parent.children ??= {})[row.key] = {
    snapshot,
    src: row.src,
    systemId: row.system_id ?? undefined,
    syncSnapshot: row.synced === null ? undefined : row.synced === 1,
  };
}

function findLogic(row: ActorRow, parent: Assembled | undefined, path: string, root: Logic): Logic {
  if (row.parent === null) return root;
  const logic = parent === undefined || row.src === null ? undefined : logicOf(parent.logic, row.src);
  if (logic !== undefined) return logic;
  const machine = parent === undefined ? 'its parent, which is missing' : `the machine of "${parent.path}"`;
  throw new PerdureError(
    'LOGIC_MISSING',
    `The store holds the actor "${path}", made from "${row.src}", but ${machine} does not know that name: ` +
      'add it to setup({ actors }) again, or migrate the tree.',
    { facts: { actor: path, src: row.src } },
  );
}

function storedSnapshot(row: ActorRow, logic: Logic, path: string, migrate: Migrate | undefined): StoredSnapshot {
  const parsed: unknown = JSON.parse(row.snapshot);
  const snapshot = migrated(parsed, row, logic, path, migrate) as StoredSnapshot;
  if (typeof snapshot !== 'object' || snapshot === null || !STATUSES.has(snapshot.status)) {
    throw new PerdureError('SNAPSHOT_INVALID', `The stored state of "${path}" has no valid status.`, {
      facts: { actor: path },
    });
  }
  if (isMachine(logic)) snapshot.children ??= {};
  return snapshot;
}

function migrated(snapshot: unknown, row: ActorRow, logic: Logic, path: string, migrate: Migrate | undefined): unknown {
  const to = machineName(logic);
  if (row.machine === to) return snapshot;
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
 * What an actor gets when every actor exists: the context of a machine, past XState's reviving, which would mistake data
 * for references; and every value with a tag, because a tag may be a reference to anybody.
 */
function takeLateValues(assembled: Map<number, Assembled>): Map<number, Late> {
  const late = new Map<number, Late>();
  for (const { row, snapshot, logic } of assembled.values()) {
    const { context, children: _children, ...own } = snapshot;
    if (row.snapshot.includes(TAG_IN_TEXT)) {
      const text = JSON.stringify({ ...own, context });
      late.set(row.id, (refs) => pickLate(decode(text, refs) as StoredSnapshot, logic));
    } else if (isMachine(logic)) {
      late.set(row.id, () => ({ context }));
    }
    if (isMachine(logic)) snapshot.context = {};
  }
  return late;
}

function pickLate(decoded: StoredSnapshot, logic: Logic): Readonly<Record<string, unknown>> {
  if (!isMachine(logic)) return decoded;
  const { context, output, error } = decoded as Record<string, unknown>;
  return { context, output, error };
}

function match(assembled: Map<number, Assembled>, root: AnyRef): Restored[] {
  const refs = new Map<number, AnyRef>();
  const restored: Restored[] = [];
  for (const { row, seed, path, snapshot } of assembled.values()) {
    const ref = row.parent === null ? root : childOf(refs.get(row.parent) as AnyRef, row.key);
    const found = ref?.getSnapshot() as { status: string; error?: unknown } | undefined;
    if (ref === undefined || found === undefined || found.status !== snapshot.status) {
      throw new PerdureError(
        'MACHINE_CHANGED',
        `The actor "${path}" cannot be restored in the state ${JSON.stringify(snapshot['value'] ?? snapshot.status)} of ` +
          `${row.machine ?? row.src}: ${found === undefined ? 'it is missing' : messageOf(found.error)}. ` +
          'Give the machine a new version and pass migrate to createDurableActor.',
        { facts: { actor: path, machine: row.machine } },
      );
    }
    refs.set(row.id, ref);
    restored.push({ ref, row, seed });
  }
  return restored;
}

function childOf(parent: AnyRef, key: string): AnyRef | undefined {
  return (parent.getSnapshot() as { children?: Record<string, AnyRef> }).children?.[key];
}

function refsOf(restored: readonly Restored[], tree: Refs): Refs {
  const byId = new Map(restored.map(({ ref, row }) => [row.id, ref]));
  return { idOf: (ref) => tree.idOf(ref), refOf: (id) => byId.get(id) ?? tree.refOf(id) };
}
