/**
 * A chart as a config that XState and Stately's viewers take. It is made of what is drawn, names only: no context, no function and no
 * parameter of an action is in it, so there is nothing in it to hide.
 */
import type { Chart, ChartState, ChartTransition } from './chart.ts';

type Config = Record<string, unknown>;

/** The config of a machine with this chart; guards and actions are names without implementations. */
export function configOfChart(chart: Chart): Config {
  const states = new Map(chart.states.map((state) => [state.id, state]));
  const transitions = grouped(chart);
  const root = states.get(chart.root);
  return root === undefined ? { id: chart.name } : { ...configOf(root, { states, transitions }), id: root.id };
}

interface Parts {
  readonly states: ReadonlyMap<string, ChartState>;
  readonly transitions: ReadonlyMap<string, readonly ChartTransition[]>;
}

function configOf(state: ChartState, parts: Parts): Config {
  const { id, type, entry, exit, invokes, tags, description, children, history } = state;
  const initial = state.initial === null ? undefined : parts.states.get(state.initial)?.key;
  const isDefault = type === 'atomic' || type === 'compound';
  return {
    id,
    ...(isDefault ? {} : { type }),
    ...(history === null ? {} : { history }),
    ...(initial === undefined ? {} : { initial }),
    ...(description === null ? {} : { description }),
    ...(tags.length === 0 ? {} : { tags }),
    ...(entry.length === 0 ? {} : { entry: entry.map(named) }),
    ...(exit.length === 0 ? {} : { exit: exit.map(named) }),
    ...configOfTransitions(state, parts.transitions.get(id) ?? []),
    ...(invokes.length === 0
      ? {}
      : { invoke: invokes.map((invoke) => ({ ...invoke, ...endsOf(state, invoke.id, parts) })) }),
    ...(children.length === 0 ? {} : { states: record(children.flatMap((child) => childOf(child, parts))) }),
  };
}

function childOf(id: string, parts: Parts): [string, Config][] {
  const child = parts.states.get(id);
  return child === undefined ? [] : [[child.key, configOf(child, parts)]];
}

/** Those of the end of an actor are written where it is invoked. */
function endsOf({ id }: ChartState, invoked: string, { transitions }: Parts): Config {
  const ends = (transitions.get(id) ?? []).filter(({ of }) => of === invoked);
  return { ...list('onDone', ends, 'done'), ...list('onError', ends, 'error') };
}

function configOfTransitions({ invokes }: ChartState, transitions: readonly ChartTransition[]): Config {
  const invoked = new Set(invokes.map(({ id }) => id));
  const own = transitions.filter(({ on, of }) => (on !== 'done' && on !== 'error') || of === null || !invoked.has(of));
  const on = own.filter((transition) => transition.on === 'event' || transition.on === 'error');
  const after = own.filter((transition) => transition.on === 'after');
  return {
    ...(on.length === 0
      ? {}
      : { on: groupedBy(on, ({ event, eventType, on: kind }) => (kind === 'event' ? event : eventType)) }),
    ...(after.length === 0 ? {} : { after: groupedBy(after, ({ delay }) => String(delay)) }),
    ...list('always', own, 'always'),
    ...list('onDone', own, 'done'),
  };
}

function list(key: string, transitions: readonly ChartTransition[], on: ChartTransition['on']): Config {
  const found = transitions.filter((transition) => transition.on === on);
  return found.length === 0 ? {} : { [key]: found.map(configOfTransition) };
}

function configOfTransition({ targets, guard, actions, reenter, description }: ChartTransition): Config {
  return {
    ...(targets.length === 0 ? {} : { target: targets.map((target) => `#${target}`) }),
    ...(guard === null ? {} : { guard: named(guard) }),
    ...(actions.length === 0 ? {} : { actions: actions.map(named) }),
    ...(reenter ? { reenter } : {}),
    ...(description === null ? {} : { description }),
  };
}

function named(type: string): Config {
  return { type };
}

function groupedBy(transitions: readonly ChartTransition[], key: (transition: ChartTransition) => string): Config {
  const groups = new Map<string, Config[]>();
  for (const transition of transitions) {
    const group = groups.get(key(transition));
    if (group === undefined) groups.set(key(transition), [configOfTransition(transition)]);
    else group.push(configOfTransition(transition));
  }
  return record([...groups]);
}

/** Names are those of somebody else: `__proto__` is one like any other. */
function record(entries: readonly (readonly [string, unknown])[]): Config {
  return Object.fromEntries(entries);
}

function grouped({ transitions }: Chart): Map<string, ChartTransition[]> {
  const groups = new Map<string, ChartTransition[]>();
  for (const transition of transitions) {
    const group = groups.get(transition.source);
    if (group === undefined) groups.set(transition.source, [transition]);
    else group.push(transition);
  }
  return groups;
}
