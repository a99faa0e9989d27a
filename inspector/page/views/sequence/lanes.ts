/**
 * The event sequence: a lane an actor, a row an event.
 *
 * L1  The outside world is the first lane; chosen actors keep their order, others come by when they first had part in something.
 * L2  A sender or receiver without a lane is drawn in that of its nearest ancestor that has one, else in that of the others.
 */
import type { InspectionRecord } from '../../../protocol.ts';

/** What came from no actor. */
export const OUTSIDE = '';
/** All that have no lane of their own, and no ancestor with one. No actor has this id. */
export const OTHERS = '\n';

export interface Lane {
  readonly actor: string;
  /** Its name; with its parents' as far as others are called the same. */
  readonly name: string;
  /** How many of the events it has part in. */
  readonly events: number;
}

export interface Arrow {
  /** Unique among all arrows. */
  readonly key: string;
  readonly seq: number;
  readonly at: number;
  readonly actor: string;
  readonly from: string;
  readonly type: string;
  /** The first record of what it belongs to: the event from outside, the timer, or the turn that all this follows from. */
  readonly group: number;
  /** How many events lie between it and what began the group. */
  readonly depth: number;
  readonly kind: 'event' | 'started' | 'stopped';
}

/** Within this time something is taken to follow from what was before. */
const AT_ONCE_MS = 20;

/** Turns of the store's history and live records alike, as arrows in the order of time. */
export class ArrowList {
  readonly #arrows: Arrow[] = [];
  #nth = 0;
  #group = -1;
  #groupTurn: number | null = null;
  /** How deep the last event of each actor is in the group. */
  #depths = new Map<string, number>();

  get arrows(): readonly Arrow[] {
    return this.#arrows;
  }

  /** Adds the arrow of a record, if it has one. */
  add(record: InspectionRecord): void {
    switch (record.kind) {
      case 'event': {
        const from = record.from ?? OUTSIDE;
        const follows = this.#follows(record, from);
        if (!follows) this.#begin(record.seq, turnOf(record));
        const depth = follows ? (this.#depths.get(from) ?? 0) + 1 : 0;
        this.#depths.set(record.actor, Math.max(depth, this.#depths.get(record.actor) ?? 0));
        this.#push(record, { from, type: record.event.type, depth, kind: 'event' });
        return;
      }
      case 'started': {
        const from = record.info.parent ?? OUTSIDE;
        if (!this.#goesOn(record)) this.#begin(record.seq, turnOf(record));
        this.#push(record, { from, type: 'started', depth: (this.#depths.get(from) ?? 0) + 1, kind: 'started' });
        return;
      }
      case 'stopped':
        if (!this.#goesOn(record)) this.#begin(record.seq, turnOf(record));
        this.#push(record, {
          from: record.actor,
          type: record.status,
          depth: this.#depths.get(record.actor) ?? 0,
          kind: 'stopped',
        });
        return;
      case 'turn':
        this.#begin(record.seq, record.turn);
        for (const { to, event, kind } of record.causes) {
          const type = event?.type ?? kind;
          this.#push({ ...record, actor: to }, { from: OUTSIDE, type, depth: 0, kind: 'event' });
        }
        return;
      default:
    }
  }

  /** Forgets what lies before a record: the list of records is bounded. */
  dropBefore(seq: number): void {
    const first = this.#arrows.findIndex((arrow) => arrow.seq >= seq);
    this.#arrows.splice(0, first < 0 ? this.#arrows.length : first);
  }

  #push(record: { seq: number; at: number; actor: string }, arrow: Pick<Arrow, 'from' | 'type' | 'depth' | 'kind'>) {
    const { seq, at, actor } = record;
    // A turn of the history may have several causes.
    const nth = this.#arrows.at(-1)?.seq === seq ? this.#nth + 1 : 0;
    this.#nth = nth;
    this.#arrows.push({ key: `${seq}.${nth}`, seq, at, actor, group: this.#group, ...arrow });
  }

  /** Starts and ends name no cause; they belong to what happened just before. */
  #goesOn({ at }: InspectionRecord): boolean {
    return this.#group >= 0 && at - (this.#arrows.at(-1)?.at ?? -Infinity) <= AT_ONCE_MS;
  }

  #begin(seq: number, turn: number | null): void {
    this.#group = seq;
    this.#groupTurn = turn;
    this.#depths = new Map();
  }

  /** Whether an event follows from the group: it is of the same turn, or somebody who had part in it sent it at once. */
  #follows(record: InspectionRecord, from: string): boolean {
    if (this.#group < 0) return false;
    const turn = turnOf(record);
    if (turn !== null && this.#groupTurn !== null) return turn === this.#groupTurn;
    // What an actor sends itself with a delay comes as an event of its own.
    return from !== OUTSIDE && this.#depths.has(from) && !isTimer(record);
  }
}

function turnOf(record: InspectionRecord): number | null {
  return 'turn' in record && typeof record.turn === 'number' ? record.turn : null;
}

