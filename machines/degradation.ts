/**
 * How much the whole can still do. One `component` actor per dependency; from what they tell, a quality between 0 and 1 and
 * the level that it reads as. The level follows a loss at once and a recovery only after it has held for a while, so that
 * what depends on it does not flap.
 *
 *   steady ──couldImprove──> recovering ──dwell──> steady, at the worst level that was read meanwhile
 *                                 └─(it could not any more)──> steady
 */
import { assign, enqueueActions, sendTo, setup } from 'xstate';
import { componentMachine, type ComponentCommand, type ComponentNotice, type ComponentStatus } from './component.ts';
import { MAX_COMPONENTS, type ComponentPolicy } from './component-policy.ts';
import { notProvided } from './not-provided.ts';
import { composeQuality, isWorse, levelOf, type DegradationLevel } from './quality.ts';

export interface DegradationInput {
  /** How long a better quality must hold before the level improves, ms. Default: 30,000. */
  readonly dwellMs?: number;
}

/** A component as the whole sees it. */
export interface ComponentStanding {
  readonly status: ComponentStatus;
  readonly loss: number;
  /** 0 once no action leans on it any more. */
  readonly weight: number;
}

/** What survives a restart. */
export interface DegradationContext {
  readonly dwellMs: number;
  readonly components: Readonly<Record<string, ComponentStanding>>;
  /** Of now. */
  readonly quality: number;
  readonly level: DegradationLevel;
  /** While it recovers: the worst level that was read since it began to. */
  readonly held: DegradationLevel;
}

export type DegradationEvent =
  /** Known ones get the new policy; those that are not named stay, and weigh nothing. */
  | {
      readonly type: 'degradation.configure';
      readonly components: Readonly<Record<string, ComponentPolicy>>;
      readonly at: number;
    }
  /** Of an unknown component: nothing happens. */
  | {
      readonly type: 'degradation.command';
      readonly component: string;
      readonly command: ComponentCommand;
      readonly at: number;
    }
  | ComponentNotice;

/** What the degradation actor tells its parent. */
export type DegradationNotice =
  | { readonly type: 'degradation.changed'; readonly level: DegradationLevel; readonly quality: number }
  | ComponentNotice;

/** The id and the systemId of a component's actor. */
export function componentId(name: string): string {
  return `component ${name}`;
}

/** XState remembers the types of events for ever, so none is made while it runs. */
const COMMANDS = {
  bypass: 'component.bypass',
  restore: 'component.restore',
  reset: 'component.reset',
} as const satisfies Record<ComponentCommand, string>;

type Args = { readonly context: DegradationContext };
type Standings = DegradationContext['components'];
type Configuring = { readonly components: Readonly<Record<string, ComponentPolicy>>; readonly at: number };

function knows({ components }: DegradationContext, name: string): boolean {
  return Object.hasOwn(components, name);
}

function afterNotice({ context }: Args, { name, status, loss }: ComponentNotice): Standings {
  const known = context.components[name];
  if (known === undefined || !knows(context, name)) return context.components;
  return { ...context.components, [name]: { ...known, status, loss } };
}

/** Those that are not configured any more and for which there is no room, the oldest first. */
function surplus({ context }: Args, { components }: Configuring): readonly string[] {
  const left = Object.keys(context.components).filter((name) => !Object.hasOwn(components, name));
  return left.slice(0, Math.max(0, left.length + Object.keys(components).length - MAX_COMPONENTS));
}

function afterConfigure({ context }: Args, params: Configuring): Standings {
  const gone = surplus({ context }, params);
  const kept = Object.entries(context.components)
    .filter(([name]) => !gone.includes(name))
    .map(([name, standing]) => [name, { ...standing, weight: 0 }] as const);
  const named = Object.entries(params.components).map(
    ([name, { weight }]) =>
      [
        name,
        { status: 'operational', loss: 0, ...(knows(context, name) ? context.components[name] : {}), weight },
      ] as const,
  );
  return Object.fromEntries([...kept, ...named]);
}

/** A loss shows at once: in the level, and in the level to which it may recover. */
function read({ context }: Args, components: Standings): Partial<DegradationContext> {
  const quality = composeQuality(Object.values(components).map(({ loss, weight }) => loss * weight));
  const now = levelOf(quality);
  const level = isWorse(now, context.level) ? now : context.level;
  const held = isWorse(now, context.held) ? now : context.held;
  return { components, quality, level, held };
}

function couldImprove({ context }: Args): boolean {
  return isWorse(context.level, levelOf(context.quality));
}

