import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { PROFILE_TABLES, RUNS_OF_PLAN } from '../../actors/profile-tables.ts';
import type { OperationReport } from '../../machines/profile-report.ts';
import { MOST_OPERATIONS } from '../../machines/profile.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { failStore } from '../../testing.ts';
import { START, failure, heard, inTime, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

const actions = { nap: defineAction({ run: () => {} }) };

function found(operations: readonly OperationReport[], name: string): OperationReport | undefined {
  return operations.find((operation) => operation.name === name);
}

/** An action that takes as long as its input says, and fails so many times first. */
function timed(clock: SimulatedClock) {
  const tries = new Map<string, number>();
  return defineAction({
    run: async ({ ms, failures = 0 }: { ms: number; failures?: number }, { id, signal }) => {
      await new Promise<void>((resolve) => {
        clock.setTimeout(resolve, ms);
        signal.addEventListener('abort', () => resolve());
      });
      const before = tries.get(id) ?? 0;
      tries.set(id, before + 1);
      if (before < failures) throw failure('not yet', { retryable: true });
    },
    retry: { attempts: 3, delayMs: 500 },
  });
}

test('S51: at first it samples, and has measured nothing', async () => {
  await using supervisor = await open(new SimulatedClock(START), { actions });
  expect(supervisor.profiler.currentMode).toBe('sampling');
  expect(supervisor.profiler.report()).toMatchObject({
    spans: 0,
    workMs: 0,
    dropped: 0,
    since: START,
    bottlenecks: [],
    hotPaths: [],
    recommendations: [],
  });
});

test('S52, S54: a function that is wrapped gives what it gave, is counted once a call, and what it throws is thrown and counted', async () => {
  await using supervisor = await open(new SimulatedClock(START), { actions });
  const { profiler } = supervisor;
  const double = profiler.wrap('double', (n: number) => n * 2);
  const later = profiler.wrap(async function later(n: number) {
    await settle(1);
    if (n < 0) throw new RangeError('below');
    return n;
  });
  const broken = profiler.wrap('broken', () => {
    throw new TypeError('broken');
  });
  expect(double(21)).toBe(42);
  expect(profiler.report().spans).toBe(1);
  expect(await later(7)).toBe(7);
  await expect(later(-1)).rejects.toThrow(new RangeError('below'));
  expect(() => broken()).toThrow(new TypeError('broken'));
  const host = {
    n: 3,
    own: profiler.wrap('method', function method(this: { n: number }) {
      return this.n;
    }),
  };
  expect(host.own()).toBe(3);
  const { operations, spans } = profiler.report();
  expect(spans).toBe(5);
  expect(found(operations, 'double')).toMatchObject({ count: 1, failures: 0 });
  expect(found(operations, 'later')).toMatchObject({ count: 2, failures: 1, errorRate: 0.5 });
  expect(found(operations, 'broken')).toMatchObject({ count: 1, failures: 1 });
});

test('a function that is wrapped gives the very promise that it gave, and stays what it was', async () => {
  await using supervisor = await open(new SimulatedClock(START), { actions });
  const { profiler } = supervisor;
  class Answer extends Promise<number> {
    status = 200;
  }
  const kept = Answer.resolve(7);
  const ask = Object.assign(
    function ask(_first: number, _second: number) {
      return kept;
    },
    { version: 3 },
  );
  const asked = profiler.wrap('ask', ask);
  expect(asked(1, 2)).toBe(kept);
  expect(asked(1, 2)).toBe(kept);
  expect([asked.name, asked.length, asked.version]).toEqual(['ask', 2, 3]);
  // Handled already: nobody waits for it, and the process must bear it as it does without.
  const warm = () => {
    const refused = Promise.reject(new Error('the cache is down'));
    refused.catch(() => {});
    return refused;
  };
  void profiler.wrap('warm', warm)();
  await settle();
  const { operations } = profiler.report();
  expect(found(operations, 'ask')).toMatchObject({ count: 2, failures: 0 });
  expect(found(operations, 'warm')).toMatchObject({ count: 1, failures: 1 });
});

test('what is no function and no question is refused, and says where', async () => {
  await using supervisor = await open(new SimulatedClock(START), { actions });
  const { profiler } = supervisor;
  const invalid = (message: RegExp) =>
    expect.objectContaining({ code: 'OPTIONS_INVALID', message: expect.stringMatching(message) });
  expect(() => profiler.wrap(5 as never)).toThrow(invalid(/profiler\.wrap\(\).* got 5/));
  for (const wrong of ['no', null, { plan: 5 }, { paln: 'nightly:1' }]) {
    expect(() => profiler.report(wrong as never)).toThrow(invalid(/What is asked of the profiler/));
    expect(() => profiler.flame(wrong as never)).toThrow(invalid(/What is asked of the profiler/));
  }
});

test('S53: a span that is begun and ended by hand counts once, and takes time', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions });
  const span = supervisor.profiler.span('by hand');
  expect(supervisor.profiler.report().operations).toMatchObject([
    { name: 'by hand', count: 0, failures: 0, inFlight: 1 },
  ]);
  await clock.advance(30);
  span.end();
  span.end({ failed: true });
  expect(supervisor.profiler.report().operations).toMatchObject([
    { name: 'by hand', count: 1, failures: 0, inFlight: 0, meanMs: 30, maxMs: 30 },
  ]);
  for (const wrong of ['', 7]) {
    expect(() => supervisor.profiler.span(wrong as never)).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID' }),
    );
  }
});

