/** The host's side of schedules: `supervisor.schedules`. It sends events and reads rows. */
import { PerdureError } from '../errors.ts';
import { nearest } from '../machines/nearest.ts';
import { shown } from '../machines/option-keys.ts';
import type { Submission } from '../machines/executor.ts';
import type { CatchUp, Overlap, Schedule, ScheduleCommand, Timing } from '../machines/schedules.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import type { Rows } from '../persistence/rows.ts';
import type { Actions } from './actions.ts';
import { checkId, checkObject, refuse } from './action-options.ts';
import { scheduleOf, wrongTime, type Given, type ScheduleMaker, type ScheduleOptions } from './schedule-options.ts';
import { nextTime, occurrenceId, sealedSchedule, timingOf } from './schedule-rows.ts';
import type { ScheduleRow, ScheduleState } from './schedule-tables.ts';
import type { ActionHandle } from './supervisor.ts';
import { UNREADABLE, readable } from './unreadable.ts';
import { sameText, unsealedText } from './values.ts';

/** A schedule, as it stands. */
export interface ScheduleInfo {
  readonly id: string;
  readonly action: string;
  readonly state: ScheduleState;
  readonly timing: Timing;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  readonly until: number | null;
  /** The times to come, at most three, ms since 1970; none unless it is active. */
  readonly next: readonly number[];
  /** The last occurrence that became an action, and the action's id. */
  readonly lastAt: number | null;
  readonly lastAction: string | null;
  /** Why that was submitted as it was when the schedule was put; null when it has the policy of the present code. */
  readonly problem: string | null;
}

const NEXT_TIMES = 3;
const LONGEST_LIST = 10_000;

type Reader = Pick<Rows, 'get' | 'all'>;

/** What schedules need of the supervisor. */
export interface ScheduleHost extends ScheduleMaker {
  rows(): Pick<Rows, 'get' | 'all' | 'seal' | 'unseal'>;
  send(event: SupervisorCommand): Promise<unknown>;
  handleOf(action: string): ActionHandle<unknown>;
}

/** Actions that are submitted at certain times. */
export class Schedules<TActions extends Actions> {
  readonly #host: ScheduleHost;

  constructor(host: ScheduleHost) {
    this.#host = host;
  }

  /**
   * Puts a schedule, or another one in its place; resolves once that is durable. Each occurrence is an action with the id
   * `<schedule>@<ISO time>`. Throws OPTIONS_INVALID, ACTION_UNKNOWN, CODEC_REFUSED.
   *
   * @example
   * await supervisor.schedules.put({ id: 'nightly', action: 'report', input: {}, cron: '30 2 * * *', timeZone: 'Europe/Berlin' });
   */
  async put<TName extends keyof TActions & string>(options: ScheduleOptions<TActions, TName>): Promise<void> {
    checkObject('The options of a schedule', options);
    const at = this.#host.now();
    const known = readSchedule(this.#host.rows(), options.id);
    const schedule = scheduleOf(options as unknown as Given, this.#host, known);
    if (known !== undefined && this.#isSame(schedule, known)) return;
    refuse(`The schedule "${schedule.id}"`, wrongTime(schedule, at), { id: schedule.id });
    await this.#host.send({
      type: 'supervisor.putSchedule',
      schedule: sealedSchedule(this.#host.rows(), schedule),
      at,
    });
  }

  /** Forgets a schedule; what it has submitted goes on. Throws SCHEDULE_NOT_FOUND. */
  async remove(id: string): Promise<void> {
    await this.#command(id, 'remove');
  }

  /** Lets a schedule rest: what is due meanwhile does not happen, and is not caught up. Throws SCHEDULE_NOT_FOUND. */
  async pause(id: string): Promise<void> {
    await this.#command(id, 'pause');
  }

  /** Goes on with the next time that is to come. Throws SCHEDULE_NOT_FOUND. */
  async resume(id: string): Promise<void> {
    await this.#command(id, 'resume');
  }

  /** Submits an occurrence of now, also while the schedule is paused, or the one before runs. Throws SCHEDULE_NOT_FOUND. */
  async trigger(id: string): Promise<ActionHandle<unknown>> {
    const at = await this.#command(id, 'trigger');
    return this.#host.handleOf(occurrenceId(id, at));
  }

  /** All schedules, by id. */
  list(): ScheduleInfo[] {
    return readSchedules(this.#host.rows(), this.#host.now());
  }

  async #command(id: string, command: ScheduleCommand): Promise<number> {
    checkId('A schedule', id);
    refuseUnknownSchedule(this.#host.rows(), id);
    const at = this.#host.now();
    await this.#host.send({ type: 'supervisor.schedule', id, command, at });
    return at;
  }

  #isSame({ timing, until, overlap, catchUp, template, options }: Schedule, known: ScheduleRow): boolean {
    const stored = JSON.parse(known.template) as Submission;
    return (
      sameText(JSON.stringify(timing), known.timing) &&
      until === known.until_at &&
      overlap === known.overlap &&
      catchUp === known.catch_up &&
      template.name === stored.name &&
      sameText(options, unsealedText(this.#host.rows(), known.options)) &&
      sameText(template.input, unsealedText(this.#host.rows(), stored.input))
    );
  }
}

export function readSchedule(rows: Pick<Rows, 'get'>, id: unknown): ScheduleRow | undefined {
  return typeof id === 'string' ? rows.get<ScheduleRow>('select * from schedules where id = ?', id) : undefined;
}

/** All schedules, by id, with their next times as of `now`. */
export function readSchedules(rows: Reader, now: number): ScheduleInfo[] {
  const found = rows.all<ScheduleRow>('select * from schedules order by id limit ?', LONGEST_LIST);
  return found.map((row) => ({
    id: row.id,
    action: readable(() => (JSON.parse(row.template) as Submission).name, UNREADABLE),
    state: row.state,
    timing: readable(() => timingOf(row), { cron: UNREADABLE, timeZone: '' }),
    overlap: row.overlap,
    catchUp: row.catch_up,
    until: row.until_at,
    next: readable(() => nextTimes(row, now), []),
    lastAt: row.last_at,
    lastAction: row.last_action,
    problem: row.problem,
  }));
}

function nextTimes(row: ScheduleRow, now: number): number[] {
  const times: number[] = [];
  for (let next = row.next_at; next !== null && times.length < NEXT_TIMES; next = nextTime(row, Math.max(next, now)))
    times.push(next);
  return times;
}

function thereAre(known: readonly string[]): string {
  if (known.length === 0) return 'there are none';
  const named = known.slice(0, 5).map(shown).join(', ');
  return `there ${known.length === 1 ? 'is' : 'are'} ${named}${known.length > 5 ? ` and ${known.length - 5} more` : ''}`;
}

/** Throws SCHEDULE_NOT_FOUND. */
export function refuseUnknownSchedule(rows: Reader, id: string): void {
  if (readSchedule(rows, id) !== undefined) return;
  const known = rows.all<{ id: string }>('select id from schedules order by id limit 1000').map((row) => row.id);
  const [meant] = nearest(id, known);
  const hint = meant === undefined ? thereAre(known) : `did you mean "${meant}"?`;
  throw new PerdureError('SCHEDULE_NOT_FOUND', `There is no schedule ${shown(id)}: ${hint}.`, { facts: { id } });
}
