import { describe, expect, test } from 'vitest';
import { comparisonText, placeText, readComparison } from '../../../inspector/page/views/checkpoints/comparison.ts';
import type { TurnDifference } from '../../../persistence/compare-turns.ts';

function actor(change: 'added' | 'removed' | 'changed', name: string): TurnDifference {
  return { kind: 'actor', change, actor: name, paths: [], more: 0 };
}

function table(name: string, added: number, removed: number, changed: number): TurnDifference {
  return { kind: 'table', table: name, added, removed, changed, keys: { added: [], removed: [], changed: [] } };
}

describe('what changed between two turns', () => {
  const differences = [
    table('steps', 0, 0, 2),
    actor('changed', 'queue'),
    actor('removed', 'action-b'),
    table('actions', 9, 0, 1),
    actor('changed', 'budget'),
    actor('added', 'action-c'),
  ];
  const read = readComparison({ differences });

  test('is told in one sentence', () => {
    expect(comparisonText(read)).toBe('2 actors changed, 1 actor came and 1 actor went; 12 rows differ in 2 tables');
    expect(comparisonText(readComparison({ differences: [table('a', 1, 0, 0)] }))).toBe('1 row differs in 1 table');
    expect(comparisonText(readComparison({ differences: [] }))).toBe('nothing differs');
  });

  test('comes first where something came or went, and where most rows differ', () => {
    expect(read.actors.map((one) => one.actor)).toEqual(['action-c', 'action-b', 'budget', 'queue']);
    expect(read.tables.map((one) => one.table)).toEqual(['actions', 'steps']);
  });
});

test.each([
  ['', 'everything'],
  ['/context/items/0/name', 'context.items[0].name'],
  ['/a~1b/c~0d', '["a/b"]["c~d"]'],
  ['/0', '0'],
  ['/context/$$type', 'context.$$type'],
])('the place %s is written %s', (path, text) => expect(placeText(path)).toBe(text));
