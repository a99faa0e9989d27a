import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { START, inTime, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';

/** Actions that take 10 ms of the clock each, and what ran when. */
function work(clock: SimulatedClock) {
  const running = new Set<string>();
  const began: { readonly id: string; readonly at: number; readonly beside: readonly string[] }[] = [];
  const run = async (_: null, { id }: { readonly id: string }) => {
    began.push({ id, at: clock.now(), beside: [...running] });
    running.add(id);
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, 10));
    running.delete(id);
  };
  return { began, actions: { work: defineAction({ run, component: 'api' }), plain: defineAction({ run }) } };
}

test('S38, H12: what is urgent goes first, then what is due, then what has waited', async () => {
  const clock = new SimulatedClock(START);
  const { began, actions } = work(clock);
  await using supervisor = await open(clock, { actions, concurrency: 1 });
  const dueAt = START + 60_000;
  const submit = (id: string, options: object) => supervisor.submit('plain', null, { id, ...options });
  const handles = [
    await submit('first', {}),
    await submit('low', { priority: 'low' }),
    await submit('normal', {}),
    await submit('due later', { dueAt: dueAt + 1_000 }),
    await submit('due', { dueAt }),
    await submit('critical', { priority: 'critical' }),
    await submit('awaited', { isAwaited: true, priority: 'low' }),
  ];
  await inTime(clock, Promise.all(handles.map(({ outcome }) => outcome)), 10);
  expect(began.map(({ id }) => id)).toEqual(['first', 'awaited', 'critical', 'due', 'due later', 'normal', 'low']);
});

test('of a queue, a component and a key no more run at once than may, whatever comes, also after a crash', async () => {
  const item = fc.record({
    action: fc.constantFrom('work' as const, 'plain' as const),
    queue: fc.constantFrom('default', 'mail'),
    key: fc.constantFrom(undefined, 'a', 'b'),
    delayMs: fc.constantFrom(0, 0, 25),
    priority: fc.constantFrom('high' as const, 'normal' as const),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 12 }), fc.boolean(), async (items, crashes) => {
      const clock = new SimulatedClock(START);
      const { began, actions } = work(clock);
      const store = quickStore();
      const options = {
        actions,
        store,
        concurrency: 4,
        queues: { mail: { concurrency: 2 } },
        components: { api: { concurrency: 1 } },
      };
      let supervisor = await open(clock, options);
      const submitAll = () =>
        Promise.all(
          items.map(({ action, key, ...more }, n) =>
            supervisor.submit(action, null, { id: `${n}`, ...more, ...(key === undefined ? {} : { key }) }),
          ),
        );
      let handles = await submitAll();
      const of = (id: string) => items[Number(id)]!;
      const rows = () =>
        supervisor.durable.store.rows.all<{ id: string; key: string | null; queue: string | null; name: string }>(
          `select id, key, queue, name from actions where state = 'running'`,
        );
      const check = () => {
        const running = rows();
        expect(running.length).toBeLessThanOrEqual(4);
        expect(running.filter(({ queue }) => queue === 'mail').length).toBeLessThanOrEqual(2);
        expect(running.filter(({ name }) => name === 'work').length).toBeLessThanOrEqual(1);
        for (const key of ['a', 'b']) expect(running.filter((one) => one.key === key).length).toBeLessThanOrEqual(1);
      };
      check();
      if (crashes) {
        crash(supervisor.durable);
        for (const { outcome } of handles) outcome.catch(() => {});
        supervisor = await open(clock, options);
        handles = await submitAll();
      }
      supervisor.on('action.settled', check);
      const outcomes = await inTime(clock, Promise.all(handles.map(({ outcome }) => outcome)), 5);
      expect(outcomes.every(({ kind }) => kind === 'ok')).toBe(true);
      for (const { id, at } of began) expect(at).toBeGreaterThanOrEqual(START + of(id).delayMs);
      await supervisor.close();
    }),
    { numRuns: 25 },
  );
});

test('no more start in any time than the rate says, of a queue and of a key', async () => {
  const clock = new SimulatedClock(START);
  const { began, actions } = work(clock);
  const rate = { limit: 3, perMs: 100 };
  await using supervisor = await open(clock, {
    actions,
    concurrency: 8,
    queues: { slow: { rate } },
    keys: { concurrency: 5, rate },
  });
  const handles = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      supervisor.submit('plain', null, { id: `${n}`, ...(n % 2 === 0 ? { queue: 'slow' } : { key: 'k' }) }),
    ),
  );
  await inTime(clock, Promise.all(handles.map(({ outcome }) => outcome)), 7);
  for (const parity of [0, 1]) {
    const starts = began.filter(({ id }) => Number(id) % 2 === parity).map(({ at }) => at);
    expect(starts).toHaveLength(10);
    for (const [n, at] of starts.entries())
      if (n >= 3) expect(at - (starts[n - 3] as number)).toBeGreaterThanOrEqual(100);
    expect((starts.at(-1) as number) - START).toBeLessThan(400);
  }
});

test('what may not run costs a claim no more than a look into an index', async () => {
  await using supervisor = await open(new SimulatedClock(START), { actions: work(new SimulatedClock()).actions });
  const plan = supervisor.durable.store.rows
    .all<{ detail: string }>(
      `explain query plan select id from actions where state = 'waiting' and lane = 7 order by optional, rank desc, seq limit 1`,
    )
    .map(({ detail }) => detail);
  expect(plan).toEqual(['SEARCH actions USING INDEX actions_lane (lane=?)']);
});

test('a priority that is given as undefined is that of the queue', async () => {
  const clock = new SimulatedClock(START);
  const { began, actions } = work(clock);
  await using supervisor = await open(clock, { actions, concurrency: 1, queues: { low: { priority: 'low' } } });
  const handles = [
    await supervisor.submit('plain', null, { id: 'first' }),
    await supervisor.submit('plain', null, { id: 'low', queue: 'low', priority: undefined as never }),
    await supervisor.submit('plain', null, { id: 'normal' }),
  ];
  await inTime(clock, Promise.all(handles.map(({ outcome }) => outcome)), 10);
  expect(began.map(({ id }) => id)).toEqual(['first', 'normal', 'low']);
});
