/** The host's side of schedules: `supervisor.schedules`. It checks what a host says, sends events and reads rows. */
import { messageOf, PerdureError } from '../errors.ts';
import { nearest } from '../machines/nearest.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import type { Submission } from '../machines/executor.ts';
import type { CatchUp, Overlap, Schedule, ScheduleCommand, Timing } from '../machines/schedules.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import type { Rows } from '../persistence/rows.ts';
import type { Actions, InputOf, PolicyOverrides } from './actions.ts';
import { checkObject, refuse, wrongWord, type Wrong } from './action-options.ts';
import { checkedId } from './plan-input.ts';
import { nextTime, occurrenceId, sealedTemplate, timingOf } from './schedule-rows.ts';
import type { ScheduleRow, ScheduleState } from './schedule-tables.ts';
import { timeAfter } from './schedule-times.ts';
import { OVERRIDES } from './submission-options.ts';
import type { QueueingOptions } from './submissions.ts';
import type { ActionHandle } from './supervisor.ts';
import { sameText, unsealedText } from './values.ts';

/** A schedule, as a host writes it: exactly one of `cron`, `everyMs` and `at`. */
export interface ScheduleOptions<TActions extends Actions, TName extends keyof TActions & string>
  extends PolicyOverrides, Omit<QueueingOptions, 'dueAt' | 'delayMs' | 'notBefore'> {
  /** What it is called, 1 to 270 characters: putting the same again changes nothing, and other options replace it. */
  readonly id: string;
  readonly action: TName;
  readonly input: InputOf<TActions[TName]>;
  /** A pattern of 5 fields, or of 6 with seconds, such as `30 2 * * 1-5`. */
  readonly cron?: string;
  /** The time zone in which `cron` is read, such as `Europe/Berlin`. Default: `UTC`. */
  readonly timeZone?: string;
  /** Every so many ms since it was put, at least 1,000; the days on which clocks change make no difference. */
  readonly everyMs?: number;
  /** Once: a `Date`, or ms since 1970. */
  readonly at?: number | Date;
  /** No occurrence after it: a `Date`, or ms since 1970. Default: no end. */
  readonly until?: number | Date;
  /** What becomes of an occurrence while the one before has not settled. Default: `skip`, and `queue` where `catchUp` is `all`. */
  readonly overlap?: Overlap;
  /**
   * What becomes of occurrences that nobody was there for: `one` runs the last of them, `all` each of them, `none` only one that
   * is at most a minute late. Default: `one`.
   */
  readonly catchUp?: CatchUp;
}

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

/** What a schedule says beside the overrides of its submissions. */
const OF_SCHEDULE: readonly string[] = Object.keys({
  id: 1,
  action: 1,
  input: 1,
  cron: 1,
  timeZone: 1,
  everyMs: 1,
  at: 1,
  until: 1,
  overlap: 1,
  catchUp: 1,
  queue: 1,
  key: 1,
  optional: 1,
  priority: 1,
  costOfDelay: 1,
  isAwaited: 1,
} satisfies Record<Exclude<keyof ScheduleOptions<Actions, string>, keyof PolicyOverrides>, 1>);

const LONGEST_ID = 270;
const SHORTEST_PERIOD_MS = 1_000;
const NEXT_TIMES = 3;
const LONGEST_LIST = 10_000;

type Reader = Pick<Rows, 'get' | 'all'>;

