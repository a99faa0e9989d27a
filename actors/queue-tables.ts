/**
 * The table of actions: the queue and the outcomes. A row is `delayed` until its time, `held` while others of its key have
 * their turn, `waiting` in a lane (lane-tables.ts), `running` in a slot, `asking` somebody whether it may run, `parked` because
 * no handler of its name and version is registered, or `settled` with its one outcome. Beside it: what the actions of a name
 * have come to, and what is owed since a fallback stood in.
 */
import type { RankedFor } from '../machines/executor.ts';
import type { Band } from '../machines/gate.ts';
import type { OutcomeKind } from '../machines/outcome.ts';
import type { TableSpec } from '../persistence/schema.ts';
import { OPEN_OCCURRENCE } from './schedule-tables.ts';

export type ActionState = 'delayed' | 'held' | 'waiting' | 'running' | 'asking' | 'parked' | 'settled';

/** An action's row. */
export interface ActionRow {
  readonly seq: number;
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly input: string;
  readonly policy: string;
  readonly rank: number;
  readonly plan: string | null;
  readonly state: ActionState;
  readonly slot: number | null;
  readonly submitted_at: number;
  readonly started_at: number | null;
  readonly settled_at: number | null;
  readonly kind: OutcomeKind | null;
  readonly value: string | null;
  readonly error: string | null;
  /** Begun so far. The first is counted when the action gets its slot: it begins in the same turn, unless it is refused. */
  readonly attempts: number;
  /** While it backs off: when the next attempt is due. `error` then says what the last one failed of. */
  readonly retry_at: number | null;
  readonly quality_loss: number;
  /** Left out while the error budget is spent. */
  readonly optional: number;
  /** What somebody said: 1 that it may run, 2 that less quality than its floor will do, 3 both. */
  readonly approved: number;
  /** JSON of a `Shortfall`: that it has asked for its quality, and from where it goes on. */
  readonly shortfall: string | null;
  readonly band: Band | null;
  readonly score: number | null;
  /** The fallback whose value it is. */
  readonly via: string | null;
  readonly fix: string | null;
  /** `done`, or JSON of what it failed of. */
  readonly undo: string | null;
  readonly work_ms: number;
  /** The action whose real work this does, because a fallback stood in for it; null for all others. */
  readonly pays: string | null;
  /** The lane that it waits or runs in; null in rows of before there were lanes. */
  readonly lane: number | null;
  /** Null: `default`. */
  readonly queue: string | null;
  /** Of a key only so many run at once. */
  readonly key: string | null;
  /** It is not begun before, ms since 1970. */
  readonly not_before: number | null;
  /** JSON of an `Urgency`; null for one that is not urgent. */
  readonly urgency: string | null;
  /** By when its outcome is wanted, ms since 1970. */
  readonly due_at: number | null;
  /** What its rank was reckoned with, ms, and whose history that was; null without a due time. */
  readonly estimate_ms: number | null;
  readonly estimate_of: string | null;
  /** When it is to be looked at whether it will be late; null when nothing more is to be told. */
  readonly review_at: number | null;
  /** When it was told that it will be late. */
  readonly at_risk_at: number | null;
  /** Why it was ranked anew, the last time. */
  readonly why: RankedFor | null;
  /** 1, and one more for each time that it was queued again after it had failed. */
  readonly round: number;
  /** When somebody took it off the list of those that have failed. */
  readonly discarded_at: number | null;
  /** Interruptions of its attempt that were nobody's fault: the key of the attempt, `:`, and how many. */
  readonly forgiven: string | null;
  /** What is submitted with the same one joins it. */
  readonly unique_key: string | null;
}

/** What the actions of a name have come to. */
export type HistoryRow = { readonly [K in OutcomeKind]: number } & {
  readonly name: string;
  /** Of all of them. */
  readonly attempts: number;
  readonly retries: number;
  /** That somebody was asked about, and answered. */
  readonly asked: number;
  /** Smoothed, of those that went well; null before the first. */
  readonly mean_ms: number | null;
  readonly deviation_ms: number | null;
};

/** Work that is owed since a fallback stood in for it. */
export interface DebtRow {
  /** The action whose fallback it was. */
  readonly id: string;
  readonly name: string;
  readonly component: string | null;
  readonly fallback: string;
  readonly quality_loss: number;
  readonly incurred_at: number;
  /** One that is `unpayable` failed of what does not pass: it is tried again only when somebody asks. */
  readonly state: 'owed' | 'paying' | 'paid' | 'unpayable';
  /** The action that does, or did, the real work. */
  readonly payment: string | null;
  readonly paid_at: number | null;
  /** Payments that were queued so far. */
  readonly tries: number;
  /** By itself not before this time, since the last try failed, ms since 1970. */
  readonly retry_at: number | null;
  /** For a step of a plan: the actions it depends on, by the names of their steps, as JSON. */
  readonly sources: string | null;
}

