import { expect, test } from 'vitest';
import { createActor } from 'xstate';
import { defineAction, Registry } from '../../actors/actions.ts';
import { machineOf, TABLES } from '../../actors/spawn.ts';
import { toText } from '../../actors/values.ts';
import { budgetPolicy } from '../../machines/budget-policy.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { memoryRows } from '../../persistence/rows.ts';
import { systemClock } from '../../persistence/clock.ts';

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

test('says so when what only the runtime can do is not provided', async () => {
  const actor = createActor(supervisorMachine, {
    input: { concurrency: 1, checkpoint: { everyActions: 1, everyMs: 1 }, budget: budgetPolicy() },
  });
  const failed = new Promise((resolve) => actor.subscribe({ error: resolve }));
  actor.start();
  expect(await failed).toMatchObject({ code: 'NOT_PROVIDED', facts: { machine: 'executor', action: 'claim' } });
});
