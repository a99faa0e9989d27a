import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import type { PlanOptions, StepOptions } from '../../actors/plan-input.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { crash } from '../../persistence/crash.ts';
import { quickStore } from '../support/temp.ts';
import { until } from '../support/turns.ts';

function world(failing: ReadonlySet<string> = new Set()) {
  const ran: string[] = [];
  const seen: Record<string, unknown> = {};
  const waiting = new Map<string, () => void>();
  const held = new Set<string>();
  const say = defineAction({
    run: async (word: string, { results, signal }) => {
      ran.push(word);
      seen[word] = results;
      if (held.has(word))
        await new Promise<void>((resolve, reject) => {
          waiting.set(word, resolve);
          signal.addEventListener('abort', () => reject(new Error('aborted')));
        });
      if (failing.has(word)) throw new Error(`${word} fails`);
      return word.toUpperCase();
    },
  });
  return { ran, seen, held, waiting, actions: { say } };
}

const say = (id: string, ...after: string[]): StepOptions => ({ id, action: 'say', input: id, after });
const group = (id: string, steps: readonly StepOptions[], ...after: string[]): StepOptions => ({ id, steps, after });
const open = (actions: ReturnType<typeof world>['actions'], store = quickStore(), concurrency = 1) =>
  spawnSupervisor({ store, actions, concurrency, durability: 'process-crash' });

const RELEASE: PlanOptions = {
  id: 'p',
  steps: [
    group('prepare', [say('fetch'), group('check', [say('lint'), say('types', 'lint')], 'fetch')]),
    group('build', [say('app'), say('docs')], 'prepare'),
    say('ship', 'build', 'prepare/fetch'),
  ],
};

test('phases, tasks and steps run in the order of their groups, under ids that are paths', async () => {
  const { ran, actions } = world();
  await using supervisor = await open(actions);
  const { kind, steps } = await (await supervisor.plan(RELEASE)).outcome;
  expect(kind).toBe('ok');
  expect(ran).toEqual(['fetch', 'lint', 'types', 'app', 'docs', 'ship']);
  expect(Object.keys(steps).toSorted()).toEqual([
    'build/app',
    'build/docs',
    'prepare/check/lint',
    'prepare/check/types',
    'prepare/fetch',
    'ship',
  ]);
});

test('what comes after a group gets its values by their names, group in group', async () => {
  const { seen, actions } = world();
  await using supervisor = await open(actions);
  await (
    await supervisor.plan(RELEASE)
  ).outcome;
  expect(seen['app']).toEqual({ prepare: { fetch: 'FETCH', check: { lint: 'LINT', types: 'TYPES' } } });
  expect(seen['ship']).toEqual({ build: { app: 'APP', docs: 'DOCS' }, 'prepare/fetch': 'FETCH' });
});

test('a failure in a group skips what comes after the group, and a retry runs only what has no success', async () => {
  const failing = new Set(['types']);
  const { ran, actions } = world(failing);
  await using supervisor = await open(actions);
  const plan = await supervisor.plan({ ...RELEASE, policy: 'skip-dependants' });
  const { kind, steps } = await plan.outcome;
  expect([kind, steps['prepare/check/types']?.kind, steps['build/app']?.kind]).toEqual(['failed', 'failed', 'skipped']);
  failing.clear();
  ran.length = 0;
  await supervisor.retryPlan('p');
  expect((await supervisor.joinPlan('p').outcome).kind).toBe('ok');
  expect(ran).toEqual(['types', 'app', 'docs', 'ship']);
});

test('after a crash in the middle of a group only what was not finished runs again', async () => {
  const [store, { ran, held, waiting, actions }] = [quickStore(), world()];
  held.add('types');
  const first = await open(actions, store);
  await first.plan(RELEASE);
  await until(() => waiting.has('types'));
  crash(first.durable);
  held.clear();
  ran.length = 0;
  await using second = await open(actions, store);
  expect((await second.joinPlan('p').outcome).kind).toBe('ok');
  expect(ran).toEqual(['types', 'app', 'docs', 'ship']);
});

test('a fan-out may stand in a group, and go over what a step of another group returned', async () => {
  const list = defineAction({ run: () => ['a', 'b'] });
  const twice = defineAction({ run: ({ item }: { item: string }) => item + item });
  const see = defineAction({ run: (_: unknown, { results }) => results });
  await using supervisor = await spawnSupervisor({ store: quickStore(), actions: { list, twice, see } });
  const plan = await supervisor.plan({
    steps: [
      { id: 'find', steps: [{ id: 'names', action: 'list' }] },
      { id: 'work', steps: [{ id: 'each', action: 'twice', forEach: { from: 'find/names' } }] },
      { id: 'see', action: 'see', after: ['work'] },
    ],
  });
  const { kind, steps } = await plan.outcome;
  expect([kind, steps['work/each[1]']?.outcome?.value]).toEqual(['ok', 'bb']);
  expect(steps['see']?.outcome?.value).toEqual({ work: { each: ['aa', 'bb'] } });
});

