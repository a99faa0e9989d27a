/** Long runs: what they take, how long they last, and what keeps them from their end. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { defineAction, type Actions } from '../../actors/actions.ts';
import { spawnSupervisor, type SupervisorOptions } from '../../actors/spawn.ts';
import type { ContinuousWorkOptions } from '../../actors/work-options.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { failStore } from '../../testing/fail-store.ts';
import { tempStore } from '../support/temp.ts';

const HOUR_MS = 3_600_000;
const echo = defineAction({ run: (n: number) => n });

/** Work that ends when it is let go, and remembers what began. */
function gated() {
  const waiting: (() => void)[] = [];
  const began: number[] = [];
  const hold = defineAction({
    run: (n: number) =>
      new Promise<number>((resolve) => {
        began.push(n);
        waiting.push(() => resolve(n));
      }),
  });
  return { hold, began, release: () => waiting.shift()?.(), releaseAll: () => waiting.splice(0).forEach((go) => go()) };
}

/** A clock that knows how many of its timeouts are to come. */
class CountingClock extends SimulatedClock {
  readonly armed = new Set<unknown>();

  override setTimeout(fn: () => void, ms: number): unknown {
    const fire = () => {
      this.armed.delete(handle);
      fn();
    };
    const handle = super.setTimeout(fire, ms);
    this.armed.add(handle);
    return handle;
  }

  override clearTimeout(handle: unknown): void {
    this.armed.delete(handle);
    super.clearTimeout(handle);
  }
}

function* items(action: string, count = Infinity, from = 0) {
  for (let n = from; n < count; n++) yield { action, input: n, id: `item ${n}` } as never;
}

async function spawn<TActions extends Actions>(actions: TActions, more: Partial<SupervisorOptions<TActions>> = {}) {
  const supervisor = await spawnSupervisor<TActions>({ store: tempStore(), actions, ...more });
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  return supervisor;
}

test('does all the work and is done; each item is taken and tallied once', async () => {
  const supervisor = await spawn({ echo }, { concurrency: 3 });
  const told: number[] = [];
  const run = await supervisor.workContinuously({
    work: items('echo', 20),
    onProgress: ({ tally, taken, open }) => {
      told.push(tally.ok);
      expect(tally.ok + open).toBe(taken);
    },
  });
  const report = await run.outcome;
  expect(report).toMatchObject({ reason: 'goal', done: true, unfinished: [], taken: 20, open: 0, tally: { ok: 20 } });
  expect(told).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  expect(supervisor.stats().settled).toBe(20);
});

test('takes work only as there is room, and more when there is more room', async () => {
  const { hold, began, release } = gated();
  const supervisor = await spawn({ hold }, { concurrency: 2 });
  const run = await supervisor.workContinuously({ work: items('hold') });
  await vi.waitFor(() => expect(began).toEqual([0, 1]));
  expect(run.progress()).toMatchObject({ taken: 2, open: 2 });
  release();
  await vi.waitFor(() => expect(began).toEqual([0, 1, 2]));
  expect(run.progress()).toMatchObject({ taken: 3, open: 2 });
  await supervisor.configure({ concurrency: 4 });
  release();
  await vi.waitFor(() => expect(began).toHaveLength(6));
  expect(run.progress()).toMatchObject({ taken: 6, open: 4 });
  run.stop();
});

test('takes from an async iterable, which may be slow', async () => {
  const supervisor = await spawn({ echo });
  async function* slowly() {
    for (const item of items('echo', 5)) {
      await new Promise((resolve) => setImmediate(resolve));
      yield item;
    }
  }
  const { outcome } = await supervisor.workContinuously({ work: slowly() });
  expect(await outcome).toMatchObject({ reason: 'goal', done: true, tally: { ok: 5 } });
});

