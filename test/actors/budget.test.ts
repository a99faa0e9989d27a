import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createActor, sendParent, sendTo, setup } from 'xstate';
import { BUDGET_TABLES } from '../../actors/budget-tables.ts';
import { budgetActions, charge, countBudget, tallyOf, type Charge } from '../../actors/budget.ts';
import { budgetReport } from '../../actors/budget-report.ts';
import { budgetPolicy, type BudgetPolicy, type BudgetTier } from '../../machines/budget-policy.ts';
import { budgetMachine, type BudgetNotice } from '../../machines/budget.ts';
import { severityOf } from '../../machines/burn.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { memoryRows, type Rows } from '../../persistence/rows.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { quickStore } from '../support/temp.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const BEGIN = 1_700_000_000_000;
const COUNT = budgetPolicy({ kind: 'count' });
/** Ten minutes: windows of 12.5 s to 5 minutes, buckets of a second. */
const SHORT_RUN = budgetPolicy({ periodMs: 10 * MINUTE });

const emptyRows = () => memoryRows(BUDGET_TABLES);
const error = (fingerprint: string) => ({ fingerprint, class: 'transient' });
const good = (at: number): Charge => ({ at, bad: 0, error: null, component: null });
const bad = (at: number, fingerprint = 'f'): Charge => ({ at, bad: 1, error: error(fingerprint), component: 'db' });
const numberOf = (rows: Rows, table: string) =>
  rows.get<{ n: number }>(`select count(*) as n from ${table}`)?.n as number;

const charges = fc.array(
  fc.record({
    gapMs: fc.oneof(fc.nat(2_000), fc.nat(120_000)),
    bad: fc.constantFrom(0, 0, 0.25, 1),
    fingerprint: fc.constantFrom('a', 'b', 'c'),
  }),
  { maxLength: 80 },
);

