/** Names committed turns: every N settled actions, every T ms while there is something new, and on request. */
import { assign, setup } from 'xstate';
import { notProvided } from './not-provided.ts';

export interface CheckpointInput {
  /** Settled actions between two checkpoints. Default of the supervisor: 10. */
  readonly everyActions: number;
  /** ms between two checkpoints, while actions settle. Default of the supervisor: 300,000. */
  readonly everyMs: number;
}

/** What survives a restart. */
export interface CheckpointContext extends CheckpointInput {
  readonly settledSince: number;
}

export type CheckpointEvent =
  | { readonly type: 'checkpoint.count'; readonly settled: number }
  | { readonly type: 'checkpoint.request'; readonly reason: string; readonly label?: string };

type Args = { readonly context: CheckpointContext };

function reachesCount({ context }: Args, { settled }: { readonly settled: number }): boolean {
  return context.settledSince + settled >= context.everyActions;
}

/** Decides when a turn is worth a name. */
export const checkpointMachine = setup({
  types: {} as { input: CheckpointInput; context: CheckpointContext; events: CheckpointEvent },
  guards: { reachesCount },
  delays: { everyMs: ({ context }) => context.everyMs },
  actions: {
    /** Names the turn in which this runs. */
    nameTurn: notProvided('checkpoint', 'nameTurn') as (_: unknown, p: { reason: string; label?: string }) => void,
    count: assign({ settledSince: ({ context }, { settled }: { settled: number }) => context.settledSince + settled }),
    reset: assign({ settledSince: 0 }),
  },
}).createMachine({
  id: 'checkpoint',
  version: '1',
  context: ({ input }) => ({ ...input, settledSince: 0 }),
  initial: 'clean',
  on: {
    'checkpoint.request': { target: '.clean', actions: ['reset', { type: 'nameTurn', params: ({ event }) => event }] },
    'checkpoint.count': [
      {
        guard: { type: 'reachesCount', params: ({ event }) => event },
        target: '.clean',
        actions: ['reset', { type: 'nameTurn', params: { reason: 'actions' } }],
      },
      { target: '.counting', actions: { type: 'count', params: ({ event }) => event } },
    ],
  },
  states: {
    clean: {},
    counting: {
      // Counting another action must not start the interval again.
      on: {
        'checkpoint.count': [
          {
            guard: { type: 'reachesCount', params: ({ event }) => event },
            target: 'clean',
            actions: ['reset', { type: 'nameTurn', params: { reason: 'actions' } }],
          },
          { actions: { type: 'count', params: ({ event }) => event } },
        ],
      },
      after: { everyMs: { target: 'clean', actions: ['reset', { type: 'nameTurn', params: { reason: 'interval' } }] } },
    },
  },
});