test('ends at the time limit and not before, and lists what is not finished', async () => {
  const clock = new SimulatedClock(1_000);
  const { hold } = gated();
  const supervisor = await spawn({ hold }, { clock, concurrency: 2 });
  const run = await supervisor.workContinuously({ work: items('hold') });
  let ended = false;
  run.outcome.then(() => (ended = true), expect.unreachable);
  await clock.advance(4 * HOUR_MS - 1);
  expect(ended).toBe(false);
  await clock.advance(1);
  const report = await run.outcome;
  expect(report).toMatchObject({ reason: 'time', done: false, at: 1_000 + 4 * HOUR_MS, counts: { running: 2 } });
  expect(report.unfinished.map(({ kind, id }) => [kind, id])).toEqual([
    ['running', 'item 0'],
    ['running', 'item 1'],
    ['work', run.id],
  ]);
});

test('the time limit counts from the first start, also over a restart, and what was down counts', async () => {
  const clock = new SimulatedClock(0);
  const store = tempStore();
  const { hold } = gated();
  const first = await spawnSupervisor({ store, clock, actions: { hold } });
  await first.workContinuously({ id: 'night', maxHours: 2, work: items('hold') });
  await clock.advance(HOUR_MS);
  crash(first.durable);
  await clock.advance(HOUR_MS / 2);
  const second = await spawnSupervisor({ store, clock, actions: { hold } });
  const run = await second.workContinuously({ id: 'night', maxHours: 2, work: items('hold') });
  expect(run.progress()).toMatchObject({ startedAt: 0, endsAt: 2 * HOUR_MS });
  await clock.advance(HOUR_MS / 2);
  expect(await run.outcome).toMatchObject({ reason: 'time', at: 2 * HOUR_MS });
  crash(second.durable);
  const third = await spawn({ hold }, { store, clock });
  const late = await third.workContinuously({ id: 'night', maxHours: 2, work: items('hold') });
  expect(await late.outcome).toMatchObject({ reason: 'time', taken: 0 });
});

test('a rerun after a crash joins what was begun, does nothing twice, and tallies the whole run', async () => {
  const store = tempStore();
  const bodies = new Map<number, number>();
  const count = defineAction({
    run: (n: number) => {
      bodies.set(n, (bodies.get(n) ?? 0) + 1);
      return n;
    },
  });
  const first = await spawnSupervisor({ store, actions: { count }, concurrency: 2 });
  await new Promise<void>((resolve, reject) => {
    const onProgress = ({ tally }: { tally: { ok: number } }) => void (tally.ok === 37 && resolve());
    first.workContinuously({ id: 'r', work: items('count', 100), onProgress }).catch(reject);
  });
  const settled = first.stats().settled;
  crash(first.durable);
  const second = await spawn({ count }, { store, concurrency: 2 });
  const run = await second.workContinuously({ id: 'r', work: items('count', 100) });
  expect(await run.outcome).toMatchObject({ reason: 'goal', done: true, tally: { ok: 100 }, taken: 100 });
  expect(bodies.size).toBe(100);
  const twice = [...bodies].filter(([, times]) => times > 1);
  // Only what was running when it crashed may have begun again.
  expect(twice.length).toBeLessThanOrEqual(2);
  expect(settled).toBeGreaterThanOrEqual(37);
  const again = await second.workContinuously({ id: 'r', work: items('count', 200) });
  expect(await again.outcome).toEqual(await run.outcome);
});

test.each(['signal', 'stop'] as const)('ends at once when told by %s, and leaves nothing behind', async (by) => {
  const clock = new CountingClock();
  const { hold, began, releaseAll } = gated();
  const supervisor = await spawn({ hold }, { clock, concurrency: 2, profiler: 'off' });
  const armed = clock.armed.size;
  let closed = 0;
  function* work() {
    try {
      yield* items('hold');
    } finally {
      closed += 1;
    }
  }
  const abort = new AbortController();
  const left = vi.spyOn(abort.signal, 'removeEventListener');
  const run = await supervisor.workContinuously({ work: work(), signal: abort.signal });
  await clock.advance(0);
  await vi.waitFor(() => expect(began).toHaveLength(2));
  if (by === 'signal') abort.abort();
  else run.stop();
  const report = await run.outcome;
  expect(report).toMatchObject({ reason: 'told', done: false, taken: 2, counts: { running: 2 } });
  expect(closed).toBe(1);
  expect(left).toHaveBeenCalledTimes(1);
  expect(clock.armed.size).toBe(armed);
  releaseAll();
  await vi.waitFor(() => expect(supervisor.stats().settled).toBe(2));
  await clock.advance(HOUR_MS);
  expect(run.progress().taken).toBe(2);
  run.stop();
});

