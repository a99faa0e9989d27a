import { beforeEach, describe, expect, test } from 'vitest';
import { isPerdureError, supervise, type SupervisionOptions } from '../../index.ts';
import { sendTo, setup, type AnyActorRef } from 'xstate';
import { SimulatedClock } from '../../testing.ts';
import { bossMachine, childAt, counts, inMemory, inTree, log, places, workerMachine } from '../support/supervised.ts';

const three = { a: 'worker', b: 'worker', c: 'worker' } as const;

function boss(options: Partial<SupervisionOptions<'worker' | 'polite' | 'slow'>> = {}) {
  return supervise(bossMachine(three), { strategy: 'one_for_one', children: { worker: {} }, ...options });
}

beforeEach(() => void log.splice(0));

describe.each(places)('%s', (_where, run) => {
  test('one_for_one restarts the child that failed, from the state before the event that killed it', async () => {
    const running = await run(boss());
    await running.send({ type: 'to', id: 'b', event: { type: 'add' } });
    const [a, b] = ['a', 'b'].map((id) => childAt(running.root, id));
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    expect(counts(running.root)).toEqual({ a: 0, b: 1, c: 0 });
    expect(childAt(running.root, 'a')).toBe(a);
    expect(childAt(running.root, 'b')).not.toBe(b);
    expect(running.root.system.get('b')).toBe(childAt(running.root, 'b'));
    await running.send({ type: 'to', id: 'b', event: { type: 'add' } });
    expect(counts(running.root)).toEqual({ a: 0, b: 2, c: 0 });
    expect(running.emitted).toEqual([
      {
        type: 'child.restarted',
        child: 'b',
        src: 'worker',
        reason: expect.objectContaining({ message: 'boom' }),
        restarts: 1,
      },
    ]);
    await running.end();
  });

  test('a child from its initial state gets the same input again', async () => {
    const running = await run(boss({ children: { worker: { from: 'initial' } } }));
    await running.send({ type: 'to', id: 'b', event: { type: 'add' } });
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    expect(childAt(running.root, 'b').getSnapshot().context).toEqual({ name: 'b', n: 0 });
    expect(log).toEqual(['start a', 'start b', 'start c', 'start b']);
    await running.end();
  });

  test('one_for_all restarts everybody in the order of their starts', async () => {
    const running = await run(
      boss({ strategy: 'one_for_all', intensity: 2, children: { worker: { from: 'initial' } } }),
    );
    for (const id of ['a', 'b', 'c']) await running.send({ type: 'to', id, event: { type: 'add' } });
    await running.send({ type: 'to', id: 'a', event: { type: 'die' } });
    await running.send({ type: 'to', id: 'c', event: { type: 'die' } });
    expect(counts(running.root)).toEqual({ a: 0, b: 0, c: 0 });
    const once = ['start a', 'start b', 'start c'];
    expect(log).toEqual([...once, ...once, ...once]);
    await running.end();
  });

  test('rest_for_one restarts those that started later, by the place that a restarted child keeps', async () => {
    const running = await run(
      boss({ strategy: 'rest_for_one', intensity: 2, children: { worker: { from: 'initial' } } }),
    );
    await running.send({ type: 'to', id: 'a', event: { type: 'add' } });
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    expect(log.slice(3)).toEqual(['start b', 'start c', 'start b', 'start c']);
    expect(counts(running.root)).toEqual({ a: 1, b: 0, c: 0 });
    await running.end();
  });

  test('a permanent child is restarted also when it finished, and the machine does not hear of it', async () => {
    const running = await run(boss({ children: { worker: { restart: 'permanent' } } }));
    await running.send({ type: 'to', id: 'a', event: { type: 'add' } });
    await running.send({ type: 'to', id: 'a', event: { type: 'finish' } });
    expect(counts(running.root)).toEqual({ a: 0, b: 0, c: 0 });
    expect(running.root.getSnapshot().context.seen).toEqual([]);
    expect(running.emitted).toMatchObject([{ type: 'child.restarted', child: 'a', reason: 'done' }]);
    await running.end();
  });

  test('a transient child is restarted after an error only', async () => {
    const running = await run(boss({ strategy: 'one_for_all', children: { worker: { restart: 'transient' } } }));
    await running.send({ type: 'to', id: 'a', event: { type: 'finish' } });
    expect(running.root.getSnapshot().context.seen).toEqual(['xstate.done.actor.a']);
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    expect(counts(running.root)).toEqual({ a: 'done', b: 0, c: 0 });
    await running.end();
  });

  test('a temporary child is never restarted and leaves no trace', async () => {
    const running = await run(boss({ strategy: 'one_for_all', children: { worker: { restart: 'temporary' } } }));
    await running.send({ type: 'to', id: 'a', event: { type: 'finish' } });
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    expect(counts(running.root)).toEqual({ c: 0 });
    expect(running.root.getSnapshot().context.seen).toEqual(['xstate.done.actor.a']);
    expect(running.emitted).toMatchObject([{ type: 'child.failed', child: 'b' }]);
    await running.end();
  });

  test('the restart after the last admitted one is an escalation, and time refills the allowance', async () => {
    const running = await run(boss({ intensity: 2, periodMs: 1_000 }));
    const die = () => running.send({ type: 'to', id: 'a', event: { type: 'die' } });
    await die();
    await running.advance(600);
    await die();
    await running.advance(600);
    await die();
    expect(counts(running.root)).toEqual({ a: 0, b: 0, c: 0 });
    const children = ['a', 'b', 'c'].map((id) => childAt(running.root, id));
    await die();
    const { status, error } = running.root.getSnapshot();
    expect(status).toBe('error');
    expect(isPerdureError(error, 'SUPERVISION_EXCEEDED')).toBe(true);
    expect(error.facts).toEqual({ child: 'a', intensity: 2, period: 1_000 });
    expect(error.cause.message).toBe('boom');
    expect(children.map((child) => child.getSnapshot().status)).toEqual(['error', 'stopped', 'stopped']);
    await running.end();
  });

  test('an intensity of 0 admits no restart', async () => {
    const running = await run(boss({ intensity: 0 }));
    await running.send({ type: 'to', id: 'a', event: { type: 'die' } });
    expect(running.root.getSnapshot().status).toBe('error');
    await running.end();
  });

  test('a child of a name that is not listed behaves as in XState', async () => {
    const running = await run(
      supervise(bossMachine({ a: 'worker', b: 'polite' }), { strategy: 'one_for_all', children: { polite: {} } }),
    );
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    expect(counts(running.root)).toEqual({ a: 0, b: 0 });
    await running.send({ type: 'to', id: 'a', event: { type: 'die' } });
    expect(running.root.getSnapshot()).toMatchObject({ status: 'error', error: { message: 'boom' } });
    await running.end();
  });

  test('a delayed event of the child keeps its due time over the restart', async () => {
    const running = await run(boss());
    await running.send({ type: 'to', id: 'a', event: { type: 'wait' } });
    await running.advance(400);
    await running.send({ type: 'to', id: 'a', event: { type: 'die' } });
    await running.advance(599);
    expect(childAt(running.root, 'a').getSnapshot().value).toBe('waiting');
    await running.advance(1);
    expect(counts(running.root)['a']).toBe(100);
    await running.end();
  });

  test('what is sent to a reference of the old child is reported', async () => {
    const running = await run(boss());
    const old = childAt(running.root, 'a');
    await running.send({ type: 'to', id: 'a', event: { type: 'die' } });
    old.send({ type: 'add' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(running.emitted.at(-1)).toEqual({
      type: 'child.deadLettered',
      child: 'a',
      src: 'worker',
      event: { type: 'add' },
    });
    expect(counts(running.root)['a']).toBe(0);
    await running.end();
  });

  test('children that are asked to shut down have their time, in the reverse order of their starts', async () => {
    const machine = supervise(bossMachine({ a: 'polite', b: 'worker', c: 'slow', d: 'polite' }), {
      strategy: 'one_for_all',
      children: { worker: {}, polite: { shutdown: 100 }, slow: { shutdown: 200 } },
    });
    const running = await run(machine);
    for (const id of ['a', 'b', 'c', 'd']) await running.send({ type: 'to', id, event: { type: 'add' } });
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    expect(log.slice(4)).toEqual(['leave d']);
    await running.send({ type: 'ping' });
    expect(running.root.getSnapshot().context.seen).toEqual(['ping']);
    await running.advance(50);
    expect(log.slice(5)).toEqual(['leave c']);
    await running.advance(199);
    expect(log.slice(6)).toEqual([]);
    await running.advance(1);
    expect(log.slice(6)).toEqual(['leave a']);
    expect(running.emitted).toEqual([]);
    await running.advance(50);
    expect(counts(running.root)).toEqual({ a: 1, b: 1, c: 1, d: 1 });
    expect(running.emitted).toMatchObject([{ type: 'child.restarted', child: 'b' }]);
    expect(running.root.getSnapshot().context.seen).toEqual(['ping']);
    await running.end();
  });

  test('a temporary child is asked to shut down with its group, and is gone then', async () => {
    const machine = supervise(bossMachine({ a: 'polite', b: 'worker', c: 'slow' }), {
      strategy: 'one_for_all',
      children: {
        worker: {},
        polite: { restart: 'temporary', shutdown: 100 },
        slow: { restart: 'temporary', shutdown: 30 },
      },
    });
    const running = await run(machine);
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    await running.advance(80);
    expect(counts(running.root)).toEqual({ b: 0 });
    expect(running.root.getSnapshot().context.seen).toEqual([]);
    await running.end();
  });

  test('giving up asks the children to shut down as well', async () => {
    const machine = supervise(bossMachine({ a: 'polite', b: 'worker', c: 'slow' }), {
      strategy: 'one_for_one',
      intensity: 0,
      children: { worker: {}, polite: { shutdown: 100 }, slow: { shutdown: 200 } },
    });
    const running = await run(machine);
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    await running.advance(200);
    expect(running.root.getSnapshot().status).toBe('active');
    await running.advance(50);
    expect(running.root.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'SUPERVISION_EXCEEDED' } });
    expect(log.slice(3)).toEqual(['leave c', 'leave a']);
    await running.end();
  });

  test('a child that the machine stopped while a group was shutting down does not come back', async () => {
    const machine = supervise(bossMachine({ a: 'polite', b: 'worker', c: 'polite', d: 'worker' }), {
      strategy: 'one_for_all',
      children: { worker: {}, polite: { shutdown: 100 } },
    });
    const running = await run(machine);
    await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
    for (const id of ['b', 'c', 'd']) await running.send({ type: 'stop', id });
    await running.send({ type: 'spawn', id: 'd' });
    await running.advance(500);
    expect(counts(running.root)).toEqual({ a: 0, d: 0 });
    expect(childAt(running.root, 'd').getSnapshot().context.name).toBe('new');
    await running.end();
  });

  test('a child that the machine stopped is not restarted', async () => {
    const running = await run(boss());
    await running.send({ type: 'stop', id: 'a' });
    expect(counts(running.root)).toEqual({ b: 0, c: 0 });
    await running.end();
  });
});

