/** The suite of the durable runtime: what is measured, and what its owner wants to reach (design.md, "Measures that matter"). */
import { ackedByMany, ackedByManyV4, ackedByOne } from './acked.mjs';
import { flatBatched, flatBatchedRaw, flatSingle, flatSingleRaw } from './flat.mjs';
import { busyP99, historyOverhead } from './history.mjs';
import { heapOfNew, heapOfRestored, restoreLarge } from './large-tree.mjs';
import { importing, opening } from './startup.mjs';
import { coldTrees, heapOfClosed } from './trees.mjs';

/**
 * @typedef {object} Result
 * @property {number} value
 * @property {string} unit
 * @property {number} ratio `value` over what was measured beside it.
 * @property {string} against
 */

/**
 * @typedef {object} Measure
 * @property {string} key
 * @property {string} aim
 * @property {() => Promise<Result>} run
 */

/** @type {readonly Measure[]} */
export const durable = [
  { key: 'durable.acked.1', aim: 'ratio >= 0.9', run: ackedByOne },
  { key: 'durable.acked.256', aim: 'ratio >= 0.5', run: ackedByMany },
  { key: 'durable.acked.256.v4', aim: '', run: ackedByManyV4 },
  { key: 'durable.flat.single', aim: 'ratio <= 1.2', run: flatSingle },
  { key: 'durable.flat.single.raw', aim: '', run: flatSingleRaw },
  { key: 'durable.flat.batched', aim: 'ratio <= 1.5', run: flatBatched },
  { key: 'durable.flat.batched.raw', aim: '', run: flatBatchedRaw },
  { key: 'durable.history.overhead', aim: 'ratio >= 0.9', run: historyOverhead },
  { key: 'durable.p99.busy', aim: 'ratio <= 5', run: busyP99 },
  { key: 'durable.restore.100k', aim: 'ratio <= 1.25', run: restoreLarge },
  { key: 'durable.heap', aim: 'value <= 3,000', run: heapOfNew },
  { key: 'durable.heap.restored', aim: 'value <= 3,000', run: heapOfRestored },
  { key: 'durable.trees', aim: '', run: coldTrees },
  { key: 'durable.trees.heap', aim: 'ratio <= 1.2', run: heapOfClosed },
  { key: 'startup.import', aim: 'value <= 30', run: importing },
  { key: 'startup.open', aim: 'value <= 100', run: opening },
];
