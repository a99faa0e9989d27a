/**
 * The tables of the profiler: what was measured of all work, and of each run of a plan. Rows are written over as a whole, so that
 * writing them again changes nothing and what was lost with one commit is there with the next. They are no turn's: a restore leaves
 * them as they are, and no version of them is kept.
 */
import { createHash } from 'node:crypto';
import { isObject } from '../machines/option-keys.ts';
import {
  MOST_OPERATIONS,
  Profile,
  SPAN_KINDS,
  type ProfileNode,
  type SpanKind,
  type StoredNode,
} from '../machines/profile.ts';
import type { TracedSpan } from '../machines/profile-exports.ts';
import { Sketch } from '../machines/sketch.ts';
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';

/** The run that all work is of. */
export const ALL = '';
/** Runs that are kept of a plan, and of all plans together. */
export const RUNS_OF_PLAN = 20;
const RUNS = 1_000;
/** Operations that are kept of a run. */
export const OPERATIONS_OF_RUN = 250;
/** The part of a key that a path makes up. */
const LONGEST_KEY = 200;
/** Pages of single spans that are kept. */
const TRACE_PAGES = 20;
/** Rows that are past every turn: no trigger keeps a version of them. */
const NO_TURN = Number.MAX_SAFE_INTEGER;

export const PROFILE_TABLES: readonly TableSpec[] = [
  {
    name: 'profile_runs',
    key: 'id',
    rolledBack: false,
    columns: [
      'id text primary key',
      'plan text not null',
      'began_at real not null',
      'updated_at real not null',
      'watched_ms real not null',
      'own_ms real not null',
      'dropped real not null',
    ],
    indexes: ['create index if not exists profile_runs_plan on profile_runs(plan, began_at)'],
  },
  {
    name: 'profile_operations',
    key: 'id',
    rolledBack: false,
    columns: [
      'id text primary key',
      'run text not null',
      'path text not null',
      'kind text not null',
      'count real not null',
      'failures real not null',
      'total_ms real not null',
      'self_ms real not null',
      'sketch text not null',
    ],
    indexes: ['create index if not exists profile_operations_run on profile_operations(run)'],
  },
  {
    name: 'profile_traces',
    key: 'id',
    rolledBack: false,
    columns: ['id integer primary key', 'at real not null', 'spans text not null'],
  },
];

/** What is known of a run beside its operations. */
export interface ProfileRun {
  /** The plan's run, or {@link ALL}. */
  readonly id: string;
  /** The name of the plan. */
  readonly plan: string;
  /** Wall-clock ms since 1970. */
  readonly beganAt: number;
  readonly updatedAt: number;
  /** How long it was measured, ms. */
  readonly watchedMs: number;
  /** What measuring took, ms. */
  readonly ownMs: number;
  /** Spans that were begun and of which nobody heard how they ended. */
  readonly dropped: number;
}

type Reader = Pick<Rows, 'get' | 'all'>;

const RUN = `select id, plan, began_at as beganAt, updated_at as updatedAt, watched_ms as watchedMs, own_ms as ownMs, dropped
  from profile_runs`;

/** Undefined also for one that cannot be read. */
export function readRun(rows: Reader, id: string): ProfileRun | undefined {
  const run = rows.get<ProfileRun>(`${RUN} where id = ?`, id);
  return run !== undefined && isSound(run) ? run : undefined;
}

function isSound({ beganAt, updatedAt, watchedMs, ownMs, dropped }: ProfileRun): boolean {
  return [beganAt, updatedAt, watchedMs, ownMs, dropped].every(isAmount);
}

/** A column may hold anything after somebody else wrote in the store. */
function isAmount(value: unknown): value is number {
  return Number.isFinite(value) && (value as number) >= 0;
}

/** The runs of a plan that began before, the newest first. */
export function earlierRuns(rows: Reader, { plan, beganAt, id }: ProfileRun): ProfileRun[] {
  return rows
    .all<ProfileRun>(
      `${RUN} where plan = ? and began_at <= ? and id not in (?, ?) order by began_at desc limit ${RUNS_OF_PLAN}`,
      plan,
      beganAt,
      id,
      ALL,
    )
    .filter(isSound);
}

/** The runs of plans that are kept, the newest first. */
export function newestRuns(rows: Reader, limit: number): ProfileRun[] {
  return rows.all<ProfileRun>(`${RUN} where id <> ? order by began_at desc limit ?`, ALL, limit).filter(isSound);
}

interface OperationRow {
  readonly path: string;
  readonly kind: SpanKind;
  readonly count: number;
  readonly failures: number;
  readonly total_ms: number;
  readonly self_ms: number;
  readonly sketch: string;
}

/** What was measured of a run, and how many rows of it cannot be read. */
export function readProfile(rows: Reader, run: string): { readonly profile: Profile; readonly damaged: number } {
  const found = rows.all<OperationRow>(
    'select path, kind, count, failures, total_ms, self_ms, sketch from profile_operations where run = ?',
    run,
  );
  const profile = new Profile(run === ALL ? MOST_OPERATIONS : OPERATIONS_OF_RUN);
  const sound = found.flatMap((row) => nodeOf(row) ?? []);
  profile.restore(sound);
  return { profile, damaged: found.length - sound.length };
}

