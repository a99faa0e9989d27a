/** What is owed since a fallback stood in: with what it is paid, how often that is tried, and what it costs. */
import { expect, test } from 'vitest';
import type { ActionContext } from '../../actors/action-context.ts';
import { defineAction } from '../../actors/actions.ts';
import { readAction } from '../../actors/ledger.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { MINUTE, SECOND, START, charged, failure, open } from '../support/pipeline.ts';
import { settle, until } from '../support/turns.ts';

/** Work that fails as long as it is told to, of a component whose breaker never opens by itself. */
function failing(error: () => Error) {
  const work = { isDown: true, runs: 0 };
  const check = defineAction({
    run: (n: number) => {
      work.runs += 1;
      if (work.isDown) throw error();
      return n;
    },
    component: 'ci',
    fallback: { skip: { run: () => -1, qualityLoss: 0.1, owes: true } },
  });
  const well = defineAction({ run: (_: null) => 'well', component: 'ci' });
  return {
    work,
    options: { actions: { check, well }, components: { ci: { breaker: { window: 1_000, minCalls: 1_000 } } } },
  };
}

interface Flapping {
  component(name: string, command: 'bypass' | 'restore'): Promise<void>;
}

/** The component goes, and is back. */
async function flap(supervisor: Flapping): Promise<void> {
  await supervisor.component('ci', 'bypass');
  await supervisor.component('ci', 'restore');
  await settle(20);
}

test('the real work of a step gets the results that the step had, and is as good as they are', async () => {
  const seen: { id: string; results: object }[] = [];
  const state = { isDown: true };
  const down = () => {
    throw failure('down');
  };
  const read = defineAction({ run: down, fallback: { old: { run: () => ({ rows: 3 }), qualityLoss: 0.4 } } });
  const publish = defineAction({
    run: (_: null, { id, results }: ActionContext) => {
      seen.push({ id, results });
      return state.isDown ? down() : 'published';
    },
    fallback: { mirror: { run: () => 'mirrored', qualityLoss: 0.1, owes: true } },
  });
  await using supervisor = await open(new SimulatedClock(START), { actions: { read, publish } });
  const steps = [
    { id: 'read', action: 'read', input: null },
    { id: 'publish', action: 'publish', input: null, after: ['read'] },
  ] as const;
  await (
    await supervisor.plan({ id: 'p', steps: steps as never })
  ).outcome;
  expect(supervisor.debts()).toMatchObject([{ id: 'p/publish', state: 'owed', tries: 0 }]);
  state.isDown = false;
  await supervisor.workOff();
  await until(() => supervisor.debts().length === 0);
  const results = { read: { rows: 3 } };
  expect(seen).toEqual([
    { id: 'p/publish', results },
    { id: 'p/publish!owed1', results },
  ]);
  const payment = readAction(supervisor.durable.store.rows, 'p/publish!owed1');
  expect(payment).toMatchObject({ kind: 'ok', quality_loss: expect.closeTo(0.4) as number });
});

test('the real work of a step that has left its plan still gets its results', async () => {
  const seen: object[] = [];
  const state = { isDown: true };
  const one = defineAction({ run: (_: null) => 1 });
  const publish = defineAction({
    run: (_: null, { results }: ActionContext) => {
      seen.push(results);
      if (state.isDown) throw failure('down');
      return 'published';
    },
    fallback: { mirror: { run: () => 'mirrored', owes: true } },
  });
  await using supervisor = await open(new SimulatedClock(START), { actions: { one, publish } });
  const step = { id: 'one', action: 'one', input: null };
  const steps = [step, { id: 'publish', action: 'publish', input: null, after: ['one'] }];
  await (
    await supervisor.plan({ id: 'p', steps: steps as never })
  ).outcome;
  const { commits } = supervisor.durable.store;
  await commits.transact(() => commits.rows.run(`delete from steps where plan = 'p'`));
  state.isDown = false;
  await supervisor.workOff();
  await until(() => supervisor.debts().length === 0);
  expect(seen).toEqual([{ one: 1 }, { one: 1 }]);
});

test('what failed for good is tried once, costs nothing more, and is tried again when somebody asks', async () => {
  const { work, options } = failing(() => failure('gone', { code: 'ENOENT' }));
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, options);
  for (let n = 0; n < 20; n++) await supervisor.execute('check', n);
  const before = charged(supervisor);
  for (let n = 0; n < 10; n++) {
    await flap(supervisor);
    await clock.advance(20 * MINUTE);
  }
  expect(work.runs).toBe(40);
  expect(charged(supervisor)).toEqual(before);
  expect(supervisor.stats().debts).toEqual({ owed: 0, paying: 0, paid: 0, unpayable: 20 });
  expect(supervisor.debts()).toHaveLength(20);
  expect(supervisor.health().recommendations.join()).toContain('Work them off');
  work.isDown = false;
  await supervisor.workOff('ci');
  await until(() => supervisor.debts().length === 0);
  expect(work.runs).toBe(60);
});

