/**
 * Admits queued actions within a limit: one `action` actor per admitted action, each in a slot. The gate looks at every action
 * that has got a slot: what somebody must be asked about gives its slot back and waits for the answer as a row. What waits is
 * rows, never context; slots, not action ids, name the children, because XState remembers every event type it has ever
 * seen and a child's id is part of some.
 *
 * How strict the gate is, how many run at once and whether optional work runs at all follow the error budget (`caution`).
 */
import { assign, cancel, enqueueActions, raise, sendTo, setup } from 'xstate';
import { actionMachine } from './action.ts';
import type { ActionEvent, ActionInput, ActionNotice, ActionResult, Reached, Shortfall } from './action-state.ts';
import type { ActionPolicy, StoredPolicy } from './action-policy.ts';
import type { ApprovalReason, ApprovalRequest } from './approvals.ts';
import { NO_OUTCOMES, adaptThresholds, calibrator, observe, type Bins } from './calibration.ts';
import { decide, scoreOf, type Decision, type Evidence } from './gate.ts';
import { notProvided } from './not-provided.ts';
import { isRisky } from './risk.ts';
import { isSuccess, type ErrorRecord, type OutcomeKind } from './outcome.ts';
import type { Urgency } from './urgency.ts';
import { DEFAULT_THRESHOLDS, type Caution, type Thresholds } from './thresholds.ts';

/** What makes a submission the same as another. */
export interface Unique {
  readonly key: string;
  /** Also what has settled counts, if it was submitted at most so long ago, ms; null: it does not. */
  readonly withinMs: number | null;
}

/** An action as it is queued. */
export interface Submission {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** JSON, by the codec. */
  readonly input: string;
  readonly policy: StoredPolicy;
  /** Whether it waits for all that is needed, and is left out while the error budget is spent. */
  readonly optional: boolean;
  /** Greater goes first; equal, the earlier: see urgency.ts. */
  readonly rank: number;
  /** What the rank was made of; absent for one that is not urgent. */
  readonly urgency?: Urgency;
  /** What the rank was made with, ms. Only of one with a due time. */
  readonly estimateMs?: number;
  /** Default: `default`. */
  readonly queue?: string;
  /** Of a key only so many run at once. */
  readonly key?: string;
  /** It is not begun before, ms since 1970. */
  readonly notBefore?: number;
  /** It is not queued when there is one of the same key. */
  readonly unique?: Unique;
  /** Nor when so many wait in its queue. */
  readonly most?: number;
  /** The plan it is a step of. */
  readonly plan: string | null;
  readonly at: number;
}

/** An action that was taken from the queue, with what the gate must know of it. */
export interface Claimed {
  readonly id: string;
  readonly slot: number;
  readonly policy: ActionPolicy;
  readonly evidence: Evidence;
  /** A monitored attempt that takes longer is told of, ms: from its own history. */
  readonly slowMs: number;
  /** The composed quality of what it depends on, from 0 to 1. */
  readonly quality: number;
  /** Somebody said that less quality than its floor will do. */
  readonly waivesFloor: boolean;
  /** It has passed the gate, asked for its quality, and goes on from there. */
  readonly reached: Reached | null;
  readonly at: number;
}

/** What becomes of an attempt that was under way in the turn that was restored: it runs again, waits for somebody's word, or fails. */
export type OnRestore = 'run' | 'ask' | 'fail';

/** An action that was under way in the turn that was restored. */
export interface Pending {
  readonly slot: number;
  readonly policy: Exclude<OnRestore, 'run'>;
}

/** An action that is not to run, or not to make do with less, before somebody has said so. */
export interface Question {
  readonly id: string;
  readonly decision: Decision;
  /** Null when it is not less quality that is asked for. */
  readonly shortfall: Shortfall | null;
  /** Default: as `shortfall` says. */
  readonly reason?: ApprovalReason;
}

/** Why an action was ranked anew: somebody asked, or actions of its name take another time than was thought. */
export type RankedFor = 'request' | 'estimate';