function nodeOf(row: OperationRow): StoredNode | undefined {
  const { kind, count, failures, total_ms: totalMs, self_ms: selfMs } = row;
  try {
    const path = JSON.parse(row.path) as unknown;
    const sketch = Sketch.from(JSON.parse(row.sketch)).toJSON();
    if (!isPath(path) || !SPAN_KINDS.includes(kind) || ![count, failures, totalMs, selfMs].every(isAmount))
      return undefined;
    return { path, kind, count, failures, totalMs, selfMs, sketch };
  } catch {
    return undefined;
  }
}

function isPath(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string' && name !== '');
}

/** A long path is kept once. */
const keyOf = (run: string, path: string) => `${run}\n${path.length > LONGEST_KEY ? digestOf(path) : path}`;
const digestOf = (text: string) => createHash('sha256').update(text).digest('base64url');

export function writeRun(rows: Rows, { id, plan, beganAt, updatedAt, watchedMs, ownMs, dropped }: ProfileRun): void {
  rows.run(
    `insert into profile_runs(id, plan, began_at, updated_at, watched_ms, own_ms, dropped, from_turn)
     values (?, ?, ?, ?, ?, ?, ?, ?) on conflict(id) do update set
       plan = excluded.plan, began_at = excluded.began_at, updated_at = excluded.updated_at, watched_ms = excluded.watched_ms, own_ms = excluded.own_ms, dropped = excluded.dropped`,
    id,
    plan,
    beganAt,
    updatedAt,
    watchedMs,
    ownMs,
    dropped,
    NO_TURN,
  );
}

export function writeOperation(rows: Rows, run: string, node: ProfileNode): void {
  const { path: names, kind, count, failures, totalMs, selfMs, sketch } = node.toJSON();
  const path = JSON.stringify(names);
  rows.run(
    `insert into profile_operations(id, run, path, kind, count, failures, total_ms, self_ms, sketch, from_turn)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict(id) do update set
       path = excluded.path, kind = excluded.kind, count = excluded.count, failures = excluded.failures, total_ms = excluded.total_ms, self_ms = excluded.self_ms,
       sketch = excluded.sketch`,
    keyOf(run, path),
    run,
    path,
    kind,
    count,
    failures,
    totalMs,
    selfMs,
    JSON.stringify(sketch),
    NO_TURN,
  );
}

export function removeOperation(rows: Rows, run: string, { path }: ProfileNode): void {
  rows.run('delete from profile_operations where id = ?', keyOf(run, JSON.stringify(path)));
}

/** Forgets the oldest runs of a plan, and of all plans. */
export function forgetRuns(rows: Rows, plan: string): void {
  const old = rows.all<{ id: string }>(
    `select id from (select id from profile_runs where plan = ? and id <> '' order by began_at desc limit -1 offset ${RUNS_OF_PLAN})
     union select id from (select id from profile_runs where id <> '' order by began_at desc limit -1 offset ${RUNS})`,
    plan,
  );
  for (const { id } of old) forgetRun(rows, id);
}

function forgetRun(rows: Rows, id: string): void {
  rows.run('delete from profile_operations where run = ?', id);
  rows.run('delete from profile_runs where id = ?', id);
}

/** Forgets all that was measured. */
export function forgetAll(rows: Rows): void {
  for (const table of ['profile_runs', 'profile_operations', 'profile_traces']) rows.run(`delete from ${table}`);
}

/** Puts a page of spans in the place of the oldest. */
export function writeTrace(rows: Rows, page: number, at: number, spans: readonly TracedSpan[]): void {
  rows.run(
    `insert into profile_traces(id, at, spans, from_turn) values (?, ?, ?, ?)
     on conflict(id) do update set at = excluded.at, spans = excluded.spans`,
    page % TRACE_PAGES,
    at,
    JSON.stringify(spans),
    NO_TURN,
  );
}

/** The place of the page that was written last. */
export function lastPage(rows: Reader): number {
  return rows.get<{ id: number }>('select id from profile_traces order by at desc, id desc limit 1')?.id ?? -1;
}

/** Single spans that are kept, in no order; those of one life are numbered apart from those of others. */
export function readTrace(rows: Reader): TracedSpan[] {
  return rows
    .all<{ spans: string }>('select spans from profile_traces order by at')
    .flatMap(({ spans }) => spansOf(spans));
}

function spansOf(text: string): TracedSpan[] {
  try {
    const spans = JSON.parse(text) as unknown;
    return Array.isArray(spans) ? spans.filter(isSpan) : [];
  } catch {
    return [];
  }
}

function isSpan(value: unknown): value is TracedSpan {
  if (!isObject(value)) return false;
  const { id, parent, name, kind, at, ms } = value;
  const isNamed = typeof name === 'string' && (SPAN_KINDS as readonly unknown[]).includes(kind);
  return isNamed && [id, at, ms, parent ?? 0].every(isAmount);
}
