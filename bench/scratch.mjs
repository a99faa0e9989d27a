/** The folder for the files of one run: on the disk of the repository, because a RAM disk has no fsync to wait for. */
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL(`../work/bench/${process.pid}/`, import.meta.url));
let files = 0;

/**
 * A path that nothing has used yet.
 * @param {string} name
 */
export function scratchFile(name) {
  mkdirSync(FOLDER, { recursive: true });
  files += 1;
  return `${FOLDER}${files}-${name}`;
}

/** Removes everything that the run left on the disk. */
export function removeScratch() {
  rmSync(FOLDER, { recursive: true, force: true });
}
