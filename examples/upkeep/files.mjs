/** The steps of `upkeep.yaml` that hash and compress the built files, and write down what there is. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';

/** The best of 11 takes several times as long. */
const QUALITY = { [constants.BROTLI_PARAM_QUALITY]: 9 };

/** @param {string} path relative to `examples/` */
function here(path) {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** @param {string} folder */
function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.map'))
    .map(({ name }) => ({ name, bytes: readFileSync(join(folder, name)) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The folders in a folder: a fan-out takes one after the other.
 * @param {{ input: { folder: string } }} step
 */
export function folders({ input }) {
  const entries = readdirSync(here(input.folder), { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).toSorted();
}

/**
 * The SHA-256 of each file in a folder.
 * @param {{ input: { folder: string }, item: string }} step
 */
export function hash({ input, item }) {
  const hashes = filesIn(here(join(input.folder, item))).map(({ name, bytes }) => [
    name,
    createHash('sha256').update(bytes).digest('hex'),
  ]);
  return Object.fromEntries(hashes);
}

/**
 * How small the files of a folder get, one by one. In a thread it may keep the processor to itself.
 * @param {{ input: { folder: string }, item: string }} step
 * @param {{ progress: (value: unknown) => void }} context
 */
export function compress({ input, item }, { progress }) {
  let [before, after] = [0, 0];
  for (const { name, bytes } of filesIn(here(join(input.folder, item)))) {
    before += bytes.length;
    after += brotliCompressSync(bytes, { params: QUALITY }).length;
    progress(name);
  }
  return { folder: item, before, after };
}

/**
 * Writes down what the steps before found.
 * @param {{ input: { file: string }, results: Record<string, unknown> }} step
 */
export function inventory({ input, results }) {
  writeFileSync(here(input.file), `${JSON.stringify(results, null, 2)}\n`);
  return { steps: Object.keys(results).length };
}