test('ends when told also while its work keeps it waiting', async () => {
  const supervisor = await spawn({ echo });
  const never: AsyncIterable<never> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) };
  const run = await supervisor.workContinuously({ work: never });
  run.stop();
  expect(await run.outcome).toMatchObject({ reason: 'told', unfinished: [{ kind: 'work' }] });
});

test('without work of its own it ends when everything in the store is finished', async () => {
  const { hold, releaseAll, began } = gated();
  const supervisor = await spawn({ hold, echo }, { concurrency: 1 });
  const plan = await supervisor.plan({
    steps: [
      { id: 'a', action: 'hold', input: 1 },
      { id: 'b', action: 'echo', input: 2, after: ['a'] },
    ],
  });
  const run = await supervisor.workContinuously();
  await vi.waitFor(() => expect(began).toEqual([1]));
  expect(run.unfinished().map(({ kind }) => kind)).toEqual(['running', 'plan']);
  releaseAll();
  expect(await run.outcome).toMatchObject({ reason: 'goal', done: true });
  expect((await plan.outcome).kind).toBe('ok');
});

test('H42: it is not done while somebody is asked, and a supervisor that is paused keeps it', async () => {
  const clock = new SimulatedClock();
  const risky = defineAction({ run: (_: null) => 1, impact: 'critical', reversible: false });
  const supervisor = await spawn({ risky, echo }, { clock, concurrency: 1 });
  const work = [{ action: 'risky', input: null, id: 'drop' } as const, { action: 'echo', input: 1 } as const];
  const run = await supervisor.workContinuously({ work });
  await vi.waitFor(() => expect(run.progress().tally.ok).toBe(1));
  await clock.advance(3 * HOUR_MS);
  expect(run.unfinished()).toMatchObject([{ kind: 'asking', id: 'drop' }]);
  await supervisor.pause();
  await supervisor.approve('drop');
  await clock.advance(60_000);
  expect(run.unfinished()).toMatchObject([{ kind: 'waiting', id: 'drop' }]);
  await supervisor.resume();
  expect(await run.outcome).toMatchObject({ reason: 'goal', done: true, tally: { ok: 2 } });
});

test('H42: what failed is no success: everything has settled, so it ends, and says that it is not done', async () => {
  const fail = defineAction({
    run: (_: number) => {
      throw new TypeError('broken');
    },
  });
  const supervisor = await spawn({ fail, echo });
  await supervisor.execute('fail', 0, { id: 'long ago' });
  await new Promise((resolve) => setTimeout(resolve, 2));
  const run = await supervisor.workContinuously({
    id: 'r',
    work: [
      { action: 'fail', input: 1, id: 'bad' },
      { action: 'echo', input: 2 },
    ],
  });
  const report = await run.outcome;
  expect(report).toMatchObject({ reason: 'goal', done: false, tally: { ok: 1, failed: 1 }, counts: { failed: 1 } });
  expect(report.unfinished).toMatchObject([{ kind: 'failed', id: 'bad' }]);
  const joined = await supervisor.workContinuously({ work: [{ action: 'fail', input: 0, id: 'long ago' }] });
  expect((await joined.outcome).unfinished).toMatchObject([{ kind: 'failed', id: 'long ago' }]);
});

