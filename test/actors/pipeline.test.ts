/** The whole pipeline in a real supervisor on a real store: what it promises, by the numbers of the acceptance lists. */
import { describe, expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import type { ActionContext } from '../../actors/action-context.ts';
import { budgetPolicy } from '../../machines/budget-policy.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { DAY, HOUR, MINUTE, SECOND, START, charged, failure, heard, inTime, open } from '../support/pipeline.ts';
import { randomOf } from '../recovery/workload.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

const clockAt = () => new SimulatedClock(START);
const ok = defineAction({ run: (input: unknown) => input });
const fail = defineAction({
  run: (): string => {
    throw failure('down');
  },
});
const RETRY = { attempts: 5, delayMs: 100, capMs: 1_000 };
/** Counts calls, and fails the first so many. */
function flaky(failures: number, error: () => Error = () => failure('not yet')) {
  const calls: number[] = [];
  const run = (_: unknown, { attempt }: ActionContext) => {
    calls.push(attempt);
    if (calls.length <= failures) throw error();
    return 'done';
  };
  return { calls, run };
}
const hanging = (_: unknown, { signal }: ActionContext) =>
  new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(failure('aborted'))));

describe('an outcome', () => {
  test('S2, S40: is ok, with the value, of an action that returns', async () => {
    await using supervisor = await open(clockAt(), { actions: { ok } });
    expect(await supervisor.execute('ok', 7)).toMatchObject({ kind: 'ok', value: 7, attempts: 1, qualityLoss: 0 });
    expect(charged(supervisor)).toEqual({ good: 1, bad: 0 });
  });

  test('H1: nothing is a value, and a failure is none', async () => {
    await using supervisor = await open(clockAt(), { actions: { ok, fail } });
    const nothing = await supervisor.execute('ok', undefined);
    expect([nothing.kind, nothing.error]).toEqual(['ok', undefined]);
    const failed = await supervisor.execute('fail', undefined as never);
    expect([failed.kind, 'value' in failed, failed.error?.message]).toEqual(['failed', false, 'down']);
  });

  test('S17, H1, H28: counts add up, and each failure is charged once', async () => {
    let n = 0;
    const third = defineAction({
      run: (_: null) => {
        n += 1;
        if (n % 3 === 0) throw failure('third');
        return n;
      },
    });
    await using supervisor = await open(clockAt(), { actions: { third }, concurrency: 1 });
    const kinds: string[] = [];
    for (let i = 0; i < 10; i++) kinds.push((await supervisor.execute('third', null)).kind);
    expect(kinds.filter((kind) => kind === 'ok')).toHaveLength(7);
    expect(kinds.filter((kind) => kind === 'failed')).toHaveLength(3);
    expect(charged(supervisor)).toEqual({ good: 7, bad: 3 });
  });

  test('a value that is not verified is none: it fails for good, with the reason', async () => {
    const bad = defineAction({ run: (_: null) => 3, verify: (value) => value > 3, retry: RETRY });
    await using supervisor = await open(clockAt(), { actions: { bad } });
    expect(await supervisor.execute('bad', null)).toMatchObject({
      kind: 'failed',
      attempts: 1,
      error: { code: 'VERIFY_FAILED' },
    });
  });

  test('H28: what was cancelled or denied is charged to nobody', async () => {
    const clock = clockAt();
    const wipe = defineAction({ run: () => 1, impact: 'critical', reversible: false });
    const hang = defineAction({ run: hanging });
    await using supervisor = await open(clock, { actions: { wipe, hang } });
    const denied = await supervisor.submit('wipe', undefined as never, { id: 'w' });
    const cancelled = await supervisor.submit('hang', null as never);
    await until(() => supervisor.approvals().length === 1);
    await supervisor.deny('w', { by: 'ann', note: 'not today' });
    await cancelled.cancel();
    expect(await denied.outcome).toMatchObject({
      kind: 'denied',
      attempts: 0,
      error: { code: 'APPROVAL_DENIED', message: 'The action was denied by ann: not today.' },
    });
    expect(await inTime(clock, cancelled.outcome)).toMatchObject({ kind: 'cancelled' });
    expect(charged(supervisor)).toEqual({ good: 0, bad: 0 });
  });
});

