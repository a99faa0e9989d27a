/** A statechart with what is true in it now. All text is text nodes; nothing is written as markup. */
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ChartState, ChartTransition } from '../../../charts/chart.ts';
import type { ChartDrawing, DrawnState, DrawnTransition } from '../../../charts/chart-layout.ts';
import type { ActorDetail } from '../../../protocol.ts';
import { oneUnit } from '../../format.ts';
import { href } from '../../location.ts';
import { IconButton } from '../../ui/button.tsx';
import { useNow } from '../../ui/clock.ts';
import { ChartHint, type Hinted } from './chart-hint.tsx';
import { hintPlace } from './hint-place.ts';
import type { IndexedChart } from './configuration.ts';
import { useViewport } from './use-viewport.ts';
import { roundedPath } from './viewport.ts';

export type Timer = ActorDetail['timers'][number];

export interface ChartCanvasProps {
  readonly chart: IndexedChart;
  readonly drawing: ChartDrawing;
  readonly active: ReadonlySet<string>;
  readonly open: ReadonlySet<string>;
  /** The transitions that were taken last; `at` changes with each time that they are. */
  readonly taken: { readonly at: number; readonly ids: readonly string[] };
  readonly timers: readonly Timer[];
  /** The actor that a state has invoked, while it is there. */
  readonly invoked: (id: string) => string | null;
  /** Whether a click on it sends something. */
  readonly canSend: (transition: ChartTransition) => boolean;
  readonly onTransition: (transition: ChartTransition) => void;
  readonly onTurn: () => void;
  /** What is active is of the past: it is brought in sight whenever it changes, also when somebody has moved the drawing. */
  readonly isPast: boolean;
}

export function ChartCanvas(props: ChartCanvasProps) {
  const { chart, drawing, active, open, taken } = props;
  const pane = useRef<HTMLDivElement>(null);
  const layer = useRef<SVGGElement>(null);
  const [hinted, setHinted] = useState<Hinted | null>(null);
  const transitions = useMemo(() => new Map(chart.chart.transitions.map((one) => [one.id, one])), [chart]);
  const innermost = () =>
    drawing.states.filter(
      ({ id }) => active.has(id) && !chart.states.get(id)?.children.some((child) => active.has(child)),
    );
  const view = useViewport(pane, layer, drawing, innermost);
  const isTaken = new Set(taken.ids);
  useLayoutEffect(() => {
    if (props.isPast) view.toActive();
    else view.follow();
  }, [props.isPast, active, view]);
  const hint = {
    show: (event: MouseEvent | FocusEvent, what: Hinted['what']) => setHinted(hintAt(event, pane.current, what)),
    hide: () => setHinted(null),
  };

  return (
    <div
      class="chart-pane"
      ref={pane}
      tabIndex={0}
      role="group"
      aria-label={`Chart of ${chart.chart.name}. Arrows move it, plus and minus zoom, 0 fits.`}
    >
      <svg
        class="chart-svg"
        aria-hidden={false}
        role="group"
        aria-label={`States and transitions of ${chart.chart.name}`}
      >
        <defs>
          {(['idle', 'open', 'taken'] as const).map((kind) => (
            <marker
              key={kind}
              id={`arrow-${kind}`}
              class={`arrow ${kind}`}
              viewBox="0 0 8 8"
              refX="7.2"
              refY="4"
              markerWidth="8"
              markerHeight="8"
              markerUnits="userSpaceOnUse"
              orient="auto"
            >
              <path d="M0.5 0.8 7.5 4 0.5 7.2Z" />
            </marker>
          ))}
        </defs>
        <g ref={layer}>
          {drawing.states.map((state) => (
            <StateBox
              key={state.id}
              drawn={state}
              state={chart.states.get(state.id)}
              isActive={active.has(state.id)}
              isRegion={isRegion(chart, state.id)}
              invoked={props.invoked}
              open={open}
              transitions={transitions}
              canSend={props.canSend}
              onTransition={props.onTransition}
              hint={hint}
            />
          ))}
          {drawing.initials.map(({ id, dot, path }) => (
            <g key={id} class="initial">
              <circle cx={dot.x} cy={dot.y} r={4} />
              <path class="edge" d={roundedPath(path)} marker-end="url(#arrow-idle)" />
            </g>
          ))}
          {drawing.transitions.map((drawn) => (
            <Edge
              key={drawn.id}
              drawn={drawn}
              isOpen={open.has(drawn.id)}
              isHinted={hinted?.what.kind === 'transition' && hinted.what.transition.id === drawn.id}
              takenAt={isTaken.has(drawn.id) ? taken.at : null}
            />
          ))}
          {drawing.transitions.map((drawn) => {
            const transition = transitions.get(drawn.id);
            if (transition === undefined || drawn.label === null) return null;
            return (
              <EdgeLabel
                key={drawn.id}
                drawn={drawn}
                label={drawn.label}
                transition={transition}
                isOpen={open.has(drawn.id)}
                isTaken={isTaken.has(drawn.id)}
                timer={open.has(drawn.id) ? timerOf(transition, props.timers) : null}
                canSend={props.canSend(transition)}
                onTransition={props.onTransition}
                onFocus={() => view.reveal(drawn.label ?? { x: 0, y: 0, width: 0, height: 0 })}
                hint={hint}
              />
            );
          })}
        </g>
      </svg>
      <div class="chart-tools">
        <IconButton icon="plus" label="Zoom in (+)" small onClick={() => view.zoom(1.25)} />
        <IconButton icon="minus" label="Zoom out (−)" small onClick={() => view.zoom(0.8)} />
        <IconButton icon="fit" label="Fit (0)" small onClick={() => view.fit()} />
        <IconButton icon="target" label="To the active state" small onClick={() => view.toActive()} />
        <IconButton icon="retry" label="Lay out the other way" small onClick={props.onTurn} />
      </div>
      {hinted === null ? null : (
        <ChartHint hinted={hinted} chart={chart} active={active} open={open} canSend={props.canSend} />
      )}
    </div>
  );
}

