/**
 * What is in the files that some patterns name, as one text that is equal for equal contents. It reads all of them each time: times
 * of files lie.
 *
 * A pattern is a path relative to a folder, in which `*` stands for any part of a name, `?` for one character, and `**` for any
 * folders. What names a folder means all that is in it; what begins with `!` takes away again. Names that begin with a dot, and
 * `node_modules`, are met only by whoever names them.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, type BigIntStats, type Dirent } from 'node:fs';
import { join, relative } from 'node:path';

/** More than this is not read, for the process does nothing else meanwhile. */
const MOST_FILES = 10_000;
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * The contents of all files that the patterns name. Undefined if that cannot be said: one of the patterns names no file, a file
 * changes while it is read or cannot be read, or they are more than 10,000 files or 256 MB.
 */
export function contentsOf(folder: string, patterns: readonly string[]): string | undefined {
  try {
    return readContents(folder, patterns);
  } catch (error) {
    // A file that went away meanwhile, or that may not be read.
    if (error instanceof Error && 'syscall' in error) return undefined;
    throw error;
  }
}

function readContents(folder: string, patterns: readonly string[]): string | undefined {
  const files = filesOf(folder, patterns);
  if (files === undefined) return undefined;
  const hash = createHash('sha256');
  let room = MOST_BYTES;
  for (const file of files) {
    const content = stableContent(file, room);
    if (content === undefined) return undefined;
    room -= content.length;
    hash.update(`${JSON.stringify(relative(folder, file))} ${content.length}\n`).update(content);
  }
  return `${files.length} ${hash.digest('hex')}`;
}

function filesOf(folder: string, patterns: readonly string[]): string[] | undefined {
  const found = new Set<string>();
  const add = (path: string) => {
    found.add(path);
    return found.size <= MOST_FILES;
  };
  for (const pattern of patterns.filter((one) => !one.startsWith('!'))) {
    const before = found.size;
    const isComplete = match(root(folder, pattern), segmentsOf(pattern), add);
    // What another pattern has named already counts, too.
    const isMet = found.size > before || !match(root(folder, pattern), segmentsOf(pattern), () => false);
    if (!isComplete || !isMet) return undefined;
  }
  for (const pattern of patterns.filter((one) => one.startsWith('!'))) {
    const rest = pattern.slice(1);
    match(root(folder, rest), segmentsOf(rest), (path) => {
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

/** Tells `found` of every file; stops, and gives false, as soon as that does. */
function match(path: string, segments: readonly string[], found: (path: string) => boolean): boolean {
  const [segment, ...rest] = segments;
  if (segment === undefined) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) return match(path, ['**', '*'], found);
    return stats?.isFile() === true ? found(path) : true;
  }
  if (segment === '**') {
    const folders = entriesOf(path).filter((entry) => entry.isDirectory() && !isHidden(entry.name));
    const below = rest.length === 0 ? ['*'] : rest;
    return (
      match(path, below, found) && folders.every((entry) => match(join(path, entry.name), ['**', ...below], found))
    );
  }
  if (!/[*?]/.test(segment)) return match(join(path, segment), rest, found);
  const named = patternOf(segment);
  return entriesOf(path).every(({ name }) => {
    if (!named.test(name) || (isHidden(name) && !segment.startsWith('.'))) return true;
    const next = join(path, name);
    // A folder is not what a last `*` means: `**` is for those.
    return rest.length > 0 || statSync(next, { throwIfNoEntry: false })?.isFile() === true
      ? match(next, rest, found)
      : true;
  });
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

/** The bytes of a file that was the same before and after it was read. */
function stableContent(file: string, most: number): Buffer | undefined {
  const before = statsOf(file);
  if (before === undefined || before.size > most) return undefined;
  const content = readFileSync(file);
  const after = statsOf(file);
  const isSame =
    after !== undefined &&
    (['ino', 'size', 'mtimeNs', 'ctimeNs'] as const).every((fact) => before[fact] === after[fact]) &&
    after.size === BigInt(content.length);
  return isSame ? content : undefined;
}

function statsOf(file: string): BigIntStats | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false });
}
