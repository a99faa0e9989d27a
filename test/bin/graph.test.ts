/** `perdure graph`, compiled, as its users have it. */
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Chart } from '../../inspector/charts/chart.ts';
import { Cli } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

let cli: Cli;
let folder: string;
beforeAll(() => {
  cli = Cli.compile();
  folder = tempFolder();
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  const machine = (id: string) =>
    `export const ${id} = createMachine({ id: '${id}', initial: 'a', states: { a: { on: { go: 'b' } }, b: {} } });\n`;
  const imports = "import { createMachine } from 'xstate';\n";
  writeFileSync(join(folder, 'one.mjs'), imports + machine('order'));
  writeFileSync(join(folder, 'two.mjs'), imports + machine('order') + machine('invoice'));
  writeFileSync(join(folder, 'none.mjs'), 'export const order = 1;\n');
}, 60_000);

const graph = (...args: string[]) => cli.run(['graph', ...args], { cwd: folder });

test('lists our own machines', async () => {
  const { code, stdout } = await graph();
  expect(code).toBe(0);
  expect(stdout.split('\n')).toEqual(expect.arrayContaining(['action', 'executor', 'supervisor']));
});

test('draws one of ours as Mermaid, as SVG and as JSON', async () => {
  const [mermaid, svg, json] = await Promise.all([
    graph('action'),
    graph('action', '--svg'),
    graph('action', '--json'),
  ]);
  expect(mermaid.stdout).toMatch(/^stateDiagram-v2\n[^]*state "backingOff" as/);
  expect(svg.stdout).toMatch(/^<svg [^]*>backingOff<\/text>[^]*<\/svg>\n$/);
  expect((JSON.parse(json.stdout) as Chart).states.map(({ key }) => key)).toContain('backingOff');
  expect([mermaid, svg, json].map(({ code, stderr }) => [code, stderr])).toEqual([
    [0, ''],
    [0, ''],
    [0, ''],
  ]);
});

test('draws one that a module exports, into a file', async () => {
  expect(await graph('two.mjs#invoice', '--mermaid', '-o', 'invoice.mmd')).toMatchObject({ code: 0, stdout: '' });
  expect(readFileSync(join(folder, 'invoice.mmd'), 'utf8')).toContain('state "invoice" as s0 {');
  expect((await graph('./one.mjs')).stdout).toContain('state "order" as s0 {');
});

test.each([
  [['nope'], 3, /There is no machine "nope"; ours are action, .*\[MACHINE_NOT_FOUND\]/],
  [['two.mjs'], 3, /exports no machine as "default": its machines are invoice, order\. \[MACHINE_NOT_FOUND\]/],
  [['none.mjs#order'], 3, /it exports no machine\. \[MACHINE_NOT_FOUND\]/],
  [['missing.mjs'], 3, /missing\.mjs cannot be used: .*\[MODULE_UNLOADABLE\]/],
  [['one.mjs#not an export'], 2, /expected the name of an export.*\[OPTIONS_INVALID\]/],
  [['action', '--svg', '--json'], 2, /cannot be used with/],
])('says what is wrong with %j', async (args, code, message) => {
  const result = await graph(...args);
  expect(result.stderr).toMatch(message);
  expect(result).toMatchObject({ code, stdout: '' });
});
