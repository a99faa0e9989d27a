import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cursorBefore,
  emptyList,
  withPage,
  type Page,
  type SeqList,
} from '../../../inspector/page/views/work/pages.ts';

interface Item {
  readonly seq: number;
  readonly state: number;
}

/** What a server answers that holds these. */
function served(all: readonly Item[], down: boolean, after: number | null, limit: number): Page<Item> {
  const sorted = all.toSorted((a, b) => (down ? b.seq - a.seq : a.seq - b.seq));
  const rest = after === null ? sorted : sorted.filter(({ seq }) => (down ? seq < after : seq > after));
  return { items: rest.slice(0, limit), more: rest.length > limit };
}

const rows = fc.uniqueArray(fc.record({ seq: fc.integer({ min: 1, max: 200 }), state: fc.nat(3) }), {
  selector: ({ seq }) => seq,
  maxLength: 60,
});

describe('a list in pages', () => {
  test('is all that the server has, in its order, once the last page is there', () => {
    fc.assert(
      fc.property(rows, fc.boolean(), fc.integer({ min: 1, max: 20 }), (all, down, limit) => {
        let list: SeqList<Item> = emptyList;
        while (!list.isComplete) {
          const after = list.items.at(-1)?.seq ?? null;
          list = withPage(list, after, served(all, down, after, limit));
        }
        expect(list.items).toEqual(served(all, down, null, 1000).items);
      }),
    );
  });

  test('is what the server has now wherever it was asked for again', () => {
    const limits = fc.integer({ min: 2, max: 20 });
    fc.assert(
      fc.property(rows, rows, fc.boolean(), limits, fc.nat(60), (before, now, down, limit, index) => {
        fc.pre(before.length > 1 && now.length > 1);
        const list = withPage<Item>(emptyList, null, served(before, down, null, 1000));
        const after = cursorBefore(list, index, limit);
        const page = served(now, down, after, limit);
        const next = withPage(list, after, page);
        const seqs = next.items.map(({ seq }) => seq);
        expect(seqs).toEqual(seqs.toSorted((a, b) => (down ? b - a : a - b)));
        expect(new Set(seqs).size).toBe(seqs.length);
        for (const item of page.items) expect(next.items).toContain(item);
        const inside = next.items.filter(({ seq }) => {
          const isAfter = after === null || (down ? seq < after : seq > after);
          const last = page.items.at(-1)?.seq;
          return isAfter && (!page.more || last === undefined || (down ? seq >= last : seq <= last));
        });
        expect(inside).toEqual(page.items);
      }),
    );
  });
});
