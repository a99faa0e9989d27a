import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { definitionOf, parsePlan, type PlanFile } from '../../bin/plan-file.ts';
import { componentsOf, stepOptions } from '../../bin/plan-steps.ts';
import { PerdureError } from '../../errors.ts';

const FILE = resolve('plans/plan.yaml');

const WHOLE = `name: ship
components:
  registry:
    breaker: { window: 4, min-calls: 2, failure-rate: 0.75, slow-call: 2s, slow-call-rate: 0.9, open: 5s, max-open: 1m, open-factor: 3, probes: 2, successes: 2 }
    retry-budget: { ratio: 0.5, burst: 3 }
    criticality: sheddable-plus
    weight: 0.3
  cache: { breaker: false, retry-budget: false }
  plain:
budget:
  slo: 0.95
  period: 1h
  min-events: 5
  dwell: 1s
  exit-ratio: 0.5
  windows: [{ fraction: 0.5, long: 10m, short: 30s, tier: slowBurn }]
steps:
  - id: publish
    run: npm publish
    component: registry
    when-open: wait
    deadline: 1h
    impact: critical
    reversible: false
    summary: Publish for everyone
    confidence: 0.4
    optional: true
    quality-floor: 0.5
    below-floor: ask
    undo: npm unpublish
    approval: { silence: deny, after: 2h }
    fallback:
      mirror: { run: ./mirror.sh, quality-loss: 0.2, owes: true }
      local: { run: ./local.sh }
`;

