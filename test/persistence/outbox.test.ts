/** What a turn wants done after its commit: durable actions, and events for other trees. */
import { assign, enqueueActions, setup, spawnChild, type AnyActorRef } from 'xstate';
import { expect, test } from 'vitest';
import { PerdureError } from '../../errors.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import {
  durableAction,
  sendToTree,
  transactional,
  type DurableActionContext,
  type TreeMessage,
} from '../../persistence/durable-action.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { quickStore, tempStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

type Call = readonly [params: unknown, context: DurableActionContext];

/** A machine with one durable action `act`, and what its handler was called with. */
function acting(run: (params: never, context: DurableActionContext) => unknown, retry = {}) {
  const calls: Call[] = [];
  const act = durableAction({
    name: 'act',
    retry,
    run: (params: unknown, context) => {
      calls.push([params, context]);
      return run(params as never, context);
    },
  });
  const machine = setup({
    types: {} as {
      context: { box?: unknown; boss?: AnyActorRef };
      events:
        { type: 'act'; what: unknown } | { type: 'actBad' } | { type: 'spawn' } | { type: 'throw' } | { type: 'many' };
    },
    actions: {
      act,
      throw: () => {
        throw new Error('thrown');
      },
    },
    actors: {
      kid: setup({ actions: { act } }).createMachine({ id: 'kid', entry: { type: 'act', params: 'kid' as never } }),
    },
  }).createMachine({
    id: 'acting',
    context: {},
    on: {
      act: { actions: { type: 'act', params: ({ event }: { event: { what: unknown } }) => event.what as never } },
      actBad: { actions: [{ type: 'act', params: 'never' as never }, assign({ box: () => () => 1 })] },
      spawn: { actions: spawnChild('kid', { id: 'kid' }) },
      throw: { actions: [{ type: 'act', params: 'thrown' as never }, 'throw'] },
      many: {
        actions: enqueueActions(({ enqueue, self }) => {
          enqueue({ type: 'act', params: 1 as never });
          enqueue({ type: 'act', params: { date: new Date(5), map: new Map([[1, self]]) } as never });
        }),
      },
    },
  });
  return { machine, calls };
}

const keysOf = (calls: readonly Call[]) => calls.map(([, { key }]) => key);
const attemptsOf = (calls: readonly Call[]) => calls.map(([, { attempt }]) => attempt);
const paramsOf = (calls: readonly Call[]) => calls.map(([params]) => params);
const outbox = (store: Pick<Store, 'rows' | 'flush'>) => {
  store.flush();
  return store.rows.all<{ kind: string; attempt: number; dead_at: number | null }>('select * from outbox order by id');
};
const crashStore = (store: Pick<Store, 'drop'>) => store.drop(new PerdureError('STORE_CLOSED', 'crashed'));

test('runs after the commit, never for a turn that was not committed, and leaves no row', async () => {
  const store = tempStore();
  let committed = false;
  const { machine, calls } = acting(() => expect(committed).toBe(true));
  const a = await createDurableActor(machine, { store, onCommit: () => (committed = true) });
  committed = false;
  const sent = a.send({ type: 'act', what: 'x' });
  await Promise.resolve();
  expect(calls).toEqual([]);
  await sent;
  await until(() => outbox(a.store).length === 0);
  expect(calls).toMatchObject([['x', { attempt: 1, key: expect.any(String) }]]);
  const lost = a.send({ type: 'act', what: 'lost' });
  crash(a);
  await expect(lost).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  const b = await createDurableActor(machine, { store });
  await settle();
  expect(calls).toHaveLength(1);
  await b.close();
});

test('is taken by an initial state, by a child spawned in the same turn, and by enqueueActions, with any params', async () => {
  const { machine, calls } = acting(() => {});
  const withEntry = setup({ actors: { machine }, actions: {} }).createMachine({
    id: 'outer',
    invoke: { src: 'machine', id: 'inner' },
    entry: spawnChild('machine', { id: 'spawned' }),
  });
  await using a = await createDurableActor(withEntry, { store: quickStore() });
  await a.send({ type: 'spawn' } as never, { to: 'inner' });
  await a.send({ type: 'many' } as never, { to: 'spawned' });
  await until(() => calls.length === 3 && outbox(a.store).length === 0);
  expect(paramsOf(calls).slice(0, 2)).toEqual(['kid', 1]);
  const { date, map } = paramsOf(calls)[2] as { date: Date; map: Map<number, AnyActorRef> };
  expect(date).toEqual(new Date(5));
  expect(map.get(1)?.id).toBe('spawned');
  expect(map.get(1)?.getSnapshot()).toBeDefined();
});

