/**
 * What happened: one row for every committed turn, with what caused it and whom it changed. Restoring never depends on it.
 *
 * H1  The row of a turn is written in its own transaction: history says neither more nor less than what was committed.
 * H2  While history is kept, so is every version of every row that a kept turn sees.
 * H3  Reading goes page by page, and holds nothing open between two pages: it never disturbs the writer.
 */
import { messageOf } from '../errors.ts';
import type { Clock } from './clock.ts';
import { encode, type Refs } from './codec.ts';
import type { Payloads } from './payloads.ts';
import type { Statements } from './rows.ts';
import type { Versions } from './versions.ts';
import type { AnyEventObject } from './xstate-port.ts';

/** What began a turn, as far as it is known when it begins. */
export interface Cause {
  readonly kind: 'start' | 'resume' | 'send' | 'timer' | 'result' | 'outbox';
  /** Where the event went: a systemId, a path, or nothing for the root. */
  readonly to?: string | undefined;
  readonly event?: AnyEventObject;
  /** The id of the message. */
  readonly id?: string | undefined;
}

/** What began a turn, as it is remembered. */
export interface RecordedCause {
  readonly kind: Cause['kind'];
  /** The name of the tree. */
  readonly tree: string;
  readonly to?: string;
  readonly id?: string;
  /** The event, redacted; a long one is cut to its type. */
  readonly event?: { readonly type: string; readonly [key: string]: unknown };
}

/** One committed turn. */
export interface TurnRecord {
  readonly turn: number;
  /** Wall-clock ms. */
  readonly at: number;
  /** What shared the commit, in order. */
  readonly causes: readonly RecordedCause[];
  /** The actors that it changed, as paths in their trees; `#n` for one whose row is not kept any more. */
  readonly changed: readonly { readonly tree: string; readonly actor: string }[];
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

/** Characters of an event's JSON that are kept. */
const EVENT_LIMIT = 4_096;
/** Actors of a tree that one turn names. */
const CHANGED_LIMIT = 1_000;
const PAGE = 128;
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
  /** Row ids of the actors changed in this batch, by the number of their tree. */
  readonly #changed = new Map<number, number[]>();

  constructor(statements: Statements, clock: Clock, versions: Versions, payloads: Payloads) {
    this.#statements = statements;
    this.#clock = clock;
    this.#payloads = payloads;
    this.#versions = versions;
  }

  /** An actor's row is being written. */
  changed(tree: number, actor: number): void {
    const actors = this.#changed.get(tree);
    if (actors === undefined) this.#changed.set(tree, [actor]);
    else if (actors.length < CHANGED_LIMIT) actors.push(actor);
  }

  /** What a tree wrote in this batch was undone. */
  forget(tree: number): void {
    this.#changed.delete(tree);
  }

  rollback(): void {
    this.#changed.clear();
  }

  /** Writes the row of the turn into its transaction. */
  write(turn: number, caused: readonly Caused[], bytes: number): void {
    if (caused.length === 0 && this.#changed.size === 0) return;
    const causes = this.#payloads.seal(
      `[${caused.map((one) => this.#causeText(one)).join(',')}]`,
      () => `turn ${turn}`,
    );
    const changed = JSON.stringify([...this.#changed]);
    const size = bytes + causes.length + changed.length;
    this.#statements.of('insert into turns values (?, ?, ?, ?, ?)').run(turn, this.#clock.now(), causes, changed, size);
    this.#versions.added(size);
    this.#changed.clear();
  }

  #causeText({ participant, cause: { kind, to, event, id } }: Caused): string {
    let text = `{"kind":"${kind}","tree":${JSON.stringify(participant.id)}`;
    if (to !== undefined) text += `,"to":${JSON.stringify(to)}`;
    if (id !== undefined) text += `,"id":${JSON.stringify(id)}`;
    if (event !== undefined) text += `,"event":${this.#eventText(event)}`;
    return `${text}}`;
  }

  #eventText(event: AnyEventObject): string {
    try {
      const text = this.#payloads.secrets.redactText(
        encode(this.#payloads.shown(event), NO_REFS, 'an event of the history'),
      );
      if (text.length <= EVENT_LIMIT) return text;
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

/** The committed turns that are kept, oldest first. `present` gives the turn that is being built, which is not among them. */
export async function* readHistory(
  statements: Statements,
  payloads: Payloads,
  present: () => number,
  { from = 0, tree, signal }: HistoryQuery,
): AsyncIterableIterator<TurnRecord> {
  let next = from;
  for (;;) {
    signal?.throwIfAborted();
    const rows = statements
      .of('select turn, at, causes, changed from turns where turn >= ? and turn < ? order by turn limit ?')
      .all(next, present(), PAGE) as TurnRow[];
    for (const row of rows) {
      next = row.turn + 1;
      const record = recordOf(statements, payloads, row);
      if (tree === undefined || concerns(record, tree)) yield record;
    }
    if (rows.length < PAGE) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function concerns({ causes, changed }: TurnRecord, tree: string): boolean {
  return causes.some((cause) => cause.tree === tree) || changed.some((one) => one.tree === tree);
}

function recordOf(statements: Statements, payloads: Payloads, { turn, at, causes, changed }: TurnRow): TurnRecord {
  const byTree = JSON.parse(changed) as [number, number[]][];
  return {
    turn,
    at,
    causes: JSON.parse(payloads.unseal(causes, () => `turn ${turn}`)) as RecordedCause[],
    changed: byTree.flatMap(([tree, actors]) => {
      const name = statements.of('select name from trees where tree = ?').get(tree) as { name: string } | undefined;
      return actors.map((actor) => ({ tree: name?.name ?? `#${tree}`, actor: actorPath(statements, actor) }));
    }),
  };
}

/** The keys from the root down, from the rows that are there or were. */
function actorPath(statements: Statements, id: number): string {
  const find = statements.of(
    `select key, parent from actors where id = ?1
     union all select key, parent from actors_past where id = ?1 limit 1`,
  );
  const keys: string[] = [];
  for (let next: number | null = id; next !== null;) {
    const row = find.get(next) as { key: string; parent: number | null } | undefined;
    if (row === undefined) return `#${id}`;
    if (row.parent !== null || keys.length === 0) keys.unshift(row.key);
    next = row.parent;
  }
  return keys.join('/');
}
