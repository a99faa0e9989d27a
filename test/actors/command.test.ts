import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CommandSpec, endLeftovers, prepare, readOutput, runCommand } from '../../actors/command.ts';
import { censusOfPs, chooseEndable } from '../../actors/leftovers.ts';
import { isPerdureError } from '../../errors.ts';

let root: string;
let keys: Set<string>;
let nextKey = 0;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'perdure command ')));
  keys = new Set();
});

afterEach(async () => {
  for (const key of keys) await endLeftovers({ key }, 0);
  rmSync(root, { recursive: true, force: true });
});

/** A key that no other test uses, with everything that keys may hold. */
function newKey(): string {
  const key = `plan/${process.pid}:step ${nextKey++}`;
  keys.add(key);
  return key;
}

function specOf(run: string, more: Partial<CommandSpec> = {}): CommandSpec {
  const signal = new AbortController().signal;
  return { key: newKey(), run, attempt: 1, directory: join(root, 'action'), input: null, signal, ...more };
}

function statusFile(spec: CommandSpec): string {
  return join(spec.directory, `attempt-${spec.attempt}`, 'status.json');
}

function runs(): string[] {
  return readFileSync(join(root, 'runs'), 'utf8').trim().split('\n');
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

async function fileWith(name: string): Promise<string> {
  const path = join(root, name);
  await until(() => existsSync(path) && statSync(path).size > 0);
  return readFileSync(path, 'utf8').trim();
}

function isAlive(pid: string): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z');
}

const OWNER = `
import { spawn } from 'node:child_process';
const { arguments: args, options } = JSON.parse(process.argv[1]);
spawn(process.execPath, args, options);
setInterval(() => {}, 1000);
`;

/** Another process that starts the command just as `runCommand` does, and can be killed. */
function startOwner(spec: CommandSpec): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '-e', OWNER, JSON.stringify(prepare(spec))], {
    stdio: 'inherit',
  });
}

async function kill(owner: ChildProcess): Promise<void> {
  owner.kill('SIGKILL');
  await once(owner, 'exit');
}

