/**
 * A long list, the newest first, that the server gives in pages. It is kept in one piece here, and a part of it can be asked for
 * again while all else stays.
 *
 * G1  The items are in the server's order, each once.
 * G2  A page replaces exactly the part of the list that it covers: what is no longer in there has left the list.
 */

export interface Page<T> {
  readonly items: readonly T[];
  /** The number before which the next page begins: this one covers all from it on. Null: there are no more. */
  readonly next: number | null;
}

export interface SeqList<T> {
  readonly items: readonly T[];
  /** Before which number the list goes on; null when all of it is here. */
  readonly next: number | null;
}

interface Numbered {
  readonly seq: number;
}

/** Nothing is known yet: all there is comes before this number. */
export const emptyList: SeqList<never> = { items: [], next: Number.MAX_SAFE_INTEGER };

export function isComplete({ next }: SeqList<unknown>): boolean {
  return next === null;
}

/** The list with a page in it that began before the item of that number; null for the first page. */
export function withPage<T extends Numbered>(list: SeqList<T>, before: number | null, page: Page<T>): SeqList<T> {
  const { next } = page;
  const above = before === null ? [] : list.items.filter(({ seq }) => seq >= before);
  const below = next === null ? [] : list.items.filter(({ seq }) => seq < next);
  const isFurther = next === null || (list.next !== null && next < list.next);
  return { items: [...above, ...page.items, ...below], next: isFurther ? next : list.next };
}

/** Before which item the page begins that covers this index; null for the first page. */
export function cursorBefore(list: SeqList<Numbered>, index: number, size: number): number | null {
  const start = Math.min(Math.max(0, index), list.items.length);
  if (start <= size / 4) return null;
  return list.items[start - 1]?.seq ?? null;
}
