/** Draws the bars of the timeline on a canvas, and tells which one is at a place. */
import { labelOf, type Bar, type ClosedPart, type Depth, type Track } from './lanes.ts';
import { ticksOf } from './ticks.ts';
import type { Span, TimeScale } from './time-scale.ts';
import { oneUnit } from '../../format.ts';

export const AXIS = 28;
/** How wide a break is that gets its zigzag and its words, px. */
const LEGIBLE = 16;

/** How high a row is, and the bar in it, px. */
export const densities = {
  roomy: { row: 26, bar: 16 },
  compact: { row: 12, bar: 8 },
} as const;

export type Density = keyof typeof densities;

export interface Picture {
  readonly tracks: readonly Track[];
  readonly scale: TimeScale;
  readonly window: Span;
  readonly now: number;
  readonly density: Density;
  readonly scrollTop: number;
  readonly width: number;
  readonly height: number;
  readonly hovered: Bar | null;
  /** The id of an action. */
  readonly selected: string | null;
  /** While somebody draws a span with the pointer: from where to where, px. */
  readonly brush: readonly [number, number] | null;
}

type Colours = (name: string) => string;

/** The page's colours, as they are in the theme now. */
export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const known = new Map<string, string>();
  return (name) => {
    let value = known.get(name);
    if (value === undefined) known.set(name, (value = style.getPropertyValue(`--${name}`).trim()));
    return value;
  };
}

/** What a part is drawn as: its last run in the colour of how it ended, earlier ones as failed. */
export type PartLook =
  'queued' | 'asking' | 'back-off' | 'running' | 'ok' | 'failed' | 'degraded' | 'skipped' | 'tried';

export function lookOf(bar: Bar, index: number): PartLook {
  const part = bar.parts[index]!;
  if (part.phase !== 'running') return part.phase;
  if (part.isOpen) return 'running';
  const runs = bar.row.parts.filter(({ phase }) => phase === 'running');
  if (runs.at(-1)!.from !== part.from) return 'tried';
  const { kind } = bar.row;
  if (kind === null) return runs.at(-1)!.to === null ? 'running' : 'tried';
  if (kind === 'failed' || kind === 'denied') return 'failed';
  if (kind === 'degraded') return 'degraded';
  return kind === 'skipped' || kind === 'cancelled' ? 'skipped' : 'ok';
}

const TONES: Readonly<Record<PartLook, string>> = {
  queued: 'waiting',
  asking: 'asking',
  'back-off': 'retrying',
  running: 'running',
  ok: 'ok',
  failed: 'failed',
  degraded: 'degraded',
  skipped: 'waiting',
  tried: 'failed',
};

/** On the colours of both themes it is read better than white is. */
const INK = '#0c0f16';

const patterns = new Map<string, CanvasPattern | null>();

/** Stripes for what backs off, dots for what asks: so that they are told apart without their colours. */
function patternOf(context: CanvasRenderingContext2D, kind: 'stripes' | 'dots', front: string, back: string) {
  const key = `${kind} ${front} ${back}`;
  const known = patterns.get(key);
  if (known !== undefined) return known ?? front;
  const tile = document.createElement('canvas');
  tile.width = tile.height = kind === 'stripes' ? 8 : 6;
  const draw = tile.getContext('2d')!;
  draw.fillStyle = back;
  draw.fillRect(0, 0, 8, 8);
  draw.fillStyle = draw.strokeStyle = front;
  if (kind === 'dots') {
    draw.fillRect(1, 1, 2, 2);
    draw.fillRect(4, 4, 2, 2);
  } else {
    draw.lineWidth = 2;
    draw.beginPath();
    for (const x of [-4, 0, 4, 8]) {
      draw.moveTo(x - 2, 10);
      draw.lineTo(x + 10, -2);
    }
    draw.stroke();
  }
  const pattern = context.createPattern(tile, 'repeat');
  patterns.set(key, pattern);
  return pattern ?? front;
}

