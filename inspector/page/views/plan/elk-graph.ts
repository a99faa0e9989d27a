/** A plan as ELK wants it, and what ELK says of it as a drawing. */
import type { ElkExtendedEdge, ElkNode } from 'elkjs/lib/elk-api.js';
import { boxPadding, direct, sizes, type Drawing, type Place, type Route } from './layers.ts';
import type { Shape, ShapeNode } from './shape.ts';

const { top, side, bottom } = boxPadding;

const options = {
  'elk.algorithm': 'layered',
  'elk.direction': 'RIGHT',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.spacing.nodeNodeBetweenLayers': '36',
  'elk.layered.spacing.edgeNodeBetweenLayers': '14',
  'elk.spacing.nodeNode': '16',
  'elk.spacing.edgeNode': '12',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '8',
  'elk.spacing.edgeEdge': '10',
  'elk.spacing.componentComponent': '28',
  'elk.padding': '[top=24,left=24,bottom=24,right=24]',
  'elk.json.shapeCoords': 'ROOT',
  'elk.json.edgeCoords': 'ROOT',
};

/** What is asked of ELK. Plans of many steps are placed by the quicker of its ways. */
export function elkGraphOf(shape: Shape): ElkNode {
  const inside = new Map<string | null, ShapeNode[]>();
  for (const node of shape.nodes) {
    const list = inside.get(node.parent);
    if (list === undefined) inside.set(node.parent, [node]);
    else list.push(node);
  }
  const childrenOf = (parent: string | null): ElkNode[] =>
    (inside.get(parent) ?? []).map(({ id, kind }) =>
      kind === 'box'
        ? {
            id,
            children: childrenOf(id),
            layoutOptions: {
              'elk.padding': `[top=${top},left=${side},bottom=${bottom},right=${side}]`,
              'elk.nodeSize.constraints': 'MINIMUM_SIZE',
              'elk.nodeSize.minimum': `(${sizes.box.width},${sizes.box.height})`,
            },
          }
        : { id, ...sizes[kind] },
    );
  const isLarge = shape.nodes.length > 250;
  return {
    id: 'plan',
    layoutOptions: isLarge
      ? { ...options, 'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF', 'elk.layered.thoroughness': '3' }
      : options,
    children: childrenOf(null),
    edges: shape.edges.map(({ id, from, to }) => ({ id, sources: [from], targets: [to] })),
  };
}

/** What ELK says, as a drawing. What it has said nothing of stays where it was. */
export function drawingOf(answer: ElkNode, shape: Shape, before: Drawing): Drawing {
  const places = new Map<string, Place>(before.places);
  const edges = new Map<string, ElkExtendedEdge>();
  const read = (node: ElkNode): void => {
    for (const child of node.children ?? []) {
      const { x = 0, y = 0, width = 0, height = 0 } = child;
      places.set(child.id, { x, y, width, height });
      read(child);
    }
    for (const edge of node.edges ?? []) edges.set(edge.id, edge);
  };
  read(answer);
  const routes = shape.edges.map(({ id, from, to }): Route => {
    const section = edges.get(id)?.sections?.[0];
    if (section === undefined) return { id, points: direct(places.get(from)!, places.get(to)!) };
    return { id, points: [section.startPoint, ...(section.bendPoints ?? []), section.endPoint] };
  });
  return { width: answer.width ?? before.width, height: answer.height ?? before.height, places, routes };
}
