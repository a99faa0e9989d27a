import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition, transition, type SnapshotFrom } from 'xstate';
import type { ActionInput, ActionResult, Shortfall } from '../../machines/action-state.ts';
import type { ActionPolicy } from '../../machines/action-policy.ts';
import {
  executorMachine,
  type Claimed,
  type ExecutorEvent,
  type ExecutorNotice,
  type Question,
  type Settled,
} from '../../machines/executor.ts';
import type { Evidence } from '../../machines/gate.ts';
import { measuresOf } from '../../machines/burn.ts';
import { BUDGET_TIERS } from '../../machines/budget-policy.ts';
import { DEFAULT_THRESHOLDS } from '../../machines/thresholds.ts';

type State = SnapshotFrom<typeof executorMachine>;
type Effect = { readonly type: string; readonly params?: unknown };
type Room = { readonly limit: number; readonly freezesOptional: boolean };

const POLICY: ActionPolicy = {
  retry: { attempts: 1, delayMs: 100, capMs: 1_000 },
  timeoutMs: null,
  deadlineMs: null,
  component: null,
  whenOpen: 'reject',
  fallbacks: [],
  qualityFloor: 0,
  belowFloor: 'fail',
  hasUndo: false,
};
const EVIDENCE: Evidence = {
  impact: 'low',
  reversible: null,
  hasUndo: false,
  clarity: null,
  confidence: null,
  summary: 'looks',
  successes: 0,
  failures: 0,
  approvals: 0,
  denials: 0,
  approved: false,
};

function claim(slot: number, evidence: Partial<Evidence> = {}): Claimed {
  return {
    id: `a${slot}`,
    slot,
    policy: POLICY,
    evidence: { ...EVIDENCE, ...evidence },
    slowMs: 1_000,
    quality: 1,
    waivesFloor: false,
    reached: null,
    at: 0,
  };
}

/** An executor that is stepped by hand, with what the last step did. */
class Stepped {
  state: State;
  effects: readonly Effect[];

  constructor(limit = 4) {
    const [state, effects] = initialTransition(executorMachine, { limit });
    [this.state, this.effects] = [state, effects as unknown as Effect[]];
  }

  get busy(): readonly number[] {
    return this.state.context.busy;
  }

  /** What was claimed for in the last step. */
  get claims(): Room[] {
    return this.of<Room>('claim');
  }

  get questions(): Question[] {
    return this.of<{ questions: Question[] }>('ask').flatMap(({ questions }) => questions);
  }

  get notices(): ExecutorNotice[] {
    return this.of<{ notice: ExecutorNotice }>('announce').map(({ notice }) => notice);
  }

  of<T>(type: string): T[] {
    return this.effects.filter((effect) => effect.type === type).map(({ params }) => params as T);
  }

  send(event: ExecutorEvent): this {
    const [state, effects] = transition(executorMachine, this.state, event);
    [this.state, this.effects] = [state, effects as unknown as Effect[]];
    return this;
  }

  claimed(...claimed: Claimed[]): this {
    return this.send({ type: 'executor.claimed', claimed });
  }

  /** Sends what the last step sends to itself. */
  claimLater(): this {
    const sent = this.of<{ event: ExecutorEvent }>('xstate.sendTo').find(
      ({ event }) => event.type === 'executor.claim',
    );
    return sent === undefined ? this : this.send(sent.event);
  }

  /** What an admitted action was let through with. */
  admitted(slot: number): ActionInput {
    const children = this.state.children as Record<string, { getSnapshot(): { context: ActionInput } } | undefined>;
    return children[`slot.${slot}`]?.getSnapshot().context as ActionInput;
  }
}

