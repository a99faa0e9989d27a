/** The marks of the time axis: round moments of the place where somebody looks, none over the text of another. */
import type { TimeScale } from './time-scale.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  SECOND,
  2 * SECOND,
  5 * SECOND,
  10 * SECOND,
  15 * SECOND,
  30 * SECOND,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
  14 * DAY,
  28 * DAY,
];

export interface Tick {
  readonly x: number;
  readonly at: number;
  readonly label: string;
}

/** How far the clock of this place is ahead of UTC then, ms. */
function aheadOfUtc(at: number): number {
  return -new Date(at).getTimezoneOffset() * MINUTE;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function dayOf(at: number): string {
  const date = new Date(at);
  return `${MONTHS[date.getMonth()]} ${date.getDate()}`;
}

/** A moment as the axis shows it, as exact as its marks are apart. */
export function tickLabel(at: number, stepMs: number): string {
  const date = new Date(at);
  const day = dayOf(at);
  if (stepMs >= DAY) return day;
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (minutes === '00:00' && stepMs >= MINUTE) return day;
  if (stepMs >= MINUTE) return minutes;
  const seconds = `${minutes}:${two(date.getSeconds())}`;
  return stepMs >= SECOND ? seconds : `${seconds}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** How wide a text of the axis is at most, px, with the room before and after it. */
export function labelRoom(label: string): number {
  return label.length * 6.5 + 14;
}

/** The marks between two places of the axis, at least three quarters of `apart` pixels from each other. */
export function ticksOf(scale: TimeScale, fromX: number, toX: number, apart = 96): Tick[] {
  const wanted = scale.msPerPx * apart;
  const step = STEPS.find((candidate) => candidate >= wanted) ?? STEPS.at(-1)!;
  const ticks: Tick[] = [];
  // The day is said where it changes; of a window of one day it is not.
  const today = dayOf(scale.timeAt(toX));
  let x = fromX;
  while (x <= toX && ticks.length < 200) {
    const local = scale.timeAt(x);
    const ahead = aheadOfUtc(local);
    const at = Math.ceil((local + ahead) / step) * step - ahead;
    const place = scale.x(at);
    if (place > toX) break;
    const last = ticks.at(-1);
    const isOtherDay = dayOf(at) !== (last === undefined ? today : dayOf(last.at));
    const room = last === undefined ? 0 : Math.max(apart * 0.75, labelRoom(last.label));
    if (place >= fromX && (last === undefined || place - last.x >= room)) {
      const label = tickLabel(at, step);
      ticks.push({ x: place, at, label: isOtherDay && !label.includes(' ') ? `${dayOf(at)} ${label}` : label });
    }
    x = Math.max(place, x) + apart * 0.75;
  }
  return ticks;
}