interface Hint {
  readonly show: (event: MouseEvent | FocusEvent, what: Hinted['what']) => void;
  readonly hide: () => void;
}

function hintAt(event: MouseEvent | FocusEvent, pane: HTMLElement | null, what: Hinted['what']): Hinted | null {
  if (pane === null || !(event.currentTarget instanceof Element)) return null;
  const around = pane.getBoundingClientRect();
  const box = event.currentTarget.getBoundingClientRect();
  const within = ({ left, top, width, height }: DOMRect) => ({
    x: left - around.left,
    y: top - around.top,
    width,
    height,
  });
  const active = [...pane.querySelectorAll('.state.leaf.is-active > .state-box')];
  const avoided = active.map((state) => within(state.getBoundingClientRect()));
  return { what, ...hintPlace(within(box), around, avoided) };
}

function isRegion({ states }: IndexedChart, id: string): boolean {
  const parent = states.get(id)?.parent ?? null;
  return parent !== null && states.get(parent)?.type === 'parallel';
}

function timerOf({ on, eventType }: ChartTransition, timers: readonly Timer[]): Timer | null {
  return on === 'after' ? (timers.find(({ event }) => event === eventType) ?? null) : null;
}

function StateBox(props: {
  readonly drawn: DrawnState;
  readonly state: ChartState | undefined;
  readonly isActive: boolean;
  readonly isRegion: boolean;
  readonly invoked: (id: string) => string | null;
  readonly open: ReadonlySet<string>;
  readonly transitions: ReadonlyMap<string, ChartTransition>;
  readonly canSend: (transition: ChartTransition) => boolean;
  readonly onTransition: (transition: ChartTransition) => void;
  readonly hint: Hint;
}) {
  const { drawn, state, isActive, hint } = props;
  const isCompound = (state?.children.length ?? 0) > 0;
  const kind = `state ${drawn.type} ${isCompound ? 'outer' : 'leaf'} ${props.isRegion ? 'region' : ''} depth-${Math.min(3, drawn.depth)}`;
  const { x, y, width, height } = drawn;
  const invokes = [...(state?.invokes ?? [])];
  return (
    <g class={`${kind} ${isActive ? 'is-active' : ''}`} data-state={drawn.id}>
      <rect class="state-box" x={x} y={y} width={width} height={height} rx={drawn.type === 'history' ? width / 2 : 8} />
      {drawn.type === 'final' ? (
        <rect class="state-inner" x={x + 3} y={y + 3} width={width - 6} height={height - 6} rx={6} />
      ) : null}
      <rect
        class="state-hit"
        x={x}
        y={y}
        width={width}
        height={drawn.header}
        rx={8}
        onMouseEnter={(event) => state !== undefined && hint.show(event, { kind: 'state', state })}
        onMouseLeave={hint.hide}
      />
      {drawn.lines.map((line, at) => {
        const transition = line.transition === undefined ? undefined : props.transitions.get(line.transition);
        if (transition !== undefined) {
          return (
            <g
              key={at}
              class={`line-button ${props.open.has(transition.id) ? 'is-open' : ''}`}
              role="button"
              tabIndex={props.open.has(transition.id) ? 0 : -1}
              aria-description={meaningOf(transition, props.open.has(transition.id))}
              aria-disabled={!props.canSend(transition)}
              onClick={() => props.onTransition(transition)}
              onKeyDown={(event) => pressed(event) && props.onTransition(transition)}
              onMouseEnter={(event) => hint.show(event, { kind: 'transition', transition })}
              onMouseLeave={hint.hide}
            >
              <rect x={x + 4} y={line.y - 12} width={width - 8} height={16} rx={4} />
              <text x={line.x} y={line.y}>
                {line.text}
              </text>
            </g>
          );
        }
        const invoke = line.kind === 'invoke' ? invokes.shift() : undefined;
        const child = invoke === undefined ? null : props.invoked(invoke.id);
        const text = (
          <text key={at} class={`line ${line.kind}`} x={line.x} y={line.y}>
            {line.text}
          </text>
        );
        return child === null ? (
          text
        ) : (
          <a key={at} href={href('actors', { actor: child })} aria-label={`${line.text}: go to this actor`}>
            {text}
          </a>
        );
      })}
    </g>
  );
}

