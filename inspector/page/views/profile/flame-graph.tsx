import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Flame } from '../../../../machines/profile-exports.ts';
import { countText, percentText, plural } from '../../format.ts';
import { Icon } from '../../ui/icon.tsx';
import {
  drawnBoxes,
  flameBoxes,
  matchesOf,
  movedTo,
  placeOf,
  type DrawnBox,
  type FlameBox,
  type FlameMove,
} from './flame-layout.ts';
import { spanText } from './profile-words.ts';

export interface FlameGraphProps {
  readonly flame: Flame;
  /** What is searched for, to be lit. */
  readonly text: string;
  /** The key of what is zoomed into; the empty text for the whole. */
  readonly zoom: string;
  readonly onZoom: (key: string) => void;
}

const ROW = 22;
const MOVES: Readonly<Record<string, FlameMove>> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
  Home: 'home',
  End: 'end',
};

/** Where time went: who called whom from the top down, as wide as it took. A click zooms; the arrows walk. */
export function FlameGraph({ flame, text, zoom, onZoom }: FlameGraphProps) {
  const boxes = useMemo(() => flameBoxes(flame), [flame]);
  const focus = placeOf(boxes, zoom);
  const drawn = useMemo(() => drawnBoxes(boxes, focus), [boxes, focus]);
  const matches = useMemo(() => matchesOf(boxes, text), [boxes, text]);
  const [walked, setWalked] = useState<string>('');
  const [hover, setHover] = useState<{ readonly place: number; readonly x: number; readonly y: number } | null>(null);
  const graph = useRef<HTMLDivElement>(null);
  const isWalking = useRef(false);
  const walkedPlace = placeOf(boxes, walked);
  const current = drawn.some(({ place }) => place === walkedPlace) ? walkedPlace : focus;

  useEffect(() => {
    if (!isWalking.current) return;
    isWalking.current = false;
    graph.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
  }, [current, focus]);

  const zoomTo = (place: number): void => {
    const key = place === 0 ? '' : (boxes[place]?.key ?? '');
    setWalked(key);
    setHover(null);
    onZoom(key);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = Object.hasOwn(MOVES, event.key) ? MOVES[event.key] : undefined;
    const up = boxes[focus]?.parent ?? 0;
    if (move !== undefined) setWalked(boxes[movedTo(drawn, current, move)]?.key ?? '');
    else if (event.key === 'Enter' || event.key === ' ') zoomTo(current);
    else if ((event.key === 'Escape' || event.key === 'Backspace') && focus !== 0) zoomTo(up);
    else return;
    event.preventDefault();
    event.stopPropagation();
    isWalking.current = true;
  };
  const depth = Math.max(0, ...drawn.map(({ box }) => box.depth));
  const over = hover === null ? undefined : boxes[hover.place];
  return (
    <div class="pf-flame">
      <Crumbs boxes={boxes} focus={focus} onZoom={zoomTo} />
      <div
        ref={graph}
        class={`pf-graph ${text.trim() === '' ? '' : 'searching'}`}
        role="tree"
        aria-label="Where time went: who called whom, as wide as it took"
        style={{ height: `${(depth + 1) * ROW}px` }}
        onKeyDown={onKeyDown}
        onPointerLeave={() => setHover(null)}
      >
        {drawn.map((one) => (
          <Box
            key={one.box.key}
            drawn={one}
            boxes={boxes}
            isCurrent={one.place === current}
            isFound={matches.places.has(one.place)}
            onZoom={() => zoomTo(one.place)}
            onHover={(x, y) => setHover({ place: one.place, x, y })}
          />
        ))}
      </div>
      {matches.share > 0 ? (
        <p class="pf-found" role="status">
          {plural(matches.places.size, 'place')} with “{text.trim()}”: {percentText(matches.share)} of all time
        </p>
      ) : null}
      {over === undefined || hover === null ? null : (
        <Tip box={over} whole={boxes[0] as FlameBox} x={hover.x} y={hover.y} />
      )}
    </div>
  );
}

interface BoxProps {
  readonly drawn: DrawnBox;
  readonly boxes: readonly FlameBox[];
  readonly isCurrent: boolean;
  readonly isFound: boolean;
  readonly onZoom: () => void;
  readonly onHover: (x: number, y: number) => void;
}

