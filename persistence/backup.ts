/**
 * A copy of a store that is in use: one consistent commit. It is written beside its target, marked as a copy, and gets its
 * name when it is whole. The owner copies in a thread (copy-thread.ts), so that its turns do not wait for the disk.
 *
 * What is copied is brought to the disk as the copy grows: the log of the store would wait behind all of it at the end.
 */
import Database from 'better-sqlite3';
import { existsSync, linkSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { PerdureError } from '../errors.ts';
import { markCopy } from './copies.ts';
import { beginCopy, endCopy, removeLeftovers } from './leftover-copies.ts';
import { openBeside, sqliteError, type Db } from './sqlite.ts';

/** Options of {@link Store.backup}. */
export interface BackupOptions {
  /** Told now and then. Pages of the database. */
  readonly progress?: (report: CopyProgress) => void;
  readonly signal?: AbortSignal;
  /** Pages copied at a time; between them it can be aborted. Default: 64. */
  readonly pages?: number;
}

/** How far a copy is. Pages of the database. */
export interface CopyProgress {
  readonly totalPages: number;
  readonly remainingPages: number;
}

/** What is copied: one commit, `pages` at a time. */
export interface BackupSource {
  backup(target: string, pages: number, progress: (report: CopyProgress) => void): Promise<unknown>;
}

/** Makes something else of a copy that is nobody's yet, before it gets its name. */
export type ChangeCopy = (db: Db) => Promise<void>;

/** Pages written between two waits for the disk: few, so that a wait is short. */
const SYNC_EVERY = 512;

/** Copies the store to `target`. Throws BACKUP_FAILED; ABORTED when the signal says so. The target then is as it was. */
export async function backUp(
  source: BackupSource,
  path: string,
  options: BackupOptions,
  now: number,
  change?: ChangeCopy,
): Promise<void> {
  const target = resolve(path);
  const { progress, signal, pages = 64 } = options;
  if (!Number.isSafeInteger(pages) || pages < 1) {
    throw new PerdureError('OPTIONS_INVALID', `pages is a whole number from 1; got ${pages}.`, { facts: { pages } });
  }
  refuseTaken(target);
  const partial = beginCopy(target);
  let writing: Written | undefined;
  try {
    signal?.throwIfAborted();
    removeLeftovers(target);
    // A copy is as private as a store.
    writing = new Written(await open(partial, 'a', 0o600));
    const { reached } = writing;
    await source.backup(partial, pages, (report) => {
      signal?.throwIfAborted();
      progress?.(report);
      reached(report.totalPages - report.remainingPages);
    });
    signal?.throwIfAborted();
    await finish(partial, now, change);
    signal?.throwIfAborted();
    await writing.end();
    // Unlike a rename, a link never replaces a file that came in between.
    linkSync(partial, target);
  } catch (cause) {
    if (signal?.aborted === true) {
      throw new PerdureError('ABORTED', `The backup to ${target} was aborted.`, { cause: signal.reason });
    }
    throw failed(target, sqliteError(cause, target).message, cause);
  } finally {
    await writing?.close();
    endCopy(partial);
  }
  const folder = new Written(await open(dirname(target), 'r'));
  await folder.end();
  await folder.close();
}

/**
 * Copies a store from beside its owner, whose commits go on: one transaction reads it all, so the copy is the commit at
 * which it began. Throws what {@link backUp} throws, and what is wrong with the store.
 */
export async function backUpBeside(
  store: string,
  target: string,
  options: BackupOptions,
  now: number,
  change?: ChangeCopy,
): Promise<void> {
  const db = openBeside(store, true);
  try {
    db.exec('begin');
    // The transaction begins with its first read. Without it every commit of the owner would start the copy anew.
    db.prepare('select count(*) from meta').get();
    const source: BackupSource = {
      backup: (file, pages, progress) => db.backup(file, { progress: (report) => (progress(report), pages) }),
    };
    await backUp(source, target, options, now, change);
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
async function finish(partial: string, now: number, change?: ChangeCopy): Promise<void> {
  const db = new Database(partial);
  try {
    // What it writes is waited for with the rest.
    db.pragma('synchronous = OFF');
    db.pragma('journal_mode = DELETE');
    markCopy(db, now);
    await change?.(db);
  } finally {
    db.close();
  }
}

/** A file that is being written, and brought to the disk meanwhile. */
class Written {
  readonly #file: FileHandle;
  #pages = 0;
  #syncing: Promise<void> | undefined;
  #error: unknown;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  readonly reached = (pages: number): void => {
    if (this.#syncing !== undefined || pages < this.#pages + SYNC_EVERY) return;
    this.#pages = pages;
    this.#syncing = this.#file
      .datasync()
      .catch((error: unknown) => void (this.#error ??= error))
      .finally(() => (this.#syncing = undefined));
  };

  /** Resolves when all of it is on the disk. Throws what an earlier wait threw: later ones do not repeat it. */
  async end(): Promise<void> {
    await this.#syncing;
    await this.#file.sync();
    if (this.#error !== undefined) throw this.#error;
  }

  async close(): Promise<void> {
    await this.#syncing;
    await this.#file.close();
  }
}
