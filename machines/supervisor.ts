/**
 * The root of the tree. Read this file first: its children know each other only by the events that pass through here.
 *
 *   host ──supervisor.submit──> executor ──executor.settled──> tracks, checkpoint, and out (`action.settled`)
 *   host ──supervisor.plan────> tracks ──executor.submit──> executor
 *                               tracks ──plan.settled──> out
 */
import { assign, emit, enqueueActions, sendTo, setup } from 'xstate';
import type { ActionNotice } from './action.ts';
import { checkpointMachine } from './checkpoint.ts';
import { executorMachine, type ExecutorNotice, type Settled, type Submission } from './executor.ts';
import { tracksMachine, type Plan, type PlanKind, type TracksNotice } from './tracks.ts';

export interface SupervisorInput {
  /** How many actions run at once. */
  readonly concurrency: number;
  readonly checkpoint: { readonly everyActions: number; readonly everyMs: number };
}

/** What a host, or the command line, may ask. */
export type SupervisorCommand =
  | { readonly type: 'supervisor.submit'; readonly submissions: readonly Submission[] }
  | { readonly type: 'supervisor.plan'; readonly plan: Plan }
  | { readonly type: 'supervisor.amendPlan'; readonly plan: Plan; readonly removed: readonly string[] }
  | { readonly type: 'supervisor.retryPlan'; readonly plan: string; readonly at: number }
  | { readonly type: 'supervisor.cancelPlan'; readonly plan: string; readonly at: number }
  | { readonly type: 'supervisor.cancel'; readonly ids: readonly string[]; readonly at: number }
  | { readonly type: 'supervisor.configure'; readonly concurrency: number }
  | { readonly type: 'supervisor.pause' }
  | { readonly type: 'supervisor.resume' }
  | { readonly type: 'supervisor.checkpoint'; readonly reason: string; readonly label?: string };

export type SupervisorEvent =
  | SupervisorCommand
  | ExecutorNotice
  | TracksNotice
  | { readonly type: 'runtime.resumed'; readonly at: number; readonly turn: number };

/** What the supervisor tells the world, of committed turns. */
export type SupervisorEmitted =
  | {
      readonly type: 'action.settled';
      readonly id: string;
      readonly kind: Settled['kind'];
      readonly plan: string | null;
    }
  | { readonly type: 'action.attempting'; readonly id: string; readonly attempt: number }
  | Extract<ActionNotice, { type: 'action.backingOff' }>
  | { readonly type: 'plan.settled'; readonly plan: string; readonly kind: PlanKind }
  | { readonly type: 'supervisor.paused' }
  | { readonly type: 'supervisor.resumed' };

