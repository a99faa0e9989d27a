/** Waits for what comes with the turns of the loop, without a clock. */

/** Commits and promises that are under way get their chance. */
export async function settle(rounds = 6): Promise<void> {
  for (let round = 0; round < rounds; round++) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when the condition holds; the test's own time limit is its end. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
