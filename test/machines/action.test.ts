import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition, transition, type AnyEventObject, type SnapshotFrom } from 'xstate';
import { actionMachine } from '../../machines/action.ts';
import { RECHECK_MS } from '../../machines/action-rules.ts';
import type { ActionInput, ActionNotice, ActionResult, AttemptResult } from '../../machines/action-state.ts';
import type { ActionPolicy } from '../../machines/action-policy.ts';
import type { ComponentEvent } from '../../machines/component.ts';
import { MAX_RETRY_AFTER_MS, backOffMs, nextDelayMs } from '../../machines/retry.ts';

type State = SnapshotFrom<typeof actionMachine>;
type Effect = { readonly type: string; readonly params?: unknown };

const POLICY: ActionPolicy = {
  retry: { attempts: 3, delayMs: 100, capMs: 1_000 },
  timeoutMs: null,
  deadlineMs: null,
  component: null,
  whenOpen: 'reject',
  fallbacks: [],
  qualityFloor: 0,
  belowFloor: 'fail',
  hasUndo: false,
};
const ONCE = { ...POLICY.retry, attempts: 1 };

const INPUT: Omit<ActionInput, 'policy'> = {
  id: 'a',
  slot: 0,
  band: 'immediate',
  score: 0.95,
  raw: 0.95,
  slowMs: 1_000,
  quality: 1,
  waivesFloor: false,
  reached: null,
  at: 0,
};
const FALLBACK = { name: 'cache', loss: 0.5, owes: false };
const WORSE = { name: 'nothing', loss: 0.9, owes: true };

/** An action that is stepped by hand, with everything that it did so far. */
class Stepped {
  state: State;
  readonly effects: Effect[] = [];

  constructor(policy: Partial<ActionPolicy> = {}, input: Partial<ActionInput> = {}) {
    const [state, effects] = initialTransition(actionMachine, { ...INPUT, policy: { ...POLICY, ...policy }, ...input });
    this.state = state;
    this.effects.push(...(effects as unknown as Effect[]));
  }

  get value(): unknown {
    return this.state.value;
  }

  get notices(): ActionNotice[] {
    return this.#of<{ notice: ActionNotice }>('announce').map(({ notice }) => notice);
  }

  get asks(): { component: string; retry: boolean }[] {
    return this.#of('askComponent');
  }

  /** What the component was told, which is every permit given back. */
  get said(): ComponentEvent[] {
    return this.#of<{ event: ComponentEvent } | null>('tellComponent').flatMap((told) => told?.event ?? []);
  }

  /** What came of it: outcomes, questions, deferrals and givings up. */
  get ends(): ActionNotice[] {
    return this.notices.filter(({ type }) =>
      ['action.ended', 'action.asks', 'action.asksAgain', 'action.deferred', 'action.orphaned'].includes(type),
    );
  }

  get outcome(): ActionResult | undefined {
    const [end] = this.ends;
    return end?.type === 'action.ended' ? end.result : undefined;
  }

  /** Everything that was begun, in order. */
  get begun(): string[] {
    return this.#of<{ id: string }>('xstate.spawnChild').map(({ id }) => id);
  }

  #of<T>(type: string): T[] {
    return this.effects.filter((effect) => effect.type === type).map(({ params }) => params as T);
  }

  send(event: AnyEventObject): this {
    const [next, effects] = transition(actionMachine, this.state, event as never);
    this.state = next;
    this.effects.push(...(effects as unknown as Effect[]));
    return this;
  }

  /** Where no fix is known, unless one is given. */
  attempted(output: AttemptResult, fix: string | null = null): this {
    this.send(done('attempter', output));
    return this.value === 'recalling' ? this.send({ type: 'action.recalled', fix }) : this;
  }

  backedOff(): this {
    expect(this.value).toBe('backingOff');
    return this.send(AFTER.backOff);
  }

  permitted(probe = false, generation = 0): this {
    return this.send({ type: 'action.permitted', probe, generation });
  }

  refused(reason: string, over: object = {}): this {
    return this.send({ type: 'action.refused', reason, openUntil: null, retryAfterMs: 0, ...over });
  }

  cancel(at = 3): this {
    return this.send({ type: 'action.cancel', at });
  }
}

const AFTER = {
  backOff: { type: 'xstate.after.backOff.action.backingOff' },
  reopening: { type: 'xstate.after.reopening.action.waiting' },
};

const ERROR = { name: 'Error', code: null, message: 'no', class: 'transient', fingerprint: '0' } as const;
const threw = (over: Partial<Extract<AttemptResult, { kind: 'threw' }>> = {}): AttemptResult => ({
  kind: 'threw',
  error: ERROR,
  retryable: true,
  at: 5,
  ms: 2,
  roll: 0.5,
  ...over,
});
const done = (id: string, output: unknown) => ({ type: `xstate.done.actor.${id}`, output, actorId: id });
const broke = (id: string) => ({
  type: `xstate.error.actor.${id}`,
  error: { name: 'PerdureError', code: 'EFFECT_INTERRUPTED', message: 'too often' },
  actorId: id,
});
const returned: AttemptResult = { kind: 'returned', value: '7', at: 9, ms: 2 };
const forGood = threw({ retryable: false });
const api = { component: 'api' } as const;
/** Waits in its slot: it has a deadline to keep. */
const patient = { ...api, whenOpen: 'wait', deadlineMs: 3_600_000 } as const;