test('a turn that is refused, a transition that throws, and params that cannot be stored leave no row', async () => {
  const { machine, calls } = acting(() => {});
  await using a = await createDurableActor(machine, { store: quickStore() });
  await expect(a.send({ type: 'actBad' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await expect(a.send({ type: 'act', what: () => 1 })).rejects.toMatchObject({
    code: 'CODEC_REFUSED',
    message: expect.stringContaining('"act"'),
  });
  await a.send({ type: 'throw' });
  expect(a.getSnapshot().status).toBe('error');
  await settle();
  expect([calls, outbox(a.store)]).toEqual([[], []]);
});

test('a transition that throws after an action of it had the store commit undoes only what is not written', async () => {
  const seen: number[] = [];
  let flush = () => {};
  const machine = setup({
    types: {} as { events: { type: 'go' | 'act' } },
    actions: {
      act: durableAction({ name: 'act', run: (n: number) => void seen.push(n) }),
      flush: () => flush(),
      throw: () => {
        throw new Error('thrown');
      },
    },
  }).createMachine({
    id: 'm',
    on: {
      act: { actions: { type: 'act', params: 1 } },
      go: { actions: [{ type: 'act', params: 2 }, 'flush', { type: 'act', params: 3 }, 'throw'] },
    },
  });
  await using a = await createDurableActor(machine, { store: quickStore() });
  flush = () => a.store.flush();
  await Promise.all([a.send({ type: 'act' }), a.send({ type: 'go' })]);
  await until(() => outbox(a.store).length === 0);
  expect(seen).toEqual([1, 2]);
});

test('rows of one actor are done one after the other, in order, and a failing one holds up the next', async () => {
  const clock = new SimulatedClock();
  const order: unknown[] = [];
  const { machine } = acting(
    (what, { attempt }) => {
      order.push([what, attempt]);
      if (what === 'b' && attempt < 3) throw new Error('not yet');
    },
    { delayMs: 100 },
  );
  await using a = await createDurableActor(machine, { store: quickStore(), clock });
  await Promise.all(['a', 'b', 'c'].map((what) => a.send({ type: 'act', what })));
  await settle(20);
  expect(order).toEqual([
    ['a', 1],
    ['b', 1],
  ]);
  expect(outbox(a.store)).toMatchObject([{ attempt: 1, error: 'not yet', due: 100 }, { attempt: 0 }]);
  await clock.advance(99);
  expect(order).toHaveLength(2);
  await clock.advance(1);
  await settle(20);
  await clock.advance(200);
  await settle(20);
  expect(order).toEqual([
    ['a', 1],
    ['b', 1],
    ['b', 2],
    ['b', 3],
    ['c', 1],
  ]);
});

test('the back-off waits on disk: a restart waits for what remains, and a clock that went back does not prolong it', async () => {
  const clock = new SimulatedClock(1_000_000);
  const store = quickStore();
  const { machine, calls } = acting(() => Promise.reject(new Error('no')), { delayMs: 1_000 });
  const a = await createDurableActor(machine, { store, clock });
  await a.send({ type: 'act', what: 1 });
  await settle();
  crash(a);
  await clock.advance(600);
  const b = await createDurableActor(machine, { store, clock });
  await clock.advance(399);
  await settle();
  expect(calls).toHaveLength(1);
  await clock.advance(1);
  await settle();
  expect(attemptsOf(calls)).toEqual([1, 2]);
  crash(b);
  const past = new SimulatedClock(0);
  const c = await createDurableActor(machine, { store, clock: past });
  await past.advance(2_000);
  await settle();
  expect(attemptsOf(calls)).toEqual([1, 2, 3]);
  expect(new Set(keysOf(calls)).size).toBe(1);
  await c.close();
});

test('is given up after its last attempt, or at once when that is useless: a dead letter, an incident, and the next one passes', async () => {
  const clock = new SimulatedClock();
  let isWell = false;
  const { machine, calls } = acting(
    (what) => {
      if (isWell || what === 'c') return;
      throw Object.assign(new Error(`no ${String(what)}`), what === 'b' ? { retryable: false } : {});
    },
    { attempts: 3, delayMs: 10 },
  );
  await using a = await createDurableActor(machine, { store: quickStore(), clock });
  await Promise.all(['a', 'b', 'c'].map((what) => a.send({ type: 'act', what })));
  for (let n = 0; n < 4; n++) {
    await settle();
    await clock.advance(20);
  }
  await settle();
  expect(paramsOf(calls)).toEqual(['a', 'a', 'a', 'b', 'c']);
  const letters = a.store.deadLetters();
  expect(letters).toMatchObject([
    { tree: 'main', kind: 'action', name: 'act', attempts: 3, error: 'no a' },
    { attempts: 1, error: 'no b' },
  ]);
  expect(a.store.rows.all('select kind from incidents')).toEqual([
    { kind: 'outbox.deadLettered' },
    { kind: 'outbox.deadLettered' },
  ]);
  isWell = true;
  await Promise.all(letters.map(({ id }) => a.store.retry(id)));
  await settle();
  expect(paramsOf(calls).slice(5)).toEqual(['a', 'b']);
  expect(keysOf(calls)[5]).toBe(keysOf(calls)[0]);
  expect([a.store.deadLetters(), outbox(a.store)]).toEqual([[], []]);
  await expect(a.store.retry(letters[0]?.id as number)).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
});

test('an attempt is counted before it begins: one that kills the process is given up after its last', async () => {
  const store = quickStore();
  const { machine, calls } = acting(() => new Promise(() => {}), { attempts: 3 });
  const a = await createDurableActor(machine, { store });
  await a.send({ type: 'act', what: 1 });
  await until(() => calls.length === 1);
  crash(a);
  const clock = new SimulatedClock(Date.now());
  for (let life = 2; life <= 4; life++) {
    await clock.advance(100_000);
    const next = await createDurableActor(machine, { store, clock });
    await settle();
    expect(attemptsOf(calls)).toEqual([1, 2, 3].slice(0, Math.min(life, 3)));
    expect(next.store.deadLetters()).toHaveLength(life === 4 ? 1 : 0);
    crash(next);
  }
  expect(new Set(keysOf(calls)).size).toBe(1);
});

test('a close aborts what runs, does not count it, and the next life runs it again under the same key', async () => {
  const store = quickStore();
  const { machine, calls } = acting(() => new Promise(() => {}), { attempts: 2 });
  for (let life = 0; life < 4; life++) {
    const a = await createDurableActor(machine, { store });
    if (life === 0) await a.send({ type: 'act', what: 1 });
    await until(() => calls.length === life + 1);
    expect(calls[life]?.[1].signal.aborted).toBe(false);
    await a.close();
    expect(calls[life]?.[1].signal.reason).toMatchObject({ code: 'STORE_CLOSED' });
  }
  expect(attemptsOf(calls)).toEqual([1, 1, 1, 1]);
  expect(new Set(keysOf(calls)).size).toBe(1);
});

test('a refused turn of its tree does not cut a running action off', async () => {
  let finish = () => {};
  const { machine, calls } = acting(() => new Promise<void>((resolve) => (finish = resolve)));
  await using a = await createDurableActor(machine, { store: quickStore() });
  await a.send({ type: 'act', what: 1 });
  await until(() => calls.length === 1);
  await expect(a.send({ type: 'actBad' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await settle();
  expect(calls[0]?.[1].signal.aborted).toBe(false);
  finish();
  await until(() => outbox(a.store).length === 0);
  expect(calls).toHaveLength(1);
});

test('an action whose name nobody declares is given up visibly at once, and can be done when it is there again', async () => {
  const clock = new SimulatedClock(0);
  const store = quickStore();
  const { machine, calls } = acting(() => new Promise(() => {}));
  const a = await createDurableActor(machine, { store, clock });
  await a.send({ type: 'act', what: 1 });
  await until(() => calls.length === 1);
  crash(a);
  const without = setup({}).createMachine({ id: 'acting' });
  const b = await createDurableActor(without, { store, clock });
  await clock.advance(1_000);
  await until(() => b.store.deadLetters().length === 1);
  const [letter] = b.store.deadLetters();
  expect(letter).toMatchObject({ name: 'act', attempts: 2, error: expect.stringContaining('"act"') });
  await b.store.retry(letter?.id as number);
  crash(b);
  const again = acting(() => {});
  const c = await createDurableActor(again.machine, { store, clock });
  await clock.advance(60_000);
  await until(() => again.calls.length === 1 && outbox(c.store).length === 0);
  await c.close();
});

test('an action of a state named input, and of an actor named context, is found; an undeclared one is refused by name', async () => {
  const seen: string[] = [];
  const act = (name: string) => durableAction({ name, run: () => void seen.push(name) });
  const child = setup({ actions: { inChild: act('inChild') } }).createMachine({ id: 'child', entry: 'inChild' });
  const machine = setup({ actors: { context: child } }).createMachine({
    id: 'm',
    initial: 'input',
    context: { big: [1, 2, 3] },
    states: { input: { entry: act('inState'), invoke: { src: 'context', id: 'c' } } },
    on: { inline: { actions: enqueueActions(({ enqueue }) => enqueue(act('inline') as never)) } },
  });
  await using a = await createDurableActor(machine, { store: quickStore() });
  await until(() => seen.length === 2);
  expect(seen.toSorted()).toEqual(['inChild', 'inState']);
  await expect(a.send({ type: 'inline' })).rejects.toMatchObject({
    code: 'NOT_PROVIDED',
    message: expect.stringContaining('"inline"'),
  });
});

test('the actor that wanted it may be gone', async () => {
  const { machine, calls } = acting(() => {});
  const clock = new SimulatedClock();
  const parent = setup({ actors: { machine } }).createMachine({
    id: 'parent',
    initial: 'on',
    states: { on: { invoke: { src: 'machine', id: 'kid' }, on: { off: 'off' } }, off: {} },
  });
  const store = quickStore();
  const a = await createDurableActor(parent, { store, clock });
  await Promise.all([a.send({ type: 'many' } as never, { to: 'kid' }), a.send({ type: 'off' })]);
  await settle(20);
  expect(paramsOf(calls)).toHaveLength(2);
  const { map } = paramsOf(calls)[1] as { map: Map<number, AnyActorRef> };
  expect(map.get(1)?.id).toMatch(/^gone\./);
  expect(outbox(a.store)).toEqual([]);
  crash(a);
});

// Between trees.

interface Mail {
  readonly type: 'mail';
  readonly to: string;
  readonly n: number;
  readonly actor?: string;
}
type Posted =
  | Mail
  | { readonly type: 'got'; readonly from: string; readonly n: number }
  | { readonly type: 'end' | 'ref' | 'nowhere' | 'bad' | 'writeBad' };

const post = setup({
  types: {} as { context: { got: readonly string[]; box?: unknown }; events: Posted },
  actions: {
    post: sendToTree(({ self, event }) => {
      const { to, n, actor } = event as Mail;
      const got: TreeMessage['event'] = { type: 'got', from: self.id, n };
      return actor === undefined ? { tree: to, event: got } : { tree: to, event: got, to: actor };
    }),
    postRef: sendToTree(({ self }) => ({ tree: 'b', event: { type: 'got', ref: self } })),
    write: transactional((rows) => void rows.run('delete from quarantine where tree < 0')),
    postNowhere: sendToTree({ tree: undefined as unknown as string, event: { type: 'got' } }),
  },
  actors: {
    inner: setup({ types: {} as { context: { n: number } } }).createMachine({
      id: 'inner',
      context: { n: 0 },
      on: { got: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    }),
  },
}).createMachine({
  id: 'post',
  context: { got: [] },
  invoke: { src: 'inner', id: 'inner' },
  initial: 'open',
  on: {
    mail: { actions: 'post' },
    ref: { actions: 'postRef' },
    nowhere: { actions: 'postNowhere' },
    bad: { actions: assign({ box: () => () => 1 }) },
    writeBad: { actions: ['write', assign({ box: () => () => 1 })] },
    got: { actions: assign({ got: ({ context, event }) => [...context.got, `${event.from}${event.n}`] }) },
    end: '.over',
  },
  states: { open: {}, over: { type: 'final' } },
});

const machines = { post };
const mail = (to: string, n: number, actor?: string): Mail => ({ type: 'mail', to, n, ...(actor ? { actor } : {}) });
const got = async (store: Store<typeof machines>, tree: string) =>
  (await store.open('post', tree)).getSnapshot().context.got;

test('an event goes to a closed tree, to itself, and to an actor inside, once and in order', async () => {
  await using store = Store.open(quickStore(), { machines, history: true });
  await (await store.open('post', 'b')).close();
  const a = await store.open('post', 'a');
  await Promise.all([1, 2, 3, 4].map((n) => a.send(mail(n === 3 ? 'a' : 'b', n))));
  await a.send(mail('b', 5, 'inner'));
  await until(() => outbox(store).length === 0);
  expect(await got(store, 'b')).toEqual(['a1', 'a2', 'a4']);
  expect(await got(store, 'a')).toEqual(['a3']);
  const b = await store.open('post', 'b');
  expect(b.getSnapshot().children['inner']?.getSnapshot().context).toEqual({ n: 1 });
  const began: string[] = [];
  for await (const { causes } of store.history({ tree: 'b' }))
    began.push(...causes.map(({ kind, tree }) => `${kind} ${tree}`));
  expect(began).toContain('outbox b');
  expect(began).not.toContain('send b');
});

test('an event to nobody is a dead letter that can be sent again, and one that cannot be addressed or stored is refused', async () => {
  await using store = Store.open(quickStore(), { machines });
  const a = await store.open('post', 'a');
  const b = await store.open('post', 'b');
  await store.open('post', 'over').then((over) => over.send({ type: 'end' }));
  await Promise.all([
    a.send(mail('none', 1)),
    a.send(mail('over', 2)),
    a.send(mail('b', 3, 'nobody')),
    a.send(mail('b', 4)),
  ]);
  await until(() => b.getSnapshot().context.got.length === 1);
  expect(store.deadLetters()).toMatchObject([
    { tree: 'a', kind: 'event', name: 'none', error: expect.stringContaining('"none"') },
    { name: 'over', error: expect.stringContaining('done') },
    { name: 'b', error: expect.stringContaining('nobody') },
  ]);
  await store.open('post', 'none');
  await store.retry(store.deadLetters()[0]?.id as number);
  await until(() => outbox(store).length === 2);
  expect(await got(store, 'none')).toEqual(['a1']);
  for (const type of ['ref', 'nowhere']) {
    await expect(a.send({ type } as never)).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  }
});

test.each([
  ['bad', 'alone'],
  ['writeBad', 'with the rows that it wrote'],
] as const)('events that are delivered while a turn is refused for %s (%s) are applied once', async (type, _) => {
  const path = quickStore();
  await using store = Store.open(path, { machines });
  const names = Array.from({ length: 10 }, (_, n) => `t${n}`);
  const handles = await Promise.all(names.map((name) => store.open('post', name)));
  const results: Promise<unknown>[] = [];
  for (let n = 0; n < 8; n++) {
    for (const [index, handle] of handles.entries()) {
      results.push(handle.send(mail(names[(index + 1 + n) % 10] as string, n)));
    }
    results.push((handles[n] as (typeof handles)[number]).send({ type }));
    void Promise.allSettled(results);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const settled = await Promise.allSettled(results);
  expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(8);
  await until(() => outbox(store).length === 0);
  const all = handles.flatMap((handle) => handle.getSnapshot().context.got);
  expect(all.toSorted()).toEqual(
    names.flatMap((name) => [0, 1, 2, 3, 4, 5, 6, 7].map((n) => `${name}${n}`)).toSorted(),
  );
});

test('an event that waits is delivered by the store alone after a crash, and trees of createDurableActor are waited for', async () => {
  const path = quickStore();
  const store = Store.open(path, { machines });
  const a = await store.open('post', 'a');
  await (await store.open('post', 'b')).close();
  const sent = a.send(mail('b', 1));
  store.flush();
  crashStore(store);
  await sent;
  const next = Store.open(path, { machines });
  await until(() => outbox(next).length === 0);
  expect(await got(next, 'b')).toEqual(['a1']);
  expect(next.deadLetters()).toEqual([]);
  next.close();
  const clock = new SimulatedClock(Date.now());
  const single = Store.open(path, { clock });
  const one = await createDurableActor(post, { store: single, id: 'one' });
  await (await createDurableActor(post, { store: single, id: 'two' })).close();
  await one.send(mail('two', 7));
  await settle();
  const two = await createDurableActor(post, { store: single, id: 'two' });
  await clock.advance(1_000);
  await until(() => two.getSnapshot().context.got.length === 1);
  single.close();
});

test('an event for a tree whose machine the store does not know now waits, and comes when it does', async () => {
  const path = quickStore();
  const clock = new SimulatedClock(0);
  const other = setup({ types: {} as { context: { n: number }; events: { type: 'got' } } }).createMachine({
    id: 'other',
    context: { n: 0 },
    on: { got: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  });
  const first = Store.open(path, { machines: { post, other }, clock });
  await (await first.open('other', 'b')).close();
  first.close();
  const without = Store.open(path, { machines, clock });
  await expect(without.send('b', { type: 'end' })).rejects.toMatchObject({ code: 'MACHINE_UNKNOWN', retryable: true });
  const a = await without.open('post', 'a');
  await a.send(mail('b', 1));
  await until(() => outbox(without)[0]?.attempt === 1);
  expect(without.deadLetters()).toEqual([]);
  without.close();
  await using last = Store.open(path, { machines: { post, other }, clock });
  await clock.advance(60_000);
  await until(() => outbox(last).length === 0);
  expect((await last.open('other', 'b')).getSnapshot().context.n).toBe(1);
});