/** What schedules need of the supervisor. */
export interface ScheduleHost {
  rows(): Pick<Rows, 'get' | 'all' | 'seal' | 'unseal'>;
  now(): number;
  send(event: SupervisorCommand): Promise<unknown>;
  /** Throws what is wrong with the action, its input or its options. */
  submission(name: string, input: unknown, options: { readonly id: string }): Submission;
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
    const template = sealedTemplate(this.#host.rows(), schedule.template);
    await this.#host.send({ type: 'supervisor.putSchedule', schedule: { ...schedule, template }, at });
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
      sameText(options, known.options) &&
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
    action: (JSON.parse(row.template) as Submission).name,
    state: row.state,
    timing: timingOf(row),
    overlap: row.overlap,
    catchUp: row.catch_up,
    until: row.until_at,
    next: nextTimes(row, now),
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

/** Throws SCHEDULE_NOT_FOUND. */
export function refuseUnknownSchedule(rows: Reader, id: string): void {
  if (readSchedule(rows, id) !== undefined) return;
  const known = rows.all<{ id: string }>('select id from schedules order by id limit 1000').map((row) => row.id);
  const [meant] = nearest(id, known);
  const hint = meant === undefined ? `there are ${known.length}, see \`schedules.list()\`` : `did you mean "${meant}"?`;
  throw new PerdureError('SCHEDULE_NOT_FOUND', `There is no schedule ${shown(id)}: ${hint}.`, { facts: { id } });
}

type Given = Readonly<Record<string, unknown>> & { readonly id: string; readonly action: string };

/** What a host wrote, checked but for the time that it is put. */
function scheduleOf(given: Given, host: ScheduleHost, known: ScheduleRow | undefined): Schedule {
  const { action, input, cron, timeZone, everyMs, at, until, overlap, catchUp, ...options } = given;
  const id = checkedId(options.id, 'schedule');
  const what = `The schedule "${id}"`;
  refuse(what, wrongSchedule(given), { id });
  const { id: _, ...overrides } = options;
  const template = host.submission(action, input, { ...overrides, id });
  return {
    id,
    timing: timingFrom(given, known, host.now()),
    until: until === undefined ? null : msOf(until),
    overlap: (overlap as Overlap | undefined) ?? (catchUp === 'all' ? 'queue' : 'skip'),
    catchUp: (catchUp as CatchUp | undefined) ?? 'one',
    template,
    options: JSON.stringify(overrides),
  };
}

function timingFrom(
  { cron, timeZone = 'UTC', everyMs, at }: Given,
  known: ScheduleRow | undefined,
  now: number,
): Timing {
  if (typeof cron === 'string') return { cron, timeZone: String(timeZone) };
  if (at !== undefined) return { at: msOf(at) };
  // What is put again keeps its beat.
  const before = known === undefined ? undefined : timingOf(known);
  const from = before !== undefined && 'everyMs' in before && before.everyMs === everyMs ? before.from : now;
  return { everyMs: everyMs as number, from };
}

function msOf(time: unknown): number {
  return time instanceof Date ? time.getTime() : (time as number);
}

function wrongSchedule(given: Given): Wrong {
  const { id, cron, timeZone, everyMs, at, until, overlap, catchUp } = given;
  const timings = [cron, everyMs, at].filter((one) => one !== undefined);
  const unknown = unknownKey(given, [...OF_SCHEDULE, ...OVERRIDES]);
  if (unknown !== undefined) return unknown;
  if (id.length > LONGEST_ID) return `its id must have at most ${LONGEST_ID} characters, got ${id.length}`;
  if (timings.length !== 1) return `expected exactly one of cron, everyMs and at, got ${timings.length}`;
  if (timeZone !== undefined && cron === undefined) return 'timeZone needs cron: it is where its pattern is read';
  if (everyMs !== undefined && !(Number.isSafeInteger(everyMs) && (everyMs as number) >= SHORTEST_PERIOD_MS))
    return `everyMs must be whole ms, at least ${SHORTEST_PERIOD_MS}, got ${shown(everyMs)}`;
  if (catchUp === 'all' && overlap === 'skip')
    return "catchUp 'all' wants every occurrence, and overlap 'skip' leaves some out: give overlap 'queue'";
  return (
    wrongWhen('at', at) ??
    wrongWhen('until', until) ??
    wrongWord('overlap', overlap ?? 'skip', ['skip', 'queue']) ??
    wrongWord('catchUp', catchUp ?? 'one', ['one', 'all', 'none']) ??
    wrongPattern(cron, timeZone)
  );
}

function wrongWhen(name: string, time: unknown): Wrong {
  if (time === undefined || Number.isSafeInteger(msOf(time))) return undefined;
  return `${name} must be a Date, or whole ms since 1970, got ${isObject(time) ? String(time) : shown(time)}`;
}

function wrongPattern(cron: unknown, timeZone: unknown): Wrong {
  if (cron === undefined) return undefined;
  if (typeof cron !== 'string' || !/^\s*(\S+\s+){4,5}\S+\s*$/.test(cron))
    return `cron must be a pattern of 5 fields, or 6 with seconds, got ${shown(cron)}`;
  if (timeZone !== undefined && !isTimeZone(timeZone))
    return `timeZone must be the name of one, such as Europe/Berlin, got ${shown(timeZone)}`;
  try {
    timeAfter({ cron, timeZone: (timeZone as string | undefined) ?? 'UTC' }, 0);
    return undefined;
  } catch (error) {
    return `cron ${shown(cron)} is no pattern: ${messageOf(error)}`;
  }
}

function isTimeZone(name: unknown): boolean {
  try {
    return typeof name === 'string' && new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

/** One that would never be due is a slip. */
function wrongTime({ timing, until }: Schedule, now: number): Wrong {
  const next = timeAfter(timing, now);
  if (next === null) return 'at' in timing ? `at has passed: it is ${now - timing.at} ms ago` : 'cron is never due';
  if (until === null || next <= until) return undefined;
  return `until comes before the first time that it is due, ${new Date(next).toISOString()}`;
}
