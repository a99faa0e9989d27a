import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { definitionOf, parsePlan, readPlanFile } from '../../bin/plan-file.ts';
import type { PlanStep } from '../../bin/plan-file.ts';
import { PerdureError } from '../../errors.ts';

const FILE = resolve('plans/plan.yaml');

const NIGHTLY = `name: nightly
policy: skip-dependants
concurrency: 2
steps:
  - { id: lint, run: npx oxlint . }
  - id: test
    run: npm test
    after: [lint]
    cwd: packages/core
    env: { CI: "1", N: 3, DRY: false }
    timeout: 10m
    retry: 3
    fallback: echo none
    estimate: 30s
  - { id: resize, module: ./steps.mjs#resize, input: { width: 200 } }
`;

function thrownBy(run: () => unknown): PerdureError {
  try {
    run();
  } catch (error) {
    if (error instanceof PerdureError) return error;
    throw error;
  }
  throw new Error('expected a PerdureError, got none');
}

function refusal(text: string, file = 'plan.yaml'): PerdureError {
  return thrownBy(() => parsePlan(text, file));
}

/** The lines of the message for a plan with one step in flow style, written on line 3. */
function linesFor(step: string): string[] {
  return refusal(`name: n\nsteps:\n  - {${step}}\n`).message.split('\n');
}

function stepFrom(step: string): PlanStep {
  return parsePlan(`name: n\nsteps:\n  - {${step}}\n`, FILE).steps[0]!;
}

describe('a plan', () => {
  test('is read with its defaults filled in and its paths absolute', () => {
    expect(parsePlan(NIGHTLY, FILE)).toEqual({
      name: 'nightly',
      policy: 'skip-dependants',
      concurrency: 2,
      groups: [],
      file: FILE,
      steps: [
        { kind: 'command', id: 'lint', run: 'npx oxlint .', after: [] },
        {
          kind: 'command',
          id: 'test',
          run: 'npm test',
          after: ['lint'],
          cwd: resolve('plans/packages/core'),
          env: { CI: '1', N: '3', DRY: 'false' },
          timeoutMs: 600_000,
          retry: { attempts: 3, delayMs: 1_000, capMs: 30_000 },
          fallback: 'echo none',
          estimateMs: 30_000,
        },
        {
          kind: 'module',
          id: 'resize',
          module: resolve('plans/steps.mjs'),
          export: 'resize',
          input: { width: 200 },
          after: [],
        },
      ],
    });
  });

  test('stops at a failure unless it says otherwise, and leaves concurrency to whoever runs it', () => {
    const plan = parsePlan('{ name: n, steps: [{ id: a, run: ls }] }', FILE);
    expect(plan.policy).toBe('stop');
    expect(plan).not.toHaveProperty('concurrency');
  });

  test('is the same in JSON, tabs and byte order mark included', () => {
    const json = {
      name: 'n',
      steps: [
        { id: 'a', run: 'echo "\u{1F600}"', env: { N: 1 } },
        { id: 'b', run: 'ls', after: 'a' },
      ],
    };
    const plan = parsePlan(JSON.stringify(json, null, '\t'), FILE);
    expect(plan).toEqual(parsePlan(JSON.stringify(json), FILE));
    expect(plan).toEqual(parsePlan(`\uFEFF${JSON.stringify(json)}`, FILE));
    expect(plan.steps[0]).toMatchObject({ run: 'echo "\u{1F600}"', env: { N: '1' } });
    expect(plan.steps[1]!.after).toEqual(['a']);
  });

  test('is refused with the same messages in JSON', () => {
    const error = refusal(
      '{\n\t"name": "n",\n\t"steps": [{ "id": "a", "run": "ls", "timeout": "soon" }]\n}',
      'plan.json',
    );
    expect(error.message).toBe(
      'plan.json:3:38 steps[0].timeout: expected a duration such as 90s or 10m (up to 596h), got "soon"',
    );
  });

  test('never has ${} or templates filled in', () => {
    expect(stepFrom('id: a, run: "echo ${HOME} {{x}} $(y)"')).toMatchObject({ run: 'echo ${HOME} {{x}} $(y)' });
  });

  test('may use anchors, and knows no merge keys', () => {
    const plan = parsePlan(
      'name: n\nsteps:\n  - {id: a, run: ls, env: &e {A: 1.0}}\n  - {id: b, run: ls, env: *e}\n',
      FILE,
    );
    expect(plan.steps[1]).toMatchObject({ env: { A: '1.0' } });
    expect(linesFor('id: a, run: ls, <<: {cwd: x}')).toEqual([expect.stringContaining('unknown key "<<"')]);
  });
});