function linesOf(text: string): string[] {
  try {
    parsePlan(text, 'plan.yaml');
  } catch (error) {
    if (error instanceof PerdureError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const step = (keys: string) => linesOf(`name: n\nsteps:\n  - { id: a, run: "true", ${keys} }\n`);
const top = (keys: string) => linesOf(`name: n\n${keys}\nsteps: [{ id: a, run: "true" }]\n`);
const planOf = (text: string): PlanFile => parsePlan(text, FILE);

describe('a plan', () => {
  test('says what its steps risk, lean on, fall back to and undo, what its components are like, and what it can bear', () => {
    const plan = planOf(WHOLE);
    expect(plan.components).toEqual({
      registry: {
        breaker: {
          window: 4,
          minCalls: 2,
          failureRate: 0.75,
          slowCallMs: 2_000,
          slowCallRate: 0.9,
          openMs: 5_000,
          maxOpenMs: 60_000,
          openFactor: 3,
          probes: 2,
          successes: 2,
        },
        retryBudget: { ratio: 0.5, burst: 3 },
        criticality: 'sheddable-plus',
        weight: 0.3,
      },
      cache: { breaker: null, retryBudget: null },
      plain: {},
    });
    expect(plan.budget).toEqual({
      kind: 'slo',
      slo: 0.95,
      periodMs: 3_600_000,
      minEvents: 5,
      dwellMs: 1_000,
      exitRatio: 0.5,
      windows: [{ fraction: 0.5, longMs: 600_000, shortMs: 30_000, tier: 'slowBurn' }],
    });
    expect(stepOptions(plan)[0]).toEqual({
      id: 'publish',
      action: 'command',
      after: [],
      input: {
        run: 'npm publish',
        undo: 'npm unpublish',
        fallback: { mirror: { run: './mirror.sh', qualityLoss: 0.2, owes: true }, local: { run: './local.sh' } },
        folder: resolve('plans'),
      },
      fallback: { mirror: { qualityLoss: 0.2, owes: true }, local: {} },
      undo: true,
      subject: 'ship/publish',
      component: 'registry',
      whenOpen: 'wait',
      deadlineMs: 3_600_000,
      impact: 'critical',
      reversible: false,
      summary: 'Publish for everyone',
      confidence: 0.4,
      optional: true,
      qualityFloor: 0.5,
      belowFloor: 'ask',
      approval: { silence: 'deny', afterMs: 7_200_000 },
    });
  });

  test('says of a step without a summary what it runs, and takes failures by the hour', () => {
    const plan = planOf('name: n\nbudget: { per-hour: 3 }\nsteps: [{ id: a, run: "\\nrm -r x\\nls" }]\n');
    expect(stepOptions(plan)[0]).toMatchObject({ summary: 'a: rm -r x', subject: 'n/a', fallback: {}, undo: false });
    expect(plan.budget).toEqual({ kind: 'count', perHour: 3 });
  });

  test('has every component that a step names, with the least loss of the fallbacks of its steps', () => {
    const plan = planOf(`name: n
steps:
  - { id: a, run: "true", component: db, fallback: echo }
  - { id: b, run: "true", component: db, fallback: { old: { run: echo, quality-loss: 0.1 } } }
  - { id: c, run: "true", component: net }
`);
    expect(componentsOf(plan)).toEqual({ db: { fallbackLoss: 0.1 }, net: {} });
  });

  test('has changed where what stands in or undoes reads differently, and not where only its risk or its times do', () => {
    const definition = (keys: string) =>
      definitionOf(planOf(`name: n\nsteps: [{ id: a, run: "true"${keys} }]\n`).steps[0]!);
    const plain = definition('');
    expect(definition(', impact: high, deadline: 1h, component: x, approval: { silence: wait }')).toBe(plain);
    const others = [', undo: echo', ', fallback: echo', ', fallback: { b: { run: echo } }'].map(definition);
    expect(new Set([plain, ...others]).size).toBe(4);
  });
});

describe('a plan is refused', () => {
  test.each([
    ['when-open: rejct', '3:27 steps[0].when-open: expected reject or wait, got "rejct"; did you mean "reject"?'],
    ['impact: hihg', 'expected low, medium, high or critical, got "hihg"; did you mean "high"?'],
    ['reversible: maybe', 'expected true or false: whether what it does can be taken back, got "maybe"'],
    ['confidence: 1.5', 'expected a number from 0 to 1, got the number 1.5'],
    ['quality-floor: low', 'expected a number from 0 to 1, got "low"'],
    ['deadline: 0', 'expected a duration such as 90s or 10m longer than 0, got the number 0'],
    ['undo: [rm]', 'expected a shell command as text (in quotes, if YAML takes it for something else), got a list'],
    ['component: "a b"', 'expected the name of a component: 1 to 40 letters, digits and _ . : / -'],
    [
      'optional: 1',
      'expected true or false: whether it waits while the error budget burns fast or is spent, got the number 1',
    ],
    ['qualty-floor: 1', 'unknown key "qualty-floor"; did you mean "quality-floor"?'],
    ['approval: soon', 'expected what silence means, such as { silence: deny, after: 1h }, got "soon"'],
    ['approval: { silence: deny }', 'an approval whose silence is an answer needs `after`'],
    ['approval: { silence: wait, after: 1h }', 'silence that means to wait waits for ever: leave `after` out'],
    ['approval: { silence: deny, aftr: 1h }', 'steps[0].approval.aftr: unknown key "aftr"; did you mean "after"?'],
    ['fallback: {}', 'expected a shell command, or fallbacks by name, each a mapping with `run`, at least one'],
    [
      'fallback: { run: echo }',
      'steps[0].fallback.run: expected a fallback, which is a mapping with `run`, got "echo"',
    ],
    ['fallback: { a b: { run: echo } }', 'expected the name of a fallback'],
    ['fallback: { a: { quality-loss: 1 } }', 'a fallback needs `run`'],
    ['fallback: { a: { run: echo, loss: 1 } }', 'steps[0].fallback.a.loss: unknown key "loss"'],
  ])('for a step with %s', (keys, line) => {
    expect(step(keys).join('\n')).toContain(line);
  });

  test.each([
    ['components: []', '2:1 components: expected a mapping of components, got an empty list'],
    ['components: { "a b": {} }', 'expected the name of a component'],
    ['components: { db: { braker: {} } }', 'components.db.braker: unknown key "braker"; did you mean "breaker"?'],
    [
      'components: { db: { breaker: { opn: 1s } } }',
      'components.db.breaker.opn: unknown key "opn"; did you mean "open"?',
    ],
    [
      'components: { db: { breaker: { window: 0 } } }',
      'expected how many of the last calls are looked at, a whole number from 1',
    ],
    [
      'components: { db: { breaker: { window: 2, min-calls: 3 } } }',
      'breaker.min-calls must be a whole number from 1 to 2, got 3',
    ],
    [
      'components: { db: { breaker: { open: 1h, max-open: 1m } } }',
      'breaker.max-open (ms) must be a number from 3600000',
    ],
    [
      'components: { db: { retry-budget: { ratio: 2 } } }',
      'ratio: expected retries per first attempt, from 0 to 1, got the number 2',
    ],
    ['components: { db: { criticality: critcal } }', 'did you mean "critical"?'],
    ['budget: 10', 'expected a budget, such as { slo: 0.9 } or { per-hour: 10 }, got the number 10'],
    ['budget: { slo: 1 }', 'expected a number above 0 and below 1, got the number 1'],
    ['budget: { per-hour: 10, slo: 0.9 }', 'expected either `per-hour`, or `slo`'],
    ['budget: { per-hour: -1 }', 'expected a number of failures above 0, got the number -1'],
    ['budget: { period: 1s }', 'period (ms) must be from a minute to 30 days'],
    ['budget: { windows: [{ fraction: 1, long: 1s, short: 2s, tier: slowBurn }] }', 'short'],
    [
      'budget: { windows: [{ fraction: 1, long: 1s, short: 1ms, tier: slow }] }',
      'expected slowBurn or fastBurn, got "slow"',
    ],
  ])('for %s', (keys, line) => {
    expect(top(keys).join('\n')).toContain(line);
  });

  test('for a component that it does not have, although it has some', () => {
    const text = 'name: n\ncomponents: { database: {} }\nsteps: [{ id: a, run: "true", component: databse }]\n';
    expect(linesOf(text).join('\n')).toContain(
      '3:31 steps[0].component: unknown component "databse"; did you mean "database"?',
    );
  });
});