test('spans lie in the span that runs, also beyond what is waited for, and do not mix with those beside them', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions });
  const { profiler } = supervisor;
  const wait = (ms: number) => new Promise<void>((resolve) => void clock.setTimeout(resolve, ms));
  const work = (outer: string, ms: number) =>
    profiler.wrap(outer, async () => {
      await wait(10);
      {
        using _ = profiler.span(`${outer} inner`);
        await wait(ms);
      }
      await wait(10);
    })();
  await inTime(clock, Promise.all([work('a', 100), work('b', 50)]), 5);
  expect(profiler.report().operations.map(({ name, totalMs, selfMs }) => ({ name, totalMs, selfMs }))).toEqual([
    { name: 'a inner', totalMs: 100, selfMs: 100 },
    { name: 'b inner', totalMs: 50, selfMs: 50 },
    { name: 'a', totalMs: 120, selfMs: 20 },
    { name: 'b', totalMs: 70, selfMs: 20 },
  ]);
  expect(profiler.flame().children.map(({ name, value }) => [name, value])).toEqual([
    ['a', 120],
    ['b', 70],
  ]);
});

test('an action has its phases, and what its work measures lies in its attempt', async () => {
  const clock = new SimulatedClock(START);
  const inner: { measure?: () => Promise<void> } = {};
  const own = defineAction({
    run: async (ms: number) => {
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, ms));
      await inner.measure?.();
    },
  });
  await using supervisor = await open(clock, { actions: { own, timed: timed(clock) }, concurrency: 1 });
  inner.measure = supervisor.profiler.wrap(
    'query',
    () => new Promise<void>((resolve) => void clock.setTimeout(resolve, 40)),
  );
  const first = supervisor.submit('timed', { ms: 200, failures: 1 });
  const second = supervisor.submit('own', 60);
  await inTime(clock, Promise.all([first, second].map(async (handle) => (await handle).outcome)), 5);
  const { hotPaths, operations } = supervisor.profiler.report();
  expect(found(operations, 'timed: attempt')).toMatchObject({ count: 2, failures: 1, kind: 'work', selfMs: 400 });
  expect(found(operations, 'own: attempt')).toMatchObject({ count: 1, failures: 0, totalMs: 100, selfMs: 60 });
  expect(found(operations, 'timed')).toMatchObject({ count: 1, failures: 0 });
  expect(found(operations, 'own: queued')).toMatchObject({ count: 1, kind: 'wait' });
  const slept = found(operations, 'timed: back-off');
  expect(slept).toMatchObject({ count: 1, kind: 'wait' });
  expect(slept?.totalMs).toBeGreaterThan(100);
  expect(hotPaths.map(({ path, selfMs }) => ({ path, selfMs }))).toEqual([
    { path: ['timed', 'attempt'], selfMs: 400 },
    { path: ['own', 'attempt'], selfMs: 60 },
  ]);
  expect(found(operations, 'query')).toMatchObject({ totalMs: 40, count: 1 });
  expect(supervisor.profiler.flame().children.find(({ name }) => name === 'own')).toMatchObject({
    children: expect.arrayContaining([
      expect.objectContaining({ name: 'attempt', children: [expect.objectContaining({ name: 'query', value: 40 })] }),
    ]),
  });
});

