/**
 * What is done about a shortage. Whoever samples tells it where each resource stands (pressure.ts) when that changes, and
 * from time to time while something is not normal; a sample is no turn. Two things go on side by side:
 *
 *   admission   open ──pressed──> throttled ──'shed'──> shedding        relief   resting ──> choosing ──> relieving
 *                 ^──grown to all──┘  ^──nothing critical──┘                       ^──eased──┘ ^──coolingDown──┘
 *
 * How many actions run at once follows AIMD (D.-M. Chiu and R. Jain, 1989): halved each interval of pressure, more by a twelfth of
 * the concurrency each interval of calm. Any constant increase is theirs; that it is a part of the whole, and not one, is ours:
 * all run again after a dozen intervals, however many those are. A greater step swings further where the pressure comes back, and
 * that is halved at once. Beside that the rungs of a ladder are climbed, the mildest first, each with time to show what it does.
 *
 * A1  The limit is at least 1 while it is one: what runs is never stopped, and something always runs.
 * A2  Without pressure the limit grows until there is none. Silence is no pressure.
 * A3  What costs something is done only about what is critical, and only about what it helps.
 */
import { assign, enqueueActions, fromPromise, not, raise, setup, type PromiseActorLogic } from 'xstate';
import { PerdureError, messageOf } from '../errors.ts';
import { notProvided } from './not-provided.ts';
import { CALM, type Outlook, type PressureLevel, type ResourceStanding } from './pressure.ts';
import {
  COSTLY,
  DEFAULT_RELIEF,
  RESOURCES,
  RUNGS,
  type ReliefPolicy,
  type ResourceName,
  type Rung,
} from './resource-policy.ts';

export interface ResourcesInput {
  /** How many actions run at once when nothing is short. */
  readonly concurrency: number;
  readonly policy?: Partial<ReliefPolicy>;
}

/** Where the resources stand, by name. */
export type Standings = Readonly<Partial<Record<ResourceName, ResourceStanding>>>;

/** What survives a restart. */
export interface ResourcesContext {
  readonly concurrency: number;
  readonly policy: ReliefPolicy;
  readonly standings: Standings;
  /** How many actions run at once; null: as many as there may. */
  readonly limit: number | null;
  /** The next of the ladder. */
  readonly rung: number;
  /** How long nothing was heard, ms, as far as it was looked. */
  readonly silentMs: number;
}

/** What whoever samples says, and the host. */
export type ResourcesCommand =
  /** Where all that is watched stands; of what is not named nothing is known any more. */
  | { readonly type: 'resources.sample'; readonly at: number; readonly values: Standings }
  | {
      readonly type: 'resources.configure';
      readonly concurrency?: number;
      readonly policy?: Partial<ReliefPolicy>;
    }
  /** Does at once what is to be done next, if something is short. */
  | { readonly type: 'resources.optimize' }
  /** Nothing is watched any more, or it is another process, in which nothing is short: nothing is held back. */
  | { readonly type: 'resources.disable' };

export type ResourcesEvent = ResourcesCommand | { readonly type: 'resources.shed' };

/** What it has done. */
export type PressureAction = 'throttle' | 'recover' | Rung;

/** What the resources tell their parent: the world, the executor and the checkpoint. */
export type ResourcesNotice =
  | {
      readonly type: 'pressure.changed';
      readonly resource: ResourceName;
      readonly level: PressureLevel;
      readonly etaMs: number | null;
      readonly at: number;
    }
  | {
      readonly type: 'pressure.forecast';
      readonly resource: ResourceName;
      readonly forecast: Outlook;
      readonly etaMs: number | null;
      readonly earliestMs: number | null;
      readonly latestMs: number | null;
      readonly at: number;
    }
  | {
      readonly type: 'pressure.acted';
      readonly action: PressureAction;
      /** What is short, and is to be helped by it; none when it recovers. */
      readonly resources: readonly ResourceName[];
      /** How many actions run at once; null: as many as there may. */
      readonly limit: number | null;
      /** What it did, of a rung that does something. */
      readonly relief: Relief | null;
      /** What it failed of. */
      readonly error: string | null;
    }
  | { readonly type: 'executor.admit'; readonly limit: number | null; readonly shed: boolean }
  | { readonly type: 'supervisor.checkpoint'; readonly reason: 'pressure' }
  | { readonly type: 'supervisor.restartAdvised'; readonly resources: readonly ResourceName[] };

