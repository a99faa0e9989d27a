import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  assign,
  createActor,
  createMachine,
  enqueueActions,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  stopChild,
  type AnyActorLogic,
  type AnyActorRef,
} from 'xstate';
import { afterEach, describe, expect, test } from 'vitest';
import type { InspectionRecord } from '../../../inspector/protocol.ts';
import { Recorder } from '../../../inspector/recorder/recorder.ts';
import type { RecorderOptions } from '../../../inspector/recorder/recorder-options.ts';
import { createDurableActor } from '../../../persistence/create.ts';
import { redaction } from '../../../persistence/redaction.ts';
import { SimulatedClock } from '../../../testing.ts';
import { quickStore } from '../../support/temp.ts';
import { until } from '../../support/turns.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const recorders: Recorder[] = [];

afterEach(() => {
  for (const recorder of recorders.splice(0)) recorder.close();
});

interface Looking {
  readonly recorder: Recorder;
  readonly told: InspectionRecord[];
  readonly dropped: [number, number][];
  /** All that was told, in short. */
  lines(): string[];
}

function recorderOf(options: RecorderOptions = {}): Recorder {
  const recorder = new Recorder({ lingerMs: 0, ...options });
  recorders.push(recorder);
  return recorder;
}

function subscribe(recorder: Recorder, detail = false): Looking & { unsubscribe(): void } {
  const told: InspectionRecord[] = [];
  const dropped: [number, number][] = [];
  const { unsubscribe } = recorder.subscribe(
    { records: (records) => told.push(...records), dropped: (from, to) => dropped.push([from, to]) },
    { detail },
  );
  const lines = () => {
    recorder.flush();
    return told.map(lineOf);
  };
  return { recorder, told, dropped, lines, unsubscribe };
}

function looking(root: AnyActorRef, options: RecorderOptions = {}, detail = false): Looking {
  const recorder = recorderOf(options);
  recorder.watch(root, 'tree');
  return subscribe(recorder, detail);
}

function lineOf(record: InspectionRecord): string {
  switch (record.kind) {
    case 'started':
      return `${record.actor} started ${JSON.stringify(record.info.value)} ${record.info.status}`;
    case 'event':
      return `${record.actor} took ${record.event.type} from ${record.from}${record.lost === true ? ', lost' : ''}`;
    case 'snapshot':
      return `${record.actor} is ${JSON.stringify(record.value)} ${record.status} by ${record.event}`;
    case 'stopped':
      return `${record.actor} stopped ${record.status}`;
    case 'microstep':
      return `${record.actor} stepped ${record.transitions.map((t) => `${t.source} to ${t.targets.join()}`).join()}`;
    case 'action':
      return `${record.actor} did ${record.action}`;
    case 'turn':
      return `turn ${record.turn}`;
  }
}

const counter = setup({
  types: {} as { context: { count: number; token: string; large: string } },
}).createMachine({
  id: 'counter',
  context: { count: 0, token: 'sk-1', large: '' },
  initial: 'counting',
  states: { counting: {} },
  on: {
    add: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    note: {},
    fill: { actions: assign({ large: ({ event }) => String((event as { text?: unknown }).text) }) },
  },
});

const child = createMachine({
  id: 'child',
  initial: 'first',
  states: {
    first: { on: { go: 'second', end: 'last', fail: { actions: () => fail() } } },
    second: { on: { end: 'last' } },
    last: { type: 'final', entry: 'sayGoodbye' },
  },
  output: 'bye',
});

function fail(): never {
  throw new Error('broken');
}

interface Told {
  readonly type: string;
  readonly id: string;
  readonly event: string;
}

const kinds = {
  child,
  adder: fromTransition((sum: number) => sum + 1, 0),
  worker: fromPromise(() => Promise.resolve('worked')),
};

