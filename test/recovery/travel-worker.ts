/**
 * A process that goes back in time: `node travel-worker.js store.db` works, restores and works on, and says after every commit
 * what the store holds; with a third argument `fork`, it forks the store as of its newest checkpoint to that path, until it is
 * killed or done.
 */
import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import { assign, fromPromise, raise, setup, spawnChild } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';
import { forkStore } from '../../persistence/fork.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';

const TABLES = ['actors', 'timers', 'outbox', 'notes', 'trees', 'checkpoints'];

/** Of every row, those of the past included. */
export function fingerprintOf(path: string): string {
  const db = new Database(path, { readonly: true });
  const hash = createHash('sha256');
  for (const table of TABLES.flatMap((name) => (name === 'checkpoints' ? [name] : [name, `${name}_past`]))) {
    const there = db.prepare('select 1 from sqlite_schema where name = ?').get(table) !== undefined;
    hash.update(JSON.stringify(there ? db.prepare(`select * from ${table} order by 1, 2`).all() : []));
  }
  db.close();
  return hash.digest('hex').slice(0, 16);
}

export const travellingMachine = setup({
  types: {} as { context: { n: number; late: number }; events: { type: 'add' } | { type: 'kid' } | { type: 'late' } },
  actors: {
    kid: setup({}).createMachine({ id: 'kid' }),
    work: fromPromise(() => new Promise(() => {})),
  },
}).createMachine({
  id: 'travelling',
  context: { n: 0, late: 0 },
  invoke: { src: 'work', id: 'work' },
  on: {
    add: { actions: [assign({ n: ({ context }) => context.n + 1 }), raise({ type: 'late' }, { delay: 1_000 })] },
    kid: { actions: spawnChild('kid', { id: ({ context }) => `kid-${context.n}` }) },
    late: { actions: assign({ late: ({ context }) => context.late + 1 }) },
  },
});

async function travel(store: string): Promise<void> {
  const says = () => process.stdout.write(`${fingerprintOf(store)}\n`);
  const clock = new SimulatedClock(1_000_000);
  const durable = await createDurableActor(travellingMachine, { store, clock, onCommit: says });
  const { rows } = durable.store;
  durable.store.declare([{ name: 'notes', key: 'n', columns: ['n integer primary key'] }]);
  const turns: number[] = [];
  for (let n = 0; n < 4; n++) {
    rows.run('insert into notes values (?, ?)', n, rows.turn);
    rows.nameTurn({ at: clock.now(), reason: 'test' });
    turns.push((await durable.send({ type: 'add' })).turn);
    await durable.send({ type: 'kid' });
  }
  const { before } = await durable.restore(turns[1] as number);
  await durable.send({ type: 'add' });
  await durable.restore(before);
  await durable.restore(turns[3] as number);
  await durable.send({ type: 'add' });
  process.exit(0);
}

const [store, target, turn] = process.argv.slice(2);
if (store !== undefined && process.argv[1]?.endsWith('travel-worker.js') === true) {
  await (target === undefined ? travel(store) : forkStore(store, Number(turn), target));
}
