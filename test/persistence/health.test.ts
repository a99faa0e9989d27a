/** Damage: what an opening does about it, what an examination says of it, and what a repair mends. */
import Database from 'better-sqlite3';
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { assign, fromCallback, fromPromise, setup, type AnyStateMachine } from 'xstate';
import { systemClock } from '../../persistence/clock.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import type { DurableActor } from '../../persistence/durable.ts';
import { examine } from '../../persistence/health.ts';
import type { StoredState } from '../../persistence/migrations.ts';
import { rehearse } from '../../persistence/rehearsal.ts';
import { repair } from '../../persistence/repair.ts';
import { Store } from '../../persistence/store.ts';
import { tempFolder, tempStore } from '../support/temp.ts';

const child = setup({ types: {} as { events: { type: 'bump' } } }).createMachine({
  id: 'child',
  version: '1',
  context: { n: 0 },
  initial: 'waiting',
  on: { bump: { actions: assign({ n: ({ context }) => (context as { n: number }).n + 1 }) } },
  states: { waiting: { after: { 86_400_000: 'late' } }, late: {} },
});
const parent = (low: AnyStateMachine = child, version = '1') =>
  setup({ actors: { child: low } }).createMachine({
    id: 'parent',
    version,
    context: ({ spawn }) => ({ n: 0, child: spawn('child', { id: 'child' }) }),
    on: { bump: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  });

type Parent = DurableActor<ReturnType<typeof parent>>;
const opened: Parent[] = [];
let path: string;
beforeEach(() => {
  path = tempStore();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(history = true, machine = parent()): Promise<Parent> {
  const durable = (await createDurableActor(machine, { store: path, history })) as Parent;
  opened.push(durable);
  return durable;
}

/** A store that was left behind, in which the child was bumped twice. */
async function left(history = true): Promise<void> {
  const durable = await open(history);
  await durable.send({ type: 'bump' } as never, { to: 'child' });
  await durable.send({ type: 'bump' } as never, { to: 'child' });
  crash(durable);
}

/** Changes the file behind the runtime's back. */
function alter(sql: string): void {
  const db = new Database(path);
  db.function('perdure_turn', () => 0);
  db.exec(sql);
  db.close();
}

function read<T>(sql: string): T[] {
  const db = new Database(path, { readonly: true });
  const rows = db.prepare(sql).all() as T[];
  db.close();
  return rows;
}

const bumps = (durable: Parent) => durable.getSnapshot().children['child']?.getSnapshot().context as { n: number };
const findings = () => examine(path).findings.map(({ code }) => code);
/** A bump flipped to another, without a version of it being kept, as damage does it. */
const DAMAGE = `drop trigger actors_keep_changed; update actors set snapshot = replace(snapshot, '"n":2', '"n":9') where key = 'child'`;

describe('the damaged row of an actor', () => {
  test('is put aside as it was found, and the newest sound version that is kept takes its place', async () => {
    await left();
    alter(DAMAGE);
    expect(findings()).toEqual(['ROW_DAMAGED']);
    const durable = await open();
    expect(bumps(durable)).toEqual({ n: 1 });
    const [aside] = read<{ actor: string; reason: string; cells: string }>('select * from quarantine');
    expect(aside).toMatchObject({ actor: 'child', reason: 'checksum' });
    expect(JSON.parse(aside?.cells ?? '')).toMatchObject({ snapshot: expect.stringContaining('"n":9') as string });
    expect(read('select kind, actor from incidents')).toEqual([{ kind: 'row.quarantined', actor: 'child' }]);
    expect(examine(path)).toMatchObject({ findings: [], counts: { quarantined: 1 }, incidents: { count: 1 } });
    crash(durable);
    // It was written again: the next opening finds nothing.
    expect(bumps(await open())).toEqual({ n: 1 });
    expect(read('select * from quarantine')).toHaveLength(1);
  });

  test('is replaced by a version from before the last migration, which is taken along again', async () => {
    await left();
    const newer = (version: string) =>
      setup({ types: {} as { events: { type: 'bump' } } }).createMachine({ ...child.config, version } as never);
    const migrate = { child: [{ from: '1', to: '2', migrate: (state: StoredState) => state }] };
    const machine = parent(newer('2') as never);
    crash((await createDurableActor(machine, { store: path, history: true, migrate })) as never);
    alter(DAMAGE);
    const durable = (await createDurableActor(machine, { store: path, history: true, migrate })) as Parent;
    opened.push(durable);
    expect(bumps(durable)).toEqual({ n: 2 });
    expect(read(`select machine from actors where key = 'child'`)).toEqual([{ machine: 'child@2' }]);
  });

  test('refuses the tree where no version is kept, and nothing is changed', async () => {
    await left(false);
    alter(DAMAGE);
    const before = read('select * from actors');
    await expect(open(false)).rejects.toMatchObject({ code: 'ROW_CORRUPT', facts: { actor: 'child' } });
    expect(read('select * from actors')).toEqual(before);
    expect(read('select * from incidents')).toEqual([]);
  });
});

describe('rows that have vanished', () => {
  test.each<[string, string, string[]]>([
    ['a child', `delete from actors where key = 'child'; delete from timers`, ['ROWS_MISSING']],
    ['a timer', 'delete from timers', ['ROWS_MISSING']],
    ['the root', `delete from actors where parent is null`, ['ORPHAN', 'ROWS_MISSING']],
    ['all of them', 'delete from actors; delete from timers', ['TREE_EMPTY']],
    [
      'a row that moved to another tree',
      `update actors set tree = 77 where key = 'child'`,
      ['ROW_DAMAGED', 'ORPHAN', 'ORPHAN'],
    ],
  ])('refuse the tree, which is not begun anew: %s', async (_, sql, found) => {
    await left();
    alter(
      `drop trigger actors_keep_removed; drop trigger timers_keep_removed; drop trigger actors_keep_changed; ${sql}`,
    );
    const before = read('select * from actors');
    expect(findings()).toEqual(expect.arrayContaining(found));
    await expect(open()).rejects.toMatchObject({ code: 'ROW_CORRUPT' });
    expect(read('select * from actors')).toEqual(before);
  });
});

describe('an examination', () => {
  test('says what is in a sound store while its owner works, and writes nothing', async () => {
    const durable = await open();
    await durable.send({ type: 'bump' } as never);
    const before = statSync(path).mtimeMs;
    const health = examine(path);
    expect(health).toMatchObject({
      store: path,
      owner: { pid: process.pid },
      counts: { trees: 1, actors: 2, timers: 1, outbox: 0, deadLetters: 0, quarantined: 0 },
      machines: { 'parent@1': 1, 'child@1': 1 },
      history: { turns: 2 },
      incidents: { count: 0 },
      findings: [],
    });
    expect(statSync(path).mtimeMs).toBe(before);
    crash(durable);
    expect(examine(path)).not.toHaveProperty('owner');
  });

  test.each<[string, string, string]>([
    [
      'a page',
      `pragma writable_schema = on; update sqlite_schema set rootpage = 2 where name = 'actors_tree'`,
      'FILE_DAMAGED',
    ],
    ['a timer', `update timers set due = due + 1`, 'ROW_DAMAGED'],
    [
      'an orphan',
      `insert into actors select 9, tree, 8, 'lost', src, system_id, synced, machine, attempt, snapshot, checksum, from_turn from actors limit 1`,
      'ORPHAN',
    ],
    ['an id that was never given', `update meta set value = 2 where key = 'id_limit'`, 'ID_BEYOND_LIMIT'],
    ['a turn that was never given', `update meta set value = 1 where key = 'turn_limit'`, 'ID_BEYOND_LIMIT'],
    ['a dead letter', `insert into outbox values (5, 1, 1, 'action', 'mail', '1', 0, 8, 1, 'no', 0, 1)`, 'DEAD_LETTER'],
    ['a digest', 'update trees set digest = digest + 1', 'ROWS_MISSING'],
  ])('finds what is wrong with %s, and says what to do', async (_, sql, code) => {
    await left();
    const db = new Database(path);
    db.unsafeMode(true);
    db.function('perdure_turn', () => 0);
    db.exec(sql);
    db.close();
    const found = examine(path).findings.filter((one) => one.code === code);
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]?.remedy).toMatch(/perdure doctor|backup|store\.retry/);
  });

  test('throws what is wrong with a file that is no store', () => {
    expect(() => examine(path)).toThrow(expect.objectContaining({ code: 'STORE_UNOPENABLE' }));
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, 'x'.repeat(5_000));
    expect(() => examine(path)).toThrow(expect.objectContaining({ code: 'STORE_NOT_A_DATABASE' }));
  });
});

