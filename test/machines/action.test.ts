import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition, transition, type AnyEventObject, type SnapshotFrom } from 'xstate';
import { actionMachine, type ActionInput, type ActionPolicy, type AttemptResult } from '../../machines/action.ts';
import { backOffMs } from '../../machines/retry.ts';

type State = SnapshotFrom<typeof actionMachine>;
type Step = readonly [State, readonly { type: string; params?: unknown }[]];

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

const INPUT: Omit<ActionInput, 'policy'> = {
  id: 'a',
  slot: 0,
  band: 'immediate',
  score: 0.95,
  raw: 0.95,
  slowMs: 1_000,
  quality: 1,
  approved: false,
  at: 0,
};
const FALLBACK = { name: 'cache', loss: 0.5, owes: false };

function begin(policy: Partial<ActionPolicy> = {}): Step {
  return initialTransition(actionMachine, { ...INPUT, policy: { ...POLICY, ...policy } }) as unknown as Step;
}

/** Where no fix is known. */
function send([state]: Step, event: AnyEventObject): Step {
  const [next, actions] = transition(actionMachine, state, event as never) as unknown as Step;
  if (next.value !== 'recalling') return [next, actions];
  const [last, more] = send([next, []], { type: 'action.recalled', fix: null });
  return [last, [...actions, ...more]];
}

const threw = (over: Partial<Extract<AttemptResult, { kind: 'threw' }>> = {}): AttemptResult => ({
  kind: 'threw',
  error: { name: 'Error', code: null, message: 'no', class: 'transient', fingerprint: '0' },
  retryable: true,
  at: 5,
  ms: 2,
  roll: 0.5,
  ...over,
});
const done = (id: string, output: unknown) => ({ type: `xstate.done.actor.${id}`, output, actorId: id });
const attempted = (output: AttemptResult) => done('attempter', output);
const returned: AttemptResult = { kind: 'returned', value: '7', at: 9, ms: 2 };

/** What the action told the executor in a step. */
function told([, actions]: Step): { type: string; result?: { kind: string } }[] {
  return actions
    .filter(({ type }) => type === 'announce')
    .map(({ params }) => (params as { notice: { type: string } }).notice);
}

const outcome = (step: Step) => told(step).find(({ type }) => type === 'action.ended')?.result;

describe('an action', () => {
  test('settles as ok at the first attempt that returns', () => {
    expect(outcome(send(begin(), attempted(returned)))).toEqual({
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
    const failed = send(begin(), attempted(threw()));
    expect(failed[0].value).toBe('backingOff');
    const again = send(failed, { type: 'xstate.after.backOff.action.backingOff' });
    expect(outcome(send(again, attempted(returned)))).toMatchObject({
      kind: 'recovered',
      attempts: 2,
      error: { message: 'no' },
    });
  });

  test('does not retry what says that it cannot help', () => {
    expect(outcome(send(begin(), attempted(threw({ retryable: false }))))).toMatchObject({
      kind: 'failed',
      attempts: 1,
    });
  });

  test('falls back only when no attempt is left', () => {
    const step = send(begin({ fallbacks: [FALLBACK], retry: { ...POLICY.retry, attempts: 1 } }), attempted(threw()));
    expect(step[0].value).toBe('fallingBack');
    expect(outcome(send(step, done('fallback', returned)))).toMatchObject({ kind: 'degraded', value: '7' });
    expect(outcome(send(step, done('fallback', threw())))).toMatchObject({ kind: 'failed' });
  });

  test('ends a running attempt before it settles as cancelled', () => {
    const ending = send(begin(), { type: 'action.cancel', at: 3 });
    expect(ending[0].value).toBe('ending');
    expect(outcome(ending)).toBeUndefined();
    expect(outcome(send(ending, done('ender', 12)))).toMatchObject({ kind: 'cancelled' });
  });

  test('settles at once when it is cancelled while it backs off', () => {
    const backingOff = send(begin(), attempted(threw()));
    expect(outcome(send(backingOff, { type: 'action.cancel', at: 3 }))).toMatchObject({ kind: 'cancelled' });
  });

  test('a cancel while it backs off counts the attempts that were made', () => {
    const backingOff = send(begin(), attempted(threw()));
    expect(outcome(send(backingOff, { type: 'action.cancel', at: 3 }))).toMatchObject({ attempts: 1 });
  });

  test('gives itself back when its handler is gone', () => {
    const step = send(begin(), attempted({ kind: 'unregistered', at: 1 }));
    expect(told(step).map(({ type }) => type)).toEqual(['action.orphaned']);
  });

  test('settles exactly once, within its attempts, whatever happens', () => {
    const event = fc.oneof(
      fc.constant(attempted(returned)),
      fc.boolean().map((retryable) => attempted(threw({ retryable }))),
      fc.constant({ type: 'xstate.after.backOff.action.backingOff' }),
      fc.constant({ type: 'action.cancel', at: 1 }),
      fc.constant(done('ender', 2)),
      fc.constantFrom(done('fallback', returned), done('fallback', threw())),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), fc.boolean(), (events, hasFallback) => {
        let step = begin({ fallbacks: hasFallback ? [FALLBACK] : [] });
        const outcomes: unknown[] = [];
        for (const one of events) {
          // A promise that was left behind by its state is stopped, and says nothing any more.
          const invoked = one.type.startsWith('xstate.done.actor.')
            ? one.type.slice('xstate.done.actor.'.length)
            : undefined;
          if (invoked !== undefined && !(invoked in step[0].children)) continue;
          step = send(step, one);
          const ended = outcome(step);
          if (ended !== undefined) outcomes.push(ended);
          expect(step[0].context.attempt).toBeLessThanOrEqual(3);
          expect(JSON.stringify(step[0].context).length).toBeLessThan(4_096);
        }
        expect(outcomes.length).toBe(step[0].value === 'settled' ? 1 : 0);
      }),
      { numRuns: 500 },
    );
  });
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
