import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { isNarrow } from '../narrow.ts';
import { nextSort, sorted, type Sort } from '../sort.ts';
import { Icon } from './icon.tsx';
import { VirtualList } from './virtual-list.tsx';

export type { Sort } from '../sort.ts';

export interface Column<T> {
  readonly id: string;
  readonly title: string;
  /** The title is said, and not shown. */
  readonly hidesTitle?: boolean;
  readonly cell: (row: T) => ComponentChildren;
  /** A track of a CSS grid, such as `120px` or `minmax(160px, 2fr)`. Default: `minmax(80px, 1fr)`. */
  readonly width?: string;
  /** Numbers stand at the right. */
  readonly align?: 'left' | 'right';
  /** What it is sorted by; a column without one is not sortable. */
  readonly sort?: (row: T) => string | number | null;
  /** It is left out where the page is narrow. */
  readonly wide?: boolean;
}

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
  /** Default: 34. */
  readonly rowHeight?: number;
  /** Pixels; where there is less room it scrolls sideways. Default: what the tracks need. */
  readonly minWidth?: number;
}

/** A table of any length, sorted by a click on a head, walked through with j and k. It takes the height of its panel. */
export function Table<T>(props: TableProps<T>) {
  const { sort = '', onSort, rowHeight = 34 } = props;
  const columns = isNarrow.value ? props.columns.filter(({ wide }) => wide !== true) : props.columns;
  const tracks = columns.map(({ width }) => width ?? 'minmax(80px, 1fr)').join(' ');
  const grid = { gridTemplateColumns: tracks };
  const by = columns.find(({ id }) => id === sort || `-${id}` === sort)?.sort;
  const rows = useMemo(() => sorted(props.rows, by, sort), [props.rows, sort]);
  const head = (
    <div class="table-head" role="row" style={grid}>
      {columns.map((column) => (
        <div
          key={column.id}
          class={`cell ${column.align ?? ''}`}
          role="columnheader"
          aria-sort={sort === column.id ? 'ascending' : sort === `-${column.id}` ? 'descending' : undefined}
        >
          {column.sort === undefined || onSort === undefined ? (
            <span class={column.hidesTitle ? 'unseen' : undefined}>{column.title}</span>
          ) : (
            <button type="button" class="sort" onClick={() => onSort(nextSort(sort, column.id))}>
              {column.title}
              {sort === column.id ? <Icon name="up" size={12} /> : null}
              {sort === `-${column.id}` ? <Icon name="down" size={12} /> : null}
            </button>
          )}
        </div>
      ))}
    </div>
  );
  return (
    <div class="table">
      <VirtualList
        items={rows}
        rowHeight={rowHeight}
        keyOf={props.keyOf}
        label={props.label}
        selected={props.selected ?? null}
        onSelect={(row) => props.onSelect?.(row)}
        onOpen={(row) => props.onOpen?.(row)}
        onNearEnd={() => props.onNearEnd?.()}
        empty={props.empty}
        head={head}
        hasCells
        minWidth={props.minWidth ?? leastWidth(columns)}
        row={(row) => (
          <div class="table-row" role="presentation" style={grid}>
            {columns.map((column) => (
              <div key={column.id} class={`cell ${column.align ?? ''}`} role="gridcell">
                {column.cell(row)}
              </div>
            ))}
          </div>
        )}
      />
    </div>
  );
}

const GAP = 12;

/** The pixels that the tracks need at least, as they are written. */
function leastWidth<T>(columns: readonly Column<T>[]): number {
  return columns.reduce((sum, { width = '80px' }) => sum + Number(/(\d+)px/.exec(width)?.[1] ?? 80) + GAP, 2 * GAP);
}