describe('an action', () => {
  test('S2: settles as ok at the first attempt that returns', () => {
    expect(new Stepped().attempted(returned).outcome).toEqual({
      kind: 'ok',
      value: '7',
      attempts: 1,
      qualityLoss: 0,
      workMs: 2,
      band: 'immediate',
      score: 0.95,
      raw: 0.95,
    });
  });

  test('settles as recovered when a later attempt returns, and keeps the last error', () => {
    const action = new Stepped().attempted(threw()).backedOff().attempted(returned);
    expect(action.outcome).toMatchObject({ kind: 'recovered', attempts: 2, error: { message: 'no' }, workMs: 4 });
  });

  test('H6: does not retry what says that it cannot help', () => {
    expect(new Stepped().attempted(forGood).outcome).toMatchObject({ kind: 'failed', attempts: 1 });
  });

  test('fails with the last error when its attempts are used up', () => {
    const action = new Stepped({ retry: { ...POLICY.retry, attempts: 2 } });
    action.attempted(threw()).backedOff();
    action.attempted(threw({ error: { ...ERROR, message: 'still no' } }));
    expect(action.outcome).toMatchObject({
      kind: 'failed',
      attempts: 2,
      error: { message: 'still no' },
      qualityLoss: 1,
    });
  });

  test('gives itself back when its handler is gone, and its permit', () => {
    const action = new Stepped(api).permitted().attempted({ kind: 'unregistered', at: 1 });
    expect(action.ends.map(({ type }) => type)).toEqual(['action.orphaned']);
    expect(action.said.map(({ type }) => type)).toEqual(['component.released']);
  });

  test('what the runtime could not give it fails it, with the reason, and counts no time that nobody knows', () => {
    const action = new Stepped().send(broke('attempter'));
    expect(action.ends).toMatchObject([
      { at: null, result: { kind: 'failed', attempts: 1, error: { code: 'EFFECT_INTERRUPTED', class: 'permanent' } } },
    ]);
  });
});

describe('a retry that somebody wants now', () => {
  const backing = () => new Stepped().attempted(threw());
  const now = (attempt: number, id = 'a') => ({ type: 'action.retryNow', id, attempt });

  test('begins the next attempt without its back-off, and tells that nothing waits any more', () => {
    const action = backing().send(now(1));
    expect(action.value).toBe('attempting');
    expect(action.notices.map(({ type }) => type)).toEqual([
      'action.attempting',
      'action.backingOff',
      'action.woken',
      'action.attempting',
    ]);
    expect(action.attempted(returned).outcome).toMatchObject({ kind: 'recovered', attempts: 2 });
  });

  test('changes nothing of the back-offs after it', () => {
    const delays = (action: Stepped) =>
      action.notices.flatMap((notice) => (notice.type === 'action.backingOff' ? notice.delayMs : []));
    const patiently = backing().backedOff().attempted(threw());
    expect(delays(backing().send(now(1)).attempted(threw()))).toEqual(delays(patiently));
  });

  test('that is meant for another attempt, another action, or comes twice, does nothing', () => {
    expect(backing().send(now(2)).value).toBe('backingOff');
    expect(backing().send(now(1, 'b')).value).toBe('backingOff');
    const again = backing().send(now(1)).send(now(1));
    expect([again.value, again.begun]).toEqual(['attempting', ['attempter', 'attempter']]);
    expect(again.attempted(threw()).send(now(1)).value).toBe('backingOff');
  });

  test('waits for the end of a pause', () => {
    const action = backing().send({ type: 'action.hold' }).send(now(1));
    expect(action.value).toBe('held');
    expect(action.send({ type: 'action.release' }).value).toBe('attempting');
  });

  test('of one that waits for its component asks that again, which may refuse', () => {
    const action = new Stepped(patient).refused('open', { openUntil: 60_000, retryAfterMs: 59_000, at: 1_000 });
    action.send(now(0));
    expect([action.value, action.asks.length, action.begun]).toEqual(['permitting', 2, []]);
    expect(action.refused('open', { openUntil: 60_000, retryAfterMs: 58_000, at: 2_000 }).value).toBe('waiting');
  });
});

