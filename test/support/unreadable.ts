/**
 * A store that cannot be read for a while, with an error of SQLite itself: a table is hidden behind a view of another
 * database, which another connection has locked. It is SQLITE_BUSY, which passes, as errors of a disk may.
 */
import Database from 'better-sqlite3';
import type { Db } from '../../persistence/sqlite.ts';
import { tempStore } from './temp.ts';

/** Hides a table from this connection; gives what shows it again. */
export function unreadable(db: Db, table: string): () => void {
  const path = tempStore();
  const locker = new Database(path);
  const columns = db.prepare('select name from pragma_table_info(?)').pluck().all(table) as string[];
  locker.exec(`create table ${table}(${columns.map((name) => `"${name}"`).join(', ')})`);
  db.pragma('busy_timeout = 0');
  db.exec(`attach '${path}' as locked; create temp view ${table} as select * from locked.${table}`);
  locker.exec('begin exclusive');
  return () => {
    locker.close();
    if (db.open) db.exec(`drop view temp.${table}; detach locked`);
  };
}
