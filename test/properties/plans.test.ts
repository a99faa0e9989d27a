import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { PlanOptions } from '../../actors/plan-input.ts';
import { crash } from '../../persistence/crash.ts';
import { tempStore } from '../support/temp.ts';

interface Node {
  readonly id: string;
  readonly after: readonly string[];
  readonly fails: boolean;
  readonly estimateMs: number;
}

const POLICIES = ['stop', 'continue', 'skip-dependants'] as const;

const graph = fc
  .array(
    fc.record({
      before: fc.array(fc.nat(20), { maxLength: 3 }),
      fails: fc.boolean().map((coin) => coin),
      estimateMs: fc.integer({ min: 1, max: 100 }),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .map((drawn): Node[] =>
    drawn.map(({ before, fails, estimateMs }, index) => ({
      id: `s${index}`,
      after: [...new Set(before.filter(() => index > 0).map((n) => `s${n % Math.max(1, index)}`))],
      fails: fails && index % 3 === 0,
      estimateMs,
    })),
  );

/** What must become of every step, where the policy leaves no choice. */
function expectedKinds(nodes: readonly Node[], policy: (typeof POLICIES)[number]): Record<string, string> {
  const kinds: Record<string, string> = {};
  for (const { id, after, fails } of nodes) {
    const blocked = policy === 'skip-dependants' && after.some((before) => kinds[before] !== 'ok');
    kinds[id] = blocked ? 'skipped' : fails ? 'failed' : 'ok';
  }
  return kinds;
}

test('a plan gives every step one outcome, in the order of the graph, within its limit, whenever the process dies', async () => {
  await fc.assert(
    fc.asyncProperty(
      graph,
      fc.constantFrom(...POLICIES),
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
      async (nodes, policy, concurrency, crashes) => {
        const store = tempStore();
        const byId = new Map(nodes.map((node) => [node.id, node]));
        const finished = new Set<string>();
        let life = { running: 0 };
        const step = defineAction({
          run: async ({ id }: { id: string }, { results }) => {
            const mine = life;
            mine.running += 1;
            expect(mine.running).toBeLessThanOrEqual(concurrency);
            const { after, fails } = byId.get(id) as Node;
            if (policy !== 'continue') expect(Object.keys(results).sort()).toEqual([...after].sort());
            for (const before of after) expect(finished.has(before)).toBe(true);
            await new Promise((resolve) => setImmediate(resolve));
            mine.running -= 1;
            if (fails) throw new Error(`${id} fails`);
            return id;
          },
        });
        const plan: PlanOptions = {
          id: 'p',
          policy,
          steps: nodes.map(({ id, after, estimateMs }) => ({ id, action: 'step', input: { id }, after, estimateMs })),
        };
        const open = () =>
          spawnSupervisor({
            store,
            actions: { step },
            concurrency,
            durability: 'process-crash',
            maxInterruptions: Infinity,
          });
        for (const turns of [...crashes, Infinity]) {
          life = { running: 0 };
          const supervisor = await open();
          let seen = 0;
          const died = new Promise<'died'>((resolve) => {
            supervisor.on('action.settled', ({ id }) => {
              finished.add(id.slice('p/'.length));
              seen += 1;
              if (seen !== turns) return;
              // Others of the same commit have not been told of yet.
              const settled = supervisor.durable.store.rows.all<{ id: string }>(
                `select id from actions where state = 'settled'`,
              );
              for (const one of settled) finished.add(one.id.slice('p/'.length));
              crash(supervisor.durable);
              resolve('died');
            });
          });
          const { outcome } = await supervisor.plan(plan);
          const ended = await Promise.race([outcome.catch(() => 'died' as const), died]);
          if (ended === 'died') continue;
          await supervisor.close();
          const kinds = Object.fromEntries(Object.entries(ended.steps).map(([id, { kind }]) => [id, kind]));
          const anyFailed = Object.values(kinds).some((kind) => kind !== 'ok');
          expect(ended.kind).toBe(anyFailed ? 'failed' : 'ok');
          if (policy === 'stop') expect(Object.keys(kinds).sort()).toEqual(nodes.map(({ id }) => id).sort());
          else expect(kinds).toEqual(expectedKinds(nodes, policy));
          return;
        }
      },
    ),
    { numRuns: 100 },
  );
}, 60_000);