describe('an action that leans on a component', () => {
  test('calls nobody before it is permitted, and reports how the call went', () => {
    const action = new Stepped(api);
    expect([action.value, action.begun, action.asks]).toEqual(['permitting', [], [{ component: 'api', retry: false }]]);
    action.permitted(true, 4);
    expect([action.value, action.begun]).toEqual(['attempting', ['attempter']]);
    action.attempted(returned);
    expect(action.said).toEqual([{ type: 'component.succeeded', probe: true, generation: 4, durationMs: 2, at: 9 }]);
    expect(action.outcome).toMatchObject({ kind: 'ok' });
  });

  test('reports a failure with its class, asks again for the retry, and says that it is one', () => {
    const action = new Stepped(api).permitted(false, 1).attempted(threw());
    expect(action.said).toEqual([
      { type: 'component.failed', probe: false, generation: 1, durationMs: 2, at: 5, class: 'transient' },
    ]);
    action.backedOff();
    expect(action.asks).toEqual([
      { component: 'api', retry: false },
      { component: 'api', retry: true },
    ]);
  });

  test('S21: that is out of use fails without a call, and says how long it is', () => {
    const action = new Stepped(api).refused('open', { openUntil: 60_000, retryAfterMs: 60_000, at: 0 });
    expect(action.begun).toEqual([]);
    expect(action.outcome).toMatchObject({
      kind: 'failed',
      attempts: 0,
      error: { code: 'CIRCUIT_OPEN', retryAfterMs: 60_000 },
    });
  });

  test("that is left alone in a brownout is skipped, which is nobody's failure", () => {
    const { outcome } = new Stepped(api).refused('shed');
    expect(outcome).toMatchObject({ kind: 'skipped', attempts: 0, error: { code: 'LOAD_SHED' } });
  });

  test('that an operator has bypassed says so', () => {
    const { outcome } = new Stepped(api).refused('bypassed');
    expect(outcome?.error?.message).toContain('bypassed by an operator');
  });

  test('that refuses the retry keeps the error that it failed of', () => {
    const action = new Stepped(api).permitted().attempted(threw()).backedOff();
    action.refused('open', { openUntil: 9, retryAfterMs: 9 }).send({ type: 'action.recalled', fix: null });
    expect(action.outcome).toMatchObject({ kind: 'failed', attempts: 1, error: { message: 'no' } });
  });

  test('H9: without retry budget fails at once with its own error, also when it would wait for an open breaker', () => {
    const action = new Stepped({ ...api, whenOpen: 'wait' }).permitted().attempted(threw()).backedOff();
    action.refused('retryBudget').send({ type: 'action.recalled', fix: null });
    const message = 'no (not retried: the retry budget of "api" is spent)';
    expect(action.outcome).toMatchObject({ kind: 'failed', attempts: 1, error: { message, fingerprint: '0' } });
  });

  test('that is refused because an operator bypasses it says so', () => {
    const action = new Stepped(api).refused('bypassed');
    expect(action.outcome?.error?.message).toBe(
      'The component "api" is bypassed by an operator; the action was not tried.',
    );
  });

  test('what waits begins no attempt while it is held, and is told to wait until it is released or cancelled', () => {
    const waiting = () => new Stepped(patient).refused('open', { openUntil: 60_000, retryAfterMs: 59_000, at: 1_000 });
    const woken = ({ notices }: Stepped) => notices.filter(({ type }) => type === 'action.woken').length;
    const free = waiting().send(AFTER.reopening);
    expect([free.value, woken(free)]).toEqual(['permitting', 1]);
    const held = waiting().send({ type: 'action.hold' }).send(AFTER.reopening);
    expect([held.value, held.asks.length, woken(held)]).toEqual(['held', 1, 0]);
    held.send({ type: 'action.release' });
    expect([held.value, held.asks.length, woken(held)]).toEqual(['permitting', 2, 1]);
    const early = waiting().send({ type: 'action.hold' }).send({ type: 'action.release' }).send(AFTER.reopening);
    expect([early.value, woken(early)]).toEqual(['permitting', 1]);
    const failing = new Stepped().send({ type: 'action.hold' }).attempted(threw()).backedOff();
    expect([failing.value, woken(failing)]).toEqual(['held', 0]);
    failing.cancel();
    expect([failing.outcome?.kind, woken(failing)]).toEqual(['cancelled', 1]);
  });

  test('waits until it is probed if it may, tells so, and then is no retry', () => {
    const action = new Stepped(patient);
    action.refused('open', { openUntil: 60_000, retryAfterMs: 59_000, at: 1_000 });
    expect(action.value).toBe('waiting');
    expect(action.notices).toMatchObject([{ type: 'action.backingOff', delayMs: 59_000, error: null }]);
    action.send(AFTER.reopening);
    expect(action.asks.map(({ retry }) => retry)).toEqual([false, false]);
    expect(action.permitted().attempted(returned).outcome).toMatchObject({ kind: 'ok', attempts: 1 });
  });

  test.each(['probing', 'bypassed', 'open'])(
    'that refuses without a time (%s) is not asked again at once',
    (reason) => {
      const action = new Stepped(patient).refused(reason, { at: 1_000 });
      expect(action.value).toBe('waiting');
      expect(action.state.context.backOffMs).toBeGreaterThanOrEqual(1_000);
    },
  );

  test('gives its slot back while it waits, unless it has begun or has a deadline', () => {
    const refusal = { openUntil: 60_000, retryAfterMs: 59_000, at: 1_000 };
    const fresh = new Stepped({ ...api, whenOpen: 'wait' }).refused('open', refusal);
    expect(fresh.value).toBe('settled');
    expect(fresh.notices).toEqual([{ type: 'action.deferred', id: 'a', slot: 0, until: 60_000 }]);
    expect(fresh.cancel().ends).toHaveLength(1);
    const unknown = new Stepped({ ...api, whenOpen: 'wait' }).refused('bypassed', { at: 1_000 });
    expect(unknown.ends).toMatchObject([{ until: 1_000 + RECHECK_MS }]);
    const begun = new Stepped({ ...api, whenOpen: 'wait' }).permitted().attempted(threw()).backedOff();
    expect(begun.refused('open', refusal).value).toBe('waiting');
    expect(new Stepped(patient).refused('open', refusal).value).toBe('waiting');
    expect(new Stepped(api).refused('open', refusal).send({ type: 'action.recalled', fix: null }).outcome?.kind).toBe(
      'failed',
    );
  });

  test('does not wait beyond its deadline, which goes on while it waits', () => {
    const action = new Stepped({ ...api, whenOpen: 'wait', deadlineMs: 10_000 });
    for (const at of [0, 5_000]) {
      expect(action.refused('probing', { at }).value).toBe(at === 0 ? 'waiting' : 'settled');
      if (at === 0) action.send(AFTER.reopening);
    }
    expect(action.outcome).toMatchObject({ kind: 'failed', attempts: 0, error: { code: 'CIRCUIT_OPEN' } });
    expect(action.ends).toMatchObject([{ at: 5_000 }]);
  });

  test('gives a permit back that comes when it was cancelled', () => {
    const action = new Stepped(api).cancel();
    expect(action.outcome).toMatchObject({ kind: 'cancelled', attempts: 0 });
    action.permitted(true, 7);
    expect(action.said).toEqual([{ type: 'component.released', probe: true, generation: 7 }]);
    expect(action.state.context.permit).toBeNull();
  });
});

