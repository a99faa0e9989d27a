/**
 * The error budget. What was charged is rows; the machine asks for a count when something bad was charged, and from time
 * to time while it is not healthy, because only then can time change anything (B2). At most one count a second.
 *
 *   healthy ──> slowBurn ──> fastBurn ──> exhausted      at once, on a charge
 *      ^────────────┴────────────┴────────────┘          below `exitRatio` for `dwellMs`
 */
import { assign, setup, stateIn } from 'xstate';
import { BUDGET_TIERS, type BudgetPolicy, type BudgetTier } from './budget-policy.ts';
import { burnOf, concentrationOf, judge, spentOf, type BudgetCounts, type FaultShare } from './burn.ts';
import { notProvided } from './not-provided.ts';

export interface BudgetInput {
  readonly policy: BudgetPolicy;
}

/** What survives a restart. */
export interface BudgetContext extends BudgetInput {
  /** Since when it looks better than its tier; null when it does not. */
  readonly improvingSince: number | null;
}

/** The answer to a count. */
export interface BudgetCounted extends BudgetCounts {
  readonly type: 'budget.counted';
  /** Something was charged since the last count, or the policy is another. */
  readonly news: boolean;
  readonly faults: readonly FaultShare[];
}

export type BudgetEvent =
  /** Something bad was charged. */
  | { readonly type: 'budget.charged'; readonly at: number }
  | BudgetCounted
  | { readonly type: 'budget.configure'; readonly policy: BudgetPolicy }
  /** Forgets what was charged. */
  | { readonly type: 'budget.reset'; readonly at: number };

/** What the budget tells its parent. */
export interface BudgetNotice {
  readonly type: 'budget.changed';
  readonly tier: BudgetTier;
  readonly burn: number;
  /** Which part of the budget is gone; above 1 when more than all. */
  readonly spent: number;
  /** The Herfindahl index of the faults: 1 when all are the same. */
  readonly concentration: number;
  /** Fingerprints that were not seen before lately, the most frequent first, five at most. */
  readonly fresh: readonly string[];
  readonly at: number;
}

type Args = { readonly context: BudgetContext };
type Move = { readonly from: BudgetTier; readonly to: BudgetTier; readonly counted: BudgetCounted };

function standing({ context }: Args, tier: BudgetTier, counted: BudgetCounted) {
  return judge(context.policy, { tier, improvingSince: context.improvingSince }, counted, counted.news);
}

function becomes(args: Args, { from, to, counted }: Move): boolean {
  return standing(args, from, counted).tier === to;
}

function noticeOf({ context: { policy } }: Args, tier: BudgetTier, counted: BudgetCounted): BudgetNotice {
  const { at, faults } = counted;
  return {
    type: 'budget.changed',
    tier,
    burn: burnOf(policy, counted),
    spent: spentOf(policy, counted),
    concentration: concentrationOf(faults),
    fresh: faults.flatMap(({ fingerprint, isNew }) => (isNew ? [fingerprint] : [])).slice(0, 5),
    at,
  };
}

/** Where a count leads from a tier. */
function moves(from: BudgetTier) {
  return [
    ...BUDGET_TIERS.filter((to) => to !== from).map((to) => ({
      target: to,
      guard: {
        type: 'becomes' as const,
        params: ({ event }: { event: BudgetCounted }) => ({ from, to, counted: event }),
      },
      actions: [
        { type: 'note' as const, params: { improvingSince: null } },
        {
          type: 'announce' as const,
          params: ({ context, event }: Args & { event: BudgetCounted }) => ({
            notice: noticeOf({ context }, to, event),
          }),
        },
      ],
    })),
    {
      guard: {
        type: 'differs' as const,
        params: ({ event }: { event: BudgetCounted }) => ({ from, counted: event }),
      },
      actions: {
        type: 'note' as const,
        params: ({ context, event }: Args & { event: BudgetCounted }) => standing({ context }, from, event),
      },
    },
  ];
}

