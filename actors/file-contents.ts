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
import { readdirSync, readFileSync, realpathSync, statSync, type BigIntStats, type Dirent } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** More than this is not read, for the process does nothing else meanwhile. */
const MOST_FILES = 10_000;
const MOST_BYTES = 256 * 1024 * 1024;
/** Links to folders, each of which may lead to others. */
const MOST_LINKS = 1_000;

const FACTS = ['ino', 'dev', 'size', 'mtimeNs', 'ctimeNs'] as const;

/** What was read of files a moment ago, by their paths. */
export type ReadFiles = Map<string, { readonly stats: BigIntStats; readonly digest: string }>;

/**
 * The contents of all files that the patterns name. Undefined if that cannot be said: one of the patterns names no file, a file
 * changes while it is read or cannot be read, they are more than 10,000 files or 256 MB, or more than 1,000 links are followed.
 *
 * @param known files that have been read at this moment already, and are not read again: it adds to them.
 */
export function contentsOf(
  folder: string,
  patterns: readonly string[],
  known: ReadFiles = new Map(),
): string | undefined {
  try {
    return readContents(folder, patterns, known);
  } catch (error) {
    // A file that went away meanwhile, or that may not be read.
    if (error instanceof Error && 'syscall' in error) return undefined;
    throw error;
  }
}

function readContents(folder: string, patterns: readonly string[], known: ReadFiles): string | undefined {
  const files = filesOf(folder, patterns);
  if (files === undefined) return undefined;
  const hash = createHash('sha256');
  let room = MOST_BYTES;
  for (const file of files) {
    const stats = statsOf(file);
    if (stats === undefined || stats.size > room) return undefined;
    const digest = digestOf(file, stats, known);
    if (digest === undefined) return undefined;
    room -= Number(stats.size);
    hash.update(`${JSON.stringify(relative(folder, file))} ${digest}\n`);
  }
  return `${files.length} ${hash.digest('hex')}`;
}

function filesOf(folder: string, patterns: readonly string[]): string[] | undefined {
  const found = new Set<string>();
  const walk = (tell: Walk['tell']): Walk => ({ tell, links: MOST_LINKS });
  const adding = walk((path) => {
    found.add(path);
    return found.size <= MOST_FILES;
  });
  for (const pattern of patterns.filter((one) => !one.startsWith('!'))) {
    const before = found.size;
    const isComplete = match(root(folder, pattern), segmentsOf(pattern), adding);
    // What another pattern has named already counts, too.
    const isMet =
      found.size > before ||
      !match(
        root(folder, pattern),
        segmentsOf(pattern),
        walk(() => false),
      );
    if (!isComplete || !isMet) return undefined;
  }
  for (const pattern of patterns.filter((one) => one.startsWith('!'))) {
    const rest = pattern.slice(1);
    const taking = walk((path) => {
      found.delete(path);
      return true;
    });
    match(root(folder, rest), segmentsOf(rest), taking);
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
function match(path: string, segments: readonly string[], walk: Walk, trail: readonly string[] = []): boolean {
  const [segment, ...rest] = segments;
  if (segment === undefined) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) return match(path, ['**', '*'], walk, trail);
    return stats?.isFile() === true ? walk.tell(path) : true;
  }
  if (segment === '**') {
    const below = rest.length === 0 ? ['*'] : rest;
    const goesOn = (entry: Dirent) => {
      const next = join(path, entry.name);
      if (entry.isDirectory()) return match(next, ['**', ...below], walk, trail);
      const followed = followedFrom(path, next, trail);
      if (followed === undefined) return true;
      walk.links -= 1;
      return walk.links >= 0 && match(next, ['**', ...below], walk, followed);
    };
    const folders = entriesOf(path).filter(
      (entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !isHidden(entry.name),
    );
    return match(path, below, walk, trail) && folders.every(goesOn);
  }
  if (!/[*?]/.test(segment)) return match(join(path, segment), rest, walk, trail);
  const named = patternOf(segment);
  return entriesOf(path).every(({ name }) => {
    if (!named.test(name) || (isHidden(name) && !segment.startsWith('.'))) return true;
    const next = join(path, name);
    // A folder is not what a last `*` means: `**` is for those.
    return rest.length > 0 || statSync(next, { throwIfNoEntry: false })?.isFile() === true
      ? match(next, rest, walk, trail)
      : true;
  });
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
function digestOf(file: string, before: BigIntStats, known: ReadFiles): string | undefined {
  const read = known.get(file);
  if (read !== undefined && isSame(read.stats, before)) return read.digest;
  const content = readFileSync(file);
  const after = statsOf(file);
  if (after === undefined || !isSame(before, after) || after.size !== BigInt(content.length)) return undefined;
  const digest = createHash('sha256').update(content).digest('hex');
  known.set(file, { stats: after, digest });
  return digest;
}

function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return FACTS.every((fact) => one[fact] === other[fact]);
}

function statsOf(file: string): BigIntStats | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false });
}
