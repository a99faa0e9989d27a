import type { StoredState } from '../../persistence/migrations.ts';
/** What cannot be kept is refused: at once, by name, alone; and the store opens again afterwards. */
import { assign, fromTransition, sendTo, setup, spawnChild, type AnyStateMachine } from 'xstate';
import { expect, test } from 'vitest';
import { createDurableActor, type DurableOptions } from '../../persistence/create.ts';
import { crash } from '../../persistence/crash.ts';
import { Store } from '../../persistence/store.ts';
import { tempStore } from '../support/temp.ts';

class Money {
  readonly amount = 1;
}

function cycle(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}

const kid = setup({}).createMachine({ id: 'kid', context: { n: 0 } });
const inline = fromTransition(() => 0, 0);

const parent = setup({
  types: {} as { context: { count: number; box?: unknown } },
  actors: { kid },
}).createMachine({
  id: 'parent',
  context: { count: 0 },
  on: {
    count: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    inlineSpawn: {
      actions: assign({
        box: ({ spawn }) => (spawn as (logic: object, options: object) => unknown)(inline, { id: 'inline' }),
      }),
    },
    inlineSpawnChild: { actions: spawnChild(inline as never, { id: 'inline' } as never) },
    noIdSpawn: { actions: assign({ box: ({ spawn }) => spawn('kid') }) },
    noIdSpawnChild: { actions: spawnChild('kid') },
    spawn: { actions: spawnChild('kid', { id: 'kid' }) },
    twins: { actions: [spawnChild('kid', { id: 'twin' }), spawnChild('kid', { id: 'twin' })] },
    prototype: { actions: spawnChild('kid', { id: '__proto__' }) },
    surrogate: { actions: spawnChild('kid', { id: 'half \ud800' }) },
    surrogateSystemId: { actions: spawnChild('kid', { id: 'kid2', systemId: 'half \ud800' }) },
    fn: { actions: assign({ box: () => ({ deep: [() => 1] }) }) },
    symbol: { actions: assign({ box: () => ({ deep: [Symbol('s')] }) }) },
    instance: { actions: assign({ box: () => ({ deep: [new Money()] }) }) },
    cycle: { actions: assign({ box: () => ({ deep: [cycle()] }) }) },
    delayed: { actions: sendTo(({ self }) => self, { type: 'later', deep: [() => 1] }, { delay: 10, id: 'later' }) },
  },
});

test.each<[event: string, code: string, place: string]>([
  ['inlineSpawn', 'INLINE_ACTOR', '"main"'],
  ['inlineSpawnChild', 'INLINE_ACTOR', '"inline"'],
  ['noIdSpawn', 'CHILD_ID_MISSING', '"main" spawned "kid"'],
  ['noIdSpawnChild', 'CHILD_ID_MISSING', '"main" spawned "kid"'],
  ['twins', 'CHILD_ID_DUPLICATE', '"main" spawned "twin"'],
  ['prototype', 'CODEC_REFUSED', '"__proto__"'],
  ['surrogate', 'CODEC_REFUSED', '"main"'],
  ['surrogateSystemId', 'CODEC_REFUSED', '"main"'],
  ['fn', 'CODEC_REFUSED', '"context.box.deep.0" of the actor "main"'],
  ['symbol', 'CODEC_REFUSED', '"context.box.deep.0" of the actor "main"'],
  ['instance', 'CODEC_REFUSED', 'Money at "context.box.deep.0" of the actor "main"'],
  ['cycle', 'CODEC_REFUSED', '"context.box.deep.0.self" of the actor "main"'],
  ['delayed', 'CODEC_REFUSED', '"deep.0" of a delayed event of "main"'],
])('X5: X15: refuses the turn of "%s" with %s, and keeps every other', async (type, code, place) => {
  const store = tempStore();
  const a = await createDurableActor(parent, { store });
  await a.send({ type: 'count' });
  const sends = [a.send({ type: 'count' }), a.send({ type }), a.send({ type: 'count' })];
  const [first, refused, last] = await Promise.allSettled(sends);
  expect(refused).toMatchObject({ status: 'rejected', reason: { code, message: expect.stringContaining(place) } });
  expect([first?.status, last?.status]).toEqual(['fulfilled', 'fulfilled']);
  expect(a.getSnapshot().context).toEqual({ count: 3 });
  crash(a);
  const b = await createDurableActor(parent, { store });
  await b.send({ type: 'count' });
  expect(b.getSnapshot().context).toEqual({ count: 4 });
  expect(b.resumed?.actors).toBe(1);
  await b.close();
});

test('X15: refuses a child id that is taken since an earlier turn, and the first child goes on', async () => {
  const store = tempStore();
  const a = await createDurableActor(parent, { store });
  await a.send({ type: 'spawn' });
  await expect(a.send({ type: 'spawn' })).rejects.toMatchObject({
    code: 'CHILD_ID_DUPLICATE',
    message: expect.stringContaining('"main" spawned "kid"'),
  });
  expect(a.getSnapshot().children['kid']?.getSnapshot().status).toBe('active');
  crash(a);
  const b = await createDurableActor(parent, { store });
  expect(b.resumed?.actors).toBe(2);
  await b.close();
});

