/**
 * A dependency that actions lean on. It answers each that asks whether it may call, learns from how the calls went, and
 * tells when the dependency is lost or back. It never calls anything itself: the probe is the next action that asks.
 *
 *   operational ──trips──────────> open ──openFor──> probing ──isProved──> operational
 *        │                          ^                   └─failed, slow───> open, for longer
 *        └─component.bypass─> bypassed ──component.restore──> operational      (bypass, reset and retire: from everywhere)
 *
 * C1  While it is open or bypassed nobody is permitted. It is open until `openUntil`: who asks later may probe, also if the
 *     timer is late; and who asks before it has opened, as the clock was set back.
 * C2  While it is probing at most `probes` calls are out, those of earlier probings included. Those that have not reported
 *     for `maxOpenMs` are given up and hold no place: they may never report, and must not keep it out of use for ever.
 * C3  What a call says counts only if it was permitted since the last opening, bypass or reset: its `generation` tells. A
 *     crowd of late time-outs does not open what has just been proved, and no late success closes what is open. A probe
 *     that was given up may still prove.
 * C4  While the whole is in a bad way, what is sheddable is left alone: a brownout.
 * C5  First attempts pay into the retry budget, retries take from it; a refused ask does neither.
 */
import { assign, sendTo, setup, type AnyActorRef } from 'xstate';
import { isSlow, nextOpenMs, tally, trips, withCall, type Call, type CallWindow } from './breaker.ts';
import type { ComponentPolicy } from './component-policy.ts';
import { notProvided } from './not-provided.ts';
import { isShed, type DegradationLevel } from './quality.ts';
import { afterCall, allowsRetry, fullBudget, retriesLeft, withinBudget, type Tokens } from './retry-budget.ts';

export interface ComponentInput {
  readonly name: string;
  readonly policy: ComponentPolicy;
  /** How much the whole can still do. Default: `full`. */
  readonly level?: DegradationLevel;
}

/** What survives a restart. */
export interface ComponentContext extends Required<ComponentInput> {
  readonly calls: CallWindow;
  readonly tokens: Tokens;
  /** How long it is open, or was the last time; 0 once it has closed. */
  readonly openForMs: number;
  readonly openUntil: number | null;
  /** Permits to probe that are out. */
  readonly probesOut: number;
  /** Probes of this probing that succeeded. */
  readonly proofs: number;
  /** Openings, bypasses, resets and givings up so far. */
  readonly generation: number;
  /** Of the last opening, bypass or reset: what was permitted before says nothing. */
  readonly validSince: number;
  /** Of the last giving up: probes from before hold no place. */
  readonly countedSince: number;
  /** How often it has opened. Refusals are no openings, and are not counted here. */
  readonly opens: number;
}

/** What a permit says; whoever has it gives both back with how the call went. */
export interface Permit {
  readonly probe: boolean;
  /** Without one, the call counts as one of now. */
  readonly generation?: number;
}

type CallEvent =
  | ({ readonly type: 'component.succeeded'; readonly durationMs: number; readonly at: number } & Permit)
  | ({
      readonly type: 'component.failed';
      readonly durationMs: number;
      readonly at: number;
      /** An error class. Permanent and programmer's errors and cancellations say nothing of the dependency. */
      readonly class: string;
    } & Permit)
  /** The call says nothing, or was never made. */
  | ({ readonly type: 'component.released' } & Permit);

export type ComponentCommand = 'bypass' | 'restore' | 'reset';

export type ComponentEvent =
  /** `at`, ms since 1970, is for the refusal: what has passed of the open time by then. */
  | { readonly type: 'component.ask'; readonly asker: AnyActorRef; readonly retry: boolean; readonly at?: number }
  | CallEvent
  | { readonly type: 'component.bypass' | 'component.restore' | 'component.reset'; readonly at: number }
  | { readonly type: 'component.configure'; readonly policy: ComponentPolicy; readonly at: number }
  /** Nobody names it any more: what was queued before is refused by nobody. It has no breaker until it is configured again. */
  | { readonly type: 'component.retire'; readonly at: number }
  /** How much the whole can still do. */
  | { readonly type: 'component.level'; readonly level: DegradationLevel };

