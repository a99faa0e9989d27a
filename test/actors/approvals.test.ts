/** Approvals as rows, through restarts and silence. */
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import {
  countOpenApprovals,
  decidableApproval,
  openApprovals,
  readApproval,
  verdictsOn,
} from '../../actors/approval-ledger.ts';
import type { ApprovalsNotice } from '../../machines/approvals.ts';
import { crash } from '../../persistence/crash.ts';
import { encryption } from '../../persistence/sealing.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { openApprovalsAt, requestFor } from '../support/approvals.ts';
import { quickStore, tempStore } from '../support/temp.ts';

const DAY_MS = 86_400_000;
const START = 1_700_000_000_000;

const verdict = (id: string, decision: 'approve' | 'deny', by = 'ann', at = START) =>
  ({ type: 'approvals.decide', id, decision, by, note: null, at }) as const;
const decided = (told: readonly ApprovalsNotice[]) => told.filter(({ type }) => type === 'approvals.decided');

test('H20: an action that asks waits for days, through a restart, and goes on when it is approved', async () => {
  const path = tempStore();
  const clock = new SimulatedClock(START);
  const first = await openApprovalsAt(path, clock);
  await first.durable.send({ type: 'approvals.request', requests: [requestFor('a')] });
  crash(first.durable);
  await clock.advance(9 * DAY_MS);
  const second = await openApprovalsAt(path, clock);
  expect(openApprovals(second.rows)).toMatchObject([{ id: 'a?1', action: 'a', state: 'open', summary: 'drops a' }]);
  expect(second.told).toEqual([]);
  await second.durable.send(verdict('a?1', 'approve'));
  expect(decided(second.told)).toEqual([{ type: 'approvals.decided', approved: ['a'], denied: [] }]);
  expect(readApproval(second.rows, 'a?1')).toMatchObject({ state: 'approved', by: 'ann', decidedAt: START });
  await second.durable.close();
});

test('H20: silence approves, denies, or waits for ever, as the approval says', async () => {
  const clock = new SimulatedClock(START);
  const { durable, rows, told } = await openApprovalsAt(tempStore(), clock);
  const expiresAt = START + 1_000;
  await durable.send({
    type: 'approvals.request',
    requests: [
      requestFor('yes', { expiresAt, onSilence: 'approve' }),
      requestFor('no', { expiresAt, onSilence: 'deny' }),
      requestFor('wait', { expiresAt, onSilence: 'wait' }),
    ],
  });
  await clock.advance(999);
  expect(decided(told)).toEqual([]);
  await clock.advance(1);
  durable.store.flush();
  expect(decided(told)).toEqual([
    { type: 'approvals.decided', approved: ['yes'], denied: [{ action: 'no', by: 'silence', note: null }] },
  ]);
  await clock.advance(400 * DAY_MS);
  expect(openApprovals(rows).map(({ action }) => action)).toEqual(['wait']);
  expect(readApproval(rows, 'yes?1')).toMatchObject({ state: 'expired', by: 'silence', decidedAt: expiresAt });
  await durable.close();
});

test('H20: what came due while the process was down expires when it is back, once', async () => {
  const path = tempStore();
  const clock = new SimulatedClock(START);
  const first = await openApprovalsAt(path, clock);
  const expiresAt = START + DAY_MS;
  await first.durable.send({
    type: 'approvals.request',
    requests: [
      requestFor('a', { expiresAt, onSilence: 'deny' }),
      requestFor('b', { expiresAt: expiresAt + 2 * DAY_MS, onSilence: 'deny' }),
    ],
  });
  crash(first.durable);
  await clock.advance(2 * DAY_MS);
  const second = await openApprovalsAt(path, clock);
  await clock.advance(0);
  second.durable.store.flush();
  expect(readApproval(second.rows, 'a?1')).toMatchObject({ state: 'expired', decidedAt: START + 2 * DAY_MS });
  expect(openApprovals(second.rows).map(({ id }) => id)).toEqual(['b?1']);
  await clock.advance(DAY_MS);
  second.durable.store.flush();
  expect(countOpenApprovals(second.rows)).toBe(0);
  expect(second.told.filter(({ type }) => type === 'approval.settled')).toHaveLength(2);
  await second.durable.close();
});

test('answering twice, for nobody, or about what was withdrawn changes nothing, and the host is told why', async () => {
  const { durable, rows, told } = await openApprovalsAt(tempStore(), new SimulatedClock(START));
  await durable.send({ type: 'approvals.request', requests: [requestFor('a'), requestFor('b')] });
  await durable.send({ ...verdict('a?1', 'deny', 'ann'), note: 'not today' });
  expect(decided(told)).toEqual([
    { type: 'approvals.decided', approved: [], denied: [{ action: 'a', by: 'ann', note: 'not today' }] },
  ]);
  await durable.send({ type: 'approvals.withdraw', actions: ['b', 'nobody'], at: START });
  const before = told.length;
  for (const id of ['a?1', 'b?1', 'c?1']) await durable.send(verdict(id, 'approve', 'bob'));
  expect(told).toHaveLength(before);
  expect(readApproval(rows, 'a?1')).toMatchObject({ state: 'denied', by: 'ann' });
  expect(readApproval(rows, 'b?1')).toMatchObject({ state: 'withdrawn', by: null });
  expect(() => decidableApproval(rows, 'a?1')).toThrow(/denied already, since .* by ann/);
  expect(() => decidableApproval(rows, 'a?1')).toThrow(expect.objectContaining({ code: 'APPROVAL_DECIDED' }));
  expect(() => decidableApproval(rows, 'c?1')).toThrow(expect.objectContaining({ code: 'APPROVAL_NOT_FOUND' }));
  expect(durable.getSnapshot().status).toBe('active');
  await durable.close();
});

