/** A store whose tables an earlier version of their owner made. */
import { expect, test } from 'vitest';
import { Store } from '../../persistence/store.ts';
import type { TableSpec } from '../../persistence/schema.ts';
import { QUEUE_TABLES } from '../../actors/queue-tables.ts';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { tempStore } from '../support/temp.ts';

const BEFORE: TableSpec = { name: 'notes', key: 'note', columns: ['note text not null primary key'] };
const COLUMNS = [...BEFORE.columns, 'author text', `mood text not null default 'calm'`];
const NOW: TableSpec = {
  ...BEFORE,
  columns: COLUMNS,
  indexes: [`create index if not exists notes_mood on notes(mood) where mood <> 'calm'`],
};

function declared(path: string, table: TableSpec): Store {
  const store = Store.open(path);
  store.declare([table]);
  return store;
}

function made(path: string): void {
  const store = declared(path, BEFORE);
  store.rows.run('insert into notes(note, from_turn) values (?, 1)', 'old');
  store.flush();
  store.close();
}

test('a table gets the columns that it lacks: rows of before have null, or the default', () => {
  const path = tempStore();
  made(path);
  const store = declared(path, NOW);
  store.rows.run(`insert into notes(note, author, mood, from_turn) values ('new', 'ann', 'glad', 2)`);
  expect(store.rows.all('select note, author, mood from notes order by note')).toEqual([
    { note: 'new', author: 'ann', mood: 'glad' },
    { note: 'old', author: null, mood: 'calm' },
  ]);
  store.close();
});

test('what is kept of the past has the new columns too, and it is kept by the same rules', () => {
  const path = tempStore();
  made(path);
  const store = declared(path, NOW);
  const { rows } = store;
  rows.run('update kept set turn = 5');
  rows.run(`update notes set author = 'ann', mood = 'glad', from_turn = 4 where note = 'old'`);
  rows.run(`update notes set author = 'bob', from_turn = 7 where note = 'old'`);
  const seenAt = (turn: number) =>
    rows.all(
      `select author, mood from notes where from_turn <= ?
       union all select author, mood from notes_past where from_turn <= ? and to_turn > ?`,
      turn,
      turn,
      turn,
    );
  expect(seenAt(3)).toEqual([{ author: null, mood: 'calm' }]);
  expect(seenAt(5)).toEqual([{ author: 'ann', mood: 'glad' }]);
  expect(seenAt(7)).toEqual([{ author: 'bob', mood: 'glad' }]);
  store.close();
});

test('declared a second time, or with fewer columns, a table stays as it is', () => {
  const path = tempStore();
  made(path);
  declared(path, NOW).close();
  for (const spec of [NOW, BEFORE]) {
    const store = declared(path, spec);
    expect(store.rows.all('select * from notes')).toEqual([{ note: 'old', author: null, mood: 'calm', from_turn: 1 }]);
    store.close();
  }
});

test.each(['author text not null', 'author text unique', 'author integer primary key'])(
  'a column that rows of before cannot have is refused by name, and changes nothing: %s',
  (column) => {
    const path = tempStore();
    made(path);
    const store = Store.open(path);
    const columns = [...BEFORE.columns, 'mood text', column];
    expect(() => store.declare([{ ...BEFORE, columns }])).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID', message: expect.stringContaining('"author"') as string }),
    );
    expect(store.rows.all('select * from notes')).toEqual([{ note: 'old', from_turn: 1 }]);
    store.close();
  },
);

/** As version 1 of the queue made it. */
const ADDED = new Set(['optional', 'approved', 'shortfall', 'band', 'score', 'via', 'fix', 'undo', 'work_ms']);
const [ACTIONS] = QUEUE_TABLES as [TableSpec];
const FIRST_ACTIONS: TableSpec = {
  ...ACTIONS,
  columns: ACTIONS.columns.filter((column) => !ADDED.has(column.split(' ')[0] as string)),
  indexes: ACTIONS.indexes?.filter((index) => !index.includes('optional')) ?? [],
};

test('a store whose actions knew no gate and no fallback opens, and runs what waited in it', async () => {
  const path = tempStore();
  const old = declared(path, FIRST_ACTIONS);
  const echo = defineAction({ run: (input: string) => `${input}!` });
  const policy = {
    retry: { attempts: 1, delayMs: 1, capMs: 1 },
    timeoutMs: null,
    deadlineMs: null,
    component: null,
    whenOpen: 'reject',
    fallbacks: [],
    qualityFloor: 0,
    belowFloor: 'fail',
    hasUndo: false,
    risk: {
      impact: 'low',
      reversible: null,
      clarity: null,
      confidence: null,
      summary: 'x',
      silence: 'wait',
      silenceMs: null,
    },
  };
  old.rows.run(
    `insert into actions(id, name, version, input, policy, rank, state, submitted_at, attempts, quality_loss, from_turn)
     values ('a', 'echo', '1', '"hi"', ?, 0, 'waiting', 0, 0, 0, 0)`,
    JSON.stringify(policy),
  );
  old.flush();
  old.close();
  await using supervisor = await spawnSupervisor({ store: path, actions: { echo } });
  expect(await supervisor.execute('echo', 'hi', { id: 'a' })).toMatchObject({ kind: 'ok', value: 'hi!' });
});
