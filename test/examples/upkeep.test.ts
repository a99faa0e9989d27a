import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readPlanFile } from '../../bin/plan-file.ts';
import { Cli } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

let cli: Cli;
beforeAll(() => {
  cli = Cli.compile();
}, 60_000);

test("the repository's upkeep, but for its unit tests, makes a checked package and measures its speed-up", async () => {
  const store = join(tempFolder(), 'upkeep.db');
  const args = ['run', 'examples/upkeep-without-tests.yaml', '--store', store, '--json'];
  const { code, stdout, stderr } = await cli.run(args, { cwd: resolve('.') });
  expect(code, stderr).toBe(0);
  const report = JSON.parse(stdout) as { speedUp: number; atOnce: number; steps: { id: string; kind: string }[] };
  expect(Object.fromEntries(report.steps.map(({ id, kind }) => [id, kind]))).toMatchObject({
    'fails-at-first': 'recovered',
    'check-tarball': 'ok',
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
  const inventory = resolve('work/upkeep-without-tests/inventory.json');
  expect(existsSync(inventory) && Object.keys(JSON.parse(readFileSync(inventory, 'utf8')) as object)).toContain(
    'hash-actors',
  );
}, 120_000);

test('the two plans of the upkeep differ by the unit tests alone', () => {
  const [whole, part] = ['upkeep', 'upkeep-without-tests'].map((name) => readPlanFile(`examples/${name}.yaml`));
  const ids = (plan: typeof whole) => plan?.steps.map(({ id }) => id);
  expect(ids(whole)?.filter((id) => !id.startsWith('test-'))).toEqual(ids(part));
});
