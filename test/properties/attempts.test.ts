/** Random work whose attempts do not listen, with time limits, cancels, other limits and crashes: I4 and I8. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ActionContext } from '../../actors/action-context.ts';
import { defineAction } from '../../actors/actions.ts';
import type { ActionRow } from '../../actors/queue-tables.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { START, failure, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

interface Attempt {
  /** How long its code runs, whatever it is told. */
  readonly ms: number;
  readonly fails: boolean;
}

type Step =
  | { readonly submit: readonly Attempt[] }
  | { readonly cancel: number }
  | { readonly pass: number }
  | { readonly limit: number }
  | { readonly crash: true };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      submit: fc.array(fc.record({ ms: fc.constantFrom(0, 10, 90, 150, 400), fails: fc.boolean() }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ cancel: fc.nat(30) }) },
  { weight: 4, arbitrary: fc.record({ pass: fc.constantFrom(0, 5, 60, 200) }) },
  { weight: 1, arbitrary: fc.record({ limit: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ crash: fc.constant(true as const) }) },
);

/** The attempts that somebody still wants, in a life of the process: none of the life before is alive. */
class World {
  readonly clock = new SimulatedClock(START);
  readonly wrong: string[] = [];
  readonly unwanted = new Set<string>();
  life = 0;
  #live = new Map<string, string>();

  readonly actions = {
    work: defineAction({
      timeoutMs: 100,
      retry: { attempts: 3, delayMs: 20, capMs: 50 },
      run: (attempts: readonly Attempt[], context) => this.#attempt(attempts, context),
    }),
  };

  reborn(): void {
    this.life += 1;
    this.#live = new Map();
  }

  async #attempt(attempts: readonly Attempt[], { id, attempt, signal }: ActionContext): Promise<string> {
    const token = `${id} ${attempt} in life ${this.life}`;
    const live = this.#live;
    const other = live.get(id);
    if (other !== undefined) this.wrong.push(`${token} began while ${other} was wanted`);
    live.set(id, token);
    const end = () => void (live.get(id) === token && live.delete(id));
    signal.addEventListener('abort', () => {
      this.unwanted.add(token);
      end();
    });
    const { ms, fails } = attempts[Math.min(attempt, attempts.length) - 1] as Attempt;
    await new Promise<void>((resolve) => void this.clock.setTimeout(resolve, ms));
    end();
    if (fails) throw failure(`failed: ${token}`);
    return token;
  }
}

class Run {
  readonly world = new World();
  readonly #store = quickStore();
  readonly #ids: string[] = [];
  #limit = 2;
  #supervisor!: Supervisor<World['actions']>;

  async start(): Promise<void> {
    this.world.reborn();
    this.#supervisor = await open(this.world.clock, {
      maxInterruptions: Infinity,
      store: this.#store,
      actions: this.world.actions,
      concurrency: this.#limit,
      budget: { kind: 'count', perHour: 1e6 } as never,
    });
    const { durable } = this.#supervisor;
    durable.on('action.attempting', () => this.#checkLimit());
  }

  /** I4, in the rows of a committed turn. */
  #checkLimit(): void {
    const running = this.#rows.get<{ n: number }>(`select count(*) as n from actions where state = 'running'`)!.n;
    if (running > this.#limit) this.world.wrong.push(`${running} run, and ${this.#limit} may`);
  }

  get #rows() {
    return this.#supervisor.durable.store.rows;
  }

  async do(step: Step): Promise<void> {
    if ('submit' in step) {
      const id = `a${this.#ids.length}`;
      this.#ids.push(id);
      await this.#supervisor.submit('work', step.submit, { id });
    } else if ('cancel' in step) {
      const id = this.#ids[step.cancel % Math.max(1, this.#ids.length)];
      if (id !== undefined) await this.#supervisor.cancel(id);
    } else if ('pass' in step) await this.world.clock.advance(step.pass);
    else if ('limit' in step) await this.#setLimit(step.limit);
    else {
      crash(this.#supervisor.durable);
      await this.start();
    }
    await settle();
  }

  /** What runs already may end: until then the greater of the two holds. */
  async #setLimit(limit: number): Promise<void> {
    const before = this.#limit;
    this.#limit = Math.max(before, limit);
    await this.#supervisor.configure({ concurrency: limit });
    const running = () => this.#rows.get<{ n: number }>(`select count(*) as n from actions where state = 'running'`)!.n;
    while (running() > limit) {
      await this.world.clock.advance(50);
      await settle();
    }
    this.#limit = limit;
  }

  async end(): Promise<void> {
    const isOver = () => this.#rows.get(`select 1 from actions where state <> 'settled' limit 1`) === undefined;
    for (let round = 0; round < 1_000 && !isOver(); round++) {
      await this.world.clock.advance(500);
      await settle();
    }
    expect(isOver(), 'all of it comes to its end').toBe(true);
  }

  judge(): void {
    expect(this.world.wrong).toEqual([]);
    for (const { id, value, attempts } of this.#rows.all<ActionRow>('select * from actions')) {
      if (value === null) continue;
      const token = JSON.parse(value) as string;
      expect(this.world.unwanted, `the value of ${id}`).not.toContain(token);
      expect(token.startsWith(`${id} ${attempts} `), `${token} is of attempt ${attempts} of ${id}`).toBe(true);
    }
    crash(this.#supervisor.durable);
  }
}

test('I4, I8: never more run than may, and of an action only the attempt that is wanted: what another returns is nobody’s', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40 }), async (steps) => {
      const run = new Run();
      await run.start();
      for (const step of steps) await run.do(step);
      await run.end();
      run.judge();
    }),
    { numRuns: 100 },
  );
});
