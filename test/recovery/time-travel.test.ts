/** Killed while a tree goes back to a kept turn, or while a store is forked: all of it happened, or nothing did. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { createDurableActor } from '../../persistence/create.ts';
import { forkStore } from '../../persistence/fork.ts';
import { examine } from '../../persistence/health.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { bytesOf } from '../support/store-bytes.ts';
import { tempFolder } from '../support/temp.ts';
import { compiled } from './life.ts';
import { fingerprintOf, travellingMachine } from './travel-worker.ts';

const KILL_AT_COMMIT = fileURLToPath(new URL('./kill-at-commit.mjs', import.meta.url));
const clock = new SimulatedClock(1_000_000);

/** One life of the worker: what it said, and whether it was killed. */
function live(store: string, killAt?: string): { readonly states: readonly string[]; readonly killed: boolean } {
  const env = { ...process.env, ...(killAt === undefined ? {} : { KILL_AT: killAt }) };
  const { stdout, stderr, signal, status } = spawnSync(
    process.execPath,
    ['--import', KILL_AT_COMMIT, compiled('travel-worker'), store],
    { env, encoding: 'utf8' },
  );
  if (signal !== 'SIGKILL' && status !== 0) throw new Error(stderr);
  return { states: stdout.trim().split('\n'), killed: signal === 'SIGKILL' };
}

test('killed before or after any commit, the store holds what a run that was not killed held then', async () => {
  // The start of a tree that went back changes nothing.
  const calm = live(join(tempFolder(), 'work.db')).states.filter((state, n, all) => state !== all[n - 1]);
  expect(new Set(calm).size).toBe(calm.length);
  let reached = -1;
  let points = 0;
  for (let commit = 1; ; commit++) {
    for (const side of ['before', 'after']) {
      const store = join(tempFolder(), 'work.db');
      const { killed } = live(store, `${side}:${commit}`);
      if (!killed) {
        expect(points).toBeGreaterThan(2 * calm.length - 2);
        expect(reached).toBeGreaterThanOrEqual(calm.length - 2);
        return;
      }
      points += 1;
      if (!existsSync(store)) continue;
      const state = calm.indexOf(fingerprintOf(store));
      // The first commits make the store, and an empty one is what it was.
      if (state === -1) expect(reached, `killed ${side} commit ${commit}`).toBe(-1);
      expect(state).toBeGreaterThanOrEqual(reached);
      reached = Math.max(reached, state);
      const durable = await createDurableActor(travellingMachine, { store, clock });
      await durable.send({ type: 'add' });
      await durable.close();
      expect(examine(store).findings).toEqual([]);
    }
  }
});

test('a store whose owner was killed is forked as it lies there, and does not change by a byte', async () => {
  const store = join(tempFolder(), 'work.db');
  expect(live(store, 'after:11').killed).toBe(true);
  const before = bytesOf(store);
  const db = new Database(store, { readonly: true });
  const turns = db
    .prepare(`select turn from checkpoints where reason = 'test' order by turn`)
    .pluck()
    .all() as number[];
  db.close();
  expect(turns.length).toBeGreaterThan(2);
  for (const [index, turn] of turns.entries()) {
    await forkStore(store, turn, `${store}-${turn}`);
    const fork = await createDurableActor(travellingMachine, { store: `${store}-${turn}`, clock });
    expect(fork.getSnapshot().context.n).toBe(index + 1);
    expect(fork.interrupted).toEqual(['work']);
    await fork.close();
  }
  expect(bytesOf(store)).toEqual(before);
});

test('a fork that is killed leaves no target, or a whole one, and the original as it was', async () => {
  const store = join(tempFolder(), 'work.db');
  live(store);
  const db = new Database(store);
  db.function('perdure_turn', () => 0);
  // Enough to be killed in.
  db.exec(
    `create table padding(text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
     insert into padding select hex(randomblob(400)) from n`,
  );
  const turn = db.prepare('select max(turn) from checkpoints').pluck().get() as number;
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  const before = bytesOf(store);
  const began = Date.now();
  const calm = spawnSync(process.execPath, [compiled('travel-worker'), store, `${store}-calm`, String(turn)]);
  expect(calm.status).toBe(0);
  const whole = Date.now() - began;
  let killed = 0;
  for (let trial = 1; trial <= 12; trial++) {
    const target = join(tempFolder(), 'fork.db');
    const child = spawn(process.execPath, [compiled('travel-worker'), store, target, String(turn)]);
    const ended = new Promise<NodeJS.Signals | null>((done) => child.once('exit', (_, signal) => done(signal)));
    setTimeout(() => child.kill('SIGKILL'), (whole * (trial + 4)) / 18);
    if ((await ended) === 'SIGKILL') killed += 1;
    if (existsSync(target)) expect(examine(target)).toMatchObject({ isCopy: true, findings: [] });
    else expect(readdirSync(dirname(target)).filter((name) => name === 'fork.db')).toEqual([]);
    expect(bytesOf(store)).toBe(before);
  }
  expect(killed).toBeGreaterThan(0);
});