test('what waits for somebody to approve it is not queued', async () => {
  const clock = new SimulatedClock(START);
  const wipe = defineAction({ run: () => 1, impact: 'critical', reversible: false });
  await using supervisor = await open(clock, { actions: { ...actions, wipe } });
  const { outcome } = await supervisor.submit('wipe', undefined as never, { id: 'w' });
  await until(() => supervisor.approvals().length === 1);
  await clock.advance(60_000);
  await supervisor.approve('w');
  await inTime(clock, outcome, 10);
  const { operations, recommendations } = supervisor.profiler.report();
  expect(found(operations, 'wipe: approval')).toMatchObject({ count: 1, kind: 'wait' });
  expect(found(operations, 'wipe: approval')?.totalMs).toBeGreaterThanOrEqual(60_000);
  expect(found(operations, 'wipe: queued')).toBeUndefined();
  expect(recommendations.map(({ reason }) => reason).join()).not.toContain('wait');
});

test('what was measured is there in the next life, what was under way in a crash is not, and a restart adds up', async () => {
  const clock = new SimulatedClock(START);
  const options = { actions: { timed: timed(clock) }, store: quickStore(), concurrency: 2 };
  const first = await open(clock, options);
  await inTime(clock, first.execute('timed', { ms: 100 }), 10);
  const lost = first.submit('timed', { ms: 60_000 }, { id: 'long' });
  (await lost).outcome.catch(() => {});
  await clock.advance(5_000);
  await settle();
  crash(first.durable);
  const second = await open(clock, options);
  expect(found(second.profiler.report().operations, 'timed')).toMatchObject({ count: 1, inFlight: 0 });
  await settle();
  await inTime(clock, second.execute('timed', { ms: 100 }), 10);
  await second.close();
  await using third = await open(clock, options);
  expect(found(third.profiler.report().operations, 'timed')).toMatchObject({ count: 2 });
  expect(third.profiler.report().since).toBe(START);
});

test('the mode is kept, hosts may say another, and what is none is refused', async () => {
  const clock = new SimulatedClock(START);
  const options = { actions, store: quickStore() };
  const first = await open(clock, options);
  const told = heard(first);
  await first.profiler.mode('off');
  await first.profiler.mode('off');
  await first.execute('nap', null as never);
  first.profiler.span('nothing').end();
  expect(first.profiler.report().spans).toBe(0);
  expect(told.filter(({ type }) => type.startsWith('profiler.'))).toEqual([
    { type: 'profiler.changed', mode: 'off', at: START },
  ]);
  await expect(first.profiler.mode('loud' as never)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  crash(first.durable);
  const second = await open(clock, options);
  expect(second.profiler.currentMode).toBe('off');
  await second.close();
  await using third = await open(clock, { ...options, profiler: 'full' });
  expect(third.profiler.currentMode).toBe('full');
  await expect(open(clock, { actions, profiler: 'some' as never })).rejects.toMatchObject({
    code: 'OPTIONS_INVALID',
    message: 'profiler: must be one of off, sampling, full, got "some".',
  });
});

test('in full mode turns and actors are measured too, one event in another, and never the profiler itself', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions, profiler: 'full' });
  for (let n = 0; n < 5; n += 1) await supervisor.execute('nap', null as never);
  await supervisor.profiler.mode('sampling');
  const { operations, runtime } = supervisor.profiler.report();
  expect(found(operations, 'nap')).toMatchObject({ count: 5 });
  expect(found(runtime, 'executor')?.count).toBeGreaterThan(5);
  expect(found(runtime, 'turn')?.inFlight).toBe(0);
  expect(runtime.map(({ name }) => name)).not.toContain('profiler');
  expect(runtime.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['turn', 'supervisor', 'executor', 'action', 'store commit']),
  );
  const turn = supervisor.profiler.flame().children.find(({ name }) => name === 'turn');
  expect(turn?.children.map(({ name }) => name)).toContain('supervisor');
  const before = found(runtime, 'turn')?.count;
  await supervisor.execute('nap', null as never);
  expect(found(supervisor.profiler.report().runtime, 'turn')?.count).toBe(before);
});

