/**
 * What of a chart is true in a state: which states are active, which transitions could be taken, which one was.
 *
 * C1  A state is active when the value says so; a parallel state's regions all are.
 * C2  XState asks the innermost state first: a transition that waits behind an unguarded one for the same event is not open.
 */
import type { Chart, ChartState, ChartTransition } from '../../../charts/chart.ts';
import type { ActorInfo, Shown } from '../../../protocol.ts';

/** A chart with its states by id, made once. */
export interface IndexedChart {
  readonly chart: Chart;
  readonly states: ReadonlyMap<string, ChartState>;
}

export function indexed(chart: Chart): IndexedChart {
  return { chart, states: new Map(chart.states.map((state) => [state.id, state])) };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The ids of the states that are active in a value, the root among them; empty where the value is not of this chart. */
export function activeStates({ chart, states }: IndexedChart, value: Shown): ReadonlySet<string> {
  const active = new Set<string>();
  const childOf = (state: ChartState, key: string) =>
    state.children.find((id) => states.get(id)?.key === key && states.get(id)?.type !== 'history');
  const enter = (state: ChartState, inside: unknown): void => {
    active.add(state.id);
    const keys = typeof inside === 'string' ? [inside] : isRecord(inside) ? Object.keys(inside) : [];
    for (const key of keys) {
      const child = states.get(childOf(state, key) ?? '');
      if (child !== undefined) enter(child, isRecord(inside) ? inside[key] : undefined);
    }
  };
  const root = states.get(chart.root);
  if (root !== undefined && value !== null && value !== undefined) enter(root, value);
  return active;
}

/** A value of a state in a line: `running.asking`, and of a parallel one `jobs.idle · lock.held`. */
export function valueText(value: Shown): string {
  if (typeof value === 'string') return value;
  if (!isRecord(value)) return '';
  return Object.entries(value)
    .flatMap(([key, inside]) => {
      const text = valueText(inside);
      return text === '' ? [key] : text.split(' · ').map((part) => `${key}.${part}`);
    })
    .join(' · ');
}

function isAncestor({ states }: IndexedChart, ancestor: string, of: string): boolean {
  for (let id = states.get(of)?.parent ?? null; id !== null; id = states.get(id)?.parent ?? null) {
    if (id === ancestor) return true;
  }
  return false;
}

/** Whether a transition comes before another, of the same event, and always takes it. */
function shadows(
  chart: IndexedChart,
  order: ReadonlyMap<string, number>,
  first: ChartTransition,
  other: ChartTransition,
) {
  if (first.guard !== null || first.event !== other.event || first.on !== other.on) return false;
  if (first.source === other.source) return (order.get(first.id) ?? 0) < (order.get(other.id) ?? 0);
  return isAncestor(chart, other.source, first.source);
}

/** The transitions that could be taken in a configuration, by id. Guards are not asked: one that has a guard is open. */
export function openTransitions(
  chart: IndexedChart,
  active: ReadonlySet<string>,
  status: ActorInfo['status'],
): ReadonlySet<string> {
  if (status !== 'active') return new Set();
  const here = chart.chart.transitions.filter(({ source }) => active.has(source));
  const order = new Map(chart.chart.transitions.map(({ id }, index) => [id, index]));
  const open = here.filter(
    (transition) =>
      !here.some(
        (first) =>
          first !== transition &&
          // Delays and ends of actors are told apart by what they wait for, which is in their event.
          (transition.on === 'event' || transition.on === 'always') &&
          shadows(chart, order, first, transition),
      ),
  );
  return new Set(open.map(({ id }) => id));
}

/** Whether a descriptor of a transition, such as `work.*`, takes an event of a type. */
export function takes(descriptor: string, type: string): boolean {
  if (descriptor === type || descriptor === '*') return true;
  return descriptor.endsWith('.*') && (type === descriptor.slice(0, -2) || type.startsWith(descriptor.slice(0, -1)));
}

function mayBeOf(transition: ChartTransition, type: string): boolean {
  if (transition.on === 'event') return takes(transition.event, type);
  return transition.on !== 'always' && transition.eventType === type;
}

/**
 * The transitions that were most likely taken from one state to another by an event: those whose source was active, and whose targets
 * are. Microsteps would say it exactly; where they are not recorded, this is what can be known.
 */
export function takenTransitions(
  chart: IndexedChart,
  step: { readonly before: Shown; readonly after: Shown; readonly event: string },
): readonly string[] {
  const before = activeStates(chart, step.before);
  const after = activeStates(chart, step.after);
  const taken = new Set<string>();
  const from = new Set<string>();
  for (const transition of chart.chart.transitions) {
    if (from.has(transition.source)) continue;
    if (!before.has(transition.source) || !mayBeOf(transition, step.event)) continue;
    if (!transition.targets.every((target) => after.has(entered(chart, target, after)))) continue;
    // One that stays where it is explains nothing while another moves.
    const moves = transition.targets.some((target) => !before.has(target));
    const hasMoved = [...after].some((id) => !before.has(id));
    if (hasMoved && !moves && transition.targets.length === 0) continue;
    from.add(transition.source);
    taken.add(transition.id);
  }
  // Of several that explain it, the innermost is what XState takes.
  const innermost = chart.chart.transitions.filter(
    ({ id, source }) =>
      taken.has(id) &&
      ![...taken].some((other) => {
        const inner = chart.chart.transitions.find((transition) => transition.id === other);
        return inner !== undefined && isAncestor(chart, source, inner.source);
      }),
  );
  return innermost.length > 0 ? innermost.map(({ id }) => id) : through(chart, before, after, step.event);
}

const LONGEST_WAY = 8;

/** The shortest way by an event and then by transitions that are taken at once, to a state that was not active before. */
function through(
  chart: IndexedChart,
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
  event: string,
): readonly string[] {
  const { transitions } = chart.chart;
  let ways = transitions
    .filter((one) => one.targets.length > 0 && before.has(one.source) && one.on !== 'always' && mayBeOf(one, event))
    .map((first) => [first]);
  const seen = new Set<string>();
  for (let length = 0; length < LONGEST_WAY && ways.length > 0; length += 1) {
    const found = ways.find((way) => way.at(-1)?.targets.every((id) => after.has(id) && !before.has(id)));
    if (found !== undefined) return found.map(({ id }) => id);
    ways = ways.flatMap((way) => {
      const entered = new Set(way.at(-1)?.targets.flatMap((id) => firstStates(chart, id)));
      const next = transitions.filter(({ id, on, source }) => on === 'always' && entered.has(source) && !seen.has(id));
      for (const { id } of next) seen.add(id);
      return next.map((one) => [...way, one]);
    });
  }
  return [];
}

/** A state, and those in it that are entered with it. */
function firstStates({ states }: IndexedChart, id: string): readonly string[] {
  const ids: string[] = [];
  for (
    let next: string | null | undefined = id;
    next !== null && next !== undefined;
    next = states.get(next)?.initial
  ) {
    ids.push(next);
  }
  return ids;
}

/** A history state is never active itself: its parent is. */
function entered({ states }: IndexedChart, target: string, after: ReadonlySet<string>): string {
  const state = states.get(target);
  return state?.type === 'history' && state.parent !== null && !after.has(target) ? state.parent : target;
}
