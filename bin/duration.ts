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
