/** The cards of a list, with those that were decided a moment ago still in their places. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Approvals } from '../../../views/approvals.ts';
import { HELD_MS, held, type Held } from './held.ts';

/** For so long after cards moved a click was meant for what was there before, ms. */
const SETTLING_MS = 500;
/** For so long a click in the place of the one before belongs to that, ms: what is above the cards may have moved them. */
const SAME_PLACE_MS = 3_000;
const SAME_PLACE_PX = 12;

export interface HeldCards<T> {
  readonly cards: readonly Held<T>[];
  /** Takes the click before the cards do, and drops it where it was meant for another one. */
  readonly onClickCapture: (event: MouseEvent) => void;
}

export function useHeld<T extends { readonly id: string }>(open: readonly T[]): HeldCards<T> {
  const before = useRef<readonly Held<T>[]>([]);
  const movedAt = useRef(-Infinity);
  const pressed = useRef({ at: -Infinity, x: 0, y: 0 });
  const [, again] = useState(0);
  const cards = held(before.current, open, performance.now());
  const hasMoved = before.current.some(({ item }) => !cards.some((card) => card.item.id === item.id));
  useLayoutEffect(() => {
    before.current = cards;
    if (hasMoved) movedAt.current = performance.now();
  });
  const first = Math.min(...cards.map(({ goneAt }) => goneAt ?? Infinity));
  useEffect(() => {
    if (first === Infinity) return;
    const timer = setTimeout(() => again((round) => round + 1), Math.max(0, first + HELD_MS - performance.now()) + 1);
    return () => clearTimeout(timer);
  });
  return {
    cards,
    onClickCapture: (event) => {
      // The keyboard's clicks have no place: they go where the focus is.
      const isButton = event.target instanceof Element && event.target.closest('.approval-buttons') !== null;
      if (event.detail === 0 || !isButton) return;
      const { at, x, y } = pressed.current;
      const now = performance.now();
      const isAgain = now - at < SAME_PLACE_MS && Math.hypot(event.clientX - x, event.clientY - y) < SAME_PLACE_PX;
      if (isAgain || now - movedAt.current < SETTLING_MS) event.stopPropagation();
      else pressed.current = { at: now, x: event.clientX, y: event.clientY };
    },
  };
}

/** What became of what is held; null of what is open. */
export function decidedIn(data: Approvals | undefined, { item, goneAt }: Held<{ readonly id: string }>): string | null {
  if (goneAt === null) return null;
  return data?.decided.find(({ id }) => id === item.id)?.state ?? 'decided';
}
