/** A host in a process of its own, which can be killed: the example of a night's work, with its inspector. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { tempFolder } from '../../support/temp.ts';

const EXAMPLE = fileURLToPath(new URL('../../../examples/inspector/night.mjs', import.meta.url));
export const TOKEN = 'a-token-of-the-tests-which-is-long-enough';

export interface HostOptions {
  /** Default: any. */
  readonly port?: number;
  readonly store?: string;
  readonly services?: number;
  readonly pace?: number;
  readonly readOnly?: boolean;
}

export interface Host {
  readonly url: string;
  readonly port: number;
  readonly store: string;
  /** As `kill -9`. */
  kill(): Promise<void>;
  /** Asks its own API, as whoever has the token. */
  get<T>(path: string): Promise<T>;
}

const running = new Set<ChildProcess>();

/** Starts one; resolves when its inspector listens. */
export async function startHost(options: HostOptions = {}): Promise<Host> {
  const { port = 0, store = join(tempFolder(), 'night.db'), services = 3, pace = 4, readOnly = false } = options;
  const args = ['--port', String(port), '--store', store, '--services', String(services), '--pace', String(pace)];
  const child = spawn(process.execPath, [EXAMPLE, ...args, '--token', TOKEN, ...(readOnly ? ['--read-only'] : [])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  running.add(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const url = await new Promise<string>((resolve, reject) => {
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (out.includes('\n')) resolve(out.trim().split('\n')[0] as string);
    });
    child.once('exit', () => reject(new Error(`The host ended before it listened: ${said}`)));
  });
  const origin = new URL(url).origin;
  return {
    url,
    port: Number(new URL(url).port),
    store,
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      running.delete(child);
    },
    async get<T>(path: string) {
      const answer = await fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });
      if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
      return (await answer.json()) as T;
    },
  };
}

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});
