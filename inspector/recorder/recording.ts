/**
 * What was recorded: puts in references while actors run, and makes records of them when somebody is to be told.
 *
 * A slot holds what happened as it came: the event, the state. To show it is to redact it, to make it JSON, and to let it go.
 */
import { REDACTED } from '../../persistence/secrets.ts';
import type { AnyRef } from '../../persistence/xstate-port.ts';
import { detailOf, partsOf } from './actor-detail.ts';
import { bounded } from './bounded.ts';
import { estimatedBytes } from './estimate.ts';
import { ActorRegistry, type RegistryLimits } from './actor-registry.ts';
import { nameOfGuard } from '../charts/chart-names.ts';
import type { Chart } from '../charts/chart.ts';
import { HeldStates } from './held-states.ts';
import { plainJson } from './plain-json.ts';
import type { ActorDetail, ActorInfo, InspectionRecord } from '../protocol.ts';
import { RecordRing, type Slot } from './record-ring.ts';
import { chartOfActor, sourceOf, type AnyState, type EndStatus, type RecordedActor } from './recorded-actor.ts';
import type { TreeSink } from './tree-observer.ts';

/** What is held, and how it is shown. */
export interface RecordingOptions extends RegistryLimits {
  readonly shown: (value: unknown) => unknown;
  readonly shownText: (text: string) => string;
  readonly now: () => number;
  readonly records: number;
  readonly states: number;
}

export interface RecordSlot extends Slot {
  readonly kind: InspectionRecord['kind'];
  readonly actor: RecordedActor | undefined;
  /** What is told of the state, the event or the parameters, by reference. */
  what: unknown;
  /** The type of the event, the name of the action, the sender, or how it ended. */
  readonly name: string | null;
  /** Whether the context is another, or the event was lost. */
  readonly flag: boolean;
  /** The transitions of a step. */
  more: readonly unknown[] | undefined;
}

/** Characters of all records that are held, of one event, of what is told of a state, and of a state that is asked for. */
const MOST_CHARACTERS = 40_000_000;
const EVENT_CHARACTERS = 16_000;
const STATE_CHARACTERS = 8_000;
const DETAIL_CHARACTERS = 262_144;
const RECORD_CHARACTERS = 200;
/** Bytes of the states that are held, about. */
const STATE_BYTES = 8_000_000;
const MOST_CHARTS = 1_000;
const MOST_TRANSITIONS = 100;
const NONE: readonly string[] = [];

export class Recording implements TreeSink {
  readonly ring: RecordRing<RecordSlot>;
  readonly states: HeldStates;
  /** What went wrong while looking, of late. Nothing that is looked at was touched by it. */
  failure: unknown;
  wantsDetail = false;
  registry: ActorRegistry;
  readonly #charts = new Map<string, Chart>();
  readonly #options: RecordingOptions;
  /** Called when there is something to be shown. */
  readonly #news: () => void;

  constructor(options: RecordingOptions, news: () => void) {
    this.#options = options;
    this.#news = news;
    this.ring = new RecordRing(options.records, MOST_CHARACTERS);
    this.states = new HeldStates(options.states, STATE_BYTES);
    this.registry = new ActorRegistry(options);
  }

  get lastSeq(): number {
    return this.ring.next - 1;
  }

  now(): number {
    return this.#options.now();
  }

  chart(id: string): Chart | undefined {
    return this.#charts.get(id);
  }

  // Putting in.

  started(actor: RecordedActor): void {
    actor.changedAt = this.#put('started', actor, actor.state && toldOf(actor.state), null);
    this.#hold(actor);
  }

  event(actor: RecordedActor, event: { readonly type: string }, from: RecordedActor | undefined): void {
    this.#put('event', actor, event, from?.id ?? null, actor.ended !== undefined);
  }

  microstep(actor: RecordedActor, event: string, transitions: readonly unknown[], state: AnyState): void {
    this.#put('microstep', actor, toldOf(state), event, false, transitions);
  }

  action(actor: RecordedActor, action: string, params: unknown): void {
    this.#put('action', actor, params, action);
  }

