/** The package as it is published, without its declarations: what runs is what `bundle.mjs` makes of the sources. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Bundles into a folder of its own, inside the repository so that packages are found, and removes it after the test file. */
export function bundle(): string {
  const builds = join(ROOT, 'work', 'test-build');
  mkdirSync(builds, { recursive: true });
  const folder = mkdtempSync(join(builds, 'package-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'bundle.mjs'), folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`expected a bundle in ${folder}, but it said: ${stderr}`);
  return folder;
}
