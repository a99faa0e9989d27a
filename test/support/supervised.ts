/** Workers that can be told to die, and a boss that has three of them: the same in memory and in a durable tree. */
import {
  assign,
  createActor,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorRef,
  type AnyStateMachine,
} from 'xstate';
import { SimulatedClock, crash } from '../../testing.ts';
import { createDurableActor, type DurableActor } from '../../index.ts';
import { quickStore } from './temp.ts';

export type WorkerEvent =
  { type: 'add' } | { type: 'die' } | { type: 'finish' } | { type: 'wait' } | { type: 'supervisor.shutdown' };

/** Who was started and stopped, in order; what happened in a life of the process. */
export const log: string[] = [];

export function workerMachine(leaveAfterMs: number | undefined) {
  return setup({
    types: {} as { input: { name: string }; context: { name: string; n: number }; events: WorkerEvent },
    actions: {
      die: () => {
        throw new Error('boom');
      },
    },
  }).createMachine({
    id: 'worker',
    context: ({ input }) => ({ name: input.name, n: 0 }),
    initial: 'working',
    entry: ({ context }) => void log.push(`start ${context.name}`),
    on: {
      add: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      die: { actions: ['die'] },
      finish: '.finished',
      wait: '.waiting',
      ...(leaveAfterMs === undefined ? {} : { 'supervisor.shutdown': '.leaving' as const }),
    },
    states: {
      working: {},
      waiting: { after: { 1_000: { target: 'working', actions: assign({ n: 100 }) } } },
      leaving: {
        entry: ({ context }) => void log.push(`leave ${context.name}`),
        after: { [leaveAfterMs ?? 0]: 'finished' },
      },
      finished: { type: 'final' },
    },
  });
}

/** Its children of the srcs `worker` and `polite`, which leaves when asked, are made at once, by `order`. */
export function bossMachine(order: Readonly<Record<string, 'worker' | 'polite' | 'slow'>>, team = '') {
  const machine = setup({
    types: {} as {
      context: { seen: string[] };
      events:
        | { type: 'to'; id: string; event: WorkerEvent }
        | { type: 'ping' }
        | { type: 'stop'; id: string }
        | { type: 'spawn'; id: string };
    },
    actors: { worker: workerMachine(undefined), polite: workerMachine(50), slow: workerMachine(1_000_000) },
  }).createMachine({
    id: 'boss',
    context: { seen: [] },
    entry: Object.entries(order).map(([name, src]) =>
      spawnChild(src, { id: name, systemId: `${team}${name}`, input: { name } }),
    ),
    on: {
      to: {
        actions: sendTo(
          ({ event, self }) => self.getSnapshot().children[event.id] as AnyActorRef,
          ({ event }) => event.event,
        ),
      },
      stop: { actions: stopChild(({ event }) => event.id) },
      spawn: { actions: spawnChild('worker', { id: ({ event }) => event.id, input: { name: 'new' } }) },
      ping: { actions: assign({ seen: ({ context }) => [...context.seen, 'ping'] }) },
      ['xstate.done.actor.*' as '*']: {
        actions: assign({ seen: ({ context, event }) => [...context.seen, (event as { type: string }).type] }),
      },
    },
  });
  return machine;
}

/** A machine whose children are such bosses; an event reaches one of them through it. */
export function topMachine(teams: Readonly<Record<string, AnyStateMachine>>): AnyStateMachine {
  return setup({ actors: teams }).createMachine({
    id: 'top',
    entry: Object.keys(teams).map((id) => spawnChild(id, { id })),
    on: {
      in: {
        actions: sendTo(
          ({ event, self }) => childAt(self, event['team'] as string),
          ({ event }) => event['event'],
        ),
      },
    },
  }) as unknown as AnyStateMachine;
}

/** A running machine, and what a test needs of it, wherever it runs. */
export interface Running {
  readonly clock: SimulatedClock;
  readonly root: AnyActorRef;
  readonly emitted: { type: string; [key: string]: unknown }[];
  send(event: { type: string; [key: string]: unknown }): Promise<void>;
  /** The wall clock, and everything that waits for it. */
  advance(ms: number): Promise<void>;
  end(): Promise<void>;
}

export async function inMemory(machine: AnyStateMachine, clock = new SimulatedClock(1_000_000)): Promise<Running> {
  const root = createActor(machine, { id: 'main', clock: clock as never }) as AnyActorRef;
  const emitted: Running['emitted'] = [];
  root.on('*', (event) => emitted.push(event as never));
  root.subscribe({ error: () => {} });
  root.start();
  return {
    clock,
    root,
    emitted,
    async send(event) {
      root.send(event);
      await new Promise((resolve) => setImmediate(resolve));
    },
    advance: (ms) => clock.advance(ms),
    async end() {
      root.stop();
    },
  };
}

export interface InTree extends Running {
  readonly durable: DurableActor<AnyStateMachine>;
  /** Dies, and comes back. */
  crash(): Promise<InTree>;
  incidents(): { kind: string; detail: string }[];
}

export async function inTree(
  machine: AnyStateMachine,
  clock = new SimulatedClock(1_000_000),
  store = quickStore(),
): Promise<InTree> {
  const durable = await createDurableActor(machine, { store, clock, durability: 'process-crash' });
  const emitted: Running['emitted'] = [];
  durable.on('*', (event) => emitted.push(event as never));
  return {
    clock,
    durable,
    get root() {
      return durable.actor as unknown as AnyActorRef;
    },
    emitted,
    async send(event) {
      await durable.send(event as never);
    },
    advance: (ms) => clock.advance(ms),
    end: () => durable.close(),
    async crash() {
      crash(durable);
      return inTree(machine, clock, store);
    },
    incidents: () => {
      durable.store.flush();
      return durable.store.rows.all('select kind, detail from incidents order by id');
    },
  };
}

export const places = [
  ['in memory', inMemory],
  ['in a durable tree', inTree],
] as const;

/** The live child at a path of ids. */
export function childAt(root: AnyActorRef, path: string): AnyActorRef {
  let ref = root;
  for (const id of path.split('/')) ref = ref.getSnapshot().children[id];
  return ref;
}

/** What the children count, by id; their status where they are not active. */
export function counts(root: AnyActorRef): Record<string, unknown> {
  const children = Object.entries(root.getSnapshot().children as Record<string, AnyActorRef>);
  return Object.fromEntries(
    children
      .map(([id, child]) => [id, child.getSnapshot()] as const)
      .map(([id, { status, context }]) => [id, status === 'active' ? context.n : status]),
  );
}
