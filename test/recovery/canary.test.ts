/** What lies on the disk after a kill, read by another process than the owner, which is dead. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';

const WORKER = fileURLToPath(new URL('../../work/test-build/test/recovery/canary-worker.js', import.meta.url));

function life(env: Record<string, string>): { signal: string | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [WORKER], { env: { ...process.env, ...env }, encoding: 'utf8' });
}

/** The files in which the canary is found, in any of the ways in which a text is usually written. */
function filesWith(folder: string, canary: string): string[] {
  const forms = [
    Buffer.from(canary),
    Buffer.from(canary, 'utf16le'),
    Buffer.from(canary.slice(0, -1)),
    Buffer.from(Buffer.from(canary).toString('hex')),
    Buffer.from(Buffer.from(canary).toString('base64').slice(0, -2)),
  ];
  return readdirSync(folder).filter((name) => {
    const bytes = readFileSync(join(folder, name));
    return forms.some((form) => bytes.includes(form));
  });
}

test('a secret in encrypted states, children, results, errors and delayed events is in none of the files after kill -9', () => {
  const canary = `canary-${randomBytes(12).toString('hex')}`;
  const key = randomBytes(32).toString('hex');
  const held = { input: canary, event: canary, result: `result ${canary}`, error: `error ${canary}` };

  const open = tempFolder();
  expect(life({ FOLDER: open, CANARY: canary }).signal).toBe('SIGKILL');
  expect(filesWith(open, canary), 'it is found where nothing is encrypted').toContain('work.db-wal');

  const sealed = tempFolder();
  const killed = life({ FOLDER: sealed, CANARY: canary, KEY: key });
  expect(killed.signal, killed.stderr).toBe('SIGKILL');
  expect(readdirSync(sealed)).toEqual(expect.arrayContaining(['work.db', 'work.db-wal']));
  expect(filesWith(sealed, canary)).toEqual([]);

  const again = life({ FOLDER: sealed, CANARY: 'another', KEY: key });
  expect(JSON.parse(again.stdout || again.stderr)).toEqual(held);
  expect(filesWith(sealed, canary)).toEqual([]);
  const stranger = life({ FOLDER: sealed, CANARY: 'another', KEY: randomBytes(32).toString('hex') });
  expect(stranger.stderr).toContain('ROW_CORRUPT');
  expect(life({ FOLDER: sealed, CANARY: 'another' }).stderr).toContain('KEY_UNKNOWN');
});
