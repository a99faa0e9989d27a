import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { readAction, readSteps } from '../../actors/ledger.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { PlanOptions } from '../../actors/plan-input.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { tempStore } from '../support/temp.ts';

/** Runs until it is told to end: by the word it was given, or by an abort. */
function words() {
  const log: string[] = [];
  const release = new Map<string, () => void>();
  const say = defineAction({
    run: ({ word, waits, fails }: { word: string; waits?: boolean; fails?: boolean }, { signal }) => {
      log.push(`${word} began`);
      if (fails === true) throw new Error(`${word} fails`);
      if (waits !== true) return word;
      return new Promise<string>((resolve, reject) => {
        release.set(word, () => resolve(word));
        signal.addEventListener('abort', () => {
          log.push(`${word} aborted`);
          reject(new Error('aborted'));
        });
      });
    },
  });
  return { log, release, actions: { say } };
}

type Say = { after?: string[]; timeoutMs?: number; waits?: boolean; fails?: boolean };

/** A step that says its own id. */
function says(id: string, { after = [], timeoutMs, ...how }: Say = {}) {
  return { id, action: 'say', after, input: { word: id, ...how }, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

function amend(
  supervisor: Supervisor<never>,
  id: string,
  steps: readonly object[],
  removed: string[] = [],
  options: Partial<PlanOptions> = {},
) {
  return supervisor.amendPlan(supervisor.preparePlan({ ...options, id, steps: steps as never }), removed);
}

test('a running step that is defined otherwise is ended, and then runs as it is defined now', async () => {
  const { log, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  const plan = await supervisor.plan({
    id: 'p',
    steps: [{ id: 'a', action: 'say', input: { word: 'old', waits: true } }],
  });
  await amend(supervisor as never, 'p', [{ id: 'a', action: 'say', input: { word: 'new' } }]);
  const { kind, steps } = await plan.outcome;
  expect({ kind, value: steps['a']?.outcome?.value, log }).toEqual({
    kind: 'ok',
    value: 'new',
    log: ['old began', 'old aborted', 'new began'],
  });
});

test('a step that is removed while it runs is ended, and the plan ends without it', async () => {
  const { log, actions } = words();
  const store = tempStore();
  await using supervisor = await spawnSupervisor({ store, actions });
  const b = { id: 'b', action: 'say', input: { word: 'b', waits: true } };
  const plan = await supervisor.plan({
    id: 'p',
    steps: [{ id: 'a', action: 'say', input: { word: 'a', waits: true } }, b],
  });
  await amend(supervisor as never, 'p', [{ id: 'c', action: 'say', input: { word: 'c' } }], ['a', 'b']);
  const { kind, steps } = await plan.outcome;
  expect({ kind, steps: Object.keys(steps) }).toEqual({ kind: 'ok', steps: ['c'] });
  await expect.poll(() => log).toEqual(expect.arrayContaining(['a aborted', 'b aborted']));
});

test('what is defined as before goes on undisturbed when a plan is amended', async () => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  const a = { id: 'a', action: 'say', input: { word: 'a', waits: true } };
  const plan = await supervisor.plan({ id: 'p', steps: [a] });
  await amend(supervisor as never, 'p', [a, { id: 'b', action: 'say', after: ['a'], input: { word: 'b' } }]);
  await expect.poll(() => release.has('a')).toBe(true);
  release.get('a')?.();
  expect((await plan.outcome).kind).toBe('ok');
  expect(log).toEqual(['a began', 'b began']);
});

test.each([
  { policy: 'stop', runs: [], why: '"bad" failed, and the plan stops at the first failure' },
  { policy: 'skip-dependants', runs: ['free'], why: 'it depends on "bad", which failed' },
  { policy: 'continue', runs: ['deploy', 'free', 'told'], why: undefined },
] as const)('under $policy, steps that are added after a failure heed it', async ({ policy, runs, why }) => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions, concurrency: 3 });
  const before = [says('bad', { fails: true }), says('slow', { waits: true })];
  const plan = await supervisor.plan({ id: 'p', policy, steps: before });
  await expect.poll(() => readAction(supervisor.durable.store.rows, 'p/bad')?.state).toBe('settled');
  const added = [says('deploy', { after: ['bad'] }), says('told', { after: ['deploy', 'slow'] }), says('free')];
  await amend(supervisor as never, 'p', [...before, ...added], [], { policy });
  await expect.poll(() => release.has('slow')).toBe(true);
  release.get('slow')?.();
  const { kind, steps } = await plan.outcome;
  const skipped = added.map(({ id }) => id).filter((id) => steps[id]?.kind === 'skipped');
  expect(kind).toBe('failed');
  expect(skipped.map((id) => steps[id]?.reason)).toEqual(skipped.map(() => why));
  expect(
    added
      .map(({ id }) => id)
      .filter((id) => log.includes(`${id} began`))
      .sort(),
  ).toEqual(runs);
  expect(skipped.length + runs.length).toBe(added.length);
});

