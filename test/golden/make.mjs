/** Writes the golden database of the build in `dist`: `node test/golden/make.mjs 1`. Done once for each schema version. */
import Database from 'better-sqlite3';
import { existsSync, rmSync } from 'node:fs';
import { createDurableActor, defineAction, spawnSupervisor } from 'perdure';
import { SimulatedClock, crash } from 'perdure/testing';
import { orderMachine } from './machines.mjs';

const version = process.argv[2];
if (version === undefined) throw new Error('Which schema version is this? Usage: node test/golden/make.mjs 1');
const path = new URL(`./schema-${version}.db`, import.meta.url).pathname;
if (existsSync(path)) throw new Error(`${path} is there already: a golden database is never written again.`);

const clock = new SimulatedClock();
// Options that a build does not know are left alone.
const options = { store: path, id: 'order-1', clock, newId: () => 'golden', history: true };
const order = await createDurableActor(orderMachine, options);
await order.send({ type: 'add', name: 'book', cents: 1250, at: 0 }, { id: 'add-book' });
await order.send({ type: 'add', name: 'lamp', cents: 9900, at: 1_000 }, { id: 'add-lamp' });
await order.send({ type: 'pick', name: 'book' });
await order.send({ type: 'pack' });
await order.send({ type: 'leave' });
await order.send({ type: 'remindLater', delay: 86_400_000 });
await order.send({ type: 'pay' });
crash(order);

const actions = {
  double: defineAction({ run: async ({ n }) => n * 2 }),
  never: defineAction({ run: () => new Promise(() => {}) }),
};
const supervisor = await spawnSupervisor({ store: path, actions, concurrency: 2, clock });
await supervisor.execute('double', { n: 21 }, { id: 'double:21' });
await supervisor.plan({
  id: 'plan:1',
  steps: [
    { id: 'first', action: 'double', input: { n: 1 } },
    { id: 'second', action: 'never', input: {}, after: ['first'] },
    { id: 'third', action: 'double', input: { n: 3 }, after: ['second'] },
  ],
});
await supervisor.execute('double', { n: 2 }, { id: 'double:2' });
await supervisor.checkpoint('golden');
crash(supervisor.durable);
const db = new Database(path);
db.pragma('journal_mode = DELETE');
db.close();
rmSync(`${path}-lock`);
console.log(path);
process.exit(0);
