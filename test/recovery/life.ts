/** One life of the worker: started on a folder, disturbed, and killed or waited for. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Workload } from './workload.ts';

/** The path of a compiled file of this folder, also for whoever runs compiled itself. */
export function compiled(name: string): string {
  const folder = import.meta.url.endsWith('.js') ? './' : '../../work/test-build/test/recovery/';
  return fileURLToPath(new URL(`${folder}${name}.js`, import.meta.url));
}

export interface LifeOptions {
  /** Where the worker keeps its notes. */
  readonly folder: string;
  readonly workload: Workload;
  /** The path of the store. Default: `work.db` in the folder. */
  readonly store?: string;
  readonly window?: number;
  readonly pauseMs?: number;
  readonly killAtCommit?: number;
  /** SIGKILL so long after the process began, or after it said that it is ready. */
  readonly killAfter?: { readonly since: 'start' | 'ready'; readonly ms: number };
  /** The disk fails on purpose: the worker may end with an error of its store. */
  readonly mayFail?: boolean;
  /** A signal, beside SIGKILL, that may end it. */
  readonly mayDieOf?: 'SIGBUS' | undefined;
  /** For so long a rejected send is repeated. Default: not at all. */
  readonly repeatForMs?: number;
  readonly durability?: 'power-loss' | 'process-crash';
  readonly hungryAfter?: number;
  readonly nodeOptions?: readonly string[];
  /** Runs the worker under another program. */
  readonly under?: readonly string[];
}

export interface Life {
  readonly ended: 'killed' | 'failed' | 'finished';
  readonly commits: number;
  readonly said: readonly Said[];
  readonly stderr: string;
}

/** A line of the worker: `rejected STORE_FAILED true at 1700000000000`. */
export interface Said {
  readonly what: string;
  readonly words: readonly string[];
  /** By the wall clock, in ms. */
  readonly at: number;
}

export interface RunningLife {
  readonly child: ChildProcess;
  /** What it said so far. */
  readonly said: readonly Said[];
  /** Resolves when it says this, or has said it; rejects if it ends without. */
  hear(what: string): Promise<Said>;
  /** Throws when the worker ended in any other way than by SIGKILL or with everything done. */
  readonly ended: Promise<Life>;
}

export function live(options: LifeOptions): Promise<Life> {
  return begin(options).ended;
}

export function begin(options: LifeOptions): RunningLife {
  const { under = [], nodeOptions = [] } = options;
  const [program, ...args] = [...under, process.execPath, ...nodeOptions, compiled('worker')];
  const child = spawn(program as string, args, {
    env: { ...process.env, ...environmentOf(options) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: Said[] = [];
  const listeners = new Set<() => void>();
  let stderr = '';
  let rest = '';
  child.stdout.on('data', (chunk) => {
    const lines = `${rest}${String(chunk)}`.split('\n');
    rest = lines.pop() as string;
    said.push(...lines.map(parse));
    for (const listener of listeners) listener();
  });
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  killLater(child, options.killAfter, child.stdout);
  const ended = new Promise<Life>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      for (const listener of listeners) listener();
      const kind = endOf(options, code, signal, stderr);
      if (kind === undefined) return reject(new Error(`The worker ended with ${code ?? signal}: ${stderr}`));
      const commits = Number(said.find(({ what }) => what === 'commits')?.words[0] ?? 0);
      resolve({ ended: kind, commits, said, stderr });
    });
  });
  ended.catch(() => {});
  const hear = (wanted: string) =>
    new Promise<Said>((resolve, reject) => {
      const listen = () => {
        const found = said.find(({ what }) => what === wanted);
        if (found === undefined && child.exitCode === null && child.signalCode === null) return;
        listeners.delete(listen);
        if (found !== undefined) resolve(found);
        else reject(new Error(`The worker ended before it said "${wanted}": ${stderr}`));
      };
      listeners.add(listen);
      listen();
    });
  return { child, said, hear, ended };
}

function environmentOf(options: LifeOptions): Record<string, string> {
  const { folder, workload, window = 1, pauseMs = 0, killAtCommit = 0, repeatForMs = 0, hungryAfter = 0 } = options;
  return {
    FOLDER: folder,
    STORE: options.store ?? `${folder}/work.db`,
    SEED: String(workload.seed),
    CLIENTS: String(workload.clients),
    EVENTS: String(workload.events),
    WINDOW: String(window),
    PAUSE_MS: String(pauseMs),
    KILL_AT_COMMIT: String(killAtCommit),
    REPEAT_FOR_MS: String(repeatForMs),
    HUNGRY_AFTER: String(hungryAfter),
    DURABILITY: options.durability ?? 'power-loss',
  };
}

function endOf(
  { mayFail = false, mayDieOf, hungryAfter = 0 }: LifeOptions,
  code: number | null,
  signal: string | null,
  stderr: string,
): Life['ended'] | undefined {
  // strace reports the death of its child as an exit code.
  if (signal === 'SIGKILL' || code === 137 || (signal !== null && signal === mayDieOf)) return 'killed';
  if (hungryAfter > 0 && (signal === 'SIGABRT' || code === 134) && stderr.includes('heap')) return 'killed';
  if (mayFail && code === 1 && /code: 'STORE_/.test(stderr)) return 'failed';
  return code === 0 ? 'finished' : undefined;
}

function parse(line: string): Said {
  const [what = '', ...words] = line.split(' ');
  return { what, words: words.slice(0, -2), at: Number(words.at(-1)) };
}

function killLater(child: ChildProcess, after: LifeOptions['killAfter'], stdout: NodeJS.ReadableStream): void {
  if (after === undefined) return;
  const kill = () => void setTimeout(() => child.kill('SIGKILL'), after.ms);
  if (after.since === 'start') kill();
  else stdout.once('data', kill);
}

/** What a finished worker left as its last word; undefined if none did. */
export function finalOf(folder: string): unknown {
  const path = `${folder}/final`;
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}
