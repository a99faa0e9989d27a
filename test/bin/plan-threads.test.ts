/** Steps that run in threads: how a plan file says so, and what becomes of them when their process does not live long. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { definitionOf, parsePlan } from '../../bin/plan-file.ts';
import { stepOptions, threadTargets } from '../../bin/plan-steps.ts';
import { PerdureError } from '../../errors.ts';
import { Cli, type CliProcess, type CliResult } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

const planOf = (keys: string) => parsePlan(`name: n\nsteps:\n  - { id: a, ${keys} }\n`, 'plans/plan.yaml');

function refusal(keys: string): string[] {
  try {
    planOf(keys);
  } catch (error) {
    if (error instanceof PerdureError) return [error.code, ...error.message.split('\n')];
    throw error;
  }
  return [];
}

test('a thread is a module beside the plan and one of its exports, and each function is an action of its own', () => {
  const plan = planOf('thread: { module: lib/../hash.mjs }, input: { size: 1 }, inputs: [src]');
  const folder = resolve('plans');
  const module = join(folder, 'hash.mjs');
  expect(plan.steps).toMatchObject([{ kind: 'thread', module, export: 'default', input: { size: 1 } }]);
  expect(threadTargets(plan)).toEqual([{ module, export: 'default', folder }]);
  expect(stepOptions(plan)).toMatchObject([
    {
      action: './hash.mjs#default',
      input: { module, export: 'default', input: { size: 1 }, folder },
      memo: { files: [module, 'src'] },
    },
  ]);
});

test('a step that moves into a thread, or to another function, has changed', () => {
  const keys = [
    'module: ./a.mjs#f',
    'thread: { module: ./a.mjs, export: f }',
    'thread: { module: ./a.mjs, export: g }',
    'thread: { module: ./b.mjs, export: f }',
  ];
  expect(new Set(keys.map((one) => definitionOf(planOf(one).steps[0]!))).size).toBe(4);
});

test.each([
  ['thread: ./a.mjs#f', 'thread: expected a mapping with `module`, such as ./hash.mjs, and `export`, got "./a.mjs#f"'],
  ['thread: {}', 'thread.module: a thread needs `module`'],
  [
    'thread: { module: ../a.mjs }',
    'thread.module: expected the path of a module in the folder of the plan, or in one below it, got "../a.mjs"',
  ],
  [
    'thread: { module: /a.mjs }',
    'thread.module: expected the path of a module in the folder of the plan, or in one below it, got "/a.mjs"',
  ],
  [
    'thread: { module: "https://a.b/c.mjs" }',
    'thread.module: expected the path of a file, not a URL, got "https://a.b/c.mjs"',
  ],
  ['thread: { module: ./a.mjs, export: "no name" }', 'thread.export: expected the name of an export, got "no name"'],
  ['thread: { module: ./a.mjs, exprt: f }', 'thread.exprt: unknown key "exprt"; did you mean "export"?'],
  ['module: ./a.mjs, thread: { module: ./a.mjs }', 'thread: a step has either `module` or `thread`, not both'],
  ['thread: { module: ./a.mjs }, cwd: x', 'cwd: only a step with `run` has `cwd`'],
])('%s is refused with its place', (keys, message) => {
  const [code, line, ...more] = refusal(keys);
  expect([code, line?.replace(/^\S+:3:\d+ steps\[0\]\.?/, ''), more]).toEqual(['PLAN_INVALID', message, []]);
});

let cli: Cli;
let folder: string;
beforeAll(() => {
  cli = Cli.compile();
}, 60_000);
beforeEach(() => {
  folder = tempFolder();
});

const perdure = (...args: string[]): Promise<CliResult> => cli.run(args, { cwd: folder });
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const linesOf = (name: string) =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').trim().split('\n') : [];

/** Resolves when a file has these lines: processes and threads write them, and tell nobody else. */
async function noted(name: string, lines: readonly string[]): Promise<void> {
  await expect.poll(() => linesOf(name).toSorted(), { timeout: 15_000 }).toEqual(lines.toSorted());
}

