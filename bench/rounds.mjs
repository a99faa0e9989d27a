/**
 * Two ways to do the same work, measured by turns in one run: the machine's mood changes from second to second, so only
 * what was measured side by side may be compared.
 */

/**
 * @typedef {object} Comparison
 * @property {number} ours Median over the rounds.
 * @property {number} theirs Median over the rounds.
 * @property {number} ratio Median of `ours / theirs` of each round: what slows a whole round down cancels out.
 */

/**
 * Runs both once to warm up, then `rounds` times each, and compares the figures that they give.
 * @param {number} rounds
 * @param {() => number | Promise<number>} ours
 * @param {() => number | Promise<number>} theirs
 * @param {{ warmUp?: boolean }} [options]
 * @returns {Promise<Comparison>}
 */
export async function compare(rounds, ours, theirs, { warmUp = true } = {}) {
  if (warmUp) {
    await theirs();
    await ours();
  }
  const pairs = [];
  for (let round = 0; round < rounds; round++) pairs.push(await pair(round, ours, theirs));
  return {
    ours: median(pairs.map((one) => one.ours)),
    theirs: median(pairs.map((one) => one.theirs)),
    ratio: median(pairs.map((one) => one.ours / one.theirs)),
  };
}

/**
 * Who goes first changes with every round.
 * @param {number} round
 * @param {() => number | Promise<number>} ours
 * @param {() => number | Promise<number>} theirs
 */
async function pair(round, ours, theirs) {
  if (round % 2 === 0) return { ours: await ours(), theirs: await theirs() };
  const first = await theirs();
  return { ours: await ours(), theirs: first };
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[middle - 1] ?? 0, sorted[middle] ?? 0];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}

/**
 * How many times a second `work` did its `count` things.
 * @param {number} count
 * @param {() => unknown} work
 */
export async function perSecond(count, work) {
  const began = performance.now();
  await work();
  return (count / (performance.now() - began)) * 1_000;
}
