/**
 * The actors of clients that send Stately's protocol to this server. They are known by `client-<n>/<session>`, have charts that are
 * made of their definitions, and are shown as our own are.
 *
 * L1  What came is redacted before it is kept. Of a definition only a chart is kept, which has names and no values.
 * L2  How much is kept is bounded, by actors and by characters: what is too much loses its context first.
 * L3  What a client sends is never believed to be anything else than data.
 */
import type { Chart } from '../charts/chart.ts';
import { chartOfConfig } from '../charts/chart-of-config.ts';
import type { ActorDetail, ActorInfo } from '../protocol.ts';
import type { Unnumbered } from '../recorder/record-log.ts';
import { parseFrame, type ClientFrame } from '../server/stately-frames.ts';

const MOST_ACTORS = 5_000;
const MOST_CHARTS = 200;
/** Definitions that are known again by their text. */
const LONGEST_KNOWN = 100_000;
/** Of clients that have gone, the actors of the latest are still shown. */
const MOST_GONE = 4;
const MOST_CHARACTERS = 64_000_000;
const TOO_LARGE = '[too large]';

interface ClientActor {
  readonly info: ActorInfo;
  readonly context: unknown;
  readonly output: unknown;
  readonly error: unknown;
  /** Characters of the frame that its context came with. */
  readonly size: number;
}

export interface ClientActorsOptions {
  /** Takes secrets out of a value. */
  readonly shown: (value: unknown) => unknown;
  readonly now?: () => number;
}

export class ClientActors {
  readonly #options: ClientActorsOptions;
  readonly #actors = new Map<string, ClientActor>();
  readonly #charts = new Map<string, Chart>();
  readonly #byDefinition = new Map<string, Chart>();
  readonly #gone: string[] = [];
  /** Told of everything that happens to them. */
  onRecord: (record: Unnumbered) => void = () => {};
  #size = 0;

  constructor(options: ClientActorsOptions) {
    this.#options = options;
  }