describe('a back-off', () => {
  test('is as long as the other side asked for, also beyond the cap', () => {
    const action = new Stepped().attempted(threw({ error: { ...ERROR, class: 'throttled', retryAfterMs: 7_000 } }));
    expect(action.notices).toMatchObject([{}, { type: 'action.backingOff', delayMs: 7_000, attempt: 1 }]);
  });

  test('that would end after the deadline is not begun', () => {
    const policy = { deadlineMs: 1_000 };
    expect(new Stepped(policy).attempted(threw({ at: 850, roll: 0 })).value).toBe('backingOff');
    expect(new Stepped(policy).attempted(threw({ at: 900, roll: 0 })).outcome).toMatchObject({
      kind: 'failed',
      attempts: 1,
    });
  });

  test('the deadline counts from the first start, and every attempt knows it', () => {
    const action = new Stepped({ deadlineMs: 1_000 }, { at: 500 }).attempted(threw({ at: 600, roll: 0 })).backedOff();
    const inputs = action.effects
      .filter(({ type }) => type === 'xstate.spawnChild')
      .map(({ params }) => (params as { input: { deadlineAt: number } }).input.deadlineAt);
    expect(inputs).toEqual([1_500, 1_500]);
  });

  test('H10: is over at once when it is cancelled, and counts the attempts that were made', () => {
    expect(new Stepped().attempted(threw()).cancel().outcome).toMatchObject({ kind: 'cancelled', attempts: 1 });
  });
});

describe('a known fix', () => {
  const once = (policy: Partial<ActionPolicy> = {}) => new Stepped({ retry: ONCE, ...policy });

  test('gets one more attempt, which is told of it', () => {
    const action = once().attempted(threw(), 'clear the cache');
    expect(action.begun).toEqual(['attempter', 'attempter']);
    expect(action.state.context).toMatchObject({ fix: 'clear the cache', attempt: 2 });
    expect(action.attempted(returned).outcome).toMatchObject({
      kind: 'recovered',
      attempts: 2,
      fix: 'clear the cache',
    });
  });

  test('is tried once: when it does not help the action fails', () => {
    const action = once().attempted(threw(), 'clear the cache').attempted(threw(), 'clear the cache');
    expect(action.outcome).toMatchObject({ kind: 'failed', attempts: 2, fix: 'clear the cache' });
  });

  test('is not asked for when nothing was tried', () => {
    const action = new Stepped(api).refused('open');
    expect(action.effects.filter(({ type }) => type === 'recall')).toEqual([]);
  });

  test('needs a permit as any attempt', () => {
    const action = new Stepped({ ...api, retry: ONCE }).permitted().attempted(threw(), 'fix');
    expect([action.value, action.asks.length]).toEqual(['permitting', 2]);
    expect(action.refused('open').outcome).toMatchObject({ kind: 'failed', attempts: 1, error: { message: 'no' } });
  });
});