describe('retrying', () => {
  test('S9: a locked database is tried again after a back-off: exactly two attempts', async () => {
    const clock = clockAt();
    const { calls, run } = flaky(1, () => failure('database is locked', { code: 'SQLITE_BUSY' }));
    await using supervisor = await open(clock, { actions: { query: defineAction({ run, retry: RETRY }) } });
    const { outcome } = await supervisor.submit('query', null);
    await settle();
    await clock.advance(199);
    expect(calls).toEqual([1]);
    await clock.advance(1);
    expect(await outcome).toMatchObject({
      kind: 'recovered',
      value: 'done',
      attempts: 2,
      error: { class: 'transient' },
    });
    expect(calls).toEqual([1, 2]);
  });

  test('S12, S20, H7: two failures and a success are three attempts, with delays within the policy, by the seed', async () => {
    const delaysOf = async (seed: number) => {
      const clock = clockAt();
      const { run } = flaky(2);
      const random = randomOf(seed);
      await using supervisor = await open(clock, { actions: { flaky: defineAction({ run, retry: RETRY }) }, random });
      const told = heard(supervisor);
      const outcome = await inTime(clock, supervisor.execute('flaky', null));
      expect(outcome).toMatchObject({ kind: 'recovered', attempts: 3 });
      return told.flatMap((event) => (event.type === 'action.backingOff' ? event.delayMs : []));
    };
    const delays = await Promise.all([1, 2, 3, 4, 1].map(delaysOf));
    for (const [first = 0, second = 0] of delays) {
      expect(first).toBeGreaterThanOrEqual(100);
      expect(first).toBeLessThanOrEqual(300);
      expect(second).toBeGreaterThanOrEqual(100);
      expect(second).toBeLessThanOrEqual(Math.min(1_000, 3 * first));
    }
    expect(delays[4]).toEqual(delays[0]);
    expect(new Set(delays.map(String)).size).toBeGreaterThan(2);
  });

  test('S19: what works at once is not tried again', async () => {
    await using supervisor = await open(clockAt(), { actions: { ok: { ...ok, retry: RETRY } } });
    const told = heard(supervisor);
    expect(await supervisor.execute('ok', 1)).toMatchObject({ attempts: 1 });
    expect(told.filter(({ type }) => type === 'action.backingOff')).toEqual([]);
  });

  test.each([
    ['a wrong argument', () => new TypeError('x is not a function'), 'programmer'],
    ['a missing file', () => failure('no such file', { code: 'ENOENT' }), 'permanent'],
    ['a forbidden page', () => failure('nope', { status: 403 }), 'permanent'],
    ['what says so itself', () => failure('never', { retryable: false }), 'transient'],
  ])('H6: %s is tried once', async (_name, error, errorClass) => {
    const { calls, run } = flaky(9, error);
    await using supervisor = await open(clockAt(), { actions: { flaky: defineAction({ run, retry: RETRY }) } });
    expect(await supervisor.execute('flaky', null)).toMatchObject({
      kind: 'failed',
      attempts: 1,
      error: { class: errorClass },
    });
    expect(calls).toEqual([1]);
  });

  test('a throttled call is repeated when the other side asked for it, and not sooner', async () => {
    const clock = clockAt();
    const { calls, run } = flaky(1, () => failure('slow down', { status: 429, headers: { 'retry-after': '30' } }));
    await using supervisor = await open(clock, { actions: { flaky: defineAction({ run, retry: RETRY }) } });
    const { outcome } = await supervisor.submit('flaky', null);
    await settle();
    await clock.advance(29_999);
    expect(calls).toHaveLength(1);
    await clock.advance(1);
    expect(await outcome).toMatchObject({ kind: 'recovered', error: { class: 'throttled', retryAfterMs: 30_000 } });
  });

  test('a deadline ends the retrying, and the attempt that meets it', async () => {
    const clock = clockAt();
    const slow = defineAction({ run: hanging, retry: RETRY, timeoutMs: 300, deadlineMs: 1_000 });
    await using supervisor = await open(clock, { actions: { slow } });
    const outcome = await inTime(clock, supervisor.execute('slow', null as never), 50);
    expect(outcome).toMatchObject({ kind: 'failed', error: { class: 'timeout' } });
    expect(outcome.attempts).toBeGreaterThan(1);
    expect(outcome.settledAt - START).toBeLessThanOrEqual(1_050);
  });

  test('a deadline that passed while the process was down begins no attempt', async () => {
    const [clock, store] = [clockAt(), quickStore()];
    const calls: string[] = [];
    const slow = defineAction({
      run: (_: null, context) => {
        calls.push(context.id);
        return hanging(_, context);
      },
      deadlineMs: 1_000,
    });
    const first = await open(clock, { store, actions: { slow } });
    await first.submit('slow', null, { id: 's' });
    await until(() => calls.length === 1);
    crash(first.durable);
    await clock.advance(5_000);
    await using second = await open(clock, { store, actions: { slow } });
    const outcome = await inTime(clock, second.execute('slow', null, { id: 's' }));
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'DEADLINE_EXCEEDED', class: 'timeout' } });
    expect(calls).toHaveLength(1);
  });

  test('H10: cancelling while it backs off settles at once', async () => {
    const clock = clockAt();
    await using supervisor = await open(clock, { actions: { fail: { ...fail, retry: RETRY } } });
    const handle = await supervisor.submit('fail', undefined as never);
    await settle();
    await handle.cancel();
    expect(await handle.outcome).toMatchObject({ kind: 'cancelled', attempts: 1, settledAt: START });
    await clock.advance(HOUR);
    expect(charged(supervisor)).toEqual({ good: 0, bad: 0 });
  });

  test('H10: cancelling an attempt aborts its signal', async () => {
    const clock = clockAt();
    let signal: AbortSignal | undefined;
    const hang = defineAction({
      run: (_: null, context) => {
        ({ signal } = context);
        return hanging(_, context);
      },
    });
    await using supervisor = await open(clock, { actions: { hang } });
    const handle = await supervisor.submit('hang', null);
    await until(() => signal !== undefined);
    await handle.cancel();
    expect(await handle.outcome).toMatchObject({ kind: 'cancelled', attempts: 1 });
    expect(signal?.aborted).toBe(true);
  });
});