describe('a repair', () => {
  test('needs the lock', async () => {
    await open();
    expect(() => repair(path, systemClock)).toThrow(expect.objectContaining({ code: 'STORE_OWNED' }));
  });

  test('puts orphans and their children into the quarantine, counts the tree again, and the store is sound', async () => {
    await left();
    const whole = read('select tree, digest from trees');
    alter(`
      insert into actors select 60001, tree, 60000, 'lost', src, system_id, synced, machine, attempt, snapshot, checksum, from_turn from actors limit 1;
      insert into actors select 60002, tree, 60001, 'loster', src, system_id, synced, machine, attempt, snapshot, checksum, from_turn from actors limit 1;
      insert into timers select 60003, tree, 60001, target, key, event, due, delay, checksum, from_turn from timers limit 1;
      update trees set digest = 1;`);
    expect(repair(path, systemClock)).toEqual({ quarantined: 3, digests: 1 });
    expect(findings()).toEqual([]);
    expect(read('select tree, digest from trees')).toEqual(whole);
    expect(read('select actor, reason from quarantine order by id')).toEqual([
      { actor: 'lost', reason: 'orphan of actors' },
      { actor: 'loster', reason: 'orphan of actors' },
      { actor: expect.stringContaining('xstate.after') as string, reason: 'orphan of timers' },
    ]);
    expect(bumps(await open())).toEqual({ n: 2 });
  });

  test('does not make a tree whole whose rows are damaged', async () => {
    await left();
    alter(`${DAMAGE}; update trees set digest = 1`);
    expect(repair(path, systemClock)).toEqual({ quarantined: 0, digests: 0 });
    expect(findings()).toEqual(['ROW_DAMAGED']);
  });
});