/** What is to be done, and about what. */
export interface ReliefInput {
  readonly rung: Extract<Rung, 'cleanUp' | 'prune' | 'runCleanups'>;
  readonly standings: Standings;
}

/** What was done. Plain data. */
export interface Relief {
  /** In words: which handlers, which cleanups. */
  readonly did: readonly string[];
  /** What was gained, where that could be seen. */
  readonly freedBytes: number | null;
}

type Args = { readonly context: ResourcesContext };
type Sample = Extract<ResourcesCommand, { type: 'resources.sample' }>;
type Configuring = Extract<ResourcesCommand, { type: 'resources.configure' }>;
type Entry = readonly [name: ResourceName, standing: ResourceStanding];

function entries(standings: Standings): readonly Entry[] {
  return Object.entries(standings) as unknown as readonly Entry[];
}

/** A2. */
function isSilent({ context: { silentMs, policy } }: Args): boolean {
  return silentMs >= policy.silenceMs;
}

/** Something is to be done about it. */
export function isShort({ level, forecast }: ResourceStanding): boolean {
  return level === 'critical' || forecast === 'imminent';
}

/** Those that are short, or will be soon. */
function short({ context }: Args): readonly Entry[] {
  return isSilent({ context }) ? [] : entries(context.standings).filter(([, standing]) => isShort(standing));
}

/** Those for which less at once is better. */
function pressing(args: Args): readonly ResourceName[] {
  return short(args).flatMap(([name]) => (RESOURCES[name].throttles ? [name] : []));
}

/** A3. */
function helpedBy(args: Args, rung: Rung): readonly ResourceName[] {
  const isDue = ({ level }: ResourceStanding) => level === 'critical' || !COSTLY.has(rung);
  return short(args).flatMap(([name, standing]) =>
    RESOURCES[name].rungs.includes(rung) && isDue(standing) ? [name] : [],
  );
}

/** The next that would help, from where the ladder stands; undefined when none is left. */
function nextRung(args: Args): number | undefined {
  const index = RUNGS.findIndex((rung, i) => i >= args.context.rung && helpedBy(args, rung).length > 0);
  return index === -1 ? undefined : index;
}

function rungOf(args: Args): Rung | undefined {
  const index = nextRung(args);
  return index === undefined ? undefined : RUNGS[index];
}

function isPressed(args: Args): boolean {
  return pressing(args).length > 0;
}

function isStrained(args: Args): boolean {
  return RUNGS.some((rung) => helpedBy(args, rung).length > 0);
}

/** A1. */
function halved({ context: { limit, concurrency } }: Args): Partial<ResourcesContext> {
  return { limit: Math.max(1, Math.floor((limit ?? concurrency) / 2)) };
}

/** After so many intervals of calm as many run at once as may. */
const REGAINED_IN = 12;

/** What there is after one more interval of calm. */
function more({ limit, concurrency }: ResourcesContext): number {
  return (limit ?? concurrency) + Math.ceil(concurrency / REGAINED_IN);
}

function grown({ context }: Args): Partial<ResourcesContext> {
  return { limit: Math.min(context.concurrency, more(context)) };
}

function hasRegained({ context }: Args): boolean {
  return more(context) >= context.concurrency;
}

function configured({ context }: Args, { concurrency = context.concurrency, policy }: Configuring) {
  return { concurrency, policy: { ...context.policy, ...policy } };
}

/** What is to be told of a sample. */
function news({ standings }: ResourcesContext, { at, values }: Sample): readonly ResourcesNotice[] {
  const names = Object.keys(RESOURCES) as ResourceName[];
  return names.flatMap((resource) => {
    const before = standings[resource] ?? CALM;
    const { level, forecast, etaMs, earliestMs, latestMs } = values[resource] ?? CALM;
    const notices: ResourcesNotice[] = [];
    if (level !== before.level) notices.push({ type: 'pressure.changed', resource, level, etaMs, at });
    if (forecast !== before.forecast)
      notices.push({ type: 'pressure.forecast', resource, forecast, etaMs, earliestMs, latestMs, at });
    return notices;
  });
}

