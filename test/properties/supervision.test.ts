/** Random supervisors, failures and crashes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AnyActorRef } from 'xstate';
import { supervise, type ChildSpec, type Strategy } from '../../index.ts';
import { describeTree } from '../support/describe.ts';
import { bossMachine, childAt, counts, inMemory, inTree, topMachine, type Running } from '../support/supervised.ts';

const numRuns = Number(process.env['PERDURE_RUNS'] ?? 150);
const SRCS = ['worker', 'polite', 'slow'] as const;
const IDS = ['a', 'b', 'c', 'd', 'e'];

interface Shape {
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly periodMs: number;
  readonly order: (typeof SRCS)[number][];
  readonly specs: readonly Required<ChildSpec>[];
}

function shapes(shutdown: fc.Arbitrary<'brutal_kill' | number>): fc.Arbitrary<Shape> {
  const spec = fc.record({
    restart: fc.constantFrom('permanent', 'transient', 'temporary'),
    from: fc.constantFrom('committed', 'initial'),
    shutdown,
  });
  return fc.record({
    strategy: fc.constantFrom('one_for_one', 'one_for_all', 'rest_for_one'),
    intensity: fc.integer({ min: 0, max: 6 }),
    periodMs: fc.constantFrom(10, 300, 100_000),
    order: fc.array(fc.constantFrom(...SRCS), { minLength: 1, maxLength: 5 }),
    specs: fc.tuple(spec, spec, spec),
  }) as fc.Arbitrary<Shape>;
}

type Step =
  | { readonly what: 'add' | 'die' | 'finish' | 'wait' | 'stop'; readonly child: number }
  | { readonly what: 'pass'; readonly ms: number }
  | { readonly what: 'crash' };

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constantFrom('add', 'die', 'die', 'finish', 'wait'), child: fc.nat(4) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('stop' as const), child: fc.nat(4) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.constantFrom(7, 49, 210, 1_001) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('crash' as const) }) },
) as fc.Arbitrary<Step>;
const steps = fc.array(step, { maxLength: 25 });

function machineOf({ strategy, intensity, periodMs, order, specs }: Shape, team = '') {
  const children = Object.fromEntries(SRCS.map((src, at) => [src, specs[at]]));
  const names = Object.fromEntries(order.map((src, at) => [IDS[at] as string, src]));
  return supervise(bossMachine(names, team), { strategy, intensity, periodMs, children });
}

async function take(running: Running, step: Step): Promise<void> {
  if (step.what === 'crash') return;
  if (step.what === 'pass') return running.advance(step.ms);
  const id = IDS[step.child] as string;
  const { status, children } = running.root.getSnapshot();
  if (status !== 'active' || children[id] === undefined) return;
  await running.send(step.what === 'stop' ? { type: 'stop', id } : { type: 'to', id, event: { type: step.what } });
}

interface Child {
  readonly id: string;
  readonly spec: Required<ChildSpec>;
  n: number;
  waitsUntil: number | undefined;
  state: 'running' | 'done';
}

/** Who runs, and what they count: supervision in thirty lines, for children that are stopped at once. */
class Model {
  now = 0;
  exceeded = false;
  children: Child[];
  readonly #shape: Shape;
  readonly #restarts: number[] = [];

  constructor(shape: Shape) {
    this.#shape = shape;
    this.children = shape.order.map((src, at) => ({
      id: IDS[at] as string,
      spec: shape.specs[SRCS.indexOf(src)] as Required<ChildSpec>,
      n: 0,
      waitsUntil: undefined,
      state: 'running',
    }));
  }

  take(step: Step): void {
    if (step.what === 'crash' || this.exceeded) return;
    if (step.what === 'pass') return this.#pass(step.ms);
    const child = this.children.find(({ id }) => id === IDS[step.child]);
    if (child === undefined) return;
    if (step.what === 'stop') return this.#remove([child]);
    if (child.state === 'done') return;
    if (step.what === 'add') child.n += 1;
    // Entering the state again begins its delay again.
    else if (step.what === 'wait') child.waitsUntil = this.now + 1_000;
    else this.#ended(child, step.what);
  }

  counts(): Record<string, unknown> {
    return Object.fromEntries(this.children.map(({ id, n, state }) => [id, state === 'running' ? n : state]));
  }

  #pass(ms: number): void {
    this.now += ms;
    for (const child of this.children) {
      if (child.waitsUntil === undefined || child.waitsUntil > this.now) continue;
      child.waitsUntil = undefined;
      child.n = 100;
    }
  }

  #remove(gone: Child[]): void {
    this.children = this.children.filter((child) => !gone.includes(child));
  }

  #ended(child: Child, how: 'die' | 'finish'): void {
    const { strategy, intensity, periodMs } = this.#shape;
    const { restart } = child.spec;
    if (restart === 'temporary') return this.#remove([child]);
    if (restart === 'transient' && how === 'finish') {
      child.state = 'done';
      child.waitsUntil = undefined;
      return;
    }
    const recent = this.#restarts.filter((at) => at > this.now - periodMs).length;
    if (recent >= intensity) {
      this.exceeded = true;
      return;
    }
    this.#restarts.push(this.now);
    const from = strategy === 'one_for_all' ? 0 : this.children.indexOf(child);
    const group = strategy === 'one_for_one' ? [child] : this.children.slice(from);
    this.#remove(group.filter(({ spec }) => spec.restart === 'temporary'));
    for (const one of group) {
      if (one.state === 'done' || (one.spec.from === 'committed' && !(one === child && how === 'finish'))) continue;
      one.n = 0;
      one.waitsUntil = undefined;
    }
  }
}

