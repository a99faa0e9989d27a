/**
 * The tables of which the past is kept, as the file itself knows them: who goes back to a turn, or compares two, need not be
 * who declared them.
 */
import type { Statements } from './rows.ts';
import { TREES, TREE_TABLES, type TableSpec } from './schema.ts';
import type { Db } from './sqlite.ts';

/** Names of tables in `meta`, as JSON. */
const STAYING = 'not_rolled_back';
const OWN: ReadonlySet<string> = new Set([TREES, ...TREE_TABLES].map(({ name }) => name));

/** All of them. A host's own table may be called like a past: those of trees have triggers. */
export function versionedTables(statements: Statements): string[] {
  const kept = `select tbl_name as name from sqlite_schema where type = 'trigger' and name = tbl_name || '_keep_changed'`;
  return (statements.of(kept).all() as { name: string }[]).map(({ name }) => name);
}

/** Those that subsystems declared. */
export function subsystemTables(statements: Statements): string[] {
  return versionedTables(statements).filter((name) => !OWN.has(name));
}

/** Those of subsystems that a restore takes back. */
export function rolledBackTables(statements: Statements): string[] {
  const staying = stayingTables(statements);
  return subsystemTables(statements).filter((name) => !staying.has(name));
}

/** Whether the tables may be of several trees: nobody says whose their rows are. */
export function areShared(statements: Statements, tables: readonly string[]): boolean {
  const { n } = statements.of('select count(*) as n from (select 1 from trees limit 2)').get() as { n: number };
  return tables.length > 0 && n > 1;
}

/** Remembers which tables a restore leaves as they are. In a transaction of the caller's. */
export function noteStaying(db: Db, tables: readonly TableSpec[]): void {
  const read = db.prepare('select value from meta where key = ?').pluck();
  const before = read.get(STAYING) as string | undefined;
  const staying = new Set(before === undefined ? [] : (JSON.parse(before) as string[]));
  for (const { name, rolledBack = true } of tables) {
    if (rolledBack) staying.delete(name);
    else staying.add(name);
  }
  const after = JSON.stringify([...staying].toSorted());
  if (after === (before ?? '[]')) return;
  const put = `insert into meta values (?, ?) on conflict(key) do update set value = excluded.value`;
  db.prepare(put).run(STAYING, after);
}

function stayingTables(statements: Statements): ReadonlySet<string> {
  const row = statements.of('select value from meta where key = ?').get(STAYING) as { value: string } | undefined;
  return new Set(row === undefined ? [] : (JSON.parse(row.value) as string[]));
}

/** The columns of a table, without those that say when a row was written. */
export function columnsOf(statements: Statements, table: string): string[] {
  const found = statements.of('select name from pragma_table_info(?)').all(table) as { name: string }[];
  return found.map(({ name }) => name).filter((name) => name !== 'from_turn');
}

/** The columns by which a row is known. */
export function keyOf(statements: Statements, table: string): string[] {
  const found = statements
    .of(`select name from pragma_table_info(?) where pk > 0 and name <> 'to_turn' order by pk`)
    .all(`${table}_past`) as { name: string }[];
  return found.map(({ name }) => name);
}
