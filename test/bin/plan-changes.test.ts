import { expect, test } from 'vitest';
import type { ActionStepOptions } from '../../actors/plan-input.ts';
import type { StepRow } from '../../actors/plan-tables.ts';
import { toText } from '../../actors/values.ts';
import { planChanges, refuseFinished } from '../../bin/plan-changes.ts';
import { parsePlan, type PlanFile } from '../../bin/plan-file.ts';
import { stepOptions } from '../../bin/plan-steps.ts';

function plan(...steps: string[]): PlanFile {
  return parsePlan(`name: n\nsteps:\n${steps.map((step) => `  - {${step}}\n`).join('')}`, 'plan.yaml');
}

/** The steps of a plan as a store would hold them; those named have succeeded. */
function stored(of: PlanFile, ...finished: string[]): StepRow[] {
  return (stepOptions(of) as ActionStepOptions[]).map(({ id, action, input, after = [] }) => ({
    id: `n:1/${id}`,
    plan: 'n:1',
    step: id,
    name: action,
    version: '1',
    input: toText(input, 'input'),
    after: JSON.stringify(after.map((path) => path.slice(1))),
    policy: '{}',
    rank: 0,
    estimate_ms: 0,
    memo_key: null,
    memo_outputs: null,
    saved_ms: null,
    missing: 0,
    state: finished.includes(id) ? 'settled' : 'waiting',
    kind: finished.includes(id) ? 'ok' : null,
    reason: null,
    round: 1,
    urgency: null,
    role: null,
    source: null,
    at_once: null,
    most: null,
    items: null,
    fan: null,
    item: null,
    action: `n:1/${id}`,
  }));
}

const NONE = { finished: [], unfinished: [], added: [], removed: [] };

test('the same plan has no changes, whatever its timing and the order of its keys', () => {
  const before = plan('id: a, run: make, env: {A: 1, B: 2}', 'id: b, module: ./m.mjs#go, input: {x: 1}, after: [a]');
  const now = plan(
    'run: make, env: {B: 2, A: 1}, id: a, timeout: 5s, retry: 3',
    'id: b, module: ./m.mjs#go, input: {x: 1}, after: [a], estimate: 9s',
  );
  expect(planChanges(now, stored(before, 'a', 'b'))).toEqual(NONE);
});

test('a change is told with the keys that differ, of finished and of unfinished steps', () => {
  const before = plan('id: a, run: make', 'id: b, run: test', 'id: c, run: pack, after: [b]');
  const now = plan('id: a, run: make all, fallback: exit', 'id: b, run: test', 'id: c, run: pack, after: [a, b]');
  expect(planChanges(now, stored(before, 'a', 'b'))).toEqual({
    ...NONE,
    finished: [{ step: 'a', keys: ['fallback', 'run'] }],
    unfinished: [{ step: 'c', keys: ['after'] }],
  });
});

test('new and removed steps are told', () => {
  const before = plan('id: a, run: make', 'id: b, run: test');
  expect(planChanges(plan('id: a, run: make', 'id: c, run: pack'), stored(before, 'a'))).toEqual({
    ...NONE,
    added: ['c'],
    removed: ['b'],
  });
});

test('a changed step that finished is refused by name, others are not', () => {
  const change = { step: 'a', keys: ['run'] };
  expect(() => refuseFinished('n:1', { ...NONE, finished: [change] })).toThrow(
    expect.objectContaining({ code: 'PLAN_CHANGED', message: expect.stringContaining('a: `run` changed') }),
  );
  expect(() => refuseFinished('n:1', { ...NONE, unfinished: [change], added: ['b'], removed: ['c'] })).not.toThrow();
});