interface Done {
  readonly action: PressureAction;
  readonly resources: readonly ResourceName[];
  readonly relief?: Relief | null;
  readonly error?: string | null;
}

function acted({ context: { limit } }: Args, { relief = null, error = null, ...done }: Done): ResourcesNotice {
  return { type: 'pressure.acted', ...done, limit, relief, error };
}

/** What the rung that is under way has come to. */
function climbed(args: Args, ending: Pick<Done, 'relief' | 'error'>): { notice: ResourcesNotice } {
  const action = RUNGS[args.context.rung] as Rung;
  return { notice: acted(args, { action, resources: helpedBy(args, action), ...ending }) };
}

function admitted({ context: { limit } }: Args, shed: boolean): { notice: ResourcesNotice } {
  return { notice: { type: 'executor.admit', limit, shed } };
}

function notPerformed(): never {
  throw new PerdureError('NOT_PROVIDED', 'The resources machine needs its reliever: spawn it with spawnSupervisor.');
}

const throttling = (shed: boolean) =>
  [
    'halve',
    { type: 'announce', params: ({ context }: Args) => admitted({ context }, shed) },
    {
      type: 'announce',
      params: ({ context }: Args) => ({
        notice: acted({ context }, { action: 'throttle', resources: pressing({ context }) }),
      }),
    },
  ] as const;
const recovered = {
  type: 'announce',
  params: ({ context }: Args) => ({ notice: acted({ context }, { action: 'recover', resources: [] }) }),
} as const;
const admitting = (shed: boolean) =>
  ({ type: 'announce', params: ({ context }: Args) => admitted({ context }, shed) }) as const;

