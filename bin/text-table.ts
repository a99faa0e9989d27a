/** Columns for people: as wide as what is in them, two spaces apart. */

export interface Column<TRow> {
  readonly title: string;
  readonly of: (row: TRow) => string;
  readonly align?: 'right';
  /** Applied after the widths are known, because colours take no room. */
  readonly paint?: (text: string, row: TRow) => string;
}

/** The rows as lines, titles first. */
export function textTable<TRow>(rows: readonly TRow[], columns: readonly Column<TRow>[]): string[] {
  const cells = rows.map((row) => columns.map(({ of }) => of(row)));
  const widths = columns.map(({ title }, at) =>
    cells.reduce((most, line) => Math.max(most, (line[at] ?? '').length), title.length),
  );
  const padded = (text: string, at: number) =>
    columns[at]?.align === 'right' ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0);
  const head = columns.map(({ title }, at) => padded(title, at)).join('  ');
  const body = rows.map((row, line) =>
    columns
      .map(({ paint }, at) => {
        const text = padded(cells[line]?.[at] ?? '', at);
        return paint === undefined ? text : paint(text, row);
      })
      .join('  '),
  );
  return [head, ...body].map((line) => line.trimEnd());
}
