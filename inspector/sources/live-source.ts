/**
 * What runs in this process: a supervisor, another durable tree, or any actor of XState. Its events come from a recorder, its views
 * from the rows of its store.
 *
 * L1  While nobody looks, the only cost is that of a few objects: neither actors nor commits are listened to.
 * L2  What happened while nobody looked, an earlier life of the process included, is told to who comes first: the last turns of
 *     the history, where the store keeps one.
 */
import type { Actions } from '../../actors/actions.ts';
import { Supervisor } from '../../actors/supervisor.ts';
import { isPerdureError } from '../../errors.ts';
import { DurableActor } from '../../persistence/durable.ts';
import { newestTurns } from '../../persistence/history.ts';
import { Payloads } from '../../persistence/payloads.ts';
import { redaction } from '../../persistence/redaction.ts';
import type { AnyRef, Logic } from '../../persistence/xstate-port.ts';
import type { Chart } from '../charts/chart.ts';
import { CommitTeller } from './commit-teller.ts';
import { Machines } from '../charts/machines.ts';
import type { ActorDetail, ActorInfo, InspectionRecord } from '../protocol.ts';
import { Recorder, type RecordListener } from '../recorder/recorder.ts';
import type { HeldRecords, PastQuery, Source, SourceListener } from './source.ts';
import { shownWithTexts } from '../../persistence/shown-texts.ts';
import { actorAsOf, storedActor } from './stored-actors.ts';
import { turnRecord } from './turn-records.ts';
import type { ViewWorld } from './view-world.ts';
import { unknownView, viewNames, viewOf } from './views.ts';

/** A supervisor, a durable actor, or any actor of XState. */
// oxlint-disable-next-line typescript/no-explicit-any -- What they are of stands on both sides of them, so nothing else takes them all.
export type LiveTarget = Supervisor<any> | DurableActor<any> | AnyRef;

export interface LiveSourceOptions {
  /** What a tree that is not durable is called. Default: the id of its actor. */
  readonly name?: string;
  /** Takes secrets out of what is shown of a tree that is not durable; a store says it by itself. Default: `redaction()`. */
  readonly redact?: (value: unknown) => unknown;
}

/** What an actor was made of. */
function logicOf(ref: AnyRef): Logic {
  return (ref as unknown as { readonly logic: Logic }).logic;
}

/** Turns of before that are told. */
const TURNS = 200;

/** Reads what runs in this process. It looks at nothing until somebody subscribes. */
export function liveSource(target: LiveTarget, options: LiveSourceOptions = {}): Source {
  if (target instanceof Supervisor) return new DurableSource(target.durable as unknown as DurableActor<Logic>, target);
  if (target instanceof DurableActor) return new DurableSource(target, undefined);
  return new ActorSource(target, options);
}

/** What both have: a recorder. */
abstract class RecordedSource {
  readonly startedAt: number = Date.now();
  readonly pid: number = process.pid;
  protected readonly recorder: Recorder;

  constructor(recorder: Recorder) {
    this.recorder = recorder;
  }

  get epoch(): string {
    return this.recorder.epoch;
  }

  get nextSeq(): number {
    return this.recorder.nextSeq;
  }

  registry(): readonly ActorInfo[] {
    return this.recorder.registry();
  }

  get moreActors(): number {
    return this.recorder.moreActors;
  }

  recordsFrom(seq: number): HeldRecords {
    return this.recorder.recordsFrom(seq);
  }
}

/** An actor that is not durable: nothing of it is kept. */
class ActorSource extends RecordedSource implements Source {
  readonly capabilities = { history: false, live: true, supervisor: false };
  readonly store = null;
  readonly views: readonly string[] = [];
  readonly #machines: Machines;

  constructor(root: AnyRef, { name = root.id, redact = redaction() }: LiveSourceOptions) {
    const payloads = new Payloads({ redact });
    super(new Recorder({ shown: (value) => shownWithTexts(payloads, value) }));
    this.recorder.watch(root, name);
    this.#machines = new Machines([logicOf(root)]);
  }

  subscribe(listener: SourceListener, options?: { readonly detail?: boolean }): { unsubscribe(): void } {
    return this.recorder.subscribe(recordsOf(listener), options);
  }

  actor(id: string, seq?: number): ActorDetail | undefined {
    return this.recorder.detailAt(id, seq);
  }

  chart(id: string): Chart | undefined {
    return this.recorder.chart(id) ?? this.#machines.chart(id);
  }

  view(name: string): never {
    throw unknownView(name, this.views);
  }

  // oxlint-disable-next-line require-yield -- There is none.
  async *history(): AsyncIterable<InspectionRecord> {}

  async close(): Promise<void> {
    this.recorder.close();
  }
}

/** The same listener may subscribe twice. */
function recordsOf(listener: SourceListener): RecordListener {
  return {
    records: (records) => listener.records(records),
    dropped: (from, to) => listener.dropped?.(from, to),
  };
}

