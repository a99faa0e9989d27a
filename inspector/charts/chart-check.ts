/** Whether something that came from elsewhere is a chart: whoever draws it believes all of it. */
import { isObject } from '../../machines/option-keys.ts';
import type { Chart, ChartState, ChartTransition } from './chart.ts';

/** States inside states. */
const MOST_DEEP = 1_000;

type Check = (value: unknown) => boolean;
type Checks<T> = { readonly [K in keyof Required<T>]: Check };

const isText: Check = (value) => typeof value === 'string';
const isTextOrNull: Check = (value) => value === null || isText(value);
const isOneOf =
  (...known: readonly unknown[]): Check =>
  (value) =>
    known.includes(value);
const isList =
  (is: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(is);
const has =
  <T>(checks: Checks<T>): Check =>
  (value) =>
    isObject(value) && Object.entries<Check>(checks).every(([key, is]) => is(value[key]));

const isState = has<ChartState>({
  id: isText,
  key: isText,
  type: isOneOf('atomic', 'compound', 'parallel', 'final', 'history'),
  parent: isTextOrNull,
  initial: isTextOrNull,
  history: isOneOf('shallow', 'deep', null),
  children: isList(isText),
  entry: isList(isText),
  exit: isList(isText),
  invokes: isList(has<ChartState['invokes'][number]>({ id: isText, src: isText })),
  tags: isList(isText),
  description: isTextOrNull,
});

const isTransition = has<ChartTransition>({
  id: isText,
  source: isText,
  targets: isList(isText),
  event: isText,
  eventType: isText,
  of: isTextOrNull,
  logic: (value) => value === undefined || isText(value),
  on: isOneOf('event', 'always', 'after', 'done', 'error'),
  delay: (value) => typeof value === 'number' || isTextOrNull(value),
  guard: isTextOrNull,
  actions: isList(isText),
  reenter: isOneOf(true, false),
  description: isTextOrNull,
});

const isMadeOfParts = has<Chart>({
  id: isText,
  name: isText,
  root: isText,
  states: isList(isState),
  transitions: isList(isTransition),
});

export function isChart(value: unknown): value is Chart {
  return isMadeOfParts(value) && isWhole(value as Chart);
}

/** Whether its states are one tree, its root first and parents before their children, and its transitions are between them. */
function isWhole({ root, states, transitions }: Chart): boolean {
  const parents = new Map(states.flatMap(({ id, children }) => children.map((child) => [child, id] as const)));
  const depths = new Map<string, number>();
  for (const { id, parent } of states) {
    const depth = parent === null ? 0 : (depths.get(parent) ?? Infinity) + 1;
    const isInPlace = parent === null ? id === root && depths.size === 0 : parents.get(id) === parent;
    if (!isInPlace || depths.has(id) || depth > MOST_DEEP) return false;
    depths.set(id, depth);
  }
  const inside = states.reduce((count, { children }) => count + children.length, 0);
  return (
    inside === states.length - 1 &&
    states.every(({ id, initial }) => initial === null || parents.get(initial) === id) &&
    transitions.every(({ source, targets }) => [source, ...targets].every((id) => depths.has(id)))
  );
}
