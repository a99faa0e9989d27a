import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition, transition, type AnyEventObject, type SnapshotFrom } from 'xstate';
import { BUDGET_TIERS, budgetPolicy, type BudgetPolicy, type BudgetTier } from '../../machines/budget-policy.ts';
import { budgetMachine, type BudgetCounted, type BudgetNotice } from '../../machines/budget.ts';
import { severityOf } from '../../machines/burn.ts';

type State = SnapshotFrom<typeof budgetMachine>;
type Step = readonly [State, readonly { type: string; params?: unknown }[]];

const COUNT = budgetPolicy({ kind: 'count' });
const begin = (policy: BudgetPolicy = COUNT) => initialTransition(budgetMachine, { policy }) as unknown as Step;
const send = ([state]: Step, event: AnyEventObject) =>
  transition(budgetMachine, state, event as never) as unknown as Step;

const charged = { type: 'budget.charged', at: 0 };
const gap = { type: 'xstate.after.gapMs.budget.watch.pausing' };
const tick = { type: 'xstate.after.tickMs.budget.watch.ticking' };
const counted = (bad: number, at = 0, over: Partial<BudgetCounted> = {}): BudgetCounted => ({
  type: 'budget.counted',
  at,
  news: true,
  windows: [],
  period: { good: 0, bad, spanMs: 1 },
  faults: [],
  ...over,
});

const tierOf = ([{ value }]: Step) => value.tier as BudgetTier;
const watchOf = ([{ value }]: Step) => value.watch;
const asks = ([, actions]: Step) => actions.filter(({ type }) => type === 'count').map(({ params }) => params);
const timers = ([, actions]: Step) => actions.filter(({ type }) => type === 'xstate.raise').length;
const told = ([, actions]: Step): BudgetNotice[] =>
  actions.filter(({ type }) => type === 'announce').map(({ params }) => (params as { notice: BudgetNotice }).notice);

/** A budget that a count found in such a tier. */
function inTier(tier: BudgetTier): Step {
  const bad = { healthy: 0, slowBurn: 4, fastBurn: 8, exhausted: 15 }[tier];
  return send(send(begin(), charged), counted(bad));
}

