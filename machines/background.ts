/**
 * The pool of threads as an actor: whether it takes work, whether it has enough threads, and which module's threads die too
 * often. It is told only of what changes that, never of a job.
 *
 *   accepting <──eased── saturated        a module: healthy ──the R+1st death within T──> quarantined ──T later──> healthy
 *       └──pressed──────────^
 *   any ──drain──> draining ──close──> closed         any ──configure──> accepting: the pool of the next life
 *
 * Deaths are kept with their times, so that a restart of the process does not refill the allowance.
 */
import { assign, setup } from 'xstate';
import { notProvided } from './not-provided.ts';

export const DEFAULT_INTENSITY = 5;
export const DEFAULT_PERIOD_MS = 60_000;
/** The most deaths that can be borne: their times are kept. */
export const MOST_INTENSITY = 20;
/** Modules whose deaths are remembered, the latest: what is kept is bounded. */
const MODULES = 8;

export interface BackgroundPolicy {
  /** Threads at once. */
  readonly size: number;
  /** Deaths of one module's threads within `periodMs` that are borne; null for any number. */
  readonly intensity: number | null;
  readonly periodMs: number;
}

/** A module whose threads died. */
export interface ModuleDeaths {
  readonly module: string;
  /** Wall-clock ms since 1970, the latest last. */
  readonly at: readonly number[];
  /** Until when its actions fail at once; 0 for not at all. */
  readonly quarantinedUntil: number;
}

/** What survives a restart. */
export interface BackgroundContext {
  readonly policy: BackgroundPolicy;
  readonly modules: readonly ModuleDeaths[];
  /** All deaths so far. */
  readonly deaths: number;
}

export type BackgroundCommand =
  /** What the pool of this life is like. */
  | { readonly type: 'background.configure'; readonly policy: BackgroundPolicy; readonly at: number }
  /** Work has been waiting for a thread for a while. */
  | { readonly type: 'background.pressed'; readonly at: number }
  | { readonly type: 'background.eased'; readonly at: number }
  | { readonly type: 'background.died'; readonly module: string; readonly code: string; readonly at: number }
  | { readonly type: 'background.drain'; readonly at: number }
  | { readonly type: 'background.close'; readonly at: number };

/** What it tells the supervisor, and the supervisor the world. */
export type BackgroundNotice =
  | {
      readonly type: 'background.changed';
      readonly state: 'accepting' | 'saturated' | 'draining' | 'closed';
      readonly at: number;
    }
  | {
      readonly type: 'background.quarantined';
      readonly module: string;
      readonly code: string;
      readonly until: number;
      readonly at: number;
    };

type Args = { readonly context: BackgroundContext };
type Death = Extract<BackgroundCommand, { type: 'background.died' }>;

/** The module with one more death, and quarantined if that is one too many. */
function dead(
  before: ModuleDeaths | undefined,
  { module, at }: Death,
  { intensity, periodMs }: BackgroundPolicy,
): ModuleDeaths {
  const times = [...(before?.at ?? []), at].filter((time) => time > at - periodMs);
  if (intensity !== null && times.length > intensity) return { module, at: [], quarantinedUntil: at + periodMs };
  return { module, at: times.slice(-MOST_INTENSITY), quarantinedUntil: 0 };
}

function noteDeath({ context }: Args, death: Death): Partial<BackgroundContext> {
  const before = context.modules.find(({ module }) => module === death.module);
  // One that was still running when its module was quarantined says nothing new.
  const now = before !== undefined && before.quarantinedUntil > death.at ? before : dead(before, death, context.policy);
  const others = context.modules.filter((one) => one !== before);
  return { deaths: context.deaths + 1, modules: [...others, now].slice(-MODULES) };
}

/** Until when the actions of a module fail at once; 0 when they need not. */
export function quarantinedUntil({ modules }: Pick<BackgroundContext, 'modules'>, module: string, now: number): number {
  const until = modules.find((one) => one.module === module)?.quarantinedUntil ?? 0;
  return until > now ? until : 0;
}

function isOneTooMany({ context }: Args, death: Death): boolean {
  const until = (modules: BackgroundContext['modules']) => quarantinedUntil({ modules }, death.module, death.at);
  return until(context.modules) === 0 && until(noteDeath({ context }, death).modules ?? []) > 0;
}

function quarantined({ context, event }: Args & { readonly event: Death }): { notice: BackgroundNotice } {
  const { module, code, at } = event;
  return { notice: { type: 'background.quarantined', module, code, until: at + context.policy.periodMs, at } };
}

const changed = (state: Extract<BackgroundNotice, { type: 'background.changed' }>['state']) =>
  ({
    type: 'announce',
    params: ({ event }: { event: { readonly at: number } }) => ({
      notice: { type: 'background.changed' as const, state, at: event.at },
    }),
  }) as const;

/** Decides whose threads die too often, and says how the pool is. */
export const backgroundMachine = setup({
  types: {} as {
    input: { policy: BackgroundPolicy };
    context: BackgroundContext;
    events: BackgroundCommand;
  },
  guards: { isOneTooMany },
  actions: {
    setPolicy: assign({ policy: (_, { policy }: { policy: BackgroundPolicy }) => policy }),
    noteDeath: assign(noteDeath),
    /** Tells the supervisor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('background', 'announce') as (_: unknown, p: { notice: BackgroundNotice }) => void,
  },
}).createMachine({
  id: 'background',
  version: '1',
  context: ({ input }) => ({ policy: input.policy, modules: [], deaths: 0 }),
  initial: 'accepting',
  on: {
    // The threads of an earlier life are gone, whatever they were at.
    'background.configure': { target: '.accepting', actions: { type: 'setPolicy', params: ({ event }) => event } },
    'background.died': [
      {
        guard: { type: 'isOneTooMany', params: ({ event }) => event },
        actions: [
          { type: 'noteDeath', params: ({ event }) => event },
          { type: 'announce', params: quarantined },
        ],
      },
      { actions: { type: 'noteDeath', params: ({ event }) => event } },
    ],
    'background.drain': { target: '.draining', actions: changed('draining') },
  },
  states: {
    accepting: { on: { 'background.pressed': { target: 'saturated', actions: changed('saturated') } } },
    saturated: { on: { 'background.eased': { target: 'accepting', actions: changed('accepting') } } },
    draining: { on: { 'background.close': { target: 'closed', actions: changed('closed') } } },
    closed: {},
  },
});
