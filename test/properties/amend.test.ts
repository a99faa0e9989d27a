import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { readPlan, readSteps, type PlanOutcome } from '../../actors/ledger.ts';
import type { StepRow } from '../../actors/plan-tables.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { StepOptions } from '../../actors/plan-input.ts';
import { isSuccess } from '../../machines/outcome.ts';
import { crash } from '../../persistence/crash.ts';
import type { Rows } from '../../persistence/rows.ts';
import { quickStore } from '../support/temp.ts';

/** What a step is told to do: how long it takes, in turns of the event loop, and how it ends. */
interface Work {
  readonly id: string;
  readonly ticks: number;
  readonly fails: boolean;
}

/** Steps by number, null for one that is not in the plan; a step comes after some of those before it. */
type Drawn = readonly ({ readonly before: readonly number[]; readonly work: Omit<Work, 'id'> } | null)[];

type Happening =
  | { readonly kind: 'amend'; readonly ticks: number; readonly drawn: Drawn; readonly isAwaited: boolean }
  | { readonly kind: 'crash'; readonly ticks: number };

const STEPS = 7;
const POLICIES = ['stop', 'continue', 'skip-dependants'] as const;
const PATIENCE_MS = 2_000;

const ticks = fc.nat(6);
const step = fc.record({
  before: fc.array(fc.nat(STEPS - 1), { maxLength: 3 }),
  work: fc.record({ ticks: fc.nat(4), fails: fc.nat(4).map((n) => n === 1) }),
});
const drawnPlan = fc
  .array(fc.option(step, { freq: 3 }), { minLength: STEPS, maxLength: STEPS })
  .filter((steps) => steps.some((one) => one !== null));
const happening = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('amend' as const), ticks, drawn: drawnPlan, isAwaited: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), ticks }) },
);

/** The plan as it was drawn, but for the steps that have an outcome: those stay as they are, and stay if it is a success. */
function stepsOf(drawn: Drawn, stored: readonly StepRow[]): StepOptions[] {
  const settled = new Map(stored.filter(({ kind }) => kind !== null).map((row) => [row.step, row]));
  const isKept = (id: string) => isSuccess(settled.get(id)?.kind ?? 'failed');
  const present = drawn.map((one, n) => (one !== null || isKept(`s${n}`) ? `s${n}` : undefined));
  return present.flatMap((id, n) => {
    if (id === undefined) return [];
    const row = settled.get(id);
    const { before, work } = drawn[n] ?? { before: [], work: {} };
    const after =
      row === undefined ? before.filter((m) => m < n).map((m) => `s${m}`) : (JSON.parse(row.after) as string[]);
    const input = row === undefined ? { id, ...work } : (JSON.parse(row.input) as Work);
    return [{ id, action: 'work', input, after: [...new Set(after)].filter((one) => present.includes(one)) }];
  });
}

