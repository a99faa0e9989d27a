/** A long run as a host asks for it, and what it is told. */
import { inspect } from 'node:util';
import { PerdureError } from '../errors.ts';
import type { StopReason, UnfinishedCounts } from '../machines/stop-gate.ts';
import type { Tally } from './action-history.ts';
import type { Actions, InputOf, PolicyOverrides } from './actions.ts';
import type { QueueingOptions } from './submissions.ts';
import type { Unfinished } from './unfinished.ts';

type ItemOf<TName extends string, TInput> = PolicyOverrides &
  QueueingOptions & {
    /** The name of a registered action. */
    readonly action: TName;
    readonly input: TInput;
    /** The same after a restart: what was begun is joined, and what is settled is not done again. Default: a new UUID v7. */
    readonly id?: string;
  };

/** Some work of a long run: what `submit` is called with. */
export type WorkItem<TActions extends Actions = Actions> = {
  [TName in keyof TActions & string]: ItemOf<TName, InputOf<TActions[TName]>>;
}[keyof TActions & string];

/** Options of `supervisor.workContinuously`. */
export interface ContinuousWorkOptions<TActions extends Actions = Actions> {
  /** Names the run, so that its time limit counts from its first start, whatever restarts there are. Default: a new UUID v7. */
  readonly id?: string;
  /** The time limit, hours, from the first start on. Default: 4. */
  readonly maxHours?: number;
  /** What is to be done, taken only as there is room. Default: nothing but what is in the store. */
  readonly work?: Iterable<WorkItem<TActions>> | AsyncIterable<WorkItem<TActions>>;
  /**
   * Whether what the run is for has been reached: no more work is taken then. Asked at the start, when something has settled, and
   * every second; never twice at once. Default: when all the work is taken.
   */
  goal?(progress: WorkProgress): boolean | Promise<boolean>;
  /** Hears of every action of the run that has settled. What it throws is an uncaught error. */
  onProgress?(progress: WorkProgress): void;
  /** Stops the run when it is aborted. */
  readonly signal?: AbortSignal;
}

/** How far a long run is. Times are wall-clock ms since 1970. */
export interface WorkProgress {
  readonly id: string;
  readonly startedAt: number;
  /** When its time is up. */
  readonly endsAt: number;
  readonly at: number;
  /** Items of the work that were taken, in this life of the process. */
  readonly taken: number;
  /** Those of them that are not settled. */
  readonly open: number;
  /** Those of them that are, by their outcomes. */
  readonly tally: Tally;
}

/** How a long run ended. */
export interface WorkReport extends WorkProgress {
  /** `goal`: it was reached, and nothing more moves by itself. `time`: the limit. `told`: somebody stopped it. */
  readonly reason: StopReason;
  /** The goal was reached, nothing is unfinished, nothing has failed and nothing is owed. */
  readonly done: boolean;
  /** What keeps it from being done, of the whole supervisor: at most a hundred of each kind. */
  readonly unfinished: readonly Unfinished[];
  /** All of them. What failed counts since the run began. */
  readonly counts: UnfinishedCounts;
}

/** A long run. */
export interface WorkHandle {
  readonly id: string;
  /** Rejects with GOAL_FAILED, WORK_FAILED, what `submit` throws, or why the supervisor has ended. */
  readonly outcome: Promise<WorkReport>;
  progress(): WorkProgress;
  /** What keeps it from being done now. */
  unfinished(): readonly Unfinished[];
  /** Ends it at once. Nothing is cancelled: what was submitted goes on by itself, and the same id goes on with the run. */
  stop(): void;
}

/** The longest run, hours: a year. */
const MAX_HOURS = 8_760;

/** Throws OPTIONS_INVALID. */
export function checkWork(options: ContinuousWorkOptions): void {
  if (typeof options !== 'object' || options === null) throw invalid('The options must be an object', options);
  const { maxHours = 4, goal, work, onProgress } = options;
  if (!(typeof maxHours === 'number' && maxHours > 0 && maxHours <= MAX_HOURS))
    throw invalid(`maxHours must be a number above 0 and up to ${MAX_HOURS}`, maxHours);
  for (const [name, fn] of Object.entries({ goal, onProgress }))
    if (fn !== undefined && typeof fn !== 'function') throw invalid(`${name} must be a function`, fn);
  if (work !== undefined && !isIterable(work))
    throw invalid('work must be an iterable, or an async iterable, of { action, input }', work);
}

function isIterable(work: unknown): boolean {
  return typeof work === 'object' && work !== null && (Symbol.iterator in work || Symbol.asyncIterator in work);
}

/** Throws OPTIONS_INVALID. `position` counts from 1. */
export function checkItem(item: unknown, position: number): WorkItem {
  const { action } = (typeof item === 'object' ? (item ?? {}) : {}) as { action?: unknown };
  if (typeof action === 'string') return item as WorkItem;
  throw invalid(`Item ${position} of the work must be { action, input } with the name of an action`, item);
}

function invalid(what: string, got: unknown): PerdureError {
  const shown = inspect(got, { depth: 0, breakLength: Infinity }).slice(0, 100);
  return new PerdureError('OPTIONS_INVALID', `${what}; got ${shown}.`, { facts: { got: shown } });
}
