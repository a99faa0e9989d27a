/**
 * The tables behind the order of the queue. What waits is grouped in lanes: all of a lane may run, or none of it. Beside them the
 * queues that are paused, the starts that a rate still counts, and the keys that are out of theirs.
 */
import type { TableSpec } from '../persistence/schema.ts';

/** What waits in a queue for a component, or for none. */
export interface LaneRow {
  readonly id: number;
  readonly queue: string;
  readonly component: string | null;
  /** Whether its actions wait while the component is out of use. */
  readonly waits: number;
  /** How many are waiting. Not counted, and 0, in the lane of the default queue without a component. */
  readonly waiting: number;
}

/** A component that is out of use: the lanes that wait for it are closed. */
export interface OutRow {
  readonly component: string;
  /** Nothing is let through before, ms since 1970; null until the component is back. */
  readonly until: number | null;
  /** 1 when it says so itself, and so will say when it is back; 0 when it has only refused one. */
  readonly is_told: number;
  /** The action that was let through last, to probe it: when that has ended the next may come. */
  readonly probe: string | null;
}

/** A start that a rate still counts. */
export interface StartRow {
  readonly id: number;
  /** Whose rate it is: `queue <name>`, `component <name>` or `key <key>`. */
  readonly gate: string;
  /** The starts of a gate are numbered. */
  readonly n: number;
  /** It counts until then, ms since 1970. */
  readonly until: number;
}

/** A key that is out of its rate, while actions of it are held. */
export interface KeyRow {
  readonly key: string;
  /** When the next of it may run, ms since 1970. */
  readonly open_at: number;
}

export const LANE_TABLES: readonly TableSpec[] = [
  {
    name: 'lanes',
    key: 'id',
    columns: [
      'id integer primary key',
      'queue text not null',
      'component text',
      'waits integer not null',
      'waiting integer not null default 0',
    ],
    indexes: [
      'create index if not exists lanes_queue on lanes(queue, component)',
      'create index if not exists lanes_busy on lanes(id) where waiting > 0',
    ],
  },
  {
    name: 'paused_queues',
    key: 'queue',
    columns: ['queue text primary key', 'paused_at real not null'],
  },
  {
    name: 'components_out',
    key: 'component',
    columns: ['component text primary key', 'until real', 'is_told integer not null', 'probe text'],
  },
  {
    name: 'starts',
    key: 'id',
    columns: ['id integer primary key', 'gate text not null', 'n integer not null', 'until real not null'],
    indexes: [
      'create index if not exists starts_gate on starts(gate, n)',
      'create index if not exists starts_until on starts(until)',
    ],
  },
  {
    name: 'spent_keys',
    key: 'key',
    columns: ['key text primary key', 'open_at real not null'],
    indexes: ['create index if not exists spent_keys_open on spent_keys(open_at)'],
  },
];
