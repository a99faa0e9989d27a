/**
 * What the actions of the schedules do: schedules and their next times are rows, and every answer is an event to the schedules in
 * the same turn.
 *
 * The submission of an occurrence is made anew, so that a schedule that outlives many versions of the code has the policies of
 * the present one. Where that cannot be, because its action is gone or its options are no longer allowed, it is submitted as it
 * was when the schedule was put: it is parked then, or runs, and is visible; and the schedule says why (`problem`).
 */
import { messageOf } from '../errors.ts';
import type { Submission } from '../machines/executor.ts';
import {
  toRun,
  type Schedule,
  type ScheduleNotice,
  type ScheduleRequest,
  type SchedulesEvent,
  type Timing,
} from '../machines/schedules.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import { OPEN_OCCURRENCE, type ScheduleRow } from './schedule-tables.ts';
import { timeAfter, timeUpTo } from './schedule-times.ts';
import { submissionOf, type SubmissionOptions, type SubmissionWorld } from './submissions.ts';
import { fromText, sealed, sealedPolicy, unsealedText } from './values.ts';

/** What schedules need of the world. */
export interface ScheduleWorld extends SubmissionWorld {
  readonly rows: Rows;
  readonly clock: Pick<Clock, 'now'>;
}

/** What the actions of a machine are called with. */
type Self = { readonly self: { send(event: SchedulesEvent): void } };

/** The schedules' actions, on rows. */
export function scheduleActions(world: ScheduleWorld) {
  const schedules = ({ self }: Self) => new ScheduleRows(world, (event) => self.send(event));
  return {
    putSchedule: (args: Self, params: Parameters<ScheduleRows['put']>[0]) => schedules(args).put(params),
    obey: (args: Self, params: ScheduleRequest) => schedules(args).obey(params),
    fire: (args: Self, params: Parameters<ScheduleRows['fire']>[0]) => schedules(args).fire(params),
    review: (args: Self, params: Parameters<ScheduleRows['review']>[0]) => schedules(args).review(params),
  };
}

/** The id of the action that an occurrence becomes. C1. */
export function occurrenceId(schedule: string, at: number): string {
  return `${schedule}@${new Date(at).toISOString()}`;
}

/** Whether an occurrence has not settled: the last, one before it, or one that was triggered. */
function isUnderWay(rows: Pick<Rows, 'get'>, schedule: string): boolean {
  // Behind the `@` is a time, and no further `@` as in an occurrence of a schedule that is called `<schedule>@...`.
  const found = rows.get(
    `select 1 from actions where id > ? and id < ? and instr(substr(id, length(?) + 2), '@') = 0 and ${OPEN_OCCURRENCE} limit 1`,
    `${schedule}@`,
    `${schedule}@:`,
    schedule,
  );
  return found !== undefined;
}

export function timingOf({ timing }: Pick<ScheduleRow, 'timing'>): Timing {
  return JSON.parse(timing) as Timing;
}

/** The next time after `after`, if the schedule has not ended by then. */
export function nextTime({ timing, until_at }: Pick<ScheduleRow, 'timing' | 'until_at'>, after: number): number | null {
  const next = timeAfter(timingOf({ timing }), after);
  return next === null || (until_at !== null && next > until_at) ? null : next;
}

/** What a turn fires. */
interface Fired {
  readonly submissions: Submission[];
  readonly notices: ScheduleNotice[];
}

class ScheduleRows {
  readonly #world: ScheduleWorld;
  readonly #rows: Rows;
  readonly #answer: (event: SchedulesEvent) => void;

  constructor(world: ScheduleWorld, answer: (event: SchedulesEvent) => void) {
    this.#world = world;
    this.#rows = world.rows;
    this.#answer = answer;
  }

