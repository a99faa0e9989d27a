/** Which part of a drawing is seen, and how large. */

/** A place `p` of the drawing is seen at `p * zoom + (x, y)`, px of the window. */
export interface Camera {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Box extends Size {
  readonly x: number;
  readonly y: number;
}

export const NEAREST = 2;
export const FARTHEST = 0.04;

function clampedZoom(zoom: number): number {
  return Math.min(NEAREST, Math.max(FARTHEST, zoom));
}

/** Sees all of the drawing, in the middle, not larger than it is; what is far too long begins at its left, still readable. */
export function fitted(drawing: Size, window: Size, least = FARTHEST): Camera {
  const whole = Math.min(window.width / drawing.width, window.height / drawing.height, 1);
  const zoom = clampedZoom(Math.max(whole, least));
  const middle = (wide: number, seen: number): number => (wide * zoom <= seen ? (seen - wide * zoom) / 2 : 0);
  return { zoom, x: middle(drawing.width, window.width), y: (window.height - drawing.height * zoom) / 2 };
}

/** So much smaller a drawing may be at first when all of it is seen then. */
const SMALLER = 0.78;
const AIR = 16;

/**
 * At first: all of it, where that is about as large as `least`; else as large as `least`, from the left, or so far from it that
 * `place` is seen, with no column cut through at the left.
 */
export function beginning(
  drawing: Size,
  window: Size,
  least: number,
  place?: Box,
  columns: Iterable<Box> = [],
): Camera {
  const whole = fitted(drawing, window, FARTHEST);
  if (whole.zoom >= least * SMALLER) return whole;
  const { zoom, ...middle } = fitted(drawing, window, least);
  // What is too high begins at the top, or so far below that the place is seen.
  const below = place === undefined ? 0 : Math.min(0, window.height - AIR - (place.y + place.height) * zoom);
  const all = { zoom, x: middle.x, y: drawing.height * zoom <= window.height ? middle.y : below };
  if (drawing.width * zoom <= window.width || place === undefined) return all;
  const needed = window.width - AIR - (place.x + place.width) * zoom;
  if (needed >= 0) return all;
  // What begins in sight begins at the left: of those the first, so that the place stays in sight.
  const starts = [...columns].map(({ x }) => x * zoom).filter((x) => x >= -needed && x <= place.x * zoom);
  return { ...all, x: AIR - Math.min(place.x * zoom, ...starts) };
}

/** Nearer or farther, with the place under a point of the window staying there. */
export function zoomed(camera: Camera, factor: number, at: { readonly x: number; readonly y: number }): Camera {
  const zoom = clampedZoom(camera.zoom * factor);
  const by = zoom / camera.zoom;
  return { zoom, x: at.x - (at.x - camera.x) * by, y: at.y - (at.y - camera.y) * by };
}

/** Moved so that some of the drawing is always in sight. */
export function kept(camera: Camera, drawing: Size, window: Size): Camera {
  const edge = 80;
  const within = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
  return {
    zoom: camera.zoom,
    x: within(camera.x, edge - drawing.width * camera.zoom, window.width - edge),
    y: within(camera.y, edge - drawing.height * camera.zoom, window.height - edge),
  };
}

/** The part of the drawing that is in the window, and so much around it, px of the window. */
export function seen(camera: Camera, window: Size, around = 0): Box {
  return {
    x: (-camera.x - around) / camera.zoom,
    y: (-camera.y - around) / camera.zoom,
    width: (window.width + 2 * around) / camera.zoom,
    height: (window.height + 2 * around) / camera.zoom,
  };
}

export function meets(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** Moved as little as is needed to have a place in the window. */
export function showing(camera: Camera, place: Box, window: Size): Camera {
  const air = 32;
  const shift = (from: number, length: number, offset: number, room: number): number => {
    const start = from * camera.zoom + offset;
    const end = start + length * camera.zoom;
    if (start < air) return air - start;
    return end > room - air ? room - air - end : 0;
  };
  return {
    zoom: camera.zoom,
    x: camera.x + shift(place.x, place.width, camera.x, window.width),
    y: camera.y + shift(place.y, place.height, camera.y, window.height),
  };
}
