/** What a supervisor says of itself, and what an operator does with it while it runs. */
import { expect, test, vi } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { PerdureError } from '../../errors.ts';
import type { Outcome } from '../../machines/outcome.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { failStore } from '../../testing/fail-store.ts';
import { quickStore, tempStore } from '../support/temp.ts';

const echo = defineAction({ run: (input: unknown) => input });
const breaks = defineAction({
  run: (n: number) => {
    if (n % 3 === 0) throw new PerdureError('COMMAND_FAILED', `${n} is not to be had`);
    return n;
  },
});

const sum = (counts: object) => (Object.values(counts) as number[]).reduce((all, n) => all + n, 0);

test('S1: everything of a new supervisor is active, and all counts are zero', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { echo } });
  const { children, status } = supervisor.durable.getSnapshot();
  const states = Object.entries(children).map(([id, child]) => [id, child?.getSnapshot().status]);
  expect(status).toBe('active');
  expect(Object.fromEntries(states)).toEqual({
    executor: 'active',
    tracks: 'active',
    checkpoint: 'active',
    schedules: 'active',
    retention: 'active',
    approvals: 'active',
    budget: 'active',
    degradation: 'active',
    profiler: 'active',
    resources: 'active',
  });
  const stats = supervisor.stats();
  expect(stats).toMatchObject({ settled: 0, attempts: 0, retries: 0, autonomy: null, tier: 'healthy', quality: 1 });
  for (const counts of [stats.outcomes, stats.queue, stats.plans, stats.approvals, stats.debts])
    expect(sum(counts)).toBe(0);
  expect(stats.budget).toMatchObject({ good: 0, bad: 0, spent: 0 });
  expect(stats.gate).toMatchObject({ scored: 0, brier: null, calibrationError: null });
});

test('S14: after five successes the figures say five actions, five attempts, no retry, and that nobody was asked', async () => {
  const clock = new SimulatedClock(5_000);
  await using supervisor = await spawnSupervisor({ store: tempStore(), clock, actions: { echo } });
  for (let n = 0; n < 5; n++) await supervisor.execute('echo', n);
  await clock.advance(1_000);
  expect(supervisor.stats()).toMatchObject({
    at: 6_000,
    uptimeMs: 1_000,
    settled: 5,
    outcomes: { ok: 5, failed: 0 },
    attempts: 5,
    retries: 0,
    autonomy: 1,
    budget: { good: 5, bad: 0 },
  });
});

test('S17: of ten calls of which every third fails, seven are ok and three are not, and the sums match', async () => {
  const store = tempStore();
  const first = await spawnSupervisor({ store, actions: { breaks } });
  const outcomes: Outcome[] = [];
  for (let n = 1; n <= 10; n++) outcomes.push(await first.execute('breaks', n));
  const check = (supervisor: typeof first) => {
    const stats = supervisor.stats();
    expect(stats.outcomes).toMatchObject({ ok: 7, failed: 3 });
    expect(stats.settled).toBe(10);
    expect(sum(stats.outcomes)).toBe(10);
    expect(stats.attempts).toBe(outcomes.reduce((all, { attempts }) => all + attempts, 0));
    expect(stats.budget).toMatchObject({ good: 7, bad: 3 });
  };
  check(first);
  crash(first.durable);
  await using second = await spawnSupervisor({ store, actions: { breaks } });
  check(second);
});