describe('a command', () => {
  test('resolves with its exit code, whatever it is', async () => {
    expect(await runCommand(specOf('true'))).toMatchObject({ exitCode: 0, signal: null, adopted: false });
    expect(await runCommand(specOf('exit 7', { attempt: 2 }))).toMatchObject({ exitCode: 7, signal: null });
    expect(await runCommand(specOf('no-such-program', { attempt: 3 }))).toMatchObject({ exitCode: 127 });
    expect(await runCommand(specOf('kill -9 $$', { attempt: 4 }))).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
  });

  test('hands on the JSON that it wrote, or else the text, or else nothing', async () => {
    const json = await runCommand(specOf(`echo '{"rows":[1,null]}' > "$PERDURE_OUTPUT"`));
    const text = await runCommand(specOf(`printf 'not json' > "$PERDURE_OUTPUT"`, { attempt: 2 }));
    const nothing = await runCommand(specOf('true', { attempt: 3 }));
    const explicit = await runCommand(specOf(`echo null > "$PERDURE_OUTPUT"`, { attempt: 4 }));
    expect([json.value, text.value, nothing.value, explicit.value]).toEqual([
      { rows: [1, null] },
      'not json',
      undefined,
      null,
    ]);
  });

  test('fails for good, naming the file, on a result that is not UTF-8, and stores nothing else for it', async () => {
    const spec = specOf(`printf 'caf\\351' > "$PERDURE_OUTPUT"`);
    const file = join(spec.directory, 'attempt-1', 'value');
    const refused = { code: 'COMMAND_FAILED', retryable: false, message: expect.stringContaining(file) as string };
    await expect(runCommand(spec)).rejects.toMatchObject(refused);
    await expect(runCommand(spec), 'adopted').rejects.toMatchObject(refused);
    const failed = specOf(`printf 'caf\\351' > "$PERDURE_OUTPUT"; exit 3`, { attempt: 2 });
    expect(await runCommand(failed)).toMatchObject({ exitCode: 3, value: undefined });
  });

  test('reads its input from a file and its place from the environment', async () => {
    const spec = specOf('cat "$PERDURE_INPUT"; echo "|$PERDURE_ACTION|$PERDURE_ATTEMPT|$COLOUR|$(pwd)"', {
      input: { text: `it's $HOME "quoted"` },
      attempt: 3,
      env: { COLOUR: 'deep blue' },
      cwd: root,
    });
    const { outputFile } = await runCommand(spec);
    expect(readOutput(outputFile)).toBe(`{"text":"it's $HOME \\"quoted\\""}|${spec.key}|3|deep blue|${root}\n`);
  });

  test('is run as it stands, also when it looks like an option or ends in a comment', async () => {
    const { outputFile } = await runCommand(specOf(`-no-such-option 2>/dev/null\necho "a  b" 'c"$d' # end`));
    expect(readOutput(outputFile)).toBe('a  b c"$d\n');
  });

  test('gets the NODE_OPTIONS meant for it, and its wrapper does not', async () => {
    const spec = specOf('printf %s "$NODE_OPTIONS"', { env: { NODE_OPTIONS: '--require=/no/such/module' } });
    const { exitCode, outputFile } = await runCommand(spec);
    expect([exitCode, readOutput(outputFile)]).toEqual([0, '--require=/no/such/module']);
  });

  test('has both its streams kept in the order in which it wrote them', async () => {
    const { outputFile } = await runCommand(specOf('for i in 1 2 3; do echo out $i; echo err $i >&2; done'));
    expect(readOutput(outputFile)).toBe('out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n');
  });

  test('finds its input closed', async () => {
    expect(await runCommand(specOf('read line || exit 4'))).toMatchObject({ exitCode: 4 });
  });

  test('does not wait for a process that it left in the background with the pipe open', async () => {
    const result = await runCommand(specOf('sleep 60 & echo done'));
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.durationMs).toBeLessThan(1_000);
    expect(readOutput(result.outputFile)).toBe('done\n');
  });

  test('fails to start, naming the folder, where its working directory is missing', async () => {
    const cwd = join(root, 'missing');
    const error: unknown = await runCommand(specOf('true', { cwd })).catch((reason: unknown) => reason);
    expect(isPerdureError(error, 'COMMAND_FAILED') && error.message).toContain(cwd);
  });

  test('fails to start on input that JSON cannot say', async () => {
    await expect(runCommand(specOf('true', { input: 1n }))).rejects.toMatchObject({ code: 'COMMAND_FAILED' });
  });
});

describe('the output', () => {
  test('is kept in its head and its tail, within the limit on disk, and counts what it leaves out', async () => {
    const outputLimit = 100_000;
    const spec = specOf(`echo first; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last`, { outputLimit });
    const { outputFile } = await runCommand(spec);
    const folder = join(spec.directory, 'attempt-1');
    const logs = readdirSync(folder).filter((name) => name.startsWith('output.log'));
    const kept = logs.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(kept).toBeLessThanOrEqual(outputLimit);
    expect(kept).toBeGreaterThan(outputLimit * 0.9);

    const text = readOutput(outputFile);
    expect(text).toMatch(/^first\nx+\n\.\.\. \d+ bytes left out \.\.\.\nx+\nlast\n$/);
    const leftOut = Number(/(\d+) bytes left out/.exec(text)?.[1]);
    expect(kept + leftOut).toBe(5_000_000 + 'first\n\nlast\n'.length);
  });

  test('is whole up to the limit, and cut on reading only as asked, between characters', async () => {
    const { outputFile } = await runCommand(specOf(`i=0; while [ $i -lt 500 ]; do printf 'ü€'; i=$((i+1)); done`));
    expect(readOutput(outputFile)).toBe('ü€'.repeat(500));
    const cut = readOutput(outputFile, 21);
    expect(cut).toBe('ü€ü€\n... 2480 bytes left out ...\nü€ü€\n'.replace(/\n$/, ''));
  });

  test('holds to odd and tiny limits', async () => {
    for (const [index, outputLimit] of [1, 2, 3, 17, 1_000].entries()) {
      const attempt = index + 1;
      const { outputFile } = await runCommand(specOf('seq 1 2000', { outputLimit, attempt }));
      const kept = readOutput(outputFile).replace(/\n?\.\.\. \d+ bytes left out \.\.\.\n/, '');
      expect(kept.length).toBeLessThanOrEqual(outputLimit);
    }
  });

  test('is empty where there is none', () => {
    expect(readOutput(join(root, 'nowhere', 'output.log'))).toBe('');
  });
});

