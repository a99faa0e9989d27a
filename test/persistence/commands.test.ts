import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { assign, setup } from 'xstate';
import { expect, test } from 'vitest';
import { PerdureError } from '../../errors.ts';
import {
  listCommands,
  postCommand,
  readAnswer,
  refusal,
  refusalIn,
  type CommandRow,
} from '../../persistence/commands.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { forkStore } from '../../persistence/fork.ts';
import { encryption } from '../../persistence/sealing.ts';
import { openBeside } from '../../persistence/sqlite.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { readStore } from '../../persistence/store-reader.ts';
import { tempFolder, tempStore } from '../support/temp.ts';

const counter = setup({ types: {} as { context: { n: number }; events: { type: 'add'; by: number } } }).createMachine({
  context: { n: 0 },
  on: { add: { actions: assign({ n: ({ context, event }) => context.n + event.by }) } },
});

const add = (id: string, by: number) => ({ id, actor: '', event: { type: 'add', by } });

/** The files of a store, and what is beside them, in which a text is found. */
function holding(store: string, text: string): string[] {
  const folder = dirname(store);
  return readdirSync(folder).filter((file) => readFileSync(join(folder, file)).includes(text));
}

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

test('a command of which the tree would end in an error is refused, at a start too, and the tree goes on', async () => {
  const store = tempStore();
  const fragile = setup({
    types: {} as { context: { n: number }; events: { type: 'add'; by: { n: number } } },
  }).createMachine({
    context: { n: 0 },
    on: { add: { actions: assign({ n: ({ context, event }) => context.n + event.by.n }) } },
  });
  const open = () => createDurableActor(fragile, { store });
  await (await open()).close();
  const good = { actor: '', event: { type: 'add' as const, by: { n: 1 } } };
  postCommand(store, { ...good, id: 'c1' }, 1);
  postCommand(store, { id: 'bad1', actor: '', event: { type: 'add' } }, 2);
  postCommand(store, { ...good, id: 'c2' }, 3);
  const first = await open();
  expect(await answered(store, 'bad1')).toMatch(/^refused: The turn of "add" threw: .* \[TURN_REFUSED\]$/);
  expect([await answered(store, 'c1'), await answered(store, 'c2')]).toEqual([
    expect.stringMatching(/^applied/),
    expect.stringMatching(/^applied/),
  ]);
  postCommand(store, { id: 'bad2', actor: '', event: { type: 'add' } }, 4);
  expect(await answered(store, 'bad2')).toMatch(/\[TURN_REFUSED\]$/);
  expect((await first.send(good.event)).applied).toBe(true);
  await first.close();
  await using second = await open();
  expect(second.getSnapshot()).toMatchObject({ status: 'active', context: { n: 3 } });
});

test('what was asked, by whom, and what came of it is kept for 90 days', async () => {
  const store = tempStore();
  const clock = new SimulatedClock(1_000);
  const first = await createDurableActor(counter, { store, clock });
  postCommand(store, { ...add('c1', 1), by: 'cli:alice' }, 1);
  await answered(store, 'c1');
  expect(first.store.commands.read('c1')).toMatchObject({ asked_by: 'cli:alice', answer: 'applied in turn 2' });
  await first.close();
  await clock.advance(89 * 86_400_000);
  await (await createDurableActor(counter, { store, clock })).close();
  expect(readAnswer(store, 'c1')).toMatch(/applied/);
  await clock.advance(2 * 86_400_000);
  await (await createDurableActor(counter, { store, clock })).close();
  expect(readAnswer(store, 'c1')).toBeUndefined();
});

test('a command that its owner leaves is durable, applied at once and once, and answered', async () => {
  const store = tempStore();
  await using durable = await createDurableActor(counter, { store });
  const { commands } = durable.store;
  for (let n = 0; n < 2; n++) {
    await commands.post({ ...add('c1', 2), by: 'page' });
    await commands.answered('c1', 5_000);
  }
  expect(commands.read('c1')).toMatchObject({
    asked_by: 'page',
    answer: expect.stringMatching(/^applied in turn \d+$/),
  });
  expect(durable.getSnapshot().context.n).toBe(2);
  await commands.post({ ...add('c2', 1), by: 'page', answer: 'refused: no' });
  expect(durable.getSnapshot().context.n).toBe(2);
  expect(listCommands(durable.store.rows, 10).map(({ id }) => id)).toEqual(['c2', 'c1']);
  expect(listCommands(durable.store.rows, 10, 'c2').map(({ id }) => id)).toEqual(['c1']);
});