describe('a rehearsal', () => {
  test('tells what would become of every actor; nothing starts, and nothing is changed', async () => {
    const started: string[] = [];
    const loud = (version: string) =>
      setup({
        actors: {
          call: fromPromise(async () => void started.push('promise')),
          line: fromCallback(() => void started.push('callback')),
          child,
        },
        actions: { shout: () => void started.push('action') },
      }).createMachine({
        id: 'loud',
        version,
        entry: 'shout',
        invoke: [
          { src: 'call', id: 'call' },
          { src: 'line', id: 'line' },
        ],
        context: ({ spawn }) => ({ child: spawn('child', { id: 'child' }) }),
      });
    const store = Store.open(path, { machines: { loud: loud('1') } });
    await store.open('loud', 'a');
    await store.open('loud', 'b');
    await createDurableActor(child, { store: store as never, id: 'single' });
    await sleep(20);
    store.close();
    alter(`update actors set machine = 'loud@0' where key = 'b'`);
    started.length = 0;
    const before = [read('select * from actors'), read('select * from trees'), readdirSync(dirname(path)).sort()];
    const find = (_tree: string, machine: string | null) => (machine === null ? child : loud('2'));
    const migrate = { loud: [{ from: '1', to: '2', migrate: (state: StoredState) => state }] };
    const told = await rehearse(path, find, migrate);
    expect(told.filter(({ outcome }) => outcome !== 'refused')).toEqual(
      expect.arrayContaining([
        { tree: 'a', actor: 'a', outcome: 'migrated', from: 'loud@1', to: 'loud@2' },
        { tree: 'a', actor: 'child', outcome: 'unchanged', from: 'child@1', to: 'child@1' },
        { tree: 'single', actor: 'single', outcome: 'unchanged', from: 'child@1', to: 'child@1' },
      ]),
    );
    expect(told.filter(({ outcome }) => outcome === 'refused')).toMatchObject([{ tree: 'b', actor: 'b' }]);
    await sleep(20);
    expect(started).toEqual([]);
    expect([read('select * from actors'), read('select * from trees'), readdirSync(dirname(path)).sort()]).toEqual(
      before,
    );
    expect(readdirSync(join(tempFolder(), '..')).filter((name) => name.startsWith('perdure-rehearsal-'))).toEqual([]);
    const nobody = await rehearse(path, () => undefined, undefined);
    expect(nobody.map(({ outcome, why }) => [outcome, why])).toEqual([
      ['refused', 'no machine was given for "loud"'],
      ['refused', 'no machine was given for "loud"'],
      ['refused', 'no machine was given for trees of createDurableActor'],
    ]);
  });
});

test.skipIf(process.platform === 'win32')(
  'a file that others may read is told, with what to do; a backup is private like its store',
  async () => {
    const path = tempStore();
    const store = Store.open(path);
    await store.backup(`${path}.copy`);
    store.close();
    expect(statSync(`${path}.copy`).mode & 0o777).toBe(0o600);
    expect(examine(path).findings).toEqual([]);
    chmodSync(path, 0o644);
    // SQLite gives the log the mode of the database.
    expect(examine(path).findings).toMatchObject(
      [path, `${path}-wal`].map((file) => ({ code: 'FILE_OPEN', remedy: `run \`chmod 600 ${file}\`` })),
    );
  },
);