describe('errors', () => {
  test('S15, S10: are told apart by type and code, never by words', async () => {
    const thrown = [
      failure('user profile missing'),
      failure('open failed', { code: 'ENOENT' }),
      failure('a clock module'),
      failure('read failed', { cause: failure('reset', { code: 'ECONNRESET' }) }),
      new RangeError('file not found'),
      failure('out of memory', { code: 'ENOMEM' }),
    ];
    let n = 0;
    const throwing = defineAction({
      run: (_: null): never => {
        throw thrown[n++] as Error;
      },
    });
    await using supervisor = await open(clockAt(), { actions: { throwing }, concurrency: 1 });
    const classes: (string | undefined)[] = [];
    for (const _ of thrown) classes.push((await supervisor.execute('throwing', null)).error?.class);
    expect(classes).toEqual(['transient', 'permanent', 'transient', 'transient', 'programmer', 'resource']);
  });

  test('H3: the same fault with other ids, paths and numbers has the same fingerprint, another one has not', async () => {
    const throwing = defineAction({
      run: ({ id, type }: { id: number; type: 'a' | 'b' }): never => {
        if (type === 'a') throw failure(`order ${id} of /home/u${id}/x not found`, { code: 'E_ORDER' });
        throw new RangeError(`order ${id} of /home/u${id}/x not found`);
      },
    });
    await using supervisor = await open(clockAt(), { actions: { throwing } });
    const printOf = async (input: { id: number; type: 'a' | 'b' }) =>
      (await supervisor.execute('throwing', input)).error?.fingerprint;
    const [one, other, third] = [
      await printOf({ id: 17, type: 'a' }),
      await printOf({ id: 9_001, type: 'a' }),
      await printOf({ id: 17, type: 'b' }),
    ];
    expect(one).toMatch(/^[0-9a-f]{16}$/);
    expect(other).toBe(one);
    expect(third).not.toBe(one);
  });

  test('are classified by the host first: the action, then all', async () => {
    const classify = (error: unknown) => ((error as Error).message === 'poison' ? ('permanent' as const) : undefined);
    const { calls, run } = flaky(9, () => failure('poison'));
    await using supervisor = await open(clockAt(), { actions: { a: defineAction({ run, retry: RETRY }) }, classify });
    expect(await supervisor.execute('a', null)).toMatchObject({ kind: 'failed', error: { class: 'permanent' } });
    expect(calls).toHaveLength(1);
  });
});

describe('a component', () => {
  const breaker = { window: 5, minCalls: 5, openMs: MINUTE, probes: 1 };
  const components = { api: { breaker } };
  /** What leans on it does as it is told. */
  function leaning() {
    const state = { isDown: true, calls: 0, running: 0, most: 0, hold: undefined as Promise<unknown> | undefined };
    const call = defineAction({
      run: async (_: null) => {
        state.calls += 1;
        state.running += 1;
        state.most = Math.max(state.most, state.running);
        try {
          await state.hold;
          if (state.isDown) throw failure('down');
          return 'up';
        } finally {
          state.running -= 1;
        }
      },
      component: 'api',
    });
    return { state, call };
  }

  test('S21: opens after its threshold, rejects without invoking, half-opens after 60 s, and closes', async () => {
    const clock = clockAt();
    const { state, call } = leaning();
    await using supervisor = await open(clock, { actions: { call }, components, concurrency: 1 });
    const told = heard(supervisor);
    for (let n = 0; n < 10; n++) await supervisor.execute('call', null);
    expect(state.calls).toBe(5);
    expect(await supervisor.execute('call', null)).toMatchObject({
      kind: 'failed',
      attempts: 0,
      error: { code: 'CIRCUIT_OPEN' },
    });
    await clock.advance(MINUTE - 1);
    await supervisor.execute('call', null);
    expect(state.calls).toBe(5);
    state.isDown = false;
    await clock.advance(1);
    expect(await supervisor.execute('call', null)).toMatchObject({ kind: 'ok', value: 'up' });
    const statuses = told.flatMap((event) => (event.type === 'component.changed' ? event.status : []));
    expect(statuses).toEqual(['down', 'probing', 'operational']);
    expect(charged(supervisor)).toEqual({ good: 1, bad: 12 });
  });

  test('H8: half-open admits exactly as many probes as it is told, at once', async () => {
    const clock = clockAt();
    const { state, call } = leaning();
    const two = { api: { breaker: { ...breaker, probes: 2, successes: 2 } } };
    await using supervisor = await open(clock, { actions: { call }, components: two, concurrency: 8 });
    for (let n = 0; n < 5; n++) await supervisor.execute('call', null);
    await clock.advance(MINUTE);
    let release = (_: unknown) => {};
    [state.isDown, state.most, state.hold] = [false, 0, new Promise((resolve) => (release = resolve))];
    const handles = await Promise.all(Array.from({ length: 8 }, () => supervisor.submit('call', null)));
    await settle();
    expect([state.calls, state.running]).toEqual([7, 2]);
    release(undefined);
    const kinds = (await Promise.all(handles.map(({ outcome }) => outcome))).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'ok')).toHaveLength(2);
    expect(state.most).toBe(2);
    expect(await supervisor.execute('call', null)).toMatchObject({ kind: 'ok' });
  });

  test('I9: the breaker is still open after a crash, and the next life probes when it is time', async () => {
    const [clock, store] = [clockAt(), quickStore()];
    const { state, call } = leaning();
    const options = { store, actions: { call }, components, concurrency: 1 };
    const first = await open(clock, options);
    for (let n = 0; n < 5; n++) await first.execute('call', null);
    crash(first.durable);
    await clock.advance(30 * SECOND);
    const second = await open(clock, options);
    expect(await second.execute('call', null)).toMatchObject({ attempts: 0, error: { code: 'CIRCUIT_OPEN' } });
    crash(second.durable);
    await clock.advance(HOUR);
    await using third = await open(clock, options);
    state.isDown = false;
    // Sooner than any timer.
    expect(await third.execute('call', null)).toMatchObject({ kind: 'ok' });
    expect(state.calls).toBe(6);
  });

  test('S31, H9, I10: when everything fails, retries stay within the budget of the component', async () => {
    const clock = clockAt();
    const { state, call } = leaning();
    const unbroken = { api: { breaker: null, retryBudget: { ratio: 0.2, burst: 10 } } };
    const stubborn = { ...call, retry: { attempts: 10, delayMs: 1, capMs: 10 } };
    await using supervisor = await open(clock, { actions: { call: stubborn }, components: unbroken, concurrency: 7 });
    const handles = await Promise.all(Array.from({ length: 60 }, () => supervisor.submit('call', null)));
    const outcomes = await inTime(clock, Promise.all(handles.map(({ outcome }) => outcome)), 10);
    expect(outcomes.every(({ kind, error }) => kind === 'failed' && error?.message.startsWith('down'))).toBe(true);
    expect(outcomes.every(({ attempts, error }) => attempts === 10 || error?.message.includes('retry budget'))).toBe(
      true,
    );
    expect(state.calls).toBeGreaterThan(70);
    expect(state.calls).toBeLessThanOrEqual(1.2 * 60 + 10);
    expect(outcomes.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(state.calls);
  });

  test('what waits for it neither asks all the time nor fails, and goes on when it is back', async () => {
    const clock = clockAt();
    const { state, call } = leaning();
    const patient = { ...call, whenOpen: 'wait' as const };
    await using supervisor = await open(clock, { actions: { call, patient }, components, concurrency: 4 });
    for (let n = 0; n < 5; n++) await supervisor.execute('call', null);
    await clock.advance(20 * SECOND);
    let release = (_: unknown) => {};
    [state.isDown, state.hold] = [false, new Promise((resolve) => (release = resolve))];
    const told = heard(supervisor);
    const handles = await Promise.all(Array.from({ length: 3 }, () => supervisor.submit('patient', null)));
    await settle();
    // They keep no slot, and none begins before the open time is over.
    expect(told.filter(({ type }) => type.startsWith('action.'))).toEqual([]);
    expect(supervisor.queues.list()).toMatchObject([{ name: 'default', waiting: 3, running: 0 }]);
    await clock.advance(40 * SECOND - 1);
    await settle();
    expect(state.running).toBe(0);
    await clock.advance(1);
    await settle();
    expect(state.running).toBe(1);
    const { turn } = supervisor.durable.store.rows;
    await settle(200);
    // The two that come after the probe are not asking turn after turn.
    expect(supervisor.durable.store.rows.turn - turn).toBeLessThan(5);
    release(undefined);
    const outcomes = await inTime(clock, Promise.all(handles.map(({ outcome }) => outcome)));
    expect(outcomes.map(({ kind, attempts }) => [kind, attempts])).toEqual(Array.from({ length: 3 }, () => ['ok', 1]));
  });

  test('H24: without a fallback its loss is felt, with one less; it is probed, and recovers', async () => {
    const clock = clockAt();
    const { state, call } = leaning();
    await using supervisor = await open(clock, { actions: { call }, components, concurrency: 1 });
    const told = heard(supervisor);
    for (let n = 0; n < 5; n++) await supervisor.execute('call', null);
    await settle();
    const levels = () => told.flatMap((event) => (event.type === 'degradation.changed' ? event.level : []));
    expect(levels()).toEqual(['severe']);
    state.isDown = false;
    await clock.advance(MINUTE);
    expect(await supervisor.execute('call', null)).toMatchObject({ kind: 'ok' });
    await clock.advance(MINUTE);
    expect(levels().at(-1)).toBe('full');
  });

  test('that an operator bypasses is not called until he restores it', async () => {
    const { state, call } = leaning();
    state.isDown = false;
    await using supervisor = await open(clockAt(), { actions: { call }, components });
    await supervisor.component('api', 'bypass');
    expect(await supervisor.execute('call', null)).toMatchObject({ attempts: 0, error: { code: 'CIRCUIT_OPEN' } });
    expect(state.calls).toBe(0);
    await supervisor.component('api', 'restore');
    expect(await supervisor.execute('call', null)).toMatchObject({ kind: 'ok' });
    await expect(supervisor.component('apo', 'reset')).rejects.toMatchObject({ code: 'COMPONENT_NOT_FOUND' });
  });

  test('a crowd of permanent errors does not open it', async () => {
    const { calls, run } = flaky(99, () => failure('no', { status: 404 }));
    const find = defineAction({ run, component: 'api' });
    await using supervisor = await open(clockAt(), { actions: { find }, components, concurrency: 1 });
    for (let n = 0; n < 12; n++) await supervisor.execute('find', null);
    expect(calls).toHaveLength(12);
  });
});

