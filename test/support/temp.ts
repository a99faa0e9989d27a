import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const folders: string[] = [];

/** A new empty folder, removed after the test file. */
export function tempFolder(under = tmpdir()): string {
  const folder = mkdtempSync(join(under, 'perdure-test-'));
  folders.push(folder);
  return folder;
}

/** The path of a store that does not exist yet. */
export function tempStore(): string {
  return join(tempFolder(), 'work.db');
}

/** The same where there is no disk to wait for: for properties that open a store a thousand times. */
export function quickStore(): string {
  return join(tempFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir()), 'work.db');
}

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