/** Has children as it is told. */
const parent = createMachine({
  types: {} as { events: Told },
  id: 'parent',
  on: {
    spawn: {
      actions: enqueueActions(({ enqueue, event }) => {
        enqueue.spawnChild(kinds[event.event as keyof typeof kinds], { id: event.id });
      }),
    },
    spawnAndTell: {
      actions: enqueueActions(({ enqueue, event }) => {
        enqueue.spawnChild(child, { id: event.id });
        enqueue.sendTo(event.id, { type: event.event });
      }),
    },
    replace: {
      actions: enqueueActions(({ enqueue, event }) => {
        enqueue.stopChild(event.id);
        enqueue.spawnChild(child, { id: event.id });
      }),
    },
    stop: { actions: stopChild(({ event }) => event.id) },
    tell: {
      actions: sendTo(
        ({ event }) => event.id,
        ({ event }) => ({ type: event.event }),
      ),
    },
    'xstate.done.actor.restarted': {
      actions: enqueueActions(({ enqueue }) => {
        enqueue.stopChild('restarted');
        enqueue.spawnChild(child, { id: 'restarted' });
      }),
    },
    'xstate.error.actor.*': {},
  },
});

function family(): { root: AnyActorRef; tell: (type: string, id: string, event?: string) => void } {
  const root = createActor(parent).start();
  return { root, tell: (type, id, event = '') => root.send({ type, id, event }) };
}

test.each([
  [{ records: -1 }, 'The recorder: records must be a whole number from 1, got -1.'],
  [{ records: 'x' }, 'The recorder: records must be a whole number from 1, got "x".'],
  [{ states: 0.5 }, 'The recorder: states must be a whole number from 0, got 0.5.'],
  [{ lingerMs: Number.NaN }, 'The recorder: lingerMs must be milliseconds from 0 to 2147483647, got NaN.'],
  [{ shown: true }, 'The recorder: shown must be a function, got true.'],
  [{ record: 5 }, 'The recorder: has no option "record" (did you mean "records"?).'],
  [null, 'The options of the recorder: must be an object, got null.'],
])('a recorder of %j is refused', (options, message) => {
  expect(() => new Recorder(options as RecorderOptions)).toThrow(
    expect.objectContaining({ code: 'OPTIONS_INVALID', message }),
  );
});