test('what may pass is tried again at recoveries, less and less often, and costs nothing more', async () => {
  const { work, options } = failing(() => failure('refused', { code: 'ECONNREFUSED' }));
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, options);
  await supervisor.execute('check', 0);
  const before = charged(supervisor);
  const [first, tried] = [work.runs, [] as number[]];
  for (let second = 0; second < 3_600; second += 10) {
    const { runs } = work;
    await flap(supervisor);
    if (work.runs > runs) tried.push(second);
    await clock.advance(10 * SECOND);
  }
  expect(tried).toEqual([0, 10, 30, 70, 150, 310, 630, 1_230, 1_830, 2_430, 3_030]);
  expect(work.runs - first).toBe(tried.length);
  expect(charged(supervisor)).toEqual(before);
  expect(supervisor.debts()).toMatchObject([{ state: 'owed', tries: tried.length }]);
});

test('what was not due when its component came back is paid after other work of it went well', async () => {
  const { work, options } = failing(() => failure('refused', { code: 'ECONNREFUSED' }));
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, options);
  await supervisor.execute('check', 0);
  await flap(supervisor);
  work.isDown = false;
  await flap(supervisor);
  await supervisor.execute('well', null);
  await settle(20);
  expect(supervisor.debts()).toMatchObject([{ state: 'owed', tries: 1, retry_at: START + 10 * SECOND }]);
  await clock.advance(10 * SECOND);
  await supervisor.execute('well', null);
  await until(() => supervisor.debts().length === 0);
});

test('a payment that somebody cancels is not queued again by itself', async () => {
  const { work, options } = failing(() => failure('refused', { code: 'ECONNREFUSED' }));
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, options);
  await supervisor.execute('check', 0, { id: 'c' });
  await supervisor.pause();
  await flap(supervisor);
  await supervisor.cancel('c!owed1');
  await supervisor.resume();
  await clock.advance(20 * MINUTE);
  await flap(supervisor);
  expect(supervisor.debts()).toMatchObject([{ id: 'c', state: 'unpayable', tries: 1 }]);
  expect(work.runs).toBe(1);
});

test('an ordinary action may be called as a payment would be', async () => {
  const fail = defineAction({
    run: (_: null): null => {
      throw failure('no', { code: 'EINVAL' });
    },
  });
  const risky = defineAction({ run: (_: null) => null, impact: 'critical', reversible: false });
  await using supervisor = await open(new SimulatedClock(START), { actions: { fail, risky } });
  const asked = await supervisor.submit('risky', null, { id: 'order!owed8' });
  await until(() => supervisor.approvals().length === 1);
  await supervisor.approve('order!owed8');
  await asked.outcome;
  expect(supervisor.stats().autonomy).toBe(0);
  const work = [{ action: 'fail' as const, input: null, id: 'order!owed7' }];
  const report = await (await supervisor.workContinuously({ work })).outcome;
  expect(report).toMatchObject({ done: false, counts: { failed: 1 }, unfinished: [{ id: 'order!owed7' }] });
  expect(charged(supervisor)).toEqual({ good: 1, bad: 1 });
});

test('payments have the key of what they pay: of one key no more run at once than may', async () => {
  const state = { isDown: true, running: 0, most: 0 };
  const ends: (() => void)[] = [];
  const publish = defineAction({
    run: async (_: null) => {
      if (state.isDown) throw failure('down');
      state.most = Math.max(state.most, ++state.running);
      await new Promise<void>((resolve) => void ends.push(resolve));
      state.running -= 1;
    },
    fallback: { mirror: { run: () => undefined, owes: true } },
  });
  await using supervisor = await open(new SimulatedClock(START), { actions: { publish }, concurrency: 4 });
  for (const id of ['a', 'b', 'c']) await supervisor.execute('publish', null, { id, key: 'site' });
  state.isDown = false;
  await supervisor.workOff();
  for (let n = 1; n <= 3; n++) {
    await until(() => ends.length === n);
    await settle();
    expect(supervisor.queues.list()).toMatchObject([{ running: 1, held: 3 - n, waiting: 0, parked: 0 }]);
    ends.at(-1)!();
  }
  await until(() => supervisor.debts().length === 0);
  expect(state.most).toBe(1);
});
