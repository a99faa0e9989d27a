import { assign, fromPromise, sendTo, setup, spawnChild, stopChild, type ActorRefFrom, type AnyActorRef } from 'xstate';
import { expect, test } from 'vitest';
import { createDurableActor } from '../../persistence/create.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { quickStore, tempStore } from '../support/temp.ts';

const child = setup({
  types: {} as {
    context: { n: number; boss?: AnyActorRef };
    input: { boss?: AnyActorRef };
    events: { type: 'inc' } | { type: 'late' };
  },
}).createMachine({
  id: 'child',
  context: ({ input }) => ({ n: 0, ...input }),
  on: { inc: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  initial: 'young',
  states: { young: { after: { 1000: 'old' } }, old: {} },
});

const work = fromPromise<number, { n: number }>(async ({ input }) => input.n * 2);

const parent = setup({
  types: {} as {
    context: { seen: Map<string, AnyActorRef>; at: Date; doubled: number[]; count: number };
    events:
      | { type: 'spawn'; id: string }
      | { type: 'stop'; id: string }
      | { type: 'count' }
      | { type: 'bad' }
      | { type: 'dup' }
      | { type: 'noid' }
      | { type: 'work'; n: number }
      | { type: 'poke'; id: string };
  },
  actors: { child, work },
}).createMachine({
  id: 'parent',
  context: { seen: new Map(), at: new Date(5), doubled: [], count: 0 },
  initial: 'idle',
  on: {
    spawn: {
      actions: assign({
        seen: ({ context, event, spawn, self }) =>
          new Map(context.seen).set(
            event.id,
            spawn('child', { id: event.id, input: { boss: self }, systemId: `sys-${event.id}` }),
          ),
      }),
    },
    stop: { actions: stopChild(({ event }) => event.id) },
    count: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    bad: { actions: assign({ at: () => (() => 1) as never }) },
    noid: { actions: assign(({ spawn }) => void spawn('child', { input: {} }) as never) },
    poke: {
      actions: sendTo(({ context, event }) => context.seen.get(event.id) as ActorRefFrom<typeof child>, {
        type: 'inc',
      }),
    },
  },
  states: {
    idle: { on: { work: 'working' } },
    working: {
      invoke: {
        src: 'work',
        id: 'work',
        input: ({ event }) => ({ n: (event as { n: number }).n }),
        onDone: {
          target: 'idle',
          actions: assign({ doubled: ({ context, event }) => [...context.doubled, event.output] }),
        },
      },
    },
  },
});

test('X5: comes back after a crash with children, references, timers and values that JSON would lose', async () => {
  const store = tempStore();
  const clock = new SimulatedClock(1_000_000);
  const a = await createDurableActor(parent, { store, clock });
  await a.send({ type: 'spawn', id: 'kid' });
  await a.send({ type: 'poke', id: 'kid' });
  await a.send({ type: 'work', n: 21 });
  await a.waitFor((s) => s.context.doubled.length === 1);
  const before = JSON.stringify(a.actor.getPersistedSnapshot());
  crash(a);
  const b = await createDurableActor(parent, { store, clock });
  expect(JSON.stringify(b.actor.getPersistedSnapshot())).toBe(before);
  expect(b.resumed).toMatchObject({ actors: 2 });
  const { context, children } = b.getSnapshot();
  expect(context.at).toEqual(new Date(5));
  expect(context.doubled).toEqual([42]);
  expect(context.seen.get('kid')).toBe(children['kid']);
  await b.send({ type: 'poke', id: 'kid' });
  const kid = children['kid'] as ActorRefFrom<typeof child>;
  expect(kid.getSnapshot().context).toMatchObject({ n: 2, boss: b.actor });
  await clock.advance(999);
  expect(kid.getSnapshot().value).toBe('young');
  await clock.advance(1);
  expect(kid.getSnapshot().value).toBe('old');
  await b.close();
});

test('applies a message id once, also after a crash', async () => {
  const store = tempStore();
  const a = await createDurableActor(parent, { store });
  expect(await a.send({ type: 'count' }, { id: 'm1' })).toMatchObject({ applied: true });
  expect(await a.send({ type: 'count' }, { id: 'm1' })).toMatchObject({ applied: false });
  crash(a);
  const b = await createDurableActor(parent, { store });
  expect(await b.send({ type: 'count' }, { id: 'm1' })).toMatchObject({ applied: false });
  expect(b.getSnapshot().context.count).toBe(1);
  await b.close();
});

test('refuses a turn that cannot be stored, alone, and goes on', async () => {
  const store = tempStore();
  const a = await createDurableActor(parent, { store });
  const results = await Promise.allSettled([
    a.send({ type: 'count' }),
    a.send({ type: 'bad' }),
    a.send({ type: 'count' }),
    a.send({ type: 'noid' }),
    a.send({ type: 'count' }),
  ]);
  expect(results.map((r) => (r.status === 'fulfilled' ? 'ok' : (r.reason as { code: string }).code))).toEqual([
    'ok',
    'CODEC_REFUSED',
    'ok',
    'CHILD_ID_MISSING',
    'ok',
  ]);
  expect(a.getSnapshot().context.count).toBe(3);
  await a.close();
});

test.each([999, 1_000, 1_001])(
  'a tree of %i children comes back whole, although rows are read by the thousand',
  async (n) => {
    const leaf = setup({}).createMachine({ id: 'leaf' });
    const tree = setup({ actors: { leaf } }).createMachine({
      entry: Array.from({ length: n }, (_, index) => spawnChild('leaf', { id: `leaf${index}` })),
    });
    const store = quickStore();
    crash(await createDurableActor(tree, { store }));
    const b = await createDurableActor(tree, { store });
    expect(b.resumed?.actors).toBe(n + 1);
    expect(Object.keys(b.getSnapshot().children)).toHaveLength(n);
    await b.close();
  },
);