describe('what is told', () => {
  test('an event, its sender, and the state that came of it, in the order in which they happened', () => {
    const { root, tell } = family();
    tell('spawn', 'a', 'child');
    const { lines } = looking(root);
    tell('tell', 'a', 'go');
    expect(lines()).toEqual([
      'tree took tell from null',
      'tree/a took go from tree',
      'tree/a is "second" active by go',
      'tree is {} active by tell',
    ]);
  });

  test('a child that is born and moves inside one transition is told in its first state', () => {
    const { root, tell } = family();
    const { lines, told } = looking(root);
    tell('spawnAndTell', 'a', 'go');
    expect(lines()).toEqual([
      'tree took spawnAndTell from null',
      'tree/a started "first" active',
      'tree/a took xstate.init from tree',
      'tree/a took go from tree',
      'tree/a is "second" active by go',
      'tree is {} active by spawnAndTell',
    ]);
    const started = told.find(({ kind }) => kind === 'started');
    expect(started).toMatchObject({ info: { id: 'tree/a', parent: 'tree', name: 'a', src: 'child', value: 'first' } });
  });

  test('a child that ends tells its last state before its parent hears of it', () => {
    const { root, tell } = family();
    tell('spawn', 'a', 'child');
    const { lines, told } = looking(root);
    tell('tell', 'a', 'end');
    expect(lines()).toEqual([
      'tree took tell from null',
      'tree/a took end from tree',
      'tree/a is "last" done by end',
      'tree/a stopped done',
      'tree took xstate.done.actor.a from tree/a',
      'tree is {} active by tell',
    ]);
    expect(told[2]).toMatchObject({ output: 'bye' });
  });

  test('a child that is begun again as it ends is told as one that ended and one that began, under the same id', () => {
    const { root, tell } = family();
    tell('spawn', 'restarted', 'child');
    const { lines, recorder } = looking(root);
    tell('tell', 'restarted', 'end');
    const ofChild = lines().filter((line) => line.startsWith('tree/restarted'));
    expect(ofChild).toEqual([
      'tree/restarted took end from tree',
      'tree/restarted is "last" done by end',
      'tree/restarted stopped done',
      'tree/restarted started "first" active',
      'tree/restarted took xstate.init from tree',
    ]);
    expect(recorder.registry().map(({ id, status }) => [id, status])).toEqual([
      ['tree', 'active'],
      ['tree/restarted', 'active'],
    ]);
  });

  test('a child whose last state comes after another has its id is not begun again', async () => {
    const root = createActor(
      createMachine({
        id: 'loop',
        context: { n: 0 },
        initial: 'working',
        states: {
          working: {
            invoke: {
              id: 'w',
              src: fromPromise(async () => 1),
              onDone: [
                {
                  guard: ({ context }) => (context as { n: number }).n < 2,
                  target: 'working',
                  reenter: true,
                  actions: assign({ n: ({ context }) => (context as { n: number }).n + 1 }),
                },
                'over',
              ],
            },
          },
          over: {},
        },
      }),
    ).start();
    const { recorder, told, lines } = looking(root);
    await new Promise((resolve) => setImmediate(resolve));
    const all = lines();
    expect(all.filter((line) => line.startsWith('tree/w started'))).toEqual(
      Array.from({ length: 2 }, () => 'tree/w started null active'),
    );
    expect(told.flatMap((record) => (record.kind === 'event' ? [record.from] : []))).not.toContain(null);
    expect(recorder.registry().map(({ id, status }) => [id, status])).toEqual([
      ['tree', 'active'],
      ['tree/w', 'done'],
    ]);
    expect(recorder.failure).toBeUndefined();
  });

  test('a child that is stopped is told as stopped, a machine as well as any other logic', () => {
    const { root, tell } = family();
    tell('spawn', 'a', 'child');
    tell('spawn', 'b', 'adder');
    const { lines, recorder } = looking(root);
    tell('stop', 'a');
    tell('stop', 'b');
    expect(lines()).toEqual(expect.arrayContaining(['tree/a stopped stopped', 'tree/b stopped stopped']));
    expect(recorder.registry().map(({ status }) => status)).toEqual(['active', 'stopped', 'stopped']);
  });

  test('a promise that is kept is told with what it was kept with', async () => {
    const { root, tell } = family();
    const { lines, told, recorder } = looking(root);
    tell('spawn', 'a', 'worker');
    await new Promise((resolve) => setImmediate(resolve));
    expect(lines()).toEqual(
      expect.arrayContaining(['tree/a is null done by xstate.promise.resolve', 'tree/a stopped done']),
    );
    expect(told.find(({ kind, actor }) => kind === 'snapshot' && actor === 'tree/a')).toMatchObject({
      output: 'worked',
    });
    expect(recorder.registry()[1]).toMatchObject({ src: null, chart: null, status: 'done' });
  });

  test('what a transition throws is told as the state of error that XState does not tell', async () => {
    const { root, tell } = family();
    tell('spawn', 'a', 'child');
    const { lines, told } = looking(root);
    tell('tell', 'a', 'fail');
    expect(lines()).toEqual(
      expect.arrayContaining([
        'tree/a is "first" error by fail',
        'tree/a stopped error',
        'tree took xstate.error.actor.a from tree/a',
      ]),
    );
    const failed = told.find(({ kind, actor }) => kind === 'snapshot' && actor === 'tree/a');
    expect(failed).toMatchObject({ error: { $perdure: 'error', value: { message: 'broken' } } });
  });

  test('what a root throws is told as well, at the end of its turn', async () => {
    const root = createActor(child).start();
    root.subscribe({ error: () => {} });
    const { lines } = looking(root);
    root.send({ type: 'fail' });
    await Promise.resolve();
    expect(lines()).toEqual(['tree took fail from null', 'tree is "first" error by fail', 'tree stopped error']);
  });

  test('an event for an actor that has ended is told as lost', () => {
    const { root, tell } = family();
    tell('spawn', 'a', 'child');
    const { lines } = looking(root);
    const ref = (root.getSnapshot() as { children: Record<string, AnyActorRef> }).children['a'];
    tell('stop', 'a');
    ref?.send({ type: 'go' });
    expect(lines().at(-1)).toBe('tree/a took go from null, lost');
  });

  test('a transition that changes nothing is told as well', () => {
    const root = createActor(counter).start();
    const { lines, told } = looking(root);
    root.send({ type: 'note' });
    expect(lines()).toEqual(['tree took note from null', 'tree is "counting" active by note']);
    expect(told[1]).toMatchObject({ contextChanged: false });
  });

  test('an event that nobody takes brings no state', () => {
    const root = createActor(counter).start();
    const { lines } = looking(root);
    root.send({ type: 'unknown' });
    expect(lines()).toEqual(['tree took unknown from null']);
  });

  test('steps, with their guards, and actions are told to whoever wants detail, and to nobody else', () => {
    const machine = createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: { on: { go: 'b' } },
        b: {
          always: {
            guard: function isReady() {
              return true;
            },
            target: 'c',
          },
        },
        c: { entry: function greet() {} },
      },
    });
    const root = createActor(machine).start();
    const recorder = recorderOf();
    recorder.watch(root, 'tree');
    const plain = subscribe(recorder);
    const detailed = subscribe(recorder, true);
    root.send({ type: 'go' });
    expect(detailed.lines()).toEqual([
      'tree took go from null',
      'tree stepped m.a to m.b',
      'tree did greet',
      'tree stepped m.b to m.c',
      'tree is "c" active by go',
    ]);
    expect(detailed.told[3]).toMatchObject({ transitions: [{ guard: 'isReady', eventType: '' }] });
    expect(plain.lines()).toEqual(['tree took go from null', 'tree is "c" active by go']);
  });
});

