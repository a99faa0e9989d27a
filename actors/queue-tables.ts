/**
 * The table of actions: the queue and the outcomes. A row is `waiting`, `running` in a slot, `parked` because no handler of
 * its name and version is registered, or `settled` with its one outcome.
 */
import type { Settled } from '../machines/executor.ts';
import type { TableSpec } from '../persistence/schema.ts';

export type ActionState = 'waiting' | 'running' | 'parked' | 'settled';

/** An action's row. */
export interface ActionRow {
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
  readonly kind: Settled['kind'] | null;
  readonly value: string | null;
  readonly error: string | null;
  /** Begun so far. */
  readonly attempts: number;
  /** While it backs off: when the next attempt is due. `error` then says what the last one failed of. */
  readonly retry_at: number | null;
  readonly quality_loss: number;
}

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
    ],
    indexes: [
      `create index if not exists actions_waiting on actions(rank desc, seq) where state = 'waiting'`,
      `create index if not exists actions_running on actions(slot) where state = 'running'`,
      `create index if not exists actions_parked on actions(name, version) where state = 'parked'`,
      `create index if not exists actions_plan on actions(plan) where plan is not null`,
    ],
  },
];
