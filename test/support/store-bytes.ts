import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';

const HASH = 'sha256sum';

/**
 * The hashes of a database and of its log, where that holds anything. In another process: one that opens the files of a store that
 * it owns would lose its locks.
 */
export function bytesOf(store: string): string {
  const files = [store, `${store}-wal`].filter((file) => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0);
  return execFileSync(HASH, files).toString();
}
