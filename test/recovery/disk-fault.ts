/**
 * A worker whose disk fails while it works, and comes back. However it fails, the worker must end as one whose disk
 * never failed, by repeating what was rejected under the same id.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import Database from 'better-sqlite3';
import { judge } from './judge.ts';
import { begin, finalOf, live, type Said } from './life.ts';
import type { Workload } from './workload.ts';

/** Begins a fault in a running worker. */
export interface Fault {
  readonly name: string;
  begin(victim: Victim): Promise<RunningFault>;
}

export interface Victim {
  readonly pid: number;
  readonly store: string;
  /** For notes. */
  readonly folder: string;
}

export interface RunningFault {
  /** Ends the fault, if it has not ended by itself. Gives the moment of its end, by the wall clock. */
  end(): Promise<number>;
}

export interface Trial {
  readonly fault: Fault;
  readonly workload: Workload;
  /** Empty, for the notes. */
  readonly folder: string;
  /** Where the store is to be. */
  readonly store: string;
  readonly calm: unknown;
  /** The fault begins so long after the worker was ready, and lasts so long. */
  readonly afterMs: number;
  readonly lastsMs: number;
  /** SIGKILL while the disk fails. */
  readonly kill?: boolean;
  /** A signal that the fault may cause. */
  readonly mayDieOf?: 'SIGBUS' | undefined;
}

export interface TrialReport {
  readonly wrong: string[];
  /** The codes of the rejections. */
  readonly rejected: readonly string[];
  /** From the end of the fault to the first acknowledgement after it; undefined when nothing was rejected. */
  readonly recoveredMs: number | undefined;
}

const REPEAT_FOR_MS = 10_000;

export async function suffer(trial: Trial): Promise<TrialReport> {
  const { fault, workload, folder, store, calm } = trial;
  const options = { folder, workload, store, pauseMs: 6 };
  const life = begin({ ...options, mayFail: true, mayDieOf: trial.mayDieOf, repeatForMs: REPEAT_FOR_MS });
  await life.hear('ready');
  await sleep(trial.afterMs);
  const running = await fault.begin({ pid: life.child.pid as number, store, folder });
  await Promise.race([sleep(trial.lastsMs), life.ended]);
  if (trial.kill === true) life.child.kill('SIGKILL');
  const endedAt = await running.end();
  const { ended, said } = await life.ended;
  const wrong = [...judge(folder, workload, store).wrong, ...judgeRejections(said)];
  if (ended === 'failed')
    wrong.push(`the worker gave up: ${said.map(({ what, words }) => [what, ...words].join(' ')).join(', ')}`);
  if (ended !== 'finished') {
    await live(options);
    wrong.push(...judge(folder, workload, store).wrong);
  }
  if (!isDeepStrictEqual(finalOf(folder), calm)) wrong.push('the end is not that of a worker whose disk never failed');
  return { wrong, rejected: codesOf(said), recoveredMs: recoveredAfter(said, endedAt) };
}

/** What a store does when its disk fails, and what it may not do. */
function judgeRejections(said: readonly Said[]): string[] {
  const bad = said.filter(
    ({ what, words }) =>
      what === 'rejected' && !(/^STORE_(FAILED|READ_ONLY)$/.test(words[0] ?? '') && words[1] === 'true'),
  );
  const isOver = said.findIndex(({ what }) => what === 'commits');
  const ended = said.findIndex(({ what }) => what === 'ended');
  const rejected = said.some(({ what }) => what === 'rejected');
  return [
    ...bad.map(({ words }) => `a send was rejected with ${words.join(' ')}`),
    ...(ended !== -1 && isOver === -1 ? ['the durable actor ended, though its disk came back'] : []),
    ...(rejected && isOver !== -1 && !said.some(({ what }) => what === 'reopened') ? ['"reopened" was not told'] : []),
  ];
}

function codesOf(said: readonly Said[]): string[] {
  return [...new Set(said.filter(({ what }) => what === 'rejected').map(({ words }) => words[0] as string))];
}

function recoveredAfter(said: readonly Said[], endedAt: number): number | undefined {
  const acknowledged = said.filter(({ what }) => what === 'acknowledged').map(({ at }) => at);
  const rejected = said.some(({ what }) => what === 'rejected');
  const first = acknowledged.find((at) => at >= endedAt);
  if (!rejected) return undefined;
  return first === undefined ? (acknowledged.length > 0 ? 0 : undefined) : first - endedAt;
}

