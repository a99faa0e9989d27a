/** A store that goes on from a kept turn of another. */
import Database from 'better-sqlite3';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { assign, fromPromise, setup, spawnChild } from 'xstate';
import { expect, test } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { durableAction } from '../../persistence/durable-action.ts';
import { effectOf } from '../../persistence/effects.ts';
import { forkStore } from '../../persistence/fork.ts';
import { examine } from '../../persistence/health.ts';
import type { TableSpec } from '../../persistence/schema.ts';
import { encryption } from '../../persistence/sealing.ts';
import { Store } from '../../persistence/store.ts';
import { bytesOf } from '../support/store-bytes.ts';
import { tempStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

const keys: string[] = [];
const acts: string[] = [];

const machine = setup({
  types: {} as {
    context: { n: number };
    events: { type: 'add' } | { type: 'work' } | { type: 'act' } | { type: 'kid' };
  },
  actions: { act: durableAction({ name: 'act', run: (_, { key }) => void acts.push(key) }) },
  actors: {
    work: fromPromise(({ self }) => {
      keys.push(effectOf(self)?.key as string);
      return new Promise(() => {});
    }),
    kid: setup({}).createMachine({ id: 'kid' }),
  },
}).createMachine({
  id: 'forked',
  context: { n: 0 },
  initial: 'idle',
  on: {
    add: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    act: { actions: { type: 'act', params: undefined as never } },
    kid: { actions: spawnChild('kid', { id: 'kid' }) },
    work: '.working',
  },
  states: { idle: {}, working: { invoke: { src: 'work', id: 'work' } } },
});

const columns = ['page text primary key', 'words integer not null'];
const TABLES: TableSpec[] = [
  { name: 'notes', key: 'page', columns },
  { name: 'learned', key: 'page', columns, rolledBack: false },
];
const words = (store: Store) =>
  TABLES.map(({ name }) => store.rows.get<{ words: number }>(`select words from ${name}`)?.words);

async function forkable(path = tempStore(), options = {}) {
  const durable = await createDurableActor(machine, { store: path, history: true, ...options });
  const { store } = durable;
  store.declare(TABLES);
  const put = (n: number) => {
    for (const { name } of TABLES) {
      store.rows.run(
        `insert into ${name} values ('a', ?, ?) on conflict do update set words = excluded.words, from_turn = excluded.from_turn`,
        n,
        store.rows.turn,
      );
    }
  };
  put(1);
  await durable.send({ type: 'work' });
  store.rows.nameTurn({ at: 0, reason: 'test', label: 'here' });
  const { turn } = await durable.send({ type: 'act' });
  await settle();
  put(2);
  await durable.send({ type: 'kid' });
  store.rows.nameTurn({ at: 0, reason: 'test', label: 'later' });
  await durable.send({ type: 'add' });
  return { durable, path, target: `${path}-fork`, turn };
}

test('goes on with edited state, and the original, which runs, does not change by a byte', async () => {
  const { durable, path, target, turn } = await forkable();
  const before = bytesOf(path);
  await forkStore(path, turn, target);
  expect(bytesOf(path)).toBe(before);
  expect(examine(target)).toMatchObject({ isCopy: true, findings: [], history: { to: turn } });
  const fork = await createDurableActor(machine, { store: target, history: true });
  expect(fork.resumed).toMatchObject({ actors: 2 });
  expect(words(fork.store)).toEqual([1, 2]);
  expect(fork.store.rows.all('select turn, label from checkpoints')).toEqual([{ turn, label: 'here' }]);
  await fork.send({ type: 'add' });
  await fork.restore(turn);
  expect(fork.getSnapshot().context.n).toBe(0);
  await fork.close();
  expect(bytesOf(path)).toBe(before);
  await durable.send({ type: 'add' });
  expect(durable.getSnapshot().context.n).toBe(2);
  expect(durable.getSnapshot().children).toHaveProperty('kid');
  await durable.close();
});

test('what was under way outside waits for a decision there, and has another key', async () => {
  keys.length = acts.length = 0;
  const { durable, path, target, turn } = await forkable();
  await until(() => keys.length === 1 && acts.length === 1);
  await forkStore(path, turn, target);
  let fork = await createDurableActor(machine, { store: target });
  await settle();
  expect(fork.interrupted).toEqual(['work']);
  expect(fork.store.deadLetters()).toMatchObject([{ name: 'act' }]);
  crash(fork);
  fork = await createDurableActor(machine, { store: target });
  await settle();
  expect([keys.length, acts.length]).toEqual([1, 1]);
  await fork.decide('work', 'rerun');
  await until(() => keys.length === 2);
  expect(new Set(keys).size).toBe(2);
  await fork.close();
  await durable.close();
});

test('works from a store that nobody owns, and from one whose trees the store opens by itself', async () => {
  const path = tempStore();
  const store = Store.open(path, { machines: { forked: machine }, history: true });
  const one = await store.open('forked', 'one');
  await one.send({ type: 'add' });
  const { turn } = await one.send({ type: 'kid' });
  await one.send({ type: 'add' });
  const two = await store.open('forked', 'two');
  await two.send({ type: 'add' });
  await store.delete('one');
  store.close();
  const before = bytesOf(path);
  await forkStore(path, turn, `${path}-fork`);
  expect(bytesOf(path)).toBe(before);
  await using fork = Store.open(`${path}-fork`, { machines: { forked: machine }, history: true });
  // One was removed later, and two was not there yet.
  expect([...fork.trees()].map(({ id }) => id)).toEqual(['one']);
  const found = await fork.open('forked', 'one');
  expect(found.getSnapshot()).toMatchObject({ context: { n: 1 }, children: { kid: expect.anything() as unknown } });
});

test('what others want of the original is not wanted of the fork', async () => {
  const { durable, path, target, turn } = await forkable();
  crash(durable);
  const db = new Database(path);
  db.prepare('insert into commands(id, at, tree, actor, event) values (?, 0, ?, ?, ?)').run(
    'c',
    'main',
    '',
    '{"type":"add"}',
  );
  db.close();
  await forkStore(path, turn, target);
  await using fork = await createDurableActor(machine, { store: target });
  await settle();
  expect(fork.getSnapshot().context.n).toBe(0);
});

test('an encrypted store is forked without its key, and read with it', async () => {
  const key = randomBytes(32);
  const sealing = encryption({ key: () => key, current: 'one' });
  const { durable, path, target, turn } = await forkable(tempStore(), { sealing });
  await durable.close();
  await forkStore(path, turn, target);
  await using fork = await createDurableActor(machine, { store: target, sealing });
  expect(fork.getSnapshot()).toMatchObject({ value: 'working', context: { n: 0 } });
});

test.each(['', '-wal'])('a target that is there (fork%s) is refused, and not touched', async (end) => {
  const { durable, path, target, turn } = await forkable();
  writeFileSync(`${target}${end}`, 'mine');
  await expect(forkStore(path, turn, target)).rejects.toMatchObject({ code: 'FORK_EXISTS' });
  expect(readFileSync(`${target}${end}`, 'utf8')).toBe('mine');
  await durable.close();
});

test('nothing is left of a fork that cannot be made', async () => {
  const { durable, path, target, turn } = await forkable();
  const files = () => readdirSync(dirname(path)).filter((name) => name.includes('fork'));
  await expect(forkStore(path, 999, target)).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
  await expect(forkStore(`${path}-none`, turn, target)).rejects.toMatchObject({ code: 'STORE_UNOPENABLE' });
  const aborted = AbortSignal.abort();
  await expect(forkStore(path, turn, target, { signal: aborted })).rejects.toMatchObject({ code: 'ABORTED' });
  const controller = new AbortController();
  const forking = forkStore(path, turn, target, { signal: controller.signal });
  await until(() => files().length > 0);
  controller.abort();
  await expect(forking).rejects.toMatchObject({ code: 'ABORTED' });
  await durable.close();
  const db = new Database(path);
  db.exec(`update actors_past set snapshot = '{}' where to_turn > ${turn}`);
  db.close();
  await expect(forkStore(path, turn, target)).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED' });
  expect(files()).toEqual([]);
});

test('what a fork that was killed left is removed by the next one to its target, and nothing of anybody else', async () => {
  const { durable, path, target, turn } = await forkable();
  const { pid: gone } = spawnSync(process.execPath, ['-e', '']);
  const left = [`-partial-${gone}-1`, `-partial-${gone}-1-journal`, `-partial-${process.pid}-999999`];
  const others = [`-partial-${process.ppid}-1`, `2-partial-${gone}-1`, '-partial-mine'];
  for (const end of [...left, ...others]) writeFileSync(`${target}${end}`, 'half of it');
  await forkStore(path, turn, target);
  const found = readdirSync(dirname(target)).filter((name) => name.startsWith(basename(target)));
  expect(found.toSorted()).toEqual(['', ...others].map((end) => `${basename(target)}${end}`).toSorted());
  await durable.close();
});

test('a fork is as private as a store', async () => {
  const { durable, path, target, turn } = await forkable();
  await forkStore(path, turn, target);
  expect(statSync(target).mode & 0o777).toBe(0o600);
  await durable.close();
});
