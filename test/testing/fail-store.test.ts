/** A store that fails on cue: what was pending is told so, nothing acknowledged is lost, and it goes on afterwards. */
import { assign, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import { createDurableActor } from '../../persistence/create.ts';
import { crash } from '../../persistence/crash.ts';
import { failStore, type StoreFault } from '../../testing/fail-store.ts';
import { tempStore } from '../support/temp.ts';

const counter = setup({
  types: {} as { context: { count: number }; events: { type: 'count' } },
}).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: { count: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
});

const faults: readonly (readonly [StoreFault, string, string])[] = [
  ['full', 'STORE_FAILED', 'SQLITE_FULL'],
  ['read-only', 'STORE_READ_ONLY', 'SQLITE_READONLY'],
  ['busy', 'STORE_FAILED', 'SQLITE_BUSY'],
];

describe.each(faults)('a store that is %s', (fault, code, sqlite) => {
  test('rejects every pending send as retryable, and keeps what was acknowledged', async () => {
    const store = tempStore();
    const durable = await createDurableActor(counter, { store });
    await durable.send({ type: 'count' });
    const failure = failStore(durable.store, fault);
    const sends = await Promise.allSettled([durable.send({ type: 'count' }), durable.send({ type: 'count' })]);
    for (const sent of sends) {
      expect(sent).toMatchObject({ status: 'rejected', reason: { code, retryable: true, facts: { sqlite } } });
    }
    failure.clear();
    crash(durable);
    const again = await createDurableActor(counter, { store });
    expect(again.getSnapshot().context.count).toBe(1);
    await again.close();
  });

  test('fails from the commit that was asked for', async () => {
    const durable = await createDurableActor(counter, { store: tempStore() });
    const failure = failStore(durable.store, fault, { commit: 3 });
    await durable.send({ type: 'count' });
    await durable.send({ type: 'count' });
    await expect(durable.send({ type: 'count' })).rejects.toMatchObject({ code });
    failure.clear();
    crash(durable);
  });

  test('works as before when the fault is cleared before it strikes', async () => {
    const store = tempStore();
    const durable = await createDurableActor(counter, { store });
    const failure = failStore(durable.store, fault, { commit: 2 });
    await durable.send({ type: 'count' });
    failure.clear();
    await durable.send({ type: 'count' });
    expect(durable.getSnapshot().context.count).toBe(2);
    await durable.close();
  });
});
