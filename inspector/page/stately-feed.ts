/**
 * Stately's protocol (`@statelyai/inspect`) as records of ours: what an application posts to a viewer. Pure: viewer-feed.ts listens.
 *
 * S1  Whatever is posted, nothing is thrown, and nothing but plain JSON is kept.
 * S2  How much is kept is bounded: actors, definitions, and states to look back at.
 * S3  An actor whose registration was lost is known from its first event or snapshot on.
 */
import type { ActorDetail, ActorInfo, InspectionRecord, ServerMessage } from '../protocol.ts';
import { plain } from './plain.ts';

const MOST_ACTORS = 5_000;
const MOST_DEFINITIONS = 1_000;
const MOST_STATES = 2_000;
const LONGEST_ID = 1_000;
const LONGEST_DEFINITION = 2_000_000;

interface Told {
  readonly context: unknown;
  readonly output: unknown;
  readonly error: unknown;
}

interface Frame {
  readonly type: '@xstate.actor' | '@xstate.event' | '@xstate.snapshot';
  readonly id: string;
  readonly at: number;
  readonly given: Readonly<Record<string, unknown>>;
}

export class StatelyFeed {
  readonly #actors = new Map<string, { readonly info: ActorInfo; readonly told: Told }>();
  /** Texts of definitions, and the ids of their charts, both ways. */
  readonly #charts = new Map<string, string>();
  readonly #definitions = new Map<string, string>();
  /** Actors as they were after a record, the oldest first. */
  readonly #states = new Map<number, ActorDetail>();
  #seq = 0;

  /** The messages that a posted value comes to; none when it is not of the protocol. `now` is ms since 1970. */
  take(data: unknown, now: number): readonly ServerMessage[] {
    const frame = frameOf(data, now);
    if (frame === undefined) return [];
    const records: InspectionRecord[] = [];
    if (frame.type === '@xstate.actor' || !this.#actors.has(frame.id)) {
      const started = this.#started(frame);
      if (started === undefined) return [];
      records.push(started);
    }
    if (frame.type === '@xstate.event') records.push(this.#event(frame));
    if (frame.type === '@xstate.snapshot') records.push(this.#snapshot(frame));
    return [{ type: 'records', records }];
  }

  /** An actor as it is, or as it was after a record that is not too long ago. */
  actor(id: string, seq?: number): ActorDetail | undefined {
    if (seq !== undefined) {
      const found = this.#states.get(seq);
      return found?.id === id ? found : undefined;
    }
    const found = this.#actors.get(id);
    return found && detailOf(found.info, found.told);
  }

  /** The text of the definition of a chart. */
  definition(chart: string): string | undefined {
    return this.#definitions.get(chart);
  }

  #started({ type, id, at, given }: Frame): InspectionRecord | undefined {
    if (this.#actors.size >= MOST_ACTORS && !this.#actors.has(id)) return undefined;
    const isTold = type === '@xstate.actor';
    const chart = isTold ? this.#chartOf(given['definition']) : null;
    const info: ActorInfo = {
      id,
      parent: idOf(given['parentId']) ?? null,
      name: (isTold ? idOf(given['name']) : undefined) ?? id,
      systemId: null,
      src: chart?.name ?? null,
      chart: chart?.id ?? null,
      ...changed(recordOf(given['snapshot']), at),
    };
    const seq = this.#seq++;
    this.#set(seq, info, toldIn(recordOf(given['snapshot'])));
    return { kind: 'started', seq, at, actor: id, info };
  }

  #event({ id, at, given }: Frame): InspectionRecord {
    const from = idOf(given['sourceId']) ?? null;
    return { kind: 'event', seq: this.#seq++, at, actor: id, from, event: eventOf(given['event']) };
  }

  #snapshot({ id, at, given }: Frame): InspectionRecord {
    const before = this.#actors.get(id)!;
    const snapshot = recordOf(given['snapshot']);
    const info = { ...before.info, ...changed(snapshot, at) };
    const told = toldIn(snapshot);
    const seq = this.#seq++;
    this.#set(seq, info, told);
    return {
      kind: 'snapshot',
      seq,
      at,
      actor: id,
      event: eventOf(given['event']).type,
      status: info.status,
      value: info.value,
      tags: info.tags,
      contextChanged: JSON.stringify(before.told.context) !== JSON.stringify(told.context),
      ...(told.output === undefined ? {} : { output: told.output }),
      ...(told.error === undefined ? {} : { error: told.error }),
    };
  }

  #set(seq: number, info: ActorInfo, told: Told): void {
    this.#actors.set(info.id, { info, told });
    this.#states.set(seq, detailOf(info, told));
    if (this.#states.size <= MOST_STATES) return;
    for (const oldest of this.#states.keys()) {
      this.#states.delete(oldest);
      break;
    }
  }

  /** The chart of a definition; null for what is no machine, of which only the id is sent. */
  #chartOf(definition: unknown): { readonly id: string; readonly name: string | null } | null {
    if (typeof definition !== 'string' || definition.length > LONGEST_DEFINITION) return null;
    const config = recordOf(parsed(definition));
    const name = idOf(config['id']) ?? null;
    const known = this.#charts.get(definition);
    if (known !== undefined) return { id: known, name };
    const isMachine = Object.keys(config).some((key) => key !== 'id');
    if (!isMachine || this.#charts.size >= MOST_DEFINITIONS) return null;
    const id = `definition-${this.#charts.size + 1}`;
    this.#charts.set(definition, id);
    this.#definitions.set(id, definition);
    return { id, name };
  }
}

/** What was posted, as far as it is of the protocol: an object, or the text of one. */
function frameOf(data: unknown, now: number): Frame | undefined {
  const given = recordOf(typeof data === 'string' ? parsed(data) : data);
  const { type, _version: version, createdAt } = given;
  if (type !== '@xstate.actor' && type !== '@xstate.event' && type !== '@xstate.snapshot') return undefined;
  const id = idOf(given['sessionId']);
  if (id === undefined || typeof version !== 'string') return undefined;
  const at = Number(createdAt);
  return { type, id, at: Number.isFinite(at) && at > 0 ? at : now, given };
}

function changed(snapshot: Readonly<Record<string, unknown>>, at: number) {
  const { status, value, tags } = snapshot;
  const isEnd = status === 'done' || status === 'error' || status === 'stopped';
  return {
    status: isEnd ? (status as 'done' | 'error' | 'stopped') : ('active' as const),
    value: plain(value) ?? null,
    tags: Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === 'string') : [],
    changedAt: at,
  };
}

function toldIn({ context, output, error }: Readonly<Record<string, unknown>>): Told {
  return { context: plain(context), output: plain(output), error: plain(error) };
}

function detailOf(info: ActorInfo, told: Told): ActorDetail {
  return { ...info, ...told, timers: [], accepts: [] };
}

function eventOf(event: unknown): { readonly type: string; readonly [key: string]: unknown } {
  const shown = recordOf(plain(event));
  return { ...shown, type: typeof shown['type'] === 'string' ? shown['type'] : '' };
}

function idOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= LONGEST_ID ? value : undefined;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
