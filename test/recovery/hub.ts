/** The durable tree of the kill tests. Its root counts everything that must happen once, and what happened wrongly. */
import {
  assign,
  cancel,
  enqueueActions,
  fromPromise,
  sendParent,
  sendTo,
  setup,
  stopChild,
  type AnyActorRef,
} from 'xstate';
import { effectOf } from '../../persistence/effects.ts';
import type { TableSpec } from '../../persistence/schema.ts';
import type { ClientEvent } from './workload.ts';

/** A row per effect, written in the turn that asks for it: an effect without its row ran for a turn that never was. */
export const marksTable: TableSpec = {
  name: 'marks',
  columns: ['marker text primary key', 'work text not null'],
  key: 'marker',
};

export interface HubContext {
  /** The number of the last event of each client. */
  readonly last: Readonly<Record<string, number>>;
  readonly kids: Map<string, AnyActorRef>;
  readonly alarms: Map<string, { readonly due: number }>;
  readonly works: Map<string, string>;
  readonly rang: number;
  readonly cancelled: number;
  readonly done: number;
  readonly pokes: number;
  readonly aged: number;
  /** What must never happen, in words. */
  readonly wrong: readonly string[];
}

type Rang = { readonly type: 'alarm.rang'; readonly alarm: string; readonly due: number };

export type HubEvent =
  ClientEvent | Rang | { readonly type: 'kid.poked' } | { readonly type: 'kid.aged'; readonly kid: string };

/** What the hub needs of the world. */
export interface World {
  mark(marker: string, work: string): void;
  /** The effect itself: leaves its trace outside of the store. */
  trace(line: string): void;
  newId(): string;
  now(): number;
}

const kid = setup({
  types: {} as {
    context: { name: string; ages: boolean; pokes: number };
    input: { name: string; ages: boolean };
    events: { type: 'poke' } | { type: 'alarm'; alarm: string; due: number; boss: AnyActorRef };
  },
  guards: { ages: ({ context }) => context.ages },
}).createMachine({
  id: 'kid',
  context: ({ input }) => ({ ...input, pokes: 0 }),
  on: {
    poke: {
      actions: [assign({ pokes: ({ context }) => context.pokes + 1 }), sendParent({ type: 'kid.poked' })],
    },
    alarm: {
      actions: sendTo(
        ({ event }) => event.boss,
        ({ event }) => ({ type: 'alarm.rang', alarm: event.alarm, due: event.due }),
      ),
    },
  },
  initial: 'young',
  states: {
    young: { after: { 40: { guard: 'ages', target: 'old' } } },
    old: { entry: sendParent(({ context }) => ({ type: 'kid.aged', kid: context.name })) },
  },
});

type Of<T extends HubEvent['type']> = Extract<HubEvent, { type: T }>;

function without<V>(map: Map<string, V>, key: string): Map<string, V> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}

/** Every event of a client begins here: it must be the next one. */
function follow(context: HubContext, { client, n, type }: ClientEvent): Partial<HubContext> {
  const before = context.last[client] ?? 0;
  const wrong =
    n === before + 1 ? context.wrong : [...context.wrong, `${type} ${client}:${n} came after ${client}:${before}`];
  return { last: { ...context.last, [client]: n }, wrong };
}

function ring(context: HubContext, { alarm, due }: Rang, now: number): Partial<HubContext> {
  const wrong = [...context.wrong];
  if (!context.alarms.has(alarm)) wrong.push(`${alarm} rang and was not set`);
  if (now < due) wrong.push(`${alarm} rang ${due - now} ms early`);
  return { alarms: without(context.alarms, alarm), rang: context.rang + 1, wrong };
}

function finish(context: HubContext, work: string): Partial<HubContext> {
  const wrong = context.works.has(work) ? context.wrong : [...context.wrong, `${work} was done and not asked for`];
  return { works: without(context.works, work), done: context.done + 1, wrong };
}

function age(context: HubContext, name: string): Partial<HubContext> {
  const wrong = context.kids.has(name) ? context.wrong : [...context.wrong, `${name} aged and is not a child`];
  return { kids: without(context.kids, name), aged: context.aged + 1, wrong };
}

/** XState's types know done events of invoked actors only. */
const anyWorkDone: object = { 'xstate.done.actor.*': { actions: ['finishWork', 'reapWork'] } };

