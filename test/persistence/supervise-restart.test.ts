/** From what state a child begins again, and what its failure leaves behind. */
import { beforeEach, describe, expect, test } from 'vitest';
import {
  assign,
  emit,
  fromCallback,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  spawnChild,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyStateMachine,
} from 'xstate';
import { supervise } from '../../index.ts';
import { childAt, counts, inTree, log, places, workerMachine, type WorkerEvent } from '../support/supervised.ts';

const worker = workerMachine(undefined);
const boom = () => {
  throw new Error('boom');
};

/** A boss with one child, `kid`, made of this logic. */
function bossOf(kid: AnyStateMachine, from: 'committed' | 'initial' = 'committed') {
  const machine = setup({ actors: { kid } }).createMachine({
    entry: spawnChild('kid', { id: 'kid', systemId: 'kid' }),
    on: { '*': { actions: sendTo('kid', ({ event }) => event) } },
  });
  return supervise(machine, { strategy: 'one_for_one', intensity: 3, children: { kid: { from } } });
}

/** A parent of two workers, one of whom keeps a systemId, with references to them in its context. */
const family = setup({
  types: {} as {
    context: { refs: Map<string, AnyActorRef>; $kept: string };
    events: { type: 'tell'; id: string; event: WorkerEvent } | { type: 'die' } | { type: 'dieSpawning' };
  },
  actors: { worker },
}).createMachine({
  context: ({ spawn }) => ({
    refs: new Map(['x', 'y'].map((id) => [id, spawn('worker', { id, systemId: `the ${id}`, input: { name: id } })])),
    $kept: 'data that looks like ours',
  }),
  on: {
    tell: {
      actions: sendTo(
        ({ context, event }) => context.refs.get(event.id) as AnyActorRef,
        ({ event }) => event.event,
      ),
    },
    die: { actions: boom },
    dieSpawning: { actions: [spawnChild('worker', { id: 'z', systemId: 'the z', input: { name: 'z' } }), boom] },
  },
});

beforeEach(() => void log.splice(0));

