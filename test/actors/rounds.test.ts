/** Rounds of steps, when somebody else has the id that the action of one would get. */
import { expect, test } from 'vitest';
import { defineAction, Registry } from '../../actors/actions.ts';
import { readAction } from '../../actors/ledger.ts';
import type { PlanOptions } from '../../actors/plan-input.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { quickStore } from '../support/temp.ts';

/** A supervisor with an action that fails until it is told not to. */
async function setUp(store = quickStore()) {
  const state = { isBad: true };
  const actions = {
    list: defineAction({ run: () => [1, 2] }),
    flaky: defineAction({
      run: (input: unknown) => {
        if (state.isBad) throw Object.assign(new Error('bad'), { retryable: false });
        return input;
      },
    }),
    say: defineAction({ run: (input: unknown) => input }),
  };
  return { store, state, actions, supervisor: await spawnSupervisor({ store, actions }) };
}

/** Gets it queued under an id that `submit` refuses, as earlier versions did not and as two calls at once may. */
async function take(supervisor: Pick<Supervisor<never>, 'durable'>, id: string): Promise<void> {
  const policy = new Registry({ say: defineAction({ run: () => 1 }) }).policyOf('say');
  const taken = { id, name: 'say', version: '1', input: '"mine"', policy, optional: false, rank: 0, plan: null, at: 0 };
  await supervisor.durable.send({ type: 'supervisor.submit', submissions: [taken] });
  await expect.poll(() => readAction(supervisor.durable.store.rows, id)?.state).toBe('settled');
}

const ONE: PlanOptions = { id: 'p', steps: [{ id: 'x', action: 'flaky', input: 'x' }] };
const FAN: PlanOptions = {
  id: 'p',
  policy: 'continue',
  steps: [
    { id: 'list', action: 'list' },
    { id: 'x', action: 'flaky', forEach: { from: 'list' } },
  ],
};

test.each([
  ['a step', ONE, 'p/x#2'],
  ['a fan-out', FAN, 'p/x#2'],
  ['an item', FAN, 'p/x[1]#2'],
])('%s whose next round has an id that is taken gets the round after that', async (_, plan, id) => {
  const { supervisor, state, store, actions } = await setUp();
  expect((await (await supervisor.plan(plan)).outcome).kind).toBe('failed');
  await take(supervisor as never, id);
  state.isBad = false;
  await supervisor.retryPlan('p');
  expect((await supervisor.joinPlan('p').outcome).kind).toBe('ok');
  expect(readAction(supervisor.durable.store.rows, id)).toMatchObject({ plan: null, value: '"mine"' });
  await supervisor.close();
  await using again = await spawnSupervisor({ store, actions });
  expect(await again.execute('say', 1)).toMatchObject({ kind: 'ok' });
});

test('an id that is taken between the submission of a plan and the turn of its step is stepped over', async () => {
  await using supervisor = (await setUp()).supervisor;
  await supervisor.pause();
  const steps = [
    { id: 'a', action: 'list' },
    { id: 'b', action: 'say', input: 1, after: ['a'] },
  ];
  const { outcome } = await supervisor.plan({ id: 'p', steps });
  const taken = take(supervisor as never, 'p/b');
  await supervisor.resume();
  await taken;
  expect((await outcome).kind).toBe('ok');
});

test('what is submitted under the id of a later round of a step is refused', async () => {
  await using supervisor = (await setUp()).supervisor;
  await (
    await supervisor.plan(FAN)
  ).outcome;
  for (const id of ['p/x#2', 'p/list#3', 'p/x[0]#2'])
    await expect(supervisor.submit('say', 1, { id })).rejects.toMatchObject({
      code: 'ACTION_CONFLICT',
      facts: { id, plan: 'p' },
    });
  for (const id of ['p/other#2', 'ticket#2', 'p/x#two'])
    expect(await supervisor.execute('say', 1, { id })).toMatchObject({ kind: 'ok' });
});

