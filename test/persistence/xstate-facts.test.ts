/** What XState does not do by itself, fact by fact (X1 to X31), and what is done about it. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  assign,
  createActor,
  createMachine,
  emit,
  fromCallback,
  fromPromise,
  initialTransition,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  transition,
  type AnyActorRef,
  type AnyStateMachine,
} from 'xstate';
import { expect, test } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor, type DurableOptions } from '../../persistence/create.ts';
import type { StoredState } from '../../persistence/migrations.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { tempStore } from '../support/temp.ts';
import { settle } from '../support/two-lives.ts';

const never = new Promise<never>(() => {});

const noting = (what: string) =>
  assign({ seen: ({ context }) => [...((context as { seen?: string[] }).seen ?? []), what] }) as never;

/** Opens, does something, crashes, opens again. */
async function restarted<T extends AnyStateMachine>(
  machine: T,
  options: Omit<DurableOptions<T>, 'store'> = {},
  before: (durable: Awaited<ReturnType<typeof createDurableActor<T>>>) => Promise<unknown> = async () => {},
) {
  const store = tempStore();
  const a = await createDurableActor(machine, { ...options, store } as DurableOptions<T>);
  await before(a);
  crash(a);
  return createDurableActor(machine, { ...options, store } as DurableOptions<T>);
}

test('X1: an `after` timer fires at its absolute due time after a restart', async () => {
  const clock = new SimulatedClock(1_000);
  const machine = createMachine({ initial: 'a', states: { a: { after: { 1_000: 'b' } }, b: {} } });
  const b = await restarted(machine, { clock }, () => clock.advance(400));
  await clock.advance(599);
  expect(b.getSnapshot().value).toBe('a');
  await clock.advance(1);
  expect(b.getSnapshot().value).toBe('b');
  await b.close();
});

test('X2: a delayed `raise` and a delayed `sendTo` arrive at their due time after a restart', async () => {
  const clock = new SimulatedClock(1_000);
  const kid = createMachine({ on: { hello: { actions: sendParent({ type: 'answered' }) } } });
  const machine = setup({ actors: { kid } }).createMachine({
    context: { seen: [] },
    entry: [
      spawnChild('kid', { id: 'kid' }),
      sendTo('kid', { type: 'hello' }, { delay: 20 }),
      raise({ type: 'raised' }, { delay: 30 }),
    ],
    on: { answered: { actions: noting('answered') }, raised: { actions: noting('raised') } },
  });
  const b = await restarted(machine, { clock }, () => clock.advance(19));
  expect(b.getSnapshot().context['seen']).toEqual([]);
  await clock.advance(1);
  expect(b.getSnapshot().context['seen']).toEqual(['answered']);
  await clock.advance(10);
  expect(b.getSnapshot().context['seen']).toEqual(['answered', 'raised']);
  await b.close();
});

test('X3: promises and callbacks that were running run again after a restart, with the input they had', async () => {
  const asked: unknown[] = [];
  const machine = setup({
    types: {} as { context: { n: number } },
    actors: {
      promise: fromPromise<never, unknown>(({ input }) => (asked.push(input), never)),
      callback: fromCallback<{ type: string }, unknown>(({ input }) => void asked.push(input)),
    },
  }).createMachine({
    context: { n: 1 },
    entry: assign({ n: 2 }),
    invoke: [
      {
        src: 'promise',
        id: 'promise',
        input: ({ context }: { context: { n: number } }) => ({ at: new Date(context.n) }),
      },
      { src: 'callback', id: 'callback', input: ({ context }: { context: { n: number } }) => new Set([context.n]) },
    ],
  });
  const b = await restarted(machine);
  const inputs = [{ at: new Date(2) }, new Set([2])];
  expect(asked).toEqual([...inputs, ...inputs]);
  await b.close();
});

