/** Where time went, as people ask for it from a second terminal. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { Store } from '../../persistence/store.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

let cli: Cli;
let folder: string;
beforeAll(() => {
  cli = Cli.compile();
}, 60_000);
beforeEach(() => {
  folder = tempFolder();
});

const perdure = (...args: string[]): Promise<CliResult> => cli.run(args, { cwd: folder });

function written(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>;
}

test('what a run of a plan took is told when it has ended, by its name or its id, also in the formats of other tools', async () => {
  const steps = [
    { id: 'quick', run: 'true' },
    { id: 'long', run: 'sleep 0.3', after: 'quick' },
  ];
  writeFileSync(join(folder, 'plan.json'), JSON.stringify({ name: 'nightly', steps }));
  expect((await perdure('run', 'plan.json')).code).toBe(0);
  const files = ['--cpuprofile', 'p.cpuprofile', '--trace', 't.json', '--flame', 'f.json'];
  const { code, stdout } = await perdure('profile', '--plan', 'nightly', ...files);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^run nightly:1, since \S+Z: \d+ spans, /);
  expect(stdout).toMatch(/hot paths\n +\d+ % {2}long > attempt\n/);
  expect(stdout).toMatch(/look at first\n {2}1\. long: on the critical path: \d\d\d ms, .* times as fast\n/);
  expect(stdout).toContain('critical path: quick');
  expect(stdout).toContain('nothing is slower than before, compared with 0 earlier runs');
  const { nodes } = written('p.cpuprofile') as { nodes: { callFrame: { functionName: string } }[] };
  expect(nodes.map(({ callFrame }) => callFrame.functionName)).toEqual(expect.arrayContaining(['long', 'attempt']));
  const { traceEvents } = written('t.json') as { traceEvents: { name: string }[] };
  expect(traceEvents.map(({ name }) => name)).toContain('nightly/long');
  expect(written('f.json')).toMatchObject({ name: 'all', value: expect.any(Number), children: expect.any(Array) });

  const all = JSON.parse((await perdure('profile', 'plan.db', '--json')).stdout) as Record<string, unknown>;
  expect(all).toMatchObject({ spans: expect.any(Number), dropped: 0, overhead: { ms: expect.any(Number) } });
  expect(all['plan']).toBeUndefined();
  expect((await perdure('profile')).stdout).toMatch(/measured for .*; that took \d.* %/);
  const byId = JSON.parse((await perdure('profile', '--plan', 'nightly:1', '--json')).stdout) as Record<
    string,
    unknown
  >;
  expect(byId['plan']).toMatchObject({ id: 'nightly:1', name: 'nightly', regressions: [] });
});

test('at its end a run says where its own time went, and nothing when that was not measured', async () => {
  const plan = (name: string, seconds: number) => {
    writeFileSync(
      join(folder, `${name}.json`),
      JSON.stringify({ name, steps: [{ id: name, run: `sleep ${seconds}` }] }),
    );
    return perdure('run', `${name}.json`, '--store', 'work.db');
  };
  expect((await plan('long', 0.4)).stdout).toMatch(
    /most time went into long: attempt 100 %.*perdure profile --plan long:1/,
  );
  const { stdout } = await plan('short', 0.1);
  expect(stdout).toMatch(/most time went into short: attempt 100 %/);
  expect(stdout).not.toContain('long: attempt');
  await perdure('profile', 'work.db', '--mode', 'off');
  expect((await plan('unseen', 0.1)).stdout).not.toContain('perdure profile');
});

test('how much is measured is changed while the store is in use, and for the next start', async () => {
  const store = join(folder, 'work.db');
  const actions = { nap: defineAction({ run: () => {} }) };
  const first = await spawnSupervisor({ store, actions });
  onTestFinished(() => first.close());
  expect(await perdure('profile', '--mode', 'full')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^profiler full: applied in turn \d+\n$/),
  });
  expect(first.profiler.currentMode).toBe('full');
  await first.close();
  expect((await perdure('profile', '--mode', 'off')).stdout).toContain('the request waits for the next start');
  expect((await perdure('profile', '--mode', 'loud')).code).toBe(2);
  expect(await perdure('profile', '--mode', 'full', '--json')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--mode.*cannot be used with.*--json/),
  });
});

test('a store or a run of which nothing was measured, and a file that cannot be written, are refused', async () => {
  Store.open(join(folder, 'work.db')).close();
  expect(await perdure('profile')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('Nothing was ever measured in '),
  });
  const supervisor = await spawnSupervisor({
    store: join(folder, 'work.db'),
    actions: { nap: defineAction({ run: () => {} }) },
  });
  await supervisor.execute('nap', undefined as never);
  await supervisor.close();
  expect((await perdure('profile', '--plan', 'nightly')).code).toBe(3);
  expect(await perdure('profile', '--trace', 'nowhere/t.json')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('nowhere/t.json cannot be written'),
  });
  expect((await perdure('profile')).stdout).toMatch(/operation +calls[^]*nap: attempt/);
});
