import { expect, test } from 'vitest';
import { forecast, forecastText } from '../../bin/dry-run.ts';
import { parsePlan } from '../../bin/plan-file.ts';
import type { PlanReport, StepReport } from '../../bin/plan-report.ts';
import { countsOf, planSummary } from '../../bin/plan-summary.ts';
import { pathLines } from '../../bin/speed-up.ts';
import { NO_PAINT, paintFor } from '../../bin/terminal.ts';
import { summaryOf } from '../../machines/summary.ts';

/** As measured: the second backed off for half of its time. */
const SUMMARY = summaryOf(
  [
    { id: 'one', after: [], startedAt: 0, settledAt: 2_000, workMs: 2_000, attempts: 1 },
    { id: 'two', after: [], startedAt: 0, settledAt: 4_000, workMs: 2_000, attempts: 2 },
    { id: 'three', after: ['one'], startedAt: 2_000, settledAt: 3_000, workMs: 1_000, attempts: 1 },
    { id: 'four', after: ['three'], startedAt: null, settledAt: null, workMs: 0, attempts: 0 },
  ],
  2,
);
const NOTHING = summaryOf([], 2);

function step(
  id: string,
  from: number | undefined,
  to: number | undefined,
  rest: Partial<StepReport> = {},
): StepReport {
  const times = from === undefined || to === undefined ? {} : { startedAt: from, settledAt: to, ms: to - from };
  return { id, action: `n:1/${id}`, state: 'settled', kind: 'ok', attempts: 1, ...times, ...rest };
}

const REPORT: PlanReport = {
  plan: 'n:1',
  name: 'n',
  state: 'settled',
  kind: 'failed',
  submittedAt: 0,
  settledAt: 4_000,
  steps: [
    step('one', 0, 2_000),
    step('two', 0, 4_000, {
      kind: 'recovered',
      attempts: 2,
      error: { name: 'E', code: null, message: 'exited with 1', class: 'transient', fingerprint: '0' },
    }),
    step('three', 2_000, 3_000, {
      kind: 'failed',
      error: { name: 'E', code: null, message: 'exited with 2\nmore', class: 'transient', fingerprint: '0' },
    }),
    step('four', undefined, undefined, { kind: 'skipped', attempts: 0, reason: 'it depends on "three", which failed' }),
  ],
  ...SUMMARY,
  summary: SUMMARY,
  standing: { components: [], debts: [] },
};

test('a summary shows what ran beside what, what was retried, why the rest did not, and the speed-up', () => {
  expect(planSummary(REPORT, NO_PAINT)).toEqual([
    'n:1 failed: 1 ok, 1 recovered, 1 failed, 1 skipped',
    '',
    'step   outcome    attempts  time  when',
    'one    ok                1  2.0s  ████████████████················',
    'two    recovered         2  4.0s  ████████████████████████████████',
    'three  failed            1  1.0s  ················████████········  exited with 2',
    'four   skipped           0                                          it depends on "three", which failed',
    '',
    'retried: two (2 attempts; exited with 1)',
    '4.0s for 5.0s of work, up to 2 at once: 1.25 times as fast as one after the other',
    'at most 1.67 times with 2 slots and a longest chain of 3.0s; the slots were in use for 88 % of the time',
    'critical path: two (ran 2.0s, backed off 2.0s)',
    'most of it: two ran for 50 % of the time',
  ]);
});

test('the critical path tells what each step waited, and only counts what took hardly any time', () => {
  const steps = [
    { id: 'quick', after: [], startedAt: 0, settledAt: 5, workMs: 5, attempts: 1 },
    { id: 'long', after: ['quick'], startedAt: 500, settledAt: 1_500, workMs: 1_000, attempts: 1 },
  ];
  expect(pathLines(summaryOf(steps, 1)).slice(1)).toEqual([
    'critical path: long (waited 495ms, ran 1.0s), and 1 quick step',
    'most of it: long ran for 67 % of the time',
  ]);
});

test.each([
  [1, 1_000, 960, 'critical path: a (ran 960ms)'],
  [1, 200, 151, 'critical path: a (ran 151ms)'],
  [1, 200, 150, 'critical path: a (ran 150ms, held up 50ms)'],
  [1, 1_000, 940, 'critical path: a (ran 940ms, held up 60ms)'],
  [2, 1_000, 700, 'critical path: a (ran 700ms, backed off 300ms)'],
])(
  'with %i attempts, what a step took longer than it worked is a back-off or overhead',
  (attempts, settledAt, workMs, path) => {
    const summary = summaryOf([{ id: 'a', after: [], startedAt: 0, settledAt, workMs, attempts }], 1);
    expect(pathLines(summary)[1]).toBe(path);
  },
);

