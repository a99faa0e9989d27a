/** Keeps a durable tree alive and, when asked, gives the time that a load on random leaves took. */
import { randomLeaf, treeMachine } from '../machines.mjs';
import { createDurableActor } from '../perdure.mjs';

const [store = '', branches, leaves] = process.argv.slice(2);
const shape = { branches: Number(branches), leaves: Number(leaves) };
const durable = await createDurableActor(treeMachine, { store, input: shape });

/** @param {import('../flat.mjs').Load} load */
async function measure({ commits, inFlight }) {
  const began = performance.now();
  for (let commit = 0; commit < commits; commit++) {
    const sends = Array.from({ length: inFlight }, () => durable.send({ type: 'inc' }, { to: randomLeaf(shape) }));
    await Promise.all(sends);
  }
  return performance.now() - began;
}

process.on('message', (load) => {
  void measure(/** @type {import('../flat.mjs').Load} */ (load)).then((ms) => process.send?.(ms));
});
process.on('disconnect', () => void durable.close());