test('X6: what nobody catches fails the tree for good, is told to the host, and never kills the process', async () => {
  const machine = setup({ actors: { work: fromPromise(async () => Promise.reject(new TypeError('unheard'))) } });
  const failing = machine.createMachine({ invoke: { src: 'work', id: 'work' } });
  const b = await restarted(failing, {}, (a) => expect(a.output).rejects.toThrow(new TypeError('unheard')));
  expect(b.getSnapshot().status).toBe('error');
  await expect(b.output).rejects.toThrow(new TypeError('unheard'));
  await expect(b.send({ type: 'x' })).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
  await b.close();
});

test('X7: an Error, a Map, a Set, a Date, `undefined` and a BigInt come back as what they were', async () => {
  const context = {
    error: new RangeError('far', { cause: 1n }),
    map: new Map([[{ k: 1 }, undefined]]),
    set: new Set([new Date(3)]),
    gone: undefined,
  };
  const b = await restarted(createMachine({ context }));
  expect(b.getSnapshot().context).toStrictEqual(context);
  await b.close();
});

test('X8: `transition()` may be asked what a durable tree would do, and does not do it', async () => {
  const kid = createMachine({ initial: 'on', states: { on: {} } });
  const machine = setup({ actors: { kid } }).createMachine({
    initial: 'a',
    states: { a: { on: { next: { target: 'b', actions: spawnChild('kid', { id: 'kid' }) } } }, b: {} },
  });
  const b = await restarted(machine);
  const [next, actions] = transition(machine, b.getSnapshot(), { type: 'next' });
  expect(next.value).toBe('b');
  expect(next.children['kid']?.getSnapshot()).toMatchObject({ status: 'active', value: 'on' });
  expect(actions.map(({ type }) => type)).toEqual(['xstate.spawnChild']);
  expect(b.getSnapshot().value).toBe('a');
  expect(b.getSnapshot().children).toEqual({});
  await b.close();
});

test('X10: `inspect` sees a durable tree, after a restart too, and `emit` is heard', async () => {
  const types: string[] = [];
  const machine = setup({ types: {} as { emitted: { type: 'said' } } }).createMachine({
    on: { say: { actions: emit({ type: 'said' }) } },
  });
  const b = await restarted(machine, { inspect: ({ type }) => void types.push(type) });
  const heard: string[] = [];
  b.on('said', ({ type }) => heard.push(type));
  types.length = 0;
  await b.send({ type: 'say' });
  expect(types).toEqual(expect.arrayContaining(['@xstate.event', '@xstate.snapshot', '@xstate.microstep']));
  expect(heard).toEqual(['said']);
  await b.close();
});

test('X11: machines with `after`, `invoke` and `always` are walked over `transition()`, and drawn from their nodes', () => {
  const machine = setup({ actors: { work: fromPromise(() => never) } }).createMachine({
    initial: 'a',
    states: {
      a: { after: { 5: 'b' } },
      b: { invoke: { src: 'work', id: 'work', onDone: 'c' } },
      c: { always: 'd' },
      d: {},
    },
  });
  const events = ['xstate.after.5.(machine).a', 'xstate.done.actor.work'].map((type) => ({ type }));
  const reached = new Set<unknown>();
  const queue = [initialTransition(machine)[0]];
  for (const state of queue) {
    if (reached.has(state.value)) continue;
    reached.add(state.value);
    for (const event of events) queue.push(transition(machine, state, event as never)[0]);
  }
  expect([...reached]).toEqual(['a', 'b', 'd']);
  const { a, b, c } = machine.root.states as Record<string, (typeof machine.root.states)[string]>;
  expect([a?.after.length, b?.invoke.length, c?.always?.length]).toEqual([1, 1, 1]);
});