/** Charges in the order of their times. */
function chargeAll(rows: Rows, policy: BudgetPolicy, all: { gapMs: number; bad: number; fingerprint: string }[]) {
  let at = BEGIN;
  return all.map(({ gapMs, bad: share, fingerprint }) => {
    const one = { at: (at += gapMs), bad: share, error: share > 0 ? error(fingerprint) : null, component: null };
    charge(rows, one, policy);
    return one;
  });
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

describe('charging', () => {
  test('property, H28: every call counts once, as good and bad together', () => {
    fc.assert(
      fc.property(charges, (all) => {
        const rows = emptyRows();
        const policy = budgetPolicy({ periodMs: 24 * HOUR });
        const made = chargeAll(rows, policy, all);
        const { period, faults } = countBudget(rows, policy, BEGIN + 3 * HOUR);
        expect(period.good + period.bad).toBe(made.length);
        expect(period.bad).toBe(sum(made.map((one) => one.bad)));
        expect(sum(faults.map(({ n }) => n))).toBe(period.bad);
      }),
    );
  });

  test('property: a window counts everything in it, and nothing older than one bucket more', () => {
    fc.assert(
      fc.property(charges, fc.integer({ min: 1, max: 10 * MINUTE }), fc.nat(5 * MINUTE), (all, windowMs, laterMs) => {
        const rows = emptyRows();
        const made = chargeAll(rows, SHORT_RUN, all);
        const now = (made.at(-1)?.at ?? BEGIN) + laterMs;
        const since = (ms: number) => sum(made.filter(({ at }) => at > now - ms).map((one) => one.bad));
        const { bad: counted } = tallyOf(rows, SHORT_RUN, now, windowMs);
        expect(counted).toBeGreaterThanOrEqual(since(windowMs));
        expect(counted).toBeLessThanOrEqual(since(windowMs + SHORT_RUN.bucketMs + 1));
      }),
      { numRuns: 300 },
    );
  });

  test('a good one is one row, that of its bucket; the bucket after a round takes its place', () => {
    const rows = emptyRows();
    for (let i = 0; i < 1_000; i += 1) charge(rows, good(BEGIN + i), SHORT_RUN);
    expect(numberOf(rows, 'budget_buckets')).toBe(1);
    for (let i = 0; i < 5_000; i += 1) charge(rows, good(BEGIN + i * 1_000), SHORT_RUN);
    expect(numberOf(rows, 'budget_buckets')).toBe(602);
    expect(tallyOf(rows, SHORT_RUN, BEGIN + 4_999_000, 10 * MINUTE).good).toBe(601);
  });

  test('the rows of faults stay few, however many kinds there are', () => {
    const rows = emptyRows();
    for (let i = 0; i < 5_000; i += 1) charge(rows, bad(BEGIN + i * 1_000, `f${i % 3_000}`), SHORT_RUN);
    // 20 of the longer buckets in a period, three around it; 32 kinds and the others in each.
    expect(numberOf(rows, 'budget_faults')).toBeLessThanOrEqual(23 * 33);
    const later = BEGIN + 2 * HOUR;
    for (let i = 0; i < 2_000; i += 1) charge(rows, bad(later, `g${i}`), SHORT_RUN);
    const inBucket = rows.all('select * from budget_faults where n >= 1 and bucket > ?', later - 30_000);
    expect(inBucket).toHaveLength(33);
    expect(countBudget(rows, SHORT_RUN, later)).toMatchObject({
      period: { bad: 2_000 },
      faults: [{ fingerprint: '*', n: 1_968, isNew: false, class: null, component: null }, ...Array(31).fill({ n: 1 })],
    });
  });

  test('refuses what is no share', () => {
    for (const share of [-0.1, 1.1, NaN]) {
      expect(() => charge(emptyRows(), { ...good(BEGIN), bad: share })).toThrow(/from 0 to 1/);
    }
  });

  test('charges of a clock that was ahead do not count now, and do not stay', () => {
    const rows = emptyRows();
    for (let i = 0; i < 40; i += 1) charge(rows, bad(BEGIN + 24 * HOUR + i * MINUTE, `f${i}`), COUNT);
    charge(rows, good(BEGIN), COUNT);
    expect(countBudget(rows, COUNT, BEGIN)).toMatchObject({ period: { good: 1, bad: 0 }, faults: [] });
    for (let i = 0; i < 4; i += 1) charge(rows, bad(BEGIN + i, `now${i}`), COUNT);
    expect(numberOf(rows, 'budget_faults')).toBe(4);
  });
});

/** A budget in memory: how often it counted and what it told, under a clock that is moved. */
function inMemory(policy: BudgetPolicy, rows = emptyRows()) {
  const clock = new SimulatedClock(BEGIN);
  const counts: number[] = [];
  const notices: BudgetNotice[] = [];
  const { count, forget } = budgetActions({ rows, clock });
  const machine = budgetMachine.provide({
    actions: {
      forget,
      count: (args, params) => {
        counts.push(clock.now());
        count(args, params);
      },
      announce: (_, { notice }) => notices.push(notice),
    },
  });
  const actor = createActor(machine, { input: { policy }, clock: clock as never });
  actor.start();
  const settle = (one: Charge) => {
    charge(rows, one, policy);
    if (one.bad > 0) actor.send({ type: 'budget.charged', at: one.at });
  };
  const tier = () => actor.getSnapshot().value.tier as BudgetTier;
  return { clock, rows, counts, notices, actor, settle, tier };
}

describe('the budget of a run', () => {
  test('H27: a spike that ended does not page, the same share sustained does, and three failures do not', async () => {
    const { clock, settle, tier } = inMemory(SHORT_RUN);
    for (let i = 0; i < 3; i += 1) settle(bad(BEGIN));
    await clock.advance(2_000);
    expect(tier()).toBe('healthy');

    // An action a second; every second one fails for 5 s, which then is over.
    const run = async (seconds: number, isBad: (i: number) => boolean) => {
      for (let i = 0; i < seconds; i += 1) {
        settle((isBad(i) ? bad : good)(clock.now()));
        await clock.advance(1_000);
      }
    };
    await run(120, () => false);
    await run(5, (i) => i % 2 === 0);
    await run(60, (i) => i === 59);
    expect(tier()).toBe('healthy');
    await run(75, (i) => i % 2 === 0);
    expect(severityOf(tier())).toBeGreaterThanOrEqual(severityOf('fastBurn'));
  });

  test('property, H26: after the last charge it never worsens, is healthy within a period, and then rests', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(SHORT_RUN, COUNT), charges, async (policy, all) => {
        const { clock, settle, counts, notices, tier } = inMemory(policy);
        for (const { gapMs, bad: share, fingerprint } of all.slice(0, 40)) {
          await clock.advance(gapMs);
          settle({ at: clock.now(), bad: share, error: error(fingerprint), component: null });
        }
        await clock.advance(1_000);
        const before = notices.length;
        await clock.advance((policy.kind === 'slo' ? policy.periodMs : HOUR) + policy.dwellMs + 3 * policy.bucketMs);
        const after = notices.slice(Math.max(0, before - 1)).map((notice) => severityOf(notice.tier));
        expect(after.toSorted((a, b) => b - a)).toEqual(after);
        expect(tier()).toBe('healthy');
        const [last] = counts.slice(-1);
        await clock.advance(HOUR);
        expect(counts.slice(-1)).toEqual(last === undefined ? [] : [last]);
        for (const [i, at] of counts.entries()) if (i > 0) expect(at - (counts[i - 1] as number)).toBeGreaterThan(999);
      }),
      { numRuns: 25 },
    );
  });

  test('H26: the boundary of the machine and of the report is the same', async () => {
    const { clock, rows, settle, tier } = inMemory(COUNT);
    for (let n = 1; n <= 20; n += 1) {
      settle(bad(clock.now()));
      await clock.advance(1_000);
      expect(budgetReport(rows, COUNT, clock.now())).toMatchObject({ tier: tier(), bad: n, burn: n / 10 });
    }
    expect(tier()).toBe('exhausted');
  });

  test('H29: a thousand looks at an idle or healthy budget change neither rows nor machine', () => {
    const { clock, rows, actor, settle } = inMemory(budgetPolicy());
    for (let i = 0; i < 100; i += 1) settle(good(BEGIN));
    const before = [actor.getPersistedSnapshot(), budgetReport(rows, budgetPolicy(), clock.now())];
    for (let i = 0; i < 1_000; i += 1) budgetReport(rows, budgetPolicy(), clock.now());
    expect([actor.getPersistedSnapshot(), budgetReport(rows, budgetPolicy(), clock.now())]).toEqual(before);
  });

  test('a reset refills it', async () => {
    const { clock, rows, actor, settle, tier } = inMemory(COUNT);
    for (let i = 0; i < 20; i += 1) settle(bad(BEGIN));
    await clock.advance(1_000);
    expect(tier()).toBe('exhausted');
    actor.send({ type: 'budget.reset', at: clock.now() });
    expect(tier()).toBe('healthy');
    expect(budgetReport(rows, COUNT, clock.now())).toMatchObject({ bad: 0, remaining: 1, faults: [] });
  });
});

