import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { readStore } from '../../persistence/store-reader.ts';
import { standingOf } from '../../bin/standing.ts';
import { openApprovals } from '../../actors/approval-ledger.ts';
import { encryption } from '../../persistence/sealing.ts';
import { tempStore } from '../support/temp.ts';

const actions = {
  call: defineAction({
    run: () => {
      throw new Error('down');
    },
    component: 'db',
  }),
  ask: defineAction({ run: (_: object) => 1, impact: 'critical', reversible: false, summary: () => 'Very secret' }),
};
const components = { db: { breaker: { window: 2, minCalls: 1, openMs: 60_000 } } };

test('how components, the budget and approvals stand is read from beside, while the owner works', async () => {
  const store = tempStore();
  await using supervisor = await spawnSupervisor({ store, actions, components });
  await supervisor.execute('call', undefined as never);
  await supervisor.submit('ask', {}, { id: 'a' });
  await supervisor.pause();
  expect(readStore(store, standingOf)).toMatchObject({
    budget: 'healthy',
    components: [{ name: 'db', status: 'down', opens: 1, openUntil: expect.any(Number) as number }],
    debts: [],
  });
  expect(readStore(store, (rows) => openApprovals(rows))).toMatchObject([{ id: 'a?1', summary: 'Very secret' }]);
});

test('of a store whose keys only the owner has, nothing is made up', async () => {
  const store = tempStore();
  const key = Buffer.alloc(32, 7);
  await using supervisor = await spawnSupervisor({
    store,
    actions,
    components,
    sealing: encryption({ key: () => key, current: 'k' }),
  });
  await supervisor.submit('ask', {}, { id: 'a' });
  await supervisor.pause();
  expect(readStore(store, standingOf)).toEqual({ components: [], debts: [] });
  expect(readStore(store, (rows) => openApprovals(rows))).toMatchObject([{ id: 'a?1', summary: '[encrypted]' }]);
});
