/** Steering from a second terminal: events, retries, what was asked, and the inspector, while a process owns the store. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { assign, setup } from 'xstate';
import { defineAction } from '../../actors/actions.ts';
import { readAction } from '../../actors/ledger.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { Store } from '../../persistence/store.ts';
import { Cli, type CliProcess, type CliResult } from '../support/cli.ts';
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

const lamp = setup({
  types: {} as { context: { level: number }; events: { type: 'on' } | { type: 'dim'; by: number } },
}).createMachine({
  id: 'lamp',
  context: { level: 0 },
  initial: 'off',
  states: {
    off: { on: { on: 'lit' } },
    lit: { on: { dim: { actions: assign({ level: ({ context, event }) => context.level - event.by }) } } },
  },
});

test('an event is sent to any actor, and the audit tells who sent it and what came of it', async () => {
  const durable = await createDurableActor(lamp, { store: join(folder, 'home.db'), id: 'kitchen' });
  onTestFinished(() => durable.close());
  expect(await perdure('send', 'kitchen', 'on')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^send on to kitchen: applied in turn \d+\n$/),
  });
  expect((await perdure('send', '', '{"type":"dim","by":3}', '--tree', 'kitchen')).code).toBe(0);
  expect(durable.getSnapshot()).toMatchObject({ value: 'lit', context: { level: -3 } });
  expect((await perdure('send', 'kitchen', 'on')).stdout).toContain('no transition');
  expect(await perdure('send', 'kichen', 'on')).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/did you mean "kitchen"\? \[TREE_NOT_FOUND\]/),
  });
  const torn = await perdure('send', 'kitchen', '{"password":hunter22}');
  expect(torn).toMatchObject({ code: 2, stderr: expect.stringContaining('at line 1, column 13 it needs a value') });
  expect(torn.stderr).not.toContain('hunter22');
  expect((await perdure('audit')).stdout).toMatch(
    new RegExp(`cli:${userInfo().username} +send +kitchen +send on to kitchen: applied in turn`),
  );
  const entries = JSON.parse((await perdure('audit', 'home.db', '--json')).stdout) as { id: string }[];
  expect(entries).toMatchObject([
    { command: 'send', answer: expect.stringMatching(/^refused: .*\[TREE_NOT_FOUND\]$/) },
    { event: { type: 'on' } },
    { event: { type: 'dim', by: 3 }, tree: 'kitchen', actor: '' },
    { event: { type: 'on' } },
  ]);
  const [, second] = entries as [{ id: string }, { id: string }];
  const older = JSON.parse((await perdure('audit', '--json', '--limit', '1', '--before', second.id)).stdout) as unknown;
  expect(older).toMatchObject([{ event: { type: 'dim' } }]);
  expect((await perdure('audit', '--limit', '0')).code).toBe(2);
});

test('an action that backs off is retried now, one that is delayed runs now, and a failed run has another round', async () => {
  const state = { isBad: true };
  const flaky = defineAction({
    run: () => {
      if (state.isBad) throw new Error('bad');
      return 'good';
    },
    retry: { attempts: 3, delayMs: 3_600_000, capMs: 3_600_000 },
  });
  const once = { ...flaky, retry: { attempts: 1 } };
  const supervisor = await spawnSupervisor({ store: join(folder, 'work.db'), actions: { flaky, once } });
  onTestFinished(() => supervisor.close());
  const run = await supervisor.plan({ id: 'p:1', steps: [{ id: 'one', action: 'once' }] });
  expect((await run.outcome).kind).toBe('failed');
  const backing = await supervisor.submit('flaky', undefined as never, { id: 'b' });
  await until(() => readAction(supervisor.durable.store.rows, 'b')?.retry_at != null);
  state.isBad = false;
  expect((await perdure('retry', 'b')).stdout).toMatch(/^retry b: applied in turn/);
  expect(await backing.outcome).toMatchObject({ kind: 'recovered' });
  expect(await perdure('retry', 'b')).toMatchObject({ code: 1, stderr: expect.stringContaining('[ACTION_CONFLICT]') });
  expect((await perdure('retry', 'p:1')).code).toBe(0);
  expect((await supervisor.joinPlan('p:1').outcome).kind).toBe('ok');
  const late = await supervisor.submit('flaky', undefined as never, { id: 'late', delayMs: 3_600_000 });
  expect((await perdure('run-now', 'late')).stdout).toMatch(/^run-now late: applied in turn/);
  expect(await late.outcome).toMatchObject({ kind: 'ok' });
  expect(await perdure('run-now', 'latte')).toMatchObject({ code: 3, stderr: expect.stringContaining('"late"') });
});

describe('the inspector', () => {
  /** Its address, once it listens. */
  async function address({ child, result }: CliProcess): Promise<string> {
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await result;
    });
    for await (const chunk of child.stdout as AsyncIterable<string>) return chunk.trim();
    throw new Error((await result).stderr);
  }

  const ask = async (url: string, path: string, init: RequestInit = {}) => {
    const { origin, searchParams } = new URL(url);
    const authorization = `Bearer ${searchParams.get('token')}`;
    const headers = { authorization, origin, 'content-type': 'application/json' };
    const response = await fetch(`${origin}${path}`, { ...init, headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const body = JSON.stringify({ type: 'command', id: 'c1', command: 'send', params: { event: 'on' } });

  test('of a store is read-only, prints its address once, and ends well with SIGINT', async () => {
    const durable = await createDurableActor(lamp, { store: join(folder, 'home.db') });
    onTestFinished(() => durable.close());
    const process = cli.start(['inspect', '--port', '0'], { cwd: folder });
    const url = await address(process);
    expect(await ask(url, '/v1/hello')).toMatchObject({ status: 200, body: { capabilities: { commands: false } } });
    expect(await ask(url, '/v1/commands', { method: 'POST', body })).toMatchObject({ status: 403 });
    process.child.kill('SIGINT');
    expect(await process.result).toMatchObject({
      code: 0,
      stdout: `${url}\n`,
      stderr: expect.stringContaining('read-only'),
    });
  });

  test('with --commands obeys, and the audit says that it was asked over HTTP', async () => {
    const durable = await createDurableActor(lamp, { store: join(folder, 'home.db') });
    onTestFinished(() => durable.close());
    const url = await address(cli.start(['inspect', 'home.db', '--port', '0', '--commands'], { cwd: folder }));
    expect(await ask(url, '/v1/commands', { method: 'POST', body })).toMatchObject({ body: { state: 'applied' } });
    expect(durable.getSnapshot().value).toBe('lit');
    expect((await perdure('audit')).stdout).toMatch(/ http +send +main/);
  });

  test('commands the supervisor that it shows, although another was started in its store since', async () => {
    const store = Store.open(join(folder, 'work.db'));
    onTestFinished(() => store.close());
    const options = { store, actions: {}, resources: false } as const;
    const shown = await spawnSupervisor({ ...options, id: 'day' });
    const url = await address(cli.start(['inspect', 'work.db', '--port', '0', '--commands'], { cwd: folder }));
    const later = await spawnSupervisor({ ...options, id: 'night' });
    const pause = JSON.stringify({ type: 'command', id: 'c1', command: 'pause', params: {} });
    expect(await ask(url, '/v1/commands', { method: 'POST', body: pause })).toMatchObject({
      body: { state: 'applied' },
    });
    expect(await ask(url, '/v1/views/overview')).toMatchObject({ body: { state: 'paused' } });
    expect([shown, later].map(({ durable }) => durable.getSnapshot().value)).toEqual(['paused', 'running']);
  });

  test('of what is no store, and of a port that is taken, is refused', async () => {
    writeFileSync(join(folder, 'history.ndjson'), '{"type":"nonsense"}\n');
    expect(await perdure('inspect', 'history.ndjson')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('[EXPORT_INVALID]'),
    });
    expect(await perdure('inspect', 'history.ndjson', '--commands')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('leave --commands out'),
    });
    expect(await perdure('inspect', 'history.ndjson', '--machines', 'machines.mjs')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('leave --machines out'),
    });
    expect(await perdure('inspect', 'nowhere.db')).toMatchObject({ code: 3 });
    expect(await perdure('inspect', '--port', '99999')).toMatchObject({ code: 2 });
  });

  test('of a run that goes on is served beside it, on stderr, and ends with it', async () => {
    const step = { id: 'one', run: 'while [ ! -e go ]; do sleep 0.05; done' };
    writeFileSync(join(folder, 'plan.json'), JSON.stringify({ name: 'nightly', steps: [step] }));
    expect(await perdure('run', 'plan.json', '--commands')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('give --inspect with it'),
    });
    const token = 'given-by-the-environment-0123';
    const env = { PERDURE_INSPECTOR_TOKEN: token };
    const run = cli.start(['run', 'plan.json', '--inspect', '0', '--commands'], { cwd: folder, env });
    onTestFinished(() => void run.child.kill('SIGKILL'));
    let said = '';
    run.child.stderr?.on('data', (text: string) => (said += text));
    await run.says('▸ one started');
    const [, url] = /^inspector: (\S+)$/m.exec(said) as unknown as [string, string];
    expect(new URL(url).searchParams.get('token')).toBe(token);
    expect(await ask(url, '/v1/hello')).toMatchObject({ body: { capabilities: { live: true, supervisor: true } } });
    const cancel = JSON.stringify({ type: 'command', id: 'c1', command: 'cancel', params: { id: 'nightly:1' } });
    expect(await ask(url, '/v1/commands', { method: 'POST', body: cancel })).toMatchObject({
      body: { state: 'applied' },
    });
    expect((await run.result).code).toBe(1);
  });
});
