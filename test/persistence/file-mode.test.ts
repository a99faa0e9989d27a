import Database from 'better-sqlite3';
import { chmodSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createPrivately, filesOpenToOthers } from '../../persistence/file-mode.ts';
import { tempFolder, tempStore } from '../support/temp.ts';

const umask = process.umask();
afterEach(() => void process.umask(umask));

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

/** A database in WAL mode with a row in its WAL. */
function create(path: string): Database.Database {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.exec('create table t(x); insert into t values (1)');
  return db;
}

test.each([0o022, 0o000])(
  'the database, its WAL, its shm and a lock are 0600 when they are made, under umask %o',
  (mask) => {
    process.umask(mask);
    const path = tempStore();
    const db = createPrivately(path, () => create(path));
    const lock = createPrivately(`${path}-lock`, () => new Database(`${path}-lock`));
    lock.exec('begin exclusive');
    expect(readdirSync(dirname(path)).map((name) => [name, modeOf(join(dirname(path), name))])).toEqual([
      ['work.db', '600'],
      ['work.db-lock', '600'],
      ['work.db-lock-journal', '600'],
      ['work.db-shm', '600'],
      ['work.db-wal', '600'],
    ]);
    expect(filesOpenToOthers(path)).toEqual([]);
    lock.close();
    db.close();
  },
);

test('a new file is private before anything is in it', () => {
  process.umask(0);
  const path = tempStore();
  createPrivately(path, () => expect([modeOf(path), statSync(path).size]).toEqual(['600', 0]));
});

test('the target of a symbolic link is private too, when it is made', () => {
  process.umask(0);
  const target = tempStore();
  const path = join(tempFolder(), 'link.db');
  symlinkSync(target, path);
  createPrivately(path, () => create(path)).close();
  expect(modeOf(target)).toBe('600');
});

test('an existing file is left as it is, and what others may read is told', () => {
  const path = tempStore();
  const db = createPrivately(path, () => create(path));
  chmodSync(path, 0o640);
  chmodSync(`${path}-wal`, 0o604);
  createPrivately(path, () => new Database(path)).close();
  expect(modeOf(path)).toBe('640');
  expect(filesOpenToOthers(path)).toEqual([
    { path, mode: 0o640 },
    { path: `${path}-wal`, mode: 0o604 },
  ]);
  db.close();
});

test.each(['', ':memory:'])('no file is made for the path %j, which SQLite keeps in memory', (path) => {
  const here = process.cwd();
  process.chdir(tempFolder());
  try {
    createPrivately(path, () => create(path)).close();
    expect(readdirSync('.')).toEqual([]);
  } finally {
    process.chdir(here);
  }
});

test('a folder that is missing is for whoever opens the file to tell, and nothing is left behind', () => {
  const path = join(tempFolder(), 'missing', 'work.db');
  const failure = new Error('no such folder');
  const open = () => {
    throw failure;
  };
  expect(() => createPrivately(path, open)).toThrow(failure);
  expect(readdirSync(dirname(dirname(path)))).toEqual([]);
});
