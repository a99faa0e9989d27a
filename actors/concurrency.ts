import { PerdureError } from '../errors.ts';

/** How many actions may run at once. Throws OPTIONS_INVALID. */
export function checkedConcurrency(concurrency: number): number {
  if (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 1_000) return concurrency;
  throw new PerdureError('OPTIONS_INVALID', `concurrency must be a whole number from 1 to 1000, got ${concurrency}.`, {
    facts: { concurrency },
  });
}
