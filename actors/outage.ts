/** A store that failed is opened again by itself: whoever can wait tries again then. */
import { isPerdureError } from '../errors.ts';
import type { Tree } from './standing.ts';

/** Whether it is the failure of a store that may be opened again. */
export function isPassing(error: unknown): boolean {
  return (
    isPerdureError(error) && error.retryable && (error.code === 'STORE_FAILED' || error.code === 'STORE_READ_ONLY')
  );
}

/** Tries until the store does not fail. What is tried must bear being done twice. Throws anything else. */
export async function outlasting<T>(durable: Tree, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await reopened(durable);
    }
  }
}

/** Resolves when the store takes turns again. Throws why it never will. */
async function reopened(durable: Tree): Promise<void> {
  try {
    return durable.store.assertOpen();
  } catch (error) {
    if (!isPassing(error)) throw error;
  }
  let unsubscribe = () => {};
  const open = new Promise<void>((resolve) => {
    const subscription = durable.on('reopened', () => resolve());
    unsubscribe = () => subscription.unsubscribe();
  });
  const ended = durable.ended.then((error) => {
    throw error;
  });
  try {
    await Promise.race([open, ended]);
  } finally {
    unsubscribe();
  }
}
