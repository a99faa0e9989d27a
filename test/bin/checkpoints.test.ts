/** Checkpoints from a second terminal: while a process owns the store, and while none does. */
import Database from 'better-sqlite3';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { encryption } from '../../persistence/sealing.ts';
import { acquireLock } from '../../persistence/lock.ts';
import { readStore } from '../../persistence/store-reader.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/turns.ts';
import { setup } from 'xstate';

let cli: Cli;
let folder: string;
beforeAll(() => {
  cli = Cli.compile();
}, 60_000);
beforeEach(() => {
  folder = tempFolder();
});

const perdure = (...args: string[]): Promise<CliResult> => cli.run(args, { cwd: folder });
const json = async (...args: string[]): Promise<unknown> => JSON.parse((await perdure(...args, '--json')).stdout);

const double = defineAction({ run: (n: number) => n * 2 });
const hang = defineAction({
  run: (_: null, { signal }) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
});

async function open() {
  const checkpoint = { everyActions: 1_000, everyMs: 2_000_000 };
  const supervisor = await spawnSupervisor({ store: join(folder, 'work.db'), actions: { double, hang }, checkpoint });
  onTestFinished(() => supervisor.close());
  return supervisor;
}

test('while the store is in use a checkpoint is taken, listed, compared, restored and forked', async () => {
  const supervisor = await open();
  await supervisor.execute('double', 1, { id: 'first' });
  const taken = await perdure('checkpoint', '--label', 'calm', '--pin');
  expect(taken).toMatchObject({ code: 0, stdout: expect.stringMatching(/^checkpoint \d+\n$/) });
  const id = taken.stdout.trim().split(' ')[1] as string;
  expect(supervisor.checkpoints.show('calm')).toMatchObject({ id, isPinned: true, reason: 'request' });
  await supervisor.execute('double', 2, { id: 'second' });
  await perdure('checkpoint');
  expect((await perdure('checkpoints')).stdout).toMatch(new RegExp(`${id} +\\S+Z +request +calm +pinned`));
  expect(await json('checkpoints', '--limit', '1')).toMatchObject([{ label: null, isPinned: false }]);
  const { stdout } = await perdure('compare', 'calm', 'latest');
  expect(stdout).toMatch(/^table actions: 1 added: /m);
  expect(stdout).toMatch(/^actor executor\/slot.0: changed$/m);

  const fork = ['fork', 'calm', '--store', 'work.db', '--to', 'fork.db'];
  const forked = await perdure(...fork);
  expect(forked).toMatchObject({ code: 0, stdout: expect.stringContaining(`goes on from turn ${id}`) });
  expect(await perdure(...fork)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('[FORK_EXISTS]'),
  });

  const restored = await perdure('restore', 'calm', '--store', 'work.db');
  expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining(`as it was in turn ${id};`) });
  expect(supervisor.durable.store.rows.all('select id from actions')).toEqual([{ id: 'first' }]);
  const [, before] = /perdure restore (\d+)/.exec(restored.stdout) as unknown as [string, string];
  expect(await json('restore', before, '--store', 'work.db')).toMatchObject({ turn: Number(before) });
  expect(supervisor.durable.store.rows.all('select id from actions')).toHaveLength(2);
});

test('a restore is refused while an action is under way, unless it is forced', async () => {
  const supervisor = await open();
  const id = await supervisor.checkpoints.create();
  await supervisor.submit('hang', null, { id: 'x' });
  await until(() => supervisor.stats().queue.running === 1);
  expect(await perdure('restore', id)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[CHECKPOINT_BUSY]'),
  });
  expect(supervisor.stats().queue.running).toBe(1);
  expect(await perdure('restore', id, '--force')).toMatchObject({ code: 0 });
  expect(supervisor.stats().queue.running).toBe(0);
});

test('after a crash a checkpoint is restored by opening the store, and what was under way in it asks at the next start', async () => {
  const first = await open();
  await first.execute('double', 1, { id: 'done' });
  await first.submit('hang', null, { id: 'x' });
  await until(() => first.stats().queue.running === 1);
  const id = await first.checkpoints.create();
  await first.execute('double', 2, { id: 'later' });
  crash(first.durable);
  const { stdout, code } = await perdure('restore', 'latest', '--json');
  expect({ code, restored: JSON.parse(stdout) as unknown }).toMatchObject({ code: 0, restored: { turn: Number(id) } });
  const second = await open();
  expect(second.durable.store.rows.all('select id, state from actions order by seq')).toEqual([
    { id: 'done', state: 'settled' },
    { id: 'x', state: 'asking' },
  ]);
  expect(second.approvals()).toMatchObject([{ action: 'x', reason: 'restore' }]);
  // What ended was not the life that the checkpoint is of.
  expect(second.checkpoints.stats.crashes).toBe(0);
  crash(second.durable);
  const taken = await perdure('checkpoint', '--label', 'offline');
  expect(taken).toMatchObject({ code: 0, stdout: expect.stringMatching(/^checkpoint \d+\n$/) });
  const third = await open();
  expect(third.checkpoints.show('offline').reason).toBe('request');
  expect(third.approvals()).toHaveLength(1);
});

