/** A machine with one of everything that XState persists, for walks that nobody thought of. */
import {
  assign,
  cancel,
  enqueueActions,
  fromCallback,
  fromPromise,
  raise,
  sendParent,
  sendTo,
  setup,
  stopChild,
  type AnyActorRef,
} from 'xstate';

const leaf = setup({
  types: {} as {
    context: { n: number; boss: AnyActorRef };
    input: { boss: AnyActorRef };
    events: { type: 'poke' } | { type: 'end' };
    output: { n: number };
  },
}).createMachine({
  id: 'leaf',
  context: ({ input }) => ({ n: 0, boss: input.boss }),
  output: ({ context }) => ({ n: context.n }),
  initial: 'young',
  on: {
    poke: {
      actions: [
        assign({ n: ({ context }) => context.n + 1 }),
        sendTo(({ context }) => context.boss, { type: 'poked' }),
      ],
    },
    end: '.over',
  },
  states: {
    young: { after: { 70: 'old' } },
    old: { entry: sendParent({ type: 'aged' }) },
    over: { type: 'final' },
  },
});

const nest = setup({
  types: {} as {
    context: { boss: AnyActorRef };
    input: { boss: AnyActorRef };
    events: { type: 'poke' } | { type: 'grow' };
  },
  actors: { leaf },
}).createMachine({
  id: 'nest',
  context: ({ input }) => input,
  invoke: {
    src: 'leaf',
    id: 'egg',
    input: ({ context }) => ({ boss: context.boss }),
    onDone: { actions: sendParent({ type: 'aged' }) },
  },
  on: { poke: { actions: sendTo('egg', { type: 'poke' }) } },
});

/** Everything that can be sent to it. */
export const richEvents = [
  { type: 'poked' },
  { type: 'spawn', id: 'a' },
  { type: 'spawn', id: 'b' },
  { type: 'spawn', id: 'c' },
  { type: 'spawnNest', id: 'd' },
  { type: 'stop', id: 'a' },
  { type: 'stop', id: 'b' },
  { type: 'stop', id: 'd' },
  { type: 'poke', id: 'a' },
  { type: 'poke', id: 'c' },
  { type: 'poke', id: 'd' },
  { type: 'end', id: 'b' },
  { type: 'end', id: 'c' },
  { type: 'later', delay: 20 },
  { type: 'later', delay: 45 },
  { type: 'call', id: 'a' },
  { type: 'uncall' },
  { type: 'left.next' },
  { type: 'left.out' },
  { type: 'left.back' },
  { type: 'work', n: 3 },
  { type: 'values' },
] as const;

export type RichEvent = (typeof richEvents)[number] | { readonly type: 'aged' } | { readonly type: 'lated' };

interface RichContext {
  readonly pokes: number;
  readonly aged: number;
  readonly lated: number;
  readonly done: readonly number[];
  readonly refs: Map<string, AnyActorRef>;
  readonly last: AnyActorRef | undefined;
  readonly values: unknown;
}

const values = {
  map: new Map<unknown, unknown>([[1, new Set([new Date(5)])]]),
  big: 10n,
  odd: [Number.NaN, -0, undefined],
  looks: { xstate$$type: 1, id: 'looks' },
  tag: { $perdure: 'undefined', value: null },
  bytes: new Uint8Array([1, 2]),
};

export const richMachine = setup({
  types: {} as { context: RichContext; events: RichEvent },
  actors: {
    leaf,
    nest,
    double: fromPromise<number, { n: number }>(async ({ input }) => input.n * 2),
    line: fromCallback(() => () => {}),
  },
  guards: {
    isFree: ({ context, event }) => !context.refs.has((event as { id: string }).id),
  },
}).createMachine({
  id: 'rich',
  context: { pokes: 0, aged: 0, lated: 0, done: [], refs: new Map(), last: undefined, values: undefined },
  type: 'parallel',
  invoke: { src: 'line', id: 'line' },
  on: {
    poked: { actions: assign({ pokes: ({ context }) => context.pokes + 1 }) },
    aged: { actions: assign({ aged: ({ context }) => context.aged + 1 }) },
    lated: { actions: assign({ lated: ({ context }) => context.lated + 1 }) },
    values: { actions: assign({ values: () => values }) },
    later: { actions: raise({ type: 'lated' }, { delay: ({ event }) => event.delay }) },
    call: {
      actions: sendTo(
        ({ context, event, self }) => context.refs.get(event.id) ?? self,
        { type: 'poke' },
        { delay: 30, id: 'call' },
      ),
    },
    uncall: { actions: cancel('call') },
    spawn: {
      guard: 'isFree',
      actions: assign({
        refs: ({ context, event, spawn, self }) =>
          new Map(context.refs).set(
            event.id,
            spawn('leaf', {
              id: event.id,
              systemId: `sys-${event.id}`,
              input: { boss: self },
              syncSnapshot: event.id === 'c',
            }),
          ),
        last: ({ context, event }) => context.refs.get(event.id) ?? context.last,
      }),
    },
    spawnNest: {
      guard: 'isFree',
      actions: assign({
        refs: ({ context, event, spawn, self }) =>
          new Map(context.refs).set(event.id, spawn('nest', { id: event.id, input: { boss: self } })),
      }),
    },
    stop: {
      actions: [
        stopChild(({ event }) => event.id),
        assign({
          last: ({ context, event }) => context.refs.get(event.id) ?? context.last,
          refs: ({ context, event }) => {
            const refs = new Map(context.refs);
            refs.delete(event.id);
            return refs;
          },
        }),
      ],
    },
    poke: {
      actions: enqueueActions(({ context, event, enqueue }) => {
        const ref = context.refs.get(event.id);
        if (ref !== undefined) enqueue.sendTo(ref, { type: 'poke' });
      }),
    },
    end: {
      actions: enqueueActions(({ context, event, enqueue }) => {
        const ref = context.refs.get(event.id);
        if (ref !== undefined) enqueue.sendTo(ref, { type: 'end' });
      }),
    },
  },
  states: {
    left: {
      initial: 'in',
      states: {
        in: {
          initial: 'one',
          on: { 'left.out': 'out' },
          states: {
            one: { on: { 'left.next': 'two' } },
            two: { on: { 'left.next': 'one' }, after: { 25: 'three' } },
            three: {},
            past: { type: 'history', history: 'deep' },
          },
        },
        out: { on: { 'left.back': 'in.past' } },
      },
    },
    right: {
      initial: 'idle',
      states: {
        idle: { on: { work: 'working' } },
        working: {
          invoke: {
            src: 'double',
            id: 'double',
            input: ({ event }) => ({ n: (event as { n: number }).n }),
            onDone: {
              target: 'idle',
              actions: assign({ done: ({ context, event }) => [...context.done, event.output] }),
            },
          },
        },
      },
    },
  },
});
