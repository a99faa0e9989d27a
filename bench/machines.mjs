/** The machines that are measured: small, so that what is measured is the runtime around them. */
import { assign, setup } from 'xstate';

const count = /** @type {{ context: { n: number }, events: { type: 'inc' } }} */ ({});

/** Counts its events. */
export const counterMachine = setup({ types: count }).createMachine({
  id: 'counter',
  context: { n: 0 },
  on: { inc: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

const branchMachine = setup({
  types: /** @type {{ context: object, input: { leaves: number } }} */ ({}),
  actors: { leaf: counterMachine },
}).createMachine({
  id: 'branch',
  // One spawner call for all: XState copies the siblings for every `spawnChild` action, but not here.
  context: ({ input, spawn }) => {
    for (let leaf = 0; leaf < input.leaves; leaf++) spawn('leaf', { id: `l${leaf}` });
    return {};
  },
});

/** A root, its branches, and their leaves, which are counters. */
export const treeMachine = setup({
  types: /** @type {{ context: object, input: TreeShape }} */ ({}),
  actors: { branch: branchMachine },
}).createMachine({
  id: 'tree',
  context: ({ input, spawn }) => {
    for (let branch = 0; branch < input.branches; branch++) {
      spawn('branch', { id: `b${branch}`, input: { leaves: input.leaves } });
    }
    return {};
  },
});

/** @typedef {{ readonly branches: number, readonly leaves: number }} TreeShape */

/** Fan-out stays at 1,000: XState copies all siblings when one comes or goes. */
export const LARGE_TREE = { branches: 100, leaves: 1_000 };
export const SMALL_TREE = { branches: 2, leaves: 5 };

/** @param {TreeShape} shape */
export function actorsIn({ branches, leaves }) {
  return 1 + branches + branches * leaves;
}

/**
 * The address of a leaf picked at random.
 * @param {TreeShape} shape
 */
export function randomLeaf({ branches, leaves }) {
  return `b${Math.floor(Math.random() * branches)}/l${Math.floor(Math.random() * leaves)}`;
}
