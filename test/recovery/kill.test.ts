/** PERDURE_KILLS and PERDURE_SEED raise the number of kills and repeat a run. */
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { judge } from './judge.ts';
import { finalOf, live } from './life.ts';
import { randomOf, type Workload } from './workload.ts';

const kills = Number(process.env['PERDURE_KILLS'] ?? 50);
const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);

test(`after ${kills} kills at random moments nothing is lost, doubled, early or out of order (PERDURE_SEED=${seed})`, async () => {
  const random = randomOf(seed);
  // A life lets about 40 events of a client through; the rest is there to have something to be killed in.
  const workload: Workload = { seed, clients: 4, events: 30 * kills + 200 };
  const folder = tempFolder();
  const pace = { workload, window: 3, pauseMs: 8 };
  let killed = 0;
  while (killed < kills) {
    const killAfter =
      random() < 0.2
        ? ({ since: 'start', ms: 40 + random() * 120 } as const)
        : ({ since: 'ready', ms: random() * 250 } as const);
    const { ended } = await live({ ...pace, folder, killAfter });
    expect(ended, 'the workload was over before the kills were').toBe('killed');
    killed += 1;
    expect(judge(folder, workload).wrong, `after kill ${killed}, PERDURE_SEED=${seed}`).toEqual([]);
  }
  await live({ workload, window: 8, folder });
  expect(judge(folder, workload).wrong).toEqual([]);

  const calm = tempFolder();
  await live({ workload, window: 8, folder: calm });
  expect(finalOf(folder)).toEqual(finalOf(calm));
});