test('retries, queue, plans, approvals and autonomy are counted as they are', async () => {
  let runs = 0;
  const flaky = defineAction({
    run: () => {
      if (++runs < 3) throw new Error('not yet');
    },
    retry: { attempts: 3, delayMs: 1, capMs: 1 },
  });
  let end = () => {};
  const hang = defineAction({ run: (_: null) => new Promise<void>((resolve) => (end = resolve)) });
  const risky = defineAction({ run: (_: null) => 1, impact: 'critical', reversible: false });
  await using supervisor = await spawnSupervisor({
    store: tempStore(),
    actions: { flaky, hang, risky },
    concurrency: 1,
  });
  await supervisor.execute('flaky', undefined as never);
  const [yes, no, open] = [
    await supervisor.submit('risky', null, { id: 'yes' }),
    await supervisor.submit('risky', null, { id: 'no' }),
    await supervisor.submit('risky', null, { id: 'open' }),
  ];
  await vi.waitFor(() => expect(supervisor.approvals()).toHaveLength(3));
  await supervisor.approve('yes');
  await supervisor.deny('no');
  expect([(await yes.outcome).kind, (await no.outcome).kind]).toEqual(['ok', 'denied']);
  const running = await supervisor.submit('hang', null);
  const plan = await supervisor.plan({ steps: [{ id: 'a', action: 'flaky' }] });
  expect(supervisor.stats()).toMatchObject({
    outcomes: { recovered: 1, ok: 1, denied: 1 },
    attempts: 4,
    retries: 2,
    autonomy: 1 / 3,
    queue: { waiting: 1, running: 1, asking: 1, parked: 0, backingOff: 0 },
    approvals: { open: 1, approved: 1, denied: 1 },
    plans: { open: 1 },
  });
  end();
  expect((await plan.outcome).kind).toBe('ok');
  await open.cancel();
  await running.outcome;
  expect(supervisor.stats()).toMatchObject({
    settled: 6,
    outcomes: { ok: 3, cancelled: 1 },
    approvals: { open: 0, withdrawn: 1 },
    plans: { open: 0, ok: 1 },
  });
});

test('S35: a fresh supervisor is healthy, without issues', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { echo } });
  expect(supervisor.health()).toMatchObject({
    overall: 'healthy',
    live: true,
    ready: true,
    issues: [],
    recommendations: [],
  });
});

test('S40: a successful action gives its value, and is the one action that the figures tell of', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { echo } });
  expect(await supervisor.execute('echo', 'value')).toMatchObject({ kind: 'ok', value: 'value' });
  expect(supervisor.stats()).toMatchObject({ settled: 1, outcomes: { ok: 1 } });
});

test('S42: the health follows what happens: a lost component, a burning budget, a pause, a close', async () => {
  const clock = new SimulatedClock(1_000_000);
  const down = defineAction({
    run: () => {
      throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    },
    component: 'db',
  });
  const supervisor = await spawnSupervisor({ store: tempStore(), clock, actions: { down, echo } });
  for (let n = 0; n < 12; n++) await supervisor.execute('down', undefined as never);
  await clock.advance(2_000);
  const sick = supervisor.health();
  expect(sick).toMatchObject({ overall: 'unhealthy', live: true, ready: true });
  expect(sick.subsystems.components.reasons).toEqual(['the component "db" is down']);
  expect(sick.subsystems.budget.status).not.toBe('healthy');
  expect(sick.subsystems.gate).toEqual({ status: 'healthy', reasons: [] });

  await supervisor.reset();
  await clock.advance(60_000);
  expect(supervisor.health()).toMatchObject({ overall: 'healthy', issues: [] });
  expect(supervisor.stats()).toMatchObject({
    tier: 'healthy',
    level: 'full',
    budget: { bad: 0 },
    outcomes: { failed: 12 },
  });

  await supervisor.pause();
  expect(supervisor.health()).toMatchObject({ overall: 'healthy', live: true, ready: false });
  await supervisor.close();
  expect(supervisor.health()).toMatchObject({ overall: 'unhealthy', live: false, ready: false });
  expect(supervisor.health().issues[0]).toMatchObject({ subsystem: 'store' });
  expect(() => supervisor.stats()).toThrowError(expect.objectContaining({ code: 'STORE_CLOSED' }));
});

