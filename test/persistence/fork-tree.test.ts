/** Another tree of the same store that goes on from a kept turn of a tree. */
import { randomBytes } from 'node:crypto';
import { assign, fromPromise, setup } from 'xstate';
import { expect, test } from 'vitest';
import { durableAction } from '../../persistence/durable-action.ts';
import { effectOf } from '../../persistence/effects.ts';
import { forkTree } from '../../persistence/fork-tree.ts';
import { encryption } from '../../persistence/sealing.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

function forkable() {
  const keys: string[] = [];
  const machine = setup({
    types: {} as { context: { n: number }; events: { type: 'add' } | { type: 'act' } | { type: 'wait' } },
    actions: {
      act: durableAction({
        name: 'act',
        retry: { attempts: 1 },
        run: () => {
          throw new Error('no');
        },
      }),
    },
    actors: {
      work: fromPromise(({ self }) => {
        keys.push(effectOf(self)?.key as string);
        return new Promise(() => {});
      }),
    },
  }).createMachine({
    id: 'forkable',
    context: { n: 0 },
    invoke: { src: 'work', id: 'work' },
    initial: 'idle',
    states: { idle: {}, waiting: { after: { 1_000: 'idle' } } },
    on: {
      add: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      act: { actions: { type: 'act', params: undefined as never } },
      wait: '.waiting',
    },
  });
  return { machine, keys };
}

test('goes on by itself, with its timers, dead letters and keys of its own, also where rows are encrypted', async () => {
  const key = randomBytes(32);
  const sealing = encryption({ key: () => key, current: 'one' });
  const clock = new SimulatedClock(1_000);
  const { machine, keys } = forkable();
  await using store = Store.open(quickStore(), { machines: { forkable: machine }, history: true, sealing, clock });
  const one = await store.open('forkable', 'one');
  await one.send({ type: 'act' });
  await until(() => store.deadLetters().length === 1);
  await one.send({ type: 'wait' });
  const { turn } = await one.send({ type: 'add' });
  await one.send({ type: 'add' });
  await forkTree(store, 'one', turn, 'two');
  expect([...store.trees()].map(({ id, machine: name }) => [id, name])).toEqual([
    ['one', 'forkable'],
    ['two', 'forkable'],
  ]);
  const two = await store.open('forkable', 'two');
  expect(two.getSnapshot()).toMatchObject({ value: 'waiting', context: { n: 1 } });
  expect(two.interrupted).toEqual(['work']);
  expect(store.deadLetters().map(({ tree, error }) => [tree, error])).toEqual([
    ['one', 'no'],
    ['two', 'no'],
  ]);
  await two.decide('work', 'rerun');
  await until(() => keys.length === 2);
  expect(new Set(keys).size).toBe(2);
  await clock.advance(1_000);
  await settle();
  expect([one, two].map((tree) => tree.getSnapshot().value)).toEqual(['idle', 'idle']);
  expect(one.getSnapshot().context.n).toBe(2);
});

test('is refused where there is such a tree, no such turn, or a table that both would share', async () => {
  const { machine } = forkable();
  await using store = Store.open(quickStore(), { machines: { forkable: machine }, history: true });
  const one = await store.open('forkable', 'one');
  const { turn } = await one.send({ type: 'add' });
  await expect(forkTree(store, 'one', turn, 'one')).rejects.toMatchObject({ code: 'FORK_EXISTS' });
  await expect(forkTree(store, 'none', turn, 'two')).rejects.toMatchObject({ code: 'TREE_NOT_FOUND' });
  await expect(forkTree(store, 'one', 999, 'two')).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
  await expect(forkTree(store, 'one', turn, '')).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  store.declare([{ name: 'notes', key: 'page', columns: ['page text primary key'] }]);
  await expect(forkTree(store, 'one', turn, 'two')).rejects.toThrow(/forkStore/);
  expect([...store.trees()].map(({ id }) => id)).toEqual(['one']);
});
