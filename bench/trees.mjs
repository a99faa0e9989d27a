/** Many trees in one store: what it costs to open one that is closed, and what those that are closed cost. */
import Database from 'better-sqlite3';
import { inFreshProcess } from './fresh-process.mjs';
import { counterMachine } from './machines.mjs';
import { Store } from './perdure.mjs';
import { compare, perSecond } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 3;
const TREES = 5_000;
const OPENED = 2_000;
const AT_ONCE = 64;
const MANY = { trees: 100_000, awake: 1_000 };
const FEW = { trees: 1_000, awake: 1_000 };

/** Opens a tree that is closed, sends it an event, and closes it. */
export async function coldTrees() {
  const path = scratchFile('trees.db');
  const store = Store.open(path, { machines: { counter: counterMachine } });
  await inChunks(TREES, async (n) => (await store.open('counter', nameOf(n))).close());
  const raw = new RawTrees(scratchFile('raw-trees.db'));
  const order = Array.from({ length: OPENED }, (_, n) => (n * 7) % TREES);
  const { ours, ratio } = await compare(
    ROUNDS,
    () =>
      perSecond(OPENED, () =>
        inChunks(OPENED, async (n) => {
          const tree = await store.open('counter', nameOf(order[n] ?? 0));
          await tree.send({ type: 'inc' });
          await tree.close();
        }),
      ),
    () => perSecond(OPENED, () => raw.openAll(order)),
  );
  store.close();
  raw.close();
  return { value: ours, unit: 'trees/s', ratio, against: 'the same reads and writes by better-sqlite3' };
}

/** What 100,000 trees hold when 1,000 of them are awake. */
export async function heapOfClosed() {
  const many = await inFreshProcess('heap-trees', [scratchFile('many.db'), MANY.trees, MANY.awake]);
  const few = await inFreshProcess('heap-trees', [scratchFile('few.db'), FEW.trees, FEW.awake]);
  return {
    value: many.bytes / MANY.awake,
    unit: 'bytes/awake',
    ratio: many.bytes / few.bytes,
    against: 'no closed trees',
  };
}

/** @param {number} n */
function nameOf(n) {
  return `tree-${n}`;
}

/**
 * @param {number} count
 * @param {(n: number) => Promise<unknown>} work
 */
async function inChunks(count, work) {
  for (let first = 0; first < count; first += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - first);
    await Promise.all(Array.from({ length: size }, (_, n) => work(first + n)));
  }
}

/** The limit: the rows of the trees, read and written by statements alone. */
class RawTrees {
  #db;

  /** @param {string} path */
  constructor(path) {
    this.#db = new Database(path);
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('synchronous = FULL');
    this.#db.exec(`
      create table trees(tree integer primary key, name text not null unique, machine text, digest integer) strict;
      create table actors(id integer primary key, tree integer not null, snapshot text not null, turn integer) strict;
      create table timers(id integer primary key, tree integer not null, event text) strict;
      create table outbox(id integer primary key, tree integer not null, payload text) strict;
      create index actors_tree on actors(tree);
      create index timers_tree on timers(tree);
      create index outbox_tree on outbox(tree);
    `);
    const tree = this.#db.prepare('insert into trees values (?, ?, ?, 5)');
    const actor = this.#db.prepare('insert into actors values (?, ?, ?, 1)');
    const fill = this.#db.transaction(() => {
      for (let n = 0; n < TREES; n++) {
        tree.run(n, nameOf(n), 'counter');
        actor.run(n, n, '{"status":"active","value":{},"historyValue":{},"context":{"n":0}}');
      }
    });
    fill();
  }

  /** @param {readonly number[]} order */
  openAll(order) {
    const find = this.#db.prepare('select * from trees where name = ?');
    const read = ['actors', 'timers', 'outbox'].map((table) =>
      this.#db.prepare(`select * from ${table} where tree = ? order by id`),
    );
    const update = this.#db.prepare('update actors set snapshot = ?, turn = turn + 1 where id = ?');
    const commit = this.#db.transaction((/** @type {number[]} */ ids) => {
      for (const id of ids) update.run('{"status":"active","value":{},"historyValue":{},"context":{"n":1}}', id);
    });
    for (let first = 0; first < order.length; first += AT_ONCE) {
      const batch = order.slice(first, first + AT_ONCE);
      for (const n of batch) {
        const { tree } = /** @type {{ tree: number }} */ (find.get(nameOf(n)));
        for (const statement of read) statement.all(tree);
      }
      commit(batch);
    }
  }

  close() {
    this.#db.close();
  }
}
