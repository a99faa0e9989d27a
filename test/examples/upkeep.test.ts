import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readPlanFile } from '../../bin/plan-file.ts';
import { Cli } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

let cli: Cli;
beforeAll(() => {
  cli = Cli.compile();
}, 60_000);

test("the repository's upkeep, but for its unit tests, makes a checked package and measures its speed-up; run again, it leaves out what is unchanged", async () => {
  const store = join(tempFolder(), 'upkeep.db');
  const args = ['run', 'examples/upkeep-without-tests.yaml', '--store', store, '--json'];
  const { code, stdout, stderr } = await cli.run(args, { cwd: resolve('.') });
  expect(code, stderr).toBe(0);
  const report = JSON.parse(stdout) as { speedUp: number; atOnce: number; steps: { id: string; kind: string }[] };
  expect(Object.fromEntries(report.steps.map(({ id, kind }) => [id, kind]))).toMatchObject({
    'fails-at-first': 'recovered',
    'package/check-tarball': 'ok',
    'files/hash[0]': 'ok',
    'files/compress': 'ok',
    inventory: 'ok',
    publish: 'ok',
    'mirror-package': 'degraded',
    'mirror-checksums': 'degraded',
  });
  expect(stderr).toContain('? publish asks: Publish the package for everyone (only pretends to)');
  expect(stderr).toContain('? publish approved by silence');
  expect(stderr).toContain('⚡ component mirror: its circuit is open, fallbacks stand in');
  expect(stderr).toMatch(/⚖ error budget, \d+ % spent, is slowBurn/);
  expect(report.atOnce).toBeGreaterThan(1);
  const inventory = JSON.parse(readFileSync('work/upkeep-without-tests/inventory.json', 'utf8')) as {
    files: { folders: string[]; compress: { folder: string; before: number; after: number }[] };
  };
  expect(inventory.files.compress.map(({ folder }) => folder)).toEqual(inventory.files.folders);
  expect(inventory.files.compress.every(({ before, after }) => after < before)).toBe(true);
  expect(stdout).toContain('"criticalPath"');

  const again = await cli.run([...args, '--changed'], { cwd: resolve('.') });
  expect(again.code, again.stderr).toBe(0);
  const { summary } = JSON.parse(again.stdout) as { summary: { unchanged: string[] } };
  expect(summary.unchanged.filter((id) => !id.startsWith('files/'))).toEqual([
    'check/type-check',
    'check/lint',
    'package/build',
    'package/pack',
  ]);
  expect(summary.unchanged).toContain('files/compress[0]');
}, 120_000);

test('the two plans of the upkeep differ by the unit tests alone', () => {
  const [whole, part] = ['upkeep', 'upkeep-without-tests'].map((name) => readPlanFile(`examples/${name}.yaml`));
  const ids = (plan: typeof whole) => plan?.steps.map(({ id }) => id);
  expect(ids(whole)?.filter((id) => !id.startsWith('check/unit-tests/'))).toEqual(ids(part));
});
