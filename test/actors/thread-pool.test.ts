import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defineAction, type ThreadActionDefinition } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { crash } from '../../persistence/crash.ts';
import { tempFolder, tempStore } from '../support/temp.ts';
import { inThread, ROOT, withThreads } from '../support/threaded.ts';

const notesOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
const newNotes = () => join(tempFolder(), 'notes');

/** Resolves when a file has lines: a thread wrote them, which tells nobody else. */
async function noted(file: string, lines = 1): Promise<void> {
  while (notesOf(file).length < lines) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Keeps the event loop busy. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('S43: a pool of two has two threads, and the work is not done in the main one', async () => {
  await using supervisor = await withThreads({
    where: inThread<null>('where'),
    rest: inThread<{ ms: number }>('rest'),
  });
  expect(supervisor.stats().background.size).toBe(2);
  const { value } = await supervisor.execute('where', null);
  expect(value).toMatchObject({ isMainThread: false });
  const four = [0, 1, 2, 3].map((n) => supervisor.execute('rest', { ms: 30 + n }));
  await Promise.all(four.slice(0, 1));
  expect(supervisor.stats().background.busy).toBeLessThanOrEqual(2);
  await Promise.all(four);
  expect(supervisor.stats().background).toMatchObject({ busy: 0, queued: 0, completed: 5, deaths: 0 });
  expect(supervisor.stats().background.utilisation).toBeGreaterThan(0);
  expect(supervisor.stats().background.utilisation).toBeLessThanOrEqual(1);
});

test('S44, S45, H30: the id is there before the work is done, a time limit of 0 returns at once, and the result comes by itself', async () => {
  await using supervisor = await withThreads({ rest: inThread<{ ms: number }>('rest') });
  const handle = await supervisor.submit('rest', { ms: 50 }, { id: 'mine' });
  expect(handle.id).toBe('mine');
  expect(await handle.wait({ timeoutMs: 0 })).toBeUndefined();
  expect(await handle.wait({ timeoutMs: 1 })).toBeUndefined();
  expect(await handle.wait()).toMatchObject({ kind: 'ok', value: 'rested' });
  expect(await handle.wait({ timeoutMs: 0 })).toMatchObject({ kind: 'ok' });
  expect(supervisor.stats().settled).toBe(1);
  await expect(handle.wait({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});

test('S46: two jobs run side by side', async () => {
  await using supervisor = await withThreads({ rest: inThread<{ ms: number }>('rest') });
  const [a, b] = await Promise.all([supervisor.execute('rest', { ms: 300 }), supervisor.execute('rest', { ms: 300 })]);
  expect(Math.max(a.startedAt!, b.startedAt!)).toBeLessThan(Math.min(a.settledAt, b.settledAt));
});

test('what was prepared here is the input there, and its bytes stay; what could not be fails the attempt', async () => {
  const kept = new Uint8Array([1, 2, 3]);
  const prepare = ({ n }: { n: number }) => {
    if (n === 0) throw new TypeError('nothing to prepare');
    return { data: kept };
  };
  await using supervisor = await withThreads({ sum: inThread<{ n: number }>('sum', { prepare }) });
  expect(await supervisor.execute('sum', { n: 1 })).toMatchObject({ kind: 'ok', value: 6 });
  expect(kept).toHaveLength(3);
  expect(await supervisor.execute('sum', { n: 0 })).toMatchObject({
    kind: 'failed',
    error: { message: 'nothing to prepare' },
  });
  expect(supervisor.stats().background).toMatchObject({ busy: 0, completed: 1 });
});

test('work that needs the processor leaves the event loop free', async () => {
  await using supervisor = await withThreads({ burn: inThread<{ ms: number }>('burn') });
  const burning = await supervisor.submit('burn', { ms: 300 });
  let turns = 0;
  let isBurning = true;
  void burning.outcome.finally(() => (isBurning = false));
  while (isBurning) {
    turns += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(turns).toBeGreaterThan(50);
});

test('a thread is given what an attempt is given: id, key, attempt, fix, and the results of the steps before', async () => {
  let value: Record<string, unknown> = {};
  const given = inThread<unknown>('given', { verify: (returned) => Boolean((value = returned as typeof value)) });
  await using supervisor = await withThreads({ given, double: inThread<{ n: number }>('double') });
  const input = { date: new Date(5), map: new Map([[1n, Number.NaN]]), bytes: new Uint8Array([1, 2]), __proto__: null };
  const plan = await supervisor.plan({
    id: 'p',
    steps: [
      { id: 'first', action: 'double', input: { n: 2 } },
      { id: 'second', action: 'given', input, after: ['first'] },
    ],
  });
  expect((await plan.outcome).kind).toBe('ok');
  expect(value).toMatchObject({ attempt: 1, fix: null, results: { first: 4 } });
  expect(value['id']).toEqual(expect.any(String));
  expect(value['key']).toMatch(new RegExp(`/1/${value['id'] as string}$`));
  expect(value['input']).toEqual({ ...input });
});

test.each([
  ['code', { name: 'Error', code: 'ECONNREFUSED', message: 'refused', class: 'transient' }],
  ['type', { name: 'TypeError', message: 'not a function', class: 'programmer' }],
  ['fetch', { name: 'TypeError', message: 'fetch failed', class: 'transient' }],
  ['throttled', { class: 'throttled', retryAfterMs: 7_000 }],
  ['text', { name: 'string', message: 'only a text', class: 'transient' }],
  ['many', { name: 'AggregateError', class: 'permanent' }],
  ['odd', { name: 'OddError', message: 'odd' }],
])('an error crosses with what says of what class it is: %s', async (kind, record) => {
  let seen: unknown;
  const fail = inThread<string>('fail', { classify: (error) => void (seen = error) });
  await using supervisor = await withThreads({ fail });
  const { error } = await supervisor.execute('fail', kind);
  expect(error).toMatchObject(record);
  if (kind === 'text') return;
  expect(seen).toBeInstanceOf(Error);
  expect((seen as Error).stack).toContain('work.mjs');
  if (kind === 'type') expect(seen).toMatchObject({ cause: { message: 'why' } });
  if (kind === 'type') expect(seen).toBeInstanceOf(TypeError);
  if (kind === 'odd') expect(seen).toMatchObject({ retryable: false, detail: { deep: [1] } });
});

test.each([
  ['dom', { name: 'TimeoutError', class: 'timeout', message: 'took too long' }],
  ['signal', { name: 'AbortError', class: 'cancelled' }],
])('a DOMException crosses as one, and is of its class: %s', async (kind, record) => {
  let seen: unknown;
  const fail = inThread<string>('fail', { classify: (error) => void (seen = error) });
  await using supervisor = await withThreads({ fail });
  expect((await supervisor.execute('fail', kind)).error).toMatchObject(record);
  expect(seen).toBeInstanceOf(DOMException);
});

/** Characters of all texts in it, and errors. */
function extent(thrown: unknown): { errors: number; characters: number } {
  if (typeof thrown === 'string') return { errors: 0, characters: thrown.length };
  if (typeof thrown !== 'object' || thrown === null) return { errors: 0, characters: 0 };
  const parts = Reflect.ownKeys(thrown).map((key) => extent(Reflect.get(thrown, key)));
  const sum = (of: (part: (typeof parts)[number]) => number) => parts.reduce((all, part) => all + of(part), 0);
  const errors = sum((part) => part.errors) + (thrown instanceof Error ? 1 : 0);
  return { errors, characters: sum((part) => part.characters) };
}

test.each(['text', 'data', 'message', 'fields', 'causes', 'many'])(
  'of what is thrown no more crosses than can be of use: %s',
  async (kind) => {
    let seen: unknown;
    const fail = inThread<string>('failsLong', { classify: (error) => void (seen = error) });
    await using supervisor = await withThreads({ fail });
    expect((await supervisor.execute('fail', kind)).kind).toBe('failed');
    const { errors, characters } = extent(seen);
    expect(characters).toBeLessThanOrEqual(8 * 65_536);
    expect(errors).toBeLessThanOrEqual(32);
    if (kind === 'fields') expect(seen).toMatchObject({ cause: { code: 'EACCES' } });
    if (kind !== 'message') return;
    expect(seen).toMatchObject({ code: 'ECONNRESET', message: 'z'.repeat(65_536) });
    expect((seen as Error).stack).toContain('work.mjs');
  },
);

test.each([
  ['exhaust', null, 'THREAD_OUT_OF_MEMORY', 'resource'],
  ['exit', { code: 3 }, 'THREAD_EXITED', 'transient'],
  ['uncaught', null, 'THREAD_CRASHED', 'programmer'],
  ['unhandled', null, 'THREAD_CRASHED', 'programmer'],
] as const)(
  'what a call does to its thread is the end of that call and of no other: %s',
  async (name, input, code, kind) => {
    const actions = { dies: inThread<unknown>(name), rest: inThread<{ ms: number }>('rest') };
    await using supervisor = await withThreads(actions, { threads: { memoryMb: 32 } });
    const other = supervisor.execute('rest', { ms: 400 });
    const { error } = await supervisor.execute('dies', input);
    expect(error).toMatchObject({ code, class: kind });
    expect(await other).toMatchObject({ kind: 'ok', value: 'rested' });
    expect((await supervisor.execute('rest', { ms: 1 })).kind).toBe('ok');
    expect(supervisor.stats().background.deaths).toBe(1);
  },
);

test('an action whose thread dies is tried again as its policy says', async () => {
  const mortal = inThread<{ times: number }>('mortal', { retry: { attempts: 3, delayMs: 1, capMs: 2 } });
  await using supervisor = await withThreads({ mortal });
  expect(await supervisor.execute('mortal', { times: 2 })).toMatchObject({ kind: 'recovered', value: 3, attempts: 3 });
});

test('H30: cancelling asks the running code first', async () => {
  const notes = newNotes();
  await using supervisor = await withThreads({ polite: inThread<{ notes: string }>('polite') });
  const handle = await supervisor.submit('polite', { notes });
  for await (const value of handle.progress) if (value === 'there') break;
  await handle.cancel();
  expect(await handle.outcome).toMatchObject({ kind: 'cancelled' });
  expect(notesOf(notes)).toHaveLength(1);
  expect(supervisor.stats().background).toMatchObject({ deaths: 0, busy: 0 });
});

test('H30: a thread that does not listen is ended, and one that waits for a thread never begins', async () => {
  const notes = newNotes();
  const loop = inThread<{ notes: string }>('loop', { killAfterMs: 50 });
  await using supervisor = await withThreads({ loop }, { threads: { size: 1 } });
  const deaf = await supervisor.submit('loop', { notes }, { id: 'deaf' });
  await noted(notes);
  const queued = await supervisor.submit('loop', { notes }, { id: 'queued' });
  await queued.cancel();
  expect((await queued.outcome).kind).toBe('cancelled');
  await deaf.cancel();
  expect((await deaf.outcome).kind).toBe('cancelled');
  expect(notesOf(notes)).toEqual(['deaf 1']);
  expect(supervisor.stats().background).toMatchObject({ busy: 0, queued: 0 });
});

test('an endless loop ends with its time limit, is tried again as the policy says, and two attempts never run at once', async () => {
  const notes = newNotes();
  const more = { killAfterMs: 0, timeoutMs: 200, retry: { attempts: 2, delayMs: 1, capMs: 2 } };
  await using supervisor = await withThreads({
    loop: inThread<{ notes: string }>('loop', more),
    double: inThread<{ n: number }>('double'),
  });
  const outcome = await supervisor.execute('loop', { notes }, { id: 'x' });
  expect(outcome).toMatchObject({
    kind: 'failed',
    attempts: 2,
    error: { code: 'ATTEMPT_TIMED_OUT', class: 'timeout' },
  });
  expect(notesOf(notes)).toEqual(['x 1', 'x 2']);
  expect(await supervisor.execute('double', { n: 1 })).toMatchObject({ value: 2 });
});

test('the time that a call waits for a thread is not the time of its attempt, but brings its deadline nearer', async () => {
  const notes = newNotes();
  const actions = {
    loop: inThread<{ notes: string }>('loop', { killAfterMs: 0, timeoutMs: 600 }),
    double: inThread<{ n: number }>('double', { timeoutMs: 400 }),
    soon: inThread<{ n: number }>('double', { deadlineMs: 200 }),
  };
  await using supervisor = await withThreads(actions, { threads: { size: 1 } });
  const loop = supervisor.execute('loop', { notes });
  await noted(notes);
  const [waited, soon] = await Promise.all([
    supervisor.execute('double', { n: 2 }),
    supervisor.execute('soon', { n: 2 }),
  ]);
  expect((await loop).error?.code).toBe('ATTEMPT_TIMED_OUT');
  expect(waited).toMatchObject({ kind: 'ok', value: 4 });
  expect(soon).toMatchObject({ kind: 'failed', error: { code: 'DEADLINE_EXCEEDED' } });
});

test('a call that gives no sign of life is ended; one that gives them may take its time', async () => {
  const notes = newNotes();
  const actions = {
    loop: inThread<{ notes: string }>('loop', { heartbeatMs: 100, killAfterMs: 0 }),
    // On a busy computer a thread may have to wait for its turn.
    alive: inThread<{ ms: number }>('alive', { heartbeatMs: 1_000 }),
  };
  await using supervisor = await withThreads(actions);
  const [dead, alive] = await Promise.all([
    supervisor.execute('loop', { notes }),
    supervisor.execute('alive', { ms: 1_500 }),
  ]);
  expect(dead).toMatchObject({ kind: 'failed', error: { code: 'HEARTBEAT_MISSED', class: 'timeout' } });
  // The time that a thread may take to start is not added to that.
  expect(dead.workMs).toBeLessThan(8_000);
  expect(alive).toMatchObject({ kind: 'ok', value: 'alive' });
});

test('a stall of the event loop is told, and not mistaken for the death of a job', async () => {
  const actions = { alive: inThread<{ ms: number }>('alive', { heartbeatMs: 800 }) };
  await using supervisor = await withThreads(actions);
  const stalls: number[] = [];
  const heard = supervisor.on('runtime.stalled', ({ ms }) => stalls.push(ms));
  const turn = () => supervisor.durable.store.rows.turn;
  const handle = await supervisor.submit('alive', { ms: 3_000 });
  while (supervisor.stats().background.busy === 0) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = turn();
  block(1_500);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(stalls.length).toBeGreaterThan(0);
  expect(Math.max(...stalls)).toBeGreaterThan(1_000);
  expect(turn()).toBe(before);
  expect(await handle.outcome).toMatchObject({ kind: 'ok', value: 'alive' });
  heard.unsubscribe();
});

test('a module whose threads die too often is left alone for a while, also after a crash of the process', async () => {
  const clock = new SimulatedClock(1_000);
  const store = tempStore();
  const options = { store, clock, threads: { intensity: 2, periodMs: 10_000 } };
  const actions = { exit: inThread<{ code: number }>('exit') };
  const first = await withThreads(actions, options);
  const told: unknown[] = [];
  first.on('background.quarantined', (event) => told.push(event));
  const codes = [];
  for (let i = 0; i < 4; i += 1) {
    codes.push((await first.execute('exit', { code: 1 })).error?.code);
    await clock.advance(10);
  }
  expect(codes).toEqual(['THREAD_EXITED', 'THREAD_EXITED', 'THREAD_EXITED', 'THREAD_QUARANTINED']);
  expect(told).toMatchObject([{ module: './work.mjs', code: 'THREAD_EXITED' }]);
  expect(first.stats().background.deaths).toBe(3);
  crash(first.durable);
  await using second = await withThreads(actions, options);
  const refused = await second.execute('exit', { code: 1 });
  expect(refused.error).toMatchObject({
    code: 'THREAD_QUARANTINED',
    class: 'transient',
    retryAfterMs: expect.any(Number),
  });
  await clock.advance(10_000);
  expect((await second.execute('exit', { code: 1 })).error?.code).toBe('THREAD_EXITED');
});

test('progress comes in order and before the outcome; a flood of it is cut, and its last word comes', async () => {
  await using supervisor = await withThreads({ tells: inThread<{ values: number }>('tells') });
  const values: unknown[] = [];
  const few = await supervisor.submit('tells', { values: 5 });
  for await (const value of few.progress) values.push(value);
  expect(values).toEqual([1, 2, 3, 4, 5]);
  let last: unknown;
  let count = 0;
  const flood = await supervisor.submit('tells', { values: 20_000 });
  for await (const value of flood.progress) [last, count] = [value, count + 1];
  expect(last).toBe(20_000);
  expect(count).toBeLessThan(2_000);
});

test('bytes are moved into the thread and out of it, and what was moved away cannot be returned again', async () => {
  const actions = {
    bytes: inThread<{ size: number }>('bytes'),
    sum: inThread<{ data: Uint8Array }>('sum'),
    checked: inThread<{ data: Uint8Array }>('sum', {
      verify: (value, input) => (input as { data: Uint8Array }).data.length === 3 && value === 6,
    }),
    again: inThread<null>('again'),
  };
  await using supervisor = await withThreads(actions, { threads: { size: 1 } });
  expect((await supervisor.execute('bytes', { size: 4 })).value).toEqual(new Float64Array(4).fill(0.5));
  const data = new Uint8Array([1, 2, 3]);
  expect((await supervisor.execute('sum', { data })).value).toBe(6);
  expect((await supervisor.execute('checked', { data })).kind).toBe('ok');
  expect((await supervisor.execute('again', null)).value).toEqual(new Uint8Array(64));
  expect((await supervisor.execute('again', null)).error).toMatchObject({ code: 'CODEC_REFUSED' });
});

test.each([
  ['class', 'instance of Point', '/at/0'],
  ['function', 'is a function', '/f'],
  ['circle', 'contains itself', '/self/circle'],
  ['error', 'is an error', '/e'],
  ['array', 'instance of OfArray', '/array'],
  ['map', 'instance of OfMap', '/map'],
  ['set', 'instance of OfSet', '/set'],
  ['date', 'instance of OfDate', '/date'],
  ['bytes', 'instance of OfBytes', '/bytes'],
])('a result that cannot be stored is refused and not flattened in silence: %s', async (kind, why, path) => {
  await using supervisor = await withThreads({ refused: inThread<string>('refused') });
  const { error } = await supervisor.execute('refused', kind);
  expect(error).toMatchObject({ code: 'CODEC_REFUSED', class: 'programmer' });
  expect(error?.message).toContain(why);
  expect(error?.message).toContain(path);
});

test('every kind of plain data may be returned', async () => {
  await using supervisor = await withThreads({ kinds: inThread<null>('kinds') });
  const own: unknown = Object.assign(Object.create(null), { own: 1 });
  expect((await supervisor.execute('kinds', null)).value).toEqual({
    list: [new Map([['k', new Set([1n])]]), new Date(5), own],
    bytes: [
      new Uint8Array([1]),
      new Float32Array([0.5]),
      new BigInt64Array([1n]),
      new ArrayBuffer(2),
      new Uint8Array([98]),
    ],
  });
});

test('a call that breaks Array.prototype.push does not break the answer of the call after it', async () => {
  const actions = { vandal: inThread<null>('vandal'), given: inThread<null>('given') };
  await using supervisor = await withThreads(actions, { threads: { size: 1 } });
  expect((await supervisor.execute('vandal', null)).kind).toBe('ok');
  expect((await supervisor.execute('given', null)).kind).toBe('ok');
});

test('threads get no environment but what they are given', async () => {
  process.env['PERDURE_TEST_SECRET'] = 'hidden';
  const actions = { environment: inThread<{ name: string }>('environment') };
  await using supervisor = await withThreads(actions, { threads: { env: { GIVEN: 'yes' } } });
  expect((await supervisor.execute('environment', { name: 'PERDURE_TEST_SECRET' })).value).toBeNull();
  expect((await supervisor.execute('environment', { name: 'GIVEN' })).value).toBe('yes');
  delete process.env['PERDURE_TEST_SECRET'];
});

const outside = tempFolder();
writeFileSync(join(outside, 'stranger.mjs'), 'export const hash = () => 1;\n');
const inside = tempFolder();
writeFileSync(join(inside, 'good.mjs'), 'export const hash = () => 1;\nexport const other = () => 2;\n');
symlinkSync(join(outside, 'stranger.mjs'), join(inside, 'linked.mjs'));
symlinkSync(outside, join(inside, 'folder'));

test.each([
  ['../stranger.mjs', 'hash', 'THREAD_MODULE_OUTSIDE'],
  ['./../../etc/passwd', 'hash', 'THREAD_MODULE_OUTSIDE'],
  ['./linked.mjs', 'hash', 'THREAD_MODULE_OUTSIDE'],
  ['./folder/stranger.mjs', 'hash', 'THREAD_MODULE_OUTSIDE'],
  [join(inside, 'good.mjs'), 'hash', 'THREAD_MODULE_OUTSIDE'],
  ['file:///etc/passwd', 'hash', 'THREAD_MODULE_OUTSIDE'],
  ['data:text/javascript,export const hash=()=>1', 'hash', 'THREAD_MODULE_OUTSIDE'],
  ['http://example.org/x.mjs', 'hash', 'THREAD_MODULE_OUTSIDE'],
  ['node:fs', 'hash', 'THREAD_MODULE_OUTSIDE'],
  ['uuid', 'v7', 'THREAD_MODULE_OUTSIDE'],
  ['good.mjs', 'hash', 'THREAD_MODULE_OUTSIDE'],
  ['./missing.mjs', 'hash', 'THREAD_MODULE_NOT_FOUND'],
  ['./good.mjs\0', 'hash', 'THREAD_MODULE_NOT_FOUND'],
  ['./good.mjs', 'hsah', 'THREAD_MODULE_EXPORT'],
])('a module that is not there, or not where it may be, is refused at the start: %s', async (module, name, code) => {
  const actions = { x: defineAction<null, number>({ thread: { module, export: name } }) };
  const store = tempStore();
  const error = await spawnSupervisor({ store, actions, threads: { root: inside } }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code });
  if (code === 'THREAD_MODULE_EXPORT') {
    expect(error).toMatchObject({ facts: { functions: ['hash', 'other'] } });
    expect((error as Error).message).toBe(
      'The action "x": the module "./good.mjs" cannot run in a thread: ' +
        'it must export a function "hsah" (did you mean "hash"?), but it exports these: hash, other.',
    );
  }
  expect(existsSync(store)).toBe(false);
});

test.each(['./broken.mjs', './leaves.mjs'])(
  'a module that does not load is refused at the start: %s',
  async (module) => {
    const actions = { x: defineAction<null, number>({ thread: { module, export: 'x' } }) };
    await expect(spawnSupervisor({ store: tempStore(), actions, threads: { root: ROOT } })).rejects.toMatchObject({
      code: 'THREAD_MODULE_UNLOADABLE',
    });
  },
);

test('a package may be named when the host allows it', async () => {
  const actions = { id: defineAction<null, boolean>({ thread: { module: 'uuid', export: 'validate' } }) };
  await using supervisor = await withThreads(actions, { threads: { packages: ['uuid'] } });
  expect((await supervisor.execute('id', null)).value).toBe(false);
});

test.each([
  [{ size: 0 }, 'size'],
  [{ size: 65 }, 'size'],
  [{ memoryMb: 1 }, 'memoryMb'],
  [{ packages: 'uuid' }, 'packages'],
  [{ env: { A: 1 } }, 'env'],
  [{ intensity: -1 }, 'intensity'],
  [{ sise: 2 }, 'did you mean "size"'],
  [{ root: './nowhere' }, 'root'],
])('options of threads that mean nothing are refused: %j', async (threads, named) => {
  const actions = { double: inThread<{ n: number }>('double') };
  const error = await withThreads(actions, { threads: threads as never }).catch((thrown: unknown) => thrown as Error);
  expect(error).toMatchObject({ code: 'OPTIONS_INVALID' });
  expect((error as Error).message).toContain(named);
});

test.each([
  [{ run: () => 1, thread: { module: './work.mjs' } }, 'both'],
  [{ thread: './work.mjs' }, 'must be an object'],
  [{ thread: { module: 5 } }, 'module'],
  [{ thread: { module: './work.mjs', exports: 'x' } }, 'did you mean "export"'],
  [{ thread: { module: './work.mjs', export: 'double', killAfterMs: 10_001 } }, 'killAfterMs'],
  [{ thread: { module: './work.mjs', export: 'double', heartbeatMs: 0 } }, 'heartbeatMs'],
])('an action says where its work is once, and rightly: %j', async (definition, named) => {
  const error = await withThreads({ x: definition as unknown as ThreadActionDefinition }).catch(
    (thrown: unknown) => thrown as Error,
  );
  expect(error).toMatchObject({ code: 'OPTIONS_INVALID' });
  expect((error as Error).message).toContain(named);
});

test('H31: closing lets what runs in threads end, and keeps what waits for the next life', async () => {
  const store = tempStore();
  const actions = { rest: inThread<{ ms: number }>('rest') };
  const first = await withThreads(actions, { store, threads: { size: 1 } });
  await first.submit('rest', { ms: 200 }, { id: 'running' });
  await first.submit('rest', { ms: 1 }, { id: 'waiting' });
  while (first.stats().background.busy === 0) await new Promise((resolve) => setImmediate(resolve));
  await first.close();
  await using second = await withThreads(actions, { store });
  expect(second.stats().outcomes.ok).toBe(1);
  expect(await second.execute('rest', { ms: 1 }, { id: 'waiting' })).toMatchObject({ kind: 'ok', attempts: 1 });
  expect(second.stats().outcomes.ok).toBe(2);
});

test('closing cuts what does not end in time, and that goes on in the next life', async () => {
  const [store, notes] = [tempStore(), newNotes()];
  const loop = inThread<{ notes: string }>('loop');
  const first = await withThreads({ loop }, { store });
  await first.submit('loop', { notes }, { id: 'x' });
  await noted(notes);
  await first.close({ graceMs: 50 });
  const second = await withThreads({ loop }, { store });
  expect(second.resumed).toBeDefined();
  await noted(notes, 2);
  await second.close({ graceMs: 0 });
  expect(notesOf(notes)).toEqual(['x 1', 'x 1']);
});

test('what closing cuts is asked to end before its thread is', async () => {
  const notes = newNotes();
  const supervisor = await withThreads({ polite: inThread<{ notes: string }>('polite') });
  const handle = await supervisor.submit('polite', { notes });
  for await (const value of handle.progress) if (value === 'there') break;
  await supervisor.close({ graceMs: 300 });
  expect(notesOf(notes)).toHaveLength(1);
});

test('another number of threads takes effect at once; without any there is nothing to resize', async () => {
  const actions = { rest: inThread<{ ms: number }>('rest') };
  await using supervisor = await withThreads(actions, { threads: { size: 1 } });
  const all = Promise.all([1, 2, 3].map(() => supervisor.execute('rest', { ms: 300 })));
  while (supervisor.stats().background.queued < 2) await new Promise((resolve) => setImmediate(resolve));
  await supervisor.configure({ threads: 3 });
  expect(supervisor.stats().background).toMatchObject({ size: 3, busy: 3, queued: 0 });
  await all;
  await expect(supervisor.configure({ threads: 0 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  await using none = await spawnSupervisor({ store: tempStore(), actions: {} });
  await expect(none.configure({ threads: 2 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  expect(none.stats().background).toMatchObject({ size: 0, completed: 0 });
});

test('a pool that has had too few threads for a while says so, and costs no turn for each job', async () => {
  const actions = { rest: inThread<{ ms: number }>('rest') };
  await using supervisor = await withThreads(actions, { threads: { size: 1 } });
  const states: string[] = [];
  supervisor.on('background.changed', ({ state }) => states.push(state));
  const all = Promise.all([1, 2, 3, 4].map(() => supervisor.execute('rest', { ms: 500 })));
  await new Promise<void>((resolve) => supervisor.on('background.changed', () => resolve()));
  expect(states).toEqual(['saturated']);
  await all;
});