/** What is to be told of actions that wait, and of their due times. Ranks as in urgency.ts: greater goes first. */
export type UrgencyNotice =
  | {
      readonly type: 'action.reprioritised';
      readonly id: string;
      readonly from: number;
      readonly to: number;
      readonly why: RankedFor;
    }
  /** It will hardly be settled by its due time. ms since 1970. */
  | { readonly type: 'action.atRisk'; readonly id: string; readonly dueAt: number; readonly expectedAt: number }
  /** Its due time has passed, and it has not settled. */
  | { readonly type: 'action.late'; readonly id: string; readonly dueAt: number };

/** What somebody says of how urgent an action is that has been queued already. */
export interface Reprioritisation {
  readonly id: string;
  /** All else stays as it is. */
  readonly urgency: Partial<Urgency>;
}

export interface ExecutorInput {
  /** How many actions run at once. */
  readonly limit: number;
}

/** Does the real work that is owed, of one component or of all. */
export interface WorkOff {
  readonly component: string | null;
  readonly at: number;
  /** Somebody wants it now, also what is not tried again by itself. */
  readonly asked?: boolean;
}

/** What an operator asks of a queue. */
export interface QueueRequest {
  readonly queue: string;
  readonly command: QueueCommand;
  readonly at: number;
}

/** One that is paused begins nothing; what runs ends. */
export type QueueCommand = 'pause' | 'resume';

/** A queue has been paused, or goes on. */
export interface QueueNotice {
  readonly type: 'queue.paused' | 'queue.resumed';
  readonly queue: string;
  readonly at: number;
}

/** A component is out of use, or back. */
export interface ComponentState {
  readonly component: string;
  readonly isOut: boolean;
  /** When it will be probed, ms since 1970; null until it says more. */
  readonly until: number | null;
}

/** What survives a restart. */
export interface ExecutorContext {
  readonly limit: number;
  /** Slots in use, ascending. */
  readonly busy: readonly number[];
  /** Slots whose actor has settled its action, and serves the next. */
  readonly idle: readonly number[];
  /** Of those in use, the slots whose action only waits: for a back-off, or for its component. */
  readonly waiting: readonly number[];
  /** When the queue is looked at by itself, ms since 1970; absent or null when nothing can change by itself. */
  readonly wakeAt?: number | null;
  /** How careful it is, from 0 to 3: the error budget says. */
  readonly caution: Caution;
  /** The part of the limit that may be used. */
  readonly share: number;
  readonly freezesOptional: boolean;
  /** What a shortage of resources leaves of it; absent before there was ever one. */
  readonly admission?: Admission;
  readonly thresholds: Thresholds;
  /** How actions that could do harm ended, by the score that they were let through with. */
  readonly outcomes: Bins;
  /** The same, by the score before it was calibrated. */
  readonly borneOut: Bins;
}

/** What may run while resources are short. */
export interface Admission {
  /** How many at once, from 1; null: as many as there may. */
  readonly limit: number | null;
  /** What waits and is optional is left out for good. */
  readonly shed: boolean;
}

/** How the error budget tightens the work. */
export interface Measures {
  readonly caution: Caution;
  readonly share: number;
  readonly freezeOptional: boolean;
}