test('what waits for long does not keep a pause, and is not tried before resume, also in another life', async () => {
  const clock = new SimulatedClock(1_000_000);
  let tries = 0;
  const asked = defineAction({
    run: (_: null) => {
      tries += 1;
      if (tries === 1) throw Object.assign(new Error('later'), { status: 429, retryAfterMs: 3_600_000 });
      return tries;
    },
    retry: { attempts: 3, delayMs: 10, capMs: 100 },
  });
  const path = tempStore();
  const actions = { asked, echo };
  const first = await spawnSupervisor({ store: path, clock, actions, concurrency: 1 });
  const told = new Promise((resolve) => first.on('action.backingOff', resolve));
  await first.submit('asked', null, { id: 'a' });
  await told;
  expect(first.health()).toMatchObject({ overall: 'degraded', live: true, ready: false });
  expect(first.health().subsystems.executor.reasons.join()).toContain('only waits');
  await first.pause();
  await clock.advance(7_200_000);
  expect(tries).toBe(1);
  await first.close();
  await using second = await spawnSupervisor({ store: path, clock, actions, concurrency: 1 });
  await clock.advance(7_200_000);
  expect([second.durable.getSnapshot().value, tries]).toEqual(['paused', 1]);
  const { outcome } = await second.submit('asked', null, { id: 'a' });
  await second.resume();
  expect(await outcome).toMatchObject({ kind: 'recovered', value: 2, attempts: 2 });
  expect(await second.execute('echo', 'next')).toMatchObject({ kind: 'ok' });
  expect(second.health()).toMatchObject({ ready: true });
});

const refusing = (component: string) =>
  defineAction({
    run: (_: null) => {
      throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    },
    component,
  });
const extra = defineAction({ run: (_: null) => 'extra', component: 'extras' });
const breaker = { window: 2, minCalls: 1, openMs: 200, maxOpenMs: 1_000 };
const browning = { gone: { criticality: 'critical-plus', breaker }, extras: { criticality: 'sheddable' } } as const;

test('a brownout ends when the component that was lost is configured no more, and begins to count again with it', async () => {
  const clock = new SimulatedClock(1_000_000);
  const store = tempStore();
  const all = { call: refusing('gone'), extra };
  const first = await spawnSupervisor({ store, clock, actions: all, components: browning });
  await first.execute('call', null);
  expect(first.stats().level).toBe('minimal');
  expect(await first.execute('extra', null)).toMatchObject({ kind: 'skipped' });
  await first.close();
  const components = { extras: browning.extras };
  const second = await spawnSupervisor({ store, clock, actions: { extra }, components });
  await clock.advance(31_000);
  expect(second.health()).toMatchObject({ overall: 'healthy', issues: [] });
  expect(await second.execute('extra', null)).toMatchObject({ kind: 'ok' });
  await second.close();
  await using third = await spawnSupervisor({ store, clock, actions: all, components: browning });
  await third.execute('call', null);
  expect(third.stats().level).toBe('minimal');
});

test('a brownout ends also when nobody calls what was lost: a component that is being probed sheds nothing', async () => {
  const clock = new SimulatedClock(1_000_000);
  const actions = { call: refusing('gone'), extra };
  await using supervisor = await spawnSupervisor({ store: tempStore(), clock, actions, components: browning });
  await supervisor.execute('call', null);
  expect(await supervisor.execute('extra', null)).toMatchObject({ kind: 'skipped' });
  await clock.advance(1_000);
  expect(await supervisor.execute('extra', null)).toMatchObject({ kind: 'skipped' });
  expect(supervisor.health().subsystems.components.reasons.join()).toContain('counts as degraded');
  await clock.advance(31_000);
  expect(supervisor.health()).toMatchObject({ issues: [] });
  expect(await supervisor.execute('extra', null)).toMatchObject({ kind: 'ok' });
});

test('what an operator bypasses stays bypassed when everything is reset', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { extra } });
  await supervisor.component('extras', 'bypass');
  await supervisor.reset();
  const { kind, error } = await supervisor.execute('extra', null);
  expect([kind, error?.message]).toEqual(['failed', expect.stringContaining('is bypassed by an operator')]);
  await supervisor.component('extras', 'reset');
  expect(await supervisor.execute('extra', null)).toMatchObject({ kind: 'ok' });
});