test('works off what is owed before it ends, as soon as that goes', async () => {
  const clock = new SimulatedClock(1_000_000);
  let isDown = true;
  const tests = defineAction({
    run: (n: number) => {
      if (isDown) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      return n;
    },
    fallback: { skip: { run: () => -1, qualityLoss: 0.3, owes: true } },
    component: 'runner',
  });
  const supervisor = await spawn({ tests }, { clock });
  const run = await supervisor.workContinuously({ work: items('tests', 3) });
  await vi.waitFor(() => expect(run.progress().tally.degraded).toBe(3));
  await clock.advance(15 * 60_000);
  expect(run.unfinished().map(({ kind }) => kind)).toContain('debt');
  isDown = false;
  for (let minute = 0; minute < 60 && supervisor.stats().debts.paid < 3; minute++) await clock.advance(60_000);
  await clock.advance(60_000);
  expect(await run.outcome).toMatchObject({ reason: 'goal', done: true, tally: { degraded: 3 }, counts: { debt: 0 } });
  expect(supervisor.stats().debts).toEqual({ owed: 0, paying: 0, paid: 3, unpayable: 0 });
});

test('a debt that nobody can pay ends no sooner and no later: it is listed', async () => {
  const tests = defineAction({
    run: (_: number): number => {
      throw new TypeError('broken for good');
    },
    fallback: { skip: { run: () => -1, owes: true } },
  });
  const supervisor = await spawn({ tests });
  const report = await (await supervisor.workContinuously({ work: items('tests', 1) })).outcome;
  expect(report).toMatchObject({ reason: 'goal', done: false, unfinished: [{ kind: 'debt', id: 'item 0' }] });
  expect(supervisor.stats().debts).toEqual({ owed: 0, paying: 0, paid: 0, unpayable: 1 });
});

test('a goal ends endless work; what was begun is finished first', async () => {
  const supervisor = await spawn({ echo }, { concurrency: 2 });
  const run = await supervisor.workContinuously({ work: items('echo'), goal: ({ tally }) => tally.ok >= 10 });
  const report = await run.outcome;
  expect(report).toMatchObject({ reason: 'goal', done: true, open: 0, unfinished: [] });
  expect(report.tally.ok).toBe(report.taken);
  expect(report.taken).toBeLessThanOrEqual(13);
});

test('a goal that no event tells of is asked every second, and one that takes its time is not asked twice at once', async () => {
  const clock = new SimulatedClock();
  const supervisor = await spawn({ echo }, { clock });
  let asked = 0;
  let asking = 0;
  const run = await supervisor.workContinuously({
    work: items('echo', 3),
    goal: async () => {
      expect(++asking).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      asking -= 1;
      return ++asked > 20 && clock.now() >= 30_000;
    },
  });
  await vi.waitFor(() => expect(run.progress().tally.ok).toBe(3));
  expect(run.unfinished()).toMatchObject([{ kind: 'goal' }]);
  for (let second = 0; second < 29; second++) await clock.advance(1_000);
  expect(run.unfinished()).toMatchObject([{ kind: 'goal' }]);
  for (let second = 0; second < 5; second++) await clock.advance(1_000);
  expect(await run.outcome).toMatchObject({ reason: 'goal', done: true });
});

test('a store that fails and is opened again ends no run and loses no item', async () => {
  const supervisor = await spawn({ echo }, { concurrency: 2 });
  const failure = failStore(supervisor.durable.store, 'full', { commit: 12, times: 3 });
  const run = await supervisor.workContinuously({ work: items('echo', 40) });
  expect(await run.outcome).toMatchObject({ reason: 'goal', done: true, tally: { ok: 40 } });
  failure.clear();
  expect(supervisor.stats()).toMatchObject({ settled: 40, outcomes: { ok: 40 } });
});

test('a supervisor that is closed says so to whoever waits', async () => {
  const { hold, began } = gated();
  const supervisor = await spawnSupervisor({ store: tempStore(), actions: { hold } });
  const run = await supervisor.workContinuously({ work: items('hold') });
  await vi.waitFor(() => expect(began.length).toBeGreaterThan(0));
  await supervisor.close({ graceMs: 0 });
  await expect(run.outcome).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});