/** `shed`: it works, and is left alone so that what matters more has what there is. */
export type Refusal = 'open' | 'bypassed' | 'retryBudget' | 'probing' | 'shed';

/** What whoever asked is told, in the same turn. */
export type ComponentAnswer =
  | { readonly type: 'action.permitted'; readonly probe: boolean; readonly generation: number }
  | {
      readonly type: 'action.refused';
      readonly reason: Refusal;
      /** When it will be probed, while it is open. */
      readonly openUntil: number | null;
      /** How long it stays open from the `at` of the ask, or at most when that has none; 0 when nobody can tell. */
      readonly retryAfterMs: number;
      /** Of the ask, if it said so. */
      readonly at?: number;
    };

/** `degraded`: it is out of use and has a fallback. `down`: it has none. */
export type ComponentStatus = 'operational' | 'degraded' | 'down' | 'probing' | 'bypassed';

/** What a component tells its parent. */
export interface ComponentNotice {
  readonly type: 'component.changed';
  readonly name: string;
  readonly status: ComponentStatus;
  /** What is lost while it is so, 0 to 1. */
  readonly loss: number;
  readonly at: number;
  /** When it will be probed, ms since 1970; only while it is open. */
  readonly openUntil?: number;
}

type Args = { readonly context: ComponentContext };
type Asked = { readonly event: Extract<ComponentEvent, { type: 'component.ask' }> };
type Called = { readonly event: CallEvent };
type Ended = Exclude<CallEvent, { type: 'component.released' }>;

const SILENT: ReadonlySet<string> = new Set(['permanent', 'programmer', 'cancelled']);

function generationOf({ context, event }: Args & Called): number {
  return event.generation ?? context.generation;
}

/** How a call went, if it says anything of the dependency as it is now (C3). */
function callOf({ context, event }: Args & Called): Call | undefined {
  if (event.type === 'component.released' || generationOf({ context, event }) < context.validSince) return;
  if (event.type === 'component.failed' && SILENT.has(event.class)) return;
  return { failed: event.type === 'component.failed', durationMs: event.durationMs };
}

function windowAfter({ context, event }: Args & Called): CallWindow {
  const call = callOf({ context, event });
  const { breaker } = context.policy;
  return breaker === null || call === undefined ? context.calls : withCall(breaker, context.calls, call);
}

function isTripping({ context, event }: Args & Called): boolean {
  const { breaker } = context.policy;
  if (breaker === null || callOf({ context, event }) === undefined) return false;
  return trips(breaker, windowAfter({ context, event }));
}

function returnsPlace({ context, event }: Args & Called): boolean {
  return event.probe && context.probesOut > 0 && generationOf({ context, event }) >= context.countedSince;
}

function placesAfter({ context, event }: Args & Called): number {
  return returnsPlace({ context, event }) ? context.probesOut - 1 : context.probesOut;
}

function noteOf({ context, event }: Args & Called): Partial<ComponentContext> {
  return { calls: windowAfter({ context, event }), probesOut: placesAfter({ context, event }) };
}

/** A window full of the same does not change: then nothing is written. */
function tellsMore({ context, event }: Args & Called): boolean {
  return windowAfter({ context, event }) !== context.calls;
}

/** A dependency that answers too late is not back. */
function isGood({ context }: Args, { failed, durationMs }: Call): boolean {
  const { breaker } = context.policy;
  return !failed && !(breaker !== null && isSlow(breaker, durationMs));
}

function isProof({ context, event }: Args & Called): boolean {
  const call = callOf({ context, event });
  return event.probe && call !== undefined && isGood({ context }, call);
}

function isDisproof({ context, event }: Args & Called): boolean {
  const call = callOf({ context, event });
  return event.probe && call !== undefined && !isGood({ context }, call);
}

function isProved({ context, event }: Args & Called): boolean {
  return isProof({ context, event }) && context.proofs + 1 >= (context.policy.breaker?.successes ?? 1);
}

/** Its open time is over, and the timer has not told yet: after a restart whoever asks may be first. Or it has not begun. */
function isDue({ context: { openUntil, openForMs }, event: { at } }: Args & Asked): boolean {
  return at !== undefined && openUntil !== null && (at >= openUntil || at < openUntil - openForMs);
}

function canProbe({ context, event }: Args & Asked): boolean {
  return isDue({ context, event }) && !hasNoPlace({ context }) && !isOverBudget({ context, event });
}

