/** The host's side of queues: `supervisor.queues`. It sends events and reads rows. */
import { PerdureError } from '../errors.ts';
import type { QueueCommand } from '../machines/executor.ts';
import { nearest } from '../machines/nearest.ts';
import { shown } from '../machines/option-keys.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import type { Rows } from '../persistence/rows.ts';
import { DEFAULT_QUEUE, type Queueing, type QueuePolicy } from './queue-options.ts';

export const QUEUE_STATES = ['waiting', 'delayed', 'held', 'running', 'asking', 'parked'] as const;

type Counts = Readonly<Record<(typeof QUEUE_STATES)[number], number>>;

const NONE = Object.fromEntries(QUEUE_STATES.map((state) => [state, 0])) as Counts;

/** A queue, as its rows say: how many of its actions are in which state. */
export interface QueueCounts extends Counts {
  readonly name: string;
  /** Nothing of it begins. */
  readonly isPaused: boolean;
}

/** A queue, as it stands. */
export interface QueueInfo extends QueueCounts {
  /** What may run and wait, in this life of the process; null when `queues` does not declare it any more. */
  readonly limits: QueuePolicy | null;
}

type Reader = Pick<Rows, 'all'>;

/** What queues need of the supervisor. */
export interface QueueHost {
  rows(): Reader;
  now(): number;
  send(event: SupervisorCommand): Promise<unknown>;
  readonly limits: Queueing;
}

/** What waits in which queue; pauses queues. */
export class SupervisorQueues {
  readonly #host: QueueHost;

  constructor(host: QueueHost) {
    this.#host = host;
  }

  /**
   * Begins nothing more of a queue, also after a restart, until it is resumed; what runs ends, and what is submitted waits.
   * Resolves once that is durable. Throws QUEUE_NOT_FOUND.
   *
   * @example
   * await supervisor.queues.pause('mail');
   */
  async pause(name: string): Promise<void> {
    await this.#command(name, 'pause');
  }

  /** Goes on with a queue. Throws QUEUE_NOT_FOUND. */
  async resume(name: string): Promise<void> {
    await this.#command(name, 'resume');
  }

  /** All queues that are declared, hold something or are paused, by name. It counts rows: ask rarely while much waits. */
  list(): QueueInfo[] {
    const { queues } = this.#host.limits;
    return readQueues(this.#host.rows(), queues.keys()).map((queue) => ({
      ...queue,
      limits: queues.get(queue.name) ?? null,
    }));
  }

  /** What may run and wait of a queue, in this life of the process; null for one that `queues` does not declare. */
  policy(name: string): QueuePolicy | null {
    return this.#host.limits.queues.get(name) ?? null;
  }

  async #command(queue: string, command: QueueCommand): Promise<void> {
    refuseUnknownQueue(this.#host.rows(), queue);
    await this.#host.send({ type: 'supervisor.queue', queue, command, at: this.#host.now() });
  }
}

/** The queues that hold something or are paused, and those of `declared`, by name. */
export function readQueues(rows: Reader, declared: Iterable<string> = []): QueueCounts[] {
  const counts = new Map<string, Partial<Counts>>();
  for (const state of QUEUE_STATES)
    for (const { queue, n } of countsOf(rows, state)) counts.set(queue, { ...counts.get(queue), [state]: n });
  const paused = new Set(rows.all<{ queue: string }>('select queue from paused_queues').map(({ queue }) => queue));
  return [...new Set([...declared, ...counts.keys(), ...paused])]
    .sort()
    .map((name) => ({ name, isPaused: paused.has(name), ...NONE, ...counts.get(name) }));
}

function countsOf(rows: Reader, state: string): { queue: string; n: number }[] {
  // A state that is a parameter would use none of the indexes that states have.
  return rows.all(
    `select coalesce(queue, '${DEFAULT_QUEUE}') as queue, count(*) as n from actions where state = '${state}' group by 1`,
  );
}

/** Throws QUEUE_NOT_FOUND. */
export function refuseUnknownQueue(rows: Reader, name: string): void {
  const named = rows
    .all<{ queue: string }>('select queue from lanes union select queue from paused_queues')
    .map(({ queue }) => queue);
  const known = [...new Set([DEFAULT_QUEUE, ...named])].sort();
  if (known.includes(name)) return;
  const [meant] = nearest(String(name), known);
  const hint = meant === undefined ? '' : ` (did you mean "${meant}"?)`;
  throw new PerdureError(
    'QUEUE_NOT_FOUND',
    `There is no queue ${shown(name)}${hint}; there are: ${known.join(', ')}.`,
    {
      facts: { name, known },
    },
  );
}
