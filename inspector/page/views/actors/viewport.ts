/** What of a drawing is seen: moved by `x` and `y` px, then drawn `scale` times as large. Pure. */

export interface Viewport {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rect extends Size {
  readonly x: number;
  readonly y: number;
}

export const SMALLEST = 0.1;
export const LARGEST = 3;
/** Below this, text of a chart is hard to read. */
const READABLE = 0.6;
/** What is seen of a chart that is too large to be read as a whole. */
const LEGIBLE = 0.85;
/** A small chart is drawn larger than it is, and not much. */
const FITTED_MOST = 1.2;
const MARGIN = 16;
/** At the top there is a bar above the drawing. */
const TOP = 48;

export function clampScale(scale: number): number {
  return Math.min(LARGEST, Math.max(SMALLEST, scale));
}

/** The scale at which a drawing is seen as a whole; never much larger than it is. */
export function fitScale(drawing: Size, pane: Size): number {
  const wide = (pane.width - 2 * MARGIN) / Math.max(1, drawing.width);
  const high = (pane.height - TOP - MARGIN) / Math.max(1, drawing.height);
  return clampScale(Math.min(FITTED_MOST, wide, high));
}

/** A drawing as a whole, in the middle of the pane. */
export function fitted(drawing: Size, pane: Size): Viewport {
  const scale = fitScale(drawing, pane);
  return {
    scale,
    x: (pane.width - drawing.width * scale) / 2,
    y: Math.max(TOP, (pane.height - drawing.height * scale) / 2),
  };
}

/** What is seen first: the whole when it can be read; else as much as can be, around what is active. */
export function opening(drawing: Size, pane: Size, active: readonly Rect[]): Viewport {
  if (fitScale(drawing, pane) >= READABLE) return fitted(drawing, pane);
  const scale = active.length === 0 ? LEGIBLE : Math.min(LEGIBLE, fitScale(union(active), pane));
  // Active regions may lie so far from each other that only the whole has them all.
  return scale < READABLE ? fitted(drawing, pane) : centred(drawing, pane, active, scale);
}

/** Some rectangles in the middle of the pane, without showing emptiness around the drawing where that can be. */
export function centred(drawing: Size, pane: Size, around: readonly Rect[], scale: number): Viewport {
  const box = around.length === 0 ? { x: 0, y: 0, width: drawing.width, height: 0 } : union(around);
  const x = pane.width / 2 - (box.x + box.width / 2) * scale;
  const y = pane.height / 2 - (box.y + box.height / 2) * scale;
  return { scale, x: within(x, pane.width, drawing.width * scale), y: within(y, pane.height, drawing.height * scale) };
}

function within(at: number, pane: number, drawing: number): number {
  if (drawing + 2 * MARGIN <= pane) return (pane - drawing) / 2;
  return Math.min(MARGIN, Math.max(pane - drawing - MARGIN, at));
}

function union(boxes: readonly Rect[]): Rect {
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  return {
    x,
    y,
    width: Math.max(...boxes.map((box) => box.x + box.width)) - x,
    height: Math.max(...boxes.map((box) => box.y + box.height)) - y,
  };
}

/** Larger or smaller, while what is under a point of the pane stays under it. */
export function zoomed(view: Viewport, factor: number, at: { readonly x: number; readonly y: number }): Viewport {
  const scale = clampScale(view.scale * factor);
  const by = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * by, y: at.y - (at.y - view.y) * by };
}

/** Moved just so far that a rectangle of the drawing is in sight. */
export function revealing(view: Viewport, rect: Rect, pane: Size): Viewport {
  const left = rect.x * view.scale + view.x;
  const top = rect.y * view.scale + view.y;
  const shift = (from: number, size: number, all: number) => {
    if (from < MARGIN) return MARGIN - from;
    const over = from + size - (all - MARGIN);
    return over > 0 ? -Math.min(over, from - MARGIN) : 0;
  };
  return {
    ...view,
    x: view.x + shift(left, rect.width * view.scale, pane.width),
    y: view.y + shift(top, rect.height * view.scale, pane.height),
  };
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A line through points as an SVG path, its corners rounded. */
export function roundedPath(points: readonly Point[], radius = 6): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let path = `M${round(first.x)} ${round(first.y)}`;
  let before = first;
  rest.forEach((point, at) => {
    const next = rest[at + 1];
    if (next === undefined) path += `L${round(point.x)} ${round(point.y)}`;
    else {
      const into = toward(point, before, radius);
      const out = toward(point, next, radius);
      path += `L${round(into.x)} ${round(into.y)}Q${round(point.x)} ${round(point.y)} ${round(out.x)} ${round(out.y)}`;
    }
    before = point;
  });
  return path;
}

function toward(from: Point, to: Point, most: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  if (length === 0) return from;
  const by = Math.min(most, length / 2) / length;
  return { x: from.x + (to.x - from.x) * by, y: from.y + (to.y - from.y) * by };
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}
