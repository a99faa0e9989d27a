/**
 * Lays a chart out with ELK, wherever ELK runs: in a worker of the page, or in Node. No DOM, no `node:`: the page draws from the
 * same {@link ChartDrawing} as the SVG.
 *
 *   chart ──toElk──> ELK's graph ──layout──> ELK's result ──drawingOf──> boxes, lines of text, and paths in px
 *
 * Names in ELK's graph are made of indices, so no id of a state can be mistaken for another, however hostile.
 */
import { bundlesOf, labelOf, type Bundle } from './chart-labels.ts';
import type { Chart, ChartState, ChartTransition } from './chart.ts';
import {
  LINE_HEIGHT,
  LINE_SIZE,
  NAME_HEIGHT,
  NAME_SIZE,
  linesOfState,
  textWidth,
  type ChartLine,
} from './chart-text.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** In px, from the upper left corner of the drawing. */
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

/** A line of text; `y` is its base line. */
export type DrawnLine = ChartLine & Point;

export interface DrawnState extends Box {
  readonly id: string;
  readonly type: ChartState['type'];
  /** How many states are around it. */
  readonly depth: number;
  readonly lines: readonly DrawnLine[];
  /** From its upper edge to where its children begin; its whole height when it has none. */
  readonly header: number;
}

export interface DrawnTransition {
  /** Of the transition. */
  readonly id: string;
  /**
   * From the source to each target, each a line through these points; the same for all that go between the same states. None for
   * one that stays in its state: see `internal` lines.
   */
  readonly paths: readonly (readonly Point[])[];
  /** Where its text is; null for one that stays. */
  readonly label: (Box & { readonly lines: readonly DrawnLine[] }) | null;
}

/** From the dot to the child that is entered first. */
export interface DrawnInitial {
  /** The state whose initial child that is. */
  readonly id: string;
  readonly dot: Point;
  readonly path: readonly Point[];
}

/** A chart as plain shapes, for SVG or canvas. */
export interface ChartDrawing {
  readonly width: number;
  readonly height: number;
  /** Those around before those inside. */
  readonly states: readonly DrawnState[];
  readonly transitions: readonly DrawnTransition[];
  readonly initials: readonly DrawnInitial[];
}

/** What of ELK's graph we write and read. */
export interface ElkNode {
  id: string;
  x?: number;
  y?: number;
  width?: number;
  height?: number;
  layoutOptions?: Record<string, string>;
  children?: ElkNode[];
  edges?: ElkEdge[];
}

export interface ElkEdge {
  id: string;
  sources: string[];
  targets: string[];
  labels?: {
    id: string;
    text: string;
    x?: number;
    y?: number;
    width: number;
    height: number;
    layoutOptions?: Record<string, string>;
  }[];
  sections?: { startPoint: Point; endPoint: Point; bendPoints?: Point[] }[];
}

export interface LayoutOptions {
  /** Where transitions go to. Default: `down`. */
  readonly direction?: 'down' | 'right';
  /** Some charts defeat one of ELK's ways: {@link layOut} tries them in turn. Default: `ordered`. */
  readonly way?: 'ordered' | 'greedy' | 'apart';
}

/** What lays out: `new ELK()`. */
export interface Elk {
  layout(graph: never): Promise<unknown>;
}

const DOT = 10;
const HISTORY = 24;
const LEFT = 12;
const GAP = 6;

const ROOT_OPTIONS: Readonly<Record<string, string>> = {
  'elk.algorithm': 'layered',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.json.shapeCoords': 'ROOT',
  'elk.json.edgeCoords': 'ROOT',
  'elk.padding': '[top=12,left=12,bottom=12,right=12]',
};

/** Of every state that has others inside: they are not handed down. */
const INSIDE: Readonly<Record<string, string>> = {
  'elk.spacing.nodeNode': '28',
  'elk.spacing.edgeNode': '16',
  'elk.spacing.edgeEdge': '12',
  'elk.spacing.edgeLabel': '4',
  'elk.layered.spacing.nodeNodeBetweenLayers': '28',
  'elk.layered.spacing.edgeNodeBetweenLayers': '16',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '12',
};

/**
 * The ways to lay out, best first: in the order of the machine, which a walk from the initial state keeps (ELK's own option for
 * that fails on labels inside states); with few lines that go back; and each state apart from those around it, where lines from
 * one into another are straight.
 */
const WAYS = ['ordered', 'greedy', 'apart'] as const;

