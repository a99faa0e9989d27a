/** I3, H11, H40, H41: in which order and how fast the steps of random plans run, on a clock that is moved by hand. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { readPlan } from '../../actors/ledger.ts';
import type { PlanOptions, StepOptions } from '../../actors/plan-input.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { span, work as workOf, type GraphNode } from '../../machines/graph.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { quickStore } from '../support/temp.ts';

const START = 1_700_000_000_000;
const POLICIES = ['stop', 'continue', 'skip-dependants'] as const;
type Policy = (typeof POLICIES)[number];

interface Work {
  readonly ms: number;
  readonly fails: boolean;
}
type WorkInput = Work & { readonly item?: Work };

/** A supervisor whose actions take simulated time: no time passes while there is anything to start or to settle. */
class World {
  readonly clock = new SimulatedClock(START);
  readonly store = quickStore();
  readonly slots: number;
  readonly starts: string[] = [];
  /** Called with the id of every action that starts. */
  onStart: (id: string) => void = () => {};
  /** What was wrong when an action started: what is thrown there would only fail the action. */
  readonly violations: unknown[] = [];
  #due = new Map<string, number>();
  #live: Awaited<ReturnType<World['open']>> | undefined;

  constructor(slots: number) {
    this.slots = slots;
  }

  async open() {
    this.#due = new Map();
    const due = this.#due;
    let opened = () => {};
    const isOpen = new Promise<void>((resolve) => (opened = resolve));
    const take = async (id: string, { ms, fails }: Work, signal: AbortSignal) => {
      await isOpen;
      signal.throwIfAborted();
      this.starts.push(id);
      try {
        this.onStart(id);
      } catch (error) {
        this.violations.push(error);
      }
      due.set(id, this.clock.now() + ms);
      return await new Promise<number>((resolve, reject) => {
        const end = (settle: () => void) => {
          due.delete(id);
          settle();
        };
        signal.addEventListener('abort', () => end(() => reject(new Error('aborted'))));
        const told = () => end(() => (fails ? reject(new Error(`${id} fails`)) : resolve(ms)));
        this.clock.setTimeout(told, ms);
      });
    };
    const work = defineAction({
      run: ({ item, ...own }: WorkInput, { id, signal }) => take(id, item ?? own, signal),
    });
    const list = defineAction({ run: (items: readonly Work[]) => items });
    const { store, clock, slots: concurrency } = this;
    const supervisor = await spawnSupervisor({
      maxInterruptions: Infinity,
      store,
      clock: clock as never,
      actions: { work, list },
      concurrency,
      budget: { kind: 'count', perHour: 1_000_000 },
      durability: 'process-crash',
    });
    this.#live = supervisor;
    opened();
    return supervisor;
  }

  get live() {
    return this.#live as Awaited<ReturnType<World['open']>>;
  }

  get rows() {
    return this.live.durable.store.rows;
  }

  crash(): void {
    crash(this.live.durable);
  }

