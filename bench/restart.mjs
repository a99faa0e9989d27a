/** What a restart of one child costs beside many, against XState's own stopping and spawning of one. Run after a build. */
import { createActor, setup, spawnChild, stopChild } from 'xstate';
import { supervise } from '../dist/index.js';

const RESTARTS = 300;
const ROUNDS = 7;

const kid = setup({
  actions: {
    fail: () => {
      throw new Error('boom');
    },
  },
}).createMachine({ id: 'kid', context: { n: 0 }, on: { die: { actions: 'fail' } } });

/** @param {number} children */
function parentOf(children) {
  return setup({ actors: { kid } }).createMachine({
    id: 'parent',
    entry: Array.from({ length: children }, (_, at) => spawnChild('kid', { id: `k${at}` })),
    on: { again: { actions: [stopChild('k0'), spawnChild('kid', { id: 'k0' })] } },
  });
}

/**
 * Microseconds each, the best of some rounds.
 * @param {() => void} step
 */
function timed(step) {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    for (let at = 0; at < RESTARTS; at++) step();
    best = Math.min(best, ((performance.now() - began) * 1_000) / RESTARTS);
  }
  return best;
}

/** @param {number} children */
function supervised(children) {
  const intensity = RESTARTS * ROUNDS;
  const machine = supervise(parentOf(children), {
    strategy: 'one_for_one',
    intensity,
    periodMs: 1,
    children: { kid: {} },
  });
  const actor = createActor(machine).start();
  return timed(() => actor.getSnapshot().children['k0']?.send({ type: 'die' }));
}

/** @param {number} children */
function bare(children) {
  const actor = createActor(parentOf(children)).start();
  return timed(() => actor.send({ type: 'again' }));
}

for (const children of [10, 100, 1_000]) {
  const [restart, spawn] = [supervised(children), bare(children)];
  console.log(
    `${children} children: a restart ${restart.toFixed(1)} us, XState's stop and spawn ${spawn.toFixed(1)} us (${(restart / spawn).toFixed(2)} x)`,
  );
}
