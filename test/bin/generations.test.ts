/** The commands of a plan's steps in a fork, and after a restore: what is another generation's is neither ended nor believed. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { Cli, type CliProcess } from '../support/cli.ts';
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

const waitFor = (file: string) => `while [ ! -e ${file} ]; do sleep 0.05; done`;
const at = (name: string) => join(folder, name);
const logged = () => (existsSync(at('log')) ? readFileSync(at('log'), 'utf8').trim().split('\n') : []);

function plan(steps: Readonly<Record<string, string>>): void {
  const lines = Object.entries(steps).map(([id, run], i, all) => {
    const after = i === 0 ? '' : `, after: [${(all[i - 1] as [string, string])[0]}]`;
    return `  - { id: ${id}, run: '${run}'${after} }`;
  });
  writeFileSync(at('plan.yaml'), ['name: n', 'steps:', ...lines, ''].join('\n'));
}

function run(store: string): CliProcess {
  return cli.start(['run', 'plan.yaml', '--store', store, '--json'], { cwd: folder });
}

async function perdure(...args: string[]): Promise<void> {
  const result = await cli.run(args, { cwd: folder });
  expect(result, result.stderr).toMatchObject({ code: 0 });
}

/** Answers the question that follows a restore. */
async function resume(store: string): Promise<CliProcess> {
  const resumed = run(store);
  await resumed.says('perdure approve');
  await perdure('approve', 'n:1/one', '--store', store);
  return resumed;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a fork runs the command that is under way in its original, which goes on', async () => {
  plan({ one: `echo $PERDURE_ACTION >> log; ${waitFor('go')}; echo ended >> log` });
  const original = run('a.db');
  await until(() => logged().length === 1);
  await perdure('checkpoint', '--label', 'mid', '--store', 'a.db');
  await perdure('fork', 'mid', '--to', 'b.db', '--store', 'a.db');
  const fork = await resume('b.db');
  await until(() => logged().length === 2);
  writeFileSync(at('go'), '');
  for (const { result } of [original, fork]) expect((await result).code).toBe(0);
  const [first, second, ...ends] = logged();
  expect(second).not.toBe(first);
  expect(ends).toEqual(['ended', 'ended']);
}, 60_000);

test('after a restore commands run again, and what still ran of before is ended first', async () => {
  plan({
    one: `echo one >> log; ${waitFor('first')}`,
    two: `echo $$ >> log; ${waitFor('go')}; echo printed; cat world > $PERDURE_OUTPUT`,
  });
  const killed = run('a.db');
  await until(() => logged().length === 1);
  await perdure('checkpoint', '--label', 'mid', '--store', 'a.db');
  writeFileSync(at('first'), '');
  await until(() => logged().length === 2);
  killed.child.kill('SIGKILL');
  await once(killed.child, 'exit');
  const pid = Number(logged()[1]);
  expect(isAlive(pid)).toBe(true);
  await perdure('restore', 'mid', '--store', 'a.db');
  const resumed = await resume('a.db');
  await until(() => logged().length === 4);
  expect(logged()[2]).toBe('one');
  expect(isAlive(pid)).toBe(false);
  writeFileSync(at('world'), '2');
  writeFileSync(at('go'), '');
  const { stdout } = await resumed.result;
  const { steps } = JSON.parse(stdout) as { steps: { id: string; value: unknown; outputFile: string }[] };
  expect(steps.map(({ value }) => value)).toEqual([undefined, 2]);
  expect(readFileSync(steps[1]?.outputFile as string, 'utf8')).toBe('printed\n');
}, 60_000);
