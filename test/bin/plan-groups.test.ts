import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { forecast } from '../../bin/dry-run.ts';
import { parsePlan } from '../../bin/plan-file.ts';
import type { PerdureError } from '../../errors.ts';
import { Cli } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

const NIGHTLY = `name: nightly
steps:
  - { id: list, run: list }
  - id: prepare
    steps:
      - { id: fetch, run: fetch, estimate: 2s }
      - id: check
        after: fetch
        steps:
          - { id: lint, run: lint }
          - { id: each, run: each, for-each: { from: list, limit: 50, at-once: 2 } }
  - { id: ship, run: ship, after: prepare }
`;

test('groups nest in a plan file, and their steps have paths for ids', () => {
  const { steps, groups } = parsePlan(NIGHTLY, 'plan.yaml');
  expect(steps.map(({ id, after }) => [id, after])).toEqual([
    ['list', []],
    ['prepare/fetch', []],
    ['prepare/check/lint', ['prepare/fetch']],
    ['prepare/check/each', ['list', 'prepare/fetch']],
    ['ship', ['prepare']],
  ]);
  expect(steps[3]?.forEach).toEqual({ from: 'list', limit: 50, concurrency: 2 });
  expect(groups).toEqual([
    { id: 'prepare/check', after: ['prepare/check/lint', 'prepare/check/each'] },
    { id: 'prepare', after: ['prepare/fetch', 'prepare/check'] },
  ]);
});

test('what a plan with groups would do names its steps only', () => {
  const { tracks, criticalPath, spanMs } = forecast(parsePlan(NIGHTLY, 'plan.yaml'), 1);
  expect(tracks).toEqual([['prepare/fetch', 'list', 'prepare/check/lint', 'prepare/check/each', 'ship']]);
  expect([criticalPath, spanMs]).toEqual([['prepare/fetch', 'prepare/check/lint', 'ship'], 4_000]);
});

function refusal(steps: string): string[] {
  try {
    parsePlan(`name: n\nsteps:\n${steps}`, 'plan.yaml');
  } catch (error) {
    const { code, message } = error as PerdureError;
    return [code, ...message.split('\n')];
  }
  return [];
}

test.each([
  [
    '  - { id: g, steps: [] }\n',
    ['PLAN_INVALID', 'plan.yaml:3:14 steps[0].steps: expected at least one step, got an empty list'],
  ],
  [
    '  - { id: g, run: x, steps: [{ id: a, run: x }] }\n',
    ['PLAN_INVALID', 'plan.yaml:3:14 steps[0].run: a step with `steps` is a group, and has no `run`'],
  ],
  [
    '  - id: g\n    steps:\n      - { id: a, runs: x }\n',
    [
      'PLAN_INVALID',
      'plan.yaml:5:9 steps[0].steps[0]: a step needs one of `run`, a shell command, `module`, a function to call, and `thread`, a function to call in a thread',
      'plan.yaml:5:18 steps[0].steps[0].runs: unknown key "runs"; did you mean "run"?',
    ],
  ],
  [
    '  - { id: g, steps: [{ id: a, run: x }] }\n  - { id: g, steps: [{ id: a, run: x }] }\n',
    [
      'PLAN_INVALID',
      'plan.yaml:4:7 steps[1].id: duplicate id "g", first given on line 3',
      'plan.yaml:4:24 steps[1].steps[0].id: duplicate id "g/a", first given on line 3',
    ],
  ],
  [
    '  - id: g\n    steps:\n      - { id: a, run: x, after: [b] }\n',
    [
      'PLAN_STEP_UNKNOWN',
      'plan.yaml:5:34 steps[0].steps[0].after[0]: step "g/a" comes after "b", which is not a step of the plan; did you mean "g"?',
    ],
  ],
  [
    '  - id: g\n    steps:\n      - { id: a, run: x, after: g }\n',
    [
      'PLAN_CYCLE',
      'plan.yaml:5:26 steps[0].steps[0].after: the plan has a cycle, in which each step waits for the next: g/a -> g -> g/a; drop one of these from an `after`',
    ],
  ],
  [
    '  - { id: a, run: x, for-each: lost }\n',
    [
      'PLAN_STEP_UNKNOWN',
      'plan.yaml:3:22 steps[0].for-each: step "a" comes after "lost", which is not a step of the plan; the plan has "a"',
    ],
  ],
  [
    '  - { id: l, run: x }\n  - { id: a, run: x, for-each: { from: l, limit: 0 } }\n',
    [
      'PLAN_INVALID',
      'plan.yaml:4:43 steps[1].for-each.limit: expected the most items, a whole number from 1, got the number 0',
    ],
  ],
])('%j is refused with its place', (steps, lines) => {
  expect(refusal(steps)).toEqual(lines);
});

test('steps nested nine deep are refused, and no more is said of them', () => {
  const nested = (depth: number): object =>
    depth === 1 ? { id: 's', run: 'x' } : { id: 'g', steps: [nested(depth - 1)] };
  const [code, line] = refusal(`  - ${JSON.stringify(nested(9))}\n`);
  expect([code, line]).toEqual(['PLAN_INVALID', expect.stringMatching(/: expected steps nested at most 8 deep$/)]);
  expect(refusal(`  - ${JSON.stringify(nested(8))}\n`)).toEqual([]);
});

test('a run of groups and a fan-out hands items and results on, and runs again only what failed', async () => {
  const cli = Cli.compile();
  const cwd = tempFolder();
  const each =
    'test "$PERDURE_ITEM" != bad -o -e mended && echo "\\"$PERDURE_INDEX $PERDURE_ITEM\\"" | tee -a log > "$PERDURE_OUTPUT"';
  const steps = [
    { id: 'names', run: `echo '["one","bad","three"]' > "$PERDURE_OUTPUT"` },
    { id: 'work', steps: [{ id: 'each', run: each, 'for-each': 'names' }] },
    {
      id: 'sizes',
      module: './size.mjs#size',
      'for-each': { from: 'names', 'at-once': 1 },
      input: { unit: 'letters' },
    },
    { id: 'told', run: 'cat "$PERDURE_INPUT" > told', after: ['work', 'sizes'] },
  ];
  writeFileSync(join(cwd, 'plan.json'), JSON.stringify({ name: 'nightly', policy: 'skip-dependants', steps }));
  writeFileSync(join(cwd, 'size.mjs'), 'export const size = ({ item, input }) => `${item.length} ${input.unit}`;');
  const failed = await cli.run(['run', 'plan.json'], { cwd });
  expect([failed.code, failed.stdout]).toEqual([1, expect.stringMatching(/work\/each\[1\]\s+failed/)]);
  writeFileSync(join(cwd, 'mended'), '');
  const mended = await cli.run(['run', 'plan.json', '--retry'], { cwd });
  expect([mended.code, mended.stderr]).toEqual([0, expect.any(String)]);
  expect(readFileSync(join(cwd, 'log'), 'utf8').trim().split('\n').toSorted()).toEqual([
    '"0 one"',
    '"1 bad"',
    '"2 three"',
  ]);
  expect(JSON.parse(readFileSync(join(cwd, 'told'), 'utf8'))).toEqual({
    work: { each: ['0 one', '1 bad', '2 three'] },
    sizes: ['3 letters', '3 letters', '5 letters'],
  });
  const shown = await cli.run(['show', 'nightly:1'], { cwd });
  expect(shown.stdout).toMatch(
    /^progress .*\nnightly:1 +100% +ok +8 of 8\n {2}names +100% +ok\n {2}work +100% +ok +3 of 3\n/,
  );
}, 60_000);