const RESULT: ActionResult = {
  kind: 'ok',
  attempts: 1,
  qualityLoss: 0,
  workMs: 1,
  band: 'immediate',
  score: 0.95,
  raw: 0.95,
};
const SHORTFALL: Shortfall = {
  message: 'less',
  reached: {
    attempt: 0,
    band: 'reversible',
    error: null,
    fix: null,
    isCancelled: false,
    isUndone: false,
    raw: 0.7,
    replaced: 0,
    score: 0.6,
    undoError: null,
    workMs: 0,
  },
};
const ended = (slot: number): ExecutorEvent => ({
  type: 'action.ended',
  id: `a${slot}`,
  slot,
  at: 5,
  result: RESULT,
});
const settled = (scores: Settled['scores'], kind: Settled['kind'] = 'ok'): ExecutorEvent => ({
  type: 'executor.settled',
  settled: [{ id: 'a0', kind, plan: null, chargedAt: null, scores }],
});

describe('the executor', () => {
  test('looks for work at once, and for each that ends', () => {
    const executor = new Stepped();
    expect(executor.claims).toEqual([{ limit: 4, freezesOptional: false }]);
    executor.claimed(claim(0), claim(1));
    expect([executor.busy, executor.claims]).toEqual([[0, 1], []]);
    executor.send(ended(0));
    expect(executor.of('putOutcome')).toMatchObject([{ id: 'a0', at: 5, result: { kind: 'ok' } }]);
    expect([executor.busy, executor.claims.length]).toEqual([[1], 0]);
    expect(executor.state.context.idle).toEqual([0]);
    expect(executor.send(settled(null)).claims).toEqual([]);
    expect(executor.effects.map(({ type }) => type)).toEqual(['announce', 'xstate.sendTo']);
    expect(executor.claimLater().claims).toHaveLength(1);
  });

  test('says so before what could do harm begins, and not of what only asks', () => {
    const surely = { impact: 'critical', confidence: 0.99, reversible: true } as const;
    const risky = (executor: Stepped) => executor.notices.filter(({ type }) => type === 'executor.risky').length;
    expect(risky(new Stepped().claimed(claim(0), claim(1, surely)))).toBe(1);
    expect(risky(new Stepped().claimed(claim(0, { impact: 'medium' })))).toBe(0);
    expect(risky(new Stepped().claimed(claim(0, { ...surely, confidence: 0.1 })))).toBe(0);
  });

  test('passes on what becomes of those that were under way in the turn that was restored', () => {
    const executor = new Stepped().claimed(claim(0), claim(1)).send({ type: 'executor.restored' });
    expect(executor.of('lookBack')).toHaveLength(1);
    executor.send({ type: 'executor.pending', pending: [{ slot: 1, policy: 'ask' }] });
    const slots = executor.effects.map(({ params }) => params).filter((params) => params !== undefined);
    expect(slots).toContainEqual(expect.objectContaining({ event: { type: 'action.restored', policy: 'ask' } }));
    executor.send({ type: 'action.asksAgain', id: 'a1', slot: 1, score: 0.9 });
    expect([executor.questions, executor.busy]).toMatchObject([
      [{ id: 'a1', shortfall: null, reason: 'restore', decision: { band: 'ask' } }],
      [0],
    ]);
  });

  test('puts aside what has no handler, and gives the slot on', () => {
    const executor = new Stepped().claimed(claim(0));
    executor.send({ type: 'action.orphaned', id: 'a0', slot: 0 });
    expect(executor.of('park')).toMatchObject([{ id: 'a0' }]);
    expect([executor.busy, executor.claims.length]).toEqual([[], 1]);
  });

  test('claims nothing while it is held, tells when the last one has ended, and claims again after', () => {
    const executor = new Stepped().claimed(claim(0), claim(1)).send({ type: 'executor.pause' });
    for (const event of [
      { type: 'executor.submit', submissions: [] },
      { type: 'executor.configure', limit: 9 },
      { type: 'executor.answered', approved: ['a9'], denied: [] },
      { type: 'executor.workOff', component: null, at: 0 },
      { type: 'executor.tighten', ...measuresOf('healthy') },
      { type: 'executor.asked', requests: [] },
      ended(0),
      settled(null),
      { type: 'executor.claim' },
    ] as ExecutorEvent[]) {
      expect(executor.send(event).claims, event.type).toEqual([]);
    }
    expect(executor.send(ended(1)).notices).toEqual([{ type: 'executor.idle' }]);
    expect(executor.send({ type: 'executor.resume' }).claims).toEqual([{ limit: 9, freezesOptional: false }]);
  });

  test('ranks anew what somebody asks for, and claims: what waits may have changed places', () => {
    const request = { type: 'executor.reprioritise', id: 'a', urgency: { priority: 'high' } } as const;
    const executor = new Stepped().send(request);
    expect([executor.of('reprioritise'), executor.claims.length]).toEqual([[request], 1]);
    executor.send({ type: 'executor.pause' }).send(request);
    expect([executor.of('reprioritise'), executor.claims.length]).toEqual([[request], 0]);
  });

  test('looks at what is due when it wakes, after the claim, and also while it is held', () => {
    const types = (executor: Stepped) => executor.effects.map(({ type }) => type);
    const executor = new Stepped().send({ type: 'executor.wake' });
    expect(types(executor)).toEqual(['wake', 'claim', 'review']);
    executor.send({ type: 'executor.pause' }).send({ type: 'executor.wake' });
    expect(types(executor)).toEqual(['wake', 'review']);
  });

  test('tells its parent of what is due and of what was ranked anew', () => {
    const notices = [{ type: 'action.late', id: 'a', dueAt: 5 }] as const;
    const executor = new Stepped().send({ type: 'executor.told', notices });
    expect(executor.notices).toEqual([{ type: 'executor.told', notices }]);
  });

  test('hands a cancel on to the slot in which the action runs', () => {
    const executor = new Stepped().claimed(claim(2)).send({ type: 'executor.found', id: 'a2', slot: 2, at: 7 });
    expect(executor.effects).toMatchObject([
      { type: 'xstate.sendTo', params: { event: { type: 'action.cancel', at: 7 } } },
    ]);
  });

  test('cancels as a row what has given its slot back before the cancel came to it', () => {
    const executor = new Stepped().claimed(claim(2));
    executor.send({ type: 'action.deferred', id: 'a2', slot: 2, until: 9 });
    expect(executor.busy).toEqual([]);
    executor.send({ type: 'executor.found', id: 'a2', slot: 2, at: 7 });
    expect(executor.effects).toMatchObject([{ type: 'cancelQueued', params: { ids: ['a2'], at: 7 } }]);
  });

  test('lets what is deferred wait as a row, and gives its slot to the next, but begins nothing while it is paused', () => {
    const deferred = (slot: number) => ({ type: 'action.deferred', id: `a${slot}`, slot, until: 9 }) as const;
    const executor = new Stepped().claimed(claim(0)).send(deferred(0));
    expect(executor.effects).toMatchObject([{ type: 'defer', params: { id: 'a0', until: 9 } }, { type: 'claim' }]);
    const paused = new Stepped().claimed(claim(0), claim(1)).send({ type: 'executor.pause' });
    expect(paused.send(deferred(0)).notices).toEqual([]);
    expect(paused.send(deferred(1)).notices).toEqual([{ type: 'executor.idle' }]);
    expect(paused.claims).toEqual([]);
  });
});

