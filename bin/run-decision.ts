/**
 * Which run a `perdure run` means: one that is in the store, or a new one. The run `n` of a plan has the id `<name>:<n>`.
 *
 *   newest run           (none)       --retry            --fresh
 *   none                 start 1      start 1            start 1
 *   unfinished           resume       resume and retry   abandon it, start n + 1
 *   ended, untold        report it    see below          start n + 1
 *   failed               start n + 1  resume and retry   start n + 1
 *   cancelled            start n + 1  resume and retry   start n + 1
 *   ok                   start n + 1  report it          start n + 1
 *
 * Untold is a run whose process died after the last commit and before it had said how the run ended. Whoever started it
 * starts it again, and must not get everything a second time.
 */
import type { PlanRow } from '../actors/plan-tables.ts';

export interface RunWish {
  readonly retry?: boolean;
  readonly fresh?: boolean;
}

export type RunDecision =
  | { readonly kind: 'start'; readonly id: string; readonly abandon?: string }
  | { readonly kind: 'resume'; readonly id: string; readonly retry: boolean }
  | { readonly kind: 'report'; readonly id: string };

/** Decides by the newest run of the plan, if there is one. */
export function decideRun(name: string, newest: PlanRow | undefined, { retry, fresh }: RunWish): RunDecision {
  if (newest === undefined) return { kind: 'start', id: `${name}:1` };
  const { id, state, kind } = newest;
  if (retry === true) return kind === 'ok' ? { kind: 'report', id } : { kind: 'resume', id, retry: true };
  if (fresh !== true && isUntold(newest)) return { kind: 'report', id };
  const next = `${name}:${numberOf(id) + 1}`;
  // One that is being cancelled ends by itself, whatever comes after it.
  if (state === 'settled' || state === 'stopping') return { kind: 'start', id: next };
  if (fresh === true) return { kind: 'start', id: next, abandon: id };
  return { kind: 'resume', id, retry: false };
}

/** Whoever cancels a run knows how it ends. */
function isUntold({ state, kind, reported_at: reportedAt }: PlanRow): boolean {
  return state === 'settled' && reportedAt === null && kind !== 'cancelled';
}

/** Runs that somebody else named count as the 0th. */
function numberOf(id: string): number {
  const number = Number(/:(\d+)$/.exec(id)?.[1] ?? 0);
  return Number.isSafeInteger(number) ? number : 0;
}
