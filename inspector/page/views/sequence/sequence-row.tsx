/** An event between two lanes. */
import { clockText, durationText } from '../../format.ts';
import { isNarrow } from '../../narrow.ts';
import { laneIndex, type Arrow } from './lanes.ts';

export const ROW = 26;
/** Px from the left edge to the first lane. */
export const TIME = 116;

/** The lanes as they are drawn. */
export interface LaneScale {
  readonly index: ReadonlyMap<string, number>;
  readonly count: number;
  /** Px of one lane. */
  readonly width: number;
  readonly parentOf: (actor: string) => string | null;
  readonly nameOf: (actor: string) => string;
}

function laneX({ width }: LaneScale, index: number): number {
  return index * width + width / 2;
}

/** Px of a letter of the label, rather too many. */
const LETTER = 6.4;

export interface SequenceRowProps {
  /** What is said while the pointer is on it; made when it is asked for. */
  readonly hintOf: (arrow: Arrow) => string;
  readonly arrow: Arrow;
  readonly before: Arrow | undefined;
  readonly scale: LaneScale;
  readonly isInGroup: boolean;
}

export function SequenceRow({ arrow, before, scale, isInGroup, hintOf }: SequenceRowProps) {
  const hint = (event: MouseEvent): void => {
    if (event.currentTarget instanceof HTMLElement) event.currentTarget.title = hintOf(arrow);
  };
  const isFirst = before?.group !== arrow.group;
  if (isNarrow.value) return <NarrowRow arrow={arrow} nameOf={scale.nameOf} isFirst={isFirst} />;
  const from = laneIndex(scale.index, arrow.from, scale.parentOf);
  const to = laneIndex(scale.index, arrow.actor, scale.parentOf);
  const edge = scale.count * scale.width;
  const x1 = from.index < 0 ? edge - 4 : laneX(scale, from.index);
  const x2 = to.index < 0 ? edge - 4 : laneX(scale, to.index);
  const isBesides = !from.isOwn || !to.isOwn;
  return (
    <div onMouseEnter={hint} class={`seq-row ${isFirst ? 'is-first' : ''} ${isInGroup ? 'is-in-group' : ''}`}>
      <span class="seq-time number">
        {isFirst || before === undefined ? clockText(arrow.at) : sinceText(arrow.at - before.at)}
      </span>
      <svg class="seq-svg" width={edge} height={ROW} aria-hidden>
        <path class="seq-lanes" d={lanesPath(scale)} />
        <Shape arrow={arrow} x1={x1} x2={x2} isBesides={isBesides} />
        <Label kind={arrow.kind} text={textOf(arrow, scale, from.isOwn, to.isOwn)} x1={x1} x2={x2} edge={edge} />
      </svg>
      <span class="unseen">
        {arrow.type} from {arrow.from === '' ? 'outside' : arrow.from} to {arrow.actor}
      </span>
    </div>
  );
}

/** On a telephone there is no room for lanes: each event says whom it goes from and to. */
function NarrowRow({
  arrow,
  nameOf,
  isFirst,
}: {
  readonly arrow: Arrow;
  readonly nameOf: LaneScale['nameOf'];
  readonly isFirst: boolean;
}) {
  const from = arrow.from === '' ? 'outside' : nameOf(arrow.from);
  return (
    <div class={`seq-row seq-narrow ${isFirst ? 'is-first' : ''}`}>
      <span class="seq-time number">{clockText(arrow.at).slice(0, 8)}</span>
      <span class="cut" title={`${arrow.type} from ${from} to ${arrow.actor}`}>
        <b class="mono">{arrow.kind === 'started' ? 'starts' : arrow.type}</b>{' '}
        <span class="faint">
          {from} → {nameOf(arrow.actor)}
        </span>
      </span>
    </div>
  );
}

/** What follows within the same ms says nothing by its time. */
function sinceText(ms: number): string {
  return ms > 0 ? `+${durationText(ms)}` : '';
}

function lanesPath(scale: LaneScale): string {
  let path = '';
  for (let index = 0; index < scale.count; index += 1) path += `M${laneX(scale, index)} 0V${ROW}`;
  return path;
}

function Shape({ arrow, x1, x2, isBesides }: { arrow: Arrow; x1: number; x2: number; isBesides: boolean }) {
  const y = ROW - 7;
  const kind = `seq-arrow ${arrow.kind} ${isBesides ? 'is-besides' : ''} ${arrow.depth === 0 ? 'is-cause' : ''} ${arrow.kind === 'stopped' ? `ended-${arrow.type}` : ''}`;
  if (arrow.kind === 'stopped' && arrow.type === 'done') return <path class={kind} d={`M${x2 - 6} ${y - 1}l4 4l8-9`} />;
  if (arrow.kind === 'stopped') return <path class={kind} d={`M${x2 - 5} ${y - 5}l10 10m0-10l-10 10`} />;
  if (x1 === x2) {
    return (
      <g class={kind}>
        <path d={`M${x1} ${y - 8}h14q4 0 4 4t-4 4h-10`} />
        <path class="seq-head" d={`M${x1 + 1} ${y}l6-3.500v7z`} />
      </g>
    );
  }
  const towards = x2 > x1 ? 1 : -1;
  return (
    <g class={kind}>
      <circle cx={x1} cy={y} r={2.5} />
      <path d={`M${x1} ${y}H${x2 - towards * 6}`} />
      <path class="seq-head" d={`M${x2} ${y}l${-towards * 7}-3.500v7z`} />
    </g>
  );
}

/** The event; and who it is, where that cannot be read from the lanes. */
function textOf(arrow: Arrow, { nameOf }: LaneScale, isFromOwn: boolean, isToOwn: boolean): string {
  const type = arrow.kind === 'started' ? 'starts' : arrow.type;
  const itself = arrow.from === arrow.actor;
  if (itself && !isToOwn && arrow.kind === 'event') return `${nameOf(arrow.actor)}: ${type}`;
  if (arrow.kind === 'stopped') return isToOwn ? type : `${nameOf(arrow.actor)} ${type}`;
  return `${isFromOwn ? '' : `${nameOf(arrow.from)}: `}${type}${isToOwn ? '' : ` → ${nameOf(arrow.actor)}`}`;
}

interface LabelProps {
  readonly kind: Arrow['kind'];
  readonly text: string;
  readonly x1: number;
  readonly x2: number;
  readonly edge: number;
}

function Label({ kind, text, x1, x2, edge }: LabelProps) {
  const left = Math.min(x1, x2);
  const isLoop = x1 === x2;
  const y = isLoop ? ROW - 8 : ROW - 11;
  // Beside a loop, or a line shorter than its text, there is room at the right; in the last lanes at the left.
  const start = left + (isLoop ? 24 : 10);
  const room = Math.floor((edge - start) / LETTER);
  if (text.length > room && left > edge - start) {
    return (
      <text class={`seq-label ${kind}`} x={isLoop ? left - 8 : Math.max(x1, x2) - 10} y={y} text-anchor="end">
        {cut(text, Math.floor((isLoop ? left - 8 : Math.max(x1, x2) - 10) / LETTER))}
      </text>
    );
  }
  return (
    <text class={`seq-label ${kind}`} x={start} y={y}>
      {cut(text, Math.max(6, room))}
    </text>
  );
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
