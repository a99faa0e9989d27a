/**
 * Where an inspector reads from: actors that live in this process, a store's file from beside, or an exported history.
 *
 * S1  Nothing is recorded or polled before the first subscriber, and no longer than the last.
 * S2  What is given is redacted already.
 * S3  A view is the same whether it is read live or from beside, but for what only a live process knows.
 */
import type { Chart } from '../charts/chart.ts';
import type { ActorDetail, ActorInfo, Capabilities, InspectionRecord } from '../protocol.ts';

/** Who is told what happens. It must not throw. */
export interface SourceListener {
  /** In the order of `seq`. */
  records(records: readonly InspectionRecord[]): void;
  /** Records from the first up to, and without, the last cannot be had any more, and were told to nobody. */
  dropped?(from: number, to: number): void;
  /** A turn was committed: what is shown of rows may be old. At most four times a second. */
  committed(turn: number, at: number): void;
}

/** What is wanted of the past. */
export interface PastQuery {
  /** The first turn. Default: the oldest that is kept. */
  readonly from?: number;
  /** Only turns that concern this tree. */
  readonly tree?: string;
  readonly signal?: AbortSignal;
}

/** Records that are still held. */
export interface HeldRecords {
  /** The first that is still held: above what was asked for when what lies between is gone. */
  readonly from: number;
  readonly records: readonly InspectionRecord[];
}

export interface Source {
  readonly capabilities: Omit<Capabilities, 'commands'>;
  /** The store's file and its id; null where there is none. */
  readonly store: { readonly path: string; readonly id: string } | null;
  /** Changes when the records begin anew. */
  readonly epoch: string;
  /** The number of the next record. */
  readonly nextSeq: number;
  /** Wall-clock ms since 1970 when whoever is looked at began, and its process; null where it is not known. */
  readonly startedAt: number | null;
  readonly pid: number | null;
  /** Tells what happens from now on. `detail`: microsteps and actions too. */
  subscribe(listener: SourceListener, options?: { readonly detail?: boolean }): { unsubscribe(): void };
  /** Every actor there is, parents before their children; of a store from beside at most 20,000. */
  registry(): readonly ActorInfo[];
  /** How many actors there are that the registry, when it was read last, does not have: nothing is told of them. Default: 0. */
  readonly moreActors?: number;
  /** What is held of the records, from this number on. */
  recordsFrom(seq: number): HeldRecords;
  /** An actor as it is now, or as it was after the record `seq` when that is still held; undefined when it is not there. */
  actor(id: string, seq?: number): ActorDetail | undefined;
  chart(id: string): Chart | undefined;
  /** The names of the views that can be asked for. */
  readonly views: readonly string[];
  /** A view by name, as its file in `views/` describes it. Throws VIEW_UNKNOWN, OPTIONS_INVALID. */
  view(name: string, query: URLSearchParams): unknown;
  /** Committed turns that the history keeps, the oldest first, of kind `turn`. Throws ABORTED. */
  history(query?: PastQuery): AsyncIterable<InspectionRecord>;
  close(): Promise<void>;
}
