import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

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
}

const OVERSCAN = 8;

/** A list of any length, of which only what is in sight is in the document. j and k, the arrows, Home and End move. */
export function VirtualList<T>(props: VirtualListProps<T>) {
  const { items, rowHeight, keyOf, selected = null, onSelect, onOpen, onNearEnd, follow = false } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const atEnd = useRef(true);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const read = (): void => {
      atEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - rowHeight;
      setView({ top: element.scrollTop, height: element.clientHeight });
    };
    read();
    const sizes = new ResizeObserver(read);
    sizes.observe(element);
    element.addEventListener('scroll', read, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener('scroll', read);
    };
  }, [rowHeight, items.length === 0]);

  useLayoutEffect(() => {
    if (follow && atEnd.current && box.current !== null) box.current.scrollTop = items.length * rowHeight;
  }, [items.length, follow]);

  const first = Math.max(0, Math.floor(view.top / rowHeight) - OVERSCAN);
  const last = Math.min(items.length, Math.ceil((view.top + view.height) / rowHeight) + OVERSCAN);

  useEffect(() => {
    if (last >= items.length && items.length > 0) onNearEnd?.();
  }, [last, items.length]);

  if (items.length === 0) return <>{props.empty ?? null}</>;

  const selectedIndex = selected === null ? -1 : items.findIndex((item, i) => keyOf(item, i) === selected);
  const move = (to: number): void => {
    const index = Math.min(items.length - 1, Math.max(0, to));
    const item = items[index];
    if (item === undefined || box.current === null) return;
    onSelect?.(item, index);
    scrollTo(box.current, index, rowHeight);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
    const to = target(event.key, selectedIndex, Math.floor(view.height / rowHeight), items.length);
    if (to !== null) {
      event.preventDefault();
      move(to);
    } else if (event.key === 'Enter' && selectedIndex >= 0) {
      event.preventDefault();
      onOpen?.(items[selectedIndex]!, selectedIndex);
    }
  };
  return (
    <div
      ref={box}
      class={`virtual ${props.class ?? ''}`}
      role="listbox"
      aria-label={props.label}
      tabIndex={0}
      data-list
      onKeyDown={onKeyDown}
    >
      <div class="virtual-all" style={{ height: `${items.length * rowHeight}px` }}>
        {items.slice(first, last).map((item, i) => {
          const index = first + i;
          return (
            <div
              key={keyOf(item, index)}
              class="virtual-row"
              role="option"
              aria-selected={index === selectedIndex}
              aria-setsize={items.length}
              aria-posinset={index + 1}
              style={{ height: `${rowHeight}px`, transform: `translateY(${index * rowHeight}px)` }}
              onClick={() => onSelect?.(item, index)}
              onDblClick={() => onOpen?.(item, index)}
            >
              {props.row(item, index, index === selectedIndex)}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function target(key: string, from: number, page: number, length: number): number | null {
  switch (key) {
    case 'j':
    case 'ArrowDown':
      return from + 1;
    case 'k':
    case 'ArrowUp':
      return from === -1 ? length - 1 : from - 1;
    case 'PageDown':
      return from + page;
    case 'PageUp':
      return from - page;
    case 'Home':
      return 0;
    case 'End':
      return length - 1;
    default:
      return null;
  }
}

function scrollTo(box: HTMLElement, index: number, rowHeight: number): void {
  const top = index * rowHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + rowHeight > box.scrollTop + box.clientHeight) box.scrollTop = top + rowHeight - box.clientHeight;
}
