/** Going back to a kept turn: what is refused, what becomes of work outside, and what stays. */
import Database from 'better-sqlite3';
import { randomBytes } from 'node:crypto';
import { assign, fromCallback, fromPromise, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor, type DurableOptions } from '../../persistence/create.ts';
import { durableAction } from '../../persistence/durable-action.ts';
import { effectOf, type EffectIdentity } from '../../persistence/effects.ts';
import type { TableSpec } from '../../persistence/schema.ts';
import { encryption } from '../../persistence/sealing.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { onRestart, onRestore, type RestorePolicy } from '../../persistence/xstate-port.ts';
import { failStore } from '../../testing.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

/** A machine that counts, works outside, and does things after its commits; with what was begun. */
function busy(policy?: RestorePolicy, onRestoreAct?: 'ask' | 'run') {
  const starts: EffectIdentity[] = [];
  const acts: string[] = [];
  const heard: unknown[] = [];
  let aborted = 0;
  let hold = Promise.resolve();
  let release = () => {};
  const work = fromPromise<string>(({ self, signal }) => {
    starts.push(effectOf(self) as EffectIdentity);
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => {
        aborted += 1;
        reject(new Error('aborted'));
      });
      release = () => resolve('worked');
    });
  });
  const act = durableAction({
    name: 'act',
    ...(onRestoreAct === undefined ? {} : { onRestore: onRestoreAct }),
    run: async (_: undefined, { key }) => {
      await hold;
      acts.push(key);
    },
  });
  const machine = setup({
    types: {} as {
      context: { n: number; code?: string; late: number };
      events:
        | { type: 'add' }
        | { type: 'work' }
        | { type: 'act' }
        | { type: 'wait' }
        | { type: 'runtime.resumed'; restored?: boolean };
    },
    actions: { act },
    actors: { work: policy === undefined ? work : onRestore(policy, work) },
  }).createMachine({
    id: 'busy',
    context: { n: 0, late: 0 },
    initial: 'idle',
    on: {
      add: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      act: { actions: { type: 'act', params: undefined as never } },
      work: '.working',
      wait: '.waiting',
      'runtime.resumed': { actions: ({ event }) => void heard.push(event.restored) },
    },
    states: {
      idle: {},
      waiting: { after: { 1_000: { target: 'idle', actions: assign({ late: ({ context }) => context.late + 1 }) } } },
      working: {
        invoke: {
          src: 'work',
          id: 'work',
          onDone: 'worked',
          onError: {
            target: 'failed',
            actions: assign({ code: ({ event }) => (event.error as { code: string }).code }),
          },
        },
      },
      worked: {},
      failed: {},
    },
  });
  return {
    machine,
    starts,
    acts,
    heard,
    aborted: () => aborted,
    release: () => release(),
    holdActs: () => {
      let go = () => {};
      hold = new Promise<void>((resolve) => (go = resolve));
      return go;
    },
  };
}

const open = (machine: ReturnType<typeof busy>['machine'], options: Partial<DurableOptions<typeof machine>> = {}) =>
  createDurableActor(machine, { store: quickStore(), history: true, ...options });

test('what was undone can be undone: the turn before a restore is named', async () => {
  const { machine } = busy();
  await using durable = await open(machine, { history: false });
  durable.store.rows.nameTurn({ at: 0, reason: 'test' });
  const { turn } = await durable.send({ type: 'add' });
  await durable.send({ type: 'add' });
  const went = await durable.restore(turn);
  expect(went).toMatchObject({
    from: turn,
    before: turn + 1,
    turn: turn + 2,
    actors: 1,
    timersDue: 0,
    effects: 0,
    asked: 0,
  });
  expect(durable.getSnapshot().context.n).toBe(1);
  expect(durable.store.rows.all('select turn, reason, detail from checkpoints order by turn')).toEqual([
    { turn, reason: 'test', detail: null },
    { turn: went.before, reason: 'restore', detail: `{"to":${turn}}` },
  ]);
  await durable.restore(went.before);
  expect(durable.getSnapshot().context.n).toBe(2);
});

test('the host hears that the tree was read back, with the state as it was; the machine, that it was restored', async () => {
  const { machine, heard } = busy();
  await using durable = await open(machine);
  const { turn } = await durable.send({ type: 'add' });
  await durable.send({ type: 'add' });
  const told: unknown[] = [];
  durable.on('reopened', () => told.push('reopened'));
  durable.subscribe(({ context }) => told.push(context.n));
  const before = durable.actor;
  await durable.restore(turn);
  expect(durable.actor).not.toBe(before);
  expect(told).toContain('reopened');
  expect(told.at(-1)).toBe(1);
  expect(heard).toEqual([true]);
  const { store } = durable;
  const causes = [];
  for await (const record of store.history({ from: turn + 2 })) causes.push(record.causes.map(({ kind }) => kind));
  expect(causes).toEqual([['restore'], ['resume']]);
});

