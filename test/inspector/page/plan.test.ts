import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ElkNode } from 'elkjs/lib/elk-api.js';
import { drawingOf, elkGraphOf } from '../../../inspector/page/views/plan/elk-graph.ts';
import { laidOut, type Place } from '../../../inspector/page/views/plan/layers.ts';
import { reduced } from '../../../inspector/page/views/plan/reduce.ts';
import { shapeOf, tallyOf, type Shape } from '../../../inspector/page/views/plan/shape.ts';
import { runParts, runText } from '../../../inspector/page/views/plan/standing.ts';
import type { PlanStep } from '../../../inspector/views/plan.ts';

function step(id: string, changes: Partial<PlanStep> = {}): PlanStep {
  return {
    id,
    action: null,
    name: id,
    parent: null,
    role: 'step',
    after: [],
    state: 'waiting',
    kind: null,
    reason: null,
    attempts: 0,
    estimateMs: 0,
    startedAt: null,
    settledAt: null,
    workMs: null,
    error: null,
    isCritical: false,
    ...changes,
  };
}

/** Plans whose steps come after earlier ones, some of them in groups and fan-outs, which may lie in each other. */
const plan = fc
  .array(
    fc.record({
      role: fc.constantFrom('step', 'step', 'step', 'group', 'fan-out'),
      parent: fc.nat(5),
      after: fc.array(fc.nat(30), { maxLength: 3 }),
      open: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((drafts) => {
    const boxes: string[] = [];
    const steps: PlanStep[] = [];
    const holders = new Map<string, readonly string[]>();
    for (const [index, draft] of drafts.entries()) {
      const parent = boxes[draft.parent] ?? null;
      const above = parent === null ? [] : [...holders.get(parent)!, parent];
      // A step is never after the box that it lies in. A box is after nothing of its own, as it is there before all that.
      const after = draft.after
        .filter((before) => before < index)
        .map(String)
        .filter((before) => !above.includes(before));
      holders.set(String(index), above);
      if (draft.role !== 'step') boxes.push(String(index));
      // Edges into a box would go in circles where something in it is before something of before: boxes have none here.
      steps.push(step(String(index), { role: draft.role as PlanStep['role'], parent, after }));
    }
    return { steps, opened: new Map(drafts.map(({ open }, index) => [String(index), open])) };
  });

function overlap(a: Place, b: Place): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function holds(outer: Place, inner: Place): boolean {
  return (
    outer.x <= inner.x &&
    outer.y <= inner.y &&
    outer.x + outer.width >= inner.x + inner.width &&
    outer.y + outer.height >= inner.y + inner.height
  );
}

function ancestorsOf(shape: Shape, id: string): string[] {
  const parent = shape.nodes.find((node) => node.id === id)!.parent;
  return parent === null ? [] : [...ancestorsOf(shape, parent), parent];
}

describe('a plan as a graph', () => {
  test('overlaps nowhere, and holds in a box what lies in it', () => {
    fc.assert(
      fc.property(plan, ({ steps, opened }) => {
        const shape = shapeOf(steps, [], opened);
        const { places, width, height } = laidOut(shape);
        for (const one of shape.nodes) {
          const place = places.get(one.id)!;
          expect(holds({ x: 0, y: 0, width, height }, place)).toBe(true);
          const above = ancestorsOf(shape, one.id);
          for (const box of above) expect(holds(places.get(box)!, place)).toBe(true);
          for (const other of shape.nodes) {
            if (other.id === one.id || above.includes(other.id) || ancestorsOf(shape, other.id).includes(one.id)) {
              continue;
            }
            expect(overlap(place, places.get(other.id)!)).toBe(false);
          }
        }
      }),
    );
  });

  test('lies right of what it waits for', () => {
    fc.assert(
      fc.property(plan, ({ steps }) => {
        // Without boxes there is no way round in a circle.
        const loose = steps.map((one) => ({ ...one, parent: null, role: 'step' as const }));
        const shape = shapeOf(loose, [], new Map());
        const { places } = laidOut(shape);
        for (const { from, to } of shape.edges) {
          expect(places.get(to)!.x).toBeGreaterThan(places.get(from)!.x + places.get(from)!.width);
        }
      }),
    );
  });

  test('draws every step once, as itself or as the closed box that it lies in, and every way between two of those', () => {
    fc.assert(
      fc.property(plan, ({ steps, opened }) => {
        const shape = shapeOf(steps, [], opened);
        const drawn = new Set(shape.nodes.map(({ id }) => id));
        expect(drawn.size).toBe(shape.nodes.length);
        const leaves = steps.filter(({ role }) => role === 'step');
        const shown = shape.nodes.filter(({ kind }) => kind !== 'box').reduce((sum, { tally }) => sum + tally.total, 0);
        expect(shown).toBe(leaves.length);
        for (const { from, to } of shape.edges) {
          expect(drawn.has(from) && drawn.has(to)).toBe(true);
          expect(ancestorsOf(shape, to)).not.toContain(from);
          expect(from).not.toBe(to);
        }
      }),
    );
  });

  test('counts in a closed fan-out what its steps are doing', () => {
    const inner = [
      step('a', { state: 'running' }),
      step('b', { state: 'settled', kind: 'ok' }),
      step('c', { state: 'settled', kind: 'recovered' }),
      step('d', { state: 'settled', kind: 'failed' }),
      step('e', { state: 'queued' }),
    ];
    expect(tallyOf(inner)).toMatchObject({ total: 5, running: 1, ok: 2, failed: 1, waiting: 1 });
    const shape = shapeOf(
      [step('all', { role: 'fan-out' }), ...inner.map((one) => ({ ...one, parent: 'all' }))],
      [],
      new Map(),
    );
    expect(shape.nodes).toHaveLength(1);
    expect(shape.nodes[0]).toMatchObject({ kind: 'stack', tally: { total: 5, running: 1, failed: 1 } });
  });

  test('shows the critical path also through a closed box', () => {
    const steps = [
      step('build', { isCritical: true }),
      step('tests', { role: 'fan-out', after: ['build'] }),
      step('tests.1', { parent: 'tests', after: ['build'], isCritical: true }),
      step('tests.2', { parent: 'tests', after: ['build'] }),
      step('ship', { after: ['tests'], isCritical: true }),
      step('tell', { after: ['build'] }),
    ];
    const shape = shapeOf(steps, ['build', 'tests.1', 'ship'], new Map());
    expect(shape.edges.filter(({ isCritical }) => isCritical).map(({ from, to }) => [from, to])).toEqual([
      ['build', 'tests'],
      ['tests', 'ship'],
    ]);
    expect(shape.nodes.filter(({ isCritical }) => isCritical).map(({ id }) => id)).toEqual(['build', 'tests', 'ship']);
  });

  test('shows the critical path also out of a box, where the next step waits for all of the box', () => {
    const steps = [
      step('release', { role: 'group' }),
      step('release/tag', { parent: 'release' }),
      step('release/push', { parent: 'release', after: ['release/tag'] }),
      step('notify', { after: ['release'] }),
    ];
    const shape = shapeOf(steps, ['release/tag', 'release/push', 'notify'], new Map());
    expect(shape.edges.filter(({ isCritical }) => isCritical).map(({ from, to }) => [from, to])).toEqual([
      ['release/tag', 'release/push'],
      ['release', 'notify'],
    ]);
  });

  test('is laid out at once when it has a thousand steps', () => {
    const steps = Array.from({ length: 1000 }, (_, index) =>
      step(String(index), { after: index < 20 ? [] : [String(index - 20), String(index - ((index * 7) % 20) - 1)] }),
    );
    const shape = shapeOf(steps, [], new Map());
    const began = performance.now();
    expect(laidOut(shape).places.size).toBe(1000);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

test('a line is left out only when its end is reached along others, and none that is needed is', () => {
  const line = fc.tuple(fc.nat(14), fc.nat(14)).filter(([a, b]) => a < b);
  fc.assert(
    fc.property(fc.uniqueArray(line, { selector: String, maxLength: 60 }), (pairs) => {
      const lines = pairs.map(([from, to]) => ({ from: String(from), to: String(to) }));
      const reach = (all: readonly { from: string; to: string }[], from: string): Set<string> => {
        const found = new Set<string>();
        for (const open = [from]; open.length > 0;) {
          const at = open.pop()!;
          for (const { to } of all.filter((one) => one.from === at && !found.has(one.to))) {
            found.add(to);
            open.push(to);
          }
        }
        return found;
      };
      const left = reduced(lines);
      for (const { from } of lines) expect(reach(left, from)).toEqual(reach(lines, from));
      for (const one of left) {
        const others = left.filter((other) => other !== one);
        expect(reach(others, one.from).has(one.to)).toBe(false);
      }
    }),
  );
});

test('a line in a circle stays', () => {
  const circle = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'a' },
    { from: 'b', to: 'c' },
    { from: 'a', to: 'c' },
  ];
  expect(reduced(circle)).toEqual(circle);
});

test('ELK lays the same plan out, with every step in its box and every line between its steps', async () => {
  const { default: ELK } = (await import('elkjs')) as unknown as { default: new () => { layout: typeof layout } };
  const layout = async (graph: ElkNode): Promise<ElkNode> => await new ELK().layout(graph);
  const steps = [
    step('a'),
    step('g', { role: 'group', after: ['a'] }),
    step('g.1', { parent: 'g', after: ['a'] }),
    step('g.2', { parent: 'g', after: ['g.1'] }),
    step('f', { role: 'fan-out', after: ['g.2'] }),
    step('f.1', { parent: 'f' }),
    step('z', { after: ['f', 'g'] }),
  ];
  const shape = shapeOf(steps, [], new Map());
  const drawing = drawingOf(await layout(elkGraphOf(shape)), shape, laidOut(shape));
  const at = (id: string): Place => drawing.places.get(id)!;
  expect(holds(at('g'), at('g.1')) && holds(at('g'), at('g.2'))).toBe(true);
  expect(at('f').x).toBeGreaterThan(at('g.2').x);
  expect(drawing.routes).toHaveLength(shape.edges.length);
  for (const [index, { from, to }] of shape.edges.entries()) {
    const { points } = drawing.routes[index]!;
    expect(points[0]!.x).toBeCloseTo(at(from).x + at(from).width, 0);
    expect(points.at(-1)!.x).toBeCloseTo(at(to).x, 0);
  }
});

describe('a run in the list', () => {
  test('tells what failed first, and what was denied from what was skipped', () => {
    const run = { steps: 30, done: 10, failed: 2, denied: 1, skipped: 2 };
    expect(runParts(run).map(({ part, tone, count }) => [part, tone, count])).toEqual([
      ['failed', 'failed', 2],
      ['denied', 'failed', 1],
      ['ok', 'ok', 5],
      ['skipped', 'waiting', 2],
      ['to do', 'neutral', 20],
    ]);
    expect(runText(run)).toBe('2 failed, 1 denied, 5 ok, 2 skipped, 20 to do, of 30 steps');
    expect(runText({ steps: 1, done: 1, failed: 0, denied: 0, skipped: 1 })).toBe('1 skipped, of 1 step');
  });
});
