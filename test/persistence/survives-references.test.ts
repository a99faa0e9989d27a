/** A reference to an actor refers to the same actor after a restart, whoever it is and wherever it is kept. */
import {
  assign,
  createMachine,
  enqueueActions,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorRef,
} from 'xstate';
import { describe, expect, test } from 'vitest';
import { WAYS, liveTwice, type Step } from '../support/two-lives.ts';

const sent = (...types: string[]): Step[] => types.map((type) => ({ type }));

/** Keeps whatever it is given, and pokes every reference that it finds in it. */
const keeper = setup({
  types: {} as { context: { kept: unknown; pokes: number }; input: unknown },
}).createMachine({
  context: ({ input }) => ({ kept: input, pokes: 0 }),
  on: {
    keep: { actions: assign({ kept: ({ event }) => event }) },
    poke: { actions: assign({ pokes: ({ context }) => context.pokes + 1 }) },
    pokeAll: {
      actions: enqueueActions(({ context, enqueue }) => {
        for (const ref of refsIn(context.kept)) enqueue.sendTo(ref, { type: 'poke' });
      }),
    },
    pokeAllLater: { actions: sendTo(({ self }) => self, { type: 'pokeAll' }, { delay: 10 }) },
    finish: '.over',
    fail: {
      actions: ({ context }) => {
        throw Object.assign(new Error('failed', { cause: [context.kept] }), { about: context.kept });
      },
    },
  },
  initial: 'on',
  states: { on: {}, over: { type: 'final' } },
  output: ({ context }) => ({ kept: context.kept }),
});

function refsIn(value: unknown, seen = new Set<unknown>()): AnyActorRef[] {
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  if ('sessionId' in value) return [value as AnyActorRef];
  if (value instanceof Map) return [...value].flat().flatMap((item) => refsIn(item, seen));
  if (value instanceof Set) return [...value].flatMap((item) => refsIn(item, seen));
  const inner = value instanceof Error ? [value.cause, value] : [];
  return [...inner.slice(0, 1), ...Object.values(value)].flatMap((item) => refsIn(item, seen));
}

const nest = setup({ actors: { keeper } }).createMachine({
  invoke: {
    src: 'keeper',
    id: 'inner',
    systemId: 'inner',
    input: ({ self }: { self: AnyActorRef }) => ({ parent: self }),
  },
});

type Make = (find: (name: string) => AnyActorRef) => unknown;

const places: Readonly<Record<string, Make>> = {
  'to itself': (find) => find('self'),
  'to its parent': (find) => find('root'),
  'to its brother': (find) => find('brother'),
  'to the child of its brother': (find) => find('inner'),
  'as the value of a Map': (find) => new Map([['k', { deep: find('brother') }]]),
  'as the key of a Map': (find) => new Map([[find('brother'), 1]]),
  'in a Set': (find) => new Set([find('brother'), find('root')]),
  'in nested arrays': (find) => [[find('brother')], [find('inner'), [find('brother')]]],
  'in an error and in its cause': (find) =>
    Object.assign(new Error('x', { cause: find('root') }), { about: find('brother') }),
  'twice, beside what only looks like one': (find) => [
    find('brother'),
    { xstate$$type: 1, id: 'brother' },
    { $perdure: 'actor', value: 1 },
    find('brother'),
  ],
};

const house = (make: Make) =>
  setup({ actors: { keeper, nest } }).createMachine({
    context: ({ self, spawn }) => {
      const refs: Record<string, AnyActorRef> = { root: self };
      for (const id of ['brother', 'kid']) refs[id] = spawn('keeper', { id, systemId: id, input: null as never });
      return { refs, pokes: 0, kept: undefined };
    },
    entry: spawnChild('nest', { id: 'nest' }),
    on: {
      give: {
        actions: sendTo('kid', ({ context, system }) => {
          const known = context.refs as Record<string, AnyActorRef>;
          const find = (name: string) =>
            (known[name === 'self' ? 'kid' : name] ?? system.get(name as never)) as AnyActorRef;
          return { type: 'keep', deep: [make(find)] };
        }),
      },
      giveLater: {
        actions: sendTo(
          'kid',
          ({ context }) => ({ type: 'keep', later: make((name) => (context.refs as never)[name] ?? context.refs.kid) }),
          { delay: 20 },
        ),
      },
      pokeAll: { actions: sendTo('kid', { type: 'pokeAll' }) },
      pokeAllLater: { actions: sendTo('kid', { type: 'pokeAllLater' }) },
      poke: { actions: assign({ pokes: ({ context }) => (context.pokes as number) + 1 }) },
      late: {
        actions: sendTo(({ context }) => context.refs['brother'] as AnyActorRef, { type: 'poke' }, { delay: 10 }),
      },
      finish: { actions: sendTo('kid', { type: 'finish' }) },
      fail: { actions: sendTo('kid', { type: 'fail' }) },
      stop: { actions: stopChild('brother') },
      again: { actions: spawnChild('keeper', { id: 'brother', input: 'another' as never }) },
      'xstate.done.actor.kid': { actions: assign({ kept: ({ event }) => event['output'] }) },
      'xstate.error.actor.kid': { actions: assign({ kept: ({ event }) => event['error'] }) },
    },
  });

