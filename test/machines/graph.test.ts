import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PerdureError } from '../../errors.ts';
import { checkGraph, criticalPath, dependantsOf, makespan, ranks, span, tracks, work } from '../../machines/graph.ts';
import type { GraphNode } from '../../machines/graph.ts';

const RUNS = { numRuns: 200 };

function node(id: string, estimateMs = 1, after: readonly string[] = []): GraphNode {
  return { id, estimateMs, after };
}

function thrownBy(run: () => unknown): PerdureError {
  try {
    run();
  } catch (error) {
    if (error instanceof PerdureError) return error;
    throw error;
  }
  throw new Error('expected a PerdureError, got none');
}

/** Whole milliseconds, so that sums are exact in any order; zero is among them. */
const estimate = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000 }));

/** Each step may come after any step drawn before it; then the plan is shuffled, since a plan may list them anyhow. */
const dag: fc.Arbitrary<readonly GraphNode[]> = fc
  .array(fc.record({ estimate, after: fc.array(fc.nat(1_000), { maxLength: 4 }) }), { maxLength: 30 })
  .map((drawn) =>
    drawn.map(({ estimate: ms, after }, index) =>
      node(`s${index}`, ms, index === 0 ? [] : after.map((draw) => `s${draw % index}`)),
    ),
  )
  .chain((nodes) => fc.shuffledSubarray([...nodes], { minLength: nodes.length }));

const slots = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Infinity));

/** The same steps with a path from one back to itself added. */
const cyclic: fc.Arbitrary<readonly GraphNode[]> = fc
  .tuple(dag, fc.array(fc.nat(1_000), { minLength: 1, maxLength: 5 }))
  .filter(([nodes]) => nodes.length > 0)
  .map(([nodes, draws]) => {
    const ring = [...new Set(draws.map((draw) => draw % nodes.length))];
    const added = new Map(ring.map((at, i) => [at, nodes[ring[(i + 1) % ring.length]!]!.id]));
    return nodes.map((one, at) => (added.has(at) ? { ...one, after: [...one.after, added.get(at)!] } : one));
  });

function chain(length: number): GraphNode[] {
  return Array.from({ length }, (_, i) => node(`s${i}`, 1, i === 0 ? [] : [`s${i - 1}`]));
}

describe('checkGraph', () => {
  test('accepts every acyclic graph, whatever the order of its steps', () => {
    fc.assert(
      fc.property(dag, (nodes) => {
        checkGraph(nodes);
      }),
      RUNS,
    );
  });

  test('finds the cycle in every cyclic graph, and names one that is there', () => {
    fc.assert(
      fc.property(cyclic, (nodes) => {
        const error = thrownBy(() => checkGraph(nodes));
        expect(error.code).toBe('PLAN_CYCLE');
        const cycle = error.facts['cycle'] as string[];
        expect(new Set(cycle).size).toBe(cycle.length);
        for (const [i, id] of cycle.entries()) {
          expect(nodes.find((one) => one.id === id)!.after).toContain(cycle[(i + 1) % cycle.length]);
        }
        expect(error.message).toContain([...cycle, cycle[0]].join(' -> '));
      }),
      RUNS,
    );
  });

  test('begins a cycle with the step that comes first in the plan, and leaves out what is merely behind it', () => {
    const nodes = [node('late', 1, ['c']), node('b', 1, ['c']), node('c', 1, ['a']), node('a', 1, ['b'])];
    const error = thrownBy(() => checkGraph(nodes));
    expect(error.facts).toEqual({ cycle: ['b', 'c', 'a'] });
    expect(error.message).toContain('b -> c -> a -> b');
  });

  test('takes a step that waits for itself for a cycle', () => {
    expect(thrownBy(() => checkGraph([node('a', 1, ['a'])])).message).toContain('a -> a');
  });

  test('keeps the message of a long cycle short and its facts whole', () => {
    const nodes = chain(1_000);
    nodes[0] = node('s0', 1, ['s999']);
    const error = thrownBy(() => checkGraph(nodes));
    expect(error.facts['cycle']).toHaveLength(1_000);
    expect(error.message).toMatch(/^.*: s0 -> s999 -> s998 -> .* -> \(978 more\) -> s0; /);
  });

  test('names the step, the dependency that is not there, and the ids that may be meant', () => {
    const nodes = [node('lint'), node('list'), node('build'), node('test', 1, ['lnt', 'build', 'deploy'])];
    const error = thrownBy(() => checkGraph(nodes));
    expect(error.code).toBe('PLAN_STEP_UNKNOWN');
    expect(error.message.split('\n')).toEqual([
      'step "test" comes after "lnt", which is not a step of the plan; did you mean "lint"?',
      'step "test" comes after "deploy", which is not a step of the plan; the plan has "lint", "list", "build", "test"',
    ]);
    expect(error.facts['unknown']).toMatchObject([
      { step: 'test', dependency: 'lnt', closest: ['lint'] },
      { step: 'test', dependency: 'deploy', closest: [] },
    ]);
  });

  test('refuses an id that is used twice and an estimate that is no duration', () => {
    expect(thrownBy(() => checkGraph([node('a'), node('b'), node('a')]))).toMatchObject({
      code: 'PLAN_INVALID',
      facts: { step: 'a', positions: [0, 2] },
    });
    for (const estimateMs of [-1, NaN, Infinity]) {
      expect(thrownBy(() => checkGraph([node('a', estimateMs)])).code).toBe('PLAN_INVALID');
    }
  });

  test('is not confused by ids that every object has', () => {
    const nodes = [node('constructor'), node('__proto__', 2, ['constructor'])];
    expect([...ranks(nodes)]).toEqual([
      ['constructor', 3],
      ['__proto__', 2],
    ]);
    expect(thrownBy(() => checkGraph([node('a', 1, ['toString'])])).code).toBe('PLAN_STEP_UNKNOWN');
  });
});

