/**
 * The ids of the messages that were accepted, by tree: what makes a repeated `send` harmless.
 *
 * I1  An id is accepted in the transaction of the turn that its message began, and forgotten with it if that is undone.
 * I2  An id is kept for at least `dedupeForMs`; forgetting never stalls a turn.
 * I3  Ids of the form `client:n` that count up by one cost one row a client, whatever their number, and one more for every
 *     gap; any other id is kept by itself. Which ids are repeats is the same either way.
 */
import { PerdureError } from '../errors.ts';
import type { Clock } from './clock.ts';
import type { Cell, Statements } from './rows.ts';
import { isStorable } from './xstate-port.ts';

const WEEK_MS = 7 * 86_400_000;
/** Ids looked at in one go, when old ones are forgotten. */
const CHUNK = 1_000;
/** In these, SQLite's order, by bytes, is JavaScript's, by UTF-16 units. */
const ASCII = /^[\x20-\x7e]*$/;

/** What the ids need of their store. */
export interface IdHost {
  readonly turn: number;
  readonly clock: Clock;
}

/** Numbered ids of one client: those from `low` to `high` were taken. */
interface Range {
  readonly low: number;
  high: number;
}

/** The ids of one tree that were taken in this batch and are not written. */
interface Unwritten {
  readonly ids: Set<string>;
  /** By client: those that are new, or were extended. */
  readonly ranges: Map<string, Range[]>;
}

/** An id of the form `client:n`. */
interface NumberedId {
  readonly client: string;
  readonly n: number;
}

/** n as JavaScript writes it: every other spelling is another id. */
const NUMBER = /^(?:0|[1-9]\d{0,14})$/;

function numberedId(id: string): NumberedId | undefined {
  const colon = id.lastIndexOf(':');
  if (colon < 1) return undefined;
  const n = id.slice(colon + 1);
  return NUMBER.test(n) ? { client: id.slice(0, colon), n: Number(n) } : undefined;
}

/** A walk through a table, a chunk at a time, that forgets what is old. */
class Forgetting {
  readonly #statements: Statements;
  readonly #read: string;
  readonly #delete: string;
  readonly #start: readonly Cell[];
  #after: readonly Cell[];
  #oldestLeft = Number.POSITIVE_INFINITY;
  #nothingBefore = 0;

  /** `start` is a key before all others. */
  constructor(statements: Statements, table: string, key: readonly string[], start: readonly Cell[]) {
    const [columns, marks] = [key.join(', '), key.map(() => '?').join(', ')];
    this.#statements = statements;
    this.#read = `select ${columns}, at from ${table} where (${columns}) > (${marks}) order by ${columns} limit ?`;
    this.#delete = `delete from ${table} where (${columns}) = (${marks})`;
    this.#start = this.#after = start;
  }

