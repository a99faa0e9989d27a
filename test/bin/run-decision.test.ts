import { describe, expect, test } from 'vitest';
import type { PlanRow } from '../../actors/plan-tables.ts';
import { decideRun } from '../../bin/run-decision.ts';

function row(overrides: Partial<PlanRow>): PlanRow {
  return {
    id: 'nightly:3',
    name: 'nightly',
    policy: 'stop',
    concurrency: null,
    slots: null,
    state: 'settled',
    kind: 'ok',
    submitted_at: 1,
    settled_at: 2,
    reported_at: 3,
    unsettled: 0,
    dispatched: 0,
    joins: 0,
    ...overrides,
  };
}

describe('which run is meant', () => {
  test('the first, if the store has none', () => {
    expect(decideRun('nightly', undefined, {})).toEqual({ kind: 'start', id: 'nightly:1' });
    expect(decideRun('nightly', undefined, { retry: true })).toEqual({ kind: 'start', id: 'nightly:1' });
  });

  test('the unfinished one, if there is one', () => {
    const unfinished = row({ state: 'running', kind: null, settled_at: null, reported_at: null });
    expect(decideRun('nightly', unfinished, {})).toEqual({ kind: 'resume', id: 'nightly:3', retry: false });
    expect(decideRun('nightly', unfinished, { retry: true })).toEqual({ kind: 'resume', id: 'nightly:3', retry: true });
  });

  test('a new one after a run that ended, however it did', () => {
    for (const kind of ['ok', 'failed', 'cancelled'] as const) {
      expect(decideRun('nightly', row({ kind }), {})).toEqual({ kind: 'start', id: 'nightly:4' });
    }
  });

  test('a new one beside a run that is being cancelled', () => {
    const stopping = row({ state: 'stopping', kind: null, reported_at: null });
    expect(decideRun('nightly', stopping, {})).toEqual({ kind: 'start', id: 'nightly:4' });
  });

  test('the failed one with --retry, and one that went well only to say so again', () => {
    expect(decideRun('nightly', row({ kind: 'failed' }), { retry: true })).toMatchObject({
      kind: 'resume',
      retry: true,
    });
    expect(decideRun('nightly', row({}), { retry: true })).toEqual({ kind: 'report', id: 'nightly:3' });
  });

  test('with --fresh always a new one, and the unfinished one is abandoned', () => {
    const unfinished = row({ state: 'running', kind: null, reported_at: null });
    expect(decideRun('nightly', unfinished, { fresh: true })).toEqual({
      kind: 'start',
      id: 'nightly:4',
      abandon: 'nightly:3',
    });
    expect(decideRun('nightly', row({}), { fresh: true })).toEqual({ kind: 'start', id: 'nightly:4' });
  });

  test('the one that ended without anybody being told, so that a kill at the very end repeats nothing', () => {
    const untold = { reported_at: null };
    expect(decideRun('nightly', row(untold), {})).toEqual({ kind: 'report', id: 'nightly:3' });
    expect(decideRun('nightly', row({ ...untold, kind: 'failed' }), {})).toEqual({ kind: 'report', id: 'nightly:3' });
    expect(decideRun('nightly', row({ ...untold, kind: 'cancelled' }), {})).toMatchObject({ kind: 'start' });
  });

  test('the first, after runs that somebody else named', () => {
    expect(decideRun('nightly', row({ id: 'by-hand' }), {})).toEqual({ kind: 'start', id: 'nightly:1' });
  });
});
