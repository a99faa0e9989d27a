/** The way from older schemas: every row of every table is taken along, or the old file stays as it was. */
import Database from 'better-sqlite3';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verify, type ActorRow } from '../../persistence/actor-rows.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { forkStore } from '../../persistence/fork.ts';
import { examine } from '../../persistence/health.ts';
import { SCHEMA_VERSION } from '../../persistence/schema.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { upgrade } from '../../persistence/upgrades.ts';
import { tempFolder } from '../support/temp.ts';
import { orderMachine } from './machines.mjs';

function copy(name = 'schema-1.db'): string {
  const path = join(tempFolder(), 'old.db');
  copyFileSync(join(import.meta.dirname, name), path);
  // Git gives its files to all; a store is its owner's.
  chmodSync(path, 0o600);
  return path;
}

type Row = Record<string, unknown>;

function contents(path: string): Record<string, Row[]> {
  const db = new Database(path, { readonly: true });
  const tables = db.prepare(`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'`);
  const all = (tables.pluck().all() as string[]).map((name) => [name, db.prepare(`select * from ${name}`).all()]);
  db.close();
  return Object.fromEntries(all) as Record<string, Row[]>;
}

/** What is made anew by an upgrade is not compared; of the columns, those that there were. */
const known = (rows: readonly Row[] | undefined, as: readonly Row[]): Row[] => {
  const columns = Object.keys(as[0] ?? {}).filter((name) => name !== 'checksum' && name !== 'machine');
  return (rows ?? []).map((row) => Object.fromEntries(columns.map((name) => [name, row[name]])));
};
const sorted = (rows: readonly Row[]) => rows.map((row) => JSON.stringify(row)).toSorted();

/** Versions in the past, of all tables: the checkpoint of the golden store has few, so some are put there. */
function withPast(path: string): void {
  const db = new Database(path);
  for (const table of ['actors', 'timers', 'actions', 'steps']) {
    const columns = (db.prepare('select name from pragma_table_info(?)').pluck().all(table) as string[]).join(', ');
    for (const to of [3, 4, 1_000]) {
      db.exec(
        `insert into ${table}_past(${columns}, to_turn) select ${columns}, ${to} from ${table} where from_turn < ${to}`,
      );
    }
  }
  db.exec(`insert into commands(id, at, actor, event) values ('waits', 1, '', '{"type":"pick"}')`);
  db.exec(`create table their_past(x); insert into their_past values (1)`);
  db.close();
}

test.each(['schema-1.db', 'schema-2.db', 'schema-3.db'])(
  'takes every row of %s along, also those of the past and of subsystems, under checksums that hold',
  (name) => {
    const path = copy(name);
    withPast(path);
    const before = contents(path);
    Store.open(path, { newId: () => 'unused' }).close();
    const after = contents(path);
    expect(Object.keys(after).filter((table) => table.endsWith('_past'))).toEqual(
      expect.arrayContaining(['their_past']),
    );
    for (const [table, rows] of Object.entries(before)) {
      if (table === 'meta') continue;
      expect([table, sorted(known(after[table], rows))]).toEqual([table, sorted(known(rows, rows))]);
    }
    const actors = [...(after['actors'] ?? []), ...(after['actors_past'] ?? [])] as unknown as ActorRow[];
    expect(actors.length).toBeGreaterThan(14);
    expect(actors.filter((row) => verify(row) === undefined)).toEqual([]);
    expect(examine(path).findings).toEqual([]);
  },
);

test('a row that was damaged before is damaged after', () => {
  const path = copy();
  const db = new Database(path);
  db.exec(
    `drop trigger actors_keep_changed; update actors set attempt = 1, snapshot = snapshot || ' ' where key = 'book'`,
  );
  db.exec(`create trigger actors_keep_changed before update on actors when 0 begin select 1; end`);
  db.close();
  Store.open(path).close();
  expect(examine(path).findings.map(({ code }) => code)).toEqual(['ROW_DAMAGED']);
});

