/**
 * Opens the one file, and says what is wrong with it in words. Only SQLite may open the store's files in the owner's
 * process: POSIX locks vanish when the process itself opens and closes such a file. No lock is on the log.
 */
import Database from 'better-sqlite3';
import { dirname } from 'node:path';
import { closeSync, existsSync, fsyncSync, openSync, readSync, realpathSync, statSync, writeSync } from 'node:fs';
import { createPrivately } from './file-mode.ts';
import { refuseUnknown } from './schema.ts';
import { PerdureError, messageOf, type PerdureErrorCode } from '../errors.ts';

export type Db = Database.Database;
export type Statement = Database.Statement<unknown[], unknown>;

/** What an acknowledged turn survives: a power cut too (FULL), or only the death of the process (NORMAL). */
export type Durability = 'power-loss' | 'process-crash';

const OLDEST_SQLITE = '3.51.3';
/** How long a statement waits for a lock, ms. */
export const BUSY_TIMEOUT_MS = 5_000;
const SMALLEST_PAGE = 512;
const CACHE_KIB = 64 * 1024;
const REWRITE_BYTES = 1 << 20;

/**
 * Opens a database for its owner: WAL, and the synchronous level set by us and read back.
 *
 * @param erases whether zeros take the place of what is deleted, and of what another text replaces.
 */
export function openDatabase(path: string, durability: Durability, erases: boolean): Db {
  const db = connect(path, {});
  try {
    refuseOldSqlite(db);
    refuseUnknown(db, path);
    const mode = db.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal') {
      throw new PerdureError(
        'STORE_UNOPENABLE',
        `The store "${path}" cannot have a write-ahead log (its journal mode stays "${String(mode)}"): give the path of a file on a local disk.`,
        { facts: { path, mode } },
      );
    }
    const level = durability === 'power-loss' ? 2 : 1;
    db.pragma(`synchronous = ${level}`);
    const found = db.pragma('synchronous', { simple: true });
    if (found !== level) {
      throw new PerdureError(
        'STORE_UNOPENABLE',
        `${path}: asked SQLite for synchronous=${level}, got ${String(found)}.`,
      );
    }
    settleLog(db);
    db.pragma(`cache_size = -${CACHE_KIB}`);
    db.pragma('foreign_keys = OFF');
    db.pragma(`secure_delete = ${erases}`);
    return db;
  } catch (error) {
    db.close();
    throw sqliteError(error, path);
  }
}

/**
 * Moves what the log holds into the database, and syncs that. A log whose sync failed in an earlier life may be whole in
 * the kernel's memory and nowhere else, for ever, because the kernel forgets what it could not write; what is committed on
 * top of it would not survive a power cut.
 */
function settleLog(db: Db): void {
  const [{ busy }] = db.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }];
  if (busy === 0) return;
  // Somebody reads from it, a backup for instance: it stays, so what it holds is written once more.
  db.transaction(() => rewrite(`${realpathSync(db.name)}-wal`)).immediate();
}

/** Writes what a file holds to where it is, so that the kernel knows of it again, and syncs that. */
function rewrite(path: string): void {
  const file = openSync(path, 'r+');
  try {
    const part = Buffer.alloc(REWRITE_BYTES);
    for (let at = 0; ;) {
      const length = readSync(file, part, 0, part.length, at);
      if (length === 0) break;
      for (let done = 0; done < length;) done += writeSync(file, part, done, length - done, at + done);
      at += length;
    }
    fsyncSync(file);
  } catch (error) {
    throw new PerdureError('STORE_FAILED', `The log ${path} could not be written and synced: ${messageOf(error)}.`, {
      cause: error,
      facts: { path },
      retryable: true,
    });
  } finally {
    closeSync(file);
  }
}

/** Opens a database beside its owner, for reading and for inserting commands. */
export function openBeside(path: string, readonly: boolean): Db {
  if (!existsSync(path)) {
    throw new PerdureError('STORE_UNOPENABLE', `There is no store at ${path}.`, { facts: { path } });
  }
  const db = connect(path, { readonly, fileMustExist: true });
  if (readonly) return db;
  // A commit that the owner's follows unsynced would look like damage after a power cut: L1 of log-check.ts.
  db.pragma('synchronous = FULL');
  // What is moved to another page is not left where it was: the owner may want to erase it.
  db.pragma('secure_delete = ON');
  return db;
}

