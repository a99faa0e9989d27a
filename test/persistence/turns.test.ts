/** Adversarial turns: what breaks if A lands before B, and who is told what, when. */
import { assign, fromCallback, fromPromise, raise, sendTo, setup, spawnChild, emit, stopChild } from 'xstate';
import { expect, test } from 'vitest';
import type { CommitReport } from '../../persistence/batch.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { quickStore, tempStore } from '../support/temp.ts';

const counter = setup({
  types: {} as {
    context: { count: number; x?: unknown };
    events: { type: 'count' } | { type: 'say' } | { type: 'bad' } | { type: 'end' };
    emitted: { type: 'said' };
  },
}).createMachine({
  id: 'counter',
  context: { count: 0 },
  initial: 'open',
  states: {
    open: {
      on: {
        count: { actions: assign({ count: ({ context }) => context.count + 1 }) },
        say: { actions: emit({ type: 'said' }) },
        bad: { actions: assign({ x: () => () => 1 }) },
        end: 'ended',
      },
    },
    ended: { type: 'final' },
  },
});

const COUNT = { type: 'count' } as const;

/** Remembers a promise that may reject before somebody waits for it. */
function note(promises: Promise<unknown>[], promise: Promise<unknown>): void {
  promise.catch(() => {});
  promises.push(promise);
}

function codeOf(result: PromiseSettledResult<unknown>): string {
  return result.status === 'fulfilled' ? 'ok' : (result.reason as { code: string }).code;
}

test.each(['onCommit', 'on', 'subscribe'] as const)(
  'keeps what a listener sends from inside a commit: %s',
  async (kind) => {
    const store = tempStore();
    const sends: Promise<unknown>[] = [];
    let listening = false;
    const send = (a: { send(event: typeof COUNT): Promise<unknown> }) => {
      if (listening) sends.push(a.send(COUNT));
      listening = false;
    };
    const a = await createDurableActor(counter, {
      store,
      onCommit: () => void (kind === 'onCommit' && listening && send(a)),
    });
    if (kind === 'on') a.on('said', () => send(a));
    if (kind === 'subscribe') a.subscribe(() => send(a));
    listening = true;
    await a.send(kind === 'on' ? { type: 'say' } : COUNT);
    await sends[0];
    expect(sends).toHaveLength(1);
    crash(a);
    const b = await createDurableActor(counter, { store });
    expect(b.getSnapshot().context.count).toBe(kind === 'on' ? 1 : 2);
    await b.close();
  },
);

