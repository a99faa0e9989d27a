/** What is foretold and measured of a plan, once a person is asked. */
import { expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../../actors/actions.ts';
import { liveSource } from '../../../inspector/sources/live-source.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import type { PlanGraph } from '../../../inspector/views/plan.ts';
import { SimulatedClock } from '../../../persistence/simulated-clock.ts';
import { HOUR, SECOND, START, inTime, open } from '../../support/pipeline.ts';
import { quickStore } from '../../support/temp.ts';
import { settle, until } from '../../support/turns.ts';

const graphOf = (source: { view(name: string, query: URLSearchParams): unknown }) =>
  source.view('plan', new URLSearchParams({ id: 'p' })) as PlanGraph;

async function started() {
  const clock = new SimulatedClock(START);
  const store = quickStore();
  let failures = 1;
  const rest = (_: object, { signal }: { readonly signal: AbortSignal }) =>
    new Promise<void>((resolve, reject) => {
      clock.setTimeout(resolve, 10 * SECOND);
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  const supervisor = await open(clock, {
    store,
    concurrency: 4,
    resources: false,
    actions: {
      work: defineAction({ run: rest }),
      flaky: defineAction({
        run: async (input: object, context) => {
          await rest(input, context);
          if (failures-- > 0) throw Object.assign(new Error('later'), { code: 'ECONNRESET' });
        },
        retry: { attempts: 2, delayMs: 5 * SECOND, capMs: 5 * SECOND },
      }),
      deploy: defineAction({ run: rest, impact: 'critical', reversible: false }),
    },
  });
  onTestFinished(() => supervisor.close());
  const plan = await supervisor.plan({
    id: 'p',
    steps: [
      { id: 'a', action: 'work', input: {}, estimateMs: 10 * SECOND },
      { id: 'b', action: 'flaky', input: {}, estimateMs: 10 * SECOND },
      { id: 'one', action: 'deploy', input: {}, after: ['a', 'b'], estimateMs: 10 * SECOND },
      { id: 'two', action: 'deploy', input: {}, after: ['a', 'b'], estimateMs: 10 * SECOND },
    ],
  } as never);
  const source = liveSource(supervisor);
  onTestFinished(() => source.close());
  const asked = () => supervisor.approvals().length;
  return { clock, store, supervisor, plan, graph: () => graphOf(source), asked };
}

test('while a step waits for a person no end is foretold, and the time that the person took makes nothing slower', async () => {
  const { clock, supervisor, plan, graph, asked } = await started();
  expect(graph()).toMatchObject({ asking: 0, etaMs: expect.any(Number) as number });
  await inTime(
    clock,
    until(() => asked() === 2),
  );
  expect(graph()).toMatchObject({ asking: 2, etaMs: null });
  const { speedUp: before } = graph();
  expect(before).toBeGreaterThan(1);
  await clock.advance(5 * HOUR);
  await settle();
  await supervisor.deny('p/one', { by: 'me', note: 'no' });
  await supervisor.approve('p/two', { by: 'me' });
  await inTime(clock, plan.outcome);
  const { speedUp, asking, etaMs, denied, skipped, failed, graph: steps, criticalPath, criticalMs } = graph();
  expect({ asking, etaMs, denied, skipped, failed }).toEqual({
    asking: 0,
    etaMs: null,
    denied: 1,
    skipped: 0,
    failed: 0,
  });
  expect(speedUp).toBeGreaterThan(1);
  // What the cards say adds up, the back-off of the one that was tried twice among it.
  const cards = new Map(steps.map(({ id, startedAt, settledAt }) => [id, (settledAt ?? 0) - (startedAt ?? 0)]));
  expect(criticalPath).toEqual(['b', 'two']);
  expect(criticalMs).toBe(criticalPath.reduce((sum, id) => sum + (cards.get(id) ?? 0), 0));
  expect(criticalMs).toBeGreaterThanOrEqual(35 * SECOND);
});

test('of a store that nobody runs no end is foretold', async () => {
  const { store, supervisor } = await started();
  await supervisor.close();
  const source = storeSource(store);
  onTestFinished(() => source.close());
  expect(graphOf(source)).toMatchObject({ state: 'running', asking: 0, etaMs: null, speedUp: null });
});