test('property: who runs, and what they know, is what a model of supervision says', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(shapes(fc.constant('brutal_kill' as const)), steps, async (shape, walk) => {
      const model = new Model(shape);
      const running = await inMemory(machineOf(shape));
      for (const step of walk) {
        await take(running, step);
        model.take(step);
        expect(running.root.getSnapshot().status).toBe(model.exceeded ? 'error' : 'active');
        expect(counts(running.root)).toEqual(model.exceeded ? {} : model.counts());
      }
      await running.end();
    }),
    { numRuns: numRuns * 4 },
  );
});

const shutdowns = fc.constantFrom<'brutal_kill' | number>('brutal_kill', 'brutal_kill', 0, 30, 100);

/** Two supervised teams under a supervisor: who fails too often takes its team, and perhaps the other one, with it. */
interface TreeShape {
  readonly top: Shape;
  readonly teams: readonly [Shape, Shape];
}

const trees: fc.Arbitrary<TreeShape> = fc.record({
  top: shapes(shutdowns),
  teams: fc.tuple(shapes(shutdowns), shapes(shutdowns)),
});
const TEAMS = ['red', 'blue'];

function treeOf({ top: { strategy, intensity, periodMs, specs }, teams }: TreeShape) {
  const machines = Object.fromEntries(teams.map((shape, at) => [TEAMS[at] as string, machineOf(shape, TEAMS[at])]));
  const children = Object.fromEntries(TEAMS.map((team, at) => [team, specs[at]]));
  return supervise(topMachine(machines), { strategy, intensity, periodMs, children });
}

async function takeInTeam(running: Running, step: Step, team: string): Promise<void> {
  if (step.what === 'crash') return;
  if (step.what === 'pass') return running.advance(step.ms);
  const id = IDS[step.child] as string;
  const children = running.root.getSnapshot().children as Record<string, AnyActorRef | undefined>;
  if (running.root.getSnapshot().status !== 'active' || children[team]?.getSnapshot().children?.[id] === undefined)
    return;
  const event = step.what === 'stop' ? { type: 'stop', id } : { type: 'to', id, event: { type: step.what } };
  await running.send({ type: 'in', team, event });
}

test(
  'property: a tree of supervisors that crashes is always where one that does not crash is, also while groups shut down',
  { timeout: 120_000 },
  async () => {
    const walks = fc.array(fc.tuple(step, fc.constantFrom(...TEAMS)), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(trees, walks, async (shape, walk) => {
        const machine = treeOf(shape);
        const model = await inMemory(machine);
        let real = await inTree(machine);
        const emitted: string[] = [];
        for (const [next, team] of walk) {
          if (next.what === 'crash') {
            emitted.push(...real.emitted.map(nameOf));
            real = await real.crash();
          }
          await takeInTeam(model, next, team);
          await takeInTeam(real, next, team);
          expect(plain(real.root)).toEqual(plain(model.root));
        }
        emitted.push(...real.emitted.map(nameOf));
        expect(emitted).toEqual(model.emitted.map(nameOf));
        await model.end();
        await real.end();
      }),
      { numRuns: numRuns * 2 },
    );
  },
);

test('property: when a group has had its time, every permanent child runs, once', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(shapes(shutdowns), steps, async (shape, walk) => {
      const running = await inMemory(machineOf({ ...shape, intensity: 1_000 }));
      const stopped = new Set<string>();
      for (const step of walk) {
        await take(running, step);
        if (step.what === 'stop') stopped.add(IDS[step.child] as string);
      }
      await running.advance(1_000);
      const before = counts(running.root);
      for (const [at, src] of shape.order.entries()) {
        const id = IDS[at] as string;
        if (stopped.has(id) || shape.specs[SRCS.indexOf(src)]?.restart !== 'permanent') continue;
        childAt(running.root, id).send({ type: 'add' });
        expect(counts(running.root)[id]).toBe((before[id] as number) + 1);
      }
      await running.end();
    }),
    { numRuns: numRuns * 2 },
  );
});

test(
  'property: teams that give up under a patient supervisor have their children back',
  { timeout: 60_000 },
  async () => {
    const walks = fc.array(fc.tuple(step, fc.constantFrom(...TEAMS)), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(trees, walks, async ({ top, teams }, walk) => {
        const specs = top.specs.map((spec) => ({ ...spec, restart: 'permanent' as const }));
        const running = await inMemory(treeOf({ top: { ...top, intensity: 1_000, specs }, teams }));
        const stopped = new Set<string>();
        for (const [next, team] of walk) {
          await takeInTeam(running, next, team);
          if (next.what === 'stop') stopped.add(IDS[next.child] as string);
        }
        await running.advance(3_000);
        for (const [at, { order, specs: own }] of teams.entries()) {
          const team = childAt(running.root, TEAMS[at] as string);
          for (const [place, src] of order.entries()) {
            const id = IDS[place] as string;
            if (stopped.has(id) || own[SRCS.indexOf(src)]?.restart !== 'permanent') continue;
            const before = counts(team)[id] as number;
            childAt(team, id).send({ type: 'add' });
            expect(counts(team)[id]).toBe(before + 1);
          }
        }
        await running.end();
      }),
      { numRuns: numRuns * 2 },
    );
  },
);

function plain(root: AnyActorRef): unknown {
  return JSON.parse(JSON.stringify(describeTree(root)));
}

function nameOf({ type, child }: { type: string; child?: unknown }): string {
  return `${type} ${String(child)}`;
}
