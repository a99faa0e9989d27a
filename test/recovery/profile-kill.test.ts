/** What was measured and told to be written survives SIGKILL at any moment, whole, and adds up over lives. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readProfile } from '../../actors/profile-tables.ts';
import { findingsOf } from '../../machines/profile-report.ts';
import { Store } from '../../persistence/store.ts';
import { tempStore } from '../support/temp.ts';

const WORKER = fileURLToPath(new URL('../../work/test-build/test/recovery/profile-worker.js', import.meta.url));

/** Kills a life `ms` after its first write; gives how many pairs it was told to have written. */
async function live(store: string, ms: number): Promise<number> {
  const child = spawn(process.execPath, [WORKER], {
    env: { ...process.env, STORE: store },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  await Promise.race([once(child.stdout, 'data'), closed]);
  setTimeout(() => child.kill('SIGKILL'), ms);
  const [, signal] = await closed;
  expect(signal).toBe('SIGKILL');
  // The last line may have been cut.
  return Number(told.split('\n').at(-2));
}

test('what was measured survives SIGKILL as far as it was told to be written, whole, and adds up over lives', async () => {
  const path = tempStore();
  let before = 0;
  for (let life = 1; life <= 10; life += 1) {
    const told = await live(path, 7 * life);
    expect(told).toBeGreaterThan(before);
    const store = Store.open(path);
    const { profile, damaged } = readProfile(store.rows, '');
    store.close();
    expect(damaged).toBe(0);
    const { operations } = findingsOf(profile, 1);
    const [outer, inner] = ['outer', 'inner'].map((name) => operations.find((one) => one.name === name)?.count ?? 0);
    expect(outer).toBe(inner);
    expect(outer).toBeGreaterThanOrEqual(told);
    expect((outer as number) % 100).toBe(0);
    before = outer as number;
  }
});
