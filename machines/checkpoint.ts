/**
 * Names committed turns, so that there is one to go back to, and goes back to one.
 *
 *   clean ──something changes──> counting ──N settled, or the interval──> clean     (named: `actions`, `interval`)
 *   any   ──checkpoint.request──> clean                                    (named: `request`, `risk`, `shutdown`)
 *   any   ──checkpoint.restore──> restoring ──it cannot be done──> counting         (told: `checkpoint.refused`)
 *                                     └── done: there is another tree, as it was in that turn
 *
 * K1  With nobody's help at most N settled actions, or what one interval changed, come after the newest name.
 * K2  The interval is that of Young and Daly, the square root of 2 · C · MTBF: what a checkpoint costs, and how long this
 *     lives between two crashes, are measured; within bounds.
 * K3  What was asked of a tree is not asked of the tree that takes its place: one that was restored goes back no further. Nor is
 *     it asked of another life of it, which may have done other work since: the restorer refuses that.
 */
import { assign, fromPromise, setup, type PromiseActorLogic } from 'xstate';
import { PerdureError } from '../errors.ts';
import {
  intervalMs,
  noteName,
  noteStart,
  type Args,
  type CheckpointChange,
  type CheckpointContext,
  type CheckpointEvent,
  type CheckpointInput,
  type CheckpointNotice,
  type CheckpointRequest,
  type RestoreFailure,
  type RestoreRequest,
} from './checkpoint-state.ts';
import { notProvided } from './not-provided.ts';

function reachesCount({ context }: Args, { settled }: { readonly settled: number }): boolean {
  return context.settledSince + settled >= context.everyActions;
}

function brokenOf(error: unknown): RestoreFailure {
  const { code = 'STORE_FAILED', message = 'unknown' } = error as Partial<RestoreFailure>;
  return { code, message };
}

function refusal({ context }: Args, failure: RestoreFailure): { readonly notice: CheckpointNotice } {
  return { notice: { type: 'checkpoint.refused', ...(context.asked as RestoreRequest), ...failure } };
}

function notPerformed(): never {
  throw new PerdureError('NOT_PROVIDED', 'The checkpoint machine needs its restorer: spawn it with spawnSupervisor.');
}

const looking = { type: 'look', params: ({ event }: { event: { readonly isRestored: boolean } }) => event } as const;
const counting = { type: 'count', params: ({ event }: { event: { readonly settled: number } }) => event } as const;
const naming = (reason: string) => [{ type: 'nameTurn', params: { reason } }, 'reset'] as const;
const requested = [{ type: 'nameTurn', params: ({ event }: { event: CheckpointRequest }) => event }, 'reset'] as const;
const restoring = { type: 'ask', params: ({ event }: { event: RestoreRequest & { type: string } }) => event } as const;

