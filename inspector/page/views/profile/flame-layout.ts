/**
 * Where the boxes of a flame graph lie: a box is as wide as its time is a part of all, and lies below what called it.
 *
 * L1  Children lie within their parent, side by side, and what is left of it is its own time.
 * L2  Of what is zoomed into, all that called it is as wide as the whole.
 * L3  What would be too narrow to be seen is not drawn, so that any profile is a few hundred boxes.
 */
import type { Flame } from '../../../../machines/profile-exports.ts';

/** A box, in parts of the whole from 0 to 1. */
export interface FlameBox {
  /** Its path as JSON: the same in the next profile. */
  readonly key: string;
  readonly path: readonly string[];
  readonly flame: Flame;
  readonly depth: number;
  readonly left: number;
  readonly width: number;
  /** The place of its caller among all boxes; null for the outermost. */
  readonly parent: number | null;
  /** The hue of its family, in degrees: what one outermost operation called looks alike. */
  readonly hue: number;
}

/** A box as it is drawn, in parts of what is zoomed into. */
export interface DrawnBox {
  readonly place: number;
  readonly box: FlameBox;
  readonly left: number;
  readonly width: number;
  /** It called what is zoomed into. */
  readonly isAround: boolean;
}

/** The profile without the kinds that are not wanted; what is left of it nothing of, is not there. */
export function withoutKinds(flame: Flame, hidden: ReadonlySet<Flame['kind']>): Flame {
  if (hidden.size === 0) return flame;
  const children = flame.children.map((child) => withoutKinds(child, hidden)).filter(({ value }) => value > 0);
  const self = hidden.has(flame.kind) ? 0 : flame.self;
  const value = children.reduce((sum, child) => sum + child.value, self);
  return { ...flame, self, value, children: children.sort((a, b) => b.value - a.value) };
}

/** All boxes, callers before what they called; none of a profile in which nothing took any time. */
export function flameBoxes(root: Flame): FlameBox[] {
  const boxes: FlameBox[] = [];
  if (!(root.value > 0)) return boxes;
  const add = (flame: Flame, path: readonly string[], left: number, parent: number | null, hue: number): void => {
    const place = boxes.length;
    const depth = path.length;
    const width = flame.value / root.value;
    boxes.push({ key: JSON.stringify(path), path, flame, depth, left, width, parent, hue });
    let at = left;
    for (const child of flame.children) {
      if (!(child.value > 0)) continue;
      add(child, [...path, child.name], at, place, depth === 0 ? hueOf(child.name) : hue);
      at += child.value / root.value;
    }
  };
  add(root, [], 0, null, 0);
  return boxes;
}

/** Of names that are alike the hues are far apart. */
export function hueOf(name: string): number {
  let hash = 2_166_136_261;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 16_777_619);
  // The golden angle spreads what the hash gives; the reds at both ends are for what fails.
  return 35 + Math.round(((hash >>> 0) * 137.508) % 290);
}

/** What is drawn when the box at `focus` is as wide as the whole. */
export function drawnBoxes(boxes: readonly FlameBox[], focus: number, leastWidth = 0.001): DrawnBox[] {
  const zoomed = boxes[focus];
  if (zoomed === undefined) return [];
  const around = new Set<number>();
  for (let at = zoomed.parent; at !== null; at = boxes[at]?.parent ?? null) around.add(at);
  const end = endOf(boxes, focus);
  const drawn: DrawnBox[] = [];
  for (const [place, box] of boxes.entries()) {
    if (around.has(place)) drawn.push({ place, box, left: 0, width: 1, isAround: true });
    if (place < focus || place >= end) continue;
    const width = box.width / zoomed.width;
    if (width >= leastWidth)
      drawn.push({ place, box, left: (box.left - zoomed.left) / zoomed.width, width, isAround: false });
  }
  return drawn;
}

/** What a box called comes right after it, and ends where this says. */
function endOf(boxes: readonly FlameBox[], place: number): number {
  const { depth } = boxes[place] as FlameBox;
  let end = place + 1;
  while (end < boxes.length && (boxes[end] as FlameBox).depth > depth) end += 1;
  return end;
}

/** The place of the box of this path; the outermost, 0, when it is not there. */
export function placeOf(boxes: readonly FlameBox[], key: string | null): number {
  return Math.max(0, key === null ? 0 : boxes.findIndex((box) => box.key === key));
}

/** What was searched for, and which part of all time it took: what is found within another found one counts once. */
export interface FlameMatches {
  readonly places: ReadonlySet<number>;
  readonly share: number;
}

export function matchesOf(boxes: readonly FlameBox[], text: string): FlameMatches {
  const sought = text.trim().toLowerCase();
  const places = new Set<number>();
  if (sought === '') return { places, share: 0 };
  let share = 0;
  let coveredTo = 0;
  for (const [place, box] of boxes.entries()) {
    if (box.parent === null || !box.flame.name.toLowerCase().includes(sought)) continue;
    places.add(place);
    if (place < coveredTo) continue;
    share += box.width;
    coveredTo = endOf(boxes, place);
  }
  return { places, share };
}

export type FlameMove = 'up' | 'down' | 'left' | 'right' | 'home' | 'end';

/** The place that an arrow key goes to from another, among those that are drawn: up to the caller, down to what took most of it. */
export function movedTo(drawn: readonly DrawnBox[], from: number, move: FlameMove): number {
  const here = drawn.find(({ place }) => place === from);
  if (here === undefined) return drawn[0]?.place ?? 0;
  const row = drawn.filter(({ box }) => box.depth === here.box.depth).sort((a, b) => a.left - b.left);
  const at = row.indexOf(here);
  switch (move) {
    case 'up':
      return here.box.parent !== null && drawn.some(({ place }) => place === here.box.parent) ? here.box.parent : from;
    case 'down': {
      const below = drawn.filter(({ box }) => box.parent === from);
      return below.sort((a, b) => b.width - a.width)[0]?.place ?? from;
    }
    case 'left':
      return row[at - 1]?.place ?? from;
    case 'right':
      return row[at + 1]?.place ?? from;
    case 'home':
      return row[0]?.place ?? from;
    case 'end':
      return row.at(-1)?.place ?? from;
  }
}
