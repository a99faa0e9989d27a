/** What a crash may not undo: the window, and a restart that waits. */
import { beforeEach, expect, test } from 'vitest';
import { fromCallback, setup, spawnChild, type AnyStateMachine } from 'xstate';
import { supervise } from '../../index.ts';
import { crash } from '../../testing.ts';
import { bossMachine, childAt, counts, inTree, log, workerMachine, type InTree } from '../support/supervised.ts';

beforeEach(() => void log.splice(0));

const die = (id: string) => ({ type: 'to', id, event: { type: 'die' } }) as const;
const add = (id: string) => ({ type: 'to', id, event: { type: 'add' } }) as const;

test('a crash does not refill the allowance', async () => {
  const machine = supervise(bossMachine({ a: 'worker' }), {
    strategy: 'one_for_one',
    intensity: 2,
    periodMs: 1_000,
    children: { worker: {} },
  });
  let running = await inTree(machine);
  await running.send(die('a'));
  running = await running.crash();
  await running.advance(500);
  await running.send(die('a'));
  running = await running.crash();
  await running.advance(500);
  await running.send(die('a'));
  running = await running.crash();
  await running.send(die('a'));
  expect(running.root.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'SUPERVISION_EXCEEDED' } });
  running = await running.crash();
  expect(running.root.getSnapshot()).toMatchObject({
    status: 'error',
    error: {
      code: 'SUPERVISION_EXCEEDED',
      facts: { child: 'a', intensity: 2, period: 1_000 },
      cause: { message: 'boom' },
    },
  });
  await running.end();
});

test('a restart that was not committed did not happen', async () => {
  const machine = supervise(bossMachine({ a: 'worker' }), {
    strategy: 'one_for_one',
    intensity: 1,
    children: { worker: {} },
  });
  const first = await inTree(machine);
  await first.send(add('a'));
  first.root.send(die('a'));
  const second = await first.crash();
  await second.send(die('a'));
  expect(counts(second.root)).toEqual({ a: 1 });
  expect(second.emitted).toMatchObject([{ type: 'child.restarted', restarts: 1 }]);
  await second.end();
});

const group = supervise(bossMachine({ a: 'polite', b: 'worker', c: 'slow', d: 'polite' }), {
  strategy: 'one_for_all',
  children: { worker: {}, polite: { shutdown: 100 }, slow: { shutdown: 200 } },
});
const ids = ['a', 'b', 'c', 'd'];
/** The turns of a restart of the group: the failure, d leaves, the time of c is over, a leaves. */
const TURNS: ((running: InTree) => Promise<void>)[] = [
  (running) => running.send(die('b')),
  (running) => running.advance(50),
  (running) => running.advance(200),
  (running) => running.advance(50),
];

/** Each child runs, and is there once: what it is sent, it counts once. */
async function expectWhole(running: InTree): Promise<void> {
  expect(counts(running.root)).toEqual({ a: 1, b: 1, c: 1, d: 1 });
  for (const id of ids) await running.send(add(id));
  expect(counts(running.root)).toEqual({ a: 2, b: 2, c: 2, d: 2 });
  const rows = running.durable.store.commits.statements.of('select key from actors order by key').all() as {
    key: string;
  }[];
  expect(rows.map(({ key }) => key)).toEqual([...ids, 'main']);
  expect(running.durable.store.commits.statements.of('select count(*) as n from timers').get()).toEqual({ n: 0 });
}

test.each([0, 1, 2, 3, 4])(
  'a group restart that crashes after its turn %i goes on, and nobody runs twice',
  async (at) => {
    let running = await inTree(group);
    for (const id of ids) await running.send(add(id));
    for (const [turn, take] of TURNS.entries()) {
      if (turn === at) running = await running.crash();
      await take(running);
    }
    if (at === TURNS.length) running = await running.crash();
    await expectWhole(running);
    expect(running.incidents().map(({ kind }) => kind)).toEqual(['child.restarted']);
    await running.end();
  },
);

