import { expect, test } from 'vitest';
import type { PerdureError } from '../../errors.ts';
import { checkGraph } from '../../machines/graph.ts';
import { DEEPEST, flattened } from '../../machines/nesting.ts';

interface Step {
  readonly id: string;
  readonly after?: readonly string[];
  readonly steps?: readonly Step[];
}

function edges(steps: readonly Step[]): Record<string, readonly string[]> {
  return Object.fromEntries(flattened<Step>(steps).map(({ id, after }) => [id, after]));
}

function codeOf(steps: readonly Step[]): unknown {
  try {
    checkGraph(flattened<Step>(steps).map(({ id, after }) => ({ id, after, estimateMs: 1 })));
    return 'none';
  } catch (error) {
    return (error as PerdureError).code;
  }
}

test('a group comes after all that is in it, and all that is in it after what the group comes after', () => {
  expect(
    edges([
      { id: 'fetch' },
      { id: 'build', after: ['fetch'], steps: [{ id: 'compile' }, { id: 'link', after: ['compile'] }] },
      { id: 'ship', after: ['build'] },
    ]),
  ).toEqual({
    fetch: [],
    'build/compile': ['fetch'],
    'build/link': ['build/compile', 'fetch'],
    build: ['build/compile', 'build/link'],
    ship: ['build'],
  });
});

test('a name is looked for beside the step first, then outwards, and from the plan itself when it begins with a slash', () => {
  const inner: Step[] = [
    { id: 'a' },
    { id: 'near', after: ['a'] },
    { id: 'far', after: ['/a'] },
    { id: 'path', after: ['other/a'] },
  ];
  const found = edges([{ id: 'a' }, { id: 'g', steps: inner }, { id: 'other', steps: [{ id: 'a' }] }]);
  expect(found['g/near']).toEqual(['g/a']);
  expect(found['g/far']).toEqual(['a']);
  expect(found['g/path']).toEqual(['other/a']);
});

test('as many edges as were written: two groups of a thousand steps, one after the other, have no million', () => {
  const many = Array.from({ length: 1_000 }, (_, n) => ({ id: `s${n}` }));
  const flat = flattened<Step>([
    { id: 'one', steps: many },
    { id: 'two', after: ['one'], steps: many },
  ]);
  expect(flat.reduce((sum, { after }) => sum + after.length, 0)).toBe(3_000);
});

test('a step that waits for its own group, itself, or nothing there is, and an id that is taken twice, are refused', () => {
  expect(codeOf([{ id: 'g', steps: [{ id: 'a', after: ['g'] }] }])).toBe('PLAN_CYCLE');
  expect(codeOf([{ id: 'g', steps: [{ id: 'a', after: ['a'] }] }])).toBe('PLAN_CYCLE');
  expect(codeOf([{ id: 'g', steps: [{ id: 'a', after: ['h/a'] }] }])).toBe('PLAN_STEP_UNKNOWN');
  expect(codeOf([{ id: 'g', steps: [{ id: 'a' }, { id: 'a' }] }])).toBe('PLAN_INVALID');
  expect(
    codeOf([
      { id: 'g', after: ['h/b'], steps: [{ id: 'a' }] },
      { id: 'h', steps: [{ id: 'b', after: ['g/a'] }] },
    ]),
  ).toBe('PLAN_CYCLE');
});

test('steps nest eight deep and no deeper', () => {
  const nested = (depth: number): Step => (depth === 1 ? { id: 's' } : { id: `g${depth}`, steps: [nested(depth - 1)] });
  expect(codeOf([nested(DEEPEST)])).toBe('none');
  expect(codeOf([nested(DEEPEST + 1)])).toBe('PLAN_INVALID');
});
