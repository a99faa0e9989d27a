import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parsePlan } from '../../bin/plan-file.ts';
import { stepOptions } from '../../bin/plan-steps.ts';
import type { PerdureError } from '../../errors.ts';
import { Cli } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

function refusal(text: string): string[] {
  try {
    parsePlan(text, 'plan.yaml');
  } catch (error) {
    return (error as PerdureError).message.split('\n');
  }
  return [];
}

const step = (keys: string) => refusal(`name: n\nqueues: { mail: }\nsteps:\n  - { id: a, run: "true", ${keys} }\n`);
const top = (keys: string) => refusal(`name: n\n${keys}\nsteps: [{ id: a, run: "true" }]\n`);

test('a plan file declares queues and the limits of keys, and its steps name them', () => {
  const plan = parsePlan(
    `name: n
queues: { mail: { concurrency: 2, rate: { limit: 10, per: 1m }, priority: low }, plain: }
keys: { concurrency: 3, rate: { limit: 5, per: 2s } }
steps: [{ id: a, run: "true", queue: mail, key: ann }, { id: b, run: "true", queue: default }]
`,
    'plan.yaml',
  );
  expect([plan.queues, plan.keys]).toEqual([
    { mail: { concurrency: 2, rate: { limit: 10, perMs: 60_000 }, priority: 'low' }, plain: {} },
    { concurrency: 3, rate: { limit: 5, perMs: 2_000 } },
  ]);
  expect(stepOptions(plan)).toMatchObject([{ queue: 'mail', key: 'ann' }, { queue: 'default' }]);
});

test.each([
  [
    'queue: mial',
    '4:27 steps[0].queue: there is no queue "mial" (did you mean "mail"?): declare it in `queues` of the plan',
  ],
  ['queue: other', 'there is no queue "other" (expected one of default, mail): declare it in `queues` of the plan'],
  [
    'queue: 7',
    'expected the name of a queue: 1 to 100 letters, digits and _ . : / -, a letter or digit first, got the number 7',
  ],
  ['key: 7', 'expected a key as text, of 1 to 300 characters, got the number 7'],
  ['key: ""', 'expected a key as text, of 1 to 300 characters, got ""'],
])('a step with %s is refused', (keys, message) => {
  const lines = step(keys);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(message);
});

test.each([
  ['queues: []', 'queues: expected a mapping of queues, got an empty list'],
  [
    'queues: { " ": }',
    'expected the name of a queue: 1 to 100 letters, digits and _ . : / -, a letter or digit first, got " "',
  ],
  ['queues: { a: { concurency: 1 } }', 'queues.a.concurency: unknown key "concurency"; did you mean "concurrency"?'],
  ['queues: { a: { concurrency: 1001 } }', 'expected how many may run at a time, at most 1000, got the number 1001'],
  ['queues: { a: { rate: { limit: 1 } } }', 'queues.a.rate.per: a rate needs `per`'],
  ['queues: { a: { priority: hihg } }', 'expected critical, high, normal or low, got "hihg"; did you mean "high"?'],
  [
    'keys: { concurrency: 0 }',
    'keys.concurrency: expected how many may run at a time, a whole number from 1, got the number 0',
  ],
  ['keys: { rate: { limit: 1, per: 1s, x: 1 } }', 'keys.rate.x: unknown key "x"; expected one of limit, per'],
])('a plan with %s is refused', (keys, message) => {
  const lines = top(keys);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(message);
});

test('the steps of a key run one after the other in perdure run, and of a queue as many as it says', async () => {
  const cli = Cli.compile();
  const folder = tempFolder();
  // Whoever finds the folder of another says so.
  const alone = (name: string) => `mkdir ${name} || echo ${name} >> met; sleep 0.2; rmdir ${name}`;
  const steps = [1, 2, 3].flatMap((n) => [
    { id: `key-${n}`, run: alone('key'), key: 'k' },
    { id: `queue-${n}`, run: alone('queue'), queue: 'narrow' },
  ]);
  const plan = { name: 'n', concurrency: 6, queues: { narrow: { concurrency: 1 } }, steps };
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan));
  writeFileSync(join(folder, 'met'), '');
  const { code } = await cli.run(['run', 'plan.json'], { cwd: folder });
  expect([code, readFileSync(join(folder, 'met'), 'utf8')]).toEqual([0, '']);
}, 60_000);