test('a group restart that crashes after every turn, and before every commit, ends as if it had not', async () => {
  let running = await inTree(group);
  for (const id of ids) await running.send(add(id));
  for (const take of TURNS) {
    running.root.send(add('a'));
    running = await running.crash();
    await take(running);
  }
  running = await running.crash();
  await expectWhole(running);
  await running.end();
});

test('a child that fails while its group shuts down begins with the group', async () => {
  let running = await inTree(group);
  for (const id of ids) await running.send(add(id));
  await running.send(die('b'));
  await running.send(die('a'));
  running = await running.crash();
  await running.send(die('c'));
  await running.advance(50);
  await expectWhole(running);
  await running.end();
});

test('a supervisor that gives up goes on giving up after a crash', async () => {
  const machine = supervise(bossMachine({ a: 'polite', b: 'worker', c: 'slow' }), {
    strategy: 'one_for_one',
    intensity: 0,
    children: { worker: {}, polite: { shutdown: 100 }, slow: { shutdown: 200 } },
  });
  let running = await inTree(machine);
  await running.send(die('b'));
  running = await running.crash();
  await running.advance(200);
  running = await running.crash();
  expect(running.root.getSnapshot().status).toBe('active');
  await running.advance(50);
  expect(running.root.getSnapshot()).toMatchObject({
    status: 'error',
    error: { code: 'SUPERVISION_EXCEEDED', cause: { message: 'boom' } },
  });
  expect(log.slice(3)).toEqual(['leave c', 'leave a']);
  await running.end();
});

test('a child that fails in its start is tried again after a crash, until the intensity ends it', async () => {
  let starts = 0;
  const failing = fromCallback(() => {
    starts += 1;
    throw new Error('boom');
  });
  const kid = setup({ actors: { failing } }).createMachine({ invoke: { src: 'failing', id: 'failing' } });
  const broken = setup({}).createMachine({
    entry: () => {
      starts += 1;
      throw new Error('boom');
    },
  });
  for (const logic of [kid, broken]) {
    starts = 0;
    const machine = setup({ actors: { kid: logic as typeof broken } }).createMachine({
      on: { begin: { actions: spawnChild('kid', { id: 'kid' }) } },
    });
    let running = await inTree(supervise(machine, { strategy: 'one_for_one', intensity: 3, children: { kid: {} } }));
    await running.send({ type: 'begin' });
    for (let at = 0; at < 12 && running.root.getSnapshot().status === 'active'; at++) {
      running = await running.crash();
      await running.advance(1);
    }
    expect(running.root.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'SUPERVISION_EXCEEDED' } });
    expect(starts).toBeGreaterThanOrEqual(4);
    expect(running.incidents().map(({ kind }) => kind)).toEqual([
      'child.restarted',
      'child.restarted',
      'child.restarted',
      'child.exceeded',
    ]);
    await running.end();
  }
});

test('what was kept of a child that waits for its group survives with its references', async () => {
  const team = bossMachine({ x: 'worker', y: 'worker' });
  const top = setup({ actors: { team, polite: bossMachine({}).implementations.actors.polite as typeof team } });
  const machine = top.createMachine({
    entry: [spawnChild('team', { id: 'team' }), spawnChild('polite', { id: 'last', input: { name: 'last' } as never })],
  });
  const supervised = supervise(machine, {
    strategy: 'one_for_all',
    children: { team: {}, polite: { shutdown: 100 } },
  });
  let running = await inTree(supervised);
  await running.durable.send(add('x'), { to: 'team' });
  await running.durable.send(die('y'), { to: 'team' });
  expect(childAt(running.root, 'team').getSnapshot().status).toBe('error');
  running = await running.crash();
  await running.advance(50);
  expect(counts(childAt(running.root, 'team'))).toEqual({ x: 1, y: 0 });
  expect(running.root.system.get('x')).toBe(childAt(running.root, 'team/x'));
  crash(running.durable);
});

