/**
 * Finding and ending the processes of an action by what they carry in their environment, because a process id says nothing
 * about whose process it is once its owner has died. It starts nothing and remembers nothing between calls.
 *
 * L1. A process is the action's if its environment holds exactly `PERDURE_ACTION=<key>`, or if it shares a process group
 *     with such a one (a child may have cleared its environment).
 *     What an earlier generation of the tree ran for the action, or an earlier version of this program, is known by its folder:
 *     a fork has another one.
 * L2. Nothing in the group of this process or of one of its ancestors is ever signalled, whatever it carries: a run may
 *     itself be a step of another run.
 * L3. A call settles only when none is left; a zombie counts as gone, because only its parent can remove it.
 */
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PerdureError } from '../errors.ts';

/** From the polite signal to the one that cannot be refused, unless told otherwise. */
export const DEFAULT_GRACE_MS = 5_000;

const ACTION = 'PERDURE_ACTION';
const OUTPUT = 'PERDURE_OUTPUT';
const POLL_MS = 25;
/** A process that SIGKILL has not ended by then hangs in the kernel or belongs to another user. */
const UNENDABLE_AFTER_MS = 10_000;
const PS_MAX_BYTES = 64 * 1_048_576;

/** A process as the system's table shows it. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly zombie: boolean;
}

/** The system's table, and which of its processes carry the key. */
export interface Census {
  readonly processes: readonly Process[];
  readonly carriers: ReadonlySet<number>;
}

/** What is known of the processes of an action. */
export interface Marks {
  readonly key: string;
  /** Default: earlier generations left none. */
  readonly earlier?: EarlierMarks;
}

/** What writes its result into the folder of an action, and has a key of another generation. */
export interface EarlierMarks {
  readonly folder: string;
  /** What all keys of the present generation begin with. */
  readonly present: string;
}

/** Ends every process group that carries these marks; resolves when they are gone, with how many processes it ended. */
export function endLeftovers(marks: Marks, graceMs: number = DEFAULT_GRACE_MS): Promise<number> {
  return endProcesses(marks, [], graceMs);
}

/** As {@link endLeftovers}, and these groups too, even if none in them shows the marks. */
export async function endProcesses(marks: Marks, groups: readonly number[], graceMs: number): Promise<number> {
  const ended = new Set<number>();
  const asked = new Set<number>();
  const start = performance.now();
  let watched = new Set(groups);
  for (;;) {
    const alive = chooseEndable(takeCensus(marks, watched.size > 0), watched, process.pid);
    if (alive.length === 0) return ended.size;
    const elapsedMs = performance.now() - start;
    if (elapsedMs > graceMs + UNENDABLE_AFTER_MS) throw unendable(marks, alive);
    for (const { pid } of alive) ended.add(pid);
    watched = new Set(alive.map(({ group }) => group));
    for (const group of watched) {
      if (elapsedMs >= graceMs) signalGroup(group, 'SIGKILL');
      else if (!asked.has(group)) signalGroup(group, 'SIGTERM');
      asked.add(group);
    }
    await sleep(elapsedMs < graceMs ? Math.min(POLL_MS, graceMs - elapsedMs) : POLL_MS);
  }
}

/** The living processes that are the action's (L1), beside those of `groups`, and that process `self` may signal (L2). */
export function chooseEndable(census: Census, groups: ReadonlySet<number>, self: number): Process[] {
  const { processes, carriers } = census;
  const own = protectedGroups(processes, self);
  const carried = processes.filter(({ pid }) => carriers.has(pid)).map(({ group }) => group);
  const meant = new Set([...groups, ...carried]);
  return processes.filter(({ group, zombie }) => !zombie && meant.has(group) && !own.has(group));
}

