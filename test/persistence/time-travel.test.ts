import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { assign, fromPromise, setup } from 'xstate';
import { compareTurns } from '../../persistence/compare-turns.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { forkStore } from '../../persistence/fork.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { tempStore } from '../support/temp.ts';

const counter = setup({
  types: {} as { context: { n: number }; events: { type: 'add' } | { type: 'work' } },
  actors: { slow: fromPromise<number>(() => new Promise(() => {})) },
}).createMachine({
  id: 'counter',
  context: { n: 0 },
  initial: 'idle',
  on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) }, work: '.working' },
  states: { idle: {}, working: { invoke: { src: 'slow', id: 'slow' } } },
});

test('a tree goes back to a kept turn, and back again', async () => {
  const clock = new SimulatedClock(1_000);
  await using durable = await createDurableActor(counter, { store: tempStore(), clock, history: true });
  await durable.send({ type: 'add' });
  const { turn } = await durable.send({ type: 'work' });
  await durable.send({ type: 'add' });
  const went = await durable.restore(turn);
  expect(went).toMatchObject({ from: turn, turn: turn + 2, before: turn + 1, actors: 2, asked: 1, effects: 0 });
  expect(durable.getSnapshot().context.n).toBe(1);
  expect(durable.interrupted).toEqual(['slow']);
  await durable.send({ type: 'add' });
  await durable.restore(went.before);
  expect(durable.getSnapshot().context.n).toBe(2);
});

test('a fork goes on from a kept turn, and the original does not change', async () => {
  const clock = new SimulatedClock(1_000);
  const store = tempStore();
  const target = `${store}-fork`;
  await using durable = await createDurableActor(counter, { store, clock, history: true });
  await durable.send({ type: 'add' });
  const { turn } = await durable.send({ type: 'work' });
  await durable.send({ type: 'add' });
  await forkStore(store, turn, target);
  await using fork = await createDurableActor(counter, { store: target, clock, history: true });
  expect(fork.getSnapshot().context.n).toBe(1);
  expect(fork.interrupted).toEqual(['slow']);
  await expect(forkStore(store, turn, target)).rejects.toMatchObject({ code: 'FORK_EXISTS' });
  await expect(forkStore(store, 99, `${target}2`)).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
  expect(existsSync(`${target}2`)).toBe(false);
  const all = [];
  for await (const one of compareTurns(durable.store.commits, 'main', turn - 1, turn + 1)) all.push(one);
  expect(all).toEqual([
    {
      kind: 'actor',
      change: 'changed',
      actor: 'main',
      more: 0,
      paths: [
        { path: '/value', before: 'idle', after: 'working' },
        { path: '/context/n', before: 1, after: 2 },
      ],
    },
    { kind: 'actor', change: 'added', actor: 'slow', paths: [], more: 0 },
  ]);
});
