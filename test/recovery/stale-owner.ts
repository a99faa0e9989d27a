/**
 * An owner that was stopped while another took its store: whatever it does when it goes on, it commits nothing, and
 * says STORE_STOLEN.
 */
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import Database from 'better-sqlite3';
import { assign, fromPromise, setup } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';
import type { DurableActor } from '../../persistence/durable.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import type { Store } from '../../persistence/store.ts';
import { judge } from './judge.ts';
import { begin, finalOf, type RunningLife } from './life.ts';
import { randomOf, type Workload } from './workload.ts';

const RING_MS = 50;

/** Counts, rings once, and waits for a promise that the test resolves. */
function counter(work: () => Promise<void>) {
  return setup({
    types: {} as { context: { count: number; rang: number }; events: { type: 'count' } | { type: 'work' } },
    actors: { work: fromPromise(work) },
  }).createMachine({
    id: 'counter',
    context: { count: 0, rang: 0 },
    on: { count: { actions: assign({ count: ({ context }) => context.count + 1 }) }, work: '.working' },
    initial: 'waiting',
    states: {
      waiting: { after: { [RING_MS]: { target: 'idle', actions: assign({ rang: 1 }) } } },
      idle: {},
      working: { invoke: { src: 'work', onDone: 'idle', onError: 'idle' } },
    },
  });
}

type Counter = ReturnType<typeof counter>;

/** Everything that is in the database, as text. */
function dump(path: string): string {
  const db = new Database(path, { readonly: true });
  try {
    const tables = db.prepare(`select name from sqlite_schema where type = 'table' order by name`).pluck().all();
    return JSON.stringify(
      tables.map((table) => [
        table,
        db
          .prepare(`select * from "${String(table)}"`)
          .raw()
          .all(),
      ]),
    );
  } finally {
    db.close();
  }
}

/** The lock goes with its file; another file of that name has a lock of its own. */
function takeLockAway(store: string): void {
  for (const end of ['-lock', '-lock-journal']) rmSync(`${store}${end}`, { force: true });
}

interface Stale {
  readonly durable: DurableActor<Counter>;
  readonly clock: SimulatedClock;
  finishWork(): void;
}

/** What a stale owner may try; resolves with the code of the refusal, or with what went through. */
export const attempts = {
  send: ({ durable }: Stale) => outcome(durable.send({ type: 'count' })),
  'many sends': ({ durable }: Stale) =>
    Promise.all(Array.from({ length: 5 }, () => outcome(durable.send({ type: 'count' })))).then(
      (all) => all.find((code) => code !== 'STORE_STOLEN') ?? 'STORE_STOLEN',
    ),
  timer: async ({ durable, clock }: Stale) => {
    await clock.advance(2 * RING_MS);
    return (await durable.ended).code;
  },
  effect: async ({ durable, finishWork }: Stale) => {
    finishWork();
    return (await durable.ended).code;
  },
  close: ({ durable }: Stale) =>
    outcome(durable.close().then(() => durable.store.close())).then((code) =>
      code === 'went through' ? 'STORE_STOLEN' : code,
    ),
  'a new tree': ({ durable }: Stale) =>
    outcome(
      createDurableActor(
        counter(async () => {}),
        { store: durable.store, id: 'another' },
      ),
    ),
  'a new table': ({ durable }: Stale) =>
    outcome(
      Promise.resolve().then(() =>
        durable.store.declare([{ name: 'late', columns: ['id text primary key'], key: 'id' }]),
      ),
    ),
} as const satisfies Record<string, (stale: Stale) => Promise<string>>;

export type Attempt = keyof typeof attempts;

function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'went through',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
}

