/** `perdure backup`: copies a store, also while its owner runs. */
import { backUpBeside } from '../persistence/backup.ts';
import { systemClock } from '../persistence/clock.ts';
import { storeOf } from './named-store.ts';

/** Copies the store, and says where to. */
export async function backup(named: string, target: string): Promise<number> {
  const store = storeOf(named);
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    await backUpBeside(store, target, { signal: stop.signal }, systemClock.now());
    process.stdout.write(`${target} is a copy of ${store}\n`);
    return 0;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