describe('ranks', () => {
  test('are a step’s own estimate and the greatest rank among its dependants', () => {
    fc.assert(
      fc.property(dag, (nodes) => {
        const ranking = ranks(nodes);
        const dependants = dependantsOf(nodes);
        for (const { id, estimateMs } of nodes) {
          const behind = dependants.get(id)!.map((dependant) => ranking.get(dependant)!);
          expect(ranking.get(id)).toBe(estimateMs + Math.max(0, ...behind));
        }
      }),
      RUNS,
    );
  });
});

describe('dependantsOf', () => {
  test('turns every dependency round, once', () => {
    fc.assert(
      fc.property(dag, (nodes) => {
        const dependants = dependantsOf(nodes);
        expect([...dependants.keys()]).toEqual(nodes.map(({ id }) => id));
        for (const { id } of nodes) {
          expect(dependants.get(id)).toEqual(nodes.filter(({ after }) => after.includes(id)).map((one) => one.id));
        }
      }),
      RUNS,
    );
  });
});

describe('criticalPath', () => {
  test('leads from a source to a sink along dependencies, and is as long as the span', () => {
    fc.assert(
      fc.property(dag, (nodes) => {
        const path = criticalPath(nodes).map((id) => nodes.find((one) => one.id === id)!);
        expect(path.reduce((sum, { estimateMs }) => sum + estimateMs, 0)).toBe(span(nodes));
        expect(path.length === 0).toBe(nodes.length === 0);
        if (path.length === 0) return;
        expect(path[0]!.after).toEqual([]);
        expect(dependantsOf(nodes).get(path.at(-1)!.id)).toEqual([]);
        for (const [i, one] of path.slice(1).entries()) expect(one.after).toContain(path[i]!.id);
      }),
      RUNS,
    );
  });

  test('takes the longer side of a diamond', () => {
    const nodes = [node('a', 1), node('b', 5, ['a']), node('c', 7, ['a']), node('d', 1, ['b', 'c'])];
    expect(criticalPath(nodes)).toEqual(['a', 'c', 'd']);
    expect(span(nodes)).toBe(9);
    expect(work(nodes)).toBe(14);
  });
});

