/**
 * What happened: one row for every committed turn, with what caused it and whom it changed. Restoring never depends on it.
 *
 * H1  The row of a turn is written in its own transaction, for every commit: history says neither more nor less than what
 *     was committed.
 * H2  While history is kept, so is every version of every row that a kept turn sees.
 * H3  Reading goes page by page, and holds nothing open between two pages: it never disturbs the writer.
 */
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import type { Clock } from './clock.ts';
import { encode, type Refs } from './codec.ts';
import type { Payloads } from './payloads.ts';
import { shownWithTexts } from './shown-texts.ts';
import type { Statements } from './rows.ts';
import type { Versions } from './versions.ts';
import type { AnyEventObject } from './xstate-port.ts';

/** What began a turn, as far as it is known when it begins. */
export interface Cause {
  readonly kind: 'start' | 'resume' | 'restore' | 'send' | 'timer' | 'result' | 'outbox';
  /** Where the event went: a systemId, a path, or nothing for the root. */
  readonly to?: string | undefined;
  readonly event?: AnyEventObject;
  /** The id of the message. */
  readonly id?: string | undefined;
  /** Whether it is known when it is delivered that its id was accepted before. */
  isRepeat?: boolean;
}

/** What began a turn, as it is remembered. */
export interface RecordedCause {
  readonly kind: Cause['kind'];
  /** The name of the tree. */
  readonly tree: string;
  readonly to?: string;
  readonly id?: string;
  /** True for the repeat of an id that had been accepted before: it was acknowledged, and not applied. */
  readonly isRepeat?: true;
  /** The event, redacted, as it would be stored; one that is too long is only its type and its length, as `cut`. */
  readonly event?: { readonly type: string; readonly [key: string]: unknown };
}

/** One committed turn. */
export interface TurnRecord {
  readonly turn: number;
  /** Wall-clock ms. */
  readonly at: number;
  /** What shared the commit, in order. */
  readonly causes: readonly RecordedCause[];
  /** The actors that it changed or ended, as paths in their trees; of each tree the first 1,000. */
  readonly changed: readonly { readonly tree: string; readonly actor: string }[];
  /** There when its row was damaged: what cannot be read of it is missing. */
  readonly isUnreadable?: true;
}

/** Options of {@link Store.history}. */
export interface HistoryQuery {
  /** The first turn. Default: the oldest that is kept. */
  readonly from?: number;
  /** Only turns that concern this tree. */
  readonly tree?: string;
  readonly signal?: AbortSignal;
}

/** A source of events in a tree, as history needs it. */
interface Caused {
  readonly participant: { readonly id: string };
  readonly cause: Cause;
}

/** Characters of JSON that are kept of an event, and of all events of a turn. */
const EVENT_LIMIT = 4_096;
const TURN_LIMIT = 65_536;
/** Actors of a tree that one turn names. */
const CHANGED_LIMIT = 1_000;
/** Rows read in one go. */
const PAGE = 128;
/** The causes of a turn of nobody's tree. It is never sealed: whoever commits one need not have the keys. */
const NOTHING = '[]';
/** References are kept as they are written, and never resolved. */
const NO_REFS: Refs = {
  idOf: () => 0,
  refOf: () => {
    throw new Error('history resolves no references');
  },
};

export class History {
  readonly #statements: Statements;
  readonly #clock: Clock;
  readonly #payloads: Payloads;
  readonly #versions: Versions;
  /** Paths of the actors changed in this batch, by the name of their tree. */
  readonly #changed = new Map<string, string[]>();

  constructor(statements: Statements, clock: Clock, versions: Versions, payloads: Payloads) {
    this.#statements = statements;
    this.#clock = clock;
    this.#payloads = payloads;
    this.#versions = versions;
  }

  /** An actor's row is being written, or removed. */
  changed(tree: string, actor: string): void {
    const actors = this.#changed.get(tree);
    if (actors === undefined) this.#changed.set(tree, [actor]);
    else if (actors.length < CHANGED_LIMIT) actors.push(actor);
  }

  /** What a tree wrote in this batch was undone. */
  forget(tree: string): void {
    this.#changed.delete(tree);
  }

  rollback(): void {
    this.#changed.clear();
  }

  /** Writes the row of the turn into its transaction. */
  write(turn: number, caused: readonly Caused[], bytes: number): void {
    let text = '';
    for (const one of caused) {
      // Rows of nobody's tree.
      if (one.participant.id === '') continue;
      text += `${text === '' ? '[' : ','}${this.#causeText(one, text.length)}`;
    }
    const causes = text === '' ? NOTHING : this.#payloads.seal(`${text}]`, () => `turn ${turn}`);
    const changed = this.#changed.size === 0 ? '[]' : JSON.stringify([...this.#changed]);
    const now = this.#clock.now();
    const { at, nth, total } = this.#versions.add(turn, now, bytes + causes.length + changed.length);
    this.#statements.of('insert into turns values (?, ?, ?, ?, ?, ?)').run(turn, at, nth, total, causes, changed);
    this.#changed.clear();
  }

