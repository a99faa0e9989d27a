import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { readAction, readSteps } from '../../actors/ledger.ts';
import type { PlanOptions } from '../../actors/plan-input.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { crash } from '../../persistence/crash.ts';
import { quickStore } from '../support/temp.ts';
import { until } from '../support/turns.ts';

type Item = { readonly item: number; readonly index: number; readonly by?: number };

/** What ran, and how the actions of a test end. */
function world(failing: ReadonlySet<number> = new Set()) {
  const ran: string[] = [];
  const gate: { closed: boolean; open: (() => void)[] } = { closed: false, open: [] };
  let [running, most] = [0, 0];
  const actions = {
    list: defineAction({
      run: (value: unknown) => {
        ran.push('list');
        return value;
      },
    }),
    times: defineAction({
      run: async ({ item, index, by = 2 }: Item, { signal }) => {
        ran.push(`times ${index}`);
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')));
          if (gate.closed) gate.open.push(resolve);
          else setImmediate(resolve);
        }).finally(() => (running -= 1));
        if (failing.has(index)) throw new Error(`item ${index} fails`);
        return item * by;
      },
    }),
    sum: defineAction({
      run: (_: unknown, { results }) => {
        ran.push('sum');
        const { each } = results as { each: (number | null)[] };
        return each.reduce<number>((total, one) => total + (one ?? 0), 0);
      },
    }),
    see: defineAction({ run: (_: unknown, { results }) => results }),
  };
  return { ran, gate, actions, most: () => most };
}

const open = <T extends ReturnType<typeof world>['actions']>(actions: T, store = quickStore(), concurrency = 4) =>
  spawnSupervisor({ store, actions, concurrency, durability: 'process-crash' });

function doubled(list: unknown, more: Partial<PlanOptions> = {}, forEach: object = {}): PlanOptions {
  return {
    id: 'p',
    steps: [
      { id: 'list', action: 'list', input: list },
      { id: 'each', action: 'times', forEach: { from: 'list', ...forEach } },
      { id: 'sum', action: 'sum', after: ['each'] },
    ],
    ...more,
  };
}

const kinds = (outcome: { readonly steps: Readonly<Record<string, { readonly kind: string }>> }) =>
  Object.fromEntries(Object.entries(outcome.steps).map(([id, { kind }]) => [id, kind]));

test('a fan-out runs its action for each item of a list, and gives the values in the order of the list', async () => {
  const { actions } = world();
  await using supervisor = await open(actions);
  const { outcome } = await supervisor.plan(doubled([5, 1, 3]));
  const { kind, steps } = await outcome;
  expect(kind).toBe('ok');
  expect(Object.keys(steps).toSorted()).toEqual(['each', 'each[0]', 'each[1]', 'each[2]', 'list', 'sum']);
  expect(steps['each']?.outcome?.value).toEqual([10, 2, 6]);
  expect(steps['sum']?.outcome?.value).toBe(18);
});

test('each item gets what else the input says, and the results of what the fan-out comes after, but not the whole list', async () => {
  const { actions } = world();
  await using supervisor = await open(actions);
  const { outcome } = await supervisor.plan({
    steps: [
      { id: 'list', action: 'list', input: [1, 2] },
      { id: 'other', action: 'list', input: 'x' },
      { id: 'each', action: 'times', forEach: { from: 'list' }, input: { by: 10 } },
      { id: 'seen', action: 'see', forEach: { from: 'list' }, after: ['other'] },
    ],
  });
  const { steps } = await outcome;
  expect(steps['each']?.outcome?.value).toEqual([10, 20]);
  expect(steps['seen']?.outcome?.value).toEqual([{ other: 'x' }, { other: 'x' }]);
});

test('over an empty list it is done at once, with an empty list', async () => {
  const { actions } = world();
  await using supervisor = await open(actions);
  const { steps, kind } = await (await supervisor.plan(doubled([]))).outcome;
  expect([kind, steps['each']?.outcome?.value, steps['sum']?.outcome?.value]).toEqual(['ok', [], 0]);
});

test('no more items run at once than it allows, nor more than the plan does', async () => {
  const items = Array.from({ length: 20 }, (_, n) => n);
  const first = world();
  await using one = await open(first.actions, quickStore(), 8);
  expect((await (await one.plan(doubled(items, {}, { concurrency: 2 }))).outcome).kind).toBe('ok');
  expect(first.most()).toBe(2);
  const second = world();
  await using two = await open(second.actions, quickStore(), 8);
  expect((await (await two.plan(doubled(items, { concurrency: 3 }))).outcome).kind).toBe('ok');
  expect(second.most()).toBe(3);
});

test.each([
  [{ no: 'list' }, `"list" returned an object, and a fan-out goes over a list`],
  ['text', `"list" returned "text", and a fan-out goes over a list`],
  [[1, 2, 3, 4], `"list" returned 4 items, and the fan-out takes at most 3`],
])('over %j it fails and says why, and nothing that comes after runs', async (value, reason) => {
  const { ran, actions } = world();
  await using supervisor = await open(actions);
  const outcome = await (await supervisor.plan(doubled(value, {}, { limit: 3 }))).outcome;
  expect(outcome.kind).toBe('failed');
  expect(outcome.steps['each']).toMatchObject({ kind: 'failed', reason });
  expect(ran).toEqual(['list']);
});

