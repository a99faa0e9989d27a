/** Actors of every kind come back: every state of their tree is restarted twice, and compared with one that never died. */
import {
  assign,
  createMachine,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  fromTransition,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorRef,
  type AnyStateMachine,
} from 'xstate';
import { describe, test } from 'vitest';
import { WAYS, liveTwice, type Step } from '../support/two-lives.ts';

const sent = (...types: string[]): Step[] => types.map((type) => ({ type }));
const counting = assign({ n: ({ context }) => ((context as { n?: number }).n ?? 0) + 1 }) as never;
/** Keeps the whole event, whatever is in it. */
const keeping = assign({ kept: ({ event }) => event }) as never;
const noting = assign({
  seen: ({ context, event }) => [...(context as { seen: string[] }).seen, event.type],
}) as never;

/** Emits once it is told to, to everybody who subscribed. */
class Subject {
  readonly observers = new Set<{
    next?: (value: unknown) => void;
    error?: (e: unknown) => void;
    complete?: () => void;
  }>();
  subscribe = (observer: never) => {
    this.observers.add(observer);
    return { unsubscribe: () => void this.observers.delete(observer) };
  };
}

const leaf = createMachine({
  context: { n: 0 },
  on: { count: { actions: counting }, end: '.over', up: { actions: sendParent({ type: 'hello' }) } },
  initial: 'young',
  states: { young: { after: { 50: 'old' } }, old: {}, over: { type: 'final' } },
  output: ({ context }) => ({ n: context.n }),
});

/** A chain of machines, each of which invokes the next and hands events on. */
function chain(depth: number, isRoot = false): AnyStateMachine {
  if (depth === 0) return leaf;
  return setup({ actors: { next: chain(depth - 1) } }).createMachine({
    context: { seen: [] },
    invoke: { src: 'next', id: 'next', onDone: { actions: keeping } },
    on: {
      hello: { actions: isRoot ? noting : [noting, sendParent({ type: 'hello' })] },
      '*': { actions: sendTo('next', ({ event }) => event) },
    },
  });
}

const settling = (outcome: () => Promise<unknown>) =>
  setup({ actors: { work: fromPromise(outcome) } }).createMachine({
    initial: 'idle',
    states: {
      idle: { on: { go: 'work' } },
      work: {
        invoke: {
          src: 'work',
          id: 'work',
          onDone: { target: 'done', actions: keeping },
          onError: { target: 'failed', actions: keeping },
        },
      },
      done: {},
      failed: {},
    },
  });

const held = () => {
  const releases: (() => void)[] = [];
  const machine = settling(() => new Promise((resolve) => releases.push(() => resolve({ at: new Date(7) }))));
  return [machine, [...sent('go'), () => releases.forEach((release) => release()), ...sent('late')]] as const;
};

const listening = (kind: 'values' | 'events') => {
  const subject = new Subject();
  const say = (type: 'next' | 'complete' | 'error', value?: unknown) => () => {
    for (const observer of subject.observers) observer[type]?.(value as never);
  };
  const make = (kind === 'values' ? fromObservable : fromEventObservable) as typeof fromObservable;
  const machine = setup({ actors: { ear: make(() => subject as never) } }).createMachine({
    context: { seen: [] },
    initial: 'on',
    states: {
      on: {
        invoke: {
          src: 'ear',
          id: 'ear',
          onSnapshot: { actions: assign({ last: ({ event }) => event.snapshot.context }) },
          onDone: 'off',
          onError: 'broken',
        },
        on: { heard: { actions: noting }, stop: 'off' },
      },
      off: { on: { start: 'on' } },
      broken: {},
    },
  });
  const value = kind === 'values' ? { deep: [1n] } : { type: 'heard' };
  return { machine, say, value };
};

type Scenario = readonly [machine: AnyStateMachine, steps: readonly Step[]];

