/**
 * What the actions of a name have come to: how often each kind of outcome, and how long good ones take. One row a
 * name, so that `stats()` adds up a few rows whatever was run.
 */
import type { OutcomeKind } from '../machines/outcome.ts';
import type { Rows } from '../persistence/rows.ts';
import type { HistoryRow } from './queue-tables.ts';

/** A monitored action without a history is slow after this, ms: twice the 10 s that are expected of any. */
const SLOW_MS = 20_000;
const LEAST_SLOW_MS = 100;

/** Of TCP's estimate of round trips: RFC 6298. */
export const MEAN_GAIN = 1 / 8;
export const DEVIATION_GAIN = 1 / 4;

/** What is known of the actions of a name. */
export interface KnownHistory {
  readonly successes: number;
  readonly failures: number;
  /** A good one takes longer than this very seldom, ms. */
  readonly slowMs: number;
}

const UNKNOWN: KnownHistory = { successes: 0, failures: 0, slowMs: SLOW_MS };

export function historyOf(rows: Pick<Rows, 'get'>, name: string): KnownHistory {
  const row = rows.get<Omit<HistoryRow, 'name' | 'skipped' | 'denied' | 'cancelled'>>(
    'select ok, recovered, degraded, failed, mean_ms, deviation_ms from action_history where name = ?',
    name,
  );
  if (row === undefined) return UNKNOWN;
  const { ok, recovered, degraded, failed, mean_ms: mean, deviation_ms: deviation } = row;
  const slowMs = mean === null ? SLOW_MS : Math.max(LEAST_SLOW_MS, 2 * mean, mean + 4 * (deviation ?? 0));
  return { successes: ok + recovered, failures: degraded + failed, slowMs };
}

/** How long an action of no history takes, ms. */
export const UNKNOWN_MS = 1_000;

/** How long the good ones of a name take on average, ms. */
export function estimateOf(rows: Pick<Rows, 'get'>, name: string): number {
  return rows.get<HistoryRow>('select mean_ms from action_history where name = ?', name)?.mean_ms ?? UNKNOWN_MS;
}

const KINDS: readonly OutcomeKind[] = ['ok', 'recovered', 'degraded', 'skipped', 'failed', 'denied', 'cancelled'];

const adding = ['attempts', 'retries', 'asked'].map((count) => `${count} = ${count} + excluded.${count}`).join(', ');

/** A statement a kind: the column cannot be a parameter. */
const NOTE = Object.fromEntries(
  KINDS.map((kind) => [
    kind,
    `insert into action_history(name, ${kind}, attempts, retries, asked, from_turn) values (?, 1, ?, ?, ?, ?)
     on conflict(name) do update set ${kind} = ${kind} + 1, ${adding}, from_turn = excluded.from_turn`,
  ]),
) as Record<OutcomeKind, string>;

const NOTE_GOOD = Object.fromEntries(
  KINDS.map((kind) => [
    kind,
    `insert into action_history(name, ${kind}, attempts, retries, asked, mean_ms, deviation_ms, from_turn)
     values (?, 1, ?, ?, ?, ?, ? / 2, ?)
     on conflict(name) do update set ${kind} = ${kind} + 1, ${adding},
       deviation_ms = coalesce(deviation_ms + ${DEVIATION_GAIN} * (abs(excluded.mean_ms - mean_ms) - deviation_ms), excluded.deviation_ms),
       mean_ms = coalesce(mean_ms + ${MEAN_GAIN} * (excluded.mean_ms - mean_ms), excluded.mean_ms),
       from_turn = excluded.from_turn`,
  ]),
) as Record<OutcomeKind, string>;

/** An outcome as it is counted. */
export interface Counted {
  readonly kind: OutcomeKind;
  readonly workMs: number;
  readonly attempts: number;
  /** Whether somebody was asked, and answered. */
  readonly asked: boolean;
}

/** Counts an outcome; of good ones the duration, too. */
export function noteOutcome(rows: Rows, name: string, { kind, workMs, attempts, asked }: Counted): void {
  const counts = [attempts, Math.max(0, attempts - 1), asked ? 1 : 0] as const;
  if (kind === 'ok' || kind === 'recovered') rows.run(NOTE_GOOD[kind], name, ...counts, workMs, workMs, rows.turn);
  else rows.run(NOTE[kind], name, ...counts, rows.turn);
}

/** How many actions ended how. */
export type Tally = Readonly<Record<OutcomeKind, number>>;

export const NO_TALLY: Tally = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<OutcomeKind, number>;

/** What all that settled has come to. */
export interface Totals {
  readonly outcomes: Tally;
  readonly attempts: number;
  readonly retries: number;
  /** Actions that somebody was asked about, and answered. */
  readonly asked: number;
}

const SUMS = [...KINDS, 'attempts', 'retries', 'asked'].map((count) => `coalesce(sum(${count}), 0) as ${count}`);

export function sumOutcomes(rows: Pick<Rows, 'get'>): Totals {
  const sums = rows.get(`select ${SUMS.join(', ')} from action_history`) as Tally & Omit<Totals, 'outcomes'>;
  const { attempts, retries, asked, ...outcomes } = sums;
  return { outcomes, attempts, retries, asked };
}
