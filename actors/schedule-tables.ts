/**
 * The table of schedules. A row is `active` with the time that it is due next, `paused`, or `ended` when no occurrence is left.
 */
import type { CatchUp, Overlap } from '../machines/schedules.ts';
import type { TableSpec } from '../persistence/schema.ts';

export type ScheduleState = 'active' | 'paused' | 'ended';

export interface ScheduleRow {
  readonly id: string;
  /** JSON of a `Timing`. */
  readonly timing: string;
  readonly until_at: number | null;
  readonly overlap: Overlap;
  readonly catch_up: CatchUp;
  /** JSON of a `Submission`, its input and its summary sealed. */
  readonly template: string;
  /** JSON of what the host said of the submissions, sealed. */
  readonly options: string;
  readonly state: ScheduleState;
  /** Set while it is active. */
  readonly next_at: number | null;
  /** The last occurrence that became an action, or that somebody triggered, and that action. */
  readonly last_at: number | null;
  readonly last_action: string | null;
  /** Why the last occurrence could not have the policy of the present code. */
  readonly problem: string | null;
}

/** What may be an occurrence, and has not settled. An index is made of it: it must be said word for word. */
export const OPEN_OCCURRENCE = `state <> 'settled' and pays is null and instr(id, '@') > 0`;

export const SCHEDULE_TABLES: readonly TableSpec[] = [
  {
    name: 'schedules',
    key: 'id',
    columns: [
      'id text primary key',
      'timing text not null',
      'until_at real',
      'overlap text not null',
      'catch_up text not null',
      'template text not null',
      'options text not null',
      'state text not null',
      'next_at real',
      'last_at real',
      'last_action text',
      'problem text',
    ],
    indexes: [`create index if not exists schedules_due on schedules(next_at, id) where state = 'active'`],
  },
];
