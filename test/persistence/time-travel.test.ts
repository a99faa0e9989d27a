import { expect, test } from 'vitest';
import { assign, fromPromise, setup } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';
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
