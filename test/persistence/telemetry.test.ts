/** What is measured and kept: it is written with the turns, and is none. */
import { expect, test } from 'vitest';
import { setup } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';
import type { TableSpec } from '../../persistence/schema.ts';
import { Store } from '../../persistence/store.ts';
import { tempStore } from '../support/temp.ts';

const MEASURES: TableSpec = {
  name: 'measures',
  key: 'slot',
  columns: ['slot integer primary key', 'value real not null'],
  rolledBack: false,
};

test('what was measured is on disk, and in no history, unless it went with a turn', async () => {
  const path = tempStore();
  const store = Store.open(path, { history: true });
  store.declare([MEASURES]);
  const counter = setup({ types: {} as { events: { type: 'count' } } }).createMachine({ id: 'counter' });
  const durable = await createDurableActor(counter, { store, id: 'counter' });
  const measure = (slot: number) =>
    store.telemetry((rows) => void rows.run('insert into measures values (?, ?, ?)', slot, 0.5, rows.turn));
  await measure(1);
  const both = [measure(2), durable.send({ type: 'count' })];
  await Promise.all(both);
  await measure(3);
  const kinds = [];
  for await (const { causes } of store.history()) kinds.push(causes.map(({ kind }) => kind));
  expect(kinds).toEqual([['start'], ['send']]);
  store.close();

  const again = Store.open(path);
  expect(again.rows.all('select slot from measures')).toEqual([{ slot: 1 }, { slot: 2 }, { slot: 3 }]);
  again.close();
  await expect(again.telemetry(() => {})).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});