  /** The next walk begins when the oldest that this one left expires. */
  step(now: number, keptForMs: number): void {
    if (now < this.#nothingBefore) return;
    const oldest = now - keptForMs;
    const chunk = this.#statements
      .of(this.#read)
      .raw()
      .all(...this.#after, CHUNK) as Cell[][];
    for (const cells of chunk) {
      const at = cells.at(-1) as number;
      if (at < oldest) this.#statements.of(this.#delete).run(...cells.slice(0, -1));
      else this.#oldestLeft = Math.min(this.#oldestLeft, at);
    }
    const last = chunk.length < CHUNK ? undefined : chunk.at(-1)?.slice(0, -1);
    this.#after = last ?? this.#start;
    if (last !== undefined) return;
    this.#nothingBefore = Math.min(this.#oldestLeft, now) + keptForMs;
    this.#oldestLeft = Number.POSITIVE_INFINITY;
  }
}

export class AcceptedIds {
  readonly #statements: Statements;
  readonly #host: IdHost;
  readonly #dedupeForMs: number;
  /** By the number of the tree. */
  readonly #unwritten = new Map<number, Unwritten>();
  #highest: string | undefined;
  readonly #forgetting: readonly Forgetting[];
  #sinceForgetting = 0;

  constructor(statements: Statements, host: IdHost, dedupeForMs = WEEK_MS) {
    this.#statements = statements;
    this.#host = host;
    this.#dedupeForMs = dedupeForMs;
    this.#forgetting = [
      new Forgetting(statements, 'accepted', ['id', 'tree'], ['', -1]),
      new Forgetting(statements, 'clients', ['client', 'tree', 'low'], ['', -1, -1]),
    ];
  }

  /** Takes a message id for a tree; false if it was taken before. Throws CODEC_REFUSED for an id that is no text. */
  accept(id: string, tree: number): boolean {
    const ascii = ASCII.test(id);
    if (!ascii && !isStorable(id)) {
      throw new PerdureError('CODEC_REFUSED', `The message id ${JSON.stringify(id)} holds half of a surrogate pair.`);
    }
    const numbered = numberedId(id);
    const isNew = (numbered === undefined && ascii && this.#isHighest(id)) || !this.has(id, tree);
    if (!isNew) return false;
    if (numbered === undefined) this.#of(tree).ids.add(id);
    else this.#extend(numbered, tree);
    this.#sinceForgetting += 1;
    return true;
  }

  /** Whether a tree took this message id before. */
  has(id: string, tree: number): boolean {
    if (this.#unwritten.get(tree)?.ids.has(id) === true) return true;
    const numbered = numberedId(id);
    if (numbered !== undefined && (this.#range(numbered, tree)?.high ?? -1) >= numbered.n) return true;
    // Numbered ones too: schema 1 kept them so.
    return this.#statements.of('select 1 from accepted where id = ? and tree = ?').get(id, tree) !== undefined;
  }

  /** Writes what was accepted in this batch: one statement for all ids of a tree. */
  write(): void {
    const at = this.#host.clock.now();
    for (const [tree, { ids, ranges }] of this.#unwritten) {
      if (ids.size === 1) {
        this.#statements.of('insert into accepted values (?, ?, ?, ?)').run(...ids, tree, this.#host.turn, at);
      } else if (ids.size > 1) {
        this.#statements
          // `or fail`: a statement that may have to undo rows of its own copies every page first, and this one is undone
          // with its transaction.
          .of('insert or fail into accepted select value, ?, ?, ? from json_each(?)')
          .run(tree, this.#host.turn, at, JSON.stringify([...ids]));
      }
      const put = this.#statements.of('insert or replace into clients values (?, ?, ?, ?, ?)');
      for (const [client, own] of ranges) for (const { low, high } of own) put.run(client, tree, low, high, at);
    }
    this.#unwritten.clear();
    // Twice as many are looked at as came in, so that forgetting keeps up.
    if (this.#sinceForgetting < CHUNK / 2) return;
    this.#sinceForgetting = 0;
    for (const forgetting of this.#forgetting) forgetting.step(at, this.#dedupeForMs);
  }

  /** The batch was undone. */
  rollback(): void {
    this.#unwritten.clear();
  }

  /** What a tree accepted in this batch was undone. */
  forget(tree: number): void {
    this.#unwritten.delete(tree);
  }

  /** Adds a number that was not taken to the range that ends before it, or begins a new one. */
  #extend({ client, n }: NumberedId, tree: number): void {
    const { ranges } = this.#of(tree);
    let own = ranges.get(client);
    if (own === undefined) ranges.set(client, (own = []));
    const range = this.#range({ client, n }, tree);
    if (range === undefined || range.high !== n - 1) return void own.push({ low: n, high: n });
    if (!own.includes(range)) own.push(range);
    range.high = n;
  }

  /** The range that begins last among those that begin at or before the number. */
  #range({ client, n }: NumberedId, tree: number): Range | undefined {
    let last: Range | undefined;
    for (const range of this.#unwritten.get(tree)?.ranges.get(client) ?? []) {
      if (range.low <= n && range.low > (last?.low ?? -1)) last = range;
    }
    if (last !== undefined && last.high >= n) return last;
    const read = 'select low, high from clients where client = ? and tree = ? and low <= ? order by low desc limit 1';
    const stored = this.#statements.of(read).get(client, tree, n) as Range | undefined;
    // Ranges do not overlap: a stored one that begins as this one does is what this one was.
    return stored !== undefined && stored.low > (last?.low ?? -1) ? stored : last;
  }

  #of(tree: number): Unwritten {
    let unwritten = this.#unwritten.get(tree);
    if (unwritten === undefined) this.#unwritten.set(tree, (unwritten = { ids: new Set(), ranges: new Map() }));
    return unwritten;
  }

  /** An id of ASCII above all that were ever taken (a UUID v7 mostly is) is new without a look at the table. */
  #isHighest(id: string): boolean {
    this.#highest ??= this.#readHighest();
    if (id <= this.#highest) return false;
    this.#highest = id;
    return true;
  }

  #readHighest(): string {
    return (this.#statements.of('select max(id) as id from accepted').get() as { id: string | null }).id ?? '';
  }
}
