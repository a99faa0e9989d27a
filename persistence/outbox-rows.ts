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
  /** Failed attempts so far. */
  readonly attempt: number;
  /** When it was given up; null while it is to be done. */
  readonly dead_at: number | null;
  readonly error: string | null;
}

/** With its checksum. */
export interface StoredRow extends OutboxRow {
  readonly checksum: number;
}

/** What a sealed payload is bound to. */
export function bindingOf(
  tree: number,
  { id, source, kind, name }: Pick<OutboxRow, 'id' | 'source' | 'kind' | 'name'>,
): string {
  return JSON.stringify(['outbox', id, tree, source, kind, name]);
}

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

export function removeRow(rows: Rows, id: number): void {
  rows.run('delete from outbox where id = ?', id);
}

/** Tries a row again later. */
export function postponeRow(
  rows: Rows,
  { id }: OutboxRow,
  { attempt, due, error }: { attempt: number; due: number; error: string },
): void {
  rows.run(
    'update outbox set attempt = ?, due = ?, error = ?, from_turn = ? where id = ?',
    attempt,
    due,
    error,
    rows.turn,
    id,
  );
}

/** Gives a row up, visibly. */
export function buryRow(
  rows: Rows,
  { id }: OutboxRow,
  { attempt, at, error }: { attempt: number; at: number; error: string },
): void {
  rows.run(
    'update outbox set attempt = ?, dead_at = ?, error = ?, from_turn = ? where id = ?',
    attempt,
    at,
    error,
    rows.turn,
    id,
  );
}

/** Brings a dead row back, with all its attempts. */
export function reviveRow(rows: Rows, id: number, now: number): void {
  rows.run('update outbox set attempt = 0, dead_at = null, due = ?, from_turn = ? where id = ?', now, rows.turn, id);
}

/** What is to be done for a tree, in its order. Throws ROW_CORRUPT. */
export function readOutbox(statements: Statements, tree: number): OutboxRow[] {
  const rows = statements.of('select * from outbox where tree = ? and dead_at is null order by id').all(tree);
  for (const row of rows as StoredRow[]) {
    if (isSoundRow(row)) continue;
    throw new PerdureError(
      'ROW_CORRUPT',
      `The row of the outbox ${row.id} ("${row.name}") does not match its checksum: the file was damaged.`,
      { facts: { id: row.id, name: row.name } },
    );
  }
  return rows as OutboxRow[];
}

/** The rows that were given up. */
export function readDeadLetters(statements: Statements): (OutboxRow & { readonly tree: string })[] {
  return statements
    .of(
      `select outbox.*, trees.name as tree from outbox join trees using (tree)
       where dead_at is not null order by outbox.id`,
    )
    .all() as (OutboxRow & { readonly tree: string })[];
}
