/** A machine as a chart: read from its state nodes, which know everything that its config says in any of XState's ways. */
import { createHash } from 'node:crypto';
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import type { Chart, ChartState, ChartTransition } from './chart.ts';
import { nameOfAction, nameOfGuard } from './chart-names.ts';

const known = new WeakMap<AnyStateMachine, Chart>();

/** The chart of a machine; the same object for the same machine. */
export function chartOf(machine: AnyStateMachine): Chart {
  const before = known.get(machine);
  if (before !== undefined) return before;
  const ids = idsOf(machine.root);
  const states = [...ids].map(([node, id]) => stateOf(node, id, ids));
  const transitions = [...ids].flatMap(([node, id]) => transitionsOf(node, id, ids));
  const numbered = transitions.map((transition, at) => ({ id: `t${at}`, ...transition }));
  const rest = { name: machine.id, root: states[0]?.id ?? machine.id, states, transitions: numbered };
  const chart = { id: hashOf(rest), ...rest };
  known.set(machine, chart);
  return chart;
}

/** Parents before their children. XState takes it when two states have the same id; here the later one gets another. */
function idsOf(root: AnyStateNode): Map<AnyStateNode, string> {
  const ids = new Map<AnyStateNode, string>();
  const taken = new Set<string>();
  const pending = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    let id = String(node.id);
    for (let nth = 2; taken.has(id); nth += 1) id = `${String(node.id)}~${nth}`;
    taken.add(id);
    ids.set(node, id);
    pending.push(...(Object.values(node.states) as AnyStateNode[]).reverse());
  }
  return ids;
}

type Ids = ReadonlyMap<AnyStateNode, string>;

function stateOf(node: AnyStateNode, id: string, ids: Ids): ChartState {
  const initial = node.type === 'compound' ? (node.initial.target as readonly AnyStateNode[])[0] : undefined;
  return {
    id,
    key: String(node.key),
    type: node.type,
    parent: node.parent === undefined ? null : (ids.get(node.parent) ?? null),
    initial: initial === undefined ? null : (ids.get(initial) ?? null),
    history: node.type === 'history' ? (node.history === 'deep' ? 'deep' : 'shallow') : null,
    children: (Object.values(node.states) as AnyStateNode[]).map((child) => ids.get(child) as string),
    entry: node.entry.filter((action) => !isOfDelay(action)).map(nameOfAction),
    exit: node.exit.filter((action) => !isOfDelay(action)).map(nameOfAction),
    invokes: node.invoke.map(({ id: invoked, src }) => ({ id: String(invoked), src: nameOfSource(src) })),
    tags: node.tags.map(String),
    description: textOf(node.description),
  };
}

/** XState itself raises the event of a delay at the entry of its state, and cancels it at the exit. */
function isOfDelay(action: unknown): boolean {
  const { type, id, sendId } = Object(action) as Readonly<Record<string, unknown>>;
  const marked = type === 'xstate.raise' ? id : type === 'xstate.cancel' ? sendId : undefined;
  return typeof marked === 'string' && marked.startsWith('xstate.after.');
}

/** Inline logic is named by XState, after its state. */
function nameOfSource(src: unknown): string {
  return typeof src === 'string' && !src.startsWith('xstate.invoke.') ? src : 'inline';
}

function transitionsOf(node: AnyStateNode, source: string, ids: Ids): Omit<ChartTransition, 'id'>[] {
  const definitions = [...[...node.transitions.values()].flat(), ...(node.always ?? [])] as AnyTransitionDefinition[];
  return definitions.map((definition) => ({
    source,
    targets: (definition.target ?? []).flatMap((target) => ids.get(target as AnyStateNode) ?? []),
    ...whenOf(definition),
    guard: definition.guard === undefined ? null : nameOfGuard(definition.guard),
    actions: definition.actions.map(nameOfAction),
    reenter: definition.reenter,
    description: textOf(definition.description),
  }));
}

const ENDS = [
  ['xstate.done.state.', 'done'],
  ['xstate.done.actor.', 'done'],
  ['xstate.error.actor.', 'error'],
] as const;

type When = Pick<ChartTransition, 'event' | 'eventType' | 'of' | 'logic' | 'on' | 'delay'>;

function whenOf(definition: AnyTransitionDefinition): When {
  const eventType = String(definition.eventType);
  const base = { event: eventType, eventType, of: null, delay: null };
  if (eventType === '') return { ...base, on: 'always' };
  const { delay } = definition as { delay?: unknown };
  if (delay !== undefined && eventType.startsWith('xstate.after.')) {
    return { ...base, event: 'after', on: 'after', delay: typeof delay === 'number' ? delay : nameOfDelay(delay) };
  }
  for (const [prefix, on] of ENDS) {
    if (!eventType.startsWith(prefix)) continue;
    const of = eventType.slice(prefix.length);
    const invoked = definition.source.invoke.find(({ id }) => id === of);
    return { ...base, event: on, on, of, ...(invoked === undefined ? {} : { logic: nameOfSource(invoked.src) }) };
  }
  return { ...base, on: 'event' };
}

function nameOfDelay(delay: unknown): string {
  return typeof delay === 'string' ? delay : 'inline';
}

function textOf(text: unknown): string | null {
  return typeof text === 'string' && text !== '' ? text : null;
}

function hashOf(chart: Omit<Chart, 'id'>): string {
  return createHash('sha256').update(JSON.stringify(chart)).digest('base64url').slice(0, 22);
}