/** Decides when a turn is worth a name, and goes back to one that has it. */
export const checkpointMachine = setup({
  types: {} as { input: CheckpointInput; context: CheckpointContext; events: CheckpointEvent },
  actors: {
    /** Puts another tree, as it was in the turn, in the place of this one; gives why it could not. */
    restorer: fromPromise<RestoreFailure, RestoreRequest>(notPerformed) as PromiseActorLogic<
      RestoreFailure,
      RestoreRequest
    >,
  },
  guards: { reachesCount },
  delays: { everyMs: ({ context }) => intervalMs(context) },
  actions: {
    /** Names the turn in which this runs; answers `checkpoint.written`. */
    nameTurn: notProvided('checkpoint', 'nameTurn') as (_: unknown, p: CheckpointRequest) => void,
    /** Pins a checkpoint, lets it go, or forgets it. */
    change: notProvided('checkpoint', 'change') as (_: unknown, p: CheckpointChange) => void,
    setVariables: notProvided('checkpoint', 'setVariables') as (_: unknown, p: { variables: string }) => void,
    /** Looks whether its process has just begun, if it is no tree of the past; answers `checkpoint.found`. */
    look: notProvided('checkpoint', 'look') as (_: unknown, p: { isRestored: boolean }) => void,
    count: assign({ settledSince: ({ context }, { settled }: { settled: number }) => context.settledSince + settled }),
    reset: assign({ settledSince: 0 }),
    configure: assign((_, { everyActions, everyMs }: CheckpointInput) => ({ everyActions, everyMs })),
    noteStart: assign(noteStart),
    dropAsked: assign({ asked: null }),
    noteName: assign(noteName),
    ask: assign((_, { type: _type, ...asked }: RestoreRequest & { type: string }) => ({ asked })),
    /** Tells the supervisor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('checkpoint', 'announce') as (_: unknown, p: { notice: CheckpointNotice }) => void,
  },
}).createMachine({
  id: 'checkpoint',
  version: '2',
  context: ({ input }) => ({
    ...input,
    settledSince: 0,
    costMs: null,
    upMs: 0,
    crashes: 0,
    lastAt: null,
    isDown: false,
    asked: null,
  }),
  initial: 'clean',
  entry: { type: 'look', params: { isRestored: false } },
  on: {
    'checkpoint.request': { target: '.clean', actions: requested },
    'checkpoint.restore': { target: '.restoring', actions: restoring },
    'checkpoint.change': { actions: { type: 'change', params: ({ event }) => event } },
    'checkpoint.set': { actions: { type: 'setVariables', params: ({ event }) => event } },
    'checkpoint.configure': { actions: { type: 'configure', params: ({ event }) => event } },
    'checkpoint.written': {
      actions: [
        { type: 'noteName', params: ({ event }) => event },
        {
          type: 'announce',
          params: ({ event: { turn, reason, label, at } }) => ({
            notice: { type: 'checkpoint.named' as const, turn, reason, label, at },
          }),
        },
      ],
    },
    'checkpoint.resumed': { actions: looking },
    'checkpoint.found': { actions: { type: 'noteStart', params: ({ event }) => event } },
  },
  states: {
    clean: {
      on: {
        'checkpoint.count': [
          { guard: { type: 'reachesCount', params: ({ event }) => event }, actions: naming('actions') },
          { target: 'counting', actions: counting },
        ],
        'checkpoint.note': 'counting',
        'checkpoint.set': {
          target: 'counting',
          actions: { type: 'setVariables', params: ({ event }) => event },
        },
      },
    },
    counting: {
      // Counting another action must not start the interval again.
      on: {
        'checkpoint.count': [
          {
            guard: { type: 'reachesCount', params: ({ event }) => event },
            target: 'clean',
            actions: naming('actions'),
          },
          { actions: counting },
        ],
      },
      after: { everyMs: { target: 'clean', actions: naming('interval') } },
    },
    restoring: {
      invoke: {
        id: 'restorer',
        src: 'restorer',
        input: ({ context }) => context.asked as RestoreRequest,
        // What went well is told by another tree.
        onDone: {
          target: 'counting',
          actions: [
            { type: 'announce', params: ({ context, event }) => refusal({ context }, event.output) },
            'dropAsked',
          ],
        },
        onError: {
          target: 'counting',
          actions: [
            { type: 'announce', params: ({ context, event }) => refusal({ context }, brokenOf(event.error)) },
            'dropAsked',
          ],
        },
      },
      on: {
        // K3.
        'checkpoint.resumed': [
          { guard: ({ event }) => event.isRestored, target: 'counting', actions: ['dropAsked', looking] },
          { actions: looking },
        ],
        'checkpoint.count': { actions: counting },
        'checkpoint.request': { actions: requested },
        'checkpoint.restore': {
          actions: {
            type: 'announce',
            params: ({ event: { turn, force, request } }) => ({
              notice: {
                type: 'checkpoint.refused' as const,
                turn,
                force,
                request,
                code: 'CHECKPOINT_BUSY',
                message: 'Another checkpoint is being restored: ask when that is done.',
              },
            }),
          },
        },
      },
    },
  },
});
