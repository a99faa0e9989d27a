import { expect, test, vi } from 'vitest';
import { defineAction, type Actions } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { tempStore } from '../support/temp.ts';

const double = defineAction({ run: ({ n }: { n: number }) => n * 2 });

test('executes an action and gives its typed outcome', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { double } });
  const outcome = await supervisor.execute('double', { n: 21 });
  expect(outcome).toMatchObject({ kind: 'ok', value: 42, attempts: 1, qualityLoss: 0 });
});

test('joins the action of the same id, gives its outcome when settled, and refuses other input under it', async () => {
  const store = tempStore();
  let runs = 0;
  const actions = { count: defineAction({ run: (_: { a: number }) => ++runs }) };
  const first = await spawnSupervisor({ store, actions });
  const [a, b] = await Promise.all([
    first.execute('count', { a: 1 }, { id: 'x' }),
    first.execute('count', { a: 1 }, { id: 'x' }),
  ]);
  expect([a.value, b.value]).toEqual([1, 1]);
  crash(first.durable);
  await using second = await spawnSupervisor({ store, actions });
  expect((await second.execute('count', { a: 1 }, { id: 'x' })).value).toBe(1);
  await expect(second.execute('count', { a: 2 }, { id: 'x' })).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  expect(runs).toBe(1);
});

test('backs off on the durable clock, and goes on backing off after a crash', async () => {
  const store = tempStore();
  const clock = new SimulatedClock(1_000);
  let runs = 0;
  const flaky = defineAction({
    run: () => {
      runs += 1;
      if (runs < 3) throw new Error('not yet');
      return runs;
    },
    retry: { attempts: 3, delayMs: 1_000, capMs: 10_000 },
  });
  const options = { store, clock, actions: { flaky }, random: () => 0 };
  const first = await spawnSupervisor(options);
  await first.submit('flaky', undefined as never, { id: 'f' });
  await clock.advance(0);
  await clock.advance(500);
  expect(runs).toBe(1);
  crash(first.durable);
  await using second = await spawnSupervisor(options);
  const outcome = second.execute('flaky', undefined as never, { id: 'f' });
  await clock.advance(499);
  expect(runs).toBe(1);
  await clock.advance(1);
  await clock.advance(1_000);
  expect(runs).toBe(3);
  await clock.advance(0);
  expect(await outcome).toMatchObject({ kind: 'recovered', value: 3, attempts: 3, error: { message: 'not yet' } });
});

test('times an attempt out, aborts it, and settles as failed', async () => {
  const clock = new SimulatedClock();
  let aborted = false;
  const slow = defineAction({
    run: (_: null, { signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(new Error('aborted'));
        }),
      ),
    timeoutMs: 50,
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), clock, actions: { slow } });
  const outcome = supervisor.execute('slow', null);
  await clock.advance(0);
  await clock.advance(50);
  await clock.advance(0);
  expect(await outcome).toMatchObject({ kind: 'failed', error: { code: 'ATTEMPT_TIMED_OUT' }, attempts: 1 });
  expect(aborted).toBe(true);
});

test('falls back when the work has failed for good', async () => {
  const action = defineAction({
    run: (): string => {
      throw new Error('down');
    },
    fallback: () => 'cached',
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { action } });
  expect(await supervisor.execute('action', undefined as never)).toMatchObject({ kind: 'degraded', value: 'cached' });
});

test('cancels what waits at once and what runs when its attempt has ended', async () => {
  const hang = defineAction({
    run: (_: null, { signal }) =>
      new Promise((_r, reject) => signal.addEventListener('abort', () => reject(new Error('x')))),
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { hang }, concurrency: 1 });
  const running = await supervisor.submit('hang', null);
  const waiting = await supervisor.submit('hang', null);
  await waiting.cancel();
  expect(await waiting.outcome).toMatchObject({ kind: 'cancelled', attempts: 0 });
  await running.cancel();
  expect(await running.outcome).toMatchObject({ kind: 'cancelled', attempts: 1 });
});