describe('the gate', () => {
  test.each([
    [0.95, 'immediate'],
    [0.75, 'monitored'],
    [0.55, 'reversible'],
  ] as const)('S41: lets one with a confidence of %d through as %s', (confidence, band) => {
    const executor = new Stepped().claimed(claim(0, { confidence, reversible: true }));
    expect(executor.admitted(0)).toMatchObject({ band, score: confidence, waivesFloor: false });
    expect(executor.questions).toEqual([]);
  });

  test('S41, H20, I6: asks about one of 0.3, which gets no slot, and the next one may have it', () => {
    const executor = new Stepped(1).claimed(claim(0, { confidence: 0.3 }));
    expect(executor.busy).toEqual([]);
    expect(executor.state.children).toEqual({});
    expect(executor.questions).toMatchObject([{ id: 'a0', shortfall: null, decision: { band: 'ask', score: 0.3 } }]);
    const requests = [] as const;
    expect(executor.send({ type: 'executor.asked', requests }).claims).toHaveLength(1);
    expect(executor.notices).toEqual([{ type: 'executor.asked', requests }]);
  });

  test('judges each of those that came together', () => {
    const executor = new Stepped().claimed(claim(0), claim(1, { confidence: 0.1 }), claim(2));
    expect([executor.busy, executor.questions.map(({ id }) => id)]).toEqual([[0, 2], ['a1']]);
  });

  test('H22: what was approved runs, watched, and waives no floor', () => {
    const evidence = { impact: 'critical', reversible: false, approved: true } as const;
    expect(new Stepped().claimed(claim(0, evidence)).admitted(0)).toMatchObject({
      band: 'monitored',
      waivesFloor: false,
    });
    expect(new Stepped().claimed(claim(0, { ...evidence, approved: false, confidence: 1 })).busy).toEqual([]);
  });

  test('what has asked for its quality has passed the gate, and keeps what it was given there', () => {
    const evidence = { impact: 'critical', reversible: false } as const;
    const executor = new Stepped().claimed({ ...claim(0, evidence), waivesFloor: true, reached: SHORTFALL.reached });
    expect(executor.questions).toEqual([]);
    expect(executor.admitted(0)).toMatchObject({ band: 'reversible', score: 0.6, raw: 0.7, waivesFloor: true });
  });

  test('an answer lets wait again what was approved, settles what was denied, and looks for work', () => {
    const denied = [{ action: 'b', by: 'ann', note: null }];
    const executor = new Stepped().send({ type: 'executor.answered', approved: ['a'], denied });
    expect(executor.of('answer')).toMatchObject([{ approved: ['a'], denied }]);
    expect(executor.claims).toHaveLength(1);
  });

  test('one that runs and needs a word gives its slot back', () => {
    const executor = new Stepped(1).claimed(claim(0));
    executor.send({ type: 'action.asks', id: 'a0', slot: 0, quality: 0.4, shortfall: SHORTFALL });
    expect(executor.questions).toMatchObject([
      { id: 'a0', shortfall: SHORTFALL, decision: { band: 'ask', score: 0.4 } },
    ]);
    expect(executor.busy).toEqual([]);
    expect(executor.state.context.idle).toEqual([0]);
  });
});

