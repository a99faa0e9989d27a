/**
 * The tables of plans: a plan, its steps, and the edges between them. A step `waits` for `missing` dependencies, is
 * `ready`, `dispatched` as an action, or `settled`. A group and a fan-out are steps that become no action; a fan-out is ready
 * twice, to be expanded and to be joined, and each of its items is a step.
 */
import type { OutcomeKind } from '../machines/outcome.ts';
import type { Plan, PlanKind, StepRole } from '../machines/tracks.ts';
import type { TableSpec } from '../persistence/schema.ts';
import { readable } from './unreadable.ts';

export interface PlanRow {
  readonly id: string;
  readonly name: string;
  readonly policy: Plan['policy'];
  readonly concurrency: number | null;
  /** How many of its steps could run at once, when most could; null where an earlier version did not note it. */
  readonly slots: number | null;
  readonly state: 'running' | 'stopping' | 'settled';
  readonly kind: PlanKind | null;
  readonly submitted_at: number;
  readonly settled_at: number | null;
  /** When whoever had it run was told how it ended. */
  readonly reported_at: number | null;
  /** How many of its steps have no outcome, and how many of those are dispatched; null in a plan of before they were kept. */
  readonly unsettled: number | null;
  readonly dispatched: number | null;
  /** How many groups and fan-outs it has. */
  readonly joins: number;
}

export interface StepRow {
  readonly id: string;
  readonly plan: string;
  readonly step: string;
  readonly name: string;
  readonly version: string;
  readonly input: string;
  readonly after: string;
  readonly policy: string;
  readonly rank: number;
  readonly estimate_ms: number;
  readonly missing: number;
  readonly state: 'waiting' | 'ready' | 'dispatched' | 'settled';
  readonly kind: OutcomeKind | null;
  readonly reason: string | null;
  readonly round: number;
  /** The action of the present round. */
  readonly action: string;
  /** JSON of an `Urgency`, or null. */
  readonly urgency: string | null;
  /** Null for a step that is an action. */
  readonly role: StepRole | null;
  /** Of a fan-out and its items: the step whose value it goes over, and how many items run at once. */
  readonly source: string | null;
  readonly at_once: number | null;
  /** Of a fan-out: how many items there may be, and, once it has been expanded, how many there are. */
  readonly most: number | null;
  readonly items: number | null;
  /** Of an item: its fan-out, and which it is, from 0. */
  readonly fan: string | null;
  readonly item: number | null;
  /** What it was made of when it was dispatched; null for a step that is not remembered. */
  readonly memo_key: string | null;
  /** What was in the files that it wrote, when what it was made of was still the same. */
  readonly memo_outputs: string | null;
  /** What an earlier run had to work for the outcome that stood in, ms. */
  readonly saved_ms: number | null;
}

export const PLAN_TABLES: readonly TableSpec[] = [
  {
    name: 'plans',
    key: 'id',
    columns: [
      'seq integer primary key',
      'id text not null unique',
      'name text not null',
      'policy text not null',
      'concurrency integer',
      'state text not null',
      'kind text',
      'submitted_at real not null',
      'settled_at real',
      'reported_at real',
      'unsettled integer',
      'dispatched integer',
      'joins integer not null default 0',
      'slots integer',
    ],
    indexes: [
      'create index if not exists plans_name on plans(name, seq)',
      `create index if not exists plans_open on plans(seq) where state <> 'settled'`,
      `create index if not exists plans_settled on plans(settled_at, kind) where settled_at is not null`,
      `create index if not exists plans_failed on plans(settled_at) where kind = 'failed'`,
    ],
  },
  {
    name: 'steps',
    key: 'id',
    columns: [
      'id text primary key',
      'plan text not null',
      'step text not null',
      'name text not null',
      'version text not null',
      'input text not null',
      'after text not null',
      'policy text not null',
      'rank real not null',
      'estimate_ms real not null',
      'missing integer not null',
      'state text not null',
      'kind text',
      'reason text',
      'round integer not null',
      'action text not null',
      'urgency text',
      'role text',
      'source text',
      'at_once integer',
      'most integer',
      'items integer',
      'fan text',
      'item integer',
      'memo_key text',
      'memo_outputs text',
      'saved_ms real',
    ],
    indexes: [
      'create index if not exists steps_plan on steps(plan, state, rank desc)',
      'create index if not exists steps_action on steps(action)',
      `create index if not exists steps_joins on steps(plan) where role is not null and state = 'ready'`,
      'create index if not exists steps_items on steps(plan, fan, state, item) where fan is not null',
    ],
  },
  {
    name: 'edges',
    key: 'id',
    columns: ['id text primary key', 'plan text not null', 'step text not null', 'dependant text not null'],
    indexes: [
      'create index if not exists edges_step on edges(plan, step)',
      'create index if not exists edges_dependant on edges(plan, dependant)',
    ],
  },
];

/** The id of a step's row, and of its action in the first round. */
export function stepKey(plan: string, step: string): string {
  return `${plan}/${step}`;
}

/** The id of a step's action in a round. */
export function actionKey(step: string, round: number): string {
  return round === 1 ? step : `${step}#${round}`;
}

/** The round that an action of a step is of. */
export function roundOf(action: string): number {
  return Number(/#(\d+)$/.exec(action)?.[1] ?? 1);
}

/** The steps that a step comes after, to be shown; undefined where that was damaged. */
export function afterOf({ after }: Pick<StepRow, 'after'>): string[] | undefined {
  const found = readable(() => JSON.parse(after) as unknown, undefined);
  return Array.isArray(found) ? found.filter((step) => typeof step === 'string') : undefined;
}