test('a machine that is provided with other implementations stays supervised', async () => {
  const running = await inMemory(boss().provide({ actions: {} }));
  await running.send({ type: 'to', id: 'a', event: { type: 'die' } });
  expect(counts(running.root)).toEqual({ a: 0, b: 0, c: 0 });
  await running.end();
});

test('a temporary child leaves no row', async () => {
  const running = await inTree(boss({ children: { worker: { restart: 'temporary' } } }));
  await running.send({ type: 'to', id: 'a', event: { type: 'finish' } });
  await running.send({ type: 'to', id: 'b', event: { type: 'die' } });
  const rows = running.durable.store.commits.statements.of('select key from actors order by key').all();
  expect(rows).toEqual([{ key: 'c' }, { key: 'main' }]);
  await running.end();
});

test('in memory the window is kept by the clock that the options give', async () => {
  const clock = new SimulatedClock(5_000);
  const running = await inMemory(boss({ intensity: 1, periodMs: 100, clock }), new SimulatedClock(77));
  for (let at = 0; at < 5; at++) {
    await running.send({ type: 'to', id: 'a', event: { type: 'die' } });
    await clock.advance(100);
  }
  expect(counts(running.root)).toEqual({ a: 0, b: 0, c: 0 });
  await running.end();
});

test('a restart is an incident that names child, reason and count', async () => {
  const running = await inTree(boss());
  await running.send({ type: 'to', id: 'a', event: { type: 'die' } });
  await running.send({ type: 'to', id: 'a', event: { type: 'die' } });
  expect(running.incidents()).toEqual([
    { kind: 'child.restarted', detail: 'the child "a" (worker) of "main": boom, restart 1 in 5000 ms' },
    { kind: 'child.exceeded', detail: 'the child "a" (worker) of "main": boom' },
  ]);
  await running.end();
});

test('a reference to the old child that a context holds is dead, also after a crash, and says so', async () => {
  const machine = setup({
    types: {} as { context: { ref: AnyActorRef } },
    actors: { worker: workerMachine(undefined) },
  }).createMachine({
    context: ({ spawn }) => ({ ref: spawn('worker', { id: 'w', input: { name: 'w' } }) }),
    on: { use: { actions: sendTo(({ context }) => context.ref, { type: 'add' }) } },
  });
  const first = await inTree(supervise(machine, { strategy: 'one_for_one', children: { worker: {} } }));
  await first.durable.send({ type: 'die' }, { to: 'w' });
  await first.send({ type: 'use' });
  const second = await first.crash();
  await second.send({ type: 'use' });
  await second.send({ type: 'use' });
  expect(counts(second.root)).toEqual({ w: 0 });
  expect(second.incidents().map(({ kind }) => kind)).toEqual([
    'child.restarted',
    'child.deadLettered',
    'actor.deadLettered',
    'actor.deadLettered',
  ]);
  await second.end();
});
