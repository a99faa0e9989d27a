import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineAction, type Actions } from '../../actors/actions.ts';
import { DATED } from '../../actors/queue-tables.ts';
import type { SubmitOptions, Supervisor } from '../../actors/supervisor.ts';
import type { SupervisorEmitted } from '../../machines/supervisor.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { HOUR, MINUTE, SECOND, START, heard, inTime, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';

/** Actions that take as long as their input says, by the clock. */
function timed(clock: SimulatedClock) {
  const run = (ms: number, { signal }: { readonly signal: AbortSignal }) =>
    new Promise<void>((resolve) => {
      clock.setTimeout(resolve, ms);
      signal.addEventListener('abort', () => resolve());
    });
  return { job: defineAction({ run }), other: defineAction({ run }) };
}

type DueNotice = Extract<SupervisorEmitted, { type: 'action.atRisk' | 'action.late' }>;

type Told = DueNotice & { readonly at: number };

/** What is told of due times, and when. */
function toldOf(clock: SimulatedClock, supervisor: Pick<Supervisor<Actions>, 'on'>, told: Told[] = []): Told[] {
  for (const type of ['action.atRisk', 'action.late'] as const)
    supervisor.on(type, (notice) => void told.push({ ...notice, at: clock.now() }));
  return told;
}

interface Settled {
  readonly id: string;
  readonly due_at: number;
  readonly estimate_ms: number;
  readonly started_at: number;
  readonly settled_at: number;
}

test('of any load: late is told what settles too late, and nothing else; what waits when its laxity is gone is told of before', async () => {
  const item = fc.record({
    name: fc.constantFrom('job' as const, 'other' as const),
    after: fc.constantFrom(0, 0, 7, 130, 900),
    ms: fc.integer({ min: 0, max: 3_000 }),
    dueIn: fc.option(fc.integer({ min: 1, max: 9_000 }), { nil: undefined, freq: 4 }),
    priority: fc.constantFrom('high' as const, 'normal' as const, 'low' as const),
    key: fc.constantFrom(undefined, undefined, 'k'),
    delayMs: fc.constantFrom(undefined, undefined, 700),
  });
  const load = fc.tuple(
    fc.array(item, { minLength: 1, maxLength: 14 }),
    fc.integer({ min: 1, max: 3 }),
    fc.option(fc.nat({ max: 13 })),
  );
  await fc.assert(
    fc.asyncProperty(load, async ([items, concurrency, crashesAfter]) => {
      const clock = new SimulatedClock(START);
      const options = { actions: timed(clock), store: quickStore(), concurrency, maxInterruptions: Infinity };
      let supervisor = await open(clock, options);
      const told = toldOf(clock, supervisor);
      for (const [n, { name, after, ms, dueIn, ...rest }] of items.entries()) {
        await clock.advance(after);
        const said = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
        const due = dueIn === undefined ? {} : { dueAt: clock.now() + dueIn };
        const submitted = await supervisor.submit(name, ms, { id: `${n}`, ...said, ...due } as SubmitOptions);
        submitted.outcome.catch(() => {});
        if (n !== crashesAfter) continue;
        crash(supervisor.durable);
        supervisor = await open(clock, options);
        toldOf(clock, supervisor, told);
      }
      const outcomes = items.map(({ name, ms }, n) => supervisor.execute(name, ms, { id: `${n}` }));
      await inTime(clock, Promise.all(outcomes), 400);
      await clock.advance(10 * SECOND);
      const rows = supervisor.durable.store.rows.all<Settled>('select * from actions where due_at is not null');
      for (const { id, due_at: dueAt, estimate_ms: estimateMs, started_at: startedAt, settled_at: settledAt } of rows) {
        const late = told.filter((one) => one.id === id && one.type === 'action.late');
        const atRisk = told.filter((one) => one.id === id && one.type === 'action.atRisk');
        expect(late.length).toBe(settledAt > dueAt ? 1 : 0);
        for (const one of late) expect(one.at).toBeLessThanOrEqual(settledAt);
        expect(atRisk.length).toBeLessThanOrEqual(1);
        for (const one of atRisk) expect(one.at).toBeLessThanOrEqual(dueAt);
        if (startedAt > dueAt - estimateMs) expect(atRisk).toHaveLength(1);
      }
      expect(told.length).toBe(new Set(told.map(({ id, type }) => `${type} ${id}`)).size);
      await supervisor.close();
    }),
    { numRuns: 30 },
  );
});

test('what the work ahead will make late is told of long before, with the time at which it is expected', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions: timed(clock), concurrency: 2 });
  const told = toldOf(clock, supervisor);
  await inTime(clock, supervisor.execute('job', 10 * SECOND));
  const from = clock.now();
  for (let n = 0; n < 8; n++) await supervisor.submit('job', 10 * SECOND, { priority: 'high' });
  await supervisor.submit('job', 10 * SECOND, { id: 'first', dueAt: from + 51 * SECOND });
  await supervisor.submit('job', 10 * SECOND, { id: 'second', dueAt: from + 52 * SECOND - 1, priority: 'low' });
  await supervisor.submit('job', 10 * SECOND, { id: 'third', dueAt: from + 52 * SECOND, priority: 'low' });
  await clock.advance(SECOND);
  expect(told).toEqual([
    { type: 'action.atRisk', id: 'third', dueAt: from + 52 * SECOND, expectedAt: from + 60 * SECOND, at: from + 200 },
  ]);
});

