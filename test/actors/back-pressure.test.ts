/** A queue that is bounded holds no more than it may; whoever submits to one that is full waits, or is refused. */
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { BackPressure } from '../../actors/back-pressure.ts';
import { TABLES, spawnSupervisor } from '../../actors/spawn.ts';
import { PENDING } from '../../actors/queue-tables.ts';
import { PerdureError } from '../../errors.ts';
import type { Submission } from '../../machines/executor.ts';
import { crash } from '../../persistence/crash.ts';
import { memoryRows } from '../../persistence/rows.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { START, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

/** Work that ends when it is told to, the longest running first. */
function gated() {
  const running: { id: string; end: () => void }[] = [];
  const work = defineAction({
    run: (_: number, { id, signal }) =>
      new Promise<string>((resolve, reject) => {
        running.push({ id, end: () => resolve(id) });
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  });
  return { running, work };
}

async function bounded(maxWaiting: number, onFull?: 'wait' | 'refuse') {
  const { running, work } = gated();
  const queues = { mail: { maxWaiting, ...(onFull === undefined ? {} : { onFull }) } };
  const clock = new SimulatedClock(START);
  const supervisor = await open(clock, { actions: { work }, concurrency: 1, queues });
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  const pending = () =>
    supervisor.durable.store.rows.get<{ n: number }>(
      `select count(*) as n from actions where queue = 'mail' and state in ('waiting', 'held', 'delayed')`,
    )?.n as number;
  return { running, supervisor, pending };
}

test('H31: a submission to a queue that is full waits until there is room, and those who wait have their turns in order', async () => {
  const { running, supervisor, pending } = await bounded(2);
  const accepted: number[] = [];
  const all = Array.from({ length: 8 }, (_, n) =>
    supervisor.submit('work', n, { id: `w${n}`, queue: 'mail' }).then(() => accepted.push(n)),
  );
  for (let ended = 0; ended < 8; ended++) {
    await settle();
    // One runs, and two wait.
    expect(accepted).toEqual(Array.from({ length: Math.min(8, ended + 3) }, (_, n) => n));
    expect(pending()).toBeLessThanOrEqual(2);
    expect(running.at(-1)?.id).toBe(`w${ended}`);
    running.at(-1)?.end();
  }
  await Promise.all(all);
});

test('H31: or it is refused, with the number of those who wait and the limit; other queues do not mind', async () => {
  const { supervisor } = await bounded(2, 'refuse');
  for (let n = 0; n < 3; n++) await supervisor.submit('work', n, { queue: 'mail' });
  const refused = supervisor.submit('work', 3, { queue: 'mail' });
  await expect(refused).rejects.toMatchObject({
    code: 'QUEUE_FULL',
    retryable: true,
    facts: { queue: 'mail', waiting: 2, limit: 2 },
  });
  await supervisor.submit('work', 4);
});

test('each submission may say otherwise than its queue', async () => {
  const { running, supervisor } = await bounded(1, 'refuse');
  for (let n = 0; n < 2; n++) await supervisor.submit('work', n, { queue: 'mail' });
  const waits = supervisor.submit('work', 2, { queue: 'mail', onFull: 'wait' });
  await settle();
  running[0]?.end();
  expect((await waits).id).toBeTypeOf('string');
  await expect(supervisor.submit('work', 3, { queue: 'mail', onFull: 'later' as never })).rejects.toThrow(
    "onFull must be 'wait' or 'refuse'",
  );
});

test('submissions that come together do not overshoot the bound, and one that is known needs no room', async () => {
  const { supervisor, pending } = await bounded(3, 'refuse');
  const came = await Promise.allSettled(
    Array.from({ length: 50 }, (_, n) => supervisor.submit('work', n, { id: `w${n}`, queue: 'mail' })),
  );
  expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
  expect(pending()).toBe(3);
  expect((await supervisor.submit('work', 1, { id: 'w1', queue: 'mail' })).id).toBe('w1');
});

test('of those who wait with one id and other inputs the first is queued, and the others are refused', async () => {
  const { running, supervisor } = await bounded(1);
  for (let n = 0; n < 2; n++) await supervisor.submit('work', n, { queue: 'mail' });
  const came = [1, 2, 1].map((n) => supervisor.submit('work', n, { id: 'same', queue: 'mail' }));
  const results = Promise.allSettled(came);
  await settle();
  running[0]?.end();
  await settle();
  running[1]?.end();
  const [first, other, again] = await results;
  expect(first).toMatchObject({ status: 'fulfilled', value: { id: 'same' } });
  expect(other).toMatchObject({ status: 'rejected', reason: { code: 'ACTION_CONFLICT', facts: { id: 'same' } } });
  expect(again).toMatchObject({ status: 'fulfilled', value: { id: 'same' } });
});

test('who waits with an id that a step of a plan takes meanwhile is refused', async () => {
  const { running, supervisor } = await bounded(1);
  for (let n = 0; n < 2; n++) await supervisor.submit('work', n, { queue: 'mail' });
  const waits = supervisor.submit('work', 1, { id: 'night/a', queue: 'mail' });
  const refused = expect(waits).rejects.toMatchObject({ code: 'ACTION_CONFLICT', facts: { id: 'night/a' } });
  const steps = [
    { id: 'first', action: 'work', input: 2 },
    { id: 'a', action: 'work', input: 2, after: ['first'] },
  ];
  const { outcome } = await supervisor.plan({ id: 'night', steps });
  for (let ended = 0; ended < 4; ended++) {
    await until(() => running.length > ended);
    running[ended]?.end();
  }
  await refused;
  expect((await outcome).kind).toBe('ok');
});

test('what is delayed, or held because of its key, counts as waiting', async () => {
  const { supervisor } = await bounded(3, 'refuse');
  await supervisor.submit('work', 0);
  await supervisor.submit('work', 1, { queue: 'mail', delayMs: 1_000 });
  await supervisor.submit('work', 2, { queue: 'mail', key: 'a' });
  await supervisor.submit('work', 3, { queue: 'mail', key: 'a' });
  await expect(supervisor.submit('work', 4, { queue: 'mail' })).rejects.toMatchObject({ code: 'QUEUE_FULL' });
});

test('an aborted signal ends the waiting, and a close ends it for all; nothing of it is queued', async () => {
  const { supervisor, pending } = await bounded(1);
  for (let n = 0; n < 2; n++) await supervisor.submit('work', n, { queue: 'mail' });
  const [abort, reason] = [new AbortController(), new Error('enough')];
  const aborted = supervisor.submit('work', 2, { queue: 'mail', signal: abort.signal });
  const closed = supervisor.submit('work', 3, { queue: 'mail' });
  await settle();
  abort.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  expect(pending()).toBe(1);
  await supervisor.close({ graceMs: 0 });
  await expect(closed).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});

test('H31: what waits in a queue is there after a close, and after a crash, and the bound holds in the next life', async () => {
  const [store, clock, { running, work }] = [quickStore(), new SimulatedClock(START), gated()];
  const options = {
    store,
    actions: { work },
    concurrency: 1,
    queues: { mail: { maxWaiting: 2, onFull: 'refuse' } },
  } as const;
  let supervisor = await open(clock, options);
  for (let n = 0; n < 3; n++) await supervisor.submit('work', n, { id: `w${n}`, queue: 'mail' });
  for (const end of ['close', 'crash'] as const) {
    if (end === 'close') await supervisor.close({ graceMs: 0 });
    else crash(supervisor.durable);
    supervisor = await open(clock, options);
    await settle();
    await expect(supervisor.submit('work', 9, { queue: 'mail' })).rejects.toMatchObject({ code: 'QUEUE_FULL' });
  }
  const handles = await Promise.all([0, 1, 2].map((n) => supervisor.submit('work', n, { id: `w${n}`, queue: 'mail' })));
  for (let n = 0; n < 3; n++) {
    await settle();
    running.at(-1)?.end();
    await handles[n]?.outcome;
  }
  await supervisor.close();
});

test('whatever comes and ends, the bound holds, nobody is lost, and the order is that of the coming', async () => {
  const moves = fc.array(fc.constantFrom('submit', 'end', 'rest', 'cancel'), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), moves, async (most, all) => {
      const { running, work } = gated();
      const supervisor = await open(new SimulatedClock(START), {
        actions: { work },
        concurrency: 2,
        queues: { mail: { maxWaiting: most } },
      });
      const [accepted, waiting]: [number[], Promise<unknown>[]] = [[], []];
      const rows = supervisor.durable.store.rows;
      for (const [n, move] of all.entries()) {
        if (move === 'submit')
          waiting.push(supervisor.submit('work', n, { id: `w${n}`, queue: 'mail' }).then(() => accepted.push(n)));
        if (move === 'end') running.shift()?.end();
        if (move === 'cancel' && accepted.length > 0) await supervisor.cancel(`w${accepted.at(-1) as number}`);
        if (move === 'rest') await settle();
        const { n: pending } = rows.get(
          `select count(*) as n from actions where queue = 'mail' and state = 'waiting'`,
        ) as { n: number };
        expect(pending).toBeLessThanOrEqual(most);
      }
      const submitted = all.flatMap((move, n) => (move === 'submit' ? [n] : []));
      while (accepted.length < submitted.length) {
        await settle();
        for (const { end } of running.splice(0)) end();
      }
      expect(accepted).toEqual(submitted);
      await supervisor.close({ graceMs: 0 });
    }),
    { numRuns: 40 },
  );
}, 60_000);

