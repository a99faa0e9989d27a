import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { readAction, readSteps } from '../../actors/ledger.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { tempStore } from '../support/temp.ts';

/** Runs until it is told to end: by the word it was given, or by an abort. */
function words() {
  const log: string[] = [];
  const release = new Map<string, () => void>();
  const say = defineAction({
    run: ({ word, waits }: { word: string; waits?: boolean }, { signal }) => {
      log.push(`${word} began`);
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

function amend(supervisor: Supervisor<never>, id: string, steps: readonly object[], removed: string[] = []) {
  return supervisor.amendPlan(supervisor.preparePlan({ id, steps: steps as never }), removed);
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