describe('undoing', () => {
  const undoable = { hasUndo: true, retry: ONCE };

  test('H23: comes before the fallback', () => {
    const action = new Stepped({ ...undoable, fallbacks: [FALLBACK] }).attempted(threw());
    expect(action.begun).toEqual(['attempter', 'undoer']);
    action.send(done('undoer', returned));
    expect(action.begun).toEqual(['attempter', 'undoer', 'fallback']);
    expect(action.send(done('fallback', returned)).outcome).toMatchObject({ kind: 'degraded', undo: 'done' });
  });

  test('H23: that fails is surfaced, and no fallback covers it up', () => {
    const action = new Stepped({ ...undoable, fallbacks: [FALLBACK] }).attempted(threw());
    const undo = { ...ERROR, code: 'UNDO_FAILED' };
    action.send(done('undoer', threw({ error: undo })));
    expect(action.begun).not.toContain('fallback');
    expect(action.notices).toContainEqual({ type: 'action.undoFailed', id: 'a', slot: 0, error: undo });
    expect(action.outcome).toMatchObject({ kind: 'failed', error: { message: 'no' }, undo });
  });

  test('H23: that the runtime gives up is surfaced as one that failed', () => {
    const action = new Stepped({ ...undoable, fallbacks: [FALLBACK] }).attempted(threw()).send(broke('undoer'));
    expect(action.notices.map(({ type }) => type)).toContain('action.undoFailed');
    expect(action.outcome).toMatchObject({
      kind: 'failed',
      error: { message: 'no' },
      undo: { code: 'EFFECT_INTERRUPTED' },
    });
  });

  test('that nobody can do any more is surfaced too', () => {
    const action = new Stepped(undoable).attempted(threw()).send(done('undoer', { kind: 'unregistered', at: 8 }));
    expect(action.outcome).toMatchObject({ kind: 'failed', undo: { code: 'ACTION_UNKNOWN' } });
  });

  test('is not called when no attempt had begun', () => {
    expect(new Stepped({ ...undoable, ...api }).refused('open').begun).toEqual([]);
  });

  test('is called for an attempt that the runtime has given up', () => {
    const action = new Stepped(undoable).send(broke('attempter'));
    expect(action.begun).toEqual(['attempter', 'undoer']);
    expect(action.send(done('undoer', returned)).outcome).toMatchObject({
      kind: 'failed',
      undo: 'done',
      error: { code: 'EFFECT_INTERRUPTED' },
    });
  });

  test('is called once, also when the fallback after it is cancelled', () => {
    const action = new Stepped({ ...undoable, fallbacks: [FALLBACK] }).attempted(threw());
    action.send(done('undoer', returned)).cancel().send(done('ender', 12));
    expect(action.begun).toEqual(['attempter', 'undoer', 'fallback', 'ender']);
    expect(action.outcome).toMatchObject({ kind: 'cancelled', undo: 'done' });
  });

  test('goes on when it is cancelled meanwhile, and then nothing stands in', () => {
    const action = new Stepped({ ...undoable, fallbacks: [FALLBACK] }).attempted(threw()).cancel();
    expect(action.outcome).toBeUndefined();
    expect(action.send(done('undoer', returned)).outcome).toMatchObject({ kind: 'cancelled', undo: 'done' });
  });
});

describe('fallbacks', () => {
  const chain = { fallbacks: [FALLBACK, WORSE], retry: ONCE };

  test('come only when no attempt is left', () => {
    const action = new Stepped({ ...chain, retry: POLICY.retry }).attempted(threw());
    expect(action.value).toBe('backingOff');
    action.backedOff().attempted(threw()).backedOff().attempted(threw());
    expect(action.value).toBe('fallingBack');
  });

  test('H25: are tried in the order of their loss, and the outcome names the one that worked', () => {
    const action = new Stepped(chain).attempted(threw());
    action.send(done('fallback', threw({ error: { ...ERROR, message: 'nor this' } })));
    expect(action.begun).toEqual(['attempter', 'fallback', 'fallback']);
    const { outcome } = action.send(done('fallback', returned));
    expect(outcome).toMatchObject({ kind: 'degraded', via: 'nothing', owes: true, error: { message: 'no' } });
    expect(outcome?.qualityLoss).toBeCloseTo(0.9);
  });

  test('that all throw leave the error of the work itself', () => {
    const action = new Stepped(chain).attempted(threw());
    action.send(done('fallback', threw())).send(done('fallback', threw({ error: { ...ERROR, message: 'nor this' } })));
    expect(action.outcome).toMatchObject({ kind: 'failed', error: { message: 'no' }, workMs: 6 });
  });

  test('one that the runtime gives up makes room for the next', () => {
    const action = new Stepped(chain).attempted(threw()).send(broke('fallback'));
    expect(action.send(done('fallback', returned)).outcome).toMatchObject({ kind: 'degraded', via: 'nothing' });
  });

  test('stand in for a component that is out of use, without a call', () => {
    const action = new Stepped({ ...chain, ...api }).refused('open');
    expect(action.begun).toEqual(['fallback']);
    expect(action.send(done('fallback', returned)).outcome).toMatchObject({
      kind: 'degraded',
      attempts: 0,
      error: { code: 'CIRCUIT_OPEN' },
    });
  });

  test('lose quality on top of what their dependencies lost', () => {
    const action = new Stepped(chain, { quality: 0.8 }).attempted(threw());
    expect(action.send(done('fallback', returned)).outcome?.qualityLoss).toBeCloseTo(0.6);
  });
});

