/** A long run, killed with SIGKILL at every commit and started again, ends as one that never died. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { WorkReport } from '../../actors/work-options.ts';
import { tempFolder } from '../support/temp.ts';

const WORKER = fileURLToPath(new URL('../../work/test-build/test/recovery/night-worker.js', import.meta.url));

interface Final {
  readonly report: WorkReport;
  readonly outcomes: object;
  readonly debts: object;
  readonly commits: number;
}

/** Gives the signal that ended it. */
function live(folder: string, killAtCommit: number): NodeJS.Signals | null {
  const env = { ...process.env, FOLDER: folder, KILL_AT_COMMIT: String(killAtCommit) };
  const { signal, status, stderr } = spawnSync(process.execPath, [WORKER], { env, encoding: 'utf8', timeout: 60_000 });
  if (signal === null) expect(status, stderr).toBe(0);
  return signal;
}

function finalOf(folder: string): Final {
  return JSON.parse(readFileSync(join(folder, 'final'), 'utf8')) as Final;
}

/** What began again although it was told to be settled, and starts of the run that differ. */
function wrongWith(folder: string): string[] {
  const settled = new Set<string>();
  const starts = new Set<string>();
  const wrong: string[] = [];
  for (const line of readFileSync(join(folder, 'notes'), 'utf8').trim().split('\n')) {
    const [what, word] = line.split(' ') as [string, string];
    if (what === 'settled') settled.add(word);
    else if (what === 'run') starts.add(word);
    else if (settled.has(word)) wrong.push(line);
  }
  return starts.size === 1 ? wrong : [...wrong, `starts: ${[...starts].join(', ')}`];
}

test('a long run that is killed at any commit, and once more in its second life, ends as one that never died', () => {
  const calm = tempFolder();
  expect(live(calm, 0)).toBeNull();
  const { report, outcomes, debts, commits } = finalOf(calm);
  expect(report).toMatchObject({ reason: 'goal', done: true, tally: { ok: 9, recovered: 1, degraded: 2 } });
  expect(debts).toEqual({ owed: 0, paying: 0, paid: 2, unpayable: 0 });
  const killed = [];
  for (let commit = 1; commit <= commits; commit++) {
    const folder = tempFolder();
    if (live(folder, commit) !== null) killed.push(commit);
    if (!existsSync(join(folder, 'final'))) live(folder, 1 + (commit % 7));
    if (!existsSync(join(folder, 'final'))) expect(live(folder, 0)).toBeNull();
    const final = finalOf(folder);
    expect(final, `killed at commit ${commit}`).toMatchObject({ outcomes, debts });
    expect(final.report, `killed at commit ${commit}`).toMatchObject({
      reason: 'goal',
      done: true,
      tally: report.tally,
    });
    expect(wrongWith(folder), `killed at commit ${commit}`).toEqual([]);
  }
  expect(killed.length).toBeGreaterThan(10);
});
