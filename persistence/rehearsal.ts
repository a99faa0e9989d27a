/** Whether every tree of a store can be opened by these machines: tried on a copy, in which nothing is started. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import { backUpBeside } from './backup.ts';
import { systemClock } from './clock.ts';
import type { Migrations } from './migrations.ts';
import type { PayloadOptions } from './payloads.ts';
import { Store } from './store.ts';
import { LiveTree, type TreeHost } from './tree.ts';
import { findTree, type TreeRow } from './tree-rows.ts';
import { childrenOf, machineName, pathOf, type AnyRef, type AnySnapshot, type Logic } from './xstate-port.ts';

/** What would become of a stored actor. */
export interface RehearsedActor {
  readonly tree: string;
  readonly actor: string;
  readonly outcome: 'unchanged' | 'migrated' | 'refused';
  /** The machine as it is stored, and as it is now; null for other logic. */
  readonly from?: string | null;
  readonly to?: string | null;
  /** Why it was refused; the other actors of its tree were not judged. */
  readonly why?: string;
}

/** The machines, by the names of {@link Store.open}; `undefined` is asked for trees of createDurableActor. */
export type FindLogic = (tree: string, machine: string | null) => Logic | undefined;

/** Tells what would become of every actor. The store is only read. Throws what is wrong with it. */
export async function rehearse(
  path: string,
  find: FindLogic,
  migrate: Migrations | undefined,
  payloads: PayloadOptions = {},
): Promise<RehearsedActor[]> {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-rehearsal-'));
  try {
    const copy = join(folder, 'copy.db');
    await backUpBeside(path, copy, {}, systemClock.now());
    const store = Store.open(copy, { ...payloads, durability: 'process-crash' });
    try {
      return [...store.trees()].flatMap(({ id, machine }) => judge(store, id, find(id, machine), machine, migrate));
    } finally {
      store.drop(new PerdureError('STORE_CLOSED', 'The rehearsal is over.'));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function judge(
  store: Store,
  name: string,
  logic: Logic | undefined,
  machine: string | null,
  migrate: Migrations | undefined,
): RehearsedActor[] {
  if (logic === undefined) {
    const why = `no machine was given for ${machine === null ? 'trees of createDurableActor' : `"${machine}"`}`;
    return [{ tree: name, actor: name, outcome: 'refused', why }];
  }
  const root = { id: name };
  try {
    const { tree: number, generation, restored } = findTree(store.commits.statements, name) as TreeRow;
    const options = { tree: number, generation, restored, name, machine, logic, actions: new Map(), root, migrate };
    const tree = new LiveTree(store.commits, options, NOBODY);
    const found = outcomes(store, tree, number, name);
    tree.drop();
    return found;
  } catch (error) {
    const actor = isPerdureError(error) ? error.facts['actor'] : undefined;
    return [{ tree: name, actor: typeof actor === 'string' ? actor : name, outcome: 'refused', why: messageOf(error) }];
  }
}

function outcomes(store: Store, live: LiveTree, tree: number, name: string): RehearsedActor[] {
  const rows = store.commits.statements.of('select id, machine from actors where tree = ?').all(tree);
  const stored = new Map((rows as { id: number; machine: string | null }[]).map(({ id, machine }) => [id, machine]));
  const told: RehearsedActor[] = [];
  const visit = (ref: AnyRef): void => {
    const from = stored.get(live.idOf(ref) ?? 0) ?? null;
    const to = machineName((ref as unknown as { logic: Logic }).logic);
    told.push({ tree: name, actor: pathOf(ref), outcome: from === to ? 'unchanged' : 'migrated', from, to });
    for (const child of Object.values(childrenOf(ref.getSnapshot() as AnySnapshot) ?? {})) {
      if (child !== undefined) visit(child);
    }
  };
  visit(live.root);
  return told;
}

const nothing = () => {};

/** A tree that is not started asks for nothing. */
const NOBODY: TreeHost = {
  fire: nothing,
  resulted: nothing,
  touched: nothing,
  outbox: undefined as never,
  effectInterrupted: nothing,
};
