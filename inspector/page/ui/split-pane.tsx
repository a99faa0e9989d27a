import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { remembered, remember } from '../memory.ts';

export interface SplitPaneProps {
  /** Under which its size is remembered. */
  readonly id: string;
  /** Where the second part is. */
  readonly side: 'right' | 'bottom' | 'left';
  /** Pixels of the second part, until somebody drags. */
  readonly size: number;
  readonly min?: number;
  /** The second may be null: then the first, which stays as it is, has all the room. */
  readonly children: readonly [ComponentChildren, ComponentChildren];
  /** What the bar between them moves. */
  readonly label: string;
}

/** Two parts with a bar between that can be dragged, or moved with the arrows. Where the page is narrow they stand one above the other. */
export function SplitPane({ id, side, size: initial, min = 160, children, label }: SplitPaneProps) {
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState(() => Number(remembered(`split.${id}`)) || initial);
  const isRow = side !== 'bottom';

  const set = (to: number): void => {
    const rect = box.current?.getBoundingClientRect();
    const most = (isRow ? (rect?.width ?? 0) : (rect?.height ?? 0)) - min;
    const next = Math.round(Math.max(min, Math.min(to, Math.max(min, most))));
    setSize(next);
    remember(`split.${id}`, String(next));
  };
  const onPointerDown = (event: PointerEvent): void => {
    const bar = event.currentTarget as HTMLElement;
    bar.setPointerCapture(event.pointerId);
    const move = ({ clientX, clientY }: PointerEvent): void => {
      const rect = box.current?.getBoundingClientRect();
      if (rect === undefined) return;
      set(side === 'right' ? rect.right - clientX : side === 'left' ? clientX - rect.left : rect.bottom - clientY);
    };
    const end = (): void => {
      bar.removeEventListener('pointermove', move);
      bar.removeEventListener('pointerup', end);
      bar.removeEventListener('pointercancel', end);
    };
    bar.addEventListener('pointermove', move);
    bar.addEventListener('pointerup', end);
    bar.addEventListener('pointercancel', end);
  };
  const onKeyDown = ({ key }: KeyboardEvent): void => {
    const grows = { right: 'ArrowLeft', left: 'ArrowRight', bottom: 'ArrowUp' }[side];
    const shrinks = { right: 'ArrowRight', left: 'ArrowLeft', bottom: 'ArrowDown' }[side];
    if (key === grows) set(size + 24);
    else if (key === shrinks) set(size - 24);
  };
  const [first, second] = children;
  const bar = (
    <div
      class="split-bar"
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={isRow ? 'vertical' : 'horizontal'}
      aria-valuenow={size}
      aria-valuemin={min}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
      onDblClick={() => set(initial)}
    />
  );
  const sized = (
    <div class="split-second" style={{ flexBasis: `${size}px` }}>
      {second}
    </div>
  );
  if (second === null) {
    return (
      <div ref={box} class={`split ${side}`}>
        {null}
        <div class="split-first">{first}</div>
        {null}
      </div>
    );
  }
  return (
    <div ref={box} class={`split ${side}`}>
      {side === 'left' ? [sized, bar] : null}
      <div class="split-first">{first}</div>
      {side === 'left' ? null : [bar, sized]}
    </div>
  );
}
