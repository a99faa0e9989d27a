import { assign, cancel, createActor, raise, sendParent, sendTo, setup, spawnChild, type AnyActorRef } from 'xstate';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Clock } from '../../persistence/clock.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { quickStore, tempStore } from '../support/temp.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

type Ring = { readonly type: 'ring'; readonly name: string };

/** Writes down who rang. Nothing here reads a clock. */
const bell = setup({
  types: {} as {
    context: { rang: readonly string[] };
    events:
      | Ring
      | { type: 'set'; name: string; delay: number }
      | { type: 'unset'; name: string }
      | { type: 'bad'; delay: number };
  },
}).createMachine({
  id: 'bell',
  context: { rang: [] },
  on: {
    set: { actions: raise(({ event }) => ({ type: 'ring', name: event.name }), { delay: ({ event }) => event.delay }) },
    ring: { actions: assign({ rang: ({ context, event }) => [...context.rang, event.name] }) },
  },
});

/** Sets what it is told under ids, for itself and for its parent, until it is done. */
const ringer = setup({
  types: {} as { events: { type: 'set.a' | 'soon.a' | 'set.b' | 'unset.a' | 'unset.b' | 'leave' } & { type: string } },
}).createMachine({
  id: 'ringer',
  initial: 'in',
  states: {
    in: {
      on: {
        'set.a': { actions: sendParent({ type: 'ring', name: 'a' }, { id: 'a', delay: 100 }) },
        'soon.a': { actions: sendParent({ type: 'ring', name: 'soon a' }, { id: 'a', delay: 30 }) },
        'set.b': { actions: sendParent({ type: 'ring', name: 'b' }, { id: 'b', delay: 50 }) },
        'unset.a': { actions: cancel('a') },
        'unset.b': { actions: cancel('b') },
        leave: 'out',
      },
    },
    out: { type: 'final' },
  },
});

/** A bell whose timers have ids, and belong to a child. XState takes ids as constants, so they are few. */
const named = setup({
  types: {} as { context: { rang: readonly string[] }; events: Ring | { type: 'set.a' } | { type: 'unset.a' } },
  actors: { ringer },
}).createMachine({
  id: 'named',
  context: { rang: [] },
  invoke: { src: 'ringer', id: 'ringer' },
  on: {
    ring: { actions: assign({ rang: ({ context, event }) => [...context.rang, event.name] }) },
    '*': { actions: sendTo('ringer', ({ event }) => event) },
  },
});

/** Two clocks that a test moves apart, as a step of the wall clock does. */
class JumpingClock extends SimulatedClock {
  #ahead = 0;
  override now(): number {
    return super.now() + this.#ahead;
  }
  monotonic(): number {
    return super.now();
  }
  jump(ms: number): void {
    this.#ahead += ms;
  }
}

test('property: rings each timer once, at its due time and never before, in due order, across any crashes', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), delay: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ kind: fc.constant('crash' as const), down: fc.integer({ min: 0, max: 60 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const [store, clock] = [tempStore(), new SimulatedClock(1_000)];
      const open = () => createDurableActor(bell, { store, clock, durability: 'process-crash' });
      const set: { name: string; due: number }[] = [];
      let durable = await open();
      const check = () => {
        const due = set
          .filter((timer) => timer.due <= clock.now())
          .sort((a, b) => a.due - b.due || Number(a.name) - Number(b.name));
        expect(durable.getSnapshot().context.rang).toEqual(due.map(({ name }) => name));
      };
      for (const one of steps) {
        if (one.kind === 'set') {
          const name = String(set.length);
          await durable.send({ type: 'set', name, delay: one.delay });
          // What is due at once must not overtake what is due before it.
          set.push({ name, due: clock.now() + one.delay });
          await clock.advance(0);
        } else if (one.kind === 'advance') await clock.advance(one.ms);
        else {
          crash(durable);
          await clock.advance(one.down);
          durable = await open();
          await clock.advance(0);
        }
        check();
      }
      await clock.advance(100);
      check();
      await durable.close();
    }),
    { numRuns: 60 },
  );
});

