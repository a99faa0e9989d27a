/** The `perdure` command as its users have it: a compiled program, run as a process, on real plans. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Store } from '../../persistence/store.ts';
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

interface Step {
  readonly id: string;
  readonly [key: string]: unknown;
}

function writePlan(steps: readonly Step[], rest: object = {}): void {
  writeFileSync(join(folder, 'plan.json'), JSON.stringify({ name: 'nightly', steps, ...rest }));
}

const perdure = (...args: string[]): Promise<CliResult> => cli.run(args, { cwd: folder });
const started = (...args: string[]): CliProcess => cli.start(args, { cwd: folder });

function logged(): string[] {
  const file = join(folder, 'log');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

/** Runs until the file `go` is there. */
const untilGo = 'while [ ! -e go ]; do sleep 0.05; done';
const go = () => writeFileSync(join(folder, 'go'), '');

describe('perdure run', () => {
  test('runs steps in order, hands results on, retries, and says what it did', async () => {
    writePlan([
      { id: 'one', run: `echo '{"n":1}' > "$PERDURE_OUTPUT"; echo said` },
      { id: 'two', run: 'cat "$PERDURE_INPUT" > "$PERDURE_OUTPUT"', after: ['one'] },
      { id: 'flaky', run: 'test "$PERDURE_ATTEMPT" -ge 2', retry: { attempts: 2, delay: '400ms' } },
      { id: 'saved', run: 'exit 3', fallback: 'echo saved > "$PERDURE_OUTPUT"' },
    ]);
    const { code, stdout, stderr } = await perdure('run', 'plan.json');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('starting nightly:1') });
    expect(stderr).toMatch(/↻ flaky exited with 1; next attempt in [\d.]+m?s/);
    expect(stdout).toMatch(/^nightly:1 went well: 2 ok, 1 recovered, 1 degraded/);
    expect(stdout).toContain('retried: flaky (2 attempts; exited with 1)');
    expect(stdout).toMatch(/up to \d at once: \d\.\d\d times as fast/);
    const { steps } = JSON.parse((await perdure('show', 'nightly:1', '--json')).stdout) as { steps: Step[] };
    const values = Object.fromEntries(steps.map(({ id, value }) => [id, value]));
    expect(values).toMatchObject({ one: { n: 1 }, two: { one: { n: 1 } }, saved: 'saved\n' });
  });

  test('does what a fallback stood in for with the results that the step had, when its component is back', async () => {
    const publish = 'cat "$PERDURE_INPUT" >> log; echo >> log; test -e up && cp "$PERDURE_INPUT" "$PERDURE_OUTPUT"';
    const mirror = { run: 'true', 'quality-loss': 0.1, owes: true };
    writePlan(
      [
        { id: 'fetch', run: `echo '{"rows":3}' > "$PERDURE_OUTPUT"` },
        { id: 'publish', run: publish, after: ['fetch'], component: 'registry', fallback: { mirror } },
        { id: 'mend', run: 'touch up', after: ['publish'] },
        { id: 'probe', run: 'true', component: 'registry', 'when-open': 'wait', after: ['mend'] },
        { id: 'last', run: 'until [ "$(wc -l < log)" -ge 2 ]; do sleep 0.05; done; sleep 0.3', after: ['probe'] },
      ],
      { components: { registry: { breaker: { window: 4, 'min-calls': 1, open: '300ms' } } } },
    );
    const { code, stdout, stderr } = await perdure('run', 'plan.json');
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).not.toContain('owed since a fallback stood in');
    expect(logged()).toEqual(['{"fetch":{"rows":3}}', '{"fetch":{"rows":3}}']);
  });

  test('puts nothing but one JSON document on stdout with --json', async () => {
    writePlan([{ id: 'one', run: 'echo out' }]);
    const { code, stdout, stderr } = await perdure('run', 'plan.json', '--json', '--store', 'work.db');
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as { steps: { outputFile: string }[] };
    expect(report).toMatchObject({ plan: 'nightly:1', kind: 'ok', speedUp: expect.any(Number) as number });
    expect(report).not.toHaveProperty('resumed');
    expect(readFileSync(report.steps[0]?.outputFile ?? '', 'utf8')).toBe('out\n');
    expect(stderr).toContain('✔ one ok');
    expect(stderr).not.toContain('\u001b');
  });

  test('fails with 1, shows what the failed step printed and where it is kept, and skips what depends on it', async () => {
    writePlan([
      { id: 'bad', run: 'echo the reason; exit 9' },
      { id: 'next', run: 'echo never >> log', after: ['bad'] },
    ]);
    const { code, stdout, stderr } = await perdure('run', 'plan.json');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /output of bad, failed: \S+plan\.db\.files\/nightly:1\/bad\/attempt-1\/output\.log:\n {2}the reason/,
    );
    expect(stdout).toContain('nightly:1 failed: 1 failed, 1 skipped');
    expect(logged()).toEqual([]);
  });

  test('calls a function of a module with its input, the results and the attempt', async () => {
    writeFileSync(
      join(folder, 'steps.mjs'),
      'export const grow = ({ input, results, attempt }) => ({ input, results, attempt });',
    );
    writePlan(
      [
        { id: 'one', run: 'echo 1 > "$PERDURE_OUTPUT"' },
        { id: 'two', module: './steps.mjs#grow', input: { by: 2 }, after: ['one'] },
        { id: 'none', module: './steps.mjs#shrink', retry: 3 },
      ],
      { policy: 'continue' },
    );
    const { stdout } = await perdure('run', 'plan.json', '--json');
    const steps = (JSON.parse(stdout) as { steps: Step[] }).steps;
    expect(steps.find(({ id }) => id === 'two')).toMatchObject({
      value: { input: { by: 2 }, results: { one: 1 }, attempt: 1 },
    });
    expect(steps.find(({ id }) => id === 'none')).toMatchObject({
      kind: 'failed',
      attempts: 1,
      error: { code: 'MODULE_UNLOADABLE' },
    });
  });

  test('keeps what a module prints for its step, and away from the result', async () => {
    writeFileSync(
      join(folder, 'steps.mjs'),
      `import { setTimeout as sleep } from 'node:timers/promises';
       export async function chat({ input }) {
         console.log('out of', input);
         await sleep(20);
         process.stderr.write('err of ' + input + '\\n');
         setTimeout(() => console.log('late'), 100);
         if (input === 'two') throw new Error('enough');
       }`,
    );
    writePlan(
      [
        { id: 'one', module: './steps.mjs#chat', input: 'one' },
        { id: 'two', module: './steps.mjs#chat', input: 'two' },
        { id: 'last', run: 'sleep 0.5', after: ['one'] },
      ],
      { policy: 'continue' },
    );
    const { code, stdout, stderr } = await perdure('run', 'plan.json', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'failed' });
    expect(stderr).toMatch(/output of two, failed: .*\n {2}out of two\n {2}err of two\n/);
    expect(stderr).toContain('late\n');
    expect(stderr).not.toContain('out of one');
    expect((await perdure('show', 'nightly:1/one')).stdout).toMatch(/output\.log:\n {2}out of one\n {2}err of one\n$/);
  });

  test('never exits with 0 for a run that a module broke off, and goes on with it', async () => {
    writeFileSync(
      join(folder, 'steps.mjs'),
      `import { existsSync } from 'node:fs';
       export const leave = () => existsSync('go') || process.exit(0);
       export const crash = () => existsSync('go') || new Promise(() => setTimeout(() => { throw new Error('lost'); }));`,
    );
    for (const name of ['leave', 'crash']) {
      rmSync(join(folder, 'go'), { force: true });
      writePlan([{ id: 'one', module: `./steps.mjs#${name}` }], { name });
      const { code, stderr } = await perdure('run', 'plan.json', '--store', 'work.db');
      expect(code).toBe(1);
      expect(stderr).toContain(`${name}:1 was left unfinished`);
      go();
      expect((await perdure('run', 'plan.json', '--store', 'work.db')).stdout).toContain(`${name}:1 went well`);
    }
  });

  test('runs plans whose names are long and not ASCII', async () => {
    const name = '夜間集計'.repeat(10);
    writePlan([{ id: 'one', run: 'echo said' }], { name });
    const { code, stdout } = await perdure('run', 'plan.json', '--json');
    expect(code).toBe(0);
    const { steps } = JSON.parse(stdout) as { steps: { outputFile: string }[] };
    expect(readFileSync(steps[0]?.outputFile ?? '', 'utf8')).toBe('said\n');
  });

  test('says of a resumed run what was found, before anything of it went on', async () => {
    const steps = [
      { id: 'flaky', run: 'exit 1', retry: { attempts: 2, delay: '1h', cap: '1h' } },
      { id: 'busy', run: 'sleep 60' },
      { id: 'gone', run: 'sleep 60' },
      { id: 'next', run: 'true' },
    ];
    writePlan(steps);
    const first = started('run', 'plan.json', '--concurrency', '3');
    await Promise.all([first.says('↻ flaky'), first.says('▸ busy'), first.says('▸ gone')]);
    first.child.kill('SIGKILL');
    await first.result;
    writePlan(steps.filter(({ id }) => id !== 'gone'));
    const second = started('run', 'plan.json', '--concurrency', '5', '--grace', '100ms');
    await second.says('✔ next');
    second.child.kill('SIGINT');
    const { stderr } = await second.result;
    expect(stderr).toContain(': 0 done, 1 running again, 1 waiting to retry, 1 waiting\n');
    expect(stderr).toContain('running again: busy\nwaits to retry: flaky\nremoved: gone\n');
  });

  test('refuses a store whose folder cannot be made, naming both', async () => {
    writePlan([{ id: 'one', run: 'true' }]);
    expect(await perdure('run', 'plan.json', '--store', 'plan.json/in/work.db')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/plan\.json\/in\/work\.db cannot be made.*\[STORE_UNOPENABLE\]/) as string,
    });
  });

  test('runs to its end although nobody reads what it says', async () => {
    writePlan([
      { id: 'one', run: 'echo one >> log' },
      { id: 'two', run: 'echo two >> log', after: ['one'] },
    ]);
    const unread = started('run', 'plan.json');
    unread.child.stderr?.destroy();
    unread.child.stdout?.destroy();
    expect(await unread.result).toMatchObject({ code: 0 });
    expect(logged()).toEqual(['one', 'two']);
  });

  test('goes on where it was after a kill -9, and repeats no finished step', async () => {
    writePlan([
      { id: 'one', run: 'echo one >> log' },
      { id: 'two', run: `echo two >> log; ${untilGo}`, after: ['one'] },
      { id: 'three', run: 'echo three >> log', after: ['two'] },
    ]);
    const first = started('run', 'plan.json');
    await first.says('▸ two started');
    first.child.kill('SIGKILL');
    await first.result;
    go();
    const { code, stderr, stdout } = await perdure('run', 'plan.json', '--json');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('resuming nightly:1 at turn') });
    expect(stderr).toMatch(/found turn \d+: \d+ actors, \d+ timers? due, \d+ effects? to run again, in \d+ ms/);
    expect(JSON.parse(stdout)).toMatchObject({ plan: 'nightly:1', resumed: true });
    expect(stderr).toContain('1 done, 1 running again, 1 waiting');
    expect(logged().filter((line) => line === 'one')).toHaveLength(1);
    expect(logged().at(-1)).toBe('three');
  });

  test.each([
    ['a misspelled key', [{ id: 'one', rnu: 'true' }], 'PLAN_INVALID'],
    ['a cycle', [{ id: 'one', run: 'true', after: ['one'] }], 'PLAN_CYCLE'],
    ['an unknown step', [{ id: 'one', run: 'true', after: ['two'] }], 'PLAN_STEP_UNKNOWN'],
  ])('exits with 2 for a plan with %s, and with 3 for none', async (_, steps, code) => {
    writePlan(steps);
    expect(await perdure('run', 'plan.json')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`[${code}]`) as string,
    });
    expect((await perdure('run', 'none.json')).code).toBe(3);
  });

  test('starts a new run after one that ended, and a failed one goes on with --retry', async () => {
    writePlan([
      { id: 'one', run: 'echo one >> log' },
      { id: 'two', run: 'test -e go', after: ['one'] },
    ]);
    expect((await perdure('run', 'plan.json')).code).toBe(1);
    go();
    const retried = await perdure('run', 'plan.json', '--retry');
    expect({ code: retried.code, log: logged() }).toEqual({ code: 0, log: ['one'] });
    expect(retried.stderr).toContain('retrying nightly:1');
    expect((await perdure('run', 'plan.json')).stdout).toContain('nightly:2 went well');
    expect(logged()).toEqual(['one', 'one']);
  });

  test('abandons the unfinished run with --fresh, and runs nothing of it again', async () => {
    writePlan([{ id: 'one', run: `echo one >> log; ${untilGo}` }]);
    const first = started('run', 'plan.json');
    await first.says('▸ one started');
    while (logged().length === 0) await sleep(20);
    first.child.kill('SIGKILL');
    await first.result;
    writePlan([{ id: 'one', run: 'echo other >> log' }]);
    const { code, stderr } = await perdure('run', 'plan.json', '--fresh');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('cancelling nightly:1') });
    expect(stderr).not.toContain('also going on');
    expect(logged()).toEqual(['one', 'other']);
    expect((await perdure('ls')).stdout).toMatch(/nightly:1\s+cancelled[^]*nightly:2\s+ok/);
  });

  test('refuses a change of a finished step, unless it is accepted; other changes take effect', async () => {
    writePlan([
      { id: 'one', run: 'echo one >> log' },
      { id: 'two', run: `echo two >> log; ${untilGo}`, after: ['one'] },
      { id: 'three', run: 'echo three >> log', after: ['two'] },
    ]);
    const first = started('run', 'plan.json');
    await first.says('▸ two started');
    while (!logged().includes('two')) await sleep(20);
    first.child.kill('SIGKILL');
    await first.result;
    writePlan([
      { id: 'one', run: 'echo uno >> log' },
      { id: 'two', run: 'echo dos >> log', after: ['one'] },
      { id: 'four', run: 'echo cuatro >> log', after: ['two'] },
    ]);
    const refused = await perdure('run', 'plan.json');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('one: `run` changed') as string });
    expect(refused.stderr).toContain('[PLAN_CHANGED]');
    const accepted = await perdure('run', 'plan.json', '--accept-changes');
    expect(accepted.code, accepted.stderr).toBe(0);
    expect(logged()).toEqual(['one', 'two', 'dos', 'cuatro']);
    const { steps } = JSON.parse((await perdure('show', 'nightly:1', '--json')).stdout) as { steps: Step[] };
    expect(steps.map(({ id, kind }) => [id, kind])).toEqual([
      ['one', 'ok'],
      ['two', 'ok'],
      ['four', 'ok'],
    ]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('stops on %s with %i, leaves no process, and goes on later', async (signal, exitCode) => {
    writePlan([{ id: 'one', run: `echo $$ >> log; ${untilGo}` }]);
    const first = started('run', 'plan.json', '--grace', '1s');
    await first.says('▸ one started');
    while (logged().length === 0) await sleep(20);
    first.child.kill(signal);
    const { code, stderr } = await first.result;
    expect({ code, stderr }).toMatchObject({
      code: exitCode,
      stderr: expect.stringContaining('goes on with the next'),
    });
    expect(() => process.kill(Number(logged()[0]), 0)).toThrow('ESRCH');
    go();
    const second = await perdure('run', 'plan.json');
    expect(second).toMatchObject({ code: 0, stderr: expect.stringContaining('resuming nightly:1') as string });
  });

  test('shows tracks, critical path and speed-up with --dry-run, and touches nothing', async () => {
    writePlan([
      { id: 'a', run: 'echo a >> log', estimate: '2s' },
      { id: 'b', run: 'echo b >> log', estimate: '2s' },
      { id: 'c', run: 'echo c >> log', after: ['a'] },
    ]);
    const { code, stdout } = await perdure('run', 'plan.json', '--dry-run', '--concurrency', '2');
    expect(code).toBe(0);
    expect(stdout).toContain('critical path: a -> c');
    expect(stdout).toContain('estimated: 3.0s, 1.67 times as fast');
    expect([logged(), existsSync(join(folder, 'plan.db'))]).toEqual([[], false]);
  });
});

