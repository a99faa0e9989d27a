/** Durations as people write them in a plan: a number of seconds, or a number with its unit. No compounds, no days. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;

/** Node's timers fire at once when asked to wait longer than this, some 596 hours, so no duration may be. */
export const LONGEST_MS = 2 ** 31 - 1;

function inMs(value: unknown): number | undefined {
  if (typeof value === 'number') return value * UNIT_MS['s']!;
  const [, amount, unit] = (typeof value === 'string' && DURATION.exec(value)) || [];
  return amount === undefined ? undefined : Number(amount) * UNIT_MS[unit!]!;
}

/** The whole milliseconds meant by 90, '500ms', '90s', '10m' or '2h'; undefined for what is not a duration. */
export function parseDuration(value: unknown): number | undefined {
  const ms = inMs(value);
  return ms !== undefined && ms >= 0 && ms <= LONGEST_MS ? Math.round(ms) : undefined;
}

/** A duration as people read it: `340ms`, `4.2s`, `3m 07s`, `2h 05m`. */
export function shownDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const two = (part: number) => String(part).padStart(2, '0');
  return hours > 0 ? `${hours}h ${two(minutes)}m` : `${minutes}m ${two(seconds % 60)}s`;
}
