/**
 * The chart of a machine that is known by its config only, as JSON: what clients of Stately's protocol send as `definition`. It comes
 * from outside and may be anything. JSON holds no code, nothing of the machine that is made of it is ever run, and its size is
 * bounded before.
 */
import { createMachine } from 'xstate';
import { chartOf } from './chart-of.ts';
import type { Chart } from './chart.ts';

const LONGEST_TEXT = 2_000_000;
const MOST_STATES = 2_000;
const MOST_TRANSITIONS = 10_000;
/** Targets, actions, guards, tags and the like: of each, texts or objects with a name. */
const MOST_PARTS = 50_000;
const MAX_DEPTH = 60;

/** The chart of a config, as text or as parsed from one; undefined for what is no config, says nothing, or is too large. */
export function chartOfConfig(config: unknown): Chart | undefined {
  try {
    const parsed: unknown = typeof config === 'string' ? parse(config) : config;
    if (!isRecord(parsed) || !isModest(parsed)) return undefined;
    const chart = chartOf(createMachine(parsed as never));
    return chart.states.length > 1 || chart.transitions.length > 0 ? chart : undefined;
  } catch {
    // Whatever XState makes of it: there is no chart.
    return undefined;
  }
}

function parse(text: string): unknown {
  return text.length > LONGEST_TEXT ? undefined : JSON.parse(text);
}

/** Whether XState, which recurs into states and goes through all transitions, is done with it soon. */
function isModest(root: Readonly<Record<string, unknown>>): boolean {
  let states = 0;
  let transitions = 0;
  let parts = 0;
  const pending: [unknown, number][] = [[root, 0]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [state, depth] = next;
    states += 1;
    if (!isRecord(state) || states > MOST_STATES || depth > MAX_DEPTH) return false;
    transitions += countOf(state['on']) + countOf(state['after']) + countOf(state['always']) + countOf(state['invoke']);
    if (transitions > MOST_TRANSITIONS) return false;
    parts += partsOf(state);
    if (parts > MOST_PARTS) return false;
    if (isRecord(state['states'])) for (const inner of Object.values(state['states'])) pending.push([inner, depth + 1]);
  }
  return true;
}

/** All that a state has but the states in it, counted one by one. */
function partsOf({ states: _, ...rest }: Readonly<Record<string, unknown>>): number {
  let parts = 0;
  const pending: unknown[] = Object.values(rest);
  while (pending.length > 0 && parts <= MOST_PARTS) {
    const part = pending.pop();
    parts += 1;
    if (typeof part !== 'object' || part === null) continue;
    for (const one of Array.isArray(part) ? part : Object.values(part)) pending.push(one);
  }
  return parts;
}

/** Transitions, or their lists by event. */
function countOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  if (!isRecord(value)) return value === undefined ? 0 : 1;
  let count = 0;
  for (const one of Object.values(value)) count += Array.isArray(one) ? one.length : 1;
  return count;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
