/** What looks after stores from the command line: `trees`, `history`, `backup` and `doctor`, as processes of their own. */
import Database from 'better-sqlite3';
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { assign, setup } from 'xstate';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

let cli: Cli;
let folder: string;
beforeAll(() => {
  cli = Cli.compile();
}, 60_000);
beforeEach(() => {
  // Inside the repository, so that a module of machines finds XState.
  const work = fileURLToPath(new URL('../../work/', import.meta.url));
  mkdirSync(work, { recursive: true });
  folder = tempFolder(work);
});

const perdure = (...args: string[]): Promise<CliResult> => cli.run(args, { cwd: folder });
const store = () => join(folder, 'work.db');

const counter = setup({ types: {} as { events: { type: 'count'; password?: string } } }).createMachine({
  id: 'counter',
  version: '1',
  context: { n: 0 },
  on: { count: { actions: assign({ n: ({ context }) => (context as { n: number }).n + 1 }) } },
});

async function counted(id = 'one', times = 3) {
  const durable = await createDurableActor(counter, { store: store(), id, history: true });
  for (let n = 1; n <= times; n++) await durable.send({ type: 'count', password: 'hush' }, { id: `count:${n}` });
  return durable;
}

test('trees and history are told while the owner works, for people and as JSON, without secrets', async () => {
  const durable = await counted();
  const trees = await perdure('trees', '--json');
  expect(JSON.parse(trees.stdout)).toMatchObject([{ id: 'one', machine: null, actors: 1, nextTimer: null }]);
  expect((await perdure('trees', 'work.db')).stdout).toMatch(
    /^tree\s+machine\s+actors\s+created\s+next timer\none\s+-\s+1 /,
  );
  const history = await perdure('history', '--json', '--from', '2');
  const turns = history.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { causes: { id: string }[] });
  expect(turns.map(({ causes }) => causes[0]?.id)).toEqual(['count:1', 'count:2', 'count:3']);
  expect(history.stdout).not.toContain('hush');
  const text = await perdure('history', 'work.db', '--tree', 'one');
  expect(text.stdout).toMatch(/^1 {2}\S+ {2}start one {2}changed one\n2 {2}\S+ {2}send count to one {2}changed one\n/);
  expect((await perdure('history', '--tree', 'none')).stdout).toBe('');
  await durable.close();
});

test('backup copies a store whose owner works, and refuses what is there', async () => {
  const durable = await counted();
  expect(await perdure('backup', 'work.db', 'copy.db')).toMatchObject({ code: 0, stderr: '' });
  expect(await perdure('doctor', 'copy.db')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/owner +nobody\n +copy .*\n[^]*the store is sound\n$/) as string,
  });
  expect(await perdure('backup', 'work.db', 'copy.db')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[BACKUP_FAILED]') as string,
  });
  expect(await perdure('backup', 'nothing.db', 'other.db')).toMatchObject({ code: 3 });
  expect(readdirSync(folder).filter((name) => /other|partial|nothing/.test(name))).toEqual([]);
  await durable.close();
});

test('doctor says 0 for a sound store, who owns it, 1 and what to do for a damaged one, 3 for one that is missing', async () => {
  const durable = await counted();
  const owned = await perdure('doctor', '--json');
  expect(owned.code).toBe(0);
  expect(JSON.parse(owned.stdout)).toMatchObject({ owner: { pid: process.pid }, counts: { trees: 1 }, findings: [] });
  expect(await perdure('doctor', '--repair')).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('STORE_OWNED') as string,
  });
  await durable.send({ type: 'count' });
  crash(durable);
  const db = new Database(store());
  db.exec('update trees set digest = digest + 1');
  db.close();
  const damaged = await perdure('doctor', 'work.db');
  expect(damaged).toMatchObject({ code: 1, stdout: expect.stringMatching(/✖ ROWS_MISSING: [^]*--repair/) as string });
  expect(await perdure('doctor', 'work.db', '--repair')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/trees counted again 1\nthe store is sound\n$/) as string,
  });
  expect((await perdure('doctor', 'missing.db', '--repair')).code).toBe(3);
  expect(existsSync(join(folder, 'missing.db'))).toBe(false);
});

test('doctor --accept-older lets a copy that went back in time begin anew', async () => {
  await (await counted()).close();
  copyFileSync(store(), join(folder, 'older'));
  await (await counted()).close();
  copyFileSync(join(folder, 'older'), store());
  await expect(counted()).rejects.toMatchObject({ code: 'STORE_OLDER' });
  expect((await perdure('doctor', 'work.db', '--accept-older')).code).toBe(0);
  await (await counted()).close();
});

test('doctor --migrate tries the machines of a module on a copy: 0 when all trees open, 1 and why when one does not', async () => {
  await (await counted('one')).close();
  const module = (steps: string) => `
    import { setup } from 'xstate';
    export const machines = setup({}).createMachine({ id: 'counter', version: '2', context: { n: 0 } });
    export const migrate = { counter: [${steps}] };`;
  writeFileSync(join(folder, 'good.mjs'), module(`{ from: '1', to: '2', migrate: (state) => state }`));
  writeFileSync(join(folder, 'bad.mjs'), module(''));
  writeFileSync(join(folder, 'none.mjs'), 'export const nothing = 1;');
  const good = await perdure('doctor', 'work.db', '--migrate', 'good.mjs');
  expect(good).toMatchObject({ code: 0, stderr: '' });
  expect(good.stdout).toContain('→ one migrated from counter@1 to counter@2\n');
  const bad = await perdure('doctor', 'work.db', '--migrate', 'bad.mjs', '--json');
  expect(bad.code).toBe(1);
  expect(JSON.parse(bad.stdout)).toMatchObject({
    findings: [],
    rehearsed: [
      { tree: 'one', actor: 'one', outcome: 'refused', why: expect.stringContaining('no step leads on') as string },
    ],
  });
  expect(await perdure('doctor', 'work.db', '--migrate', 'none.mjs')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('MODULE_UNLOADABLE') as string,
  });
  const still = await counted('one', 0);
  expect(still.getSnapshot().context).toEqual({ n: 3 });
  await still.close();
});