/** Decides what is done about a resource that runs short. */
export const resourcesMachine = setup({
  types: {} as { input: ResourcesInput; context: ResourcesContext; events: ResourcesEvent },
  actors: {
    /** Climbs a rung. */
    reliever: fromPromise<Relief, ReliefInput>(notPerformed) as PromiseActorLogic<Relief, ReliefInput>,
  },
  delays: {
    interval: ({ context }) => context.policy.intervalMs,
    coolDown: ({ context }) => context.policy.coolDownMs,
    rest: ({ context }) => context.policy.restMs,
    reliefLimit: ({ context }) => context.policy.reliefMs,
  },
  guards: {
    isPressed,
    isStrained,
    canHalve: ({ context }) => isPressed({ context }) && context.limit !== 1,
    hasRegained: ({ context }) => !isPressed({ context }) && hasRegained({ context }),
    mayShed: ({ context }) => helpedBy({ context }, 'shed').length > 0,
    isNext: ({ context }, { rung }: { rung: Rung }) => rungOf({ context }) === rung,
    hasNext: ({ context }) => nextRung({ context }) !== undefined,
  },
  actions: {
    note: assign((_, { values }: { values: Standings }) => ({ standings: values, silentMs: 0 })),
    configure: assign((args, params: Configuring) => configured(args, params)),
    countSilence: assign({ silentMs: ({ context }) => context.silentMs + context.policy.intervalMs }),
    halve: assign(halved),
    grow: assign(grown),
    lift: assign({ limit: null }),
    forget: assign({ standings: {}, silentMs: 0 }),
    /** What is passed over would not help. */
    climb: assign({ rung: ({ context }) => nextRung({ context }) ?? context.rung }),
    goOn: assign({ rung: ({ context }) => context.rung + 1 }),
    startAnew: assign({ rung: 0 }),
    askToShed: raise({ type: 'resources.shed' } as const),
    /** Tells the supervisor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('resources', 'announce') as (_: unknown, p: { notice: ResourcesNotice }) => void,
  },
}).createMachine({
  id: 'resources',
  version: '1',
  context: ({ input }) => ({
    concurrency: input.concurrency,
    policy: { ...DEFAULT_RELIEF, ...input.policy },
    standings: {},
    limit: null,
    rung: 0,
    silentMs: 0,
  }),
  type: 'parallel',
  on: {
    'resources.sample': {
      actions: [
        enqueueActions(({ context, event, enqueue }) => {
          for (const notice of news(context, event)) enqueue({ type: 'announce', params: { notice } });
        }),
        { type: 'note', params: ({ event }) => event },
      ],
    },
    'resources.configure': { actions: { type: 'configure', params: ({ event }) => event } },
  },
  states: {
    admission: {
      initial: 'open',
      on: {
        'resources.disable': { target: '.open', actions: ['forget', 'lift', admitting(false), recovered] },
      },
      states: {
        open: { always: { guard: 'isPressed', target: 'throttled', actions: throttling(false) } },
        throttled: {
          on: { 'resources.shed': { target: 'shedding', actions: admitting(true) } },
          after: {
            interval: [
              {
                guard: 'canHalve',
                target: 'throttled',
                reenter: true,
                actions: ['countSilence', ...throttling(false)],
              },
              { guard: 'isPressed', target: 'throttled', reenter: true, actions: 'countSilence' },
              { guard: 'hasRegained', target: 'open', actions: ['lift', admitting(false), recovered] },
              { target: 'throttled', reenter: true, actions: ['countSilence', 'grow', admitting(false)] },
            ],
          },
        },
        shedding: {
          after: {
            interval: [
              { guard: not('mayShed'), target: 'throttled', actions: ['countSilence', admitting(false)] },
              { guard: 'canHalve', target: 'shedding', reenter: true, actions: ['countSilence', ...throttling(true)] },
              { target: 'shedding', reenter: true, actions: 'countSilence' },
            ],
          },
        },
      },
    },
    relief: {
      initial: 'resting',
      states: {
        resting: { entry: 'startAnew', always: { guard: 'isStrained', target: 'choosing' } },
        choosing: {
          always: [
            { guard: not('isStrained'), target: 'resting' },
            { guard: not('hasNext'), target: 'spent' },
            {
              guard: { type: 'isNext', params: { rung: 'shed' } },
              target: 'coolingDown',
              actions: ['climb', 'askToShed', { type: 'announce', params: ({ context }) => climbed({ context }, {}) }],
            },
            {
              guard: { type: 'isNext', params: { rung: 'restart' } },
              target: 'coolingDown',
              actions: [
                'climb',
                {
                  type: 'announce',
                  params: { notice: { type: 'supervisor.checkpoint', reason: 'pressure' } },
                },
                {
                  type: 'announce',
                  params: ({ context }) => ({
                    notice: {
                      type: 'supervisor.restartAdvised' as const,
                      resources: helpedBy({ context }, 'restart'),
                    },
                  }),
                },
                { type: 'announce', params: ({ context }) => climbed({ context }, {}) },
              ],
            },
            { target: 'relieving', actions: 'climb' },
          ],
        },
        relieving: {
          invoke: {
            id: 'reliever',
            src: 'reliever',
            input: ({ context }) => ({
              rung: RUNGS[context.rung] as ReliefInput['rung'],
              standings: context.standings,
            }),
            onDone: [
              {
                // There was nothing to do that would take time to show.
                guard: ({ event }) => event.output.did.length === 0,
                target: 'choosing',
                actions: [
                  { type: 'announce', params: ({ context, event }) => climbed({ context }, { relief: event.output }) },
                  'goOn',
                ],
              },
              {
                target: 'coolingDown',
                actions: {
                  type: 'announce',
                  params: ({ context, event }) => climbed({ context }, { relief: event.output }),
                },
              },
            ],
            // The next rung is climbed all the same.
            onError: {
              target: 'coolingDown',
              actions: {
                type: 'announce',
                params: ({ context, event }) => climbed({ context }, { error: messageOf(event.error) }),
              },
            },
          },
          after: {
            reliefLimit: {
              target: 'coolingDown',
              actions: {
                type: 'announce',
                params: ({ context }) =>
                  climbed({ context }, { error: `It took longer than ${context.policy.reliefMs} ms.` }),
              },
            },
          },
        },
        coolingDown: {
          exit: 'goOn',
          after: { coolDown: 'choosing' },
          on: { 'resources.optimize': 'choosing' },
        },
        // What has become critical meanwhile may be worth another; what is short again later is another shortage.
        spent: {
          always: [
            { guard: not('isStrained'), target: 'resting' },
            { guard: 'hasNext', target: 'choosing' },
          ],
          after: { rest: 'resting' },
          on: { 'resources.optimize': 'resting' },
        },
      },
    },
  },
});
