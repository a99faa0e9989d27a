/** What a machine is made of comes back as it was: every state is restarted twice, and compared with one that never died. */
import {
  and,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  not,
  raise,
  sendTo,
  setup,
  stateIn,
  type AnyStateMachine,
} from 'xstate';
import { describe, expect, test } from 'vitest';
import { createDurableActor } from '../../persistence/create.ts';
import { quickStore } from '../support/temp.ts';
import { WAYS, end, liveTwice, settle, type Step } from '../support/two-lives.ts';

const sent = (...types: string[]): Step[] => types.map((type) => ({ type }));
const noting = (what: string) =>
  assign({ seen: ({ context }) => [...(context as { seen: string[] }).seen, what] }) as never;
const counting = assign({ n: ({ context }) => ((context as { n?: number }).n ?? 0) + 1 }) as never;

/** Two levels under a state that can be left, with a way back by history. */
const past = (history: 'shallow' | 'deep', extra: object = {}) =>
  createMachine({
    initial: 'in',
    states: {
      in: {
        initial: 'a',
        states: {
          a: { on: { next: 'b' } },
          b: { initial: 'x', states: { x: { on: { next: 'y' } }, y: {} } },
          past: { type: 'history', history, ...extra },
        },
        on: { out: 'out' },
      },
      out: { on: { back: 'in.past' } },
    },
  });