describe('while resources are short', () => {
  test.each([
    [8, 3, false, { limit: 3, freezesOptional: false }],
    [8, null, false, { limit: 8, freezesOptional: false }],
    [2, 5, false, { limit: 2, freezesOptional: false }],
    [8, 1, true, { limit: 1, freezesOptional: true }],
  ])('of %d at once it admits %s (sheds: %s)', (limit, most, shed, room) => {
    const executor = new Stepped(limit).send({ type: 'executor.admit', limit: most, shed });
    expect(executor.claims).toEqual([room]);
    expect(executor.of('shed')).toHaveLength(shed ? 1 : 0);
  });

  test('the stricter of resources and error budget counts, and one may always run', () => {
    const executor = new Stepped(8).send({ type: 'executor.admit', limit: 3, shed: false });
    executor.send({ type: 'executor.tighten', ...measuresOf('exhausted') });
    expect(executor.claims).toEqual([{ limit: 2, freezesOptional: true }]);
    const one = new Stepped(2).send({ type: 'executor.admit', limit: 1, shed: false });
    expect(one.send({ type: 'executor.tighten', ...measuresOf('exhausted') }).claims).toMatchObject([{ limit: 1 }]);
  });

  test('what is submitted while it sheds is looked at before it is claimed, what ends costs no look', () => {
    const executor = new Stepped().send({ type: 'executor.admit', limit: 2, shed: true }).claimed(claim(0));
    expect(executor.send({ type: 'executor.submit', submissions: [] }).of('shed')).toHaveLength(1);
    const order = executor.effects.map(({ type }) => type).filter((type) => type === 'shed' || type === 'claim');
    expect(order).toEqual(['shed', 'claim']);
    expect(executor.send(ended(0)).of('shed')).toEqual([]);
    executor.send({ type: 'executor.admit', limit: null, shed: false });
    expect(executor.send({ type: 'executor.submit', submissions: [] }).of('shed')).toEqual([]);
  });

  test('what runs goes on', () => {
    const executor = new Stepped().claimed(claim(0), claim(1), claim(2));
    expect(executor.send({ type: 'executor.admit', limit: 1, shed: true }).busy).toEqual([0, 1, 2]);
  });
});

