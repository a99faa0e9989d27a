/** What got a slot and was not tried spends nothing of the rates that let it start. */
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { HOUR, SECOND, START, failure, inTime, open } from '../support/pipeline.ts';
import { settle } from '../support/turns.ts';

const rate = { limit: 2, perMs: HOUR };

test.each(['queue', 'key', 'component'] as const)('what asks leaves the rate of its %s to others', async (of) => {
  const clock = new SimulatedClock(START);
  const began: string[] = [];
  const run = (_: null, { id }: { readonly id: string }) => void began.push(`${id} at ${clock.now() - START}`);
  const component = of === 'component' ? { component: 'api' } : {};
  const actions = {
    plain: defineAction({ run, ...component }),
    risky: defineAction({ run, ...component, impact: 'critical', reversible: false }),
  };
  await using supervisor = await open(clock, {
    actions,
    concurrency: 4,
    queues: of === 'queue' ? { slow: { rate } } : {},
    components: of === 'component' ? { api: { rate } } : {},
    keys: { concurrency: 4, ...(of === 'key' ? { rate } : {}) },
  });
  const options = of === 'queue' ? { queue: 'slow' } : of === 'key' ? { key: 'k' } : {};
  await supervisor.pause();
  const handles = [
    await supervisor.submit('plain', null, { id: 'one', ...options }),
    await supervisor.submit('risky', null, { id: 'risky', ...options }),
    await supervisor.submit('plain', null, { id: 'two', ...options }),
  ];
  await supervisor.resume();
  await settle();
  expect(began).toEqual(['one at 0', 'two at 0']);
  // It spends one when it starts.
  await supervisor.approve('risky');
  await inTime(clock, Promise.all(handles.map(({ outcome }) => outcome)), HOUR / 2);
  expect(began.slice(2)).toEqual([`risky at ${HOUR}`]);
});

test('what its component only spares has all of the rates when it is spared no more', async () => {
  const clock = new SimulatedClock(START);
  const began: number[] = [];
  const lose = defineAction({
    run: () => {
      throw failure('refused', { code: 'ECONNREFUSED' });
    },
    component: 'gone',
    retry: { attempts: 1 },
  });
  const patient = defineAction({ run: () => void began.push(clock.now()), component: 'api', whenOpen: 'wait' });
  await using supervisor = await open(clock, {
    actions: { lose, patient },
    components: {
      gone: { criticality: 'critical-plus', breaker: { window: 2, minCalls: 1, openMs: 200, maxOpenMs: SECOND } },
      api: { criticality: 'sheddable', rate: { limit: 1, perMs: HOUR } },
    },
    keys: { rate: { limit: 1, perMs: HOUR } },
    queues: { default: { rate: { limit: 2, perMs: HOUR } } },
  });
  await supervisor.execute('lose', null);
  const { outcome } = await supervisor.submit('patient', null, { key: 'k' });
  await settle();
  expect(began).toEqual([]);
  for (let n = 0; n < 300 && began.length === 0; n++) {
    await clock.advance(5 * SECOND);
    await settle();
  }
  expect(began).toHaveLength(1);
  await outcome;
});