const scenarios: readonly (readonly [what: string, machine: AnyStateMachine, steps: readonly Step[]])[] = [
  [
    'nested states',
    createMachine({
      initial: 'a',
      states: {
        a: { initial: 'b', states: { b: { initial: 'c', states: { c: { on: { next: 'd' } }, d: {} } } } },
      },
    }),
    sent('next'),
  ],
  [
    'parallel states, each with its own, and the end of all of them',
    createMachine({
      initial: 'both',
      states: {
        both: {
          type: 'parallel',
          states: {
            left: { initial: 'on', states: { on: { on: { left: 'off' } }, off: { type: 'final' } } },
            right: { initial: 'on', states: { on: { on: { right: 'off' } }, off: { type: 'final' } } },
          },
          onDone: 'over',
        },
        over: { type: 'final' },
      },
    }),
    sent('left', 'right'),
  ],
  ['shallow history', past('shallow'), sent('next', 'next', 'out', 'back', 'next', 'out', 'back')],
  ['deep history', past('deep'), sent('next', 'next', 'out', 'back', 'out', 'back')],
  ['history with a default', past('deep', { target: 'b' }), sent('next', 'out', 'back')],
  [
    'history of a parallel state',
    createMachine({
      initial: 'in',
      states: {
        in: {
          type: 'parallel',
          states: Object.fromEntries(
            ['l', 'r'].map((key) => [key, { initial: 'a', states: { a: { on: { [key]: 'b' } }, b: {} } }]),
          ),
          on: { out: 'out' },
        },
        past: { type: 'history' },
        out: { on: { back: 'was' } },
        was: { type: 'history', target: 'in' },
      },
    }),
    sent('l', 'out', 'back'),
  ],
  [
    'final states and their data, through `onDone`',
    createMachine({
      context: { seen: [] },
      initial: 'work',
      states: {
        work: {
          initial: 'doing',
          states: { doing: { on: { next: 'done' } }, done: { type: 'final', output: { deep: [new Date(5), 10n] } } },
          onDone: { target: 'over', actions: assign({ seen: ({ event }) => event.output as never }) },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => ({ found: context.seen }),
    }),
    sent('next'),
  ],
  [
    'tags',
    createMachine({
      initial: 'a',
      states: { a: { tags: ['busy', 'new'], on: { next: 'b' } }, b: { tags: 'old' } },
    }),
    sent('next'),
  ],
  [
    '`always`, with a guard that becomes true later',
    createMachine({
      context: { n: 0 },
      initial: 'a',
      on: { count: { actions: counting } },
      states: { a: { always: { guard: ({ context }) => context.n > 1, target: 'b' } }, b: { always: 'c' }, c: {} },
    }),
    sent('count', 'count'),
  ],
  [
    'guards of guards, and `stateIn`',
    setup({ guards: { often: ({ context }) => (context as { n: number }).n > 0 } }).createMachine({
      context: { n: 0 },
      type: 'parallel',
      states: {
        a: { initial: 'x', states: { x: { on: { next: 'y' } }, y: { id: 'y' } } },
        b: {
          initial: 'x',
          states: { x: { on: { go: { guard: and([stateIn('#y'), not('often')]), target: 'y' } } }, y: {} },
        },
      },
    }),
    sent('go', 'next', 'go'),
  ],
  [
    '`after`, left before, entered again, and one after the other',
    createMachine({
      context: { seen: [] },
      initial: 'a',
      states: {
        a: { after: { 100: { target: 'b', actions: noting('a rang') } }, on: { next: 'a2' } },
        a2: { on: { next: { target: 'a' } } },
        b: { after: { 50: 'c', 70: { actions: noting('never') } } },
        c: {
          type: 'parallel',
          states: { l: { after: { 10: { actions: noting('l') } } }, r: { after: { 20: { actions: noting('r') } } } },
        },
      },
    }),
    [60, ...sent('next'), 60, ...sent('next'), 60, 40, 49, 1, 10, 10],
  ],
  [
    '`after` with a named delay and a guard, and one that is entered anew by itself',
    setup({ delays: { short: ({ context }) => 10 * (context as unknown as { n: number }).n } }).createMachine({
      context: { n: 1 },
      initial: 'a',
      states: {
        a: {
          after: {
            short: [
              { guard: ({ context }) => context['n'] > 2, target: 'b' },
              { target: 'a', reenter: true, actions: counting },
            ],
          },
        },
        b: {},
      },
    }),
    [10, 19, 1, 30],
  ],
  [
    'delayed sends, cancelled and not',
    createMachine({
      context: { seen: [] },
      on: {
        raise: { actions: raise({ type: 'raised' }, { id: 'r', delay: 20 }) },
        send: { actions: sendTo(({ self }) => self, { type: 'sent' }, { id: 's', delay: 30 }) },
        cancel: { actions: [cancel('r'), cancel('s'), cancel('nobody')] },
        raised: { actions: noting('raised') },
        sent: { actions: noting('sent') },
      },
    }),
    [...sent('raise', 'send'), 10, ...sent('cancel'), 30, ...sent('send', 'raise'), 20, 10],
  ],
  [
    'raised events, in the order in which they were raised',
    createMachine({
      context: { seen: [] },
      on: {
        go: { actions: [raise({ type: 'one' }), raise({ type: 'two' }), noting('go')] },
        one: { actions: [raise({ type: 'three' }), noting('one')] },
        two: { actions: noting('two') },
        three: { actions: noting('three') },
      },
    }),
    sent('go'),
  ],
  [
    'what an initial state does when it is entered: assigned, raised, delayed, and moved on from',
    createMachine({
      context: { seen: [] },
      entry: [noting('root'), raise({ type: 'now' }), raise({ type: 'late' }, { delay: 10 })],
      initial: 'a',
      on: { now: { actions: noting('now') }, late: { actions: noting('late') } },
      states: { a: { entry: noting('a'), always: 'b' }, b: { entry: noting('b') } },
    }),
    [10],
  ],
  [
    'entry and exit actions, once each',
    createMachine({
      context: { seen: [] },
      initial: 'a',
      states: {
        a: {
          entry: noting('in a'),
          exit: noting('out of a'),
          on: { next: { target: 'b', actions: noting('on the way') } },
        },
        b: { entry: noting('in b'), on: { next: 'a' } },
      },
    }),
    sent('next', 'next'),
  ],
  [
    'actions that enqueue others, by what they find',
    createMachine({
      context: { n: 0, seen: [] },
      on: {
        go: {
          actions: [
            enqueueActions(({ context, enqueue }) => {
              enqueue(counting);
              if ((context as { n: number }).n > 0) enqueue.raise({ type: 'again' });
            }),
          ],
        },
        again: { actions: noting('again') },
      },
    }),
    sent('go', 'go'),
  ],
  [
    'wildcards and forbidden events',
    createMachine({
      context: { seen: [] },
      on: { '*': { actions: noting('root') } },
      initial: 'a',
      states: { a: { on: { 'mouse.*': { actions: noting('mouse') }, dull: {}, next: 'b' } }, b: {} },
    }),
    sent('mouse.click.left', 'dull', 'key', 'next', 'mouse.click.left'),
  ],
  [
    'a machine that is over before it begins',
    createMachine({ initial: 'over', states: { over: { type: 'final' } }, output: { at: 'once' } }),
    [],
  ],
  [
    'a machine that fails',
    createMachine({
      on: {
        fail: {
          actions: () => {
            throw new RangeError('too much');
          },
        },
      },
    }),
    [...sent('fail')],
  ],
];

describe.each(WAYS)('after a %s', (way) => {
  test.each(scenarios.map(([what, ...rest]) => [what, rest] as const))('%s', async (_, [machine, steps]) => {
    const { durable } = await liveTwice(machine, steps, way);
    await durable.close();
  });

  test('input is given once, and what was made of it stays', async () => {
    const store = quickStore();
    const machine = setup({ types: {} as { context: { n: number }; input: { n: number } } }).createMachine({
      context: ({ input }) => ({ n: input.n }),
    });
    await end(await createDurableActor(machine, { store, input: { n: 1 } }), way);
    const b = await createDurableActor(machine, { store, input: { n: 2 } });
    expect(b.getSnapshot().context.n).toBe(1);
    await b.close();
  });

  test('the output, and the error, of a tree that has ended are there after a restart', async () => {
    const ending = createMachine({
      initial: 'on',
      states: { on: { on: { end: 'off' } }, off: { type: 'final' } },
      output: { map: new Map([['k', undefined]]) },
    });
    const failing = createMachine({
      on: {
        end: {
          actions: () => {
            throw new RangeError('too much', { cause: { code: 7n } });
          },
        },
      },
    });
    const stores = [quickStore(), quickStore()];
    for (const [index, machine] of [ending, failing].entries()) {
      const a = await createDurableActor(machine, { store: stores[index] as string });
      a.output.catch(() => {});
      await a.send({ type: 'end' });
      await end(a, way);
    }
    const [b, c] = [
      await createDurableActor(ending, { store: stores[0] as string }),
      await createDurableActor(failing, { store: stores[1] as string }),
    ];
    expect(await b.output).toEqual({ map: new Map([['k', undefined]]) });
    await expect(c.output).rejects.toThrow(new RangeError('too much'));
    await expect(c.output).rejects.toMatchObject({ cause: { code: 7n } });
    await expect(b.send({ type: 'end' })).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
    await Promise.all([b.close(), c.close()]);
  });

  test('what was emitted is heard once, and not again after a restart', async () => {
    const store = quickStore();
    const machine = setup({ types: {} as { emitted: { type: 'said' } } }).createMachine({
      on: { say: { actions: emit({ type: 'said' }) } },
    });
    const heard: string[] = [];
    const a = await createDurableActor(machine, { store });
    a.on('said', ({ type }) => heard.push(type));
    await a.send({ type: 'say' });
    await end(a, way);
    const b = await createDurableActor(machine, { store });
    b.on('*', ({ type }) => heard.push(type));
    await settle();
    expect(heard).toEqual(['said']);
    await b.send({ type: 'say' });
    expect(heard).toEqual(['said', 'said']);
    await b.close();
  });

  test('events that are sent together are taken in order', async () => {
    const store = quickStore();
    const machine = createMachine({
      context: { seen: [] },
      on: { a: { actions: noting('a') }, b: { actions: noting('b') } },
    });
    const a = await createDurableActor(machine, { store });
    void a.send({ type: 'a' });
    await Promise.all([a.send({ type: 'b' }), a.send({ type: 'a' })]);
    await end(a, way);
    const b = await createDurableActor(machine, { store });
    expect(b.getSnapshot().context).toEqual({ seen: ['a', 'b', 'a'] });
    await b.close();
  });
});