test('what is added after a skipped step is skipped, though the step that failed is no more in the plan', async () => {
  const { release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions, concurrency: 3 });
  const slow = says('slow', { waits: true });
  const start = [says('bad', { fails: true }), says('deploy', { after: ['bad'] }), slow];
  const plan = await supervisor.plan({ id: 'p', steps: start });
  await expect
    .poll(() => readSteps(supervisor.durable.store.rows, 'p').find((row) => row.step === 'deploy')?.kind)
    .toBe('skipped');
  await amend(
    supervisor as never,
    'p',
    [says('deploy'), says('told', { after: ['deploy'] }), says('free'), slow],
    ['bad'],
  );
  await expect.poll(() => release.has('slow')).toBe(true);
  release.get('slow')?.();
  const { kind, steps } = await plan.outcome;
  expect({ kind, free: steps['free']?.kind, told: steps['told'] }).toEqual({
    kind: 'failed',
    free: 'ok',
    told: { kind: 'skipped', reason: 'it depends on "deploy", which was skipped' },
  });
});

test('a running step that is given another dependency is ended, waits for it, and then runs', async () => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions, concurrency: 3 });
  const plan = await supervisor.plan({ id: 'p', steps: [says('a', { waits: true })] });
  await expect.poll(() => release.has('a')).toBe(true);
  await amend(supervisor as never, 'p', [says('b', { waits: true }), says('a', { after: ['b'], waits: true })]);
  await expect.poll(() => readAction(supervisor.durable.store.rows, 'p/a')?.kind).toBe('cancelled');
  expect(log.filter((line) => line.startsWith('a'))).toEqual(['a began', 'a aborted']);
  release.delete('a');
  await expect.poll(() => release.has('b')).toBe(true);
  release.get('b')?.();
  await expect.poll(() => release.has('a')).toBe(true);
  release.get('a')?.();
  expect((await plan.outcome).kind).toBe('ok');
  expect(log.filter((line) => line.startsWith('a'))).toEqual(['a began', 'a aborted', 'a began']);
});

test('a running step that is given a dependency without success is ended, and then skipped', async () => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions, concurrency: 3 });
  const bad = says('bad', { fails: true });
  const policy = 'skip-dependants';
  const plan = await supervisor.plan({ id: 'p', policy, steps: [bad, says('a', { waits: true })] });
  await expect.poll(() => release.has('a') && readAction(supervisor.durable.store.rows, 'p/bad')?.kind).toBe('failed');
  await amend(supervisor as never, 'p', [bad, says('a', { after: ['bad'], waits: true })], [], { policy });
  expect((await plan.outcome).steps['a']).toEqual({ kind: 'skipped', reason: 'it depends on "bad", which failed' });
  expect(log.filter((line) => line.startsWith('a'))).toEqual(['a began', 'a aborted']);
});

test('a running step that is given a time limit is ended, and runs again within it', async () => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  const plan = await supervisor.plan({ id: 'p', steps: [says('a', { waits: true })] });
  await expect.poll(() => release.has('a')).toBe(true);
  await amend(supervisor as never, 'p', [says('a', { waits: true, timeoutMs: 20 })]);
  const { steps } = await plan.outcome;
  expect(steps['a']?.outcome?.error?.code).toBe('ATTEMPT_TIMED_OUT');
  expect(log).toEqual(['a began', 'a aborted', 'a began', 'a aborted']);
});

test('the order in which dependencies are named is no other definition, nor is naming one twice', async () => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions, concurrency: 3 });
  const others = [says('b'), says('c')];
  const plan = await supervisor.plan({ id: 'p', steps: [...others, says('a', { after: ['b', 'c'], waits: true })] });
  await expect.poll(() => release.has('a')).toBe(true);
  const again = supervisor.preparePlan({ id: 'p', steps: [...others, says('a', { after: ['c', 'b'], waits: true })] });
  const doubled = again.steps.map((step) => ({ ...step, after: [...step.after, ...step.after] }));
  await supervisor.amendPlan({ ...again, steps: doubled }, []);
  release.get('a')?.();
  expect((await plan.outcome).kind).toBe('ok');
  expect(log.filter((line) => line.startsWith('a'))).toEqual(['a began']);
});