const PULSE_MS = 150;

function Edge({
  drawn,
  isOpen,
  isHinted,
  takenAt,
}: {
  readonly drawn: DrawnTransition;
  readonly isOpen: boolean;
  readonly isHinted: boolean;
  readonly takenAt: number | null;
}) {
  const pulse = useRef<SVGGElement>(null);
  useLayoutEffect(() => {
    if (takenAt === null || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    for (const path of pulse.current?.querySelectorAll('path') ?? []) {
      const length = path.getTotalLength();
      path.animate(
        [
          { strokeDasharray: `0 ${length}`, strokeWidth: 4 },
          { strokeDasharray: `${length} 0`, strokeWidth: 4, offset: 0.7 },
          { strokeDasharray: `${length} 0`, strokeWidth: 2 },
        ],
        { duration: PULSE_MS, easing: 'ease-out' },
      );
    }
  }, [takenAt]);
  const kind = takenAt !== null ? 'taken' : isOpen || isHinted ? 'open' : 'idle';
  return (
    <g ref={pulse} class={`edges ${kind} ${isHinted ? 'is-hinted' : ''}`}>
      {drawn.paths.map((path, at) => (
        <path key={at} class="edge" d={roundedPath(path)} marker-end={`url(#arrow-${kind})`} />
      ))}
    </g>
  );
}

function EdgeLabel(props: {
  readonly drawn: DrawnTransition;
  readonly label: NonNullable<DrawnTransition['label']>;
  readonly transition: ChartTransition;
  readonly isOpen: boolean;
  readonly isTaken: boolean;
  readonly timer: Timer | null;
  readonly canSend: boolean;
  readonly onTransition: (transition: ChartTransition) => void;
  readonly onFocus: () => void;
  readonly hint: Hint;
}) {
  const { label, transition, isOpen, timer, hint } = props;
  const { x, y, width, height } = label;
  const show = (event: MouseEvent | FocusEvent) => hint.show(event, { kind: 'transition', transition });
  return (
    <g
      class={`label ${transition.on} ${isOpen ? 'is-open' : ''} ${props.isTaken ? 'is-taken' : ''}`}
      role="button"
      tabIndex={isOpen ? 0 : -1}
      aria-description={meaningOf(transition, isOpen)}
      aria-disabled={!props.canSend}
      data-transition={transition.id}
      onClick={() => props.onTransition(transition)}
      onKeyDown={(event) => pressed(event) && props.onTransition(transition)}
      onFocus={(event) => {
        props.onFocus();
        show(event);
      }}
      onBlur={hint.hide}
      onMouseEnter={show}
      onMouseLeave={hint.hide}
    >
      <rect x={x} y={y} width={width} height={height} rx={5} />
      {label.lines.map((line, at) => (
        <text key={at} class={`line ${line.kind}`} x={line.x} y={line.y}>
          {at === 0 && timer !== null ? <Remaining timer={timer} /> : line.text}
        </text>
      ))}
      {timer === null ? null : <Remains timer={timer} x={x} y={y + height - 2} width={width} />}
    </g>
  );
}

function Remaining({ timer }: { readonly timer: Timer }) {
  const now = useNow();
  return <>{timer.due <= now ? 'due now' : `in ${oneUnit(timer.due - now + 999)}`}</>;
}

/** What remains of a delay, as a bar that gets shorter. */
function Remains({
  timer,
  x,
  y,
  width,
}: {
  readonly timer: Timer;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}) {
  const now = useNow();
  const share = timer.delayMs <= 0 ? 0 : Math.min(1, Math.max(0, (timer.due - now) / timer.delayMs));
  return <rect class="remains" x={x + 4} y={y} width={Math.max(0, (width - 8) * share)} height={2} rx={1} />;
}

function meaningOf({ source, targets }: ChartTransition, isOpen: boolean): string {
  const to = targets.length === 0 ? 'stays there' : `goes to ${targets.join(', ')}`;
  return `From ${source}, ${to}.${isOpen ? '' : ' It cannot be taken now.'}`;
}

function pressed(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' && event.key !== ' ') return false;
  event.preventDefault();
  return true;
}
