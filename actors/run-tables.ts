/** The table of long runs: when each began, so that its time limit holds over restarts, and how it ended when it was done. */
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';

/** A long run's row. */
export interface RunRow {
  readonly id: string;
  readonly started_at: number;
  readonly ended_at: number | null;
  /** JSON. */
  readonly report: string | null;
}

export const RUN_TABLES: readonly TableSpec[] = [
  {
    name: 'work_runs',
    key: 'id',
    columns: ['id text primary key', 'started_at real not null', 'ended_at real', 'report text'],
  },
];

/** Keeps when a run began and, in the end, how it ended when it was done. */
export function noteRun(rows: Rows, { id, started_at, ended_at, report }: RunRow): void {
  rows.run(
    `insert into work_runs(id, started_at, ended_at, report, from_turn) values (?, ?, ?, ?, ?)
     on conflict(id) do update set ended_at = excluded.ended_at, report = excluded.report, from_turn = excluded.from_turn`,
    id,
    started_at,
    ended_at,
    report,
    rows.turn,
  );
}

export function readRun(rows: Pick<Rows, 'get'>, id: string): RunRow | undefined {
  return rows.get<RunRow>('select * from work_runs where id = ?', id);
}
