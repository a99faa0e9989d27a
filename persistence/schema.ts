/**
 * The tables of a store. `user_version` numbers the schema; a newer one than this build knows is refused, an older one is
 * upgraded in one transaction (upgrades.ts).
 *
 * A table that a tree owns is *versioned*: a row that a kept turn still sees is copied to `<table>_past` before it
 * changes, by triggers, whoever changes it. A row is seen by the turns from `from_turn` up to, but not including,
 * `to_turn`. Which turns are kept says the one row of `kept`: all up to that turn.
 */
import { PerdureError } from '../errors.ts';
import type { Db } from './sqlite.ts';

/** "PERD": tells our databases from others. */
export const APPLICATION_ID = 0x50455244;
export const SCHEMA_VERSION = 4;

/** A table of a subsystem, declared by whoever owns it. `from_turn` is added; the columns of the key come first. */
export interface TableSpec {
  readonly name: string;
  /** Column definitions, the primary key's first. */
  readonly columns: readonly string[];
  readonly key: string;
  /** Further statements, for indexes. They must be repeatable (`if not exists`). */
  readonly indexes?: readonly string[];
  /**
   * False where a restore leaves the rows as they are: what was learned, measured and audited. Default: true, they become what
   * they were.
   */
  readonly rolledBack?: boolean;
}

/** The message ids of clients that count, as the ranges that were taken without a gap. */
export const CLIENTS = `
create table clients(
  client text not null, tree integer not null, low integer not null, high integer not null, at integer not null,
  primary key(client, tree, low)
) strict, without rowid;`;

/** History: what a committed turn was caused by, and whom it changed. `nth` and `total` count since the store was made. */
export const TURNS = `
create table turns(
  turn integer primary key, at integer not null, nth integer not null, total integer not null, causes text not null,
  changed text not null
) strict;`;

/** Whether the same was noted before is asked by the tree. */
export const INCIDENTS_INDEX = 'create index incidents_tree on incidents(tree, kind);';

/** The newest first, for whoever wants to know what was asked. */
export const COMMANDS_INDEX = 'create index commands_at on commands(at, id);';

/** Those that are forgotten in time. */
export const CHECKPOINTS_INDEX = 'create index checkpoints_unpinned on checkpoints(turn) where pinned = 0;';

/** Rows that were found damaged, as they were found. */
export const QUARANTINE = `
create table quarantine(
  id integer primary key, at integer not null, tree integer not null, actor text not null, reason text not null,
  cells text not null
) strict;`;

const CORE = `
create table meta(key text primary key, value any) strict, without rowid;
create table kept(turn integer not null) strict;
insert into kept values (0);
create table accepted(
  id text not null, tree integer not null, turn integer not null, at integer not null, primary key(id, tree)
) strict, without rowid;
${CLIENTS}
create table commands(
  id text primary key, at integer not null, tree text, actor text not null, event text not null,
  answered_at integer, answer text, asked_by text, command text, digest text
) strict;
create index commands_open on commands(at) where answered_at is null;
${COMMANDS_INDEX}
create table checkpoints(
  turn integer primary key, at integer not null, reason text not null, label text, detail text,
  pinned integer not null default 0
) strict;
${CHECKPOINTS_INDEX}
create table incidents(
  id integer primary key, at integer not null, tree integer, actor text, kind text not null, detail text not null
) strict;
${INCIDENTS_INDEX}
${TURNS}
${QUARANTINE}
`;

/** The trees themselves: versioned too, because the digest says whether the rows of a kept turn are all there. */
export const TREES: TableSpec = {
  name: 'trees',
  key: 'tree',
  columns: [
    'tree integer primary key',
    'name text not null unique',
    'generation integer not null',
    'created_at integer not null',
    'machine text',
    'digest integer',
    'checksum integer not null default 0',
    'restored integer',
  ],
};

export const TREE_TABLES: readonly TableSpec[] = [
  {
    name: 'actors',
    key: 'id',
    columns: [
      'id integer primary key',
      'tree integer not null',
      'parent integer',
      'key text not null',
      'src text',
      'system_id text',
      'synced integer',
      'machine text',
      'attempt integer not null',
      'snapshot text not null',
      'checksum integer not null',
    ],
    indexes: [
      'create index if not exists actors_tree on actors(tree)',
      'create index if not exists actors_effects on actors(tree) where attempt > 0',
    ],
  },
  {
    name: 'timers',
    key: 'id',
    columns: [
      'id integer primary key',
      'tree integer not null',
      'source integer not null',
      'target integer not null',
      'key text not null',
      'event text not null',
      'due real not null',
      'delay real not null',
      'checksum integer not null',
    ],
    indexes: [
      'create index if not exists timers_due on timers(due)',
      'create index if not exists timers_tree on timers(tree)',
    ],
  },
  {
    name: 'outbox',
    key: 'id',
    columns: [
      'id integer primary key',
      'tree integer not null',
      'source integer not null',
      'kind text not null',
      'name text not null',
      'payload text not null',
      'due real not null',
      'attempt integer not null',
      'dead_at integer',
      'error text',
      'checksum integer not null',
    ],
    indexes: ['create index if not exists outbox_tree on outbox(tree)'],
  },
];

