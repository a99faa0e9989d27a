/** What a machine says of itself: which events it takes, and by how much it delays what. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { isMachine, type Logic } from '../persistence/xstate-port.ts';

/** The types of the events that a user may send: without XState's own, ours, and patterns. */
export function eventTypesOf(machine: AnyStateMachine): string[] {
  const types = machine.events as readonly string[];
  return types.filter((type) => !/^xstate\.|\*$|^runtime\.resumed$/.test(type)).sort();
}

/** Steps of time for machines that do not say theirs. */
const ANY_DELAYS = [100, 1_000, 60_000];

/** The delays of `after`, of the machine and of those that it names, in ms, ascending; what is computed is not among them. */
export function delaysOf(machine: AnyStateMachine): readonly number[] {
  const found = new Set<number>();
  collectDelays(machine, found, new Set());
  return found.size === 0 ? ANY_DELAYS : [...found].sort((a, b) => a - b);
}

function collectDelays(logic: Logic, found: Set<number>, visited: Set<Logic>): void {
  if (!isMachine(logic) || visited.has(logic)) return;
  visited.add(logic);
  const named = logic.implementations.delays as Record<string, unknown>;
  for (const node of nodesOf(logic.root)) {
    for (const { delay } of node.after) {
      const ms = typeof delay === 'string' ? named[delay] : delay;
      if (typeof ms === 'number' && ms > 0) found.add(ms);
    }
    for (const { src } of node.invoke) if (typeof src === 'object') collectDelays(src as Logic, found, visited);
  }
  for (const child of Object.values(logic.implementations.actors as Record<string, Logic>)) {
    collectDelays(child, found, visited);
  }
}

function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states as Record<string, AnyStateNode>).flatMap(nodesOf)];
}
