/** An option that nobody reads is refused before anything is written: one that was meant to encrypt would else store plain text. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { setup } from 'xstate';
import { createDurableActor, spawnSupervisor, Store } from '../../index.ts';
import { systemClock } from '../../persistence/clock.ts';
import { encryption } from '../../persistence/sealing.ts';
import { quickStore } from '../support/temp.ts';

const machine = setup({}).createMachine({ id: 'm' });

const doors = [
  ['spawnSupervisor', (store: string, more: object) => spawnSupervisor({ store, actions: {}, ...more })],
  ['createDurableActor', (store: string, more: object) => createDurableActor(machine, { store, ...more })],
  ['Store.open', async (store: string, more: object) => Store.open(store, { ...more })],
] as const;

test.each(doors)('%s refuses an option that it does not know, and creates nothing', async (what, open) => {
  for (const [option, meant] of [
    ['encryption', 'sealing'],
    ['durabilty', 'durability'],
    ['clok', undefined],
    ['wholly-unknown', undefined],
  ]) {
    const store = quickStore();
    await expect(open(store, { [option as string]: 1 })).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringMatching(
        new RegExp(
          `^${what}: there is no option \`${option}\` \\(${meant === undefined ? '' : `did you mean \`${meant}\``}`,
        ),
      ) as unknown,
      facts: { option },
    });
    expect(existsSync(store)).toBe(false);
  }
});

/** All that the documentation names. */
const OF_STORES = {
  sealing: encryption({ key: () => Buffer.alloc(32, 7), current: 'k' }),
  secrets: () => 'secret',
  redact: (value: unknown) => value,
  maxValueBytes: 1_000_000,
  clock: systemClock,
  newId: () => crypto.randomUUID(),
  durability: 'process-crash',
  onCommit: () => {},
  dedupeForMs: 1_000,
  history: true,
  checkpoints: {},
  onDamage: 'row',
  inspect: () => {},
  logger: () => {},
} as const;

test('every option that is documented is taken', async () => {
  using held = {
    store: Store.open(quickStore(), { ...OF_STORES, idleMs: 1, maxAwake: 1, machines: {}, migrate: {} }),
    [Symbol.dispose]() {
      this.store.close();
    },
  };
  expect(held.store.isOpen).toBe(true);
  const { inspect, logger, ...rest } = OF_STORES;
  await using durable = await createDurableActor(machine, {
    ...rest,
    inspect,
    logger,
    store: quickStore(),
    id: 'm',
    migrate: {},
  });
  expect(durable.id).toBe('m');
  await using supervisor = await spawnSupervisor({
    ...rest,
    inspect,
    logger,
    store: quickStore(),
    actions: {},
    id: 'boss',
    concurrency: 2,
    checkpoint: {},
    components: {},
    queues: {},
    keys: {},
    retention: {},
    budget: {},
    classify: () => undefined,
    onApproval: () => undefined,
    maxInterruptions: 3,
    threads: {},
    resources: false,
    profiler: 'off',
    random: Math.random,
    signal: new AbortController().signal,
    inspector: false,
  });
  expect(supervisor.durable.id).toBe('boss');
});
