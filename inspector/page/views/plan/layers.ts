/**
 * Where the nodes of a plan lie, reckoned here and at once: in columns from left to right, so that everything lies right of what it
 * waits for. It is what is seen until the finer layout comes from its worker, and what is left when that one does not come.
 *
 * L1  A node lies wholly right of every node that it comes after, also when they lie in different boxes.
 * L2  No two nodes overlap, but for a box and what lies in it, which lies wholly inside.
 */
import type { Shape, ShapeNode } from './shape.ts';

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Route {
  readonly id: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A plan as it is drawn, px. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly places: ReadonlyMap<string, Place>;
  readonly routes: readonly Route[];
}

export const sizes = {
  step: { width: 188, height: 54 },
  stack: { width: 196, height: 76 },
  closed: { width: 196, height: 66 },
  box: { width: 220, height: 90 },
} as const;

export const boxPadding = { top: 36, side: 16, bottom: 16 } as const;
const COLUMN_GAP = 48;
const ROW_GAP = 16;
const MARGIN = 24;

interface Flat {
  readonly width: number;
  readonly height: number;
  /** Of each child: the place in here. */
  readonly at: ReadonlyMap<string, { readonly x: number; readonly y: number }>;
}

/** In which column each lies: one right of the last of those before it. What waits in a circle lies left. */
export function columnsOf(ids: readonly string[], edges: readonly (readonly [string, string])[]): Map<string, number> {
  const after = new Map<string, string[]>();
  const open = new Map(ids.map((id) => [id, 0]));
  for (const [from, to] of edges) {
    after.set(from, [...(after.get(from) ?? []), to]);
    open.set(to, (open.get(to) ?? 0) + 1);
  }
  const column = new Map(ids.map((id) => [id, 0]));
  const ready = ids.filter((id) => open.get(id) === 0);
  for (const id of ready) {
    for (const next of after.get(id) ?? []) {
      column.set(next, Math.max(column.get(next)!, column.get(id)! + 1));
      open.set(next, open.get(next)! - 1);
      if (open.get(next) === 0) ready.push(next);
    }
  }
  return column;
}

/** Orders the nodes of each column by where those lie that they come after or before. */
function ordered(columns: string[][], edges: readonly (readonly [string, string])[]): void {
  const neighbours = new Map<string, string[]>();
  for (const [from, to] of edges) {
    neighbours.set(from, [...(neighbours.get(from) ?? []), to]);
    neighbours.set(to, [...(neighbours.get(to) ?? []), from]);
  }
  const rank = new Map<string, number>();
  const number = (column: readonly string[]): void =>
    column.forEach((id, index) => rank.set(id, (index + 0.5) / column.length));
  columns.forEach(number);
  for (let pass = 0; pass < 4; pass++) {
    for (const column of pass % 2 === 0 ? columns : columns.toReversed()) {
      const wanted = new Map(
        column.map((id) => {
          const ranks = (neighbours.get(id) ?? []).map((other) => rank.get(other)!);
          return [id, ranks.length === 0 ? rank.get(id)! : ranks.reduce((sum, one) => sum + one, 0) / ranks.length];
        }),
      );
      column.sort((a, b) => wanted.get(a)! - wanted.get(b)!);
      number(column);
    }
  }
}

function flat(
  ids: readonly string[],
  edges: readonly (readonly [string, string])[],
  sizeOf: (id: string) => { readonly width: number; readonly height: number },
): Flat {
  const columnOf = columnsOf(ids, edges);
  const columns: string[][] = [];
  for (const id of ids) (columns[columnOf.get(id)!] ??= []).push(id);
  ordered(columns, edges);
  const heights = columns.map((column) => column.reduce((sum, id) => sum + sizeOf(id).height + ROW_GAP, -ROW_GAP));
  const height = Math.max(0, ...heights);
  const at = new Map<string, { x: number; y: number }>();
  let x = 0;
  for (const [index, column] of columns.entries()) {
    let y = (height - heights[index]!) / 2;
    for (const id of column) {
      at.set(id, { x, y });
      y += sizeOf(id).height + ROW_GAP;
    }
    x += Math.max(...column.map((id) => sizeOf(id).width)) + COLUMN_GAP;
  }
  return { width: Math.max(0, x - COLUMN_GAP), height, at };
}

/** The boxes that a node lies in, the outermost first, and the node itself. */
function lineage(id: string, nodes: ReadonlyMap<string, ShapeNode>): string[] {
  const line: string[] = [];
  for (let at: string | null = id; at !== null; at = nodes.get(at)?.parent ?? null) line.unshift(at);
  return line;
}

/** Lays a plan out in columns. */
export function laidOut(shape: Shape): Drawing {
  const nodes = new Map(shape.nodes.map((node) => [node.id, node]));
  const inside = new Map<string | null, string[]>();
  for (const { id, parent } of shape.nodes) inside.set(parent, [...(inside.get(parent) ?? []), id]);
  // An edge between boxes orders the boxes, in the innermost one that holds both.
  const ways = new Map<string | null, (readonly [string, string])[]>();
  for (const { from, to } of shape.edges) {
    const [a, b] = [lineage(from, nodes), lineage(to, nodes)];
    let depth = 0;
    while (a[depth] === b[depth]) depth++;
    const holder = depth === 0 ? null : a[depth - 1]!;
    ways.set(holder, [...(ways.get(holder) ?? []), [a[depth]!, b[depth]!]]);
  }

  const flats = new Map<string | null, Flat>();
  const sizeOf = (id: string): { width: number; height: number } => {
    const { kind } = nodes.get(id)!;
    if (kind !== 'box') return sizes[kind];
    const { width, height } = flats.get(id)!;
    return {
      width: Math.max(sizes.box.width, width + 2 * boxPadding.side),
      height: Math.max(sizes.box.height, height + boxPadding.top + boxPadding.bottom),
    };
  };
  const measure = (holder: string | null): void => {
    const ids = inside.get(holder) ?? [];
    for (const id of ids) if (nodes.get(id)!.kind === 'box') measure(id);
    flats.set(holder, flat(ids, ways.get(holder) ?? [], sizeOf));
  };
  measure(null);

  const places = new Map<string, Place>();
  const put = (holder: string | null, x: number, y: number): void => {
    for (const [id, at] of flats.get(holder)!.at) {
      const place = { x: x + at.x, y: y + at.y, ...sizeOf(id) };
      places.set(id, place);
      if (nodes.get(id)!.kind === 'box') put(id, place.x + boxPadding.side, place.y + boxPadding.top);
    }
  };
  put(null, MARGIN, MARGIN);
  const all = flats.get(null)!;
  return {
    width: all.width + 2 * MARGIN,
    height: all.height + 2 * MARGIN,
    places,
    routes: shape.edges.map(({ id, from, to }) => ({ id, points: direct(places.get(from)!, places.get(to)!) })),
  };
}

/** From the right of the one to the left of the other. */
export function direct(from: Place, to: Place): { x: number; y: number }[] {
  return [
    { x: from.x + from.width, y: from.y + from.height / 2 },
    { x: to.x, y: to.y + to.height / 2 },
  ];
}