/** Two owners in this process, one after the other. Gives what is wrong, in words. */
export async function stealFrom(store: string, attempt: Attempt, seed: number): Promise<string[]> {
  const random = randomOf(seed);
  const clock = new SimulatedClock(1_000_000);
  let finishWork = () => {};
  const work = () => new Promise<void>((resolve) => (finishWork = resolve));
  const first = await createDurableActor(counter(work), { store, clock, durability: 'process-crash' });
  for (let n = random() * 4; n > 0; n--) await first.send({ type: 'count' });
  if (attempt === 'effect') await first.send({ type: 'work' });

  takeLockAway(store);
  const later = new SimulatedClock(1_000_000);
  const second = await createDurableActor(
    counter(() => new Promise<void>(() => {})),
    {
      store,
      clock: later,
      durability: 'process-crash',
    },
  );
  for (let n = random() * 4; n > 0; n--) await second.send({ type: 'count' });
  const before = dump(store);
  const said = await attempts[attempt]({ durable: first, clock, finishWork: () => finishWork() });
  const after = dump(store);
  const again = await outcome(first.send({ type: 'count' }));
  await second.send({ type: 'count' });
  const expected = second.getSnapshot().context;
  await second.close();
  discard(first.store);

  const third = await createDurableActor(counter(work), { store, clock: later, durability: 'process-crash' });
  const found = third.getSnapshot().context;
  await third.close();
  return [
    ...(said === 'STORE_STOLEN' ? [] : [`"${attempt}" of a stale owner: ${said}`]),
    ...(before === after ? [] : [`"${attempt}" of a stale owner changed the file`]),
    ...(again === 'went through' ? ['a send of a stale owner was acknowledged afterwards'] : []),
    ...(isDeepStrictEqual(found, expected) ? [] : ['the new owner does not find what it had committed']),
  ];
}

function discard(store: Store): void {
  if (store.isOpen) store.drop(Object.assign(new Error('over'), { code: 'STORE_CLOSED' }) as never);
}

export interface StopTrial {
  /** An empty folder. */
  readonly folder: string;
  readonly workload: Workload;
  readonly calm: unknown;
  readonly stopAfterMs: number;
  readonly goOnAfterMs: number;
}

/** A process that is stopped under load, a second that takes over, and the first goes on. Gives what is wrong. */
export async function stopAndSteal({ folder, workload, calm, stopAfterMs, goOnAfterMs }: StopTrial): Promise<string[]> {
  const store = `${folder}/work.db`;
  const [a, b] = [`${folder}/a`, `${folder}/b`];
  for (const notes of [a, b]) mkdirSync(notes);
  const options = { workload, store, window: 1, pauseMs: 4, mayFail: true };
  const first = begin({ ...options, folder: a });
  await first.hear('ready');
  await sleep(stopAfterMs);
  await stopOutsideOfTransaction(first, store);
  takeLockAway(store);
  if (existsSync(`${a}/acknowledged`)) copyFileSync(`${a}/acknowledged`, `${b}/acknowledged`);
  const second = begin({ ...options, folder: b });
  await second.hear('ready');
  await sleep(goOnAfterMs);
  first.child.kill('SIGCONT');
  const [stale, owner] = await Promise.all([first.ended, second.ended]);
  return [
    ...(stale.ended === 'failed' && stale.stderr.includes('STORE_STOLEN')
      ? []
      : [`the stale owner ${stale.ended}: ${stale.stderr}`]),
    ...(owner.ended === 'finished' ? [] : [`the new owner ${owner.ended}: ${owner.stderr}`]),
    ...judge(a, workload, store).wrong,
    ...judge(b, workload, store).wrong,
    ...(isDeepStrictEqual(finalOf(b), calm) ? [] : ['the end is not that of a worker that was alone']),
  ];
}

/** Whoever is stopped inside of a transaction holds SQLite's lock, and nobody can take over: it is let go on a little. */
async function stopOutsideOfTransaction({ child }: RunningLife, store: string): Promise<void> {
  for (let tries = 1; tries <= 500; tries++) {
    child.kill('SIGSTOP');
    if (canWrite(store)) return;
    child.kill('SIGCONT');
    await sleep(1 + (tries % 5));
  }
  throw new Error('The first owner was inside of a transaction whenever it was stopped.');
}

function canWrite(store: string): boolean {
  const db = new Database(store, { timeout: 0 });
  try {
    db.exec('begin immediate; rollback');
    return true;
  } catch {
    return false;
  } finally {
    db.close();
  }
}
