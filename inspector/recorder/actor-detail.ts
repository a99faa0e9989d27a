/** All that is known of an actor in a state: what it holds, what it waits for, and what it would take. */
import type { AnyMachineSnapshot, AnyStateNode } from 'xstate';
import { executorMachine } from '../../machines/executor.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { hooksFor, isMachine, machineName, type AnyRef } from '../../persistence/xstate-port.ts';
import { operable } from '../charts/machines.ts';
import type { ActorDetail, ActorInfo } from '../protocol.ts';
import { logicOf, stateOf, type AnyState } from './recorded-actor.ts';

type Shown = (value: unknown) => unknown;

/** Context, output and error, shown as parts of one state, as the history shows them. */
export function partsOf(state: AnyState, shown: Shown): Pick<ActorDetail, 'context' | 'output' | 'error'> {
  const { context = null, output = null, error = null } = state;
  const parts = shown({ context, output, error });
  const { context: c, output: o, error: e } = isRecord(parts) ? parts : { context: parts, output: parts, error: parts };
  return { context: c ?? null, output: o ?? null, error: e ?? null };
}

export function detailOf(ref: AnyRef, info: ActorInfo, state: AnyState, isNow: boolean, shown: Shown): ActorDetail {
  const accepts = state.status === 'active' ? acceptsOf(ref, state) : [];
  return {
    ...info,
    ...partsOf(state, shown),
    timers: isNow ? timersOf(ref) : [],
    ...(isOfSupervisor(ref) ? operable(machineName(logicOf(ref)), accepts) : { accepts }),
  };
}

/** Whether it is in a supervisor's own tree: as its rows say, too. */
function isOfSupervisor(ref: AnyRef): boolean {
  let root = ref;
  while (root._parent !== undefined) root = root._parent;
  const executor = stateOf(root)?.children?.['executor'] as AnyRef | undefined;
  return isOf(root, supervisorMachine) && executor !== undefined && isOf(executor, executorMachine);
}

function isOf(ref: AnyRef, { id }: { readonly id: string }): boolean {
  const logic = logicOf(ref);
  return isMachine(logic) && logic.id === id;
}

/** The soonest first. */
function timersOf(ref: AnyRef): ActorDetail['timers'] {
  return [...(hooksFor(ref)?.delayedBy(ref) ?? scheduledBy(ref))]
    .map(({ event, due, delay }) => ({ event: String(event.type), due, delayMs: delay }))
    .toSorted((a, b) => a.due - b.due);
}

interface Scheduled {
  readonly source: AnyRef;
  readonly event: { readonly type: string };
  readonly delay: number;
  readonly startedAt: number;
}

function scheduledBy(ref: AnyRef) {
  const { _scheduledEvents: scheduled = {} } = ref.system.getSnapshot() as {
    _scheduledEvents?: Readonly<Record<string, Scheduled>>;
  };
  return Object.values(scheduled)
    .filter(({ source }) => source === ref)
    .map(({ event, delay, startedAt }) => ({ event, delay, due: startedAt + delay }));
}

/** What the active states of a machine take, with the schemas that its config declares. */
function acceptsOf(ref: AnyRef, state: AnyState): ActorDetail['accepts'] {
  const logic = logicOf(ref);
  if (!isMachine(logic)) return [];
  const types = new Set<string>();
  for (const active of (state as unknown as AnyMachineSnapshot)._nodes as readonly AnyStateNode[]) {
    for (let node: AnyStateNode | undefined = active; node !== undefined; node = node.parent) {
      for (const type of node.ownEvents) if (!type.startsWith('xstate.')) types.add(type);
    }
  }
  const { events } = Object(logic.schemas) as { events?: unknown };
  const schemas = isRecord(events) ? events : {};
  return [...types].map((type) => ({ type, schema: Object.hasOwn(schemas, type) ? (schemas[type] ?? null) : null }));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