describe('the quality floor', () => {
  const strict = { fallbacks: [FALLBACK], retry: ONCE, qualityFloor: 0.6 } as const;

  test('H24: one that is just as good as the floor stands in, whatever fractions leave over', () => {
    const fallbacks = [{ name: 'local', loss: 0.9, owes: false }];
    const action = new Stepped({ fallbacks, qualityFloor: 0.1 }).attempted(threw({ retryable: false }));
    expect(action.value).toBe('fallingBack');
  });

  test('H24: fails an action whose fallback is not good enough, without calling it', () => {
    const action = new Stepped(strict).attempted(threw());
    expect(action.begun).toEqual(['attempter']);
    expect(action.outcome).toMatchObject({
      kind: 'failed',
      error: {
        code: 'QUALITY_BELOW_FLOOR',
        message: expect.stringContaining('"cache" would give a quality of 0.5') as string,
      },
    });
    expect(action.outcome?.error?.message).toContain('Before: no');
  });

  test('H24: fails an action whose dependencies are not good enough, without an attempt', () => {
    for (const fallbacks of [[], [FALLBACK]]) {
      const action = new Stepped({ ...strict, fallbacks }, { quality: 0.5 });
      expect(action.begun).toEqual([]);
      expect(action.outcome).toMatchObject({
        kind: 'failed',
        attempts: 0,
        error: {
          code: 'QUALITY_BELOW_FLOOR',
          message: expect.stringContaining('depends on has a quality of 0.5') as string,
        },
      });
    }
  });

  test('asks instead, if it is told to, and says how good it would be', () => {
    const ask = { ...strict, belowFloor: 'ask' } as const;
    const action = new Stepped(ask).attempted(threw());
    expect(action.ends).toMatchObject([
      {
        type: 'action.asks',
        quality: 0.5,
        shortfall: {
          message:
            'The action needs a quality of 0.6, and "cache" would give a quality of 0.5, for it loses 0.5. Before: no',
          reached: { attempt: 1, error: { message: 'no' }, workMs: 2, replaced: 0, isUndone: false },
        },
      },
    ]);
    const before = new Stepped(ask, { quality: 0.55 });
    expect(before.begun).toEqual([]);
    expect(before.ends).toMatchObject([{ type: 'action.asks', quality: 0.55, shortfall: { reached: { attempt: 0 } } }]);
  });

  test('asks where it has come to, and goes on from there: with the fallback that was asked about, and no work again', () => {
    const good = { name: 'good', loss: 0.1, owes: false };
    const policy = { ...strict, ...api, hasUndo: true, fallbacks: [good, FALLBACK], belowFloor: 'ask' } as const;
    const action = new Stepped(policy).permitted().attempted(threw()).send(done('undoer', returned));
    const [end] = action.send(done('fallback', threw())).ends;
    if (end?.type !== 'action.asks') throw new Error(`It ended otherwise: ${JSON.stringify(end)}`);
    const { reached } = end.shortfall;
    expect(reached).toMatchObject({ attempt: 1, workMs: 4, replaced: 1, isUndone: true });
    const next = new Stepped(policy, { waivesFloor: true, reached });
    expect([next.value, next.begun, next.asks]).toEqual(['fallingBack', ['fallback'], []]);
    expect(next.send(done('fallback', returned)).outcome).toMatchObject({
      kind: 'degraded',
      via: 'cache',
      attempts: 1,
      workMs: 6,
      undo: 'done',
      error: { message: 'no' },
    });
  });

  test('an action that asked before its first attempt does its work when less will do', () => {
    const policy = { ...strict, belowFloor: 'ask' } as const;
    const [end] = new Stepped(policy, { quality: 0.5 }).ends;
    if (end?.type !== 'action.asks') throw new Error(`It ended otherwise: ${JSON.stringify(end)}`);
    const next = new Stepped(policy, { quality: 0.5, waivesFloor: true, reached: end.shortfall.reached });
    expect(next.attempted(returned).outcome).toMatchObject({ kind: 'ok', attempts: 1, qualityLoss: 0.5 });
  });

  test('asks nobody when nothing at all can be had', () => {
    const action = new Stepped({ ...strict, belowFloor: 'ask', fallbacks: [] }).attempted(threw());
    expect(action.outcome).toMatchObject({ kind: 'failed', error: { message: 'no' } });
    const refused = new Stepped({ ...strict, ...api, belowFloor: 'ask', fallbacks: [] }).refused('open');
    expect(refused.outcome).toMatchObject({ kind: 'failed', error: { code: 'CIRCUIT_OPEN' } });
  });

  test('is waived by an approval', () => {
    const action = new Stepped(strict, { waivesFloor: true, quality: 0.5 }).attempted(threw());
    expect(action.value).toBe('fallingBack');
    expect(action.send(done('fallback', returned)).outcome).toMatchObject({ kind: 'degraded', qualityLoss: 0.75 });
  });

  test('is not asked about by one who has cancelled it', () => {
    const action = new Stepped({ ...strict, belowFloor: 'ask' }).cancel().send(done('ender', 4));
    expect(action.outcome).toMatchObject({ kind: 'cancelled' });
  });
});

describe('a monitored attempt', () => {
  const timers = ({ effects }: Stepped) =>
    effects.filter(({ type }) => type === 'xstate.raise' || type === 'xstate.cancel').map(({ type }) => type);

  test('S41: is told of when it takes longer than its kind does, and goes on', () => {
    const action = new Stepped({}, { band: 'monitored' });
    expect(timers(action)).toEqual(['xstate.raise']);
    action.send({ type: 'action.slowed' });
    expect(action.notices).toContainEqual({ type: 'action.slow', id: 'a', slot: 0, slowMs: 1_000 });
    expect(action.attempted(returned).outcome).toMatchObject({ kind: 'ok', band: 'monitored' });
    expect(timers(action)).toEqual(['xstate.raise', 'xstate.cancel']);
  });

  test('an immediate one has no timer', () => {
    expect(timers(new Stepped().attempted(returned))).toEqual([]);
  });
});

