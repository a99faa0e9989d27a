/**
 * Which records are listed. The list is kept while records come in at one end and go at the other, so that each is looked at once.
 *
 * R1  The list holds exactly those of the records that match, in their order, whatever came and went in between.
 */
import type { InspectionRecord, RecordKind } from '../../../protocol.ts';
import { valueText } from '../actors/configuration.ts';

export interface RecordFilter {
  /** Default: every kind. */
  readonly kinds?: ReadonlySet<RecordKind>;
  /** Only of this actor, or of those whose id begins with it and `/`. Default: every actor. */
  readonly actor?: string;
  /** Words that the record has, all of them. */
  readonly text?: string;
}

/** What a record says, in a line. */
export function summaryOf(record: InspectionRecord): string {
  switch (record.kind) {
    case 'started':
      return record.info.src === null ? 'started' : `started ${record.info.src}`;
    case 'event':
      return record.event.type;
    case 'microstep':
      return record.transitions
        .map(
          ({ source, targets, guard }) =>
            `${source} → ${targets.join(', ') || 'stays'}${guard === null ? '' : ` [${guard}]`}`,
        )
        .join('; ');
    case 'action':
      return record.action;
    case 'snapshot':
      return valueText(record.value) || record.status;
    case 'stopped':
      return record.status;
    case 'turn':
      return `turn ${record.turn}: ${record.causes.map(({ event, kind }) => event?.type ?? kind).join(', ') || 'no cause'}`;
  }
}

const searchable = new WeakMap<InspectionRecord, string>();

/** The text in which a record is searched: payloads too. Made when it is first asked for. */
function haystack(record: InspectionRecord): string {
  let text = searchable.get(record);
  if (text === undefined) {
    text = `${summaryOf(record)}\n${JSON.stringify(record)}`.toLowerCase();
    searchable.set(record, text);
  }
  return text;
}

/** Whether a record is wanted. */
export function recordMatcher({ kinds, actor = '', text = '' }: RecordFilter): (record: InspectionRecord) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (record) => {
    if (kinds !== undefined && kinds.size > 0 && !kinds.has(record.kind)) return false;
    if (actor !== '' && record.actor !== actor && !record.actor.startsWith(`${actor}/`)) return false;
    return words.length === 0 || words.every((word) => haystack(record).includes(word));
  };
}

/** The records that match, kept up to date with a bounded list whose records come at its end and go at its start. */
export class FilteredList<T extends { readonly seq: number }> {
  readonly #matches: (item: T) => boolean;
  #items: T[] = [];
  #next = -Infinity;

  constructor(matches: (item: T) => boolean) {
    this.#matches = matches;
  }

  get items(): readonly T[] {
    return this.#items;
  }

  /** Takes in what has come to the source, and forgets what has gone from it. The source is in the order of `seq`. */
  follow(source: readonly T[]): readonly T[] {
    const first = source[0];
    if (first === undefined) {
      this.#items = [];
      this.#next = -Infinity;
      return this.#items;
    }
    const gone = firstFrom(this.#items, first.seq);
    const fresh = firstFrom(source, this.#next);
    if (gone === 0 && fresh === source.length) return this.#items;
    const kept = gone === 0 ? this.#items : this.#items.slice(gone);
    for (let index = fresh; index < source.length; index += 1) {
      const item = source[index] as T;
      if (this.#matches(item)) kept.push(item);
    }
    this.#items = kept;
    this.#next = (source[source.length - 1] as T).seq + 1;
    return this.#items;
  }
}

/** The index of the first that has this number or a later one. */
export function firstFrom(items: readonly { readonly seq: number }[], seq: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle]?.seq ?? Infinity) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