function Box({ drawn: { box, left, width, isAround, place }, boxes, isCurrent, isFound, onZoom, onHover }: BoxProps) {
  const { flame, depth, hue } = box;
  const whole = boxes[0]?.flame.value ?? 1;
  const classes = [
    'pf-box',
    place === 0 ? 'root' : flame.kind,
    isAround ? 'around' : '',
    isFound ? 'found' : '',
    flame.failures > 0 && flame.failures >= flame.count * 0.2 ? 'failing' : '',
  ];
  return (
    <div
      class={classes.join(' ')}
      role="treeitem"
      aria-level={depth + 1}
      aria-label={boxText(box, whole)}
      aria-selected={isCurrent}
      tabIndex={isCurrent ? 0 : -1}
      style={{ left: `${left * 100}%`, width: `${width * 100}%`, top: `${depth * ROW}px`, '--hue': String(hue) }}
      onClick={onZoom}
      onPointerMove={({ clientX, clientY }) => onHover(clientX, clientY)}
    >
      {width > 0.012 ? <span class="pf-box-name">{flame.name}</span> : null}
      {width > 0.16 ? <span class="pf-box-time"> {spanText(flame.value)}</span> : null}
    </div>
  );
}

function boxText({ flame, path }: FlameBox, whole: number): string {
  const name = path.length === 0 ? 'all' : flame.name;
  const calls = path.length === 0 ? '' : `, ${plural(Math.round(flame.count), 'call')}`;
  return `${name} ${spanText(flame.value)} in all, ${percentText(flame.value / whole)}, ${spanText(flame.self)} of its own${calls}`;
}

interface CrumbsProps {
  readonly boxes: readonly FlameBox[];
  readonly focus: number;
  readonly onZoom: (place: number) => void;
}

function Crumbs({ boxes, focus, onZoom }: CrumbsProps) {
  const way: number[] = [];
  for (let at: number | null = focus; at !== null; at = boxes[at]?.parent ?? null) way.unshift(at);
  return (
    <nav class="pf-crumbs" aria-label="What is zoomed into">
      {way.map((place, i) => (
        <span key={place}>
          {i === 0 ? null : <Icon name="right" size={10} />}
          <button type="button" disabled={place === focus} aria-current={place === focus} onClick={() => onZoom(place)}>
            {place === 0 ? 'all' : boxes[place]?.flame.name}
          </button>
        </span>
      ))}
      {focus === 0 ? <span class="pf-hint">click to zoom, arrows to walk, Escape to go back</span> : null}
    </nav>
  );
}

interface TipProps {
  readonly box: FlameBox;
  readonly whole: FlameBox;
  readonly x: number;
  readonly y: number;
}

const KINDS: Readonly<Record<Flame['kind'], string>> = { work: 'work', wait: 'a wait', runtime: "Perdure's own" };

/** What a box is, beside the pointer. What is said here the label of the box says too. */
function Tip({ box: { flame, path }, whole, x, y }: TipProps) {
  const isRight = x > globalThis.innerWidth - 340;
  const isLow = y > globalThis.innerHeight - 180;
  return (
    <div
      class="pf-tip"
      aria-hidden
      style={{
        left: `${x}px`,
        top: `${y}px`,
        transform: `translate(${isRight ? 'calc(-100% - 12px)' : '12px'}, ${isLow ? 'calc(-100% - 12px)' : '16px'})`,
      }}
    >
      <p class="pf-tip-name">{path.length === 0 ? 'all' : flame.name}</p>
      <dl>
        <dt>in all</dt>
        <dd>
          {spanText(flame.value)} <span>{percentText(flame.value / whole.flame.value)}</span>
        </dd>
        <dt>of its own</dt>
        <dd>
          {spanText(flame.self)} <span>{percentText(flame.self / whole.flame.value)}</span>
        </dd>
        {path.length === 0 ? null : (
          <>
            <dt>calls</dt>
            <dd>
              {countText(flame.count)}
              {flame.count > 0 ? <span>{spanText(flame.value / flame.count)} each</span> : null}
            </dd>
            {flame.failures > 0 ? (
              <>
                <dt>failed</dt>
                <dd class="bad">
                  {countText(flame.failures)} <span>{percentText(flame.failures / flame.count)}</span>
                </dd>
              </>
            ) : null}
            <dt>kind</dt>
            <dd>{KINDS[flame.kind]}</dd>
          </>
        )}
      </dl>
    </div>
  );
}