describe.each(WAYS)('after a %s', (way) => {
  test.each(Object.entries(places))('X17: X18: a reference %s', async (_, make) => {
    const steps = [...sent('give', 'pokeAll', 'pokeAllLater'), 10, ...sent('finish')];
    const { durable, plain } = await liveTwice(house(make), steps, way);
    expect(plain.getSnapshot().context.kept).toBeDefined();
    await durable.close();
  });

  test('a reference in an event that is still delayed, and in the error of a child', async () => {
    const make: Make = (find) => new Map([['who', [find('brother'), find('root')]]]);
    const steps = [...sent('giveLater'), 10, 10, ...sent('pokeAll', 'fail')];
    const { durable } = await liveTwice(house(make), steps, way);
    expect(refsIn(durable.getSnapshot().context)).toHaveLength(3);
    expect(durable.getSnapshot().children['brother']?.getSnapshot()).toMatchObject({ context: { pokes: 1 } });
    await durable.close();
  });

  test('a reference to an actor that was stopped stays one to nobody, also when another has its id', async () => {
    const make: Make = (find) => [find('brother')];
    const steps = sent('give', 'pokeAll', 'stop', 'pokeAll', 'again', 'pokeAll');
    const { durable } = await liveTwice(house(make), steps, way);
    expect(durable.getSnapshot().children['brother']?.getSnapshot()).toMatchObject({
      context: { kept: 'another', pokes: 0 },
    });
    await durable.close();
  });

  test('a delayed event to an actor that was stopped goes nowhere, also when it is delayed after a restart', async () => {
    const steps = [...sent('give', 'stop', 'late', 'pokeAll'), 10, ...sent('pokeAll')];
    const { durable } = await liveTwice(
      house((find) => [find('brother')]),
      steps,
      way,
    );
    await durable.close();
  });

  test('references in the state of a transition, and in the input of a promise that is asked again', async () => {
    const asked: unknown[] = [];
    const last = fromTransition((_: unknown, event: { type: string; who?: unknown }) => ({ who: event.who }), {});
    const ask = fromPromise<never, AnyActorRef[]>(({ input }) => {
      asked.push(input.map((ref) => ref.id));
      return new Promise<never>(() => {});
    });
    const machine = setup({ actors: { keeper, last, ask } }).createMachine({
      context: ({ spawn }) => ({ kid: spawn('keeper', { id: 'kid', input: null as never }) }),
      entry: spawnChild('last', { id: 'last' }),
      invoke: { src: 'ask', id: 'ask', input: ({ self, context }) => [self, context.kid] as never },
      on: { go: { actions: sendTo('last', ({ context }) => ({ type: 'x', who: [context.kid] })) } },
    });
    const { durable } = await liveTwice(machine, sent('go'), way);
    expect(new Set(asked.map(String))).toEqual(new Set(['main,kid']));
    await durable.close();
  });

  test('a reference to an actor of another tree is refused by name', async () => {
    const other = await liveTwice(createMachine({ id: 'other' }), [], way);
    const { durable } = await liveTwice(
      house(() => 0),
      [],
      way,
    );
    const keep = { type: 'keep', who: other.durable.actor };
    await expect(durable.send(keep as never, { to: 'kid' })).rejects.toMatchObject({
      code: 'CODEC_REFUSED',
      message: expect.stringMatching(/another tree.*"who".*"keep".*"kid"/),
    });
    await Promise.all([durable.close(), other.durable.close()]);
  });
});
