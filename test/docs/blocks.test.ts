import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parsePlan } from '../../bin/plan-file.ts';

// Inside the repository, so that `perdure` resolves to the package itself.
const folder = resolve('work/readme-test');

interface Block {
  readonly language: string;
  readonly text: string;
}

function blocksOf(file: string): Block[] {
  const found = readFileSync(file, 'utf8').matchAll(/```(\w+)\n(.*?)```/gs);
  return [...found].map(([, language, text]) => ({ language: language as string, text: text as string }));
}

/** What a block says that it prints: the comments behind its console.log lines. */
function promisedOutput(text: string): string[] {
  return [...text.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, comment]) => comment as string);
}

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const javascript = ['README.md', 'docs/guide.md'].flatMap((file) =>
  blocksOf(file)
    .filter(({ language }) => language === 'js')
    .map(({ text }, index) => [index + 1, file, text] as const),
);

test.each(javascript)('JavaScript block %i of %s runs and prints what its comments say', (index, document, text) => {
  const file = join(folder, `${document.replace(/\W/g, '-')}-${index}.mjs`);
  writeFileSync(file, text);
  const printed = execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' });
  expect(printed.trim().split('\n')).toEqual(promisedOutput(text));
});

test.each(blocksOf('docs/guide.md').filter(({ language }) => language === 'yaml'))(
  'the plans of the guide are plans',
  ({ text }) => {
    expect(parsePlan(text, 'plan.yaml').steps.length).toBeGreaterThan(1);
  },
);

test('the plan of the README runs with the command under it', () => {
  const blocks = blocksOf('README.md');
  const plan = blocks.find(({ language }) => language === 'yaml') as Block;
  const command = blocks.find(({ text }) => text.startsWith('npx perdure run')) as Block;
  writeFileSync(join(folder, 'plan.yaml'), plan.text);
  const cli = resolve('dist/bin/perdure.js');
  const words = command.text.trim().split(' ').slice(2);
  const json = JSON.parse(
    execFileSync(process.execPath, [cli, ...words, '--json'], { cwd: folder, encoding: 'utf8' }),
  ) as {
    kind: string;
    steps: Record<string, { kind: string }> | { id: string; kind: string }[];
  };
  expect(json.kind).toBe('ok');
});