  registry(): ActorInfo[] {
    return [...this.#actors.values()].map(({ info }) => info);
  }

  actor(id: string): ActorDetail | undefined {
    const found = this.#actors.get(id);
    if (found === undefined) return undefined;
    const { info, context, output, error } = found;
    return { ...info, context, output, error, timers: [], accepts: [] };
  }

  chart(id: string): Chart | undefined {
    return this.#charts.get(id);
  }

  /** Takes a frame of a client. False when it is no frame of the protocol. */
  take(client: string, text: string): boolean {
    const frame = parseFrame(text);
    if (frame === undefined) return false;
    const id = `${client}/${frame.sessionId}`;
    if (frame.type === '@xstate.actor') this.#started(client, id, frame, text.length);
    // The client's own ring of 200 may have lost the frame that told of it.
    else if (!this.#actors.has(id)) this.#started(client, id, { ...frame, type: '@xstate.actor' }, text.length);
    if (frame.type === '@xstate.event') this.#event(client, id, frame);
    if (frame.type === '@xstate.snapshot') this.#snapshot(id, frame, text.length);
    return true;
  }

  /** A client has gone: its protocol does not say what became of its actors. */
  left(client: string): void {
    for (const [id, actor] of this.#of(client)) {
      if (actor.info.status !== 'active') continue;
      this.#set(id, { ...actor, info: { ...actor.info, status: 'stopped' } });
      this.onRecord({ kind: 'stopped', at: this.#now(), actor: id, status: 'stopped' });
    }
    this.#gone.push(client);
    if (this.#gone.length > MOST_GONE) for (const [id] of this.#of(this.#gone.shift() as string)) this.#remove(id);
  }

  #of(client: string): [string, ClientActor][] {
    return [...this.#actors].filter(([id]) => id.startsWith(`${client}/`));
  }

  #started(client: string, id: string, frame: ClientFrame, size: number): void {
    if (this.#actors.size >= MOST_ACTORS && !this.#actors.has(id)) return;
    const chart = this.#chartOf(frame.definition);
    const name = this.#text(frame.name ?? frame.sessionId);
    const info: ActorInfo = {
      id,
      parent: frame.parentId === undefined ? null : `${client}/${frame.parentId}`,
      name,
      systemId: null,
      src: chart?.name ?? null,
      chart: chart?.id ?? null,
      ...this.#changed(frame.snapshot),
    };
    this.#set(id, { info, size, ...this.#told(frame.snapshot) });
    this.onRecord({ kind: 'started', at: this.#now(), actor: id, info });
  }

  #event(client: string, id: string, { event = { type: '' }, sourceId }: ClientFrame): void {
    const from = sourceId === undefined ? null : `${client}/${sourceId}`;
    this.onRecord({ kind: 'event', at: this.#now(), actor: id, event: this.#shownEvent(event), from });
  }

  #snapshot(id: string, { snapshot, event }: ClientFrame, size: number): void {
    const before = this.#actors.get(id);
    if (before === undefined) return;
    const info = { ...before.info, ...this.#changed(snapshot) };
    const told = this.#told(snapshot);
    this.#set(id, { ...before, info, size, ...told });
    const { status, value, tags } = info;
    this.onRecord({
      kind: 'snapshot',
      at: this.#now(),
      actor: id,
      event: this.#text(event?.type ?? ''),
      status,
      value,
      tags,
      contextChanged: JSON.stringify(before.context) !== JSON.stringify(told.context),
      ...(told.output === null ? {} : { output: told.output }),
      ...(told.error === null ? {} : { error: told.error }),
    });
  }

  #changed(snapshot: ClientFrame['snapshot'] = {}): Pick<ActorInfo, 'status' | 'value' | 'tags' | 'changedAt'> {
    const { status, value, tags } = snapshot;
    return {
      status: status === 'done' || status === 'error' || status === 'stopped' ? status : 'active',
      value: this.#options.shown(value ?? null),
      tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string').map((tag) => this.#text(tag)) : [],
      changedAt: this.#now(),
    };
  }

  #told(snapshot: ClientFrame['snapshot'] = {}): Pick<ClientActor, 'context' | 'output' | 'error'> {
    const { context, output, error } = this.#options.shown({
      context: snapshot['context'] ?? null,
      output: snapshot['output'] ?? null,
      error: snapshot['error'] ?? null,
    }) as Pick<ClientActor, 'context' | 'output' | 'error'>;
    return { context, output, error };
  }

  /** The same machine is sent with each of its actors. */
  #chartOf(definition: string | undefined): Chart | undefined {
    if (definition === undefined) return undefined;
    const known = this.#byDefinition.get(definition);
    if (known !== undefined) return known;
    const chart = chartOfConfig(definition);
    if (chart === undefined || this.#charts.size >= MOST_CHARTS) return undefined;
    this.#charts.set(chart.id, chart);
    if (definition.length <= LONGEST_KNOWN) this.#byDefinition.set(definition, chart);
    return chart;
  }

  #shownEvent(event: { readonly type: string }): { readonly type: string } {
    const shown = this.#options.shown(event);
    return typeof shown === 'object' && shown !== null ? { type: '', ...shown } : { type: String(shown) };
  }

  #text(text: string): string {
    return String(this.#options.shown(text));
  }

  #set(id: string, actor: ClientActor): void {
    this.#size += actor.size - (this.#actors.get(id)?.size ?? 0);
    this.#actors.set(id, actor);
    if (this.#size <= MOST_CHARACTERS) return;
    for (const [other, { size }] of [...this.#actors].toSorted(([, a], [, b]) => b.size - a.size)) {
      if (this.#size <= MOST_CHARACTERS / 2) return;
      const large = this.#actors.get(other) as ClientActor;
      this.#actors.set(other, { ...large, context: TOO_LARGE, output: null, error: null, size: 0 });
      this.#size -= size;
    }
  }

  #remove(id: string): void {
    this.#size -= this.#actors.get(id)?.size ?? 0;
    this.#actors.delete(id);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}
