/** I7: every checkpoint of random work, restored in any order, over crashes, is the whole as it was; and work goes on from there. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { TABLES } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

const actions = {
  double: defineAction({ run: (n: number) => n * 2 }),
  drop: defineAction({ run: (n: number) => n, impact: 'critical', reversible: false }),
};

type Step =
  | { readonly do: 'submit' | 'ask' | 'plan' | 'set' | 'cancel' | 'answer'; readonly n: number }
  | { readonly do: 'pause' | 'resume' | 'checkpoint' | 'crash' };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('submit', 'submit', 'ask', 'plan', 'set', 'cancel', 'answer'),
      n: fc.nat(20),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('pause', 'resume') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('checkpoint') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash') }) },
) as fc.Arbitrary<Step>;

/** Goes on by itself: how far what is held has been balanced by the limits of this life. */
const OF_THIS_LIFE = 'key_limits';

class Life {
  readonly #clock = new SimulatedClock();
  readonly #store = quickStore();
  #ids = 0;
  #plans = 0;
  supervisor!: Supervisor<typeof actions>;

  async start(): Promise<void> {
    this.supervisor = await open(this.#clock, { store: this.#store, actions, concurrency: 3 });
    await settle();
  }

  /** Until nothing is under way. */
  async take(step: Step): Promise<void> {
    const { supervisor } = this;
    if (step.do === 'submit') await supervisor.submit('double', step.n, { id: `a${this.#ids++}` });
    if (step.do === 'ask') await supervisor.submit('drop', step.n, { id: `a${this.#ids++}` });
    if (step.do === 'set') await supervisor.checkpoints.set({ n: step.n });
    if (step.do === 'cancel') await supervisor.cancel(`a${step.n}`).catch(() => {});
    if (step.do === 'pause') await supervisor.pause();
    if (step.do === 'resume') await supervisor.resume();
    if (step.do === 'answer') {
      const [first] = supervisor.approvals();
      if (first !== undefined) await (step.n % 2 === 0 ? supervisor.approve(first.id) : supervisor.deny(first.id));
    }
    if (step.do === 'plan') {
      const steps = [
        { id: 'a', action: 'double', input: step.n },
        { id: 'b', action: step.n % 3 === 0 ? 'drop' : 'double', input: 1, after: ['a'] },
      ];
      await supervisor.plan({ id: `p${this.#plans++}`, steps });
    }
    if (step.do === 'crash') {
      crash(supervisor.durable);
      await this.start();
    }
    await settle(12);
  }

  /** Waits until nothing runs: what ran in a checkpoint asks when it is gone back to. */
  async rest(): Promise<void> {
    const { rows } = this.supervisor.durable.store;
    await until(() => rows.get(`select 1 from actions where state = 'running'`) === undefined);
  }

  /** Every row that goes back, without the turns that wrote them, and what the tree shows. */
  get whole(): unknown {
    const { rows } = this.supervisor.durable.store;
    const tables = TABLES.filter(({ name, rolledBack }) => rolledBack !== false && name !== OF_THIS_LIFE).map(
      ({ name }) => {
        const found = rows.all<{ from_turn: number }>(`select * from ${name} order by 1`);
        return [name, found.map(({ from_turn: _, ...row }) => row)];
      },
    );
    const { value } = this.supervisor.durable.getSnapshot();
    return { tables, value, variables: this.supervisor.checkpoints.variables };
  }
}

test('I7: whatever was done, every checkpoint that is restored is the whole as it was, and work goes on from there', async () => {
  let restored = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { minLength: 5, maxLength: 25 }),
      fc.array(fc.nat(20), { minLength: 1, maxLength: 6 }),
      async (steps, order) => {
        const life = new Life();
        await life.start();
        const kept: { readonly id: string; readonly whole: unknown }[] = [];
        const keep = async () => {
          await life.rest();
          const id = await life.supervisor.checkpoints.create();
          kept.push({ id, whole: life.whole });
        };
        await keep();
        for (const step of steps) {
          if (step.do === 'checkpoint') await keep();
          else await life.take(step);
        }
        for (const pick of order) {
          const { id, whole } = kept[pick % kept.length] as (typeof kept)[number];
          await life.supervisor.checkpoints.restore(id);
          await settle(12);
          expect(life.whole).toEqual(whole);
          restored += 1;
          if (pick % 3 === 0) await life.take({ do: 'crash' });
          expect(life.whole).toEqual(whole);
          await life.supervisor.resume();
          expect(await life.supervisor.execute('double', pick)).toMatchObject({ kind: 'ok', value: pick * 2 });
          if (pick % 2 === 0) await keep();
        }
        crash(life.supervisor.durable);
      },
    ),
    { numRuns: 40 },
  );
  expect(restored).toBeGreaterThan(80);
}, 120_000);