describe('under the error budget', () => {
  test.each([
    ['healthy', 8, false],
    ['slowBurn', 8, false],
    ['fastBurn', 4, true],
    ['exhausted', 2, true],
  ] as const)('%s leaves room for %d of 8, optional work frozen: %s', (tier, limit, freezesOptional) => {
    const executor = new Stepped(8).send({ type: 'executor.tighten', ...measuresOf(tier) });
    expect(executor.claims).toEqual([{ limit, freezesOptional }]);
  });

  test('one may always run', () => {
    const executor = new Stepped(2).send({ type: 'executor.tighten', ...measuresOf('exhausted') });
    expect(executor.claims).toEqual([{ limit: 1, freezesOptional: true }]);
  });

  test('H26: thaws, and looks for what was frozen', () => {
    const executor = new Stepped(4).send({ type: 'executor.tighten', ...measuresOf('exhausted') });
    executor.send({ type: 'executor.tighten', ...measuresOf('healthy') });
    expect(executor.claims).toEqual([{ limit: 4, freezesOptional: false }]);
  });

  test('the gate is stricter, and asks about what matters when nothing is left', () => {
    const close = { confidence: 0.71, reversible: true } as const;
    const bandAt = (tier: (typeof BUDGET_TIERS)[number], evidence: Partial<Evidence>) => {
      const executor = new Stepped().send({ type: 'executor.tighten', ...measuresOf(tier) });
      return executor.claimed(claim(0, evidence)).admitted(0)?.band ?? 'ask';
    };
    expect(BUDGET_TIERS.map((tier) => bandAt(tier, close))).toEqual([
      'monitored',
      'reversible',
      'reversible',
      'reversible',
    ]);
    const medium = { impact: 'medium', reversible: true } as const;
    expect(bandAt('fastBurn', medium)).not.toBe('ask');
    expect(bandAt('exhausted', medium)).toBe('ask');
    expect(bandAt('exhausted', {})).not.toBe('ask');
  });
});

describe('what the executor learns', () => {
  test('H21, H29: nothing moves below a sample, nor when nobody does anything', () => {
    const executor = new Stepped();
    for (let n = 0; n < 49; n++) executor.send(settled({ score: 0.72, raw: 0.72 }, 'failed'));
    for (let n = 0; n < 1_000; n++) executor.send({ type: 'executor.adapt' });
    expect(executor.state.context.thresholds).toEqual(DEFAULT_THRESHOLDS);
  });

  test('H21: failures move the thresholds up, within their bounds, in order, and as far however often they are adapted', () => {
    const executor = new Stepped();
    for (let n = 0; n < 400; n++) executor.send(settled({ score: 0.72, raw: 0.72 }, 'failed'));
    const { thresholds: once } = executor.send({ type: 'executor.adapt' }).state.context;
    expect(once.monitored).toBeGreaterThan(DEFAULT_THRESHOLDS.monitored);
    expect(once.immediate - once.monitored).toBeGreaterThanOrEqual(0.05 - 1e-9);
    expect(once.monitored - once.reversible).toBeGreaterThanOrEqual(0.05 - 1e-9);
    for (let n = 0; n < 1_000; n++) executor.send({ type: 'executor.adapt' });
    expect(executor.state.context.thresholds).toEqual(once);
    executor.send({ type: 'executor.reset' });
    expect(executor.state.context.thresholds).toEqual(DEFAULT_THRESHOLDS);
    expect(executor.send({ type: 'executor.adapt' }).state.context.thresholds).toEqual(DEFAULT_THRESHOLDS);
  });

  test('comes from actions that could do harm only, and is told on in any case', () => {
    const executor = new Stepped().send(settled(null));
    expect(executor.notices).toHaveLength(1);
    expect(executor.state.context.outcomes.every(({ n }) => n === 0)).toBe(true);
    executor.send(settled({ score: 0.8, raw: 0.7 }));
    expect(executor.notices).toHaveLength(1);
    expect(executor.state.context.outcomes.reduce((sum, { n }) => sum + n, 0)).toBe(1);
  });
});

