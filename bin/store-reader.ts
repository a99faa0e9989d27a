/** Reads a store from beside, also while another process owns it; it writes nothing and holds nobody up. */
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { isPerdureError, PerdureError } from '../errors.ts';
import type { Cell } from '../persistence/rows.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from '../persistence/schema.ts';
import { openBeside, sqliteError, type Db } from '../persistence/sqlite.ts';

/** What `--store` means, in help. */
export const STORE = 'the store; default: the only one in this folder';

/** What the functions of the ledger read from. */
export interface StoreReader {
  get<T>(sql: string, ...cells: Cell[]): T | undefined;
  all<T>(sql: string, ...cells: Cell[]): T[];
  /** What stands for a text that only the owner can read. */
  unseal(text: string, binding: string): string;
}

/** Calls `read` with one consistent view of the store. Throws what is wrong with the file. */
export function readStore<T>(path: string, read: (rows: StoreReader) => T): T {
  const db = openBeside(path, true);
  try {
    checkStore(db, path);
    return db.transaction(() => read(readerOf(db)))();
  } catch (error) {
    throw (error as { code?: string }).code?.startsWith('SQLITE_') === true ? sqliteError(error, path) : error;
  } finally {
    db.close();
  }
}

function readerOf(db: Db): StoreReader {
  return {
    get: <T>(sql: string, ...cells: Cell[]) => db.prepare(sql).get(...cells) as T | undefined,
    all: <T>(sql: string, ...cells: Cell[]) => db.prepare(sql).all(...cells) as T[],
    unseal: () => '{"name":"Encrypted","message":"[encrypted]"}',
  };
}

function checkStore(db: Db, path: string): void {
  if (db.prepare('select count(*) from sqlite_schema').pluck().get() === 0) {
    const message = `There is no store at ${path} yet: whoever began to create it was interrupted, or is about to go on.`;
    throw new PerdureError('STORE_UNOPENABLE', message, { facts: { path }, retryable: true });
  }
  if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) {
    throw new PerdureError('STORE_FOREIGN', `${path} is an SQLite database of another program: give another path.`, {
      facts: { path },
    });
  }
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > SCHEMA_VERSION) {
    throw new PerdureError(
      'STORE_NEWER',
      `The store ${path} has schema ${version}; this version of Perdure knows up to ${SCHEMA_VERSION}: update Perdure.`,
      { facts: { path, found: version, known: SCHEMA_VERSION } },
    );
  }
}

/** Whether a supervisor has ever used the store: others have no plans and no actions. */
export function hasSupervisor(rows: StoreReader): boolean {
  return hasTable(rows, 'plans');
}

/** Whether the store has this table: an older Perdure may not have made it. */
export function hasTable(rows: Pick<StoreReader, 'get'>, name: string): boolean {
  return rows.get(`select 1 from sqlite_schema where type = 'table' and name = ?`, name) !== undefined;
}

/** Throws OPTIONS_INVALID for a store of before its table had this column: only an owner can add it. */
export function refuseOlderTable(rows: Pick<StoreReader, 'get'>, store: string, table: string, column: string): void {
  if (rows.get('select 1 from pragma_table_info(?) where name = ?', table, column) !== undefined) return;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `The store ${store} was last opened by an earlier version of Perdure: open it once with this one.`,
    { facts: { store, table, column } },
  );
}

/** The store that was named, or the only one in the folder; absolute. */
export function storeOf(named: string | undefined, folder = '.'): string {
  if (named !== undefined) return resolve(named);
  const files = readdirSync(folder).filter((name) => name.endsWith('.db'));
  const looks = files.toSorted().map((name) => ({ name, kind: fileKind(resolve(folder, name)) }));
  const stores = looks.filter(({ kind }) => kind === 'store');
  const found = (stores.length > 0 ? stores : looks.filter(({ kind }) => kind === 'unreadable')).map(
    ({ name }) => name,
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return resolve(folder, only);
  const what = found.length === 0 ? 'there is no store in this folder' : `there are several (${found.join(', ')})`;
  throw new PerdureError('OPTIONS_INVALID', `expected to know which store is meant, but ${what}: give --store <file>`, {
    facts: { found },
  });
}

/** A file that cannot be read may well be the store that is meant: reading it then says what is wrong. */
function fileKind(path: string): 'store' | 'unreadable' | 'foreign' {
  try {
    return readStore(path, () => 'store' as const);
  } catch (error) {
    if (!isPerdureError(error)) throw error;
    if (error.code === 'STORE_NEWER') return 'store';
    const isDamaged = String(error.facts['sqlite']).startsWith('SQLITE_CORRUPT');
    if (error.code === 'STORE_FOREIGN') return 'foreign';
    return error.code === 'STORE_NOT_A_DATABASE' && !isDamaged ? 'foreign' : 'unreadable';
  }
}