function hasNoPlace({ context }: Args): boolean {
  return context.probesOut >= (context.policy.breaker?.probes ?? Infinity);
}

function newGeneration({ context }: Args): Partial<ComponentContext> {
  const generation = context.generation + 1;
  return { generation, validSince: generation };
}

function givenUp({ context }: Args): Partial<ComponentContext> {
  const generation = context.generation + 1;
  return { generation, countedSince: generation, probesOut: 0 };
}

function opened({ context }: Args, event: Ended): Partial<ComponentContext> {
  const openForMs = context.policy.breaker === null ? 0 : nextOpenMs(context.policy.breaker, context.openForMs);
  const openUntil = event.at + openForMs;
  return { ...newGeneration({ context }), calls: '', proofs: 0, openForMs, openUntil, opens: context.opens + 1 };
}

function isOverBudget({ context, event }: Args & Asked): boolean {
  return event.retry && !allowsRetry(context.policy.retryBudget, context.tokens);
}

function isShedding({ context: { level, policy } }: Args): boolean {
  return isShed(level, policy.criticality);
}

function tokensAfter({ context, event }: Args & Asked): Tokens {
  return afterCall(context.policy.retryBudget, context.tokens, event.retry);
}

function movesTokens({ context, event }: Args & Asked): boolean {
  return tokensAfter({ context, event }) !== context.tokens;
}

type Configuring = { readonly policy: ComponentPolicy };
type Timing = Configuring & { readonly at: number };

function hasNoBreaker({ event }: { readonly event: Configuring }): boolean {
  return event.policy.breaker === null;
}

function hasBreaker({ context }: Args): boolean {
  return context.policy.breaker !== null;
}

function configured({ context }: Args, { policy }: Configuring): Partial<ComponentContext> {
  const wasLimited = context.policy.retryBudget !== null;
  return {
    policy,
    calls: policy.breaker === null ? '' : context.calls,
    tokens: wasLimited ? withinBudget(policy.retryBudget, context.tokens) : fullBudget(policy.retryBudget),
  };
}

/** What was opened under another policy is open no longer than this one says from now on. */
function openedUnder({ context }: Args, { policy, at }: Timing): Partial<ComponentContext> {
  const openForMs = longestOpenMs(context.policy, policy);
  return { openForMs, openUntil: Math.min(context.openUntil ?? Infinity, at + openForMs) };
}

function longestOpenMs({ breaker: before }: ComponentPolicy, { breaker }: ComponentPolicy): number {
  if (before === null || breaker === null) return Infinity;
  return breaker.openMs < before.openMs ? breaker.openMs : breaker.maxOpenMs;
}

function isShortened({ context, event }: Args & { readonly event: Timing }): boolean {
  return context.openForMs > longestOpenMs(context.policy, event.policy);
}

export interface Replying {
  readonly asker: AnyActorRef;
  readonly answer: ComponentAnswer;
}

function permitting({ context: { generation }, event: { asker } }: Args & Asked, probe: boolean): Replying {
  return { asker, answer: { type: 'action.permitted', probe, generation } };
}

function refusing({ context, event: { asker, at } }: Args & Asked, reason: Refusal): Replying {
  const time = at === undefined ? {} : { at };
  if (reason !== 'open')
    return { asker, answer: { type: 'action.refused', reason, openUntil: null, retryAfterMs: 0, ...time } };
  const { openUntil, openForMs } = context;
  const retryAfterMs = at === undefined || openUntil === null ? openForMs : Math.max(0, openUntil - at);
  return { asker, answer: { type: 'action.refused', reason, openUntil, retryAfterMs, ...time } };
}

type State = 'operational' | 'open' | 'probing' | 'bypassed';

function statusOf({ context }: Args, state: State): ComponentStatus {
  if (state !== 'open') return state;
  return context.policy.hasFallback ? 'degraded' : 'down';
}

function changed({ context }: Args, state: State, at: number): { readonly notice: ComponentNotice } {
  const { name, policy } = context;
  // Open only until its time is over, so that what it sheds ends by itself: the next call to a component that is being
  // probed may be of the very work that its loss would shed, or may never come.
  const loss = state === 'operational' || state === 'probing' ? 0 : policy.hasFallback ? policy.loss : 1;
  const open = state === 'open' && context.openUntil !== null ? { openUntil: context.openUntil } : {};
  return { notice: { type: 'component.changed', name, status: statusOf({ context }, state), loss, at, ...open } };
}