test('an action is asked about once at a time, and each time under another id', async () => {
  const { durable, rows, told } = await openApprovalsAt(tempStore(), new SimulatedClock(START));
  await durable.send({ type: 'approvals.request', requests: [requestFor('a'), requestFor('a')] });
  await durable.send({ type: 'approvals.request', requests: [requestFor('a', { reason: 'quality' })] });
  expect(openApprovals(rows).map(({ id }) => id)).toEqual(['a?1']);
  expect(decidableApproval(rows, 'a').id).toBe('a?1');
  await durable.send(verdict('a?1', 'approve'));
  await durable.send({ type: 'approvals.request', requests: [requestFor('a', { reason: 'quality' })] });
  expect(openApprovals(rows)).toMatchObject([{ id: 'a?2', reason: 'quality' }]);
  expect(told.filter(({ type }) => type === 'approval.requested')).toHaveLength(2);
  await durable.close();
});

test('only what people said at the gate counts as their word on an action, the last of it', async () => {
  const clock = new SimulatedClock(START);
  const { durable, rows } = await openApprovalsAt(tempStore(), clock);
  const say = async (action: string, decision: 'approve' | 'deny', reason: 'gate' | 'quality' = 'gate') => {
    await durable.send({ type: 'approvals.request', requests: [requestFor(action, { reason })] });
    await durable.send(verdict(`${action}?1`, decision));
  };
  expect(verdictsOn(rows, 'drop')).toEqual({ approvals: 0, denials: 0 });
  await say('a', 'approve');
  await say('b', 'approve');
  await say('less', 'deny', 'quality');
  expect(verdictsOn(rows, 'drop')).toEqual({ approvals: 2, denials: 0 });
  await say('c', 'deny');
  await say('less again', 'approve', 'quality');
  const expiresAt = START + 5;
  await durable.send({
    type: 'approvals.request',
    requests: [requestFor('d', { expiresAt, onSilence: 'approve' })],
  });
  await clock.advance(10);
  durable.store.flush();
  expect(readApproval(rows, 'd?1')?.state).toBe('expired');
  expect(verdictsOn(rows, 'drop')).toEqual({ approvals: 0, denials: 1 });
  expect(verdictsOn(rows, 'other')).toEqual({ approvals: 0, denials: 0 });
  await durable.close();
});

test('a request and a verdict without a wall clock that moved on keep their place: the oldest is listed first', async () => {
  const { durable, rows } = await openApprovalsAt(tempStore(), new SimulatedClock(START));
  const actions = ['c', 'a', 'b'];
  await durable.send({ type: 'approvals.request', requests: actions.map((action) => requestFor(action)) });
  expect(openApprovals(rows).map(({ action }) => action)).toEqual(actions);
  expect(openApprovals(rows, 2).map(({ action }) => action)).toEqual(['c', 'a']);
  await durable.close();
});

test('in an encrypted store nothing that people wrote is in the clear', async () => {
  const path = tempStore();
  const sealing = encryption({ key: () => 'ab'.repeat(32), current: 'k' });
  const { durable, rows } = await openApprovalsAt(path, new SimulatedClock(START), sealing);
  const request = requestFor('a', { summary: 'perdure: canary-summary', undo: 'canary-undo' });
  await durable.send({ type: 'approvals.request', requests: [request] });
  await durable.send({ ...verdict('a?1', 'deny'), note: 'canary-note' });
  expect(readApproval(rows, 'a?1')).toMatchObject({
    summary: request.summary,
    undo: 'canary-undo',
    note: 'canary-note',
  });
  await durable.close();
  const reader = new Database(path, { readonly: true });
  expect(JSON.stringify(reader.prepare('select * from approvals').all())).not.toContain('canary');
  reader.close();
});

test('with 100,000 open approvals the context stays as small, there is one timer, and 1,000 expire a turn', async () => {
  const clock = new SimulatedClock(START);
  const { durable, store, rows, told } = await openApprovalsAt(quickStore(), clock);
  const expiresAt = START + 60_000;
  for (let batch = 0; batch < 100; batch++) {
    const requests = Array.from({ length: 1_000 }, (_, i) =>
      requestFor(`${batch}.${i}`, { expiresAt: batch < 3 ? expiresAt : expiresAt + DAY_MS + batch, onSilence: 'deny' }),
    );
    await durable.send({ type: 'approvals.request', requests });
  }
  expect(countOpenApprovals(rows)).toBe(100_000);
  expect(JSON.stringify(durable.getSnapshot().context).length).toBeLessThan(100);
  expect(rows.get('select count(*) as n from timers')).toEqual({ n: 1 });
  told.length = 0;
  await clock.advance(60_000);
  await clock.advance(0);
  store.flush();
  const turns = decided(told) as Extract<ApprovalsNotice, { type: 'approvals.decided' }>[];
  expect(turns.map(({ denied }) => denied.length)).toEqual([1_000, 1_000, 1_000]);
  expect(countOpenApprovals(rows)).toBe(97_000);
  expect(durable.getSnapshot().context.dueAt).toBe(expiresAt + DAY_MS + 3);
  const plan = rows
    .all<{ detail: string }>(
      `explain query plan select expires_at from approvals where state = 'open' and expires_at is not null
       order by expires_at, seq limit 1`,
    )
    .map(({ detail }) => detail);
  expect(plan).toEqual([expect.stringContaining('approvals_expiry')]);
  await durable.close();
});