test('what comes later and goes before it puts an action at risk that was in time before', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions: timed(clock), concurrency: 1 });
  const told = toldOf(clock, supervisor);
  await inTime(clock, supervisor.execute('job', 10 * SECOND));
  const from = clock.now();
  await supervisor.submit('job', 10 * SECOND);
  await supervisor.submit('job', 10 * SECOND, { id: 'one', dueAt: from + 25 * SECOND });
  await clock.advance(SECOND);
  expect(told).toEqual([]);
  await supervisor.submit('job', 10 * SECOND, { id: 'other', dueAt: from + 40 * SECOND, priority: 'high' });
  await clock.advance(SECOND);
  expect(told).toMatchObject([{ type: 'action.atRisk', id: 'one', expectedAt: from + 30 * SECOND, at: from + 1_200 }]);
});

test('a due time that passed while nobody was there is told at the start, once', async () => {
  const clock = new SimulatedClock(START);
  const store = quickStore();
  const actions = timed(clock);
  const first = await open(clock, { actions, store, concurrency: 1 });
  const endless = await first.submit('job', HOUR);
  const due = await first.submit('job', 1, { id: 'due', dueAt: START + MINUTE });
  await clock.advance(SECOND);
  crash(first.durable);
  for (const { outcome } of [endless, due]) outcome.catch(() => {});
  const later = new SimulatedClock(START + HOUR);
  for (const expected of [['action.late'], []]) {
    const next = await open(later, { actions: timed(later), store, concurrency: 1 });
    const told = heard(next);
    await later.advance(SECOND);
    expect(told.map(({ type }) => type).filter((type) => /late|atRisk/.test(type))).toEqual(expected);
    crash(next.durable);
  }
});

test('another round of what has failed is told of anew', async () => {
  const clock = new SimulatedClock(START);
  const actions = { fail: defineAction({ run: () => Promise.reject(new Error('no')), retry: { attempts: 1 } }) };
  await using supervisor = await open(clock, { actions, concurrency: 1 });
  const told = toldOf(clock, supervisor);
  await inTime(clock, supervisor.execute('fail', null, { id: 'x', dueAt: START + MINUTE }));
  await clock.advance(2 * MINUTE);
  expect(told).toEqual([]);
  await supervisor.deadLetters.requeue('x');
  await clock.advance(SECOND);
  expect(told.map(({ type, id }) => [type, id])).toEqual([['action.late', 'x']]);
});

test('what is due is found by an index, in a queue of any length', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions: timed(clock) });
  const planOf = (sql: string) =>
    supervisor.durable.store.rows.all<{ detail: string }>(`explain query plan ${sql}`).map(({ detail }) => detail);
  const ofLane = (lane: number) =>
    `select id, name, due_at, estimate_ms, optional, rank, seq from actions where state = 'waiting' and lane = ${lane}`;
  const plans = [
    planOf('select min(review_at) as at from actions where review_at is not null'),
    planOf('select id from actions where review_at <= 5 order by review_at limit 1000'),
    planOf(`${ofLane(0)} union all ${ofLane(3)} union all ${ofLane(4)} order by optional, rank desc, seq limit 1000`),
    planOf(
      `select id, seq from actions where estimate_of = 'job' and ${DATED}
       and estimate_ms > coalesce((select mean_ms from action_history where name = 'job'), 1000) * 2 limit 5`,
    ),
    planOf(`select min(estimate_of) as name from actions where ${DATED} and estimate_of > 'a'`),
    planOf(`select exists (select 1 from actions where ${DATED})`),
  ];
  for (const details of plans) {
    expect(
      details.filter((one) => /actions/.test(one)).every((one) => /USING (COVERING )?INDEX actions_/.test(one)),
    ).toBe(true);
    expect(details.join()).not.toContain('TEMP B-TREE');
  }
});

test('what settles in the ms after its due time is late, and in the ms of it is not', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions: timed(clock), concurrency: 2 });
  const told = toldOf(clock, supervisor);
  const dueAt = START + MINUTE;
  const late = await supervisor.submit('job', MINUTE + 1, { id: 'late', dueAt });
  const inTheMs = await supervisor.submit('job', MINUTE, { id: 'in time', dueAt });
  await inTime(clock, Promise.all([late.outcome, inTheMs.outcome]), MINUTE);
  await clock.advance(MINUTE);
  expect(told).toEqual([{ type: 'action.late', id: 'late', dueAt, at: dueAt + 1 }]);
});

test('what was told is not told again of an action that becomes more urgent, only of another due time', async () => {
  const clock = new SimulatedClock(START);
  await using supervisor = await open(clock, { actions: timed(clock), concurrency: 1 });
  const told = toldOf(clock, supervisor);
  await supervisor.submit('job', HOUR);
  await supervisor.submit('job', 1, { id: 'due', dueAt: START + 1_500 });
  await clock.advance(SECOND);
  await supervisor.reprioritise('due', { priority: 'high' });
  await clock.advance(SECOND);
  await supervisor.reprioritise('due', { isAwaited: true });
  await clock.advance(SECOND);
  const summary = () => told.map(({ type, dueAt, at }) => [type, dueAt - START, at - START]);
  const first = [
    ['action.atRisk', 1_500, 200],
    ['action.late', 1_500, 1_501],
  ];
  expect(summary()).toEqual(first);
  await supervisor.reprioritise('due', { dueAt: START + 5_000 });
  await clock.advance(MINUTE);
  expect(summary()).toEqual([...first, ['action.atRisk', 5_000, 4_000], ['action.late', 5_000, 5_001]]);
});