/** What of a queue has not had its turn. An index is made of it: it must be said word for word. */
export const PENDING = `state in ('waiting', 'held', 'delayed')`;

/** What waits, has a due time and is no step, so that it is ranked anew when it takes another time than was thought. Word for word, too. */
export const DATED = `estimate_of is not null and state not in ('running', 'settled')`;

export const QUEUE_TABLES: readonly TableSpec[] = [
  {
    name: 'actions',
    key: 'id',
    columns: [
      'seq integer primary key',
      'id text not null unique',
      'name text not null',
      'version text not null',
      'input text not null',
      'policy text not null',
      'rank real not null',
      'plan text',
      'state text not null',
      'slot integer',
      'submitted_at real not null',
      'started_at real',
      'settled_at real',
      'kind text',
      'value text',
      'error text',
      'attempts integer not null',
      'retry_at real',
      'quality_loss real not null',
      'optional integer not null default 0',
      'approved integer not null default 0',
      'shortfall text',
      'band text',
      'score real',
      'via text',
      'fix text',
      'undo text',
      'work_ms real not null default 0',
      'pays text',
      'lane integer',
      'queue text',
      'key text',
      'not_before real',
      'urgency text',
      'due_at real',
      'estimate_ms real',
      'estimate_of text',
      'review_at real',
      'at_risk_at real',
      'why text',
      'round integer not null default 1',
      'discarded_at real',
      'forgiven text',
      'unique_key text',
    ],
    indexes: [
      'drop index if exists actions_waiting',
      'drop index if exists actions_queued',
      'drop index if exists actions_held',
      `create index if not exists actions_lane on actions(lane, optional, rank desc, seq) where state = 'waiting'`,
      `create index if not exists actions_held_in on actions(key, lane, optional, rank desc, seq) where state = 'held'`,
      `create index if not exists actions_keyed on actions(key, state) where key is not null`,
      `create index if not exists actions_delayed on actions(not_before) where state = 'delayed'`,
      `create index if not exists actions_running on actions(slot) where state = 'running'`,
      `create index if not exists actions_parked on actions(name, version) where state = 'parked'`,
      `create index if not exists actions_failed on actions(settled_at) where kind = 'failed'`,
      `create index if not exists actions_dead on actions(seq) where kind = 'failed' and discarded_at is null and pays is null`,
      `create index if not exists actions_pending on actions(queue, state) where queue is not null and ${PENDING}`,
      `create index if not exists actions_settled on actions(settled_at, kind) where settled_at is not null and plan is null`,
      `create index if not exists actions_unique on actions(unique_key, submitted_at) where unique_key is not null`,
      `create index if not exists actions_unique_open on actions(unique_key) where unique_key is not null and state <> 'settled'`,
      `create index if not exists actions_occurring on actions(id) where ${OPEN_OCCURRENCE}`,
      `create index if not exists actions_plan on actions(plan) where plan is not null`,
      `create index if not exists actions_review on actions(review_at) where review_at is not null`,
      `create index if not exists actions_estimated on actions(estimate_of, estimate_ms) where ${DATED}`,
    ],
  },
  {
    name: 'action_history',
    key: 'name',
    columns: [
      'name text primary key',
      'ok integer not null default 0',
      'recovered integer not null default 0',
      'degraded integer not null default 0',
      'skipped integer not null default 0',
      'failed integer not null default 0',
      'denied integer not null default 0',
      'cancelled integer not null default 0',
      'attempts integer not null default 0',
      'retries integer not null default 0',
      'asked integer not null default 0',
      'mean_ms real',
      'deviation_ms real',
    ],
  },
  {
    name: 'debts',
    key: 'id',
    columns: [
      'id text primary key',
      'name text not null',
      'component text',
      'fallback text not null',
      'quality_loss real not null',
      'incurred_at real not null',
      'state text not null',
      'payment text',
      'paid_at real',
      'tries integer not null default 0',
      'retry_at real',
      'sources text',
    ],
    indexes: [
      `create index if not exists debts_owed on debts(component, incurred_at) where state = 'owed'`,
      `create index if not exists debts_due on debts(component, retry_at) where state = 'owed' and retry_at is not null`,
      `create index if not exists debts_paid on debts(paid_at) where state = 'paid'`,
      `create index if not exists debts_payment on debts(payment) where state = 'paying'`,
    ],
  },
];
