/**
 * Who may read the files of a store. A file that we create is 0600 from its first moment, because whoever opened it before a
 * `chmod` could read on. A file that exists is the host's: it is left as it is, and reported when others may read it.
 *
 * No file of a store is ever opened here: POSIX locks vanish when the process itself opens and closes such a file.
 */
import { chmodSync, closeSync, existsSync, linkSync, lstatSync, openSync, statSync, unlinkSync } from 'node:fs';

const PRIVATE = 0o600;
const OTHERS = 0o077;

/**
 * Calls `open`, which creates the file when it is missing; what is created is 0600. SQLite gives a `-wal`, a `-shm` and a journal
 * the mode of the database that they belong to.
 */
export function createPrivately<T>(path: string, open: () => T): T {
  if (path === '' || path === ':memory:' || existsSync(path)) return open();
  const made = makeEmpty(path);
  const opened = open();
  if (!made) chmodSync(path, PRIVATE);
  return opened;
}

/**
 * Puts an empty private file at the path, in one step: it is made under another name, closed, and linked. False where that is
 * not possible: a file system without hard links, or a symbolic link to a file that does not exist yet.
 */
function makeEmpty(path: string): boolean {
  const draft = `${path}-${process.pid}-${crypto.randomUUID()}`;
  try {
    closeSync(openSync(draft, 'wx', PRIVATE));
  } catch {
    // The folder is missing or cannot be written: what opens the file says so, in its own words.
    return false;
  }
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    // Somebody else was faster, and the file is theirs.
    return (error as NodeJS.ErrnoException).code === 'EEXIST' && !lstatSync(path).isSymbolicLink();
  } finally {
    unlinkSync(draft);
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