describe('fallbacks and debts', () => {
  test('S10, H25: a degraded result says so, and by what', async () => {
    const read = defineAction({
      run: (_: null): string => {
        throw failure('no file', { code: 'ENOENT' });
      },
      fallback: { temp: { run: () => 'from temp', qualityLoss: 0.2 } },
    });
    await using supervisor = await open(clockAt(), { actions: { read } });
    expect(await supervisor.execute('read', null)).toMatchObject({
      kind: 'degraded',
      value: 'from temp',
      via: 'temp',
      qualityLoss: expect.closeTo(0.2) as number,
      error: { code: 'ENOENT' },
    });
    expect(charged(supervisor)).toEqual({ good: expect.closeTo(0.8) as number, bad: expect.closeTo(0.2) as number });
  });

  test('a fallback that throws makes room for the next, and the last one for the failure of the work', async () => {
    const tried: string[] = [];
    const boom = (name: string, qualityLoss: number) => ({
      run: (_: null): string => {
        tried.push(name);
        throw failure(`${name} too`);
      },
      qualityLoss,
    });
    const a = defineAction({
      run: fail.run as (_: null) => string,
      fallback: { b: boom('b', 0.5), a: boom('a', 0.1) },
    });
    await using supervisor = await open(clockAt(), { actions: { a } });
    const told = heard(supervisor);
    expect(await supervisor.execute('a', null)).toMatchObject({ kind: 'failed', error: { message: 'down' } });
    expect(tried).toEqual(['a', 'b']);
    expect(told.flatMap((event) => (event.type === 'action.fallbackFailed' ? event : []))).toMatchObject([
      { fallback: 'a', error: { message: 'a too' } },
      { fallback: 'b', error: { message: 'b too' } },
    ]);
    expect(charged(supervisor)).toEqual({ good: 0, bad: 1 });
  });

  test('H24: what is below the floor fails without being tried, or asks, and an approval waives the floor', async () => {
    const clock = clockAt();
    const cache = { cache: { run: () => 'old', qualityLoss: 0.5 } };
    const strict = defineAction({ run: fail.run as (_: null) => string, fallback: cache, qualityFloor: 0.8 });
    const asking = { ...strict, belowFloor: 'ask' as const };
    await using supervisor = await open(clock, { actions: { strict, asking } });
    expect(await supervisor.execute('strict', null)).toMatchObject({
      kind: 'failed',
      error: { code: 'QUALITY_BELOW_FLOOR' },
    });
    const handle = await supervisor.submit('asking', null, { id: 'q' });
    await until(() => supervisor.approvals().length === 1);
    expect(supervisor.approvals()).toMatchObject([{ action: 'q', reason: 'quality' }]);
    await supervisor.approve('q');
    expect(await handle.outcome).toMatchObject({ kind: 'degraded', value: 'old', via: 'cache' });
  });

  describe('a question of quality', () => {
    /** Work that has effects, fails for good, and is undone; and what may stand in for it. */
    function half(silence: 'wait' | 'approve' | 'deny' = 'wait') {
      const done: string[] = [];
      const work = defineAction({
        run: async (_: null, { willUndo }): Promise<string> => {
          await willUndo('half', null);
          done.push('run');
          throw failure('deployed half', { code: 'EPERM' });
        },
        undo: { half: () => void done.push('undo') },
        fallback: {
          good: {
            run: (): string => {
              done.push('good');
              throw failure('good is down');
            },
            qualityLoss: 0.1,
          },
          local: { run: () => (done.push('local'), 'local'), qualityLoss: 0.6 },
        },
        qualityFloor: 0.5,
        belowFloor: 'ask',
        summary: () => 'Publish the package',
        approval: { silence, afterMs: HOUR },
      });
      return { done, work };
    }
    const FAILED = ['run', 'undo', 'good'];
    const LESS =
      'The action needs a quality of 0.5, and "local" would give a quality of 0.4, for it loses 0.6. Before: deployed half';

    test.each([
      ['at the gate', { impact: 'critical', reversible: false }],
      ['by nobody', {}],
    ] as const)('S41, H24: one that was approved %s waives no floor', async (_how, risk) => {
      const { done, work } = half();
      await using supervisor = await open(clockAt(), { actions: { work } });
      const handle = await supervisor.submit('work', null, { id: 'w', belowFloor: 'fail', ...risk });
      if ('impact' in risk) {
        await until(() => supervisor.approvals().length === 1);
        await supervisor.approve('w');
      }
      expect(await handle.outcome).toMatchObject({ kind: 'failed', error: { code: 'QUALITY_BELOW_FLOOR' } });
      expect(done).toEqual(FAILED);
      const asking = await supervisor.submit('work', null, { id: 'x', ...risk });
      await until(() => supervisor.approvals().length === 1);
      if ('impact' in risk) {
        await supervisor.approve('x?1');
        await until(() => supervisor.approvals().length === 1);
      }
      const [asked] = supervisor.approvals();
      expect(asked).toMatchObject({ action: 'x', reason: 'quality', summary: `Publish the package: ${LESS}` });
      await supervisor.approve('x');
      expect(await asking.outcome).toMatchObject({ kind: 'degraded', via: 'local', attempts: 1 });
    });

    test('keeps what the work came to, through a crash, and an approval of it runs what stands in and nothing else', async () => {
      const [clock, store] = [clockAt(), quickStore()];
      const { done, work } = half();
      const first = await open(clock, { store, actions: { work } });
      const told = heard(first);
      await first.submit('work', null, { id: 'w' });
      await until(() => told.some(({ type }) => type === 'approval.requested'));
      expect(first.approvals()).toMatchObject([{ risk: { score: 0.4 }, undo: 'what it did was undone' }]);
      const row = first.durable.store.rows.get('select * from actions');
      expect(row).toMatchObject({ state: 'asking', attempts: 1, undo: 'done', started_at: START });
      crash(first.durable);
      await clock.advance(DAY);
      await using second = await open(clock, { store, actions: { work } });
      await second.approve('w', { by: 'ann' });
      expect(await second.execute('work', null, { id: 'w' })).toMatchObject({
        kind: 'degraded',
        value: 'local',
        attempts: 1,
        undo: 'done',
        error: { message: 'deployed half' },
      });
      expect(done).toEqual([...FAILED, 'local']);
      expect(second.stats()).toMatchObject({ attempts: 1, retries: 0, approvals: { approved: 1 } });
      expect(charged(second)).toEqual({ good: expect.closeTo(0.4) as number, bad: expect.closeTo(0.6) as number });
    });

    test.each([
      [
        'ann',
        (supervisor: { deny(id: string, by: object): Promise<unknown> }) =>
          supervisor.deny('w', { by: 'ann', note: 'no junk' }),
      ],
      ['silence', null],
    ] as const)('that is denied by %s is the failure that it is, charged and counted once', async (by, deny) => {
      const clock = clockAt();
      const { done, work } = half('deny');
      await using supervisor = await open(clock, { actions: { work } });
      const handle = await supervisor.submit('work', null, { id: 'w' });
      await until(() => supervisor.approvals().length === 1);
      expect(charged(supervisor)).toEqual({ good: 0, bad: 0 });
      if (deny !== null) await deny(supervisor);
      const said = by === 'ann' ? 'by ann: no junk' : 'by silence';
      expect(await inTime(clock, handle.outcome, HOUR)).toMatchObject({
        kind: 'failed',
        attempts: 1,
        undo: 'done',
        band: 'immediate',
        error: { code: 'QUALITY_BELOW_FLOOR', message: `Less was denied ${said}. ${LESS}` },
      });
      expect(done).toEqual(FAILED);
      expect(charged(supervisor)).toEqual({ good: 0, bad: 1 });
      expect(supervisor.stats()).toMatchObject({ attempts: 1, outcomes: { failed: 1, denied: 0 } });
    });

    test.each(['before', 'after'])('that is cancelled %s its answer tells what the work came to', async (when) => {
      const { done, work } = half();
      const plug = defineAction({ run: hanging });
      await using supervisor = await open(clockAt(), { actions: { work, plug }, concurrency: 1 });
      const handle = await supervisor.submit('work', null, { id: 'w' });
      await until(() => supervisor.approvals().length === 1);
      await supervisor.submit('plug', null, { id: 'plug' });
      if (when === 'after') await supervisor.approve('w');
      await supervisor.cancel('w');
      expect(await handle.outcome).toMatchObject({
        kind: 'cancelled',
        attempts: 1,
        undo: 'done',
        error: { message: 'deployed half' },
      });
      expect([done, supervisor.approvals()]).toEqual([FAILED, []]);
      expect(charged(supervisor)).toEqual({ good: 0, bad: 0 });
      await supervisor.cancel('plug');
    });
  });

  test('H25: what was skipped is owed, and done when the component is back, until all is paid', async () => {
    const [clock, store] = [clockAt(), quickStore()];
    const state = { isDown: true };
    const tested: number[] = [];
    const check = defineAction({
      run: (n: number) => {
        if (state.isDown) throw failure('down');
        tested.push(n);
        return 'tested';
      },
      component: 'ci',
      fallback: { skip: { run: () => 'skipped', qualityLoss: 0.3, owes: true } },
    });
    const options = { store, actions: { check }, concurrency: 4, components: { ci: { breaker: { openMs: MINUTE } } } };
    const first = await open(clock, options);
    const inputs = Array.from({ length: 130 }, (_, n) => n);
    for (const n of inputs)
      expect(await first.execute('check', n)).toMatchObject({ kind: 'degraded', via: 'skip', owes: true });
    expect(first.debts()).toHaveLength(130);
    crash(first.durable);
    await using second = await open(clock, options);
    state.isDown = false;
    await clock.advance(MINUTE);
    expect(await second.execute('check', -1)).toMatchObject({ kind: 'ok' });
    await inTime(
      clock,
      until(() => second.debts().length === 0),
      MINUTE,
    );
    expect(tested.toSorted((a, b) => a - b)).toEqual([-1, ...inputs]);
  });

  test('a debt whose payment fails stays, and is paid when somebody asks again', async () => {
    const clock = clockAt();
    const state = { isDown: true };
    const check = defineAction({
      run: (_: null) => {
        if (state.isDown) throw failure('down');
        return 'tested';
      },
      fallback: { skip: { run: () => 'skipped', owes: true } },
    });
    await using supervisor = await open(clock, { actions: { check, ok } });
    await supervisor.execute('check', null, { id: 'c' });
    // Somebody else's action of the name that a payment would have.
    await supervisor.execute('ok', null, { id: 'c!owed1' });
    await supervisor.workOff();
    await until(() => supervisor.debts()[0]?.state === 'owed' && supervisor.debts()[0]?.payment !== null);
    state.isDown = false;
    await supervisor.workOff();
    await until(() => supervisor.debts().length === 0);
  });
});

