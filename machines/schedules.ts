/**
 * Submits actions at the times of their schedules: what a schedule is, and when it is due next, are rows; one timer is armed, for
 * the earliest of them.
 *
 * C1 An occurrence becomes at most one action: its id is made of the schedule and the time that it is of, and it is queued in the
 *    turn in which the schedule moves on.
 * C2 What was due while nobody was there is decided when somebody is there again: once for all, each, or none (`catchUp`).
 * C3 A turn fires, and looks again at, at most `AT_ONCE` occurrences and schedules; the timer brings the others.
 */
import { assign, enqueueActions, setup } from 'xstate';
import type { Submission } from './executor.ts';
import { notProvided } from './not-provided.ts';

/** How many occurrences a turn fires. C3. */
export const AT_ONCE = 1_000;
/** An occurrence that is found later than this was missed, ms. */
export const ON_TIME_MS = 60_000;

/** What becomes of an occurrence whose predecessor has not settled. */
export type Overlap = 'skip' | 'queue';
/** What becomes of occurrences that nobody was there for. */
export type CatchUp = 'one' | 'all' | 'none';

/** When a schedule is due: by the clock on a wall, every so often since `from`, or once. */
export type Timing =
  | { readonly cron: string; readonly timeZone: string }
  | { readonly everyMs: number; readonly from: number }
  | { readonly at: number };

/** A schedule as it is stored. */
export interface Schedule {
  readonly id: string;
  readonly timing: Timing;
  /** No occurrence after this time; null for no end. */
  readonly until: number | null;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  /** What each occurrence is, but for its id and time, as it was when the schedule was put. */
  readonly template: Submission;
  /** JSON of what the host said of the submissions, so that later occurrences have the policy of the code of then. */
  readonly options: string;
}

export type ScheduleCommand = 'remove' | 'pause' | 'resume' | 'trigger';

/** What somebody asks of one schedule. */
export interface ScheduleRequest {
  readonly id: string;
  readonly command: ScheduleCommand;
  readonly at: number;
}

/** What became of an occurrence. */
export type ScheduleNotice =
  | { readonly type: 'schedule.fired'; readonly id: string; readonly at: number; readonly action: string }
  | { readonly type: 'schedule.skipped'; readonly id: string; readonly at: number; readonly why: 'overlap' | 'missed' };

export type SchedulesEvent =
  | { readonly type: 'schedules.put'; readonly schedule: Schedule; readonly at: number }
  | ({ readonly type: 'schedules.command' } & ScheduleRequest)
  | {
      readonly type: 'schedules.fired';
      readonly submissions: readonly Submission[];
      readonly notices: readonly ScheduleNotice[];
    }
  /** Looks whether the times that are stored are still right: the clock, or a time zone, may have been changed. */
  | { readonly type: 'schedules.review'; readonly after: string }
  /** There are more, after this id. */
  | { readonly type: 'schedules.reviewed'; readonly after: string }
  | ({ readonly type: 'schedules.due' } & Due);

/** What the schedules tell their parent. */
export type SchedulesNotice =
  { readonly type: 'executor.submit'; readonly submissions: readonly Submission[] } | ScheduleNotice;

type Due = { readonly dueAt: number | null; readonly waitMs: number };

/** What survives a restart. */
export interface SchedulesContext {
  /** When the next occurrence is due; null when none is. */
  readonly dueAt: number | null;
  readonly waitMs: number;
}

/** Which of the occurrences from `first` to `last`, all of them due, is to run, and whether those between them get their turn. C2. */
export function toRun(
  catchUp: CatchUp,
  { first, last, now }: { readonly first: number; readonly last: number; readonly now: number },
): { readonly at: number | null; readonly goesOnAfter: number } {
  if (catchUp === 'all') return { at: first, goesOnAfter: first };
  const isMissed = catchUp === 'none' && now - last > ON_TIME_MS;
  return { at: isMissed ? null : last, goesOnAfter: last };
}

/** Fires what is due, and waits for what is due next. */
export const schedulesMachine = setup({
  types: {} as { context: SchedulesContext; events: SchedulesEvent },
  guards: {
    isArmed: ({ context }, { dueAt }: Due) => dueAt === context.dueAt,
    isNever: (_, { dueAt }: Due) => dueAt === null,
  },
  delays: { ring: ({ context }) => context.waitMs },
  actions: {
    /** Writes the schedule, with its next time; answers `schedules.due`. */
    putSchedule: notProvided('schedules', 'putSchedule') as (_: unknown, p: { schedule: Schedule; at: number }) => void,
    /** Does to a schedule what somebody asks; answers `schedules.fired` for a trigger, and `schedules.due`. */
    obey: notProvided('schedules', 'obey') as (_: unknown, p: ScheduleRequest) => void,
    /** Answers `schedules.fired` with what is due, the earliest first, and `schedules.due` in any case. */
    fire: notProvided('schedules', 'fire') as (_: unknown, p: { limit: number }) => void,
    /** Brings forward what would be due earlier by the clock of now; answers `schedules.reviewed` if there are more, and `schedules.due`. */
    review: notProvided('schedules', 'review') as (_: unknown, p: { after: string; limit: number }) => void,
    setDue: assign((_, { dueAt, waitMs }: Due) => ({ dueAt, waitMs })),
    /** Tells the parent. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('schedules', 'announce') as (_: unknown, p: { notice: SchedulesNotice }) => void,
  },
}).createMachine({
  id: 'schedules',
  version: '1',
  context: { dueAt: null, waitMs: 0 },
  initial: 'idle',
  on: {
    'schedules.put': { actions: { type: 'putSchedule', params: ({ event }) => event } },
    'schedules.command': { actions: { type: 'obey', params: ({ event }) => event } },
    'schedules.review': {
      actions: { type: 'review', params: ({ event: { after } }) => ({ after, limit: AT_ONCE }) },
    },
    'schedules.reviewed': {
      actions: enqueueActions(({ enqueue, event: { after } }) => {
        enqueue.raise({ type: 'schedules.review', after }, { id: 'review', delay: 0 });
      }),
    },
    'schedules.fired': {
      actions: enqueueActions(({ enqueue, event: { submissions, notices } }) => {
        if (submissions.length > 0)
          enqueue({ type: 'announce', params: { notice: { type: 'executor.submit', submissions } } });
        for (const notice of notices) enqueue({ type: 'announce', params: { notice } });
      }),
    },
    'schedules.due': [
      {
        guard: { type: 'isNever', params: ({ event }) => event },
        target: '.idle',
        actions: { type: 'setDue', params: ({ event }) => event },
      },
      { target: '.waiting', reenter: true, actions: { type: 'setDue', params: ({ event }) => event } },
    ],
  },
  states: {
    idle: {},
    waiting: {
      after: { ring: 'firing' },
      // The timer runs already: another schedule must not cost a timer.
      on: { 'schedules.due': { guard: { type: 'isArmed', params: ({ event }) => event } } },
    },
    firing: { entry: { type: 'fire', params: { limit: AT_ONCE } } },
  },
});