describe('makespan', () => {
  test('is never below the work shared out or the span, and within Graham’s bound above them', () => {
    fc.assert(
      fc.property(dag, slots, (nodes, p) => {
        const least = Math.max(work(nodes) / p, span(nodes));
        const ms = makespan(nodes, p);
        expect(ms).toBeGreaterThanOrEqual(least);
        // The tolerance is for the division; estimates are whole.
        expect(ms).toBeLessThanOrEqual((2 - 1 / p) * least + 1e-6);
        expect(ms).toBeLessThanOrEqual(work(nodes) / p + (1 - 1 / p) * span(nodes) + 1e-6);
      }),
      RUNS,
    );
  });

  test('is the work with one slot, and the span with a slot for every step', () => {
    fc.assert(
      fc.property(dag, (nodes) => {
        expect(makespan(nodes, 1)).toBe(work(nodes));
        expect(makespan(nodes, Infinity)).toBe(span(nodes));
        expect(makespan(nodes, Math.max(1, nodes.length))).toBe(span(nodes));
      }),
      RUNS,
    );
  });

  test('starts the step with the most behind it first', () => {
    const nodes = [node('short', 1), node('middle', 1), node('long', 1), node('end', 5, ['long'])];
    expect(tracks(nodes, 2)).toEqual([
      ['long', 'end'],
      ['short', 'middle'],
    ]);
    expect(makespan(nodes, 2)).toBe(6);
  });

  test('refuses slots that are no count', () => {
    for (const bad of [0, -1, 1.5, NaN]) {
      expect(thrownBy(() => makespan([], bad))).toMatchObject({ code: 'OPTIONS_INVALID', facts: { slots: bad } });
    }
  });
});

describe('tracks', () => {
  /** Runs the lanes as they are, and returns when the last step ends; fails if they block one another. */
  function replay(nodes: readonly GraphNode[], lanes: readonly (readonly string[])[]): number {
    const ends = new Map<string, number>();
    const next = lanes.map(() => 0);
    const free = lanes.map(() => 0);
    const at = (lane: number): GraphNode | undefined => nodes.find(({ id }) => id === lanes[lane]![next[lane]!]);
    const runnable = (lane: number): boolean => at(lane)?.after.every((id) => ends.has(id)) ?? false;
    for (let left = nodes.length; left > 0; left -= 1) {
      const lane = [...lanes.keys()].find(runnable);
      if (lane === undefined) throw new Error(`the lanes block one another: ${JSON.stringify(lanes)}`);
      const step = at(lane)!;
      const end = Math.max(free[lane]!, ...step.after.map((id) => ends.get(id)!)) + step.estimateMs;
      ends.set(step.id, end);
      free[lane] = end;
      next[lane]! += 1;
    }
    return Math.max(0, ...ends.values());
  }

  test('hold each step once, in no more lanes than slots, none of them empty', () => {
    fc.assert(
      fc.property(dag, slots, (nodes, p) => {
        const lanes = tracks(nodes, p);
        expect(lanes.flat().toSorted()).toEqual(nodes.map(({ id }) => id).toSorted());
        expect(lanes.length).toBeLessThanOrEqual(p);
        expect(lanes.every((lane) => lane.length > 0)).toBe(true);
      }),
      RUNS,
    );
  });

  test('respect every dependency, and give the makespan back when they are run', () => {
    fc.assert(
      fc.property(dag, slots, (nodes, p) => {
        expect(replay(nodes, tracks(nodes, p))).toBe(makespan(nodes, p));
      }),
      RUNS,
    );
  });
});

test('a chain of 100,000 steps, and as many side by side, are as safe as ten', () => {
  const long = chain(100_000);
  expect(span(long)).toBe(100_000);
  expect(criticalPath(long)).toHaveLength(100_000);
  expect(tracks(long, Infinity)).toHaveLength(1);
  long[0] = node('s0', 1, ['s99999']);
  expect(thrownBy(() => checkGraph(long)).facts['cycle']).toHaveLength(100_000);
  const wide = Array.from({ length: 100_000 }, (_, i) => node(`s${i}`, i % 7));
  expect(makespan(wide, Infinity)).toBe(6);
  expect(makespan(wide, 1)).toBe(work(wide));
});