test('the default queue is bounded as any other', async () => {
  const { work } = gated();
  const queues = { default: { maxWaiting: 1, onFull: 'refuse' } } as const;
  await using supervisor = await open(new SimulatedClock(START), { actions: { work }, concurrency: 1, queues });
  for (let n = 0; n < 2; n++) await supervisor.submit('work', n);
  await expect(supervisor.submit('work', 2)).rejects.toMatchObject({ code: 'QUEUE_FULL' });
});

/** A line for the queue `mail`, of which one may wait. */
function line() {
  const rows = memoryRows(TABLES);
  const pressure = new BackPressure(() => rows);
  const submission = { queue: 'mail', most: 1 } as Submission;
  const fill = (id: string) =>
    rows.run(
      `insert into actions(id, name, version, input, policy, rank, state, submitted_at, attempts, quality_loss, queue, from_turn)
       values (?, 'work', '1', '0', '{}', 0, 'waiting', 0, 0, 0, 'mail', 0)`,
      id,
    );
  const makeRoom = () => {
    rows.run(`update actions set state = 'running'`);
    pressure.look();
    return settle();
  };
  const wait = (enter: () => string | undefined, signal?: AbortSignal) =>
    pressure.enter(submission, 'wait', () => Promise.resolve(enter()), signal);
  return { pressure, fill, makeRoom, wait };
}

