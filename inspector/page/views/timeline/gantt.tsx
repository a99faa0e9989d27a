import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TimelineRow } from '../../../views/timeline.ts';
import { clockText, durationText, timestampText } from '../../format.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { busySpans, closed, depthsOf, labelOf, tracksOf, type Bar, type LaneMode, type Track } from './lanes.ts';
import { AXIS, barAt, coloursOf, densities, draw, drawDepth, sized, type Density, type Picture } from './picture.ts';
import { axisOf, type Span } from './time-scale.ts';
import { moved, whole, zoomedAt } from './window.ts';

const OVERVIEW = 40;

export interface GanttProps {
  readonly rows: readonly TimelineRow[];
  readonly mode: LaneMode;
  readonly density: Density;
  readonly isCompressed: boolean;
  readonly now: number;
  /** Null: all there is, as it grows. */
  readonly window: Span | null;
  readonly onWindow: (window: Span | null) => void;
  readonly selected: string | null;
  readonly onSelect: (action: string | null) => void;
}

interface Hover {
  readonly bar: Bar;
  readonly x: number;
  readonly y: number;
}

/** The picture: lanes at the left, bars over time on a canvas, and above it all of the time, small. */
export function Gantt(props: GanttProps) {
  const { rows, mode, density, isCompressed, now, selected, onWindow, onSelect } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const small = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 800, height: 400 });
  const [top, setTop] = useState(0);
  const [hover, setHover] = useState<Hover | null>(null);
  const [brush, setBrush] = useState<readonly [number, number] | null>(null);
  const [theme, setTheme] = useState(0);

  const all = useMemo(() => tracksOf({ rows }, mode, now), [rows, mode, now]);
  // Where each action has a row, those that have nothing in the window would only be in the way.
  const tracks = useMemo(
    () => (props.window === null || mode !== 'action' ? all : within(all, props.window)),
    [all, props.window, mode],
  );
  const axis = useMemo(() => {
    const busy = busySpans(rows, now);
    const from = Math.min(now - 1, ...rows.flatMap(({ parts }) => (parts[0] === undefined ? [] : [parts[0].from])));
    const isLive = rows.some(({ parts }) => parts.some(({ to }) => to === null));
    const ends = isLive ? now : Math.max(from + 1, ...busy.map(({ to }) => to));
    return axisOf(busy, { from, to: ends }, isCompressed);
  }, [rows, now, isCompressed]);
  const depths = useMemo(() => depthsOf(rows, now), [rows, now]);
  const shown = props.window ?? whole(axis, size.width);
  const scale = useMemo(() => axis.fitting(shown, size.width), [axis, shown.from, shown.to, size.width]);
  const { row } = densities[density];
  const picture: Picture = {
    tracks,
    scale,
    window: shown,
    now,
    density,
    scrollTop: top,
    ...size,
    hovered: hover?.bar ?? null,
    selected,
    brush,
  };
  const latest = useRef(picture);
  latest.current = picture;

  useLayoutEffect(() => {
    const element = scroll.current!;
    const read = (): void => {
      const { width } = canvas.current!.getBoundingClientRect();
      setSize((before) => {
        const next = { width: Math.round(width), height: element.clientHeight };
        return before.width === next.width && before.height === next.height ? before : next;
      });
    };
    read();
    const sizes = new ResizeObserver(read);
    sizes.observe(element);
    const scrolled = (): void => setTop(element.scrollTop);
    element.addEventListener('scroll', scrolled, { passive: true });
    const themed = (): void => setTheme((count) => count + 1);
    const themes = new MutationObserver(themed);
    themes.observe(document.documentElement, { attributes: true });
    const preferred = matchMedia('(prefers-color-scheme: dark)');
    preferred.addEventListener('change', themed);
    return () => {
      sizes.disconnect();
      themes.disconnect();
      preferred.removeEventListener('change', themed);
      element.removeEventListener('scroll', scrolled);
    };
  }, []);

  const colours = useMemo(() => (canvas.current === null ? null : coloursOf(canvas.current)), [theme, size.width]);
  useLayoutEffect(() => {
    const of = colours ?? coloursOf(canvas.current!);
    draw(sized(canvas.current!, size.width, size.height), picture, of);
  });
  useLayoutEffect(() => {
    const of = colours ?? coloursOf(canvas.current!);
    const allTime = axis.fitting(axis.whole, size.width);
    const context = sized(small.current!, size.width, OVERVIEW);
    drawDepth(context, depths, allTime, shown, { width: size.width, height: OVERVIEW, now }, of);
  }, [depths, axis, shown.from, shown.to, size.width, colours]);

  // Wheels are heard without preact, because the page would scroll else.
  useEffect(() => {
    const element = canvas.current!;
    const onWheel = (event: WheelEvent): void => {
      const { window: seen, width } = latest.current;
      const x = event.clientX - element.getBoundingClientRect().left;
      if (event.ctrlKey || event.metaKey || event.altKey) {
        event.preventDefault();
        onWindow(zoomedAt(axis, seen, width, Math.exp(event.deltaY * 0.004), x));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        onWindow(moved(axis, seen, width, event.deltaX || event.deltaY));
      }
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, [axis, onWindow]);

  const show = (bar: Bar, index: number): void => {
    onSelect(bar.row.id);
    const element = scroll.current!;
    const y = index * row;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + row > element.scrollTop + element.clientHeight - AXIS) {
      element.scrollTop = y + row - element.clientHeight + AXIS;
    }
    const [from, to] = [scale.x(bar.from), scale.x(bar.to)];
    const left = scale.x(shown.from);
    if (to < left + 8 || from > left + size.width - 8) {
      onWindow(moved(axis, shown, size.width, (from + to) / 2 - left - size.width / 2));
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 400 : 80;
    const zoom = (factor: number): void => onWindow(zoomedAt(axis, shown, size.width, factor, size.width / 2));
    switch (event.key) {
      case 'ArrowLeft':
        onWindow(moved(axis, shown, size.width, -step));
        break;
      case 'ArrowRight':
        onWindow(moved(axis, shown, size.width, step));
        break;
      case '+':
      case '=':
        zoom(1 / 1.5);
        break;
      case '-':
        zoom(1.5);
        break;
      case '0':
        onWindow(null);
        break;
      case 'j':
      case 'ArrowDown':
      case 'k':
      case 'ArrowUp': {
        const next = neighbour(tracks, selected, event.key === 'j' || event.key === 'ArrowDown' ? 1 : -1);
        if (next !== null) show(next.bar, next.index);
        break;
      }
      case 'Escape':
        if (selected === null) return;
        onSelect(null);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const placeOf = (event: PointerEvent | MouseEvent): { x: number; y: number } => {
    const box = canvas.current!.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const onPointerMove = (event: PointerEvent): void => {
    const { x, y } = placeOf(event);
    if (event.buttons === 0) {
      const found = barAt(latest.current, x, y);
      setHover(found === null ? null : { bar: found.bar, x, y });
    }
  };
  /** A drag draws the span to be seen next; with the middle button, or Alt, it moves what is seen. */
  const onPointerDown = (event: PointerEvent): void => {
    if (event.button > 1) return;
    const element = canvas.current!;
    const start = placeOf(event);
    const isPan = event.button === 1 || event.altKey;
    const from = latest.current.window;
    let isDrag = false;
    element.setPointerCapture(event.pointerId);
    setHover(null);
    const move = (next: PointerEvent): void => {
      const { x } = placeOf(next);
      isDrag ||= Math.abs(x - start.x) > 4;
      if (!isDrag) return;
      if (isPan) onWindow(moved(axis, from, latest.current.width, start.x - x));
      else setBrush([start.x, x]);
    };
    const end = (last: PointerEvent): void => {
      element.removeEventListener('pointermove', move);
      element.removeEventListener('pointerup', end);
      element.removeEventListener('pointercancel', end);
      setBrush(null);
      const { x, y } = placeOf(last);
      if (isDrag && !isPan && last.type === 'pointerup') {
        const at = latest.current.scale;
        const left = at.x(latest.current.window.from);
        onWindow({ from: at.timeAt(left + Math.min(start.x, x)), to: at.timeAt(left + Math.max(start.x, x)) });
      } else if (!isDrag) {
        onSelect(barAt(latest.current, x, y)?.bar.row.id ?? null);
      }
    };
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', end);
    element.addEventListener('pointercancel', end);
  };
  /** In the small picture of all time, a drag moves the window there. */
  const onOverview = (event: PointerEvent): void => {
    const element = small.current!;
    const box = element.getBoundingClientRect();
    const allTime = axis.fitting(axis.whole, size.width);
    const wide = Math.max(4, allTime.x(shown.to) - allTime.x(shown.from));
    const go = (to: PointerEvent): void => {
      const middle = to.clientX - box.left;
      onWindow({ from: allTime.timeAt(middle - wide / 2), to: allTime.timeAt(middle + wide / 2) });
    };
    if (props.window === null) return;
    element.setPointerCapture(event.pointerId);
    go(event);
    element.addEventListener('pointermove', go);
    const end = (): void => {
      element.removeEventListener('pointermove', go);
      element.removeEventListener('pointerup', end);
      element.removeEventListener('pointercancel', end);
    };
    element.addEventListener('pointerup', end);
    element.addEventListener('pointercancel', end);
  };

  const first = Math.max(0, Math.floor(top / row) - 4);
  const labels = tracks.slice(first, Math.ceil((top + size.height) / row) + 4);
  const said = rows.find(({ id }) => id === selected);
  return (
    <div class={`gantt ${density}`}>
      <div class="gantt-overview">
        <span class="faint">all of it</span>
        <canvas
          ref={small}
          onPointerDown={onOverview}
          role="img"
          aria-label="How many ran over all the time there is"
        />
      </div>
      <div
        ref={scroll}
        class="gantt-scroll"
        role="application"
        aria-roledescription="timeline"
        aria-label="Actions over time. Left and right move, plus and minus zoom, 0 shows all, up and down go from action to action."
        tabIndex={0}
        data-list
        onKeyDown={onKeyDown}
      >
        <div class="gantt-all" style={{ height: `${Math.max(tracks.length * row + AXIS, size.height)}px` }}>
          <div class="gantt-seen" style={{ height: `${size.height}px` }}>
            <div class="gantt-lanes">
              <div class="gantt-corner" style={{ height: `${AXIS}px` }}>
                {LANE_TITLES[mode]}
              </div>
              <div class="gantt-labels">
                {labels.map((track, index) => (
                  <div
                    key={first + index}
                    class={`gantt-label ${track.action !== null && track.action === selected ? 'is-selected' : ''} ${track.label === null ? '' : 'is-first'}`}
                    style={{ height: `${row}px`, transform: `translateY(${(first + index) * row - top}px)` }}
                    title={track.title}
                    onClick={() => {
                      if (track.action !== null) onSelect(track.action);
                    }}
                  >
                    {density === 'compact' && track.action !== null ? null : track.label}
                  </div>
                ))}
              </div>
            </div>
            <canvas
              ref={canvas}
              class="gantt-canvas"
              aria-hidden="true"
              onPointerMove={onPointerMove}
              onPointerLeave={() => setHover(null)}
              onPointerDown={onPointerDown}
              onDblClick={(event) => onWindow(zoomedAt(axis, shown, size.width, 1 / 2, placeOf(event).x))}
            />
            {hover === null ? null : <Tip hover={hover} now={now} size={size} />}
          </div>
        </div>
      </div>
      <p class="unseen" role="status">
        {said === undefined ? '' : spoken(said, now)}
      </p>
      {rows.length === 0 ? (
        <div class="gantt-empty">
          <Empty icon="timeline" title="Nothing was done in this time">
            Each action appears here from the moment it is submitted: its waiting, its attempts, and the pauses between
            them.
          </Empty>
        </div>
      ) : null}
    </div>
  );
}

const LANE_TITLES: Readonly<Record<LaneMode, string>> = { slot: 'Slot', plan: 'Plan', action: 'Action' };

function within(tracks: readonly Track[], { from, to }: Span): readonly Track[] {
  const seen = tracks.filter(({ bars }) => bars.some((bar) => bar.to >= from && bar.from <= to));
  return seen.length === 0 ? tracks : seen;
}

/** The action before or after one, in the order in which they began within their rows. */
function neighbour(tracks: readonly Track[], id: string | null, by: 1 | -1): { bar: Bar; index: number } | null {
  const all = tracks.flatMap((track, index) => track.bars.map((bar) => ({ bar, index })));
  if (all.length === 0) return null;
  const at = all.findIndex(({ bar }) => bar.row.id === id);
  return all[at === -1 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]!;
}

function totals(row: TimelineRow, now: number): [string, number][] {
  const sums = new Map<string, number>();
  for (const { phase, from, to } of closed(row.parts, now)) sums.set(phase, (sums.get(phase) ?? 0) + to - from);
  return [...sums];
}

function spoken(row: TimelineRow, now: number): string {
  const parts = totals(row, now).map(([phase, ms]) => `${phase} ${durationText(ms)}`);
  return `${labelOf(row)}, ${row.kind ?? 'not settled'}, ${parts.join(', ')}`;
}

function Tip({
  hover,
  now,
  size,
}: {
  readonly hover: Hover;
  readonly now: number;
  readonly size: { readonly width: number; readonly height: number };
}) {
  const { row } = hover.bar;
  const parts = closed(row.parts, now);
  const isLow = hover.y > size.height - 190;
  const x = Math.min(hover.x + 14, size.width - 290);
  return (
    <div
      class="gantt-tip"
      style={{
        transform: `translate(${Math.max(4, x)}px, ${hover.y + (isLow ? -14 : 16)}px)${isLow ? ' translateY(-100%)' : ''}`,
      }}
    >
      <div class="gantt-tip-head">
        <b>{labelOf(row)}</b>
        <StateBadge state={row.kind ?? hover.bar.parts.at(-1)!.phase} />
      </div>
      <code>{row.id}</code>
      <dl>
        {totals(row, now).map(([phase, ms]) => (
          <div key={phase}>
            <dt>
              <i class={`phase-${phase}`} aria-hidden="true" />
              {phase}
            </dt>
            <dd class="number">{durationText(ms)}</dd>
          </div>
        ))}
      </dl>
      <p class="faint">
        {row.attempts === 1 ? '1 try' : `${row.attempts} tries`}, {timestampText(parts[0]!.from)} –{' '}
        {parts.at(-1)!.isOpen ? 'now' : clockText(parts.at(-1)!.to)}
      </p>
    </div>
  );
}
