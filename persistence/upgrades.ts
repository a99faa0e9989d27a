/**
 * The way from an older schema to this build's, one step a version, all in one transaction. A step stands for ever: the
 * stores that it upgrades exist. `test/golden/` keeps one of each version.
 */
import { crc32 } from 'node:zlib';
import { checksumOf, seedOf, type ActorRow } from './actor-rows.ts';
import {
  APPLICATION_ID,
  CHECKPOINTS_INDEX,
  CLIENTS,
  COMMANDS_INDEX,
  INCIDENTS_INDEX,
  QUARANTINE,
  SCHEMA_VERSION,
  TREES,
  TREE_TABLES,
  TURNS,
  createSchema,
  createTable,
} from './schema.ts';
import type { Db } from './sqlite.ts';
import { checksumOf as timerChecksum, type TimerRow } from './timer-rows.ts';
import { checksumOf as treeChecksum, type TreeRow } from './tree-rows.ts';

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
const STEPS: readonly ((db: Db) => void)[] = [toSchema2, toSchema3, toSchema4];

/**
 * Schema 2: many trees wake by themselves, actors' checksums cover their attempt and turn, versions of rows are kept in the
 * order in which they ended, damaged rows have a quarantine, and turns a history.
 */
function toSchema2(db: Db): void {
  db.exec(`
    alter table trees add column machine text;
    alter table trees add column digest integer;
    alter table trees add column checksum integer not null default 0;
    create table kept(turn integer not null) strict;
    insert into kept select coalesce(max(turn), 0) from checkpoints;
    ${CLIENTS} ${TURNS} ${QUARANTINE} ${INCIDENTS_INDEX}
  `);
  for (const name of versionedTables(db)) rebuildVersions(db, name);
  for (const table of TREE_TABLES) createTable(db, table);
  sealAttempts(db);
  sealTimers(db);
  sealTrees(db);
}

/** Schema 3: trees are versioned and know since when they are a restored state, and checkpoints can be pinned. */
function toSchema3(db: Db): void {
  db.exec(`
    alter table checkpoints add column pinned integer not null default 0;
    ${CHECKPOINTS_INDEX}
    alter table trees rename to trees_2;
  `);
  createTable(db, TREES);
  const next = (db.prepare(`select value from meta where key = 'turn_limit'`).pluck().get() as number | undefined) ?? 1;
  const cells = 'tree, name, generation, created_at, machine';
  db.prepare(
    `insert into trees(${cells}, digest, checksum, from_turn) select ${cells}, digest, checksum, ? from trees_2`,
  ).run(next);
  // What the digests were is not known.
  db.prepare(
    `insert into trees_past(${cells}, checksum, from_turn, to_turn) select ${cells}, checksum, 0, ? from trees_2`,
  ).run(next);
  db.exec('drop table trees_2');
}

/** Schema 4: commands know who asked, and by which name: they are the audit too. */
function toSchema4(db: Db): void {
  db.exec(`
    alter table commands add column asked_by text;
    alter table commands add column command text;
    alter table commands add column digest text;
    ${COMMANDS_INDEX}
  `);
}

/** A host may have called a table of its own so; those of trees have triggers. */
function versionedTables(db: Db): string[] {
  const kept = `select tbl_name from sqlite_schema where type = 'trigger' and name = tbl_name || '_keep_changed'`;
  return db.prepare(kept).pluck().all() as string[];
}

/** Versions were a table with two indexes, of which one says what the key is. */
function rebuildVersions(db: Db, name: string): void {
  const columns = db.prepare(`select name || ' ' || type as definition from pragma_table_info(?)`).pluck().all(name);
  const keys = db.prepare(`select name from pragma_index_info(?) where name <> 'from_turn'`).pluck();
  const key = keys.all(`${name}_past_key`).join(', ');
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
    insert into ${name}_past select * from ${name}_past_1;
    drop table ${name}_past_1;
  `);
}

/** The checksums of schema 1 left out the turn of a timer. Rows that did not match then do not match now. */
function sealTimers(db: Db): void {
  for (const table of ['timers', 'timers_past']) {
    const update = db.prepare(`update ${table} set checksum = ? where id = ? and from_turn = ?`);
    for (const row of db.prepare(`select * from ${table}`).all() as TimerRow[]) {
      const { id, source, target, key, event, due, delay, checksum, from_turn } = row;
      if (crc32(JSON.stringify([id, source, target, key, event, due, delay])) !== checksum) continue;
      update.run(timerChecksum(row), id, from_turn);
    }
  }
}

function sealTrees(db: Db): void {
  const update = db.prepare('update trees set checksum = ? where tree = ?');
  for (const row of db.prepare('select * from trees').all() as TreeRow[]) update.run(treeChecksum(row), row.tree);
}

/** The checksums of schema 1 left out the attempt and the turn. Rows that did not match then do not match now. */
function sealAttempts(db: Db): void {
  seal(db, 'actors', ['id']);
  seal(db, 'actors_past', ['to_turn', 'id']);
}

type Row = ActorRow & { readonly to_turn?: number };

/** Only an effect that runs has an attempt from now on: it is what wakes a tree. */
function isActive({ snapshot }: Row): boolean {
  return (JSON.parse(snapshot) as { status?: unknown } | null)?.status === 'active';
}

/** A page of rows at a time, in the order of the key. */
function seal(db: Db, table: string, key: readonly (keyof Row)[]): void {
  const place = `(${key.join(', ')})`;
  const marks = `(${key.map(() => '?').join(', ')})`;
  const update = db.prepare(`update ${table} set attempt = ?, checksum = ? where ${place} = ${marks}`);
  const read = db.prepare(`select * from ${table} where ${place} > ${marks} order by ${key.join(', ')} limit 1000`);
  const placeOf = (row: Row) => key.map((column) => row[column]);
  for (let last = key.map((): unknown => 0), more = true; more;) {
    const rows = read.all(...last) as Row[];
    for (const row of rows) {
      const seed = seedOf(row);
      if (crc32(row.snapshot, seed) !== row.checksum) continue;
      const attempt = isActive(row) ? row.attempt : 0;
      update.run(attempt, checksumOf(row.snapshot, seed, attempt, row.from_turn), ...placeOf(row));
    }
    const end = rows.at(-1);
    more = end !== undefined;
    if (end !== undefined) last = placeOf(end);
  }
}
