/**
 * A copy of a store that is in use. SQLite copies page by page, and copies again what was written meanwhile, so the copy is
 * one consistent commit. It is written beside its target, marked as a copy, and gets its name when it is whole.
 */
import Database from 'better-sqlite3';
import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { PerdureError } from '../errors.ts';
import { markCopy } from './copies.ts';
import { openBeside, sqliteError } from './sqlite.ts';

/** Options of {@link Store.backup}. */
export interface BackupOptions {
  /** Told now and then. Pages of the database. */
  readonly progress?: (report: { readonly totalPages: number; readonly remainingPages: number }) => void;
  readonly signal?: AbortSignal;
  /** Pages copied at a time, between which the event loop runs. Default: 64. */
  readonly pages?: number;
}

/** What is copied. */
export interface BackupSource {
  backup(
    target: string,
    progress: (report: { totalPages: number; remainingPages: number }) => number,
  ): Promise<unknown>;
}

let copies = 0;

/** Copies the store to `target`. Throws BACKUP_FAILED; ABORTED when the signal says so. The target then is as it was. */
export async function backUp(source: BackupSource, target: string, options: BackupOptions, now: number): Promise<void> {
  const { progress, signal, pages = 64 } = options;
  if (!Number.isSafeInteger(pages) || pages < 1) {
    throw new PerdureError('OPTIONS_INVALID', `pages is a whole number from 1; got ${pages}.`, { facts: { pages } });
  }
  refuseTaken(target);
  // Another name each time: two copies to one target must not write one file.
  const partial = `${target}-partial-${process.pid}-${(copies += 1)}`;
  try {
    signal?.throwIfAborted();
    await source.backup(partial, (report) => {
      signal?.throwIfAborted();
      progress?.(report);
      return pages;
    });
    signal?.throwIfAborted();
    finish(partial, now);
    // Unlike a rename, a link never replaces a file that came in between.
    linkSync(partial, target);
  } catch (cause) {
    if (signal?.aborted === true) {
      throw new PerdureError('ABORTED', `The backup to ${target} was aborted.`, { cause: signal.reason });
    }
    throw failed(target, sqliteError(cause, target).message, cause);
  } finally {
    for (const end of ['', '-journal', '-wal', '-shm']) rmSync(`${partial}${end}`, { force: true });
  }
  sync(dirname(target));
}

/**
 * Copies a store from beside its owner, whose commits go on: one transaction reads it all, so the copy is the commit at
 * which it began. Throws what {@link backUp} throws, and what is wrong with the store.
 */
export async function backUpBeside(store: string, target: string, options: BackupOptions, now: number): Promise<void> {
  const db = openBeside(store, true);
  try {
    db.exec('begin');
    // The transaction begins with its first read. Without it every commit of the owner would start the copy anew.
    db.prepare('select count(*) from meta').get();
    await backUp({ backup: (file, progress) => db.backup(file, { progress }) }, target, options, now);
  } catch (error) {
    throw sqliteError(error, store);
  } finally {
    db.close();
  }
}

/** A log beside the target, left of another database, would be taken for the copy's own. */
function refuseTaken(target: string): void {
  const taken = ['', '-wal', '-journal'].map((end) => `${target}${end}`).find((file) => existsSync(file));
  if (taken === undefined) return;
  throw failed(target, `there is a file at ${taken} already: give another path.`);
}

function failed(target: string, why: string, cause?: unknown): PerdureError {
  return new PerdureError('BACKUP_FAILED', `The backup to ${target} failed: ${why}`, {
    facts: { target },
    ...(cause === undefined ? {} : { cause, retryable: true }),
  });
}

/** The copy is nobody's yet, so it may be opened and closed. One file is all of it: no log beside it. */
function finish(partial: string, now: number): void {
  const db = new Database(partial);
  try {
    db.pragma('journal_mode = DELETE');
    markCopy(db, now);
  } finally {
    db.close();
  }
  sync(partial);
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
