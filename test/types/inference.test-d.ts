/** What the types promise. Checked by `npm run typecheck`; a wrong inference is an error there. */
import fc from 'fast-check';
import { expectTypeOf } from 'vitest';
import { assign, createActor, fromPromise, setup } from 'xstate';
import {
  Store,
  createDurableActor,
  defineAction,
  durableAction,
  onRestart,
  onRestore,
  sendToTree,
  spawnSupervisor,
  supervise,
  transactional,
  type Outcome,
  type SrcOf,
  type SupervisionEmitted,
} from '../../index.ts';
import { checkDurable } from '../../testing.ts';

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

const hash = defineAction<Uint8Array, string>({ thread: { module: './hash.mjs', export: 'hash' } });
const threaded = await spawnSupervisor({ store: 'types.db', actions: { hash, build } });
expectTypeOf(await threaded.execute('hash', new Uint8Array())).toEqualTypeOf<Outcome<string>>();
expectTypeOf(await threaded.execute('build', { target: 'web' })).toEqualTypeOf<Outcome<{ bytes: number }>>();
expectTypeOf((await threaded.submit('hash', new Uint8Array())).wait({ timeoutMs: 0 })).resolves.toEqualTypeOf<
  Outcome<string> | undefined
>();
threaded.on('runtime.stalled', ({ ms }) => expectTypeOf(ms).toEqualTypeOf<number>());
threaded.on('background.quarantined', ({ until }) => expectTypeOf(until).toEqualTypeOf<number>());
// @ts-expect-error other input
await threaded.execute('hash', 'text');
// @ts-expect-error its work is here, or in a thread
defineAction({ run: () => 1, thread: { module: './hash.mjs' } });

async function* targets() {
  yield { action: 'build', input: { target: 'web' }, priority: 'high' } as const;
}
const night = await supervisor.workContinuously({ work: targets(), goal: ({ tally }) => tally.ok > 5 });
expectTypeOf((await night.outcome).reason).toEqualTypeOf<'goal' | 'time' | 'told'>();
// @ts-expect-error no such action
await supervisor.workContinuously({ work: [{ action: 'bild', input: { target: 'web' } }] });
// @ts-expect-error other input
await supervisor.workContinuously({ work: [{ action: 'build', input: { target: 5 } }] });

const same = supervisor.profiler.wrap('same', <T>(value: T) => value);
expectTypeOf(same(5 as const)).toEqualTypeOf<5>();
const load = supervisor.profiler.wrap(async (id: number, how?: { deep: boolean }) => (how ? `${id}` : null));
expectTypeOf(load).toEqualTypeOf<(id: number, how?: { deep: boolean }) => Promise<string | null>>();
// @ts-expect-error other arguments
void load('x');
// @ts-expect-error no such mode
await supervisor.profiler.mode('loud');
// @ts-expect-error no function
supervisor.profiler.wrap('name');

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

await checkDurable(counter, { input: { from: 1 }, events: [{ type: 'add', by: 1 }] });
await checkDurable(() => counter, { input: { from: 1 }, events: { add: fc.record({ by: fc.nat() }) } });
// @ts-expect-error no such event
await checkDurable(counter, { events: [{ type: 'subtract', by: 1 }] });
// @ts-expect-error no such event
await checkDurable(counter, { events: { subtract: fc.record({ by: fc.nat() }) } });
// @ts-expect-error other payload
await checkDurable(counter, { events: { add: fc.record({ by: fc.string() }) } });
// @ts-expect-error other input
await checkDurable(counter, { input: { from: 'x' } });

const shop = setup({
  types: {} as { input: { city: string }; emitted: SupervisionEmitted },
  actors: { counter, till: fromPromise(async () => 5) },
}).createMachine({});

const supervised = supervise(shop, {
  strategy: 'one_for_one',
  children: { counter: { restart: 'transient', from: 'initial' }, till: { shutdown: 100 } },
});
expectTypeOf(supervised).toEqualTypeOf(shop);
createActor(supervised, { input: { city: 'Ulm' } }).on('child.restarted', ({ restarts }) => {
  expectTypeOf(restarts).toEqualTypeOf<number>();
});
expectTypeOf<SrcOf<typeof shop>>().toEqualTypeOf<'counter' | 'till'>();

// @ts-expect-error no such actor
supervise(shop, { strategy: 'one_for_one', children: { clerk: {} } });
// @ts-expect-error no such strategy
supervise(shop, { strategy: 'one_for_two', children: {} });
// @ts-expect-error no such restart type
supervise(shop, { strategy: 'one_for_one', children: { till: { restart: 'always' } } });

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
  onRestore(
    'run',
    fromPromise(async ({ input }: { input: { n: number } }) => input.n),
  ),
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
// @ts-expect-error no such policy
export const rerun = onRestore('rerun', work);
