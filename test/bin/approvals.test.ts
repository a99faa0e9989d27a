/** Approvals as people have them: a run in one process, whoever decides in another, and kills in between. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { Cli, type CliProcess, type CliResult } from '../support/cli.ts';
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
const started = (...args: string[]): CliProcess => cli.start(args, { cwd: folder });

const DEPLOY = {
  id: 'deploy',
  run: 'echo deployed >> log',
  impact: 'critical',
  reversible: false,
  summary: 'Deploy to production',
};

function writePlan(steps: readonly object[], rest: object = {}): void {
  writeFileSync(join(folder, 'plan.json'), JSON.stringify({ name: 'nightly', steps, ...rest }));
}

function logged(): string {
  const file = join(folder, 'log');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

test('a step that asks is approved from a second terminal, by the very command that its run prints', async () => {
  writePlan([
    { ...DEPLOY, approval: { silence: 'deny', after: '1h' } },
    { id: 'after', run: 'true', after: 'deploy' },
  ]);
  const run = started('run', 'plan.json');
  await run.says(
    '? deploy asks: Deploy to production (goes well with 0.10 (impact -1.5, reversibility -0.7); undo: none)',
  );
  await run.says('; denied in ');
  await run.says('    perdure approve nightly:1/deploy --store plan.db');
  const listed = JSON.parse((await perdure('approvals', '--json')).stdout) as object[];
  expect(listed).toMatchObject([
    {
      id: 'nightly:1/deploy?1',
      action: 'nightly:1/deploy',
      name: 'nightly/deploy',
      summary: 'Deploy to production',
      risk: { band: 'ask', factors: { impact: -1.5, reversibility: -0.7 } },
      undo: null,
      onSilence: 'deny',
      state: 'open',
    },
  ]);
  const table = (await perdure('approvals', 'plan.db')).stdout;
  expect(table).toMatch(
    /nightly:1\/deploy\?1 {2}nightly\/deploy {2}Deploy to production {2}goes well with 0\.10 .* none .*denied in /,
  );
  expect((await perdure('ls')).stdout).toMatch(
    /1 asking, 1 waiting[\s\S]*waiting for an approval: 1, see `perdure approvals`/,
  );
  expect((await perdure('show', 'nightly:1/deploy')).stdout).toMatch(
    /state {5}asking\n {2}asks {6}Deploy to production/,
  );
  const approved = await perdure(
    'approve',
    'nightly:1/deploy',
    '--store',
    'plan.db',
    '--by',
    'ann',
    '--note',
    'seen it',
  );
  expect(approved).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^approve nightly:1\/deploy\?1 by ann: applied/) as string,
  });
  const { code, stdout, stderr } = await run.result;
  expect({ code, stderr }).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('? deploy approved by ann: seen it') as string,
  });
  expect(stdout).toMatch(/deploy +ok +monitored/);
  expect(logged()).toBe('deployed\n');
  expect((await perdure('approvals')).stdout).toContain('waits for an approval');
});

test('an approval outlives kill -9: the answer is left while nobody owns the store, and the next start goes on with it', async () => {
  writePlan([DEPLOY]);
  const first = started('run', 'plan.json');
  await first.says('? deploy asks');
  first.child.kill('SIGKILL');
  await first.result;
  const second = started('run', 'plan.json');
  await second.says('1 waiting for an approval');
  await second.says('    perdure deny nightly:1/deploy');
  second.child.kill('SIGKILL');
  await second.result;
  expect(await perdure('approve', 'nightly:1/deploy?1', '--by', 'ann')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('the request waits for the next start') as string,
  });
  expect((await perdure('approvals')).stdout).toContain('approve by ann waits for the next start');
  expect(await perdure('deny', 'nightly:1/deploy', '--by', 'bob')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/approve by ann.*\[APPROVAL_DECIDED\]/) as string,
  });
  expect(logged()).toBe('');
  expect(await perdure('run', 'plan.json')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('? deploy approved by ann') as string,
  });
  expect(logged()).toBe('deployed\n');
});

test('a step that is denied has run nothing, and what depends on it is skipped', async () => {
  writePlan([DEPLOY, { id: 'after', run: 'echo after >> log', after: 'deploy' }], { policy: 'skip-dependants' });
  const run = started('run', 'plan.json');
  await run.says('? deploy asks');
  expect((await perdure('deny', 'nightly:1/deploy', '--by', 'bob', '--note', 'not on a Friday')).code).toBe(0);
  const { code, stdout } = await run.result;
  expect(code).toBe(1);
  expect(stdout).toMatch(/1 denied, 1 skipped[\s\S]*denied by bob: not on a Friday/);
  expect(logged()).toBe('');
  expect(await perdure('approve', 'nightly:1/deploy')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /"nightly:1\/deploy\?1" is denied already, since .* by bob: see `perdure show/,
    ) as string,
  });
  const retried = started('run', 'plan.json', '--retry');
  await retried.says(`perdure approve 'nightly:1/deploy#2' --store plan.db`);
  expect((await perdure('approve', 'nightly:1/deploy', '--store', 'plan.db')).code).toBe(0);
  expect((await retried.result).code).toBe(0);
  expect(logged()).toBe('deployed\nafter\n');
});

test('silence decides as the plan says', async () => {
  writePlan(
    [
      { ...DEPLOY, approval: { silence: 'approve', after: '300ms' } },
      { ...DEPLOY, id: 'never', run: 'echo never >> log', approval: { silence: 'deny', after: '300ms' } },
    ],
    { policy: 'continue' },
  );
  const { stdout, stderr } = await perdure('run', 'plan.json');
  expect(stderr).toContain('? deploy approved by silence');
  expect(stderr).toContain('? never denied by silence');
  expect(stdout).toContain('1 ok, 1 denied');
  expect(logged()).toBe('deployed\n');
});

test('an answer to nobody is refused: an unknown id, an empty name, a store without approvals', async () => {
  writePlan([{ id: 'one', run: 'true' }]);
  await perdure('run', 'plan.json');
  expect(await perdure('approve', 'nightly:1/one')).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/"nightly:1\/one".*see `perdure approvals`.*\[APPROVAL_NOT_FOUND\]/) as string,
  });
  expect((await perdure('approve', 'nightly:1/one', '--by', ' ')).code).toBe(2);
  expect((await perdure('approvals')).stdout).toMatch(/^nothing in .*plan\.db waits for an approval\n$/);
  expect(await perdure('approvals', 'none.db')).toMatchObject({ code: 3 });
});

test('an approval is answered by what the list calls it, or by the step alone, when only one is meant', async () => {
  writePlan([DEPLOY, { ...DEPLOY, id: 'publish', run: 'echo published >> log' }], { concurrency: 2 });
  const run = started('run', 'plan.json');
  await run.says('? deploy asks');
  await run.says('? publish asks');
  expect(await perdure('approve', 'nightly/deploy', '--note', 'x'.repeat(2_001))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('up to 2000 characters, got 2001') as string,
  });
  expect((await perdure('approve', 'nightly/deploy', '--by', 'x'.repeat(101))).code).toBe(2);
  expect(await perdure('approve', 'nightly/nothing')).toMatchObject({ code: 3 });
  expect((await perdure('approve', 'nightly/deploy', '--note', 'x'.repeat(2_000))).code).toBe(0);
  expect((await perdure('approve', 'publish')).code).toBe(0);
  expect((await run.result).code).toBe(0);
  expect(logged().split('\n').toSorted()).toEqual(['', 'deployed', 'published']);
});

test('a name that several open approvals have is refused with their ids, and nothing is decided', async () => {
  const store = join(folder, 'work.db');
  const risky = defineAction({ run: () => 1, impact: 'critical', reversible: false });
  const supervisor = await spawnSupervisor({ store, actions: { risky } });
  for (const id of ['a', 'b']) await supervisor.submit('risky', undefined as never, { id });
  await vi.waitFor(() => expect(supervisor.approvals()).toHaveLength(2));
  await supervisor.close();
  expect(await perdure('approve', 'risky')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('"risky" could mean 2 open approvals: give one of a?1, b?1.') as string,
  });
  expect((await perdure('approve', 'a')).code).toBe(0);
});
