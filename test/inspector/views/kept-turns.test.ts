/** Which turns are kept, where numbers were left out. */
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { spawnSupervisor } from '../../../index.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import type { KeptTurn } from '../../../inspector/views/kept-turns.ts';
import type { Checkpoints } from '../../../inspector/views/past.ts';
import { quickStore } from '../../support/temp.ts';

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** A store of a supervisor whose history tells these turns, as if it had been killed between two blocks of them. */
async function telling(turns: readonly number[]) {
  const path = quickStore();
  const supervisor = await spawnSupervisor({ store: path, actions: {}, history: true });
  await supervisor.close();
  const db = new Database(path);
  db.exec(`delete from turns; delete from checkpoints; update trees set from_turn = ${turns.at(-1) ?? 0}`);
  const insert = db.prepare(`insert into turns values (?, ?, ?, 0, '[]', '[]')`);
  db.transaction(() => turns.forEach((turn, i) => insert.run(turn, turn * 10, 40 + i)))();
  db.prepare(`insert into checkpoints(turn, at, reason) values (3, 30, 'request')`).run();
  db.close();
  const source = storeSource(path);
  onTestFinished(() => source.close());
  const view = (name: string, query: Record<string, string> = {}) => source.view(name, new URLSearchParams(query));
  const at = (turn: number) => view('kept-turn', { turn: String(turn) }) as KeptTurn;
  return { view, at };
}

test('who asks for a number that no turn has stands on the turn before, or on the first of all', async () => {
  const { at } = await telling([...numbers(100, 360), ...numbers(1_025, 1_100), 1_103]);
  expect(at(360)).toEqual({ turn: 360, at: 3_600, since: 77, previous: 359, next: 1_025 });
  expect(at(700)).toEqual(at(360));
  expect(at(1_102)).toMatchObject({ turn: 1_100, since: 1, next: 1_103 });
  expect(at(9_999)).toMatchObject({ turn: 1_103, since: 0, next: null });
  expect(at(50)).toEqual({ turn: 3, at: 30, since: null, previous: null, next: 100 });
  expect(at(1)).toMatchObject({ turn: 3 });
});

test('the history says how many turns it has, and where they are, in few of them', async () => {
  const { view } = await telling([...numbers(1, 2_000), ...numbers(60_001, 62_000)]);
  const { history } = view('checkpoints') as Checkpoints;
  expect(history).toMatchObject({ from: 1, to: 62_000, turns: 4_000 });
  expect(history?.scale.length).toBeLessThanOrEqual(129);
  expect(history?.scale[0]).toEqual({ turn: 1, at: 10, nth: 40 });
  expect(history?.scale.at(-1)).toEqual({ turn: 62_000, at: 620_000, nth: 4_039 });
  // The turn before numbers that were left out is among them.
  expect(history?.scale).toContainEqual({ turn: 2_000, at: 20_000, nth: 2_039 });
});

test('of a store that keeps nothing no turn is told', async () => {
  const { view, at } = await telling([]);
  expect(at(7)).toMatchObject({ turn: 3, since: null, previous: null, next: null });
  expect((view('checkpoints') as Checkpoints).history).toBeNull();
  expect(() => view('past', { turn: '7' })).toThrow(expect.objectContaining({ code: 'CHECKPOINT_UNKNOWN' }));
});