// The faults.

/** System calls of the worker fail until the fault ends, or from one of them to another, if `when` says so. */
export function failingCalls(calls: string, error: string, when?: string): Fault {
  const name = `${error} from ${calls}${when === undefined ? '' : `, ${when}`}`;
  return {
    name,
    begin: async ({ pid, folder }) => {
      const log = `${folder}/injected`;
      const inject = `inject=${calls}:error=${error}${when === undefined ? '' : `:when=${when}`}`;
      // SQLite works on the main thread, so the others need not be traced.
      const args = ['-ttt', '-o', log, '-e', `trace=${calls}`, '-e', inject, '-p', String(pid)];
      const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
      const gone = new Promise<void>((resolve) => strace.on('close', () => resolve()));
      await new Promise<void>((resolve) => {
        strace.stderr.once('data', () => resolve());
        strace.once('close', () => resolve());
      });
      return {
        end: async () => {
          strace.kill('SIGTERM');
          await gone;
          return when === undefined ? Date.now() : lastInjected(log);
        },
      };
    },
  };
}

function lastInjected(log: string): number {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
  const last = lines.findLast((line) => line.includes('(INJECTED)'));
  return last === undefined ? Date.now() : Math.ceil(Number(last.split(' ')[0]) * 1_000);
}

/** The disk fails in these ways for a while, or for some calls. */
export const callFaults: readonly Fault[] = [
  ...['EIO', 'ENOSPC', 'EROFS'].flatMap((error) => [
    failingCalls('pwrite64', error),
    failingCalls('pwrite64', error, '7..30'),
  ]),
  failingCalls('fsync,fdatasync', 'EIO'),
  failingCalls('fsync,fdatasync', 'EIO', '3..5'),
  failingCalls('fsync,fdatasync,pwrite64,ftruncate', 'ENOSPC'),
  failingCalls('pwrite64,fsync,openat', 'EROFS'),
  failingCalls('pwrite64,openat', 'EMFILE'),
];

/** No room is left in the file system of the store. */
export const diskFull: Fault = {
  name: 'a full disk',
  begin: async ({ store }) => {
    const ballast = `${store}-ballast`;
    for (let size = 1 << 20; size >= 512;) {
      try {
        writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
      } catch {
        size /= 2;
      }
    }
    return {
      end: async () => {
        rmSync(ballast);
        // ext4 gives freed blocks out again only after its journal's next commit.
        execFileSync('sync', ['--file-system', dirname(store)]);
        return Date.now();
      },
    };
  },
};

/** No file of the worker may grow beyond what it is. */
export const fileSizeLimit: Fault = {
  name: 'a limit of file size',
  begin: async ({ pid }) => {
    limitFiles(pid, 40_000);
    return {
      end: async () => {
        limitFiles(pid, undefined);
        return Date.now();
      },
    };
  },
};

function limitFiles(pid: number, bytes: number | undefined): void {
  try {
    // The hard limit stays, so that the soft one may be raised again.
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes ?? 'unlimited'}:`], { stdio: 'ignore' });
  } catch (error) {
    if (existsSync(`/proc/${pid}`)) throw error;
  }
}

/** Another program holds the database's write lock. */
export const heldLock: Fault = {
  name: 'a write lock that another program holds',
  begin: async ({ store }) => {
    const db = new Database(store, { timeout: 10_000 });
    db.exec('begin immediate');
    return {
      end: async () => {
        db.exec('rollback');
        const at = Date.now();
        db.close();
        return at;
      },
    };
  },
};

/** Mounts a small file system at the folder, gives its end. `blockSize` is ext4's, `size` that of a tmpfs. */
export function mountSmall(kind: 'tmpfs' | 'ext4', folder: string, blockSize: number, size = '6m'): () => void {
  if (kind === 'tmpfs') execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  else {
    const image = `${folder}-image`;
    writeFileSync(image, Buffer.alloc(8 << 20));
    execFileSync('mkfs.ext4', ['-q', '-m', '0', '-b', String(blockSize), image]);
    execFileSync('mount', ['-o', 'loop', image, folder]);
  }
  if (statfsSync(folder).blocks === 0) throw new Error(`${folder} is not mounted`);
  return () => void execFileSync('umount', [folder]);
}
