/** `perdure queue`: how much waits in which queue. */
import { DEFAULT_QUEUE } from '../actors/queue-options.ts';
import { EXIT } from './failure.ts';
import type { RemoteOptions } from './remote.ts';
import { hasSupervisor, hasTable, readStore, refuseOlderTable, storeOf, type StoreReader } from './store-reader.ts';
import { textTable } from './text-table.ts';

const STATES = ['waiting', 'delayed', 'held', 'running', 'asking', 'parked'] as const;

type Counts = Readonly<Record<(typeof STATES)[number], number>>;

/** A queue, as it stands: how many of its actions are in which state. */
interface ListedQueue extends Counts {
  readonly name: string;
  readonly isPaused: boolean;
}

/** Prints the queues that hold something, or are paused, by name. */
export function listQueues({ store: named, json }: RemoteOptions & { readonly json?: boolean }): number {
  const store = storeOf(named);
  const found = readStore(store, (rows) => queuesIn(rows, store));
  process.stdout.write(json === true ? `${JSON.stringify(found, null, 2)}\n` : `${text(found, store).join('\n')}\n`);
  return EXIT.ok;
}

function queuesIn(rows: StoreReader, store: string): ListedQueue[] {
  if (!hasSupervisor(rows)) return [];
  refuseOlderTable(rows, store, 'actions', 'queue');
  const counts = new Map<string, Partial<Counts>>();
  for (const state of STATES)
    for (const { queue, n } of countsOf(rows, state)) counts.set(queue, { ...counts.get(queue), [state]: n });
  const paused = new Set(pausedIn(rows));
  const none = Object.fromEntries(STATES.map((state) => [state, 0])) as Counts;
  return [...new Set([...counts.keys(), ...paused])]
    .sort()
    .map((name) => ({ name, isPaused: paused.has(name), ...none, ...counts.get(name) }));
}

function countsOf(rows: StoreReader, state: string): { queue: string; n: number }[] {
  // Each state has an index; a state that is a parameter would use none.
  return rows.all(
    `select coalesce(queue, '${DEFAULT_QUEUE}') as queue, count(*) as n from actions where state = '${state}' group by 1`,
  );
}

function pausedIn(rows: StoreReader): string[] {
  if (!hasTable(rows, 'paused_queues')) return [];
  return rows.all<{ queue: string }>('select queue from paused_queues').map(({ queue }) => queue);
}

function text(queues: readonly ListedQueue[], store: string): string[] {
  if (queues.length === 0) return [`nothing waits or runs in ${store}`];
  return textTable(queues, [
    { title: 'queue', of: ({ name }) => name },
    ...STATES.map((state) => ({
      title: state,
      of: (queue: ListedQueue) => String(queue[state]),
      align: 'right' as const,
    })),
    { title: '', of: ({ isPaused }) => (isPaused ? 'paused' : '') },
  ]);
}
