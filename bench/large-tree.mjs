/** Coming back, and staying: what a tree of 100,000 actors costs, beside XState without a disk. */
import { inFreshProcess } from './fresh-process.mjs';
import { LARGE_TREE, actorsIn } from './machines.mjs';
import { compare } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 3;

/** @type {{ store: string, blob: string } | undefined} */
let stored;

/** The same tree twice, made once a run: in a store, and as XState's own snapshot in one JSON text. */
async function storedTree() {
  if (stored !== undefined) return stored;
  const files = { store: scratchFile('stored.db'), blob: scratchFile('stored.json') };
  await inFreshProcess('store-tree', [files.store, files.blob, LARGE_TREE.branches, LARGE_TREE.leaves]);
  return (stored = files);
}

export async function restoreLarge() {
  const { store, blob } = await storedTree();
  const { ours, ratio } = await compare(
    ROUNDS,
    async () => (await inFreshProcess('restore-durable', [store])).ms,
    async () => (await inFreshProcess('restore-xstate', [blob])).ms,
    { warmUp: false },
  );
  return { value: ours, unit: 'ms', ratio, against: 'XState restoring one JSON blob' };
}

/** A tree that was just made. */
export async function heapOfNew() {
  const { branches, leaves } = LARGE_TREE;
  const ours = await inFreshProcess('heap-durable', [scratchFile('heap.db'), branches, leaves]);
  const theirs = await inFreshProcess('heap-xstate', [branches, leaves]);
  return heap(ours, theirs);
}

/** A tree that came back. */
export async function heapOfRestored() {
  const { store, blob } = await storedTree();
  return heap(await inFreshProcess('restore-durable', [store]), await inFreshProcess('restore-xstate', [blob]));
}

/**
 * @param {{ bytes: number }} ours
 * @param {{ bytes: number }} theirs
 */
function heap(ours, theirs) {
  const value = ours.bytes / actorsIn(LARGE_TREE);
  return { value, unit: 'bytes/actor', ratio: ours.bytes / theirs.bytes, against: 'XState alone' };
}