describe('undoing', () => {
  /** Three steps, of which each is noted before it is taken; then it fails. */
  function saga(undone: string[], more: { hangs?: string; throws?: string } = {}) {
    const undo = (name: string) => (data: unknown, context: ActionContext) => {
      if (more.hangs === name) return hanging(data, context);
      if (more.throws === name) throw failure('cannot');
      undone.push(`${name} ${String(data)}`);
      return undefined;
    };
    return defineAction({
      run: async (_: null, { willUndo }): Promise<string> => {
        await willUndo('first', 1);
        await willUndo('second', 2);
        await willUndo('third', 3);
        throw failure('half way', { retryable: false });
      },
      undo: { first: undo('first'), second: undo('second'), third: undo('third') },
      fallback: () => 'instead',
    });
  }

  test('H23: takes back what was noted, the last first, before the fallback', async () => {
    const undone: string[] = [];
    await using supervisor = await open(clockAt(), { actions: { saga: saga(undone) } });
    expect(await supervisor.execute('saga', null)).toMatchObject({ kind: 'degraded', value: 'instead', undo: 'done' });
    expect(undone).toEqual(['third 3', 'second 2', 'first 1']);
  });

  test('H23: that fails is told, is in the outcome, and is not covered up by a fallback', async () => {
    const undone: string[] = [];
    await using supervisor = await open(clockAt(), { actions: { saga: saga(undone, { throws: 'second' }) } });
    const told = heard(supervisor);
    expect(await supervisor.execute('saga', null, { id: 's' })).toMatchObject({
      kind: 'failed',
      error: { message: 'half way' },
      undo: { code: 'UNDO_FAILED', message: expect.stringContaining('"second"') as string },
    });
    expect(told).toContainEqual(expect.objectContaining({ type: 'action.undoFailed', id: 's' }));
    expect(undone).toEqual(['third 3']);
    const left = supervisor.durable.store.rows.all('select name from compensations order by seq');
    expect(left).toEqual([{ name: 'first' }, { name: 'second' }]);
  });

  test('an undo that hangs is given up, and told as one that failed', async () => {
    const clock = clockAt();
    await using supervisor = await open(clock, { actions: { saga: saga([], { hangs: 'third' }) } });
    const outcome = await inTime(clock, supervisor.execute('saga', null), MINUTE);
    expect(outcome).toMatchObject({ kind: 'failed', undo: { code: 'ATTEMPT_TIMED_OUT' } });
  });

  test('work that does not end when it is cancelled does not keep its undoing', async () => {
    const clock = clockAt();
    const undone: string[] = [];
    let isRunning = false;
    const deaf = defineAction({
      run: (_: null) =>
        new Promise<never>(() => {
          isRunning = true;
        }),
      undo: () => undone.push('undone'),
    });
    await using supervisor = await open(clock, { actions: { deaf } });
    const handle = await supervisor.submit('deaf', null);
    await until(() => isRunning);
    await handle.cancel();
    expect(await inTime(clock, handle.outcome)).toMatchObject({ kind: 'cancelled', undo: 'done' });
    expect(undone).toEqual(['undone']);
    await supervisor.close({ graceMs: 1 });
  });

  test('goes on after a crash with what is left', async () => {
    const [clock, store] = [clockAt(), quickStore()];
    const undone: string[] = [];
    const first = await open(clock, { store, actions: { saga: saga(undone, { hangs: 'second' }) } });
    await first.submit('saga', null, { id: 's' });
    await until(() => undone.length === 1);
    first.durable.store.flush();
    crash(first.durable);
    await using second = await open(clock, { store, actions: { saga: saga(undone) } });
    expect(await second.execute('saga', null, { id: 's' })).toMatchObject({ kind: 'degraded', undo: 'done' });
    expect(undone).toEqual(['third 3', 'second 2', 'first 1']);
  });

  test('what nobody can undo is refused before it is done', async () => {
    const done: string[] = [];
    const careless = defineAction({
      run: async (_: null, { willUndo }) => {
        await willUndo('that');
        done.push('that');
      },
      undo: { this: () => undefined },
      retry: RETRY,
    });
    await using supervisor = await open(clockAt(), { actions: { careless } });
    expect(await supervisor.execute('careless', null)).toMatchObject({
      kind: 'failed',
      attempts: 1,
      error: { code: 'OPTIONS_INVALID', message: expect.stringContaining('undo.that') as string },
    });
    expect(done).toEqual([]);
  });

  test('what went well leaves nothing to undo', async () => {
    const fine = defineAction({
      run: async (_: null, { willUndo }) => {
        await willUndo('it');
        return 'fine';
      },
      undo: { it: () => undefined },
    });
    await using supervisor = await open(clockAt(), { actions: { fine } });
    expect(await supervisor.execute('fine', null)).toMatchObject({ kind: 'ok' });
    expect(supervisor.durable.store.rows.all('select * from compensations')).toEqual([]);
  });
});

