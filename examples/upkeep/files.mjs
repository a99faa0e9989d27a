/** The steps of `upkeep.yaml` that hash and compress the built files, and write down what there is. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress } from 'node:zlib';

const compressed = promisify(brotliCompress);

/** @param {string} path relative to `examples/` */
function here(path) {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** @param {string} folder */
function filesIn(folder) {
  return readdirSync(folder)
    .toSorted()
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

/**
 * The SHA-256 of each file in a folder.
 * @param {{ input: { folder: string } }} step
 */
export function hash({ input }) {
  const hashes = filesIn(here(input.folder)).map(({ name, bytes }) => [
    name,
    createHash('sha256').update(bytes).digest('hex'),
  ]);
  return Object.fromEntries(hashes);
}

/**
 * How small the files of a folder get, one by one.
 * @param {{ input: { folder: string }, progress: (value: unknown) => void }} step
 */
export async function compress({ input, progress }) {
  let [before, after] = [0, 0];
  for (const { name, bytes } of filesIn(here(input.folder))) {
    before += bytes.length;
    after += (await compressed(bytes)).length;
    progress(name);
  }
  return { before, after };
}

/**
 * Writes down what the steps before found.
 * @param {{ input: { file: string }, results: Record<string, unknown> }} step
 */
export function inventory({ input, results }) {
  writeFileSync(here(input.file), `${JSON.stringify(results, null, 2)}\n`);
  return { steps: Object.keys(results).length };
}
