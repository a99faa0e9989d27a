/**
 * A copy of a store that is in use. SQLite copies page by page, and copies again what was written meanwhile, so the copy is
 * one consistent commit. It is written beside its target and renamed when it is whole.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { PerdureError } from '../errors.ts';
import { sqliteError } from './sqlite.ts';
import type { StoreFile } from './store-file.ts';

/** Options of {@link Store.backup}. */
export interface BackupOptions {
  /** Told now and then. Pages of the database. */
  readonly progress?: (report: { readonly totalPages: number; readonly remainingPages: number }) => void;
  readonly signal?: AbortSignal;
  /** Pages copied at a time, between which the event loop runs. Default: 64. */
  readonly pages?: number;
}

/** Copies the store to `target`. Throws BACKUP_FAILED; ABORTED when the signal says so. The target then is as it was. */
export async function backUp(file: StoreFile, target: string, options: BackupOptions): Promise<void> {
  const { progress, signal, pages = 64 } = options;
  if (existsSync(target)) {
    throw new PerdureError('BACKUP_FAILED', `There is a file at ${target} already: give another path.`, {
      facts: { target },
    });
  }
  const partial = `${target}-partial`;
  rmSync(partial, { force: true });
  try {
    signal?.throwIfAborted();
    await file.backup(partial, (report) => {
      signal?.throwIfAborted();
      progress?.(report);
      return pages;
    });
    sync(partial);
    renameSync(partial, target);
    sync(dirname(target));
  } catch (cause) {
    rmSync(partial, { force: true });
    if (signal?.aborted === true) {
      throw new PerdureError('ABORTED', `The backup to ${target} was aborted.`, { cause: signal.reason });
    }
    const { message } = sqliteError(cause, target);
    throw new PerdureError('BACKUP_FAILED', `The backup to ${target} failed: ${message}`, { cause, retryable: true });
  }
}

/** The copy is nobody's yet, so it may be opened and closed. */
function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
