/** As many rounds of arithmetic as take about a millisecond: work, not a wait, so that a core that is shared does less of it. */
const ROUNDS_A_MS = 50_000;

/**
 * Keeps a core busy.
 * @param {number} ms about, on a quiet core.
 */
export function spin(ms) {
  let value = 1;
  for (let round = 0; round < ms * ROUNDS_A_MS; round++) value = (value * 48_271) % 2_147_483_647;
  return value;
}
