import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import type { PlanOptions, StepOptions } from '../../actors/plan-input.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { START, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

/** Actions that end when the test says so, and which of them run. */
function held() {
  const running = new Map<string, () => void>();
  const began: string[] = [];
  const run = (_: unknown, { id, signal }: { readonly id: string; readonly signal: AbortSignal }) => {
    began.push(id);
    return new Promise<string[]>((resolve, reject) => {
      running.set(id, () => {
        running.delete(id);
        resolve(['x', 'y']);
      });
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
  };
  const end = async (...ids: string[]) => {
    for (const id of ids) running.get(id)!();
    await settle();
  };
  return { running: () => [...running.keys()], began, end, actions: { work: defineAction({ run }) } };
}

const queues = { mail: { concurrency: 1 }, low: { priority: 'low' }, high: { priority: 'high' } } as const;
const work = (id: string, more: object = {}): StepOptions => ({ id, action: 'work', ...more });

test('a step waits in the queue that it names, and runs as that allows', async () => {
  const { running, end, actions } = held();
  await using supervisor = await open(new SimulatedClock(START), { actions, queues, concurrency: 4 });
  const steps = [work('a', { queue: 'mail' }), work('b', { queue: 'mail' }), work('c')];
  const plan = await supervisor.plan({ id: 'p', steps });
  expect(supervisor.queues.list()).toMatchObject([{ running: 1 }, {}, {}, { name: 'mail', running: 1, waiting: 1 }]);
  await end('p/a', 'p/c');
  expect(running()).toEqual(['p/b']);
  await end('p/b');
  expect((await plan.outcome).kind).toBe('ok');
});

test('of one key one step runs at a time, items of a fan-out and submissions too, also after a crash', async () => {
  const first = held();
  const options = { queues, concurrency: 8, store: quickStore() };
  const before = await open(new SimulatedClock(START), { ...options, actions: first.actions });
  const steps = [work('list', { key: 'k' }), work('each', { key: 'k', forEach: { from: 'list' } }), work('other')];
  await before.plan({ id: 'p', steps });
  await before.submit('work', null, { id: 'mine', key: 'k' });
  expect(first.running()).toEqual(['p/list', 'p/other']);
  await first.end('p/list');
  expect(first.running()).toEqual(['p/other', 'mine']);
  await first.end('p/other', 'mine');
  expect(first.running()).toEqual(['p/each[0]']);
  crash(before.durable);

  const { running, end, actions } = held();
  await using after = await open(new SimulatedClock(START), { ...options, actions });
  await settle();
  expect(running()).toEqual(['p/each[0]']);
  await end('p/each[0]');
  expect(running()).toEqual(['p/each[1]']);
  await end('p/each[1]');
  expect((await after.joinPlan('p').outcome).kind).toBe('ok');
});

test('a step has the priority of its queue, unless it or its plan says another', async () => {
  const { began, end, actions } = held();
  await using supervisor = await open(new SimulatedClock(START), { actions, queues, concurrency: 1 });
  await supervisor.pause();
  const steps = [work('low', { queue: 'low' }), work('plain'), work('high', { queue: 'high' })];
  await supervisor.plan({ id: 'p', steps: [...steps, work('own', { queue: 'low', priority: 'critical' })] });
  await supervisor.plan({ id: 'said', priority: 'low', steps: [work('high', { queue: 'high' })] });
  await supervisor.resume();
  await settle();
  while (began.length < 5) await end(began.at(-1)!);
  expect(began).toEqual(['p/own', 'p/high', 'p/plain', 'p/low', 'said/high']);
  await end('said/high');
});

test.each<[what: string, step: object, message: string]>([
  ['a queue that there is not', { queue: 'mial' }, 'The step "a": there is no queue "mial" (did you mean "mail"?)'],
  ['a key that is no text', { key: 7 }, 'The id of a key is a text of 1 to 300 whole characters; got number.'],
  ['a queue that is null', { queue: null }, 'The step "a": there is no queue null'],
])('a step with %s is refused before anything is stored', async (_, step, message) => {
  await using supervisor = await open(new SimulatedClock(START), { actions: held().actions, queues });
  await expect(supervisor.plan({ id: 'p', steps: [work('a', step)] })).rejects.toMatchObject({
    code: 'OPTIONS_INVALID',
    message: expect.stringContaining(message) as string,
  });
  const group = { id: 'g', queue: 'mail', steps: [work('a')] } as unknown as StepOptions;
  await expect(supervisor.plan({ id: 'p', steps: [group] })).rejects.toMatchObject({
    code: 'PLAN_INVALID',
    message: expect.stringContaining('the group "g" has no option "queue"') as string,
  });
  expect(supervisor.durable.store.rows.all('select id from plans')).toEqual([]);
});

test('a step that waits is queued anew when it is given another queue or key; one that runs goes on', async () => {
  const { running, began, end, actions } = held();
  await using supervisor = await open(new SimulatedClock(START), { actions, queues, concurrency: 4 });
  const plan = (a: object, b: object): PlanOptions => ({ id: 'p', steps: [work('a', a), work('b', b)] });
  const { outcome } = await supervisor.plan(plan({ key: 'k' }, { key: 'k' }));
  expect(running()).toEqual(['p/a']);
  await supervisor.amendPlan(supervisor.preparePlan(plan({ queue: 'mail' }, { queue: 'low' })), []);
  await settle();
  expect(running()).toEqual(['p/a', 'p/b#2']);
  await end('p/a', 'p/b#2');
  expect([(await outcome).kind, began]).toEqual(['ok', ['p/a', 'p/b#2']]);
});

test('steps count as waiting in a bounded queue, and are not held back by it', async () => {
  const { running, end, actions } = held();
  const bounded = { default: { maxWaiting: 2, onFull: 'refuse' } } as const;
  await using supervisor = await open(new SimulatedClock(START), { actions, queues: bounded, concurrency: 1 });
  const { outcome } = await supervisor.plan({ id: 'p', steps: ['a', 'b', 'c', 'd'].map((id) => work(id)) });
  await expect(supervisor.submit('work', null)).rejects.toMatchObject({ code: 'QUEUE_FULL', facts: { waiting: 2 } });
  while (running().length > 0) await end(...running());
  expect((await outcome).kind).toBe('ok');
});
