import { assign, setup } from 'xstate';
import { expect, test } from 'vitest';
import { postCommand, readAnswer } from '../../persistence/commands.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { openBeside } from '../../persistence/sqlite.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { tempStore } from '../support/temp.ts';

const counter = setup({ types: {} as { context: { n: number }; events: { type: 'add'; by: number } } }).createMachine({
  context: { n: 0 },
  on: { add: { actions: assign({ n: ({ context, event }) => context.n + event.by }) } },
});

const add = (id: string, by: number) => ({ id, actor: '', event: { type: 'add', by } });

async function answered(store: string, id: string): Promise<string> {
  for (;;) {
    const answer = readAnswer(store, id);
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a command that was left beside is applied once by the owner, and answered', async () => {
  const store = tempStore();
  await using durable = await createDurableActor(counter, { store });
  postCommand(store, add('c1', 2), 1);
  postCommand(store, add('c1', 2), 2);
  expect(await answered(store, 'c1')).toMatch(/^applied in turn \d+$/);
  expect(durable.getSnapshot().context.n).toBe(2);
});

test('a command is synced when it is left, as every commit of the owner is', async () => {
  const store = tempStore();
  await (await createDurableActor(counter, { store })).close();
  const db = openBeside(store, false);
  expect(db.pragma('synchronous', { simple: true }), 'FULL').toBe(2);
  db.close();
});

test('a command waits for the next owner, and those that waited are applied in their order', async () => {
  const store = tempStore();
  await (await createDurableActor(counter, { store })).close();
  postCommand(store, add('c1', 1), 1);
  postCommand(store, add('c2', 10), 2);
  await using durable = await createDurableActor(counter, { store });
  await answered(store, 'c2');
  expect(durable.getSnapshot().context.n).toBe(11);
});

test('a command to nobody is answered with the reason, and the owner goes on', async () => {
  const store = tempStore();
  await using durable = await createDurableActor(counter, { store });
  postCommand(store, { ...add('c1', 1), actor: 'nobody' }, 1);
  expect(await answered(store, 'c1')).toMatch(/^refused: .*nobody/);
  await durable.send({ type: 'add', by: 1 });
});

test('an answer is kept for a week', async () => {
  const store = tempStore();
  const clock = new SimulatedClock(1_000);
  const first = await createDurableActor(counter, { store, clock });
  postCommand(store, add('c1', 1), 1);
  await answered(store, 'c1');
  await first.close();
  await clock.advance(6 * 86_400_000);
  await (await createDurableActor(counter, { store, clock })).close();
  expect(readAnswer(store, 'c1')).toMatch(/applied/);
  await clock.advance(2 * 86_400_000);
  await (await createDurableActor(counter, { store, clock })).close();
  expect(readAnswer(store, 'c1')).toBeUndefined();
});