class DurableSource extends RecordedSource implements Source {
  readonly capabilities: Source['capabilities'];
  readonly store: { readonly path: string; readonly id: string };
  readonly views: readonly string[];
  readonly #durable: DurableActor<Logic>;
  readonly #supervisor: Supervisor<Actions> | undefined;
  readonly #machines: Machines;
  readonly #listeners = new Set<SourceListener>();
  readonly #teller = new CommitTeller((turn, at) => {
    for (const listener of this.#listeners) listener.committed(turn, at);
  });
  /** The last turn that was told, or happened while somebody looked. */
  #seen = 0;

  constructor(durable: DurableActor<Logic>, supervisor: Supervisor<Actions> | undefined) {
    const { store } = durable;
    const { payloads, history } = store.commits;
    const shown = (value: unknown) => shownWithTexts(payloads, value);
    const shownText = (text: string) => payloads.secrets.redactText(text);
    super(new Recorder({ shown, shownText, now: () => store.clock.now() }));
    this.recorder.follow(durable);
    this.#durable = durable;
    this.#supervisor = supervisor;
    this.#machines = new Machines([logicOf(durable.actor as AnyRef)]);
    this.store = { path: store.path, id: store.id };
    this.capabilities = { history: history !== undefined, live: true, supervisor: supervisor !== undefined };
    this.views = viewNames(supervisor !== undefined);
  }

  subscribe(listener: SourceListener, options?: { readonly detail?: boolean }): { unsubscribe(): void } {
    const { commits } = this.#durable.store;
    if (this.#listeners.size === 0) {
      // Before anything is recorded: the past comes first.
      this.#tellPast(listener);
      commits.reports.add(this.#committed);
    }
    const recorded = this.recorder.subscribe(recordsOf(listener), options);
    // The same listener may come twice.
    const own: SourceListener = { records: () => {}, committed: (turn, at) => listener.committed(turn, at) };
    this.#listeners.add(own);
    return {
      unsubscribe: () => {
        recorded.unsubscribe();
        if (!this.#listeners.delete(own) || this.#listeners.size > 0) return;
        commits.reports.delete(this.#committed);
        this.#teller.close();
        this.#seen = commits.turn - 1;
      },
    };
  }

  actor(id: string, seq?: number): ActorDetail | undefined {
    const [record] = seq === undefined ? [] : this.recorder.recordsFrom(seq).records;
    if (record?.kind === 'turn' && record.seq === seq) return this.#asOf(record.turn, id);
    return this.recorder.detailAt(id, seq) ?? (seq === undefined ? storedActor(this.#world, id) : undefined);
  }

  /** Undefined of a turn that is not kept any more. */
  #asOf(turn: number, id: string): ActorDetail | undefined {
    try {
      return actorAsOf(this.#world, turn, id);
    } catch (error) {
      if (isPerdureError(error, 'CHECKPOINT_UNKNOWN')) return undefined;
      throw error;
    }
  }

  chart(id: string): Chart | undefined {
    return this.recorder.chart(id) ?? this.#machines.chart(id);
  }

  view(name: string, query: URLSearchParams): unknown {
    return viewOf(name, query, this.views)(this.#world);
  }

  async *history(query: PastQuery = {}): AsyncIterable<InspectionRecord> {
    for await (const turn of this.#durable.store.history(query))
      yield turnRecord(this.#durable.store.commits.payloads, turn, turn.turn);
  }

  async close(): Promise<void> {
    this.#durable.store.commits.reports.delete(this.#committed);
    this.#listeners.clear();
    this.#teller.close();
    this.recorder.close();
  }

  readonly #committed = ({ turn }: { readonly turn: number }): void => this.#teller.committed(turn);

  /** L2. A past that cannot be read is gone, and the present is looked at all the same. */
  #tellPast(listener: SourceListener): void {
    const { commits } = this.#durable.store;
    if (commits.history === undefined || !commits.isOpen) return;
    try {
      const turns = newestTurns(commits, this.#seen, TURNS).map((turn) => turnRecord(commits.payloads, turn, 0));
      for (const turn of turns) this.recorder.ingest(turn);
    } catch (error) {
      const gone = this.recorder.missed(error);
      listener.dropped?.(gone, gone + 1);
    }
  }

  get #world(): ViewWorld {
    const { store, id } = this.#durable;
    store.assertOpen();
    const supervisor = this.#supervisor;
    return {
      rows: store.rows,
      statements: store.commits.statements,
      payloads: store.commits.payloads,
      now: store.clock.now(),
      tree: id,
      isOwned: true,
      machines: this.#machines,
      ...(supervisor === undefined
        ? {}
        : {
            live: {
              health: () => supervisor.health(),
              limitOf: (queue) => supervisor.queues.policy(queue)?.concurrency ?? null,
            },
          }),
    };
  }
}
