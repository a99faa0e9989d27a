/** Records what a worker does to its disk and tells the outside, with strace, in the order in which it did it. */
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { DiskEvent } from './disk.ts';
import { live, type Life, type LifeOptions } from './life.ts';

const CALLS =
  'openat,pwrite64,pwritev,write,writev,fsync,fdatasync,sync_file_range,ftruncate,fallocate,unlink,unlinkat,rename,renameat,renameat2,link';
/** More than SQLite writes at once. */
const LONGEST_WRITE = 1 << 20;
const NOTES = new Set(['acknowledged', 'traces']);
/** These are made anew by SQLite, or hold nothing but a lock. */
const IGNORED = /-shm$|-lock/;
/** What is neither written to the disk nor known to the simulation must not be met. */
const UNKNOWN = /^(pwritev|sync_file_range|fallocate|rename\w*|link|unlinkat|writev)\(.*work\.db/;

/** The disk as several lives of a worker on one folder saw it, one after the other. */
export class Recorder {
  readonly events: DiskEvent[] = [];
  readonly #names = new Map<string, number>();
  #files = 0;

  /** Lets a worker live, and notes what it did. `faults` are further arguments of strace. */
  async live(options: LifeOptions, faults: readonly string[] = []): Promise<Life> {
    const prefix = `${options.folder}/strace`;
    const trace = ['-e', `trace=${CALLS}`, ...faults];
    const under = ['strace', '-ff', '-qq', '-y', '-xx', '-s', String(LONGEST_WRITE), '-o', prefix, ...trace];
    const life = await live({ ...options, under });
    const logs = readdirSync(options.folder).filter((name) => name.startsWith('strace.'));
    for (const name of logs) {
      const log = readFileSync(`${options.folder}/${name}`, 'latin1');
      // SQLite and the notes are the main thread's.
      if (log.includes(hexOf('work.db'))) for (const line of log.split('\n')) this.#read(line, options.folder);
      rmSync(`${options.folder}/${name}`);
    }
    return life;
  }

  #read(line: string, folder: string): void {
    const call = parse(line);
    if (UNKNOWN.test(call.text)) throw new Error(`The simulated disk does not know ${call.text.slice(0, 200)}`);
    if (call.path === folder && call.name === 'fsync') {
      if (call.succeeded) this.events.push({ kind: 'syncFolder' });
      return;
    }
    if (dirname(call.path) !== folder) return;
    const name = basename(call.path);
    if (NOTES.has(name)) {
      if (call.name === 'write') this.events.push({ kind: 'note', name, text: call.data.toString() });
      return;
    }
    if (!name.startsWith('work.db') || IGNORED.test(name)) return;
    this.#change(call, name);
  }

  #change({ name: call, data, numbers, succeeded, text }: Call, name: string): void {
    if (call === 'openat') {
      if (succeeded && text.includes('O_CREAT') && !this.#names.has(name)) {
        this.#names.set(name, ++this.#files);
        this.events.push({ kind: 'create', name, file: this.#files });
      }
      return;
    }
    const file = this.#names.get(name);
    if (file === undefined) return;
    if (call === 'fsync' || call === 'fdatasync') this.events.push({ kind: 'sync', file, succeeded });
    if (!succeeded) return;
    if (call === 'pwrite64') this.events.push({ kind: 'write', file, offset: numbers.at(-1) as number, data });
    else if (call === 'ftruncate') this.events.push({ kind: 'truncate', file, size: numbers.at(-1) as number });
    else if (call === 'unlink') {
      this.#names.delete(name);
      this.events.push({ kind: 'unlink', name });
    }
  }
}

interface Call {
  readonly name: string;
  /** Of the file that it is about. */
  readonly path: string;
  readonly data: Buffer;
  /** The numbers among its last arguments. */
  readonly numbers: readonly number[];
  readonly succeeded: boolean;
  /** Without the data. */
  readonly text: string;
}

/** A line such as `pwrite64(22<\x2f\x74>, "\x00\x01", 2, 4096) = 2`. */
function parse(line: string): Call {
  const [, name = '', rest = ''] = /^(\w+)\((.*)$/.exec(line) ?? [];
  const quoted = /"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/.exec(rest);
  if (quoted?.[2] !== undefined) throw new Error(`strace cut off the data of a ${name}`);
  const string = Buffer.from((quoted?.[1] ?? '').replaceAll('\\x', ''), 'hex');
  const takesPath = name === 'openat' || name === 'unlink';
  const descriptor = /^\d+<((?:\\x[0-9a-f]{2}|[^>\\])*)>/.exec(rest)?.[1] ?? '';
  const path = takesPath ? string.toString() : unhex(descriptor);
  const [before = '', result = ''] = rest.slice((quoted?.index ?? 0) + (quoted?.[0].length ?? 0)).split(/\)\s+= /);
  return {
    name,
    path,
    data: string,
    numbers: [...before.matchAll(/, (\d+)/g)].map(([, number]) => Number(number)),
    succeeded: /^\d/.test(result),
    text: `${name}(${path}${before}) = ${result}`,
  };
}

function unhex(text: string): string {
  return text.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function hexOf(text: string): string {
  return Buffer.from(text).toString('hex').replaceAll(/(..)/g, '\\x$1');
}