  state(actor: RecordedActor, event: string, state: AnyState, isOther = actor.state?.context !== state.context): void {
    this.states.hold(actor);
    actor.changedAt = this.#put('snapshot', actor, toldOf(state), event, isOther);
    actor.state = state;
    this.#hold(actor);
  }

  stopped(actor: RecordedActor, status: EndStatus): void {
    this.registry.end(actor, status, this.now());
    this.#put('stopped', actor, undefined, status);
  }

  failed(error: unknown): void {
    this.failure = error;
  }

  /** Puts in a record that is shown already. */
  ingest(record: Omit<InspectionRecord, 'seq'>): void {
    const seq = this.ring.next;
    const shown = { ...record, seq } as InspectionRecord;
    const { at, kind } = shown;
    const none = { actor: undefined, what: undefined, name: null, flag: false, more: undefined };
    this.ring.put({ ...none, seq, at, kind, shown, size: RECORD_CHARACTERS });
    this.#news();
  }

  #put(
    kind: RecordSlot['kind'],
    actor: RecordedActor,
    what: unknown,
    name: string | null,
    flag = false,
    more?: readonly unknown[],
  ): number {
    const at = this.now();
    const size = RECORD_CHARACTERS + estimatedBytes(what);
    this.ring.put({ seq: this.ring.next, at, kind, actor, what, name, flag, more, shown: undefined, size });
    this.#news();
    return at;
  }

  #hold(actor: RecordedActor): void {
    actor.stateSeq = this.lastSeq;
    actor.isStateHeld = false;
    this.states.hold(actor);
  }

  // Showing.

  /** The record of a slot; undefined for a number that stands for nothing. */
  show(seq: number): InspectionRecord | undefined {
    const slot = this.ring.at(seq);
    if (slot === undefined || slot.shown !== undefined) return slot?.shown;
    const { actor } = slot;
    if (actor === undefined) return undefined;
    try {
      slot.shown = this.#shown(slot, actor);
    } catch (error) {
      this.failed(error);
      slot.shown = { seq, at: slot.at, actor: actor.id, kind: 'action', action: REDACTED, params: null };
    }
    slot.what = slot.more = undefined;
    return slot.shown;
  }

  /** Written out, field by field: it is done for every record, and spreading costs more than all the rest. */
  #shown(slot: RecordSlot, actor: RecordedActor): InspectionRecord {
    const { seq, at, kind, what, flag } = slot;
    const name = slot.name ?? '';
    const { id } = actor;
    this.ring.grown(slot, RECORD_CHARACTERS);
    switch (kind) {
      case 'started':
        return { seq, at, actor: id, kind, info: this.infoOf(actor, what as AnyState | undefined, at) };
      case 'event': {
        const record = { seq, at, actor: id, kind, event: this.#event(slot), from: slot.name } as const;
        return flag ? { ...record, lost: true } : record;
      }
      case 'microstep':
        return {
          seq,
          at,
          actor: id,
          kind,
          event: this.#word(name),
          transitions: stepsOf(slot.more),
          value: this.#value(what),
        };
      case 'action':
        return { seq, at, actor: id, kind, action: name, params: this.#json(slot, what, STATE_CHARACTERS) };
      case 'stopped':
        return { seq, at, actor: id, kind, status: name as EndStatus };
      default:
        return this.#state(slot, id, this.#word(name), what as AnyState);
    }
  }

  /** The type of an event: somebody may have put into it what should be elsewhere. */
  #word(text: string): string {
    const { json } = this.#plain(text, EVENT_CHARACTERS);
    return typeof json === 'string' ? json : REDACTED;
  }

  #event(slot: RecordSlot): { readonly type: string; readonly [key: string]: unknown } {
    const { type } = slot.what as { readonly type: string };
    const json = this.#json(slot, slot.what, EVENT_CHARACTERS);
    if (typeof json !== 'object' || json === null) return { type, value: json };
    const { type: shown } = json as { readonly type?: unknown };
    return { ...json, type: typeof shown === 'string' ? shown : type };
  }

  #state({ seq, at, flag }: RecordSlot, actor: string, event: string, state: AnyState): InspectionRecord {
    const { status } = state;
    const [value, tags] = [this.#value(state), tagsOf(state)];
    const told = { seq, at, actor, kind: 'snapshot', event, status, value, tags, contextChanged: flag } as const;
    if (status === 'active' || status === 'stopped') return told;
    const { output, error } = partsOf(
      { ...state, context: null },
      (parts) => this.#plain(parts, STATE_CHARACTERS).json,
    );
    return status === 'done' ? { ...told, output } : { ...told, error };
  }

  /** Of a machine, the value of its state: names of its config. */
  #value(state: unknown): unknown {
    const { value = null } = state as AnyState;
    if (typeof value === 'string' || value === null) return value;
    return plainJson(value, { most: STATE_CHARACTERS, refs: this.#refs }).json;
  }

  #json(slot: RecordSlot, value: unknown, most: number): unknown {
    const { json, size } = this.#plain(value, most);
    this.ring.grown(slot, RECORD_CHARACTERS + size);
    return json;
  }

  #plain(value: unknown, most: number): { readonly json: unknown; readonly size: number } {
    let shown: unknown;
    try {
      shown = this.#options.shown(bounded(value, most));
    } catch (error) {
      // What the host's rules cannot look at is not shown.
      this.failed(error);
      return { json: REDACTED, size: RECORD_CHARACTERS };
    }
    return plainJson(shown, { most, refs: this.#refs, text: this.#options.shownText });
  }

  readonly #refs = (ref: AnyRef): string | null => this.registry.of(ref)?.id ?? null;

  /** Of a state that cannot be looked into it is told that there is one. */
  infoOf(actor: RecordedActor, state: AnyState | undefined, changedAt = actor.changedAt): ActorInfo {
    try {
      return this.#infoOf(actor, state, changedAt);
    } catch (error) {
      this.failed(error);
      const { id, parent, ref, ended = 'active' } = actor;
      const name = parent === null ? id : ref.id;
      const unknown = { systemId: null, src: null, chart: null, value: REDACTED, tags: NONE };
      return { id, parent, name, ...unknown, status: ended, changedAt };
    }
  }

  #infoOf(actor: RecordedActor, state: AnyState | undefined, changedAt: number | null): ActorInfo {
    const { ref, id, parent, ended } = actor;
    const chart = chartOfActor(ref);
    if (chart !== undefined && this.#charts.size < MOST_CHARTS) this.#charts.set(chart.id, chart);
    const status = state === actor.state ? (ended ?? state?.status) : state?.status;
    return {
      id,
      parent,
      name: parent === null ? id : ref.id,
      systemId: (ref as { readonly systemId?: string }).systemId ?? null,
      src: sourceOf(ref),
      chart: chart?.id ?? null,
      status: status ?? 'active',
      value: state === undefined ? null : this.#value(state),
      tags: tagsOf(state),
      changedAt,
    };
  }

  detailOf(actor: RecordedActor, state: AnyState, isNow: boolean): ActorDetail {
    const shown = (value: unknown) => this.#plain(value, DETAIL_CHARACTERS).json;
    const detail = detailOf(actor.ref, this.infoOf(actor, state), state, isNow, shown);
    // Its tree may have ended around it.
    return detail.status === 'active' ? detail : { ...detail, timers: [], accepts: [] };
  }
}

/** What of a state is told in a record: its context is not, and must not be kept for it. */
function toldOf({ status, value, tags, output, error }: AnyState): AnyState {
  return { status, value, tags, output, error } as AnyState;
}

function tagsOf(state: AnyState | undefined): readonly string[] {
  const tags: unknown = state?.tags;
  return tags instanceof Set && tags.size > 0 ? [...tags].map(String) : NONE;
}

interface Taken {
  readonly source?: { readonly id?: unknown };
  readonly target?: readonly { readonly id?: unknown }[];
  readonly guard?: unknown;
  readonly eventType?: unknown;
}

function stepsOf(transitions: readonly unknown[] = []) {
  return (transitions as readonly Taken[]).slice(0, MOST_TRANSITIONS).map(({ source, target, guard, eventType }) => ({
    source: String(source?.id),
    targets: (target ?? []).map(({ id }) => String(id)),
    guard: guard === undefined ? null : nameOfGuard(guard),
    eventType: typeof eventType === 'string' ? eventType : '',
  }));
}