test('a step that was removed while it ran runs anew when it is put in again', async () => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  const a = says('a', { waits: true });
  const plan = await supervisor.plan({ id: 'p', steps: [a, says('b', { waits: true })] });
  await expect.poll(() => release.size).toBe(2);
  await amend(supervisor as never, 'p', [says('b', { waits: true })], ['a']);
  await expect.poll(() => readAction(supervisor.durable.store.rows, 'p/a')?.kind).toBe('cancelled');
  release.delete('a');
  await amend(supervisor as never, 'p', [a, says('b', { waits: true })]);
  await expect.poll(() => release.has('a')).toBe(true);
  for (const end of release.values()) end();
  const { kind, steps } = await plan.outcome;
  expect({ kind, a: steps['a']?.outcome?.value }).toEqual({ kind: 'ok', a: 'a' });
  expect(log.filter((line) => line.startsWith('a'))).toEqual(['a began', 'a aborted', 'a began']);
});

test('what is added to a plan that is being cancelled is cancelled with it', async () => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  const a = says('a', { waits: true });
  const plan = await supervisor.plan({ id: 'p', steps: [a] });
  await expect.poll(() => release.has('a')).toBe(true);
  void plan.cancel();
  await amend(supervisor as never, 'p', [a, says('b')]);
  const { kind, steps } = await plan.outcome;
  expect({ kind, b: steps['b']?.kind, log }).toEqual({
    kind: 'cancelled',
    b: 'cancelled',
    log: ['a began', 'a aborted'],
  });
});

test('a retry of a plan that is being cancelled runs again what was just ended', async () => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  const plan = await supervisor.plan({ id: 'p', steps: [says('a', { waits: true }), says('b', { after: ['a'] })] });
  await expect.poll(() => release.delete('a')).toBe(true);
  void plan.cancel();
  await supervisor.retryPlan('p');
  await expect.poll(() => release.has('a')).toBe(true);
  release.get('a')?.();
  expect((await plan.outcome).kind).toBe('ok');
  expect(log).toEqual(['a began', 'a aborted', 'a began', 'b began']);
});

test('a plan that is given less room starts nothing until it fits', async () => {
  const { log, release, actions } = words();
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions, concurrency: 4 });
  const steps = ['a', 'b', 'c', 'd'].map((id) => says(id, { waits: true }));
  const plan = await supervisor.plan({ id: 'p', concurrency: 3, steps });
  await expect.poll(() => release.size).toBe(3);
  await amend(supervisor as never, 'p', steps, [], { concurrency: 1 });
  const states = readSteps(supervisor.durable.store.rows, 'p').map(({ state }) => state);
  expect(states.filter((state) => state === 'ready')).toHaveLength(1);
  for (const id of ['a', 'b', 'c', 'd']) {
    await expect.poll(() => release.has(id)).toBe(true);
    release.get(id)?.();
  }
  expect((await plan.outcome).kind).toBe('ok');
  expect(log).toHaveLength(4);
});

test('a step may do without the fallback of its action', async () => {
  const shaky = defineAction({
    run: (): string => {
      throw new Error('down');
    },
    fallback: () => 'cached',
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { shaky } });
  const steps = [
    { id: 'with', action: 'shaky' },
    { id: 'without', action: 'shaky', fallback: false },
  ];
  const { steps: outcomes } = await (await supervisor.plan({ id: 'p', policy: 'continue', steps })).outcome;
  expect([outcomes['with']?.kind, outcomes['without']?.kind]).toEqual(['degraded', 'failed']);
});

test('the row of an action shows its attempt, and while it backs off what failed and when it goes on', async () => {
  let runs = 0;
  const flaky = defineAction({
    run: () => {
      runs += 1;
      if (runs === 1) throw new Error('not yet');
      return runs;
    },
    retry: { attempts: 2, delayMs: 300 },
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { flaky }, random: () => 0 });
  const { rows } = supervisor.durable.store;
  const handle = await supervisor.submit('flaky', undefined as never, { id: 'f' });
  await expect.poll(() => readAction(rows, 'f')?.retry_at).toBeGreaterThan(0);
  expect(readAction(rows, 'f')).toMatchObject({
    state: 'running',
    attempts: 1,
    error: expect.stringContaining('not yet') as string,
  });
  await handle.outcome;
  expect(readAction(rows, 'f')).toMatchObject({ state: 'settled', attempts: 2, retry_at: null });
  expect(readSteps(rows, 'none')).toEqual([]);
});
