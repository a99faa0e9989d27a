/**
 * One owner per store. SQLite lets two runtimes write one file, so the owner holds an exclusive lock on a file beside
 * it, which the kernel frees when the process dies, however it dies.
 *
 * The same file remembers the newest epoch of the store, so that an older copy put in the store's place is noticed. It is
 * one page of one sector, which a disk writes whole or not at all.
 */
import Database from 'better-sqlite3';
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PerdureError } from '../errors.ts';
import { createPrivately } from './file-mode.ts';
import { sqliteError } from './sqlite.ts';

/** A held lock. */
export interface Lock {
  /** The newest epoch that was remembered of the store with this id; 0 when none was. */
  epochOf(id: string): number;
  remember(id: string, epoch: number): void;
  release(): void;
}

/** Takes the lock of the store at `path`, or throws STORE_OWNED at once. */
export function acquireLock(path: string): Lock {
  const db = openLockFile(lockFileOf(path), path);
  try {
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma('journal_mode = MEMORY');
    db.pragma('page_size = 512');
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
  return {
    epochOf: (id) =>
      db.pragma('application_id', { simple: true }) === markOf(id)
        ? (db.pragma('user_version', { simple: true }) as number)
        : 0,
    remember(id, epoch) {
      db.pragma(`application_id = ${markOf(id)}`);
      db.pragma(`user_version = ${epoch}`);
      // In this mode the lock outlasts its transaction.
      db.exec('commit; begin exclusive');
    },
    release: () => void db.close(),
  };
}

/** Whether somebody holds the lock. For a process that does not own the store: it opens the file of the lock. */
export function isLocked(path: string): boolean {
  if (!existsSync(lockFileOf(path))) return false;
  const db = openLockFile(lockFileOf(path), path);
  try {
    db.pragma('user_version');
    return false;
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY') !== true) throw sqliteError(error, path);
    return true;
  } finally {
    db.close();
  }
}

function lockFileOf(path: string): string {
  return `${realPath(path)}-lock`;
}

/** A signed number of 32 bits, as SQLite keeps it. */
function markOf(id: string): number {
  return crc32(id) | 0;
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