/** What is to be shown of a component. */
export interface ComponentReport {
  readonly name: string;
  readonly status: ComponentStatus;
  readonly openUntil: number | null;
  readonly opens: number;
  /** Of the window. */
  readonly calls: { readonly total: number; readonly failed: number; readonly slow: number };
  /** Null: they are not limited. */
  readonly retriesLeft: number | null;
}

/** Reads a component's snapshot. */
export function componentReport({ value, context }: { value: unknown; context: ComponentContext }): ComponentReport {
  const state = (typeof value === 'string' ? value : 'probing') as State;
  return {
    name: context.name,
    status: statusOf({ context }, state),
    openUntil: state === 'open' ? context.openUntil : null,
    opens: context.opens,
    calls: { total: context.calls.length, ...tally(context.calls) },
    retriesLeft: context.policy.retryBudget === null ? null : retriesLeft(context.tokens),
  };
}

const withEvent = <E>({ event }: { readonly event: E }) => ({ event });
const noteCall = { type: 'noteCall', params: withEvent<CallEvent> } as const;
const returnPlace = { type: 'returnPlace', params: withEvent<CallEvent> } as const;
const moveTokens = { type: 'moveTokens', params: withEvent<Asked['event']> } as const;

type Timed = { readonly event: { readonly at: number } };

function tell(state: State) {
  return {
    type: 'announce',
    params: ({ context, event }: Args & Timed) => changed({ context }, state, event.at),
  } as const;
}

function permit(probe: boolean) {
  return { type: 'reply', params: (args: Args & Asked) => permitting(args, probe) } as const;
}

function refuse(reason: Refusal) {
  return { type: 'reply', params: (args: Args & Asked) => refusing(args, reason) } as const;
}

const opening = {
  target: '#component.open',
  actions: [returnPlace, { type: 'open', params: withEvent<Ended> }, tell('open')],
} as const;

const tellProbing = {
  type: 'announce',
  params: ({ context }: Args) => changed({ context }, 'probing', context.openUntil ?? 0),
} as const;

/** A result that nobody waits for any more still frees the place of a probe. */
const leftOver = { guard: returnsPlace, actions: returnPlace } as const;