test('children that were stored before their machine was supervised are supervised when they come back', async () => {
  const bare = bossMachine({ a: 'worker', b: 'worker' });
  const first = await inTree(bare);
  await first.send(add('a'));
  crash(first.durable);
  const supervised = supervise(bare, { strategy: 'rest_for_one', intensity: 2, children: { worker: {} } });
  const second = await inTree(supervised, first.clock, first.durable.store.path);
  await second.send(die('a'));
  await second.send({ type: 'spawn', id: 'c' });
  await second.send(die('c'));
  expect(counts(second.root)).toEqual({ a: 1, b: 0, c: 0 });
  await second.end();
});

test('what is sent to a child that waits for its group is reported', async () => {
  const running = await inTree(group);
  await running.send(die('b'));
  await running.send(add('b'));
  expect(running.incidents()).toMatchObject([{ kind: 'child.deadLettered' }]);
  await running.end();
});

test('a child that takes the id of one that is shutting down has its own life', async () => {
  const machine = supervise(bossMachine({ a: 'worker', b: 'slow' }), {
    strategy: 'one_for_all',
    children: { worker: {}, slow: { shutdown: 100 } },
  });
  let running = await inTree(machine);
  await running.send(die('a'));
  await running.send({ type: 'stop', id: 'b' });
  running = await running.crash();
  await running.send({ type: 'spawn', id: 'b' });
  running = await running.crash();
  const b = childAt(running.root, 'b');
  await running.advance(100);
  expect(childAt(running.root, 'b')).toBe(b);
  expect(counts(running.root)).toEqual({ a: 0, b: 0 });
  await running.end();
});

/** A group of a polite one, who delays the restart of the others, and one that is this machine. */
function waitingGroup(kid: AnyStateMachine): AnyStateMachine {
  const machine = setup({ actors: { kid, polite: workerMachine(50) } }).createMachine({
    id: 'team',
    entry: [
      spawnChild('kid', { id: 'kid', input: { name: 'kid' } }),
      spawnChild('polite', { id: 'a', input: { name: 'a' } }),
    ],
  });
  return supervise(machine, { strategy: 'one_for_all', children: { kid: {}, polite: { shutdown: 100 } } });
}

const versioned = (machine: AnyStateMachine, version: string) =>
  setup({ actors: machine.implementations.actors as { kid: AnyStateMachine } }).createMachine({
    ...(machine.config as object),
    version,
  });

const parentOf = (kid: AnyStateMachine) =>
  setup({
    actors: { kid },
    actions: {
      die: () => {
        throw new Error('boom');
      },
    },
  }).createMachine({
    id: 'parent',
    invoke: { src: 'kid', id: 'inner', input: { name: 'inner' } as never },
    on: { die: { actions: 'die' } },
  });

test.each<[string, AnyStateMachine, AnyStateMachine, string]>([
  ['a child', workerMachine(undefined), versioned(workerMachine(undefined), '2'), 'worker@2'],
  [
    'a child of a child',
    parentOf(workerMachine(undefined)),
    parentOf(versioned(workerMachine(undefined), '2') as AnyStateMachine),
    'worker@2',
  ],
])(
  'a group restart that waits is refused when the machine of %s has another version, and goes on under its own',
  async (...args) => {
    const [, kid, changed, to] = args;
    let running = await inTree(waitingGroup(kid));
    await running.durable.send({ type: 'die' }, { to: 'kid' });
    expect(log.at(-1)).toBe('leave a');
    crash(running.durable);
    const { clock, durable } = running;
    const again = inTree(waitingGroup(changed), clock, durable.store.path);
    await expect(again).rejects.toMatchObject({ code: 'MACHINE_CHANGED', facts: { child: 'kid', to } });
    running = await inTree(waitingGroup(kid), clock, durable.store.path);
    await running.advance(50);
    expect(Object.keys(running.root.getSnapshot().children)).toEqual(['kid', 'a']);
    expect(childAt(running.root, 'kid').getSnapshot().status).toBe('active');
    await running.end();
  },
);
