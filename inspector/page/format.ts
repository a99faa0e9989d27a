/** Numbers and times as people read them. Pure. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time: `0.4 ms`, `12 ms`, `1.2 s`, `34 s`, `2 min 5 s`, `3 h 10 min`, `4 d 2 h`. */
export function durationText(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  const size = Math.abs(ms);
  const sign = ms < 0 ? '-' : '';
  if (size === 0) return '0 ms';
  if (size < 9.95) return `${sign}${trimmed(size)} ms`;
  if (size < 999.5) return `${sign}${Math.round(size)} ms`;
  if (size < 9.95 * SECOND) return `${sign}${trimmed(size / SECOND)} s`;
  const seconds = Math.round(size / SECOND);
  if (seconds < 60) return `${sign}${seconds} s`;
  if (seconds < 3_600) return sign + pair(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(size / MINUTE);
  if (minutes < 24 * 60) return sign + pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(size / HOUR);
  return sign + pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** A length of time that ticks in whole seconds: `0 s`, `34 s`, `2 min 5 s`. */
export function tickText(ms: number): string {
  return ms < SECOND ? '0 s' : durationText(Math.floor(ms / SECOND) * SECOND);
}

/** How long ago, or how far ahead: `now`, `5 s ago`, `in 3 min`. */
export function agoText(at: number, now: number): string {
  const ms = now - at;
  const size = Math.abs(ms);
  if (size < SECOND) return 'now';
  return ms > 0 ? `${oneUnit(size)} ago` : `in ${oneUnit(size)}`;
}

/** A length of time in its largest unit: `5 s`, `3 min`, `2 h`, `4 d`. */
export function oneUnit(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** The date and the time, with ms, where the reader is. */
export function timestampText(at: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return '–';
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockText(at)}`;
}

/** The time of day, with ms. */
export function clockText(at: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return '–';
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** A whole number with thin gaps: `20 000`. */
export function countText(n: number): string {
  return Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** `1 step`, `2 steps`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${countText(n)} ${n === 1 ? one : many}`;
}

/** A share of one: `0 %`, `0.4 %`, `37 %`, `100 %`. */
export function percentText(share: number): string {
  const percent = share * 100;
  if (!Number.isFinite(percent)) return '–';
  const small = Math.abs(percent) < 9.95 && percent !== 0;
  return `${small ? trimmed(percent) : Math.round(percent)}\u202f%`;
}

const BANDS: Readonly<Record<string, string>> = {
  immediate: 'runs without asking',
  monitored: 'runs, and is watched',
  reversible: 'runs, because it can be undone',
  ask: 'asks first',
};

/** How the gate lets an action run, in words. */
export function bandText(band: string): string {
  return Object.hasOwn(BANDS, band) ? BANDS[band]! : band;
}

/** Bytes: `512 B`, `1.5 KB`, `20 MB`, `3.2 GB`. */
export function bytesText(bytes: number): string {
  let size = bytes;
  for (const unit of ['B', 'KB', 'MB', 'GB'] as const) {
    if (Math.abs(size) < 999.5 || unit === 'GB') {
      return `${Math.abs(size) < 9.95 && unit !== 'B' ? trimmed(size) : Math.round(size)} ${unit}`;
    }
    size /= 1_024;
  }
  return `${Math.round(size)} GB`;
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{4}([\da-f]{8})(?![\da-f])/i;

/** An id as it is shown where its whole is a hover away: of a UUID, whose beginnings are alike, the end. */
export function shortId(id: string): string {
  return id.replace(UUID, '…$1');
}

function trimmed(n: number): string {
  return n.toFixed(1).replace(/\.0$/, '');
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
