/** `perdure queue`: how much waits in which queue, and what an operator does with it. */
import { QUEUE_STATES, readQueues, type QueueCounts } from '../actors/queues.ts';
import type { QueueCommand } from '../machines/executor.ts';
import { EXIT } from './failure.ts';
import { give, type RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { hasSupervisor, readStore, refuseOlderTable, type StoreReader } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

/** Prints the queues that hold something, or are paused, by name. */
export function listQueues({ store: named, json }: RemoteOptions & { readonly json?: boolean }): number {
  const store = storeOf(named);
  const found = readStore(store, (rows) => queuesIn(rows, store));
  process.stdout.write(json === true ? `${JSON.stringify(found, null, 2)}\n` : `${text(found, store).join('\n')}\n`);
  return EXIT.ok;
}

/** Pauses a queue, or lets it go on. Throws QUEUE_NOT_FOUND. */
export function commandQueue(command: QueueCommand, name: string, options: RemoteOptions): Promise<number> {
  return give(options, { command: `${command}-queue`, params: { name } });
}

function queuesIn(rows: StoreReader, store: string): QueueCounts[] {
  if (!hasSupervisor(rows)) return [];
  refuseOlderTable(rows, store, 'actions', 'queue');
  return readQueues(rows);
}

function text(queues: readonly QueueCounts[], store: string): string[] {
  if (queues.length === 0) return [`nothing waits or runs in ${store}`];
  return textTable(queues, [
    { title: 'queue', of: ({ name }) => name },
    ...QUEUE_STATES.map((state) => ({
      title: state,
      of: (queue: QueueCounts) => String(queue[state]),
      align: 'right' as const,
    })),
    { title: '', of: ({ isPaused }) => (isPaused ? 'paused' : '') },
  ]);
}