/** Makes the canvas as large as it is shown, in pixels of the screen. */
export function sized(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** Draws it all. */
export function draw(context: CanvasRenderingContext2D, picture: Picture, colours: Colours): void {
  const { width, height, tracks, scrollTop, density } = picture;
  const { row, bar } = densities[density];
  const offset = picture.scale.x(picture.window.from);
  context.clearRect(0, 0, width, height);
  background(context, picture, colours, offset);

  const first = Math.max(0, Math.floor(scrollTop / row));
  const last = Math.min(tracks.length, Math.ceil((scrollTop + height - AXIS) / row));
  context.save();
  context.beginPath();
  context.rect(0, AXIS, width, height - AXIS);
  context.clip();
  context.lineWidth = 1;
  for (let index = first; index < last; index++) {
    const track = tracks[index]!;
    const y = AXIS + index * row - scrollTop;
    if (track.label !== null && index > 0 && track.lane !== tracks[index - 1]!.lane && track.action === null) {
      context.fillStyle = colours('border');
      context.fillRect(0, Math.round(y), width, 1);
    }
    const top = y + (row - bar) / 2;
    for (const one of track.bars) drawBar(context, one, picture, colours, offset, top, bar);
  }
  breaks(context, picture, colours, offset);
  nowLine(context, picture, colours, offset);
  context.restore();
  if (picture.brush !== null) {
    const [a, b] = picture.brush;
    context.fillStyle = colours('accent');
    context.globalAlpha = 0.16;
    context.fillRect(Math.min(a, b), 0, Math.abs(b - a), height);
    context.globalAlpha = 1;
  }
}

function background(context: CanvasRenderingContext2D, picture: Picture, colours: Colours, offset: number): void {
  const { scale, width, height } = picture;
  context.fillStyle = colours('surface-2');
  context.fillRect(0, 0, width, AXIS);
  context.font = `11px ${colours('font')}`;
  context.textBaseline = 'middle';
  for (const tick of ticksOf(scale, offset, offset + width)) {
    const x = Math.round(tick.x - offset);
    context.fillStyle = colours('border');
    context.fillRect(x, AXIS - 6, 1, height);
    context.fillStyle = colours('text-2');
    if (x + 5 + tick.label.length * 6.5 < width) context.fillText(tick.label, x + 5, AXIS / 2);
  }
  context.fillStyle = colours('border-strong');
  context.fillRect(0, AXIS - 1, width, 1);
}

function drawBar(
  context: CanvasRenderingContext2D,
  bar: Bar,
  picture: Picture,
  colours: Colours,
  offset: number,
  top: number,
  height: number,
): void {
  const { scale, width, hovered, selected } = picture;
  const left = scale.x(bar.from) - offset;
  const right = Math.max(left + 2, scale.x(bar.to) - offset);
  if (right < 0 || left > width) return;
  for (let index = 0; index < bar.parts.length; index++) {
    const part = bar.parts[index]!;
    const from = Math.max(-4, scale.x(part.from) - offset);
    const to = Math.min(width + 4, Math.max(scale.x(part.to) - offset, from + (part.phase === 'running' ? 2 : 0)));
    if (to >= -4 && from <= width) drawPart(context, lookOf(bar, index), from, to - from, top, height, colours);
  }
  const isHovered = hovered?.row.id === bar.row.id;
  const isSelected = selected === bar.row.id;
  if (isHovered || isSelected) {
    context.strokeStyle = isSelected ? colours('accent') : colours('text');
    context.lineWidth = isSelected ? 2 : 1;
    const from = Math.max(-4, left);
    context.strokeRect(from - 1.5, top - 1.5, Math.min(width + 4, right) - from + 3, height + 3);
    context.lineWidth = 1;
  }
  if (picture.density === 'roomy') label(context, bar, picture, colours, left, right, top, height);
}

function drawPart(
  context: CanvasRenderingContext2D,
  look: PartLook,
  x: number,
  width: number,
  y: number,
  height: number,
  colours: Colours,
): void {
  const tone = TONES[look];
  if (look === 'queued') {
    // A thin line that leads to the bar.
    context.fillStyle = colours(tone);
    context.globalAlpha = 0.55;
    context.fillRect(x, y + height / 2 - 1, width, 2);
    context.fillRect(x, y + height / 2 - 3, 1, 6);
    context.globalAlpha = 1;
    return;
  }
  if (look === 'back-off') {
    context.fillStyle = patternOf(context, 'stripes', colours(tone), colours(`${tone}-soft`));
    context.fillRect(x, y + height * 0.25, width, height * 0.5);
    return;
  }
  if (look === 'asking') {
    context.fillStyle = patternOf(context, 'dots', colours(tone), colours(`${tone}-soft`));
    context.fillRect(x, y + height * 0.15, width, height * 0.7);
    return;
  }
  context.fillStyle = look === 'tried' ? colours(`${tone}-soft`) : colours(tone);
  rounded(context, x, y, width, height);
  context.fill();
  if (look === 'tried' && width > 2) {
    context.strokeStyle = colours(tone);
    rounded(context, x + 0.5, y + 0.5, width - 1, height - 1);
    context.stroke();
  }
  if (look === 'failed' && width > 14 && height > 10) cross(context, x + width - 8, y + height / 2, colours('surface'));
}

function rounded(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(3, width / 2));
}

