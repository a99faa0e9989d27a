/** One row per delayed event that waits, under a checksum. */
import { crc32 } from 'node:zlib';
import { PerdureError } from '../errors.ts';
import type { Statements } from './rows.ts';
import type { Timer } from './timers.ts';

/** A row as it is read. */
export interface TimerRow {
  readonly id: number;
  readonly source: number;
  readonly target: number;
  readonly key: string;
  readonly event: string;
  readonly due: number;
  readonly delay: number;
  readonly checksum: number;
  readonly from_turn: number;
}

/** A timer, with its references as row ids and its event as text. */
export interface StoredTimer {
  readonly tree: number;
  readonly source: number;
  readonly target: number;
  readonly timer: Timer;
  readonly text: string;
}

/** What a sealed event is bound to. */
export function bindingOf(
  tree: number,
  { id, source, target, key, due, delay }: Pick<TimerRow, 'id' | 'source' | 'target' | 'key' | 'due' | 'delay'>,
): string {
  return JSON.stringify(['timer', id, tree, source, target, key, due, delay]);
}

/** Of all that the row holds but its tree, which the digest of the tree covers. */
export function checksumOf(row: Omit<TimerRow, 'checksum'>): number {
  const { id, source, target, key, event, due, delay, from_turn } = row;
  return crc32(JSON.stringify([id, source, target, key, event, due, delay, from_turn]));
}

/** Whether the row is as it was written. */
export function isSoundTimer(row: TimerRow): boolean {
  return checksumOf(row) === row.checksum;
}

/** Gives the row's checksum. */
export function insertTimer(
  statements: Statements,
  { tree, source, target, timer, text }: StoredTimer,
  turn: number,
): number {
  const { id, key, due, delay } = timer;
  const checksum = checksumOf({ id, source, target, key, event: text, due, delay, from_turn: turn });
  statements
    .of('insert into timers values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(id, tree, source, target, key, text, due, delay, checksum, turn);
  return checksum;
}

export function deleteTimer(statements: Statements, id: number): void {
  statements.of('delete from timers where id = ?').run(id);
}

/** The timers of a tree, by due time. Throws ROW_CORRUPT. */
export function readTimers(statements: Statements, tree: number): TimerRow[] {
  // From itself, or SQLite would take `tree` or `due` from an index, where a row that was damaged is still right.
  const sql = `select t.* from timers as found cross join timers as t on t.id = found.id where found.tree = ? order by t.due, t.id`;
  const rows = statements.of(sql).all(tree) as (TimerRow & { readonly tree: number })[];
  for (const row of rows) {
    if (row.tree === tree && isSoundTimer(row)) continue;
    throw new PerdureError(
      'ROW_CORRUPT',
      `The row of timer ${row.id} does not match its checksum: the file was damaged.`,
      {
        facts: { timer: row.id },
      },
    );
  }
  return rows;
}