describe('an abort', () => {
  test('ends a command that ignores SIGTERM once the grace is over, and rejects with the reason', async () => {
    const controller = new AbortController();
    const spec = specOf(`trap '' TERM; echo $$ > "${root}/pid"; while :; do sleep 0.05; done`, {
      signal: controller.signal,
      graceMs: 300,
    });
    const result = runCommand(spec);
    const pid = await fileWith('pid');
    const start = performance.now();
    controller.abort(new Error('enough'));
    await expect(result).rejects.toThrow('enough');
    const tookMs = performance.now() - start;
    expect(tookMs).toBeGreaterThanOrEqual(300);
    expect(tookMs).toBeLessThan(1_500);
    expect(isAlive(pid)).toBe(false);
  });

  test('ends the grandchildren too, also one in a session of its own and one with a cleared environment', async () => {
    const controller = new AbortController();
    const spec = specOf(
      `sh -c 'sleep 60 & echo $! > "${root}/one"; wait' & setsid sleep 60 & echo $! > "${root}/two"
       env -i sleep 60 & echo $! > "${root}/three"; wait`,
      { signal: controller.signal },
    );
    const result = runCommand(spec);
    const pids = await Promise.all(['one', 'two', 'three'].map(fileWith));
    expect(pids.map(isAlive)).toEqual([true, true, true]);
    controller.abort(new Error('enough'));
    await expect(result).rejects.toThrow('enough');
    expect(pids.map(isAlive)).toEqual([false, false, false]);
  });

  test('leaves a status that is not adopted, even if the command then exited with 0', async () => {
    const controller = new AbortController();
    const run = `echo x >> "${root}/runs"; [ $(wc -l < "${root}/runs") = 2 ] && exit 5
      trap 'exit 0' TERM; while :; do sleep 0.05; done`;
    const spec = specOf(run, { signal: controller.signal });
    const result = runCommand(spec);
    await fileWith('runs');
    await sleep(100);
    controller.abort(new Error('enough'));
    await expect(result).rejects.toThrow('enough');
    expect(JSON.parse(readFileSync(statusFile(spec), 'utf8'))).toMatchObject({ exitCode: 0, terminated: true });

    const again = await runCommand({ ...spec, signal: new AbortController().signal });
    expect(again).toMatchObject({ exitCode: 5, adopted: false });
  });

  test('that came before the start runs nothing', async () => {
    const spec = specOf(`echo x > "${root}/runs"`, { signal: AbortSignal.abort(new Error('never')) });
    await expect(runCommand(spec)).rejects.toThrow('never');
    expect(existsSync(join(root, 'runs'))).toBe(false);
  });

  test('as early as can be leaves nothing running', async () => {
    for (const delayMs of [0, 5, 20, 40, 60]) {
      const controller = new AbortController();
      const spec = specOf('sleep 60', { signal: controller.signal, directory: join(root, String(delayMs)) });
      setTimeout(() => controller.abort(new Error('enough')), delayMs);
      await expect(runCommand(spec)).rejects.toThrow('enough');
      expect(await endLeftovers(spec)).toBe(0);
    }
  });
});