describe('the report', () => {
  test('tells windows, what is spent, the top faults, what is new and the trend', () => {
    const rows = emptyRows();
    const policy = budgetPolicy();
    const now = BEGIN + 2 * HOUR;
    for (let ms = 0; ms < 2 * HOUR; ms += 10_000) charge(rows, good(BEGIN + ms), policy);
    for (let i = 0; i < 10; i += 1) charge(rows, bad(BEGIN + i * MINUTE, 'old'), policy);
    for (let i = 0; i < 30; i += 1) charge(rows, bad(now - i * 10_000, 'fresh'), policy);
    const report = budgetReport(rows, policy, now);
    expect(report).toMatchObject({
      at: now,
      tier: 'healthy',
      good: 720,
      bad: 40,
      periodMs: 8 * HOUR,
      fresh: ['fresh'],
      faults: [
        { fingerprint: 'fresh', class: 'transient', component: 'db', n: 30, share: 0.75, isNew: true },
        { fingerprint: 'old', n: 10, share: 0.25, isNew: false },
      ],
      concentration: 0.625,
      trend: { direction: 'rising' },
    });
    expect(report.spent).toBeCloseTo((40 / 760 / 0.1) * (2 / 8), 2);
    expect(report.remaining).toBeCloseTo(1 - report.spent, 12);
    expect(report.windows.map(({ threshold }) => Math.round(threshold * 10) / 10)).toEqual([4.8, 2, 1]);
    expect(report.windows[0]?.long.burn).toBeCloseTo(30 / 91 / 0.1, 0);
  });

  test('calls nothing new in a run that has just begun', () => {
    const rows = emptyRows();
    for (let i = 0; i < 20; i += 1) charge(rows, bad(BEGIN + i * 1_000), budgetPolicy());
    expect(budgetReport(rows, budgetPolicy(), BEGIN + 20_000).fresh).toEqual([]);
  });

  test('property: its trend counts a failure either as lately or as before', () => {
    fc.assert(
      fc.property(fc.nat(61 * MINUTE), (ago) => {
        const rows = emptyRows();
        const now = BEGIN + 2 * HOUR;
        for (let ms = 0; ms < 70 * MINUTE; ms += 5_000) charge(rows, good(now - ms), budgetPolicy());
        charge(rows, bad(now - ago), budgetPolicy());
        const { ratio } = budgetReport(rows, budgetPolicy(), now).trend;
        // Lately only: none before to compare with. Before only, or too long ago: not once lately.
        expect([null, 0]).toContain(ratio);
      }),
    );
  });

  test('of nothing is empty and healthy', () => {
    expect(budgetReport(emptyRows(), budgetPolicy(), BEGIN)).toMatchObject({
      tier: 'healthy',
      burn: 0,
      spent: 0,
      remaining: 1,
      faults: [],
      fresh: [],
      trend: { direction: 'steady', p: 1 },
    });
  });
});