test('of a run of a plan its critical path is told, and a step that has become slower, once it has ended', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions: { timed: timed(clock) }, concurrency: 2 });
  const told = heard(supervisor);
  const run = async (id: string, ms: number) => {
    const steps = [
      { id: 'a', action: 'timed', input: { ms: 300 } },
      { id: 'b', action: 'timed', input: { ms }, after: ['a'] },
    ];
    const { outcome } = await supervisor.plan({ name: 'nightly', id, steps });
    await inTime(clock, outcome, 10);
    await clock.advance(6_000);
    await settle();
  };
  for (let n = 1; n <= 4; n += 1) await run(`nightly:${n}`, 100 + n);
  expect(told.filter(({ type }) => type === 'profiler.regressed')).toEqual([]);
  await run('nightly:5', 400);
  await until(() => told.some(({ type }) => type === 'profiler.regressed'));
  expect(told.find(({ type }) => type === 'profiler.regressed')).toMatchObject({
    plan: 'nightly:5',
    name: 'nightly',
    operations: [
      { path: ['b', 'attempt'], ratio: expect.closeTo(4, 0) },
      { path: ['b'], ratio: expect.closeTo(4, 0) },
    ],
  });
  const { plan, recommendations, operations } = supervisor.profiler.report({ plan: 'nightly:5' });
  expect(plan).toMatchObject({ id: 'nightly:5', name: 'nightly', earlierRuns: 4 });
  expect(plan?.summary.criticalPath.map(({ step }) => step)).toEqual(['a', 'b']);
  expect(plan?.regressions[0]).toMatchObject({ ratio: expect.closeTo(4, 0), runs: 4 });
  expect(recommendations[0]).toMatchObject({ operation: 'b', of: 'makespan', share: expect.closeTo(4 / 7, 1) });
  expect(found(operations, 'a')).toMatchObject({ count: 1, totalMs: expect.closeTo(300, -1) });
  expect(() => supervisor.profiler.report({ plan: 'nightly:9' })).toThrow(
    expect.objectContaining({ code: 'ACTION_NOT_FOUND' }),
  );
}, 20_000);

test('H37: a million spans leave as little behind as a thousand, and what it costs is told', async () => {
  await using supervisor = await open(new SimulatedClock(START), {
    actions,
    profiler: 'full',
    clock: undefined as never,
  });
  const { profiler, durable } = supervisor;
  const kept = async (spans: number) => {
    for (let n = 0; n < spans; n += 1) {
      const outer = profiler.span(`outer ${n % 50}`);
      profiler.span('inner').end();
      outer.end();
      if (n % 50_000 === 0) await settle(1);
    }
    await profiler.chromeTrace();
    const { n, bytes } = durable.store.rows.get(
      'select count(*) as n, sum(length(sketch)) as bytes from profile_operations',
    ) as { n: number; bytes: number };
    return { n, bytes };
  };
  const few = await kept(5_000);
  const many = await kept(500_000);
  expect(many.n).toBe(few.n);
  expect(many.bytes).toBeLessThan(4 * few.bytes + 10_000);
  const report = profiler.report();
  expect(found(report.operations, 'inner')).toMatchObject({ count: 505_000, inFlight: 0 });
  expect(report.overhead.ms).toBeGreaterThan(0);
  expect(report.overhead.share).toBeLessThan(1);
}, 60_000);

