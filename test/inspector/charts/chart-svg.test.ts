import fc from 'fast-check';
import { createMachine } from 'xstate';
import { expect, test } from 'vitest';
import { drawSvg } from '../../../inspector/charts/chart-drawing.ts';
import { roundedPath } from '../../../inspector/charts/chart-svg.ts';
import { chartOf } from '../../../inspector/charts/chart-of.ts';

/** Whether it is well-formed: every tag is closed in its order, and text holds no markup. */
function expectWellFormed(svg: string): void {
  const open: string[] = [];
  let end = 0;
  for (const { 0: tag, index, groups = {} } of svg.matchAll(
    /<(?<close>\/?)(?<name>[a-z]+)(?:\s[^<>]*?)?(?<empty>\/?)>/gi,
  )) {
    expect(svg.slice(end, index)).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;|#39;)/);
    end = index + tag.length;
    if (groups['close'] === '/') expect(open.pop()).toBe(groups['name']);
    else if (groups['empty'] === '') open.push(groups['name'] as string);
  }
  expect(open).toEqual([]);
}

const svgOfNamed = (name: string) =>
  drawSvg(
    chartOf(
      createMachine({
        id: name,
        description: name,
        initial: 'a',
        entry: [name],
        states: {
          a: { tags: [name], on: { [name]: { target: 'b', guard: name, actions: [name] } } },
          b: { description: name },
        },
      }),
    ),
  );

test('is well-formed, and stands alone', async () => {
  const svg = await svgOfNamed('plain');
  expectWellFormed(svg);
  expect(svg).toMatch(
    /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="\d+" height="\d+" viewBox="0 0 \d+ \d+" role="img">/,
  );
  expect(svg).toContain('prefers-color-scheme: dark');
  expect(svg).not.toMatch(/href|url\((?!#)|@import|<script|<foreignObject/i);
});

test.each([
  '<script>alert(1)</script>',
  '"onload="x',
  "'>",
  ']]>',
  '&lt;',
  '\u0000\u0008\ud800',
  'a\nb',
  '</title><g onclick="x">',
])('of a machine named %j is nothing but text', async (name) => {
  const svg = await svgOfNamed(name);
  expectWellFormed(svg);
  expect(svg).not.toMatch(/<script|<g on|"onload/);
  // oxlint-disable-next-line no-control-regex
  expect(svg).not.toMatch(/[\u0000-\u0008]|\p{Surrogate}/u);
});

test('of any name is well-formed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', minLength: 1 }).filter((text) => text !== '__proto__'),
      async (name) => expectWellFormed(await svgOfNamed(name)),
    ),
    { numRuns: 40 },
  );
});

test('says in words what it shows', async () => {
  expect(await svgOfNamed('go')).toContain('<desc>a goes to b: go.</desc>');
});

test('paths have round corners, but where there is no room', () => {
  expect(roundedPath([])).toBe('');
  expect(
    roundedPath([
      { x: 0, y: 0 },
      { x: 0, y: 20 },
    ]),
  ).toBe('M0 0L0 20');
  expect(
    roundedPath([
      { x: 0, y: 0 },
      { x: 0, y: 20 },
      { x: 4, y: 20 },
    ]),
  ).toBe('M0 0L0 14Q0 20 2 20L4 20');
});
