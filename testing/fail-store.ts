/**
 * Makes a store fail on cue, with errors that SQLite itself raises:
 *
 *   full       SQLITE_FULL: the file may not grow, and every write is made to need a page (a temporary trigger writes too
 *              much beside it; it is undone with the write)
 *   read-only  SQLITE_READONLY: the connection refuses to write
 *   busy       SQLITE_BUSY: another connection holds the write lock
 *
 * It is applied before a transaction and to whatever connection the store then has, so it outlives a reopening.
 */
import Database from 'better-sqlite3';
import type { Store } from '../persistence/store.ts';
import type { Db } from '../persistence/sqlite.ts';

/** How a store can fail. */
export type StoreFault = 'full' | 'read-only' | 'busy';

/** When it fails. */
export interface FailOptions {
  /** The first commit that fails, counted from now. Default: 1, the next one. */
  readonly commit?: number;
  /** How many commits fail. Default: all, until it is cleared. */
  readonly times?: number;
}

/** A store that fails. */
export interface Failure extends Disposable {
  /** Lets the store work again. */
  clear(): void;
}

/**
 * Lets commits of an open store fail, with real errors of SQLite: what was sent and not committed rejects with a retryable
 * STORE_FAILED (STORE_READ_ONLY for `read-only`), and was not applied.
 *
 * @example
 * const failure = failStore(durable.store, 'full', { commit: 2 });
 * await durable.send({ type: 'add' });
 * await expect(durable.send({ type: 'add' })).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: true });
 * failure.clear();
 */
export function failStore(store: Store, fault: StoreFault, options: FailOptions = {}): Failure {
  const { commit: first = 1, times = Infinity } = options;
  let transactions = 0;
  let undo = () => {};
  const clear = () => {
    store.commits.file.beforeTransaction = undefined;
    undo();
  };
  store.commits.file.beforeTransaction = (db) => {
    transactions += 1;
    undo();
    undo = () => {};
    if (transactions >= first && transactions < first + times) undo = FAULTS[fault](db, store.path);
  };
  return { clear, [Symbol.dispose]: clear };
}

/** Each brings the fault about, and returns how it is undone; by then the connection may be closed. */
const FAULTS: Readonly<Record<StoreFault, (db: Db, path: string) => () => void>> = {
  full: fill,
  'read-only': (db) => {
    db.pragma('query_only = on');
    return () => void (db.open && db.pragma('query_only = off'));
  },
  busy: (db, path) => {
    const patience = db.pragma('busy_timeout', { simple: true }) as number;
    db.pragma('busy_timeout = 0');
    const other = new Database(path);
    other.exec('begin immediate');
    return () => {
      other.close();
      if (db.open) db.pragma(`busy_timeout = ${patience}`);
    };
  },
};

const NO_LIMIT = 0xfffffffe;

function fill(db: Db): () => void {
  const tables = db
    .prepare(`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'`)
    .pluck()
    .all() as string[];
  const triggers = tables
    .filter((name) => name !== 'incidents')
    .flatMap((name) => ['insert', 'update', 'delete'].map((verb) => ({ name, verb })));
  for (const { name, verb } of triggers) {
    db.exec(`create temp trigger "full ${verb} ${name}" before ${verb} on main."${name}" begin
      insert into incidents(at, kind, detail) select 0, 'full', hex(zeroblob(page_size * (2 + freelist_count)))
      from pragma_page_size, pragma_freelist_count;
    end`);
  }
  db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true }) as number}`);
  return () => {
    if (!db.open) return;
    for (const { name, verb } of triggers) db.exec(`drop trigger temp."full ${verb} ${name}"`);
    db.pragma(`max_page_count = ${NO_LIMIT}`);
  };
}
