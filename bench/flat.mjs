/** Whether an event costs the same however large the tree is. Each tree lives in a process of its own, with its own heap. */
import { Worker } from './fresh-process.mjs';
import { LARGE_TREE, SMALL_TREE, actorsIn } from './machines.mjs';
import { RawSqlite } from './raw-sqlite.mjs';
import { compare } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 9;
const SINGLE = { commits: 500, inFlight: 1 };
const BATCHED = { commits: 40, inFlight: 100 };
/** A WAL that is written over for the second time is faster than one that grows, so both come round before it counts. */
const WARM_UP = { commits: 4_500, inFlight: 1 };

export const flatSingle = () => growth(SINGLE);
export const flatBatched = () => growth(BATCHED);
export const flatSingleRaw = () => rawGrowth(SINGLE);
export const flatBatchedRaw = () => rawGrowth(BATCHED);

/** @typedef {{ readonly commits: number, readonly inFlight: number }} Load */

/** @param {Load} load */
async function growth(load) {
  const large = new Worker('tree', [scratchFile('large.db'), LARGE_TREE.branches, LARGE_TREE.leaves]);
  const small = new Worker('tree', [scratchFile('small.db'), SMALL_TREE.branches, SMALL_TREE.leaves]);
  await large.ask(WARM_UP);
  await small.ask(WARM_UP);
  const { ratio } = await compare(
    ROUNDS,
    () => large.ask(load),
    () => small.ask(load),
  );
  await Promise.all([large.end(), small.end()]);
  return { value: ratio, unit: 'x', ratio, against: 'the same in a tree of 10 leaves' };
}

/**
 * What SQLite alone pays for the same rows.
 * @param {Load} load
 */
async function rawGrowth(load) {
  const large = rawTable(actorsIn(LARGE_TREE));
  const small = rawTable(actorsIn(SMALL_TREE));
  large.measure(WARM_UP);
  small.measure(WARM_UP);
  const { ratio } = await compare(
    ROUNDS,
    () => large.measure(load),
    () => small.measure(load),
  );
  large.close();
  small.close();
  return { value: ratio, unit: 'x', ratio, against: 'the same in a table of 13 rows' };
}

/** @param {number} rows */
function rawTable(rows) {
  const raw = new RawSqlite(scratchFile('raw.db'), rows);
  const randomRow = () => 1 + Math.floor(Math.random() * rows);
  const measure = (/** @type {Load} */ { commits, inFlight }) => {
    const began = performance.now();
    for (let commit = 0; commit < commits; commit++) raw.commit(Array.from({ length: inFlight }, randomRow));
    return performance.now() - began;
  };
  return { measure, close: () => raw.close() };
}