test('while there is much to measure it samples, and what it tells stands for all', async () => {
  await using supervisor = await open(new SimulatedClock(START), { actions, clock: undefined as never });
  const { profiler } = supervisor;
  const spans = 200_000;
  for (let n = 0; n < spans; n += 1) {
    profiler.span(n % 2 === 0 ? 'even' : 'odd').end();
  }
  const { operations } = profiler.report();
  for (const name of ['even', 'odd']) expect(found(operations, name)?.count).toBeGreaterThan(spans / 2 / 3);
  for (const name of ['even', 'odd']) expect(found(operations, name)?.count).toBeLessThan((spans / 2) * 3);
});

test('of a plan the latest runs are kept, and no version of a row that telemetry wrote', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions, history: true });
  for (let n = 0; n < RUNS_OF_PLAN + 5; n += 1) {
    const { outcome } = await supervisor.plan({ name: 'often', id: `often:${n}`, steps: [{ id: 's', action: 'nap' }] });
    await inTime(clock, outcome, 10);
    await clock.advance(6_000);
  }
  await settle();
  const { rows } = supervisor.durable.store;
  const count = (sql: string) => rows.get<{ n: number }>(`select count(*) as n from ${sql}`)?.n;
  expect(count(`profile_runs where plan = 'often'`)).toBeLessThanOrEqual(RUNS_OF_PLAN + 1);
  expect(count(`profile_operations where run = 'often:0'`)).toBe(0);
  for (const { name } of PROFILE_TABLES) expect(count(`${name}_past`)).toBe(0);
  await supervisor.profiler.clear();
  expect(supervisor.profiler.report().spans).toBe(0);
  for (const { name } of PROFILE_TABLES) expect(count(name)).toBe(0);
}, 20_000);

test('the exports hold what was measured', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions: { timed: timed(clock) } });
  await inTime(clock, supervisor.execute('timed', { ms: 250 }), 10);
  const { traceEvents } = await supervisor.profiler.chromeTrace();
  expect(traceEvents.find(({ name }) => name === 'attempt')).toMatchObject({
    ph: 'X',
    dur: 250_000,
    ts: expect.closeTo(START * 1_000, -6),
  });
  const { nodes, endTime } = supervisor.profiler.cpuProfile();
  expect(nodes.map(({ callFrame }) => callFrame.functionName)).toEqual(
    expect.arrayContaining(['(root)', 'timed', 'attempt']),
  );
  expect(endTime).toBeGreaterThanOrEqual(250_000);
});

test('in a trace what ran in another lies in it, and what ran one after the other is apart', async () => {
  await using supervisor = await open(new SimulatedClock(START), {
    actions,
    profiler: 'full',
    clock: undefined as never,
  });
  const { profiler } = supervisor;
  const spin = (ms: number) => {
    for (const until = performance.now() + ms; performance.now() < until;);
  };
  const long = 'x'.repeat(1_000);
  const inner = profiler.wrap('inner', () => spin(0.3));
  const outer = profiler.wrap(long, () => {
    spin(0.1);
    inner();
    spin(0.1);
  });
  for (let n = 0; n < 50; n += 1) outer();
  const { traceEvents } = await profiler.chromeTrace();
  const outers = traceEvents.filter(({ name }) => name === long.slice(0, 300)).sort((a, b) => a.ts - b.ts);
  const inners = traceEvents.filter(({ name }) => name === 'inner').sort((a, b) => a.ts - b.ts);
  expect([outers.length, inners.length]).toEqual([50, 50]);
  for (const [at, { ts, dur, tid }] of inners.entries()) {
    const around = outers[at]!;
    expect([around.ts <= ts, ts + dur <= around.ts + around.dur + 1, tid === around.tid]).toEqual([true, true, true]);
    // Rounded to µs.
    if (at > 0) expect(around.ts).toBeGreaterThanOrEqual(outers[at - 1]!.ts + outers[at - 1]!.dur - 1);
  }
});

