/** The acceptance list of the queue, by its numbers. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { defineAction, type Actions } from '../../actors/actions.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { bundle } from '../support/bundle.ts';
import { MINUTE, SECOND, START, heard, inTime, open } from '../support/pipeline.ts';
import { quickStore, tempFolder } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

const double = defineAction({ run: (n: number) => n * 2 });

/** Work that goes on until the test says so. */
function gated() {
  const ends = new Map<string, () => void>();
  const starts: string[] = [];
  const work = defineAction({
    run: (n: number, { id, signal }) => {
      starts.push(id);
      return new Promise<number>((resolve, reject) => {
        ends.set(id, () => resolve(n));
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    },
  });
  return { ends, starts, work };
}

async function started<TActions extends Actions>(
  options: Parameters<typeof open<TActions>>[1],
  clock = new SimulatedClock(START),
): Promise<Supervisor<TActions>> {
  const supervisor = await open(clock, options);
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  return supervisor;
}

test('S22: a new queue holds nothing', async () => {
  const supervisor = await started({ actions: { double } });
  expect(supervisor.stats().queue).toEqual({ waiting: 0, running: 0, backingOff: 0, asking: 0, parked: 0 });
});

test('S23: what was submitted is what runs next', async () => {
  const supervisor = await started({ actions: { double } });
  const told = heard(supervisor);
  await (
    await supervisor.submit('double', 2, { id: 'two' })
  ).outcome;
  expect(told[0]).toMatchObject({ type: 'action.attempting', id: 'two', attempt: 1 });
});

test('S24: whoever opens the store next sees what waits in it', async () => {
  const [store, { work }] = [quickStore(), gated()];
  const first = await started({ store, actions: { work }, concurrency: 1 });
  for (const n of [1, 2]) await first.submit('work', n);
  crash(first.durable);
  const second = await started({ store, actions: { work }, concurrency: 1 });
  expect(second.stats().queue).toMatchObject({ waiting: 1, running: 1 });
});

test('S25, H13: what has started is taken over only after the death of its owner', async () => {
  const [store, { starts, work }] = [quickStore(), gated()];
  const first = await started({ store, actions: { work } });
  await first.submit('work', 1, { id: 'one' });
  await until(() => starts.length === 1);
  await expect(started({ store, actions: { work } })).rejects.toMatchObject({ code: 'STORE_OWNED' });
  expect(starts).toEqual(['one']);
  crash(first.durable);
  const second = await started({ store, actions: { work } });
  expect(second.resumed?.effects).toBe(1);
  await until(() => starts.length === 2);
  expect(starts).toEqual(['one', 'one']);
});

test('S30: a submission resolves with the value of its work', async () => {
  const supervisor = await started({ actions: { double } });
  expect(await supervisor.execute('double', 21)).toMatchObject({ kind: 'ok', value: 42 });
});

test('S33: five that are queued all end well, each with its own value', async () => {
  const supervisor = await started({ actions: { double }, concurrency: 2 });
  const handles = await Promise.all([1, 2, 3, 4, 5].map((n) => supervisor.submit('double', n)));
  const values = await Promise.all(handles.map(async ({ outcome }) => (await outcome).value));
  expect(values).toEqual([2, 4, 6, 8, 10]);
  expect(supervisor.stats().outcomes).toMatchObject({ ok: 5, failed: 0 });
});

test('S37: what is queued when the process dies runs in the next, each once', async () => {
  const [store, ran] = [quickStore(), [] as number[]];
  const note = defineAction({ run: (n: number) => ran.push(n) });
  const first = await started({ store, actions: { note } });
  await first.pause();
  const ids = await Promise.all([1, 2].map(async (n) => (await first.submit('note', n)).id));
  crash(first.durable);
  const second = await started({ store, actions: { note } });
  await second.resume();
  const rows = second.durable.store.rows;
  await until(() => rows.all(`select 1 from actions where kind = 'ok'`).length === 2);
  expect(
    rows
      .all<{ id: string }>('select id from actions')
      .map(({ id }) => id)
      .sort(),
  ).toEqual([...ids].sort());
  expect(new Set(ran)).toEqual(new Set([1, 2]));
  expect(ran).toHaveLength(2);
});

test('S38: what is critical runs before what is normal, also when it came later', async () => {
  const { starts, ends, work } = gated();
  const supervisor = await started({ actions: { work }, concurrency: 1 });
  const first = await supervisor.submit('work', 0, { id: 'first' });
  const normal = await supervisor.submit('work', 1, { id: 'normal' });
  const critical = await supervisor.submit('work', 2, { id: 'critical', priority: 'critical' });
  for (const { id, outcome } of [first, critical, normal]) {
    await until(() => ends.has(id));
    ends.get(id)?.();
    await outcome;
  }
  expect(starts).toEqual(['first', 'critical', 'normal']);
  expect([(await critical.outcome).value, (await normal.outcome).value]).toEqual([2, 1]);
  expect(supervisor.stats().outcomes.ok).toBe(3);
  expect(supervisor.health().overall).toBe('healthy');
});

test('H13: an attempt that was given up and returns late changes nothing', async () => {
  const clock = new SimulatedClock(START);
  const late: ((value: string) => void)[] = [];
  const deaf = defineAction({
    run: () => new Promise<string>((resolve) => late.push(resolve)),
    timeoutMs: SECOND,
    retry: { attempts: 2, delayMs: 1, capMs: 1 },
  });
  const supervisor = await started({ actions: { deaf } }, clock);
  const { outcome } = await supervisor.submit('deaf', undefined);
  while (late.length < 2) {
    await clock.advance(SECOND);
    await settle();
  }
  late[0]?.('stale');
  await settle();
  expect(supervisor.stats().queue.running).toBe(1);
  late[1]?.('fresh');
  expect(await inTime(clock, outcome)).toMatchObject({ kind: 'recovered', value: 'fresh', attempts: 2 });
});

test('H14: an action without its handler is parked and visible, and never done; it runs when the handler is back', async () => {
  const store = quickStore();
  const { work } = gated();
  const first = await started({ store, actions: { work, double }, concurrency: 1 });
  await first.submit('work', 0);
  await first.submit('double', 4, { id: 'four' });
  await first.close({ graceMs: 0 });
  const without = await started({ store, actions: {} });
  await settle();
  expect(without.stats()).toMatchObject({ settled: 0, queue: { parked: 2, waiting: 0, running: 0 } });
  await without.close();
  const back = await started({ store, actions: { double } });
  await until(() => back.stats().outcomes.ok === 1);
  expect(await back.execute('double', 4, { id: 'four' })).toMatchObject({ value: 8 });
});

test('H15: work that returns nothing ends well, and those behind it have their turn', async () => {
  const actions = {
    nothing: defineAction({ run: () => {} }),
    none: defineAction({ run: () => null }),
    double,
  };
  const supervisor = await started({ actions, concurrency: 1 });
  const nothing = await supervisor.submit('nothing', undefined);
  const none = await supervisor.submit('none', undefined);
  const last = await supervisor.submit('double', 1);
  expect(await Promise.all([nothing.outcome, none.outcome, last.outcome])).toMatchObject([
    { kind: 'ok', value: undefined },
    { kind: 'ok', value: null },
    { kind: 'ok', value: 2 },
  ]);
});

test('H18: closures are told apart by the names that they are registered by, and versions by theirs', async () => {
  const store = quickStore();
  const make = (n: number) => defineAction({ run: () => n });
  const actions = { one: make(1), two: make(2), three: make(3) };
  const first = await started({ store, actions, concurrency: 1 });
  await first.pause();
  const ids = await Promise.all(
    (['one', 'two', 'three'] as const).map(async (name) => (await first.submit(name, null)).id),
  );
  crash(first.durable);
  const changed = { ...actions, two: defineAction({ run: () => 'other code', version: '2' }) };
  const second = await started({ store, actions: changed });
  await second.resume();
  await until(() => second.stats().settled === 2);
  const kinds = second.durable.store.rows.all<{ id: string; state: string; value: string | null }>(
    'select id, state, value from actions',
  );
  expect(new Map(kinds.map(({ id, state, value }) => [id, [state, value]]))).toEqual(
    new Map([
      [ids[0], ['settled', '1']],
      [ids[1], ['parked', null]],
      [ids[2], ['settled', '3']],
    ]),
  );
  const other = second.submit('two', null, { id: ids[1] as string });
  await expect(other).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
});

const KILLED = `
import { appendFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineAction, spawnSupervisor } from 'PACKAGE';
const [folder, count] = process.argv.slice(2);
const work = defineAction({
  run: async (n, { id }) => {
    appendFileSync(folder + '/ran', id + '\\n');
    await sleep(n % 7);
    // The other side takes each key once.
    try { writeFileSync(folder + '/key-' + id, String(n), { flag: 'wx' }); } catch (error) { if (error.code !== 'EEXIST') throw error; }
    return n;
  },
});
const queues = { bounded: { maxWaiting: 20 } };
const supervisor = await spawnSupervisor({ store: folder + '/work.db', actions: { work }, queues, concurrency: 4 });
const handles = [];
for (let n = 0; n < Number(count); n++) handles.push(await supervisor.submit('work', n, { id: 'w' + n, queue: 'bounded' }));
const outcomes = await Promise.all(handles.map(({ outcome }) => outcome));
writeFileSync(folder + '/outcomes', JSON.stringify(outcomes.map(({ kind, value }) => [kind, value])));
await supervisor.close();
`;

test('H17: killed again and again, every action runs, none is done that did not run, and effects with a key happen once', async () => {
  const [folder, count] = [tempFolder(), 800];
  const script = join(folder, 'killed.mjs');
  writeFileSync(script, KILLED.replace('PACKAGE', join(bundle(), 'index.js')));
  const waits = fc.sample(fc.integer({ min: 250, max: 500 }), 6);
  let lives = 0;
  for (const waitMs of [...waits, MINUTE]) {
    const child = spawn(process.execPath, [script, folder, String(count)], { stdio: 'inherit' });
    const kill = setTimeout(() => child.kill('SIGKILL'), waitMs);
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      child.once('exit', (...end) => resolve(end)),
    );
    clearTimeout(kill);
    lives += 1;
    expect(code === 0 || signal === 'SIGKILL').toBe(true);
    if (code === 0) break;
  }
  expect(lives).toBeGreaterThan(1);
  const outcomes = JSON.parse(readFileSync(join(folder, 'outcomes'), 'utf8')) as unknown[];
  expect(outcomes).toEqual(Array.from({ length: count }, (_, n) => ['ok', n]));
  const ran = new Set(readFileSync(join(folder, 'ran'), 'utf8').trim().split('\n'));
  expect(ran.size).toBe(count);
  for (let n = 0; n < count; n++) expect(existsSync(join(folder, `key-w${n}`))).toBe(true);
}, 120_000);
