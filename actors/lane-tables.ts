/**
 * The tables behind the order of the queue. What waits is grouped in lanes: all of a lane may run, or none of it. Beside them the
 * queues that are paused, the starts that rates count, the keys that are out of theirs, and the limits that keys were last held to.
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
  /** When `until` was said, ms since 1970; null in rows of before it was noted. */
  readonly noted_at: number | null;
}

/** How the gate of a key begins. */
export const KEY_GATE = 'key ';
/** The starts of keys. An index is made of it: it must be said word for word. */
export const OF_KEYS = `gate glob '${KEY_GATE}*'`;

/** A start that a rate counts. */
export interface StartRow {
  readonly id: number;
  /** Whose rate it is: `queue <name>`, `component <name>` or `key <key>`. */
  readonly gate: string;
  /** The starts of a gate are numbered. */
  readonly n: number;
  /** ms since 1970. */
  readonly at: number;
}

/** A key that is out of its rate, while actions of it are held. */
export interface KeyRow {
  readonly key: string;
  /** When the next of it may run, ms since 1970. */
  readonly open_at: number;
}

/** The limits of keys of the last start of the process; there is one row. */
export interface KeyLimitsRow {
  readonly limits: string;
  /** What is held has been balanced by them up to this key, in the order of keys; null: all of it. */
  readonly balanced_to: string | null;
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
    columns: ['component text primary key', 'until real', 'is_told integer not null', 'probe text', 'noted_at real'],
  },
  {
    name: 'gate_starts',
    key: 'id',
    columns: ['id integer primary key', 'gate text not null', 'n integer not null', 'at real not null'],
    indexes: [
      'create index if not exists gate_starts_gate on gate_starts(gate, n)',
      `create index if not exists gate_starts_of_keys on gate_starts(at) where ${OF_KEYS}`,
    ],
  },
  {
    name: 'spent_keys',
    key: 'key',
    columns: ['key text primary key', 'open_at real not null'],
    indexes: ['create index if not exists spent_keys_open on spent_keys(open_at)'],
  },
  {
    name: 'key_limits',
    key: 'id',
    columns: ['id integer primary key', 'limits text not null', 'balanced_to text'],
  },
];