test('parks an action whose handler is gone, and runs it when the handler is back', async () => {
  const store = tempStore();
  const hang = defineAction({
    run: (_: null, { signal }) =>
      new Promise((_r, reject) => signal.addEventListener('abort', () => reject(new Error('x')))),
  });
  const a = await spawnSupervisor({ store, actions: { old: hang, hang }, concurrency: 1 });
  await a.submit('old', null, { id: 'running' });
  await a.submit('old', null, { id: 'waiting' });
  crash(a.durable);
  const b = await spawnSupervisor({ store, actions: { double } as Actions, concurrency: 1 });
  await vi.waitFor(() =>
    expect(b.durable.store.rows.all('select id, state from actions order by id')).toEqual([
      { id: 'running', state: 'parked' },
      { id: 'waiting', state: 'parked' },
    ]),
  );
  await b.close();
  await using c = await spawnSupervisor({
    store,
    actions: { old: defineAction({ run: (_: null) => 'ran' }) },
    concurrency: 1,
  });
  expect(await c.execute('old', null, { id: 'waiting' })).toMatchObject({ kind: 'ok', value: 'ran' });
  expect(await c.execute('old', null, { id: 'running' })).toMatchObject({ kind: 'ok', value: 'ran' });
});

test('runs a plan in the order of its dependencies, hands results on, and measures its speed-up', async () => {
  const order: string[] = [];
  const step = defineAction({
    run: async ({ name }: { name: string }, { results }) => {
      order.push(name);
      await new Promise((resolve) => setTimeout(resolve, 150));
      return { name, saw: Object.keys(results).sort() };
    },
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { step }, concurrency: 3 });
  const s = (id: string, after: string[] = [], estimateMs = 10) => ({
    id,
    action: 'step',
    input: { name: id },
    after,
    estimateMs,
  });
  const plan = await supervisor.plan({ id: 'p', steps: [s('a'), s('b', [], 50), s('c', ['a', 'b']), s('d', ['c'])] });
  const outcome = await plan.outcome;
  expect(outcome.kind).toBe('ok');
  expect(order).toEqual(['b', 'a', 'c', 'd']);
  expect(outcome.steps['c']?.outcome?.value).toEqual({ name: 'c', saw: ['a', 'b'] });
  expect(outcome.speedUp).toBeGreaterThan(1);
  expect(outcome.speedUp).toBeLessThanOrEqual(outcome.summary.bound);
  expect(outcome.summary).toMatchObject({ slots: 3, atOnce: 2 });
  expect(outcome.summary.criticalPath.slice(1).map(({ step: id }) => id)).toEqual(['c', 'd']);
});

test.each([
  ['stop', { bad: 'failed', dep: 'skipped', free: 'ok', late: 'skipped' }],
  ['skip-dependants', { bad: 'failed', dep: 'skipped', free: 'ok', late: 'ok' }],
  ['continue', { bad: 'failed', dep: 'ok', free: 'ok', late: 'ok' }],
] as const)('on a failure, the policy %s decides what still runs', async (policy, kinds) => {
  const ok = defineAction({ run: () => new Promise((resolve) => setTimeout(resolve, 20)) });
  const bad = defineAction({
    run: () => {
      throw new Error('bad');
    },
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { ok, bad }, concurrency: 2 });
  const plan = await supervisor.plan({
    policy,
    steps: [
      { id: 'bad', action: 'bad', estimateMs: 5000 },
      { id: 'free', action: 'ok', estimateMs: 4000 },
      { id: 'dep', action: 'ok', after: ['bad'] },
      { id: 'late', action: 'ok', after: ['free'] },
    ],
  });
  const { kind, steps } = await plan.outcome;
  expect(kind).toBe('failed');
  expect(Object.fromEntries(Object.entries(steps).map(([id, step]) => [id, step.kind]))).toEqual(kinds);
});

