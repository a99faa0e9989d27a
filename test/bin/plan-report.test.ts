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
