import { expect, test } from 'vitest';
import { initialTransition, transition, type SnapshotFrom } from 'xstate';
import {
  approvalsMachine,
  type ApprovalsEvent,
  type ApprovalsNotice,
  type SettledApproval,
} from '../../machines/approvals.ts';

type Action = { readonly type: string; readonly params?: unknown };
type Step = readonly [SnapshotFrom<typeof approvalsMachine>, readonly Action[]];

const begin = () => initialTransition(approvalsMachine) as unknown as Step;
const send = ([state]: Step, event: ApprovalsEvent | { type: 'xstate.after.expiry.approvals.waiting' }) =>
  transition(approvalsMachine, state, event as ApprovalsEvent) as unknown as Step;
const named = ([, actions]: Step, name: string) => actions.filter(({ type }) => type === name);
const notices = (step: Step) =>
  named(step, 'announce').map(({ params }) => (params as { notice: ApprovalsNotice }).notice);
const timers = ([, actions]: Step) => actions.filter(({ type }) => type === 'xstate.raise' || type === 'xstate.cancel');
const due = (dueAt: number | null, waitMs = 0): ApprovalsEvent => ({ type: 'approvals.due', dueAt, waitMs });
const rings = { type: 'xstate.after.expiry.approvals.waiting' } as const;

test('asks the world to write what it is asked', () => {
  const verdict = { id: 'x?1', decision: 'approve' as const, by: 'ann', note: null, at: 1 };
  expect(named(send(begin(), { type: 'approvals.request', requests: [] }), 'putRequests')).toHaveLength(1);
  expect(named(send(begin(), { type: 'approvals.decide', ...verdict }), 'putVerdict')[0]?.params).toMatchObject(
    verdict,
  );
  expect(named(send(begin(), { type: 'approvals.withdraw', actions: ['x'], at: 1 }), 'withdraw')).toHaveLength(1);
});

test('one timer, for the earliest that expires: another approval costs no other, an earlier one replaces it', () => {
  const armed = send(begin(), due(1_000, 400));
  expect(armed[0].value).toBe('waiting');
  expect(timers(armed)).toHaveLength(1);
  expect(timers(send(armed, due(1_000, 300)))).toEqual([]);
  const earlier = send(armed, due(500, 100));
  expect(earlier[0].context).toEqual({ dueAt: 500, waitMs: 100 });
  expect(timers(earlier).map(({ type }) => type)).toEqual(['xstate.cancel', 'xstate.raise']);
  const never = send(armed, due(null));
  expect([never[0].value, timers(never).map(({ type }) => type)]).toEqual(['idle', ['xstate.cancel']]);
});

test('when the timer rings, at most 1,000 expire; the next ring is of its own, also when the clock had gone back', () => {
  const rung = send(send(begin(), due(1_000, 400)), rings);
  expect(named(rung, 'expire')[0]?.params).toEqual({ limit: 1_000 });
  expect(timers(send(rung, due(1_000, 50)))).toHaveLength(1);
  expect(send(rung, due(null))[0].value).toBe('idle');
});

test('tells of each settled approval, and once which actions go on', () => {
  const settled: SettledApproval[] = [
    { id: 'a?1', action: 'a', decision: 'approve', by: 'ann', note: null },
    { id: 'b?1', action: 'b', decision: 'deny', by: 'bob', note: 'no' },
    { id: 'c?2', action: 'c', decision: 'withdraw', by: null, note: null },
  ];
  expect(notices(send(begin(), { type: 'approvals.settled', settled }))).toEqual([
    ...settled.map((one) => ({ type: 'approval.settled', ...one })),
    { type: 'approvals.decided', approved: ['a'], denied: [{ action: 'b', by: 'bob', note: 'no' }] },
  ]);
  const withdrawn = send(begin(), { type: 'approvals.settled', settled: settled.slice(2) });
  expect(notices(withdrawn).map(({ type }) => type)).toEqual(['approval.settled']);
});

test('tells of each approval that is asked for', () => {
  const requested = ['a', 'b'].map((action) => ({
    id: `${action}?1`,
    action,
    name: 'deploy',
    summary: `deploys ${action}`,
    reason: 'gate' as const,
    expiresAt: null,
    onSilence: 'wait' as const,
  }));
  expect(notices(send(begin(), { type: 'approvals.requested', requested }))).toEqual(
    requested.map((one) => ({ type: 'approval.requested', ...one })),
  );
});
