/** `perdure queue`: how much waits in which queue, and what an operator does with it. */
import { QUEUE_STATES, readQueues, refuseUnknownQueue, type QueueCounts } from '../actors/queues.ts';
import type { QueueCommand } from '../machines/executor.ts';
import { EXIT } from './failure.ts';
import { reportAnswer, request, type RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { hasSupervisor, hasTable, readStore, refuseOlderTable, type StoreReader } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

/** Prints the queues that hold something, or are paused, by name. */
export function listQueues({ store: named, json }: RemoteOptions & { readonly json?: boolean }): number {
  const store = storeOf(named);
  const found = readStore(store, (rows) => queuesIn(rows, store));
  process.stdout.write(json === true ? `${JSON.stringify(found, null, 2)}\n` : `${text(found, store).join('\n')}\n`);
  return EXIT.ok;
}

/** Pauses a queue, or lets it go on. Throws QUEUE_NOT_FOUND. */
export async function commandQueue(
  command: QueueCommand,
  queue: string,
  { store: named }: RemoteOptions,
): Promise<number> {
  const store = storeOf(named);
  readStore(store, (rows) => refuseUnknownQueue(lanesIn(rows), queue));
  const event = { type: 'supervisor.queue', queue, command, at: Date.now() } as const;
  return reportAnswer(store, `${command} ${queue}`, await request(store, event));
}

function queuesIn(rows: StoreReader, store: string): QueueCounts[] {
  if (!hasSupervisor(rows)) return [];
  refuseOlderTable(rows, store, 'actions', 'queue');
  return readQueues(rows);
}

/** A store in which no supervisor ever was has no queue but the default one. */
function lanesIn(rows: StoreReader): Pick<StoreReader, 'all'> {
  return hasTable(rows, 'lanes') ? rows : { all: () => [] };
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