function cross(context: CanvasRenderingContext2D, x: number, y: number, colour: string): void {
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x - 2.5, y - 2.5);
  context.lineTo(x + 2.5, y + 2.5);
  context.moveTo(x + 2.5, y - 2.5);
  context.lineTo(x - 2.5, y + 2.5);
  context.stroke();
  context.lineWidth = 1;
}

/** The name of an action beside its bar, where the lane does not say it. */
function label(
  context: CanvasRenderingContext2D,
  bar: Bar,
  picture: Picture,
  colours: Colours,
  left: number,
  right: number,
  top: number,
  height: number,
): void {
  const from = Math.max(4, left + 5);
  const room = Math.min(right, picture.width) - from - 6;
  if (room < 24) return;
  const run = bar.parts.findLast(({ phase }) => phase === 'running');
  if (run === undefined) return;
  const start = Math.max(4, picture.scale.x(run.from) - picture.scale.x(picture.window.from) + 5);
  const space = Math.min(picture.scale.x(run.to) - picture.scale.x(picture.window.from), picture.width) - start - 6;
  const text = cut(context, labelOf(bar.row), space);
  if (text === '') return;
  context.font = `500 11px ${colours('font')}`;
  context.fillStyle = lookOf(bar, bar.parts.indexOf(run)) === 'tried' ? colours('failed-text') : INK;
  context.fillText(text, start, top + height / 2 + 0.5);
}

function cut(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (room < 22) return '';
  const wide = (part: string): number => part.length * 6.1;
  if (wide(text) <= room || context.measureText(text).width <= room) return text;
  const count = Math.floor(room / 6.1) - 1;
  return count < 5 ? '' : `${text.slice(0, count)}…`;
}

function breaks(context: CanvasRenderingContext2D, picture: Picture, colours: Colours, offset: number): void {
  const { scale, width, height } = picture;
  context.textAlign = 'center';
  for (const gap of scale.breaks(offset, offset + width)) {
    const x = gap.x - offset;
    const middle = x + gap.width / 2;
    if (middle < -30 || middle > width + 30) continue;
    context.fillStyle = colours('surface-2');
    context.globalAlpha = 0.85;
    const inset = Math.min(3, gap.width / 4);
    context.fillRect(x + inset, AXIS, gap.width - 2 * inset, height);
    context.globalAlpha = 1;
    // Of a narrow one there is only the shade: signs beside each other would hide the work.
    if (gap.width < LEGIBLE) continue;
    context.strokeStyle = colours('border-strong');
    for (const edge of [x + 3, x + gap.width - 3]) {
      context.beginPath();
      for (let y = AXIS; y <= height; y += 8) context.lineTo(edge + ((y - AXIS) % 16 === 0 ? -2 : 2), y);
      context.stroke();
    }
    context.save();
    context.translate(middle, AXIS + 12);
    context.font = `10px ${colours('font')}`;
    context.fillStyle = colours('text-2');
    if (gap.width > 40) context.fillText(oneUnit(gap.lengthMs), 0, 4);
    else {
      context.rotate(Math.PI / 2);
      context.textAlign = 'left';
      context.fillText(`${oneUnit(gap.lengthMs)} idle`, -4, 0);
    }
    context.restore();
  }
  context.textAlign = 'left';
}

