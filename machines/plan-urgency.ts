/**
 * Where the steps of a plan stand in the queue. A step is as urgent as it says, and as whatever waits for it (priority
 * inheritance); of equally urgent ones the longer way to the end of the plan goes first.
 */
import { dependantsOf, inOrder, ranks, type GraphNode } from './graph.ts';
import { HORIZON_MS, inherit, rankOf, type Urgency } from './urgency.ts';

/** A step as the queue sees it. */
export interface UrgentNode extends GraphNode {
  readonly urgency: Urgency;
}

/** The rank of every step, by its id: greater goes first. `at`: when the plan was submitted, ms since 1970. */
export function queueRanks(nodes: readonly UrgentNode[], at: number): Map<string, number> {
  const upward = ranks(nodes);
  const longest = [...upward.values()].reduce((most, rank) => Math.max(most, rank), 0);
  // A way longer than the horizon would count as the horizon, and a long plan have no order: all of it is made to fit.
  const scale = Math.min(1, HORIZON_MS / Math.max(1, longest));
  const dependants = dependantsOf(nodes);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const ranking = new Map<string, number>();
  for (const id of inOrder(nodes).toReversed()) {
    const { estimateMs, urgency } = byId.get(id)!;
    const way = upward.get(id)!;
    const own = rankOf(urgency, { at, estimateMs: urgency.dueAt === null ? way * scale : way });
    const behind = dependants.get(id)!.map((dependant) => ranking.get(dependant)!);
    ranking.set(id, inherit(own, behind, estimateMs * scale));
  }
  return ranking;
}
