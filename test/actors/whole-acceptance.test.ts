/** The acceptance list of tracks, and of all that a supervisor holds together, by its numbers. */
import { expect, onTestFinished, test } from 'vitest';
import { defineAction, type Actions } from '../../actors/actions.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { START, inTime, open } from '../support/pipeline.ts';
import { tempStore } from '../support/temp.ts';
import { inThread, withThreads } from '../support/threaded.ts';

const double = defineAction({ run: (n: number) => n * 2 });

async function started<TActions extends Actions>(actions: TActions, concurrency = 3) {
  const clock = new SimulatedClock(START);
  const supervisor = await open(clock, { actions, concurrency });
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  const wait = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
  return { supervisor, clock, wait };
}

test('S59: a supervisor of three slots has three, and no plans', async () => {
  const { supervisor } = await started({ double });
  expect(supervisor.durable.getSnapshot().context.concurrency).toBe(3);
  expect(supervisor.stats().plans).toEqual({ open: 0, ok: 0, failed: 0, cancelled: 0 });
});

test('S60: a plan gets an id; without steps it is refused', async () => {
  const { supervisor } = await started({ double });
  expect((await supervisor.plan({ steps: [{ id: 'a', action: 'double', input: 1 }] })).id).toMatch(/./);
  await expect(supervisor.plan({ steps: [] })).rejects.toMatchObject({ code: 'PLAN_INVALID' });
});

test('S61: a step more is in the plan; one after a step that there is not is refused', async () => {
  const { supervisor } = await started({ double });
  const a = { id: 'a', action: 'double' as const, input: 1 };
  const plan = await supervisor.plan({ id: 'p', steps: [a] });
  const b = { id: 'b', action: 'double' as const, input: 2, after: ['a'] };
  await supervisor.amendPlan(supervisor.preparePlan({ id: 'p', steps: [a, b] }), []);
  expect(Object.keys((await plan.outcome).steps)).toEqual(['a', 'b']);
  const lost = { ...b, after: ['nowhere'] };
  await expect(supervisor.plan({ id: 'q', steps: [a, lost] })).rejects.toMatchObject({ code: 'PLAN_STEP_UNKNOWN' });
});

test('S62: what a step returned is its value, under its id', async () => {
  const { supervisor } = await started({ double });
  const plan = await supervisor.plan({ id: 'p', steps: [{ id: 'a', action: 'double', input: 21 }] });
  expect(await plan.outcome).toMatchObject({ kind: 'ok', steps: { a: { kind: 'ok', outcome: { value: 42 } } } });
});

test('S63, H32: two steps of 100 ms side by side take 100 ms, and the speed-up is what was measured', async () => {
  let wait: (ms: number) => Promise<void> = () => Promise.resolve();
  const rest = defineAction({ run: async (n: number) => (await wait(100), n) });
  const all = await started({ rest });
  ({ wait } = all);
  const steps = [1, 2].map((n) => ({ id: `s${n}`, action: 'rest' as const, input: n }));
  const plan = await all.supervisor.plan({ id: 'p', steps });
  const { kind, summary, steps: outcomes } = await inTime(all.clock, plan.outcome, 10);
  expect([kind, Object.keys(outcomes)]).toEqual(['ok', ['s1', 's2']]);
  expect(summary).toMatchObject({ workMs: 200, makespanMs: 100, speedUp: 2 });
});

test('S64: all of it works in one supervisor, and one checkpoint takes all of it back', async () => {
  const store = tempStore();
  const supervisor = await withThreads({ double, far: inThread<{ n: number }>('double') }, { store });
  const { checkpoints, profiler, resources } = supervisor;
  const count = profiler.wrap('count', (n: number) => n + 1);
  expect(count(1)).toBe(2);
  expect(await supervisor.execute('double', 21, { id: 'here' })).toMatchObject({ kind: 'ok', value: 42 });
  expect(await supervisor.execute('far', { n: 4 }, { id: 'far' })).toMatchObject({ kind: 'ok', value: 8 });
  await checkpoints.set({ phase: 'first' });
  const id = await checkpoints.create({ label: 'all' });

  const plan = await supervisor.plan({ id: 'later', steps: [{ id: 'a', action: 'double', input: 1 }] });
  expect((await plan.outcome).kind).toBe('ok');
  await checkpoints.set({ phase: 'second' });
  const stats = supervisor.stats();
  expect(stats.settled).toBe(3);
  expect(stats.checkpoints.kept).toBeGreaterThan(0);
  expect(profiler.report().operations.map(({ name }) => name)).toContain('count');
  expect(Object.keys((await resources.now()).resources)).toContain('heap');

  await checkpoints.restore(id);
  expect([checkpoints.variables, supervisor.stats().plans.ok]).toEqual([{ phase: 'first' }, 0]);
  expect(await supervisor.execute('far', { n: 5 }, { id: 'again' })).toMatchObject({ kind: 'ok', value: 10 });
  await supervisor.close();
  expect(supervisor.durable.store.isOpen).toBe(false);
});
