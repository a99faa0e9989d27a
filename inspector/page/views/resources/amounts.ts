/** Amounts with their units, and the round ones that an axis is marked with. */

import { bytesText, durationText } from '../../format.ts';

/** How a unit is counted. */
type Counting = 'bytes' | 'ms' | 'share' | 'number';

const COUNTINGS: Readonly<Record<string, Counting>> = {
  B: 'bytes',
  byte: 'bytes',
  bytes: 'bytes',
  ms: 'ms',
  share: 'share',
  part: 'share',
  ratio: 'share',
  '%': 'share',
};

function countingOf(unit: string): Counting {
  return Object.hasOwn(COUNTINGS, unit) ? (COUNTINGS[unit] as Counting) : 'number';
}

/** `1.5 GB`, `12 ms`, `34 %`, `250`, `1.5 cores`. */
export function amountText(value: number, unit: string): string {
  if (!Number.isFinite(value)) return '–';
  switch (countingOf(unit)) {
    case 'bytes':
      return bytesText(value);
    case 'ms':
      return durationText(value);
    case 'share':
      return `${rounded(value * 100)} %`;
    case 'number':
      return unit === '' || unit === 'count' ? rounded(value) : `${rounded(value)} ${unit}`;
  }
}

/** Three digits, and no more of them than say something. */
export function rounded(value: number): string {
  const size = Math.abs(value);
  if (size >= 10_000) return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ');
  if (size >= 100) return String(Math.round(value));
  return String(Number(value.toFixed(size >= 10 ? 1 : 2)));
}

const FACTORS = [1, 2, 2.5, 5, 10];
/** What people count time by, ms. */
const TIMES = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
];

/** The step between marks, so that there are at most `most` of them over a span. */
export function stepOf(span: number, most: number, unit: string): number {
  const least = span / Math.max(1, most);
  if (!(least > 0)) return 1;
  const counting = countingOf(unit);
  if (counting === 'ms') {
    const time = TIMES.find((one) => one >= least);
    if (time !== undefined) return time;
  }
  if (counting === 'bytes') return 2 ** Math.ceil(Math.log2(least));
  const power = 10 ** Math.floor(Math.log10(least));
  return (FACTORS.find((one) => one * power >= least * (1 - 1e-9)) ?? 10) * power;
}

/** Round amounts from 0 up to `max`, at most `most + 1` of them. */
export function ticksOf(max: number, most: number, unit: string): number[] {
  const step = stepOf(max, most, unit);
  const ticks: number[] = [];
  for (let i = 0; i * step <= max * (1 + 1e-9) && ticks.length <= most; i += 1) ticks.push(i * step);
  return ticks;
}
