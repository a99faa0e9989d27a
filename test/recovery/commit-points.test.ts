/** A fixed workload, killed at every point at which its store changes: after each, only the old or the new is there. */
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { judge } from './judge.ts';
import { finalOf, live, type Life, type LifeOptions } from './life.ts';
import { canTrace, without } from './tools.ts';
import type { Workload } from './workload.ts';

const workload: Workload = { seed: 11, clients: 2, events: 14 };
/** A transaction makes several writes, so that fewer transactions have as many points. */
const short: Workload = { seed: 11, clients: 1, events: 5 };
/** Enough for every point; a loop that does not end is a failure. */
const TOO_MANY = 1_000;
const AT_ONCE = 2;

/** One life that is disturbed, and one that is not: nothing is wrong after either, and the end is the same. */
async function survive(load: Workload, calm: unknown, disturbance: Partial<LifeOptions>, n: number): Promise<Life> {
  const folder = tempFolder();
  const life = await live({ folder, workload: load, ...disturbance });
  expect(judge(folder, load).wrong, `disturbed at point ${n}`).toEqual([]);
  if (life.ended !== 'finished') await live({ folder, workload: load });
  expect(judge(folder, load).wrong, `after a restart from point ${n}`).toEqual([]);
  expect(finalOf(folder), `the end of a run that was disturbed at point ${n}`).toEqual(calm);
  return life;
}

async function calmEnd(load: Workload): Promise<unknown> {
  const folder = tempFolder();
  await live({ folder, workload: load });
  return finalOf(folder);
}

/** Kills at point 1, 2, 3, ... until a run ends without having met its point. Gives the number of kills. */
async function killAtEvery(load: Workload, point: (n: number) => Partial<LifeOptions>): Promise<number> {
  const calm = await calmEnd(load);
  let next = 1;
  let last = TOO_MANY;
  const walk = async () => {
    for (let n = next++; n < last; n = next++) {
      const { ended } = await survive(load, calm, point(n), n);
      if (ended === 'finished') last = Math.min(last, n);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, walk));
  expect(last).toBeLessThan(TOO_MANY);
  return last - 1;
}

test('killed after any commit, before anybody hears of it, it goes on to the same end', async () => {
  expect(await killAtEvery(workload, (killAtCommit) => ({ killAtCommit }))).toBeGreaterThan(10);
});

const label = without('strace', canTrace);

/** Does something to a worker at its n-th system call of one kind. */
function atCall(calls: string, effect: string, n: number): string[] {
  return [
    'strace',
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    `trace=${calls}`,
    '-e',
    `inject=${calls}:${effect}:when=${n}`,
  ];
}

test.skipIf(!canTrace).each([
  ['fsync', 'fsync,fdatasync', workload, 20],
  ['write', 'pwrite64', short, 20],
  // The index of the log is made with one, and the database is cut with one when the log is moved into it.
  ['truncation', 'ftruncate', short, 1],
  // Journals, and at the end the log.
  ['removal', 'unlink,unlinkat', short, 2],
] as const)(
  `killed just before any %s of its files, it goes on to the same end${label}`,
  async (_, calls, load, points) => {
    const kills = await killAtEvery(load, (n) => ({ under: atCall(calls, 'signal=SIGKILL', n) }));
    expect(kills).toBeGreaterThanOrEqual(points);
  },
);

test.skipIf(!canTrace).each([
  ['fsync', 'fsync,fdatasync', 1],
  ['write', 'pwrite64', 6],
])(`when any %s of its files fails, it acknowledges nothing that is not there${label}`, async (_, calls, step) => {
  const calm = await calmEnd(short);
  let failures = 0;
  // SQLite shrugs off some of them (that of a folder), so a run that ends well is not the last point.
  for (let n = 1; n <= 20 * step; n += step) {
    const life = await survive(short, calm, { under: atCall(calls, 'error=EIO', n), mayFail: true }, n);
    if (life.ended === 'failed') failures += 1;
  }
  expect(failures).toBeGreaterThan(5);
});
