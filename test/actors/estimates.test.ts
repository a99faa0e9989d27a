import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { durationsOf, estimatesOf } from '../../actors/estimates.ts';
import { readSteps } from '../../actors/ledger.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { SimulatedClock } from '../../testing.ts';
import { tempStore } from '../support/temp.ts';

/** Each takes as long as it is told, of a clock that nobody waits for. */
function taking(clock: SimulatedClock) {
  const take = defineAction({
    run: async ({ ms, fails = false }: { ms: number; fails?: boolean }) => {
      await clock.advance(ms);
      if (fails) throw new Error('as asked');
      return ms;
    },
  });
  return { take, other: take };
}

const step = (id: string, ms: number, more: object = {}) => ({ id, action: 'take', input: { ms }, ...more });

test('a step is expected to take as long as it took in plans of that name, else as its action took, else a second', async () => {
  const clock = new SimulatedClock();
  await using supervisor = await spawnSupervisor({
    store: tempStore(),
    actions: taking(clock),
    clock,
    concurrency: 1,
  });
  const run = async (id: string, name: string | undefined, steps: ReturnType<typeof step>[]) => {
    const { outcome } = await supervisor.plan({ id, ...(name === undefined ? {} : { name }), steps });
    await outcome;
    return readSteps(supervisor.durable.store.rows, id).map(({ step: of, estimate_ms: ms }) => [of, ms]);
  };
  expect(await run('n:1', 'n', [step('a', 400)])).toEqual([['a', 1_000]]);
  const again = [step('a', 1_200), step('b', 400, { after: ['a'] }), step('c', 1, { action: 'other' })];
  expect(await run('n:2', 'n', again)).toEqual([
    ['c', 1_000],
    ['a', 400],
    ['b', 400],
  ]);
  // What is declared goes before what was learned.
  expect(await run('n:3', 'n', [step('a', 500, { estimateMs: 7 })])).toEqual([['a', 7]]);
  const { rows } = supervisor.durable.store;
  expect(estimatesOf(rows, 'n')('a')?.runs).toBe(3);
  expect(durationsOf(rows, 'n')({ id: 'a', action: 'take' })).toBeCloseTo(500);
  expect(estimatesOf(rows, 'other')('a')).toBeUndefined();
});

test('neither a failure nor a plan without a name of its own teaches anything', async () => {
  const clock = new SimulatedClock();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: taking(clock), clock });
  const { rows } = supervisor.durable.store;
  await (
    await supervisor.plan({ id: 'alone', steps: [step('a', 5)] })
  ).outcome;
  const failing = { ...step('a', 5), input: { ms: 5, fails: true } };
  await (
    await supervisor.plan({ id: 'n:1', name: 'n', steps: [failing] })
  ).outcome;
  expect(rows.all('select * from estimates')).toEqual([]);
});

test('the members of a fan-out teach one estimate for all of them', async () => {
  const clock = new SimulatedClock();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: taking(clock), clock });
  const { rows } = supervisor.durable.store;
  await (
    await supervisor.plan({ id: 'n:1', name: 'n', steps: [step('a', 40)] })
  ).outcome;
  rows.run(`update estimates set step = 'each[]' where step = 'a'`);
  expect(estimatesOf(rows, 'n')('each[17]')?.meanMs).toBe(40);
});
