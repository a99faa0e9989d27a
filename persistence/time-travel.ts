/**
 * A tree goes back to a kept turn: in the transaction of the turn that is being built, every row that it owns becomes what it
 * was then. What was committed after stays in the past of the tables, and the turn before is named, so that going back can be
 * undone in the same way.
 *
 * V1  The rows of the kept turn are whole before anything is written: every checksum fits, and the digest of the tree.
 * V2  A row that is as it was is not touched; another one begins in this turn, or two versions of it would overlap.
 * V3  Row ids and turns go on, and the tree begins a new generation: no key of an effect is given again.
 * V4  Rows of tables that are not rolled back, and accepted message ids, stay.
 */
import { PerdureError, isPerdureError } from '../errors.ts';
import { bindingOf, checksumOf, seedOf, verify, type ActorRow } from './actor-rows.ts';
import { isSoundRow, type StoredRow } from './outbox-rows.ts';
import type { Payloads } from './payloads.ts';
import { changedSince, rowsOf, type TreeTable } from './rows-as-of.ts';
import type { Statements } from './rows.ts';
import { checksumOf as timerChecksum, isSoundTimer, type TimerRow } from './timer-rows.ts';
import { findTree, restoreTreeRow, type TreeRow } from './tree-rows.ts';
import { columnsOf } from './versioned-tables.ts';

/** Where a tree goes back to. */
export interface Destination {
  readonly tree: TreeRow;
  /** The kept turn. */
  readonly turn: number;
  /** Tables of subsystems that go back with it. */
  readonly tables: readonly string[];
}

/** Past every turn. */
const PRESENT = Number.MAX_SAFE_INTEGER;

/** Whether every row that the turn saw is still there. */
export function isKeptTurn(statements: Statements, turn: number): boolean {
  if (!Number.isSafeInteger(turn)) return false;
  const find = 'select 1 from checkpoints where turn = :turn union all select 1 from turns where turn = :turn';
  return statements.of(find).get({ turn }) !== undefined;
}

/** Throws CHECKPOINT_UNKNOWN unless the turn is kept. */
export function assertKept(statements: Statements, turn: number): void {
  if (isKeptTurn(statements, turn)) return;
  const ends = statements.of('select count(*) as n, min(turn) as first, max(turn) as last from checkpoints').get();
  const { n, first, last } = ends as { n: number; first: number | null; last: number | null };
  const named = n === 0 ? 'no turn is named' : `${n} turns are named, from ${first} to ${last}`;
  throw new PerdureError(
    'CHECKPOINT_UNKNOWN',
    `The turn ${String(turn)} is not kept: it is neither a checkpoint nor a turn of the history (${named}). Give one that is.`,
    { facts: { turn } },
  );
}

/**
 * Takes the rows of a tree back to a kept turn, in the open transaction, in which `now` is being built. Gives the new
 * generation. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_DAMAGED: then the caller undoes what was written.
 */
export function goBack(
  statements: Statements,
  payloads: Payloads,
  { tree: row, turn, tables }: Destination,
  now: { readonly turn: number; readonly at: number },
): number {
  const { tree } = row;
  let digest = assertWhole(statements, row, turn);
  const place = { tree, turn };
  for (const table of ['actors', 'timers', 'outbox']) {
    statements.of(`delete from ${table} where tree = ? and from_turn > ?`).run(tree, turn);
  }
  for (const actor of changedSince<ActorRow>(statements, 'actors', place)) {
    const snapshot = resealed(
      payloads,
      actor.snapshot,
      (at) => bindingOf(actor, actor.attempt, at),
      actor.from_turn,
      now.turn,
    );
    const checksum = checksumOf(snapshot, seedOf(actor), actor.attempt, now.turn);
    putBack(statements, 'actors', { ...actor, snapshot, checksum, from_turn: now.turn });
  }
  for (const timer of changedSince<TimerRow>(statements, 'timers', place)) {
    const moved = { ...timer, from_turn: now.turn };
    const checksum = timerChecksum(moved);
    putBack(statements, 'timers', { ...moved, checksum });
    digest ^= timer.checksum ^ checksum;
  }
  for (const wanted of changedSince<StoredRow>(statements, 'outbox', place)) {
    putBack(statements, 'outbox', { ...wanted, from_turn: now.turn });
  }
  for (const table of tables) takeBack(statements, table, turn, now.turn);
  const generation = nextGeneration(statements, row, now.at);
  restoreTreeRow(statements, row, { generation, restored: now.turn, digest });
  return generation;
}

/** V1. Gives the digest of then. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_DAMAGED. */
export function assertWhole(statements: Statements, row: TreeRow, turn: number): number {
  assertKept(statements, turn);
  const { digest, actors, damage } = inspectRows(statements, row.tree, turn);
  if (damage !== undefined) throw damagedCheckpoint(row.name, turn, damage);
  if (actors > 0) return digest;
  throw new PerdureError('CHECKPOINT_UNKNOWN', `The tree "${row.name}" did not exist at turn ${turn}.`, {
    facts: { tree: row.name, turn },
  });
}

