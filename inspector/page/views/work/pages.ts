/**
 * A long list that the server gives in pages, each beginning after the last of the one before. It is kept in one piece here, and
 * a part of it can be asked for again while all else stays.
 *
 * G1  The items are in the server's order, each once.
 * G2  A page replaces exactly the part of the list that it covers: what is no longer in there has left the list.
 */

export interface Page<T> {
  readonly items: readonly T[];
  readonly more: boolean;
}

export interface SeqList<T> {
  readonly items: readonly T[];
  /** Whether the last one is known: there are no more after it. */
  readonly isComplete: boolean;
}

interface Numbered {
  readonly seq: number;
}

export const emptyList: SeqList<never> = { items: [], isComplete: false };

/** Whether the numbers go down: the newest first. */
function isDescending(...lists: (readonly Numbered[])[]): boolean {
  for (const items of lists) {
    if (items.length > 1) return items[0]!.seq > items[1]!.seq;
  }
  return true;
}

/** The list with a page in it that began after the item of that number; null for the first page. */
export function withPage<T extends Numbered>(list: SeqList<T>, after: number | null, page: Page<T>): SeqList<T> {
  const down = isDescending(list.items, page.items);
  const isLater = (a: number, b: number): boolean => (down ? a < b : a > b);
  const before = after === null ? [] : list.items.filter(({ seq }) => !isLater(seq, after));
  const last = page.items.at(-1);
  if (!page.more || last === undefined) return { items: [...before, ...page.items], isComplete: true };
  const behind = list.items.filter(({ seq }) => isLater(seq, last.seq) && (after === null || isLater(seq, after)));
  return { items: [...before, ...page.items, ...behind], isComplete: list.isComplete && behind.length > 0 };
}

/** After which item the page begins that covers this index; null for the first page. */
export function cursorBefore(list: SeqList<Numbered>, index: number, size: number): number | null {
  const start = Math.min(Math.max(0, index), list.items.length);
  if (start <= size / 4) return null;
  return list.items[start - 1]?.seq ?? null;
}