/** Supervises the executor, the tracks and the checkpoint. */
export const supervisorMachine = setup({
  types: {} as {
    input: SupervisorInput;
    context: SupervisorInput;
    events: SupervisorEvent;
    emitted: SupervisorEmitted;
  },
  actors: { executor: executorMachine, tracks: tracksMachine, checkpoint: checkpointMachine },
  actions: {
    setConcurrency: assign({ concurrency: (_, { concurrency }: { concurrency: number }) => concurrency }),
    configureExecutor: sendTo('executor', (_, { concurrency }: { concurrency: number }) => ({
      type: 'executor.configure' as const,
      limit: concurrency,
    })),
    submit: sendTo('executor', (_, { submissions }: { submissions: readonly Submission[] }) => ({
      type: 'executor.submit' as const,
      submissions,
    })),
    cancel: sendTo('executor', (_, { ids, at }: { ids: readonly string[]; at: number }) => ({
      type: 'executor.cancel' as const,
      ids,
      at,
    })),
    submitPlan: sendTo('tracks', (_, { plan }: { plan: Plan }) => ({ type: 'tracks.submit' as const, plan })),
    amendPlan: sendTo('tracks', (_, { plan, removed }: { plan: Plan; removed: readonly string[] }) => ({
      type: 'tracks.amend' as const,
      plan,
      removed,
    })),
    retryPlan: sendTo('tracks', (_, { plan, at }: { plan: string; at: number }) => ({
      type: 'tracks.retry' as const,
      plan,
      at,
    })),
    cancelPlan: sendTo('tracks', (_, { plan, at }: { plan: string; at: number }) => ({
      type: 'tracks.cancel' as const,
      plan,
      at,
    })),
    tellTracks: sendTo('tracks', (_, { settled }: { settled: readonly Settled[] }) => ({
      type: 'tracks.settled' as const,
      settled,
    })),
    count: sendTo('checkpoint', (_, { settled }: { settled: number }) => ({
      type: 'checkpoint.count' as const,
      settled,
    })),
    nameTurn: sendTo('checkpoint', (_, params: { reason: string; label?: string }) => ({
      ...params,
      type: 'checkpoint.request' as const,
    })),
    pauseExecutor: sendTo('executor', { type: 'executor.pause' }),
    resumeExecutor: sendTo('executor', { type: 'executor.resume' }),
    announce: emit(({ event }) => event as SupervisorEmitted),
    announceSettled: enqueueActions(({ enqueue }, { settled }: { settled: readonly Settled[] }) => {
      for (const one of settled) enqueue(emit({ type: 'action.settled', ...one }));
    }),
    announcePaused: emit({ type: 'supervisor.paused' }),
    announceResumed: emit({ type: 'supervisor.resumed' }),
  },
}).createMachine({
  id: 'supervisor',
  version: '1',
  context: ({ input }) => input,
  invoke: [
    { id: 'executor', src: 'executor', systemId: 'executor', input: ({ context }) => ({ limit: context.concurrency }) },
    { id: 'tracks', src: 'tracks', systemId: 'tracks' },
    { id: 'checkpoint', src: 'checkpoint', systemId: 'checkpoint', input: ({ context }) => context.checkpoint },
  ],
  initial: 'running',
  on: {
    'supervisor.submit': { actions: { type: 'submit', params: ({ event }) => event } },
    'supervisor.cancel': { actions: { type: 'cancel', params: ({ event }) => event } },
    'supervisor.plan': { actions: { type: 'submitPlan', params: ({ event }) => event } },
    'supervisor.amendPlan': { actions: { type: 'amendPlan', params: ({ event }) => event } },
    'supervisor.retryPlan': { actions: { type: 'retryPlan', params: ({ event }) => event } },
    'supervisor.cancelPlan': { actions: { type: 'cancelPlan', params: ({ event }) => event } },
    'supervisor.checkpoint': { actions: { type: 'nameTurn', params: ({ event }) => event } },
    'supervisor.configure': {
      actions: [
        { type: 'setConcurrency', params: ({ event }) => event },
        { type: 'configureExecutor', params: ({ event }) => event },
      ],
    },
    'executor.submit': { actions: { type: 'submit', params: ({ event }) => event } },
    'executor.cancel': { actions: { type: 'cancel', params: ({ event }) => event } },
    'executor.settled': {
      actions: [
        { type: 'tellTracks', params: ({ event }) => event },
        { type: 'count', params: ({ event }) => ({ settled: event.settled.length }) },
        { type: 'announceSettled', params: ({ event }) => event },
      ],
    },
    'action.attempting': { actions: 'announce' },
    'action.backingOff': { actions: 'announce' },
    'plan.settled': { actions: 'announce' },
  },
  states: {
    running: {
      on: {
        'supervisor.pause': 'pausing',
        // Handlers may have been registered meanwhile, and slots may have become free in a life that did not tell.
        'runtime.resumed': { actions: 'resumeExecutor' },
      },
    },
    pausing: {
      entry: 'pauseExecutor',
      on: { 'supervisor.resume': 'resuming', 'executor.idle': 'paused' },
    },
    paused: {
      entry: 'announcePaused',
      on: { 'supervisor.resume': 'resuming' },
    },
    resuming: {
      entry: ['resumeExecutor', 'announceResumed'],
      always: 'running',
    },
  },
});