test('a checkpoint is shown, pinned, let go and removed, while the store is in use and while it is not', async () => {
  const supervisor = await open();
  await supervisor.checkpoints.set({ phase: 1 });
  const id = await supervisor.checkpoints.create({ label: 'calm' });
  const change = (...args: string[]) => perdure('checkpoint', ...args, '--store', 'work.db');
  const kept = async () => JSON.parse((await change('show', 'calm')).stdout) as unknown;
  for (const round of ['owned', 'free']) {
    expect(await change('pin', 'calm')).toMatchObject({ code: 0 });
    expect([round, await kept()]).toMatchObject([round, { id, isPinned: true, variables: { phase: 1 } }]);
    expect(await change('remove', 'calm')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('[CHECKPOINT_KEPT]'),
    });
    expect(await change('unpin', 'calm')).toMatchObject({ code: 0 });
    expect([round, await kept()]).toMatchObject([round, { isPinned: false }]);
    await supervisor.close();
  }
  expect(await change('remove', 'calm')).toMatchObject({ code: 0 });
  expect(await change('show', 'calm')).toMatchObject({ code: 3 });
});

test('of an encrypted store that nobody owns nothing is restored, now or later', async () => {
  const sealing = encryption({ key: () => Buffer.alloc(32, 1), current: 'k' });
  const options = { store: join(folder, 'work.db'), actions: { double, hang }, sealing };
  const first = await spawnSupervisor(options);
  await first.checkpoints.set({ phase: 1 });
  const id = await first.checkpoints.create();
  await first.checkpoints.set({ phase: 2 });
  await first.close();
  expect(await perdure('restore', id)).toMatchObject({ code: 1, stderr: expect.stringContaining('[KEY_UNKNOWN]') });
  const second = await spawnSupervisor(options);
  onTestFinished(() => second.close());
  await second.execute('double', 1);
  expect(second.checkpoints.variables['phase']).toBe(2);
  expect(await perdure('restore', id)).toMatchObject({ code: 0 });
  expect(second.checkpoints.variables['phase']).toBe(1);
});

test('a restore that its owner leaves unanswered is done by the command, once the store is free', async () => {
  const supervisor = await open();
  const id = await supervisor.checkpoints.create();
  await supervisor.execute('double', 1, { id: 'later' });
  crash(supervisor.durable);
  const path = join(folder, 'work.db');
  const owner = acquireLock(path);
  const restored = perdure('restore', id, '--store', 'work.db');
  await until(
    () => readStore(path, (rows) => rows.get('select 1 from commands where answered_at is null')) !== undefined,
  );
  owner.release();
  expect(await restored).toMatchObject({ code: 0, stdout: expect.stringContaining(`as it was in turn ${id};`) });
  const second = await open();
  expect(second.durable.store.rows.all('select id from actions')).toEqual([]);
  expect(second.durable.store.rows.all('select 1 from commands where answered_at is null')).toEqual([]);
});

test('a latest checkpoint that is damaged is passed over with a word, and an incident', async () => {
  const first = await open();
  await first.execute('double', 1, { id: 'one' });
  const whole = await first.checkpoints.create();
  await first.execute('double', 2, { id: 'two' });
  const torn = await first.checkpoints.create();
  await first.execute('double', 3, { id: 'three' });
  crash(first.durable);
  const db = new Database(join(folder, 'work.db'));
  const { changes } = db
    .prepare(
      `update actors_past set snapshot = replace(snapshot, 'a', 'b') where from_turn > ? and from_turn <= ? and to_turn > ?`,
    )
    .run(whole, torn, torn);
  db.close();
  expect(changes).toBeGreaterThan(0);
  expect(await perdure('restore', 'latest')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`as it was in turn ${whole};`),
    stderr: expect.stringMatching(new RegExp(`turn ${torn}.*The one before it is tried`)),
  });
  const second = await open();
  const incidents = second.durable.store.rows.all(`select detail from incidents where kind = 'checkpoint.refused'`);
  expect(incidents).toEqual([{ detail: expect.stringContaining(`turn ${torn}`) }]);
});

