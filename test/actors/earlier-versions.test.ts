/** What an earlier version stored, in the machines of this one. The databases of test/golden prove it whole. */
import { describe, expect, test } from 'vitest';
import { transition } from 'xstate';
import { policyOfText, SUPERVISOR_MIGRATIONS } from '../../actors/earlier-versions.ts';
import { Registry, defineAction } from '../../actors/actions.ts';
import { actionMachine } from '../../machines/action.ts';
import type { ActionContext, ActionNotice } from '../../machines/action-state.ts';
import type { StoredState } from '../../persistence/migrations.ts';

const FIRST = { retry: { attempts: 2, delayMs: 10, capMs: 10 }, timeoutMs: 5, hasFallback: true };
const CONTEXT = {
  id: 'a',
  slot: 3,
  policy: FIRST,
  attempt: 1,
  backOffMs: 10,
  error: { name: 'Error', code: null, message: 'no' },
  retryable: true,
  roll: 0.5,
  at: 1_000,
};

function migrated(value: string) {
  const [step] = SUPERVISOR_MIGRATIONS['action'] ?? [];
  const state = step?.migrate({ status: 'active', value, context: CONTEXT }, { actor: 'slot.3' }) as StoredState;
  return actionMachine.resolveState({ value, context: state.context as ActionContext });
}

function endOf(value: string, event: object): unknown {
  const [, actions] = transition(actionMachine, migrated(value), event as never);
  const notices = actions
    .filter(({ type }) => type === 'announce')
    .map(({ params }) => (params as unknown as { notice: ActionNotice }).notice);
  const end = notices.find(({ type }) => type === 'action.ended');
  return end?.type === 'action.ended' ? end.result : undefined;
}

const done = (id: string, output: unknown) => ({ type: `xstate.done.actor.${id}`, output, actorId: id });

describe('an action of version 1', () => {
  test('that was tried goes on, with the attempts that were made and the error of before', () => {
    expect(endOf('attempting', done('attempter', { kind: 'returned', value: '7', at: 2_000, ms: 1 }))).toMatchObject({
      kind: 'recovered',
      attempts: 1,
      error: { message: 'no', class: 'transient', fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as string },
    });
  });

  test('that fell back is degraded by its one fallback', () => {
    expect(endOf('fallingBack', done('fallback', { kind: 'returned', value: '7', at: 2_000, ms: 1 }))).toMatchObject({
      kind: 'degraded',
      via: 'fallback',
      qualityLoss: 0.5,
    });
  });

  test('that was being ended is cancelled', () => {
    expect(endOf('ending', done('ender', 2_000))).toMatchObject({ kind: 'cancelled' });
  });

  test('that backed off tries again', () => {
    const [next] = transition(actionMachine, migrated('backingOff'), {
      type: 'xstate.after.backOff.action.backingOff',
    } as never);
    expect([next.value, next.context.attempt]).toEqual(['attempting', 2]);
  });
});

test('a policy of version 1 says what it said then, and one of now is what it is', () => {
  expect(policyOfText(JSON.stringify(FIRST))).toMatchObject({
    retry: FIRST.retry,
    timeoutMs: 5,
    component: null,
    fallbacks: [{ name: 'fallback' }],
    risk: { impact: 'low', silence: 'wait' },
  });
  const now = new Registry({ now: defineAction({ run: () => 1, impact: 'high' }) }).policyOf('now');
  expect(policyOfText(JSON.stringify(now))).toEqual(now);
});