test('while the store is out of order it lives and is not ready; afterwards it is well again', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { echo } });
  const reopened = new Promise((resolve) => supervisor.durable.on('reopened', resolve));
  failStore(supervisor.durable.store, 'full', { times: 1 });
  await expect(supervisor.submit('echo', 1)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  expect(supervisor.health()).toMatchObject({ overall: 'unhealthy', live: true, ready: false });
  await reopened;
  expect(supervisor.health()).toMatchObject({ overall: 'healthy', live: true, ready: true });
});

test('the concurrency is another at once, and what is no concurrency is refused', async () => {
  let most = 0;
  let now = 0;
  const busy = defineAction({
    run: async (_: number) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now -= 1;
    },
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { busy }, concurrency: 1 });
  const all = (from: number) => Promise.all(Array.from({ length: 6 }, (_, n) => supervisor.execute('busy', from + n)));
  await all(0);
  expect(most).toBe(1);
  await supervisor.configure({ concurrency: 3 });
  await all(10);
  expect(most).toBe(3);
  for (const concurrency of [0, -1, 1.5, Number.NaN, 1_001])
    await expect(supervisor.configure({ concurrency })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});

/** Actions of medium impact go well; what their scores promised is less than that. */
async function scored(goesWell: (n: number) => boolean, count: number) {
  const risky = defineAction({
    run: (n: number) => {
      if (!goesWell(n)) throw new TypeError('no');
    },
    impact: 'medium',
    reversible: true,
    undo: () => {},
  });
  const supervisor = await spawnSupervisor({
    store: quickStore(),
    actions: { risky },
    budget: { kind: 'count', perHour: 1e6 },
  });
  for (let n = 0; n < count; n++) await supervisor.execute('risky', n, { confidence: 0.95 });
  return supervisor;
}

test('H29: a thousand optimize cycles change nothing while it is idle, and nothing while it is healthy', async () => {
  await using idle = await spawnSupervisor({ store: quickStore(), actions: { echo } });
  await using healthy = await scored((n) => n % 20 !== 0, 120);
  expect(healthy.stats().gate.scored).toBe(120);
  for (const supervisor of [idle, healthy]) {
    await supervisor.optimize();
    const before = supervisor.durable.getSnapshot().children.executor?.getSnapshot().context;
    const { turn } = await supervisor.durable.send({ type: 'supervisor.resume' });
    for (let cycle = 0; cycle < 1_000; cycle++) expect(await supervisor.optimize()).toEqual([]);
    const after = await supervisor.durable.send({ type: 'supervisor.resume' });
    expect(supervisor.durable.getSnapshot().children.executor?.getSnapshot().context).toEqual(before);
    expect(after.turn).toBe(turn + 1);
  }
});

test('optimize makes the gate stricter where scores promised too much, says so, and stays within bounds', async () => {
  await using supervisor = await scored((n) => n % 2 === 0, 100);
  const before = supervisor.stats().gate;
  expect(before.calibrationError).toBeGreaterThan(0.3);
  expect(supervisor.health().subsystems.gate.status).toBe('degraded');
  const changes = await supervisor.optimize();
  expect(changes).toEqual([
    {
      parameter: 'gate.immediate',
      from: before.thresholds.immediate,
      to: supervisor.stats().gate.thresholds.immediate,
    },
  ]);
  const [{ from, to } = { from: 0, to: 0 }] = changes;
  expect(to - from).toBeGreaterThan(0);
  expect(to - from).toBeLessThanOrEqual(0.05);
  for (let cycle = 0; cycle < 1_000; cycle++) expect(await supervisor.optimize()).toEqual([]);
  await supervisor.reset();
  expect(supervisor.stats().gate).toMatchObject({ scored: 0, thresholds: before.thresholds });
});