test('a message id with half a character is refused, not confused with another', async () => {
  const a = await createDurableActor(parent, { store: tempStore() });
  for (const id of ['\ud800', '\ud801']) {
    await expect(a.send({ type: 'count' }, { id })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  }
  expect(a.getSnapshot().context.count).toBe(0);
  await a.close();
});

test.each<[string, (box: { value?: unknown }) => unknown]>([
  ['a class instance', () => new Money()],
  ['a function', () => () => 1],
])('refuses an initial state with %s, and the store can be used afterwards', async (_, make) => {
  const store = tempStore();
  const bad = setup({}).createMachine({ id: 'bad', context: { box: make({}) } });
  await expect(createDurableActor(bad, { store })).rejects.toMatchObject({
    code: 'CODEC_REFUSED',
    message: expect.stringContaining('"context.box" of the actor "main"'),
  });
  const a = await createDurableActor(parent, { store });
  expect(a.resumed).toBeUndefined();
  await a.send({ type: 'count' });
  await a.close();
});

async function opened(machine: AnyStateMachine, options: DurableOptions<AnyStateMachine>): Promise<void> {
  await (await createDurableActor(machine, options)).close();
}

const withKid = (kids: Record<string, AnyStateMachine>, extra: object = {}) =>
  setup({ actors: kids }).createMachine({
    id: 'house',
    ...extra,
    entry: spawnChild('kid' as never, { id: 'bart' } as never),
  });

test('X16: refuses a tree whose child is made from logic that the machine no longer names, and leaves it whole', async () => {
  const store = tempStore();
  await opened(withKid({ kid }), { store });
  await expect(opened(withKid({}), { store })).rejects.toMatchObject({
    code: 'LOGIC_MISSING',
    message: expect.stringMatching(/"bart".*"kid".*"main"/),
  });
  await opened(withKid({ kid }), { store });
});

test('X16: refuses another machine version without migrate, and takes what migrate makes of it', async () => {
  const store = tempStore();
  const v2 = setup({ types: {} as { context: { total: number } } }).createMachine({
    id: 'parent',
    version: '2',
    context: { total: 0 },
  });
  const a = await createDurableActor(parent, { store });
  await a.send({ type: 'count' });
  await a.close();
  await expect(opened(v2, { store })).rejects.toMatchObject({
    code: 'MACHINE_CHANGED',
    message: expect.stringMatching(/"main" in the state .* of parent; the machine is now parent@2/),
  });
  const toTotal = (state: StoredState) => ({
    ...state,
    context: { total: (state.context as { count: number }).count },
  });
  const migrate = { parent: [{ from: undefined, to: '2', migrate: toTotal }] };
  const b = await createDurableActor(v2, { store, migrate });
  expect(b.getSnapshot().context).toEqual({ total: 1 });
  crash(b);
  const c = await createDurableActor(v2, { store, migrate });
  expect(c.getSnapshot().context).toEqual({ total: 1 });
  await c.close();
});

test('X16: refuses a child in a state that its machine no longer has, by its path', async () => {
  const store = tempStore();
  const kidWith = (...names: string[]) =>
    setup({}).createMachine({
      id: 'kid',
      initial: names[0] as string,
      states: Object.fromEntries(names.map((name) => [name, {}])),
    });
  await opened(withKid({ kid: kidWith('asleep', 'awake') }), { store });
  await expect(opened(withKid({ kid: kidWith('awake') }), { store })).rejects.toMatchObject({
    code: 'MACHINE_CHANGED',
    message: expect.stringMatching(/"bart".*"asleep"/),
  });
  await opened(withKid({ kid: kidWith('asleep', 'awake') }), { store });
});

test('refuses a root in a state that its machine no longer has', async () => {
  const store = tempStore();
  const with2 = (name: string) => setup({}).createMachine({ id: 'm', initial: name, states: { [name]: {} } });
  await opened(with2('old'), { store });
  await expect(opened(with2('new'), { store })).rejects.toMatchObject({
    code: 'MACHINE_CHANGED',
    message: expect.stringMatching(/"main".*"old"/),
  });
  await opened(with2('old'), { store });
});

test.each([[7], [null], [{}], [['a']]])(
  'a message id that is no text is refused, and nothing is sent: %j',
  async (id) => {
    const store = Store.open(tempStore(), { machines: { parent } });
    const a = await store.open('parent', 'a');
    const options = { id: id as never };
    await expect(a.send({ type: 'count' }, options)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
    await expect(store.send('a', { type: 'count' }, options)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
    expect(a.getSnapshot().context.count).toBe(0);
    store.close();
  },
);