function isTimer(record: InspectionRecord): boolean {
  return record.kind === 'event' && record.event.type.startsWith('xstate.after.');
}

export interface ArrowFilter {
  /** Types of events, as in `work.*`; several with spaces. Default: all. */
  readonly types?: string;
  /** Only what these actors have part in. Default: all. */
  readonly actors?: ReadonlySet<string>;
  /** A text that the type, the sender or the receiver has. */
  readonly text?: string;
}

function pattern(types: string): RegExp | null {
  const words = types.split(/[\s,]+/).filter(Boolean);
  if (words.length === 0) return null;
  const escaped = words.map((word) => word.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*'));
  return new RegExp(`^(${escaped.join('|')})$`, 'i');
}

/** Whether an arrow is wanted. */
export function arrowMatcher({ types = '', actors, text = '' }: ArrowFilter): (arrow: Arrow) => boolean {
  const type = pattern(types);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (arrow) => {
    if (type !== null && !type.test(arrow.type)) return false;
    if (actors !== undefined && actors.size > 0 && !actors.has(arrow.actor) && !actors.has(arrow.from)) return false;
    if (words.length === 0) return true;
    const hay = `${arrow.type}\n${arrow.from}\n${arrow.actor}`.toLowerCase();
    return words.every((word) => hay.includes(word));
  };
}

export interface LaneOptions {
  /** In this order. Default: the most active. */
  readonly chosen?: readonly string[];
  /** Default: 10. */
  readonly most?: number;
  readonly nameOf: (actor: string) => string;
  readonly parentOf: (actor: string) => string | null;
}

/** The lanes of arrows: those chosen, or the most active, at most so many. */
export function lanesOf(
  arrows: Iterable<Arrow>,
  { chosen = [], most = 10, nameOf, parentOf }: LaneOptions,
): readonly Lane[] {
  const counts = new Map<string, number>();
  for (const { actor, from } of arrows) {
    counts.set(actor, (counts.get(actor) ?? 0) + 1);
    if (from !== actor) counts.set(from, (counts.get(from) ?? 0) + 1);
  }
  const others = (shown: readonly string[]): Lane[] => {
    const lanes = new Map(shown.map((actor, index) => [actor, index]));
    const isHidden = (actor: string) => actor !== OUTSIDE && laneIndex(lanes, actor, parentOf).index < 0;
    const hidden = [...counts.keys()].filter(isHidden);
    const events = hidden.reduce((sum, actor) => sum + (counts.get(actor) ?? 0), 0);
    return hidden.length === 0 ? [] : [{ actor: OTHERS, name: 'others', events }];
  };
  const lanesFor = (actors: readonly string[]): Lane[] => {
    const names = namesOf(actors, nameOf, parentOf);
    return actors.map((actor, index) => ({ actor, name: names[index] ?? actor, events: counts.get(actor) ?? 0 }));
  };
  const outside: Lane = { actor: OUTSIDE, name: 'outside', events: counts.get(OUTSIDE) ?? 0 };
  if (chosen.length > 0) return [outside, ...lanesFor(chosen), ...others(chosen)];
  const order = [...counts.keys()].filter((actor) => actor !== OUTSIDE);
  const busiest = new Set(order.toSorted((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0)).slice(0, most));
  const shown = order.filter((actor) => busiest.has(actor));
  return [outside, ...lanesFor(shown), ...others(shown)];
}

/** Names by which actors can be told apart: `slot.1/worker` and `slot.2/worker`, where both are workers. */
function namesOf(
  actors: readonly string[],
  nameOf: (actor: string) => string,
  parentOf: (actor: string) => string | null,
): readonly string[] {
  const named = actors.map((actor) => ({ name: nameOf(actor), above: parentOf(actor) }));
  for (let depth = 0; depth < 64; depth += 1) {
    const alike = named.filter(
      ({ name, above }) => above !== null && named.filter((one) => one.name === name).length > 1,
    );
    if (alike.length === 0) break;
    for (const one of alike) {
      one.name = `${nameOf(one.above as string)}/${one.name}`;
      one.above = parentOf(one.above as string);
    }
  }
  return named.map(({ name }) => name);
}

/** The lane in which an actor is drawn: its own, that of its nearest ancestor, or that of the others; -1 where there is none. */
export function laneIndex(
  lanes: ReadonlyMap<string, number>,
  actor: string,
  parentOf: (actor: string) => string | null,
): { readonly index: number; readonly isOwn: boolean } {
  const own = lanes.get(actor);
  if (own !== undefined) return { index: own, isOwn: true };
  let id = parentOf(actor);
  for (let steps = 0; id !== null && steps < 64; steps += 1) {
    const above = parentOf(id);
    const index = lanes.get(id);
    // The root is above all, so it says nothing of whom an event is for.
    if (index !== undefined && above !== null) return { index, isOwn: false };
    id = above;
  }
  return { index: lanes.get(OTHERS) ?? -1, isOwn: false };
}