test.each(['retried', 'cancelled'])(
  'a plan that hangs, because an earlier version dispatched a step as an action that was another’s, can be %s',
  async (what) => {
    const first = await setUp();
    await (
      await first.supervisor.plan(ONE)
    ).outcome;
    await take(first.supervisor as never, 'p/x#2');
    const { rows } = first.supervisor.durable.store;
    rows.run(`update steps set state = 'dispatched', kind = null, round = 2, action = 'p/x#2' where id = 'p/x'`);
    rows.run(
      `update plans set state = 'running', kind = null, settled_at = null, unsettled = 1, dispatched = 1 where id = 'p'`,
    );
    await first.supervisor.execute('say', 1);
    await first.supervisor.close();
    const { supervisor, state } = await setUp(first.store);
    state.isBad = false;
    const plan = supervisor.joinPlan('p');
    await (what === 'retried' ? supervisor.retryPlan('p') : plan.cancel());
    expect((await plan.outcome).kind).toBe(what === 'retried' ? 'ok' : 'cancelled');
    await supervisor.close();
  },
);

test('to retry a plan that there is not is refused', async () => {
  await using supervisor = (await setUp()).supervisor;
  await expect(supervisor.retryPlan('nope')).rejects.toMatchObject({
    code: 'ACTION_NOT_FOUND',
    facts: { id: 'nope' },
  });
});

test('what went on without the result of a step that failed runs again when that step does, and nothing else', async () => {
  const ran: string[] = [];
  const state = { isBad: true };
  const note = <T>(id: string, value: T): T => {
    ran.push(id.slice(2));
    return value;
  };
  const actions = {
    first: defineAction({
      run: (_: unknown, { id }) => {
        if (state.isBad) throw Object.assign(new Error('bad'), { retryable: false });
        return note(id, 'first');
      },
    }),
    list: defineAction({ run: (_: unknown, { id }) => note(id, [1]) }),
    see: defineAction({ run: (_: unknown, { id, results }) => note(id, results) }),
  };
  await using supervisor = await spawnSupervisor({ store: quickStore(), actions, concurrency: 1 });
  const steps = [
    { id: 'list', action: 'list' },
    { id: 'a', action: 'first' },
    { id: 'b', action: 'see', after: ['a'] },
    { id: 'c', action: 'see', after: ['b'] },
    { id: 'each', action: 'see', forEach: { from: 'list' }, after: ['a'] },
    { id: 'g', steps: [{ id: 'in', action: 'list' }], after: ['c'] },
    { id: 'd', action: 'see', after: ['g'] },
    { id: 'other', action: 'see', after: ['list'] },
  ];
  const { outcome } = await supervisor.plan({ id: 'p', policy: 'continue', steps });
  expect((await outcome).steps['each']?.outcome?.value).toEqual([{}]);
  ran.length = 0;
  state.isBad = false;
  await supervisor.retryPlan('p');
  const { kind, steps: ended } = await supervisor.joinPlan('p').outcome;
  expect([kind, ended['c']?.outcome?.value]).toEqual(['ok', { b: { a: 'first' } }]);
  expect(ended['each']?.outcome?.value).toEqual([{ a: 'first' }]);
  expect(ran.map((id) => id.replace(/#\d$/, '')).toSorted()).toEqual(['a', 'b', 'c', 'd', 'each[0]', 'g/in']);
});

test('what runs without the result of a step is ended, and runs again, when that step is tried again meanwhile', async () => {
  const state = { isBad: true, began: 0 };
  const actions = {
    first: defineAction({
      run: () => {
        if (state.isBad) throw Object.assign(new Error('bad'), { retryable: false });
        return 'first';
      },
    }),
    waits: defineAction({
      run: async (_: unknown, { results, signal }) => {
        state.began += 1;
        if (state.began > 1) return results;
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')));
        });
      },
    }),
  };
  await using supervisor = await spawnSupervisor({ store: quickStore(), actions });
  const steps = [
    { id: 'a', action: 'first' },
    { id: 'b', action: 'waits', after: ['a'] },
  ];
  const { outcome } = await supervisor.plan({ id: 'p', policy: 'continue', steps });
  await expect.poll(() => state.began).toBe(1);
  state.isBad = false;
  await supervisor.retryPlan('p');
  const { kind, steps: ended } = await outcome;
  expect([kind, ended['b']?.outcome?.value, state.began]).toEqual(['ok', { a: 'first' }, 2]);
});
