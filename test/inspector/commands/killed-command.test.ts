/** kill -9 after each commit of a command, of a real process: whenever it comes, the command is applied exactly once. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { assign, setup } from 'xstate';
import { deskOf } from '../../../inspector/commands/commands.ts';
import { createDurableActor } from '../../../persistence/create.ts';
import { bundle } from '../../support/bundle.ts';
import { tempStore } from '../../support/temp.ts';
import { until } from '../../support/turns.ts';

const counter = setup({ types: {} as { context: { n: number }; events: { type: 'add'; by: number } } }).createMachine({
  id: 'counter',
  context: { n: 0 },
  on: { add: { actions: assign({ n: ({ context, event }) => context.n + event.by }) } },
});

/** Leaves a command, and is killed when the commit of the number is on disk, before anybody hears of it. */
const PROGRAM = `
import { assign, setup } from 'xstate';
import { createDurableActor } from './index.js';

const [store, last] = process.argv.slice(2);
let commits = 0;
const onCommit = () => { if ((commits += 1) === Number(last)) process.kill(process.pid, 'SIGKILL'); };
const counter = setup({}).createMachine({
  id: 'counter',
  context: { n: 0 },
  on: { add: { actions: assign({ n: ({ context, event }) => context.n + event.by }) } },
});
const durable = await createDurableActor(counter, { store, onCommit });
const command = { id: 'c1', actor: '', event: { type: 'add', by: 1 }, by: 'page', command: 'send' };
await durable.store.commands.post(command);
await durable.store.commands.answered('c1', 10_000);
process.exit(0);
`;

let program: string;
beforeAll(() => {
  const folder = bundle();
  program = join(folder, 'killed.mjs');
  writeFileSync(program, PROGRAM);
}, 60_000);

test.each([
  [2, 'once it is left'],
  [3, 'once it is applied, before it is answered'],
  [4, 'once it is answered'],
])('killed after commit %i, %s, the next owner finds it applied once', async (commit) => {
  const store = tempStore();
  expect(spawnSync(process.execPath, [program, store, String(commit)], { encoding: 'utf8' })).toMatchObject({
    signal: 'SIGKILL',
    stderr: '',
  });
  const durable = await createDurableActor(counter, { store });
  onTestFinished(() => durable.close());
  const before = durable.getSnapshot().context.n;
  expect(before).toBe(commit === 2 ? 0 : 1);
  const desk = deskOf(durable);
  await until(() => desk.audit(1)[0]?.answeredAt !== null);
  expect(durable.getSnapshot().context.n).toBe(1);
  expect(desk.audit(10)).toMatchObject([
    { id: 'c1', by: 'page', answer: expect.stringMatching(/^applied in turn \d+$/) },
  ]);
});