test('H35: fires late timers at restart in the order in which they were due', async () => {
  const [store, clock] = [tempStore(), new SimulatedClock()];
  const a = await createDurableActor(bell, { store, clock });
  for (const [name, delay] of [
    ['c', 300],
    ['a', 100],
    ['d', 400],
    ['b', 200],
  ] as const)
    await a.send({ type: 'set', name, delay });
  crash(a);
  await clock.advance(1_000);
  const b = await createDurableActor(bell, { store, clock });
  expect(b.resumed).toMatchObject({ timersDue: 4 });
  await clock.advance(0);
  expect(b.getSnapshot().context.rang).toEqual(['a', 'b', 'c', 'd']);
  await b.close();
});

test('X20: a delay of 30 days is 30 days, though it does not fit into 32 bits', async () => {
  const [store, clock] = [tempStore(), new SimulatedClock()];
  const a = await createDurableActor(bell, { store, clock });
  await a.send({ type: 'set', name: 'month', delay: 30 * DAY_MS });
  await clock.advance(1_000);
  expect(a.getSnapshot().context.rang).toEqual([]);
  crash(a);
  await clock.advance(30 * DAY_MS - 1_001);
  const b = await createDurableActor(bell, { store, clock });
  expect(b.getSnapshot().context.rang).toEqual([]);
  await clock.advance(1);
  expect(b.getSnapshot().context.rang).toEqual(['month']);
  await b.close();
});

test('X9: a month of a live tree is moved by hand in no time', async () => {
  const clock = new SimulatedClock();
  const a = await createDurableActor(bell, { store: tempStore(), clock });
  await a.send({ type: 'set', name: 'month', delay: 30 * DAY_MS });
  await clock.advance(30 * DAY_MS - 1);
  expect(a.getSnapshot().context.rang).toEqual([]);
  await clock.advance(1);
  expect(a.getSnapshot().context.rang).toEqual(['month']);
  await a.close();
});

test('never asks the clock for more than it can count', async () => {
  const asked: number[] = [];
  const clock: Clock = {
    now: () => 0,
    setTimeout: (_, ms) => asked.push(ms),
    clearTimeout: () => {},
  };
  const a = await createDurableActor(bell, { store: tempStore(), clock });
  await a.send({ type: 'set', name: 'month', delay: 30 * DAY_MS });
  expect(asked.length).toBeGreaterThan(0);
  expect(Math.max(...asked)).toBeLessThan(2 ** 31);
  await a.close();
});

test('does not believe a timeout that comes too early', async () => {
  const fired: (() => void)[] = [];
  let now = 0;
  const clock: Clock = {
    now: () => now,
    setTimeout: (fn, ms) => void (ms === 99 || ms === 100 || ms === 1 ? fired.push(fn) : 0),
    clearTimeout: () => {},
  };
  const a = await createDurableActor(bell, { store: tempStore(), clock });
  await a.send({ type: 'set', name: 'a', delay: 100 });
  now = 99;
  fired.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(a.getSnapshot().context.rang).toEqual([]);
  now = 100;
  fired.shift()?.();
  await a.waitFor(({ context }) => context.rang.length === 1);
  await a.close();
});

test('a cancelled timer never fires, also not after a crash', async () => {
  const [store, clock] = [tempStore(), new SimulatedClock()];
  let a = await createDurableActor(named, { store, clock });
  await a.send({ type: 'set.a' });
  await a.send({ type: 'unset.a' });
  crash(a);
  a = await createDurableActor(named, { store, clock });
  await clock.advance(200);
  expect(a.getSnapshot().context.rang).toEqual([]);
  await a.close();
});

