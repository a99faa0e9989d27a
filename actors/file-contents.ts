/**
 * What is in the files that some patterns name, as one text that is equal for equal contents. It reads all of them each time, for
 * times of files lie; only who asks many times at one moment keeps what he has read.
 *
 * A pattern is a path relative to a folder, in which `*` stands for any part of a name, `?` for one character, and `**` for any
 * folders. What names a folder means all that is in it; what begins with `!` takes away again. Names that begin with a dot, and
 * `node_modules`, are met only by whoever names them. Symbolic links are followed, but for one that leads back to where the search
 * came from.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
  type BigIntStats,
  type Dirent,
} from 'node:fs';
import { join, relative, sep } from 'node:path';

/** More than this is not read. */
const MOST_FILES = 10_000;
const MOST_BYTES = 256 * 1024 * 1024;
/** Links to folders, each of which may lead to others. */
const MOST_LINKS = 1_000;

/** So long it works at a stretch, ms, and then lets the loop do what else there is; and so much of a file it reads at once. */
const LONGEST_MS = 10;
const CHUNK_BYTES = 256 * 1024;

const FACTS = ['ino', 'dev', 'size', 'mtimeNs', 'ctimeNs'] as const;

/** What was read of files a moment ago, by their paths. */
export type ReadFiles = Map<string, { readonly stats: BigIntStats; readonly digest: string }>;

/**
 * The contents of all files that the patterns name. Undefined if that cannot be said: one of the patterns names no file, a file
 * changes while it is read or cannot be read, they are more than 10,000 files or 256 MB, or more than 1,000 links are followed.
 *
 * @param known files that have been read at this moment already, and are not read again: it adds to them.
 */
export async function contentsOf(
  folder: string,
  patterns: readonly string[],
  known: ReadFiles = new Map(),
): Promise<string | undefined> {
  try {
    return await readContents(folder, patterns, known);
  } catch (error) {
    // A file that went away meanwhile, or that may not be read.
    if (error instanceof Error && 'syscall' in error) return undefined;
    throw error;
  }
}

/** Of no files. */
export const NO_CONTENTS = `0 ${createHash('sha256').digest('hex')}`;

/** When the loop is to get its chance. */
class Breath {
  #since = performance.now();