/** A tree that charges and tells its budget in the same turn, as the supervisor's does. */
function treeOn({ rows, clock }: Store) {
  const events = {} as { type: 'fail' } | { type: 'boom' } | BudgetNotice;
  return setup({
    types: {} as { events: typeof events },
    actors: {
      budget: budgetMachine.provide({
        actions: {
          ...budgetActions({ rows, clock }),
          announce: sendParent((_, { notice }: { notice: BudgetNotice }) => notice),
        },
      }),
    },
    actions: {
      charge: () => charge(rows, bad(clock.now()), COUNT),
      boom: () => {
        throw new Error('boom');
      },
      tell: sendTo('budget', () => ({ type: 'budget.charged', at: clock.now() }) as const),
    },
  }).createMachine({
    id: 'tree',
    invoke: { id: 'budget', src: 'budget', systemId: 'budget', input: { policy: COUNT } },
    initial: 'healthy',
    on: {
      fail: { actions: ['charge', 'tell'] },
      boom: { actions: ['charge', 'boom'] },
      'budget.changed': [
        { guard: ({ event }) => event.tier === 'healthy', target: '.healthy' },
        { target: '.burning' },
      ],
    },
    states: { healthy: {}, burning: {} },
  });
}

describe('the budget of a durable tree', () => {
  async function open(path: string, clock: SimulatedClock) {
    const store = Store.open(path, { clock });
    store.declare(BUDGET_TABLES);
    const durable = await createDurableActor(treeOn(store), { store });
    return { store, durable, report: () => budgetReport(store.rows, COUNT, clock.now()) };
  }

  test('H26: tier and charges survive a crash, and what time has mended meanwhile is mended', async () => {
    const path = quickStore();
    const clock = new SimulatedClock(BEGIN);
    const first = await open(path, clock);
    for (let i = 0; i < 15; i += 1) await first.durable.send({ type: 'fail' });
    await clock.advance(2_000);
    expect([first.report().bad, first.report().tier]).toEqual([15, 'exhausted']);
    crash(first.durable);

    const second = await open(path, clock);
    expect([second.report().bad, second.report().tier]).toEqual([15, 'exhausted']);
    expect(second.durable.getSnapshot().value).toBe('burning');
    crash(second.durable);

    const late = new SimulatedClock(BEGIN + 3 * HOUR);
    const third = await open(path, late);
    await late.advance(COUNT.dwellMs + 3 * COUNT.bucketMs);
    expect(third.durable.getSnapshot().value).toBe('healthy');
    expect(third.report()).toMatchObject({ bad: 0, tier: 'healthy', remaining: 1 });
    await third.durable.close();
    third.store.close();
  });

  test('H28: a charge of a transition that throws is undone with it', async () => {
    const { store, durable, report } = await open(quickStore(), new SimulatedClock(BEGIN));
    await durable.send({ type: 'fail' });
    await durable.send({ type: 'boom' }).catch(() => {});
    expect(report().bad).toBe(1);
    crash(durable);
    store.close();
  });
});