function outputOf(event: unknown): string {
  return (event as { output: string }).output;
}

export function hubMachine(world: World) {
  const initial: HubContext = {
    last: {},
    kids: new Map(),
    alarms: new Map(),
    works: new Map(),
    rang: 0,
    cancelled: 0,
    done: 0,
    pokes: 0,
    aged: 0,
    wrong: [],
  };
  const work = fromPromise<string, { work: string; marker: string }>(async ({ self, input }) => {
    const { key, attempt } = effectOf(self) ?? { key: 'none', attempt: 0 };
    world.trace(`${input.marker} ${input.work} ${key} ${attempt}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return input.work;
  });
  return setup({
    types: {} as { context: HubContext; events: HubEvent },
    actors: { kid, work },
    actions: {
      finishWork: assign(({ context, event }) => finish(context, outputOf(event))),
      reapWork: stopChild(({ event }) => outputOf(event)),
    },
  }).createMachine({
    id: 'hub',
    context: initial,
    on: {
      note: { actions: assign(({ context, event }) => follow(context, event)) },
      'kid.spawn': {
        actions: assign(({ context, event, spawn }) => ({
          ...follow(context, event),
          kids: new Map(context.kids).set(
            event.kid,
            spawn('kid', { id: event.kid, systemId: `sys.${event.kid}`, input: { name: event.kid, ages: event.ages } }),
          ),
        })),
      },
      'kid.poke': {
        actions: [
          assign(({ context, event }) => follow(context, event)),
          sendTo(({ context, event }) => context.kids.get(event.kid) as AnyActorRef, { type: 'poke' }),
        ],
      },
      'kid.poked': { actions: assign({ pokes: ({ context }) => context.pokes + 1 }) },
      'kid.stop': {
        actions: [
          assign(({ context, event }) => ({ ...follow(context, event), kids: without(context.kids, event.kid) })),
          stopChild(({ event }) => event.kid),
        ],
      },
      'kid.aged': {
        actions: [assign(({ context, event }) => age(context, event.kid)), stopChild(({ event }) => event.kid)],
      },
      'alarm.set': {
        actions: [
          assign(({ context, event }) => setAlarm(context, event, world.now())),
          enqueueActions(({ context, event, self, enqueue }) => {
            const { alarm, by, delayMs, kid: target } = event;
            const due = context.alarms.get(alarm)?.due as number;
            const when = { id: alarm, delay: delayMs };
            if (by === 'raise') enqueue.raise({ type: 'alarm.rang', alarm, due }, when);
            else
              enqueue.sendTo(context.kids.get(target) as AnyActorRef, { type: 'alarm', alarm, due, boss: self }, when);
          }),
        ],
      },
      'alarm.rang': { actions: assign(({ context, event }) => ring(context, event, world.now())) },
      'alarm.cancel': {
        actions: [
          assign(({ context, event }) => ({
            ...follow(context, event),
            alarms: without(context.alarms, event.alarm),
            cancelled: context.cancelled + 1,
          })),
          cancel(({ event }) => event.alarm),
        ],
      },
      'work.start': {
        actions: [
          assign(({ context, event }) => ({
            ...follow(context, event),
            works: new Map(context.works).set(event.work, world.newId()),
          })),
          enqueueActions(({ context, event, enqueue }) => {
            const marker = context.works.get(event.work) as string;
            world.mark(marker, event.work);
            enqueue.spawnChild('work', { id: event.work, input: { work: event.work, marker } });
          }),
        ],
      },
      ...anyWorkDone,
    },
  });
}

function setAlarm(context: HubContext, event: Of<'alarm.set'>, now: number): Partial<HubContext> {
  return {
    ...follow(context, event),
    alarms: new Map(context.alarms).set(event.alarm, { due: now + event.delayMs }),
  };
}

/** Whether everything that was asked for has happened. */
export function isQuiet({ alarms, works, kids }: HubContext): boolean {
  return alarms.size === 0 && works.size === 0 && ![...kids.keys()].some((name) => name.includes('aging'));
}

/** What must be the same in the end, whatever happened on the way. */
export function finalState({ last, kids, rang, cancelled, done, pokes, aged, wrong }: HubContext): unknown {
  const remaining = Object.fromEntries([...kids].map(([name, ref]) => [name, ref.getSnapshot().context.pokes]));
  return { last, remaining, rang, cancelled, done, pokes, aged, wrong };
}