test('what is sent at once before a restore is committed before it, and what is sent after it, after it', async () => {
  const { machine } = busy();
  await using durable = await open(machine);
  const { turn } = await durable.send({ type: 'add' });
  const sent = durable.send({ type: 'add' });
  const restored = durable.restore(turn);
  const after = restored.then(() => durable.send({ type: 'add' }));
  expect((await sent).turn).toBeLessThan((await restored).turn);
  await after;
  expect(durable.getSnapshot().context.n).toBe(2);
});

test('message ids that were accepted stay accepted', async () => {
  const { machine } = busy();
  await using durable = await open(machine);
  const { turn } = await durable.send({ type: 'add' });
  await durable.send({ type: 'add' }, { id: 'once' });
  await durable.restore(turn);
  expect(await durable.send({ type: 'add' }, { id: 'once' })).toMatchObject({ applied: false });
  expect(durable.getSnapshot().context.n).toBe(1);
});

test('a timer comes back with its absolute due time, and one whose time has passed fires once', async () => {
  const clock = new SimulatedClock(1_000);
  const { machine } = busy();
  await using durable = await open(machine, { clock });
  const { turn } = await durable.send({ type: 'wait' });
  await clock.advance(5_000);
  await until(() => durable.getSnapshot().context.late === 1);
  expect(await durable.restore(turn)).toMatchObject({ timersDue: 1 });
  expect(durable.getSnapshot().value).toBe('waiting');
  await clock.advance(0);
  await until(() => durable.getSnapshot().context.late === 1);
  await clock.advance(60_000);
  expect(durable.getSnapshot().context.late).toBe(1);
});

describe('work outside that was under way at the turn', () => {
  test('waits for a decision by default, also after a crash, and runs again under another key', async () => {
    const { machine, starts, aborted, release } = busy();
    const store = quickStore();
    let durable = await open(machine, { store });
    const { turn } = await durable.send({ type: 'work' });
    await durable.send({ type: 'add' });
    expect(starts).toHaveLength(1);
    expect(await durable.restore(turn)).toMatchObject({ asked: 1, effects: 0 });
    expect(aborted()).toBe(1);
    expect(durable.interrupted).toEqual(['work']);
    crash(durable);
    durable = await open(machine, { store });
    expect(durable.interrupted).toEqual(['work']);
    await durable.send({ type: 'add' });
    crash(durable);
    durable = await open(machine, { store });
    expect(durable.interrupted).toEqual(['work']);
    expect(starts).toHaveLength(1);
    await durable.decide('work', 'rerun');
    await until(() => starts.length === 2);
    expect(starts[1]?.attempt).toBe(2);
    expect(starts[1]?.key).not.toBe(starts[0]?.key);
    // From now on it is an effect like any other.
    crash(durable);
    durable = await open(machine, { store });
    await until(() => starts.length === 3);
    expect(starts[2]).toEqual({ key: starts[1]?.key, attempt: 3 });
    release();
    await durable.waitFor(({ value }) => value === 'worked');
    await durable.close();
  });

  test('runs again where its logic says so', async () => {
    const { machine, starts, release } = busy('run');
    await using durable = await open(machine);
    const { turn } = await durable.send({ type: 'work' });
    await durable.send({ type: 'add' });
    expect(await durable.restore(turn)).toMatchObject({ asked: 0, effects: 1 });
    await until(() => starts.length === 2);
    release();
    await durable.waitFor(({ value }) => value === 'worked');
  });

  test('fails where its logic says so', async () => {
    const { machine, starts } = busy('fail');
    await using durable = await open(machine);
    const { turn } = await durable.send({ type: 'work' });
    await durable.send({ type: 'add' });
    await durable.restore(turn);
    expect(durable.getSnapshot()).toMatchObject({ value: 'failed', context: { code: 'EFFECT_INTERRUPTED' } });
    expect(starts).toHaveLength(1);
  });

  test('the two policies of a logic do not touch each other', async () => {
    const begun: string[] = [];
    const line = fromCallback(() => void begun.push('line'));
    const machine = setup({ actors: { line: onRestart('fail', onRestore('run', line)) } }).createMachine({
      invoke: { src: 'line', id: 'line' },
    });
    await using durable = await createDurableActor(machine, { store: quickStore(), history: true });
    const { value: first } = await durable.history().next();
    await durable.restore((first as { turn: number }).turn);
    await until(() => begun.length === 2);
  });

  test('is stopped before, and what it gives meanwhile changes nothing', async () => {
    const { machine, release, starts } = busy();
    await using durable = await open(machine);
    const { turn } = await durable.send({ type: 'add' });
    await durable.send({ type: 'work' });
    await until(() => starts.length === 1);
    release();
    await durable.restore(turn);
    await settle();
    expect(durable.getSnapshot().value).toBe('idle');
  });

  test('a durable action that waited is a dead letter, which can be tried again', async () => {
    const { machine, acts, holdActs } = busy();
    const go = holdActs();
    await using durable = await open(machine);
    const { turn } = await durable.send({ type: 'act' });
    go();
    await until(() => acts.length === 1);
    await settle();
    await durable.restore(turn);
    const [letter] = durable.store.deadLetters();
    expect(letter).toMatchObject({ name: 'act', error: expect.stringContaining('may have been done since') as string });
    expect(acts).toHaveLength(1);
    await durable.store.retry(letter?.id as number);
    await until(() => acts.length === 2);
    expect(acts[0]).not.toBe(acts[1]);
  });

  test('a durable action that waited runs again by itself where it says so', async () => {
    const { machine, acts, holdActs } = busy(undefined, 'run');
    const go = holdActs();
    await using durable = await open(machine);
    const { turn } = await durable.send({ type: 'act' });
    go();
    await until(() => acts.length === 1);
    await settle();
    await durable.restore(turn);
    await until(() => acts.length === 2);
    expect(durable.store.deadLetters()).toEqual([]);
  });

  test('a durable action that runs now is not told done for the row that came back', async () => {
    const { machine, acts, holdActs } = busy();
    const go = holdActs();
    await using durable = await open(machine);
    const { turn } = await durable.send({ type: 'act' });
    await settle();
    await durable.restore(turn);
    go();
    await until(() => acts.length === 1);
    await settle();
    expect(durable.store.deadLetters()).toHaveLength(1);
  });
});