describe.each(places)('%s', (_where, run) => {
  test('a committed state comes back with its own children, the references to them and their delayed events', async () => {
    const running = await run(bossOf(family));
    await running.send({ type: 'tell', id: 'x', event: { type: 'add' } });
    await running.send({ type: 'tell', id: 'y', event: { type: 'wait' } });
    await running.advance(300);
    const before = childAt(running.root, 'kid/x');
    await running.send({ type: 'die' });
    expect(childAt(running.root, 'kid/x')).not.toBe(before);
    expect(before.getSnapshot().status).toBe('stopped');
    expect(counts(childAt(running.root, 'kid'))).toEqual({ x: 1, y: 0 });
    expect(running.root.system.get('the x')).toBe(childAt(running.root, 'kid/x'));
    expect(childAt(running.root, 'kid').getSnapshot().context.$kept).toBe('data that looks like ours');
    await running.send({ type: 'tell', id: 'x', event: { type: 'add' } });
    await running.advance(699);
    expect(counts(childAt(running.root, 'kid'))).toEqual({ x: 2, y: 0 });
    await running.advance(1);
    expect(counts(childAt(running.root, 'kid'))).toEqual({ x: 2, y: 100 });
    expect(log).toEqual(['start x', 'start y']);
    await running.end();
  });

  test('a child that failed for a failure of its own child gets that one back as well', async () => {
    const running = await run(bossOf(family));
    await running.send({ type: 'tell', id: 'x', event: { type: 'add' } });
    await running.send({ type: 'tell', id: 'x', event: { type: 'die' } });
    expect(counts(childAt(running.root, 'kid'))).toEqual({ x: 1, y: 0 });
    await running.send({ type: 'tell', id: 'x', event: { type: 'add' } });
    expect(counts(childAt(running.root, 'kid'))).toEqual({ x: 2, y: 0 });
    await running.end();
  });

  test('the children of a machine that threw are stopped before it begins again from its initial state', async () => {
    const running = await run(bossOf(family, 'initial'));
    const orphans = ['kid/x', 'kid/y'].map((path) => childAt(running.root, path));
    await running.send({ type: 'tell', id: 'x', event: { type: 'add' } });
    await running.send({ type: 'die' });
    expect(orphans.map((orphan) => orphan.getSnapshot().status)).toEqual(['stopped', 'stopped']);
    expect(counts(childAt(running.root, 'kid'))).toEqual({ x: 0, y: 0 });
    expect(log).toEqual(['start x', 'start y', 'start x', 'start y']);
    await running.end();
  });

  test('what the transition that threw began, it began in vain', async () => {
    const running = await run(bossOf(family));
    await running.send({ type: 'dieSpawning' });
    await running.send({ type: 'dieSpawning' });
    expect(running.root.system.get('the z')).toBeUndefined();
    expect(counts(childAt(running.root, 'kid'))).toEqual({ x: 0, y: 0 });
    expect(log).toEqual(['start x', 'start y']);
    await running.end();
  });

  test('a child that fails again and again in its start is ended by the intensity, in turns of their own', async () => {
    let starts = 0;
    const machine = setup({
      types: {} as { context: { pings: number } },
      actors: { kid: fromCallback(() => ((starts += 1), boom())) },
    }).createMachine({
      context: { pings: 0 },
      on: {
        begin: { actions: spawnChild('kid', { id: 'kid' }) },
        ping: { actions: assign({ pings: ({ context }) => context.pings + 1 }) },
      },
    });
    const running = await run(
      supervise(machine, { strategy: 'one_for_one', intensity: 1_000, periodMs: 60_000, children: { kid: {} } }),
    );
    await running.send({ type: 'begin' });
    const isActive = () => running.root.getSnapshot().status === 'active';
    const passing = (async () => {
      while (isActive()) await running.advance(1);
    })();
    let answered = 0;
    while (isActive()) {
      await running.send({ type: 'ping' }).catch(() => {});
      if (isActive()) expect(running.root.getSnapshot().context.pings).toBe(++answered);
    }
    await passing;
    expect(starts).toBe(1_001);
    expect(running.root.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'SUPERVISION_EXCEEDED' } });
    expect(answered).toBeGreaterThan(100);
    await running.end();
  });

  test('while a child waits to be tried again, another one is restarted at once', async () => {
    const failing = setup({}).createMachine({ context: boom });
    const machine = setup({ actors: { failing: failing as AnyStateMachine, worker } }).createMachine({
      entry: spawnChild('worker', { id: 'w', input: { name: 'w' } }),
      on: {
        begin: { actions: [spawnChild('failing', { id: 'kid' })] },
        '*': { actions: sendTo('w', ({ event }) => event) },
      },
    });
    const running = await run(
      supervise(machine, { strategy: 'one_for_one', intensity: 4, children: { failing: {}, worker: {} } }),
    );
    await running.send({ type: 'add' });
    running.root.send({ type: 'begin' });
    running.root.send({ type: 'die' });
    expect(childAt(running.root, 'w').getSnapshot().context.n).toBe(1);
    for (let at = 0; at < 10; at++) await running.advance(1);
    expect(running.root.getSnapshot().error).toMatchObject({ facts: { child: 'kid' } });
    expect(running.emitted.map(({ child }) => child)).toEqual(['kid', 'w', 'kid', 'kid', 'kid']);
    await running.end();
  });

  test('a machine that fails in its entry, and one that finishes in its start, are such children too', async () => {
    const fails = setup({}).createMachine({ entry: boom });
    const finishes = setup({}).createMachine({
      type: 'final' as never,
      initial: 'end',
      states: { end: { type: 'final' } },
    });
    const refuses = setup({}).createMachine({ context: boom });
    for (const kid of [fails, finishes, refuses]) {
      const running = await run(bossOf(kid as AnyStateMachine));
      for (let at = 0; at < 10; at++) await running.advance(1);
      expect(running.root.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'SUPERVISION_EXCEEDED' } });
      expect(running.emitted.filter(({ type }) => type === 'child.restarted').length).toBeGreaterThan(1);
      await running.end();
    }
  });

  test('a promise that rejects runs again with its input, also a promise invoked by the child', async () => {
    const tries: unknown[] = [];
    const pay = fromPromise(async ({ input }: { input: { amount: number } }) => {
      tries.push(input);
      if (tries.length < 3) throw new Error('no');
      return 'paid';
    });
    const shop = setup({ actors: { pay } }).createMachine({
      initial: 'paying',
      states: { paying: { invoke: { src: 'pay', id: 'pay', input: { amount: 5 }, onDone: 'paid' } }, paid: {} },
    });
    const running = await run(bossOf(shop));
    for (let at = 0; at < 10; at++) await running.advance(1);
    expect(tries).toEqual([{ amount: 5 }, { amount: 5 }, { amount: 5 }]);
    expect(childAt(running.root, 'kid').getSnapshot().value).toBe('paid');
    await running.end();
  });

  test('an invoked child is restarted within its state, goes on telling its snapshots, and ends with the state', async () => {
    const machine = setup({
      types: {} as { context: { told: number[] }; events: { type: 'to'; event: WorkerEvent } | { type: 'leave' } },
      actors: { kid: worker },
    }).createMachine({
      context: { told: [] },
      initial: 'on',
      states: {
        on: {
          invoke: {
            src: 'kid',
            id: 'kid',
            input: { name: 'kid' },
            onSnapshot: {
              actions: assign({ told: ({ context, event }) => [...context.told, event.snapshot.context.n] }),
            },
          },
          on: { leave: 'off' },
        },
        off: {},
      },
      on: { to: { actions: sendTo('kid', ({ event }) => event.event) } },
    });
    const running = await run(supervise(machine, { strategy: 'one_for_one', children: { kid: {} } }));
    await running.send({ type: 'to', event: { type: 'add' } });
    await running.send({ type: 'to', event: { type: 'die' } });
    await running.send({ type: 'to', event: { type: 'add' } });
    expect(counts(running.root)).toEqual({ kid: 2 });
    expect(running.root.getSnapshot().context.told).toEqual([0, 1, 1, 2]);
    await running.send({ type: 'leave' });
    expect(counts(running.root)).toEqual({});
    await running.end();
  });

  test('a callback that threw has cleaned up before it begins again', async () => {
    let open = 0;
    const kid = fromCallback(({ receive }) => {
      open += 1;
      receive(boom);
      return () => void (open -= 1);
    });
    const machine = setup({ actors: { kid } }).createMachine({
      entry: spawnChild('kid', { id: 'kid' }),
      on: { poke: { actions: sendTo('kid', { type: 'poke' }) } },
    });
    const running = await run(supervise(machine, { strategy: 'one_for_one', intensity: 5, children: { kid: {} } }));
    for (let at = 0; at < 3; at++) {
      await running.send({ type: 'poke' });
      await running.advance(1);
      expect(open).toBe(1);
    }
    await running.end();
  });

  test('a supervisor that gives up fails, and its own supervisor restarts it with a fresh allowance', async () => {
    const middle = supervise(
      setup({ actors: { worker } }).createMachine({
        entry: ['x', 'y'].map((id) => spawnChild('worker', { id, input: { name: id } })),
        on: { '*': { actions: sendTo('x', ({ event }) => event) } },
      }),
      { strategy: 'one_for_one', intensity: 1, children: { worker: {} } },
    );
    const running = await run(bossOf(middle));
    await running.send({ type: 'add' });
    for (let at = 0; at < 4; at++) {
      await running.send({ type: 'die' });
      expect(counts(childAt(running.root, 'kid'))).toEqual({ x: 1, y: 0 });
    }
    expect(running.emitted).toMatchObject([
      { type: 'child.restarted', child: 'kid', reason: { code: 'SUPERVISION_EXCEEDED' }, restarts: 1 },
      { type: 'child.restarted', child: 'kid', reason: { code: 'SUPERVISION_EXCEEDED' }, restarts: 2 },
    ]);
    await running.end();
  });

  test('a supervisor that gave up with time-outs, or failed while a group shut down, has its children back', async () => {
    const team = setup({ actors: { worker, polite: workerMachine(50) } }).createMachine({
      entry: [
        spawnChild('polite', { id: 'x', input: { name: 'x' } }),
        spawnChild('worker', { id: 'y', input: { name: 'y' } }),
        spawnChild('polite', { id: 'z', input: { name: 'z' } }),
      ],
      on: {
        add: { actions: [sendTo('x', { type: 'add' }), sendTo('y', { type: 'add' }), sendTo('z', { type: 'add' })] },
        die: { actions: sendTo('y', { type: 'die' }) },
        crash: { actions: boom },
      },
    });
    for (const [intensity, crashes] of [
      [0, false],
      [0, true],
      [1, true],
    ] as const) {
      const supervised = supervise(team, {
        strategy: 'one_for_all',
        intensity,
        children: { worker: {}, polite: { shutdown: 100 } },
      });
      const house = setup({ actors: { supervised } }).createMachine({
        invoke: { src: 'supervised', id: 'team' },
        on: Object.fromEntries(
          ['add', 'die', 'crash'].map((type) => [type, { actions: sendTo('team', { type } as never) }]),
        ),
      });
      for (const [machine, path] of [
        [bossOf(supervised), 'kid'],
        [bossOf(house), 'kid/team'],
      ] as const) {
        const running = await run(machine);
        await running.send({ type: 'add' });
        await running.send({ type: 'die' });
        await running.advance(60);
        if (crashes) await running.send({ type: 'crash' });
        await running.advance(500);
        expect(counts(childAt(running.root, path))).toEqual({ x: 1, y: 1, z: 1 });
        await running.send({ type: 'add' });
        expect(counts(childAt(running.root, path))).toEqual({ x: 2, y: 2, z: 2 });
        await running.end();
      }
    }
  });

  test('an input that looks like what is kept is still an input', async () => {
    const kid = setup({ types: {} as { input: object; context: { input: object } } }).createMachine({
      context: ({ input }) => ({ input }),
      on: { die: { actions: boom } },
    });
    const machine = setup({ actors: { kid } }).createMachine({
      entry: spawnChild('kid', { id: 'kid', input: { $kept: ['kid'] } }),
      on: { die: { actions: sendTo('kid', { type: 'die' }) } },
    });
    const running = await run(supervise(machine, { strategy: 'one_for_one', intensity: 2, children: { kid: {} } }));
    await running.send({ type: 'die' });
    await running.send({ type: 'die' });
    const snapshot = childAt(running.root, 'kid').getSnapshot();
    expect(snapshot).toMatchObject({
      context: { input: { $kept: ['kid'] } },
      supervision: { input: { $kept: ['kid'] } },
    });
    await running.end();
  });

  test('two children that fail at once are both restarted, once each', async () => {
    const machine = setup({ actors: { worker } }).createMachine({
      entry: ['x', 'y', 'z'].map((id) => spawnChild('worker', { id, input: { name: id } })),
      on: {
        die: { actions: [sendTo('x', { type: 'die' }), sendTo('y', { type: 'die' })] },
        add: { actions: [sendTo('x', { type: 'add' }), sendTo('y', { type: 'add' }), sendTo('z', { type: 'add' })] },
      },
    });
    for (const [strategy, intensity] of [
      ['one_for_one', 2],
      ['one_for_all', 1],
      ['rest_for_one', 1],
    ] as const) {
      const running = await run(supervise(machine, { strategy, intensity, children: { worker: {} } }));
      await running.send({ type: 'add' });
      await running.send({ type: 'die' });
      expect(counts(running.root)).toEqual({ x: 1, y: 1, z: 1 });
      await running.send({ type: 'add' });
      expect(counts(running.root)).toEqual({ x: 2, y: 2, z: 2 });
      await running.end();
    }
  });

  test('two children that fail at once while their group shuts down are restarted once', async () => {
    const machine = setup({ actors: { worker, polite: workerMachine(50) } }).createMachine({
      entry: [
        spawnChild('worker', { id: 'x', input: { name: 'x' } }),
        spawnChild('polite', { id: 'z', input: { name: 'z' } }),
        spawnChild('worker', { id: 'y', input: { name: 'y' } }),
      ],
      on: { die: { actions: [sendTo('x', { type: 'die' }), sendTo('y', { type: 'die' })] } },
    });
    const running = await run(
      supervise(machine, {
        strategy: 'one_for_all',
        children: { worker: { from: 'initial' }, polite: { shutdown: 100 } },
      }),
    );
    await running.send({ type: 'die' });
    await running.advance(50);
    expect(counts(running.root)).toEqual({ x: 0, y: 0, z: 0 });
    expect(log).toEqual(['start x', 'start z', 'start y', 'leave z', 'start x', 'start y']);
    await running.end();
  });

  test('the children of a machine that threw deep below are stopped', async () => {
    const house = setup({ actors: { family } }).createMachine({
      invoke: { src: 'family', id: 'family' },
      on: { die: { actions: sendTo('family', { type: 'die' }) } },
    });
    for (const from of ['committed', 'initial'] as const) {
      const running = await run(bossOf(house, from));
      const orphan = childAt(running.root, 'kid/family/x');
      await running.send({ type: 'die' });
      expect(orphan.getSnapshot().status).toBe('stopped');
      expect(counts(childAt(running.root, 'kid/family'))).toEqual({ x: 0, y: 0 });
      await running.end();
    }
  });

  test('logic of any kind that fails in its start keeps its state', async () => {
    let fails = 0;
    const counter: AnyActorLogic = {
      ...fromTransition((count: number, event: { type: string }) => (event.type === 'die' ? boom() : count + 1), 0),
      // Logic with a config is taken for work outside, which has no state.
      config: undefined,
      start: () => void (fails-- > 0 && boom()),
    };
    const machine = setup({ actors: { counter } }).createMachine({
      entry: spawnChild('counter', { id: 'kid' }),
      on: { '*': { actions: sendTo('kid', ({ event }) => event) } },
    });
    const running = await run(supervise(machine, { strategy: 'one_for_one', intensity: 5, children: { counter: {} } }));
    await running.send({ type: 'add' });
    fails = 2;
    await running.send({ type: 'die' });
    for (let at = 0; at < 5; at++) await running.advance(1);
    await running.send({ type: 'add' });
    expect(childAt(running.root, 'kid').getSnapshot()).toMatchObject({ status: 'active', context: 2 });
    expect(running.emitted.length).toBe(3);
    await running.end();
  });

  test('a machine may keep the reference of a child that failed in the turn that made it', async () => {
    const failing = setup({}).createMachine({ context: boom });
    const machine = setup({
      types: {} as { context: { ref: AnyActorRef | undefined; pings: number } },
      actors: { failing: failing as AnyStateMachine },
    }).createMachine({
      context: { ref: undefined, pings: 0 },
      on: {
        begin: { actions: assign({ ref: ({ spawn }) => spawn('failing', { id: 'kid' }) }) },
        ping: { actions: assign({ pings: ({ context }) => context.pings + 1 }) },
      },
    });
    const running = await run(
      supervise(machine, { strategy: 'one_for_one', children: { failing: { restart: 'temporary' } } }),
    );
    await running.send({ type: 'begin' });
    await running.send({ type: 'ping' });
    expect(running.root.getSnapshot()).toMatchObject({ status: 'active', context: { pings: 1 }, children: {} });
    await running.end();
  });

  test('a child that makes another one fail is restarted with it in the middle of its own transition', async () => {
    const killer = setup({ types: {} as { context: { n: number } } }).createMachine({
      context: { n: 0 },
      on: {
        kill: {
          actions: [
            assign({ n: ({ context }) => context.n + 1 }),
            sendTo(({ system }) => system.get('x') as AnyActorRef, { type: 'die' }),
            sendTo(({ system }) => system.get('y') as AnyActorRef, { type: 'add' }),
          ],
        },
      },
    });
    const machine = setup({ actors: { worker, killer } }).createMachine({
      entry: [
        spawnChild('worker', { id: 'x', systemId: 'x', input: { name: 'x' } }),
        spawnChild('killer', { id: 'k', systemId: 'k' }),
        spawnChild('worker', { id: 'y', systemId: 'y', input: { name: 'y' } }),
      ],
      on: { kill: { actions: sendTo('k', { type: 'kill' }) } },
    });
    const running = await run(
      supervise(machine, { strategy: 'one_for_all', intensity: 5, children: { worker: {}, killer: {} } }),
    );
    for (let at = 1; at <= 2; at++) {
      // Also past the supervisor, so that it is idle when it hears of the failure.
      if (at === 1) await running.send({ type: 'kill' });
      else running.root.system.get('k')?.send({ type: 'kill' } as never);
      expect(counts(running.root)).toMatchObject({ x: 0, k: at });
      expect(['x', 'k', 'y'].map((id) => running.root.system.get(id) === childAt(running.root, id))).toEqual([
        true,
        true,
        true,
      ]);
    }
    await running.end();
  });

  test('a machine that is no supervised child, deep below one, emits and fails as ever', async () => {
    const leaf = setup({ types: {} as { emitted: { type: 'hello' } } }).createMachine({
      on: { hello: { actions: emit({ type: 'hello' }) }, die: { actions: boom } },
    });
    const kid = setup({ types: {} as { context: { failed: boolean } }, actors: { leaf } }).createMachine({
      context: { failed: false },
      invoke: { src: 'leaf', id: 'leaf', onError: { actions: assign({ failed: true }) } },
      on: { die: { actions: sendTo('leaf', { type: 'die' }) }, crash: { actions: boom } },
    });
    const running = await run(bossOf(kid));
    await running.send({ type: 'die' });
    await running.send({ type: 'crash' });
    const { context, children } = childAt(running.root, 'kid').getSnapshot();
    expect(context).toEqual({ failed: true });
    expect(children.leaf.getSnapshot().status).toBe('error');
    await running.end();
  });
});

test('the input of a child that came back after a crash is its input still, with dates and references', async () => {
  const kid = setup({
    types: {} as { input: { at: Date; boss: AnyActorRef }; context: { at: Date; boss: AnyActorRef } },
  }).createMachine({
    context: ({ input }) => ({ at: input.at, boss: input.boss }),
    on: { die: { actions: boom } },
  });
  const machine = setup({ actors: { kid } }).createMachine({
    invoke: { src: 'kid', id: 'kid', input: ({ self }) => ({ at: new Date(5), boss: self }) },
    on: { die: { actions: sendTo('kid', { type: 'die' }) } },
  });
  const supervised = supervise(machine, { strategy: 'one_for_one', children: { kid: { from: 'initial' } } });
  const first = await inTree(supervised);
  const second = await first.crash();
  await second.send({ type: 'die' });
  const { at, boss } = childAt(second.root, 'kid').getSnapshot().context;
  expect(at).toEqual(new Date(5));
  expect(boss).toBe(second.root);
  const third = await second.crash();
  expect(childAt(third.root, 'kid').getSnapshot().context.at).toEqual(new Date(5));
  await third.end();
});