/** Rows that wait and run, as the real queue has them. */
class Rows {
  waiting = 0;
  readonly running = new Map<number, number>();
  #next = 0;

  /** What a claim takes. */
  take(limit: number, risky: (id: number) => boolean): Claimed[] {
    const claimed: Claimed[] = [];
    for (let slot = 0; this.waiting > 0 && this.running.size < limit; slot++) {
      if (this.running.has(slot)) continue;
      const id = this.#next++;
      this.waiting -= 1;
      this.running.set(slot, id);
      claimed.push({ ...claim(slot, risky(id) ? { confidence: 0.1 } : {}), id: String(id) });
    }
    return claimed;
  }
}

const anyStep = fc.oneof(
  { weight: 4, arbitrary: fc.record({ submit: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({ end: fc.nat(9), how: fc.constantFrom('ended', 'orphaned', 'deferred', 'asks') }),
  },
  { weight: 1, arbitrary: fc.record({ limit: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ tier: fc.constantFrom(...BUDGET_TIERS) }) },
  { weight: 1, arbitrary: fc.record({ hold: fc.boolean() }) },
);

test('I4: slots are the rows that run, never more than there is room for, and nothing begins while it is held', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), fc.integer({ min: 2, max: 5 }), (steps, every) => {
      const executor = new Stepped(3);
      const rows = new Rows();
      const risky = (id: number) => id % every === 0;
      let isHeld = false;
      /** Does what a step asks of the rows, and answers it, until nothing is asked any more. */
      const answer = () => {
        const { questions, claims } = executor;
        for (const { id } of questions) {
          const [slot] = [...rows.running].find(([, one]) => String(one) === id) ?? [];
          if (slot !== undefined) rows.running.delete(slot);
        }
        for (const { limit } of claims) {
          expect(isHeld).toBe(false);
          const before = rows.running.size;
          const claimed = rows.take(limit, risky);
          expect(rows.running.size).toBeLessThanOrEqual(Math.max(before, limit));
          if (claimed.length === 0) continue;
          executor.claimed(...claimed);
          answer();
        }
        if (questions.length === 0) return;
        executor.send({ type: 'executor.asked', requests: [] });
        answer();
      };
      for (const step of steps) {
        if ('submit' in step) {
          rows.waiting += step.submit;
          executor.send({ type: 'executor.submit', submissions: [] });
        } else if ('limit' in step) executor.send({ type: 'executor.configure', limit: step.limit });
        else if ('tier' in step) executor.send({ type: 'executor.tighten', ...measuresOf(step.tier) });
        else if ('hold' in step) {
          isHeld = step.hold;
          executor.send({ type: step.hold ? 'executor.pause' : 'executor.resume' });
        } else {
          const slots = [...rows.running.keys()];
          const slot = slots[step.end % Math.max(1, slots.length)];
          if (slot === undefined) continue;
          const id = String(rows.running.get(slot));
          if (step.how !== 'asks') rows.running.delete(slot);
          if (step.how === 'ended')
            executor.send({ type: 'action.ended', id, slot, at: 1, result: RESULT }).send(settled(null)).claimLater();
          else if (step.how === 'orphaned') executor.send({ type: 'action.orphaned', id, slot });
          else if (step.how === 'deferred') {
            rows.waiting += 1;
            executor.send({ type: 'action.deferred', id, slot, until: 1 });
          } else executor.send({ type: 'action.asks', id, slot, quality: 0.1, shortfall: SHORTFALL });
        }
        answer();
        const running = [...rows.running.keys()].sort((a, b) => a - b);
        expect(executor.busy).toEqual(running);
        // Whoever has settled stays for the next action of its slot.
        const slots = [...running, ...executor.state.context.idle].map((slot) => `slot.${slot}`);
        expect(Object.keys(executor.state.children).sort()).toEqual(slots.sort());
        expect(JSON.stringify(executor.state.context).length).toBeLessThan(4_096);
        // Nothing waits while there is room for it.
        const { limit, share } = executor.state.context;
        if (!isHeld && rows.waiting > 0)
          expect(running.length).toBeGreaterThanOrEqual(Math.max(1, Math.floor(limit * share)));
      }
    }),
    { numRuns: 300 },
  );
});

