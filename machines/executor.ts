/**
 * Admits queued actions within a limit: one `action` actor per admitted action, each in a slot. What waits is rows, never
 * context; slots, not action ids, name the children, because XState remembers every event type it has ever seen and a
 * child's id is part of some.
 */
import { assign, sendTo, setup, stopChild } from 'xstate';
import { actionMachine, type ActionNotice, type ActionPolicy, type ActionResult } from './action.ts';
import { notProvided } from './not-provided.ts';
import type { ErrorRecord, OutcomeKind } from './outcome.ts';

/** An action as it is queued. */
export interface Submission {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** JSON, by the codec. */
  readonly input: string;
  readonly policy: ActionPolicy;
  /** Greater goes first; equal, the earlier. A plan's step has its upward rank in ms. */
  readonly rank: number;
  /** The plan it is a step of. */
  readonly plan: string | null;
  readonly at: number;
}

/** An action that was taken from the queue. */
export interface Claimed {
  readonly id: string;
  readonly slot: number;
  readonly policy: ActionPolicy;
}

export interface ExecutorInput {
  /** How many actions run at once. */
  readonly limit: number;
}

/** What survives a restart. */
export interface ExecutorContext {
  readonly limit: number;
  /** Slots in use, ascending. */
  readonly busy: readonly number[];
}

export type ExecutorEvent =
  | { readonly type: 'executor.submit'; readonly submissions: readonly Submission[] }
  | { readonly type: 'executor.cancel'; readonly ids: readonly string[]; readonly at: number }
  | { readonly type: 'executor.configure'; readonly limit: number }
  | { readonly type: 'executor.pause' }
  | { readonly type: 'executor.resume' }
  | { readonly type: 'executor.claimed'; readonly claimed: readonly Claimed[] }
  | { readonly type: 'executor.found'; readonly slot: number; readonly at: number }
  | { readonly type: 'executor.settled'; readonly settled: readonly Settled[] }
  | ActionNotice;

/** An action that has its outcome, as others hear of it. */
export interface Settled {
  readonly id: string;
  readonly kind: OutcomeKind;
  readonly plan: string | null;
}

/** What the executor tells its parent. */
export type ExecutorNotice =
  | { readonly type: 'executor.settled'; readonly settled: readonly Settled[] }
  | { readonly type: 'executor.idle' }
  | ActionNotice;

const slotId = (slot: number) => `slot.${slot}`;

