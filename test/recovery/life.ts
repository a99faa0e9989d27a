/** One life of the worker: started on a folder, killed or waited for. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Workload } from './workload.ts';

const WORKER = fileURLToPath(new URL('../../work/test-build/test/recovery/worker.js', import.meta.url));

export interface LifeOptions {
  readonly folder: string;
  readonly workload: Workload;
  readonly window?: number;
  readonly pauseMs?: number;
  readonly killAtCommit?: number;
  /** SIGKILL so long after the process began, or after it said that it is ready. */
  readonly killAfter?: { readonly since: 'start' | 'ready'; readonly ms: number };
  /** The disk fails on purpose: the worker may end with STORE_FAILED. */
  readonly mayFail?: boolean;
  /** Runs the worker under another program. */
  readonly under?: readonly string[];
}

export interface Life {
  readonly ended: 'killed' | 'failed' | 'finished';
  readonly commits: number;
}

/** Throws when the worker ended in any other way than by SIGKILL or with everything done. */
export async function live(options: LifeOptions): Promise<Life> {
  const { folder, workload, window = 1, pauseMs = 0, killAtCommit = 0, under = [] } = options;
  const [program, ...args] = [...under, process.execPath, WORKER];
  const env = {
    FOLDER: folder,
    SEED: String(workload.seed),
    CLIENTS: String(workload.clients),
    EVENTS: String(workload.events),
    WINDOW: String(window),
    PAUSE_MS: String(pauseMs),
    KILL_AT_COMMIT: String(killAtCommit),
  };
  const child = spawn(program as string, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (said.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (said.stderr += String(chunk)));
  killLater(child, options.killAfter, child.stdout);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (...how) => resolve(how)),
  );
  // strace reports the death of its child as an exit code.
  if (signal === 'SIGKILL' || code === 137) return { ended: 'killed', commits: 0 };
  if (options.mayFail === true && code === 1 && said.stderr.includes('STORE_FAILED'))
    return { ended: 'failed', commits: 0 };
  if (code !== 0) throw new Error(`The worker ended with ${code ?? signal}: ${said.stderr}`);
  return { ended: 'finished', commits: Number(/commits (\d+)/.exec(said.stdout)?.[1]) };
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
