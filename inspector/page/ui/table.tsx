import type { ComponentChildren } from 'preact';
import { Icon } from './icon.tsx';
import { VirtualList } from './virtual-list.tsx';

export interface Column<T> {
  readonly id: string;
  readonly title: string;
  readonly cell: (row: T) => ComponentChildren;
  /** A track of a CSS grid, such as `120px` or `minmax(160px, 2fr)`. Default: `1fr`. */
  readonly width?: string;
  /** Numbers stand at the right. */
  readonly align?: 'left' | 'right';
  /** What it is sorted by; a column without one is not sortable. */
  readonly sort?: (row: T) => string | number | null;
  /** Hidden where the page is narrow. */
  readonly wide?: boolean;
}

/** The id of a column, with `-` before it for the largest first. */
export type Sort = string;

export interface TableProps<T> {
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string | number;
  readonly label: string;
  readonly selected?: string | number | null;
  readonly onSelect?: (row: T) => void;
  readonly onOpen?: (row: T) => void;
  /** How it is sorted; the empty text, or nothing, for the order of `rows`. */
  readonly sort?: Sort;
  readonly onSort?: (sort: Sort) => void;
  readonly onNearEnd?: () => void;
  readonly empty?: ComponentChildren;
  /** Default: 32. */
  readonly rowHeight?: number;
}

/** A table of any length, sorted by a click on a head, walked through with j and k. */
export function Table<T>(props: TableProps<T>) {
  const { columns, sort = '', onSort, rowHeight = 32 } = props;
  const tracks = columns.map(({ width }) => width ?? 'minmax(80px, 1fr)').join(' ');
  const rows = sorted(props.rows, columns, sort);
  return (
    <div class="table">
      <div class="table-head" style={{ gridTemplateColumns: tracks }}>
        {columns.map((column) => (
          <div key={column.id} class={`cell ${column.align ?? ''}`}>
            {column.sort === undefined || onSort === undefined ? (
              column.title
            ) : (
              <button type="button" class="sort" onClick={() => onSort(nextSort(sort, column.id))}>
                {column.title}
                {sort === column.id ? <Icon name="up" size={12} label="smallest first" /> : null}
                {sort === `-${column.id}` ? <Icon name="down" size={12} label="largest first" /> : null}
              </button>
            )}
          </div>
        ))}
      </div>
      <VirtualList
        items={rows}
        rowHeight={rowHeight}
        keyOf={props.keyOf}
        label={props.label}
        selected={props.selected ?? null}
        {...(props.onSelect === undefined ? {} : { onSelect: props.onSelect })}
        {...(props.onOpen === undefined ? {} : { onOpen: props.onOpen })}
        {...(props.onNearEnd === undefined ? {} : { onNearEnd: props.onNearEnd })}
        empty={props.empty}
        row={(row) => (
          <div class="table-row" style={{ gridTemplateColumns: tracks }}>
            {columns.map((column) => (
              <div key={column.id} class={`cell ${column.align ?? ''}`}>
                {column.cell(row)}
              </div>
            ))}
          </div>
        )}
      />
    </div>
  );
}

function nextSort(sort: Sort, id: string): Sort {
  return sort === id ? `-${id}` : sort === `-${id}` ? '' : id;
}

function sorted<T>(rows: readonly T[], columns: readonly Column<T>[], sort: Sort): readonly T[] {
  const id = sort.startsWith('-') ? sort.slice(1) : sort;
  const by = columns.find((column) => column.id === id)?.sort;
  if (by === undefined) return rows;
  const sign = sort.startsWith('-') ? -1 : 1;
  return rows.toSorted((a, b) => sign * compare(by(a), by(b)));
}

/** What has no value comes last. */
function compare(a: string | number | null, b: string | number | null): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : 1;
}