test('an item that fails stops the plan, or skips what comes after, or leaves a gap: as the policy says', async () => {
  const run = async (policy: PlanOptions['policy']) => {
    const { actions } = world(new Set([1]));
    await using supervisor = await open(actions, quickStore(), 1);
    return await (
      await supervisor.plan(doubled([1, 2, 3], { policy: policy as 'stop' }))
    ).outcome;
  };
  expect(kinds(await run('stop'))).toEqual({
    list: 'ok',
    each: 'skipped',
    'each[0]': 'ok',
    'each[1]': 'failed',
    // It was queued already: what runs may end.
    'each[2]': 'ok',
    sum: 'skipped',
  });
  expect(kinds(await run('skip-dependants'))).toMatchObject({ each: 'skipped', 'each[2]': 'ok', sum: 'skipped' });
  const { kind, steps } = await run('continue');
  expect([kind, steps['each']?.kind, steps['each']?.outcome?.value]).toEqual(['failed', 'failed', [2, null, 6]]);
  expect(steps['sum']?.outcome?.value).toBe(8);
});

test('only what failed runs again when the plan is tried again', async () => {
  const failing = new Set([1]);
  const { ran, actions } = world(failing);
  await using supervisor = await open(actions);
  const plan = await supervisor.plan(doubled([1, 2, 3], { policy: 'skip-dependants' }));
  expect((await plan.outcome).kind).toBe('failed');
  failing.clear();
  ran.length = 0;
  await supervisor.retryPlan('p');
  const { kind, steps } = await supervisor.joinPlan('p').outcome;
  expect([kind, steps['sum']?.outcome?.value, ran]).toEqual(['ok', 12, ['times 1', 'sum']]);
});

test('a crash while items run costs only those: the others keep their outcomes, and the list is not made again', async () => {
  const [store, { ran, gate, actions }] = [quickStore(), world()];
  const first = await open(actions, store, 2);
  await first.plan(doubled([1, 2, 3, 4, 5, 6]));
  await until(() => readAction(first.durable.store.rows, 'p/each[2]')?.state === 'settled');
  gate.closed = true;
  await until(() => gate.open.length === 2);
  const settled = readSteps(first.durable.store.rows, 'p').filter(({ kind }) => kind === 'ok');
  crash(first.durable);
  gate.closed = false;
  ran.length = 0;
  await using second = await open(actions, store, 2);
  const { kind, steps } = await second.joinPlan('p').outcome;
  expect([kind, steps['sum']?.outcome?.value]).toEqual(['ok', 42]);
  const done = settled.filter(({ fan }) => fan !== null).map(({ item }) => `times ${item}`);
  expect(done.length).toBeGreaterThanOrEqual(3);
  expect(ran.filter((one) => done.includes(one) || one === 'list')).toEqual([]);
});

test('a plan that is cancelled while its items run starts nothing more, also after a crash', async () => {
  const [store, { ran, gate, actions }] = [quickStore(), world()];
  gate.closed = true;
  const first = await open(actions, store, 2);
  const plan = await first.plan(doubled(Array.from({ length: 50 }, (_, n) => n)));
  await until(() => gate.open.length === 2);
  await plan.cancel();
  crash(first.durable);
  const began = ran.length;
  await using second = await open(actions, store, 2);
  const outcome = await second.joinPlan('p').outcome;
  expect(outcome.kind).toBe('cancelled');
  expect(Object.values(kinds(outcome)).filter((kind) => kind !== 'cancelled')).toEqual(['ok']);
  expect(Object.keys(outcome.steps).length).toBe(53);
  expect(ran.length).toBe(began);
});

test('a plan that is cancelled before its list is there has no items', async () => {
  const { ran, actions } = world();
  await using supervisor = await open(actions);
  await supervisor.pause();
  const plan = await supervisor.plan(doubled([1, 2]));
  await plan.cancel();
  await supervisor.resume();
  const outcome = await plan.outcome;
  expect([outcome.kind, kinds(outcome), ran]).toEqual([
    'cancelled',
    { list: 'cancelled', each: 'cancelled', sum: 'cancelled' },
    [],
  ]);
});

test('ten thousand items run, and their values come together in order', async () => {
  const add = defineAction({ run: ({ item }: { item: number }) => item + 1 });
  const count = defineAction({ run: (n: number) => Array.from({ length: n }, (_, index) => index) });
  await using supervisor = await spawnSupervisor({
    store: quickStore(),
    actions: { add, count },
    concurrency: 16,
    durability: 'process-crash',
  });
  const plan = await supervisor.plan({
    steps: [
      { id: 'list', action: 'count', input: 10_000 },
      { id: 'each', action: 'add', forEach: { from: 'list', concurrency: 100 } },
    ],
  });
  const { kind, steps } = await plan.outcome;
  expect(kind).toBe('ok');
  expect(steps['each']?.outcome?.value).toEqual(Array.from({ length: 10_000 }, (_, n) => n + 1));
}, 60_000);