/** Lays out with `elk`, and draws. Rejects when ELK cannot in any way. */
export async function layOut(chart: Chart, elk: Elk, options: LayoutOptions = {}): Promise<ChartDrawing> {
  let failure: unknown;
  for (const way of WAYS) {
    try {
      return drawingOf(chart, (await elk.layout(toElk(chart, { ...options, way }) as never)) as ElkNode);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

const LABEL = { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' };
const FIRST = { 'elk.layered.layering.layerConstraint': 'FIRST' };

/** The graph that ELK is to lay out. */
export function toElk(chart: Chart, { direction = 'down', way = 'ordered' }: LayoutOptions = {}): ElkNode {
  const index = new Map(chart.states.map(({ id }, at) => [id, at]));
  const internal = internalOf(chart);
  const nodes: ElkNode[] = [];
  const edges: ElkEdge[] = [];
  const layoutOptions = {
    ...INSIDE,
    'elk.direction': direction === 'down' ? 'DOWN' : 'RIGHT',
    'elk.layered.cycleBreaking.strategy': way === 'ordered' ? 'DEPTH_FIRST' : 'GREEDY',
    'elk.hierarchyHandling': way === 'apart' ? 'SEPARATE_CHILDREN' : 'INCLUDE_CHILDREN',
  };
  for (const [at, state] of chart.states.entries()) {
    const node = nodeOf(state, at, internal.get(state.id) ?? [], layoutOptions);
    nodes.push(node);
    const parent = state.parent === null ? undefined : nodes[index.get(state.parent) ?? -1];
    parent?.children?.push(node);
    const first = state.initial === null ? undefined : index.get(state.initial);
    if (first === undefined) continue;
    node.children?.push({ id: `i${at}`, width: DOT, height: DOT, layoutOptions: FIRST });
    edges.push({ id: `f${at}`, sources: [`i${at}`], targets: [`s${first}`] });
  }
  const parents = new Map(chart.states.map(({ id, parent }) => [id, parent]));
  for (const [at, bundle] of bundlesOf(chart).entries()) {
    for (const edge of edgesOf(bundle, at, index)) {
      if (way !== 'apart' || parents.get(edge.from) === parents.get(edge.to)) edges.push(edge.edge);
    }
  }
  const root = nodes[index.get(chart.root) ?? 0];
  return {
    id: 'chart',
    layoutOptions: { ...ROOT_OPTIONS, ...layoutOptions },
    children: root === undefined ? [] : [root],
    edges,
  };
}

function nodeOf(
  state: ChartState,
  at: number,
  internal: readonly ChartTransition[],
  layoutOptions: Record<string, string>,
): ElkNode {
  if (state.type === 'history') return { id: `s${at}`, width: HISTORY, height: HISTORY };
  const { width, height } = sizeOf(linesOfState(state, internal));
  if (state.children.length === 0) return { id: `s${at}`, width, height };
  return {
    id: `s${at}`,
    children: [],
    layoutOptions: {
      ...layoutOptions,
      'elk.padding': `[top=${height + 10},left=16,bottom=16,right=16]`,
      'elk.nodeSize.constraints': 'MINIMUM_SIZE',
      'elk.nodeSize.minimum': `(${width},${height + 26})`,
    },
  };
}

interface Ended {
  readonly from: string;
  readonly to: string;
  readonly edge: ElkEdge;
}

function edgesOf(bundle: Bundle, at: number, index: ReadonlyMap<string, number>): Ended[] {
  const { source, targets } = bundle[0];
  const { width, height } = labelOf(bundle);
  // ELK leaves labels without a text out.
  const label = { id: `l${at}`, text: 'label', width, height, layoutOptions: LABEL };
  return targets.map((to, nth) => {
    const edge = { id: `t${at}.${nth}`, sources: [`s${index.get(source)}`], targets: [`s${index.get(to)}`] };
    return { from: source, to, edge: nth === 0 ? { ...edge, labels: [label] } : edge };
  });
}

/** What ELK made of the graph of this chart, as shapes. */
export function drawingOf(chart: Chart, result: ElkNode): ChartDrawing {
  const boxes = new Map<string, Box>();
  const pending = [...(result.children ?? [])];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    boxes.set(node.id, { x: node.x ?? 0, y: node.y ?? 0, width: node.width ?? 0, height: node.height ?? 0 });
    if (node.children !== undefined) pending.push(...node.children);
  }
  const edges = new Map((result.edges ?? []).map((edge) => [edge.id, edge]));
  return {
    width: Math.ceil(result.width ?? 0),
    height: Math.ceil(result.height ?? 0),
    states: drawnStates(chart, boxes),
    transitions: drawnTransitions(chart, edges, boxes),
    initials: chart.states.flatMap(({ id }, at) => {
      const edge = edges.get(`f${at}`);
      const dot = boxes.get(`i${at}`);
      if (edge === undefined || dot === undefined) return [];
      return [{ id, dot: { x: dot.x + DOT / 2, y: dot.y + DOT / 2 }, path: routed(edge) }];
    }),
  };
}

function drawnStates(chart: Chart, boxes: ReadonlyMap<string, Box>): DrawnState[] {
  const internal = internalOf(chart);
  const depths = new Map<string, number>();
  return chart.states.flatMap((state, at): DrawnState[] => {
    const depth = state.parent === null ? 0 : (depths.get(state.parent) ?? 0) + 1;
    depths.set(state.id, depth);
    const box = boxes.get(`s${at}`);
    if (box === undefined) return [];
    const { id, type } = state;
    if (type === 'history') {
      const text = state.history === 'deep' ? 'H*' : 'H';
      const x = box.x + (box.width - textWidth(text, LINE_SIZE)) / 2;
      const line: DrawnLine = { kind: 'name', text, x, y: box.y + box.height / 2 + 4 };
      return [{ id, type, depth, ...box, lines: [line], header: box.height }];
    }
    const lines = linesOfState(state, internal.get(id) ?? []);
    const header = state.children.length === 0 ? box.height : sizeOf(lines).height;
    return [{ id, type, depth, ...box, lines: placed(lines, box), header }];
  });
}

function drawnTransitions(
  chart: Chart,
  edges: ReadonlyMap<string, ElkEdge>,
  boxes: ReadonlyMap<string, Box>,
): DrawnTransition[] {
  const index = new Map(chart.states.map(({ id }, at) => [id, at]));
  const boxOf = (state: string) => boxes.get(`s${index.get(state)}`);
  const drawn = new Map<string, DrawnTransition>();
  for (const [at, bundle] of bundlesOf(chart).entries()) {
    const { source, targets } = bundle[0];
    const paths = targets.map((target, nth) => {
      const path = routed(edges.get(`t${at}.${nth}`));
      return path.length > 1 ? path : straight(boxOf(source), boxOf(target));
    });
    const { width, height: whole, parts } = labelOf(bundle);
    const middle = middleOf(paths[0] ?? []);
    const { x = middle.x - width / 2, y = middle.y - whole / 2 } = edges.get(`t${at}.0`)?.labels?.[0] ?? {};
    for (const { transition, top, height, lines } of parts) {
      const moved = lines.map((line) => ({ ...line, x: x + line.x, y: y + line.y }));
      drawn.set(transition.id, { id: transition.id, paths, label: { x, y: y + top, width, height, lines: moved } });
    }
  }
  return chart.transitions.map(({ id }) => drawn.get(id) ?? { id, paths: [], label: null });
}

function routed(edge: ElkEdge | undefined): Point[] {
  return (edge?.sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) =>
    [startPoint, ...bendPoints, endPoint].map(({ x, y }) => ({ x, y })),
  );
}

/** What ELK has not routed. */
function straight(from: Box | undefined, to: Box | undefined): Point[] {
  if (from === undefined || to === undefined) return [];
  return [
    { x: from.x + from.width / 2, y: from.y + from.height },
    { x: to.x + to.width / 2, y: to.y },
  ];
}

function middleOf(path: readonly Point[]): Point {
  const from = path[0] ?? { x: 0, y: 0 };
  const to = path.at(-1) ?? from;
  return { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
}

/** Transitions that stay in their state: lines in it. */
function internalOf(chart: Chart): Map<string, ChartTransition[]> {
  const internal = new Map<string, ChartTransition[]>();
  for (const transition of chart.transitions) {
    if (transition.targets.length > 0) continue;
    const others = internal.get(transition.source);
    if (others === undefined) internal.set(transition.source, [transition]);
    else others.push(transition);
  }
  return internal;
}

function sizeOf(lines: readonly ChartLine[]): { readonly width: number; readonly height: number } {
  const widths = lines.map(({ kind, text }) => textWidth(text, kind === 'name' ? NAME_SIZE : LINE_SIZE));
  const height = GAP + NAME_HEIGHT + (lines.length - 1) * LINE_HEIGHT + GAP;
  return { width: Math.max(72, ...widths) + 2 * LEFT, height };
}

function placed(lines: readonly ChartLine[], box: Box): DrawnLine[] {
  return lines.map((line, at) => ({
    ...line,
    x: box.x + LEFT,
    y: box.y + GAP + NAME_HEIGHT + at * LINE_HEIGHT - 6,
  }));
}