const scenarios: Readonly<Record<string, () => Scenario>> = {
  'five levels of invoked machines, and the end of the lowest': () => [
    chain(5, true),
    sent('count', 'up', 'count', 'end'),
  ],
  'a timer five levels down': () => [chain(5, true), [20, ...sent('count'), 30]],
  'a promise that is still held': held,
  'a promise that resolves at once': () => [settling(async () => new Map([['k', undefined]])), sent('go', 'x')],
  'a promise that rejects': () => [
    settling(async () => Promise.reject(new TypeError('no', { cause: 5n }))),
    sent('go'),
  ],
  'a promise that throws before it is one': () => [
    settling(() => {
      throw new RangeError('never');
    }),
    sent('go'),
  ],
  'a child that fails and nobody listens, which fails its parent': () => [
    setup({ actors: { work: fromPromise(async () => Promise.reject(new Error('unheard'))) } }).createMachine({
      invoke: { src: 'work', id: 'work' },
    }),
    [],
  ],
  'an observable: its values, and its end': () => {
    const { machine, say, value } = listening('values');
    return [machine, [say('next', value), say('next', 2), say('complete')]];
  },
  'an observable that fails': () => {
    const { machine, say } = listening('values');
    return [machine, [say('next', 1), say('error', new Error('deaf'))]];
  },
  'an observable that is stopped and started again': () => {
    const { machine, say } = listening('values');
    return [machine, [say('next', 1), ...sent('stop'), say('next', 2), ...sent('start'), say('next', 3)]];
  },
  'an event observable': () => {
    const { machine, say, value } = listening('events');
    return [machine, [say('next', value), say('next', value), say('complete')]];
  },
  'a callback that answers what it is sent': () => [
    setup({
      actors: {
        echo: fromCallback(({ receive, sendBack }) => receive(({ type }) => sendBack({ type: `echo.${type}` }))),
      },
    }).createMachine({
      context: { seen: [] },
      invoke: { src: 'echo', id: 'echo' },
      on: { 'echo.*': { actions: noting }, '*': { actions: sendTo('echo', ({ event }) => event) } },
    }),
    sent('a', 'b'),
  ],
  'transition logic, invoked by name': () => [
    setup({
      actors: {
        sum: fromTransition((state: { n: bigint }, { type }) => (type === 'count' ? { n: state.n + 1n } : state), {
          n: 0n,
        }),
      },
    }).createMachine({
      invoke: { src: 'sum', id: 'sum', onSnapshot: { actions: assign({ n: ({ event }) => event.snapshot.context }) } },
      on: { '*': { actions: sendTo('sum', ({ event }) => event) } },
    }),
    sent('count', 'dull', 'count'),
  ],
  'logic that is written inline in an invoke': () => [
    createMachine({
      initial: 'a',
      states: {
        a: {
          invoke: { src: leaf, id: 'kid' },
          on: { count: { actions: sendTo('kid', { type: 'count' }) }, next: 'b' },
        },
        b: { invoke: { src: leaf, id: 'kid' } },
      },
    }),
    [...sent('count'), 50, ...sent('next'), 20, 30],
  ],
  'children that come and go, with their timers': () => [
    setup({ actors: { leaf } }).createMachine({
      on: {
        a: { actions: spawnChild('leaf', { id: 'a' }) },
        b: { actions: spawnChild('leaf', { id: 'b' }) },
        endA: { actions: sendTo('a', { type: 'end' }) },
        stopA: { actions: stopChild('a') },
        stopB: { actions: stopChild('b') },
        'xstate.done.actor.a': { actions: keeping },
      },
    }),
    [...sent('a'), 20, ...sent('b'), 30, ...sent('endA', 'stopA', 'a', 'stopB'), 50, ...sent('b')],
  ],
  'a systemId that is kept, given up, and taken by another': () => [
    setup({ actors: { leaf } }).createMachine({
      on: {
        a: { actions: spawnChild('leaf', { id: 'a', systemId: 'the one' }) },
        b: { actions: spawnChild('leaf', { id: 'b', systemId: 'the one' }) },
        stop: { actions: stopChild('a') },
        swap: { actions: [stopChild('a'), spawnChild('leaf', { id: 'b', systemId: 'the one' })] },
        count: { actions: sendTo(({ system }) => system.get('the one') as AnyActorRef, { type: 'count' }) },
      },
    }),
    sent('a', 'count', 'stop', 'b', 'count', 'stop', 'count'),
  ],
  'a systemId that is taken over in one turn': () => [
    setup({ actors: { leaf } }).createMachine({
      entry: spawnChild('leaf', { id: 'a', systemId: 'the one' }),
      on: {
        swap: { actions: [stopChild('a'), spawnChild('leaf', { id: 'b', systemId: 'the one' })] },
        count: { actions: sendTo(({ system }) => system.get('the one') as AnyActorRef, { type: 'count' }) },
      },
    }),
    sent('count', 'swap', 'count'),
  ],
  'X19: `onSnapshot` is told of every state, and not again after a restart': () => [
    setup({ actors: { leaf } }).createMachine({
      context: { seen: [] },
      invoke: { src: 'leaf', id: 'kid', onSnapshot: { actions: noting } },
      on: { count: { actions: sendTo('kid', { type: 'count' }) } },
    }),
    [...sent('count', 'count'), 50],
  ],
  'actors that are spawned while the first context is made': () => [
    setup({ actors: { leaf } }).createMachine({
      context: ({ spawn, self }) => ({ me: self, kids: ['a', 'b'].map((id) => spawn('leaf', { id, systemId: id })) }),
      on: { count: { actions: sendTo(({ context }) => context.kids[1] as AnyActorRef, { type: 'count' }) } },
    }),
    [...sent('count'), 50],
  ],
  'events sent to children from the entry of the first state, before anything runs': () => [
    setup({ actors: { leaf } }).createMachine({
      context: ({ spawn }) => ({ kid: spawn('leaf', { id: 'kid' }) }),
      entry: [
        sendTo('kid', { type: 'count' }),
        spawnChild('leaf', { id: 'late' }),
        sendTo('late', { type: 'count' }),
        sendTo('late', { type: 'count' }),
        sendTo('invoked', { type: 'count' }),
      ],
      invoke: { src: 'leaf', id: 'invoked' },
    }),
    sent('x'),
  ],
  'events sent to a child in the turn that spawns it, and on to its own child': () => [
    setup({ actors: { chain: chain(2) } }).createMachine({
      on: {
        go: {
          actions: [
            spawnChild('chain', { id: 'kid' }),
            sendTo('kid', { type: 'count' }),
            sendTo('kid', { type: 'up' }),
          ],
        },
      },
    }),
    sent('go'),
  ],
  'a grandchild that is spoken to while it starts, before its parent has started': () => [
    setup({
      actors: {
        kid: setup({
          actors: {
            eager: createMachine({
              context: { n: 0 },
              entry: [sendTo(({ self }) => self, { type: 'count' }), sendParent({ type: 'hello' })],
              on: { count: { actions: counting } },
            }),
          },
        }).createMachine({
          context: { seen: [] },
          invoke: { src: 'eager', id: 'eager' },
          entry: sendParent({ type: 'hello' }),
          on: { hello: { actions: noting } },
        }),
      },
    }).createMachine({
      context: { seen: [] },
      on: { go: { actions: spawnChild('kid', { id: 'kid' }) }, hello: { actions: noting } },
    }),
    sent('go', 'x'),
  ],
  'a child that is over at once, invoked and spawned': () => [
    setup({
      actors: { brief: createMachine({ initial: 'o', states: { o: { type: 'final' } }, output: { x: 1n } }) },
    }).createMachine({
      context: { seen: [] },
      initial: 'a',
      states: {
        a: { invoke: { src: 'brief', id: 'brief', onDone: { target: 'b', actions: keeping } } },
        b: { on: { go: { actions: spawnChild('brief', { id: 'spawned' }) } } },
      },
      on: { 'xstate.done.actor.spawned': { actions: noting } },
    }),
    sent('go', 'x'),
  ],
  'a child that stops itself through its parent': () => [
    setup({
      actors: { kid: createMachine({ on: { quit: { actions: sendParent({ type: 'stopMe' }) } } }) },
    }).createMachine({
      context: { seen: [] },
      entry: spawnChild('kid', { id: 'kid' }),
      on: { quit: { actions: sendTo('kid', { type: 'quit' }) }, stopMe: { actions: [stopChild('kid'), noting] } },
    }),
    sent('quit', 'x'),
  ],
  'a done child that is kept, and its output': () => [
    setup({ actors: { leaf } }).createMachine({
      entry: spawnChild('leaf', { id: 'kid' }),
      on: { end: { actions: sendTo('kid', { type: 'end' }) }, 'xstate.done.actor.kid': {} },
    }),
    sent('end', 'x'),
  ],
  'an invoke that is left by an `always` before it has begun': () => [
    setup({ actors: { leaf } }).createMachine({
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { invoke: { src: 'leaf', id: 'kid' }, always: 'c' }, c: {} },
    }),
    sent('go'),
  ],
};

describe.each(WAYS)('after a %s', (way) => {
  test.each(Object.keys(scenarios))('%s', async (what) => {
    const [machine, steps] = (scenarios[what] as () => Scenario)();
    const { durable } = await liveTwice(machine, steps, way);
    await durable.close();
  });
});