describe('is refused, and nothing was changed:', () => {
  test.each([99, -1, 1.5, Number.NaN, '3' as never])('a turn that is not kept (%s)', async (turn) => {
    const { machine } = busy();
    await using durable = await open(machine);
    await durable.send({ type: 'add' });
    await expect(durable.restore(turn)).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
    await durable.send({ type: 'add' });
    expect(durable.getSnapshot().context.n).toBe(2);
  });

  test('a turn before the tree existed', async () => {
    const { machine } = busy();
    await using store = Store.open(quickStore(), { history: true });
    const first = await createDurableActor(machine, { store, id: 'first' });
    const { turn } = await first.send({ type: 'add' });
    const second = await createDurableActor(machine, { store, id: 'second' });
    await expect(second.restore(turn)).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
    await second.send({ type: 'add' });
  });

  test.each([
    ['a row of the past', `update actors_past set snapshot = snapshot || ' '`],
    ['a row that is missing', `delete from actors_past where key = 'work'`],
    ['a timer', `update timers_past set due = due + 1`],
    ['the digest', `update trees_past set digest = digest + 1`],
  ])('a checkpoint that is damaged (%s)', async (_, damage) => {
    const { machine, starts, aborted } = busy();
    const path = quickStore();
    await using durable = await open(machine, { store: path, clock: new SimulatedClock() });
    await durable.send({ type: 'work' });
    const { turn: working } = await durable.send({ type: 'add' });
    const { turn: waiting } = await durable.send({ type: 'wait' });
    await durable.send({ type: 'work' });
    const turn = damage.includes('timers') ? waiting : working;
    const db = new Database(path);
    expect(db.prepare(damage).run().changes).toBeGreaterThan(0);
    db.close();
    await expect(durable.restore(turn)).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED', facts: { turn } });
    // What runs goes on.
    expect([starts.length, aborted()]).toEqual([2, 1]);
    expect(durable.getSnapshot().value).toBe('working');
    await durable.send({ type: 'add' });
  });

  test('a machine that does not know the state of then', async () => {
    const { machine } = busy();
    const path = quickStore();
    const old = setup({}).createMachine({
      id: 'busy',
      context: { n: 0, late: 0 },
      initial: 'idle',
      on: { go: '.gone', back: '.idle' },
      states: { idle: {}, gone: {} },
    });
    const durable = await createDurableActor(old, { store: path, history: true });
    const { turn } = await durable.send({ type: 'go' } as never);
    await durable.send({ type: 'back' } as never);
    await durable.close();
    await using now = await open(machine, { store: path });
    await expect(now.restore(turn)).rejects.toMatchObject({ code: 'MACHINE_CHANGED' });
    await now.send({ type: 'add' });
    expect(now.getSnapshot().context.n).toBe(1);
  });

  test('a tree that was closed', async () => {
    const { machine } = busy();
    const durable = await open(machine);
    const { turn } = await durable.send({ type: 'add' });
    await durable.close();
    await expect(durable.restore(turn)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });
});

test.each([
  ['full', 1],
  ['full', 2],
  ['read-only', 1],
  ['read-only', 2],
] as const)(
  'a disk that fails (%s, in commit %i) leaves the tree whole: as it was, or gone back',
  async (fault, commit) => {
    const { machine } = busy();
    const store = Store.open(quickStore(), { history: true });
    const durable = await createDurableActor(machine, { store });
    const { turn } = await durable.send({ type: 'add' });
    await durable.send({ type: 'add' });
    const failure = failStore(store, fault, { commit });
    await expect(durable.restore(turn)).rejects.toMatchObject({ retryable: true });
    failure.clear();
    await until(() => store.isOpen);
    await durable.send({ type: 'add' });
    expect(durable.getSnapshot().context.n).toBe(commit === 1 ? 3 : 2);
    store.close();
  },
);

describe('the tables of subsystems', () => {
  const columns = ['page text primary key', 'words integer not null'];
  const TABLES: TableSpec[] = [
    { name: 'notes', key: 'page', columns },
    { name: 'learned', key: 'page', columns, rolledBack: false },
  ];
  const put = (store: Store, words: number) => {
    for (const { name } of TABLES) {
      const sql = `insert into ${name} values ('a', ?, ?) on conflict do update set words = excluded.words, from_turn = excluded.from_turn`;
      store.rows.run(sql, words, store.rows.turn);
    }
  };
  const words = (store: Store) =>
    TABLES.map(({ name }) => store.rows.get<{ words: number }>(`select words from ${name}`)?.words);

  test('go back with the tree, but for those that say that they stay', async () => {
    const { machine } = busy();
    const path = quickStore();
    let durable = await open(machine, { store: path });
    durable.store.declare(TABLES);
    put(durable.store, 1);
    const { turn } = await durable.send({ type: 'add' });
    put(durable.store, 2);
    await durable.send({ type: 'add' });
    await durable.restore(turn);
    expect(words(durable.store)).toEqual([1, 2]);
    await durable.close();
    // Whoever opens the store without declaring them knows it, too.
    durable = await open(machine, { store: path });
    put(durable.store, 3);
    await durable.send({ type: 'add' });
    await durable.restore(turn);
    expect(words(durable.store)).toEqual([1, 3]);
    await durable.close();
  });

  test('are asked for by name where the store has other trees, whose they may be', async () => {
    const { machine } = busy();
    await using store = Store.open(quickStore(), { history: true });
    store.declare(TABLES);
    const one = await createDurableActor(machine, { store, id: 'one' });
    const two = await createDurableActor(machine, { store, id: 'two' });
    put(store, 1);
    const { turn } = await one.send({ type: 'add' });
    put(store, 2);
    await two.send({ type: 'add' });
    await expect(one.restore(turn)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
    await expect(one.restore(turn, { tables: ['learned'] })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
    await one.restore(turn, { tables: [] });
    expect(words(store)).toEqual([2, 2]);
    await one.restore(turn, { tables: ['notes'] });
    expect(words(store)).toEqual([1, 2]);
    expect(two.getSnapshot().context.n).toBe(1);
  });
});

test('the rows of an encrypted store are sealed anew', async () => {
  const key = randomBytes(32);
  const sealing = encryption({ key: () => key, current: 'one' });
  const { machine } = busy();
  const store = quickStore();
  let durable = await open(machine, { store, sealing, clock: new SimulatedClock() });
  await durable.send({ type: 'wait' });
  const { turn } = await durable.send({ type: 'add' });
  await durable.send({ type: 'work' });
  await durable.restore(turn);
  crash(durable);
  durable = await open(machine, { store, sealing, clock: new SimulatedClock() });
  expect(durable.getSnapshot()).toMatchObject({ value: 'waiting', context: { n: 1 } });
  await durable.close();
});

test('a tree that the store opens by itself goes back, too, while others go on', async () => {
  const { machine } = busy();
  await using store = Store.open(quickStore(), { machines: { busy: machine }, history: true });
  const one = await store.open('busy', 'one');
  const two = await store.open('busy', 'two');
  const { turn } = await one.send({ type: 'add' });
  const [, restored] = await Promise.all([two.send({ type: 'add' }), one.restore(turn), one.send({ type: 'add' })]);
  await two.send({ type: 'add' });
  expect(restored.from).toBe(turn);
  expect(one.getSnapshot().context.n).toBe(1);
  expect(two.getSnapshot().context.n).toBe(2);
  await one.close();
  expect(await store.send('one', { type: 'add' })).toMatchObject({ applied: true });
});
