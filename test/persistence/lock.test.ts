/** The lock beside the store: who has it, and what it remembers. */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { acquireLock, isLocked } from '../../persistence/lock.ts';
import { tempStore } from '../support/temp.ts';

/** What another process finds when it wants the lock, in the way in which an owner does. */
function tried(path: string): string {
  const program = `
    const db = new (require('better-sqlite3'))(process.argv[1] + '-lock', { timeout: 0 });
    try { db.pragma('locking_mode = EXCLUSIVE'); db.exec('begin exclusive'); console.log('free'); }
    catch (error) { console.log(error.code); }`;
  return execFileSync(process.execPath, ['-e', program, path], { encoding: 'utf8' }).trim();
}

test('a file in its place that is no lock is not taken for another owner', () => {
  const path = tempStore();
  writeFileSync(`${path}-lock`, 'not a database, and long enough to be asked for its header');
  expect(() => acquireLock(path)).toThrow(expect.objectContaining({ code: 'STORE_NOT_A_DATABASE' }));
  expect(() => isLocked(path)).toThrow(expect.objectContaining({ code: 'STORE_NOT_A_DATABASE' }));
});

test('remembers the newest epoch of its store from owner to owner, and is held meanwhile', () => {
  const path = tempStore();
  expect(isLocked(path)).toBe(false);
  for (const epoch of [5, 6, 1_000_000]) {
    const lock = acquireLock(path);
    const last = lock.epochOf('store');
    lock.remember('store', epoch);
    expect(tried(path)).toBe('SQLITE_BUSY');
    expect([last, lock.epochOf('store'), lock.epochOf('another')]).toEqual([
      epoch === 5 ? 0 : epoch === 6 ? 5 : 6,
      epoch,
      0,
    ]);
    lock.release();
    if (epoch === 5) expect(readdirSync(dirname(path))).toEqual(['work.db-lock']);
    expect(tried(path)).toBe('free');
  }
  expect(statSync(`${path}-lock`).size).toBe(512);
});