export type ExecutorEvent =
  | { readonly type: 'executor.submit'; readonly submissions: readonly Submission[] }
  | { readonly type: 'executor.cancel'; readonly ids: readonly string[]; readonly at: number }
  /** The same, in a turn of its own. */
  | { readonly type: 'executor.cancelLater'; readonly ids: readonly string[]; readonly at: number }
  | { readonly type: 'executor.configure'; readonly limit: number }
  /** Gives actions that have failed for good another round. */
  | { readonly type: 'executor.requeue'; readonly ids: readonly string[] }
  /** Takes them off the list of those. */
  | { readonly type: 'executor.discard'; readonly ids: readonly string[]; readonly at: number }
  | ({ readonly type: 'executor.reprioritise' } & Reprioritisation)
  /** An action that waits for its next attempt waits no longer; what is under way is told by `executor.waits`. */
  | { readonly type: 'executor.retryNow'; readonly id: string }
  | { readonly type: 'executor.waits'; readonly id: string; readonly slot: number; readonly attempt: number }
  /** An action that was to begin later is queued now. */
  | { readonly type: 'executor.runNow'; readonly id: string }
  | ({ readonly type: 'executor.tighten' } & Measures)
  | ({ readonly type: 'executor.admit' } & Admission)
  /** Moves the thresholds of the gate to where outcomes say; without new ones nothing moves. */
  | { readonly type: 'executor.adapt' }
  /** Forgets what was learned for the gate. */
  | { readonly type: 'executor.reset' }
  | { readonly type: 'executor.answered'; readonly approved: readonly string[]; readonly denied: readonly Denial[] }
  | ({ readonly type: 'executor.workOff' } & WorkOff)
  | { readonly type: 'executor.asked'; readonly requests: readonly ApprovalRequest[] }
  | { readonly type: 'executor.withdrawn'; readonly actions: readonly string[]; readonly at: number }
  /** The tree is of the past: what was under way there may have been done since. */
  | { readonly type: 'executor.restored' }
  | { readonly type: 'executor.pending'; readonly pending: readonly Pending[] }
  /** Something of the queue can change at that time. */
  | { readonly type: 'executor.sleep'; readonly until: number; readonly delayMs: number }
  | { readonly type: 'executor.wake' }
  | ({ readonly type: 'executor.queue' } & QueueRequest)
  | ({ readonly type: 'executor.component' } & ComponentState)
  | QueueNotice
  | { readonly type: 'executor.pause' }
  | { readonly type: 'executor.resume' }
  | { readonly type: 'executor.claimed'; readonly claimed: readonly Claimed[] }
  | { readonly type: 'executor.told'; readonly notices: readonly UrgencyNotice[] }
  | { readonly type: 'executor.found'; readonly id: string; readonly slot: number; readonly at: number }
  | { readonly type: 'executor.settled'; readonly settled: readonly Settled[] }
  /** Outcomes have been told of: there may be room. */
  | { readonly type: 'executor.claim' }
  | ActionNotice;

/** An action that has its outcome, as others hear of it. */
export interface Settled {
  readonly id: string;
  readonly kind: OutcomeKind;
  readonly plan: string | null;
  /** When it spent error budget; null if it did not. */
  readonly chargedAt: number | null;
  /** What the gate had given it, if it could do harm: calibrated, and raw. */
  readonly scores: { readonly score: number; readonly raw: number } | null;
}

/** An action that somebody, or silence, does not want. */
export interface Denial {
  readonly action: string;
  readonly by: string | null;
  readonly note: string | null;
}

/** What the executor tells its parent. */
export type ExecutorNotice =
  | { readonly type: 'executor.settled'; readonly settled: readonly Settled[] }
  | { readonly type: 'executor.asked'; readonly requests: readonly ApprovalRequest[] }
  | { readonly type: 'executor.withdrawn'; readonly actions: readonly string[]; readonly at: number }
  | { readonly type: 'executor.told'; readonly notices: readonly UrgencyNotice[] }
  | { readonly type: 'executor.idle' }
  /** What could do harm is about to begin. */
  | { readonly type: 'executor.risky' }
  | QueueNotice
  | ActionNotice;

/** More are cancelled in turns after this one, so that no turn is long. */
const CANCELLED_A_TURN = 1_000;

const slotId = (slot: number) => `slot.${slot}`;

type Args = { readonly context: ExecutorContext };
type Room = { readonly limit: number; readonly freezesOptional: boolean };

/** How many may run now, and what may. One always may: a limit of none would never end. */
function room({ context: { limit, share, freezesOptional, admission } }: Args): Room {
  const most = Math.min(Math.floor(limit * share), admission?.limit ?? Infinity);
  return { limit: Math.max(1, most), freezesOptional: freezesOptional || (admission?.shed ?? false) };
}

interface Judged {
  readonly admitted: readonly ActionInput[];
  readonly questions: readonly Question[];
}