  /** Whether all that may run does, and all that has ended is settled. */
  #isQuiet(plan: string): boolean {
    if (readPlan(this.rows, plan)?.state === 'settled') return true;
    const actions = this.rows.all<{ id: string; state: string }>(
      `select id, state from actions where state in ('running', 'waiting')`,
    );
    const running = actions.filter(({ state }) => state === 'running');
    if (running.length === 0 || !running.every(({ id }) => this.#due.has(id))) return false;
    return running.length === this.#due.size && (running.length === actions.length || running.length >= this.slots);
  }

  /** Lets time pass until the next step ends, or says that the plan has ended. */
  async tick(plan: string): Promise<boolean> {
    while (!this.#isQuiet(plan)) await new Promise((resolve) => setImmediate(resolve));
    if (readPlan(this.rows, plan)?.state === 'settled') return false;
    const next = Math.min(...this.#due.values());
    await this.clock.advance(next - this.clock.now());
    return true;
  }

  async finish(plan: string): Promise<void> {
    while (await this.tick(plan));
  }
}

const flatGraph = fc.record({
  nodes: fc
    .array(
      fc.record({
        before: fc.array(fc.nat(100), { maxLength: 3 }),
        ms: fc.integer({ min: 1, max: 50 }),
        fails: fc.nat(9).map((n) => n === 7),
      }),
      { minLength: 1, maxLength: 10 },
    )
    .map((drawn) =>
      drawn.map(({ before, ...node }, n) => ({
        ...node,
        id: `s${n}`,
        after: [...new Set(n === 0 ? [] : before.map((b) => `s${b % n}`))],
      })),
    ),
  policy: fc.constantFrom(...POLICIES),
  concurrency: fc.integer({ min: 1, max: 4 }),
});

/** First come, first served: what the order of the critical path is compared with. */
function fifoMakespan(nodes: readonly GraphNode[], slots: number): number {
  const left = new Map(nodes.map((node) => [node.id, node]));
  const ends = new Map<string, number>();
  const running: { id: string; end: number }[] = [];
  let now = 0;
  while (left.size > 0 || running.length > 0) {
    for (const { id, after, estimateMs } of left.values()) {
      if (running.length >= slots) break;
      if (!after.every((one) => (ends.get(one) ?? Infinity) <= now)) continue;
      left.delete(id);
      running.push({ id, end: now + estimateMs });
    }
    now = running.reduce((least, { end }) => Math.min(least, end), Infinity);
    for (const { id } of running.filter(({ end }) => end === now)) ends.set(id, now);
    running.splice(0, Infinity, ...running.filter(({ end }) => end !== now));
  }
  return now;
}

test('a thousand random graphs: no step starts before what it waits for, each has one outcome, none takes longer than Graham says', async () => {
  const world = new World(4);
  await using supervisor = await world.open();
  const settled = new Map<string, number>();
  supervisor.on('action.settled', ({ id }) => settled.set(id, (settled.get(id) ?? 0) + 1));
  const total = { ours: 0, fifo: 0 };
  let [plans, free] = [0, 0];
  await fc.assert(
    fc.asyncProperty(flatGraph, async ({ nodes, policy, concurrency }) => {
      const id = `p${plans++}`;
      const kindOf = (step: string) =>
        world.rows.get<{ kind: string | null }>('select kind from steps where id = ?', `${id}/${step}`)?.kind;
      world.starts.length = 0;
      world.onStart = (action) => {
        const { after } = nodes.find((node) => `${id}/${node.id}` === action)!;
        const good = policy === 'continue' ? ['ok', 'failed'] : ['ok'];
        for (const before of after) expect(good, `${before} before ${action}`).toContain(kindOf(before));
      };
      const began = world.clock.now();
      const plan = await supervisor.plan({
        id,
        policy,
        concurrency,
        steps: nodes.map(({ id: step, after, ms, fails }) => ({
          id: step,
          action: 'work',
          input: { ms, fails },
          after,
          estimateMs: ms,
        })),
      });
      await world.finish(id);
      expect(world.violations).toEqual([]);
      const { kind, steps } = await plan.outcome;
      const kinds = Object.fromEntries(Object.entries(steps).map(([step, one]) => [step, one.kind]));
      const ran = nodes.filter((node) => kinds[node.id] !== 'skipped').map((node) => `${id}/${node.id}`);
      expect(world.starts.toSorted()).toEqual(ran.toSorted());
      expect(ran.map((one) => settled.get(one))).toEqual(ran.map(() => 1));
      expect(kind).toBe(Object.values(kinds).every((one) => one === 'ok') ? 'ok' : 'failed');
      if (policy !== 'stop') {
        for (const { id: step, after, fails } of nodes) {
          const isBlocked = policy === 'skip-dependants' && after.some((before) => kinds[before] !== 'ok');
          expect(kinds[step]).toBe(isBlocked ? 'skipped' : fails ? 'failed' : 'ok');
        }
      }
      if (kind !== 'ok') return;
      const graph = nodes.map((node) => ({ id: node.id, after: node.after, estimateMs: node.ms }));
      const took = world.clock.now() - began;
      const bound = Math.max(workOf(graph) / concurrency, span(graph));
      expect(took).toBeGreaterThanOrEqual(bound);
      expect(took).toBeLessThanOrEqual((2 - 1 / concurrency) * bound + 1e-6);
      free += 1;
      total.ours += took;
      total.fifo += fifoMakespan(graph, concurrency);
    }),
    { numRuns: 1_000 },
  );
  expect(free).toBeGreaterThan(300);
  expect(total.ours).toBeLessThanOrEqual(total.fifo);
}, 120_000);

test('H40: three independent steps of 300 ms take 300 ms on three slots and 900 ms on one, and failures are counted', async () => {
  const run = async (slots: number, fails: boolean) => {
    const world = new World(slots);
    await using supervisor = await world.open();
    const steps = ['a', 'b', 'c'].map((id) => ({ id, action: 'work', input: { ms: 300, fails: fails && id === 'b' } }));
    const plan = await supervisor.plan({ id: 'p', policy: 'continue', steps });
    await world.finish('p');
    const { kind, makespanMs, speedUp, steps: ended } = await plan.outcome;
    return {
      kind,
      makespanMs,
      speedUp,
      kinds: Object.values(ended)
        .map((one) => one.kind)
        .toSorted(),
    };
  };
  expect(await run(3, false)).toEqual({ kind: 'ok', makespanMs: 300, speedUp: 3, kinds: ['ok', 'ok', 'ok'] });
  expect(await run(1, false)).toEqual({ kind: 'ok', makespanMs: 900, speedUp: 1, kinds: ['ok', 'ok', 'ok'] });
  expect(await run(1, true)).toMatchObject({ kind: 'failed', kinds: ['failed', 'ok', 'ok'] });
});

/** What a plan is drawn from: a step, a fan-out over a list of its own, or a group. */
type Drawn = { readonly before: readonly number[] } & (
  | { readonly kind: 'step'; readonly work: Work }
  | { readonly kind: 'each'; readonly items: readonly Work[]; readonly limit: number | undefined }
  | { readonly kind: 'group'; readonly inner: readonly Drawn[] }
);

const someWork = fc.record({ ms: fc.integer({ min: 1, max: 20 }), fails: fc.nat(9).map((n) => n === 7) });
const before = fc.array(fc.nat(20), { maxLength: 2 });
const nestedPlan = fc.letrec<{ steps: Drawn[]; one: Drawn }>((tie) => ({
  steps: fc.array(tie('one'), { minLength: 1, maxLength: 4 }),
  one: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    fc.record({ before, kind: fc.constant('step' as const), work: someWork }),
    fc.record({
      before,
      kind: fc.constant('each' as const),
      items: fc.array(someWork, { maxLength: 4 }),
      limit: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
    }),
    fc.record({ before, kind: fc.constant('group' as const), inner: tie('steps') }),
  ),
})).steps;

const afterOf = (one: Drawn, n: number) => [...new Set(n === 0 ? [] : one.before.map((b) => `s${b % n}`))];

function planned(drawn: readonly Drawn[]): StepOptions[] {
  return drawn.flatMap((one, n): StepOptions[] => {
    const [id, after] = [`s${n}`, afterOf(one, n)];
    if (one.kind === 'group') return [{ id, after, steps: planned(one.inner) }];
    if (one.kind === 'step') return [{ id, after, action: 'work', input: one.work, estimateMs: one.work.ms }];
    const forEach = { from: `l${n}`, ...(one.limit === undefined ? {} : { concurrency: one.limit }) };
    return [
      { id: `l${n}`, after, action: 'list', input: one.items },
      { id, after, action: 'work', forEach },
    ];
  });
}

/** What must have ended before an action of the plan starts, and how each step ends where the policy leaves no choice. */
interface Expected {
  readonly kinds: Record<string, string>;
  readonly needs: Record<string, readonly string[]>;
}

/** The steps in what was drawn, by its own rules: the test's second opinion. Gives which of the siblings went well, and their steps. */
function expectedOf(
  drawn: readonly Drawn[],
  policy: Policy,
  expected: Expected,
  scope = '',
  outer: { readonly isBlocked: boolean; readonly needs: readonly string[] } = { isBlocked: false, needs: [] },
): { readonly isGood: boolean; readonly steps: readonly string[] } {
  const siblings = new Map<string, { readonly isGood: boolean; readonly steps: readonly string[] }>();
  drawn.forEach((one, n) => {
    const id = `${scope}s${n}`;
    const after = afterOf(one, n).map((name) => siblings.get(name)!);
    const needs = [...outer.needs, ...after.flatMap(({ steps }) => steps)];
    const isBlocked = policy !== 'continue' && (outer.isBlocked || after.some(({ isGood }) => !isGood));
    const put = (step: string, fails: boolean, blocked = isBlocked, more: readonly string[] = []) => {
      expected.needs[step] = [...needs, ...more];
      expected.kinds[step] = blocked ? 'skipped' : fails ? 'failed' : 'ok';
      return expected.kinds[step] === 'ok';
    };
    if (one.kind === 'step') return void siblings.set(`s${n}`, { isGood: put(id, one.work.fails), steps: [id] });
    if (one.kind === 'group')
      return void siblings.set(`s${n}`, expectedOf(one.inner, policy, expected, `${id}/`, { isBlocked, needs }));
    const list = `${scope}l${n}`;
    const isListed = put(list, false);
    const items = isListed ? one.items.map((_, index) => `${id}[${index}]`) : [];
    const good = items.map((item, index) => put(item, one.items[index]!.fails, false, [list]));
    const isGood = isListed && good.every(Boolean);
    expected.kinds[id] = isGood ? 'ok' : isListed && policy === 'continue' ? 'failed' : 'skipped';
    siblings.set(`s${n}`, { isGood, steps: [list, ...items] });
  });
  // A list is a step of its own beside its fan-out: it is good if that is.
  return {
    isGood: [...siblings.values()].every(({ isGood }) => isGood),
    steps: [...siblings.values()].flatMap(({ steps }) => steps),
  };
}

const crashes = fc.array(fc.nat(6), { maxLength: 3 });

test('plans of groups and fan-outs that crash anywhere: in order, each step with one outcome, and what was finished never again', async () => {
  await fc.assert(
    fc.asyncProperty(
      nestedPlan,
      fc.constantFrom(...POLICIES),
      fc.integer({ min: 1, max: 3 }),
      crashes,
      async (drawn, policy, slots, deaths) => {
        const world = new World(slots);
        const expected: Expected = { kinds: {}, needs: {} };
        expectedOf(drawn, policy, expected);
        const kindOf = (step: string) =>
          world.rows.get<{ kind: string | null }>('select kind from steps where id = ?', `p/${step}`)?.kind;
        world.onStart = (action) => {
          const step = action.slice(2);
          expect(kindOf(step), `${step} starts`).toBeNull();
          for (const need of expected.needs[step]!) {
            if (policy === 'continue') expect(['ok', 'failed'], `${need} before ${step}`).toContain(kindOf(need));
            else expect(kindOf(need), `${need} before ${step}`).toBe('ok');
          }
        };
        const plan: PlanOptions = { id: 'p', policy, steps: planned(drawn) };
        for (const ticks of deaths) {
          await (await world.open()).plan(plan);
          for (let n = 0; n < ticks && (await world.tick('p')); n++);
          world.crash();
        }
        await using supervisor = await world.open();
        const { outcome } = await supervisor.plan(plan);
        await world.finish('p');
        expect(world.violations).toEqual([]);
        const { kind, steps } = await outcome;
        const kinds = Object.fromEntries(Object.entries(steps).map(([step, one]) => [step, one.kind]));
        expect(kind).toBe(Object.values(kinds).every((one) => one === 'ok') ? 'ok' : 'failed');
        const plan_ = readPlan(world.rows, 'p');
        expect([plan_?.unsettled, plan_?.dispatched]).toEqual([0, 0]);
        if (policy !== 'stop' || kind === 'ok') expect(kinds).toEqual(expected.kinds);
        for (const [step, one] of Object.entries(kinds)) expect([expected.kinds[step], 'skipped']).toContain(one);
      },
    ),
    { numRuns: 150 },
  );
}, 120_000);

test('a plan that was cancelled starts nothing more, whenever it was cancelled and however often the process dies', async () => {
  await fc.assert(
    fc.asyncProperty(
      nestedPlan,
      fc.integer({ min: 1, max: 3 }),
      fc.nat(5),
      crashes,
      async (drawn, slots, ticks, deaths) => {
        const world = new World(slots);
        const first = await world.open();
        const plan = await first.plan({ id: 'p', policy: 'continue', steps: planned(drawn) });
        for (let n = 0; n < ticks && (await world.tick('p')); n++);
        await plan.cancel();
        const started = world.starts.length;
        for (const _ of deaths) {
          world.crash();
          await world.open();
        }
        await using last = world.live;
        await world.finish('p');
        await last.joinPlan('p').outcome;
        expect(world.starts.length).toBe(started);
        const open = last.durable.store.rows.all(`select id from steps where state <> 'settled'`);
        const alive = last.durable.store.rows.all(`select id from actions where state <> 'settled'`);
        expect([open, alive]).toEqual([[], []]);
      },
    ),
    { numRuns: 100 },
  );
}, 120_000);
