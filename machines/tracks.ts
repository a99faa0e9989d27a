/**
 * The dependency graphs of plans. The graph is rows: a step is dispatched when the last of its dependencies has
 * succeeded, the critical path first, as many at once as the plan allows. What a failure means is the plan's policy:
 *
 *   stop              nothing new is dispatched; what runs may end; what waits is skipped
 *   skip-dependants   whatever depends on the failed step, directly or not, is skipped; the rest goes on
 *   continue          dependants run all the same
 *
 * A fan-out becomes one step for each item when the list is there, and is itself what waits for all of them. It and a group run
 * nothing: they settle in the turn in which the last that they wait for does.
 */
import { assign, enqueueActions, fromPromise, setup } from 'xstate';
import type { Settled, Submission } from './executor.ts';
import { notProvided } from './not-provided.ts';
import type { OutcomeKind } from './outcome.ts';
import type { StoredPolicy } from './action-policy.ts';
import type { Urgency } from './urgency.ts';

export type FailurePolicy = 'stop' | 'continue' | 'skip-dependants';

/** A step of a plan, checked. */
export interface PlannedStep {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** JSON, by the codec. */
  readonly input: string;
  readonly after: readonly string[];
  readonly policy: StoredPolicy;
  /** Where it stands in the queue: greater goes first. */
  readonly rank: number;
  readonly estimateMs: number;
  /** Null for one that is as urgent as most are. */
  readonly urgency?: Urgency | null;
  /** `group`: no work of its own, it is done when all that it comes after is. `each`: a fan-out. Absent for what is one action. */
  readonly role?: StepRole;
  /** Only of a fan-out. */
  readonly forEach?: FanOut;
}

export type StepRole = 'group' | 'each';

/** What a fan-out goes over. */
export interface FanOut {
  /** The step whose value it is. */
  readonly from: string;
  /** The most items that there may be. */
  readonly limit: number;
  /** How many of them run at once; null for as many as the plan allows. */
  readonly concurrency: number | null;
}

/** A plan, its graph checked and ranked. */
export interface Plan {
  readonly id: string;
  readonly name: string;
  readonly policy: FailurePolicy;
  /** How many of its steps run at once; null for as many as the executor allows. */
  readonly concurrency: number | null;
  /** How many of its steps can run at once as the executor is now; absent in plans of before. */
  readonly slots?: number;
  readonly steps: readonly PlannedStep[];
  readonly at: number;
}

export type TracksEvent =
  | { readonly type: 'tracks.submit'; readonly plan: Plan }
  /** Puts new steps, and other definitions of steps that have no outcome yet, into a plan; its policy then applies to what waits. */
  | { readonly type: 'tracks.amend'; readonly plan: Plan; readonly removed: readonly string[] }
  /** Gives the failed, skipped and cancelled steps of a plan another round. */
  | { readonly type: 'tracks.retry'; readonly plan: string; readonly at: number }
  | { readonly type: 'tracks.cancel'; readonly plan: string; readonly at: number }
  | { readonly type: 'tracks.settled'; readonly settled: readonly Settled[] }
  | { readonly type: 'tracks.dispatched'; readonly submissions: readonly Submission[] }
  /** Steps whose outcome was known: nothing was queued for them. */
  | { readonly type: 'tracks.remembered'; readonly settled: readonly Settled[] }
  /** Files are to be read before steps are looked up, or more steps are ready than one turn looks up. */
  | ({ readonly type: 'tracks.read' } & FileReading)
  | { readonly type: 'xstate.done.actor.reader'; readonly output: FileReading }
  | { readonly type: 'tracks.withdrawn'; readonly ids: readonly string[]; readonly at: number }
  | { readonly type: 'tracks.finished'; readonly plan: string; readonly kind: PlanKind };

/** What was in the files of a step; null for what cannot be said. */
export interface FilesRead {
  readonly files: string | null;
  readonly outputs: string | null;
}

/** A step whose files are to be read, or have been. */
export interface ReadRequest {
  /** The id of its row. */
  readonly step: string;
  readonly folder: string;
  readonly files: readonly string[];
  readonly outputs: readonly string[];
  readonly contents?: FilesRead;
}

export interface FileReading {
  readonly plan: string;
  readonly reads: readonly ReadRequest[];
}

/** What survives a restart; all of it is absent in stores of before. */
export interface TracksContext {
  /** What is being read for; `stale` when plans have changed meanwhile, so that it says nothing. */
  readonly reading?: 'fresh' | 'stale' | null;
  /** Plans that go on after it. */
  readonly next?: readonly string[];
}

export type PlanKind = Extract<OutcomeKind, 'ok' | 'failed' | 'cancelled'>;