describe('a step', () => {
  test.each([
    ['90', 90_000],
    ['1.5', 1_500],
    ['500ms', 500],
    ['90s', 90_000],
    ['10m', 600_000],
    ['1.5h', 5_400_000],
  ])('may take %s', (written, timeoutMs) => {
    expect(stepFrom(`id: a, run: ls, timeout: ${written}`)).toMatchObject({ timeoutMs });
  });

  test.each(['soon', '"90"', '-1', '1d', '1h30m', '.nan', '.inf', '600h', '', '[1s]'])('cannot take %s', (written) => {
    expect(linesFor(`id: a, run: ls, timeout: ${written}`)).toEqual([
      expect.stringMatching(
        /^plan\.yaml:3:22 steps\[0]\.timeout: expected a duration such as 90s or 10m \(up to 596h\), got /,
      ),
    ]);
  });

  test('has time to run, but may be expected to take none', () => {
    expect(linesFor('id: a, run: ls, timeout: 0')[0]).toContain('longer than 0, got the number 0');
    expect(stepFrom('id: a, run: ls, estimate: 0').estimateMs).toBe(0);
  });

  test('is retried as its retry says', () => {
    const retryOf = (written: string) => stepFrom(`id: a, run: ls, retry: ${written}`).retry;
    expect(retryOf('{ attempts: 3, delay: 2s, cap: 1m }')).toEqual({ attempts: 3, delayMs: 2_000, capMs: 60_000 });
    expect(retryOf('{ attempts: 2 }')).toEqual({ attempts: 2, delayMs: 1_000, capMs: 30_000 });
    expect(retryOf('{ delay: 1m }')).toEqual({ attempts: 1, delayMs: 60_000, capMs: 60_000 });
    expect(linesFor('id: a, run: ls, retry: 0')[0]).toContain('a whole number from 1, got the number 0');
    expect(linesFor('id: a, run: ls, retry: {atempts: 2, delay: 2s, cap: 1s}')).toEqual([
      expect.stringMatching(/:30 steps\[0]\.retry\.atempts: unknown key "atempts"; did you mean "attempts"\?$/),
      expect.stringMatching(/:53 steps\[0]\.retry\.cap: expected the cap to be no shorter than the delay/),
    ]);
  });

  test('passes numbers on as they are written', () => {
    const env = '{ V: 1.10, HEX: 0x10, BIG: 12345678901234567890, ZERO: 007, ON: true, TEXT: "1.10" }';
    expect(stepFrom(`id: a, run: ls, env: ${env}`)).toMatchObject({
      env: { V: '1.10', HEX: '0x10', BIG: '12345678901234567890', ZERO: '007', ON: 'true', TEXT: '1.10' },
    });
  });

  test('has an environment of names and scalars', () => {
    expect(linesFor('id: a, run: ls, env: {A: , B: [1], "C=D": x, E: "a\\0b"}')).toEqual([
      'plan.yaml:3:28 steps[0].env.A: expected text, a number or a boolean, got nothing',
      'plan.yaml:3:33 steps[0].env.B: expected text, a number or a boolean, got a list',
      'plan.yaml:3:41 steps[0].env["C=D"]: expected a name without "=" and NUL characters',
      'plan.yaml:3:51 steps[0].env.E: expected text without NUL characters',
    ]);
  });

  test('is a command or a call of a module, and nothing of both', () => {
    expect(linesFor('id: a')).toEqual([
      'plan.yaml:3:5 steps[0]: a step needs one of `run`, a shell command, `module`, a function to call, and `thread`, a function to call in a thread',
    ]);
    expect(linesFor('id: a, run: ls, module: ./a.mjs')[0]).toContain('not both');
    expect(linesFor('id: a, module: ./a.mjs, cwd: x')[0]).toContain('only a step with `run` has `cwd`');
    expect(linesFor('id: a, run: ls, input: 1')[0]).toContain('only a step with `module` or `thread` has `input`');
  });

  test('is a command that YAML takes for text', () => {
    expect(linesFor('id: a, run: true')[0]).toMatch(
      /expected a shell command as text \(in quotes, .*got the boolean true$/,
    );
    expect(linesFor('id: a, run: " "')[0]).toContain('got " "');
  });

  test('has an id that is safe everywhere', () => {
    for (const id of ['1', 'a b', '""', 'ä', 'x'.repeat(101)]) {
      expect(linesFor(`id: ${id}, run: ls`)[0]).toContain('steps[0].id: expected an id of 1 to 100 letters');
    }
    expect(linesFor('run: ls')).toEqual(['plan.yaml:3:5 steps[0].id: a step needs `id`']);
    expect(stepFrom('id: constructor, run: ls').id).toBe('constructor');
  });

  test('names a module by its path and an export', () => {
    expect(stepFrom('id: a, module: ./a.mjs')).toMatchObject({ module: resolve('plans/a.mjs'), export: 'default' });
    expect(stepFrom('id: a, module: "/x/b#c.mjs#default"')).toMatchObject({ module: resolve('/x/b#c.mjs') });
    for (const bad of ['"#x"', '"./a.mjs#"', '"./a.mjs#a-b"', 'https://x.y/a.mjs', 'node:fs']) {
      expect(linesFor(`id: a, module: ${bad}`)[0]).toContain('steps[0].module: expected the ');
    }
  });

  test('names a TypeScript module only where Node strips types', () => {
    const features = process.features as { typescript?: unknown };
    const read = (): unknown => stepFrom('id: a, module: ./a.ts#run');
    if (features.typescript) {
      expect(read()).toMatchObject({ module: resolve('plans/a.ts') });
      return;
    }
    const { message } = thrownBy(read);
    expect(message).toContain(
      `Node ${process.versions.node} does not strip types; Node 22.18 and later, and 23.6 and later, do.`,
    );
    expect(message).toContain('.mjs');
    if (Object.hasOwn(features, 'typescript')) return;
    Object.defineProperty(features, 'typescript', { value: 'strip', configurable: true });
    try {
      expect(read()).toMatchObject({ module: resolve('plans/a.ts') });
    } finally {
      delete features.typescript;
    }
  });

  test('gives its module JSON and nothing else', () => {
    expect(stepFrom('id: a, module: ./a.mjs, input: null')).toHaveProperty('input', null);
    expect(stepFrom('id: a, module: ./a.mjs')).not.toHaveProperty('input');
    expect(linesFor('id: a, module: ./a.mjs, input: {x: [.inf]}')[0]).toContain(
      'expected JSON data, got the number Infinity',
    );
    expect(linesFor('id: a, module: ./a.mjs, input: &x [*x]')[0]).toContain('the alias *x is inside its own anchor');
    const deep = '['.repeat(300) + ']'.repeat(300);
    expect(linesFor(`id: a, module: ./a.mjs, input: ${deep}`)[0]).toContain('nested no deeper than 200');
  });
});

describe('what is wrong with a plan', () => {
  test('is said all at once, in the order of the file, each with its place', () => {
    const error = refusal(`name: ""
polcy: stop
policy: skip-dependents
concurrency: 0
steps:
  - id: a
    run: 7
    timeout: soon
    constructor: 1
  - id: a
    run: ls
    after: [lnt]
  - not a step
`);
    expect(error.code).toBe('PLAN_INVALID');
    expect(error.message.split('\n')).toEqual([
      'plan.yaml:1:1 name: expected a name of 1 to 100 characters on one line, got ""',
      'plan.yaml:2:1 polcy: unknown key "polcy"; did you mean "policy"?',
      'plan.yaml:3:1 policy: expected stop, continue or skip-dependants, got "skip-dependents"; did you mean "skip-dependants"?',
      'plan.yaml:4:1 concurrency: expected the number of steps that may run at a time, a whole number from 1, got the number 0',
      'plan.yaml:7:5 steps[0].run: expected a shell command as text (in quotes, if YAML takes it for something else), got the number 7',
      'plan.yaml:8:5 steps[0].timeout: expected a duration such as 90s or 10m (up to 596h), got "soon"',
      'plan.yaml:9:5 steps[0].constructor: unknown key "constructor"; expected one of id, after, estimate, timeout, retry, inputs, outputs, deadline, component, when-open, impact, reversible, summary, confidence, approval, optional, queue, key, quality-floor, below-floor, fallback, undo, run, cwd, env, module, thread, input, for-each, steps',
      'plan.yaml:13:5 steps[2]: expected a step, which is a mapping, got "not a step"',
    ]);
    expect(error.facts).toMatchObject({ file: resolve('plan.yaml') });
    expect((error.facts['problems'] as unknown[])[1]).toEqual({
      line: 2,
      column: 1,
      path: 'polcy',
      message: 'unknown key "polcy"; did you mean "policy"?',
    });
  });

  test('includes its graph although other things are wrong, as long as every step has an id', () => {
    const error = refusal(
      'name: n\nsteps:\n  - {id: a, run: ls}\n  - {id: a, run: ls}\n  - {id: b, run: 1, after: [a, lnt]}\n',
    );
    expect(error.code).toBe('PLAN_INVALID');
    expect(error.message.split('\n')).toEqual([
      'plan.yaml:4:6 steps[1].id: duplicate id "a", first given on line 3',
      expect.stringMatching(/^plan\.yaml:5:13 steps\[2]\.run: /),
      'plan.yaml:5:32 steps[2].after[1]: step "b" comes after "lnt", which is not a step of the plan; the plan has "a", "b"',
    ]);
  });

  test('is an unknown dependency, with its place and its own code', () => {
    const error = refusal('name: n\nsteps:\n  - {id: lint, run: ls}\n  - id: b\n    run: ls\n    after: lnt\n');
    expect(error).toMatchObject({ code: 'PLAN_STEP_UNKNOWN', facts: { unknown: [{ closest: ['lint'] }] } });
    expect(error.message).toBe(
      'plan.yaml:6:5 steps[1].after: step "b" comes after "lnt", which is not a step of the plan; did you mean "lint"?',
    );
  });

  test('is a cycle, with its place and its own code', () => {
    const error = refusal(
      'name: n\nsteps:\n  - {id: a, run: ls, after: [c]}\n  - {id: b, run: ls, after: [a]}\n  - {id: c, run: ls, after: [b]}\n',
    );
    expect(error).toMatchObject({ code: 'PLAN_CYCLE', facts: { cycle: ['a', 'c', 'b'] } });
    expect(error.message).toMatch(/^plan\.yaml:3:30 steps\[0]\.after\[0]: .*a -> c -> b -> a/);
    expect(error.facts['problems']).toHaveLength(1);
  });

  test.each([
    ['name: n\nsteps: [1,2\nx: 3', /^plan\.yaml:3:1: Flow sequence/],
    ['name: n\nname: m\nsteps: []', /^plan\.yaml:2:1 name: duplicate key "name", first given on line 1$/],
    [
      'name: n\nsteps:\n  - {id: a, run: x, run: y}',
      /^plan\.yaml:3:21 steps\[0]\.run: duplicate key "run", first given on line 3$/,
    ],
    ['name: n\nsteps: [{id: a, run: x, env: {__proto__: y}}]', /"__proto__" cannot be a key$/],
    ['name: n\n---\nname: m', /^plan\.yaml:2:1: expected one document/],
    ['name: !js x\nsteps: []', /^plan\.yaml:1:7: Unresolved tag: !js$/],
    ['name: *x', /^plan\.yaml:1:7 name: the alias \*x has no anchor &x before it$/],
    ['? [a]\n: b', /expected a key to be text, got an alias, a list or a mapping$/],
    ['['.repeat(20_000), /^plan\.yaml:1:\d+: lists and mappings are nested too deeply to be read$/],
    ['', /^plan\.yaml:1:1: expected a plan, got an empty file$/],
    ['# nothing\n', /^plan\.yaml:1:1: expected a plan, got an empty file$/],
    ['- a', /^plan\.yaml:1:1: expected a plan, which is a mapping with `name` and `steps`, got a list$/],
    ['just text', /got "just text"$/],
    ['{}', /^plan\.yaml:1:1 name: a plan needs `name`\nplan\.yaml:1:1 steps: a plan needs `steps`$/],
    ['name: n\nsteps: []', /^plan\.yaml:2:1 steps: expected at least one step, got an empty list$/],
    ['name: n\nsteps: {a: 1}', /^plan\.yaml:2:1 steps: expected a list of steps, got a mapping$/],
  ])('is found in %j', (text, message) => {
    const error = refusal(text);
    expect(error.code).toBe('PLAN_INVALID');
    expect(error.message).toMatch(message);
  });

  test('is an alias that stands for too much', () => {
    const levels = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi']) {
      levels.push(`${to}: &${to} [${Array.from({ length: 9 }, () => `*${from}`).join(', ')}]`);
    }
    expect(refusal(levels.join('\n')).message).toContain('aliases stand for more than 100 values');
  });

  test('stays readable when there is a lot of it', () => {
    const steps = Array.from({ length: 200 }, (_, i) => `  - {id: s${i}, run: 1}`).join('\n');
    const error = refusal(`name: n\nsteps:\n${steps}\n`);
    expect(error.message.split('\n')).toHaveLength(51);
    expect(error.message).toMatch(/and 150 more problems$/);
    expect(error.facts['problems']).toHaveLength(200);
  });

  test('never makes the reader fail in another way, whatever the text', () => {
    const scrap = fc.constantFrom(
      'name',
      'steps',
      'id',
      'run',
      'after',
      'env',
      'retry',
      ': ',
      '- ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '&a ',
      '*a',
      '"',
      '#',
      'x',
      '1',
      '!t ',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(scrap, { maxLength: 40 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          text.map((rest) => `name: n\nsteps:\n  - ${rest}`),
        ),
        (written) => {
          try {
            parsePlan(written, FILE);
          } catch (error) {
            expect(error).toBeInstanceOf(PerdureError);
            for (const { line, column } of (error as PerdureError).facts['problems'] as {
              line: number;
              column: number;
            }[]) {
              expect(Math.min(line, column)).toBeGreaterThanOrEqual(1);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a plan file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'perdure-plan-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function written(name: string, content: string | Uint8Array): string {
    const file = join(folder, name);
    writeFileSync(file, content);
    return file;
  }

  test('is read from the disk, and its paths start from its folder', () => {
    const file = written('nightly.yml', NIGHTLY);
    const plan = readPlanFile(file);
    expect(plan.file).toBe(file);
    expect(plan.steps[2]).toMatchObject({ module: join(folder, 'steps.mjs') });
  });

  test('is refused when there is none, or something else, and the path is named', () => {
    const missing = join(folder, 'missing.yaml');
    const inner = join(folder, 'inner');
    mkdirSync(inner);
    expect(thrownBy(() => readPlanFile(missing))).toMatchObject({
      code: 'PLAN_INVALID',
      message: `expected a plan file at ${missing}, got nothing: there is no such file`,
    });
    expect(thrownBy(() => readPlanFile(inner)).message).toBe(`expected a plan file at ${inner}, got a folder`);
    expect(thrownBy(() => readPlanFile(join(folder, 'a\0b'))).code).toBe('PLAN_INVALID');
  });

  test('is refused beyond 1 MB, and when it is not UTF-8', () => {
    const large = written('large.yaml', '#'.repeat(1024 * 1024 + 1));
    expect(thrownBy(() => readPlanFile(large)).message).toContain('at most 1 MB (1048576 bytes)');
    const utf16 = written('utf16.yaml', Buffer.from('\uFEFFname: n', 'utf16le'));
    expect(thrownBy(() => readPlanFile(utf16)).message).toContain('got bytes that are not UTF-8');
  });

  test('names what is wrong by a path that can be opened', () => {
    const file = written('bad.yaml', 'name: n\nsteps: []\n');
    expect(thrownBy(() => readPlanFile(file)).message).toContain(`${file}:2:1 steps: `);
  });
});

describe('the definition of a step', () => {
  test('does not depend on the order of keys and dependencies, nor on id and timing', () => {
    const one = parsePlan(
      'name: n\nsteps:\n  - {id: x, run: ls}\n  - {id: y, run: ls}\n  - {id: a, run: ls, env: {B: 1, A: 2}, after: [y, x], fallback: f}\n',
      FILE,
    );
    const two = parsePlan(
      'name: n\nsteps:\n  - {id: x, run: ls}\n  - {id: y, run: ls}\n  - {fallback: f, after: [x, y], env: {A: 2, B: 1}, run: ls, id: b, timeout: 1m, retry: 2, estimate: 5}\n',
      FILE,
    );
    expect(definitionOf(two.steps[2]!)).toBe(definitionOf(one.steps[2]!));
    expect(definitionOf(one.steps[2]!)).toBe(
      '{"after":["x","y"],"env":{"A":"2","B":"1"},"fallback":"f","kind":"command","run":"ls"}',
    );
  });

  test('does not depend on the order of keys at any depth of the input', () => {
    const reordered = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reordered);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([key, member]) => [key, reordered(member)]),
      );
    };
    const base = { kind: 'module', id: 'a', module: '/m.mjs', export: 'default', after: [], estimateMs: 1 } as const;
    fc.assert(
      fc.property(fc.jsonValue(), (input) => {
        const text = definitionOf({ ...base, input });
        expect(definitionOf({ ...base, input: reordered(input) })).toBe(text);
        expect(JSON.parse(text)).toEqual(
          JSON.parse(JSON.stringify({ kind: 'module', after: [], module: '/m.mjs', export: 'default', input })),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('changes with everything that makes the result', () => {
    const texts = [
      'id: a, run: ls',
      'id: a, run: ls -l',
      'id: a, run: ls, cwd: x',
      'id: a, run: ls, env: {A: 1}',
      'id: a, run: ls, fallback: f',
      'id: a, module: ./a.mjs',
      'id: a, module: ./b.mjs',
      'id: a, module: ./a.mjs#b',
      'id: a, module: ./a.mjs, input: 1',
      'id: a, module: ./a.mjs, input: null',
    ].map((step) => definitionOf(stepFrom(step)));
    expect(new Set(texts).size).toBe(texts.length);
  });
});
