/**
 * The turns that have a name, and which of them are forgotten in time: a little with the commits, so that no turn waits for it.
 *
 * G1  Kept are all of the last hour, then the newest of each hour for a day, then the newest of each day for a month.
 * G2  Pinned ones are kept for ever, and the newest two are kept whatever the limits say.
 * G3  The one that somebody goes back to is not forgotten meanwhile: the name of what was there before would push it out.
 */
import { PerdureError } from '../errors.ts';
import type { Statements, TurnName } from './rows.ts';

/** How long checkpoints are kept; those that are pinned stay for ever, and the newest two always. */
export interface CheckpointLimits {
  /** All of them so long, ms. Default: an hour. */
  readonly allMs?: number;
  /** The newest of each hour so long, ms. Default: a day. */
  readonly hourlyMs?: number;
  /** The newest of each day so long, ms. Default: 30 days. */
  readonly dailyMs?: number;
  /** So many of the time in which all are kept, from 2; older ones count as older than that. Default: 1,000. */
  readonly keepAtMost?: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DEFAULTS: Required<CheckpointLimits> = { allMs: HOUR, hourlyMs: DAY, dailyMs: 30 * DAY, keepAtMost: 1_000 };
/** Kept whatever the limits say. */
const ALWAYS = 2;
/** Checkpoints looked at with each that is named. */
const LOOKED_AT = 8;

interface Named {
  readonly turn: number;
  readonly at: number;
}

/** A checkpoint that was forgotten, and the next one; undefined where it was the newest. */
export interface Forgotten {
  readonly turn: number;
  readonly next: number | undefined;
}

/** The limits with their defaults. Throws OPTIONS_INVALID. */
export function checkpointLimits(limits: CheckpointLimits = {}): Required<CheckpointLimits> {
  refuseOthers(limits);
  const all = {
    allMs: limits.allMs ?? DEFAULTS.allMs,
    hourlyMs: limits.hourlyMs ?? DEFAULTS.hourlyMs,
    dailyMs: limits.dailyMs ?? DEFAULTS.dailyMs,
    keepAtMost: limits.keepAtMost ?? DEFAULTS.keepAtMost,
  };
  const { allMs, hourlyMs, dailyMs, keepAtMost } = all;
  for (const [name, value] of Object.entries({ allMs, hourlyMs, dailyMs })) {
    if (!(typeof value === 'number' && value >= 0)) throw invalid(name, 'is a number of ms from 0 up', value);
  }
  if (!(Number.isSafeInteger(keepAtMost) && keepAtMost >= ALWAYS)) {
    throw invalid('keepAtMost', 'is a whole number from 2 up, for less would forget the last good one', keepAtMost);
  }
  if (allMs > hourlyMs) throw invalid('hourlyMs', `is at least allMs (${allMs})`, hourlyMs);
  if (hourlyMs > dailyMs) throw invalid('dailyMs', `is at least hourlyMs (${hourlyMs})`, dailyMs);
  return all;
}

function refuseOthers(limits: unknown): void {
  const isObject = typeof limits === 'object' && limits !== null && !Array.isArray(limits);
  const unknown = isObject ? Object.keys(limits).find((name) => !Object.hasOwn(DEFAULTS, name)) : undefined;
  if (isObject && unknown === undefined) return;
  const names = Object.keys(DEFAULTS).join(', ');
  const got = isObject ? `"${unknown}"` : Array.isArray(limits) ? 'an array' : String(limits);
  throw new PerdureError('OPTIONS_INVALID', `\`checkpoints\` is an object of some of ${names}; got ${got}.`, {
    facts: { option: 'checkpoints' },
  });
}

function invalid(name: string, expected: string, value: unknown): PerdureError {
  return new PerdureError('OPTIONS_INVALID', `checkpoints.${name} ${expected}; got ${String(value)}.`, {
    facts: { option: `checkpoints.${name}` },
  });
}

/** G1, for one that has newer ones: a period is kept by the newest checkpoint in it. */
export function outlives(one: Named, next: Named, limits: Required<CheckpointLimits>, now: number): boolean {
  const age = now - one.at;
  if (age < limits.hourlyMs && periodOf(one, HOUR) !== periodOf(next, HOUR)) return true;
  return age < limits.dailyMs && periodOf(one, DAY) !== periodOf(next, DAY);
}

function periodOf({ at }: Named, length: number): number {
  return Math.floor(at / length);
}

export class Checkpoints {
  readonly #statements: Statements;
  readonly #limits: Required<CheckpointLimits>;
  /** Up to here they were looked at. */
  #lookedAt = 0;
  #spared: number | undefined;