test('property: an id is set, set again, cancelled and left behind as in plain XState, across any crashes', async () => {
  const event = fc.constantFrom('set.a', 'soon.a', 'set.b', 'unset.a', 'unset.b');
  const step = fc.oneof(
    { weight: 100, arbitrary: fc.array(event, { minLength: 1, maxLength: 3 }) },
    { weight: 60, arbitrary: fc.integer({ min: 1, max: 60 }) },
    { weight: 30, arbitrary: fc.constant('crash' as const) },
    { weight: 2, arbitrary: fc.constant(['set.a', 'set.a', 'leave'] as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const [store, clock, plainClock] = [quickStore(), new SimulatedClock(), new SimulatedClock()];
      const open = () => createDurableActor(named, { store, clock, durability: 'process-crash' });
      const plain = createActor(named, { clock: plainClock as never }).start();
      let durable = await open();
      for (const one of steps) {
        if (one === 'crash') {
          crash(durable);
          durable = await open();
        } else if (typeof one === 'number') {
          await clock.advance(one);
          await plainClock.advance(one);
        } else {
          await Promise.all(one.map((type) => durable.send({ type } as never)));
          for (const type of one) plain.send({ type } as never);
        }
        expect(durable.getSnapshot().context).toEqual(plain.getSnapshot().context);
      }
      await durable.close();
    }),
    { numRuns: 300 },
  );
});

test('a timer of a state that was left never fires, though its row was written by an earlier process', async () => {
  const machine = setup({ types: {} as { events: { type: 'leave' } } }).createMachine({
    id: 'm',
    initial: 'waiting',
    states: { waiting: { after: { 100: 'late' }, on: { leave: 'left' } }, late: {}, left: {} },
  });
  const [store, clock] = [tempStore(), new SimulatedClock()];
  crash(await createDurableActor(machine, { store, clock }));
  const b = await createDurableActor(machine, { store, clock });
  await b.send({ type: 'leave' });
  crash(b);
  const c = await createDurableActor(machine, { store, clock });
  await clock.advance(1_000);
  expect(c.getSnapshot().value).toBe('left');
  expect(c.store.commits.statements.of('select count(*) as n from timers').get()).toEqual({ n: 0 });
  await c.close();
});

test('when the wall clock goes back an hour, a timer still fires after its delay', async () => {
  const clock = new JumpingClock(10 * HOUR_MS);
  const a = await createDurableActor(bell, { store: tempStore(), clock });
  await a.send({ type: 'set', name: 'a', delay: 60_000 });
  clock.jump(-HOUR_MS);
  await clock.advance(59_000);
  expect(a.getSnapshot().context.rang).toEqual([]);
  await clock.advance(31_000);
  expect(a.getSnapshot().context.rang).toEqual(['a']);
  await a.close();
});

test('when the wall clock jumps past the due time, the timer fires within 30 seconds', async () => {
  const clock = new JumpingClock();
  const a = await createDurableActor(bell, { store: tempStore(), clock });
  await a.send({ type: 'set', name: 'a', delay: HOUR_MS });
  clock.jump(2 * HOUR_MS);
  await clock.advance(30_000);
  expect(a.getSnapshot().context.rang).toEqual(['a']);
  await a.close();
});

test('when the wall clock goes ahead by mistake and comes back, no timer fires before its delay is over', async () => {
  const clock = new JumpingClock();
  const a = await createDurableActor(bell, { store: tempStore(), clock });
  await a.send({ type: 'set', name: 'before', delay: 2 * HOUR_MS });
  clock.jump(HOUR_MS);
  await clock.advance(60_000);
  await a.send({ type: 'set', name: 'during', delay: 2 * HOUR_MS });
  clock.jump(-HOUR_MS);
  await clock.advance(2 * HOUR_MS - 120_000);
  expect(a.getSnapshot().context.rang).toEqual([]);
  await clock.advance(60_000);
  expect(a.getSnapshot().context.rang).toEqual(['before']);
  await clock.advance(90_000);
  expect(a.getSnapshot().context.rang).toEqual(['before', 'during']);
  await a.close();
});

