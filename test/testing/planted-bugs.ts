/** Machines that are not durable, one bug each, as people write them. */
import { assign, enqueueActions, fromCallback, fromPromise, setup, spawnChild, type AnyStateMachine } from 'xstate';
import type { Store } from '../../persistence/store.ts';

type Machine = AnyStateMachine | ((life: { store: Store }) => AnyStateMachine);

/** A bug, and what its report must say. */
export interface Planted {
  readonly machine: Machine;
  readonly law: 'restore' | 'storable' | 'crash' | 'repeatable';
  /** Words of the shortest sequence. */
  readonly steps: readonly string[];
  /** What the report names: place, cause and remedy. */
  readonly says: readonly RegExp[];
}

interface Order {
  readonly total: number;
}

const seen = new Set<string>();

const moduleVariable = setup({
  types: {} as { context: Order; events: { type: 'add'; id: string } },
}).createMachine({
  id: 'module-variable',
  context: { total: 0 },
  on: {
    add: {
      actions: assign(({ context, event }) => {
        if (seen.has(event.id)) return {};
        seen.add(event.id);
        return { total: context.total + 1 };
      }),
    },
  },
});

function closure(): AnyStateMachine {
  const ids = new Set<string>();
  return setup({
    types: {} as { context: Order; events: { type: 'add'; id: string } },
  }).createMachine({
    id: 'closure',
    context: { total: 0 },
    on: {
      add: {
        actions: assign(({ context, event }) => {
          if (ids.has(event.id)) return {};
          ids.add(event.id);
          return { total: context.total + 1 };
        }),
      },
    },
  });
}

function entryAgain(): AnyStateMachine {
  let line: string[] | undefined;
  return setup({ types: {} as { events: { type: 'say' } } }).createMachine({
    id: 'entry-again',
    initial: 'online',
    states: {
      online: {
        entry: () => void (line = []),
        on: {
          say: {
            actions: () => {
              if (line === undefined) throw new TypeError('the line is not open');
              line.push('hello');
            },
          },
        },
      },
    },
  });
}

const randomGuard = setup({ types: {} as { events: { type: 'toss' } } }).createMachine({
  id: 'random-guard',
  initial: 'up',
  states: {
    up: { on: { toss: [{ guard: () => Math.random() < 0.5, target: 'heads' }, { target: 'tails' }] } },
    heads: {},
    tails: {},
  },
});

const timeInGuard = setup({ types: {} as { context: { from: number }; events: { type: 'try' } } }).createMachine({
  id: 'time-in-guard',
  context: () => ({ from: Date.now() }),
  on: { try: { guard: ({ context }) => Date.now() > context.from + 86_400_000, actions: assign({ from: 0 }) } },
});

const inPlace = setup({ types: {} as { context: { items: string[] }; events: { type: 'add' } } }).createMachine({
  id: 'in-place',
  context: { items: [] },
  on: { add: { actions: ({ context }) => void context.items.push('book') } },
});

const inPlaceInAssign = setup({
  types: {} as { context: { items: Map<string, number> }; events: { type: 'add' } },
}).createMachine({
  id: 'in-place-in-assign',
  context: { items: new Map() },
  on: { add: { actions: assign({ items: ({ context }) => context.items.set('book', context.items.size) }) } },
});

const functionInContext = setup({
  types: {} as { context: { price: unknown }; events: { type: 'price' } },
}).createMachine({
  id: 'function-in-context',
  context: { price: undefined },
  on: { price: { actions: assign({ price: () => ({ of: () => 5 }) }) } },
});

class Money {
  cents = 5;
}

const classInContext = setup({
  types: {} as { context: { paid: unknown }; events: { type: 'pay' } },
}).createMachine({
  id: 'class-in-context',
  context: { paid: undefined },
  on: { pay: { actions: assign({ paid: () => new Money() }) } },
});

class Declined extends Error {}

const errorClass = setup({
  types: {} as { context: { why: unknown }; events: { type: 'decline' } },
}).createMachine({
  id: 'error-class',
  context: { why: undefined },
  on: { decline: { actions: assign({ why: () => new Declined('no money') }) } },
});

