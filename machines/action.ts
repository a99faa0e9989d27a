/**
 * One admitted action, from its first attempt to its one outcome; and then the next one of its slot. From the inside out: work within its time limit,
 * classified, retried as its policy, its component's breaker and retry budget allow, mended by a known fix, undone, replaced
 * by a fallback that is good enough, and settled once.
 *
 *        replacing <──isTooPoor── permitting ──action.permitted──> attempting ──hasReturned──> settled (ok, recovered)
 *                                  │ action.refused                 │ failed ──canRetry──> backingOff ──> permitting
 *                                  ├─canDefer─> settled (deferred: it waits as a row)
 *                                  ├─canWait─> waiting ──┐          │      └─────────┐
 *                                  │   └─────────────────┘          │                v
 *                                  └──────────────────────────> exhausted ──> recalling ──isFixable──> permitting
 *                                                                                │
 *                                                                                v
 *            settled (failed) <──undoing──> replacing ──hasFallback──> fallingBack ──hasReturned──> settled (degraded)
 *                                               └──mustAsk──> settled (asks)  └──> replacing (the next one)
 *   beginning: permitting; or replacing, when it has asked already, and somebody said that less will do
 *   action.cancel: the attempt is ended, what it did is undone, settled (cancelled)
 *   action.restored: what was under way may have been done since: it asks, or has failed
 *   action.retryNow: what waits has waited long enough
 *   action.hold: when what waits has waited long enough it is held, and tried after action.release
 *
 * An action that leans on no component needs no permit. The time limit of an attempt is kept by whoever carries it out: it
 * counts from the start of the work in this life of the process, and what was down in between does not count; the deadline of the
 * action does not stand still.
 *
 * Its input and its value never enter the context: they are in its row.
 */
import { assign, enqueueActions, fromPromise, setup, type PromiseActorLogic } from 'xstate';
import { PerdureError } from '../errors.ts';
import {
  type ToComponent,
  asks,
  asksAgain,
  attemptOf,
  attempting,
  backingOff,
  belowFloor,
  brokenOf,
  deferred,
  degraded,
  ended,
  failureOf,
  fallbackFailed,
  hasReturned,
  interruptedError,
  isUnregistered,
  refused,
  reportOf,
  settling,
  succeeded,
  undoFailed,
  woken,
} from './action-result.ts';
import {
  canDefer,
  canRetry,
  canWait,
  delayMs,
  hasFallback,
  isEnough,
  isUntried,
  mustAsk,
  mustUndo,
  noteFailure,
  noteFallbackFailure,
  noteRefusal,
  noteWait,
} from './action-rules.ts';
import {
  type ActionContext,
  type ActionEvent,
  type ActionInput,
  type ActionNotice,
  type Args,
  type AttemptInput,
  type AttemptResult,
  type Refusal,
  type Settled,
  begun,
} from './action-state.ts';
import type { Permit } from './component.ts';
import { notProvided } from './not-provided.ts';
import type { ErrorRecord } from './outcome.ts';

function notPerformed(): never {
  throw new PerdureError('NOT_PROVIDED', 'The action machine needs its workers: spawn it with spawnSupervisor.');
}

function meant({ event }: { readonly event: Extract<ActionEvent, { type: 'action.retryNow' }> }) {
  return event;
}

const reporting = [
  { type: 'tellComponent', params: ({ context, event }: Args & Settled) => reportOf({ context }, event.output) },
  'dropPermit',
] as const;
const waking = { type: 'announce', params: woken } as const;
const cancelling = { type: 'noteCancel', params: ({ event }: { event: { readonly at: number } }) => event } as const;
/** No attempt begins while the whole is paused. */
const afterWaiting = [
  { guard: 'isHeld', target: 'held' },
  { target: 'permitting', actions: waking },
] as const;
/** What it waits for has passed, because somebody says so. The delays after it are those that they would have been. */
const retryingNow = [
  { guard: { type: 'isMeantAndHeld', params: meant }, target: 'held' },
  { guard: { type: 'isMeant', params: meant }, target: 'permitting', actions: waking },
] as const;
const releasing = [
  { type: 'tellComponent', params: ({ context }: Args) => reportOf({ context }, null) },
  'dropPermit',
] as const;

