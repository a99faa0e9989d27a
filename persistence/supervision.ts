/**
 * What supervision decides, as pure functions: who is restarted when a child ends, in which order children stop and
 * start, and when a supervisor has restarted too often. The words are OTP's.
 *
 * V1  At most `intensity` restarts are admitted in any `periodMs`; the next one is exceeded.
 * V2  A window never holds more than `intensity` times.
 * V3  Children stop in the reverse of the order in which they started, and start in that order again.
 */

/** Who is restarted with a child that failed: nobody else, every supervised child, or those started after it. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

/** Whether a child is restarted: always, after an error only, or never. */
export type RestartType = 'permanent' | 'transient' | 'temporary';

/** How a child ended. */
export type Ending = 'done' | 'error';

/** How often a supervisor may restart. */
export interface Allowance {
  readonly intensity: number;
  readonly periodMs: number;
}

/** The restarts that count: their wall-clock times in ms, the oldest first. */
export type Window = readonly number[];

/** A child and its place in the order of starts, which it keeps when it is restarted. */
export interface Placed {
  readonly id: string;
  readonly order: number;
}

/** Whether a child that ended so is to be restarted. */
export function isRestarted(restart: RestartType, ending: Ending): boolean {
  return restart === 'permanent' || (restart === 'transient' && ending === 'error');
}

/** Counts a restart at `now`: the window with it, or undefined when that is one too many. */
export function admit(window: Window, now: number, { intensity, periodMs }: Allowance): Window | undefined {
  // A wall clock that went back must not keep a restart in the window for longer than the period.
  const recent = window.map((at) => Math.min(at, now)).filter((at) => at > now - periodMs);
  return recent.length < intensity ? [...recent, now] : undefined;
}

/** Those who are stopped and started again with the child at `failed`, it included, in the order of their starts. */
export function affected<T extends Placed>(strategy: Exclude<Strategy, 'one_for_one'>, failed: T, children: T[]): T[] {
  const others = children.filter(
    ({ id, order }) => id !== failed.id && (strategy === 'one_for_all' || order > failed.order),
  );
  return inOrder([...others, failed]);
}

/** In the order of their starts. */
export function inOrder<T extends Placed>(children: readonly T[]): T[] {
  return [...children].sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}
