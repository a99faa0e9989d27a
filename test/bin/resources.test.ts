/** `perdure resources`, as a process of its own, beside the one that is watched. */
import { beforeAll, expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { Cli } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

let cli: Cli;
beforeAll(() => {
  cli = Cli.compile();
}, 60_000);

const actions = { note: defineAction({ run: (n: number) => n }) };

test('what is left is printed with its level, also while the store is in use', async () => {
  const folder = tempFolder();
  const resources = { sampleMs: 100, limits: { heap: 1_000 } };
  await using supervisor = await spawnSupervisor({ store: `${folder}/work.db`, actions, concurrency: 8, resources });
  const isWritten = () =>
    supervisor.durable.store.rows.get<{ n: number }>('select count(*) as n from resource_samples')?.n;
  while (isWritten() === 0) await new Promise((resolve) => setTimeout(resolve, 100));

  const { stdout, code } = await cli.run(['resources'], { cwd: folder });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^resource +used +of +% +level +forecast\n/);
  expect(stdout).toMatch(/^heap +\d+\.\d MiB +1000 B +\d+\.\d +critical\b/m);
  expect(stdout).toMatch(/^shedding: [1-4] actions? at once$/m);

  const json = JSON.parse((await cli.run(['resources', 'work.db', '--json'], { cwd: folder })).stdout) as unknown;
  expect(json).toMatchObject({
    at: expect.any(Number) as number,
    admission: 'shedding',
    resources: expect.arrayContaining([
      expect.objectContaining({ name: 'heap', limit: 1_000, level: 'critical' }),
    ]) as unknown,
    score: { averted: expect.any(Number) as number },
  });
});

test('a store in which nothing was sampled says so', async () => {
  const folder = tempFolder();
  await (await spawnSupervisor({ store: `${folder}/work.db`, actions, resources: false })).close();
  const { stdout, code } = await cli.run(['resources'], { cwd: folder });
  expect([stdout, code]).toEqual([expect.stringMatching(/^nothing has been sampled in .*work\.db\n$/), 0]);
});

test('a store that is not there is not found', async () => {
  const { code, stderr } = await cli.run(['resources', 'none.db'], { cwd: tempFolder() });
  expect([code, stderr]).toEqual([3, expect.stringContaining('There is no store')]);
});