test('once it is answered, a command holds no secret, and in an encrypted store nothing that can be read', async () => {
  const store = tempStore();
  const key = Buffer.alloc(32, 7);
  const sealing = encryption({ key: () => key, current: 'k' });
  const open = () => createDurableActor(counter, { store, sealing });
  const durable = await open();
  const event = { type: 'add', by: 1, password: 'hunter2', note: 'plain' };
  await durable.store.commands.post({ id: 'c1', actor: '', event });
  await durable.store.commands.answered('c1', 5_000);
  postCommand(store, { id: 'c2', actor: '', event }, 1);
  await answered(store, 'c2');
  expect(durable.getSnapshot().context.n).toBe(2);
  for (const id of ['c1', 'c2']) {
    const row = durable.store.commands.read(id) as CommandRow;
    expect(row.event).toMatch(/^perdure:/);
    expect(durable.store.commands.shown(row)).toEqual({ type: 'add', by: 1, password: '[redacted]', note: 'plain' });
  }
  const answerOf = (id: string) => durable.store.rows.get('select answer from commands where id = ?', id);
  await durable.store.commands.say('c1', 'add 1 for bob: applied in turn 2');
  await durable.store.commands.say('c2', 'refused: bob may not [ACTION_NOT_FOUND]');
  expect(answerOf('c1')).toEqual({ answer: expect.stringMatching(/^perdure:\S+ applied in turn 2$/) });
  expect(answerOf('c2')).toEqual({ answer: expect.stringMatching(/^refused: perdure:\S+ \[ACTION_NOT_FOUND\]$/) });
  const answers = ({ answer }: CommandRow) => answer;
  expect(listCommands(durable.store.rows, 2).map(answers)).toEqual([
    'add 1 for bob: applied in turn 2',
    'refused: bob may not [ACTION_NOT_FOUND]',
  ]);
  durable.store.flush();
  expect(readStore(store, (rows) => listCommands(rows, 2)).map(answers)).toEqual([
    '[encrypted] applied in turn 2',
    'refused: [encrypted] [ACTION_NOT_FOUND]',
  ]);
  await durable.close();
});

test.each(['nobody', 'somebody'])(
  'of what was left beside an encrypted store its files hold nothing once it is answered and closed, while %s reads it',
  async (who) => {
    const store = tempStore();
    const sealing = encryption({ key: () => Buffer.alloc(32, 7), current: 'k' });
    const open = () => createDurableActor(counter, { store, sealing });
    const left = (id: string, size: number) =>
      postCommand(store, { id, actor: '', event: { type: 'add', by: 1, x: 'CANARY'.repeat(size) } }, 1);
    await (await open()).close();
    // In cells, in pages of their own, and in overflow pages.
    const ids = [1, 5_000, 20, 600, 3, 12_000, 200].flatMap((size, n) =>
      [0, 1, 2].map((m) => [`c${m}${n}`, size] as const),
    );
    for (const [id, size] of ids) left(id, size);
    expect(holding(store, 'CANARY')).toEqual(['work.db']);
    const reader = who === 'somebody' ? openBeside(store, true) : undefined;
    const durable = await open();
    left('while it runs', 2_000);
    for (const [id] of ids) await answered(store, id);
    await answered(store, 'while it runs');
    await durable.close();
    expect(holding(store, 'CANARY')).toEqual([]);
    reader?.close();
  },
);

test('a fork holds nothing of what waits in the original', async () => {
  const store = tempStore();
  const durable = await createDurableActor(counter, { store, history: true });
  durable.store.rows.nameTurn({ at: 0, reason: 'test', label: 'here' });
  const { turn } = await durable.send({ type: 'add', by: 1 });
  await durable.close();
  postCommand(store, { id: 'c1', actor: '', event: { type: 'add', by: 1, x: 'CANARY' } }, 1);
  const target = tempStore();
  await forkStore(store, turn, target);
  expect(holding(target, 'CANARY')).toEqual([]);
});

test('an event whose type is the JSON of an event is kept without the secrets in it', async () => {
  const store = tempStore();
  const durable = await createDurableActor(counter, { store });
  const type = JSON.stringify({ type: 'add', password: 'hunter2' });
  postCommand(store, { id: 'c1', actor: '', event: { type } }, 1);
  await answered(store, 'c1');
  const { event } = durable.store.commands.read('c1') as CommandRow;
  expect(JSON.parse(event)).toEqual({ type: '{"type":"add","password":"[redacted]"}' });
  await durable.close();
});

test('a refusal is written down with its code, and read back', () => {
  const written = refusal(new PerdureError('ACTION_NOT_FOUND', 'There is no action "x [y]".'));
  expect(refusalIn(written)).toEqual({ message: 'There is no action "x [y]".', code: 'ACTION_NOT_FOUND' });
  expect(refusalIn('refused: it was withdrawn')).toEqual({ message: 'it was withdrawn' });
  expect(refusalIn('applied in turn 3')).toBeUndefined();
});

test('a store of an older schema is not written from beside', () => {
  const store = join(tempFolder(), 'old.db');
  copyFileSync(join(import.meta.dirname, '../golden/schema-3.db'), store);
  expect(() => postCommand(store, add('c1', 1), 1)).toThrow('open it once with this version');
});