describe('cancelling', () => {
  const policy = { ...api, hasUndo: true, retry: { ...POLICY.retry, attempts: 2 }, fallbacks: [FALLBACK] } as const;

  test.each<[string, (action: Stepped) => unknown, readonly string[]]>([
    ['before it was permitted', () => {}, []],
    ['while it waits for its component', (action) => action.refused('open', { retryAfterMs: 9 }), []],
    ['while it runs', (action) => action.permitted(), ['attempter', 'ender', 'undoer']],
    ['while it backs off', (action) => action.permitted().attempted(threw()), ['attempter', 'undoer']],
    [
      'while a fix is looked for',
      (action) => action.permitted().send(done('attempter', forGood)),
      ['attempter', 'undoer'],
    ],
    ['while it is undone', (action) => action.permitted().attempted(forGood), ['attempter', 'undoer']],
    [
      'while its fallback runs',
      (action) => action.permitted().attempted(forGood).send(done('undoer', returned)),
      ['attempter', 'undoer', 'fallback', 'ender'],
    ],
  ])('%s gives the permit back, undoes what was done, and settles once', (_name, bring, begun) => {
    const action = new Stepped({ ...policy, whenOpen: 'wait', deadlineMs: 3_600_000 });
    bring(action);
    const permits = action.begun.includes('attempter') ? 1 : 0;
    action.cancel();
    for (const id of ['ender', 'undoer'])
      if (id in action.state.children) action.send(done(id, id === 'ender' ? 8 : returned));
    expect(action.outcome).toMatchObject({ kind: 'cancelled' });
    expect([action.begun, action.said.length, action.state.context.permit]).toEqual([begun, permits, null]);
    expect(action.cancel().ends).toHaveLength(1);
  });

  test('that cannot end what runs undoes it all the same, and tells the reason', () => {
    const action = new Stepped({ hasUndo: true }).cancel().send(broke('ender')).send(done('undoer', returned));
    expect(action.outcome).toMatchObject({ kind: 'cancelled', undo: 'done', error: { code: 'EFFECT_INTERRUPTED' } });
  });
});

describe('An action that was under way in the turn that was restored', () => {
  const restored = (policy: 'ask' | 'fail') => ({ type: 'action.restored', policy });

  test('asks whether it begins again, and gives its permit back', () => {
    const action = new Stepped({ component: 'api' }).permitted().send(restored('ask'));
    expect(action.ends).toEqual([{ type: 'action.asksAgain', id: 'a', slot: 0, score: 0.95 }]);
    expect([action.value, action.said]).toMatchObject(['settled', [{ type: 'component.released' }]]);
  });

  test('that is to fail has failed: it is undone, and a fallback stands in', () => {
    expect(new Stepped().send(restored('fail')).outcome).toMatchObject({
      kind: 'failed',
      error: { code: 'ATTEMPT_INTERRUPTED' },
    });
    const undone = new Stepped({ hasUndo: true, fallbacks: [FALLBACK] }).send(restored('fail'));
    expect(undone.send(done('undoer', returned)).value).toBe('fallingBack');
  });

  test('does not undo again what was being undone, and says that it may be half done', () => {
    const action = new Stepped({ hasUndo: true }).attempted(threw({ retryable: false })).send(restored('ask'));
    expect(action.outcome).toMatchObject({ kind: 'failed', undo: { code: 'ATTEMPT_INTERRUPTED' } });
    expect(action.notices).toContainEqual(expect.objectContaining({ type: 'action.undoFailed' }));
  });

  test('takes the next fallback instead of the one that was under way', () => {
    const action = new Stepped({ fallbacks: [FALLBACK, WORSE] }).attempted(threw({ retryable: false }));
    const next = action.send(restored('ask'));
    expect([next.value, next.state.context.replaced]).toEqual(['fallingBack', 1]);
    expect(next.notices).toContainEqual(expect.objectContaining({ type: 'action.fallbackFailed', fallback: 'cache' }));
  });

  test('goes on waiting when it only waits', () => {
    const action = new Stepped().attempted(threw());
    expect([action.value, action.send(restored('ask')).value]).toEqual(['backingOff', 'backingOff']);
  });
});