test('pauses: what runs ends, nothing starts until resumed, also over a crash', async () => {
  const store = tempStore();
  const actions = { double };
  const a = await spawnSupervisor({ store, actions });
  await a.pause();
  const handle = await a.submit('double', { n: 1 }, { id: 'x' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(a.durable.getSnapshot().value).toBe('paused');
  crash(a.durable);
  await expect(handle.outcome).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  await using b = await spawnSupervisor({ store, actions });
  expect(b.durable.getSnapshot().value).toBe('paused');
  await b.resume();
  expect(await b.execute('double', { n: 1 }, { id: 'x' })).toMatchObject({ kind: 'ok', value: 2 });
});

test('names a turn every N settled actions, by interval and on request', async () => {
  const clock = new SimulatedClock();
  await using supervisor = await spawnSupervisor({
    store: tempStore(),
    clock,
    actions: { double },
    checkpoint: { everyActions: 2, everyMs: 1_000 },
  });
  for (let n = 0; n < 3; n++) await supervisor.execute('double', { n });
  await clock.advance(1_000);
  await supervisor.checkpoint('before the holidays');
  const rows = supervisor.durable.store.rows.all('select reason, label from checkpoints order by turn');
  expect(rows).toEqual([
    { reason: 'actions', label: null },
    { reason: 'interval', label: null },
    { reason: 'request', label: 'before the holidays' },
  ]);
});

test('close aborts what runs, waits until it has ended, and runs it again at the next start', async () => {
  const store = tempStore();
  const log: string[] = [];
  const slow = defineAction({
    run: async (_: null, { signal }) => {
      log.push('began');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await new Promise((resolve) => setTimeout(resolve, 30));
      log.push('ended');
    },
  });
  const first = await spawnSupervisor({ store, actions: { slow } });
  await first.submit('slow', null, { id: 'x' });
  await vi.waitFor(() => expect(log).toEqual(['began']));
  await first.close();
  expect(log).toEqual(['began', 'ended']);
  await using second = await spawnSupervisor({ store, actions: { slow: defineAction({ run: (_: null) => 'again' }) } });
  expect(await second.execute('slow', null, { id: 'x' })).toMatchObject({ kind: 'ok', value: 'again' });
});

test('what was down in between does not count against the time limit of an attempt', async () => {
  const store = tempStore();
  const clock = new SimulatedClock();
  let finish = () => {};
  const slow = defineAction({ run: (_: null) => new Promise<void>((resolve) => (finish = resolve)), timeoutMs: 5_000 });
  const first = await spawnSupervisor({ store, clock, actions: { slow } });
  await first.submit('slow', null, { id: 'x' });
  await clock.advance(1_000);
  crash(first.durable);
  await clock.advance(60_000);
  await using second = await spawnSupervisor({ store, clock, actions: { slow } });
  const outcome = second.execute('slow', null, { id: 'x' });
  await clock.advance(4_000);
  finish();
  await clock.advance(0);
  expect(await outcome).toMatchObject({ kind: 'ok', attempts: 1 });
});

test('a fallback has the time limit too, and a timed-out attempt is retried', async () => {
  const clock = new SimulatedClock();
  const attempts: number[] = [];
  const forever = (signal: AbortSignal) =>
    new Promise((_r, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  const hang = defineAction({
    run: (_: null, { signal, attempt }) => {
      attempts.push(attempt);
      return forever(signal);
    },
    fallback: (_: null, { signal }) => forever(signal),
    timeoutMs: 50,
    retry: { attempts: 2, delayMs: 10, capMs: 10 },
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), clock, actions: { hang } });
  const outcome = supervisor.execute('hang', null);
  for (let n = 0; n < 20; n++) await clock.advance(10);
  expect(await outcome).toMatchObject({ kind: 'failed', error: { code: 'ATTEMPT_TIMED_OUT' }, attempts: 2 });
  expect(attempts).toEqual([1, 2]);
});