/** Throws unless the file is empty, or a store that this build knows. Changes nothing, not even the journal mode. */
export function refuseUnknown(db: Db, path: string): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  const application = db.pragma('application_id', { simple: true }) as number;
  if (version > SCHEMA_VERSION && application === APPLICATION_ID) {
    throw new PerdureError(
      'STORE_NEWER',
      `The store ${path} has schema ${version}; this version of Perdure knows up to ${SCHEMA_VERSION}: update Perdure.`,
      { facts: { path, found: version, known: SCHEMA_VERSION } },
    );
  }
  if (application !== APPLICATION_ID && !isEmpty(db, version)) {
    throw new PerdureError('STORE_FOREIGN', `${path} is an SQLite database of another program: give another path.`, {
      facts: { path },
    });
  }
}

/** Throws for a store of an older schema, which only an owner may upgrade. */
export function refuseOlder(db: Db, path: string): void {
  const found = db.pragma('user_version', { simple: true }) as number;
  if (found === SCHEMA_VERSION) return;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `The store ${path} has schema ${found}, and ${SCHEMA_VERSION} is needed: open it once with this version of Perdure.`,
    { facts: { path, found, needed: SCHEMA_VERSION } },
  );
}

function isEmpty(db: Db, version: number): boolean {
  return version === 0 && db.prepare('select count(*) from sqlite_schema').pluck().get() === 0;
}

/** Creates the tables in a file that is empty. In a transaction of the caller's. */
export function createSchema(db: Db): void {
  db.exec(CORE);
  for (const table of [TREES, ...TREE_TABLES]) createTable(db, table);
  db.pragma(`application_id = ${APPLICATION_ID}`);
}

/**
 * Creates a versioned table, its past, and the triggers that fill it, where they do not exist yet. A table that an earlier
 * version made gets the columns that it lacks. In a transaction of the caller's. Throws OPTIONS_INVALID for a column that rows
 * of before cannot have.
 */
export function createTable(db: Db, spec: TableSpec): void {
  const { name, columns, key, indexes = [] } = spec;
  addMissingColumns(db, spec);
  const names = [...columns.map(nameOf), 'from_turn'];
  const keep = (toTurn: string) =>
    `insert into ${name}_past(${names.join(', ')}, to_turn) values (${names.map((n) => `old.${n}`).join(', ')}, ${toTurn});`;
  db.exec(`
    create table if not exists ${name}(${columns.join(', ')}, from_turn integer not null) strict;
    create table if not exists ${name}_past(
      ${columns.map(inPast).join(', ')}, from_turn integer, to_turn integer not null, primary key(to_turn, ${key})
    ) strict, without rowid;
    create trigger if not exists ${name}_keep_changed before update on ${name}
      when old.from_turn <= (select turn from kept) and old.from_turn < new.from_turn begin ${keep('new.from_turn')} end;
    create trigger if not exists ${name}_keep_removed before delete on ${name}
      when old.from_turn <= (select turn from kept) and old.from_turn < perdure_turn() begin ${keep('perdure_turn()')} end;
    ${indexes.join(';\n')}
  `);
}

function nameOf(column: string): string {
  return column.split(' ')[0] as string;
}

/** Versions of a row are many, and what is not known of an old one is null, or the default. */
function inPast(column: string): string {
  return column.replace(/ primary key| not null| unique/g, '');
}

/** The triggers name every column: they go, and are made anew with the table. */
function addMissingColumns(db: Db, { name, columns }: TableSpec): void {
  const missing = missingColumns(db, name, columns);
  const refused = missing.find((column) => !canBeAdded(column));
  if (refused !== undefined) {
    throw new PerdureError(
      'OPTIONS_INVALID',
      `The table "${name}" of this store lacks the column "${nameOf(refused)}", and "${refused}" cannot be added to the ` +
        `rows that are there: let it be null, or give it a default.`,
      { facts: { table: name, column: refused } },
    );
  }
  for (const column of missing) {
    db.exec(`alter table ${name} add column ${column}; alter table ${name}_past add column ${inPast(column)};`);
  }
  if (missing.length === 0) return;
  db.exec(`drop trigger if exists ${name}_keep_changed; drop trigger if exists ${name}_keep_removed;`);
}

/** None of a table that is not there yet. */
function missingColumns(db: Db, table: string, columns: readonly string[]): string[] {
  const there = new Set(db.prepare('select name from pragma_table_info(?)').pluck().all(table));
  return there.size === 0 ? [] : columns.filter((column) => !there.has(nameOf(column)));
}

function canBeAdded(column: string): boolean {
  if (/ primary key| unique/.test(column)) return false;
  return !column.includes(' not null') || column.includes(' default ');
}
