import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { PlanGraph } from '../../../views/plan.ts';
import { IconButton } from '../../ui/button.tsx';
import { beginning, FARTHEST, fitted, kept, meets, seen, showing, zoomed, type Box, type Camera } from './camera.ts';
import { Card } from './step-card.tsx';
import { pathOf } from './routes.ts';
import { shapeOf, standingOf, type Opened, type Shape, type ShapeNode } from './shape.ts';
import { standingOfTally, STANDINGS, tallyText, timeOf, toneOfStanding, wordOf, type Standing } from './standing.ts';
import { useDrawing } from './use-drawing.ts';

/** Below this zoom no words can be read, and of a plan of many steps none are drawn. */
const READABLE = 0.34;
/** At first it is not drawn smaller than this, unless there are too many to be read anyway. */
const COMFORTABLE = 0.62;
const MANY = 150;
/** What is drawn around the window, px, and how far it may be moved until that is drawn anew. */
const AROUND = 500;
const SLACK = 320;

export interface GraphProps {
  readonly plan: PlanGraph;
  readonly opened: Opened;
  readonly onToggle: (id: string) => void;
  readonly selected: string | null;
  readonly onSelect: (step: string | null) => void;
}

/** A run as a graph, to be moved, zoomed and walked through. */
export function Graph({ plan, opened, onToggle, selected, onSelect }: GraphProps) {
  const shape = useMemo(() => shapeOf(plan.graph, plan.criticalPath, opened), [plan, opened]);
  const laid = useDrawing(shape);
  const { drawing } = laid;
  const nodes = useMemo(() => current(laid.shape, shape), [laid, shape]);
  const near = useMemo(() => neighboursOf(laid.shape), [laid.shape]);

  const box = useRef<HTMLDivElement>(null);
  const layer = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const camera = useRef<Camera>({ x: 0, y: 0, zoom: 1 });
  /** What the document holds is right for this camera, and for those near to it. */
  const [drawnFor, setDrawnFor] = useState<Camera>(camera.current);
  const isFitted = useRef(true);
  /** The box that somebody just opened or closed stays where it is. */
  const anchor = useRef<{ readonly id: string; readonly x: number; readonly y: number } | null>(null);

  const see = (next: Camera, byHand = true): void => {
    const to = kept(next, drawing, size);
    if (byHand) isFitted.current = false;
    camera.current = to;
    if (layer.current !== null) layer.current.style.transform = `translate(${to.x}px, ${to.y}px) scale(${to.zoom})`;
    setDrawnFor((before) => {
      const isNear = Math.abs(before.x - to.x) < SLACK && Math.abs(before.y - to.y) < SLACK;
      return isNear && before.zoom === to.zoom ? before : to;
    });
  };
  const latest = useRef(see);
  latest.current = see;
  const fit = (): void => {
    isFitted.current = true;
    see(fitted(drawing, size), false);
  };
  /** At first: all of it, if it can be read then; else where something happens. */
  const begin = (): void => {
    const least = laid.shape.nodes.length > MANY ? FARTHEST : COMFORTABLE;
    const place = drawing.places.get(frontier(laid.shape) ?? '');
    see(beginning(drawing, size, least, place, drawing.places.values()), false);
  };

  useLayoutEffect(() => {
    const element = box.current!;
    const read = (): void =>
      setSize((before) => {
        const next = { width: element.clientWidth, height: element.clientHeight };
        return before.width === next.width && before.height === next.height ? before : next;
      });
    read();
    const sizes = new ResizeObserver(read);
    sizes.observe(element);
    // Wheels are heard without preact, because the page would scroll else.
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      const rect = element.getBoundingClientRect();
      const at = { x: event.clientX - rect.left, y: event.clientY - rect.top };
      const from = camera.current;
      if (event.ctrlKey || event.metaKey || event.altKey) {
        latest.current(zoomed(from, Math.exp(-event.deltaY * 0.004), at));
      } else if (event.shiftKey) latest.current({ ...from, x: from.x - event.deltaY - event.deltaX });
      else latest.current({ ...from, x: from.x - event.deltaX, y: from.y - event.deltaY });
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      sizes.disconnect();
      element.removeEventListener('wheel', onWheel);
    };
  }, []);

  useLayoutEffect(() => {
    if (size.width === 0) return;
    const held = anchor.current;
    const place = held === null ? undefined : drawing.places.get(held.id);
    if (held !== null && place !== undefined) {
      const { zoom } = camera.current;
      see({ zoom, x: held.x - place.x * zoom, y: held.y - place.y * zoom });
      if (laid.by === 'elk') anchor.current = null;
    } else if (isFitted.current) begin();
    else {
      const chosenAt = selected === null ? undefined : drawing.places.get(selected);
      see(chosenAt === undefined ? camera.current : showing(camera.current, chosenAt, size));
    }
  }, [drawing, size]);

  // Who comes to a step by its address, or by the keyboard, is to see it.
  useLayoutEffect(() => {
    const place = selected === null ? undefined : drawing.places.get(selected);
    if (place === undefined || size.width === 0) return;
    const from =
      camera.current.zoom < READABLE ? zoomed(camera.current, 0.8 / camera.current.zoom, middle(size)) : camera.current;
    const to = showing(from, place, size);
    if (to !== camera.current && (to.x !== camera.current.x || to.y !== camera.current.y)) see(to);
  }, [selected, laid.key, size.width > 0]);

  const toggle = (id: string): void => {
    const place = drawing.places.get(id);
    const { x, y, zoom } = camera.current;
    if (place !== undefined) anchor.current = { id, x: place.x * zoom + x, y: place.y * zoom + y };
    isFitted.current = false;
    onToggle(id);
  };

  /** The step under a point of the page: of several, the one that lies in the others. */
  const stepAt = (clientX: number, clientY: number): string | null => {
    const rect = box.current!.getBoundingClientRect();
    const { x, y, zoom } = camera.current;
    const at = { x: (clientX - rect.left - x) / zoom, y: (clientY - rect.top - y) / zoom, width: 0.1, height: 0.1 };
    return laid.shape.nodes.findLast(({ id }) => meets(drawing.places.get(id)!, at))?.id ?? null;
  };
  const onPointerDown = (event: PointerEvent): void => {
    if (event.button > 1 || (event.target as Element).closest('button') !== null) return;
    const element = box.current!;
    const start = { x: event.clientX, y: event.clientY };
    const from = camera.current;
    let isDrag = false;
    element.setPointerCapture(event.pointerId);
    const move = (next: PointerEvent): void => {
      const [dx, dy] = [next.clientX - start.x, next.clientY - start.y];
      if (!isDrag && Math.hypot(dx, dy) < 4) return;
      isDrag = true;
      element.classList.add('is-moving');
      latest.current({ ...from, x: from.x + dx, y: from.y + dy });
    };
    const end = (last: PointerEvent): void => {
      element.removeEventListener('pointermove', move);
      element.removeEventListener('pointerup', end);
      element.removeEventListener('pointercancel', end);
      element.classList.remove('is-moving');
      if (!isDrag && last.type === 'pointerup') onSelect(stepAt(last.clientX, last.clientY));
    };
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', end);
    element.addEventListener('pointercancel', end);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = (factor: number): void => see(zoomed(camera.current, factor, middle(size)));
    const next = walk(event.key, selected, laid.shape, drawing.places, near);
    if (next !== null) onSelect(next);
    else if (event.key === '+' || event.key === '=') by(1.25);
    else if (event.key === '-') by(1 / 1.25);
    else if (event.key === '0') fit();
    else if (event.key === 'Enter' && selected !== null && nodes.get(selected)?.kind !== 'step') toggle(selected);
    else if (event.key === 'Escape' && selected !== null) onSelect(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const view = seen(drawnFor, size, AROUND);
  const isReadable = drawnFor.zoom >= READABLE || laid.shape.nodes.length <= MANY;
  const lit = selected === null ? null : (near.get(selected) ?? null);
  const inSight = laid.shape.nodes.filter(({ id }) => meets(drawing.places.get(id)!, view));
  const chosen = selected === null ? undefined : nodes.get(selected);

  return (
    <div class="graph">
      <div
        ref={box}
        class={`graph-window ${isReadable ? '' : 'is-far'}`}
        role="application"
        aria-roledescription="graph"
        aria-label={`The run ${plan.id} as a graph. The arrows go from step to step, Enter opens a group, plus and minus zoom, 0 shows all. The same is there as a table.`}
        tabIndex={0}
        onPointerDown={onPointerDown}
        onDblClick={(event) => {
          const id = stepAt(event.clientX, event.clientY);
          if (id !== null && nodes.get(id)!.kind !== 'step') toggle(id);
        }}
        onKeyDown={onKeyDown}
      >
        <div ref={layer} class="graph-layer">
          {isReadable
            ? inSight
                .filter(({ kind }) => kind === 'box')
                .map(({ id }) => (
                  <Card
                    key={id}
                    node={nodes.get(id)!}
                    place={drawing.places.get(id)!}
                    isSelected={id === selected}
                    isDim={false}
                    onToggle={toggle}
                  />
                ))
            : null}
          <svg class="graph-lines" aria-hidden="true">
            {isReadable ? null : (
              <FarNodes nodes={inSight.map(({ id }) => nodes.get(id)!)} places={drawing.places} selected={selected} />
            )}
            <Lines shape={laid.shape} drawing={drawing} view={view} selected={selected} />
          </svg>
          {isReadable
            ? inSight
                .filter(({ kind }) => kind !== 'box')
                .map(({ id }) => (
                  <Card
                    key={id}
                    node={nodes.get(id)!}
                    place={drawing.places.get(id)!}
                    isSelected={id === selected}
                    isDim={lit !== null && id !== selected && !lit.all.has(id)}
                    onToggle={toggle}
                  />
                ))
            : null}
        </div>
      </div>
      <div class="graph-tools" role="group" aria-label="Zoom">
        <IconButton
          icon="plus"
          small
          label="Nearer (+)"
          onClick={() => see(zoomed(camera.current, 1.25, middle(size)))}
        />
        <IconButton
          icon="minus"
          small
          label="Farther (-)"
          onClick={() => see(zoomed(camera.current, 1 / 1.25, middle(size)))}
        />
        <IconButton icon="fit" small label="Show all (0)" onClick={fit} />
      </div>
      <p class="unseen" role="status">
        {chosen === undefined ? '' : spoken(chosen)}
      </p>
    </div>
  );
}

/** Where something happens, or is about to: what is furthest left of it. */
function frontier(shape: Shape): string | null {
  const standings = shape.nodes
    .filter(({ kind }) => kind !== 'box')
    .map(({ id, kind, step, tally }) => [id, kind === 'step' ? standingOf(step) : standingOfTally(tally)] as const);
  const wanted: readonly Standing[] = ['running', 'retrying', 'asking', 'failed', 'denied'];
  const first = wanted.find((standing) => standings.some(([, is]) => is === standing));
  return standings.find(([, is]) => is === first)?.[0] ?? null;
}

function middle(size: { readonly width: number; readonly height: number }): { x: number; y: number } {
  return { x: size.width / 2, y: size.height / 2 };
}

function spoken({ step, kind, tally }: ShapeNode): string {
  if (kind !== 'step') return `${step.id}, ${kind === 'box' ? 'open' : 'closed'}, ${tallyText(tally)}`;
  return `${step.id}, ${wordOf(step)} ${timeOf(step, Date.now())}${step.error === null ? '' : `, ${step.error}`}`;
}

/** The nodes that are laid out, as they are now; what has gone since stays as it was until the next layout. */
function current(laid: Shape, now: Shape): ReadonlyMap<string, ShapeNode> {
  const nodes = new Map(laid.nodes.map((node) => [node.id, node]));
  for (const node of now.nodes) {
    const before = nodes.get(node.id);
    if (before !== undefined) nodes.set(node.id, { ...node, kind: before.kind, parent: before.parent });
  }
  return nodes;
}

interface Neighbours {
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** All that it waits for, and all that waits for it, however far. */
  readonly all: ReadonlySet<string>;
}

function neighboursOf(shape: Shape): { get(id: string): Neighbours | undefined } {
  const before = new Map<string, string[]>();
  const after = new Map<string, string[]>();
  const add = (map: Map<string, string[]>, key: string, value: string): void => {
    const list = map.get(key);
    if (list === undefined) map.set(key, [value]);
    else list.push(value);
  };
  for (const { from, to } of shape.edges) {
    add(before, to, from);
    add(after, from, to);
  }
  const reach = (from: string, ways: ReadonlyMap<string, string[]>, into: Set<string>): void => {
    const open = [from];
    for (const id of open) {
      for (const next of ways.get(id) ?? []) {
        if (into.has(next)) continue;
        into.add(next);
        open.push(next);
      }
    }
  };
  return {
    get(id) {
      const all = new Set<string>();
      reach(id, before, all);
      reach(id, after, all);
      return { before: before.get(id) ?? [], after: after.get(id) ?? [], all };
    },
  };
}

/** Where an arrow leads: left and right along the lines, up and down to what lies next there. */
function walk(
  key: string,
  from: string | null,
  shape: Shape,
  places: ReadonlyMap<string, Box>,
  near: { get(id: string): Neighbours | undefined },
): string | null {
  if (!key.startsWith('Arrow')) return null;
  const at = from === null ? undefined : places.get(from);
  if (from === null || at === undefined) return shape.nodes.find(({ kind }) => kind !== 'box')?.id ?? null;
  const distance = (id: string): number => {
    const to = places.get(id)!;
    return Math.hypot(to.x - at.x, to.y + to.height / 2 - at.y - at.height / 2);
  };
  const nearest = (ids: readonly string[]): string | null =>
    ids.toSorted((a, b) => distance(a) - distance(b))[0] ?? from;
  if (key === 'ArrowLeft') return nearest(near.get(from)!.before);
  if (key === 'ArrowRight') return nearest(near.get(from)!.after);
  const sign = key === 'ArrowDown' ? 1 : -1;
  const there = shape.nodes.filter(({ id }) => {
    const to = places.get(id)!;
    return (to.y - at.y) * sign > 1 && to.x < at.x + at.width && at.x < to.x + to.width;
  });
  return nearest(there.map(({ id }) => id));
}

/** The lines: few paths with all of them in it, because a path costs more than what it holds. */
function Lines({
  shape,
  drawing,
  view,
  selected,
}: {
  readonly shape: Shape;
  readonly drawing: ReturnType<typeof useDrawing>['drawing'];
  readonly view: Box;
  readonly selected: string | null;
}) {
  const all = useMemo(() => {
    const edges = new Map(shape.edges.map((edge) => [edge.id, edge]));
    return drawing.routes.map((route) => {
      const xs = route.points.map(({ x }) => x);
      const ys = route.points.map(({ y }) => y);
      const [x, y] = [Math.min(...xs), Math.min(...ys)];
      const around = { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
      return { edge: edges.get(route.id)!, path: pathOf(route), end: route.points.at(-1)!, around };
    });
  }, [shape, drawing]);
  const shown = all.filter(({ around }) => meets(around, view));
  const isLit = ({ edge }: (typeof all)[number]): boolean => edge.from === selected || edge.to === selected;
  const groups = [
    ['line', shown.filter(({ edge }) => !edge.isCritical)],
    ['line is-critical', shown.filter(({ edge }) => edge.isCritical)],
    ['line is-lit', selected === null ? [] : shown.filter(isLit)],
  ] as const;
  return (
    <>
      {groups.map(([name, lines]) => (
        <g key={name} class={name}>
          <path class="line-way" d={lines.map(({ path }) => path).join('')} />
          <path
            class="line-end"
            d={lines.map(({ end: { x, y } }) => `M${x - 7} ${y - 4}L${x} ${y}L${x - 7} ${y + 4}Z`).join('')}
          />
        </g>
      ))}
    </>
  );
}

/** From afar: a rectangle for each, all of a colour in one path. */
function FarNodes({
  nodes,
  places,
  selected,
}: {
  readonly nodes: readonly ShapeNode[];
  readonly places: ReadonlyMap<string, Box>;
  readonly selected: string | null;
}) {
  const rectangle = ({ id }: ShapeNode): string => {
    const { x, y, width, height } = places.get(id)!;
    return `M${Math.round(x)} ${Math.round(y)}h${Math.round(width)}v${Math.round(height)}h${-Math.round(width)}Z`;
  };
  const of = (standing: Standing): ShapeNode[] =>
    nodes.filter(
      (node) =>
        node.kind !== 'box' &&
        (node.kind === 'step' ? standingOf(node.step) : standingOfTally(node.tally)) === standing,
    );
  const boxes = nodes.filter(({ kind }) => kind === 'box');
  const chosen = nodes.find(({ id }) => id === selected);
  return (
    <>
      <path class="far-box" d={boxes.map(rectangle).join('')} />
      {STANDINGS.map((standing) => (
        <path
          key={standing}
          class={`far tone-${toneOfStanding(standing)} is-${standing}`}
          d={of(standing).map(rectangle).join('')}
        />
      ))}
      <path
        class="far-critical"
        d={nodes
          .filter(({ isCritical, kind }) => isCritical && kind !== 'box')
          .map(rectangle)
          .join('')}
      />
      {chosen === undefined ? null : <path class="far-selected" d={rectangle(chosen)} />}
    </>
  );
}
