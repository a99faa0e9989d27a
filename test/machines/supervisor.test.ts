import { expect, test } from 'vitest';
import { createActor, type SnapshotFrom } from 'xstate';
import { defineAction, Registry } from '../../actors/actions.ts';
import { machineOf, TABLES } from '../../actors/spawn.ts';
import { toText } from '../../actors/values.ts';
import { budgetPolicy } from '../../machines/budget-policy.ts';
import type { executorMachine } from '../../machines/executor.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { memoryRows } from '../../persistence/rows.ts';
import { systemClock } from '../../persistence/clock.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import type { ResourceStanding } from '../../machines/pressure.ts';
import type { SupervisorEmitted } from '../../machines/supervisor.ts';

test('runs in memory with a plain createActor, given rows in memory', async () => {
  const registry = new Registry({ double: defineAction({ run: (n: number) => n * 2 }) });
  const rows = memoryRows(TABLES);
  const world = { rows, registry, clock: systemClock, random: () => 0, budget: budgetPolicy(), onProgress: () => {} };
  const actor = createActor(machineOf(world), {
    input: { concurrency: 1, checkpoint: { everyActions: 10, everyMs: 1_000 }, budget: budgetPolicy() },
  });
  actor.start();
  const settled = new Promise((resolve) => actor.on('action.settled', resolve));
  const submission = {
    id: 'x',
    name: 'double',
    version: '1',
    input: toText(21, ''),
    policy: registry.policyOf('double'),
    optional: false,
    rank: 0,
    plan: null,
    at: 0,
  };
  actor.send({ type: 'supervisor.submit', submissions: [submission] });
  expect(await settled).toMatchObject({ id: 'x', kind: 'ok' });
  expect(rows.get<{ value: string }>('select value from actions')?.value).toBe('42');
  actor.stop();
});

test('H39, S58: what will soon be exhausted lowers what runs at once; when it will not any more, it grows back', async () => {
  const clock = new SimulatedClock();
  const world = {
    rows: memoryRows(TABLES),
    registry: new Registry({}),
    clock,
    random: () => 0,
    budget: budgetPolicy(),
    onProgress: () => {},
  };
  const actor = createActor(machineOf(world), {
    input: { concurrency: 8, checkpoint: { everyActions: 10, everyMs: 1_000_000 }, budget: budgetPolicy() },
    clock: clock as never,
  });
  const told: SupervisorEmitted[] = [];
  actor.on('*', (event) => void told.push(event));
  actor.start();
  const admitted = () => {
    const executor = actor.getSnapshot().children['executor']?.getSnapshot() as SnapshotFrom<typeof executorMachine>;
    return executor.context.admission?.limit ?? null;
  };
  const sample = (heap: Partial<ResourceStanding>) => {
    const normal = { level: 'normal', forecast: 'none', etaMs: null, earliestMs: null, latestMs: null } as const;
    const values = { heap: { value: 70, limit: 100, ...normal, ...heap } };
    actor.send({ type: 'supervisor.resources', event: { type: 'resources.sample', at: clock.now(), values } });
  };
  sample({});
  await clock.advance(60_000);
  expect([admitted(), told]).toEqual([null, []]);

  sample({ forecast: 'imminent', etaMs: 240_000, earliestMs: 200_000, latestMs: 300_000 });
  expect(admitted()).toBe(4);
  expect(told.slice(0, 2)).toMatchObject([
    { type: 'pressure.forecast', resource: 'heap', forecast: 'imminent', etaMs: 240_000 },
    { type: 'pressure.acted', action: 'throttle', resources: ['heap'], limit: 4 },
  ]);
  await clock.advance(30_000);
  expect(admitted()).toBe(1);

  sample({});
  const limits = [];
  for (let i = 0; i < 8; i += 1) {
    await clock.advance(10_000);
    limits.push(admitted());
  }
  expect(limits).toEqual([2, 3, 4, 5, 6, 7, null, null]);
  expect(told.at(-1)).toMatchObject({ type: 'pressure.acted', action: 'recover' });
  actor.stop();
});

test('says so when what only the runtime can do is not provided', async () => {
  const actor = createActor(supervisorMachine, {
    input: { concurrency: 1, checkpoint: { everyActions: 1, everyMs: 1 }, budget: budgetPolicy() },
  });
  const failed = new Promise((resolve) => actor.subscribe({ error: resolve }));
  actor.start();
  expect(await failed).toMatchObject({ code: 'NOT_PROVIDED', facts: { machine: 'executor', action: 'claim' } });
});
