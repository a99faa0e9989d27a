/**
 * Trees that send to each other, in a store that crashes, or fails and opens itself again, at any commit: what was sent is
 * applied once, in the order of its sender, and every tree ends where one that never crashed would. PERDURE_RUNS raises the
 * number of runs.
 */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { assign, enqueueActions, setup } from 'xstate';
import { expect, test } from 'vitest';
import { PerdureError, isPerdureError } from '../../errors.ts';
import { durableAction, sendToTree, transactional } from '../../persistence/durable-action.ts';
import { Store } from '../../persistence/store.ts';
import { quickStore } from '../support/temp.ts';
import { until } from '../support/turns.ts';

const numRuns = Number(process.env['PERDURE_RUNS'] ?? 300);
const TREES = 4;

interface Hop {
  readonly type: 'hop';
  readonly hops: number;
  readonly from: string;
  readonly seq: number;
}

/** What the durable action was called with, by its key. */
const acted = new Map<string, string>();

const node = setup({
  types: {} as {
    context: { name: string; sent: number; got: readonly string[]; box?: unknown };
    input: string;
    events: Hop | { type: 'bad' };
  },
  actions: {
    forward: sendToTree(({ context, event }) => {
      const { name, sent } = context as { name: string; sent: number };
      const { hops } = event as Hop;
      const next: Hop = { type: 'hop', hops: hops - 1, from: name, seq: sent };
      return { tree: nextOf(name, hops), event: next };
    }),
    act: durableAction({ name: 'act', run: (what: string, { key }) => void acted.set(key, what) }),
    book: transactional((rows, what: string) => void rows.run('insert into ledger(what) values (?)', what)),
  },
}).createMachine({
  id: 'node',
  context: ({ input }) => ({ name: input, sent: 0, got: [] }),
  on: {
    bad: { actions: assign({ box: () => () => 1 }) },
    hop: {
      actions: enqueueActions(({ context, event, enqueue }) => {
        const what = `${event.from}.${event.seq}`;
        enqueue.assign({ got: [...context.got, what] });
        if (event.seq % 3 === 0) enqueue({ type: 'book', params: `${context.name}<${what}` });
        if (event.seq % 2 === 0) enqueue({ type: 'act', params: `${context.name}<${what}` });
        if (event.hops === 0) return;
        enqueue.assign({ sent: ({ context: now }) => now.sent + 1 });
        enqueue('forward');
      }),
    },
  },
});

/** To itself, too. */
function nextOf(name: string, hops: number): string {
  const [run, index] = name.split('-');
  return `${run}-${(Number(index) + hops) % TREES}`;
}

const machines = { node };
type NodeStore = Store<typeof machines>;

interface Send {
  readonly tree: number;
  readonly hops: number;
  readonly bad: boolean;
}

const send: fc.Arbitrary<Send> = fc.record({
  tree: fc.nat(TREES - 1),
  hops: fc.nat(6),
  bad: fc.nat(9).map((n) => n === 0),
});

/**
 * What goes wrong: the process crashes after a commit, or the disk reports an error of a commit that it made, or did not make.
 */
interface Fault {
  /** Counted in commits, from the last fault on. */
  readonly at: number;
  readonly kind: 'crash' | 'made' | 'not made';
}

class Life {
  readonly names: readonly string[];
  readonly #path: string;
  readonly #maxAwake: number;
  readonly #faults: Fault[];
  #sinceLast = 0;
  met = 0;

  constructor(path: string, run: string, faults: readonly Fault[], maxAwake: number) {
    this.#path = path;
    this.#faults = [...faults];
    this.#maxAwake = maxAwake;
    this.names = Array.from({ length: TREES }, (_, index) => `${run}-${index}`);
  }