/** The groups of `self` and its ancestors; also 0 and 1, which `kill` reads as "my group" and "everything". */
function protectedGroups(processes: readonly Process[], self: number): Set<number> {
  const byPid = new Map(processes.map((process) => [process.pid, process]));
  const groups = new Set([0, 1]);
  const seen = new Set<number>();
  let current = byPid.get(self);
  while (current !== undefined && !seen.has(current.pid)) {
    seen.add(current.pid);
    groups.add(current.group);
    current = byPid.get(current.parent);
  }
  return groups;
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    // ESRCH: it went by itself. EPERM: macOS says so of a group of zombies. The next census decides, and it has a deadline.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

function unendable({ key }: Marks, alive: readonly Process[]): PerdureError {
  const pids = alive.map(({ pid }) => pid);
  return new PerdureError(
    'COMMAND_FAILED',
    `expected the processes of action ${JSON.stringify(key)} to be gone after SIGKILL, but ${pids.join(', ')} still run: ` +
      'they hang in the kernel or belong to another user; end them by hand and retry',
    { facts: { key, pids }, retryable: true },
  );
}

/** `whole` asks for the table even if no process carries the marks. */
function takeCensus(marks: Marks, whole: boolean): Census {
  if (process.platform === 'linux') return linuxCensus(marks, whole);
  if (process.platform === 'darwin') return censusOfPs(marks, listProcesses());
  throw new PerdureError('COMMAND_FAILED', `commands run on Linux and macOS, not on ${process.platform}`, {
    facts: { platform: process.platform },
  });
}

/** Whether an environment with these values is of the action. */
function carries({ key, earlier }: Marks, action: string, output: string): boolean {
  if (action === key) return true;
  return earlier !== undefined && output.startsWith(earlier.folder + sep) && !action.startsWith(earlier.present);
}

function linuxCensus(marks: Marks, whole: boolean): Census {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const isOwn = (pid: string) => {
    const environment = environmentOf(pid);
    const action = entryOf(environment, ACTION);
    return action !== undefined && carries(marks, action, entryOf(environment, OUTPUT) ?? '');
  };
  const carriers = new Set(pids.filter(isOwn).map(Number));
  if (carriers.size === 0 && !whole) return { processes: [], carriers };
  return { processes: pids.flatMap((pid) => linuxProcess(pid) ?? []), carriers };
}

function environmentOf(pid: string): Buffer {
  return Buffer.concat([Buffer.of(0), readProc(`/proc/${pid}/environ`) ?? Buffer.of()]);
}

function entryOf(environment: Buffer, name: string): string | undefined {
  const start = environment.indexOf(`\0${name}=`);
  if (start === -1) return undefined;
  const end = environment.indexOf(0, start + 1);
  return environment.toString('utf8', start + name.length + 2, end === -1 ? undefined : end);
}

/** `pid (name) state parent group ...`, where the name may itself hold spaces and brackets. */
function linuxProcess(pid: string): Process | undefined {
  const stat = readProc(`/proc/${pid}/stat`)?.toString('latin1');
  if (stat === undefined) return undefined;
  const [state, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid: Number(pid), parent: Number(parent), group: Number(group), zombie: state === 'Z' || state === 'X' };
}

/** Undefined for a process that has ended meanwhile, and for one of another user, which cannot be this action's to end. */
function readProc(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}

function listProcesses(): string {
  const columns = ['-o', 'pid=', '-o', 'ppid=', '-o', 'pgid=', '-o', 'stat=', '-o', 'command='];
  return execFileSync('/bin/ps', ['-A', '-E', '-ww', ...columns], { encoding: 'utf8', maxBuffer: PS_MAX_BYTES });
}

/**
 * What `ps -E` of macOS says. It parts the entries of an environment by spaces only, so an entry ends where the next name
 * or the line does. The system hides the environment of its own programs (`/bin/sh`), but not of the wrapper that leads
 * their group.
 */
export function censusOfPs(marks: Marks, listing: string): Census {
  const processes: Process[] = [];
  const carriers = new Set<number>();
  for (const line of listing.split('\n')) {
    const columns = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s/.exec(line);
    if (columns === null) continue;
    const [, pid, parent, group, state = ''] = columns;
    processes.push({ pid: Number(pid), parent: Number(parent), group: Number(group), zombie: state.startsWith('Z') });
    const action = shownEntry(line, ACTION);
    if (action !== undefined && carries(marks, action, shownEntry(line, OUTPUT) ?? '')) carriers.add(Number(pid));
  }
  return { processes, carriers };
}

function shownEntry(line: string, name: string): string | undefined {
  return new RegExp(` ${name}=(.*?)(?= [A-Za-z_][A-Za-z0-9_]*=|\\s*$)`).exec(line)?.[1];
}