/** Permits and refuses calls of one dependency. */
export const componentMachine = setup({
  types: {} as { input: ComponentInput; context: ComponentContext; events: ComponentEvent },
  delays: {
    openFor: ({ context }) => context.openForMs,
    giveUp: ({ context }) => context.policy.breaker?.maxOpenMs ?? 0,
  },
  guards: { hasNoPlace },
  actions: {
    noteCall: assign(({ context }, { event }: Called) => noteOf({ context, event })),
    returnPlace: assign(({ context }, { event }: Called) => ({ probesOut: placesAfter({ context, event }) })),
    takePlace: assign({ probesOut: ({ context }) => context.probesOut + 1 }),
    giveUpProbes: assign(givenUp),
    countProof: assign({ proofs: ({ context }) => context.proofs + 1 }),
    open: assign(({ context }, { event }: { readonly event: Ended }) => opened({ context }, event)),
    close: assign({ calls: '', openForMs: 0, openUntil: null, proofs: 0 }),
    beginGeneration: assign(newGeneration),
    moveTokens: assign(({ context }, { event }: Asked) => ({ tokens: tokensAfter({ context, event }) })),
    refill: assign({ tokens: ({ context }) => fullBudget(context.policy.retryBudget) }),
    configure: assign(configured),
    /** Before `configure`. */
    shorten: assign(({ context }, timing: Timing) => openedUnder({ context }, timing)),
    dropBreaker: assign({ policy: ({ context }) => ({ ...context.policy, breaker: null }) }),
    reply: sendTo(
      (_, { asker }: Replying) => asker,
      (_, { answer }: Replying) => answer,
    ),
    /** Tells the degradation actor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('component', 'announce') as (_: unknown, p: { notice: ComponentNotice }) => void,
  },
}).createMachine({
  id: 'component',
  version: '1',
  context: ({ input }) => ({
    level: 'full',
    ...input,
    calls: '',
    tokens: fullBudget(input.policy.retryBudget),
    openForMs: 0,
    openUntil: null,
    probesOut: 0,
    proofs: 0,
    generation: 0,
    validSince: 0,
    countedSince: 0,
    opens: 0,
  }),
  initial: 'operational',
  on: {
    'component.succeeded': leftOver,
    'component.failed': leftOver,
    'component.released': leftOver,
    'component.bypass': { target: '.bypassed', actions: ['close', 'beginGeneration', tell('bypassed')] },
    'component.restore': { target: '.operational', actions: ['close', tell('operational')] },
    'component.level': { actions: assign({ level: ({ event }) => event.level }) },
    'component.reset': {
      target: '.operational',
      actions: ['close', 'beginGeneration', 'refill', tell('operational')],
    },
    'component.retire': {
      target: '.operational',
      actions: ['close', 'beginGeneration', 'refill', 'dropBreaker', tell('operational')],
    },
  },
  states: {
    operational: {
      on: {
        'component.ask': [
          { guard: isShedding, actions: refuse('shed') },
          { guard: isOverBudget, actions: refuse('retryBudget') },
          { guard: movesTokens, actions: [moveTokens, permit(false)] },
          { actions: permit(false) },
        ],
        'component.succeeded': [
          { guard: isTripping, ...opening },
          { guard: tellsMore, actions: noteCall },
        ],
        'component.failed': [
          { guard: isTripping, ...opening },
          { guard: tellsMore, actions: noteCall },
        ],
        'component.restore': {},
        'component.configure': { actions: { type: 'configure', params: ({ event }) => event } },
        'component.retire': [{ guard: hasBreaker, actions: 'dropBreaker' }, {}],
      },
    },
    open: {
      on: {
        'component.ask': [
          { guard: canProbe, target: 'probing', actions: [tellProbing, moveTokens, 'takePlace', permit(true)] },
          { actions: refuse('open') },
        ],
        'component.configure': [
          {
            guard: hasNoBreaker,
            target: 'operational',
            actions: [{ type: 'configure', params: ({ event }) => event }, 'close', tell('operational')],
          },
          {
            guard: isShortened,
            target: 'open',
            reenter: true,
            actions: [
              { type: 'shorten', params: ({ event }) => event },
              { type: 'configure', params: ({ event }) => event },
              tell('open'),
            ],
          },
          { actions: [{ type: 'configure', params: ({ event }) => event }, tell('open')] },
        ],
      },
      after: {
        openFor: { target: 'probing', actions: tellProbing },
      },
    },
    probing: {
      initial: 'vacant',
      on: {
        'component.ask': { actions: refuse('probing') },
        'component.succeeded': [
          { guard: isProved, target: 'operational', actions: [returnPlace, 'close', tell('operational')] },
          { guard: isProof, target: '.vacant', actions: [returnPlace, 'countProof'] },
          { guard: isDisproof, ...opening },
          { guard: returnsPlace, target: '.vacant', actions: returnPlace },
        ],
        'component.failed': [
          { guard: isDisproof, ...opening },
          { guard: returnsPlace, target: '.vacant', actions: returnPlace },
        ],
        'component.released': { guard: returnsPlace, target: '.vacant', actions: returnPlace },
        'component.configure': [
          {
            guard: hasNoBreaker,
            target: 'operational',
            actions: [{ type: 'configure', params: ({ event }) => event }, 'close', tell('operational')],
          },
          { target: '.vacant', actions: [{ type: 'configure', params: ({ event }) => event }, tell('probing')] },
        ],
      },
      states: {
        vacant: {
          always: { guard: 'hasNoPlace', target: 'full' },
          on: {
            'component.ask': [
              { guard: isOverBudget, actions: refuse('retryBudget') },
              { actions: [moveTokens, 'takePlace', permit(true)] },
            ],
          },
        },
        full: {
          after: { giveUp: { target: 'vacant', actions: 'giveUpProbes' } },
        },
      },
    },
    bypassed: {
      on: {
        'component.ask': { actions: refuse('bypassed') },
        'component.bypass': {},
        'component.configure': { actions: [{ type: 'configure', params: ({ event }) => event }, tell('bypassed')] },
      },
    },
  },
});
