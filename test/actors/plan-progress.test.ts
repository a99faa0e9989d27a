import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import type { StepOptions } from '../../actors/plan-input.ts';
import type { PlanProgress } from '../../actors/plan-progress.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { inTime, open, SECOND, START } from '../support/pipeline.ts';
import { settle, until } from '../support/turns.ts';

const list = defineAction({ run: () => [1, 2, 3, 4] });
const clockwork = (clock: SimulatedClock) =>
  defineAction({
    run: (input: { seconds?: number } | null) =>
      new Promise<null>((resolve) => void clock.setTimeout(() => resolve(null), (input?.seconds ?? 1) * SECOND)),
  });
const takes = (id: string, seconds: number, ...after: string[]): StepOptions => ({
  id,
  action: 'wait',
  input: { seconds },
  estimateMs: seconds * SECOND,
  after,
});

const short = ({ id, state, done, etaMs, children }: PlanProgress): unknown => [
  id,
  state,
  done,
  etaMs / SECOND,
  ...children.map(short),
];

test('the progress of a plan is rolled up by estimates, with the time that is left on the slots that there are', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions: { wait: clockwork(clock) }, concurrency: 2 });
  const plan = await supervisor.plan({
    id: 'p',
    steps: [
      { id: 'one', steps: [takes('a', 10), takes('b', 30)] },
      { id: 'two', after: ['one'], steps: [takes('c', 60)] },
    ],
  });
  expect(short(supervisor.progress('p'))).toEqual([
    'p',
    'running',
    0,
    90,
    ['one', 'running', 0, 30, ['one/a', 'running', 0, 10], ['one/b', 'running', 0, 30]],
    ['two', 'waiting', 0, 90, ['two/c', 'waiting', 0, 90]],
  ]);
  await settle();
  await clock.advance(10 * SECOND);
  await until(() => supervisor.progress('p').done > 0);
  expect(short(supervisor.progress('p'))).toEqual([
    'p',
    'running',
    0.1,
    80,
    ['one', 'running', 0.25, 20, ['one/a', 'ok', 1, 0], ['one/b', 'running', 0, 20]],
    ['two', 'waiting', 0, 80, ['two/c', 'waiting', 0, 80]],
  ]);
  await inTime(clock, plan.outcome);
  expect(supervisor.progress('p')).toMatchObject({
    state: 'ok',
    done: 1,
    etaMs: 0,
    steps: { waiting: 0, running: 0, succeeded: 3, unsuccessful: 0 },
  });
});

test('a fan-out that was expanded counts as its items, which the tree does not list', async () => {
  const clock = new SimulatedClock(START);
  const wait = clockwork(clock);
  await using supervisor = await open(clock, { actions: { list, wait }, concurrency: 2 });
  const plan = await supervisor.plan({
    id: 'p',
    steps: [
      { id: 'list', action: 'list' },
      { id: 'each', action: 'wait', forEach: { from: 'list' }, estimateMs: SECOND },
    ],
  });
  await until(() => supervisor.progress('p').steps.succeeded === 1);
  const [, each] = supervisor.progress('p').children;
  expect(each).toMatchObject({ steps: { running: 4, succeeded: 0 }, done: 0, etaMs: 2 * SECOND, children: [] });
  await inTime(clock, plan.outcome);
  expect(supervisor.progress('p').children[1]).toMatchObject({ state: 'ok', done: 1, steps: { succeeded: 4 } });
});

test('a plan that is not there has no progress', async () => {
  await using supervisor = await open(new SimulatedClock(START), { actions: { list } });
  expect(() => supervisor.progress('none')).toThrow(expect.objectContaining({ code: 'ACTION_NOT_FOUND' }));
});

const tree: fc.Arbitrary<StepOptions[]> = fc
  .letrec<{ steps: Drawn[]; step: Drawn }>((tie) => ({
    steps: fc.array(tie('step'), { minLength: 1, maxLength: 3 }),
    step: fc.oneof({ maxDepth: 3 }, fc.nat(3), tie('steps')),
  }))
  .steps.map(named);

type Drawn = number | Drawn[];

function named(drawn: readonly Drawn[]): StepOptions[] {
  return drawn.map((one, n) => {
    const id = `s${n}`;
    if (typeof one !== 'number') return { id, steps: named(one) };
    return { id, action: 'fails', input: one === 3, estimateMs: one * SECOND };
  });
}

function* within(progress: PlanProgress): Generator<PlanProgress> {
  yield progress;
  for (const child of progress.children) yield* within(child);
}

test('progress never goes back, is 1 at the end and not before, and every group is the sum of its parts', async () => {
  const fails = defineAction({
    run: (does: boolean) => {
      if (does) throw new Error('fails');
    },
  });
  await fc.assert(
    fc.asyncProperty(tree, fc.constantFrom('stop', 'continue', 'skip-dependants'), async (steps, policy) => {
      await using supervisor = await open(new SimulatedClock(START), { actions: { fails }, concurrency: 1 });
      const seen = new Map<string, number>();
      const look = () => {
        for (const { id, done, steps: counts, children } of within(supervisor.progress('p'))) {
          expect(done).toBeGreaterThanOrEqual(seen.get(id) ?? 0);
          expect(done).toBeLessThanOrEqual(1);
          seen.set(id, done);
          for (const key of Object.keys(counts) as (keyof typeof counts)[])
            if (children.length > 0)
              expect(children.reduce((sum, child) => sum + child.steps[key], 0)).toBe(counts[key]);
        }
      };
      const plan = await supervisor.plan({ id: 'p', policy: policy as 'stop', steps });
      look();
      supervisor.on('action.settled', look);
      await plan.outcome;
      look();
      expect(new Set(seen.values())).toEqual(new Set([1]));
    }),
    { numRuns: 40 },
  );
});