/** What tracks tell their parent. */
export type TracksNotice =
  | { readonly type: 'executor.submit'; readonly submissions: readonly Submission[] }
  | { readonly type: 'executor.cancel'; readonly ids: readonly string[]; readonly at: number }
  | { readonly type: 'executor.settled'; readonly settled: readonly Settled[] }
  | { readonly type: 'plan.settled'; readonly plan: string; readonly kind: PlanKind };

/** Plans that go on, with what was read for them. */
export interface Proceeding {
  readonly plans: readonly string[];
  readonly reads: readonly ReadRequest[];
}

/** Dispatches the steps of plans in the order of their dependencies. */
export const tracksMachine = setup({
  types: {} as { context: TracksContext; events: TracksEvent },
  actors: { reader: fromPromise<FileReading, FileReading>(notProvided('tracks', 'reader')) },
  guards: { isReading: ({ context }) => context.reading != null },
  actions: {
    /** Inserts a plan, or amends it; answers `tracks.dispatched` or `tracks.finished`. */
    putPlan: notProvided('tracks', 'putPlan') as (_: unknown, p: { plan: Plan; removed: readonly string[] }) => void,
    /** Notes outcomes of steps, frees or skips their dependants; answers as `putPlan`. */
    noteSettled: notProvided('tracks', 'noteSettled') as (_: unknown, p: { settled: readonly Settled[] }) => void,
    /** Makes unsuccessful steps wait again; answers as `putPlan`. */
    renew: notProvided('tracks', 'renew') as (_: unknown, p: { plan: string; at: number }) => void,
    /** Skips what waits; answers `tracks.withdrawn` with the actions that were dispatched, or `tracks.finished`. */
    withdraw: notProvided('tracks', 'withdraw') as (_: unknown, p: { plan: string; at: number }) => void,
    /** Dispatches what is ready in these plans, with what has been read of files; answers as `putPlan`. */
    proceed: notProvided('tracks', 'proceed') as (_: unknown, p: Proceeding) => void,
    noteStale: assign({ reading: ({ context }) => (context.reading == null ? null : 'stale') }),
    noteNext: assign({
      next: ({ context }, { plan }: { plan: string }) => [...new Set([...(context.next ?? []), plan])],
    }),
    /** Tells the supervisor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('tracks', 'announce') as (_: unknown, p: { notice: TracksNotice }) => void,
  },
}).createMachine({
  id: 'tracks',
  version: '1',
  context: {},
  initial: 'open',
  states: {
    open: {
      on: {
        'tracks.submit': { actions: { type: 'putPlan', params: ({ event }) => ({ plan: event.plan, removed: [] }) } },
        'tracks.amend': { actions: ['noteStale', { type: 'putPlan', params: ({ event }) => event }] },
        'tracks.retry': { actions: ['noteStale', { type: 'renew', params: ({ event }) => event }] },
        'tracks.cancel': { actions: { type: 'withdraw', params: ({ event }) => event } },
        'tracks.settled': { actions: { type: 'noteSettled', params: ({ event }) => event } },
        'tracks.dispatched': {
          actions: {
            type: 'announce',
            params: ({ event }) => ({ notice: { ...event, type: 'executor.submit' as const } }),
          },
        },
        // It comes back as that of any other action, and is told to whoever hears of those.
        'tracks.remembered': {
          actions: {
            type: 'announce',
            params: ({ event }) => ({ notice: { ...event, type: 'executor.settled' as const } }),
          },
        },
        // One after the other: an effect begins when its turn is committed, so that other turns have their chance.
        'tracks.read': [
          { guard: 'isReading', actions: { type: 'noteNext', params: ({ event }) => event } },
          {
            actions: enqueueActions(({ event: { plan, reads }, enqueue }) => {
              enqueue.assign({ reading: 'fresh' });
              enqueue.spawnChild('reader', { id: 'reader', input: { plan, reads } });
            }),
          },
        ],
        'xstate.done.actor.reader': {
          actions: enqueueActions(({ context, event: { output }, enqueue }) => {
            enqueue.stopChild('reader');
            enqueue.assign({ reading: null, next: [] });
            enqueue({
              type: 'proceed',
              params: {
                plans: [...new Set([output.plan, ...(context.next ?? [])])],
                reads: context.reading === 'fresh' ? output.reads : [],
              },
            });
          }),
        },
        'tracks.withdrawn': {
          actions: {
            type: 'announce',
            params: ({ event }) => ({ notice: { ...event, type: 'executor.cancel' as const } }),
          },
        },
        'tracks.finished': {
          actions: {
            type: 'announce',
            params: ({ event }) => ({ notice: { ...event, type: 'plan.settled' as const } }),
          },
        },
      },
    },
  },
});
