import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readStore, storeOf } from '../../bin/store-reader.ts';
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

test('a store that can be read is meant before those that cannot, and files of other programs never are', () => {
  const folder = tempFolder();
  unreadable(folder, 'a.db');
  writeFileSync(join(folder, 'b.db'), 'x'.repeat(1_000));
  const path = join(folder, 'c.db');
  Store.open(path).close();
  expect(storeOf(undefined, folder)).toBe(path);
});
