import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { matchOf } from '../../../inspector/page/frame/match.ts';
import { nextSort, sorted } from '../../../inspector/page/sort.ts';

test('letters in order match, those that are not there do not, and the places that match are those letters', () => {
  expect(matchOf('dl', 'Dead letters')?.at).toEqual([0, 5]);
  expect(matchOf('xyz', 'Dead letters')).toBeNull();
  assert(
    property(string({ maxLength: 4 }), string({ maxLength: 40 }), (typed, text) => {
      const match = matchOf(typed, text);
      if (match === null) return;
      const found = match.at.map((at) => text.toLowerCase().charAt(at)).join('');
      expect(found).toBe(typed.toLowerCase().replaceAll(' ', ''));
    }),
  );
});

test('a whole word at the beginning is better than one inside, and that than scattered letters', () => {
  const score = (text: string): number => matchOf('plan', text)!.score;
  expect(score('Plans')).toBeGreaterThan(score('supplant'));
  expect(score('supplant')).toBeGreaterThan(score('a p-l-a-n'));
});

test('a click on a head sorts up, then down, then not at all, and what has no value is last both ways', () => {
  expect([nextSort('', 'n'), nextSort('n', 'n'), nextSort('-n', 'n'), nextSort('m', 'n')]).toEqual([
    'n',
    '-n',
    '',
    'n',
  ]);
  const rows = [{ n: 2 }, { n: null }, { n: 1 }];
  const by = ({ n }: { n: number | null }): number | null => n;
  expect(sorted(rows, by, 'n').map(by)).toEqual([1, 2, null]);
  expect(sorted(rows, by, '-n').map(by)).toEqual([2, 1, null]);
  expect(sorted(rows, by, '')).toBe(rows);
});