  async due(): Promise<void> {
    if (performance.now() - this.#since < LONGEST_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}

/** Shared: many short readings hold the loop up as one long one does. */
const breath = new Breath();

async function readContents(
  folder: string,
  patterns: readonly string[],
  known: ReadFiles,
): Promise<string | undefined> {
  const files = await filesOf(folder, patterns);
  if (files === undefined) return undefined;
  const hash = createHash('sha256');
  let room = MOST_BYTES;
  for (const file of files) {
    const stats = statsOf(file);
    if (stats === undefined || stats.size > room) return undefined;
    const digest = await digestOf(file, stats, known);
    if (digest === undefined) return undefined;
    room -= Number(stats.size);
    hash.update(`${JSON.stringify(relative(folder, file))} ${digest}\n`);
  }
  return `${files.length} ${hash.digest('hex')}`;
}

async function filesOf(folder: string, patterns: readonly string[]): Promise<string[] | undefined> {
  const found = new Set<string>();
  const matched = (pattern: string, tell: Walk['tell']) =>
    match(root(folder, pattern), segmentsOf(pattern), { tell, links: MOST_LINKS });
  const add = (path: string) => {
    found.add(path);
    return found.size <= MOST_FILES;
  };
  for (const pattern of patterns.filter((one) => !one.startsWith('!'))) {
    const before = found.size;
    const isComplete = await matched(pattern, add);
    // What another pattern has named already counts, too.
    const isMet = found.size > before || !(await matched(pattern, () => false));
    if (!isComplete || !isMet) return undefined;
  }
  for (const pattern of patterns.filter((one) => one.startsWith('!'))) {
    await matched(pattern.slice(1), (path) => {
      found.delete(path);
      return true;
    });
  }
  return [...found].sort();
}

function root(folder: string, pattern: string): string {
  return pattern.startsWith('/') ? '/' : folder;
}

function segmentsOf(pattern: string): string[] {
  return pattern.split('/').filter((segment) => segment !== '' && segment !== '.');
}

interface Walk {
  /** Hears of every file, and says whether to go on. */
  readonly tell: (path: string) => boolean;
  /** How many more links to folders are followed. */
  links: number;
}

/** Tells of every file; stops, and gives false, as soon as it is to go no further. `trail`: the folders that links led out of. */
async function match(
  path: string,
  segments: readonly string[],
  walk: Walk,
  trail: readonly string[] = [],
): Promise<boolean> {
  await breath.due();
  const [segment, ...rest] = segments;
  if (segment === undefined) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) return match(path, ['**', '*'], walk, trail);
    return stats?.isFile() === true ? walk.tell(path) : true;
  }
  if (segment === '**') return matchBelow(path, rest.length === 0 ? ['*'] : rest, walk, trail);
  if (!/[*?]/.test(segment)) return match(join(path, segment), rest, walk, trail);
  const named = patternOf(segment);
  for (const { name } of entriesOf(path)) {
    if (!named.test(name) || (isHidden(name) && !segment.startsWith('.'))) continue;
    const next = join(path, name);
    // A folder is not what a last `*` means: `**` is for those.
    if (rest.length === 0 && statSync(next, { throwIfNoEntry: false })?.isFile() !== true) continue;
    if (!(await match(next, rest, walk, trail))) return false;
  }
  return true;
}

/** In the folder, and in all folders below it. */
async function matchBelow(
  path: string,
  segments: readonly string[],
  walk: Walk,
  trail: readonly string[],
): Promise<boolean> {
  if (!(await match(path, segments, walk, trail))) return false;
  for (const entry of entriesOf(path)) {
    if (isHidden(entry.name) || !(entry.isDirectory() || entry.isSymbolicLink())) continue;
    const next = join(path, entry.name);
    const followed = entry.isDirectory() ? trail : followedFrom(path, next, trail);
    if (followed === undefined) continue;
    if (!entry.isDirectory() && (walk.links -= 1) < 0) return false;
    if (!(await match(next, ['**', ...segments], walk, followed))) return false;
  }
  return true;
}

/** The trail behind a link to a folder; undefined for one that leads to no folder, or back to one that it came from. */
function followedFrom(folder: string, link: string, trail: readonly string[]): readonly string[] | undefined {
  if (statSync(link, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  const target = realpathSync.native(link);
  const left = [...trail, realpathSync.native(folder)];
  const isWithin = (one: string) => one === target || one.startsWith(target.endsWith(sep) ? target : target + sep);
  return left.some(isWithin) ? undefined : left;
}

function isHidden(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules';
}

function entriesOf(path: string): Dirent[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(path, { withFileTypes: true });
}

function patternOf(segment: string): RegExp {
  const text = segment.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${text.replaceAll(/\*+/g, '.*').replaceAll('?', '.')}$`, 's');
}

/** Of the bytes of a file; undefined for one that was not the same before and after it was read. */
async function digestOf(file: string, before: BigIntStats, known: ReadFiles): Promise<string | undefined> {
  const read = known.get(file);
  if (read !== undefined && isSame(read.stats, before)) return read.digest;
  const { digest, length } = await hashed(file);
  const after = statsOf(file);
  if (after === undefined || !isSame(before, after) || after.size !== BigInt(length)) return undefined;
  known.set(file, { stats: after, digest });
  return digest;
}

async function hashed(file: string): Promise<{ readonly digest: string; readonly length: number }> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const opened = openSync(file, 'r');
  try {
    let length = 0;
    for (let n = readSync(opened, chunk); n > 0; n = readSync(opened, chunk)) {
      hash.update(chunk.subarray(0, n));
      length += n;
      await breath.due();
    }
    return { digest: hash.digest('hex'), length };
  } finally {
    closeSync(opened);
  }
}

function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return FACTS.every((fact) => one[fact] === other[fact]);
}

function statsOf(file: string): BigIntStats | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false });
}
