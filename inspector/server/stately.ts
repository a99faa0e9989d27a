/**
 * Stately's protocol, both ways, for its unmodified packages: whoever only listens gets every actor and then what happens; whoever
 * sends is a client, whose actors are shown to all others.
 *
 *   receiver  <──@xstate.actor (definition, latest state) of every actor──  then events and snapshots
 *   client    ──@xstate.actor, event, snapshot──> client-actors.ts ──> joined-source.ts ──> every other receiver, and /v1
 *
 * T1  Who comes late gets every actor's definition and latest state: no ring of frames evicts it.
 * T2  Its frames are made a few at a time, and no faster than its connection takes them. One that falls behind gets every actor's latest
 *     state again in place of what it has missed: the protocol has no word for that.
 * T3  A client that sends anything else is cut off, and nobody else; so is a receiver that cannot be told of what happens.
 */
import type { WebSocket } from 'ws';
import { configOfChart } from '../charts/chart-config.ts';
import type { ClientActors } from '../sources/client-actors.ts';
import type { JoinedSource } from '../sources/joined-source.ts';
import type { ActorDetail, InspectionRecord } from '../protocol.ts';
import { frameOf, snapshotOf, type StatelyFrame } from './stately-frames.ts';

/** Bytes that may wait in the connection of a receiver. */
const HIGH_WATER = 1_000_000;
const MOST_WAITING = 5_000;
/** ms of work at one go, for one connection. */
const SLICE_MS = 8;
const PROTOCOL_ERROR = 1002;
const NOT_TEXT = 1003;
const INTERNAL = 1011;

export class StatelyHub {
  readonly #source: JoinedSource;
  readonly #clients: ClientActors;
  readonly #failed: (error: unknown) => void;
  /** By chart. */
  readonly #definitions = new Map<string, string>();
  #nth = 0;

  /** @param failed is called with what nobody foresaw. */
  constructor(source: JoinedSource, clients: ClientActors, failed: (error: unknown) => void) {
    this.#source = source;
    this.#clients = clients;
    this.#failed = failed;
    clients.onRecord = (record) => source.insert(record);
  }

  /** A connection: a receiver, until it sends something. */
  connect(socket: WebSocket): void {
    /** Its protocol has no word for what failed. */
    const guarded = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        this.#failed(error);
        socket.close(INTERNAL, 'something failed: see the log of the host');
      }
    };
    const receiver = new Receiver(socket, this.#source, (detail) => this.#definitionOf(detail), guarded);
    guarded(() => receiver.begin());
    let client: string | undefined;
    let spent = 0;
    const take = (data: Buffer): void => {
      const began = performance.now();
      client ??= this.#clientOf(receiver);
      if (!this.#clients.take(client, data.toString())) {
        socket.close(PROTOCOL_ERROR, "expected a frame of Stately's protocol");
        return;
      }
      spent += performance.now() - began;
      if (spent < SLICE_MS) return;
      // What it sends at once must not be the only thing that is done.
      spent = 0;
      socket.pause();
      setImmediate(() => socket.resume());
    };
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) return socket.close(NOT_TEXT, 'expected text, got a binary frame');
      guarded(() => take(data));
    });
    socket.once('close', () => {
      receiver.close();
      const gone = client;
      if (gone !== undefined) guarded(() => this.#clients.left(gone));
    });
  }

  /** It would only throw away what it is sent. */
  #clientOf(receiver: Receiver): string {
    receiver.close();
    this.#nth += 1;
    return `client-${this.#nth}`;
  }

  #definitionOf({ chart, name }: ActorDetail): string {
    const known = chart === null ? undefined : this.#definitions.get(chart);
    if (known !== undefined) return known;
    const drawn = chart === null ? undefined : this.#source.chart(chart);
    if (chart === null || drawn === undefined) return JSON.stringify({ id: name });
    const definition = JSON.stringify(configOfChart(drawn));
    this.#definitions.set(chart, definition);
    return definition;
  }
}

type DefinitionOf = (detail: ActorDetail) => string;