test.each(['schema-1.db', 'schema-2.db', 'schema-3.db'])(
  'what is upgraded from %s has the schema of a new store',
  (name) => {
    const path = copy(name);
    const fresh = join(tempFolder(), 'new.db');
    for (const one of [path, fresh]) Store.open(one).close();
    const shape = (file: string) => {
      const db = new Database(file, { readonly: true });
      const triggers = db.prepare(`select name, sql from sqlite_schema where type = 'trigger'`).all() as Row[];
      const tables = db.prepare(`select name from sqlite_schema where type = 'table'`).pluck().all() as string[];
      const columns = tables.map((name) => [name, db.pragma(`table_info(${name})`)]);
      db.close();
      return { columns: Object.fromEntries(columns) as Record<string, unknown>, triggers: sorted(triggers) };
    };
    const [upgraded, created] = [shape(path), shape(fresh)];
    for (const [name, columns] of Object.entries(created.columns)) {
      if (name !== 'meta') expect([name, upgraded.columns[name]]).toEqual([name, columns]);
    }
    expect(upgraded.triggers).toEqual(expect.arrayContaining(created.triggers));
  },
);

describe('an upgrade that ends in the middle leaves the old store, which is upgraded the next time:', () => {
  /** Calls `at` before every statement of an upgrade, with its number. */
  function upgradeWith(path: string, at: (statement: number) => void): void {
    const db = new Database(path);
    let statement = 0;
    const counted = new Proxy(db, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (name === 'exec' || name === 'prepare' || name === 'pragma') at((statement += 1));
        return value.bind(target) as unknown;
      },
    });
    try {
      upgrade(counted);
    } finally {
      db.close();
    }
  }

  test('by a fault before any of its statements', () => {
    let statements = 0;
    upgradeWith(copy(), (statement) => (statements = statement));
    expect(statements).toBeGreaterThan(30);
    for (let broken = 1; broken <= statements; broken++) {
      const path = copy();
      const before = contents(path);
      const fail = (statement: number) => {
        if (statement === broken) throw new Error('the disk is gone');
      };
      expect(() => upgradeWith(path, fail)).toThrow('the disk is gone');
      expect(contents(path)).toEqual(before);
      if (broken % 10 === 0) {
        Store.open(path).close();
        expect(examine(path)).toMatchObject({ schema: SCHEMA_VERSION, findings: [] });
      }
    }
  });

  test.each([5, 15, 25, 35])('by kill -9 before statement %i', (statement) => {
    const path = copy();
    const before = contents(path);
    const program = join(import.meta.dirname, 'killed-upgrade.mjs');
    expect(spawnSync(process.execPath, [program, path, String(statement)]).signal).toBe('SIGKILL');
    expect(contents(path)).toEqual(before);
    Store.open(path).close();
    expect(examine(path)).toMatchObject({ schema: SCHEMA_VERSION, findings: [] });
  });
});

test('an effect that had ended has no attempt any more, so it wakes no tree; one that runs keeps its own', () => {
  const path = copy();
  const attempts = () =>
    contents(path)['actors']?.map(({ key, attempt, snapshot }) => ({
      key,
      attempt,
      status: (JSON.parse(snapshot as string) as { status: unknown }).status,
    }));
  const db = new Database(path);
  // Schema 1 counted attempts of what ended, and its checksum does not cover them.
  db.function('perdure_turn', () => 0);
  db.exec(`update actors set attempt = 3 where key = 'book'`);
  db.close();
  const before = attempts();
  expect(before).toContainEqual({ key: 'book', attempt: 3, status: 'done' });
  const running = before?.filter(({ attempt, status }) => attempt !== 0 && status === 'active');
  expect(running).not.toEqual([]);
  Store.open(path).close();
  expect(attempts()?.filter(({ attempt }) => attempt !== 0)).toEqual(running);
  expect(examine(path).findings).toEqual([]);
});

test('a turn that an earlier build named can be gone back to', async () => {
  const path = copy('schema-2.db');
  const db = new Database(path, { readonly: true });
  const turn = db.prepare('select min(turn) from checkpoints').pluck().get() as number;
  db.close();
  const durable = await createDurableActor(orderMachine, { store: path, id: 'order-1', clock: new SimulatedClock() });
  const before = durable.getSnapshot().context.items.size;
  await durable.send({ type: 'add', name: 'cup', cents: 1, at: 0 });
  await durable.restore(turn, { tables: [] });
  expect(durable.getSnapshot().context.items.size).toBe(before);
  await durable.close();
  await forkStore(path, turn, `${path}-fork`);
  expect(examine(`${path}-fork`).findings).toEqual([]);
});
