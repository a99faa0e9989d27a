/** From one version of a machine to the next: what is stored is taken along, step by step, or refused whole. */
import Database from 'better-sqlite3';
import { afterEach, describe, expect, test } from 'vitest';
import { assign, createMachine, fromPromise, setup, type AnyActorRef, type AnyStateMachine } from 'xstate';
import { PerdureError } from '../../errors.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import type { DurableActor } from '../../persistence/durable.ts';
import { examine } from '../../persistence/health.ts';
import { renamed, type Migrations, type StoredState } from '../../persistence/migrations.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { tempStore } from '../support/temp.ts';

type Tree = DurableActor<AnyStateMachine>;
const opened: Tree[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(machine: AnyStateMachine, store: string, migrate?: Migrations): Promise<Tree> {
  const history = true;
  const durable = await createDurableActor(machine, { store, history, ...(migrate === undefined ? {} : { migrate }) });
  opened.push(durable);
  return durable;
}

/** Reads beside the owner, or after it. */
function rows<T>(store: string, sql: string): T[] {
  const db = new Database(store, { readonly: true });
  const found = db.prepare(sql).all() as T[];
  db.close();
  return found;
}

const ALL_ROWS = `select id, machine, snapshot, checksum, from_turn from actors order by id`;

const context = (state: StoredState) => state.context as Record<string, unknown>;

const leaf = (id: string, version: string | undefined) =>
  setup({}).createMachine({
    id,
    ...(version === undefined ? {} : { version }),
    context: ({ input }) => ({ boss: (input as { boss: AnyActorRef }).boss, since: new Date(7), seen: new Set(['a']) }),
    initial: 'open',
    states: { open: { on: { shut: 'shut' } }, shut: {}, closed: {} },
  });

test('a state that only the history of a machine remembers must still be there', async () => {
  const machine = (last: string): AnyStateMachine =>
    createMachine({
      id: 'm',
      initial: 'on',
      states: {
        on: {
          initial: 'first',
          states: { first: { on: { next: last } }, [last]: {}, back: { type: 'history' } },
          on: { off: 'off' },
        },
        off: { on: { on: 'on.back' } },
      },
    });
  const store = tempStore();
  const durable = await open(machine('second'), store);
  await durable.send({ type: 'next' });
  await durable.send({ type: 'off' });
  await durable.close();
  await expect(open(machine('renamed'), store)).rejects.toMatchObject({ code: 'MACHINE_CHANGED' });
  const again = await open(machine('second'), store);
  await again.send({ type: 'on' });
  expect(again.getSnapshot().value).toEqual({ on: 'second' });
});

/** A tree of three levels: `root` has `mid`, which has `leaf`. The leaf's machine is given. */
function threeLevels(low: AnyStateMachine, version?: string): AnyStateMachine {
  const mid = setup({ actors: { leaf: low } }).createMachine({
    id: 'mid',
    version: '1',
    context: ({ spawn, self }) => ({ leaf: spawn('leaf', { id: 'leaf', input: { boss: self } }) }),
  });
  return setup({ actors: { mid } }).createMachine({
    id: 'root',
    ...(version === undefined ? {} : { version }),
    context: ({ spawn }) => ({ mid: spawn('mid', { id: 'mid' }), n: 1n }),
    on: { touch: { actions: assign({ n: ({ context: { n } }) => n + 1n }) } },
  });
}

const states = (durable: Tree): Record<string, unknown> => {
  const mid = durable.getSnapshot().children['mid'] as AnyActorRef;
  const low = mid.getSnapshot().children['leaf'] as AnyActorRef;
  return { root: durable.getSnapshot(), mid, leaf: low, state: low.getSnapshot() };
};

describe('a tree deep in which one machine is older', () => {
  const migrate: Migrations = {
    leaf: [
      { from: undefined, to: '2', migrate: (state) => ({ ...state, context: { ...context(state), steps: ['2'] } }) },
      {
        from: '2',
        to: '3',
        id: 'blade',
        migrate: (state) => ({
          ...state,
          value: state.value === 'shut' ? 'closed' : state.value,
          context: { ...context(state), steps: [...(context(state)['steps'] as string[]), '3'] },
        }),
      },
      { from: '1', to: '9', migrate: () => ({ status: 'active' }) },
    ],
    blade: [
      { from: '3', to: '4', migrate: (state, { actor }) => ({ ...state, context: { ...context(state), actor } }) },
    ],
  };

  test('H36: is taken to the present one step by step, under its new name, with references and values, and the past stays', async () => {
    const store = tempStore();
    const old = await open(threeLevels(leaf('leaf', undefined)), store);
    await old.send({ type: 'shut' }, { to: 'mid/leaf' });
    crash(old);
    const before = rows<{ id: number; machine: string; snapshot: string }>(store, ALL_ROWS);
    const now = await open(threeLevels(leaf('blade', '4')), store, migrate);
    const { mid, state } = states(now) as { mid: AnyActorRef; state: { value: unknown; context: unknown } };
    expect(state.value).toBe('closed');
    expect(state.context).toEqual({
      boss: mid,
      since: new Date(7),
      seen: new Set(['a']),
      steps: ['2', '3'],
      actor: 'mid/leaf',
    });
    const after = rows<{ id: number; machine: string; snapshot: string }>(store, ALL_ROWS);
    expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
    expect(after[2]?.machine).toBe('blade@4');
    // Every version of the past is as it was, the last of them with the old machine.
    const past = rows<{ machine: string; snapshot: string }>(
      store,
      `select * from actors_past where id = ${after[2]?.id}`,
    );
    expect(past.map(({ machine }) => machine)).toEqual(['leaf', 'leaf']);
    expect(past[1]?.snapshot).toBe(before[2]?.snapshot);
    crash(now);
    // Written once: the next opening asks for no migration and writes no row.
    const again = await open(threeLevels(leaf('blade', '4')), store);
    expect(rows(store, ALL_ROWS)).toEqual(after);
    await again.send({ type: 'touch' });
    expect(again.getSnapshot().context.n).toBe(2n);
  });

  test('a crash before the first commit of the new version changes nothing, and the next opening migrates again', async () => {
    const store = tempStore();
    crash(await open(threeLevels(leaf('leaf', undefined)), store));
    const before = rows(store, ALL_ROWS);
    const owner = Store.open(store);
    // Migrated in memory, and started; the commit comes with the next pass of the event loop.
    const opening = createDurableActor(threeLevels(leaf('blade', '4')), { store: owner, migrate });
    owner.drop(new PerdureError('STORE_CLOSED', 'killed'));
    await expect(opening).rejects.toThrow();
    expect(rows(store, ALL_ROWS)).toEqual(before);
    const now = await open(threeLevels(leaf('blade', '4')), store, migrate);
    expect(states(now)).toMatchObject({ state: { value: 'open' } });
  });
});

describe('a machine that is renamed', () => {
  const machine = (id: string, version: string) =>
    setup({ actors: { wait: fromPromise(() => new Promise<void>(() => {})), leaf: leaf('leaf', '1') } }).createMachine({
      id,
      version,
      initial: 'first',
      after: { 5_000: '.late' },
      on: { move: '.second', back: '.first.past', stop: '.late' },
      states: {
        first: {
          initial: 'one',
          states: {
            one: { on: { on: 'two' } },
            two: { after: { 1_000: 'three' } },
            three: {},
            past: { type: 'history' },
          },
        },
        second: { invoke: { src: 'wait' }, after: { 2_000: 'third' } },
        third: {},
        late: {},
      },
    });
  const migrate: Migrations = { 'old.name': [{ from: '1', to: '2', id: 'new', migrate: (state) => state }] };

  test('keeps its timers, its history states, and what it invokes without an id; also after another crash', async () => {
    const store = tempStore();
    const clock = new SimulatedClock();
    const start = async (logic: AnyStateMachine) => {
      const durable = await createDurableActor(logic, { store, clock, migrate });
      opened.push(durable);
      return durable;
    };
    const old = await start(machine('old.name', '1'));
    await old.send({ type: 'on' });
    await old.send({ type: 'move' });
    crash(old);
    crash(await start(machine('new', '2')));
    const durable = await start(machine('new', '2'));
    expect(Object.keys(durable.getSnapshot().children)).toEqual(['0.new.second']);
    expect(rows(store, 'select key from timers order by due')).toEqual([
      { key: 'xstate.after.2000.new.second' },
      { key: 'xstate.after.5000.new' },
    ]);
    await durable.send({ type: 'back' });
    expect(durable.getSnapshot()).toMatchObject({ value: { first: 'two' }, children: {} });
    expect(rows(store, 'select key from actors')).toEqual([{ key: 'main' }]);
    await durable.send({ type: 'move' });
    await clock.advance(2_000);
    expect(durable.getSnapshot().value).toBe('third');
    await clock.advance(3_000);
    expect(durable.getSnapshot().value).toBe('late');
    expect(rows(store, 'select key from timers')).toEqual([]);
    expect(examine(store).findings).toEqual([]);
  });

  test('names that XState did not make of its id stay', () => {
    const renames = [['a.b', 'c']] as const;
    const made = ['a.b.x', 'a.b', 'xstate.after.5.a.b.x', 'xstate.after.a.b', '0.a.b.x', 'xstate.invoke.1.a.b'];
    expect(made.map((name) => renamed(name, renames))).toEqual([
      'c.x',
      'c',
      'xstate.after.5.c.x',
      'xstate.after.a.b',
      '0.c.x',
      'xstate.invoke.1.c',
    ]);
    for (const other of ['a.bc', 'aXb.x', 'x.a.b', 'xstate.done.actor.a.b', 'reminder']) {
      expect(renamed(other, renames)).toBe(other);
    }
  });
});

describe('refuses, with nothing changed, naming actor, state and machine,', () => {
  const keep = (state: StoredState) => state;
  test.each<[string, string, Migrations | undefined, RegExp]>([
    [
      'a machine without any step',
      'MACHINE_CHANGED',
      undefined,
      /"mid\/leaf" in the state "shut" of leaf@1.*no step leads on from leaf@1/,
    ],
    [
      'a way with a gap',
      'MACHINE_CHANGED',
      { leaf: [{ from: '1', to: '2', migrate: keep }] },
      /"mid\/leaf" in the state "shut" of leaf@1; the machine is now leaf@4, and no step leads on from leaf@2/,
    ],
    [
      'a way in a circle',
      'MACHINE_CHANGED',
      {
        leaf: [
          { from: '1', to: '2', migrate: keep },
          { from: '2', to: '1', migrate: keep },
        ],
      },
      /no step leads on from leaf@1/,
    ],
    [
      'a step that throws',
      'MIGRATION_FAILED',
      {
        leaf: [
          {
            from: '1',
            to: '4',
            migrate: () => {
              throw new Error('no such field');
            },
          },
        ],
      },
      /"mid\/leaf", in the state "shut" of leaf@1, from 1 to 4 threw \(no such field\)/,
    ],
    [
      'a step that gives nothing',
      'MIGRATION_FAILED',
      { leaf: [{ from: '1', to: '4', migrate: () => undefined as never }] },
      /gave no whole state/,
    ],
    [
      'a step that gives a promise',
      'MIGRATION_FAILED',
      { leaf: [{ from: '1', to: '4', migrate: (async (state: StoredState) => state) as never }] },
      /gave no whole state/,
    ],
    [
      'a status that XState does not have',
      'MIGRATION_FAILED',
      { leaf: [{ from: '1', to: '4', migrate: (state) => ({ ...state, status: 'fine' as never }) }] },
      /gave no whole state/,
    ],
    [
      'a state that the machine does not have',
      'MACHINE_CHANGED',
      { leaf: [{ from: '1', to: '4', migrate: (state) => ({ ...state, value: 'lost' }) }] },
      /"mid\/leaf" cannot be restored in the state "lost" of leaf@4.*mend the steps/,
    ],
    [
      'a state without a value',
      'MACHINE_CHANGED',
      { leaf: [{ from: '1', to: '4', migrate: ({ value: _, ...state }) => state }] },
      /"mid\/leaf" cannot be restored/,
    ],
    [
      'a value that cannot be stored',
      'CODEC_REFUSED',
      { leaf: [{ from: '1', to: '4', migrate: (state) => ({ ...state, context: { run: () => 1 } }) }] },
      /"context.run" of the migrated actor "mid\/leaf"/,
    ],
  ])('%s', async (_, code, migrate, message) => {
    const store = tempStore();
    const old = await open(threeLevels(leaf('leaf', '1')), store);
    await old.send({ type: 'shut' }, { to: 'mid/leaf' });
    crash(old);
    const before = rows(store, ALL_ROWS);
    await expect(open(threeLevels(leaf('leaf', '4')), store, migrate)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
    expect(rows(store, ALL_ROWS)).toEqual(before);
    const still = await open(threeLevels(leaf('leaf', '1')), store);
    expect(states(still)).toMatchObject({ state: { value: 'shut' } });
  });
});
