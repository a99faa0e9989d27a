import { PerdureError } from '../errors.ts';
import type { DurableActor } from './durable.ts';
import type { Logic } from './xstate-port.ts';

/**
 * Drops a live tree as `kill -9` would: nothing pending is committed, effects are aborted, the lock is free, and sends
 * that were not acknowledged reject. Open the store again to see what came back.
 */
export function crash<TLogic extends Logic>(durable: Pick<DurableActor<TLogic>, 'discard' | 'store'>): void {
  durable.discard();
  durable.store.drop(new PerdureError('STORE_CLOSED', 'The tree was dropped by crash().'));
}
