import Database from 'better-sqlite3';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { storeOf } from '../../bin/named-store.ts';
import { readStore } from '../../persistence/store-reader.ts';
import { Store } from '../../persistence/store.ts';
import { tempFolder } from '../support/temp.ts';

/** A store that SQLite cannot open, as in a folder that cannot be written, but for root too. */
function unreadable(folder: string, name: string): string {
  const path = join(folder, name);
  Store.open(path).close();
  mkdirSync(`${path}-wal`);
  return path;
}

test('a store that cannot be read is not said to be missing: reading it says why', () => {
  const folder = tempFolder();
  const path = unreadable(folder, 'r.db');
  expect(storeOf(undefined, folder)).toBe(path);
  expect(() => readStore(path, () => true)).toThrow(/r\.db cannot be opened/);
});

test('a folder that is named stands for the only store in it, and of several each is said', () => {
  const folder = tempFolder();
  const path = join(folder, 'a.db');
  Store.open(path).close();
  expect(storeOf(folder)).toBe(path);
  Store.open(join(folder, 'b.db')).close();
  expect(() => storeOf(folder)).toThrow('there are several (a.db, b.db): name its file');
});

test('a store that can be read is meant before those that cannot, and files of other programs never are', () => {
  const folder = tempFolder();
  unreadable(folder, 'a.db');
  writeFileSync(join(folder, 'b.db'), 'x'.repeat(1_000));
  const path = join(folder, 'c.db');
  Store.open(path).close();
  expect(storeOf(undefined, folder)).toBe(path);
});

test('a store whose first opening was killed is none yet, and not another program’s', () => {
  const path = join(tempFolder(), 'new.db');
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.close();
  expect(() => readStore(path, () => true)).toThrow(expect.objectContaining({ code: 'STORE_UNOPENABLE' }));
  Store.open(path).close();
  expect(readStore(path, () => true)).toBe(true);
});
