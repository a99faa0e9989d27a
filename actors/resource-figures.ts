/**
 * What the process, and what it runs on, use of what there is: one reading a sample. What the kernel has in memory is read at
 * once; what may wait for a disk, or is dear, is fetched meanwhile, so that a reading never holds the event loop up.
 *
 * F1  A figure that cannot be had is absent, and `problems` says why. Nothing throws, and nothing is made up.
 * F2  Only SQLite may open the files of the store: of those only names and sizes are asked.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { messageOf } from '../errors.ts';
import type { ResourceName } from '../machines/resource-policy.ts';
import { realPath } from '../persistence/lock.ts';
import { Cgroup } from './cgroup.ts';
import { Fetched } from './fetched.ts';
import { ProcessUse } from './process-use.ts';

/** How much is used, and the most that can be. */
export interface Figure {
  /** Below 0 of a disk of which more is free than the end that is looked at. */
  readonly value: number;
  readonly limit: number;
}

export type Figures = Readonly<Partial<Record<ResourceName, Figure>>>;

/** Limits of the host's own: the least of these and what is found counts. */
export type Limits = Readonly<Partial<Record<ResourceName, number>>>;

const DEFAULT_WAL_LIMIT = 256 * 2 ** 20;
const DEFAULT_LOOP_DELAY_LIMIT_MS = 500;
/** So much of a disk, at its end, is looked at. */
const DISK_END = 20 * 2 ** 30;
/** A reading waits so long for the disk, ms. */
const PATIENCE_MS = 1_000;
/** What only systeminformation knows is asked so often, and older figures than that are not given, ms. */
const SLOW_EVERY_MS = 10_000;
const SLOW_STALE_MS = 60_000;

interface FigureOptions {
  /** The path of the store. */
  readonly store: string;
  readonly limits?: Limits;
  /** Where `/proc` is. Default: `/`. */
  readonly root?: string;
}

export class FigureReader {
  readonly #limits: Limits;
  readonly #root: string;
  readonly #cgroup: Cgroup;
  readonly #cpus: number;
  readonly #problems = new Map<string, string>();
  readonly #disk: Fetched<Figure>;
  readonly #wal: Fetched<number>;
  readonly #host: Fetched<{ memory: Figure; load: number }>;
  readonly #use = new ProcessUse();
  #blockedMs = 0;

  constructor({ store, limits = {}, root = '/' }: FigureOptions) {
    this.#limits = limits;
    this.#root = root;
    this.#cgroup = new Cgroup(root);
    this.#cpus = Math.min(this.#cgroup.cpus() ?? Infinity, availableParallelism());
    const failed = (what: string) => (error: unknown) => this.#note(what, error);
    // The log is beside the file itself, wherever the path leads.
    const file = realPath(store);
    this.#disk = new Fetched(() => diskOf(dirname(file)), { failed: failed('The disk of the store') });
    this.#wal = new Fetched(() => sizeOf(`${file}-wal`), { failed: failed('The write-ahead log') });
    const rarely = { everyMs: SLOW_EVERY_MS, staleMs: SLOW_STALE_MS };
    this.#host = new Fetched(hostFigures, { failed: failed('The machine'), ...rarely });
  }

