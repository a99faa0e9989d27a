/**
 * Memory that leaks and a disk that fills, for real. The horizon of five minutes, and all other times with it, are 8 % of
 * the defaults here, so that a run takes a minute: 60 s before the end are 4.8 s, and 10 minutes are 48 s.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { mountSmall } from './disk-fault.ts';
import { compiled } from './life.ts';
import { canHideProc, canMount, without } from './tools.ts';

const HORIZON_MS = 24_000;
const EARLIEST_MS = 2 * HORIZON_MS;
const LATEST_MS = HORIZON_MS / 5;

interface Said {
  /** ms since the process began its work. */
  readonly at: number;
  readonly words: readonly string[];
}

interface Run {
  readonly code: number | null;
  readonly signal: string | null;
  readonly endedAt: number;
  readonly said: readonly Said[];
  readonly stderr: string;
}

interface Load {
  readonly kind: 'heap' | 'disk';
  readonly folder: string;
  readonly actions: number;
  readonly bytes: number;
  readonly nodeOptions?: readonly string[];
  /** Runs it under another program. */
  readonly under?: readonly string[];
}

/** Lets it work until it is done, or dead. */
function run(watch: 'yes' | 'no', { kind, folder, actions, bytes, nodeOptions = [], under = [] }: Load): Promise<Run> {
  const [program, ...args] = [...under, process.execPath, ...nodeOptions, compiled('exhaustion-worker')];
  const child = spawn(program as string, args, {
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      KIND: kind,
      WATCH: watch,
      FOLDER: folder,
      ACTIONS: String(actions),
      BYTES: String(bytes),
      HORIZON_MS: String(HORIZON_MS),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const began = performance.now();
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const said = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(' '))
        .map(([at, ...words]) => ({ at: Number(at), words }));
      resolve({ code, signal, endedAt: performance.now() - began, said, stderr });
    });
  });
}

function expectSeenComing(resource: 'heap' | 'disk', watched: Run, unwatched: Run): void {
  expect(watched.stderr).toBe('');
  expect(watched.code).toBe(0);
  const first = (...words: string[]) => watched.said.find((line) => words.every((word, i) => line.words[i] === word));
  const warned = first('forecast', resource, 'imminent');
  expect(warned, 'a warning').toBeDefined();
  const leadMs = unwatched.endedAt - (warned as Said).at;
  console.log(
    `${resource}: exhausted after ${Math.round(unwatched.endedAt)} ms, told ${Math.round(leadMs)} ms before, ` +
      `when it was forecast in ${(warned as Said).words[3]} ms; ${watched.said.at(-2)?.words.join(' ')}`,
  );
  expect(leadMs).toBeGreaterThanOrEqual(LATEST_MS);
  expect(leadMs).toBeLessThanOrEqual(EARLIEST_MS);
  expect(first('acted', 'throttle')).toBeDefined();
  expect(first('acted', 'runCleanups')).toBeDefined();
}

test('a leak is seen coming, throttled and cleaned up, and a run ends well that dies without the watcher', async () => {
  const load = (): Load => ({
    kind: 'heap',
    folder: tempFolder(),
    actions: 1_300,
    bytes: 48_000,
    nodeOptions: ['--max-old-space-size=96'],
  });
  const [watched, unwatched] = await Promise.all([run('yes', load()), run('no', load())]);
  expect(unwatched.stderr).toContain('heap out of memory');
  expectSeenComing('heap', watched, unwatched);
});

test.skipIf(!canMount)(
  `a disk that fills is seen coming, and a run ends well that fails without the watcher${without('mount', canMount)}`,
  async () => {
    const load = (): Load => ({ kind: 'disk', folder: disk(), actions: 1_300, bytes: 24_576 });
    const [watched, unwatched] = await Promise.all([run('yes', load()), run('no', load())]);
    expect(unwatched.code).toBe(1);
    expect(unwatched.stderr).toMatch(/ENOSPC|STORE_FAILED/);
    expectSeenComing('disk', watched, unwatched);
  },
);

test.skipIf(!canHideProc)(
  `without /proc the figures that need it are absent, that is said once, and the work goes on${without('unshare', canHideProc)}`,
  async () => {
    const folder = tempFolder();
    const under = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'];
    const load: Load = { kind: 'disk', folder, actions: 200, bytes: 64, under };
    for (const life of [1, 2]) {
      const { code, stderr } = await run('yes', load);
      expect({ code, stderr, life }).toEqual({ code: 0, stderr: '', life });
    }
    const db = new Database(`${folder}/work.db`, { readonly: true });
    const said = db.prepare('select kind, detail from incidents').all() as { kind: string; detail: string }[];
    expect(new Set(said.map(({ kind }) => kind))).toEqual(new Set(['resource.unreadable']));
    expect(said.filter(({ detail }) => detail.includes('proc/self/cgroup'))).toHaveLength(1);
    const text = db.prepare('select figures from resource_samples order by at desc').pluck().get() as string;
    const figures = Object.keys(JSON.parse(text) as object);
    expect(figures).toEqual(expect.arrayContaining(['heap', 'disk', 'loopUtilization']));
    expect(figures).not.toEqual(expect.arrayContaining(['handles']));
    db.close();
  },
);

function disk(): string {
  const folder = `${tempFolder()}/disk`;
  mkdirSync(folder);
  onTestFinished(mountSmall('tmpfs', folder, 4_096, '28m'));
  return folder;
}