test('who is turned away in the turn keeps their place', async () => {
  const { fill, makeRoom, wait } = line();
  const order: string[] = [];
  const enters = (id: string) => {
    fill(id);
    order.push(id);
    return id;
  };
  let tries = 0;
  fill('one');
  const first = wait(() => {
    tries += 1;
    if (tries > 1) return enters('first');
    fill('faster');
    return undefined;
  });
  const second = wait(() => enters('second'));
  await makeRoom();
  expect([tries, order]).toEqual([1, []]);
  const third = wait(() => enters('third'));
  for (let ended = 0; ended < 3; ended++) await makeRoom();
  expect(order).toEqual(['first', 'second', 'third']);
  expect(await Promise.all([first, second, third])).toEqual(order);
});

test('50,000 may wait at once, and half of them be aborted: nobody costs more for that', async () => {
  const { fill, makeRoom, wait } = line();
  fill('one');
  const aborts = Array.from({ length: 50_000 }, () => new AbortController());
  const all = aborts.map(({ signal }, n) => wait(() => `w${n}`, signal));
  const ends = Promise.allSettled(all);
  for (const [n, abort] of aborts.entries()) if (n % 2 === 0) abort.abort(new Error('enough'));
  await makeRoom();
  expect((await ends).filter(({ status }) => status === 'fulfilled')).toHaveLength(25_000);
});

test('who was turned away may still be aborted, and is told when all ends', async () => {
  for (const how of ['abort', 'end'] as const) {
    const { pressure, fill, makeRoom, wait } = line();
    const [abort, reason] = [new AbortController(), new PerdureError('STORE_CLOSED', 'enough')];
    fill('one');
    const waits = wait(() => {
      fill('faster');
      return undefined;
    }, abort.signal);
    await makeRoom();
    if (how === 'abort') abort.abort(reason);
    else pressure.end(reason);
    await expect(waits).rejects.toBe(reason);
  }
});

test('steps of plans and occurrences of schedules are not held back', async () => {
  const { supervisor } = await bounded(1, 'refuse');
  for (let n = 0; n < 2; n++) await supervisor.submit('work', n, { queue: 'mail' });
  await supervisor.schedules.put({ id: 's', action: 'work', input: 7, queue: 'mail', at: START + 1_000 });
  const { id } = await supervisor.schedules.trigger('s');
  const row = supervisor.durable.store.rows.get('select state, queue from actions where id = ?', id);
  expect(row).toEqual({ state: 'waiting', queue: 'mail' });
});

test('counting reads one index and no row', async () => {
  const { supervisor } = await bounded(1);
  const plan = supervisor.durable.store.rows.all<{ detail: string }>(
    `explain query plan select 1 from actions where queue = 'mail' and queue is not null and ${PENDING} limit 5`,
  );
  expect(plan.map(({ detail }) => detail)).toEqual([
    'SEARCH actions USING COVERING INDEX actions_pending (queue=? AND state=?)',
  ]);
});

test('what is no bound is refused', async () => {
  const { work } = gated();
  for (const [mail, message] of [
    [{ maxWaiting: 0 }, 'queues.mail.maxWaiting must be a whole number from 1'],
    [{ maxWaiting: 1.5 }, 'queues.mail.maxWaiting must be a whole number'],
    [{ onFull: 'drop' }, "queues.mail.onFull must be 'wait' or 'refuse'"],
    [{ maxWaitng: 3 }, 'did you mean "maxWaiting"?'],
  ] as const)
    await expect(
      spawnSupervisor({ store: quickStore(), actions: { work }, queues: { mail: mail as never } }),
    ).rejects.toThrow(message);
});