describe('a wrapper that is killed', () => {
  test('together with its group is reported as SIGKILL', async () => {
    const spec = specOf(`echo $PPID > "${root}/wrapper"; sleep 60`);
    const result = runCommand(spec);
    process.kill(-Number(await fileWith('wrapper')), 'SIGKILL');
    expect(await result).toMatchObject({ exitCode: null, signal: 'SIGKILL', adopted: false });
  });

  test('alone takes its command with it', async () => {
    const result = runCommand(specOf(`echo $$ > "${root}/pid"; echo $PPID > "${root}/wrapper"; sleep 60`));
    const wrapper = await fileWith('wrapper');
    process.kill(Number(wrapper), 'SIGKILL');
    expect(await result).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    expect(isAlive(await fileWith('pid'))).toBe(false);
  });
});

test('a command whose outcome cannot be recorded is an error, never a success', async () => {
  const result = runCommand(specOf('rm -r "$(dirname "$PERDURE_INPUT")"'));
  await expect(result).rejects.toMatchObject({ code: 'COMMAND_FAILED', message: expect.stringContaining('record') });
});

describe('after the owner was killed', () => {
  test('the command goes on, and its outcome is adopted instead of running it again', async () => {
    const spec = specOf(`echo x >> "${root}/runs"; sleep 0.5; echo printed; echo '"made"' > "$PERDURE_OUTPUT"; exit 3`);
    const owner = startOwner(spec);
    await fileWith('runs');
    await kill(owner);
    await until(() => existsSync(statusFile(spec)));

    const result = await runCommand(spec);
    expect(result).toMatchObject({ exitCode: 3, value: 'made', adopted: true });
    expect(result.durationMs).toBeGreaterThan(450);
    expect(readOutput(result.outputFile)).toBe('printed\n');
    expect(runs()).toHaveLength(1);
  });

  test('a command that still runs is ended before it is run again', async () => {
    const spec = specOf(
      `trap 'exit 0' TERM; echo $$ >> "${root}/runs"; [ $(wc -l < "${root}/runs") = 2 ] && exit 4
       while :; do sleep 0.05; done`,
    );
    const owner = startOwner(spec);
    const pid = await fileWith('runs');
    await kill(owner);
    expect(isAlive(pid)).toBe(true);

    expect(await runCommand(spec)).toMatchObject({ exitCode: 4, adopted: false });
    expect(isAlive(pid)).toBe(false);
    expect(runs()).toHaveLength(2);
  });

  test('a leftover of attempt 1 is ended before attempt 2 runs', async () => {
    const spec = specOf(`echo $$ > "${root}/pid-$PERDURE_ATTEMPT"; [ $PERDURE_ATTEMPT = 2 ] || exec sleep 60`);
    const owner = startOwner(spec);
    const pid = await fileWith('pid-1');
    await kill(owner);
    expect(await runCommand({ ...spec, attempt: 2 })).toMatchObject({ exitCode: 0, adopted: false });
    expect(isAlive(pid)).toBe(false);
  });

  test('an outcome that lands while leftovers are being ended is adopted', async () => {
    const spec = specOf(`echo x >> "${root}/runs"; exit 8`);
    await runCommand(spec);
    renameSync(statusFile(spec), join(root, 'natural'));
    const lands = `trap 'mv "${root}/natural" "${statusFile(spec)}"; exit' TERM; echo r > "${root}/ready"
      while :; do sleep 0.02; done`;
    spawn('sh', ['-c', lands], { env: { ...process.env, PERDURE_ACTION: spec.key }, detached: true, stdio: 'ignore' });
    await fileWith('ready');
    expect(await runCommand(spec)).toMatchObject({ exitCode: 8, adopted: true });
    expect(runs()).toHaveLength(1);
  });

  test('a straggler that holds the pipe does not cost the outcome of the command that ended by itself', async () => {
    const spec = specOf(`echo x >> "${root}/runs"; (trap '' TERM; sleep 60) & exit 6`, { graceMs: 0 });
    const owner = startOwner(spec);
    await until(() => existsSync(statusFile(spec)));
    await kill(owner);
    expect(await runCommand(spec)).toMatchObject({ exitCode: 6, adopted: true });
    expect(runs()).toHaveLength(1);
  });
});

