import { expect, test } from 'vitest';
import type { ActionRow } from '../../actors/queue-tables.ts';
import { actionReport } from '../../bin/plan-report.ts';

const OLD = {
  id: 'n:1/a',
  attempts: 1,
  started_at: 1,
  settled_at: 3,
  retry_at: null,
  kind: 'ok',
  value: '7',
  error: null,
  quality_loss: 0,
} as ActionRow;

test('an action of a store that an older Perdure made, without gate and undo, is reported all the same', () => {
  expect(actionReport(OLD, '/none.db')).toEqual({
    action: 'n:1/a',
    attempts: 1,
    startedAt: 1,
    settledAt: 3,
    ms: 2,
    value: 7,
  });
});

test('what a success lacks is reported, and of a failure only that it was undone', () => {
  const degraded = { ...OLD, kind: 'degraded', via: 'local', quality_loss: 0.3 } as ActionRow;
  expect(actionReport(degraded, '/none.db')).toMatchObject({ via: 'local', qualityLoss: 0.3 });
  const failed = {
    ...OLD,
    kind: 'failed',
    value: null,
    quality_loss: 1,
    undo: 'done',
    band: 'reversible',
  } as ActionRow;
  expect(actionReport(failed, '/none.db')).toMatchObject({ undo: 'done', band: 'reversible' });
  expect(actionReport(failed, '/none.db')).not.toHaveProperty('qualityLoss');
});

test.each([
  [{ due_at: 5, review_at: null }, { dueAt: 5 }],
  [
    { due_at: 2, review_at: null },
    { dueAt: 2, isLate: true },
  ],
  [
    { due_at: 5, review_at: 6, at_risk_at: 4, settled_at: null, why: 'estimate' },
    { dueAt: 5, atRiskAt: 4, ranked: 'estimate' },
  ],
  [
    { due_at: 5, review_at: null, at_risk_at: 4, settled_at: null, why: null },
    { dueAt: 5, atRiskAt: 4, isLate: true },
  ],
] as const)('of the row %j it is reported how it stands to its due time', (row, expected) => {
  const { dueAt, atRiskAt, isLate, ranked } = actionReport({ ...OLD, ...row } as ActionRow, '/none.db');
  const told = Object.fromEntries(
    Object.entries({ dueAt, atRiskAt, isLate, ranked }).filter(([, value]) => value !== undefined),
  );
  expect(told).toEqual(expected);
});

test('an error whose message is JSON is reported without the secrets in it', () => {
  const error = JSON.stringify({ class: 'Error', code: null, message: JSON.stringify({ password: 'hunter22' }) });
  const report = actionReport({ ...OLD, kind: 'failed', error, undo: error } as ActionRow, '/none.db');
  expect(report.error?.message).toBe('{"password":"[redacted]"}');
  expect(JSON.stringify(report)).not.toContain('hunter22');
});