  #causeText({ participant, cause: { kind, to, event, id, isRepeat } }: Caused, before: number): string {
    let text = `{"kind":"${kind}","tree":${JSON.stringify(participant.id)}`;
    if (to !== undefined) text += `,"to":${JSON.stringify(to)}`;
    if (id !== undefined) text += `,"id":${JSON.stringify(id)}`;
    if (isRepeat === true) text += ',"isRepeat":true';
    if (event !== undefined) text += `,"event":${this.#eventText(event, before)}`;
    return `${text}}`;
  }

  #eventText(event: AnyEventObject, before: number): string {
    try {
      const text = this.#payloads.secrets.redactText(
        encode(shownWithTexts(this.#payloads, event), NO_REFS, 'an event of the history'),
      );
      if (text.length <= EVENT_LIMIT && before + text.length <= TURN_LIMIT) return text;
      return JSON.stringify({ type: event.type, cut: text.length });
    } catch (error) {
      // What an event carries need not be storable, only what it leads to.
      return JSON.stringify({ type: event.type, refused: this.#payloads.shownText(messageOf(error)) });
    }
  }
}

interface TurnRow {
  readonly turn: number;
  readonly at: number;
  readonly causes: string;
  readonly changed: string;
}

/** Where history is read from. */
export interface HistorySource {
  readonly statements: Statements;
  readonly payloads: Payloads;
  /** The turn that is being built, which is not told. */
  readonly turn: number;
  /** Throws when nothing can be read any more. */
  assertOpen(): void;
}

/** The committed turns that are kept, oldest first. Throws ABORTED. */
export async function* readHistory(
  source: HistorySource,
  { from = 0, tree, signal }: HistoryQuery,
): AsyncIterableIterator<TurnRecord> {
  // A turn that does not name the tree need not be parsed.
  const name = tree === undefined ? '' : JSON.stringify(tree);
  for (let next = from; ;) {
    if (signal?.aborted === true) {
      throw new PerdureError('ABORTED', 'The reading of the history was aborted.', { cause: signal.reason });
    }
    source.assertOpen();
    const rows = source.statements
      .of('select turn, at, causes, changed from turns where turn >= ? and turn < ? order by turn limit ?')
      .all(next, source.turn, PAGE) as TurnRow[];
    for (const row of rows) {
      next = row.turn + 1;
      const causes = causesOf(source.payloads, row);
      if (!causes.includes(name) && !row.changed.includes(name)) continue;
      const record = recordOf({ ...row, causes });
      if (tree === undefined || concerns(record, tree)) yield record;
    }
    if (rows.length < PAGE) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The newest of the turns after this one, the oldest first. */
export function newestTurns(
  { statements, payloads, turn }: Omit<HistorySource, 'assertOpen'>,
  after: number,
  limit: number,
): TurnRecord[] {
  const rows = statements
    .of('select turn, at, causes, changed from turns where turn > ? and turn < ? order by turn desc limit ?')
    .all(after, turn, limit) as TurnRow[];
  return rows.reverse().map((row) => recordOf({ ...row, causes: causesOf(payloads, row) }));
}

/** Throws KEY_UNKNOWN. */
function causesOf(payloads: Payloads, { turn, causes }: TurnRow): string {
  if (causes === NOTHING) return NOTHING;
  try {
    return payloads.unseal(causes, () => `turn ${turn}`);
  } catch (error) {
    if (isPerdureError(error, 'ROW_CORRUPT')) return '';
    throw error;
  }
}

function concerns({ causes, changed }: TurnRecord, tree: string): boolean {
  return causes.some((cause) => cause.tree === tree) || changed.some((one) => one.tree === tree);
}

/** One damaged row must not hide the others. */
function recordOf({ turn, at, causes, changed }: TurnRow): TurnRecord {
  const told = listOf<RecordedCause>(causes, isCause);
  const byTree = listOf<[string, string[]]>(changed, isChange);
  return {
    turn,
    at,
    causes: told ?? [],
    changed: (byTree ?? []).flatMap(([tree, actors]) => actors.map((actor) => ({ tree, actor }))),
    ...(told === undefined || byTree === undefined ? { isUnreadable: true } : {}),
  };
}

function listOf<T>(text: string, isOne: (value: unknown) => boolean): T[] | undefined {
  try {
    const list = JSON.parse(text) as unknown;
    return Array.isArray(list) && list.every(isOne) ? list : undefined;
  } catch {
    return undefined;
  }
}

function isCause(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Partial<RecordedCause>).tree === 'string';
}

function isChange(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'string' && Array.isArray(value[1]);
}
