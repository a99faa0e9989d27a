/**
 * The actors of clients that send Stately's protocol to this server. They are known by `client-<n>/<session>`, have charts that are
 * made of their definitions, and are shown as our own are.
 *
 * L1  What came is redacted before it is kept. Of a definition only a chart is kept, which has names and no values.
 * L2  How much is kept is bounded, of each actor and of all, by count and by characters: what is too much is cut, and says so.
 * L3  What a client sends is never believed to be anything else than data.
 */
import { createHash } from 'node:crypto';
import type { Chart } from '../charts/chart.ts';
import { chartOfConfig } from '../charts/chart-of-config.ts';
import type { ActorDetail, ActorInfo } from '../protocol.ts';
import { plainJson } from '../recorder/plain-json.ts';
import type { Unnumbered } from '../recorder/record-log.ts';
import { parseFrame, type ClientFrame } from '../server/stately-frames.ts';

const MOST_ACTORS = 5_000;
const MOST_CHARTS = 200;
/** Characters of the definitions that their charts were made of. */
const MOST_DEFINED = 16_000_000;
/** Definitions that are known again, by their digests. */
const MOST_KNOWN = 1_000;
/** Of clients that have gone, the actors of the latest are still shown. */
const MOST_GONE = 4;
/** Characters of the states of all actors, of one context, of what else a record tells, and of a text in it. */
const MOST_CHARACTERS = 16_000_000;
const LARGEST_CONTEXT = 1_000_000;
const LARGEST_PART = 16_384;
const LONGEST_TEXT = 1_000;
const TOO_LARGE = '[too large]';

interface ClientActor {
  readonly info: ActorInfo;
  readonly context: unknown;
  readonly output: unknown;
  readonly error: unknown;
  /** Its characters. */
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
  /** By the digest of the definition; undefined where there is no chart. */
  readonly #byDefinition = new Map<string, Chart | undefined>();
  #defined = 0;
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
    if (frame.type === '@xstate.actor') this.#started(client, id, frame);
    // The client's own ring of 200 may have lost the frame that told of it.
    else if (!this.#actors.has(id)) this.#started(client, id, { ...frame, type: '@xstate.actor' });
    if (frame.type === '@xstate.event') this.#event(client, id, frame);
    if (frame.type === '@xstate.snapshot') this.#snapshot(id, frame);
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

  #started(client: string, id: string, frame: ClientFrame): void {
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
    this.#set(id, { info, ...this.#told(frame.snapshot) });
    this.onRecord({ kind: 'started', at: this.#now(), actor: id, info });
  }

  #event(client: string, id: string, { event = { type: '' }, sourceId }: ClientFrame): void {
    const from = sourceId === undefined ? null : `${client}/${sourceId}`;
    this.onRecord({ kind: 'event', at: this.#now(), actor: id, event: this.#shownEvent(event), from });
  }

  #snapshot(id: string, { snapshot, event }: ClientFrame): void {
    const before = this.#actors.get(id);
    if (before === undefined) return;
    const info = { ...before.info, ...this.#changed(snapshot) };
    const told = this.#told(snapshot);
    this.#set(id, { info, ...told });
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
      value: this.#bounded(value ?? null),
      tags: Array.isArray(tags) ? this.#tags(tags) : [],
      changedAt: this.#now(),
    };
  }

  #tags(tags: readonly unknown[]): string[] {
    const shown = this.#bounded(tags.filter((tag) => typeof tag === 'string'));
    return Array.isArray(shown) ? shown.filter((tag) => typeof tag === 'string') : [];
  }

  #told(snapshot: ClientFrame['snapshot'] = {}): Pick<ClientActor, 'context' | 'output' | 'error'> {
    return {
      context: this.#bounded(snapshot['context'] ?? null, LARGEST_CONTEXT),
      output: this.#bounded(snapshot['output'] ?? null),
      error: this.#bounded(snapshot['error'] ?? null),
    };
  }

  #bounded(value: unknown, most = LARGEST_PART): unknown {
    // A secret must not be cut in two before it is looked for.
    return plainJson(this.#options.shown(value), { most, refs: () => null }).json;
  }

  /** The same machine is sent with each of its actors. */
  #chartOf(definition: string | undefined): Chart | undefined {
    if (definition === undefined) return undefined;
    const digest = createHash('sha256').update(definition).digest('base64url');
    if (this.#byDefinition.has(digest)) return this.#byDefinition.get(digest);
    if (this.#charts.size >= MOST_CHARTS || this.#defined + definition.length > MOST_DEFINED) return undefined;
    const chart = chartOfConfig(definition);
    this.#byDefinition.set(digest, chart);
    const [oldest] = this.#byDefinition.keys();
    if (this.#byDefinition.size > MOST_KNOWN && oldest !== undefined) this.#byDefinition.delete(oldest);
    if (chart === undefined || this.#charts.has(chart.id)) return chart;
    this.#charts.set(chart.id, chart);
    this.#defined += definition.length;
    return chart;
  }

  #shownEvent(event: { readonly type: string }): { readonly type: string } {
    const shown = this.#bounded(event);
    const type = this.#text(event.type);
    return typeof shown === 'object' && shown !== null ? { ...shown, type } : { type };
  }

  #text(text: string): string {
    const shown = String(this.#options.shown(text));
    return shown.length <= LONGEST_TEXT ? shown : `${shown.slice(0, LONGEST_TEXT)}… (${shown.length} characters)`;
  }

  #set(id: string, actor: Omit<ClientActor, 'size'>): void {
    this.#size -= this.#actors.get(id)?.size ?? 0;
    this.#keep(id, actor);
    if (this.#size <= MOST_CHARACTERS) return;
    for (const [other, large] of [...this.#actors].toSorted(([, a], [, b]) => b.size - a.size)) {
      if (this.#size <= MOST_CHARACTERS / 2) return;
      this.#size -= large.size;
      const info = { ...large.info, value: TOO_LARGE, tags: [] };
      this.#keep(other, { info, context: TOO_LARGE, output: null, error: null });
    }
  }

  #keep(id: string, { info, context, output, error }: Omit<ClientActor, 'size'>): void {
    const size = JSON.stringify([info, context, output, error]).length;
    this.#actors.set(id, { info, context, output, error, size });
    this.#size += size;
  }

  #remove(id: string): void {
    this.#size -= this.#actors.get(id)?.size ?? 0;
    this.#actors.delete(id);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}