async function turnsOfTheLoop(n: number): Promise<void> {
  for (let left = n; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
}

function withPatience<T>(promise: Promise<T>, say: () => string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it does not end: ${say()}`)), PATIENCE_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A plan that is amended and crashed while it runs, and what was seen of it. */
class Run {
  readonly #store = quickStore();
  readonly #policy: (typeof POLICIES)[number];
  readonly #concurrency: number;
  /** By action: the steps on which one could build, whenever it was started. */
  readonly #foundations = new Map<string, ReadonlySet<string>>();
  /** The ids that the plan may have: more than one set while an amendment is not acknowledged. */
  #possible: string[][] = [];
  #supervisor: Awaited<ReturnType<Run['open']>> | undefined;

  constructor(policy: (typeof POLICIES)[number], concurrency: number) {
    this.#policy = policy;
    this.#concurrency = concurrency;
  }

  get #live() {
    return this.#supervisor as Awaited<ReturnType<Run['open']>>;
  }

  get #rows(): Rows {
    return this.#live.durable.store.rows;
  }

  async open() {
    const work = defineAction({
      run: async (input: Work, { id: action }) => {
        this.#noteStart(action);
        await turnsOfTheLoop(input.ticks);
        if (input.fails) throw new Error('told to fail');
        return input.id;
      },
    });
    const supervisor = await spawnSupervisor({
      maxInterruptions: Infinity,
      store: this.#store,
      actions: { work },
      concurrency: 2,
      durability: 'process-crash',
    });
    this.#supervisor = supervisor;
    return supervisor;
  }

  #noteStart(action: string): void {
    const firm = readSteps(this.#rows, 'p').filter(({ kind }) =>
      this.#policy === 'continue' ? kind !== null : kind !== null && isSuccess(kind),
    );
    const before = this.#foundations.get(action);
    const now = firm.map(({ step: id }) => id).filter((id) => before?.has(id) ?? true);
    this.#foundations.set(action, new Set(now));
  }

  async start(drawn: Drawn): Promise<void> {
    const supervisor = await this.open();
    const steps = stepsOf(drawn, []);
    await supervisor.plan({ id: 'p', policy: this.#policy, concurrency: this.#concurrency, steps });
    this.#possible = [steps.map(({ id }) => id)];
  }

  async happen(one: Happening): Promise<void> {
    await turnsOfTheLoop(one.ticks);
    if (one.kind === 'amend') return this.#amend(one);
    crash(this.#live.durable);
    await this.open();
  }

  async #amend({ drawn, isAwaited }: Extract<Happening, { kind: 'amend' }>): Promise<void> {
    if (readPlan(this.#rows, 'p')?.state !== 'running') return;
    const stored = readSteps(this.#rows, 'p');
    const steps = stepsOf(drawn, stored);
    const ids = steps.map(({ id }) => id);
    const removed = stored.map((row) => row.step).filter((id) => !ids.includes(id));
    const plan = this.#live.preparePlan({
      id: 'p',
      policy: this.#policy,
      concurrency: this.#concurrency,
      steps,
    });
    const acknowledged = this.#live.amendPlan(plan, removed).then(() => void (this.#possible = [ids]));
    this.#possible.push(ids);
    this.#checkStopped(stored);
    if (isAwaited) await acknowledged;
    // A crash may come first: then either plan is right.
    else acknowledged.catch(() => {});
  }

  #checkStopped(before: readonly StepRow[]): void {
    const now = readSteps(this.#rows, 'p');
    if (this.#policy !== 'stop' || !now.some(({ kind }) => kind === 'failed')) return;
    const dispatched = (rows: readonly StepRow[]) =>
      rows.filter(({ state }) => state === 'dispatched').map(({ id }) => id);
    expect(dispatched(before)).toEqual(expect.arrayContaining(dispatched(now)));
    expect(now.filter(({ state }) => state === 'waiting' || state === 'ready')).toEqual([]);
  }

  async end(): Promise<void> {
    const { outcome } = this.#live.joinPlan('p');
    const ended = await withPatience(outcome, () => JSON.stringify(readSteps(this.#rows, 'p')));
    this.#check(ended);
    await this.#live.close();
  }

  #check(ended: PlanOutcome): void {
    const stored = readSteps(this.#rows, 'p');
    expect(this.#possible.map((ids) => ids.toSorted())).toContainEqual(Object.keys(ended.steps).sort());
    for (const { step: id, action, after, input, kind, state } of stored) {
      expect([state, typeof kind]).toEqual(['settled', 'string']);
      const own = this.#rows.all<{ id: string; state: string; kind: string; input: string }>(
        `select * from actions where id = ? or id glob ? || '#*'`,
        `p/${id}`,
        `p/${id}`,
      );
      expect(own.filter((row) => row.kind === 'ok').length).toBe(kind === 'ok' ? 1 : 0);
      if (kind === 'skipped') expect(this.#policy).not.toBe('continue');
      const last = own.find((row) => row.id === action);
      expect(last === undefined).toBe(kind === 'skipped');
      if (last === undefined) continue;
      expect(last).toMatchObject({ state: 'settled', kind, input });
      const needed = JSON.parse(after) as string[];
      expect([...(this.#foundations.get(action) ?? [])]).toEqual(expect.arrayContaining(needed));
    }
    const { kind, settled_at: settledAt } = readPlan(this.#rows, 'p') ?? {};
    expect(settledAt).not.toBeNull();
    expect(kind).toBe(stored.every((row) => isSuccess(row.kind ?? 'failed')) ? 'ok' : 'failed');
  }
}

test('a plan that is amended and crashes at any time ends: each step with one outcome, after what it depends on', async () => {
  await fc.assert(
    fc.asyncProperty(
      drawnPlan,
      fc.constantFrom(...POLICIES),
      fc.integer({ min: 1, max: 3 }),
      fc.array(happening, { minLength: 1, maxLength: 5 }),
      async (drawn, policy, concurrency, happenings) => {
        const run = new Run(policy, concurrency);
        await run.start(drawn);
        for (const one of happenings) await run.happen(one);
        await run.end();
      },
    ),
    { numRuns: 100 },
  );
}, 60_000);