describe('an error budget', () => {
  test('begins healthy, and waits for nothing', () => {
    const step = begin();
    expect(step[0].value).toEqual({ tier: 'healthy', watch: 'idle' });
    expect([timers(step), asks(step)]).toEqual([0, []]);
  });

  test('counts at the first charge at once, at the next ones once after a second', () => {
    let step = send(begin(), charged);
    expect(asks(step)).toEqual([{ policy: COUNT, news: true }]);
    for (let i = 0; i < 3; i += 1) expect(asks((step = send(step, charged)))).toEqual([]);
    step = send(step, gap);
    expect(asks(step)).toEqual([{ policy: COUNT, news: true }]);
    expect(watchOf(step)).toEqual({ pausing: 'upToDate' });
  });

  test('a charge that waits for a count changes nothing when another one waits already', () => {
    const step = send(send(begin(), charged), charged);
    expect(send(step, charged)[0]).toBe(step[0]);
  });

  test('has no timer when it is healthy, whatever was charged before', () => {
    const step = send(send(send(begin(), charged), counted(1)), gap);
    expect(step[0].value).toEqual({ tier: 'healthy', watch: 'idle' });
    expect(timers(step)).toBe(0);
  });

  test.each(['slowBurn', 'fastBurn', 'exhausted'] as const)('looks from time to time while it is %s', (tier) => {
    const step = send(inTier(tier), gap);
    expect(watchOf(step)).toBe('ticking');
    expect(timers(step)).toBe(1);
    const next = send(step, tick);
    expect(asks(next)).toEqual([{ policy: COUNT, news: false }]);
    expect(timers(next)).toBe(1);
    // A charge right after a look waits for its second.
    expect(asks(send(next, charged))).toEqual([]);
    expect(asks(send(send(next, charged), gap))).toEqual([{ policy: COUNT, news: true }]);
    expect(asks(send(send(next, gap), charged))).toEqual([{ policy: COUNT, news: true }]);
  });

  test('stops looking a second after it is healthy again', () => {
    let step = send(send(inTier('exhausted'), gap), tick);
    step = send(step, counted(0, 0, { news: false }));
    step = send(step, counted(0, 60_000, { news: false }));
    expect(step[0].value).toMatchObject({ tier: 'healthy' });
    step = send(step, gap);
    expect(step[0].value).toEqual({ tier: 'healthy', watch: 'idle' });
    expect(timers(step)).toBe(0);
  });

  test('announces a change once, with what it comes from', () => {
    const faults = [
      { fingerprint: 'a', n: 6, isNew: false },
      { fingerprint: 'b', n: 2, isNew: true },
    ];
    const step = send(send(begin(), charged), counted(8, 7, { faults }));
    expect(told(step)).toEqual([
      {
        type: 'budget.changed',
        tier: 'fastBurn',
        burn: 0.8,
        spent: 0.8,
        concentration: 0.625,
        fresh: ['b'],
        at: 7,
      },
    ]);
    expect(told(send(step, counted(9)))).toEqual([]);
  });

  test('goes straight to the tier that was counted, and back only after the dwell', () => {
    let step = inTier('exhausted');
    expect(tierOf(step)).toBe('exhausted');
    step = send(step, counted(5, 1_000));
    expect(tierOf(step)).toBe('exhausted');
    expect(tierOf(send(step, counted(5, 60_999)))).toBe('exhausted');
    expect(tierOf(send(step, counted(5, 61_000)))).toBe('slowBurn');
    const relapsed = send(step, counted(15, 30_000));
    expect(tierOf(send(relapsed, counted(5, 61_000)))).toBe('exhausted');
  });

  test('a reset forgets what was charged and is healthy at once, also from being healthy, which needs no word', () => {
    for (const tier of BUDGET_TIERS) {
      const step = send(inTier(tier), { type: 'budget.reset', at: 5 });
      expect(step[0].value).toEqual({ tier: 'healthy', watch: 'idle' });
      expect(step[1].filter(({ type }) => type === 'forget')).toHaveLength(1);
      expect(told(step).map((notice) => [notice.tier, notice.at])).toEqual(tier === 'healthy' ? [] : [['healthy', 5]]);
    }
  });

  test('another policy is counted at once, and may make it worse', () => {
    const strict = budgetPolicy({ kind: 'count', perHour: 1 });
    const step = send(send(begin(), charged), counted(2));
    const configured = send(step, { type: 'budget.configure', policy: strict });
    expect(asks(configured)).toEqual([{ policy: strict, news: true }]);
    expect(tierOf(send(configured, counted(2)))).toBe('exhausted');
  });

  test('says so when nobody counts', () => {
    const [count] = send(begin(), charged)[1] as unknown as { type: string; exec: () => void }[];
    expect(count?.exec).toThrow(expect.objectContaining({ code: 'NOT_PROVIDED' }));
  });
});

const event = fc.oneof(
  fc.constantFrom<AnyEventObject>(charged, gap, tick),
  fc
    .record({ bad: fc.nat(20), at: fc.nat(1_000_000), news: fc.boolean() })
    .map(({ bad, at, news }) => counted(bad, at, { news })),
);

test('property: it announces exactly its changes, and worsens only on news', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let step = begin();
      for (const one of events) {
        const next = send(step, one);
        expect(told(next).map(({ tier }) => tier)).toEqual(tierOf(next) === tierOf(step) ? [] : [tierOf(next)]);
        if (severityOf(tierOf(next)) > severityOf(tierOf(step))) expect(one['news']).toBe(true);
        step = next;
      }
    }),
    { numRuns: 300 },
  );
});

test('property: whoever is not healthy has a timer', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let step = begin();
      for (const one of events) {
        // An answer comes only to a question, which leaves idle.
        if (one.type === 'budget.counted' && watchOf(step) === 'idle') step = send(step, charged);
        step = send(step, one);
        if (tierOf(step) !== 'healthy') expect(watchOf(step)).not.toBe('idle');
      }
    }),
    { numRuns: 300 },
  );
});

test('H29: a thousand cycles of looking, idle or healthy, change nothing', () => {
  const first = send(send(send(begin(budgetPolicy()), charged), counted(0)), gap);
  let step = first;
  for (let i = 0; i < 1_000; i += 1) {
    step = send(step, { type: 'budget.configure', policy: budgetPolicy() });
    step = send(step, counted(0, i * 60_000));
    step = send(step, gap);
  }
  expect(step[0].toJSON()).toEqual(first[0].toJSON());
  expect(JSON.stringify(step[0].context).length).toBeLessThan(1_024);
});
