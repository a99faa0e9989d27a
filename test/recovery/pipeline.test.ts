/** A short run through the whole pipeline, killed at its commits: it goes on to the same outcomes. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { compiled, finalOf } from './life.ts';

const AT_ONCE = 2;

type End = { readonly ended: 'killed' | 'finished'; readonly commits: number };

/** One life of the worker. Throws when it ended in any other way than by SIGKILL or with everything done. */
function live(folder: string, killAtCommit = 0): Promise<End> {
  const child = spawn(process.execPath, [compiled('pipeline-worker')], {
    env: { ...process.env, FOLDER: folder, KILL_AT_COMMIT: String(killAtCommit) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => (out += String(chunk)));
  child.stderr.on('data', (chunk) => (err += String(chunk)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve({ ended: 'killed', commits: killAtCommit });
      else if (code === 0) resolve({ ended: 'finished', commits: Number(/commits (\d+)/.exec(out)?.[1]) });
      else reject(new Error(`The worker ended with ${code ?? signal}: ${err}`));
    });
  });
}

function notesOf(folder: string): string[] {
  const path = `${folder}/notes`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
}

/** What was done outside of the store, which no crash takes back. */
function judge(folder: string, n: number): void {
  const notes = notesOf(folder);
  const at = (line: string) => notes.indexOf(line);
  const times = (line: string) => notes.filter((one) => one === line).length;
  const where = `killed at commit ${n}`;
  // Nothing ran that was not approved, and what is undone twice was cut off in between.
  if (at('run publish') >= 0) expect(at('approved publish'), where).toBeLessThan(at('run publish'));
  expect(at('approved publish'), where).toBeGreaterThanOrEqual(0);
  expect(at('undone second'), where).toBeLessThan(at('undone first'));
  for (const line of ['undone first', 'undone second']) expect(times(line), `${where}: ${line}`).toBeLessThanOrEqual(4);
  // The third call found the breaker open.
  expect(at('run call3'), where).toBe(-1);
  for (const id of ['call1', 'call2', 'check', 'saga', 'publish']) {
    expect(times(`run ${id}`), `${where}: ${id} runs again only if it was cut off`).toBeLessThanOrEqual(2);
  }
  const settled = notes.filter((line) => line.startsWith('settled '));
  expect(new Set(settled).size, `${where}: each is told once`).toBe(settled.length);
}

test('killed after any commit of a run through the pipeline, it goes on to the same outcomes', async () => {
  const calm = tempFolder();
  const { commits } = await live(calm);
  judge(calm, 0);
  const expected = finalOf(calm);
  expect(expected).toMatchObject({
    left: [],
    debts: [{ state: 'paid' }],
    budget: { good: 5.75, bad: 2.25 },
    tally: { ok: 2, recovered: 1, degraded: 5, skipped: 0, failed: 0, denied: 0, cancelled: 1 },
  });
  expect(commits).toBeGreaterThan(20);
  let next = 1;
  let kills = 0;
  const walk = async () => {
    for (let n = next++; n <= commits; n = next++) {
      const folder = tempFolder();
      const { ended } = await live(folder, n);
      if (ended === 'killed') {
        kills += 1;
        await live(folder);
      }
      judge(folder, n);
      expect(finalOf(folder), `the end of a run that was killed at commit ${n}`).toEqual(expected);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, walk));
  // How turns share commits differs a little from life to life.
  expect(kills).toBeGreaterThan(commits * 0.8);
});
