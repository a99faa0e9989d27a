/**
 * Which versions of rows are kept: those that a named turn (a checkpoint) sees, and, while history is kept, those that a
 * turn of the history sees. The rest is deleted a little at a time, with the commits and in proportion to what they wrote,
 * so that it keeps up and no turn waits for it.
 *
 * V1  A version [from_turn, to_turn) is kept while a named turn lies in it, or a turn of the history.
 * V2  A version is looked at once when history leaves it behind, and once when a checkpoint that may have held it is
 *     forgotten: the cost does not depend on how much is kept.
 * V3  What is remembered here is read from the file again after a commit that was undone: nothing is forgotten on a guess.
 * V4  The history has no gap: switched off, it is forgotten at once, because from then on rows change unseen.
 */
import { PerdureError } from '../errors.ts';
import { Checkpoints, type CheckpointLimits, type Forgotten } from './checkpoints.ts';
import type { Statements, TurnName } from './rows.ts';
import { versionedTables } from './versioned-tables.ts';

/** How far back history goes: whatever is exceeded first. The newest turn is always kept. */
export interface RetentionLimits {
  /** ms. Default: 7 days. */
  readonly maxAgeMs?: number;
  /** Turns. Default: 100,000. */
  readonly maxTurns?: number;
  /** Bytes that the turns wrote: a turn is forgotten when those after it wrote more. Default: 256 MiB. */
  readonly maxBytes?: number;
}

const DEFAULTS: Required<RetentionLimits> = { maxAgeMs: 7 * 86_400_000, maxTurns: 100_000, maxBytes: 256 * 2 ** 20 };
/** Versions are looked at with every so many commits: so many for each, and twice as many as they wrote. Checkpoints, too. */
const EVERY = 16;
const CHECKPOINTS = 32;
const STEP = 32;
/** Past every turn. */
const ALL = Number.MAX_SAFE_INTEGER;
/** What the table `kept` says while history is kept. */
export const KEEPS_ALL = ALL;

/** Ends of versions that are to be looked at: after one turn, up to another. */
interface Range {
  after: number;
  upTo: number;
}

/** A turn of the history: `nth` counts them, and `total` is what they wrote up to its end, since the store was made. */
interface Mark {
  readonly turn: number;
  readonly at: number;
  readonly nth: number;
  readonly total: number;
}

/** What is remembered between commits. */
interface Kept {
  /** The ends of the history; undefined while it is empty. */
  oldest: Mark | undefined;
  newest: Mark | undefined;
  readonly ranges: Range[];
}

export class Versions {
  readonly #statements: Statements;
  readonly #limits: Required<RetentionLimits> | undefined;
  readonly #checkpoints: Checkpoints;
  #tables: readonly string[] | undefined;
  #kept: Kept | undefined;
  #commits = 0;
  #budget = 0;

  /** `limits` is undefined where no history is kept. Throws OPTIONS_INVALID. */
  constructor(statements: Statements, limits: RetentionLimits | undefined, checkpoints?: CheckpointLimits) {
    this.#statements = statements;
    this.#checkpoints = new Checkpoints(statements, checkpoints);
    this.#limits = limits && withDefaults(limits);
  }

