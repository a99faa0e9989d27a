/**
 * Lays a chart out with ELK, wherever ELK runs: in a worker of the page, or in Node. No DOM, no `node:`: the page draws from the
 * same {@link ChartDrawing} as the SVG.
 *
 *   chart ──toElk──> ELK's graph ──layout──> ELK's result ──drawingOf──> boxes, lines of text, and paths in px
 *
 * Names in ELK's graph are made of indices, so no id of a state can be mistaken for another, however hostile.
 */
import type { Chart, ChartState, ChartTransition } from './chart.ts';
import {
  LINE_HEIGHT,
  LINE_SIZE,
  NAME_HEIGHT,
  NAME_SIZE,
  linesOfState,
  linesOfTransition,
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
  /** From the source to each target, each a line through these points; none for one that stays in its state: see `internal` lines. */
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
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.json.shapeCoords': 'ROOT',
  'elk.json.edgeCoords': 'ROOT',
  'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
  'elk.padding': '[top=12,left=12,bottom=12,right=12]',
};

const SPACING: Readonly<Record<string, string>> = {
  'elk.spacing.nodeNode': '28',
  'elk.spacing.edgeNode': '16',
  'elk.spacing.edgeEdge': '12',
  'elk.spacing.edgeLabel': '4',
  'elk.layered.spacing.nodeNodeBetweenLayers': '28',
  'elk.layered.spacing.edgeNodeBetweenLayers': '16',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '12',
};

/** Lays out with `elk`, and draws. Rejects when ELK cannot, whatever it is asked. */
export async function layOut(chart: Chart, elk: Elk, options: LayoutOptions = {}): Promise<ChartDrawing> {
  const graph = toElk(chart, options);
  let failure: unknown;
  // Some charts defeat one of ELK's strategies: then it goes without.
  for (const without of [{}, WITHOUT_ORDER, WITHOUT_HIERARCHY]) {
    try {
      const attempt = { ...structuredClone(graph), layoutOptions: { ...graph.layoutOptions, ...without } };
      return drawingOf(chart, (await elk.layout(attempt as never)) as ElkNode);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

const WITHOUT_ORDER = { 'elk.layered.considerModelOrder.strategy': 'NONE' };
const WITHOUT_HIERARCHY = { ...WITHOUT_ORDER, 'elk.hierarchyHandling': 'SEPARATE_CHILDREN' };

/** The graph that ELK is to lay out. */
export function toElk(chart: Chart, { direction = 'down' }: LayoutOptions = {}): ElkNode {
  const index = new Map(chart.states.map(({ id }, at) => [id, at]));
  const internal = internalOf(chart);
  const nodes: ElkNode[] = [];
  const edges: ElkEdge[] = [];
  const layoutOptions = { ...SPACING, 'elk.direction': direction === 'down' ? 'DOWN' : 'RIGHT' };
  for (const [at, state] of chart.states.entries()) {
    const node = nodeOf(state, at, internal.get(state.id) ?? [], layoutOptions);
    nodes.push(node);
    const parent = state.parent === null ? undefined : nodes[index.get(state.parent) ?? -1];
    parent?.children?.push(node);
    const first = state.initial === null ? undefined : index.get(state.initial);
    if (first === undefined) continue;
    node.children?.push({ id: `i${at}`, width: DOT, height: DOT });
    edges.push({ id: `f${at}`, sources: [`i${at}`], targets: [`s${first}`] });
  }
  for (const [at, transition] of chart.transitions.entries()) edges.push(...edgesOf(transition, at, index));
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

function edgesOf(transition: ChartTransition, at: number, index: ReadonlyMap<string, number>): ElkEdge[] {
  const source = index.get(transition.source);
  if (source === undefined) return [];
  const targets = transition.targets.map((id) => index.get(id)).filter((target) => target !== undefined);
  const { width, height } = sizeOfLabel(linesOfTransition(transition));
  const layoutOptions = { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' };
  return targets.map((target, nth) => ({
    id: `t${at}.${nth}`,
    sources: [`s${source}`],
    targets: [`s${target}`],
    ...(nth === 0 ? { labels: [{ id: `l${at}`, width, height, layoutOptions }] } : {}),
  }));
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
    transitions: chart.transitions.map((transition, at) => drawnTransition(transition, at, edges)),
    initials: chart.states.flatMap(({ id }, at) => {
      const edge = edges.get(`f${at}`);
      const dot = boxes.get(`i${at}`);
      if (edge === undefined || dot === undefined) return [];
      return [{ id, dot: { x: dot.x + DOT / 2, y: dot.y + DOT / 2 }, path: pathOfEdge(edge) }];
    }),
  };
}

function drawnStates(chart: Chart, boxes: ReadonlyMap<string, Box>): DrawnState[] {
  const internal = internalOf(chart);
  const depths = new Map<string, number>();
  return chart.states.flatMap((state, at) => {
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

function drawnTransition(
  transition: ChartTransition,
  at: number,
  edges: ReadonlyMap<string, ElkEdge>,
): DrawnTransition {
  const paths: Point[][] = [];
  let label: DrawnTransition['label'] = null;
  for (const nth of transition.targets.keys()) {
    const edge = edges.get(`t${at}.${nth}`);
    if (edge === undefined) continue;
    paths.push(pathOfEdge(edge));
    const [box] = edge.labels ?? [];
    if (box === undefined) continue;
    const { x = 0, y = 0, width, height } = box;
    const lines = linesOfTransition(transition).map((line, nthLine) => ({
      ...line,
      x: x + GAP,
      y: y + 2 + (nthLine + 1) * LINE_HEIGHT - 4,
    }));
    label = { x, y, width, height, lines };
  }
  return { id: transition.id, paths, label };
}

function pathOfEdge(edge: ElkEdge): Point[] {
  return (edge.sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) =>
    [startPoint, ...bendPoints, endPoint].map(({ x, y }) => ({ x, y })),
  );
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

function sizeOfLabel(lines: readonly ChartLine[]): { readonly width: number; readonly height: number } {
  const widths = lines.map(({ text }) => textWidth(text, LINE_SIZE));
  return { width: Math.max(...widths) + 2 * GAP, height: lines.length * LINE_HEIGHT + 4 };
}

function placed(lines: readonly ChartLine[], box: Box): DrawnLine[] {
  return lines.map((line, at) => ({
    ...line,
    x: box.x + LEFT,
    y: box.y + GAP + NAME_HEIGHT + at * LINE_HEIGHT - 6,
  }));
}
