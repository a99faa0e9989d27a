/** A plan whose parts fail, as its users see it: worked around, undone, told, and within a budget. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
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

function writePlan(steps: readonly object[], rest: object = {}): void {
  writeFileSync(join(folder, 'plan.json'), JSON.stringify({ name: 'n', policy: 'continue', steps, ...rest }));
}

function logged(): string[] {
  const file = join(folder, 'log');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

const MIRROR = {
  component: 'mirror',
  fallback: {
    bad: { run: 'exit 1', 'quality-loss': 0.1 },
    local: { run: 'echo "$PERDURE_ACTION" > "$PERDURE_OUTPUT"; echo local', 'quality-loss': 0.5 },
  },
};

test('a component that fails opens its circuit: fallbacks stand in, the next step does not even try, and the budget tightens', async () => {
  writePlan(
    [
      { ...MIRROR, id: 'first', run: 'echo first >> log; exit 3', retry: { attempts: 9, delay: '20ms' } },
      { ...MIRROR, id: 'second', run: 'echo second >> log; exit 3', after: 'first' },
      // The budget is counted once a second.
      { id: 'last', run: 'sleep 2', after: 'second' },
    ],
    { components: { mirror: { breaker: { window: 4, 'min-calls': 3, open: '1m' } } }, budget: { 'per-hour': 2 } },
  );
  const { code, stdout, stderr } = await perdure('run', 'plan.json');
  expect(code).toBe(0);
  expect(logged()).toEqual(['first', 'first', 'first']);
  expect(stderr).toMatch(/⚡ component mirror: its circuit is open, fallbacks stand in; tried again after 20/);
  expect(stderr).toMatch(/⚖ error budget, 63 % spent, is slowBurn: the gate is stricter\n/);
  expect(stdout).toMatch(/first +degraded +3 .*fallback local after: exited with 3/);
  expect(stdout).toMatch(/second +degraded +0 .*fallback local after: The component "mirror"/);
  expect(stdout).toMatch(/\ncomponent mirror: its circuit is open, fallbacks stand in/);
  const shown = (await perdure('show', 'n:1/second')).stdout;
  expect(shown).toMatch(/via +the fallback local\n {2}quality +0\.25\n/);
  expect(shown).toMatch(/fallback-local\/attempt-0\/output\.log:\n {2}local/);
  const { steps, standing } = JSON.parse((await perdure('show', 'n:1', '--json')).stdout) as {
    steps: object[];
    standing: object;
  };
  expect(steps).toMatchObject([
    { id: 'first', kind: 'degraded', via: 'local', qualityLoss: 0.5 },
    { id: 'second', kind: 'degraded', via: 'local' },
    { id: 'last', kind: 'ok' },
  ]);
  expect(standing).toMatchObject({
    budget: 'slowBurn',
    components: [{ name: 'mirror', status: 'degraded', opens: 1, openUntil: expect.any(Number) as number }],
  });
  expect((await perdure('ls')).stdout).toMatch(/error budget: slowBurn: .*\ncomponent mirror: its circuit is open/);
});

test('what a failed step did is undone by its own command, and what cannot be undone is told', async () => {
  writePlan([
    { id: 'good', run: 'echo did >> log; exit 1', undo: 'echo undid >> log; echo says' },
    { id: 'bad', run: 'exit 1', undo: 'exit 4' },
    { id: 'none', run: 'exit 1' },
    { id: 'fine', run: 'true', undo: 'echo never >> log' },
  ]);
  const { code, stdout, stderr } = await perdure('run', 'plan.json');
  expect(code).toBe(1);
  expect(logged()).toEqual(['did', 'undid']);
  expect(stderr).toMatch(/✖ bad was not undone: .*exited with 4/);
  expect(stdout).toMatch(/good +failed .*exited with 1; undone\n/);
  expect(stdout).toMatch(/bad +failed .*exited with 1; not undone: .*exited with 4\n/);
  expect((await perdure('show', 'n:1/good')).stdout).toContain('undo      what it did was undone');
  expect((await perdure('show', 'n:1/none')).stdout).not.toContain('undo');
});

test('a function of a module falls back to commands and is undone by one, too', async () => {
  writeFileSync(join(folder, 'steps.mjs'), `export const fail = () => { throw new Error('no'); };`);
  const local = { run: 'echo 7 > "$PERDURE_OUTPUT"' };
  writePlan([{ id: 'one', module: './steps.mjs#fail', undo: 'echo undid >> log', fallback: { local } }]);
  const { code, stdout } = await perdure('run', 'plan.json', '--json');
  expect(code).toBe(0);
  const { steps } = JSON.parse(stdout) as { steps: object[] };
  expect(steps).toMatchObject([{ kind: 'degraded', via: 'local', qualityLoss: 0.5, value: 7, undo: 'done' }]);
  expect(logged()).toEqual(['undid']);
});

test('the undoing that a kill -9 cut off is ended, and runs again with the next start', async () => {
  const undo = 'echo undoing >> log; while [ ! -e go ]; do sleep 0.05; done; echo undone >> log';
  writePlan([{ id: 'one', run: 'exit 1', undo }]);
  const first = cli.start(['run', 'plan.json'], { cwd: folder });
  await first.says('▸ one started');
  await expect.poll(logged, { timeout: 10_000 }).toEqual(['undoing']);
  first.child.kill('SIGKILL');
  await first.result;
  writeFileSync(join(folder, 'go'), '');
  expect((await perdure('run', 'plan.json', '--grace', '100ms')).stdout).toMatch(/one +failed .*; undone\n/);
  expect(logged().filter((line) => line === 'undone').length).toBeGreaterThan(0);
});
