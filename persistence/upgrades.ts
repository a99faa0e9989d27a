/**
 * The way from an older schema to this build's, one step a version, all in one transaction. A step stands for ever: the
 * stores that it upgrades exist. `test/golden/` keeps one of each version.
 */
import { crc32 } from 'node:zlib';
import { checksumOf, seedOf, type ActorRow } from './actor-rows.ts';
import {
  APPLICATION_ID,
  CLIENTS,
  INCIDENTS_INDEX,
  QUARANTINE,
  SCHEMA_VERSION,
  TREE_TABLES,
  TURNS,
  createSchema,
  createTable,
} from './schema.ts';
import type { Db } from './sqlite.ts';

/** Brings the file, which is empty or an older store, to this build's schema. */
export function upgrade(db: Db): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version === SCHEMA_VERSION) return;
  db.transaction(() => {
    if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) createSchema(db);
    else for (const step of STEPS.slice(version - 1)) step(db);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
  }).immediate();
}

/** Each brings a store from the version of its place, counted from 1, to the next. */
const STEPS: readonly ((db: Db) => void)[] = [toSchema2];

/**
 * Schema 2: many trees wake by themselves, actors' checksums cover their attempt and turn, versions of rows are kept in the
 * order in which they ended, damaged rows have a quarantine, and turns a history.
 */
function toSchema2(db: Db): void {
  db.exec(`
    alter table trees add column machine text;
    alter table trees add column digest integer;
    create table kept(turn integer not null) strict;
    insert into kept select coalesce(max(turn), 0) from checkpoints;
    ${CLIENTS} ${TURNS} ${QUARANTINE} ${INCIDENTS_INDEX}
  `);
  for (const name of versionedTables(db)) rebuildVersions(db, name);
  for (const table of TREE_TABLES) createTable(db, table);
  sealAttempts(db);
}

function versionedTables(db: Db): string[] {
  const past = db.prepare(`select name from sqlite_schema where type = 'table' and name like '%\\_past' escape '\\'`);
  return (past.pluck().all() as string[]).map((name) => name.slice(0, -'_past'.length));
}

/** Versions were a table with two indexes; whoever owns the table declares its triggers and its past again. */
function rebuildVersions(db: Db, name: string): void {
  const columns = db.prepare(`select name || ' ' || type as definition from pragma_table_info(?)`).pluck().all(name);
  const key = db.prepare(`select name from pragma_table_info(?) where name = 'id'`).pluck().get(name) as string;
  db.exec(`
    drop trigger ${name}_keep_changed;
    drop trigger ${name}_keep_removed;
    drop index ${name}_past_key;
    drop index ${name}_past_to;
    alter table ${name}_past rename to ${name}_past_1;
  `);
  const definitions = (columns as string[]).filter((definition) => !definition.startsWith('from_turn '));
  createTable(db, { name, key, columns: definitions });
  db.exec(`
    insert or ignore into ${name}_past select * from ${name}_past_1;
    drop table ${name}_past_1;
  `);
}

/** The checksums of schema 1 left out the attempt and the turn. Rows that did not match then do not match now. */
function sealAttempts(db: Db): void {
  const pages = [
    ['actors', 'select * from actors where id > ? and 0 = ? order by id limit 1000'],
    ['actors_past', 'select * from actors_past where (id, to_turn) > (?, ?) order by id, to_turn limit 1000'],
  ] as const;
  for (const [table, sql] of pages) {
    const update = db.prepare(`update ${table} set checksum = ? where id = ? and from_turn = ?`);
    const read = db.prepare(sql);
    let last: { id: number; to_turn?: number } | undefined = { id: 0, to_turn: 0 };
    while (last !== undefined) {
      const rows = read.all(last.id, last.to_turn ?? 0) as (ActorRow & { to_turn?: number })[];
      for (const row of rows) {
        const seed = seedOf(row);
        if (crc32(row.snapshot, seed) !== row.checksum) continue;
        update.run(checksumOf(row.snapshot, seed, row.attempt, row.from_turn), row.id, row.from_turn);
      }
      last = rows.at(-1);
    }
  }
}
