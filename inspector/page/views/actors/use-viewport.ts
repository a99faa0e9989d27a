/** Pan and zoom of a drawing by mouse, touch and keyboard. The drawing is moved without being drawn anew. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { fitted, opening, revealing, zoomed, type Rect, type Size, type Viewport } from './viewport.ts';

export interface ViewportHandle {
  zoom(factor: number): void;
  fit(): void;
  /** Brings a rectangle of the drawing in sight. */
  reveal(rect: Rect): void;
  /** Brings what is active in sight, unless somebody has moved the drawing since the last `toActive`. */
  follow(): void;
  /** Brings what is active in sight, and from then on keeps it there. */
  toActive(): void;
  /** Moves by px of the pane. */
  pan(x: number, y: number): void;
}

const STEP = 48;

/**
 * Keeps `layer`, an SVG group, moved and scaled as somebody pans and zooms in `pane`. A new `drawing` starts with what is active in
 * sight and keeps it there; the same one stays where somebody moved it.
 */
export function useViewport(
  pane: RefObject<HTMLElement | null>,
  layer: RefObject<SVGGElement | null>,
  drawing: Size,
  active: () => readonly Rect[],
): ViewportHandle {
  const activeNow = useRef(active);
  activeNow.current = active;
  const view = useRef<Viewport>({ x: 0, y: 0, scale: 1 });
  /** Until somebody moves the drawing, what is active stays in sight, also when the pane gets another size. */
  const isTouched = useRef(false);

  const handle = useMemo(() => {
    const set = (next: Viewport): void => {
      view.current = next;
      layer.current?.setAttribute('transform', `translate(${next.x} ${next.y}) scale(${next.scale})`);
    };
    const sizeOfPane = (): Size => ({
      width: pane.current?.clientWidth ?? 0,
      height: pane.current?.clientHeight ?? 0,
    });
    const middle = () => ({ x: sizeOfPane().width / 2, y: sizeOfPane().height / 2 });
    return {
      set,
      sizeOfPane,
      zoomAt(factor: number, at: { x: number; y: number }): void {
        isTouched.current = true;
        set(zoomed(view.current, factor, at));
      },
      zoom(factor: number): void {
        this.zoomAt(factor, middle());
      },
      fit(): void {
        isTouched.current = true;
        set(fitted(drawing, sizeOfPane()));
      },
      reveal(rect: Rect): void {
        set(revealing(view.current, rect, sizeOfPane()));
      },
      follow(): void {
        if (isTouched.current) return;
        // The innermost and first wins where not all of them have room.
        for (const rect of activeNow.current().toReversed()) this.reveal(rect);
      },
      toActive(): void {
        isTouched.current = false;
        this.follow();
      },
      pan(x: number, y: number): void {
        isTouched.current = true;
        set({ ...view.current, x: view.current.x + x, y: view.current.y + y });
      },
    };
  }, [drawing]);

  useLayoutEffect(() => {
    isTouched.current = false;
    const element = pane.current;
    if (element === null) return;
    const open = (): void => {
      if (!isTouched.current) handle.set(opening(drawing, handle.sizeOfPane(), activeNow.current()));
    };
    open();
    const sizes = new ResizeObserver(open);
    sizes.observe(element);
    return () => sizes.disconnect();
  }, [handle]);

  useLayoutEffect(() => {
    const element = pane.current;
    if (element === null) return;
    const pointers = new Map<number, { x: number; y: number }>();
    const at = (event: MouseEvent) => {
      const box = element.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    const isControl = (event: Event) =>
      event.target instanceof Element && event.target.closest('[role=button], a, button') !== null;
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      if (event.shiftKey) handle.pan(-event.deltaY, 0);
      else
        handle.zoomAt(
          Math.exp(-Math.max(-240, Math.min(240, event.deltaY)) * (event.ctrlKey ? 0.01 : 0.002)),
          at(event),
        );
    };
    const onDown = (event: PointerEvent): void => {
      if (event.button !== 0 || (event.pointerType === 'mouse' && isControl(event))) return;
      pointers.set(event.pointerId, at(event));
    };
    const onMove = (event: PointerEvent): void => {
      const from = pointers.get(event.pointerId);
      if (from === undefined) return;
      const to = at(event);
      // A click with an unsteady hand is no drag.
      if (!element.hasPointerCapture(event.pointerId)) {
        if (Math.hypot(to.x - from.x, to.y - from.y) < 4) return;
        element.setPointerCapture(event.pointerId);
      }
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      pointers.set(event.pointerId, to);
      if (other === undefined) handle.pan(to.x - from.x, to.y - from.y);
      else {
        const before = Math.hypot(from.x - other.x, from.y - other.y);
        const after = Math.hypot(to.x - other.x, to.y - other.y);
        if (before > 0) handle.zoomAt(after / before, { x: (to.x + other.x) / 2, y: (to.y + other.y) / 2 });
      }
    };
    const onUp = (event: PointerEvent): void => {
      pointers.delete(event.pointerId);
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const moves: Readonly<Record<string, () => void>> = {
        ArrowLeft: () => handle.pan(STEP, 0),
        ArrowRight: () => handle.pan(-STEP, 0),
        ArrowUp: () => handle.pan(0, STEP),
        ArrowDown: () => handle.pan(0, -STEP),
        '+': () => handle.zoom(1.25),
        '=': () => handle.zoom(1.25),
        '-': () => handle.zoom(0.8),
        '0': () => handle.fit(),
      };
      const move = Object.hasOwn(moves, event.key) ? moves[event.key] : undefined;
      if (move === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      move();
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    element.addEventListener('pointerdown', onDown);
    element.addEventListener('pointermove', onMove);
    element.addEventListener('pointerup', onUp);
    element.addEventListener('pointercancel', onUp);
    element.addEventListener('keydown', onKey);
    return () => {
      element.removeEventListener('wheel', onWheel);
      element.removeEventListener('pointerdown', onDown);
      element.removeEventListener('pointermove', onMove);
      element.removeEventListener('pointerup', onUp);
      element.removeEventListener('pointercancel', onUp);
      element.removeEventListener('keydown', onKey);
    };
  }, [handle]);

  return handle;
}
