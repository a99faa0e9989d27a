/** What the types promise. Checked by `npm run typecheck`; a wrong inference is an error there. */
import { expectTypeOf } from 'vitest';
import { assign, fromPromise, setup } from 'xstate';
import {
  Store,
  createDurableActor,
  defineAction,
  durableAction,
  onRestart,
  sendToTree,
  spawnSupervisor,
  transactional,
  type Outcome,
} from '../../index.ts';

const build = defineAction({ run: async ({ target }: { target: string }) => ({ bytes: target.length }) });
const now = defineAction({ run: () => 5 });

const supervisor = await spawnSupervisor({ store: 'types.db', actions: { build, now } });

expectTypeOf(await supervisor.execute('build', { target: 'web' })).toEqualTypeOf<Outcome<{ bytes: number }>>();
expectTypeOf((await supervisor.submit('build', { target: 'web' })).outcome).resolves.toEqualTypeOf<
  Outcome<{ bytes: number }>
>();

// @ts-expect-error no such action
await supervisor.execute('bild', { target: 'web' });
// @ts-expect-error other input
await supervisor.execute('build', { target: 5 });

const counter = setup({
  types: {} as { context: { n: number }; events: { type: 'add'; by: number }; input: { from: number }; output: number },
}).createMachine({
  context: ({ input }) => ({ n: input.from }),
  on: { add: { actions: assign({ n: ({ context, event }) => context.n + event.by }) } },
});

const durable = await createDurableActor(counter, { store: 'types.db', input: { from: 1 } });
await durable.send({ type: 'add', by: 1 }, { id: 'm1' });
expectTypeOf(durable.getSnapshot().context).toEqualTypeOf<{ n: number }>();
expectTypeOf(durable.output).resolves.toEqualTypeOf<number>();

// @ts-expect-error no such event
await durable.send({ type: 'subtract' });
// @ts-expect-error other input
await createDurableActor(counter, { store: 'types.db', input: { from: 'x' } });

const cart = setup({
  types: {} as { context: { items: string[] }; events: { type: 'put'; item: string } },
}).createMachine({
  context: { items: [] },
});

const store = Store.open('types.db', { machines: { counter, cart } });
const counting = await store.open('counter', 'c1', { input: { from: 1 } });
expectTypeOf(counting.getSnapshot().context).toEqualTypeOf<{ n: number }>();
expectTypeOf((await store.open('cart', 'k1')).getSnapshot().context).toEqualTypeOf<{ items: string[] }>();
await store.send('c1', { type: 'add', by: 1 }, { id: 'client:1' });
await store.send('k1', { type: 'put', item: 'x' }, { to: 'inner' });
// A store of given machines is a store.
await createDurableActor(counter, { store, id: 'single', input: { from: 1 } });

// @ts-expect-error no such machine
await store.open('carts', 'k1');
// @ts-expect-error other input
await store.open('counter', 'c1', { input: { from: 'x' } });
// @ts-expect-error no machine of the store takes this event
await store.send('c1', { type: 'subtract' });
// @ts-expect-error no such event
await counting.send({ type: 'put', item: 'x' });

const mail = durableAction({
  name: 'mail',
  run: ({ to }: { to: string }, { key, attempt, signal }) => {
    expectTypeOf(key).toEqualTypeOf<string>();
    expectTypeOf(attempt).toEqualTypeOf<number>();
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    return to;
  },
});
const book = transactional((rows, { amount }: { amount: number }) => void rows.run('insert into x values (?)', amount));
const tell = sendToTree({ tree: 'k1', event: { type: 'put' } });
const work = onRestart(
  'ask',
  fromPromise(async ({ input }: { input: { n: number } }) => input.n),
);

setup({ actions: { mail, book, tell }, actors: { work } }).createMachine({
  entry: ['tell', { type: 'mail', params: { to: 'a' } }, { type: 'book', params: { amount: 1 } }],
  invoke: { src: 'work', input: { n: 1 }, onDone: { actions: ({ event }) => expectTypeOf(event.output).toBeNumber() } },
});
setup({ actions: { mail } }).createMachine({
  // @ts-expect-error other params
  entry: { type: 'mail', params: { to: 5 } },
});
// @ts-expect-error no such policy
export const again = onRestart('again', work);