describe('beside the owner of a store', () => {
  let owner: CliProcess;
  beforeEach(async () => {
    rmSync(join(folder, 'go'), { force: true });
    writePlan([
      { id: 'one', run: `echo one >> log; ${untilGo}` },
      { id: 'two', run: 'echo two >> log', after: ['one'] },
    ]);
    owner = started('run', 'plan.json');
    await owner.says('▸ one started');
    return async () => {
      owner.child.kill('SIGKILL');
      go();
      await owner.result;
    };
  });

  test('ls and show read, and another run is refused with 4', async () => {
    expect((await perdure('ls')).stdout).toMatch(/nightly:1\s+running\s+1 running, 1 waiting/);
    expect((await perdure('show', 'nightly:1/one')).stdout).toMatch(/state\s+running/);
    expect((await perdure('show', 'nightly:1')).stdout).toMatch(/\nunder way: one \(for [\d.]+m?s\)\n$/);
    expect(await perdure('run', 'plan.json')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('[STORE_OWNED]') as string,
    });
  });

  test('pause holds back what waits, resume lets it go', async () => {
    expect((await perdure('pause')).stdout).toMatch(/^pause: applied in turn \d+/);
    go();
    await owner.says('paused');
    await sleep(200);
    expect(logged()).toEqual(['one']);
    expect((await perdure('resume')).code).toBe(0);
    expect((await owner.result).code).toBe(0);
    expect(logged()).toEqual(['one', 'two']);
  });

  test('cancel says of a step that waits that it has not started, not that it is missing', async () => {
    expect(await perdure('cancel', 'nightly:1/two')).toMatchObject({
      code: 1,
      stderr:
        'perdure: step two of nightly:1 waits and has no action yet: cancel the run, or wait until it starts [ACTION_CONFLICT]\n',
    });
    expect((await perdure('cancel', 'nightly:1/one')).code).toBe(0);
    await owner.result;
    expect(await perdure('cancel', 'nightly:1/two')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('step two of nightly:1 has ended already') as string,
    });
  });

  test('cancel ends a run, whose owner then exits with 1', async () => {
    expect((await perdure('cancel', 'nightly:1')).code).toBe(0);
    const { code, stdout } = await owner.result;
    expect({ code, stdout }).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('nightly:1 cancelled: 2 cancelled'),
    });
  });
});

