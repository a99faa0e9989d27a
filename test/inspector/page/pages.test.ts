import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cursorBefore,
  emptyList,
  isComplete,
  withPage,
  type Page,
  type SeqList,
} from '../../../inspector/page/views/work/pages.ts';

interface Item {
  readonly seq: number;
  readonly state: number;
}

/** What a server answers that holds these: it looks at so many numbers at most, and may find nothing in them. */
function served(all: readonly Item[], before: number | null, limit: number, lookedAt = 1000): Page<Item> {
  const rest = all.filter(({ seq }) => before === null || seq < before).toSorted((a, b) => b.seq - a.seq);
  const lowest = (rest[0]?.seq ?? 0) - lookedAt + 1;
  const found = rest.filter(({ seq }) => seq >= lowest);
  if (found.length > limit) return { items: found.slice(0, limit), next: found[limit - 1]!.seq };
  return { items: found, next: found.length < rest.length ? lowest : null };
}

const rows = fc.uniqueArray(fc.record({ seq: fc.integer({ min: 1, max: 200 }), state: fc.nat(3) }), {
  selector: ({ seq }) => seq,
  maxLength: 60,
});

describe('a list in pages', () => {
  test('is all that the server has, in its order, once the last page is there', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 30 }), (all, limit, lookedAt) => {
        let list: SeqList<Item> = withPage<Item>(emptyList, null, served(all, null, limit, lookedAt));
        while (!isComplete(list)) list = withPage(list, list.next, served(all, list.next, limit, lookedAt));
        expect(list.items).toEqual(served(all, null, 1000).items);
      }),
    );
  });

  test('is what the server has now wherever it was asked for again, and as it was elsewhere', () => {
    const sizes = fc.integer({ min: 2, max: 20 });
    fc.assert(
      fc.property(
        rows,
        rows,
        sizes,
        fc.nat(60),
        fc.integer({ min: 3, max: 40 }),
        (past, now, limit, index, lookedAt) => {
          const list = withPage<Item>(emptyList, null, served(past, null, 1000));
          const before = cursorBefore(list, index, limit);
          const page = served(now, before, limit, lookedAt);
          const { items } = withPage(list, before, page);
          const isCovered = ({ seq }: Item): boolean => seq < (before ?? Infinity) && seq >= (page.next ?? 0);
          expect(items.filter(isCovered)).toEqual(page.items);
          expect(items.filter((item) => !isCovered(item))).toEqual(list.items.filter((item) => !isCovered(item)));
          const seqs = items.map(({ seq }) => seq);
          expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => b - a));
        },
      ),
    );
  });
});
