/** Reads a store from beside, also while another process owns it; it writes nothing and holds nobody up. */
import { statSync } from 'node:fs';
import { PerdureError } from '../errors.ts';
import { Statements, type Cell } from './rows.ts';
import { APPLICATION_ID, refuseOlder, SCHEMA_VERSION } from './schema.ts';
import { openBeside, sqliteError, type Db } from './sqlite.ts';

/** What stands for a text that only the owner can read. */
export const ENCRYPTED = '{"name":"Encrypted","message":"[encrypted]"}';

/** What the functions of the ledger read from. */
export interface StoreReader {
  get<T>(sql: string, ...cells: Cell[]): T | undefined;
  all<T>(sql: string, ...cells: Cell[]): T[];
  /** {@link ENCRYPTED} */
  unseal(text: string, binding: string): string;
}

/** Which store was found at a path. */
export interface FoundStore {
  /** The file itself, whatever its name. */
  readonly file: string;
  /** A copy has the id of what it was made of. */
  readonly id: string;
}

/** Calls `read` with one consistent view of the store. Throws what is wrong with the file, and STORE_REPLACED for another one than `known`. */
export function readStore<T>(path: string, read: (rows: StoreReader) => T, known?: FoundStore): T {
  const store = new StoreBeside(path);
  try {
    if (known !== undefined && (store.file !== known.file || store.id !== known.id)) throw replaced(path);
    return store.read(read);
  } finally {
    store.close();
  }
}

/** Throws STORE_REPLACED when another file is at the path now, or none. */
export function refuseOtherFile(path: string, { file }: Pick<FoundStore, 'file'>): void {
  if (fileAt(path) !== file) throw replaced(path);
}

function fileAt(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return `${found?.dev} ${found?.ino}`;
}

function replaced(path: string): PerdureError {
  return new PerdureError(
    'STORE_REPLACED',
    `The store that was opened at ${path} is not there any more: it was removed, or another took its place. Nothing was read or ` +
      'changed. Put it back, or start whoever reads it anew, such as `perdure inspect`.',
    { facts: { path } },
  );
}

/** A store that is read from beside for a while: over and over, from one connection. */
export class StoreBeside implements FoundStore {
  readonly path: string;
  readonly file: string;
  readonly id: string;
  readonly statements: Statements;
  readonly #db: Db;
  readonly #rows: StoreReader;

  /** Throws what is wrong with the file. */
  constructor(path: string) {
    this.path = path;
    this.file = fileAt(path);
    const db = (this.#db = openBeside(path, true));
    try {
      this.#guarded(() => checkStore(db, path));
      this.id = this.#guarded(() => idIn(db));
    } catch (error) {
      db.close();
      throw error;
    }
    const statements = (this.statements = new Statements(db));
    this.#rows = {
      get: <T>(sql: string, ...cells: Cell[]) => statements.of(sql).get(...cells) as T | undefined,
      all: <T>(sql: string, ...cells: Cell[]) => statements.of(sql).all(...cells) as T[],
      unseal: () => ENCRYPTED,
    };
  }

  /** Throws OPTIONS_INVALID for a store of an older schema, which only an owner may upgrade. */
  refuseOlder(): void {
    this.#guarded(() => refuseOlder(this.#db, this.path));
  }

  /** Throws STORE_REPLACED when another file is at the path now, or none. */
  refuseReplaced(): void {
    refuseOtherFile(this.path, this);
  }

  /** A number that is another one after every commit of somebody else. */
  get version(): number {
    this.refuseReplaced();
    return this.#guarded(() => this.#db.pragma('data_version', { simple: true }) as number);
  }

  /** Calls `read` with one consistent view. Throws what is wrong with the file, and STORE_REPLACED. */
  read<T>(read: (rows: StoreReader) => T): T {
    this.refuseReplaced();
    const checked = () => {
      // Another store may have been written into the same file.
      if (idIn(this.#db) !== this.id) throw replaced(this.path);
      return read(this.#rows);
    };
    return this.#guarded(() => this.#db.transaction(checked)());
  }

  close(): void {
    this.#db.close();
  }

  #guarded<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw (error as { code?: string }).code?.startsWith('SQLITE_') === true ? sqliteError(error, this.path) : error;
    }
  }
}

function idIn(db: Db): string {
  return (db.prepare(`select value from meta where key = 'id'`).pluck().get() as string | undefined) ?? '';
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