test('rows that cannot be read are left out, with an incident, and keep nobody from starting', async () => {
  const clock = new SimulatedClock(START);
  const options = { actions: { timed: timed(clock) }, store: quickStore() };
  const first = await open(clock, options);
  await inTime(clock, first.execute('timed', { ms: 100 }), 10);
  await first.profiler.chromeTrace();
  first.durable.store.rows.run(`update profile_operations set sketch = '{' where path like '%attempt%'`);
  first.durable.store.rows.run(`update profile_traces set spans = '['`);
  await first.close();
  await using second = await open(clock, options);
  const { operations } = second.profiler.report();
  expect(operations.map(({ name }) => name)).toContain('timed');
  expect(operations.map(({ name }) => name)).not.toContain('timed: attempt');
  expect((await second.profiler.chromeTrace()).traceEvents).toEqual([]);
  second.durable.store.flush();
  expect(second.durable.store.rows.all('select kind from incidents')).toEqual([{ kind: 'profile.damaged' }]);
});

test.each([
  ['a path that is none', `update profile_operations set path = '5'`],
  ['a path of nothing', `update profile_operations set path = '[]'`],
  ['a number below 0', `update profile_operations set self_ms = -7, count = -1`],
  ['another kind', `update profile_operations set kind = 'play'`],
  [
    'a sketch beyond all numbers',
    `update profile_operations set sketch = '{"count":1,"sum":1,"min":1,"max":1,"zeros":0,"buckets":[1e308,-1]}'`,
  ],
  ['a run without times', `update profile_runs set watched_ms = 9e999, began_at = -5`],
  ['spans that are a number', `update profile_traces set spans = '5'`],
  ['spans that are nothing', `update profile_traces set spans = '[null, {"name": 5}]'`],
])('a row that holds %s keeps nobody from starting, measuring and asking', async (_, damage) => {
  const clock = new SimulatedClock(START);
  const options = { actions, store: quickStore() };
  const first = await open(clock, options);
  await first.execute('nap', null as never);
  await first.profiler.chromeTrace();
  first.durable.store.rows.run(damage);
  await first.close();
  for (const life of [2, 3]) {
    await using next = await open(clock, options);
    await next.execute('nap', null as never);
    const { operations, overhead, since } = next.profiler.report();
    expect(found(operations, 'nap: attempt')?.count).toBeGreaterThan(0);
    expect(JSON.stringify(operations)).not.toMatch(/-|play/);
    expect([overhead.ms, overhead.share, since].every((value) => Number.isFinite(value) && value >= 0)).toBe(true);
    const { traceEvents } = await next.profiler.chromeTrace();
    expect(traceEvents.filter(({ name }) => name === 'nap').length).toBeGreaterThanOrEqual(life - 1);
  }
});

test('when a store fails and is opened again, what was under way is told as lost, and measured anew', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions: { timed: timed(clock) }, profiler: 'full' });
  const { store } = supervisor.durable;
  const handle = await supervisor.submit('timed', { ms: 20_000 });
  await settle();
  expect(found(supervisor.profiler.report().operations, 'timed')).toMatchObject({ inFlight: 1 });
  const failing = failStore(store, 'full', { times: 1 });
  await expect(supervisor.submit('timed', { ms: 1 })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  failing.clear();
  await clock.advance(1_000);
  await until(() => store.isOpen);
  await inTime(clock, handle.outcome, 500);
  const { operations, dropped, runtime } = supervisor.profiler.report();
  expect(dropped).toBe(1);
  expect(found(operations, 'timed')).toMatchObject({ inFlight: 0, count: 1 });
  expect(found(runtime, 'turn')?.inFlight).toBe(0);
  await supervisor.profiler.mode('off');
  await supervisor.profiler.clear();
  expect(supervisor.profiler.report()).toMatchObject({ spans: 0, dropped: 0 });
});