describe('who is there', () => {
  test('on attach the tree is walked, the root first', () => {
    const { root, tell } = family();
    tell('spawn', 'a', 'child');
    tell('spawn', 'b', 'adder');
    const { recorder } = looking(root);
    expect(recorder.registry()).toMatchObject([
      { id: 'tree', parent: null, src: 'parent', status: 'active' },
      { id: 'tree/a', parent: 'tree', value: 'first', status: 'active' },
      { id: 'tree/b', parent: 'tree', value: null, chart: null },
    ]);
    expect(recorder.chart(recorder.registry()[1]?.chart ?? '')?.name).toBe('child');
  });

  test('actors whose names have slashes or what stands for them have ids of their own', () => {
    const { root, tell } = family();
    for (const id of ['a/b', 'a%2Fb', 'a%252Fb', 'a%b']) tell('spawn', id, 'child');
    const { recorder } = looking(root);
    const [, ...children] = recorder.registry();
    expect(children).toMatchObject([
      { id: 'tree/a%2Fb', parent: 'tree', name: 'a/b' },
      { id: 'tree/a%252Fb', name: 'a%2Fb' },
      { id: 'tree/a%25252Fb', name: 'a%252Fb' },
      { id: 'tree/a%b', name: 'a%b' },
    ]);
  });

  test('of a child that is watched alone, its own actors are there, and nobody around it', () => {
    const { root, tell } = family();
    tell('spawn', 'one', 'child');
    tell('spawn', 'two', 'child');
    const { one } = root.getSnapshot().children as Record<string, AnyActorRef>;
    const { recorder, lines } = looking(one as AnyActorRef);
    tell('tell', 'two', 'go');
    tell('tell', 'one', 'go');
    expect(lines()).toEqual(['tree took go from null', 'tree is "second" active by go']);
    expect(recorder.registry()).toMatchObject([{ id: 'tree', src: 'child', value: 'second' }]);
  });

  test('a child that is not watched any more is told as stopped, and nobody beside it', () => {
    const { root, tell } = family();
    tell('spawn', 'one', 'child');
    tell('spawn', 'two', 'child');
    const { one, two } = root.getSnapshot().children as Record<string, AnyActorRef>;
    const recorder = recorderOf();
    const watching = recorder.watch(one, 'one');
    recorder.watch(two, 'two');
    const { lines } = subscribe(recorder);
    watching.unsubscribe();
    tell('tell', 'two', 'go');
    expect(lines()).toEqual(['one stopped stopped', 'two took go from null', 'two is "second" active by go']);
  });

  test('the registry is as it is now, also while nobody looks', () => {
    const { root, tell } = family();
    const recorder = recorderOf();
    recorder.watch(root, 'tree');
    tell('spawn', 'a', 'child');
    expect(recorder.registry().map(({ id }) => id)).toEqual(['tree', 'tree/a']);
    expect(recorder.detailAt('tree/a')).toMatchObject({
      value: 'first',
      accepts: [{ type: 'go' }, { type: 'end' }, { type: 'fail' }],
    });
    expect(recorder.nextSeq).toBe(1);
  });

  test('of actors that have ended, so many stay, and for so long', async () => {
    const clock = new SimulatedClock();
    const { root, tell } = family();
    const { recorder } = looking(root, { ended: 3, now: () => clock.now() });
    for (let i = 0; i < 10; i += 1) {
      tell('spawn', `c${i}`, 'child');
      tell('stop', `c${i}`);
    }
    expect(recorder.registry().map(({ name }) => name)).toEqual(['tree', 'c7', 'c8', 'c9']);
    await clock.advance(700_000);
    expect(recorder.registry().map(({ name }) => name)).toEqual(['tree']);
  });

  test('of those that are too many it is known how many there are', () => {
    const root = createActor(parent).start();
    const { recorder } = looking(root, { actors: 3 });
    for (let n = 0; n < 5; n++) root.send({ type: 'spawn', id: `child${n}`, event: 'child' });
    expect([recorder.registry().length, recorder.moreActors]).toEqual([3, 3]);
    expect(recorderOf().moreActors).toBe(0);
  });

  test('a logic whose state is not as those of XState are is listed all the same', () => {
    const odd = {
      transition: (state: object) => ({ ...state }),
      getInitialSnapshot: () => ({ status: 'active', tags: null, children: null, value: undefined }),
      getPersistedSnapshot: (state: object) => state,
    };
    const root = createActor(odd as unknown as AnyActorLogic).start();
    const { recorder, lines } = looking(root);
    root.send({ type: 'x' });
    expect(lines()).toHaveLength(2);
    expect(recorder.registry()).toMatchObject([{ id: 'tree', status: 'active', tags: [] }]);
  });

  test('a name is of one tree', () => {
    const recorder = recorderOf();
    const { unsubscribe } = recorder.watch(createActor(counter), 'tree');
    expect(() => recorder.watch(createActor(counter), 'tree')).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID' }),
    );
    unsubscribe();
    recorder.watch(createActor(counter), 'tree');
  });

  test('timers of an actor that is not durable are told with when they are due', () => {
    const machine = createMachine({ id: 'm', initial: 'a', states: { a: { after: { 60_000: 'b' } }, b: {} } });
    const root = createActor(machine).start();
    const { recorder } = looking(root);
    expect(recorder.detailAt('tree')?.timers).toMatchObject([{ event: 'xstate.after.60000.m.a', delayMs: 60_000 }]);
    root.stop();
  });

  test('what an event needs is told where the machine declares it', () => {
    const schema = { type: 'object', properties: { by: { type: 'number' } } };
    const machine = createMachine({
      id: 'm',
      schemas: { events: { add: schema } },
      on: { add: { actions: () => {} }, stop: {} },
    } as never);
    const { recorder } = looking(createActor(machine).start());
    expect(recorder.detailAt('tree')?.accepts).toEqual([{ type: 'add', schema }]);
  });
});