test('it is idle when all that it holds only waits, and holds that until it may go on', () => {
  const executor = new Stepped().claimed(claim(0), claim(1));
  const waits = (slot: number): ExecutorEvent => ({
    type: 'action.backingOff',
    id: `a${slot}`,
    slot,
    attempt: 1,
    delayMs: 9,
    error: null,
  });
  const sent = () => executor.of<{ event: { type: string } }>('xstate.sendTo').map(({ event }) => event.type);
  const idle = () => executor.notices.some(({ type }) => type === 'executor.idle');
  executor.send(waits(0)).send({ type: 'executor.pause' });
  expect([sent(), idle()]).toEqual([['action.hold', 'action.hold'], false]);
  expect([executor.send(waits(1)).of('noteBackOff').length, idle()]).toEqual([1, true]);
  executor.send({ type: 'executor.resume' });
  expect([sent(), executor.claims.length]).toEqual([['action.release', 'action.release'], 1]);
  executor.send({ type: 'action.woken', id: 'a0', slot: 0 }).send({ type: 'executor.pause' });
  expect([executor.state.context.waiting, idle()]).toEqual([[1], false]);
  executor.send(ended(0));
  expect([executor.busy, idle()]).toEqual([[1], true]);
});

test('the actor of a slot serves one action after the other, each from its own beginning', () => {
  const executor = new Stepped(2).claimed(claim(0));
  executor.send(ended(0));
  const [first] = [executor.admitted(0)];
  executor.claimed({ ...claim(0), id: 'b' });
  expect([executor.busy, executor.state.context.idle]).toEqual([[0], []]);
  expect(executor.effects.filter(({ type }) => type === 'xstate.spawnChild')).toEqual([]);
  const sent = executor.of<{ event: { type: string; input: { id: string } } }>('xstate.sendTo');
  expect(sent.map(({ event }) => [event.type, event.input.id])).toEqual([['action.begin', 'b']]);
  expect(first.id).toBe('a0');
});

describe('what somebody wants now', () => {
  test('is asked of the slot whose action waits for its next attempt, and of no other', () => {
    const executor = new Stepped().claimed(claim(0));
    expect(executor.send({ type: 'executor.retryNow', id: 'a0' }).of('retryNow')).toMatchObject([{ id: 'a0' }]);
    const sent = () => executor.of<{ event: object; targetId: string }>('xstate.sendTo').map(({ event }) => event);
    executor.send({ type: 'executor.waits', id: 'a0', slot: 0, attempt: 2 });
    expect(sent()).toEqual([{ type: 'action.retryNow', id: 'a0', attempt: 2 }]);
    executor.send({ type: 'executor.waits', id: 'a0', slot: 3, attempt: 2 });
    expect(sent()).toEqual([]);
  });

  test('is queued, and claimed at once unless the whole is paused', () => {
    const executor = new Stepped().send({ type: 'executor.runNow', id: 'late' });
    expect([executor.of('runNow'), executor.claims.length]).toMatchObject([[{ id: 'late' }], 1]);
    executor.send({ type: 'executor.pause' }).send({ type: 'executor.runNow', id: 'late' });
    expect([executor.of('runNow').length, executor.claims.length]).toEqual([1, 0]);
  });
});
