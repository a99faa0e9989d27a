/** PERDURE_SEED and PERDURE_TRIALS repeat a run and make it longer. */
import { expect, test } from 'vitest';
import { quickStore, tempFolder } from '../support/temp.ts';
import { finalOf, live } from './life.ts';
import { stealFrom, stopAndSteal, type Attempt } from './stale-owner.ts';
import { randomOf, type Workload } from './workload.ts';

const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);
const trials = Number(process.env['PERDURE_TRIALS'] ?? 300);
const COMMITTING: readonly Attempt[] = ['send', 'many sends', 'timer', 'effect', 'close'];

test(`an owner whose store was taken over commits nothing in ${trials} trials (PERDURE_SEED=${seed})`, async () => {
  for (let trial = 0; trial < trials; trial++) {
    const attempt = COMMITTING[trial % COMMITTING.length] as Attempt;
    expect(await stealFrom(quickStore(), attempt, seed + trial), `${attempt}, seed ${seed + trial}`).toEqual([]);
  }
});

test('an owner whose store was taken over cannot make a new tree in it', async () => {
  expect(await stealFrom(quickStore(), 'a new tree', seed)).toEqual([]);
});

test('an owner whose store was taken over cannot make a new table in it', async () => {
  expect(await stealFrom(quickStore(), 'a new table', seed)).toEqual([]);
});

test(`a process that was stopped while another took its store over never commits again (PERDURE_SEED=${seed})`, async () => {
  const workload: Workload = { seed: 31, clients: 3, events: 60 };
  const calm = tempFolder();
  await live({ folder: calm, workload });
  const random = randomOf(seed);
  for (let trial = 1; trial <= Math.max(4, trials / 50); trial++) {
    const problems = await stopAndSteal({
      folder: tempFolder(),
      workload,
      calm: finalOf(calm),
      stopAfterMs: random() * 120,
      goOnAfterMs: random() * 100,
    });
    expect(problems, `trial ${trial}, PERDURE_SEED=${seed}`).toEqual([]);
  }
});
