/** Work outside of the tree: when it starts, how often, when it ends, and what it is told. */
import { assign, fromCallback, fromObservable, fromPromise, sendTo, setup, spawnChild, stopChild } from 'xstate';
import { expect, test } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { effectOf, type EffectIdentity } from '../../persistence/effects.ts';
import { tempStore } from '../support/temp.ts';

const never = new Promise<never>(() => {});

function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

test('X4: an abort reaches the promise when its state is left, after the commit and not before', async () => {
  const log: string[] = [];
  const machine = setup({
    types: {} as { events: { type: 'leave' } },
    actors: {
      work: fromPromise(({ signal }) => {
        signal.addEventListener('abort', () => log.push('aborted'));
        return never;
      }),
    },
  }).createMachine({
    id: 'm',
    initial: 'working',
    states: { working: { invoke: { src: 'work', id: 'work' }, on: { leave: 'left' } }, left: {} },
  });
  const a = await createDurableActor(machine, { store: tempStore(), onCommit: () => void log.push('committed') });
  log.length = 0;
  const leaving = a.send({ type: 'leave' });
  expect(log).toEqual([]);
  await leaving;
  expect(log).toEqual(['committed', 'aborted']);
  await a.close();
});

test('an effect whose turn is refused never starts, and one that would have ended goes on', async () => {
  const log: string[] = [];
  const machine = setup({
    types: {} as { context: { box?: unknown }; events: { type: 'leave' } },
    actors: {
      first: fromPromise(({ signal }) => {
        log.push('first');
        signal.addEventListener('abort', () => log.push('aborted'));
        return never;
      }),
      second: fromPromise(() => (log.push('second'), never)),
    },
  }).createMachine({
    id: 'm',
    context: {},
    initial: 'working',
    states: {
      working: {
        invoke: { src: 'first', id: 'first' },
        on: { leave: { target: 'left', actions: assign({ box: () => () => 1 }) } },
      },
      left: { invoke: { src: 'second', id: 'second' } },
    },
  });
  const a = await createDurableActor(machine, { store: tempStore() });
  expect(log).toEqual(['first']);
  await expect(a.send({ type: 'leave' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await soon();
  // The tree was read back from its rows, so its effect ran again: at least once, and never the refused one.
  expect(log).toEqual(['first', 'aborted', 'first']);
  expect(a.getSnapshot().value).toBe('working');
  await a.close();
});

test('an effect starts after the commit of the turn that wants it, and not at all when a crash comes first', async () => {
  const store = tempStore();
  const log: string[] = [];
  const machine = setup({
    types: {} as { events: { type: 'go' } },
    actors: { work: fromPromise(() => (log.push('started'), never)) },
  }).createMachine({ id: 'm', on: { go: { actions: spawnChild('work', { id: 'work' }) } } });
  const a = await createDurableActor(machine, { store, onCommit: () => void log.push('committed') });
  log.length = 0;
  const going = a.send({ type: 'go' });
  expect(log).toEqual([]);
  crash(a);
  await expect(going).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  const b = await createDurableActor(machine, { store, onCommit: () => void log.push('committed') });
  await soon();
  expect(log).toEqual(['committed']);
  await b.send({ type: 'go' });
  expect(log).toEqual(['committed', 'committed', 'started']);
  await b.close();
});

test('an effect keeps its key over crashes while its attempts grow; no other effect gets that key', async () => {
  const store = tempStore();
  const seen: (EffectIdentity | undefined)[] = [];
  const work = fromPromise(({ self }) => (seen.push(effectOf(self)), never));
  const machine = setup({ types: {} as { events: { type: 'again' } }, actors: { work } }).createMachine({
    id: 'm',
    initial: 'working',
    states: { working: { invoke: { src: 'work', id: 'work' }, on: { again: { target: 'working', reenter: true } } } },
  });
  for (let life = 0; life < 3; life++) crash(await createDurableActor(machine, { store }));
  const d = await createDurableActor(machine, { store });
  expect(d.resumed).toMatchObject({ effects: 1 });
  await d.send({ type: 'again' });
  expect(seen.map((identity) => identity?.attempt)).toEqual([1, 2, 3, 4, 1]);
  expect(new Set(seen.slice(0, 4).map((identity) => identity?.key)).size).toBe(1);
  expect(seen[4]?.key).not.toBe(seen[0]?.key);
  await d.close();
  const plain = fromPromise(async ({ self }) => effectOf(self));
  const { createActor, toPromise } = await import('xstate');
  expect(await toPromise(createActor(plain).start())).toBeUndefined();
});

test('a result that cannot be stored becomes the error of that effect', async () => {
  const machine = setup({
    types: {} as { context: { error?: { code?: string } } },
    actors: { work: fromPromise(async () => ({ fn: () => 1 })) },
  }).createMachine({
    id: 'm',
    context: {},
    initial: 'working',
    states: {
      working: {
        invoke: {
          src: 'work',
          id: 'work',
          onDone: { target: 'done', actions: assign({ error: ({ event }) => event.output as never }) },
          onError: { target: 'failed', actions: assign({ error: ({ event }) => event.error as { code?: string } }) },
        },
      },
      done: {},
      failed: {},
    },
  });
  const a = await createDurableActor(machine, { store: tempStore() });
  const { context, value } = await a.waitFor((snapshot) => snapshot.value !== 'working');
  expect(value).toBe('failed');
  expect(context.error).toMatchObject({ code: 'CODEC_REFUSED' });
  await a.close();
});

test('a creator that throws fails its own actor only, and the parent may go on', async () => {
  const store = tempStore();
  const machine = setup({
    types: {} as { context: { errors: readonly string[] }; events: { type: 'xstate.error.actor.cb'; error: Error } },
    actors: {
      promise: fromPromise(() => {
        throw new TypeError('no promise');
      }),
      callback: fromCallback(() => {
        throw new TypeError('no callback');
      }),
      steady: fromPromise(() => never),
    },
  }).createMachine({
    id: 'm',
    context: { errors: [] },
    entry: spawnChild('steady', { id: 'steady' }),
    type: 'parallel',
    states: Object.fromEntries(
      (['promise', 'callback'] as const).map((src) => [
        src,
        {
          initial: 'running',
          states: {
            running: {
              invoke: {
                src,
                id: src,
                onError: {
                  target: 'failed',
                  actions: assign({
                    errors: ({ context, event }: never) => [
                      ...(context as { errors: string[] }).errors,
                      (event as { error: Error }).error.message,
                    ],
                  }),
                },
              },
            },
            failed: {},
          },
        },
      ]),
    ) as never,
  });
  const a = await createDurableActor(machine, { store });
  const { context, status, children } = await a.waitFor((snapshot) => snapshot.context.errors.length === 2);
  expect([...context.errors].sort()).toEqual(['no callback', 'no promise']);
  expect(status).toBe('active');
  expect((children as Record<string, { getSnapshot(): { status: string } }>)['steady']?.getSnapshot().status).toBe(
    'active',
  );
  crash(a);
  const b = await createDurableActor(machine, { store });
  expect(b.getSnapshot().value).toEqual({ promise: 'failed', callback: 'failed' });
  await b.close();
});

test('what an actor sends to a callback leaves after the commit, in order, with its start and its end', async () => {
  const log: string[] = [];
  const machine = setup({
    types: {} as { context: { box?: unknown }; events: { type: 'open' | 'tell' | 'close' | 'bad' } },
    actors: {
      line: fromCallback(({ receive }) => {
        log.push('opened');
        receive((event) => void log.push(event.type));
        return () => void log.push('closed');
      }),
    },
  }).createMachine({
    id: 'm',
    context: {},
    on: {
      open: { actions: [spawnChild('line', { id: 'line' }), sendTo('line', { type: 'hello' })] },
      tell: { actions: sendTo('line', { type: 'told' }) },
      bad: { actions: [sendTo('line', { type: 'leaked' }), assign({ box: () => () => 1 })] },
      close: { actions: [sendTo('line', { type: 'bye' }), stopChild('line')] },
    },
  });
  const a = await createDurableActor(machine, { store: tempStore(), onCommit: () => void log.push('|') });
  log.length = 0;
  const sends = [a.send({ type: 'open' }), a.send({ type: 'tell' })];
  expect(log).toEqual([]);
  await Promise.all(sends);
  expect(log).toEqual(['|', 'opened', 'hello', 'told']);
  await expect(a.send({ type: 'bad' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  expect(log).not.toContain('leaked');
  await soon();
  log.length = 0;
  await a.send({ type: 'close' });
  expect(log).toEqual(['|', 'bye', 'closed']);
  await a.close();
});

test('a listener of a callback that throws fails that callback', async () => {
  const machine = setup({
    types: {} as { events: { type: 'tell' } },
    actors: {
      line: fromCallback(({ receive }) =>
        receive(() => {
          throw new Error('deaf');
        }),
      ),
    },
  }).createMachine({
    id: 'm',
    initial: 'on',
    states: {
      on: {
        invoke: { src: 'line', id: 'line', onError: 'off' },
        on: { tell: { actions: sendTo('line', { type: 'x' }) } },
      },
      off: {},
    },
  });
  const a = await createDurableActor(machine, { store: tempStore() });
  await a.send({ type: 'tell' });
  await a.waitFor((snapshot) => snapshot.value === 'off');
  await a.close();
});

test('what an observable emits at once, while it is started, is kept', async () => {
  const store = tempStore();
  const counts = fromObservable(
    () =>
      ({
        subscribe: (observer: { next?: (value: number) => void; complete?: () => void }) => {
          for (const value of [1, 2, 3]) observer.next?.(value);
          return { unsubscribe: () => {} };
        },
      }) as never,
  );
  const machine = setup({
    types: {} as { context: { seen: unknown } },
    actors: { counts },
  }).createMachine({
    id: 'm',
    context: { seen: undefined },
    invoke: {
      src: 'counts',
      id: 'counts',
      onSnapshot: { actions: assign({ seen: ({ event }) => event.snapshot.context }) },
    },
  });
  const a = await createDurableActor(machine, { store });
  await a.waitFor((snapshot) => snapshot.context.seen === 3);
  crash(a);
  const b = await createDurableActor(machine, { store });
  expect(b.getSnapshot().context.seen).toBe(3);
  await b.close();
});

test('a close aborts what runs, and the effect runs again when the tree is opened', async () => {
  const store = tempStore();
  const log: string[] = [];
  const machine = setup({
    actors: {
      work: fromPromise(({ self, signal }) => {
        log.push(`attempt ${effectOf(self)?.attempt}`);
        signal.addEventListener('abort', () => log.push('aborted'));
        return never;
      }),
    },
  }).createMachine({ id: 'm', invoke: { src: 'work', id: 'work' } });
  await (await createDurableActor(machine, { store })).close();
  await (await createDurableActor(machine, { store })).close();
  expect(log).toEqual(['attempt 1', 'aborted', 'attempt 2', 'aborted']);
});

test('an effect that has ended is over: closing the tree neither aborts nor unsubscribes it', async () => {
  const log: string[] = [];
  const machine = setup({
    actors: {
      work: fromPromise(async ({ signal }) => signal.addEventListener('abort', () => log.push('aborted'))),
      numbers: fromObservable(
        () =>
          ({
            subscribe: (observer: { complete?: () => void }) => {
              setImmediate(() => observer.complete?.());
              return { unsubscribe: () => log.push('unsubscribed') };
            },
          }) as never,
      ),
    },
  }).createMachine({
    id: 'm',
    initial: 'working',
    states: {
      working: { invoke: { src: 'work', id: 'work', onDone: 'counting' } },
      counting: { invoke: { src: 'numbers', id: 'numbers', onDone: 'idle' } },
      idle: {},
    },
  });
  const a = await createDurableActor(machine, { store: tempStore() });
  await a.waitFor(({ value }) => value === 'idle');
  await a.close();
  await soon();
  expect(log).toEqual([]);
});
