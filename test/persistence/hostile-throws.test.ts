/** Whatever code of a host throws, wherever: it is told as a text, and nothing else falls over. */
import { assign, fromCallback, fromObservable, fromPromise, fromTransition, setup } from 'xstate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isPerdureError, messageOf, saysRetryable } from '../../errors.ts';
import { durableAction, transactional } from '../../persistence/durable-action.ts';
import { Store } from '../../persistence/store.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

const withGetter = (name: string) =>
  Object.defineProperty(new Error('hidden'), name, {
    enumerable: true,
    get() {
      throw new Error(`no ${name}`);
    },
  });

/** A proxy whose every trap throws. */
const trapped = () =>
  new Proxy(
    new Error('x'),
    new Proxy(
      {},
      {
        get: (_, trap) => () => {
          throw new Error(`trapped ${String(trap)}`);
        },
      },
    ),
  );

function selfCaused(): Error {
  const error = new Error('round');
  error.cause = error;
  return error;
}

const hostile: [string, () => unknown][] = [
  ['an error whose message throws', () => withGetter('message')],
  ['an error whose retryable throws', () => withGetter('retryable')],
  ['an error whose code throws', () => withGetter('code')],
  ['an error whose message is a symbol', () => Object.assign(new Error('x'), { message: Symbol('message') })],
  ['a proxy that throws whatever is asked', trapped],
  ['null', () => null],
  ['undefined', () => undefined],
  ['a symbol', () => Symbol('thrown')],
  ['an object without a prototype', () => Object.create(null) as object],
  ['a frozen error', () => Object.freeze(new Error('frozen'))],
  ['a function', () => () => {}],
  ['an error that is its own cause', selfCaused],
];

test.each(hostile)('who asks what was thrown gets an answer: %s', (_, make) => {
  expect(messageOf(make())).toBeTypeOf('string');
  expect([true, false, undefined]).toContain(saysRetryable(make()));
  expect(isPerdureError(make())).toBe(false);
  expect(isPerdureError(make(), 'TURN_REFUSED')).toBe(false);
});

/** Throws this at `go`, in one place or another; a failed effect is a state. */
function machineOf(make: () => unknown, events: object) {
  const raise = () => {
    throw make();
  };
  return setup({
    types: {} as { events: { type: 'go' } | { type: 'tick' } },
    actors: {
      rejecting: fromPromise(async () => raise()),
      calling: fromCallback(raise),
      listening: fromCallback(({ receive }) => receive(raise)),
      observing: fromObservable(raise as never),
      erring: fromObservable((() => ({
        subscribe({ error }: { error: (reason: unknown) => void }) {
          error(make());
          return { unsubscribe() {} };
        },
      })) as never),
      reducing: fromTransition(raise as () => number, 0),
    },
    actions: {
      raise,
      act: durableAction({ name: 'act', retry: { attempts: 1 }, run: raise }),
      book: transactional(raise),
    },
  }).createMachine({ id: 'throwing', initial: 'off', states: { off: { on: { go: events } }, failed: {}, ...EFFECTS } });
}

const SOURCES = ['rejecting', 'calling', 'listening', 'observing', 'erring', 'reducing'] as const;
const EFFECTS = Object.fromEntries(
  SOURCES.map((src) => [
    src,
    {
      invoke: { src, id: 'effect', onError: 'failed' },
      entry: ({ self }: { self: { getSnapshot(): { children: Record<string, { send(event: object): void }> } } }) =>
        queueMicrotask(() => self.getSnapshot().children['effect']?.send({ type: 'tick' })),
    },
  ]),
) as Record<(typeof SOURCES)[number], object>;

const calm = setup({ types: {} as { context: { n: number }; events: { type: 'add' } } }).createMachine({
  id: 'calm',
  context: { n: 0 },
  on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

describe.each(hostile)('%s', (_, make) => {
  const thrown: unknown[] = [];
  const note = (reason: unknown) => void thrown.push(reason);
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const listeners = events.map((event) => process.listeners(event as 'uncaughtException'));

  beforeEach(() => {
    thrown.length = 0;
    for (const event of events) process.removeAllListeners(event).on(event, note);
  });
  afterEach(() => {
    for (const [index, event] of events.entries()) {
      process.removeAllListeners(event);
      for (const listener of listeners[index] ?? []) process.on(event, listener as never);
    }
  });

  /** Sends `go` beside a turn of another tree, which must not notice. */
  async function go(machine: ReturnType<typeof machineOf>) {
    const store = Store.open(quickStore(), { machines: { machine, calm } });
    const throwing = await store.open('machine', 't');
    const other = await store.open('calm', 'c');
    const sent = Promise.allSettled([throwing.send({ type: 'go' }), other.send({ type: 'add' })]);
    const [first, second] = await sent;
    expect(second.status).toBe('fulfilled');
    await other.send({ type: 'add' });
    expect(other.getSnapshot().context.n).toBe(2);
    return { store, throwing, first };
  }

  test.each(SOURCES)('thrown by an effect (%s) is the failure of that effect', async (src) => {
    const { store, throwing } = await go(machineOf(make, { target: src }));
    await until(() => throwing.getSnapshot().value === 'failed');
    store.close();
    expect(thrown).toEqual([]);
  });

  test('thrown by a durable action is a dead letter with a text', async () => {
    const { store } = await go(machineOf(make, { actions: 'act' }));
    await until(() => store.deadLetters().length === 1);
    expect(store.deadLetters()).toMatchObject([{ name: 'act', error: expect.any(String) as string }]);
    store.close();
    expect(thrown).toEqual([]);
  });

  test.each(['raise', 'book'])(
    'thrown by an action (%s) fails its actor, or refuses the turn by name',
    async (action) => {
      const { store, throwing, first } = await go(machineOf(make, { actions: action }));
      if (first.status === 'rejected') {
        expect(first.reason).toMatchObject({ code: expect.stringMatching(/^(CODEC|TURN)_REFUSED$/) as string });
        expect(throwing.getSnapshot().status).toBe('active');
      } else {
        expect(throwing.getSnapshot().status).toBe('error');
      }
      await settle();
      store.close();
      // XState reports an error of a root that nobody listens to.
      expect(thrown.length).toBeLessThanOrEqual(1);
    },
  );
});