describe('the gate', () => {
  test.each([
    [0.95, 'immediate'],
    [0.75, 'monitored'],
    [0.55, 'reversible'],
  ] as const)('S41: a confidence of %d runs %s', async (confidence, band) => {
    const act = defineAction({ run: (_: null) => 'ran', reversible: true });
    await using supervisor = await open(clockAt(), { actions: { act } });
    expect(await supervisor.execute('act', null, { confidence })).toMatchObject({ kind: 'ok', band });
  });

  test('S41, H20, I6: one of 0.3 does not run until it is approved', async () => {
    const { calls, run } = flaky(0);
    await using supervisor = await open(clockAt(), { actions: { act: defineAction({ run }) } });
    const told = heard(supervisor);
    const handle = await supervisor.submit('act', null, { id: 'a', confidence: 0.3, summary: 'does it' });
    await until(() => supervisor.approvals().length === 1);
    expect(supervisor.approvals()).toMatchObject([
      { id: 'a?1', action: 'a', summary: 'does it', reason: 'gate', risk: { band: 'ask', score: 0.3 } },
    ]);
    expect(calls).toEqual([]);
    await supervisor.approve('a', { by: 'ann' });
    expect(await handle.outcome).toMatchObject({ kind: 'ok', attempts: 1 });
    expect(told).toContainEqual(expect.objectContaining({ type: 'approval.settled', decision: 'approve', by: 'ann' }));
    await expect(supervisor.approve('a')).rejects.toMatchObject({ code: 'APPROVAL_DECIDED' });
    await expect(supervisor.approve('nobody')).rejects.toMatchObject({ code: 'APPROVAL_NOT_FOUND' });
    await expect(supervisor.approve('a?1')).rejects.toMatchObject({ code: 'APPROVAL_DECIDED' });
  });

  test('H20: an approval days later, after a restart, lets the same action go on', async () => {
    const [clock, store] = [clockAt(), quickStore()];
    const { calls, run } = flaky(0);
    const deploy = defineAction({ run, impact: 'critical', reversible: false, summary: () => 'deploys' });
    const first = await open(clock, { store, actions: { deploy, ok }, concurrency: 1 });
    await first.submit('deploy', 1, { id: 'd' });
    await until(() => first.approvals().length === 1);
    // It holds no slot.
    expect(await first.execute('ok', 2)).toMatchObject({ kind: 'ok' });
    crash(first.durable);
    await clock.advance(3 * DAY);
    const second = await open(clock, { store, actions: { deploy, ok }, concurrency: 1 });
    await clock.advance(DAY);
    expect(second.approvals()).toMatchObject([{ action: 'd', askedAt: START, expiresAt: null }]);
    await second.approve('d', { by: 'ann' });
    crash(second.durable);
    expect(calls.length).toBeLessThanOrEqual(1);
    await using third = await open(clock, { store, actions: { deploy, ok }, concurrency: 1 });
    expect(await third.execute('deploy', 1, { id: 'd' })).toMatchObject({ kind: 'ok', attempts: 1 });
  });

  test.each([
    ['approve', { kind: 'ok', attempts: 1 }],
    ['deny', { kind: 'denied', attempts: 0, error: { message: 'The action was denied by silence.' } }],
  ] as const)(
    'H20: silence means what its policy says, also while the process was down: %s',
    async (silence, outcome) => {
      const [clock, store] = [clockAt(), quickStore()];
      const { calls, run } = flaky(0);
      const risky = defineAction({ run, impact: 'critical', reversible: false, approval: { silence, afterMs: HOUR } });
      const first = await open(clock, { store, actions: { risky } });
      await first.submit('risky', null, { id: 'r' });
      await until(() => first.approvals().length === 1);
      await clock.advance(HOUR - 1);
      expect([first.approvals().length, calls.length]).toEqual([1, 0]);
      crash(first.durable);
      await clock.advance(DAY);
      await using second = await open(clock, { store, actions: { risky } });
      expect(await inTime(clock, second.execute('risky', null, { id: 'r' }))).toMatchObject(outcome);
      expect(calls).toHaveLength(outcome.attempts);
    },
  );

  test('H22: irreversible and critical always asks, and destructive words outrank benign ones', async () => {
    const { calls, run } = flaky(0);
    const act = defineAction({ run });
    await using supervisor = await open(clockAt(), { actions: { act } });
    const submit = (options: object) => supervisor.submit('act', null, options);
    await submit({ id: 'sure', impact: 'critical', reversible: false, confidence: 1 });
    await submit({ id: 'words', summary: 'test and fix by deleting the table', impact: 'medium' });
    await until(() => supervisor.approvals().length === 2);
    expect(calls).toEqual([]);
    for (const summary of ['deploy latest build', 'prefix rename', 'checkout branch', 'droplet list']) {
      expect(await supervisor.execute('act', null, { summary })).toMatchObject({ kind: 'ok' });
    }
  });

  test('cancelling what asks withdraws the question', async () => {
    const { calls, run } = flaky(0);
    await using supervisor = await open(clockAt(), { actions: { act: defineAction({ run }) } });
    const handle = await supervisor.submit('act', null, { id: 'a', confidence: 0.1 });
    await until(() => supervisor.approvals().length === 1);
    await handle.cancel();
    expect(await handle.outcome).toMatchObject({ kind: 'cancelled', attempts: 0 });
    expect(supervisor.approvals()).toEqual([]);
    await expect(supervisor.approve('a?1')).rejects.toMatchObject({ code: 'APPROVAL_DECIDED' });
    expect(calls).toEqual([]);
  });
});

