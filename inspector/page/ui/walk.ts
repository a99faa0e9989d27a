/** j and k among things that are no rows of a list, such as cards: each has `data-item`, and is focused in turn. */
export function walkOnKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof HTMLInputElement && event.target.type === 'text') return;
  const by = { j: 1, k: -1 }[event.key];
  const list = event.currentTarget;
  if (by === undefined || !(list instanceof HTMLElement)) return;
  event.preventDefault();
  const items = [...list.querySelectorAll<HTMLElement>('[data-item]')];
  const at = items.findIndex((item) => item.contains(document.activeElement));
  const next = items.at(at < 0 ? (by > 0 ? 0 : -1) : Math.min(items.length - 1, Math.max(0, at + by)));
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: 'nearest' });
}

/** Where a key leads in a list, which may be beyond its ends; null for a key that is no move. `from`: -1 for nowhere. */
export function moveOnKey(key: string, from: number, page: number, length: number): number | null {
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
