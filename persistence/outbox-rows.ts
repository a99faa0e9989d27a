/** The rows of the outbox: one for each thing that a committed turn wants done, under a checksum. */
import { crc32 } from 'node:zlib';
import { PerdureError } from '../errors.ts';
import type { Rows, Statements } from './rows.ts';

/** A row of the outbox. */
export interface OutboxRow {
  readonly id: number;
  /** The row id of the actor that wanted it. */
  readonly source: number;
  readonly kind: 'action' | 'event';
  /** The name of the durable action, or the tree that the event is for. */
  readonly name: string;
  readonly payload: string;
  /** Not tried before. Wall-clock ms. */
  readonly due: number;
  /** Attempts that were begun. */
  readonly attempt: number;
  /** When it was given up; null while it is to be done. */
  readonly dead_at: number | null;
  readonly error: string | null;
}

/** With its checksum. */
export interface StoredRow extends OutboxRow {
  readonly checksum: number;
  readonly from_turn: number;
}

/** What a sealed payload is bound to. */
export function bindingOf(
  tree: number,
  { id, source, kind, name }: Pick<OutboxRow, 'id' | 'source' | 'kind' | 'name'>,
): string {
  return JSON.stringify(['outbox', id, tree, source, kind, name]);
}
/** A row that was given up, and the tree that wanted it. */
export type DeadRow = OutboxRow & { readonly tree: string };

function checksumOf({ id, source, kind, name, payload }: OutboxRow): number {
  return crc32(JSON.stringify([id, source, kind, name, payload]));
}

/** Whether what is to be done is as it was written. */
export function isSoundRow(row: StoredRow): boolean {
  return checksumOf(row) === row.checksum;
}

export function insertRow(statements: Statements, tree: number, row: OutboxRow, turn: number): void {
  const { id, source, kind, name, payload, due, attempt, dead_at, error } = row;
  statements
    .of('insert into outbox values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(id, tree, source, kind, name, payload, due, attempt, dead_at, error, checksumOf(row), turn);
}

/** Whether the row is there, and not given up. */
export function isWaiting(statements: Statements, id: number): boolean {
  return statements.of('select 1 from outbox where id = ? and dead_at is null').get(id) !== undefined;
}

/** Removes the row of an event in the turn that the event begins. Throws TURN_REFUSED when that has happened before. */
export function takeRow(statements: Statements, id: number): void {
  if (statements.of('delete from outbox where id = ? and dead_at is null').run(id).changes === 1) return;
  throw new PerdureError('TURN_REFUSED', `The event of the row ${id} of the outbox has been applied already.`, {
    facts: { id },
  });
}

export function removeRow(rows: Rows, id: number): void {
  rows.run('delete from outbox where id = ?', id);
}

/** Counts an attempt before it begins; false when the row is gone. */
export function startRow(rows: Rows, id: number, attempt: number): boolean {
  const sql = 'update outbox set attempt = ?, from_turn = ? where id = ? and dead_at is null';
  return rows.run(sql, attempt, rows.turn, id) === 1;
}

/** Tries a row again later. */
export function postponeRow(
  rows: Rows,
  id: number,
  { attempt, due, error }: { attempt: number; due: number; error: string },
): void {
  const sql = 'update outbox set attempt = ?, due = ?, error = ?, from_turn = ? where id = ?';
  rows.run(sql, attempt, due, error, rows.turn, id);
}

/** Gives a row up, visibly. */
export function buryRow(
  rows: Rows,
  id: number,
  { attempt, at, error }: { attempt: number; at: number; error: string },
): void {
  const sql = 'update outbox set attempt = ?, dead_at = ?, error = ?, from_turn = ? where id = ?';
  rows.run(sql, attempt, at, error, rows.turn, id);
}

/** Brings a dead row back, with all its attempts; false when there is none. */
export function reviveRow(rows: Rows, id: number, now: number): boolean {
  const sql =
    'update outbox set attempt = 0, dead_at = null, due = ?, from_turn = ? where id = ? and dead_at is not null';
  return rows.run(sql, now, rows.turn, id) === 1;
}

/** What is to be done for a tree, in its order. Throws ROW_CORRUPT. */
export function readOutbox(statements: Statements, tree: number): StoredRow[] {
  // From itself, or SQLite would take `tree` from the index, where a row that was damaged is still right.
  const rows = statements
    .of(
      `select o.* from outbox as found cross join outbox as o on o.id = found.id
       where found.tree = ? and o.dead_at is null order by o.id`,
    )
    .all(tree);
  for (const row of rows as (StoredRow & { readonly tree: number })[]) {
    if (row.tree === tree && isSoundRow(row)) continue;
    throw new PerdureError(
      'ROW_CORRUPT',
      `The row of the outbox ${row.id} ("${row.name}") does not match its checksum: the file was damaged.`,
      { facts: { id: row.id, name: row.name } },
    );
  }
  return rows as StoredRow[];
}

const DEAD = 'select outbox.*, trees.name as tree from outbox join trees using (tree) where dead_at is not null';

/** The rows that were given up. */
export function readDeadLetters(statements: Statements): DeadRow[] {
  return statements.of(`${DEAD} order by outbox.id`).all() as DeadRow[];
}

export function readDeadLetter(statements: Statements, id: number): DeadRow | undefined {
  return statements.of(`${DEAD} and outbox.id = ?`).get(id) as DeadRow | undefined;
}