  put({ schedule, at }: { schedule: Schedule; at: number }): void {
    const { id, timing, until, overlap, catchUp, template, options } = schedule;
    const row = { timing: JSON.stringify(timing), until_at: until };
    const before = this.#rows.get<ScheduleRow>('select * from schedules where id = ?', id);
    // One that is only to do something else is due when it was, also when that has come already.
    const keeps = before?.state === 'active' && before.timing === row.timing && before.until_at === until;
    const next = keeps ? before.next_at : nextTime(row, at);
    this.#rows.run(
      `insert into schedules(id, timing, until_at, overlap, catch_up, template, options, state, next_at, from_turn)
       values (?, ?, ?, ?, ?, ?, ?, iif(? is null, 'ended', 'active'), ?, ?)
       on conflict(id) do update set timing = excluded.timing, until_at = excluded.until_at, overlap = excluded.overlap,
         catch_up = excluded.catch_up, template = excluded.template, options = excluded.options, problem = null,
         state = iif(schedules.state = 'paused', 'paused', excluded.state),
         next_at = iif(schedules.state = 'paused', null, excluded.next_at), from_turn = excluded.from_turn`,
      id,
      row.timing,
      until,
      overlap,
      catchUp,
      JSON.stringify(template),
      options,
      next,
      next,
      this.#rows.turn,
    );
    this.#answerDue();
  }

  obey({ id, command, at }: ScheduleRequest): void {
    const row = this.#rows.get<ScheduleRow>('select * from schedules where id = ?', id);
    if (row === undefined) return;
    if (command === 'trigger') this.#trigger(row, at);
    if (command === 'remove') this.#rows.run('delete from schedules where id = ?', id);
    if (command === 'pause' && row.state === 'active') this.#set(id, 'paused', null);
    // What it would have done while it was paused was not wanted.
    if (command === 'resume' && row.state === 'paused') this.#goOn(row, this.#world.clock.now());
    this.#answerDue();
  }

  #trigger(row: ScheduleRow, at: number): void {
    const fired: Fired = { submissions: [], notices: [] };
    this.#submit(row, at, fired);
    this.#answer({ type: 'schedules.fired', ...fired });
  }

  /** C1, C2, C3. */
  fire({ limit }: { limit: number }): void {
    const now = this.#world.clock.now();
    const due = this.#rows.all<ScheduleRow>(
      `select * from schedules where state = 'active' and next_at <= ? order by next_at, id limit ?`,
      now,
      limit,
    );
    const fired: Fired = { submissions: [], notices: [] };
    let left = limit;
    for (const row of due) left -= this.#fireOne(row, now, left, fired);
    if (fired.notices.length > 0) this.#answer({ type: 'schedules.fired', ...fired });
    // The timer rang, and nothing is due: the clock was put back.
    if (due.length === 0) this.review({ after: '', limit });
    else this.#answerDue();
  }

  /** Gives how many occurrences it took. */
  #fireOne(row: ScheduleRow, now: number, limit: number, fired: Fired): number {
    const timing = timingOf(row);
    let taken = 0;
    let next = row.next_at;
    while (next !== null && next <= now && taken < limit) {
      const last = row.catch_up === 'all' ? next : timeUpTo(timing, next, Math.min(now, row.until_at ?? now));
      const { at, goesOnAfter } = toRun(row.catch_up, { first: next, last, now });
      if (at === null) fired.notices.push({ type: 'schedule.skipped', id: row.id, at: last, why: 'missed' });
      else this.#submitUnlessBusy(row, at, fired);
      next = nextTime(row, goesOnAfter);
      taken += 1;
    }
    if (taken > 0) this.#set(row.id, next === null ? 'ended' : 'active', next);
    return taken;
  }

  #submitUnlessBusy(row: ScheduleRow, at: number, fired: Fired): void {
    if (row.overlap === 'skip' && isUnderWay(this.#rows, row.id))
      return void fired.notices.push({ type: 'schedule.skipped', id: row.id, at, why: 'overlap' });
    this.#submit(row, at, fired);
  }

  #submit(row: ScheduleRow, at: number, { submissions, notices }: Fired): void {
    const action = occurrenceId(row.id, at);
    // Its time has come before, and the clock was put back.
    if (this.#rows.get('select 1 from actions where id = ?', action) !== undefined) return;
    const { submission, problem } = this.#submissionOf(row, action);
    submissions.push(submission);
    notices.push({ type: 'schedule.fired', id: row.id, at, action });
    this.#rows.run(
      'update schedules set last_at = ?, last_action = ?, problem = ?, from_turn = ? where id = ?',
      at,
      action,
      problem,
      this.#rows.turn,
      row.id,
    );
  }

  #submissionOf(row: ScheduleRow, id: string): { readonly submission: Submission; readonly problem: string | null } {
    const at = this.#world.clock.now();
    const template = JSON.parse(row.template) as Submission;
    try {
      const options = { ...(JSON.parse(unsealedText(this.#rows, row.options)) as Omit<SubmissionOptions, 'id'>), id };
      const input = fromText(unsealedText(this.#rows, template.input));
      const { name, policy, ...rest } = submissionOf(this.#world, template.name, input, options, at);
      const stored = { input: template.input, policy: sealedPolicy(this.#rows, policy, name) };
      return { submission: { ...rest, name, ...stored }, problem: null };
    } catch (error) {
      return { submission: { ...template, id, at }, problem: messageOf(error) };
    }
  }

  review({ after, limit }: { after: string; limit: number }): void {
    const now = this.#world.clock.now();
    const rows = this.#rows.all<ScheduleRow>('select * from schedules where id > ? order by id limit ?', after, limit);
    for (const row of rows) {
      if (row.state !== 'active' || row.next_at === null || row.next_at <= now) continue;
      const next = nextTime(row, now);
      if (next !== null && next < row.next_at) this.#set(row.id, 'active', next);
    }
    const last = rows.at(-1);
    if (last !== undefined && rows.length === limit) this.#answer({ type: 'schedules.reviewed', after: last.id });
    this.#answerDue();
  }

  #goOn(row: ScheduleRow, now: number): void {
    const next = nextTime(row, now);
    this.#set(row.id, next === null ? 'ended' : 'active', next);
  }

  #set(id: string, state: ScheduleRow['state'], next: number | null): void {
    this.#rows.run(
      'update schedules set state = ?, next_at = ?, from_turn = ? where id = ?',
      state,
      next,
      this.#rows.turn,
      id,
    );
  }

  #answerDue(): void {
    const next = this.#rows.get<{ next_at: number }>(
      `select next_at from schedules where state = 'active' order by next_at, id limit 1`,
    );
    const dueAt = next?.next_at ?? null;
    const waitMs = dueAt === null ? 0 : Math.max(0, dueAt - this.#world.clock.now());
    this.#answer({ type: 'schedules.due', dueAt, waitMs });
  }
}

/** A schedule with what may be secret in it sealed: the input, and what the host said in words. */
export function sealedSchedule(rows: Pick<Rows, 'seal'>, schedule: Schedule): Schedule {
  const { template } = schedule;
  const { name, input, policy } = template;
  return {
    ...schedule,
    template: { ...template, input: sealed(rows, input), policy: sealedPolicy(rows, policy, name) },
    options: sealed(rows, schedule.options),
  };
}
