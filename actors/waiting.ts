/** Waiting for an outcome, but not for ever. */
import type { Outcome } from '../machines/outcome.ts';
import { shown } from '../machines/option-keys.ts';
import type { Clock } from '../persistence/clock.ts';
import { checkObject, refuse } from './action-options.ts';

/** Options of {@link ActionHandle.wait}. */
export interface WaitOptions {
  /** ms; 0 asks without waiting. Default: as long as it takes. */
  readonly timeoutMs?: number;
}

/** The outcome, or undefined when there is none in time. Throws OPTIONS_INVALID. */
export async function waited<T extends Outcome>(
  outcome: Promise<T>,
  read: () => T | undefined,
  clock: Clock,
  options: WaitOptions,
): Promise<T | undefined> {
  checkObject('The options of wait', options);
  const { timeoutMs } = options;
  if (timeoutMs === undefined) return outcome;
  const isTime = typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs < 2 ** 31;
  refuse('The options of wait', isTime ? undefined : `timeoutMs must be a number from 0, got ${shown(timeoutMs)}`, {});
  if (timeoutMs === 0) return read();
  let handle: unknown;
  const late = new Promise<undefined>((resolve) => {
    handle = clock.setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clock.clearTimeout(handle);
  }
}