test('a fork is given other inputs', async () => {
  const supervisor = await open();
  await supervisor.pause();
  await supervisor.submit('double', 1, { id: 'waits' });
  await supervisor.checkpoints.create();
  const input = ['--input', 'waits=21'];
  expect(await perdure('fork', 'latest', '--store', 'work.db', '--to', 'what-if.db', ...input)).toMatchObject({
    code: 0,
  });
  await using fork = await spawnSupervisor({ store: join(folder, 'what-if.db'), actions: { double, hang } });
  await fork.resume();
  expect(await fork.execute('double', 21, { id: 'waits' })).toMatchObject({ value: 42 });
  const bad = await perdure('fork', 'latest', '--store', 'work.db', '--to', 'bad.db', '--input', 'waits');
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining('[OPTIONS_INVALID]') });
  expect(existsSync(join(folder, 'bad.db'))).toBe(false);
});

test('what is not there is said, with the exit code of what is not found or not meant', async () => {
  await open();
  for (const args of [
    ['restore', '77'],
    ['compare', '1', 'latest'],
    ['fork', 'never', '--to', 'x.db'],
  ])
    expect(await perdure(...args)).toMatchObject({ code: 3, stderr: expect.stringContaining('[CHECKPOINT_UNKNOWN]') });
  expect(await perdure('checkpoints', 'nowhere.db')).toMatchObject({ code: 3 });
  expect((await perdure('checkpoints')).stdout).toMatch(/^no checkpoints in .*work\.db\n$/);
  expect(await perdure('fork', 'latest')).toMatchObject({ code: 2 });
  for (const label of ['', ' ', '17', 'latest', 'a\nb'])
    expect(await perdure('checkpoint', '--label', label, '--store', 'work.db')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('[OPTIONS_INVALID]'),
    });
  const other = await createDurableActor(setup({}).createMachine({ id: 'm' }), { store: join(folder, 'other.db') });
  await other.close();
  expect(await perdure('checkpoints', 'other.db')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('supervisor'),
  });
});

test('without an owner nothing is forgotten but by the limits of the last one, and nothing by what is refused', async () => {
  const path = join(folder, 'work.db');
  const DAY = 86_400_000;
  const limits = { allMs: 90 * DAY, hourlyMs: 90 * DAY, dailyMs: 90 * DAY };
  const sealing = encryption({ key: () => Buffer.alloc(32, 1), current: 'one' });
  const options = { store: path, actions: { double }, checkpoints: limits, history: true } as const;
  for (const more of [{}, { sealing }]) {
    rmSync(path, { force: true });
    rmSync(`${path}-lock`, { force: true });
    const first = await spawnSupervisor({ ...options, ...more });
    for (let n = 0; n < 10; n++) await first.checkpoints.create({ label: `c${n}` });
    await first.close();
    const db = new Database(path);
    onTestFinished(() => void db.close());
    db.exec(`update checkpoints set at = at - ${40 * DAY}`);
    const ages = db.prepare('select (select count(*) from checkpoints) as named, (select count(*) from turns) as told');
    const before = ages.get() as { named: number; told: number };
    expect(before.named).toBeGreaterThan(9);
    expect(await perdure('restore', '999999')).not.toMatchObject({ code: 0 });
    expect(ages.get()).toEqual(before);
    expect(await perdure('checkpoint', '--label', 'mine')).toMatchObject({ code: 0 });
    expect(ages.get()).toEqual({ named: before.named + 1, told: before.told + 1 });
    if (more.sealing === undefined) {
      const { turn } = db.prepare('select turn from turns order by turn limit 1 offset 3').get() as { turn: number };
      expect(await perdure('restore', String(turn))).toMatchObject({ code: 0 });
      expect(await perdure('restore', String(turn))).toMatchObject({ code: 0 });
      expect(ages.get()).toMatchObject({ told: before.told + 3 });
    }
    const next = await spawnSupervisor({ ...options, ...more });
    let told = 0;
    for await (const { turn } of next.durable.store.history()) told += Math.sign(turn);
    expect(told).toBeGreaterThan(before.told);
    await next.close();
  }
});

test('a checkpoint of which the row is damaged does not hide the others', async () => {
  const supervisor = await open();
  await supervisor.checkpoints.create({ label: 'odd' });
  await supervisor.checkpoints.create({ label: 'even' });
  await supervisor.close();
  const db = new Database(join(folder, 'work.db'));
  db.exec(`update checkpoints set at = 9000000000000000, detail = '{' where label = 'odd'`);
  db.close();
  const { code, stdout } = await perdure('checkpoints');
  expect(code).toBe(0);
  expect(stdout).toMatch(/\d+ +9000000000000000 +request +odd\b/);
  expect(stdout).toContain('even');
});