  constructor(statements: Statements, limits: CheckpointLimits | undefined) {
    this.#statements = statements;
    this.#limits = checkpointLimits(limits);
  }

  /** Names a turn; a second name of it adds what the first does not say. */
  name(turn: number, { at, reason, label, detail, pinned = false }: TurnName): void {
    this.#statements
      .of(
        `insert into checkpoints(turn, at, reason, label, detail, pinned) values (?, ?, ?, ?, ?, ?)
         on conflict(turn) do update set label = coalesce(label, excluded.label),
           detail = coalesce(detail, excluded.detail), pinned = max(pinned, excluded.pinned)`,
      )
      .run(turn, at, reason, label ?? null, detail ?? null, pinned ? 1 : 0);
  }

  /** G3. Until another one is spared: it can be gone back to again. */
  spare(turn: number): void {
    this.#spared = turn;
  }

  /** The newest; 0 when there is none. */
  get newest(): number {
    const row = this.#statements.of('select coalesce(max(turn), 0) as turn from checkpoints').get();
    return (row as { turn: number }).turn;
  }

  /** The next one after a turn. */
  after(turn: number): Named | undefined {
    const find = this.#statements.of('select turn, at from checkpoints where turn > ? order by turn limit 1');
    return find.get(turn) as Named | undefined;
  }

  /** Forgets those of the last hour that are too many. */
  forgetSurplus(now: number): Forgotten[] {
    const { keepAtMost, allMs } = this.#limits;
    const surplus = this.#statements
      .of('select turn, at from checkpoints where pinned = 0 order by turn desc limit ? offset ?')
      .all(LOOKED_AT, keepAtMost) as Named[];
    return surplus.filter(({ at }) => now - at < allMs).flatMap((one) => this.#forget(one, now) ?? []);
  }

  /** Looks at some of those that are older than the time in which all are kept. */
  forgetOld(now: number, most = LOOKED_AT): Forgotten[] {
    const forgotten: Forgotten[] = [];
    // One of a time to come (the clock was ahead) says nothing of how old those after it are.
    const find = this.#statements.of(
      'select turn, at from checkpoints where pinned = 0 and turn > ? and at <= ? order by turn limit 1',
    );
    for (let left = most; left > 0; left--) {
      const one = find.get(this.#lookedAt, now) as Named | undefined;
      if (one === undefined || now - one.at < this.#limits.allMs) {
        this.#lookedAt = 0;
        break;
      }
      this.#lookedAt = one.turn;
      const gone = this.#forget(one, now);
      if (gone !== undefined) forgotten.push(gone);
    }
    return forgotten;
  }

  /** G1, G2, G3. */
  #forget(one: Named, now: number): Forgotten | undefined {
    if (one.turn === this.#spared) return undefined;
    const newer = this.#statements
      .of(`select turn, at from checkpoints where turn > ? order by turn limit ${ALWAYS}`)
      .all(one.turn) as Named[];
    const [next] = newer;
    if (next === undefined || newer.length < ALWAYS || outlives(one, next, this.#limits, now)) return undefined;
    this.#statements.of('delete from checkpoints where turn = ?').run(one.turn);
    return { turn: one.turn, next: next.turn };
  }
}
