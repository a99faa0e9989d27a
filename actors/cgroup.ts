/**
 * What the control group of this process may use, and uses: in a container that is the machine. It reads the kernel's own
 * files, of version 2 and of version 1, also where both are mounted; a group's limit binds what is below it, so all of them
 * up to the mount count. Where there are none, or they cannot be read, there is nothing to say.
 *
 * G1  Nothing here throws. A file that is there and cannot be read, or understood, is named by `problems`.
 * G2  The kernel gives up cached files before it kills anybody: they are not counted as used.
 */
import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { messageOf } from '../errors.ts';

/** What may be used, and what is, in bytes. */
export interface MemoryUse {
  readonly value: number;
  readonly limit: number;
}

/** The files of one group. */
interface Group {
  readonly version: 1 | 2;
  /** Its folder, and those of the groups that it is in. */
  readonly folders: readonly string[];
}

/** Version 1 says so of a group without a limit: as many pages as there can be. */
const UNLIMITED_BYTES = 2 ** 60;

export class Cgroup {
  readonly #root: string;
  readonly #problems = new Map<string, string>();
  readonly #memory: Group | undefined;
  readonly #cpu: Group | undefined;

  /** @param root where `/proc` and the mounts are found. Default: `/`. */
  constructor(root = '/') {
    this.#root = root;
    this.#memory = this.#locate('memory');
    this.#cpu = this.#locate('cpu');
  }

  /** What could not be read so far, as sentences: of each file the first time. */
  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  /** The group whose limit is nearest; undefined without a limit. G2. */
  memory(): MemoryUse | undefined {
    const group = this.#memory;
    if (group === undefined) return undefined;
    const uses = group.folders.flatMap((folder) => {
      const use = group.version === 2 ? this.#memory2(folder) : this.#memory1(folder);
      return use === undefined ? [] : [use];
    });
    return uses.toSorted((a, b) => a.limit - a.value - (b.limit - b.value))[0];
  }

  /** How many processors' time it may use; undefined without a limit. */
  cpus(): number | undefined {
    const group = this.#cpu;
    const shares = group?.folders.map((folder) => (group.version === 2 ? this.#cpus2(folder) : this.#cpus1(folder)));
    const least = Math.min(...(shares ?? []).filter((share) => share !== undefined));
    return Number.isFinite(least) ? least : undefined;
  }

  /** Beyond `high` a group is not killed, and comes to a stand all the same. */
  #memory2(folder: string): MemoryUse | undefined {
    const limits = ['memory.max', 'memory.high'].map((name) => this.#limit(join(folder, name)));
    return this.#use(folder, Math.min(...limits), 'memory.current', 'inactive_file');
  }

  #memory1(folder: string): MemoryUse | undefined {
    const limit = this.#limit(join(folder, 'memory.limit_in_bytes'));
    return this.#use(folder, limit, 'memory.usage_in_bytes', 'total_inactive_file');
  }

  #use(folder: string, limit: number, usage: string, cache: string): MemoryUse | undefined {
    if (limit >= UNLIMITED_BYTES) return undefined;
    const used = this.#number(join(folder, usage));
    if (used === undefined) return undefined;
    const cached = new RegExp(`^${cache} (\\d+)$`, 'm').exec(this.#read(join(folder, 'memory.stat')) ?? '')?.[1];
    return { value: Math.max(0, used - Number(cached ?? 0)), limit };
  }

  #cpus2(folder: string): number | undefined {
    const text = this.#read(join(folder, 'cpu.max'));
    if (text === undefined || text.startsWith('max')) return undefined;
    const [quota, period] = text.trim().split(' ').map(Number);
    return this.#share(join(folder, 'cpu.max'), quota, period);
  }

  #cpus1(folder: string): number | undefined {
    const quota = this.#number(join(folder, 'cpu.cfs_quota_us'));
    if (quota === undefined || quota < 0) return undefined;
    return this.#share(join(folder, 'cpu.cfs_quota_us'), quota, this.#number(join(folder, 'cpu.cfs_period_us')));
  }

  #share(path: string, quota = NaN, period = NaN): number | undefined {
    if (quota > 0 && period > 0) return quota / period;
    this.#note(path, `says ${quota} of ${period}`);
    return undefined;
  }

  /** The groups of this process that hold a controller; of version 1 where that has it. */
  #locate(controller: string): Group | undefined {
    const own = this.#read('proc/self/cgroup');
    const mounts = this.#read('proc/self/mountinfo');
    if (own === undefined || mounts === undefined) return undefined;
    const lines = own.split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
    const first = lines.find((line) => line?.[1]?.split(',').includes(controller) === true);
    const version = first === undefined ? 2 : 1;
    const path = (first ?? lines.find((line) => line?.[1] === ''))?.[2];
    const mount = mountOf(mounts, version, controller);
    if (path === undefined || mount === undefined) return undefined;
    return { version, folders: foldersFrom(mount, path) };
  }

  /** Nothing can be a part of 0, so that such a limit is told and not gone by. */
  #limit(path: string): number {
    const limit = this.#number(path) ?? Infinity;
    if (limit > 0) return limit;
    this.#note(path, `says ${limit}`);
    return Infinity;
  }

  /** Undefined for what has no limit, and for a file that is not there: the group at the root has none. */
  #number(path: string): number | undefined {
    const text = this.#read(path)?.trim();
    if (text === undefined || text === 'max') return undefined;
    const number = Number(text);
    if (text !== '' && Number.isFinite(number)) return number;
    this.#note(path, 'does not hold a number');
    return undefined;
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(join(this.#root, path), 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Other systems have no /proc.
      const isAbsent = code === 'ENOENT' && (!path.startsWith('proc') || process.platform !== 'linux');
      if (!isAbsent) this.#note(path, `cannot be read: ${messageOf(error)}`);
      return undefined;
    }
  }

  #note(path: string, what: string): void {
    if (!this.#problems.has(path)) this.#problems.set(path, `${path} ${what}`);
  }
}

interface Mount {
  /** What of the hierarchy is mounted there: a container may see only its own part. */
  readonly root: string;
  readonly point: string;
}

function mountOf(mountinfo: string, version: 1 | 2, controller: string): Mount | undefined {
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [root, point] = before.split(' ').slice(3, 5).map(unescaped);
    const [type, , options = ''] = after.split(' ');
    const isIt = version === 2 ? type === 'cgroup2' : type === 'cgroup' && options.split(',').includes(controller);
    if (isIt && root !== undefined && point !== undefined) return { root, point };
  }
  return undefined;
}

/** Blanks in paths are octal there. */
function unescaped(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The group's folder first, the mount last. A path that is not below what is mounted says only that it is in there. */
function foldersFrom({ root, point }: Mount, path: string): string[] {
  const below = relative(root, path);
  const names = below === '' || below.startsWith('..') ? [] : below.split(sep);
  return names.map((_, index) => join(point, ...names.slice(0, names.length - index))).concat(point);
}