function nowLine(context: CanvasRenderingContext2D, picture: Picture, colours: Colours, offset: number): void {
  const x = Math.round(picture.scale.x(picture.now) - offset);
  if (x < 0 || x > picture.width) return;
  context.fillStyle = colours('accent');
  context.fillRect(x, AXIS, 1, picture.height);
  context.beginPath();
  context.arc(x + 0.5, AXIS + 3, 3, 0, 2 * Math.PI);
  context.fill();
}

/** The bar at a place of the picture, with so much air around it as a finger needs; null where there is none. */
export function barAt(picture: Picture, x: number, y: number): { readonly bar: Bar; readonly part: ClosedPart } | null {
  if (y < AXIS) return null;
  const track = picture.tracks[Math.floor((y - AXIS + picture.scrollTop) / densities[picture.density].row)];
  if (track === undefined) return null;
  const offset = picture.scale.x(picture.window.from);
  const [from, to] = [picture.scale.timeAt(offset + x - 3), picture.scale.timeAt(offset + x + 3)];
  const bar = track.bars.find((one) => one.from <= to && one.to >= from);
  if (bar === undefined) return null;
  return { bar, part: bar.parts.find((one) => one.from <= to && one.to >= from) ?? bar.parts.at(-1)! };
}

/** Draws how many ran and waited over all the time there is, and which part of it is seen. */
export function drawDepth(
  context: CanvasRenderingContext2D,
  depths: readonly Depth[],
  scale: TimeScale,
  window: Span,
  size: { readonly width: number; readonly height: number; readonly now: number },
  colours: Colours,
): void {
  const { width, height } = size;
  context.clearRect(0, 0, width, height);
  // More depths than pixels are not to be told apart: each pixel shows the most of its own.
  const columns = Math.max(1, Math.floor(width));
  const running = new Float32Array(columns);
  const waiting = new Float32Array(columns);
  for (const [index, depth] of depths.entries()) {
    const from = Math.max(0, Math.floor(scale.x(depth.at)));
    const to = Math.min(columns - 1, Math.floor(scale.x(depths[index + 1]?.at ?? depth.at)));
    for (let column = from; column <= to; column++) {
      running[column] = Math.max(running[column]!, depth.running);
      waiting[column] = Math.max(waiting[column]!, depth.waiting);
    }
  }
  const most = Math.max(1, ...running);
  const mostWaiting = Math.max(1, ...waiting);
  const room = height - 4;
  for (let column = 0; column < columns; column++) {
    const queue = (waiting[column]! / mostWaiting) * room * 0.5;
    context.fillStyle = colours('waiting-soft');
    if (queue > 0) context.fillRect(column, height - queue, 1, queue);
    const tall = (running[column]! / most) * room;
    context.fillStyle = colours('running');
    if (tall > 0) context.fillRect(column, height - tall, 1, tall);
  }
  const from = Math.max(0, scale.x(window.from));
  const to = Math.min(width, scale.x(window.to));
  context.fillStyle = colours('bg');
  context.globalAlpha = 0.72;
  context.fillRect(0, 0, from, height);
  context.fillRect(to, 0, width - to, height);
  context.globalAlpha = 1;
  context.strokeStyle = colours('accent');
  context.lineWidth = 1;
  context.strokeRect(from + 0.5, 0.5, Math.max(1, to - from - 1), height - 1);
}
