import { expect, test } from 'vitest';
import { HELD_MS, held } from '../../../inspector/page/views/approvals/held.ts';

const open = (...ids: string[]) => ids.map((id) => ({ id }));
const shown = (cards: ReturnType<typeof held>) =>
  cards.map(({ item, goneAt }) => (goneAt === null ? '' : '-') + item.id);

test('what is decided keeps its place for a while, and what is new comes last', () => {
  const first = held([], open('a', 'b', 'c'), 0);
  const then = held(first, open('a', 'c', 'd'), 1_000);
  expect(shown(then)).toEqual(['a', '-b', 'c', 'd']);
  // However often it is drawn meanwhile, and whatever else is decided.
  const later = held(then, open('c', 'd'), 1_000 + HELD_MS - 1);
  expect(shown(later)).toEqual(['-a', '-b', 'c', 'd']);
  expect(shown(held(later, open('c', 'd'), 1_000 + HELD_MS))).toEqual(['-a', 'c', 'd']);
});

test('what is open again is what it is now', () => {
  const then = held(held([], open('a', 'b'), 0), open('b'), 1);
  expect(shown(held(then, open('a', 'b'), 2))).toEqual(['a', 'b']);
});