test('starts no effect of a turn that a listener began in the commit before it', async () => {
  const store = tempStore();
  const seen: unknown[] = [];
  const machine = setup({
    types: {} as { events: { type: 'go' } | { type: 'first' } },
    actors: {
      work: fromPromise(async () => void seen.push(await countTurns())),
    },
  }).createMachine({ id: 'm', on: { go: { actions: spawnChild('work', { id: 'work' }) } } });
  let commits = 0;
  let commitsWhenStarted = 0;
  const countTurns = async () => (commitsWhenStarted = commits);
  let begin = false;
  const a = await createDurableActor(machine, {
    store,
    onCommit: () => {
      commits += 1;
      if (begin) void a.send({ type: 'go' });
      begin = false;
    },
  });
  begin = true;
  const before = commits;
  await a.send({ type: 'first' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(commitsWhenStarted - before).toBe(2);
  await a.close();
});

test('X30: shows only committed state to a subscriber, also while a later turn is pending', async () => {
  let more = 0;
  const a = await createDurableActor(counter, {
    store: tempStore(),
    onCommit: () => void (more-- > 0 && a.send(COUNT)),
  });
  more = 1;
  const seen: number[] = [];
  a.subscribe(({ context }) => void seen.push(context.count));
  await a.send(COUNT);
  await a.send(COUNT);
  expect(seen).toEqual([1, 3]);
  await a.close();
});

test('puts a timer aside whose turn can never be stored, says so, and goes on', async () => {
  const store = tempStore();
  const clock = new SimulatedClock(1_000);
  let tries = 0;
  const machine = setup({
    types: {} as {
      context: { count: number; x?: unknown };
      events: { type: 'count' } | { type: 'poison' } | { type: 'set' };
    },
  }).createMachine({
    id: 'm',
    context: { count: 0 },
    on: {
      set: { actions: [raise({ type: 'poison' }, { delay: 10 }), raise({ type: 'count' }, { delay: 10 })] },
      poison: { actions: [() => void (tries += 1), assign({ x: () => () => 1 })] },
      count: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    },
  });
  const a = await createDurableActor(machine, { store, clock });
  await a.send({ type: 'set' });
  await clock.advance(2_000);
  expect(a.getSnapshot().context).toEqual({ count: 1 });
  const { statements } = a.store.commits;
  expect(statements.of('select count(*) as n from timers').get()).toEqual({ n: 0 });
  expect(statements.of(`select kind, detail from incidents`).all()).toEqual([
    { kind: 'timer.deadLettered', detail: expect.stringContaining('poison') },
  ]);
  // Three times, in its batch and alone.
  expect(tries).toBe(6);
  await a.send(COUNT);
  await a.close();
});

test('gives a callback actor what it was sent in the turn that created it, and before it started again', async () => {
  const store = tempStore();
  const heard: string[] = [];
  const machine = setup({
    types: {} as { events: { type: 'go' } | { type: 'tell' } },
    actors: { line: fromCallback(({ receive }) => receive((event) => void heard.push(event.type))) },
  }).createMachine({
    id: 'm',
    on: {
      go: {
        actions: [
          spawnChild('line', { id: 'line' }),
          sendTo('line', { type: 'hello' }),
          sendTo('line', { type: 'again' }),
        ],
      },
      tell: { actions: sendTo('line', { type: 'told' }) },
      'runtime.resumed': { actions: sendTo('line', { type: 'resumed' }) },
    } as never,
  });
  const a = await createDurableActor(machine, { store });
  await a.send({ type: 'go' });
  expect(heard).toEqual(['hello', 'again']);
  await a.send({ type: 'tell' });
  expect(heard).toEqual(['hello', 'again', 'told']);
  crash(a);
  heard.length = 0;
  const b = await createDurableActor(machine, { store });
  await b.send({ type: 'tell' });
  expect(heard).toEqual(['resumed', 'told']);
  expect(b.getSnapshot().status).toBe('active');
  await b.close();
});

test('X22: acknowledges a repeated id although the actor it went to is gone meanwhile', async () => {
  const store = tempStore();
  const a = await createDurableActor(counter, { store });
  await a.send({ type: 'end' }, { id: 'c:1' });
  expect(await a.send({ type: 'end' }, { id: 'c:1' })).toMatchObject({ applied: false });
  crash(a);
  const b = await createDurableActor(counter, { store });
  expect(await b.send({ type: 'end' }, { id: 'c:1' })).toMatchObject({ applied: false });
  await expect(b.send({ type: 'end' }, { id: 'c:2' })).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
  await b.close();
});

test('keeps the message ids of one tree from those of another', async () => {
  const store = Store.open(tempStore());
  const a = await createDurableActor(counter, { store, id: 'a' });
  const b = await createDurableActor(counter, { store, id: 'b' });
  expect(await a.send(COUNT, { id: 'm1' })).toMatchObject({ applied: true });
  expect(await b.send(COUNT, { id: 'm1' })).toMatchObject({ applied: true });
  expect(await b.send(COUNT, { id: 'm1' })).toMatchObject({ applied: false });
  expect([a.getSnapshot().context.count, b.getSnapshot().context.count]).toEqual([1, 1]);
  store.close();
});

test('tells who sends from inside the last commit of a tree that it is closed, and loses nothing of another tree', async () => {
  const more: Promise<unknown>[] = [];
  let closing = false;
  const store = Store.open(tempStore(), {
    history: true,
    onCommit: () => {
      if (!closing) return;
      closing = false;
      for (const tree of [a, b]) note(more, tree.send(COUNT));
    },
  });
  const a = await createDurableActor(counter, { store, id: 'a' });
  const b = await createDurableActor(counter, { store, id: 'b' });
  const last = a.send(COUNT);
  closing = true;
  await a.close();
  await last;
  expect((await Promise.allSettled(more)).map(codeOf)).toEqual(['STORE_CLOSED', 'ok']);
  expect(b.getSnapshot().context.count).toBe(1);
  const told: string[] = [];
  for await (const { causes } of store.history()) for (const { kind, tree } of causes) told.push(`${kind} ${tree}`);
  expect(told).toEqual(['start a', 'start b', 'send a', 'send b']);
  store.close();
});

test('takes nothing for a tree that was closed while its store is still open', async () => {
  const store = Store.open(tempStore());
  const a = await createDurableActor(counter, { store, id: 'a' });
  await a.close();
  await expect(a.send(COUNT, { id: 'm1' })).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  await expect(a.waitFor(() => false)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  const again = await createDurableActor(counter, { store, id: 'a' });
  expect(await again.send(COUNT, { id: 'm1' })).toMatchObject({ applied: true });
  store.close();
});

test('refuses a second live copy of one tree in one store', async () => {
  const store = Store.open(tempStore());
  const a = await createDurableActor(counter, { store, id: 'a' });
  await expect(createDurableActor(counter, { store, id: 'a' })).rejects.toMatchObject({
    code: 'STORE_OWNED',
    facts: { path: store.path, tree: 'a' },
  });
  await a.send(COUNT);
  expect(a.getSnapshot().context.count).toBe(1);
  store.close();
});

test('settles every send when turns are run again alone while listeners send more', async () => {
  const store = tempStore();
  const more: Promise<unknown>[] = [];
  let listening = false;
  const a = await createDurableActor(counter, {
    store,
    onCommit: () =>
      void (listening && more.length < 3 && note(more, a.send(more.length === 1 ? { type: 'bad' } : COUNT))),
  });
  listening = true;
  const events = [COUNT, { type: 'bad' }, COUNT, { type: 'bad' }, COUNT] as const;
  const sending = Promise.allSettled(events.map((event) => a.send(event)));
  const settling = sending.then(() => Promise.allSettled(more));
  const results = await sending;
  expect(results.map(codeOf)).toEqual(['ok', 'CODEC_REFUSED', 'ok', 'CODEC_REFUSED', 'ok']);
  const moreResults = await settling;
  expect(moreResults.map(codeOf)).toEqual(['ok', 'CODEC_REFUSED', 'ok']);
  crash(a);
  const b = await createDurableActor(counter, { store });
  expect(b.getSnapshot().context.count).toBe(5);
  await b.close();
});

test('a flood of sends is committed in batches of a bounded size', async () => {
  let commits = 0;
  const a = await createDurableActor(counter, { store: quickStore(), onCommit: () => void (commits += 1) });
  commits = 0;
  await Promise.all(Array.from({ length: 3 * 2_048 }, () => a.send(COUNT)));
  expect(commits).toBe(3);
  expect(a.getSnapshot().context.count).toBe(3 * 2_048);
  await a.close();
});

test('what is sent while turns are run again alone comes after them', async () => {
  const machine = setup({
    types: {} as { context: { said: string[]; x?: unknown }; events: { type: 'say'; what: string } },
  }).createMachine({
    context: { said: [] },
    on: {
      say: {
        actions: assign(({ context, event }) => ({
          said: [...context.said, event.what],
          ...(event.what === 'bad' ? { x: () => 1 } : {}),
        })),
      },
    },
  });
  const sent: Promise<unknown>[] = [];
  let listening = false;
  const say = (what: string) => note(sent, a.send({ type: 'say', what }));
  const onCommit = () => {
    if (listening) say('late');
    listening = false;
  };
  const a = await createDurableActor(machine, { store: tempStore(), onCommit });
  listening = true;
  for (const what of ['one', 'bad', 'two', 'three']) say(what);
  await Promise.allSettled(sent);
  await Promise.allSettled(sent);
  expect(a.getSnapshot().context.said).toEqual(['one', 'two', 'three', 'late']);
  await a.close();
});

test('tells of every commit which turn it was, and what it wrote', async () => {
  const reports: CommitReport[] = [];
  const onCommit = (report: CommitReport) => void reports.push(report);
  const a = await createDurableActor(counter, { store: tempStore(), clock: new SimulatedClock(), onCommit });
  const first = await a.send(COUNT);
  await a.send(COUNT, { id: 'pay-1' });
  await Promise.all([a.send(COUNT), a.send(COUNT), a.send(COUNT, { id: 'pay-1' })]);
  await expect(a.send({ type: 'bad' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await a.send(COUNT);
  const [, plain, withId, two] = reports;
  const bytes = plain?.bytes as number;
  expect(plain).toEqual({ turn: first.turn, rows: 1, bytes: expect.any(Number), ms: 0 });
  expect(withId).toEqual({ turn: first.turn + 1, rows: 2, bytes: bytes + 'pay-1'.length, ms: 0 });
  expect(two).toEqual({ turn: first.turn + 2, rows: 1, bytes, ms: 0 });
  expect(reports.at(-1)).toMatchObject({ rows: 1, bytes });
  await a.close();
});

test('tells every tree of a store that the store failed, and lets go of its file', async () => {
  const path = tempStore();
  const store = Store.open(path);
  const a = await createDurableActor(counter, { store, id: 'a' });
  const b = await createDurableActor(counter, { store, id: 'b' });
  const waiting = b.waitFor(({ context }) => context.count > 0);
  const sending = a.send(COUNT);
  store.commits.statements.of(`update meta set value = value + 1 where key = 'epoch'`).run();
  await expect(sending).rejects.toMatchObject({ code: 'STORE_STOLEN' });
  await expect(waiting).rejects.toMatchObject({ code: 'STORE_STOLEN' });
  await expect(b.send(COUNT)).rejects.toMatchObject({ code: 'STORE_STOLEN' });
  const again = await createDurableActor(counter, { store: path, id: 'a' });
  await again.send(COUNT);
  await again.close();
  store.close();
});

test('brings back an actor whose own children were stopped and spawned anew under the same ids', async () => {
  const machine = setup({ types: {} as { events: { type: 'swap' } }, actors: { counter } }).createMachine({
    id: 'm',
    entry: spawnChild('counter', { id: 'kid' }),
    on: { swap: { actions: [stopChild('kid'), spawnChild('counter', { id: 'kid' })] } },
  });
  const store = tempStore();
  const a = await createDurableActor(machine, { store });
  await a.send(COUNT as never, { to: 'kid' });
  await a.send({ type: 'swap' });
  await a.send(COUNT as never, { to: 'kid' });
  crash(a);
  const b = await createDurableActor(machine, { store });
  expect(b.getSnapshot().children['kid']?.getSnapshot()).toMatchObject({ context: { count: 1 } });
  expect(b.resumed?.actors).toBe(2);
  await b.close();
});
