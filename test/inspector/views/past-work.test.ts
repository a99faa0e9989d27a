/** What waited in a kept turn, and that a fork takes for it what this says that it takes. */
import { expect, onTestFinished, test } from 'vitest';
import { defineAction, isPerdureError, spawnSupervisor } from '../../../index.ts';
import { liveSource } from '../../../inspector/sources/live-source.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import type { PastWork } from '../../../inspector/views/past-work.ts';
import { quickStore } from '../../support/temp.ts';

async function opened() {
  const path = quickStore();
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const began: unknown[] = [];
  const mail = defineAction({
    run: async (input: unknown) => {
      began.push(input);
      await released;
      return input;
    },
  });
  const supervisor = await spawnSupervisor({ store: path, actions: { mail }, concurrency: 1 });
  onTestFinished(async () => {
    release();
    await supervisor.close();
  });
  return { path, supervisor, began, release };
}

const asked = (turn: string) => new URLSearchParams({ turn });

test('tells what waited then and what ran, here and from beside alike, without secrets', async () => {
  const { path, supervisor, began } = await opened();
  await supervisor.submit('mail', { to: 'a' }, { id: 'a' });
  await expect.poll(() => began.length).toBe(1);
  await supervisor.submit('mail', { to: 'b', token: 'tok-123456' }, { id: 'b' });
  await supervisor.submit('mail', { on: new Date(0) }, { id: 'c' });
  const turn = await supervisor.checkpoints.create();
  await supervisor.submit('mail', { to: 'd' }, { id: 'd' });
  const [here, beside] = [liveSource(supervisor), storeSource(path)];
  onTestFinished(async () => {
    await here.close();
    await beside.close();
  });
  const view = (await here.view('past-work', asked(turn))) as PastWork;
  expect(view).toEqual(await beside.view('past-work', asked(turn)));
  expect(view.more).toBe(false);
  expect(view.items.map(({ id, state, keeps, isRedacted }) => ({ id, state, keeps, isRedacted }))).toEqual([
    { id: 'b', state: 'waiting', keeps: null, isRedacted: true },
    {
      id: 'c',
      state: 'waiting',
      keeps: 'its input holds what JSON has no words for, such as a date',
      isRedacted: false,
    },
    { id: 'a', state: 'running', keeps: 'it is running', isRedacted: false },
  ]);
  expect(view.items[0]?.input).toEqual({ to: 'b', token: '[redacted]' });
  expect(JSON.stringify(view)).not.toContain('tok-123456');
});

test('a fork takes another input for what may get one, and for nothing else', async () => {
  const { path, supervisor, began } = await opened();
  for (const id of ['a', 'b', 'c']) await supervisor.submit('mail', { id }, { id });
  await expect.poll(() => began.length).toBe(1);
  const turn = await supervisor.checkpoints.create();
  const source = storeSource(path);
  onTestFinished(() => source.close());
  const { items } = (await source.view('past-work', asked(turn))) as PastWork;
  expect(items.length).toBe(3);
  for (const { id, keeps } of items) {
    const fork = supervisor.checkpoints.fork(turn, { to: `${path}-${id}`, input: { [id]: { id, other: true } } });
    if (keeps === null) await fork;
    else await expect(fork).rejects.toSatisfy((error) => isPerdureError(error, 'ACTION_CONFLICT'));
  }
});

test('what had settled by then is not told, and what settled later is', async () => {
  const { path, supervisor, began, release } = await opened();
  for (const id of ['a', 'b']) await supervisor.submit('mail', { id }, { id });
  await expect.poll(() => began.length).toBe(1);
  const before = await supervisor.checkpoints.create();
  release();
  await supervisor.execute('mail', { id: 'last' }, { id: 'last' });
  const after = await supervisor.checkpoints.create();
  const source = storeSource(path);
  onTestFinished(() => source.close());
  const idsAt = async (turn: string) =>
    ((await source.view('past-work', asked(turn))) as PastWork).items.map(({ id }) => id);
  expect(await idsAt(before)).toEqual(['b', 'a']);
  expect(await idsAt(after)).toEqual([]);
});

test('a turn that is not kept is refused', async () => {
  const { supervisor } = await opened();
  const source = liveSource(supervisor);
  onTestFinished(() => source.close());
  const unkept = async () => source.view('past-work', asked('999999'));
  await expect(unkept()).rejects.toSatisfy((error) => isPerdureError(error, 'CHECKPOINT_UNKNOWN'));
});

test('the steps of a plan are told as they stood then: what failed and what was skipped is not what went well', async () => {
  const { release, work, path, supervisor } = await openedPlan();
  await supervisor.plan({
    id: 'p:1',
    name: 'p',
    policy: 'skip-dependants',
    steps: [
      { id: 'bad', action: 'fail' },
      { id: 'left', action: 'work', after: ['bad'] },
      { id: 'held', action: 'hold' },
      ...Array.from({ length: 25 }, (_, n) => ({ id: `good-${n}`, action: 'work' })),
      { id: 'last', action: 'work', after: ['held'] },
      { id: 'asks', action: 'ask' },
      { id: 'still-asks', action: 'ask' },
    ],
  });
  await expect.poll(() => work.done).toBe(25);
  await expect.poll(() => supervisor.stats().settled).toBeGreaterThanOrEqual(26);
  await expect.poll(() => supervisor.approvals().length).toBe(2);
  const turn = await supervisor.checkpoints.create();
  release();
  await supervisor.approve('p:1/asks', { by: 'me' });
  await expect.poll(() => work.done).toBe(27);
  const source = storeSource(path);
  onTestFinished(() => source.close());
  const { plans, morePlans, items } = (await source.view('past-work', asked(turn))) as PastWork;
  expect(morePlans).toBe(false);
  expect(plans.map(({ id, name }) => [id, name])).toEqual([['p:1', 'p']]);
  expect(plans[0]?.standings.map(({ standing, count, steps }) => [standing, count, steps.length])).toEqual([
    ['failed', 1, 1],
    ['skipped', 1, 1],
    ['asking', 2, 2],
    ['running', 1, 1],
    ['waiting', 1, 1],
    ['ok', 25, 20],
  ]);
  // The list of what had not settled says the same.
  for (const { standing, steps } of plans[0]?.standings.slice(2, 4) ?? []) {
    expect(items.filter(({ state }) => state === standing).map(({ id }) => id)).toEqual(
      steps.map((one) => `p:1/${one}`),
    );
  }
});

async function openedPlan() {
  const path = quickStore();
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const work = { done: 0 };
  const actions = {
    work: defineAction({ run: () => Promise.resolve((work.done += 1)) }),
    hold: defineAction({ run: () => released }),
    ask: defineAction({ run: () => Promise.resolve((work.done += 1)), impact: 'critical', reversible: false }),
    fail: defineAction({
      run: () => Promise.reject(new Error('no')),
      retry: { attempts: 1 },
    }),
  };
  const supervisor = await spawnSupervisor({ store: path, actions, concurrency: 4 });
  onTestFinished(async () => {
    release();
    await supervisor.close();
  });
  return { release, work, path, supervisor };
}
