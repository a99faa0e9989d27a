/** The queue: what submitting costs, and what a claim costs when very much waits. */
import { v7 } from 'uuid';
import { inFreshProcess } from './fresh-process.mjs';
import { defineAction, spawnSupervisor } from './perdure.mjs';
import { RawSqlite } from './raw-sqlite.mjs';
import { compare, perSecond } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 7;
const AT_ONCE = 64;
/** Actions run in a round. */
const RUN = 500;
const FEW = 1_000;
const MANY = 1_000_000;
const SUBMITTED = 1_500;
const BULK = 20_000;
/** Submissions on their way at a time while a queue is filled. */
const FILLED_AT_ONCE = 2_000;

const noop = defineAction({ run: () => null });
/** Error budgets are not what is measured. */
const generous = { kind: /** @type {const} */ ('count'), perHour: 1e9 };

/** @typedef {Awaited<ReturnType<typeof open>>} Queue */

/** @param {string} name */
function open(name) {
  return spawnSupervisor({
    store: scratchFile(name),
    actions: { noop },
    queues: { bulk: {} },
    concurrency: AT_ONCE,
    budget: generous,
    checkpoint: { everyActions: 1_000_000 },
  });
}

/**
 * @param {Queue} queue
 * @param {number} count
 * @param {(n: number) => object} [optionsOf]
 */
async function fill(queue, count, optionsOf = () => ({})) {
  for (let first = 0; first < count; first += FILLED_AT_ONCE) {
    const size = Math.min(FILLED_AT_ONCE, count - first);
    await Promise.all(
      Array.from({ length: size }, (_, n) => queue.submit('noop', null, { id: v7(), ...optionsOf(first + n) })),
    );
  }
}

/**
 * Lets the queue work until so many are settled, ms per action.
 * @param {Queue} queue
 */
async function work(queue) {
  let left = RUN;
  const done = new Promise((resolve) => {
    const listening = queue.on('action.settled', () => {
      left -= 1;
      if (left > 0) return;
      listening.unsubscribe();
      resolve(undefined);
    });
  });
  const began = performance.now();
  await queue.resume();
  await done;
  const took = performance.now() - began;
  await queue.pause();
  return took / RUN;
}

/**
 * A queue in which very much waits, against one in which little does: ms to claim and settle one action.
 * @param {{ many: (queue: Queue) => Promise<unknown>, ready?: boolean }} options `ready`: nothing of the many can be claimed,
 * so that what is worked on is put in before each round.
 */
async function amongMany({ many, ready = false }) {
  const small = await open('small.db');
  const large = await open('large.db');
  await Promise.all([small.pause(), large.pause()]);
  await fill(small, FEW);
  await many(large);
  const top = async (/** @type {Queue} */ queue, /** @type {boolean} */ always) => {
    if (always) await fill(queue, 2 * RUN);
    return work(queue);
  };
  const { ours, ratio } = await compare(
    ROUNDS,
    () => top(large, ready),
    () => top(small, true),
  );
  await small.close();
  await large.close();
  return { value: ours, unit: 'ms', ratio, against: `the same with ${FEW.toLocaleString('en')} waiting` };
}

export const claimAmongMillion = () => amongMany({ many: (queue) => fill(queue, MANY) });

/** All but one of a million wait in a queue that is paused. */
export const claimAmongPaused = () =>
  amongMany({
    many: async (queue) => {
      await queue.queues.pause('bulk');
      await fill(queue, MANY - 1, () => ({ queue: 'bulk' }));
    },
    ready: true,
  });

/** All but one of a million wait for the same key, of which one runs. */
export const claimAmongHeld = () =>
  amongMany({
    many: async (queue) => {
      await queue.queues.pause('bulk');
      await fill(queue, MANY - 1, () => ({ queue: 'bulk', key: 'one' }));
    },
    ready: true,
  });

/** Durable submissions, each awaited before the next, against raw one-row commits. */
export async function submitOneByOne() {
  const raw = new RawSqlite(scratchFile('raw.db'), 1);
  const queue = await open('submit.db');
  await queue.pause();
  const { ours, ratio } = await compare(
    ROUNDS,
    () =>
      perSecond(SUBMITTED, async () => {
        for (let n = 0; n < SUBMITTED; n++) await queue.submit('noop', null);
      }),
    () =>
      perSecond(SUBMITTED, () => {
        for (let n = 0; n < SUBMITTED; n++) raw.commit([1]);
      }),
  );
  await queue.close();
  raw.close();
  return { value: ours, unit: 'actions/s', ratio, against: 'raw one-row commits' };
}

/** Durable submissions, very many on their way at once, against those that are awaited one by one. */
export async function submitInBulk() {
  const queue = await open('bulk.db');
  const single = await open('single.db');
  await Promise.all([queue.pause(), single.pause()]);
  const { ours, ratio } = await compare(
    3,
    () => perSecond(BULK, () => fill(queue, BULK)),
    () => perSecond(SUBMITTED, () => oneByOne(single)),
  );
  await queue.close();
  await single.close();
  return { value: ours, unit: 'actions/s', ratio, against: 'the same, each awaited before the next' };
}

/** @param {Queue} queue */
async function oneByOne(queue) {
  for (let n = 0; n < SUBMITTED; n++) await queue.submit('noop', null);
}

/** What 900,000 more waiting actions add to the memory of the process that holds them. */
export async function memoryOfWaiting() {
  const [few, many] = [await residentWith(MANY / 10), await residentWith(MANY)];
  const value = (many - few) / (MANY - MANY / 10);
  return { value, unit: 'bytes/action', ratio: many / few, against: 'the resident memory with 100,000 waiting' };
}

/** @param {number} count */
async function residentWith(count) {
  const store = scratchFile('waiting.db');
  await inFreshProcess('fill-queue', [store, count]);
  return (await inFreshProcess('waiting', [store])).resident;
}