test.each<[string, object, RegExp]>([
  ['a limit of no hours', { maxHours: 0 }, /maxHours .* above 0 .* got 0/],
  ['a negative limit', { maxHours: -1 }, /got -1/],
  ['a limit that is no number', { maxHours: Number.NaN }, /got NaN/],
  ['a limit beyond a year', { maxHours: Infinity }, /8760/],
  ['a goal that is no function', { goal: true }, /goal must be a function; got true/],
  ['work that cannot be iterated', { work: { action: 'echo' } }, /iterable/],
  ['half of a surrogate pair as its id', { id: '\ud800' }, /id of a run/],
])('refuses %s', async (_name, options, message) => {
  const supervisor = await spawn({ echo });
  const refused = supervisor.workContinuously(options as ContinuousWorkOptions<{ echo: typeof echo }>);
  await expect(refused).rejects.toMatchObject({ code: 'OPTIONS_INVALID', message: expect.stringMatching(message) });
});

test.each<[string, unknown, string, RegExp]>([
  ['without an action', { input: 1 }, 'OPTIONS_INVALID', /Item 2 .*action/],
  ['that is nothing', undefined, 'OPTIONS_INVALID', /Item 2 .*got undefined/],
  ['of an unknown action', { action: 'bild', input: 1 }, 'ACTION_UNKNOWN', /bild/],
  ['whose input is not plain data', { action: 'echo', input: () => {} }, 'CODEC_REFUSED', /input/],
])('an item %s ends the run with a clear error; what was begun goes on', async (_name, item, code, message) => {
  const { hold, began, releaseAll } = gated();
  const supervisor = await spawn({ echo, hold }, { concurrency: 4 });
  const work = [{ action: 'hold', input: 1, id: 'good' }, item] as never;
  const run = await supervisor.workContinuously({ id: 'r', work });
  await expect(run.outcome).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  await vi.waitFor(() => expect(began).toEqual([1]));
  releaseAll();
  const mended = await supervisor.workContinuously({ id: 'r', work: [{ action: 'hold', input: 1, id: 'good' }] });
  expect(await mended.outcome).toMatchObject({ done: true, tally: { ok: 1 } });
});

test('work that throws, and a goal that throws or answers nothing, are told as what they are', async () => {
  const supervisor = await spawn({ echo });
  function* broken() {
    yield { action: 'echo', input: 1 } as const;
    throw new Error('no more');
  }
  const run = async (options: ContinuousWorkOptions<{ echo: typeof echo }>) =>
    (await supervisor.workContinuously(options)).outcome;
  await expect(run({ work: broken() })).rejects.toMatchObject({ code: 'WORK_FAILED', message: /no more/ });
  const boom = () => {
    throw new Error('boom');
  };
  await expect(run({ goal: boom })).rejects.toMatchObject({ code: 'GOAL_FAILED', message: /boom/ });
  await expect(run({ goal: async () => boom() })).rejects.toMatchObject({ code: 'GOAL_FAILED' });
  await expect(run({ goal: (() => 1) as never })).rejects.toMatchObject({ code: 'GOAL_FAILED', message: /number/ });
  await expect(run({ goal: (async () => {}) as never })).rejects.toMatchObject({ code: 'GOAL_FAILED' });
  expect(await run({})).toMatchObject({ done: true });
});

test('a run that is under way is not begun again', async () => {
  const { hold } = gated();
  const supervisor = await spawn({ hold });
  const run = await supervisor.workContinuously({ id: 'r', work: items('hold', 1) });
  await expect(supervisor.workContinuously({ id: 'r' })).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  run.stop();
  const again = await supervisor.workContinuously({ id: 'r' });
  again.stop();
  expect((await again.outcome).startedAt).toBe((await run.outcome).startedAt);
});
