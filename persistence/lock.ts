/**
 * One owner per store. SQLite lets two runtimes write one file, so the owner holds an exclusive lock on a file beside
 * it, which the kernel frees when the process dies, however it dies.
 */
import Database from 'better-sqlite3';
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PerdureError } from '../errors.ts';
import { createPrivately } from './file-mode.ts';
import { sqliteError } from './sqlite.ts';

/** A held lock. */
export interface Lock {
  release(): void;
}

/** Takes the lock of the store at `path`, or throws STORE_OWNED at once. */
export function acquireLock(path: string): Lock {
  const db = openLockFile(`${realPath(path)}-lock`, path);
  try {
    db.pragma('locking_mode = EXCLUSIVE');
    db.exec('begin exclusive');
  } catch (error) {
    db.close();
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY') !== true) throw sqliteError(error, path);
    throw new PerdureError(
      'STORE_OWNED',
      `The store ${path} is owned by another runtime, in this process or in another: close that one first, ` +
        'or reach it with the command line.',
      { facts: { path }, retryable: true, cause: error },
    );
  }
  return { release: () => void db.close() };
}

/** Two names of one file must not give two owners. */
export function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  return existsSync(dirname(path)) ? join(realpathSync(dirname(path)), basename(path)) : path;
}

function openLockFile(file: string, path: string): Database.Database {
  try {
    return createPrivately(file, () => new Database(file, { timeout: 0 }));
  } catch (error) {
    throw sqliteError(error, path);
  }
}
