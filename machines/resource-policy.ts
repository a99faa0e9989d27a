/** What is watched, what each can do about a shortage, and where the lines are. */
import { DEFAULT_CONFIDENCE, DEFAULT_HORIZON_MS } from './forecast.ts';

/** What is watched, in bytes, counts, ms, or parts of 1. */
export type ResourceName =
  /** What the process holds, against what its group or host lets it have. Bytes. */
  | 'memory'
  /** V8's heap, against its limit. Bytes. */
  | 'heap'
  /** What is in use of the disk of the store. Bytes. */
  | 'disk'
  /** Open files, sockets and the like, against how many may be. */
  | 'handles'
  /** What is in use of the host's memory, by whomever. Bytes. */
  | 'hostMemory'
  /** The processors that the process kept busy, of those that it may use. */
  | 'cpu'
  /** The part of the host's processors that was busy, with whatever. */
  | 'hostCpu'
  /** How late the event loop is, ms. */
  | 'loopDelay'
  /** The part of its time that the event loop is busy. */
  | 'loopUtilization'
  /** The store's log that is not in the database yet. Bytes. */
  | 'wal';

/** What can be done beside running less at once, the mildest first. */
export type Rung =
  /** Asks the handlers of `onPressure` to clean up. */
  | 'cleanUp'
  /** Moves the log into the database, and removes what is old enough to be. */
  | 'prune'
  /** Calls the cleanups that were registered. */
  | 'runCleanups'
  /** Leaves out what waits and is optional. */
  | 'shed'
  /** Names the turn, and says that a restart would help. */
  | 'restart';

export const RUNGS: readonly Rung[] = ['cleanUp', 'prune', 'runCleanups', 'shed', 'restart'];

/** These cost something, so that a forecast alone is no reason for them. */
export const COSTLY: ReadonlySet<Rung> = new Set(['shed', 'restart']);

interface Traits {
  /** A stock runs full and stays so: only of one is it forecast when. */
  readonly isStock: boolean;
  /** Running less at once helps. */
  readonly throttles: boolean;
  /** What else helps. */
  readonly rungs: readonly Rung[];
}

/** What a process holds goes with whoever holds it. */
const HELD: readonly Rung[] = ['cleanUp', 'runCleanups', 'shed', 'restart'];

/** What can be done about each. What others on the host take is told, and nothing is done about it. */
export const RESOURCES: Readonly<Record<ResourceName, Traits>> = {
  memory: { isStock: true, throttles: true, rungs: HELD },
  heap: { isStock: true, throttles: true, rungs: HELD },
  handles: { isStock: true, throttles: true, rungs: HELD },
  disk: { isStock: true, throttles: true, rungs: ['cleanUp', 'prune', 'runCleanups', 'shed'] },
  hostMemory: { isStock: true, throttles: false, rungs: [] },
  // A processor that is used is what one has it for.
  cpu: { isStock: false, throttles: false, rungs: [] },
  hostCpu: { isStock: false, throttles: false, rungs: [] },
  loopUtilization: { isStock: false, throttles: false, rungs: [] },
  loopDelay: { isStock: false, throttles: true, rungs: [] },
  wal: { isStock: false, throttles: false, rungs: ['prune'] },
};

/** Where the lines are of one resource. */
export interface PressurePolicy {
  /** From this part of the limit on it is `elevated`. Default: 0.85. */
  readonly elevated: number;
  /** From this part of the limit on it is `critical`. Default: 0.95. */
  readonly critical: number;
  /** A level is left this far below where it is entered, as a part of the limit. Default: 0.05. */
  readonly margin: number;
  /** And when it has been there for so long, ms; a forecast likewise, when there is none. Default: 30,000. */
  readonly dwellMs: number;
  /** A limit that is reached within this time is imminent, ms. Default: 300,000. */
  readonly horizonMs: number;
  /** Of the interval of forecasts. Default: 0.95. */
  readonly confidence: number;
}

export const DEFAULT_PRESSURE: PressurePolicy = {
  elevated: 0.85,
  critical: 0.95,
  margin: 0.05,
  dwellMs: 30_000,
  horizonMs: DEFAULT_HORIZON_MS,
  confidence: DEFAULT_CONFIDENCE,
};

/** How what is done about a shortage goes on. */
export interface ReliefPolicy {
  /** How often the limit of what runs at once is halved, or grows by a twelfth of the concurrency, ms. Default: 10,000. */
  readonly intervalMs: number;
  /** Between one thing that was done and the next, so that the first can show, ms. Default: 30,000. */
  readonly coolDownMs: number;
  /** When all has been done: until it begins anew, ms. Default: 300,000. */
  readonly restMs: number;
  /** What takes longer than this is not waited for, ms. Default: 30,000. */
  readonly reliefMs: number;
  /** When nothing has been heard of the resources for so long, nothing is held against them, ms. Default: 120,000. */
  readonly silenceMs: number;
}

export const DEFAULT_RELIEF: ReliefPolicy = {
  intervalMs: 10_000,
  coolDownMs: 30_000,
  restMs: 300_000,
  reliefMs: 30_000,
  silenceMs: 120_000,
};
