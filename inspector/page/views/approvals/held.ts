/**
 * Cards that are decided keep their place for a while, so that a click that was meant for one never meets the next. Pure.
 *
 * H1  What was open a moment ago and is not any more, whoever decided, stays where it is for `HELD_MS`.
 * H2  What is new comes after all that is there.
 */

/** A slow double click, and a glance at what was done. */
export const HELD_MS = 1_500;

export interface Held<T> {
  readonly item: T;
  /** Since when it is not open any more, ms; null while it is. */
  readonly goneAt: number | null;
}

/** What is shown after what was shown before, when these are open. */
export function held<T extends { readonly id: string }>(
  before: readonly Held<T>[],
  open: readonly T[],
  now: number,
): readonly Held<T>[] {
  const left = new Map(open.map((item) => [item.id, item]));
  const kept = before.flatMap(({ item, goneAt }): Held<T>[] => {
    const again = left.get(item.id);
    left.delete(item.id);
    if (again !== undefined) return [{ item: again, goneAt: null }];
    return goneAt !== null && now - goneAt >= HELD_MS ? [] : [{ item, goneAt: goneAt ?? now }];
  });
  return [...kept, ...[...left.values()].map((item) => ({ item, goneAt: null }))];
}