const noId = setup({
  types: {} as { events: { type: 'start' } },
  actors: { work: fromPromise(async () => 5) },
}).createMachine({ id: 'no-id', on: { start: { actions: spawnChild('work') } } });

const inline = setup({ types: {} as { events: { type: 'start' } } }).createMachine({
  id: 'inline',
  on: { start: { actions: spawnChild(fromPromise(async () => 5) as never, { id: 'work' } as never) } },
});

const sleeper = setup({
  types: {} as { events: { type: 'start' } | { type: 'ring' } },
}).createMachine({
  id: 'set-timeout',
  initial: 'idle',
  states: {
    idle: { on: { start: 'waiting' } },
    waiting: {
      entry: ({ self }) => void setTimeout(() => self.send({ type: 'ring' }), 100),
      on: { ring: 'rung' },
    },
    rung: {},
  },
});

const callbackAgain = setup({
  types: {} as { context: { hellos: number }; events: { type: 'hello' } },
  actors: { line: fromCallback(({ sendBack }) => sendBack({ type: 'hello' })) },
}).createMachine({
  id: 'callback-again',
  context: { hellos: 0 },
  invoke: { id: 'line', src: 'line' },
  on: { hello: { actions: assign({ hellos: ({ context }) => context.hellos + 1 }) } },
});

const timerFunction = setup({ types: {} as { events: { type: 'later' } | { type: 'late' } } }).createMachine({
  id: 'function-in-timer',
  on: {
    later: {
      actions: enqueueActions(({ enqueue }) => enqueue.raise({ type: 'late', reply: () => 5 } as never, { delay: 10 })),
    },
  },
});

export const planted: readonly Planted[] = [
  {
    machine: moduleVariable,
    law: 'repeatable',
    steps: ['send add'],
    says: [/context\.total: 1 -> 0/, /module variable or a closure/],
  },
  {
    machine: closure,
    law: 'restore',
    steps: ['send add', 'crash', 'send add'],
    says: [/context\.total: 1 -> 2/, /module variable or a closure/],
  },
  {
    machine: entryAgain,
    law: 'restore',
    steps: ['crash', 'send say'],
    says: [/status: 'active' -> 'error'/, /the line is not open/, /entry actions do not run again/],
  },
  { machine: randomGuard, law: 'repeatable', steps: ['send toss'], says: [/a guard reads Math\.random/] },
  { machine: timeInGuard, law: 'repeatable', steps: ['send try'], says: [/a guard reads Date/, /use `after`/] },
  {
    machine: inPlace,
    law: 'storable',
    steps: ['send add'],
    says: [/in the root/, /context\.items: \[\] -> \[ 'book' \]/, /in place/, /not items\.push/],
  },
  {
    machine: inPlaceInAssign,
    law: 'storable',
    steps: ['send add'],
    says: [/in the root/, /context\.items/, /in place/],
  },
  {
    machine: functionInContext,
    law: 'storable',
    steps: ['send price'],
    says: [/a function at "context\.price\.of" of the actor/],
  },
  {
    machine: classInContext,
    law: 'storable',
    steps: ['send pay'],
    says: [/an instance of Money at "context\.paid"/],
  },
  {
    machine: errorClass,
    law: 'storable',
    steps: ['send decline'],
    says: [/context\.why: Declined .* -> Error /, /in the root/],
  },
  { machine: noId, law: 'storable', steps: ['send start'], says: [/without an id/, /pass \{ id \}/] },
  { machine: inline, law: 'storable', steps: ['send start'], says: [/from inline logic/, /setup\(\{ actors \}\)/] },
  {
    machine: sleeper,
    law: 'crash',
    steps: ['send start', 'crash', 'advance 100 ms'],
    says: [/value: 'rung' -> 'waiting'/, /setTimeout/, /use `after`/],
  },
  {
    machine: callbackAgain,
    law: 'crash',
    steps: ['crash'],
    says: [/context\.hellos: 1 -> 2/, /runs again after a restart/],
  },
  {
    machine: timerFunction,
    law: 'storable',
    steps: ['send later'],
    says: [/a function at "reply" of a delayed event/],
  },
];
