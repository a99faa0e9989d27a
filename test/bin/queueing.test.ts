/** Queues, schedules and dead letters from a second terminal: while a process owns the store, and while none does. */
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/turns.ts';

let cli: Cli;
let folder: string;
beforeAll(() => {
  cli = Cli.compile();
}, 60_000);
beforeEach(() => {
  folder = tempFolder();
});

const perdure = (...args: string[]): Promise<CliResult> => cli.run(args, { cwd: folder });
const mood = { isBad: true };
const report = defineAction({
  run: (n: number) => {
    if (mood.isBad) throw new Error(`no report ${n}`);
    return n;
  },
  retry: { attempts: 1 },
});

async function open() {
  const supervisor = await spawnSupervisor({ store: join(folder, 'work.db'), actions: { report } });
  onTestFinished(() => supervisor.close());
  return supervisor;
}

const yearly = { id: 'yearly', action: 'report', input: 7, cron: '0 0 1 1 *' } as const;

test('schedules are listed, paused, resumed and triggered', async () => {
  mood.isBad = false;
  const supervisor = await open();
  await supervisor.schedules.put(yearly);
  expect((await perdure('schedule')).stdout).toMatch(
    /yearly +report +0 0 1 1 \* \(UTC\) +active +\d{4}-01-01T00:00:00.000Z/,
  );
  expect(await perdure('schedule', 'pause', 'yearly')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^pause yearly: applied in turn \d+\n$/),
  });
  expect(supervisor.schedules.list()[0]?.state).toBe('paused');
  const { stdout } = await perdure('schedule', 'trigger', 'yearly');
  const [, id] = /^trigger (yearly@.*): applied in turn/.exec(stdout) as unknown as [string, string];
  await until(() => supervisor.stats().outcomes.ok === 1);
  expect(supervisor.schedules.list()[0]?.lastAction).toBe(id);
  await perdure('schedule', 'resume', 'yearly');
  expect(JSON.parse((await perdure('schedule', 'ls', '--json')).stdout)).toMatchObject([
    { id: 'yearly', state: 'active' },
  ]);
});

test('what has failed is listed, queued again and put away, and a request waits for the next owner', async () => {
  mood.isBad = true;
  const first = await open();
  for (const n of [1, 2, 3]) await first.execute('report', n, { id: `r${n}` });
  expect((await perdure('dead')).stdout).toMatch(/r1 +report +1 +1 +\S+Z +no report 1\n/);
  expect((await perdure('dead', 'ls', '--limit', '2')).stdout).toContain("more: perdure dead ls --after 'r2'");
  expect(await perdure('dead', 'discard', 'r3')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^discard r3: applied in turn/),
  });
  await first.close();
  mood.isBad = false;
  expect((await perdure('dead', 'requeue', 'r1', 'r2')).stdout).toContain('the request waits for the next start');
  const second = await open();
  await until(() => second.stats().outcomes.ok === 2);
  expect(JSON.parse((await perdure('dead', 'ls', '--json')).stdout)).toEqual([]);
  expect(await perdure('dead', 'requeue', 'r1')).toMatchObject({
    code: 3,
    stderr: 'perdure: There is no dead letter "r1": the action is ok. [DEAD_LETTER_NOT_FOUND]\n',
  });
});

test('queues are listed with what waits in each', async () => {
  const supervisor = await spawnSupervisor({
    store: join(folder, 'work.db'),
    actions: { report },
    queues: { mail: {} },
  });
  onTestFinished(() => supervisor.close());
  expect((await perdure('queue')).stdout).toContain('nothing waits or runs in');
  await supervisor.pause();
  for (const n of [1, 2]) await supervisor.submit('report', n, { queue: 'mail' });
  await supervisor.submit('report', 3);
  expect(JSON.parse((await perdure('queue', 'ls', '--json')).stdout)).toMatchObject([
    { name: 'default', waiting: 1, running: 0, isPaused: false },
    { name: 'mail', waiting: 2, running: 0, isPaused: false },
  ]);
  expect((await perdure('queue')).stdout).toMatch(/queue +waiting +delayed[^]*mail +2 +0/);
});

test('a queue is paused and resumed, by its owner or at the next start', async () => {
  const options = { store: join(folder, 'work.db'), actions: { report }, queues: { mail: {} } };
  const first = await spawnSupervisor(options);
  onTestFinished(() => first.close());
  expect(await perdure('queue', 'pause', 'mail')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^pause mail: applied in turn \d+\n$/),
  });
  expect((await perdure('queue')).stdout).toMatch(/mail .* paused\n/);
  await first.close();
  expect((await perdure('queue', 'resume', 'mail')).stdout).toContain('the request waits for the next start');
  const second = await spawnSupervisor(options);
  onTestFinished(() => second.close());
  await until(() => second.queues.list().every(({ isPaused }) => !isPaused));
  expect(await perdure('queue', 'pause', 'mial')).toMatchObject({
    code: 3,
    stderr: 'perdure: There is no queue "mial" (did you mean "mail"?); there are: default, mail. [QUEUE_NOT_FOUND]\n',
  });
});

test('what there is not is said, also of a store that never had any', async () => {
  await open();
  expect((await perdure('schedule')).stdout).toContain('no schedules in');
  expect((await perdure('dead')).stdout).toContain('no dead letters in');
  expect(await perdure('schedule', 'pause', 'nightly')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('There is no schedule "nightly"'),
  });
  expect((await perdure('dead', 'ls', '--limit', '0')).code).toBe(2);
});

test('show tells by when an action is due, that it is at risk, and that it was ranked anew', async () => {
  const supervisor = await open();
  await supervisor.pause();
  const told = new Promise((resolve) => supervisor.on('action.atRisk', resolve));
  const { outcome } = await supervisor.submit('report', 1, { id: 'due', dueAt: Date.now() + 60_000 });
  outcome.catch(() => {});
  await supervisor.reprioritise('due', { dueAt: Date.now() + 500 });
  await told;
  expect((await perdure('show', 'due')).stdout).toMatch(
    /\n {2}due +\d{4}-.*Z, (at risk|late)\n {2}ranked +anew: request\n/,
  );
});
