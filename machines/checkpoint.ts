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
 * K3  What was asked of a tree is not asked of the tree that takes its place: one that was restored goes back no further.
 */
import { assign, fromPromise, setup, type PromiseActorLogic } from 'xstate';
import { PerdureError } from '../errors.ts';
import { notProvided } from './not-provided.ts';

/** ms from a change to the checkpoint that holds it. */
export interface IntervalBounds {
  readonly min: number;
  readonly max: number;
}

export interface CheckpointInput {
  /** Settled actions between two checkpoints. Default of the supervisor: 10. */
  readonly everyActions: number;
  /** The same interval always, ms, or the bounds of the one that is reckoned. Default of the supervisor: 10,000 to 300,000. */
  readonly everyMs: number | IntervalBounds;
}

/** What survives a restart. */
export interface CheckpointContext extends CheckpointInput {
  readonly settledSince: number;
  /** What a checkpoint costs, ms, smoothed; null before the first was measured. */
  readonly costMs: number | null;
  /** How long it has lived in all, up to the last time that it was told; crashes that it came back from. */
  readonly upMs: number;
  readonly crashes: number;
  /** The last time that it was told, wall-clock ms; null before the first. */
  readonly lastAt: number | null;
  /** It was closed in order; null when an earlier version stored it, which did not say. */
  readonly isDown: boolean | null;
  /** What is being gone back to. */
  readonly asked: RestoreRequest | null;
}

/** Asks for the tree as it was in a turn that is kept. */
export interface RestoreRequest {
  readonly turn: number;
  /** Also while actions run: they are interrupted. */
  readonly force: boolean;
  /** Whoever asked finds the answer by it. */
  readonly request: string;
}

/** Why it could not be done. */
export interface RestoreFailure {
  readonly code: string;
  readonly message: string;
}

/** What is done to a checkpoint that there is. */
export interface CheckpointChange {
  readonly turn: number;
  readonly command: 'pin' | 'unpin' | 'remove';
}

/** Names the present turn. */
export interface CheckpointRequest {
  readonly reason: string;
  readonly label?: string;
  /** Kept until it is let go. Default: false. */
  readonly pin?: boolean;
}

/** A turn was named. */
export interface Named {
  readonly turn: number;
  readonly reason: string;
  readonly label: string | null;
  readonly at: number;
}

/** What is known when a tree starts. */
export interface Found {
  readonly at: number;
  /** Nothing of this tree ran before in this process, and it is where the process before it ended. */
  readonly isFirst: boolean;
}

export type CheckpointEvent =
  | { readonly type: 'checkpoint.count'; readonly settled: number }
  /** Something has changed, and nothing has settled. */
  | { readonly type: 'checkpoint.note' }
  | ({ readonly type: 'checkpoint.request' } & CheckpointRequest)
  | ({ readonly type: 'checkpoint.change' } & CheckpointChange)
  /** What the host wants to find again in each: JSON. */
  | { readonly type: 'checkpoint.set'; readonly variables: string }
  | ({ readonly type: 'checkpoint.configure' } & CheckpointInput)
  | ({ readonly type: 'checkpoint.restore' } & RestoreRequest)
  /** The tree is back; `isRestored` as it was in a turn of the past. */
  | { readonly type: 'checkpoint.resumed'; readonly isRestored: boolean }
  | ({ readonly type: 'checkpoint.found' } & Found)
  | ({ readonly type: 'checkpoint.written' } & Named & { readonly costMs: number | null });

/** What the checkpoint tells its parent. */
export type CheckpointNotice =
  | ({ readonly type: 'checkpoint.named' } & Named)
  | ({ readonly type: 'checkpoint.refused' } & RestoreRequest & RestoreFailure);

type Args = { readonly context: CheckpointContext };

/** Before there was a crash it counts as one that crashes once a day. */
const EXPECTED_LIFE_MS = 86_400_000;
/** Of a checkpoint that was never measured. */
const EXPECTED_COST_MS = 1;

/** How long it lives between two crashes, as far as it is known, ms. */
export function meanLifeMs({ upMs, crashes }: Pick<CheckpointContext, 'upMs' | 'crashes'>): number {
  return (upMs + EXPECTED_LIFE_MS) / (crashes + 1);
}

/** K2. */
export function intervalMs({ everyMs, costMs, ...life }: CheckpointContext): number {
  if (typeof everyMs === 'number') return everyMs;
  const best = Math.sqrt(2 * (costMs ?? EXPECTED_COST_MS) * meanLifeMs(life));
  return Math.round(Math.min(everyMs.max, Math.max(everyMs.min, best)));
}

function reachesCount({ context }: Args, { settled }: { readonly settled: number }): boolean {
  return context.settledSince + settled >= context.everyActions;
}

function lived({ upMs, lastAt }: CheckpointContext, at: number): Pick<CheckpointContext, 'upMs' | 'lastAt'> {
  // A clock that was set back has not made it younger.
  return { upMs: upMs + Math.max(0, at - (lastAt ?? at)), lastAt: at };
}

function noteStart({ context }: Args, { at, isFirst }: Found): Partial<CheckpointContext> {
  const hasCrashed = isFirst && context.isDown === false && context.lastAt !== null;
  return { crashes: context.crashes + (hasCrashed ? 1 : 0), lastAt: at, isDown: false };
}

function noteName(
  { context }: Args,
  { at, reason, costMs }: Named & { costMs: number | null },
): Partial<CheckpointContext> {
  return { ...lived(context, at), costMs: costMs ?? context.costMs, isDown: reason === 'shutdown' };
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
const restoring = { type: 'ask', params: ({ event }: { event: RestoreRequest }) => event } as const;

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
    ask: assign((_, { turn, force, request }: RestoreRequest) => ({ asked: { turn, force, request } })),
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