  /** Says from which turn on versions are to be kept, and forgets a history that is kept no longer (V4). */
  keep(): void {
    const found = this.#statements.of('select turn, exists (select 1 from turns) as has from kept').get();
    const { turn, has } = found as { turn: number; has: 0 | 1 };
    const isKept = this.#limits !== undefined;
    if (turn === this.#keptUpTo() && (isKept || has === 0)) return;
    this.#statements.of('begin immediate').run();
    try {
      this.#sayKept();
      // It would be seen with rows of later turns.
      this.#statements.of('delete from turns').run();
      this.#statements.of('commit').run();
    } catch (error) {
      this.#statements.of('rollback').run();
      throw error;
    }
  }

  /** Tables were declared, which may have a past of their own. */
  declared(): void {
    this.#tables = undefined;
  }

  /** The place in the history of a turn that is being added to it. */
  add(turn: number, at: number, bytes: number): Mark {
    const kept = (this.#kept ??= this.#read());
    const { nth, total } = kept.newest ?? { nth: 0, total: 0 };
    const mark = { turn, at, nth: nth + 1, total: total + bytes };
    kept.newest = mark;
    kept.oldest ??= mark;
    return mark;
  }

  /** The batch was undone (V3). */
  rollback(): void {
    this.#kept = undefined;
  }

  /** Names a turn whose rows are all written: what changes later is kept for it. `now` is the time. */
  name(turn: number, names: readonly TurnName[], now: number): void {
    if (names.length === 0) return;
    for (const name of names) this.#checkpoints.name(turn, name);
    for (const gone of [...this.#checkpoints.forgetSurplus(now), ...this.#checkpoints.forgetOld(now)]) {
      this.#lookAtForgotten(gone, turn);
    }
    if (this.#limits === undefined) this.#sayKept();
  }

  /** Somebody wants to go back to this turn: it does not lose its name in time until another one is wanted. */
  spare(turn: number): void {
    this.#checkpoints.spare(turn);
  }

  /** A name was taken away, in the turn `present`. */
  unnamed(turn: number, present: number): void {
    this.#lookAtForgotten({ turn, next: this.#checkpoints.after(turn)?.turn }, present);
    if (this.#limits === undefined) this.#sayKept();
  }

  /** V2. What the history still sees is looked at when it has left it behind. */
  #lookAtForgotten({ turn, next }: Forgotten, present: number): void {
    this.#lookAt(turn, Math.min(next ?? present, this.#floor(present)));
  }

  /** Forgets a little of what is kept no longer. `written` is how many rows the commit writes. */
  step(now: number, written: number): void {
    const kept = (this.#kept ??= this.#read());
    this.#forgetTurns(kept, now, STEP + written);
    this.#budget += STEP + 2 * written;
    if (++this.#commits < EVERY) return;
    const forgotten = this.#checkpoints.forgetOld(now, CHECKPOINTS);
    for (const gone of forgotten) this.#lookAtForgotten(gone, gone.next ?? gone.turn);
    let budget = this.#budget;
    this.#commits = this.#budget = 0;
    while (budget > 0 && kept.ranges[0] !== undefined) budget = this.#forgetIn(kept.ranges, kept.ranges[0], budget);
  }

  #sayKept(): void {
    this.#statements.of('update kept set turn = ?').run(this.#keptUpTo());
  }

  /** Rows that a turn up to this one sees are copied before they change. */
  #keptUpTo(): number {
    if (this.#limits !== undefined) return ALL;
    return this.#checkpoints.newest;
  }

  #read(): Kept {
    const end = (order: string) =>
      this.#statements.of(`select turn, at, nth, total from turns order by turn ${order} limit 1`).get() as
        Mark | undefined;
    const oldest = end('asc');
    // What an earlier life has not looked at yet.
    const upTo = this.#limits === undefined ? ALL : (oldest?.turn ?? 0);
    return { oldest, newest: end('desc'), ranges: upTo > 0 ? [{ after: 0, upTo }] : [] };
  }

  /** The oldest turn whose rows the history sees. */
  #floor(present: number): number {
    if (this.#limits === undefined) return ALL;
    return (this.#kept ??= this.#read()).oldest?.turn ?? present;
  }

  #lookAt(after: number, upTo: number): void {
    if (upTo <= after) return;
    const { ranges } = (this.#kept ??= this.#read());
    const last = ranges.at(-1);
    if (last?.upTo === after) last.upTo = upTo;
    else ranges.push({ after, upTo });
  }

  #forgetTurns(kept: Kept, now: number, most: number): void {
    const before = kept.oldest;
    for (let left = most; left > 0 && this.#isBeyond(kept, now); left--) {
      const { turn } = kept.oldest as Mark;
      this.#statements.of('delete from turns where turn = ?').run(turn);
      const next = this.#statements.of('select turn, at, nth, total from turns where turn > ? order by turn limit 1');
      kept.oldest = next.get(turn) as Mark | undefined;
    }
    if (before !== undefined && kept.oldest !== undefined) this.#lookAt(before.turn, kept.oldest.turn);
  }

  #isBeyond({ oldest, newest }: Kept, now: number): boolean {
    if (this.#limits === undefined || oldest === undefined || newest === undefined) return false;
    if (oldest.turn === newest.turn) return false;
    const { maxAgeMs, maxTurns, maxBytes } = this.#limits;
    return newest.nth - oldest.nth >= maxTurns || newest.total - oldest.total > maxBytes || oldest.at < now - maxAgeMs;
  }

  /** V1 for the versions that ended in a range, whole turns at a time. Gives what is left of the budget. */
  #forgetIn(ranges: Range[], range: Range, budget: number): number {
    let reached = range.upTo;
    for (const table of this.#versioned()) {
      const ends = this.#statements
        .of(`select to_turn from ${table}_past where to_turn > ? and to_turn <= ? order by to_turn limit 1 offset ?`)
        .get(range.after, reached, budget) as { to_turn: number } | undefined;
      // A turn that ended more versions than the budget is looked at whole, or there would be no end.
      if (ends !== undefined) reached = Math.max(ends.to_turn - 1, range.after + 1);
    }
    let deleted = 0;
    for (const table of this.#versioned()) {
      deleted += this.#statements
        .of(
          `delete from ${table}_past where to_turn > ? and to_turn <= ? and not exists (
             select 1 from checkpoints where turn >= ${table}_past.from_turn and turn < ${table}_past.to_turn)`,
        )
        .run(range.after, reached).changes;
    }
    range.after = reached;
    if (reached < range.upTo) return 0;
    ranges.shift();
    return budget - deleted - STEP;
  }

  #versioned(): readonly string[] {
    return (this.#tables ??= versionedTables(this.#statements));
  }
}

function withDefaults(limits: RetentionLimits): Required<RetentionLimits> {
  const all = {
    maxAgeMs: limits.maxAgeMs ?? DEFAULTS.maxAgeMs,
    maxTurns: limits.maxTurns ?? DEFAULTS.maxTurns,
    maxBytes: limits.maxBytes ?? DEFAULTS.maxBytes,
  };
  for (const [name, value] of Object.entries(all)) {
    if (typeof value === 'number' && value >= 0) continue;
    throw new PerdureError('OPTIONS_INVALID', `history.${name} is a number from 0 up; got ${String(value)}.`, {
      facts: { option: `history.${name}` },
    });
  }
  return all;
}
