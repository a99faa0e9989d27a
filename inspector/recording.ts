/**
 * What was recorded: puts in references while actors run, and makes records of them when somebody is to be told.
 *
 * A slot holds what happened as it came: the event, the state. To show it is to redact it, to make it JSON, and to let it go.
 */
import { REDACTED } from '../persistence/secrets.ts';
import type { AnyRef } from '../persistence/xstate-port.ts';
import { detailOf, partsOf } from './actor-detail.ts';
import { ActorRegistry, type RegistryLimits } from './actor-registry.ts';
import { nameOfGuard } from './chart-names.ts';
import type { Chart } from './chart.ts';
import { HeldStates } from './held-states.ts';
import { plainJson } from './plain-json.ts';
import type { ActorDetail, ActorInfo, InspectionRecord } from './protocol.ts';
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
  /** The state, the event or the parameters, by reference. */
  what: unknown;
  /** The type of the event, the name of the action, the sender, or how it ended. */
  readonly name: string | null;
  /** Whether the context is another, or the event was lost. */
  readonly flag: boolean;
  /** The transitions of a step. */
  more: readonly unknown[] | undefined;
}

/** Characters of all records that are held, of one event, of what is told of a state, and of a state that is asked for. */
const MOST_CHARACTERS = 48_000_000;
const EVENT_CHARACTERS = 16_000;
const STATE_CHARACTERS = 8_000;
const DETAIL_CHARACTERS = 4_000_000;
const RECORD_CHARACTERS = 200;
const MOST_CHARTS = 1_000;
const MOST_TRANSITIONS = 100;

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
    this.states = new HeldStates(options.states);
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
    this.#put('started', actor, actor.state, null);
    actor.changedAt = this.now();
    this.#hold(actor);
  }

  event(actor: RecordedActor, event: { readonly type: string }, from: RecordedActor | undefined): void {
    this.#put('event', actor, event, from?.id ?? null, actor.ended !== undefined);
  }

  microstep(actor: RecordedActor, event: string, transitions: readonly unknown[], state: AnyState): void {
    this.#put('microstep', actor, state, event, false, transitions);
  }

  action(actor: RecordedActor, action: string, params: unknown): void {
    this.#put('action', actor, params, action);
  }

  state(actor: RecordedActor, event: string, state: AnyState, isOther = actor.state?.context !== state.context): void {
    this.states.hold(actor);
    this.#put('snapshot', actor, state, event, isOther);
    actor.state = state;
    actor.changedAt = this.now();
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
  ): void {
    const at = this.now();
    this.ring.put({ seq: this.ring.next, at, kind, actor, what, name, flag, more, shown: undefined, size: 0 });
    this.#news();
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

  #shown(slot: RecordSlot, actor: RecordedActor): InspectionRecord {
    const { seq, at, kind, what, name, flag } = slot;
    const base = { seq, at, actor: actor.id };
    this.ring.grown(slot, RECORD_CHARACTERS);
    switch (kind) {
      case 'started':
        return { ...base, kind, info: { ...this.infoOf(actor, what as AnyState | undefined), changedAt: at } };
      case 'event':
        return { ...base, kind, event: this.#event(slot), from: name, ...(flag ? { lost: true } : {}) };
      case 'microstep':
        return { ...base, kind, event: name ?? '', transitions: stepsOf(slot.more), value: this.#value(what) };
      case 'action':
        return { ...base, kind, action: name ?? '', params: this.#json(slot, what, STATE_CHARACTERS) };
      case 'stopped':
        return { ...base, kind, status: name as EndStatus };
      default:
        return { ...base, kind: 'snapshot', event: name ?? '', ...this.#state(what as AnyState), contextChanged: flag };
    }
  }

  #event(slot: RecordSlot): { readonly type: string; readonly [key: string]: unknown } {
    const { type } = slot.what as { readonly type: string };
    const json = this.#json(slot, slot.what, EVENT_CHARACTERS);
    if (typeof json !== 'object' || json === null) return { type, value: json };
    const { type: shown } = json as { readonly type?: unknown };
    return { ...json, type: typeof shown === 'string' ? shown : type };
  }

  #state(state: AnyState) {
    const { status, tags } = state;
    const told = { status, value: this.#value(state), tags: [...(tags ?? [])].map(String) };
    if (status === 'active') return told;
    const { output, error } = partsOf(
      { ...state, context: null },
      (value) => this.#plain(value, STATE_CHARACTERS).json,
    );
    return { ...told, ...(status === 'done' ? { output } : {}), ...(status === 'error' ? { error } : {}) };
  }

  /** Of a machine, the value of its state: names of its config. */
  #value(state: unknown): unknown {
    const { value = null } = state as AnyState;
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
      shown = this.#options.shown(value);
    } catch (error) {
      // What the host's rules cannot look at is not shown.
      this.failed(error);
      return { json: REDACTED, size: RECORD_CHARACTERS };
    }
    return plainJson(shown, { most, refs: this.#refs, text: this.#options.shownText });
  }

  readonly #refs = (ref: AnyRef): string | null => this.registry.of(ref)?.id ?? null;

  infoOf(actor: RecordedActor, state: AnyState | undefined): ActorInfo {
    const { ref, id, parent, ended, changedAt } = actor;
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
      tags: [...(state?.tags ?? [])].map(String),
      changedAt,
    };
  }

  detailOf(actor: RecordedActor, state: AnyState, isNow: boolean): ActorDetail {
    const shown = (value: unknown) => this.#plain(value, DETAIL_CHARACTERS).json;
    return detailOf(actor.ref, this.infoOf(actor, state), state, isNow, shown);
  }
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