/** The gate: who may run, and whom somebody must be asked about. */
function judge({ thresholds, caution, borneOut }: ExecutorContext, claimed: readonly Claimed[]): Judged {
  const admitted: ActionInput[] = [];
  const questions: Question[] = [];
  for (const { evidence, ...input } of claimed) {
    if (input.reached !== null) {
      const { band, score, raw } = input.reached;
      admitted.push({ ...input, band, score, raw });
      continue;
    }
    // What is harmless says nothing of scores, and scores little of it.
    const isHarmless = evidence.impact === 'low';
    const decision = decide(
      evidence,
      isHarmless ? { thresholds, caution } : { thresholds, caution, calibrate: calibrator(borneOut) },
    );
    const { band, score } = decision;
    const raw = isHarmless ? score : scoreOf(evidence).score;
    if (band === 'ask') questions.push({ id: input.id, decision, shortfall: null });
    else admitted.push({ ...input, band, score, raw });
  }
  return { admitted, questions };
}

/** Whether any of them that could do harm runs. */
function beginsRisk(claimed: readonly Claimed[], questions: readonly Question[]): boolean {
  return claimed.some(({ id, evidence }) => isRisky(evidence) && questions.every((question) => question.id !== id));
}

type Scores = NonNullable<Settled['scores']>;

function learned(bins: Bins, settled: readonly Settled[], of: (scores: Scores) => number): Bins {
  return settled.reduce(
    (all, { scores, kind }) => (scores === null ? all : observe(all, of(scores), isSuccess(kind))),
    bins,
  );
}

/** What an action leaves behind that has given its slot back. */
const leaving = [{ type: 'freeSlot', params: ({ event }: { event: { readonly slot: number } }) => event }] as const;
const claiming = { type: 'claim', params: room } as const;
/** Before the claim, and not each time that one has ended: what waits by then is frozen. */
const shedding = enqueueActions<
  ExecutorContext,
  ExecutorEvent,
  undefined,
  ExecutorEvent,
  never,
  { type: 'shed'; params: undefined },
  never,
  never,
  never
>(({ context, enqueue }) => {
  if (context.admission?.shed === true) enqueue('shed');
});
/** After the claim: what has begun is not waited for. */
const reviewing = { type: 'review', params: room } as const;
const reprioritising = {
  type: 'reprioritise',
  params: ({ event }: { event: Extract<ExecutorEvent, { type: 'executor.reprioritise' }> }) => event,
} as const;
const settling = {
  type: 'putOutcome',
  params: ({ event }: { event: Extract<ActionNotice, { type: 'action.ended' }> }) => event,
} as const;
type CancelEvent = Extract<ExecutorEvent, { type: 'executor.cancel' }>;
const isLong = ({ event: { ids } }: { event: CancelEvent }) => ids.length > CANCELLED_A_TURN;
const cancelling = {
  type: 'cancelQueued',
  params: ({ event: { ids, at } }: { event: CancelEvent }) => ({ ids: ids.slice(0, CANCELLED_A_TURN), at }),
} as const;
const cancellingRest = {
  type: 'cancelLater',
  params: ({ event: { ids, at } }: { event: CancelEvent }) => ({ ids: ids.slice(CANCELLED_A_TURN), at }),
} as const;
type SettledEvent = Extract<ExecutorEvent, { type: 'executor.settled' }>;
const teaches = ({ event }: { event: SettledEvent }) => event.settled.some(({ scores }) => scores !== null);
const learning = { type: 'learn', params: ({ event }: { event: SettledEvent }) => event } as const;
const telling = { type: 'announce', params: ({ event }: { event: SettledEvent }) => ({ notice: event }) } as const;
const parking = { type: 'park', params: ({ event }: { event: { readonly id: string } }) => event } as const;
const deferring = {
  type: 'defer',
  params: ({ event }: { event: Extract<ActionNotice, { type: 'action.deferred' }> }) => event,
} as const;
const asking = {
  type: 'ask',
  params: ({ event: { id, quality, shortfall } }: { event: Extract<ActionNotice, { type: 'action.asks' }> }) => ({
    questions: [{ id, decision: { band: 'ask', score: quality, factors: {} } as const, shortfall }],
  }),
} as const;
const askingAgain = {
  type: 'ask',
  params: ({ event: { id, score } }: { event: Extract<ActionNotice, { type: 'action.asksAgain' }> }) => ({
    questions: [
      { id, decision: { band: 'ask', score, factors: {} } as const, shortfall: null, reason: 'restore' as const },
    ],
  }),
} as const;