test('a request to an owner that is busy says so, and is obeyed later', async () => {
  writeFileSync(
    join(folder, 'steps.mjs'),
    `import { writeFileSync } from 'node:fs';
     export function block() {
       writeFileSync('log', 'blocked');
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
     }`,
  );
  writePlan([
    { id: 'one', module: './steps.mjs#block' },
    { id: 'two', run: untilGo, after: ['one'] },
  ]);
  const owner = started('run', 'plan.json');
  while (logged().length === 0) await sleep(20);
  expect(await perdure('cancel', 'nightly:1')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('is busy and has not answered yet') as string,
  });
  expect((await owner.result).stdout).toContain('nightly:1 cancelled');
});

test('ls mentions what went wrong and was told to nobody', async () => {
  const store = Store.open(join(folder, 'work.db'));
  store.incident({ kind: 'turn.refused', detail: 'the first' });
  store.incident({ kind: 'timer.deadLettered', detail: 'beep: the second\nand more' });
  store.flush();
  store.close();
  expect((await perdure('ls')).stdout).toMatch(
    /\n2 incidents, the last: \S+Z timer\.deadLettered: beep: the second\n$/,
  );
  expect(JSON.parse((await perdure('ls', '--json')).stdout)).toMatchObject({
    incidentCount: 2,
    incidents: [{ kind: 'timer.deadLettered' }, { kind: 'turn.refused', detail: 'the first' }],
  });
});

