/**
 * Records what XState's inspection tells of any trees of actors: numbered, redacted, bounded, told in batches.
 *
 *   attach     the first subscriber has every tree walked and observed (tree-observer.ts); the last one ends that
 *   put        an event, a state: references only, into the ring (recording.ts)
 *   show       a while later, a few ms at a time: redacted and made JSON, once for all subscribers
 *   tell       in the order of their numbers
 *   look away  while far more happens than is told: until what waits is told, and then anew at what there is
 *
 * R1  While nobody looks, nothing is attached: actors run as if there were no recorder.
 * R2  Nothing that is looked at can fail, or wait, because of it: what is thrown in here stays in here, and however much happens, it
 *     has a bounded share of the time. Whoever listens is told where it looked away.
 * R3  Records, states, actors and their sizes are bounded; what is gone is known by its number.
 * R4  What leaves is redacted and plain JSON, and shares nothing with what runs.
 */
import { randomUUID } from 'node:crypto';
import { PerdureError } from '../../errors.ts';
import { redaction } from '../../persistence/redaction.ts';
import type { AnyRef } from '../../persistence/xstate-port.ts';
import { ActorRegistry, isInside } from './actor-registry.ts';
import type { Chart } from '../charts/chart.ts';
import { isPlain, type ActorDetail, type ActorInfo, type InspectionRecord } from '../protocol.ts';
import type { Unnumbered } from './record-log.ts';
import { checkRecorderOptions, type RecorderOptions } from './recorder-options.ts';
import { Recording, type RecordingOptions } from './recording.ts';
import { TreeObserver } from './tree-observer.ts';

/** Who is told. It must not throw. */
export interface RecordListener {
  /** In the order of their numbers. A number that is missing is of a kind that was not asked for, or was told as dropped. */
  records(records: readonly InspectionRecord[]): void;
  /**
   * Records from the first up to, and without, the last were forgotten before they could be shown, or stand for all that happened
   * where it was looked away.
   */
  dropped?(from: number, to: number): void;
}

/** A tree whose live root becomes another when it is read back: a `DurableActor`. */
export interface FollowedTree {
  readonly id: string;
  readonly actor: unknown;
  /** Resolves when its actors run no more. */
  readonly ended: Promise<unknown>;
  on(type: string, listener: () => void): { unsubscribe(): void };
}

interface Subscriber {
  readonly listener: RecordListener;
  readonly detail: boolean;
  /** The first number that it is told. */
  readonly from: number;
}

interface WatchedTree {
  readonly observer: TreeObserver;
  root: AnyRef;
  /** Its actors run no more, and nothing says so of them. */
  isOver: boolean;
  /** Ends what is told of its next roots, and of its end. */
  unfollow?: () => void;
}

const ENDED_MS = 600_000;
/** How long records are shown at once, and how many times as long others then have. */
const SLICE_MS = 4;
const SLICE_SHARE = 19;
/** With so many records that wait to be shown it is looked away: about half a second of that share. */
const MOST_WAITING = 10_000;
/** What brought the state of an actor that was read back. */
const REOPENED = 'perdure.reopened';

/**
 * Records what actors do. Give it trees with `watch` or `follow`; it looks at them while there is a subscriber.
 *
 * @example
 * const recorder = new Recorder();
 * recorder.watch(createActor(machine).start(), 'shop');
 * recorder.subscribe({ records: (records) => console.log(records) });
 */
export class Recorder {
  /** Changes with each recorder: numbers begin anew. */
  readonly epoch = randomUUID();
  readonly #limits: RecordingOptions;
  readonly #recording: Recording;
  readonly #lingerMs: number;
  readonly #batchMs: number;
  readonly #trees = new Map<string, WatchedTree>();
  readonly #subscribers = new Set<Subscriber>();
  #isAttached = false;
  /** Since when it is looked away although somebody looks, and how long looking anew took last, ms. */
  #awaySince: number | undefined;
  #lookingTookMs = 0;
  /** The number of the next record that is to be shown. */
  #toShow = 1;
  #detailLingering: NodeJS.Timeout | undefined;
  /** Between records of before this number and those of after, others may have happened that nobody saw. */
  #seenFrom = 1;
  #telling: NodeJS.Timeout | undefined;
  #lingering: NodeJS.Timeout | undefined;

