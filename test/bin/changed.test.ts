import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stepOptions } from '../../bin/plan-steps.ts';
import { parsePlan } from '../../bin/plan-file.ts';
import { Cli } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

let cli: Cli;
let folder = '';
beforeAll(() => {
  cli = Cli.compile();
}, 60_000);
beforeEach(() => {
  folder = tempFolder();
  write('in.txt', 'one');
  write('other.txt', 'as it is');
  write('log', '');
});

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

/** Copies, counts what was copied, and looks at another file; each says so in the log. */
function writePlan({ copy = 'cp in.txt out.txt', env = {} } = {}): void {
  const steps = [
    { id: 'copy', run: `echo copy >> log; ${copy}`, inputs: ['in.txt'], outputs: ['out.txt'], env },
    {
      id: 'count',
      run: 'echo count >> log; wc -c < out.txt > "$PERDURE_OUTPUT"',
      inputs: ['out.txt'],
      after: ['copy'],
    },
    { id: 'look', run: 'echo look >> log; sleep 0.1', inputs: ['other.txt'] },
    { id: 'always', run: 'echo always >> log', after: ['count', 'look'] },
  ];
  write('plan.json', JSON.stringify({ name: 'n', steps }));
}

/** Which steps ran. */
async function ran(...options: string[]): Promise<string[]> {
  write('log', '');
  const { code, stderr } = await cli.run(['run', 'plan.json', ...options], { cwd: folder });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return readFileSync(join(folder, 'log'), 'utf8').trim().split('\n').toSorted();
}

const ALL = ['always', 'copy', 'count', 'look'];

describe('perdure run --changed', () => {
  test('runs what reads something else than when it last went well, and nothing else', async () => {
    writePlan();
    expect(await ran()).toEqual(ALL);
    expect(await ran('--changed')).toEqual(['always']);
    write('in.txt', 'two!');
    expect(await ran('--changed')).toEqual(['always', 'copy', 'count']);
    // What ran anew and wrote the same changes nothing for what reads it.
    write('in.txt', 'two!');
    rmSync(join(folder, 'out.txt'));
    expect(await ran('--changed')).toEqual(['always', 'copy']);
    write('out.txt', 'spoilt');
    expect(await ran('--changed')).toEqual(['always', 'copy']);
    // Without it everything runs.
    expect(await ran()).toEqual(ALL);
  });

  test('runs a step whose command or environment reads otherwise', async () => {
    writePlan();
    await ran();
    writePlan({ copy: 'cat in.txt > out.txt' });
    expect(await ran('--changed')).toEqual(['always', 'copy']);
    writePlan({ env: { MODE: 'fast' } });
    expect(await ran('--changed')).toEqual(['always', 'copy']);
    writePlan();
    expect(await ran('--changed')).toEqual(['always']);
  });

  test('says what was left out, and what that saved', async () => {
    writePlan();
    await ran();
    const { stdout, stderr } = await cli.run(['run', 'plan.json', '--changed'], { cwd: folder });
    expect(stderr).toContain('✔ look unchanged');
    expect(stdout).toMatch(/^unchanged: ((copy|count|look), ){3}which saved \d+ms of work$/m);
    const shown = await cli.run(['show', 'n:2', '--json'], { cwd: folder });
    const report = JSON.parse(shown.stdout) as { summary: { unchanged: string[]; savedMs: number } };
    expect(report.summary.unchanged.toSorted()).toEqual(['copy', 'count', 'look']);
    expect(report.summary.savedMs).toBeGreaterThan(90);
    const step = await cli.run(['show', 'n:2/look'], { cwd: folder });
    expect(step.stdout).toContain('an earlier run: nothing has changed');
  });

  test('goes on after kill -9 with what was not done, and has lost nothing that it knew', async () => {
    writePlan();
    await ran();
    write('in.txt', 'three');
    writePlan({ copy: 'test -e go || exec sleep 60; cp in.txt out.txt' });
    const first = cli.start(['run', 'plan.json', '--changed'], { cwd: folder });
    await first.says('copy started');
    first.child.kill('SIGKILL');
    await first.result;
    write('go', '');
    const resumed = await ran('--changed');
    expect(resumed).toEqual(['always', 'copy', 'count']);
    expect(await ran('--changed')).toEqual(['always']);
  });
});

test('a step of a module is made of the file of that module, too', () => {
  const plan = parsePlan('name: n\nsteps: [{ id: a, module: ./m.mjs, inputs: [x] }]\n', join('/plans', 'plan.yaml'));
  expect(stepOptions(plan, { changed: true })[0]).toHaveProperty('memo', {
    version: 'n/a',
    files: ['/plans/m.mjs', 'x'],
    outputs: [],
    folder: '/plans',
    refresh: false,
  });
});

test('a plan that names outputs and no inputs is told what is missing', () => {
  const read = () => parsePlan('name: n\nsteps: [{ id: a, run: ls, outputs: [x] }]\n', 'plan.yaml');
  expect(read).toThrow('a step with `outputs` needs `inputs`');
  expect(() => parsePlan('name: n\nsteps: [{ id: a, run: ls, inputs: x }]\n', 'plan.yaml')).toThrow(
    'expected a list of patterns of files such as src/**/*.ts',
  );
});