describe('what is not there', () => {
  test('an unknown id, plan or store is 3, wrong usage is 2, and so is a bad plan, with its line', async () => {
    writePlan([{ id: 'one', run: 'true' }]);
    expect((await perdure('run', 'plan.json')).code).toBe(0);
    writeFileSync(join(folder, 'bad.yaml'), 'name: bad\nsteps:\n  - { id: a, run: x, after: [b] }\n');
    expect(await perdure('show', 'nope')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('[ACTION_NOT_FOUND]') as string,
    });
    expect((await perdure('cancel', 'nope')).code).toBe(3);
    expect((await perdure('run', 'nope.yaml')).code).toBe(3);
    expect((await perdure('ls', '--store', 'nope.db')).code).toBe(3);
    expect((await perdure('fly')).code).toBe(2);
    expect((await perdure('run', 'plan.json', '--concurrency', '0')).code).toBe(2);
    expect((await perdure('run', 'plan.json', '--retry', '--fresh')).code).toBe(2);
    expect(await perdure('run', 'bad.yaml')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('bad.yaml:3:') as string,
    });
  });

  test('a request without an owner waits for the next one, and is then obeyed', async () => {
    writePlan([{ id: 'one', run: `echo one >> log; ${untilGo}` }]);
    const first = started('run', 'plan.json');
    await first.says('▸ one started');
    first.child.kill('SIGKILL');
    await first.result;
    const before = performance.now();
    expect((await perdure('cancel', 'nightly:1')).stdout).toContain('waits for the next start');
    expect(performance.now() - before, 'nobody is waited for').toBeLessThan(2_000);
    const { code, stdout } = await perdure('run', 'plan.json');
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining('nightly:1 cancelled') });
  });

  test('a folder with no store, or with several, asks which is meant', async () => {
    expect(await perdure('ls')).toMatchObject({ code: 2, stderr: expect.stringContaining('name its file') as string });
    expect(existsSync(join(folder, 'plan.db'))).toBe(false);
  });

  test('help has examples for every command', async () => {
    for (const command of ['run', 'ls', 'show', 'pause', 'resume', 'cancel']) {
      const { code, stdout } = await perdure(command, '--help');
      expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/Examples?:\n {2}perdure /) });
    }
  });
});