/** What is wrong with the present rows of a tree; undefined where they are whole. */
export function damageOf(statements: Statements, { tree }: TreeRow): string | undefined {
  return inspectRows(statements, tree, PRESENT).damage;
}

interface Inspection {
  readonly digest: number;
  readonly actors: number;
  /** The first thing that is wrong. */
  readonly damage?: string;
}

function inspectRows(statements: Statements, tree: number, turn: number): Inspection {
  const place = { tree, turn };
  let digest = 0;
  let actors = 0;
  const damaged = (what: string) => ({ digest, actors, damage: `the row of ${what} does not match its checksum` });
  for (const row of rowsOf<ActorRow>(statements, 'actors', place)) {
    const seed = verify(row);
    if (seed === undefined) return damaged(`the actor "${row.key}" (id ${row.id})`);
    digest ^= seed;
    actors += 1;
  }
  for (const row of rowsOf<TimerRow & { readonly tree: number }>(statements, 'timers', place)) {
    if (row.tree !== tree || !isSoundTimer(row)) return damaged(`the timer ${row.id}`);
    digest ^= row.checksum;
  }
  for (const row of rowsOf<StoredRow>(statements, 'outbox', place)) {
    if (!isSoundRow(row)) return damaged(`the outbox ${row.id} ("${row.name}")`);
  }
  const known = digestAsOf(statements, tree, turn);
  if (known === null || known === digest) return { digest, actors };
  return { digest, actors, damage: 'its rows do not add up: some are missing or strange' };
}

/** Null where it is not known: of turns that an earlier build committed. */
function digestAsOf(statements: Statements, tree: number, turn: number): number | null {
  const sql = `select digest from trees where tree = :tree and from_turn <= :turn union all
    select digest from trees_past where tree = :tree and from_turn <= :turn and to_turn > :turn`;
  return (statements.of(sql).get({ tree, turn }) as { digest: number | null } | undefined)?.digest ?? null;
}

/** A sealed text is bound to the turn of its row. */
function resealed(
  payloads: Payloads,
  text: string,
  bindingAt: (turn: number) => string,
  from: number,
  to: number,
): string {
  return payloads.seal(
    payloads.unseal(text, () => bindingAt(from)),
    () => bindingAt(to),
  );
}

/** Writes a row as it is given, in whoever's place. */
export function putBack(
  statements: Statements,
  table: TreeTable,
  row: Readonly<Record<string, unknown>> & { readonly id: number },
): void {
  const columns = [...columnsOf(statements, table), 'from_turn'];
  // A damaged row may be in its place, in no tree that is known.
  statements.of(`delete from ${table} where id = ?`).run(row.id);
  statements
    .of(`insert into ${table}(${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`)
    .run(...columns.map((column) => row[column]));
}

/** V2, for a table of a subsystem. */
function takeBack(statements: Statements, table: string, turn: number, now: number): void {
  const columns = columnsOf(statements, table).join(', ');
  statements.of(`delete from ${table} where from_turn > ?`).run(turn);
  statements
    .of(
      `insert into ${table}(${columns}, from_turn) select ${columns}, :now from ${table}_past
       where from_turn <= :turn and to_turn > :turn`,
    )
    .run({ turn, now });
}

/** V3. A copy of the store begins one that is newer than all, so the store must know of this one. */
function nextGeneration(statements: Statements, { generation }: TreeRow, at: number): number {
  const stored = statements.of(`select value from meta where key = 'generation'`).get() as
    { value: number } | undefined;
  const next = Math.max(generation + 1, (stored?.value ?? 1) + 1, Math.floor(at));
  statements
    .of(`insert into meta values ('generation', ?) on conflict(key) do update set value = excluded.value`)
    .run(next);
  return next;
}

/** What is wrong with a kept turn, in the words of a restore. */
export function damagedCheckpoint(tree: string, turn: number, what: string, cause?: unknown): PerdureError {
  return new PerdureError(
    'CHECKPOINT_DAMAGED',
    `The tree "${tree}" cannot go back to turn ${turn}: ${what}. Nothing was changed; go back to another checkpoint.`,
    { facts: { tree, turn }, ...(cause === undefined ? {} : { cause }) },
  );
}

/** The tree of this name. Throws TREE_NOT_FOUND. */
export function storedTree(statements: Statements, name: string): TreeRow {
  const row = findTree(statements, name);
  if (row !== undefined) return row;
  throw new PerdureError('TREE_NOT_FOUND', `There is no tree "${name}" in the store.`, { facts: { tree: name } });
}

/** What stands in the way of a restore, in its words; what says how to go on by itself stays. */
export function asDamage(error: unknown, tree: string, turn: number): unknown {
  if (!isPerdureError(error) || error.code !== 'ROW_CORRUPT') return error;
  return damagedCheckpoint(tree, turn, error.message, error);
}