function refilled({ event }: { event: { at: number } }): { notice: BudgetNotice } {
  const nothing = { burn: 0, spent: 0, concentration: 0, fresh: [] };
  return { notice: { type: 'budget.changed', tier: 'healthy', ...nothing, at: event.at } };
}

const onReset = {
  target: 'healthy',
  actions: [
    { type: 'note', params: { improvingSince: null } },
    { type: 'announce', params: refilled },
  ],
} as const;

/** Charges go into rows; this says how fast the budget burns, and when that changes. */
export const budgetMachine = setup({
  types: {} as { input: BudgetInput; context: BudgetContext; events: BudgetEvent },
  guards: {
    becomes,
    differs: (args: Args, { from, counted }: Omit<Move, 'to'>) =>
      standing(args, from, counted).improvingSince !== args.context.improvingSince,
    isHealthy: stateIn({ tier: 'healthy' }),
  },
  delays: {
    /** Between two counts. */
    gapMs: 1_000,
    /** Between two looks at what time alone has changed. */
    tickMs: ({ context }) => Math.max(1_000, context.policy.bucketMs),
  },
  actions: {
    /** Counts the rows of the budget, and answers `budget.counted`. */
    count: notProvided('budget', 'count') as (_: unknown, p: { policy: BudgetPolicy; news: boolean }) => void,
    /** Removes the rows of the budget. */
    forget: notProvided('budget', 'forget') as () => void,
    note: assign((_, { improvingSince }: { improvingSince: number | null }) => ({ improvingSince })),
    configure: assign((_, { policy }: { policy: BudgetPolicy }) => ({ policy })),
    /** Tells the supervisor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('budget', 'announce') as (_: unknown, p: { notice: BudgetNotice }) => void,
  },
}).createMachine({
  id: 'budget',
  version: '1',
  context: ({ input: { policy } }) => ({ policy, improvingSince: null }),
  type: 'parallel',
  states: {
    tier: {
      initial: 'healthy',
      states: {
        healthy: { on: { 'budget.counted': moves('healthy') } },
        slowBurn: { on: { 'budget.counted': moves('slowBurn'), 'budget.reset': onReset } },
        fastBurn: { on: { 'budget.counted': moves('fastBurn'), 'budget.reset': onReset } },
        exhausted: { on: { 'budget.counted': moves('exhausted'), 'budget.reset': onReset } },
      },
    },
    watch: {
      initial: 'idle',
      on: {
        'budget.reset': { target: '.idle', actions: 'forget' },
        'budget.configure': {
          target: '.pausing',
          actions: [
            { type: 'configure', params: ({ event }) => event },
            { type: 'count', params: ({ event }) => ({ policy: event.policy, news: true }) },
          ],
        },
      },
      states: {
        idle: {
          on: {
            'budget.charged': {
              target: 'pausing',
              actions: { type: 'count', params: ({ context }) => ({ policy: context.policy, news: true }) },
            },
          },
        },
        /** Counted less than a second ago. */
        pausing: {
          initial: 'upToDate',
          states: {
            upToDate: { on: { 'budget.charged': 'behind' } },
            behind: {},
          },
          after: {
            gapMs: [
              {
                guard: stateIn({ watch: { pausing: 'behind' } }),
                target: 'pausing',
                reenter: true,
                actions: { type: 'count', params: ({ context }) => ({ policy: context.policy, news: true }) },
              },
              { guard: 'isHealthy', target: 'idle' },
              { target: 'ticking' },
            ],
          },
        },
        /** Waits for time to mend what it can. */
        ticking: {
          always: { guard: 'isHealthy', target: 'idle' },
          on: {
            'budget.charged': {
              target: 'pausing',
              actions: { type: 'count', params: ({ context }) => ({ policy: context.policy, news: true }) },
            },
          },
          after: {
            tickMs: {
              target: 'pausing',
              actions: { type: 'count', params: ({ context }) => ({ policy: context.policy, news: false }) },
            },
          },
        },
      },
    },
  },
});
