/**
 * Actions that wait for somebody's word. An approval is a row; here is only the timer for the earliest that expires.
 *
 *   idle ──something expires──> waiting ──expiry──> expiring ──> waiting | idle
 *
 * A1  An approval is settled once: approved, denied, expired (then its policy for silence speaks), or withdrawn. What comes
 *     later changes nothing.
 * A2  Nobody's word is put in his mouth: what is approved by a person, a rule or by silence says so in `by`.
 * A3  A word counts until silence has been carried out, also when the approval was due before: a late answer beats none.
 * A4  Silence is carried out for 1,000 approvals a turn at most; the rest follows in turns of its own.
 */
import { assign, enqueueActions, setup } from 'xstate';
import type { Decision } from './gate.ts';
import { notProvided } from './not-provided.ts';

/** What it means that nobody answers in time; `wait` is for ever. */
export type OnSilence = 'wait' | 'approve' | 'deny';

/**
 * Why an action waits: the gate did not let it through, what it gave is below the quality floor, or it was under way in the turn
 * that was restored.
 */
export type ApprovalReason = 'gate' | 'quality' | 'restore';

/** What is asked of whoever decides. */
export interface ApprovalRequest {
  /** The action's id. */
  readonly action: string;
  /** What the action is called. */
  readonly name: string;
  readonly summary: string;
  readonly risk: Decision;
  /** What would undo it, in words; null when nothing does. */
  readonly undo: string | null;
  readonly reason: ApprovalReason;
  readonly at: number;
  /** When silence speaks, wall-clock ms; null for never. */
  readonly expiresAt: number | null;
  readonly onSilence: OnSilence;
}

/** An approval that was put down. */
export interface Requested {
  readonly id: string;
  readonly action: string;
  readonly name: string;
  readonly summary: string;
  readonly reason: ApprovalReason;
  readonly expiresAt: number | null;
  readonly onSilence: OnSilence;
}

/** What became of an approval. */
export interface SettledApproval {
  readonly id: string;
  readonly action: string;
  readonly decision: 'approve' | 'deny' | 'withdraw';
  /** Who decided; `silence` when nobody did; null when it was withdrawn. */
  readonly by: string | null;
  readonly note: string | null;
}

/** What is `by` when nobody answered. */
export const BY_SILENCE = 'silence';

/** The answer to an approval. */
export interface Verdict {
  readonly id: string;
  readonly decision: 'approve' | 'deny';
  readonly by: string;
  readonly note: string | null;
  readonly at: number;
}

export type ApprovalsEvent =
  | { readonly type: 'approvals.request'; readonly requests: readonly ApprovalRequest[] }
  | ({ readonly type: 'approvals.decide' } & Verdict)
  /** Nobody needs to decide about these actions any more. */
  | { readonly type: 'approvals.withdraw'; readonly actions: readonly string[]; readonly at: number }
  | { readonly type: 'approvals.requested'; readonly requested: readonly Requested[] }
  | { readonly type: 'approvals.settled'; readonly settled: readonly SettledApproval[] }
  /** When the next one expires, and how long that is from now; null when none does. */
  | { readonly type: 'approvals.due'; readonly dueAt: number | null; readonly waitMs: number };

/** What approvals tell their parent. */
export type ApprovalsNotice =
  | ({ readonly type: 'approval.requested' } & Requested)
  | ({ readonly type: 'approval.settled' } & SettledApproval)
  /** After the single ones, once a turn: which actions go on, and which do not. */
  | {
      readonly type: 'approvals.decided';
      readonly approved: readonly string[];
      readonly denied: readonly { readonly action: string; readonly by: string | null; readonly note: string | null }[];
    };

/** What survives a restart. */
export interface ApprovalsContext {
  /** When the earliest approval expires; null when none does. */
  readonly dueAt: number | null;
  readonly waitMs: number;
}

type Due = { readonly dueAt: number | null; readonly waitMs: number };

/** How many approvals a turn expires. A4. */
export const EXPIRED_A_TURN = 1_000;

function decided(settled: readonly SettledApproval[]): Extract<ApprovalsNotice, { type: 'approvals.decided' }> {
  return {
    type: 'approvals.decided',
    approved: settled.filter(({ decision }) => decision === 'approve').map(({ action }) => action),
    denied: settled.filter(({ decision }) => decision === 'deny').map(({ action, by, note }) => ({ action, by, note })),
  };
}

/** Keeps actions waiting until somebody, or silence, has decided about each. */
export const approvalsMachine = setup({
  types: {} as { context: ApprovalsContext; events: ApprovalsEvent },
  guards: {
    isArmed: ({ context }, { dueAt }: Due) => dueAt === context.dueAt,
    isNever: (_, { dueAt }: Due) => dueAt === null,
  },
  delays: { expiry: ({ context }) => context.waitMs },
  actions: {
    /** Inserts an open approval per request unless its action has one; answers `approvals.requested` and `approvals.due`. */
    putRequests: notProvided('approvals', 'putRequests') as (
      _: unknown,
      p: { requests: readonly ApprovalRequest[] },
    ) => void,
    /** Writes the verdict if the approval is open; then answers `approvals.settled` and `approvals.due`. */
    putVerdict: notProvided('approvals', 'putVerdict') as (_: unknown, p: Verdict) => void,
    /** Settles the open approvals of these actions as withdrawn; answers as `putVerdict`. */
    withdraw: notProvided('approvals', 'withdraw') as (
      _: unknown,
      p: { actions: readonly string[]; at: number },
    ) => void,
    /** Settles open approvals that are due as their silence says, the earliest first; answers `approvals.due` in any case. */
    expire: notProvided('approvals', 'expire') as (_: unknown, p: { limit: number }) => void,
    setDue: assign((_, { dueAt, waitMs }: Due) => ({ dueAt, waitMs })),
    /** Tells the parent. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('approvals', 'announce') as (_: unknown, p: { notice: ApprovalsNotice }) => void,
  },
}).createMachine({
  id: 'approvals',
  version: '1',
  context: { dueAt: null, waitMs: 0 },
  initial: 'idle',
  on: {
    'approvals.request': { actions: { type: 'putRequests', params: ({ event }) => event } },
    'approvals.decide': { actions: { type: 'putVerdict', params: ({ event }) => event } },
    'approvals.withdraw': { actions: { type: 'withdraw', params: ({ event }) => event } },
    'approvals.requested': {
      actions: enqueueActions(({ enqueue, event }) => {
        for (const one of event.requested) {
          enqueue({ type: 'announce', params: { notice: { type: 'approval.requested', ...one } } });
        }
      }),
    },
    'approvals.settled': {
      actions: enqueueActions(({ enqueue, event }) => {
        for (const one of event.settled) {
          enqueue({ type: 'announce', params: { notice: { type: 'approval.settled', ...one } } });
        }
        const notice = decided(event.settled);
        if (notice.approved.length + notice.denied.length > 0) enqueue({ type: 'announce', params: { notice } });
      }),
    },
    'approvals.due': [
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
      after: { expiry: 'expiring' },
      // The timer runs already: one more approval must not cost a timer.
      on: { 'approvals.due': { guard: { type: 'isArmed', params: ({ event }) => event } } },
    },
    expiring: { entry: { type: 'expire', params: { limit: EXPIRED_A_TURN } } },
  },
});