  /** Throws OPTIONS_INVALID. */
  constructor(options: RecorderOptions = {}) {
    checkRecorderOptions(options);
    const { shown = redaction(), shownText = (text: string) => text, now = Date.now } = options;
    const { records = 20_000, states = 2_000, actors = 20_000, ended = 1_000 } = options;
    this.#limits = { shown, shownText, now, records, states, actors, ended, endedMs: ENDED_MS };
    this.#lingerMs = options.lingerMs ?? 5_000;
    this.#batchMs = options.batchMs ?? 50;
    this.#recording = new Recording(this.#limits, () => {
      if (this.#telling === undefined) this.#tellIn(this.#batchMs);
    });
  }

  /** The number of the next record that subscribers are told. */
  get nextSeq(): number {
    return this.#toShow;
  }

  /** What went wrong while looking, of late; undefined when nothing did. */
  get failure(): unknown {
    return this.#recording.failure;
  }

  /** Records a tree under a name, which is the id of its root. Throws OPTIONS_INVALID when another tree has the name. */
  watch(root: unknown, name: string): { unsubscribe(): void } {
    if (this.#trees.has(name)) {
      throw new PerdureError(
        'OPTIONS_INVALID',
        `Another tree is recorded as "${name}" already: give this one another name.`,
      );
    }
    const tree: WatchedTree = {
      observer: new TreeObserver(this.#recording, name),
      root: root as AnyRef,
      isOver: false,
    };
    this.#trees.set(name, tree);
    if (this.#isLooking) this.#attach(tree);
    return {
      unsubscribe: () => {
        if (this.#trees.get(name) !== tree) return;
        tree.unfollow?.();
        this.#trees.delete(name);
        tree.observer.detach();
        this.#gone(tree.root);
      },
    };
  }

  /** Records a durable tree under its id, whichever its live root is. Throws OPTIONS_INVALID as `watch` does. */
  follow(durable: FollowedTree): { unsubscribe(): void } {
    const watching = this.watch(durable.actor, durable.id);
    const tree = this.#trees.get(durable.id) as WatchedTree;
    const reopening = durable.on('reopened', () => {
      const before = tree.root;
      tree.root = durable.actor as AnyRef;
      if (this.#isLooking && tree.root !== before) this.#replaced(tree, before);
    });
    const ending = whenEnded(durable, () => {
      tree.isOver = true;
      if (this.#isAttached) this.#gone(tree.root);
    });
    tree.unfollow = () => {
      reopening.unsubscribe();
      ending.unsubscribe();
    };
    return watching;
  }

  /** Tells what happens from the record `nextSeq` on. `detail`: microsteps and actions too. */
  subscribe(listener: RecordListener, { detail = false }: { readonly detail?: boolean } = {}): { unsubscribe(): void } {
    const subscriber: Subscriber = { listener, detail, from: this.#toShow };
    this.#subscribers.add(subscriber);
    this.#looked();
    return {
      unsubscribe: () => {
        if (this.#subscribers.delete(subscriber)) this.#looked();
      },
    };
  }

  /** Every actor there is, and those that ended of late; parents before their children. */
  registry(): readonly ActorInfo[] {
    const actors = this.#present().all(this.#limits.now());
    return actors.map((actor) => this.#recording.infoOf(actor, actor.state));
  }

  /** Actors that there are beside those of the registry: too many to be listed. They are counted when it is asked for. */
  get moreActors(): number {
    const registry = this.#present();
    if (!registry.isFull) return 0;
    let more = 0;
    for (const { root } of this.#trees.values()) more += registry.countOthers(root);
    return more;
  }

  /** What is held of the records, from this number on and up to `nextSeq`; `from` is above it when what lies between is gone. */
  recordsFrom(seq: number): { readonly from: number; readonly records: readonly InspectionRecord[] } {
    const { ring } = this.#recording;
    const isNew = seq <= 1;
    const from = Math.max(1, seq, ring.first, isNew ? 1 : this.#seenFrom);
    const records: InspectionRecord[] = [];
    for (let at = from; at < this.#toShow; at += 1) {
      const shown = ring.at(at)?.shown;
      if (shown !== undefined) records.push(shown);
    }
    return { from, records };
  }

  /** An actor as it is now, or as it was after a record; undefined when it is not there, or that state is not held any more. */
  detailAt(id: string, seq?: number): ActorDetail | undefined {
    const actor = this.#present().byId(id);
    const { state } = actor ?? {};
    if (actor !== undefined && state !== undefined && (seq === undefined || actor.stateSeq <= seq)) {
      return this.#recording.detailOf(actor, state, true);
    }
    const held = seq === undefined ? undefined : this.#recording.states.at(id, seq);
    return held && this.#recording.detailOf(held.actor, held.state, false);
  }

  /** The chart of an actor that was told. */
  chart(id: string): Chart | undefined {
    return this.#recording.chart(id);
  }

  /** Puts in a record from elsewhere, as it is: it was redacted there. */
  ingest(record: Unnumbered): void {
    this.#recording.ingest(record);
    if (!this.#isAttached) this.#showAll();
  }

  /** What was to be put in before anything else could not be had. Gives the number that stands for it, which is never told. */
  missed(error: unknown): number {
    this.#recording.failed(error);
    this.#showAll();
    return this.#skip();
  }

  /** Tells at once all that has happened, however long that takes. */
  flush(): void {
    clearTimeout(this.#telling);
    this.#tell(Infinity);
  }

  /** Looks at nothing any more. */
  close(): void {
    this.#subscribers.clear();
    this.#detach();
    for (const { unfollow } of this.#trees.values()) unfollow?.();
    this.#trees.clear();
  }

  // Looking.

  get #isLooking(): boolean {
    return this.#isAttached && this.#awaySince === undefined;
  }

  #looked(): void {
    this.#wantDetail([...this.#subscribers].some(({ detail }) => detail));
    clearTimeout(this.#lingering);
    if (this.#subscribers.size === 0) {
      if (this.#lingerMs <= 0) this.#detach();
      else this.#lingering = setTimeout(() => this.#detach(), this.#lingerMs).unref();
      return;
    }
    if (this.#isAttached) return;
    this.#isAttached = true;
    for (const tree of this.#trees.values()) this.#attach(tree);
  }

  /** Who wanted detail may come back soon. */
  #wantDetail(isWanted: boolean): void {
    const recording = this.#recording;
    clearTimeout(this.#detailLingering);
    if (isWanted === recording.wantsDetail) return;
    if (isWanted || this.#lingerMs <= 0) recording.wantsDetail = isWanted;
    else {
      const end = () => (recording.wantsDetail = false);
      this.#detailLingering = setTimeout(end, this.#lingerMs).unref();
    }
  }

  #attach({ observer, root, isOver }: WatchedTree): void {
    const { registry } = this.#recording;
    try {
      observer.attach(root);
      if (isOver) stopAll(registry, root, this.#limits.now());
    } catch (error) {
      this.#recording.failed(error);
    }
  }

  /** What was put in is shown, so that nothing that runs is held. */
  #detach(): void {
    clearTimeout(this.#lingering);
    clearTimeout(this.#detailLingering);
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#recording.wantsDetail = false;
    if (!this.#isAttached) return;
    this.#isAttached = false;
    this.#awaySince = undefined;
    for (const { observer } of this.#trees.values()) observer.detach();
    this.#showAll();
    this.#forget();
    // A number that is never told stands for what happens now.
    if (this.#trees.size > 0) this.#skip();
  }

  /** Who there was. */
  #forget(): void {
    this.#recording.registry = new ActorRegistry(this.#limits);
    this.#recording.states.clear();
  }

  #lookAway(): void {
    if (this.#awaySince !== undefined) return;
    this.#awaySince = performance.now();
    for (const { observer } of this.#trees.values()) observer.detach();
  }

  /** All that was put in is told. To look anew has its share of the time, too. Gives how many ms are to be waited first, or 0. */
  #lookAgain(awaySince: number): number {
    const began = performance.now();
    const restMs = awaySince + SLICE_SHARE * this.#lookingTookMs - began;
    if (restMs > 0) return restMs;
    this.#awaySince = undefined;
    this.#forget();
    const missed = this.#skip();
    for (const tree of this.#trees.values()) this.#attach(tree);
    this.#lookingTookMs = performance.now() - began;
    this.#tellDropped(missed, missed + 1);
    return 0;
  }

  /** All that was put in is shown. */
  #skip(): number {
    const { ring } = this.#recording;
    ring.skip();
    this.#toShow = this.#seenFrom = ring.next;
    return ring.next - 1;
  }

  #showAll(): void {
    const { ring } = this.#recording;
    for (; this.#toShow < ring.next; this.#toShow += 1) this.#recording.show(this.#toShow);
  }

  /** While it does not look, the actors are those that are there at this moment, and not as they were after any record that was told. */
  #present(): ActorRegistry {
    if (this.#isLooking) return this.#recording.registry;
    const registry = new ActorRegistry(this.#limits);
    const { lastSeq } = this.#recording;
    const now = this.#limits.now();
    for (const [name, { root, isOver }] of this.#trees) {
      registry.walk(root, name, lastSeq, now);
      if (isOver) stopAll(registry, root, now);
    }
    return registry;
  }

  /** The actors of a tree that was read back are others, of the same ids and maybe of other states. */
  #replaced(tree: WatchedTree, before: AnyRef): void {
    const { registry } = this.#recording;
    const live = (root: AnyRef) => registry.all(this.#limits.now()).filter(({ ref }) => isInside(ref, root));
    const old = new Set(live(before).flatMap(({ id, ended }) => (ended === undefined ? [id] : [])));
    this.#attach(tree);
    for (const actor of live(tree.root)) {
      if (!old.has(actor.id)) this.#recording.started(actor);
      else if (actor.state !== undefined) this.#recording.state(actor, REOPENED, actor.state, true);
    }
    this.#gone(before);
  }

  /** The actors of this root are looked at no more. */
  #gone(root: AnyRef): void {
    for (const actor of this.#recording.registry.livingIn(root)) this.#recording.stopped(actor, 'stopped');
  }

  // Telling.

  #tellIn(ms: number): void {
    this.#telling = setTimeout(() => this.#tell(), ms).unref();
  }

  #tell(sliceMs = SLICE_MS): void {
    this.#telling = undefined;
    const { ring } = this.#recording;
    const began = performance.now();
    if (this.#toShow < ring.first) this.#dropped(ring.first);
    const from = this.#toShow;
    while (this.#toShow < ring.next && performance.now() - began < sliceMs) {
      this.#recording.show(this.#toShow);
      this.#toShow += 1;
    }
    this.#deliver(from);
    const waiting = ring.next - this.#toShow;
    if (waiting >= MOST_WAITING) this.#lookAway();
    // Whoever runs comes first: the rest waits some times as long as this has taken.
    if (waiting > 0) return this.#tellIn(SLICE_SHARE * (performance.now() - began));
    const restMs = this.#awaySince === undefined ? 0 : this.#lookAgain(this.#awaySince);
    if (restMs > 0) this.#tellIn(restMs);
  }

  #dropped(to: number): void {
    const from = this.#toShow;
    this.#toShow = to;
    this.#tellDropped(from, to);
  }

  #tellDropped(given: number, to: number): void {
    for (const { listener, from: first } of this.#subscribers) {
      const from = Math.max(given, first);
      if (from < to) this.#safely(() => listener.dropped?.(from, to));
    }
  }

  #deliver(from: number): void {
    // What is shown may take so much room that the first of it are forgotten again.
    const { first: kept } = this.#recording.ring;
    if (from < Math.min(kept, this.#toShow)) this.#tellDropped(from, Math.min(kept, this.#toShow));
    const all = this.recordsFrom(from).records;
    const plain = this.#recording.wantsDetail ? all.filter(isPlain) : all;
    for (const { listener, detail, from: first } of this.#subscribers) {
      const wanted = detail ? all : plain;
      const told = first > from ? wanted.filter(({ seq }) => seq >= first) : wanted;
      if (told.length > 0) this.#safely(() => listener.records(told));
    }
  }

  #safely(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#recording.failed(error);
    }
  }
}

function stopAll(registry: ActorRegistry, root: AnyRef, now: number): void {
  for (const actor of registry.livingIn(root)) registry.end(actor, 'stopped', now);
}

/** A promise keeps whoever waits for it: of who does not wait any more, nothing but this much is kept. */
function whenEnded({ ended }: FollowedTree, tell: () => void): { unsubscribe(): void } {
  let waiting: (() => void) | undefined = tell;
  void ended.then(() => waiting?.());
  return { unsubscribe: () => (waiting = undefined) };
}