test('a clock that was ahead at a restart, and is put right, does not make a timer early', async () => {
  const store = tempStore();
  const clock = new JumpingClock(DAY_MS);
  const before = await createDurableActor(bell, { store, clock });
  await before.send({ type: 'set', name: 'month', delay: 30 * DAY_MS });
  crash(before);

  clock.jump(30 * DAY_MS - 1_000);
  const durable = await createDurableActor(bell, { store, clock });
  clock.jump(1_000 - 30 * DAY_MS);
  await clock.advance(DAY_MS);
  expect(durable.getSnapshot().context.rang).toEqual([]);
  await clock.advance(29 * DAY_MS);
  expect(durable.getSnapshot().context.rang).toEqual(['month']);
  await durable.close();
});

test('a delayed event carries references across a crash, and reaches the same actor', async () => {
  const kid = setup({
    types: {} as { context: { from?: AnyActorRef }; events: { type: 'hello'; from: AnyActorRef } },
  }).createMachine({ id: 'kid', context: {}, on: { hello: { actions: assign({ from: ({ event }) => event.from }) } } });
  const machine = setup({ actors: { kid } }).createMachine({
    id: 'm',
    entry: [
      spawnChild('kid', { id: 'kid' }),
      sendTo('kid', ({ self }) => ({ type: 'hello', from: self }), { delay: 100 }),
    ],
  });
  const [store, clock] = [tempStore(), new SimulatedClock()];
  crash(await createDurableActor(machine, { store, clock }));
  const b = await createDurableActor(machine, { store, clock });
  await clock.advance(100);
  const snapshot = b.getSnapshot().children['kid']?.getSnapshot() as { context: { from?: AnyActorRef } };
  expect(snapshot.context.from).toBe(b.actor);
  await b.close();
});

test('a delayed event to an actor outside of the tree refuses its turn: it could not be found again', async () => {
  const stranger = createActor(bell, { id: 'stranger' }).start();
  const machine = setup({
    types: {} as { context: { count: number }; events: { type: 'count' } | { type: 'set' } },
  }).createMachine({
    id: 'm',
    context: { count: 0 },
    on: {
      count: { actions: assign({ count: ({ context }) => context.count + 1 }) },
      set: { actions: sendTo(() => stranger, { type: 'ring', name: 'x' }, { delay: 10 }) },
    },
  });
  const a = await createDurableActor(machine, { store: tempStore(), clock: new SimulatedClock() });
  const [bad, good] = await Promise.allSettled([a.send({ type: 'set' }), a.send({ type: 'count' })]);
  const facts = { source: 'main', target: 'stranger', event: 'ring' };
  expect(bad).toMatchObject({ reason: { code: 'CODEC_REFUSED', facts } });
  expect(good.status).toBe('fulfilled');
  await a.close();
  stranger.stop();
});

test('a delay that is no number refuses its own turn and nothing else', async () => {
  const [store, clock] = [tempStore(), new SimulatedClock()];
  const a = await createDurableActor(bell, { store, clock });
  const [bad, good] = await Promise.allSettled([
    a.send({ type: 'set', name: 'bad', delay: Number.NaN }),
    a.send({ type: 'set', name: 'good', delay: 10 }),
  ]);
  expect(bad).toMatchObject({ reason: { code: 'CODEC_REFUSED', message: expect.stringContaining('"main"') } });
  expect(good.status).toBe('fulfilled');
  await clock.advance(10);
  expect(a.getSnapshot().context.rang).toEqual(['good']);
  await a.close();
});

test('a timer whose row was damaged is refused by name, and nothing of its tree starts', async () => {
  const [store, clock] = [tempStore(), new SimulatedClock()];
  const a = await createDurableActor(bell, { store, clock });
  await a.send({ type: 'set', name: 'x', delay: 1_000 });
  crash(a);
  const db = new Database(store);
  const timer = db.prepare('select id from timers').pluck().get();
  db.prepare('update timers set due = due - 500').run();
  db.close();
  await expect(createDurableActor(bell, { store, clock })).rejects.toMatchObject({
    code: 'ROW_CORRUPT',
    facts: { timer },
  });
});
