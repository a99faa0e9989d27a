/** How long to wait before trying again: 0.3 s at first, twice as long each time, 15 s at most, spread by a fifth. Pure. */
const FIRST_MS = 300;
const MOST_MS = 15_000;

/** `attempt` counts from 0; `random` is from 0 to 1. */
export function backOffMs(attempt: number, random: number): number {
  const base = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(base * (0.8 + 0.2 * random));
}