describe('what an earlier version called otherwise', () => {
  const former = { key: '', directory: '', since: 1 };

  test('is adopted if it ended', async () => {
    const old = specOf(`echo x >> "${root}/runs"; exit 5`);
    await runCommand(old);
    const place = { ...former, key: old.key, directory: old.directory };
    for (const directory of [old.directory, join(old.directory, '@9')])
      expect(await runCommand({ ...old, key: newKey(), directory, former: place })).toMatchObject({
        exitCode: 5,
        adopted: true,
      });
    expect(runs()).toHaveLength(1);
  });

  test('is ended if it has not', async () => {
    const old = specOf(`echo $$ > "${root}/old"; exec sleep 60`);
    const owner = startOwner(old);
    const pid = await fileWith('old');
    await kill(owner);
    const present = newKey();
    const spec = specOf('true', {
      key: present,
      earlier: { folder: old.directory, present },
      former: { ...former, ...old, since: 1 },
    });
    expect(await runCommand(spec)).toMatchObject({ exitCode: 0, adopted: false });
    expect(isAlive(pid)).toBe(false);
  });

  test('is not adopted if it began before the present generation', async () => {
    const old = specOf(`echo x >> "${root}/runs"; exit 5`);
    await runCommand(old);
    const place = { key: old.key, directory: old.directory, since: Date.now() + 1 };
    const spec = { ...old, key: newKey(), directory: join(old.directory, '@9'), former: place };
    expect(await runCommand(spec)).toMatchObject({ exitCode: 5, adopted: false });
    expect(runs()).toHaveLength(2);
  });
});

describe('an outcome is not adopted', () => {
  test('by another attempt', async () => {
    const spec = specOf('exit $PERDURE_ATTEMPT');
    await runCommand(spec);
    expect(await runCommand(spec)).toMatchObject({ exitCode: 1, adopted: true });
    expect(await runCommand({ ...spec, attempt: 2 })).toMatchObject({ exitCode: 2, adopted: false });
  });

  test('by another key that uses the same folder', async () => {
    const spec = specOf('true');
    await runCommand(spec);
    expect(await runCommand({ ...spec, key: newKey() })).toMatchObject({ adopted: false });
  });

  test('of an earlier generation, which is ended with all that stood in for it', async () => {
    const home = join(root, 'action');
    const undo = specOf(`echo $$ > "${root}/undo"; exec sleep 60`, { directory: join(home, 'undo') });
    const before = specOf(`echo $$ > "${root}/before"; exec sleep 60`);
    const present = newKey();
    const elsewhere = specOf(`echo $$ > "${root}/fork"; exec sleep 60`, { directory: join(root, 'action-of-a-fork') });
    const brother = specOf(`echo $$ > "${root}/brother"; exec sleep 60`, {
      key: `${present}/2`,
      directory: home,
      attempt: 7,
    });
    keys.add(brother.key);
    const owners = [before, undo, elsewhere, brother].map(startOwner);
    const pids = await Promise.all(['before', 'undo', 'fork', 'brother'].map(fileWith));
    await Promise.all(owners.map(kill));
    const earlier = { folder: home, present };
    const spec = specOf('exit 4', { key: present, directory: join(home, '@9'), earlier });
    expect(await runCommand(spec)).toMatchObject({ exitCode: 4, adopted: false });
    expect(pids.map(isAlive)).toEqual([false, false, true, true]);
  });

  test('if its file is torn', async () => {
    const spec = specOf('exit 3');
    await runCommand(spec);
    const whole = readFileSync(statusFile(spec), 'utf8');
    for (const torn of ['', whole.slice(0, -9), '{}', 'null', whole.replace('"exitCode":3', '"exitCode":"3"')]) {
      writeFileSync(statusFile(spec), torn);
      expect(await runCommand(spec)).toMatchObject({ exitCode: 3, adopted: false });
    }
  });
});