  /** Why figures are absent, as sentences: of each the first time. */
  get problems(): readonly string[] {
    return [...this.#cgroup.problems, ...this.#problems.values()];
  }

  /** How long the last reading kept the event loop, ms. */
  get blockedMs(): number {
    return this.#blockedMs;
  }

  async read(): Promise<Figures> {
    void this.#host.fetch(performance.now());
    await this.#fetchFiles();
    if (this.#disk.isPending) this.#note('The disk of the store', `no answer within ${PATIENCE_MS} ms`);
    const began = performance.now();
    const found = this.#gather(began);
    this.#use.beginAnew();
    this.#blockedMs = performance.now() - began;
    return found;
  }

  /** The same beside the readings, of which the next is as if this had not been. */
  async look(): Promise<Figures> {
    await this.#fetchFiles();
    return this.#gather(performance.now());
  }

  /** What is in use now of what is measured in bytes. */
  async bytes(): Promise<Readonly<Partial<Record<ResourceName, number>>>> {
    await this.#fetchFiles();
    const memory = this.#memory()?.value;
    const [disk, wal] = [this.#disk.value(performance.now())?.value, this.#wal.value(performance.now())];
    return {
      heap: getHeapStatistics().used_heap_size,
      ...(memory === undefined ? {} : { memory }),
      ...(disk === undefined ? {} : { disk }),
      ...(wal === undefined ? {} : { wal }),
    };
  }

  close(): void {
    this.#use.close();
  }

  #fetchFiles(): Promise<unknown> {
    const now = performance.now();
    return Promise.race([Promise.all([this.#disk.fetch(now), this.#wal.fetch(now)]), patience()]);
  }

  #gather(now: number): Figures {
    const { used_heap_size: heap, heap_size_limit: heapLimit } = getHeapStatistics();
    const host = this.#host.value(now);
    const memory = this.#memory();
    return {
      ...(memory === undefined ? {} : { memory }),
      ...this.#figure('heap', heap, liveLimit(heapLimit)),
      ...this.#known('hostMemory', host?.memory),
      ...this.#lastOf(this.#disk.value(now)),
      ...this.#figure('wal', this.#wal.value(now), DEFAULT_WAL_LIMIT),
      ...this.#known('handles', this.#handles()),
      ...this.#figure('cpu', this.#use.cpus(), this.#cpus),
      ...this.#figure('hostCpu', host?.load, 1),
      ...this.#figure('loopDelay', this.#use.loopDelayMs(), DEFAULT_LOOP_DELAY_LIMIT_MS),
      ...this.#figure('loopUtilization', this.#use.loopShare(), 1),
    };
  }

  #known(name: ResourceName, figure: Figure | undefined): Figures {
    return figure === undefined ? {} : this.#figure(name, figure.value, figure.limit);
  }

  #figure(name: ResourceName, value: number | undefined, found: number): Figures {
    const own = this.#limits[name];
    const limit = GUESSED.has(name) ? (own ?? found) : Math.min(own ?? Infinity, found);
    if (!(found > 0)) this.#noteLimit(`limit of ${name}`, found);
    if (value === undefined || !Number.isFinite(value) || !(limit > 0)) return {};
    return { [name]: { value: Math.max(0, value), limit } };
  }

  /**
   * Of a large disk only the end is looked at: one that has gigabytes to spare is not short, however full it is. When it will be
   * full is forecast from long before.
   */
  #lastOf(disk: Figure | undefined): Figures {
    if (disk === undefined) return {};
    // Some file systems do not say how large they are.
    if (!(disk.limit > 0)) {
      this.#noteLimit('size of the disk of the store', disk.limit);
      return {};
    }
    const most = Math.min(disk.limit, this.#limits.disk ?? Infinity);
    const limit = Math.min(most, DISK_END);
    return { disk: { value: limit - (most - disk.value), limit } };
  }

  /**
   * What its group holds counts where that is bounded: what it runs as processes of their own is in there, too. A limit of the
   * host's own is of this process; whichever is nearer to its limit counts.
   */
  #memory(): Figure | undefined {
    const group = this.#cgroup.memory();
    const own = this.#limits.memory;
    if (group !== undefined && own === undefined) return group;
    const part = (figure: Figure | undefined) => (figure === undefined ? -1 : figure.value / figure.limit);
    const held = this.#tried('The memory of the process', () => ({
      value: process.memoryUsage.rss(),
      limit: Math.min(own ?? Infinity, constrainedBytes(), totalmem()),
    }));
    return part(held) >= part(group) ? held : group;
  }

  /** Only Linux says how many there are. */
  #handles(): Figure | undefined {
    if (process.platform !== 'linux') return undefined;
    return this.#tried('The open files', () => {
      const limits = readFileSync(join(this.#root, 'proc/self/limits'), 'utf8');
      const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
      const folder = join(this.#root, 'proc/self/fd');
      // Newer kernels say how many there are without naming each.
      const value = statSync(folder).size || readdirSync(folder).length;
      return Number.isFinite(limit) ? { value, limit } : undefined;
    });
  }

  #tried<T>(what: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#note(what, error);
      return undefined;
    }
  }

  /** Nothing can be a part of 0. */
  #noteLimit(what: string, limit: number): void {
    if (!this.#problems.has(what)) this.#problems.set(what, `The ${what} cannot be gone by: it is ${limit}`);
  }

  #note(what: string, error: unknown): void {
    if (!this.#problems.has(what)) this.#problems.set(what, `${what} cannot be read: ${messageOf(error)}`);
  }
}

/** Their limits are guesses of ours, which a host may raise, too. */
const GUESSED: ReadonlySet<ResourceName> = new Set(['wal', 'loopDelay']);

function patience(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, PATIENCE_MS).unref());
}

/** As `df` reckons: what only the administrator may use is in nobody's reach. */
async function diskOf(folder: string): Promise<Figure> {
  const { blocks, bfree, bavail, bsize } = await statfs(folder);
  const value = (blocks - bfree) * bsize;
  return { value, limit: value + bavail * bsize };
}

/** 0 for a file that is not there. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/** Loaded when it is first asked: most runs are over before. */
async function hostFigures(): Promise<{ memory: Figure; load: number }> {
  const { default: system } = await import('systeminformation');
  const [{ total, available }, { currentLoad }] = await Promise.all([system.mem(), system.currentLoad()]);
  return { memory: { value: total - available, limit: total }, load: currentLoad / 100 };
}

/**
 * What may live in V8's heap. Its limit counts the young generation, three times a semi-space of 16 MiB; and from four fifths of
 * the rest on V8 gives up when collecting garbage takes it too long.
 */
function liveLimit(heapLimit: number): number {
  return 0.9 * Math.max(heapLimit / 2, heapLimit - 3 * 16 * 2 ** 20);
}

/** What the kernel, or whoever started the process, lets it have; without a limit that is 0, or more than there is. */
function constrainedBytes(): number {
  const bytes = process.constrainedMemory();
  return bytes > 0 ? bytes : Infinity;
}