describe('a function in a thread', () => {
  test('gets its input, its item and the results, prints nothing into the report, and is stood in for by a command', async () => {
    write(
      'work.mjs',
      `import { isMainThread } from 'node:worker_threads';
       export function told(step, { results, attempt, id }) {
         console.log('printed');
         return { step, results, attempt, id, isMainThread };
       }
       export const both = ({ input }, { id }) => id + ' ' + input;
       export const fails = () => process.exit(3);`,
    );
    const steps = [
      { id: 'list', run: `echo '["x","y"]' > "$PERDURE_OUTPUT"` },
      { id: 'one', thread: { module: './work.mjs', export: 'told' }, input: { n: 1 }, after: 'list' },
      { id: 'each', thread: { module: './work.mjs', export: 'told' }, 'for-each': 'list' },
      { id: 'here', module: './work.mjs#both', input: 2 },
      { id: 'there', thread: { module: './work.mjs', export: 'both' }, input: 2 },
      {
        id: 'falls',
        thread: { module: './work.mjs', export: 'fails' },
        fallback: 'echo 7 > "$PERDURE_OUTPUT"',
        undo: 'echo undone >> log',
      },
    ];
    write('plan.json', JSON.stringify({ name: 'n', steps }));
    const { stdout, stderr } = await perdure('run', 'plan.json', '--json');
    const report = JSON.parse(stdout) as { kind: string; steps: { id: string; kind: string; value: unknown }[] };
    const valueOf = (id: string) => report.steps.find((step) => step.id === id)?.value;
    expect([report.kind, stderr]).toEqual(['ok', expect.stringContaining('printed')]);
    const [results, common] = [{ list: ['x', 'y'] }, { attempt: 1, isMainThread: false }];
    expect(valueOf('one')).toEqual({ ...common, step: { input: { n: 1 } }, results, id: 'n:1/one' });
    expect(valueOf('each[1]')).toEqual({ ...common, step: { item: 'y', index: 1 }, results: {}, id: 'n:1/each[1]' });
    expect([valueOf('here'), valueOf('there')]).toEqual(['n:1/here 2', 'n:1/there 2']);
    expect(report.steps.find(({ id }) => id === 'falls')).toMatchObject({ kind: 'degraded', value: 7 });
    expect(linesOf('log')).toEqual(['undone']);
  });

  test('that its module does not export is told with those that it does, before anything runs', async () => {
    write('work.mjs', 'export const told = () => 1;');
    const steps = [
      { id: 'first', run: 'echo ran >> log' },
      { id: 'one', thread: { module: './work.mjs', export: 'tld' } },
    ];
    write('plan.json', JSON.stringify({ name: 'n', steps }));
    expect(await perdure('run', 'plan.json')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('(did you mean "told"?), but it exports these: told'),
    });
    expect([linesOf('log'), (await perdure('ls')).stdout]).toEqual([[], expect.not.stringContaining('n:1')]);
  });
});

describe('a plan with groups, a fan-out of commands and a thread', () => {
  /** Two of the four items, and the thread, come to no end before there is a file `go`. All of them say in the log that they begin. */
  const item = `echo "$PERDURE_ITEM" >> log
    echo $$ >> pids
    case "$PERDURE_ITEM" in b|c) test -e go || exec sleep 60;; esac
    echo "\\"$PERDURE_ITEM done\\"" > "$PERDURE_OUTPUT"`;
  const steps = [
    {
      id: 'prepare',
      steps: [
        { id: 'list', run: `echo list >> log; echo '["a","b","c","d"]' > "$PERDURE_OUTPUT"` },
        { id: 'inner', steps: [{ id: 'hash', thread: { module: './work.mjs', export: 'hash' } }] },
      ],
    },
    { id: 'spin', thread: { module: './work.mjs', export: 'spin' }, after: 'prepare' },
    { id: 'each', run: item, 'for-each': { from: 'prepare/list', 'at-once': 2 }, after: 'prepare' },
    { id: 'last', run: 'echo last >> log; cat "$PERDURE_INPUT" > told', after: ['each', 'spin'] },
  ];

  /** A run that has come as far as it can. */
  async function underWay(): Promise<CliProcess> {
    write(
      'work.mjs',
      `import { appendFileSync, existsSync } from 'node:fs';
       import { createHash } from 'node:crypto';
       const note = (word) => appendFileSync('log', word + '\\n');
       export function hash() {
         note('hash');
         return createHash('sha256').update('x').digest('hex').slice(0, 4);
       }
       export function spin() {
         note('spin');
         while (!existsSync('go'));
         return 'spun';
       }`,
    );
    write('plan.json', JSON.stringify({ name: 'n', concurrency: 3, steps }));
    const run = cli.start(['run', 'plan.json', '--grace', '200ms'], { cwd: folder });
    await noted('log', ['list', 'hash', 'spin', 'a', 'b', 'c']);
    return run;
  }

  const isAlive = (pid: string) => {
    try {
      return process.kill(Number(pid), 0);
    } catch {
      return false;
    }
  };

  test('goes on after kill -9 with what was not finished, and with nothing else', async () => {
    const { child, result } = await underWay();
    child.kill('SIGKILL');
    await result;
    write('go', '');
    const { code, stderr } = await perdure('run', 'plan.json', '--grace', '200ms');
    expect([code, stderr]).toEqual([0, expect.stringContaining('resuming n:1')]);
    expect(linesOf('log').slice(6).toSorted()).toEqual(['b', 'c', 'd', 'last', 'spin']);
    expect(JSON.parse(linesOf('told').join(''))).toEqual({
      each: ['a done', 'b done', 'c done', 'd done'],
      spin: 'spun',
    });
    expect(linesOf('pids').filter(isAlive)).toEqual([]);
  });

  test('that is cancelled leaves no process and no thread behind, and starts nothing more', async () => {
    const { result } = await underWay();
    expect((await perdure('cancel', 'n:1')).code).toBe(0);
    // It could not end if a thread were left: one that loops hears nobody.
    const { code, stdout } = await result;
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^ *spin +cancelled/m)]);
    expect(linesOf('pids')).toHaveLength(3);
    expect(linesOf('pids').filter(isAlive)).toEqual([]);
    write('go', '');
    expect((await perdure('run', 'plan.json')).stderr).toContain('starting n:2');
    expect(linesOf('log').slice(6).toSorted()).toEqual(['a', 'b', 'c', 'd', 'hash', 'last', 'list', 'spin']);
  });
});