function connect(path: string, options: Database.Options): Db {
  refuseFragment(path);
  let db: Db | undefined;
  try {
    db = createPrivately(path, () => new Database(path, { timeout: BUSY_TIMEOUT_MS, ...options }));
    db.pragma('schema_version');
    return db;
  } catch (error) {
    db?.close();
    throw sqliteError(error, path);
  }
}

/** SQLite takes a file that is shorter than its smallest page for an empty one, and would write over it. */
function refuseFragment(path: string): void {
  const size = existsSync(path) ? statSync(path).size : 0;
  if (size === 0 || size >= SMALLEST_PAGE || existsSync(`${path}-journal`)) return;
  throw new PerdureError('STORE_NOT_A_DATABASE', `The store ${path} is not an SQLite database: give another path.`, {
    facts: { path, size },
  });
}

function refuseOldSqlite(db: Db): void {
  const version = db.prepare('select sqlite_version()').pluck().get() as string;
  const [found, oldest] = [version, OLDEST_SQLITE].map((text) => text.split('.').map(Number)) as [number[], number[]];
  const difference = oldest.map((part, index) => (found[index] ?? 0) - part).find((d) => d !== 0) ?? 0;
  if (difference < 0) {
    throw new PerdureError(
      'SQLITE_TOO_OLD',
      `SQLite ${version} may corrupt a WAL that is reset under load; ${OLDEST_SQLITE} or newer is needed: update better-sqlite3.`,
    );
  }
}

const CODES: readonly (readonly [prefix: string, code: PerdureErrorCode, meaning: string])[] = [
  ['SQLITE_NOTADB', 'STORE_NOT_A_DATABASE', 'is not an SQLite database: give another path, or move the file away'],
  ['SQLITE_CORRUPT', 'STORE_NOT_A_DATABASE', 'is damaged: restore it from a backup'],
  ['SQLITE_READONLY', 'STORE_READ_ONLY', 'cannot be written: check the permissions of the file and of its folder'],
  ['SQLITE_CANTOPEN', 'STORE_UNOPENABLE', 'cannot be opened: check that it is a file in a folder that can be written'],
  ['SQLITE_FULL', 'STORE_FAILED', 'could not be written: the disk is full'],
  ['SQLITE_IOERR', 'STORE_FAILED', 'could not be read or written: the disk reported an error'],
  ['SQLITE_BUSY', 'STORE_FAILED', `is locked by another program for more than ${BUSY_TIMEOUT_MS / 1000} s`],
];

/** Errors of SQLite that come from what was asked, and say nothing about the file. */
const ASKED_WRONG = /^SQLITE_(CONSTRAINT|ERROR|MISMATCH|RANGE|TOOBIG)/;

/** Whether the error comes from SQLite. */
export function isSqliteError(error: unknown): boolean {
  return error instanceof Database.SqliteError;
}

/** Whether the file, or the disk below it, failed: nothing but what is read back counts from then on. */
export function isStoreFailure(error: unknown): boolean {
  return error instanceof Database.SqliteError && !ASKED_WRONG.test(error.code);
}

/** Says an error of SQLite in our words, with its own as the cause. Errors of ours pass. */
export function sqliteError(error: unknown, path: string): PerdureError {
  if (error instanceof PerdureError) return error;
  const sqlite = (error as { code?: string }).code ?? '';
  const facts = { path, sqlite };
  const known = CODES.find(([prefix]) => sqlite.startsWith(prefix));
  if (known !== undefined) {
    const [, code, meaning] = known;
    const retryable = code === 'STORE_FAILED' || code === 'STORE_READ_ONLY';
    return new PerdureError(code, `The store ${path} ${meaning} (${messageOf(error)}).`, {
      cause: error,
      facts,
      retryable,
    });
  }
  if (error instanceof TypeError && !existsSync(dirname(path))) {
    return new PerdureError('STORE_UNOPENABLE', `The folder of the store ${path} does not exist: create it first.`, {
      cause: error,
      facts,
    });
  }
  return new PerdureError('STORE_FAILED', `The store ${path} failed: ${messageOf(error)}`, {
    cause: error,
    facts,
    retryable: isStoreFailure(error),
  });
}
