import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { START, heard, inTime, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

/** Actions that end when the test says so, and which of them have begun. */
function held() {
  const began: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (_: null, { id }: { readonly id: string }) => {
    began.push(id);
    return new Promise<void>((resolve) => void ends.set(id, resolve));
  };
  return { began, ends, actions: { work: defineAction({ run }) } };
}

const queues = { mail: { concurrency: 2 }, pages: {}, reports: {} };

test('of a paused queue nothing begins, also after a crash, until it is resumed; the others go on, and what runs ends', async () => {
  const clock = new SimulatedClock(START);
  const { began, ends, actions } = held();
  const options = { actions, queues, store: quickStore(), concurrency: 4 };
  const first = await open(clock, options);
  const told = heard(first);
  const submit = (to: typeof first, id: string) => to.submit('work', null, { id, queue: id.slice(0, -2) });
  const running = await submit(first, 'mail 1');
  for (const name of ['mail', 'pages', 'mail']) await first.queues.pause(name);
  const waiting = ['mail 2', 'pages 1', 'reports 1'];
  for (const id of waiting) (await submit(first, id)).outcome.catch(() => {});
  ends.get('mail 1')!();
  expect((await running.outcome).kind).toBe('ok');
  expect(began).toEqual(['mail 1', 'reports 1']);
  expect(told.filter(({ type }) => type.startsWith('queue.'))).toEqual([
    { type: 'queue.paused', queue: 'mail', at: START },
    { type: 'queue.paused', queue: 'pages', at: START },
  ]);
  crash(first.durable);

  await using second = await open(clock, options);
  await settle();
  // What the crash cut short runs again; nothing else has begun.
  expect(began).toEqual(['mail 1', 'reports 1', 'reports 1']);
  expect(second.queues.list()).toMatchObject([
    { name: 'default', isPaused: false, waiting: 0, limits: { concurrency: null } },
    { name: 'mail', isPaused: true, waiting: 1, running: 0, limits: { concurrency: 2, rate: null } },
    { name: 'pages', isPaused: true, waiting: 1 },
    { name: 'reports', isPaused: false, waiting: 0, running: 1 },
  ]);
  const toldNow = heard(second);
  await second.queues.resume('mail');
  await second.queues.resume('mail');
  await settle();
  expect(began.slice(3)).toEqual(['mail 2']);
  expect(toldNow.filter(({ type }) => type.startsWith('queue.'))).toEqual([
    { type: 'queue.resumed', queue: 'mail', at: START },
  ]);
  await second.queues.resume('pages');
  const outcomes = waiting.map(async (id) => (await submit(second, id)).outcome);
  await settle();
  for (const end of ends.values()) end();
  const kinds = (await inTime(clock, Promise.all(outcomes))).map(({ kind }) => kind);
  expect(kinds).toEqual(['ok', 'ok', 'ok']);
});

test('a queue is paused and resumed while the whole is paused, and begins nothing then', async () => {
  const { began, ends, actions } = held();
  await using supervisor = await open(new SimulatedClock(START), { actions, queues });
  await supervisor.queues.pause('default');
  await supervisor.pause();
  await supervisor.submit('work', null, { id: 'a' });
  await supervisor.queues.resume('default');
  await settle();
  expect(began).toEqual([]);
  await supervisor.queues.pause('default');
  await supervisor.resume();
  await settle();
  expect(began).toEqual([]);
  await supervisor.queues.resume('default');
  await settle();
  expect(began).toEqual(['a']);
  ends.get('a')!();
});

test('a queue that there is not is refused with those that there are', async () => {
  await using supervisor = await open(new SimulatedClock(START), { actions: held().actions, queues });
  await expect(supervisor.queues.pause('mial')).rejects.toMatchObject({
    code: 'QUEUE_NOT_FOUND',
    message: 'There is no queue "mial" (did you mean "mail"?); there are: default, mail, pages, reports.',
  });
  await expect(supervisor.queues.resume(7 as never)).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
});