test('what held up a step of one attempt is told of where it took most of the time, and was not a moment', () => {
  const dominant = (settledAt: number) =>
    pathLines(summaryOf([{ id: 'a', after: [], startedAt: 0, settledAt, workMs: 1, attempts: 1 }], 1))[2];
  expect([dominant(50), dominant(101)]).toEqual([undefined, 'most of it: a was held up for 99 % of the time']);
});

test('beside what a step took stands what it was expected to take', () => {
  const steps = [step('one', 0, 2_000, { estimateMs: 1_500 }), step('two', 0, 4_000)];
  expect(planSummary({ ...REPORT, steps }, NO_PAINT).slice(2, 4)).toEqual([
    'step  outcome  attempts  time  expected  when',
    'one   ok              1  2.0s      1.5s  ████████████████················',
  ]);
});

test('a forecast knows what earlier runs took, where the plan does not say', () => {
  const plan = parsePlan('name: n\nsteps:\n  - { id: a, run: a, estimate: 2s }\n  - { id: b, run: b }\n', 'plan.yaml');
  expect(forecast(plan, 1, (id) => (id === 'b' ? 700 : 9)).workMs).toBe(2_700);
});

test('steps without an outcome are counted by their state', () => {
  const { kind: _, ...waiting } = step('five', undefined, undefined, { state: 'waiting' });
  expect(countsOf([...REPORT.steps, waiting])).toBe('1 ok, 1 recovered, 1 failed, 1 skipped, 1 waiting');
});

test('a forecast shows tracks, the critical path, T1, T-infinity and the estimated speed-up', () => {
  const plan = parsePlan(
    'name: n\nsteps:\n  - { id: a, run: a, estimate: 2s }\n  - { id: b, run: b, estimate: 2s }\n  - { id: c, run: c, after: [a] }\n',
    'plan.yaml',
  );
  expect(forecastText(forecast(plan, 2))).toEqual([
    'n: 3 steps, at most 2 at once (nothing was run)',
    'tracks:',
    '  1  a, c',
    '  2  b',
    'critical path: a -> c',
    'one after the other (T1): 5.0s',
    'however many at once (T-infinity): 3.0s',
    'estimated: 3.0s, 1.67 times as fast',
  ]);
});

test('colours are for terminals, and NO_COLOR is honoured', () => {
  const write = () => true;
  expect(paintFor({ write, isTTY: true }, {}).bad('x')).toBe('\u001b[31mx\u001b[39m');
  expect(paintFor({ write, isTTY: true }, { NO_COLOR: '1' }).bad('x')).toBe('x');
  expect(paintFor({ write }, {}).bad('x')).toBe('x');
});

test('a run that goes on says what is under way, and what has ended so far', () => {
  const { kind: _, ...running } = step('five', undefined, undefined, { state: 'running', startedAt: 1_000 });
  const { kind: __, settledAt: ___, ...rest } = REPORT;
  const first = { ...rest, state: 'running' as const, steps: [running], summary: NOTHING };
  expect(planSummary(first, NO_PAINT, 5_200).at(-1)).toBe('under way: five (for 4.2s)');
  expect(planSummary({ ...first, steps: [] }, NO_PAINT, 5_200).at(-1)).toBe('nothing has run yet');
  const later = { ...rest, state: 'running' as const, steps: [...rest.steps, running] };
  expect(planSummary(later, NO_PAINT, 5_200).slice(-2)).toEqual([
    'so far 4.0s for 5.0s of work, up to 2 at once: 1.25 times as fast as one after the other',
    'under way: five (for 4.2s)',
  ]);
});

test('steps that took no time have run all the same', () => {
  const quick = { ...REPORT, kind: 'ok' as const, steps: [step('one', 5, 5)], summary: NOTHING };
  expect(planSummary(quick, NO_PAINT).at(-1)).toBe('all in less than 1ms');
  const skipped = { ...quick, steps: [step('one', undefined, undefined, { kind: 'skipped' })] };
  expect(planSummary(skipped, NO_PAINT).at(-1)).toBe('nothing ran');
});