test('X12: a restart enters nothing again and tells the tree `runtime.resumed`', async () => {
  const clock = new SimulatedClock(500);
  let open = false;
  const machine = createMachine({
    context: { seen: [], resumed: 0 },
    entry: noting('entered'),
    initial: 'a',
    on: { 'runtime.resumed': { actions: assign({ resumed: ({ event }) => event['at'] as number }) } },
    states: { a: { entry: noting('a'), always: { guard: () => open, target: 'b' } }, b: {} },
  });
  const b = await restarted(machine, { clock }, async () => {
    open = true;
    await clock.advance(250);
  });
  // `always` is asked again with the first event, which is this one.
  expect(b.getSnapshot()).toMatchObject({ value: 'b', context: { seen: ['entered', 'a'], resumed: 750 } });
  await b.close();
});

test('X13: a flood of sends is committed in batches that do not grow without bound', async () => {
  let commits = 0;
  const machine = createMachine({
    context: { n: 0 },
    on: { count: { actions: assign({ n: ({ context }) => (context['n'] as number) + 1 }) } },
  });
  const a = await createDurableActor(machine, { store: tempStore(), onCommit: () => void (commits += 1) });
  commits = 0;
  await Promise.all(Array.from({ length: 5_000 }, () => a.send({ type: 'count' })));
  expect(a.getSnapshot().context['n']).toBe(5_000);
  expect(commits).toBe(3);
  await a.close();
});

test('X14: what a turn causes in any actor, however deep, is committed with it or not at all', async () => {
  const chain = (depth: number): AnyStateMachine =>
    setup({ actors: { next: depth === 0 ? createMachine({}) : chain(depth - 1) } }).createMachine({
      context: { seen: [] },
      invoke: { src: 'next', id: 'next' },
      on: { ask: { actions: [noting('asked'), sendTo('next', { type: 'ask' })] } },
    });
  const store = tempStore();
  const countAsked = (ref: AnyActorRef | undefined): number => {
    const { context, children } = (ref?.getSnapshot() ?? {}) as { context?: { seen: string[] }; children?: never };
    return context?.seen === undefined ? 0 : context.seen.length + countAsked(children?.['next']);
  };
  const a = await createDurableActor(chain(4), { store });
  const lost = a.send({ type: 'ask' });
  await Promise.resolve();
  expect(countAsked(a.actor)).toBe(5);
  crash(a);
  await expect(lost).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  const b = await createDurableActor(chain(4), { store });
  expect(countAsked(b.actor)).toBe(0);
  await b.send({ type: 'ask' });
  crash(b);
  const c = await createDurableActor(chain(4), { store });
  expect(countAsked(c.actor)).toBe(5);
  await c.close();
});

test('X16: an invoke that is added to a state without a new version starts when the state is entered again', async () => {
  const started: string[] = [];
  const work = fromPromise(() => (started.push('work'), never));
  const machineWith = (invoke: object) =>
    setup({ actors: { work } }).createMachine({
      initial: 'a',
      states: { a: { ...invoke, on: { again: { target: 'a', reenter: true } } } },
    });
  const store = tempStore();
  crash(await createDurableActor(machineWith({}), { store }));
  const b = await createDurableActor(machineWith({ invoke: { src: 'work', id: 'work' } }), { store });
  await settle();
  expect(started).toEqual([]);
  await b.send({ type: 'again' });
  expect(started).toEqual(['work']);
  await b.close();
});

test('X21: children of a machine that threw go on, as they do in XState, after a restart too', async () => {
  const clock = new SimulatedClock(1_000);
  const leaf = createMachine({
    context: { seen: [] },
    initial: 'young',
    on: { hello: { actions: noting('hello') } },
    states: { young: { after: { 50: 'old' } }, old: {} },
  });
  const broken = setup({ actors: { leaf } }).createMachine({
    entry: spawnChild('leaf', { id: 'leaf', systemId: 'leaf' }),
    on: {
      fail: {
        actions: () => {
          throw new Error('broken');
        },
      },
    },
  });
  const machine = setup({ actors: { broken } }).createMachine({
    entry: spawnChild('broken', { id: 'broken' }),
    on: { 'xstate.error.actor.broken': {} } as never,
  });
  const b = await restarted(machine, { clock }, (a) => a.send({ type: 'fail' } as never, { to: 'broken' }));
  expect(b.getSnapshot().children['broken']?.getSnapshot().status).toBe('error');
  await b.send({ type: 'hello' } as never, { to: 'leaf' });
  await clock.advance(50);
  const found = b.actor.system.get('leaf' as never) as AnyActorRef;
  expect(found.getSnapshot()).toMatchObject({ value: 'old', context: { seen: ['hello'] } });
  await b.close();
});

