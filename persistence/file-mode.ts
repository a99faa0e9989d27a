/**
 * Who may read the files of a store. A file that we create is 0600 from its first moment, because whoever opened it before a
 * `chmod` could read on. A file that exists is the host's: it is left as it is, and reported when others may read it.
 *
 * No file that exists is ever opened here: POSIX locks vanish when the process itself opens and closes such a file.
 */
import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs';

const PRIVATE = 0o600;
const OTHERS = 0o077;

/**
 * Calls `open`, which creates the file when it is missing; what is created is 0600. SQLite gives a `-wal`, a `-shm` and a journal
 * the mode of the database that they belong to.
 */
export function createPrivately<T>(path: string, open: () => T): T {
  if (path === '' || path === ':memory:' || existsSync(path)) return open();
  const isPrivate = createEmpty(path);
  const opened = open();
  if (!isPrivate) chmodSync(path, PRIVATE);
  return opened;
}

/** Nobody had the new file open before, so closing it frees no lock. False where only `open` can create it, or say why not. */
function createEmpty(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', PRIVATE));
    return true;
  } catch {
    return false;
  }
}

/** A file that others than its owner may use. */
export interface OpenFile {
  readonly path: string;
  /** Its permission bits, like `0o644`. */
  readonly mode: number;
}

/** The files of a store, as far as they exist, that group or others may read or write. Nothing is changed. */
export function filesOpenToOthers(store: string): readonly OpenFile[] {
  // Windows has no such bits.
  if (process.platform === 'win32') return [];
  return ['', '-wal', '-shm', '-journal', '-lock', '-lock-journal'].flatMap((end) => {
    const path = store + end;
    const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
    return (mode & OTHERS) === 0 ? [] : [{ path, mode }];
  });
}