describe('the error budget', () => {
  const actions = { ok, fail, later: ok };
  const HOURLY = { kind: 'count', perHour: 10 } as const;

  test('H26: survives a restart, freezes what is optional, and thaws by time alone', async () => {
    const [clock, store] = [clockAt(), quickStore()];
    const options = { store, actions, concurrency: 4, budget: HOURLY };
    const first = await open(clock, options);
    const told = heard(first);
    for (let n = 0; n < 40; n++) await first.execute('fail', undefined as never);
    await inTime(
      clock,
      until(() => told.some(({ type }) => type === 'budget.changed')),
    );
    const tier = (events: typeof told) => events.findLast((event) => event.type === 'budget.changed')?.tier;
    expect(tier(told)).toBe('exhausted');
    const before = charged(first);
    crash(first.durable);
    const second = await open(clock, options);
    const now = heard(second);
    expect(charged(second)).toEqual(before);
    const handle = await second.submit('later', 1, { optional: true });
    expect(await second.execute('ok', 2)).toMatchObject({ kind: 'ok' });
    await settle();
    expect(second.durable.store.rows.all(`select state from actions where optional = 1`)).toEqual([
      { state: 'waiting' },
    ]);
    expect(await inTime(clock, handle.outcome, 10 * SECOND)).toMatchObject({ kind: 'ok' });
    expect(clock.now() - START).toBeGreaterThan(5 * MINUTE);
    await clock.advance(2 * HOUR);
    expect(tier(now)).toBe('healthy');
    await second.close();
  });

  test('H27: a few failures do not page, however great their share', async () => {
    const clock = clockAt();
    await using supervisor = await open(clock, { actions, budget: { minEvents: 10 } });
    const told = heard(supervisor);
    for (let n = 0; n < 8; n++) await supervisor.execute('fail', undefined as never);
    await clock.advance(10 * MINUTE);
    expect(told.filter(({ type }) => type === 'budget.changed')).toEqual([]);
  });

  test('H27: a short spike that ended does not page, a sustained burn does', async () => {
    const tiers = async (minutesOfFailure: number) => {
      const clock = clockAt();
      await using supervisor = await open(clock, { actions, concurrency: 1 });
      const told = heard(supervisor);
      for (let minute = 0; minute < 60; minute++) {
        const fails = minute >= 60 - minutesOfFailure;
        for (let n = 0; n < 4; n++) await supervisor.execute(fails ? 'fail' : 'ok', undefined as never);
        await clock.advance(MINUTE);
      }
      return told.flatMap((event) => (event.type === 'budget.changed' ? event.tier : []));
    };
    expect(await tiers(1)).toEqual([]);
    expect(await tiers(25)).toContain('fastBurn');
  });

  test('an exhausted budget asks about what matters, and lets go what does not', async () => {
    const clock = clockAt();
    await using supervisor = await open(clock, { actions, budget: HOURLY, concurrency: 4 });
    const told = heard(supervisor);
    const options = { impact: 'medium' as const, reversible: true };
    expect(await supervisor.execute('ok', 1, options)).toMatchObject({ kind: 'ok' });
    for (let n = 0; n < 40; n++) await supervisor.execute('fail', undefined as never);
    await inTime(
      clock,
      until(() => told.some((event) => event.type === 'budget.changed' && event.tier === 'exhausted')),
    );
    const handle = await supervisor.submit('ok', 1, { ...options, id: 'matters' });
    await until(() => supervisor.approvals().length === 1);
    expect(await supervisor.execute('ok', 1)).toMatchObject({ kind: 'ok' });
    await supervisor.approve('matters');
    expect(await handle.outcome).toMatchObject({
      kind: 'ok',
      band: expect.stringMatching(/monitored|reversible/) as string,
    });
  });

  test('a policy that makes no sense is refused at the start', async () => {
    expect(() => budgetPolicy({ kind: 'count', perHour: -1 })).toThrow(/perHour/);
    await expect(open(clockAt(), { actions, budget: { slo: 1.2 } })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  });
});