test('X21: a finished child stays until it is stopped, and its row with it', async () => {
  const brief = createMachine({ initial: 'over', states: { over: { type: 'final' } } });
  const machine = setup({ actors: { brief } }).createMachine({ entry: spawnChild('brief', { id: 'kid' }) });
  const b = await restarted(machine);
  expect(b.getSnapshot().children['kid']?.getSnapshot().status).toBe('done');
  expect(b.resumed?.actors).toBe(2);
  await b.close();
});

test('X23: X27: closing stops no actor, so it loses none and costs nothing for each', async () => {
  const kid = createMachine({ exit: () => expect.unreachable('nobody stops'), initial: 'on', states: { on: {} } });
  const machine = setup({ actors: { kid } }).createMachine({
    entry: Array.from({ length: 500 }, (_, n) => spawnChild('kid', { id: `kid ${n}` })),
  });
  const store = tempStore();
  const a = await createDurableActor(machine, { store });
  const kids = Object.values(a.getSnapshot().children);
  await a.close();
  expect(new Set(kids.map((one) => one?.getSnapshot().status))).toEqual(new Set(['active']));
  const b = await createDurableActor(machine, { store });
  expect(b.resumed?.actors).toBe(501);
  await b.close();
});

test('X24: an actor that threw in its transition is kept as failed, though XState tells no snapshot of it', async () => {
  const kid = createMachine({
    on: {
      fail: {
        actions: () => {
          throw new Error('in its transition');
        },
      },
    },
  });
  const machine = setup({ actors: { kid } }).createMachine({
    entry: spawnChild('kid', { id: 'kid' }),
    on: { 'xstate.error.actor.kid': {} } as never,
  });
  const b = await restarted(machine, {}, (a) => a.send({ type: 'fail' } as never, { to: 'kid' }));
  expect(b.getSnapshot().children['kid']?.getSnapshot()).toMatchObject({
    status: 'error',
    error: new Error('in its transition'),
  });
  await b.close();
});

test('X29: what a machine names and nobody implemented is skipped by XState, and by a durable tree alike', async () => {
  const machine = createMachine({ on: { go: { actions: 'nobody' } } });
  const b = await restarted(machine, {}, (a) => a.send({ type: 'go' }));
  expect(b.getSnapshot().status).toBe(createActor(machine).start().getSnapshot().status);
  await b.close();
});

test.each<[what: string, code: string, stored: object]>([
  ['a status that is none', 'MIGRATION_FAILED', { status: 'zombie' }],
  ['no status at all', 'MIGRATION_FAILED', { status: undefined }],
  ['a state that is none', 'MACHINE_CHANGED', { value: 'nowhere' }],
  ['`__proto__` as a state', 'MACHINE_CHANGED', { value: '__proto__' }],
  ['a state of a state that has none', 'MACHINE_CHANGED', { value: { a: 'b' } }],
  ['no state at all', 'MACHINE_CHANGED', { value: undefined }],
  ['half of a parallel state', 'MACHINE_CHANGED', { value: { both: { l: 'x' } } }],
  ['history that is no list', 'MACHINE_CHANGED', { historyValue: { past: 7 } }],
  ['history of a state that is none', 'MACHINE_CHANGED', { historyValue: { '(machine).past': [{ id: 'nowhere' }] } }],
])('X25: %s is refused with %s, and the file stays as it is', async (_, code, stored) => {
  const machineOf = (version: string) =>
    createMachine({
      version,
      initial: 'a',
      states: {
        a: {},
        both: {
          type: 'parallel',
          states: { l: { initial: 'x', states: { x: {} } }, r: { initial: 'x', states: { x: {} } } },
        },
        past: { type: 'history' },
      },
    });
  const store = tempStore();
  await (await createDurableActor(machineOf('1'), { store })).close();
  const change = (state: StoredState) => ({ ...state, ...stored }) as StoredState;
  const migrate = { '(machine)': [{ from: '1', to: '2', migrate: change }] };
  await expect(createDurableActor(machineOf('2'), { store, migrate })).rejects.toMatchObject({
    code,
    message: expect.stringContaining('"main"'),
  });
  const again = await createDurableActor(machineOf('1'), { store });
  expect(again.getSnapshot().value).toBe('a');
  await again.close();
});