describe('what it costs, and who pays', () => {
  test('nothing is attached while nobody looks', () => {
    const root = createActor(counter).start();
    const attached = countObservers(root);
    const recorder = recorderOf();
    recorder.watch(root, 'tree');
    expect(attached()).toBe(0);
    const one = subscribe(recorder);
    const two = subscribe(recorder);
    expect(attached()).toBe(1);
    one.unsubscribe();
    expect(attached()).toBe(1);
    two.unsubscribe();
    expect(attached()).toBe(0);
  });

  test('whoever comes back soon has missed no steps either', () => {
    const root = createActor(counter).start();
    const recorder = recorderOf({ lingerMs: 60_000 });
    recorder.watch(root, 'tree');
    const first = subscribe(recorder, true);
    first.unsubscribe();
    root.send({ type: 'add' });
    recorder.flush();
    expect(recorder.recordsFrom(0).records.map(({ kind }) => kind)).toContain('microstep');
  });

  test('whoever comes back soon has missed nothing', () => {
    const root = createActor(counter).start();
    const recorder = recorderOf({ lingerMs: 60_000 });
    recorder.watch(root, 'tree');
    subscribe(recorder).unsubscribe();
    const { nextSeq } = recorder;
    root.send({ type: 'add' });
    subscribe(recorder);
    recorder.flush();
    expect(recorder.recordsFrom(nextSeq)).toMatchObject({
      from: nextSeq,
      records: [{ kind: 'event' }, { kind: 'snapshot' }],
    });
  });

  test('whoever comes back late knows that something is missing', () => {
    const root = createActor(counter).start();
    const recorder = recorderOf();
    recorder.watch(root, 'tree');
    const first = subscribe(recorder);
    root.send({ type: 'add' });
    recorder.flush();
    first.unsubscribe();
    const missed = (first.told.at(-1)?.seq ?? 0) + 1;
    root.send({ type: 'add' });
    const second = subscribe(recorder);
    root.send({ type: 'add' });
    recorder.flush();
    expect(recorder.recordsFrom(missed).from).toBeGreaterThan(missed);
    expect(second.told.every(({ seq }) => seq > missed)).toBe(true);
    // Whoever is new gets all that is held.
    expect(recorder.recordsFrom(0).records).toHaveLength(4);
  });

  test('the ring forgets the oldest, and says so', () => {
    const root = createActor(counter).start();
    const { recorder, told, dropped } = looking(root, { records: 10 });
    for (let i = 0; i < 20; i += 1) root.send({ type: 'add' });
    recorder.flush();
    expect(dropped).toEqual([[1, 31]]);
    expect(told.map(({ seq }) => seq)).toEqual([31, 32, 33, 34, 35, 36, 37, 38, 39, 40]);
    expect(recorder.recordsFrom(0)).toMatchObject({ from: 31 });
  });

  test('where far more happens than can be told it looks away, says so, and then tells what there is and what happens', async () => {
    const root = createActor(counter).start();
    const { recorder, told, dropped } = looking(root, { batchMs: 0 });
    const count = () => (recorder.detailAt('tree')?.context as { count: number } | undefined)?.count;
    const send = (times: number) => {
      for (let i = 0; i < times; i += 1) root.send({ type: 'add' });
    };
    send(20_000);
    await until(() => told.length > 0);
    // Nobody sees these, but what comes of them.
    const seen = recorder.recordsFrom(0).records.length;
    send(20_000);
    expect(count()).toBe(40_000);
    await until(() => dropped.some(([from, to]) => to - from === 1));
    expect(seen).toBeLessThan(20_000);
    expect(told.length).toBeLessThanOrEqual(20_000);
    const [from, to] = dropped.at(-1) as [number, number];
    expect([to - from, told.at(-1)?.seq, count()]).toEqual([1, from - 1, 40_000]);
    send(1);
    await until(() => told.at(-1)?.seq === to + 1);
    expect(told.slice(-2).map(({ kind }) => kind)).toEqual(['event', 'snapshot']);
    expect(recorder.recordsFrom(from).from).toBe(to);
    expect(recorder.failure).toBeUndefined();
  });

  test('a state can be asked for as it was after a record, while it is held', () => {
    const root = createActor(counter).start();
    root.send({ type: 'add' });
    const { recorder, told } = looking(root, { states: 4 });
    for (let i = 0; i < 5; i += 1) root.send({ type: 'add' });
    recorder.flush();
    const counts = told
      .filter(({ kind }) => kind === 'snapshot')
      .map(({ seq }) => (recorder.detailAt('tree', seq)?.context as { count: number } | undefined)?.count);
    expect(counts).toEqual([undefined, 3, 4, 5, 6]);
    expect(recorder.detailAt('tree')?.context).toEqual({ count: 6, token: '[redacted]', large: '' });
  });

  test('the state of before the first record can be asked for too', () => {
    const root = createActor(counter).start();
    const { recorder, told } = looking(root);
    root.send({ type: 'add' });
    recorder.flush();
    expect(recorder.detailAt('tree', told[0]?.seq)?.context).toMatchObject({ count: 0 });
    expect(recorder.detailAt('tree', told[1]?.seq)?.context).toMatchObject({ count: 1 });
  });

  test('a state of when somebody looked is not the present one once nobody does', () => {
    const root = createActor(counter).start();
    const recorder = recorderOf();
    recorder.watch(root, 'tree');
    const { told, unsubscribe } = subscribe(recorder);
    root.send({ type: 'add' });
    recorder.flush();
    unsubscribe();
    root.send({ type: 'add' });
    expect(told.map(({ seq }) => recorder.detailAt('tree', seq))).toEqual([undefined, undefined]);
    expect(recorder.detailAt('tree')?.context).toMatchObject({ count: 2 });
  });

  test('fifty events of a context of 350 KB do not block the loop', async () => {
    const root = createActor(counter).start();
    root.send({ type: 'fill', text: 'x'.repeat(350_000) } as never);
    const recorder = recorderOf();
    recorder.watch(root, 'tree');
    const { told } = subscribe(recorder);
    for (let i = 0; i < 50; i += 1) root.send({ type: 'fill', text: `${i}`.repeat(350_000) } as never);
    let longest = 0;
    while (told.length < 100) {
      const began = performance.now();
      await new Promise((resolve) => setImmediate(resolve));
      longest = Math.max(longest, performance.now() - began);
    }
    expect(longest).toBeLessThan(200);
    expect(JSON.stringify(told).length).toBeLessThan(100 * 17_000);
  });

  test('of an actor whose context is large and always another, only the states of late are held', () => {
    const root = createActor(counter).start();
    const { recorder, lines } = looking(root);
    for (let n = 0; n < 100; n += 1) root.send({ type: 'fill', text: `${n % 10}`.repeat(1_000_000) } as never);
    // Each text is in its event until that is shown: more than fits is dropped.
    lines();
    const held = Array.from({ length: 200 }, (_, at) => recorder.detailAt('tree', at + 1)).filter(Boolean);
    expect(held.length).toBeGreaterThan(1);
    expect(held.length).toBeLessThan(30);
    expect(recorder.recordsFrom(0).from).toBeGreaterThan(100);
  });

  test('of actors that ended with much, those of late stay', () => {
    const heavy = createMachine({
      context: () => ({ rows: 'x'.repeat(1_000_000) }),
      initial: 'over',
      states: { over: { type: 'final' } },
    });
    const root = createActor(
      createMachine({
        on: {
          spawn: {
            actions: enqueueActions(({ enqueue, event }) => {
              enqueue.spawnChild(heavy, { id: String((event as unknown as { id: unknown }).id) });
            }),
          },
        },
      }),
    ).start();
    const { recorder } = looking(root);
    for (let n = 0; n < 40; n += 1) root.send({ type: 'spawn', id: `heavy${n}` } as never);
    recorder.flush();
    expect(recorder.registry().length).toBeLessThan(12);
    expect(recorder.registry().at(-1)?.id).toBe('tree/heavy39');
  });

  test('what throws while it is looked at stays in the recorder, and what cannot be shown is not', () => {
    const root = createActor(counter).start();
    const { recorder, told } = looking(root, {
      shown: () => {
        throw new Error('rule');
      },
    });
    root.send({ type: 'add' });
    recorder.subscribe({
      records: () => {
        throw new Error('listener');
      },
    });
    root.send({ type: 'add' });
    recorder.flush();
    expect(root.getSnapshot().context.count).toBe(2);
    expect(told[0]).toMatchObject({ kind: 'event', event: { type: 'add', value: '[redacted]' } });
    expect(recorder.failure).toBeInstanceOf(Error);
  });

  test('an error of an aborted fetch is told, and everything around it', () => {
    const root = createActor(counter).start();
    const { recorder, told } = looking(root);
    root.send({ type: 'note', error: new DOMException('too slow', 'TimeoutError'), n: 1 } as never);
    recorder.flush();
    const error = { $perdure: 'error', value: { name: 'TimeoutError', message: 'too slow', own: [] } };
    expect(told[0]).toMatchObject({ event: { type: 'note', error, n: 1 } });
    expect(recorder.failure).toBeUndefined();
  });

  test('secrets of events, outputs and errors are not told', () => {
    const root = createActor(counter).start();
    const { recorder, told } = looking(root);
    root.send({ type: 'note', token: 'sk-2', deep: new Map([['password', 'sk-3']]) } as never);
    recorder.flush();
    expect(JSON.stringify(told)).not.toMatch(/sk-/);
    expect(told[0]).toMatchObject({ event: { type: 'note', token: '[redacted]' } });
  });
});

