import fc from 'fast-check';
import { expect, test } from 'vitest';
import { queueRanks, type UrgentNode } from '../../machines/plan-urgency.ts';
import { CLASS_MS, HORIZON_MS, NOT_URGENT, PRIORITIES, rankOf, type Urgency } from '../../machines/urgency.ts';

const AT = 1_700_000_000_000;

const urgency: fc.Arbitrary<Urgency> = fc.record({
  priority: fc.constantFrom(...PRIORITIES),
  dueAt: fc.option(fc.integer({ min: AT, max: AT + 2 * HORIZON_MS })),
  costOfDelay: fc.option(fc.integer({ min: 0, max: 1_000 })),
  isAwaited: fc.boolean(),
});

function graph(of: fc.Arbitrary<Urgency>, longestMs: number): fc.Arbitrary<UrgentNode[]> {
  return fc
    .array(
      fc.record({
        before: fc.array(fc.nat(50), { maxLength: 3 }),
        ms: fc.integer({ min: 1, max: longestMs }),
        urgency: of,
      }),
      {
        minLength: 1,
        maxLength: 15,
      },
    )
    .map((drawn) =>
      drawn.map(({ before, ms, urgency: own }, n) => ({
        id: `s${n}`,
        after: [...new Set(n === 0 ? [] : before.map((b) => `s${b % n}`))],
        estimateMs: ms,
        urgency: own,
      })),
    );
}

test('what something urgent waits for is more urgent than that, all the way back', () => {
  fc.assert(
    fc.property(graph(urgency, 10_000_000), (nodes) => {
      const ranks = queueRanks(nodes, AT);
      for (const { id, after } of nodes)
        for (const before of after) expect(ranks.get(before)).toBeGreaterThan(ranks.get(id)!);
    }),
  );
});

test('no step is less urgent than it says itself', () => {
  // With a cost of delay the longer way is the less urgent.
  const withoutCost = urgency.map((own) => ({ ...own, costOfDelay: null }));
  fc.assert(
    fc.property(graph(withoutCost, 1_000), (nodes) => {
      const ranks = queueRanks(nodes, AT);
      for (const { id, estimateMs, urgency: own } of nodes)
        expect(ranks.get(id)).toBeGreaterThanOrEqual(rankOf(own, { at: AT, estimateMs }) - 1e-3);
    }),
  );
});

test('of equally urgent steps the longer way to the end goes first, and no plan is so long that it leaves its class', () => {
  fc.assert(
    fc.property(graph(fc.constant(NOT_URGENT), 100 * HORIZON_MS), (nodes) => {
      const ranks = queueRanks(nodes, AT);
      const way = new Map<string, number>();
      for (const { id, estimateMs } of nodes.toReversed()) {
        const behind = nodes.filter(({ after }) => after.includes(id)).map((one) => way.get(one.id)!);
        way.set(id, estimateMs + Math.max(0, ...behind));
      }
      const byWay = [...way.keys()].toSorted((a, b) => way.get(b)! - way.get(a)!);
      for (const [n, id] of byWay.entries())
        if (n > 0) expect(ranks.get(byWay[n - 1]!)).toBeGreaterThanOrEqual(ranks.get(id)! - 1e-2);
      const least = rankOf(NOT_URGENT, { at: AT, estimateMs: 0 });
      for (const rank of ranks.values()) {
        expect(rank).toBeGreaterThanOrEqual(least);
        expect(rank).toBeLessThan(least + CLASS_MS);
      }
    }),
  );
});
