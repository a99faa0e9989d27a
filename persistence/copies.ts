/**
 * Copies of a store. A copy is an older state: the row ids and turns that the store gave out after it would be given out
 * again, and so the keys of effects. So a copy carries a mark, and whoever opens it first begins a new generation, which
 * is part of every key.
 */
import type { Db } from './sqlite.ts';

const MARK = 'copy';

/** Marks a database that nobody owns as a copy. */
export function markCopy(db: Db, at: number): void {
  db.prepare(`insert into meta values (?, ?) on conflict(key) do update set value = excluded.value`).run(MARK, at);
}

/** Takes the mark away; gives whether it was there. */
export function unmarkCopy(db: Db): boolean {
  return db.prepare('delete from meta where key = ?').run(MARK).changes > 0;
}

/** Whether nobody has opened the copy yet. */
export function isCopy(db: Db): boolean {
  return db.prepare('select 1 from meta where key = ?').get(MARK) !== undefined;
}
