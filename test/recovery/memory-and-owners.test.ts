/** A process that runs out of memory, and two processes that want one store. */
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { judge } from './judge.ts';
import { begin, finalOf, live } from './life.ts';
import type { Workload } from './workload.ts';

const workload: Workload = { seed: 41, clients: 3, events: 110 };
const DEATHS = 5;

test('a process that dies of a full heap, again and again, leaves nothing wrong behind', async () => {
  const [folder, calm] = [tempFolder(), tempFolder()];
  await live({ folder: calm, workload });
  for (let death = 1; death <= DEATHS; death++) {
    const hungry = { hungryAfter: death * 7, nodeOptions: ['--max-old-space-size=40'] };
    const { ended, stderr } = await live({ folder, workload, pauseMs: 6, ...hungry });
    expect({ ended, death, stderr }).toMatchObject({ ended: 'killed' });
    expect(judge(folder, workload).wrong, `after death ${death}`).toEqual([]);
  }
  await live({ folder, workload });
  expect(judge(folder, workload).wrong).toEqual([]);
  expect(finalOf(folder)).toEqual(finalOf(calm));
});

test('of two processes on one store the second is refused, and the first does not notice', async () => {
  const [folder, other] = [tempFolder(), tempFolder()];
  const first = begin({ folder, workload, pauseMs: 10 });
  await first.hear('ready');
  const second = await live({ folder: other, store: `${folder}/work.db`, workload, mayFail: true });
  expect(second.ended).toBe('failed');
  expect(second.stderr).toContain("code: 'STORE_OWNED'");
  expect((await first.ended).ended).toBe('finished');
  expect(judge(folder, workload).wrong).toEqual([]);
});