describe('a durable tree', () => {
  const bad = createMachine({
    types: {} as { context: { count: number; x?: unknown } },
    id: 'counter',
    context: { count: 0 },
    on: {
      add: { actions: assign({ count: ({ context }) => context.count + 1 }) },
      bad: { actions: assign({ count: 100, x: () => () => {} }) },
    },
  });

  test('is followed to its next root when it is read back', async () => {
    const durable = await createDurableActor(bad, { store: quickStore(), id: 'shop' });
    const recorder = recorderOf();
    recorder.follow(durable as never);
    const { told, lines } = subscribe(recorder);
    await durable.send({ type: 'add' });
    const live = durable.actor;
    const reopened = new Promise((resolve) => durable.on('reopened', resolve));
    await expect(durable.send({ type: 'bad' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
    await reopened;
    expect(durable.actor).not.toBe(live);
    await durable.send({ type: 'add' });
    expect(
      lines()
        .filter((line) => line.startsWith('shop is'))
        .slice(-2),
    ).toEqual(['shop is {} active by perdure.reopened', 'shop is {} active by add']);
    const read = told.filter(({ kind }) => kind === 'snapshot').at(-2);
    expect(recorder.detailAt('shop', read?.seq)?.context).toEqual({ count: 1 });
    expect(recorder.detailAt('shop')?.context).toEqual({ count: 2 });
    await durable.close();
  });

  test('keeps nothing of a recorder that was closed', async () => {
    const durable = await createDurableActor(bad, { store: quickStore(), id: 'shop' });
    const closed = await (async () => {
      const recorder = new Recorder();
      recorder.follow(durable as never);
      subscribe(recorder);
      await durable.send({ type: 'add' });
      recorder.close();
      return new WeakRef(recorder);
    })();
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    expect(closed.deref()).toBeUndefined();
    await durable.close();
  });
});

describe('records from elsewhere', () => {
  test('are numbered among the others, and told to whoever looks', () => {
    const root = createActor(counter).start();
    const recorder = recorderOf();
    recorder.watch(root, 'tree');
    const before = { at: 1, actor: 'far', kind: 'stopped', status: 'done' } as const;
    recorder.ingest(before);
    expect(recorder.recordsFrom(0).records).toEqual([{ ...before, seq: 1 }]);
    const { told } = subscribe(recorder);
    root.send({ type: 'add' });
    recorder.ingest(before);
    recorder.flush();
    expect(told.map(({ seq, kind }) => [seq, kind])).toEqual([
      [2, 'event'],
      [3, 'snapshot'],
      [4, 'stopped'],
    ]);
  });
});

/** How many look at the actors of this tree. */
function countObservers(root: AnyActorRef): () => number {
  let observers = 0;
  const { system } = root;
  const inspect = system.inspect.bind(system);
  system.inspect = (observer) => {
    observers += 1;
    const { unsubscribe } = inspect(observer);
    return {
      unsubscribe: () => {
        observers -= 1;
        unsubscribe();
      },
    };
  };
  return () => observers;
}

test('an event whose type is JSON is told without the secrets in it, in every record', () => {
  const machine = createMachine({ initial: 'a', states: { a: { on: { '*': 'b' } }, b: {} } });
  const root = createActor(machine);
  const shown = (value: unknown) =>
    typeof value === 'string' && value.startsWith('{') ? '{"password":"[redacted]"}' : redaction()(value);
  const { recorder, told } = looking(root, { shown }, true);
  root.start();
  root.send({ type: '{"password":"hunter2"}' });
  recorder.flush();
  expect(told.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['microstep', 'snapshot']));
  expect(JSON.stringify(told.filter(({ kind }) => kind !== 'event'))).not.toContain('hunter2');
});