  open(): NodeStore {
    const store: NodeStore = Store.open(this.#path, {
      machines,
      maxAwake: this.#maxAwake,
      // Both ways, by turns.
      history: this.#maxAwake === 2,
      durability: 'process-crash',
      onCommit: () => {
        this.#sinceLast += 1;
        if (this.#meets('crash')) store.drop(new PerdureError('STORE_CLOSED', 'crashed at a commit'));
      },
    });
    const { file } = store.commits;
    const commit = file.commit.bind(file);
    file.commit = () => {
      if (this.#meets('not made')) throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC');
      commit();
      if (this.#meets('made')) throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC');
    };
    return store;
  }

  #meets(kind: Fault['kind']): boolean {
    const [fault] = this.#faults;
    if (fault?.kind !== kind || this.#sinceLast < fault.at) return false;
    this.#faults.shift();
    this.#sinceLast = 0;
    this.met += 1;
    return true;
  }
}

/** Does something, and goes on with it after every fault. */
async function persist(life: Life, work: (store: NodeStore) => Promise<void>): Promise<void> {
  let store = life.open();
  for (;;) {
    try {
      await work(store);
      store.close();
      return;
    } catch (error) {
      if (isPerdureError(error, 'STORE_FAILED')) await until(() => store.isOpen);
      else {
        store.drop(new PerdureError('STORE_CLOSED', 'crashed'));
        if (!isPerdureError(error, 'STORE_CLOSED')) throw error;
        store = life.open();
      }
    }
  }
}

async function sendAll(store: NodeStore, life: Life, sends: readonly Send[]): Promise<void> {
  store.rows.run('create table if not exists ledger(id integer primary key, what text not null) strict');
  for (const name of life.names) await (await store.open('node', name, { input: name })).close();
  const results = await Promise.allSettled(
    sends.flatMap(({ tree, hops, bad }, index) => {
      const name = life.names[tree] as string;
      const hop: Hop = { type: 'hop', hops, from: 'host', seq: index };
      const sent = store.send(name, hop, { id: `host:${index}` });
      return bad ? [store.send(name, { type: 'bad' }, { id: `bad ${index}` }), sent] : [sent];
    }),
  );
  for (const result of results) {
    if (result.status === 'rejected' && !isPerdureError(result.reason, 'CODEC_REFUSED')) throw result.reason as Error;
  }
  for (let isDone = false; !isDone;) {
    store.assertOpen();
    isDone = store.rows.get('select 1 from outbox limit 1') === undefined;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface End {
  readonly got: readonly string[];
  readonly sent: number;
}

async function judge(store: NodeStore, life: Life, sends: readonly Send[]): Promise<void> {
  const ends: End[] = [];
  for (const name of life.names) ends.push((await store.open('node', name)).getSnapshot().context);
  const all = ends.flatMap(({ got }) => got);
  const expected = [
    ...sends.map((_, index) => `host.${index}`),
    ...ends.flatMap(({ sent }, index) => Array.from({ length: sent }, (_, n) => `${life.names[index]}.${n + 1}`)),
  ];
  expect(all.toSorted()).toEqual(expected.toSorted());
  // Every hop of every send was made.
  expect(all).toHaveLength(sends.reduce((sum, { hops }) => sum + hops + 1, 0));
  for (const { got } of ends) {
    for (const from of life.names) {
      const seqs = got.filter((what) => what.startsWith(`${from}.`)).map((what) => Number(what.split('.')[1]));
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    }
  }
  const taken = (every: number) =>
    ends.flatMap(({ got }, index) =>
      got.filter((what) => Number(what.split('.')[1]) % every === 0).map((what) => `${life.names[index]}<${what}`),
    );
  const run = `${(life.names[0] as string).split('-')[0]}-`;
  const booked = store.rows.all<{ what: string }>('select what from ledger').map(({ what }) => what);
  expect(booked.filter((what) => what.startsWith(run)).toSorted()).toEqual(taken(3).toSorted());
  // What a life had begun that was dropped in this process may still end in the next run.
  const did = [...acted.values()].filter((what) => what.startsWith(run));
  expect(did.toSorted()).toEqual(taken(2).toSorted());
  expect(store.deadLetters()).toEqual([]);
}

async function survive(path: string, run: string, sends: readonly Send[], faults: readonly Fault[], maxAwake: number) {
  const life = new Life(path, run, faults, maxAwake);
  acted.clear();
  await persist(life, (store) => sendAll(store, life, sends));
  const calm = new Life(path, run, [], maxAwake);
  await persist(calm, (store) => judge(store, calm, sends));
  return life.met;
}

test('property: what trees send to each other is applied once and in order, whatever crashes', async () => {
  const path = quickStore();
  let run = 0;
  const kind = fc.constantFrom('crash' as const, 'crash' as const, 'made' as const, 'not made' as const);
  const faults = fc.array(fc.record({ at: fc.integer({ min: 1, max: 12 }), kind }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(send, { maxLength: 12 }),
      faults,
      fc.constantFrom(1, 2, 100),
      async (sends, points, awake) => {
        await survive(path, `r${(run += 1)}`, sends, points, awake);
      },
    ),
    { numRuns },
  );
}, 240_000);

test.each(['crash', 'made', 'not made'] as const)(
  'a fault (%s) at any one commit, and one in every life, comes to the same end',
  async (kind) => {
    const path = quickStore();
    const sends: Send[] = [
      { tree: 0, hops: 5, bad: false },
      { tree: 1, hops: 4, bad: true },
      { tree: 0, hops: 3, bad: false },
      { tree: 3, hops: 4, bad: false },
    ];
    let met = 1;
    for (let at = 1; met > 0; at++) met = await survive(path, `at${at}`, sends, [{ at, kind }], 100);
    // Every life gets so far that something is done in it.
    const every = Array.from({ length: 40 }, () => ({ at: 6, kind }));
    expect(await survive(path, 'every', sends, every, 2)).toBeGreaterThan(2);
  },
  120_000,
);
