/**
 * What the budget charges, and what its machine's actions do, in rows. A window counts every bucket of which any part
 * lies in it: nothing is forgotten early, and everything at most one bucket late.
 */
import assert from 'node:assert/strict';
import { budgetPolicy, horizonOf, type BudgetPolicy } from '../machines/budget-policy.ts';
import type { BudgetEvent } from '../machines/budget.ts';
import type { BudgetCounts, FaultShare, Tally } from '../machines/burn.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';

/** What a valid action costs. Skipped, denied and cancelled ones are not valid and are not charged. */
export interface Charge {
  /** Wall-clock ms since 1970. */
  readonly at: number;
  /** 0 for ok and recovered, 1 for failed, the loss of quality for degraded. */
  readonly bad: number;
  readonly error: { readonly fingerprint: string; readonly class: string } | null;
  /** The component that it leaned on. */
  readonly component: string | null;
}

/** What the budget's actions need of the world. */
export interface BudgetWorld {
  readonly rows: Rows;
  readonly clock: Clock;
}

/** Kinds of faults that a bucket tells apart; the others are one, {@link OTHERS}. */
const KINDS = 32;
const OTHERS = '*';
/** The fault of an action that lost quality and gives no error. */
const NO_ERROR = 'none';
const DEFAULT_POLICY = budgetPolicy();

/**
 * Charges an action, once a call: one statement for a good one, two to five for a bad one. In the turn that settles it,
 * so that what undoes the outcome undoes the charge.
 */
export function charge(rows: Rows, { at, bad, error, component }: Charge, policy: BudgetPolicy = DEFAULT_POLICY): void {
  assert(bad >= 0 && bad <= 1, `an action is bad from 0 to 1, got ${bad}`);
  const { bucketMs } = policy;
  const nth = Math.floor(at / bucketMs);
  rows.run(
    `insert into budget_buckets(slot, bucket, good, bad, from_turn) values (?, ?, ?, ?, ?)
     on conflict(slot) do update set
       good = excluded.good + iif(bucket = excluded.bucket, good, 0),
       bad = excluded.bad + iif(bucket = excluded.bucket, bad, 0),
       bucket = excluded.bucket, from_turn = excluded.from_turn`,
    nth % (Math.ceil(horizonOf(policy) / bucketMs) + 2),
    nth * bucketMs,
    1 - bad,
    bad,
    rows.turn,
  );
  if (bad > 0) noteFault(rows, policy, { at, bad, error, component });
}

function noteFault(rows: Rows, policy: BudgetPolicy, { at, bad, error, component }: Charge): void {
  const bucket = startOf(at, faultMsOf(policy));
  const fingerprint = error?.fingerprint ?? NO_ERROR;
  const added = rows.run(
    'update budget_faults set n = n + ?, from_turn = ? where id = ?',
    bad,
    rows.turn,
    `${bucket}/${fingerprint}`,
  );
  if (added > 0) return;
  pruneFaults(rows, policy, at);
  const { kinds } = rows.get<{ kinds: number }>(
    'select count(*) as kinds from budget_faults where bucket = ?',
    bucket,
  ) ?? { kinds: 0 };
  const isToldApart = kinds < KINDS;
  const kind = isToldApart ? fingerprint : OTHERS;
  rows.run(
    `insert into budget_faults(id, bucket, fingerprint, class, component, n, from_turn) values (?, ?, ?, ?, ?, ?, ?)
     on conflict(id) do update set n = n + excluded.n, from_turn = excluded.from_turn`,
    `${bucket}/${kind}`,
    bucket,
    kind,
    isToldApart ? (error?.class ?? null) : null,
    isToldApart ? component : null,
    bad,
    rows.turn,
  );
}

/** A few at a time, and more than one charge adds. What lies ahead came from a clock that was put back. */
function pruneFaults(rows: Rows, policy: BudgetPolicy, at: number): void {
  const horizon = horizonOf(policy) + faultMsOf(policy);
  rows.run(
    'delete from budget_faults where id in (select id from budget_faults where bucket < ? or bucket > ? limit 16)',
    at - horizon,
    at + horizon,
  );
}