const anyResult = fc.oneof(
  fc.constant(returned),
  fc
    .record({ retryable: fc.boolean(), at: fc.nat(20_000), roll: fc.double({ min: 0, max: 0.999, noNaN: true }) })
    .map(threw),
  fc.constant<AttemptResult>({ kind: 'unregistered', at: 1 }),
);
const anyEvent: fc.Arbitrary<AnyEventObject> = fc.oneof(
  { weight: 4, arbitrary: anyResult.map((result) => done('attempter', result)) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('undoer', 'fallback'), anyResult).map(([id, result]) => done(id, result)),
  },
  { weight: 2, arbitrary: fc.constant(done('ender', 2)) },
  { weight: 1, arbitrary: fc.constantFrom('attempter', 'undoer', 'fallback', 'ender').map(broke) },
  { weight: 3, arbitrary: fc.constantFrom(AFTER.backOff, AFTER.reopening) },
  { weight: 1, arbitrary: fc.constant({ type: 'action.cancel', at: 1 }) },
  { weight: 1, arbitrary: fc.constant({ type: 'action.slowed' }) },
  { weight: 1, arbitrary: fc.constantFrom('ask', 'fail').map((policy) => ({ type: 'action.restored', policy })) },
  { weight: 2, arbitrary: fc.constantFrom(null, 'fix').map((fix) => ({ type: 'action.recalled', fix })) },
  { weight: 4, arbitrary: fc.boolean().map((probe) => ({ type: 'action.permitted', probe, generation: 1 })) },
  {
    weight: 2,
    arbitrary: fc
      .record({ reason: fc.constantFrom('open', 'bypassed', 'retryBudget', 'probing'), at: fc.nat(20_000) })
      .map((refusal) => ({ type: 'action.refused', openUntil: null, retryAfterMs: 50, ...refusal })),
  },
);
const anyPolicy = fc.record({
  component: fc.constantFrom(null, 'api'),
  whenOpen: fc.constantFrom('reject' as const, 'wait' as const),
  fallbacks: fc.constantFrom([], [FALLBACK], [FALLBACK, WORSE]),
  qualityFloor: fc.constantFrom(0, 0.3, 0.7),
  belowFloor: fc.constantFrom('fail' as const, 'ask' as const),
  hasUndo: fc.boolean(),
  deadlineMs: fc.constantFrom(null, 10_000),
  retry: fc.integer({ min: 1, max: 3 }).map((attempts) => ({ ...POLICY.retry, attempts })),
});
const anyInput = fc.record({
  band: fc.constantFrom('immediate' as const, 'monitored' as const, 'reversible' as const),
  quality: fc.constantFrom(1, 0.5),
  waivesFloor: fc.boolean(),
});

/** Whether the world can say this now: what was stopped says nothing any more, and only who was asked answers. */
function canCome(action: Stepped, { type }: AnyEventObject, answers: number): boolean {
  const [, , kind, id = ''] = type.split('.');
  if (type.startsWith('xstate.') && kind === 'actor') return id in action.state.children;
  if (type === 'action.permitted' || type === 'action.refused') return answers < action.asks.length;
  return type !== 'action.slowed' || action.value === 'attempting';
}

test('I1, I10: whatever comes in whatever order, one outcome, attempts within the policy, every permit given back once', () => {
  let settled = 0;
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), anyPolicy, anyInput, (events, policy, input) => {
      const action = new Stepped(policy, input);
      let [answers, permits] = [0, 0];
      for (const event of events) {
        if (!canCome(action, event, answers)) continue;
        const { type } = event;
        if (type === 'action.permitted' || type === 'action.refused') answers += 1;
        if (type === 'action.permitted') permits += 1;
        action.send(event);
        const { attempt, fix, permit } = action.state.context;
        expect(attempt).toBeLessThanOrEqual(policy.retry.attempts + (fix === null ? 0 : 1));
        expect(action.begun.filter((id) => id === 'attempter')).toHaveLength(attempt);
        expect(action.begun.filter((id) => id === 'undoer').length).toBeLessThanOrEqual(1);
        // I9: nothing is called without a permit, which is held for the call and no longer.
        expect(permits - action.said.length).toBe(permit === null || action.value === 'settled' ? 0 : 1);
        if (action.value === 'attempting') expect(permit === null).toBe(policy.component === null);
        expect(JSON.stringify(action.state.context).length).toBeLessThan(4_096);
      }
      expect(action.ends.length).toBe(action.value === 'settled' ? 1 : 0);
      if (action.value !== 'settled') return;
      settled += 1;
      const { outcome } = action;
      if (outcome === undefined) return;
      expect(outcome.value !== undefined).toBe(['ok', 'recovered', 'degraded'].includes(outcome.kind));
      if (outcome.kind === 'failed' || outcome.kind === 'recovered') expect(outcome.error).toBeDefined();
      expect(outcome.attempts).toBe(action.state.context.attempt);
    }),
    { numRuns: 3_000 },
  );
  expect(settled).toBeGreaterThan(1_000);
});

test('a back-off is never below its base unless the cap is, and never above the cap', () => {
  const policy = fc.record({ attempts: fc.constant(2), delayMs: fc.nat(10_000), capMs: fc.nat(100_000) });
  fc.assert(
    fc.property(policy, fc.nat(1_000_000), fc.double({ min: 0, max: 0.999, noNaN: true }), (retry, previous, roll) => {
      const delay = backOffMs(retry, previous, roll);
      expect(delay).toBeLessThanOrEqual(retry.capMs);
      expect(delay).toBeGreaterThanOrEqual(Math.min(retry.delayMs, retry.capMs));
    }),
  );
});

test('H7: a delay is never sooner than the other side asked for, within the policy otherwise, and never beyond a day', () => {
  const policy = fc.record({ attempts: fc.constant(2), delayMs: fc.nat(10_000), capMs: fc.nat(100_000) });
  const asking = fc.oneof(fc.nat(200_000), fc.nat(10 * MAX_RETRY_AFTER_MS));
  const roll = fc.double({ min: 0, max: 0.999, noNaN: true });
  fc.assert(
    fc.property(policy, fc.nat(1_000_000), roll, asking, (retry, previous, dice, asked) => {
      const delay = nextDelayMs(retry, previous, dice, asked);
      expect(delay).toBeGreaterThanOrEqual(Math.min(MAX_RETRY_AFTER_MS, asked));
      expect(delay).toBeLessThanOrEqual(Math.max(retry.capMs, Math.min(MAX_RETRY_AFTER_MS, asked)));
    }),
  );
});