function isFelt({ context }: Args, components: Standings): boolean {
  return read({ context }, components).quality !== context.quality;
}

function changed({ context: { level, quality } }: Args): { readonly notice: DegradationNotice } {
  return { notice: { type: 'degradation.changed', level, quality } };
}

const tell = { type: 'announce', params: changed } as const;

/** Supervises the components, and reads the level of the whole from them. */
export const degradationMachine = setup({
  types: {} as { input: DegradationInput; context: DegradationContext; events: DegradationEvent },
  actors: { component: componentMachine },
  delays: { dwell: ({ context }) => context.dwellMs },
  guards: { couldImprove, couldNot: ({ context }) => !couldImprove({ context }) },
  actions: {
    note: assign(({ context }, notice: ComponentNotice) => read({ context }, afterNotice({ context }, notice))),
    adopt: assign(({ context, spawn }, params: Configuring) => {
      for (const [name, policy] of Object.entries(params.components)) {
        if (knows(context, name)) continue;
        const input = { name, policy, level: context.level };
        spawn('component', { id: componentId(name), systemId: componentId(name), input });
      }
      return read({ context }, afterConfigure({ context }, params));
    }),
    command: sendTo(
      (_, { component }: { component: string; command: ComponentCommand; at: number }) => componentId(component),
      (_, { command, at }) => ({ type: COMMANDS[command], at }),
    ),
    hold: assign({ held: ({ context }) => levelOf(context.quality) }),
    improve: assign({ level: ({ context }) => context.held }),
    /** Brownout: what is sheddable is left alone while the level is bad. */
    spread: enqueueActions<
      DegradationContext,
      DegradationEvent,
      undefined,
      DegradationEvent,
      never,
      never,
      never,
      never,
      never
    >(({ context: { components, level }, enqueue }) => {
      for (const name of Object.keys(components)) enqueue.sendTo(componentId(name), { type: 'component.level', level });
    }),
    /** Before `adopt`: known are those that were there already. */
    reconfigure: enqueueActions<
      DegradationContext,
      DegradationEvent,
      Configuring,
      DegradationEvent,
      never,
      never,
      never,
      never,
      never
    >(({ context, enqueue }, params: Configuring) => {
      for (const name of Object.keys(context.components)) {
        if (!Object.hasOwn(params.components, name))
          enqueue.sendTo(componentId(name), { type: 'component.retire', at: params.at });
      }
      for (const name of surplus({ context }, params)) enqueue.stopChild(componentId(name));
      for (const [name, policy] of Object.entries(params.components)) {
        if (!knows(context, name)) continue;
        enqueue.sendTo(componentId(name), { type: 'component.configure', policy, at: params.at });
      }
    }),
    /** Tells the supervisor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('degradation', 'announce') as (_: unknown, p: { notice: DegradationNotice }) => void,
  },
}).createMachine({
  id: 'degradation',
  version: '1',
  context: ({ input }) => ({
    dwellMs: input?.dwellMs ?? 30_000,
    components: {},
    quality: 1,
    level: 'full',
    held: 'full',
  }),
  initial: 'steady',
  on: {
    'degradation.configure': [
      {
        guard: ({ context, event }) => isFelt({ context }, afterConfigure({ context }, event)),
        actions: [
          { type: 'reconfigure', params: ({ event }) => event },
          { type: 'adopt', params: ({ event }) => event },
          tell,
          'spread',
        ],
      },
      {
        actions: [
          { type: 'reconfigure', params: ({ event }) => event },
          { type: 'adopt', params: ({ event }) => event },
        ],
      },
    ],
    'degradation.command': {
      guard: ({ context, event }) => knows(context, event.component),
      actions: { type: 'command', params: ({ event }) => event },
    },
    'component.changed': [
      {
        guard: ({ context, event }) => isFelt({ context }, afterNotice({ context }, event)),
        actions: [
          { type: 'note', params: ({ event }) => event },
          { type: 'announce', params: ({ event }) => ({ notice: event }) },
          tell,
          'spread',
        ],
      },
      {
        actions: [
          { type: 'note', params: ({ event }) => event },
          { type: 'announce', params: ({ event }) => ({ notice: event }) },
        ],
      },
    ],
  },
  states: {
    steady: {
      always: { guard: 'couldImprove', target: 'recovering' },
    },
    recovering: {
      entry: 'hold',
      always: { guard: 'couldNot', target: 'steady' },
      after: { dwell: { target: 'steady', actions: ['improve', tell, 'spread'] } },
    },
  },
});
