/** What threads are to their process: one that ends takes them along, and they keep none that has nothing to do. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundle } from '../support/bundle.ts';
import { tempFolder } from '../support/temp.ts';
import { ROOT } from '../support/threaded.ts';

const perdure = join(bundle(), 'index.js');

/** Runs a program beside the package as it is published. */
function program(text: string, folder: string, stderr: 'inherit' | 'ignore' = 'inherit') {
  const file = join(folder, 'program.mjs');
  const head = `
    import { defineAction, spawnSupervisor } from ${JSON.stringify(perdure)};
    const notes = ${JSON.stringify(join(folder, 'notes'))};
    const inThread = (name, more) => defineAction({ thread: { module: './work.mjs', export: name, ...more } });
    const start = (actions, more) =>
      spawnSupervisor({ store: ${JSON.stringify(join(folder, 'work.db'))}, actions, concurrency: 4, threads: { root: ${JSON.stringify(ROOT)}, size: 2 }, ...more });
  `;
  writeFileSync(file, head + text);
  return spawn(process.execPath, [file], { cwd: folder, stdio: ['ignore', 'pipe', stderr] });
}

const notesOf = (folder: string) => {
  const file = join(folder, 'notes');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};

test('a process whose supervisor is closed ends by itself, whatever its threads were at', async () => {
  const folder = tempFolder();
  const child = program(
    `
    const supervisor = await start({ double: inThread('double'), loop: inThread('loop'), exit: inThread('exit'), alive: inThread('alive', { heartbeatMs: 5000 }) });
    const value = (await supervisor.execute('double', { n: 4 })).value;
    await supervisor.execute('exit', { code: 2 });
    await supervisor.execute('alive', { ms: 20 });
    const loop = await supervisor.submit('loop', { notes }, { id: 'endless' });
    loop.outcome.catch(() => {});
    await supervisor.submit('double', { n: 5 });
    await supervisor.close({ graceMs: 100 });
    process.once('beforeExit', () => console.log(value, process.getActiveResourcesInfo().filter((one) => /Worker|MessagePort|Timeout/.test(one)).join()));
    `,
    folder,
  );
  const [[text], [code]] = (await Promise.all([once(child.stdout, 'data'), once(child, 'exit')])) as [
    [Buffer],
    [number],
  ];
  expect([String(text).trim(), code]).toEqual(['8', 0]);
});

test('after kill -9 the threads are gone, and only what was not finished runs again', async () => {
  const folder = tempFolder();
  const text = `
    const supervisor = await start({ double: inThread('double'), loop: inThread('loop', { killAfterMs: 0 }) });
    await supervisor.execute('double', { n: 4 }, { id: 'done' });
    await supervisor.submit('loop', { notes }, { id: 'endless' });
  `;
  const life = async (lines: number) => {
    const child = program(text, folder);
    while (notesOf(folder).length < lines) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  await life(1);
  await life(2);
  expect(notesOf(folder)).toEqual(['endless 1', 'endless 1']);
});

test('a piece of memory that no thread may have ends the process; after three times the work is a dead letter, and all else goes on', async () => {
  const folder = tempFolder();
  const text = `
    const supervisor = await start({ large: inThread('large'), double: inThread('double') }, { threads: { root: ${JSON.stringify(ROOT)}, size: 1, memoryMb: 16 } });
    const { kind, error } = await supervisor.execute('large', null, { id: 'deadly' });
    const dead = supervisor.deadLetters.list().map(({ id }) => id);
    const { value } = await supervisor.execute('double', { n: 4 });
    console.log(JSON.stringify({ kind, code: error.code, dead, value }));
    await supervisor.close();
  `;
  const life = async () => {
    // What Node says of its own end is long.
    const child = program(text, folder, 'ignore');
    const said: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => said.push(part));
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    return { code, signal, said: Buffer.concat(said).toString() };
  };
  for (const signal of ['SIGABRT', 'SIGABRT', 'SIGABRT']) expect(await life()).toMatchObject({ signal });
  const { code, said } = await life();
  expect(code).toBe(0);
  expect(JSON.parse(said)).toMatchObject({ kind: 'failed', code: 'ATTEMPT_INTERRUPTED', dead: ['deadly'], value: 8 });
}, 60_000);

test('an error whose text fills most of the memory of its thread ends neither process nor thread', async () => {
  const folder = tempFolder();
  const text = `
    const supervisor = await start({ fails: inThread('failsLong'), double: inThread('double') }, { threads: { root: ${JSON.stringify(ROOT)}, size: 1, memoryMb: 64 } });
    const { kind, error } = await supervisor.execute('fails', 'huge');
    const { value } = await supervisor.execute('double', { n: 4 });
    console.log(JSON.stringify({ kind, name: error.name, start: error.message.slice(0, 3), value, deaths: supervisor.stats().background.deaths }));
    await supervisor.close();
  `;
  const child = program(text, folder);
  const [[said], [code]] = (await Promise.all([once(child.stdout, 'data'), once(child, 'exit')])) as [
    [Buffer],
    [number],
  ];
  expect(JSON.parse(String(said))).toEqual({ kind: 'failed', name: 'Error', start: 'zzz', value: 8, deaths: 0 });
  expect(code).toBe(0);
});
