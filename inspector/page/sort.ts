/** How the rows of a table are sorted. Pure. */

/** The id of a column, with `-` before it for the largest first. The empty text: as they come. */
export type Sort = string;

/** What a click on the head of a column makes of it: up, down, and as they come again. */
export function nextSort(sort: Sort, id: string): Sort {
  return sort === id ? `-${id}` : sort === `-${id}` ? '' : id;
}

/** The rows, sorted by what a column gives; those without a value come last, whichever way. */
export function sorted<T>(
  rows: readonly T[],
  by: ((row: T) => string | number | null) | undefined,
  sort: Sort,
): readonly T[] {
  if (by === undefined || sort === '') return rows;
  const sign = sort.startsWith('-') ? -1 : 1;
  return rows
    .map((row) => ({ row, value: by(row) }))
    .toSorted((a, b) => {
      if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null);
      return sign * (a.value < b.value ? -1 : a.value > b.value ? 1 : 0);
    })
    .map(({ row }) => row);
}
