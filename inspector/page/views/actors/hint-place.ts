/** Where the hint of something in a chart is put: where it has room, and covers nothing that is active. Pure. */
import type { Rect, Size } from './viewport.ts';

export interface HintPlace {
  /** Px in the pane. */
  readonly x: number;
  readonly y: number;
  /** It ends at `y`, where it does not begin there. */
  readonly isAbove: boolean;
}

/** About as large as a hint becomes. */
const HINT: Size = { width: 320, height: 180 };
const GAP = 6;
const MARGIN = 8;

/** Below what it is about, else above, right or left of it; below, or where there is no room above, when it covers something anywhere. */
export function hintPlace(about: Rect, pane: Size, avoided: readonly Rect[]): HintPlace {
  const x = Math.max(MARGIN, Math.min(about.x, pane.width - HINT.width - MARGIN));
  const beside = Math.max(MARGIN, Math.min(about.y, pane.height - HINT.height - MARGIN));
  const below: HintPlace = { x, y: about.y + about.height + GAP, isAbove: false };
  const above: HintPlace = { x, y: about.y - GAP, isAbove: true };
  const right: HintPlace = { x: about.x + about.width + GAP, y: beside, isAbove: false };
  const left: HintPlace = { x: about.x - GAP - HINT.width, y: beside, isAbove: false };
  const boxOf = (place: HintPlace): Rect => ({
    ...HINT,
    x: place.x,
    y: place.isAbove ? place.y - HINT.height : place.y,
  });
  const fits = (box: Rect) =>
    box.x >= 0 && box.y >= 0 && box.x + box.width <= pane.width && box.y + box.height <= pane.height;
  const covers = (box: Rect) => avoided.some((one) => overlap(box, one));
  const places = [below, above, right, left].filter((place) => fits(boxOf(place)));
  return (
    places.find((place) => !covers(boxOf(place))) ?? places[0] ?? (below.y + HINT.height > pane.height ? above : below)
  );
}

function overlap(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
