/** What would begin later and is to begin now: on a real store, with a clock that is moved by hand. */
import { expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { readAction } from '../../actors/ledger.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { SimulatedClock } from '../../testing.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

async function world(concurrency = 2) {
  const clock = new SimulatedClock(1_000_000);
  const began: number[] = [];
  const state = { isBad: true };
  const actions = {
    flaky: defineAction({
      run: () => {
        began.push(clock.now());
        if (state.isBad) throw new Error('bad');
        return 'good';
      },
      retry: { attempts: 4, delayMs: 60_000, capMs: 3_600_000 },
    }),
    hold: defineAction({
      run: (_: unknown, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    }),
  };
  const store = quickStore();
  const options = { store, actions, clock, concurrency, random: () => 0.5, resources: false } as const;
  const supervisor = await spawnSupervisor(options);
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  const row = (id: string) => readAction(supervisor.durable.store.rows, id);
  const retryAt = (id: string) => row(id)?.retry_at ?? null;
  return { clock, began, state, supervisor, row, retryAt };
}

test('the next attempt begins now, and the back-off after it is what it would have been', async () => {
  const delayAfterSecond = async (isImpatient: boolean) => {
    const { clock, began, supervisor, retryAt } = await world();
    await supervisor.submit('flaky', undefined as never, { id: 'a' });
    await until(() => retryAt('a') !== null);
    const waits = (retryAt('a') as number) - clock.now();
    if (isImpatient) await supervisor.retryNow('a');
    else await clock.advance(waits);
    await until(() => began.length === 2 && retryAt('a') !== null);
    expect(began[1]).toBe(1_000_000 + (isImpatient ? 0 : waits));
    return (retryAt('a') as number) - clock.now();
  };
  expect(await delayAfterSecond(true)).toBe(await delayAfterSecond(false));
});

test('a retry of now is one attempt, and is refused for what does not back off', async () => {
  const { began, state, supervisor, retryAt } = await world();
  const handle = await supervisor.submit('flaky', undefined as never, { id: 'a' });
  await until(() => retryAt('a') !== null);
  const first = supervisor.retryNow('a');
  await expect(supervisor.retryNow('a')).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  await first;
  await until(() => began.length === 2 && retryAt('a') !== null);
  await settle();
  expect(began.length).toBe(2);
  state.isBad = false;
  await supervisor.retryNow('a');
  expect(await handle.outcome).toMatchObject({ kind: 'recovered', attempts: 3 });
  await expect(supervisor.retryNow('a')).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  await expect(supervisor.retryNow('b')).rejects.toMatchObject({ code: 'ACTION_NOT_FOUND' });
});

test('a retry of now while all is paused begins when it goes on', async () => {
  const { began, state, supervisor, retryAt } = await world();
  const handle = await supervisor.submit('flaky', undefined as never, { id: 'a' });
  await until(() => retryAt('a') !== null);
  await supervisor.pause();
  await supervisor.retryNow('a');
  await settle();
  expect(began.length).toBe(1);
  state.isBad = false;
  await supervisor.resume();
  expect(await handle.outcome).toMatchObject({ kind: 'recovered' });
});

test('what was submitted for later runs now where there is room, and else as soon as there is', async () => {
  const { clock, state, supervisor, row } = await world(1);
  state.isBad = false;
  const late = { delayMs: 3_600_000 };
  const first = await supervisor.submit('flaky', undefined as never, { id: 'first', ...late });
  await supervisor.runNow('first');
  expect(await first.outcome).toMatchObject({ kind: 'ok' });
  expect(clock.now()).toBe(1_000_000);
  const blocker = await supervisor.submit('hold', undefined as never, { id: 'hold' });
  const keyed = await supervisor.submit('flaky', undefined as never, { id: 'keyed', key: 'k', ...late });
  await supervisor.runNow('keyed');
  expect(row('keyed')).toMatchObject({ state: 'waiting', not_before: null });
  await blocker.cancel();
  expect(await keyed.outcome).toMatchObject({ kind: 'ok' });
  await expect(supervisor.runNow('keyed')).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  await expect(supervisor.runNow('nothing')).rejects.toMatchObject({ code: 'ACTION_NOT_FOUND' });
});
