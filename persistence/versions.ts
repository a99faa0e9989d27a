/**
 * Which versions of rows are kept: those that a named turn (a checkpoint) sees, and, while history is kept, those that a
 * turn of the history sees. The rest is deleted a little with every commit, in proportion to what the commit wrote, so
 * that it keeps up and no turn waits for it.
 *
 * V1  A version [from_turn, to_turn) is kept while a named turn lies in it, or a turn of the history.
 * V2  A version is looked at once when history leaves it behind, and once when a checkpoint that may have held it is
 *     forgotten: the cost does not depend on how much is kept.
 */
import type { Statements, TurnName } from './rows.ts';

/** How far back history goes: whatever is exceeded first. */
export interface RetentionLimits {
  /** ms. Default: 7 days. */
  readonly maxAgeMs?: number;
  /** Turns. Default: 100,000. */
  readonly maxTurns?: number;
  /** Bytes that the turns wrote. Default: 256 MiB. */
  readonly maxBytes?: number;
}

const DEFAULTS: Required<RetentionLimits> = { maxAgeMs: 7 * 86_400_000, maxTurns: 100_000, maxBytes: 256 * 2 ** 20 };
const NONE: Required<RetentionLimits> = { maxAgeMs: 0, maxTurns: 0, maxBytes: 0 };
/** Checkpoints kept; older ones are forgotten. */
const KEPT_CHECKPOINTS = 10;
/** Looked at with one commit: so many, and twice as many as the commit wrote. */
const STEP = 32;
/** Past every turn. */
const ALL = Number.MAX_SAFE_INTEGER;

/** Ends of versions that are to be looked at: after one turn, up to another. */
interface Range {
  after: number;
  readonly upTo: number;
}

export class Versions {
  readonly #statements: Statements;
  readonly #limits: Required<RetentionLimits>;
  readonly #keepsHistory: boolean;
  #tables: readonly string[] | undefined;
  readonly #ranges: Range[];
  #oldest: { turn: number; at: number; bytes: number } | undefined;
  /** The oldest turn of the history when it was last looked at. */
  #floor: number;
  #turns = 0;
  #bytes = 0;
  #counted = false;

  /** `limits` is undefined where no history is kept. */
  constructor(statements: Statements, limits: RetentionLimits | undefined) {
    this.#statements = statements;
    this.#keepsHistory = limits !== undefined;
    this.#limits = limits === undefined ? NONE : { ...DEFAULTS, ...limits };
    this.#floor = this.#readOldest()?.turn ?? 0;
    this.#ranges = [{ after: 0, upTo: this.#keepsHistory ? this.#floor : ALL }];
  }

  /** Says from which turn on versions are to be kept. In a transaction. */
  keep(): void {
    if (this.#keepsHistory) this.#statements.of('update kept set turn = ?').run(ALL);
    else this.#statements.of('update kept set turn = (select coalesce(max(turn), 0) from checkpoints)').run();
  }

  /** A turn was added to the history. */
  added(bytes: number): void {
    this.#count();
    this.#turns += 1;
    this.#bytes += bytes;
  }

  /** The batch was undone: what was counted may not be so. */
  rollback(): void {
    this.#counted = false;
    this.#oldest = undefined;
  }

  /** Names the turn that is being committed. Its rows must all be written: what changes later is kept for it. */
  name(turn: number, names: readonly TurnName[]): void {
    if (names.length === 0) return;
    const put = this.#statements.of('insert into checkpoints values (?, ?, ?, ?, ?) on conflict(turn) do nothing');
    for (const { at, reason, label, detail } of names) put.run(turn, at, reason, label ?? null, detail ?? null);
    const named = this.#statements
      .of('select turn from checkpoints order by turn desc limit ?')
      .all(KEPT_CHECKPOINTS + 1) as { turn: number }[];
    const [oldest, next] = [named[KEPT_CHECKPOINTS], named[KEPT_CHECKPOINTS - 1]];
    if (oldest !== undefined && next !== undefined) {
      this.#statements.of('delete from checkpoints where turn <= ?').run(oldest.turn);
      this.#ranges.push({ after: oldest.turn, upTo: next.turn });
    }
    if (!this.#keepsHistory) this.keep();
  }

  /** Forgets a little of what is kept no longer. `written` is how many rows the commit writes. */
  step(now: number, written: number): void {
    let budget = STEP + 2 * written;
    budget = this.#forgetTurns(now, budget);
    while (budget > 0 && this.#ranges[0] !== undefined) budget = this.#forgetIn(this.#ranges[0], budget);
  }

  #forgetTurns(now: number, budget: number): number {
    this.#count();
    while (budget > 0 && this.#turns > 0 && this.#isBeyond(now)) {
      const { turn, bytes } = this.#oldest as { turn: number; bytes: number };
      this.#statements.of('delete from turns where turn = ?').run(turn);
      this.#turns -= 1;
      this.#bytes -= bytes;
      this.#oldest = this.#readOldest();
      budget -= 1;
    }
    if (this.#keepsHistory && this.#oldest !== undefined && this.#oldest.turn > this.#floor) {
      this.#ranges.push({ after: this.#floor, upTo: this.#oldest.turn });
      this.#floor = this.#oldest.turn;
    }
    return budget;
  }

  #isBeyond(now: number): boolean {
    const { maxAgeMs, maxTurns, maxBytes } = this.#limits;
    this.#oldest ??= this.#readOldest();
    if (this.#oldest === undefined) return false;
    return this.#turns > maxTurns || this.#bytes > maxBytes || this.#oldest.at < now - maxAgeMs;
  }

  #readOldest(): { turn: number; at: number; bytes: number } | undefined {
    return this.#statements.of('select turn, at, bytes from turns order by turn limit 1').get() as never;
  }

  #count(): void {
    if (this.#counted) return;
    this.#counted = true;
    const count = this.#statements.of('select count(*) as turns, coalesce(sum(bytes), 0) as bytes from turns').get();
    const { turns, bytes } = count as { turns: number; bytes: number };
    this.#turns = turns;
    this.#bytes = bytes;
    this.#oldest = undefined;
  }

  /** V1 for the versions that ended in a range, whole turns at a time. Gives what is left of the budget. */
  #forgetIn(range: Range, budget: number): number {
    let reached = range.upTo;
    for (const table of this.#versioned()) {
      const ends = this.#statements
        .of(`select to_turn from ${table}_past where to_turn > ? and to_turn <= ? order by to_turn limit 1 offset ?`)
        .get(range.after, reached, budget) as { to_turn: number } | undefined;
      // A turn that ended more versions than the budget is looked at whole, or there would be no end.
      if (ends !== undefined) reached = Math.max(ends.to_turn - 1, range.after + 1);
    }
    for (const table of this.#versioned()) {
      budget -= this.#statements
        .of(
          `delete from ${table}_past where to_turn > ? and to_turn <= ? and not exists (
             select 1 from checkpoints where turn >= ${table}_past.from_turn and turn < ${table}_past.to_turn)`,
        )
        .run(range.after, reached).changes;
    }
    range.after = reached;
    if (reached < range.upTo) return 0;
    this.#ranges.shift();
    return budget - STEP;
  }

  /** Read once: a table that is declared later has no past that is older than this process. */
  #versioned(): readonly string[] {
    if (this.#tables === undefined) {
      const past = `select name from sqlite_schema where type = 'table' and name like '%\\_past' escape '\\'`;
      const tables = this.#statements.of(past).all() as { name: string }[];
      this.#tables = tables.map(({ name }) => name.slice(0, -'_past'.length));
    }
    return this.#tables;
  }
}