/** Tries an action, backs off, undoes, falls back, ends what must end, and settles once. */
export const actionMachine = setup({
  types: {} as { input: ActionInput; context: ActionContext; events: ActionEvent },
  actors: {
    attempter: fromPromise<AttemptResult, AttemptInput>(notPerformed) as PromiseActorLogic<AttemptResult, AttemptInput>,
    ender: fromPromise<number, { id: string }>(notPerformed) as PromiseActorLogic<number, { id: string }>,
  },
  delays: {
    backOff: ({ context }) => context.backOffMs,
    reopening: ({ context }) => context.backOffMs,
  },
  guards: {
    canRetry,
    hasFallback,
    isHeld: ({ context }) => context.isHeld,
    mustAsk,
    isMeant: ({ context }, { id, attempt }: { id: string; attempt: number }) =>
      context.id === id && context.attempt === attempt,
    isMeantAndHeld: ({ context }, { id, attempt }: { id: string; attempt: number }) =>
      context.isHeld && context.id === id && context.attempt === attempt,
    isTooPoor: ({ context }) => !isEnough({ context }, 0),
    mustUndo,
    hasRecourse: ({ context }) => mustUndo({ context }) || hasFallback({ context }),
  },
  actions: {
    noteFailure: assign(noteFailure),
    noteRefusal: assign((args, refusal: Refusal) => noteRefusal(args, refusal)),
    planBackOff: assign(({ context }) => ({ backOffMs: delayMs({ context }) })),
    planReopening: assign(noteWait),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    holdPermit: assign({ permit: (_, { probe, generation }: Required<Permit>) => ({ probe, generation }) }),
    dropPermit: assign({ permit: null }),
    hold: assign({ isHeld: true }),
    release: assign({ isHeld: false }),
    noteFix: assign({ fix: (_, { fix }: { fix: string | null }) => fix }),
    noteCancel: assign((_, { at }: { at: number }) => ({ isCancelled: true, at })),
    noteUndone: assign((_, { at }: { at: number }) => ({ isUndone: true, at })),
    noteFallbackFailure: assign(noteFallbackFailure),
    noteUndoFailure: assign((_, { error }: { error: ErrorRecord }) => ({ undoError: error })),
    noteBroken: assign((_, { error }: { error: ErrorRecord }) => ({ error, retryable: false })),
    countFallback: assign({ replaced: ({ context }) => context.replaced + 1 }),
    /** Asks the component for a permit: it answers `action.permitted` or `action.refused`. */
    askComponent: notProvided('action', 'askComponent') as (
      _: unknown,
      p: { component: string; retry: boolean },
    ) => void,
    /** Gives the permit back, if there is one, with what came of it. */
    tellComponent: notProvided('action', 'tellComponent') as (_: unknown, p: ToComponent) => void,
    /** Looks for a fix that is known to help against its error; answers `action.recalled`. */
    recall: notProvided('action', 'recall') as (_: unknown, p: { id: string; error: ErrorRecord | null }) => void,
    /** Tells the executor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('action', 'announce') as (_: unknown, p: { notice: ActionNotice }) => void,
  },
}).createMachine({
  id: 'action',
  version: '2',
  context: ({ input }) => begun(input),
  initial: 'beginning',
  on: {
    'action.hold': { actions: 'hold' },
    'action.release': { actions: 'release' },
    // A permit that comes when nobody needs it any more.
    'action.permitted': {
      actions: [{ type: 'holdPermit', params: ({ event }) => event }, ...releasing],
    },
  },
  states: {
    // One that has asked for its quality does not run its work again.
    beginning: {
      always: [{ guard: ({ context }) => isUntried(context), target: 'permitting' }, { target: 'replacing' }],
    },
    permitting: {
      always: [
        { guard: 'isTooPoor', target: 'replacing' },
        { guard: ({ context }) => context.policy.component === null, target: 'attempting' },
      ],
      entry: enqueueActions(({ enqueue, context }) => {
        const { policy, attempt } = context;
        if (policy.component === null || !isEnough({ context }, 0)) return;
        enqueue({ type: 'askComponent', params: { component: policy.component, retry: attempt > 0 } });
      }),
      on: {
        'action.permitted': { target: 'attempting', actions: { type: 'holdPermit', params: ({ event }) => event } },
        'action.refused': [
          {
            guard: ({ context, event }) => canDefer({ context }, event),
            target: 'settled',
            actions: { type: 'announce', params: deferred },
          },
          {
            guard: ({ context, event }) => canWait({ context }, event),
            target: 'waiting',
            actions: { type: 'planReopening', params: ({ event }) => event },
          },
          { target: 'exhausted', actions: { type: 'noteRefusal', params: ({ event }) => event } },
        ],
        'action.cancel': { target: 'undoing', actions: { type: 'noteCancel', params: ({ event }) => event } },
      },
    },
    waiting: {
      entry: { type: 'announce', params: backingOff },
      after: { reopening: afterWaiting },
      on: {
        'action.cancel': { target: 'undoing', actions: [waking, cancelling] },
        'action.retryNow': retryingNow,
      },
    },
    // Its time has come while the whole is paused.
    held: {
      on: {
        'action.release': { target: 'permitting', actions: ['release', waking] },
        'action.cancel': { target: 'undoing', actions: [waking, cancelling] },
      },
    },
    attempting: {
      // A monitored attempt is looked at when it takes longer than its kind does.
      entry: [
        'countAttempt',
        { type: 'announce', params: attempting },
        enqueueActions(({ enqueue, context: { band, slowMs: delay } }) => {
          if (band === 'monitored') enqueue.raise({ type: 'action.slowed' }, { id: 'slow', delay });
        }),
      ],
      exit: enqueueActions(({ enqueue, context }) => {
        if (context.band === 'monitored') enqueue.cancel('slow');
      }),
      on: {
        'action.cancel': { target: 'ending', actions: { type: 'noteCancel', params: ({ event }) => event } },
        'action.restored': [
          {
            guard: ({ event }) => event.policy === 'ask',
            target: 'settled',
            actions: [...releasing, { type: 'announce', params: asksAgain }],
          },
          {
            target: 'undoing',
            actions: [
              ...releasing,
              { type: 'noteBroken', params: ({ context }) => ({ error: interruptedError({ context }, 'run') }) },
            ],
          },
        ],
        'action.slowed': {
          actions: {
            type: 'announce',
            params: ({ context: { id, slot, slowMs } }) => ({
              notice: { type: 'action.slow' as const, id, slot, slowMs },
            }),
          },
        },
      },
      invoke: {
        id: 'attempter',
        src: 'attempter',
        input: ({ context }) => attemptOf({ context }, 'run'),
        onDone: [
          {
            guard: hasReturned,
            target: 'settled',
            actions: [...reporting, { type: 'announce', params: succeeded }],
          },
          {
            guard: isUnregistered,
            target: 'settled',
            actions: [
              ...releasing,
              {
                type: 'announce',
                params: ({ context: { id, slot } }) => ({ notice: { type: 'action.orphaned' as const, id, slot } }),
              },
            ],
          },
          {
            target: 'failed',
            actions: [...reporting, { type: 'noteFailure', params: ({ event }) => ({ result: event.output }) }],
          },
        ],
        onError: [
          {
            guard: 'hasRecourse',
            target: 'undoing',
            actions: [...releasing, { type: 'noteBroken', params: ({ event }) => ({ error: brokenOf({ event }) }) }],
          },
          { target: 'settled', actions: [...releasing, { type: 'announce', params: refused }] },
        ],
      },
    },
    failed: {
      always: [{ guard: 'canRetry', target: 'backingOff', actions: 'planBackOff' }, { target: 'exhausted' }],
    },
    backingOff: {
      entry: { type: 'announce', params: backingOff },
      after: { backOff: afterWaiting },
      on: {
        'action.cancel': { target: 'undoing', actions: [waking, cancelling] },
        'action.retryNow': retryingNow,
      },
    },
    exhausted: {
      // One fix is tried once.
      always: [
        { guard: ({ context }) => context.fix === null && context.attempt > 0, target: 'recalling' },
        { target: 'undoing' },
      ],
    },
    recalling: {
      entry: { type: 'recall', params: ({ context: { id, error } }) => ({ id, error }) },
      on: {
        'action.recalled': [
          {
            guard: ({ event }) => event.fix !== null,
            target: 'permitting',
            actions: { type: 'noteFix', params: ({ event }) => event },
          },
          { target: 'undoing' },
        ],
        'action.cancel': { target: 'undoing', actions: { type: 'noteCancel', params: ({ event }) => event } },
      },
    },
    undoing: {
      initial: 'deciding',
      states: {
        deciding: { always: [{ guard: 'mustUndo', target: 'running' }, { target: '#action.replacing' }] },
        running: {
          on: {
            'action.cancel': { actions: { type: 'noteCancel', params: ({ event }) => event } },
            'action.restored': {
              target: '#action.settled',
              actions: [
                {
                  type: 'noteUndoFailure',
                  params: ({ context }) => ({ error: interruptedError({ context }, 'undo') }),
                },
                {
                  type: 'announce',
                  params: ({ context }) => undoFailed({ context }, interruptedError({ context }, 'undo')),
                },
                { type: 'announce', params: ({ context }) => settling({ context }, null, ended({ context })) },
              ],
            },
          },
          invoke: {
            id: 'undoer',
            src: 'attempter',
            input: ({ context }) => attemptOf({ context }, 'undo'),
            onDone: [
              {
                guard: hasReturned,
                target: '#action.replacing',
                actions: { type: 'noteUndone', params: ({ event }) => event.output },
              },
              {
                target: '#action.settled',
                actions: [
                  { type: 'noteUndoFailure', params: ({ event }) => ({ error: failureOf(event.output) }) },
                  {
                    type: 'announce',
                    params: ({ context, event }) => undoFailed({ context }, failureOf(event.output)),
                  },
                  {
                    type: 'announce',
                    params: ({ context, event }) => settling({ context }, event.output.at, ended({ context })),
                  },
                ],
              },
            ],
            onError: {
              target: '#action.settled',
              actions: [
                { type: 'noteUndoFailure', params: ({ event }) => ({ error: brokenOf({ event }) }) },
                { type: 'announce', params: ({ context, event }) => undoFailed({ context }, brokenOf({ event })) },
                { type: 'announce', params: ({ context }) => settling({ context }, null, ended({ context })) },
              ],
            },
          },
        },
      },
    },
    replacing: {
      always: [
        { guard: 'hasFallback', target: 'fallingBack' },
        {
          guard: 'mustAsk',
          target: 'settled',
          actions: { type: 'announce', params: asks },
        },
        {
          target: 'settled',
          actions: {
            type: 'announce',
            params: ({ context }) => settling({ context }, context.at, belowFloor({ context })),
          },
        },
      ],
    },
    fallingBack: {
      on: {
        'action.cancel': { target: 'ending', actions: { type: 'noteCancel', params: ({ event }) => event } },
        'action.restored': {
          target: 'replacing',
          actions: [
            {
              type: 'announce',
              params: ({ context }) => fallbackFailed({ context }, interruptedError({ context }, 'fallback')),
            },
            'countFallback',
          ],
        },
      },
      invoke: {
        id: 'fallback',
        src: 'attempter',
        input: ({ context }) => attemptOf({ context }, 'fallback'),
        onDone: [
          { guard: hasReturned, target: 'settled', actions: { type: 'announce', params: degraded } },
          {
            target: 'replacing',
            actions: [
              {
                type: 'announce',
                params: ({ context, event }) => fallbackFailed({ context }, failureOf(event.output)),
              },
              { type: 'noteFallbackFailure', params: ({ event }) => ({ result: event.output }) },
            ],
          },
        ],
        onError: {
          target: 'replacing',
          actions: [
            { type: 'announce', params: ({ context, event }) => fallbackFailed({ context }, brokenOf({ event })) },
            'countFallback',
          ],
        },
      },
    },
    ending: {
      invoke: {
        id: 'ender',
        src: 'ender',
        input: ({ context: { id } }) => ({ id }),
        onDone: {
          target: 'undoing',
          actions: [...releasing, { type: 'noteCancel', params: ({ event }) => ({ at: event.output }) }],
        },
        // Nobody could wait for its end: it is undone as it is.
        onError: {
          target: 'undoing',
          actions: [...releasing, { type: 'noteBroken', params: ({ event }) => ({ error: brokenOf({ event }) }) }],
        },
      },
    },
    // The slot's actor serves one action after the other: to stop and to spawn it each time would cost more than the action.
    settled: {
      on: { 'action.begin': { target: 'beginning', actions: assign(({ event }) => begun(event.input)) } },
    },
  },
});
