/** What it costs to name a turn, and to go back to it, in small and large trees. */
import { LARGE_TREE, SMALL_TREE, actorsIn, randomLeaf, treeMachine } from './machines.mjs';
import { Store, createDurableActor } from './perdure.mjs';
import { compare, median } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 5;
const CHECKPOINTS = 300;
/** What happens between a checkpoint and the return to it. */
const CHANGED = 100;
const MEDIUM_TREE = { branches: 10, leaves: 100 };

/** @typedef {import('./machines.mjs').TreeShape} TreeShape */

/** @param {TreeShape} shape */
async function open(shape) {
  const store = Store.open(scratchFile(`checkpoints-${actorsIn(shape)}.db`));
  const durable = await createDurableActor(treeMachine, { store, input: shape });
  return { store, durable, shape };
}

/** @typedef {Awaited<ReturnType<typeof open>>} Tree */

/** A commit of one event that is a checkpoint too, ms. */
export async function checkpointCost() {
  const [small, medium, large] = [await open(SMALL_TREE), await open(MEDIUM_TREE), await open(LARGE_TREE)];
  const { ours, ratio } = await compare(
    ROUNDS,
    () => msPerCheckpoint(large),
    () => msPerCheckpoint(small),
  );
  const middle = await msPerCheckpoint(medium);
  for (const { store } of [small, medium, large]) store.close();
  return { value: ours, unit: 'ms', ratio, against: `the same at 10 actors; ${middle.toFixed(3)} ms at 1,000` };
}

/** Going back over so many changes in a tree of 100,000 actors, ms. */
export async function checkpointRestore() {
  const [small, large] = [await open(SMALL_TREE), await open(LARGE_TREE)];
  const { ours, ratio } = await compare(
    3,
    () => msToRestore(large),
    () => msToRestore(small),
  );
  for (const { store } of [small, large]) store.close();
  return { value: ours, unit: 'ms', ratio, against: 'the same at 10 actors' };
}

/** @param {Tree} tree */
async function checkpoint({ store, durable, shape }) {
  const sent = durable.send({ type: 'inc' }, { to: randomLeaf(shape) });
  store.rows.nameTurn({ at: Date.now(), reason: 'request' });
  return (await sent).turn;
}

/** @param {Tree} tree */
async function msPerCheckpoint(tree) {
  /** @type {number[]} */
  const took = [];
  for (let n = 0; n < CHECKPOINTS; n++) {
    const began = performance.now();
    await checkpoint(tree);
    took.push(performance.now() - began);
  }
  return median(took);
}

/** @param {Tree} tree */
async function msToRestore(tree) {
  const turn = await checkpoint(tree);
  for (let n = 0; n < CHANGED; n++) await tree.durable.send({ type: 'inc' }, { to: randomLeaf(tree.shape) });
  const began = performance.now();
  await tree.durable.restore(turn);
  return performance.now() - began;
}