test('X26: no event of our own has a type that is made while it runs, which XState would remember for ever', () => {
  const files = ['machines', 'actors', 'persistence'].flatMap((folder) =>
    readdirSync(folder).map((file) => join(folder, file)),
  );
  const made = files.filter((file) => /\btype: (`|[\w.]+ \+|'[^']*' \+)/.test(readFileSync(file, 'utf8')));
  expect(files.length).toBeGreaterThan(30);
  expect(made).toEqual([]);
});

test('X28: what is changed in place is not kept, in XState and here: only what is assigned is', async () => {
  const machine = createMachine({
    context: { list: [] as number[] },
    on: {
      change: { actions: ({ context }) => void context.list.push(1) },
      assign: { actions: assign({ list: ({ context }) => [...context.list, 2] }) },
    },
  });
  const store = tempStore();
  const a = await createDurableActor(machine, { store });
  await a.send({ type: 'change' });
  crash(a);
  const fresh = createMachine({ ...machine.config, context: { list: [] } } as never) as typeof machine;
  const b = await createDurableActor(fresh, { store });
  expect(b.getSnapshot().context.list).toEqual([]);
  await b.send({ type: 'assign' });
  crash(b);
  const c = await createDurableActor(fresh, { store });
  expect(c.getSnapshot().context.list).toEqual([2]);
  await c.close();
});

test('X31: an actor that took the place of another is addressed by its systemId; what goes to the old one goes nowhere', async () => {
  const kid = createMachine({ context: { seen: [] }, on: { hello: { actions: noting('hello') } } });
  const machine = setup({ actors: { kid } }).createMachine({
    context: ({ spawn }) => ({ kid: spawn('kid', { id: 'kid', systemId: 'the kid' }) }),
    on: {
      swap: { actions: [stopChild('kid'), spawnChild('kid', { id: 'kid', systemId: 'the kid' })] },
      old: { actions: sendTo(({ context }) => context.kid as AnyActorRef, { type: 'hello' }) },
    },
  });
  const b = await restarted(machine, {}, (a) => a.send({ type: 'swap' }));
  const seen = () => {
    const kid = b.getSnapshot().children['kid'] as AnyActorRef;
    return (kid.getSnapshot() as { context: { seen: string[] } }).context.seen;
  };
  await b.send({ type: 'old' });
  expect(seen()).toEqual([]);
  await b.send({ type: 'hello' } as never, { to: 'the kid' });
  expect(seen()).toEqual(['hello']);
  await b.close();
});

test('each of the facts X1 to X31 has a test that names it', () => {
  const folders = ['test/persistence', 'test/properties', 'test/recovery', 'test/machines'];
  const files = folders.flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)));
  const text = files.filter((file) => file.endsWith('.test.ts')).map((file) => readFileSync(file, 'utf8'));
  const named = new Set(
    text
      .flatMap((one) => [...one.matchAll(/['"`,] ?(?:X\d+: ?)*X(\d+): /g)].map(([all]) => all))
      .flatMap((all) => all.match(/\d+/g) ?? []),
  );
  const all = Array.from({ length: 31 }, (_, index) => String(index + 1));
  expect(all.filter((number) => !named.has(number))).toEqual([]);
});
