import { expect, test } from 'vitest';
import { Profile } from '../../machines/profile.ts';
import { FEWEST_RUNS, regressionsOf } from '../../machines/regressions.ts';
import { upperTail } from '../../machines/student.ts';

/** Uniform in [0, 1), the same each time. */
function dice(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** A run in which each operation took about so long, so many times. */
function run(operations: Readonly<Record<string, number>>, roll: () => number, times = 20): Profile {
  const profile = new Profile();
  // What the machine does meanwhile makes all calls of a run faster or slower.
  const machine = 0.9 + 0.2 * roll();
  for (const [name, ms] of Object.entries(operations)) {
    for (let call = 0; call < times; call += 1) {
      const node = profile.at(undefined, name);
      profile.begin(node);
      const took = ms * machine * (0.8 + 0.4 * roll());
      profile.end(node, { inclusiveMs: took, selfMs: took }, false, 1);
    }
  }
  return profile;
}

const STEPS = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`step ${at}`, 10 + at]));

test('a step that takes twice as long as in ten runs before is told, with how much; the others are not', () => {
  const roll = dice(7);
  const earlier = Array.from({ length: 10 }, () => run(STEPS, roll));
  const found = regressionsOf(run({ ...STEPS, 'step 3': 26 }, roll), earlier);
  expect(found.map(({ path }) => path)).toEqual([['step 3']]);
  expect(found[0]?.ratio).toBeGreaterThan(1.7);
  expect(found[0]?.ratio).toBeLessThan(2.4);
  expect(found[0]?.p).toBeLessThan(0.01);
  expect(found[0]?.runs).toBe(10);
});

test('also a step that runs once in each run', () => {
  const roll = dice(3);
  const earlier = Array.from({ length: 8 }, () => run(STEPS, roll, 1));
  expect(regressionsOf(run({ ...STEPS, 'step 5': 150 }, roll, 1), earlier)).toMatchObject([{ path: ['step 5'] }]);
});

test('of runs that are alike hardly one in a hundred is reported, whatever the number of operations and calls', () => {
  const roll = dice(11);
  let reported = 0;
  for (let trial = 0; trial < 200; trial += 1) {
    const earlier = Array.from({ length: 5 }, () => run(STEPS, roll, 5));
    if (regressionsOf(run(STEPS, roll, 5), earlier).length > 0) reported += 1;
  }
  expect(reported).toBeLessThanOrEqual(6);
});

test('says nothing with fewer earlier runs than tell how much runs differ, and nothing of what became faster', () => {
  const roll = dice(5);
  const few = Array.from({ length: FEWEST_RUNS - 1 }, () => run(STEPS, roll));
  expect(regressionsOf(run({ 'step 1': 500 }, roll), few)).toEqual([]);
  const enough = Array.from({ length: 10 }, () => run(STEPS, roll));
  expect(regressionsOf(run({ 'step 1': 1, 'a new one': 900 }, roll), enough)).toEqual([]);
});

test.each([
  [1, 6.313751515, 0.05],
  [3, 4.540702859, 0.01],
  [9, 1.833112933, 0.05],
  [30, 2.457261542, 0.01],
  [200, 1.285798794, 0.1],
])("Student's t with %i degrees of freedom exceeds %d with the probability of the tables", (freedom, t, p) => {
  expect(upperTail(t, freedom)).toBeCloseTo(p, 6);
  expect(upperTail(-t, freedom)).toBeCloseTo(1 - p, 6);
});
