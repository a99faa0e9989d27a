/** What a resource is called, and what its figures say. Pure. */
import type { ResourcesView, ResourceSeries } from '../../../views/measures.ts';
import { durationText, percentText } from '../../format.ts';
import type { IconName } from '../../icons.ts';
import type { Tone } from '../../tone.ts';
import { amountText } from './amounts.ts';
import { forecastText } from './forecast-band.ts';

const TITLES: Readonly<Record<string, string>> = {
  memory: 'Memory of the process',
  heap: 'Heap',
  disk: 'Disk of the store',
  handles: 'Open handles',
  hostMemory: 'Memory of the host',
  cpu: 'Processors',
  hostCpu: 'Processors of the host',
  loopDelay: 'Event loop delay',
  loopUtilization: 'Event loop busy',
  wal: 'Log of the store',
};

/** One that is not known here keeps its name. */
export function titleOf(name: string): string {
  return Object.hasOwn(TITLES, name) ? (TITLES[name] as string) : name;
}

/** Of a large disk only the end is looked at, so what is used of that says little: what is free is said. */
export function freeText(used: number, end: number): string {
  return used > 0 ? `${amountText(end - used, 'bytes')} free` : `${amountText(end, 'bytes')} free, or more`;
}

export const DISK_HELP = 'Only the last part of a disk is watched: as long as none of that is used, there is room.';

const ICONS: Readonly<Record<string, IconName>> = {
  cpu: 'cpu',
  hostCpu: 'cpu',
  loopDelay: 'clock',
  loopUtilization: 'clock',
  handles: 'list',
  wal: 'queue',
};

export function iconOf(name: string): IconName {
  return Object.hasOwn(ICONS, name) ? (ICONS[name] as IconName) : 'gauge';
}

export const LEVEL_TONE: Readonly<Record<ResourceSeries['level'], Tone>> = {
  normal: 'ok',
  elevated: 'retrying',
  critical: 'failed',
};

/** What others on the host take, and what one has a processor for: nothing is done about it, so it is no lack of health. */
const TOLD_ONLY: ReadonlySet<string> = new Set(['hostMemory', 'hostCpu', 'cpu', 'loopUtilization']);

const TOLD_HELP = 'It is told, and nothing is done about it: so it does not count for the health.';

/** How short it is, and whether that counts. */
export function levelText(name: string, level: ResourceSeries['level']): string {
  return level !== 'normal' && TOLD_ONLY.has(name) ? `${level}, told only` : level;
}

/** Why a level does not count; undefined where it does. */
export function levelHelp(name: string): string | undefined {
  return TOLD_ONLY.has(name) ? TOLD_HELP : undefined;
}

export interface AdmissionWords {
  readonly title: string;
  readonly text: string;
  readonly tone: Tone;
}

const ADMISSION: Readonly<Record<ResourcesView['admission'], AdmissionWords>> = {
  open: { title: 'Open', text: 'New work begins as usual.', tone: 'ok' },
  throttled: { title: 'Throttled', text: 'Less runs at once, until there is room again.', tone: 'retrying' },
  shedding: {
    title: 'Shedding',
    text: 'Optional work is left out, and little runs at once, until there is room again.',
    tone: 'failed',
  },
};

export function admissionWords(admission: ResourcesView['admission']): AdmissionWords {
  return ADMISSION[admission];
}

/** All that a chart shows, in words, for who cannot see it. */
export function seriesText(series: ResourceSeries, now: number): string {
  const { name, unit, value, limit, level, samples, forecast } = series;
  const values = samples.map((sample) => sample.value);
  const first = samples[0];
  const span =
    first === undefined
      ? ''
      : `; from ${amountText(Math.min(...values), unit)} to ${amountText(Math.max(...values), unit)} in the last ${durationText(now - first.at)}`;
  const forecasted = forecastText(forecast, now);
  return `${titleOf(name)}: ${amountText(value, unit)} of ${amountText(limit, unit)}, ${percentText(value / limit)}, ${level}${span}${forecasted === undefined ? '' : `; ${forecasted}`}.`;
}

/** Of what is far below its limit nothing could be seen on a scale up to that. */
export function isFarBelow({ value, limit, samples, forecast }: ResourceSeries): boolean {
  const most = Math.max(value, ...samples.map((sample) => sample.value));
  return forecast === null && most < limit / 4;
}

/** Where the scale of a chart ends. */
export function scaleEnd(series: ResourceSeries, toLimit: boolean): number {
  const most = Math.max(series.value, ...series.samples.map((sample) => sample.value), 0);
  if (toLimit || !isFarBelow(series)) return Math.max(series.limit, most) * 1.06;
  return most > 0 ? most * 1.3 : series.limit;
}

/** These come and go: only of what fills up it is forecast when. */
const FLOWS: ReadonlySet<string> = new Set(['cpu', 'hostCpu', 'loopDelay', 'loopUtilization', 'wal']);

/** What is said below a chart without a forecast. */
export function calmText(series: ResourceSeries, toLimit: boolean): string {
  if (series.name === 'disk')
    return series.value > 0 ? 'not running full' : 'only the end of a disk is watched: none of it is used';
  if (isFarBelow(series) && !toLimit) return `far below its limit of ${amountText(series.limit, series.unit)}`;
  return FLOWS.has(series.name) ? 'comes and goes: there is no forecast' : 'not running full';
}

/** What is worst first: level, then a forecast, then how full it is. */
export function ordered(all: readonly ResourceSeries[]): ResourceSeries[] {
  const levels = ['critical', 'elevated', 'normal'];
  const rank = ({ level, forecast }: ResourceSeries) => levels.indexOf(level) * 2 + (forecast === null ? 1 : 0);
  return [...all].sort((a, b) => rank(a) - rank(b));
}