/** Faults are told apart in longer buckets: about a hundred in a period. */
export function faultMsOf({ bucketMs }: BudgetPolicy): number {
  return 30 * bucketMs;
}

/** How far back "lately" goes: 10 minutes of an 8-hour run, and of an hour. */
export function latelyMsOf(policy: BudgetPolicy): number {
  return horizonOf(policy) / (policy.kind === 'slo' ? 48 : 6);
}

function startOf(at: number, widthMs: number): number {
  return Math.floor(at / widthMs) * widthMs;
}

/** Good and bad in the `windowMs` up to `until`. */
export function tallyOf(rows: Pick<Rows, 'get'>, { bucketMs }: BudgetPolicy, until: number, windowMs: number): Tally {
  return rows.get<Tally>(
    'select total(good) as good, total(bad) as bad from budget_buckets where bucket > ? and bucket <= ?',
    until - windowMs - bucketMs,
    until,
  ) as Tally;
}

/** A kind of fault, as it is reported. */
export interface CountedFault extends FaultShare {
  readonly class: string | null;
  readonly component: string | null;
  /** When its first and its last bucket in the period began, ms since 1970. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** What the rows say at a time: all that a policy asks. Reads only. */
export function countBudget(
  rows: Pick<Rows, 'get' | 'all'>,
  policy: BudgetPolicy,
  at: number,
): BudgetCounts & { readonly faults: readonly CountedFault[] } {
  const { bucketMs } = policy;
  const horizon = horizonOf(policy);
  const windows = policy.kind === 'slo' ? policy.windows : [];
  const { first, last } = rows.get<{ first: number | null; last: number | null }>(
    'select min(bucket) as first, max(bucket) as last from budget_buckets where bucket > ? and bucket <= ?',
    at - horizon - bucketMs,
    at,
  ) as { first: number | null; last: number | null };
  return {
    at,
    windows: windows.map(({ longMs, shortMs }) => ({
      long: tallyOf(rows, policy, at, longMs),
      short: tallyOf(rows, policy, at, shortMs),
    })),
    period: {
      ...tallyOf(rows, policy, at, horizon),
      spanMs: first === null || last === null ? 0 : last - first + bucketMs,
    },
    faults: faultsOf(rows, policy, at, first),
  };
}

/** The most frequent first. Nothing is new to a budget that has not run for longer than lately. */
function faultsOf(rows: Pick<Rows, 'all'>, policy: BudgetPolicy, at: number, first: number | null): CountedFault[] {
  const faultMs = faultMsOf(policy);
  const lately = at - latelyMsOf(policy) - faultMs;
  return rows
    .all<Omit<CountedFault, 'isNew'>>(
      `select fingerprint, max(class) as class, max(component) as component, sum(n) as n, min(bucket) as firstAt,
         max(bucket) as lastAt
       from budget_faults where bucket > ? and bucket <= ? group by fingerprint order by n desc, fingerprint limit ?`,
      at - horizonOf(policy) - faultMs,
      at,
      KINDS,
    )
    .map((fault) => {
      const isNew = fault.fingerprint !== OTHERS && first !== null && first < lately && fault.firstAt > lately;
      return { ...fault, isNew };
    });
}

type Self = { readonly self: { send(event: BudgetEvent): void } };

/** The budget's actions, on rows. */
export function budgetActions({ rows, clock }: BudgetWorld) {
  return {
    count: ({ self }: Self, { policy, news }: { policy: BudgetPolicy; news: boolean }) => {
      const { faults, ...counts } = countBudget(rows, policy, clock.now());
      const shares = faults.map(({ fingerprint, n, isNew }) => ({ fingerprint, n, isNew }));
      self.send({ type: 'budget.counted', ...counts, news, faults: shares });
    },
    forget: () => {
      rows.run('delete from budget_buckets');
      rows.run('delete from budget_faults');
    },
  };
}
