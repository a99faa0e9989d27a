/** What no row can hold is refused in the turn in which it appears, wherever: by actor, by path, and with a way out. */
import { assign, emit, fromPromise, raise, sendTo, setup, type AnyActorRef } from 'xstate';
import { beforeAll, expect, test, vi } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { quickStore } from '../support/temp.ts';

// The development build says of every result that comes too late that nobody was there.
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));

class Money {
  readonly amount = 1;
}
class Account {
  readonly #balance = 1;
  get balance() {
    return this.#balance;
  }
}

function cycle(): object {
  const value: { self?: unknown } = {};
  value.self = [value];
  return value;
}

const refused: Readonly<Record<string, readonly [make: () => unknown, what: string, remedy: string]>> = {
  'a function': [() => () => 1, 'a function', 'keep its name instead'],
  'a class': [() => Money, 'a function', 'keep its name instead'],
  'an async function': [() => async () => {}, 'a function', 'keep its name instead'],
  'an instance': [() => new Money(), 'an instance of Money', 'keep its data as a plain object'],
  'an instance with private fields': [() => new Account(), 'an instance of Account', 'plain object'],
  'a symbol': [() => Symbol('s'), 'a symbol', 'use a string'],
  'a property named by a symbol': [() => ({ [Symbol('s')]: 1 }), 'Symbol(s)', 'use a string'],
  'a hidden property': [() => Object.defineProperty({}, 'h', { value: 1 }), '"h"', 'assign it like any other'],
  'a cycle': [cycle, 'a cycle', 'refer to the other value by an id'],
  'a WeakMap': [() => new WeakMap(), 'an instance of WeakMap', 'plain object'],
  'a WeakRef': [() => new WeakRef({}), 'an instance of WeakRef', 'plain object'],
  'a Promise': [() => Promise.resolve(1), 'an instance of Promise', 'plain object'],
  'a generator': [() => (function* () {})(), 'an instance of', 'plain object'],
  'a RegExp': [() => /x/, 'an instance of RegExp', 'plain object'],
  'a URL': [() => new URL('http://x.y'), 'an instance of URL', 'plain object'],
  'a Blob': [() => new Blob(['x']), 'an instance of Blob', 'plain object'],
  'an AbortSignal': [() => new AbortController().signal, 'an instance of AbortSignal', 'plain object'],
  'a proxy of an instance': [() => new Proxy(new Money(), {}), 'an instance of Money', 'plain object'],
};

/** What looks as if it could not, and can. */
const kept: Readonly<Record<string, readonly [make: () => unknown, back: unknown]>> = {
  'a frozen object': [() => Object.freeze({ deep: Object.freeze([1n]) }), { deep: [1n] }],
  'a getter, as the value that it gave': [
    () => ({
      get n() {
        return 1;
      },
    }),
    { n: 1 },
  ],
  'a proxy of data, as the data': [() => new Proxy({ n: 1 }, {}), { n: 1 }],
  'the same object twice, as two': [
    () => {
      const one = { n: 1 };
      return [one, one];
    },
    [{ n: 1 }, { n: 1 }],
  ],
};

const machineFor = (make: () => unknown) =>
  setup({
    types: {} as { context: { box?: unknown; count: number; self?: AnyActorRef } },
    actors: { work: fromPromise(async () => ({ deep: make() })) },
  }).createMachine({
    context: { count: 0 },
    initial: 'on',
    on: {
      count: { actions: assign({ count: ({ context }) => context.count + 1 }) },
      context: { actions: assign({ box: () => ({ deep: make() }) }) },
      kept: { actions: assign({ box: ({ event }) => event }) },
      raised: { actions: raise(() => ({ type: 'kept', deep: make() })) },
      delayed: {
        actions: sendTo(
          ({ self }) => self,
          () => ({ type: 'kept', deep: make() }),
          { delay: 10 },
        ),
      },
      emitted: { actions: emit(() => ({ type: 'said', deep: make() })) },
      work: '.working',
    },
    states: {
      on: {},
      working: {
        invoke: {
          src: 'work',
          id: 'work',
          onDone: { target: 'on', actions: assign({ box: ({ event }) => event.output }) },
          onError: { target: 'on', actions: assign({ box: ({ event }) => event.error }) },
        },
      },
    },
  });

test.each(Object.keys(refused))('%s is refused in a context, in an event and in a delayed one', async (name) => {
  const [make, what, remedy] = refused[name] as (typeof refused)[string];
  const store = quickStore();
  const a = await createDurableActor(machineFor(make), { store });
  for (const [event, path] of [
    [{ type: 'context' }, '"context.box.deep'],
    [{ type: 'kept', deep: make() }, '"deep'],
    [{ type: 'raised' }, '"context.box.deep'],
    [{ type: 'delayed' }, '"deep'],
  ] as const) {
    const sends = [a.send({ type: 'count' }), a.send(event), a.send({ type: 'count' })];
    const [before, bad, after] = await Promise.allSettled(sends);
    expect([before?.status, bad?.status, after?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const error = (bad as PromiseRejectedResult).reason as Error;
    expect(error).toMatchObject({ code: 'CODEC_REFUSED' });
    for (const part of [what, remedy, path, '"main"']) expect(error.message).toContain(part);
  }
  crash(a);
  const b = await createDurableActor(machineFor(make), { store });
  expect(b.getSnapshot().context).toEqual({ count: 8 });
  await b.close();
});

test.each(Object.keys(refused))('%s as the result of a promise is the error of that promise', async (name) => {
  const [make, what] = refused[name] as (typeof refused)[string];
  const a = await createDurableActor(machineFor(make), { store: quickStore() });
  await a.send({ type: 'work' });
  const { context } = await a.waitFor((snapshot) => snapshot.context.box !== undefined);
  expect(context.box).toMatchObject({ code: 'CODEC_REFUSED', message: expect.stringContaining(what) });
  await a.close();
});

test('what is emitted is not kept, so it may be anything', async () => {
  const say = () => 1;
  const a = await createDurableActor(
    machineFor(() => say),
    { store: quickStore() },
  );
  const heard: unknown[] = [];
  a.on('said', (event) => heard.push(event));
  await a.send({ type: 'emitted' });
  expect(heard).toEqual([{ type: 'said', deep: say }]);
  await a.close();
});

test.each(Object.keys(kept))('%s is kept', async (name) => {
  const [make, back] = kept[name] as (typeof kept)[string];
  const store = quickStore();
  const a = await createDurableActor(machineFor(make), { store });
  await a.send({ type: 'context' });
  crash(a);
  const b = await createDurableActor(machineFor(make), { store });
  expect(b.getSnapshot().context.box).toStrictEqual({ deep: back });
  await b.close();
});