/** One connection that listens. */
class Receiver {
  readonly #socket: WebSocket;
  readonly #source: JoinedSource;
  readonly #definitionOf: DefinitionOf;
  readonly #guarded: (work: () => void) => void;
  #subscription: { unsubscribe(): void } | undefined;
  /** Actors that it is still to be told of, before anything else. */
  #actors: string[] = [];
  /** Whether it is to be told of all actors again. */
  #isBehind = true;
  #records: InspectionRecord[] = [];
  #roots = new Map<string, string>();
  #isScheduled = false;
  #isClosed = false;

  /** @param guarded does what may fail, at the cost of this connection only. */
  constructor(
    socket: WebSocket,
    source: JoinedSource,
    definitionOf: DefinitionOf,
    guarded: (work: () => void) => void,
  ) {
    this.#socket = socket;
    this.#source = source;
    this.#definitionOf = definitionOf;
    this.#guarded = guarded;
  }

  begin(): void {
    this.#subscription = this.#source.subscribe({
      records: (records) => this.#take(records),
      dropped: () => this.#fallBehind(),
      committed: () => {},
    });
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    this.#subscription?.unsubscribe();
    this.#actors = [];
    this.#records = [];
  }

  #take(records: readonly InspectionRecord[]): void {
    if (this.#records.length + records.length > MOST_WAITING) return this.#fallBehind();
    this.#records.push(...records);
    this.#schedule();
  }

  #fallBehind(): void {
    this.#records = [];
    this.#isBehind = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    setImmediate(() => this.#guarded(() => this.#flush()));
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#isBehind && !this.#isClosed) {
      this.#actors = this.#source.registry().map(({ id }) => id);
      this.#isBehind = false;
    }
    const until = performance.now() + SLICE_MS;
    while (!this.#isClosed && this.#socket.bufferedAmount < HIGH_WATER && performance.now() < until) {
      const frames = this.#next();
      if (frames === undefined) return;
      for (const frame of frames) this.#send(frame);
    }
    // Else the connection says when it has taken what it was given.
    if (this.#socket.bufferedAmount < HIGH_WATER) this.#schedule();
  }

  #send(frame: StatelyFrame): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(JSON.stringify(frame), (error) => {
      if (error === undefined || error === null) this.#schedule();
    });
  }

  /** Undefined when there is nothing left. */
  #next(): StatelyFrame[] | undefined {
    const id = this.#actors.shift();
    if (id !== undefined) return this.#actor(id, Date.now());
    const record = this.#records.shift();
    return record === undefined ? undefined : this.#framesOf(record);
  }

  #framesOf(record: InspectionRecord): StatelyFrame[] {
    const { kind, actor, at } = record;
    const base = frameOf(actor, this.#rootOf(actor), at);
    if (kind === 'started') return this.#actor(actor, at);
    if (kind === 'event') {
      const { event, from } = record;
      return [{ ...base, type: '@xstate.event', event, sourceId: from ?? undefined }];
    }
    if (kind === 'snapshot') return this.#snapshot(actor, at, { type: record.event }, record.seq);
    if (kind === 'stopped') return this.#snapshot(actor, at, { type: 'xstate.stop' });
    if (kind === 'turn') {
      const event = record.causes[0]?.event ?? { type: '' };
      return record.changed.flatMap((id) => this.#snapshot(id, at, event));
    }
    return [];
  }

  #actor(id: string, at: number): StatelyFrame[] {
    const detail = this.#source.actor(id);
    if (detail === undefined) return [];
    const definition = this.#definitionOf(detail);
    const parentId = detail.parent ?? undefined;
    const root = parentId === undefined ? id : this.#rootOf(parentId);
    this.#roots.set(id, root);
    const snapshot = snapshotOf(detail);
    // A root that was given no id has that of its session, which says nothing.
    const name = /^x:\d+$/.test(detail.name) ? (detail.src ?? detail.name) : detail.name;
    return [{ ...frameOf(id, root, at), type: '@xstate.actor', name, definition, parentId, snapshot }];
  }

  #snapshot(id: string, at: number, event: object, seq?: number): StatelyFrame[] {
    const detail = (seq === undefined ? undefined : this.#source.actor(id, seq)) ?? this.#source.actor(id);
    if (detail === undefined) return [];
    return [{ ...frameOf(id, this.#rootOf(id), at), type: '@xstate.snapshot', event, snapshot: snapshotOf(detail) }];
  }

  /** The registry tells parents before their children. */
  #rootOf(id: string): string {
    return this.#roots.get(id) ?? id;
  }
}