function toSlots(event: ActionEvent) {
  return enqueueActions<ExecutorContext, ExecutorEvent, undefined, ExecutorEvent, never, never, never, never, never>(
    ({ context, enqueue }) => {
      for (const slot of context.busy) enqueue.sendTo(slotId(slot), event);
    },
  );
}

/** Takes actions from the queue while there is room, and settles each once. */
export const executorMachine = setup({
  types: {} as { input: ExecutorInput; context: ExecutorContext; events: ExecutorEvent },
  actors: { action: actionMachine },
  guards: { isIdle: ({ context }) => context.busy.every((slot) => context.waiting.includes(slot)) },
  actions: {
    /** Inserts the submissions as waiting rows. */
    putQueued: notProvided('executor', 'putQueued') as (_: unknown, p: { submissions: readonly Submission[] }) => void,
    /** Gives the first `limit - running` waiting rows the free slots, and answers `executor.claimed`. */
    claim: notProvided('executor', 'claim') as (_: unknown, p: Room) => void,
    /** Settles as skipped what waits, is optional, and is needed by nothing else; answers `executor.settled`. */
    shed: notProvided('executor', 'shed') as (_: unknown) => void,
    /** Writes the outcome, charges the error budget, and answers `executor.settled`, with none if it had one already. */
    putOutcome: notProvided('executor', 'putOutcome') as (
      _: unknown,
      p: { id: string; at: number | null; result: ActionResult },
    ) => void,
    /**
     * Settles those that wait as cancelled (`executor.settled`), answers `executor.found` for each that runs, and
     * `executor.withdrawn` for each that somebody was asked about.
     */
    cancelQueued: notProvided('executor', 'cancelQueued') as (
      _: unknown,
      p: { ids: readonly string[]; at: number },
    ) => void,
    /** Notes in the row that an attempt began, other than a first that did not wait: `claim` has noted that one. */
    noteAttempt: notProvided('executor', 'noteAttempt') as (_: unknown, p: { id: string; attempt: number }) => void,
    /** Notes in the row what an attempt failed of, and when the next one is due. */
    noteBackOff: notProvided('executor', 'noteBackOff') as (
      _: unknown,
      p: { id: string; attempt: number; delayMs: number; error: ErrorRecord | null },
    ) => void,
    /** Puts an action aside whose handler is not registered. */
    park: notProvided('executor', 'park') as (_: unknown, p: { id: string }) => void,
    /** Puts actions aside until somebody has said whether they may run; answers `executor.asked`. */
    ask: notProvided('executor', 'ask') as (_: unknown, p: { questions: readonly Question[] }) => void,
    /** Queues those again that have failed for good; their attempts count from 0. */
    requeue: notProvided('executor', 'requeue') as (_: unknown, p: { ids: readonly string[] }) => void,
    discard: notProvided('executor', 'discard') as (_: unknown, p: { ids: readonly string[]; at: number }) => void,
    /** Lets the approved wait for a slot again; settles the denied as such (`executor.settled`). */
    answer: notProvided('executor', 'answer') as (
      _: unknown,
      p: { approved: readonly string[]; denied: readonly Denial[] },
    ) => void,
    /** Queues the real work that is owed since a fallback stood in for it. */
    workOff: notProvided('executor', 'workOff') as (_: unknown, p: WorkOff) => void,
    /** Pauses a queue or lets it go on; answers `queue.paused` or `queue.resumed` if it was not so already. */
    commandQueue: notProvided('executor', 'commandQueue') as (_: unknown, p: QueueRequest) => void,
    /** Lets what waits for the component rest, or come one after the other while it is probed, or all of it. */
    noteComponent: notProvided('executor', 'noteComponent') as (_: unknown, p: ComponentState) => void,
    /** Lets an action wait for its component as a row that has not begun, with all others of the same. */
    defer: notProvided('executor', 'defer') as (_: unknown, p: { id: string; until: number }) => void,
    /** Lets wait for a slot what was delayed, held for a rate, or parked without a handler, until now. */
    wake: notProvided('executor', 'wake') as (_: unknown) => void,
    /** Ranks an action anew that waits; answers `executor.told`. */
    reprioritise: notProvided('executor', 'reprioritise') as (_: unknown, p: Reprioritisation) => void,
    /** Notes that an action waits no longer for its next attempt; answers `executor.waits` if it does wait. */
    retryNow: notProvided('executor', 'retryNow') as (_: unknown, p: { id: string }) => void,
    /** Lets an action that is delayed wait for its turn. */
    runNow: notProvided('executor', 'runNow') as (_: unknown, p: { id: string }) => void,
    /** Looks whether what is due will be late, or is, where it is time to; answers `executor.told`. */
    review: notProvided('executor', 'review') as (_: unknown, p: Room) => void,
    /** Looks for what was under way in the turn that was restored; answers `executor.pending`. */
    lookBack: notProvided('executor', 'lookBack') as (_: unknown) => void,
    noteWakeAt: assign({ wakeAt: (_, { until }: { until: number | null }) => until }),
    /** There is one alarm: the earliest. */
    setAlarm: raise({ type: 'executor.wake' } as const, {
      id: 'wake',
      delay: (_, { delayMs }: { delayMs: number }) => delayMs,
    }),
    admit: assign(({ context, spawn }, { admitted }: { admitted: readonly ActionInput[] }) => {
      const slots = admitted.map(({ slot }) => slot);
      for (const input of admitted)
        if (!context.idle.includes(input.slot)) spawn('action', { id: slotId(input.slot), input });
      return {
        busy: [...context.busy, ...slots].sort((a, b) => a - b),
        idle: context.idle.filter((slot) => !slots.includes(slot)),
      };
    }),
    setLimit: assign({ limit: (_, { limit }: { limit: number }) => limit }),
    tighten: assign((_, { caution, share, freezeOptional }: Measures) => ({
      caution,
      share,
      freezesOptional: freezeOptional,
    })),
    admitOnly: assign((_, { limit, shed }: Admission) => ({ admission: { limit, shed } })),
    adapt: assign({ thresholds: ({ context }) => adaptThresholds(context.thresholds, context.outcomes) }),
    unlearn: assign({ thresholds: DEFAULT_THRESHOLDS, outcomes: NO_OUTCOMES, borneOut: NO_OUTCOMES }),
    learn: assign(({ context }, { settled }: { settled: readonly Settled[] }) => ({
      outcomes: learned(context.outcomes, settled, ({ score }) => score),
      borneOut: learned(context.borneOut, settled, ({ raw }) => raw),
    })),
    freeSlot: assign({
      busy: ({ context }, { slot }: { slot: number }) => context.busy.filter((used) => used !== slot),
      idle: ({ context }, { slot }: { slot: number }) => [...context.idle, slot],
    }),
    noteWaiting: assign({
      waiting: ({ context }, { slot }: { slot: number }) => [...context.waiting, slot],
    }),
    noteWoken: assign({
      waiting: ({ context }, { slot }: { slot: number }) => context.waiting.filter((other) => other !== slot),
    }),
    /** While it is paused no attempt begins; those that are under way go on. */
    holdSlots: toSlots({ type: 'action.hold' }),
    releaseSlots: toSlots({ type: 'action.release' }),
    /**
     * When whoever is told of outcomes has heard of them: a dependant that one has freed may go before all that waits. A raised
     * event would come before they are told.
     */
    claimLater: sendTo(({ self }) => self, { type: 'executor.claim' }),
    /** A timer, which survives a crash. */
    cancelLater: raise(
      (_, { ids, at }: { ids: readonly string[]; at: number }) => ({ type: 'executor.cancel' as const, ids, at }),
      { delay: 0 },
    ),
    cancelSlot: sendTo(
      (_, { slot }: { slot: number; at: number }) => slotId(slot),
      (_, { at }) => ({ type: 'action.cancel' as const, at }),
    ),
    wakeSlot: sendTo(
      (_, { slot }: { slot: number; id: string; attempt: number }) => slotId(slot),
      (_, { id, attempt }) => ({ type: 'action.retryNow' as const, id, attempt }),
    ),
    /** Tells the supervisor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('executor', 'announce') as (_: unknown, p: { notice: ExecutorNotice }) => void,
  },
}).createMachine({
  id: 'executor',
  version: '2',
  context: ({ input }) => ({
    limit: input.limit,
    busy: [],
    idle: [],
    waiting: [],
    caution: 0,
    share: 1,
    freezesOptional: false,
    thresholds: DEFAULT_THRESHOLDS,
    outcomes: NO_OUTCOMES,
    borneOut: NO_OUTCOMES,
  }),
  initial: 'admitting',
  on: {
    'executor.submit': { actions: { type: 'putQueued', params: ({ event }) => event } },
    'executor.cancel': [{ guard: isLong, actions: [cancelling, cancellingRest] }, { actions: cancelling }],
    'executor.cancelLater': { actions: { type: 'cancelLater', params: ({ event }) => event } },
    'executor.configure': { actions: { type: 'setLimit', params: ({ event }) => event } },
    'executor.tighten': { actions: { type: 'tighten', params: ({ event }) => event } },
    'executor.admit': { actions: { type: 'admitOnly', params: ({ event }) => event } },
    'executor.adapt': { actions: 'adapt' },
    'executor.reset': { actions: 'unlearn' },
    'executor.answered': { actions: { type: 'answer', params: ({ event }) => event } },
    'executor.workOff': { actions: { type: 'workOff', params: ({ event }) => event } },
    'executor.requeue': { actions: { type: 'requeue', params: ({ event }) => event } },
    'executor.discard': { actions: { type: 'discard', params: ({ event }) => event } },
    'executor.restored': { actions: 'lookBack' },
    'executor.pending': {
      actions: enqueueActions(({ enqueue, event }) => {
        for (const { slot, policy } of event.pending) enqueue.sendTo(slotId(slot), { type: 'action.restored', policy });
      }),
    },
    'executor.found': [
      {
        guard: ({ context, event }) => context.busy.includes(event.slot),
        actions: { type: 'cancelSlot', params: ({ event }) => event },
      },
      // It has given its slot back in the same turn.
      { actions: { type: 'cancelQueued', params: ({ event: { id, at } }) => ({ ids: [id], at }) } },
    ],
    'executor.claimed': {
      actions: enqueueActions(({ enqueue, context, event }) => {
        const { admitted, questions } = judge(context, event.claimed);
        for (const input of admitted)
          if (context.idle.includes(input.slot)) enqueue.sendTo(slotId(input.slot), { type: 'action.begin', input });
        if (admitted.length > 0) enqueue({ type: 'admit', params: { admitted } });
        if (questions.length > 0) enqueue({ type: 'ask', params: { questions } });
        if (beginsRisk(event.claimed, questions))
          enqueue({ type: 'announce', params: { notice: { type: 'executor.risky' } } });
      }),
    },
    'executor.retryNow': { actions: { type: 'retryNow', params: ({ event }) => event } },
    'executor.waits': {
      guard: ({ context, event }) => context.busy.includes(event.slot),
      actions: { type: 'wakeSlot', params: ({ event }) => event },
    },
    'executor.runNow': { actions: { type: 'runNow', params: ({ event }) => event } },
    'executor.settled': [{ guard: teaches, actions: [learning, telling] }, { actions: telling }],
    'executor.sleep': {
      guard: ({ context, event }) => event.until < (context.wakeAt ?? Infinity),
      actions: [
        cancel('wake'),
        { type: 'noteWakeAt', params: ({ event }) => event },
        { type: 'setAlarm', params: ({ event }) => event },
      ],
    },
    'executor.wake': { actions: [{ type: 'noteWakeAt', params: { until: null } }, 'wake', reviewing] },
    'executor.reprioritise': { actions: reprioritising },
    'executor.told': { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
    'executor.queue': { actions: { type: 'commandQueue', params: ({ event }) => event } },
    'executor.component': { actions: { type: 'noteComponent', params: ({ event }) => event } },
    'queue.paused': { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
    'queue.resumed': { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
    'executor.asked': { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
    'executor.withdrawn': { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
    'action.attempting': [
      {
        guard: ({ event }) => event.attempt > 1 || event.hasWaited === true,
        actions: [
          { type: 'noteAttempt', params: ({ event }) => event },
          { type: 'announce', params: ({ event }) => ({ notice: event }) },
        ],
      },
      { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
    ],
    'action.backingOff': {
      actions: [
        { type: 'noteBackOff', params: ({ event }) => event },
        { type: 'noteWaiting', params: ({ event }) => event },
        { type: 'announce', params: ({ event }) => ({ notice: event }) },
      ],
    },
    'action.woken': { actions: { type: 'noteWoken', params: ({ event }) => event } },
    'action.slow': { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
    'action.undoFailed': { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
    'action.fallbackFailed': { actions: { type: 'announce', params: ({ event }) => ({ notice: event }) } },
  },
  states: {
    admitting: {
      entry: claiming,
      on: {
        'executor.submit': { actions: [{ type: 'putQueued', params: ({ event }) => event }, shedding, claiming] },
        'executor.configure': { actions: [{ type: 'setLimit', params: ({ event }) => event }, claiming] },
        'executor.tighten': { actions: [{ type: 'tighten', params: ({ event }) => event }, claiming] },
        'executor.admit': { actions: [{ type: 'admitOnly', params: ({ event }) => event }, shedding, claiming] },
        'executor.answered': { actions: [{ type: 'answer', params: ({ event }) => event }, claiming] },
        'executor.workOff': { actions: [{ type: 'workOff', params: ({ event }) => event }, claiming] },
        'executor.requeue': { actions: [{ type: 'requeue', params: ({ event }) => event }, claiming] },
        // Whoever is asked about has given its slot back.
        'executor.asked': {
          actions: [{ type: 'announce', params: ({ event }) => ({ notice: event }) }, claiming],
        },
        'executor.queue': { actions: [{ type: 'commandQueue', params: ({ event }) => event }, claiming] },
        'executor.component': { actions: [{ type: 'noteComponent', params: ({ event }) => event }, claiming] },
        'executor.pause': { target: 'holding', actions: 'holdSlots' },
        'executor.wake': {
          actions: [{ type: 'noteWakeAt', params: { until: null } }, 'wake', shedding, claiming, reviewing],
        },
        'executor.reprioritise': { actions: [reprioritising, claiming] },
        'executor.runNow': { actions: [{ type: 'runNow', params: ({ event }) => event }, claiming] },
        'executor.resume': { actions: ['wake', claiming] },
        'action.ended': { actions: [settling, ...leaving] },
        'executor.settled': [
          { guard: teaches, actions: [learning, telling, 'claimLater'] },
          { actions: [telling, 'claimLater'] },
        ],
        'executor.claim': { actions: claiming },
        'action.orphaned': { actions: [parking, ...leaving, claiming] },
        'action.asks': { actions: [asking, ...leaving] },
        'action.asksAgain': { actions: [askingAgain, ...leaving] },
        'action.deferred': { actions: [deferring, ...leaving, claiming] },
      },
    },
    holding: {
      initial: 'emptying',
      on: {
        'executor.resume': { target: 'admitting', actions: ['releaseSlots', 'wake'] },
        'action.ended': { target: '.emptying', actions: [settling, ...leaving] },
        'action.orphaned': { target: '.emptying', actions: [parking, ...leaving] },
        'action.asks': { target: '.emptying', actions: [asking, ...leaving] },
        'action.asksAgain': { target: '.emptying', actions: [askingAgain, ...leaving] },
        'action.deferred': { target: '.emptying', actions: [deferring, ...leaving] },
      },
      states: {
        emptying: { always: { guard: 'isIdle', target: 'empty' } },
        empty: { entry: { type: 'announce', params: { notice: { type: 'executor.idle' } } } },
      },
    },
  },
});