test('an amended plan may gain a group, lose one, and change what is in one', async () => {
  const { ran, held, waiting, actions } = world();
  held.add('fetch');
  await using supervisor = await open(actions);
  const plan = await supervisor.plan(RELEASE);
  await until(() => waiting.has('fetch'));
  const amended = supervisor.preparePlan({
    ...RELEASE,
    steps: [
      group('prepare', [say('fetch')]),
      group('test', [say('unit'), say('browser', 'unit')], 'prepare'),
      say('ship', 'test'),
    ],
  });
  const removed = ['prepare/check/lint', 'prepare/check/types', 'build/app', 'build/docs'];
  await supervisor.amendPlan(amended, removed);
  waiting.get('fetch')?.();
  const { kind, steps } = await plan.outcome;
  expect([kind, ran]).toEqual(['ok', ['fetch', 'unit', 'browser', 'ship']]);
  expect(Object.keys(steps).toSorted()).toEqual(['prepare/fetch', 'ship', 'test/browser', 'test/unit']);
});

test('the step of one plan is never the step of another whose id has a slash', async () => {
  const { actions } = world();
  await using supervisor = await open(actions);
  await supervisor.plan({ id: 'a', steps: [group('b', [say('c')])] });
  await expect(supervisor.plan({ id: 'a/b', steps: [say('c')] })).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
});

test.each([
  [{ id: 'g', steps: [] }, 'PLAN_INVALID: The plan: the group "g" has no steps.'],
  [{ id: 'g', steps: [1] }, 'PLAN_INVALID: The plan: a step must be an object, got 1.'],
  [
    { id: 'g', steps: [{ id: 'a', action: 'say' }], action: 'say' },
    'PLAN_INVALID: The plan: the group "g" has no option "action" (expected one of id, after, steps).',
  ],
  [
    { id: 'g', steps: [{ id: 'a', action: 'say', after: ['g'] }] },
    'PLAN_CYCLE: the plan has a cycle, in which each step waits for the next: g/a -> g -> g/a; drop one of these from an `after`',
  ],
  [{ id: 'a', action: 'say', dueAt: 1 }, /^OPTIONS_INVALID: The step "a": dueAt has passed/],
  [{ id: 'a', action: 'say', priority: 'urgent' }, /^OPTIONS_INVALID: The step "a": priority must be one of/],
])('the step %j is refused', async (step, message) => {
  await using supervisor = await open(world().actions);
  const error = await supervisor.plan({ steps: [step] as never }).catch((thrown: unknown) => thrown);
  const { code, message: text } = error as { code: string; message: string };
  expect(`${code}: ${text}`).toMatch(message);
});

test('of two plans the one that is due goes first, and what an urgent step waits for goes before what nobody waits for', async () => {
  const { ran, held, waiting, actions } = world();
  held.add('first');
  await using supervisor = await open(actions);
  const first = await supervisor.plan({ id: 'first', steps: [say('first')] });
  await until(() => waiting.has('first'));
  const plans = [
    { id: 'low', priority: 'low', steps: [say('low')] },
    {
      id: 'plain',
      steps: [say('plain'), say('base'), { ...say('rescue', 'base'), priority: 'critical' } as StepOptions],
    },
    { id: 'due', dueAt: supervisor.durable.store.clock.now() + 60_000, steps: [say('due')] },
  ] as const;
  const handles = await Promise.all(plans.map((plan) => supervisor.plan(plan as PlanOptions)));
  waiting.get('first')?.();
  await Promise.all([first, ...handles].map(({ outcome }) => outcome));
  // What a step frees is queued in the turn in which its slot is given to the best that waits already.
  expect(ran.filter((word) => word !== 'rescue')).toEqual(['first', 'base', 'due', 'plain', 'low']);
  expect(ran.indexOf('rescue')).toBeLessThan(ran.indexOf('plain'));
});

test('a plan that is submitted again after it was due joins the one that there is', async () => {
  const { actions } = world();
  await using supervisor = await open(actions);
  const plan = { id: 'p', dueAt: Date.now() + 30, steps: [say('a')] };
  await (
    await supervisor.plan(plan)
  ).outcome;
  await expect.poll(() => Date.now() > plan.dueAt).toBe(true);
  expect((await (await supervisor.plan(plan)).outcome).kind).toBe('ok');
  await expect(supervisor.plan({ ...plan, id: 'other' })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});