test('what is new is written every five seconds, and with a checkpoint, and never while there is nothing', async () => {
  const clock = new SimulatedClock(START);
  const options = { actions, store: quickStore() };
  const first = await open(clock, options);
  const { rows } = first.durable.store;
  const written = () =>
    rows.get<{ n: number }>(`select total(count) as n from profile_operations where path = '["own"]'`)?.n;
  first.profiler.span('own').end();
  await clock.advance(4_999);
  await settle();
  expect(written()).toBe(0);
  await clock.advance(1);
  await settle();
  expect(written()).toBe(1);
  first.profiler.span('own').end();
  await first.checkpoint();
  await settle();
  // The last write is not a second old.
  expect(written()).toBe(1);
  await clock.advance(1_000);
  await first.checkpoint();
  await settle();
  expect(written()).toBe(2);
  await clock.advance(60_000);
  const turn = first.durable.store.commits.turn;
  await clock.advance(60_000);
  expect(first.durable.store.commits.turn).toBe(turn);
  first.profiler.span('own').end();
  crash(first.durable);
  await using second = await open(clock, options);
  expect(found(second.profiler.report().operations, 'own')).toMatchObject({ count: 2 });
});

test('with many operations all are written, also those that are told of last', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions, profiler: 'full' });
  const { rows } = supervisor.durable.store;
  const operations = 700;
  const round = async () => {
    for (let n = 0; n < operations; n += 1) supervisor.profiler.span(`operation ${n}`).end();
    await clock.advance(5_000);
    await settle();
  };
  await round();
  await round();
  expect(
    rows.get(`select count(*) as n, min(count) as least from profile_operations where path like '%operation %'`),
  ).toEqual({ n: operations, least: 2 });
});

test('a store that cannot be written loses telemetry at most, and what waits meanwhile does not grow', async () => {
  const clock = new SimulatedClock(START);
  const options = { actions, profiler: 'full' as const, store: quickStore() };
  const supervisor = await open(clock, options);
  const { store } = supervisor.durable;
  await supervisor.execute('nap', null as never);
  await supervisor.profiler.chromeTrace();
  const failing = failStore(store, 'full');
  for (let n = 0; n < 150_000; n += 1) supervisor.profiler.span(`GET /item/${n}`).end();
  for (let n = 0; n < 3; n += 1) await clock.advance(5_000);
  await settle();
  failing.clear();
  while (!store.isOpen) await clock.advance(1_000);
  supervisor.profiler.span('afterwards').end();
  await clock.advance(5_000);
  await settle();
  expect(store.rows.get<{ n: number }>('select count(*) as n from profile_operations')?.n).toBeLessThanOrEqual(
    2 * MOST_OPERATIONS,
  );
  expect(supervisor.profiler.report().spans).toBeGreaterThanOrEqual(150_001);
  await supervisor.close();
  await using second = await open(clock, options);
  expect(found(second.profiler.report().operations, 'afterwards')).toMatchObject({ count: 1 });
}, 20_000);

test('all steps of a run are measured beside much other work, and so are many short runs at once', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions, concurrency: 64 });
  const { profiler, durable } = supervisor;
  const others = Array.from({ length: 2_000 }, () => supervisor.execute('nap', null as never));
  const run = async (id: string) => {
    const steps = [
      { id: 'a', action: 'nap' },
      { id: 'b', action: 'nap', after: ['a'] },
    ];
    return (await supervisor.plan({ name: 'short', id, steps })).outcome;
  };
  const runs = 90;
  await inTime(clock, Promise.all([...others, run('short:0')]), 1);
  expect(profiler.report().spans).toBeGreaterThan(0);
  const told = (id: string) => profiler.report({ plan: id }).operations.filter(({ kind }) => kind === 'work');
  expect(told('short:0').map(({ name, count }) => [name, count])).toEqual(
    expect.arrayContaining([
      ['a: attempt', 1],
      ['b: attempt', 1],
    ]),
  );
  for (let n = 1; n <= runs; n += 1) await inTime(clock, run(`short:${n}`), 1);
  for (let n = runs - RUNS_OF_PLAN + 2; n <= runs; n += 1) expect(told(`short:${n}`).length).toBe(4);
  await clock.advance(6_000);
  await settle();
  expect(told(`short:${runs}`).length).toBe(4);
  expect(durable.store.rows.get('select count(*) as n from profile_runs where plan = ?', 'short')).toEqual({
    n: RUNS_OF_PLAN,
  });
}, 20_000);