test('a fan-out that an amended plan defines otherwise is expanded anew, and what ran of it is ended', async () => {
  const { gate, actions } = world();
  gate.closed = true;
  await using supervisor = await open(actions);
  const plan = await supervisor.plan(doubled([1, 2, 3], { concurrency: 2 }));
  await until(() => gate.open.length === 2);
  gate.closed = false;
  const { steps } = doubled([1, 2, 3]);
  const changed = steps.map((step) => (step.id === 'each' ? { ...step, input: { by: 100 } } : step)) as never;
  await supervisor.amendPlan(supervisor.preparePlan({ id: 'p', concurrency: 2, steps: changed }), []);
  const outcome = await plan.outcome;
  expect([outcome.kind, outcome.steps['sum']?.outcome?.value]).toEqual(['ok', 600]);
});

test('the same plan, submitted again, joins the one that there is, items and all', async () => {
  const { ran, actions } = world();
  await using supervisor = await open(actions);
  await (
    await supervisor.plan(doubled([1]))
  ).outcome;
  const again = await supervisor.plan(doubled([1]));
  expect([(await again.outcome).kind, ran]).toEqual(['ok', ['list', 'times 0', 'sum']]);
});

async function refused(supervisor: Supervisor<never>, steps: unknown, more: object = {}): Promise<unknown> {
  return supervisor.plan({ steps, ...more } as never).then(
    () => 'accepted',
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );
}

test.each([
  [
    { from: 'list', limit: 0 },
    'PLAN_INVALID: The plan: the limit of "forEach" of the step "each" must be a whole number from 1 to 10000, got 0.',
  ],
  [
    { from: 'list', limit: 10_001 },
    'PLAN_INVALID: The plan: the limit of "forEach" of the step "each" must be a whole number from 1 to 10000, got 10001.',
  ],
  [
    { from: 'list', concurrency: 0 },
    'PLAN_INVALID: The plan: the concurrency of "forEach" of the step "each" must be a whole number from 1, got 0.',
  ],
  [{ form: 'list' }, 'PLAN_INVALID: The plan: "forEach" of the step "each" must be an object with `from`, a step id.'],
  [
    { from: 'list', most: 1 },
    'PLAN_INVALID: The plan: "forEach" of the step "each" has no option "most" (expected one of from, limit, concurrency).',
  ],
  [
    { from: 'lost' },
    'PLAN_STEP_UNKNOWN: step "each" comes after "lost", which is not a step of the plan; did you mean "list"?',
  ],
])('forEach %j is refused: %s', async (forEach, message) => {
  await using supervisor = await open(world().actions);
  const steps = [
    { id: 'list', action: 'list', input: [] },
    { id: 'each', action: 'times', forEach },
  ];
  expect(await refused(supervisor as never, steps)).toBe(message);
});

test.each<[what: string, steps: PlanOptions['steps'], failing: string]>([
  [
    'what a fan-out gathers',
    [{ id: 'f', action: 'big', forEach: { from: 'list' } }],
    'the value of the step "f": its text has at least 18000006 bytes',
  ],
  [
    'what a group gathers',
    [
      { id: 'g', steps: ['x', 'y', 'z'].map((id) => ({ id, action: 'big' })) },
      { id: 'after', action: 'small', after: ['g'] },
    ],
    'the value of the step "g": its text has at least 18000006 bytes',
  ],
  [
    'what an item is given',
    [{ id: 'f', action: 'small', forEach: { from: 'long' }, input: { more: 'z'.repeat(9e6) } }],
    'the input of the step "f[1]"',
  ],
])('%s may be too large to be stored: that step fails, and everything else goes on', async (_, steps, where) => {
  const store = quickStore();
  const actions = {
    list: defineAction({ run: () => [1, 2, 3] }),
    long: defineAction({ run: () => ['short', 'y'.repeat(9e6)] }),
    big: defineAction({ run: () => 'x'.repeat(6e6) }),
    small: defineAction({ run: () => 'small' }),
  };
  const all = [{ id: 'list', action: 'list' }, { id: 'long', action: 'long' }, ...steps];
  {
    await using supervisor = await spawnSupervisor({ store, actions });
    const { outcome } = await supervisor.plan({ id: 'p', policy: 'skip-dependants', steps: all });
    const { kind, steps: ended } = await outcome;
    expect(kind).toBe('failed');
    const failed = Object.values(ended).filter((step) => step.kind === 'failed');
    expect(failed.map(({ reason }) => reason)).toEqual([expect.stringContaining(`Cannot persist ${where}`)]);
    expect(Object.keys(ended)).not.toContain('f[3]');
    expect(await supervisor.execute('small', null)).toMatchObject({ kind: 'ok' });
  }
  await using again = await spawnSupervisor({ store, actions });
  expect((await again.joinPlan('p').outcome).kind).toBe('failed');
  expect(await again.execute('small', null)).toMatchObject({ kind: 'ok' });
});
