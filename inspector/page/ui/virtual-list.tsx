import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { listIsThere } from './focus.ts';
import { onScrolled } from './scrolled.ts';
import { moveOnKey } from './walk.ts';

export interface VirtualListProps<T> {
  readonly items: readonly T[];
  /** Pixels; all rows are of this height. */
  readonly rowHeight: number;
  readonly keyOf: (item: T, index: number) => string | number;
  readonly row: (item: T, index: number, isSelected: boolean) => ComponentChildren;
  /** What is listed. */
  readonly label: string;
  /** The key of the selected one. */
  readonly selected?: string | number | null;
  readonly onSelect?: (item: T, index: number) => void;
  /** Enter, or a double click. */
  readonly onOpen?: (item: T, index: number) => void;
  /** Stays at the end while the end is in sight, as new ones come. */
  readonly follow?: boolean;
  /** The last rows came in sight: more may be fetched. */
  readonly onNearEnd?: () => void;
  readonly empty?: ComponentChildren;
  readonly class?: string;
  /** Stays at the top; a row of column heads. */
  readonly head?: ComponentChildren;
  /** The rows are made of cells, each with the role `gridcell`. Default: each row is one cell. */
  readonly hasCells?: boolean;
  /** Pixels; where there is less room it scrolls sideways. */
  readonly minWidth?: number;
}

const OVERSCAN = 10;

interface Range {
  readonly first: number;
  readonly last: number;
  /** How many rows are in sight. */
  readonly page: number;
}

/** A list of any length, of which only what is in sight is in the document. j and k, the arrows, Home and End move. */
export function VirtualList<T>(props: VirtualListProps<T>) {
  const { items, rowHeight, keyOf, selected = null, onSelect, onOpen, onNearEnd, follow = false } = props;
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const id = useId();
  const lastTop = useRef(0);
  const [range, setRange] = useState<Range>({ first: 0, last: 40, page: 20 });
  const selectedIndex = useSelectedIndex(items, keyOf, selected);
  const isEmpty = items.length === 0;

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const read = (): void => {
      const { scrollTop, clientHeight, scrollHeight } = element;
      // Only whoever scrolls up leaves the end: it also moves away by itself, as rows come.
      if (scrollTop + clientHeight >= scrollHeight - rowHeight) atEnd.current = true;
      else if (scrollTop < lastTop.current) atEnd.current = false;
      lastTop.current = scrollTop;
      const first = Math.max(0, Math.floor(scrollTop / rowHeight) - OVERSCAN);
      const page = Math.ceil(clientHeight / rowHeight);
      const next = { first, last: first + page + 2 * OVERSCAN, page };
      setRange((was) => (was.first === next.first && was.last === next.last ? was : next));
    };
    listIsThere(element);
    return onScrolled(element, read);
  }, [rowHeight, isEmpty]);

  useLayoutEffect(() => {
    if (follow && atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  });

  // What is selected from elsewhere, by the address or by search, is brought in sight.
  useLayoutEffect(() => {
    if (selectedIndex >= 0 && box.current !== null) bringInSight(box.current, selectedIndex, rowHeight);
  }, [selected, isEmpty]);

  const last = Math.min(items.length, range.last);
  useEffect(() => {
    if (last >= items.length && !isEmpty) onNearEnd?.();
  }, [last, items.length]);

  if (isEmpty) return <>{props.empty ?? null}</>;

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // Of what is in a row, such as a link or a box to be checked, only j and k are the list's.
    if (event.target !== event.currentTarget && event.key !== 'j' && event.key !== 'k') return;
    const to = moveOnKey(event.key, selectedIndex, Math.max(1, range.page - 2), items.length);
    if (to !== null) {
      event.preventDefault();
      const index = Math.min(items.length - 1, Math.max(0, to));
      onSelect?.(items[index]!, index);
      if (box.current !== null) bringInSight(box.current, index, rowHeight);
    } else if (event.key === 'Enter' && selectedIndex >= 0) {
      event.preventDefault();
      onOpen?.(items[selectedIndex]!, selectedIndex);
    }
  };
  const first = Math.min(range.first, Math.max(0, items.length - 1));
  const isShown = selectedIndex >= first && selectedIndex < last;
  const hasHead = props.head !== undefined;
  const width = props.minWidth === undefined ? {} : { minWidth: `${props.minWidth}px` };
  return (
    <div
      ref={box}
      class={`virtual ${props.class ?? ''}`}
      role="grid"
      aria-label={props.label}
      aria-rowcount={items.length + (hasHead ? 1 : 0)}
      aria-activedescendant={isShown ? `${id}-${selectedIndex}` : undefined}
      tabIndex={0}
      data-list
      onKeyDown={onKeyDown}
    >
      {hasHead ? (
        <div class="virtual-head" role="rowgroup" style={width}>
          {props.head}
        </div>
      ) : null}
      <div class="virtual-all" role="rowgroup" style={{ height: `${items.length * rowHeight}px`, ...width }}>
        {items.slice(first, last).map((item, i) => {
          const index = first + i;
          const content = props.row(item, index, index === selectedIndex);
          return (
            <div
              key={keyOf(item, index)}
              id={`${id}-${index}`}
              class="virtual-row"
              role="row"
              aria-selected={index === selectedIndex}
              aria-rowindex={index + (hasHead ? 2 : 1)}
              style={{ height: `${rowHeight}px`, transform: `translateY(${index * rowHeight}px)` }}
              onClick={() => onSelect?.(item, index)}
              onDblClick={() => onOpen?.(item, index)}
            >
              {props.hasCells ? (
                content
              ) : (
                <div class="virtual-cell" role="gridcell">
                  {content}
                </div>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** Where the selected one is. Looked for where it was first: a list of 20,000 is drawn often. */
function useSelectedIndex<T>(
  items: readonly T[],
  keyOf: (item: T, index: number) => string | number,
  selected: string | number | null,
): number {
  const was = useRef(-1);
  if (selected === null) return (was.current = -1);
  const before = items[was.current];
  if (before !== undefined && keyOf(before, was.current) === selected) return was.current;
  return (was.current = items.findIndex((item, i) => keyOf(item, i) === selected));
}

function bringInSight(box: HTMLElement, index: number, rowHeight: number): void {
  const head = box.querySelector<HTMLElement>('.virtual-head')?.offsetHeight ?? 0;
  const top = index * rowHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + rowHeight + head > box.scrollTop + box.clientHeight) {
    box.scrollTop = top + rowHeight + head - box.clientHeight;
  }
}