describe('ending leftovers', () => {
  /** A process that anyone may have started, with this in its environment. */
  function stray(key: string): { readonly pid: string; readonly gone: Promise<unknown> } {
    const child = spawn('sleep', ['60'], { env: { PERDURE_ACTION: key }, detached: true, stdio: 'ignore' });
    return { pid: String(child.pid), gone: once(child, 'exit') };
  }

  test('touches only the exact key', async () => {
    const key = newKey();
    const others = [`${key}1`, `${key} 1`, key.slice(1), `${key}\n`];
    for (const other of others) keys.add(other);
    const spared = others.map((other) => stray(other).pid);
    const meant = [stray(key), stray(key)];
    expect(await endLeftovers({ key })).toBe(2);
    await Promise.all(meant.map(({ gone }) => gone));
    expect(spared.map(isAlive)).toEqual([true, true, true, true]);
    expect(await endLeftovers({ key })).toBe(0);
  });

  test('spares whatever is in the group of the process that asks', async () => {
    const key = newKey();
    const sibling = spawn('sleep', ['60'], { env: { PERDURE_ACTION: key }, stdio: 'ignore' });
    try {
      expect(await endLeftovers({ key })).toBe(0);
      expect(isAlive(String(sibling.pid))).toBe(true);
    } finally {
      sibling.kill('SIGKILL');
    }
  });

  test('spares the groups of the ancestors, and those that `kill` takes for everyone, even if they carry the key', () => {
    const table: [pid: number, parent: number, group: number][] = [
      [1, 0, 1],
      [9, 0, 0],
      [10, 1, 10], // an outer owner
      [20, 10, 20], // the wrapper of the step that this run is
      [21, 20, 20], // another process of that step
      [30, 20, 30], // the process that asks
      [40, 30, 40], // a leftover
      [41, 40, 40], // its child, with a cleared environment
      [50, 1, 50], // somebody else
    ];
    const processes = table.map(([pid, parent, group]) => ({ pid, parent, group, zombie: false }));
    const carriers = new Set([1, 9, 10, 20, 21, 30, 40]);
    const chosen = chooseEndable({ processes, carriers }, new Set(), 30);
    expect(chosen.map(({ pid }) => pid)).toEqual([40, 41]);
  });

  test('finds an earlier generation in the listing of macOS by its folder', () => {
    const listing = [
      '  501     1   501 Ss   node wrapper.mjs PERDURE_ACTION=s/t/1/x PERDURE_OUTPUT=/my db.files/x/attempt-1/value HOME=/U',
      '  502     1   502 S    sleep PERDURE_OUTPUT=/my db.files/x/@9/attempt-1/value PERDURE_ACTION=s/t/9/x',
      '  503     1   503 S    sleep PERDURE_OUTPUT=/my db.files/xy/attempt-1/value PERDURE_ACTION=s/t/1/xy',
    ].join('\n');
    const earlier = { folder: '/my db.files/x', present: 's/t/9/' };
    expect([...censusOfPs({ key: 's/t/9/x@undo', earlier }, listing).carriers]).toEqual([501]);
  });

  test('reads the listing of macOS with the exact key', () => {
    const listing = [
      '  501     1   501 Ss   node wrapper.mjs /d PATH=/bin PERDURE_ACTION=plan/1:a b HOME=/Users/x',
      '  502   501   501 S    sleep 60 HOME=/Users/x PERDURE_ACTION=plan/1:a b',
      '  503     1   503 S    sleep 60 PERDURE_ACTION=plan/1:a b c HOME=/Users/x',
      '  504     1   504 Z    (sleep)',
    ].join('\n');
    const { processes, carriers } = censusOfPs({ key: 'plan/1:a b' }, listing);
    expect([...carriers]).toEqual([501, 502]);
    expect(processes.map(({ pid, parent, group, zombie }) => [pid, parent, group, zombie])).toEqual([
      [501, 1, 501, false],
      [502, 501, 501, false],
      [503, 1, 503, false],
      [504, 1, 504, true],
    ]);
  });
});