/** Takes actions from the queue while there is room, and settles each once. */
export const executorMachine = setup({
  types: {} as { input: ExecutorInput; context: ExecutorContext; events: ExecutorEvent },
  actors: { action: actionMachine },
  guards: { isIdle: ({ context }) => context.busy.length === 0 },
  actions: {
    /** Inserts the submissions as waiting rows. */
    putQueued: notProvided('executor', 'putQueued') as (_: unknown, p: { submissions: readonly Submission[] }) => void,
    /** Gives the first `limit - running` waiting rows the free slots, and answers `executor.claimed`. */
    claim: notProvided('executor', 'claim') as (_: unknown, p: { limit: number }) => void,
    /** Writes the outcome, and answers `executor.settled`. */
    putOutcome: notProvided('executor', 'putOutcome') as (
      _: unknown,
      p: { id: string; at: number | null; result: ActionResult },
    ) => void,
    /** Settles those that wait as cancelled (`executor.settled`), and answers `executor.found` for each that runs. */
    cancelQueued: notProvided('executor', 'cancelQueued') as (
      _: unknown,
      p: { ids: readonly string[]; at: number },
    ) => void,
    /** Notes in the row that an attempt began. */
    noteAttempt: notProvided('executor', 'noteAttempt') as (_: unknown, p: { id: string; attempt: number }) => void,
    /** Notes in the row what an attempt failed of, and when the next one is due. */
    noteBackOff: notProvided('executor', 'noteBackOff') as (
      _: unknown,
      p: { id: string; delayMs: number; error: ErrorRecord | null },
    ) => void,
    /** Puts an action aside whose handler is not registered. */
    park: notProvided('executor', 'park') as (_: unknown, p: { id: string }) => void,
    admit: assign(({ context, spawn }, { claimed }: { claimed: readonly Claimed[] }) => {
      for (const input of claimed) spawn('action', { id: slotId(input.slot), input });
      return { busy: [...context.busy, ...claimed.map(({ slot }) => slot)].sort((a, b) => a - b) };
    }),
    setLimit: assign({ limit: (_, { limit }: { limit: number }) => limit }),
    endSlot: stopChild((_, { slot }: { slot: number }) => slotId(slot)),
    freeSlot: assign({
      busy: ({ context }, { slot }: { slot: number }) => context.busy.filter((used) => used !== slot),
    }),
    cancelSlot: sendTo(
      (_, { slot }: { slot: number; at: number }) => slotId(slot),
      (_, { at }) => ({ type: 'action.cancel' as const, at }),
    ),
    /** Tells the supervisor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('executor', 'announce') as (_: unknown, p: { notice: ExecutorNotice }) => void,
  },
}).createMachine({
  id: 'executor',
  version: '1',
  context: ({ input }) => ({ limit: input.limit, busy: [] }),
  initial: 'admitting',
  on: {
    'executor.submit': { actions: { type: 'putQueued', params: ({ event }) => event } },
    'executor.cancel': {
      actions: { type: 'cancelQueued', params: ({ event }) => event },
    },
    'executor.configure': { actions: { type: 'setLimit', params: ({ event }) => event } },
    'executor.found': { actions: { type: 'cancelSlot', params: ({ event }) => event } },
    'executor.claimed': { actions: { type: 'admit', params: ({ event }) => event } },
    'executor.settled': { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
    'action.attempting': {
      actions: [
        { type: 'noteAttempt', params: ({ event }) => event },
        { type: 'announce', params: ({ event }) => ({ notice: event }) },
      ],
    },
    'action.backingOff': {
      actions: [
        { type: 'noteBackOff', params: ({ event }) => event },
        { type: 'announce', params: ({ event }) => ({ notice: event }) },
      ],
    },
  },
  states: {
    admitting: {
      entry: { type: 'claim', params: ({ context }) => ({ limit: context.limit }) },
      on: {
        'executor.submit': {
          actions: [
            { type: 'putQueued', params: ({ event }) => event },
            { type: 'claim', params: ({ context }) => ({ limit: context.limit }) },
          ],
        },
        'executor.configure': {
          actions: [
            { type: 'setLimit', params: ({ event }) => event },
            { type: 'claim', params: ({ event }) => event },
          ],
        },
        'executor.pause': 'holding',
        'action.ended': {
          actions: [
            { type: 'putOutcome', params: ({ event }) => event },
            { type: 'endSlot', params: ({ event }) => event },
            { type: 'freeSlot', params: ({ event }) => event },
            { type: 'claim', params: ({ context }) => ({ limit: context.limit }) },
          ],
        },
        'action.orphaned': {
          actions: [
            { type: 'park', params: ({ event }) => event },
            { type: 'endSlot', params: ({ event }) => event },
            { type: 'freeSlot', params: ({ event }) => event },
            { type: 'claim', params: ({ context }) => ({ limit: context.limit }) },
          ],
        },
        'executor.resume': {
          actions: { type: 'claim', params: ({ context }) => ({ limit: context.limit }) },
        },
      },
    },
    holding: {
      initial: 'emptying',
      on: {
        'executor.resume': 'admitting',
        'action.ended': {
          target: '.emptying',
          actions: [
            { type: 'putOutcome', params: ({ event }) => event },
            { type: 'endSlot', params: ({ event }) => event },
            { type: 'freeSlot', params: ({ event }) => event },
          ],
        },
        'action.orphaned': {
          target: '.emptying',
          actions: [
            { type: 'park', params: ({ event }) => event },
            { type: 'endSlot', params: ({ event }) => event },
            { type: 'freeSlot', params: ({ event }) => event },
          ],
        },
      },
      states: {
        emptying: { always: { guard: 'isIdle', target: 'empty' } },
        empty: { entry: { type: 'announce', params: { notice: { type: 'executor.idle' } } } },
      },
    },
  },
});
