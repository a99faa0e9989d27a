/** What is kept by who opens a store for its host, without the host's options. */
import Database from 'better-sqlite3';
import { assign, setup } from 'xstate';
import { expect, test } from 'vitest';
import { createDurableActor } from '../../persistence/create.ts';
import { lastRetention, type Retention } from '../../persistence/retention.ts';
import { Statements } from '../../persistence/rows.ts';
import { Store } from '../../persistence/store.ts';
import { quickStore } from '../support/temp.ts';

const counter = setup({ types: {} as { context: { n: number } } }).createMachine({
  id: 'counter',
  context: { n: 0 },
  on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

const LIMITS = { allMs: 5, hourlyMs: 6, dailyMs: Infinity, keepAtMost: 7 };

function remembered(path: string): Retention {
  const db = new Database(path);
  try {
    return lastRetention(new Statements(db));
  } finally {
    db.close();
  }
}

test('what the last owner said is remembered, also what has no end, and not what was said on its behalf', () => {
  const path = quickStore();
  Store.open(path, { checkpoints: LIMITS, history: { maxAgeMs: Infinity }, dedupeForMs: 9 }).close();
  Store.openAsBefore(path).close();
  expect(remembered(path)).toEqual({ checkpoints: LIMITS, history: { maxAgeMs: Infinity }, dedupeForMs: 9 });
  Store.open(path, { history: true }).close();
  expect(remembered(path)).toEqual({ history: {} });
  expect(() => Store.open(path, { history: { maxTurns: -1 } })).toThrow('history.maxTurns');
  expect(remembered(path)).toEqual({ history: {} });
  Store.open(path, { history: false }).close();
  expect(remembered(path)).toEqual({});
});

test.each([true, false])('of a store of before nothing is forgotten, with history: %s', async (history) => {
  const path = quickStore();
  await using durable = await createDurableActor(counter, {
    store: path,
    history,
    checkpoints: { allMs: Infinity, hourlyMs: Infinity, dailyMs: Infinity },
  });
  for (let n = 0; n < 40; n++) {
    durable.store.rows.nameTurn({ at: 0, reason: 'test' });
    await durable.send({ type: 'add' }, { id: `id ${n}` });
  }
  await durable.close();
  const db = new Database(path);
  db.exec(`delete from meta where key = 'retention'; update accepted set at = 0`);
  const counts = db.prepare(
    'select (select count(*) from checkpoints) as named, (select count(*) from turns) as told, (select count(*) from accepted) as ids',
  );
  const before = counts.get() as { named: number; told: number; ids: number };
  expect(before).toMatchObject({ named: 40, ids: 40 });
  const store = Store.openAsBefore(path);
  for (let n = 0; n < 40; n++) {
    await store.commits.transact(() => store.rows.nameTurn({ at: store.clock.now(), reason: 'test' }));
  }
  store.close();
  expect(counts.get()).toEqual({ named: before.named + 40, told: before.told + (history ? 40 : 0), ids: before.ids });
  db.close();
});
