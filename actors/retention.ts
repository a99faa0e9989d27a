/**
 * How long outcomes are kept. What is old enough is removed from its tables, a bounded number of rows a turn; never what
 * somebody may still need: work that is owed, steps of a plan that has not settled, what is half undone.
 *
 * A plan goes as a whole: its steps' actions first and itself last, so that a plan which is there has all of its steps' kinds.
 */
import { PerdureError } from '../errors.ts';
import { shown, unknownKey } from '../machines/option-keys.ts';
import type { RetentionEvent } from '../machines/retention.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Cell, Rows } from '../persistence/rows.ts';
import { checkObject, refuse } from './action-options.ts';

const DAY_MS = 86_400_000;

/** How long outcomes are kept. `Infinity` keeps them for ever. */
export interface RetentionOptions {
  /** Of actions and plans that did not fail, ms since they settled. Default: 30 days. */
  readonly succeededMs?: number;
  /** Of those that failed, dead letters included, ms. Default: 90 days. */
  readonly failedMs?: number;
  /**
   * At most so many settled actions that are no steps, and so many settled plans: the latest, and beside them what is
   * still needed. Default: any number.
   */
  readonly maxRows?: number;
}

export type RetentionPolicy = Required<RetentionOptions>;

/** With the defaults filled in. Throws OPTIONS_INVALID. */
export function retentionPolicy(options: RetentionOptions = {}): RetentionPolicy {
  checkObject('retention', options);
  refuse('retention', unknownKey(options, ['succeededMs', 'failedMs', 'maxRows']), {});
  const { succeededMs = 30 * DAY_MS, failedMs = 90 * DAY_MS, maxRows = Infinity } = options;
  checkAge('succeededMs', succeededMs);
  checkAge('failedMs', failedMs);
  if (maxRows !== Infinity && !(Number.isSafeInteger(maxRows) && maxRows >= 1))
    throw invalid('maxRows', 'a whole number from 1, or Infinity', maxRows);
  return { succeededMs, failedMs, maxRows };
}

function checkAge(name: string, ms: number): void {
  if (!(typeof ms === 'number' && ms >= 0)) throw invalid(name, 'ms, 0 or more, or Infinity', ms);
}

function invalid(name: string, expected: string, got: unknown): PerdureError {
  return new PerdureError('OPTIONS_INVALID', `retention.${name} must be ${expected}, got ${shown(got)}.`, {
    facts: { option: `retention.${name}` },
  });
}

/** What retention needs of the world. */
export interface RetentionWorld {
  readonly rows: Rows;
  readonly clock: Pick<Clock, 'now'>;
  readonly retention: RetentionPolicy;
}

/** What the actions of a machine are called with. */
type Self = { readonly self: { send(event: RetentionEvent): void } };

/** The actions of retention, on rows. */
export function retentionActions({ rows, clock, retention }: RetentionWorld) {
  // To find them costs as much as is kept: they are found once, for all the turns that it takes to remove what goes.
  let surplus: Surplus | undefined;
  return {
    prune: ({ self }: Self, { limit }: { limit: number }) => {
      surplus ??= {
        actions: newestTooMany(rows, retention, 'actions'),
        plans: newestTooMany(rows, retention, 'plans'),
      };
      const more = new Pruning(rows, retention, surplus, clock.now(), limit).run() >= limit;
      if (!more) surplus = undefined;
      self.send({ type: 'retention.pruned', more });
    },
  };
}

/** What else must hold of an action that goes. */
const NOT_NEEDED = `
  not exists (select 1 from debts where debts.id = coalesce(actions.pays, actions.id) and debts.state <> 'paid')
  and not exists (select 1 from compensations where compensations.action = actions.id)`;

const OLD = `settled_at <= ? and (kind <> 'failed' or settled_at <= ?)`;

/** What can go, the oldest first. */
const GOES = {
  actions: `settled_at is not null and plan is null and ${NOT_NEEDED}`,
  plans: `settled_at is not null and not exists (
    select 1 from actions where plan = plans.id and (state <> 'settled' or not (${NOT_NEEDED})))`,
} as const;

const SETTLED = { actions: 'settled_at is not null and plan is null', plans: 'settled_at is not null' } as const;

/** A row's place among those that have settled. */
interface Place {
  readonly settled_at: number;
  readonly kind: string;
  readonly seq: number;
}

/** The newest of each table that goes because there are `maxRows` newer ones. */
type Surplus = Readonly<Record<'actions' | 'plans', Place | undefined>>;

const UP_TO = '(settled_at, kind, seq) <= (?, ?, ?)';

function newestTooMany(rows: Rows, { maxRows }: RetentionPolicy, table: 'actions' | 'plans'): Place | undefined {
  if (maxRows === Infinity) return undefined;
  return rows.get<Place>(
    `select settled_at, kind, seq from ${table} where ${SETTLED[table]}
     order by settled_at desc, kind desc, seq desc limit 1 offset ?`,
    maxRows,
  );
}

function cellsOf({ settled_at, kind, seq }: Place): Cell[] {
  return [settled_at, kind, seq];
}

/** One turn's removing. */
class Pruning {
  readonly #rows: Rows;
  readonly #surplus: Surplus;
  readonly #cutOff: readonly [settled: number, failed: number];
  #left: number;

  constructor(rows: Rows, policy: RetentionPolicy, surplus: Surplus, now: number, limit: number) {
    this.#rows = rows;
    this.#surplus = surplus;
    this.#cutOff = [now - policy.succeededMs, now - policy.failedMs];
    this.#left = limit;
  }

  /** Gives how many rows it removed: as many as it may when there can be more. */
  run(): number {
    const limit = this.#left;
    this.#remove('debts', `state = 'paid' and paid_at <= ?`, this.#left, this.#cutOff[0]);
    this.#remove('actions', `${GOES.actions} and ${OLD} order by settled_at`, this.#left, ...this.#cutOff);
    const { actions } = this.#surplus;
    if (actions !== undefined)
      this.#remove('actions', `${GOES.actions} and ${UP_TO} order by settled_at`, this.#left, ...cellsOf(actions));
    while (this.#left > 0) {
      const plan = this.#oldPlan();
      if (plan === undefined) break;
      for (const table of ['actions', 'edges', 'steps']) this.#remove(table, 'plan = ?', this.#left, plan);
      this.#remove('plans', 'id = ?', this.#left, plan);
    }
    return limit - this.#left;
  }

  #oldPlan(): string | undefined {
    const first = (where: string, ...cells: Cell[]) =>
      this.#rows.get<{ id: string }>(`select id from plans where ${where} order by settled_at limit 1`, ...cells)?.id;
    const old = first(`${GOES.plans} and ${OLD}`, ...this.#cutOff);
    const { plans } = this.#surplus;
    return old ?? (plans && first(`${GOES.plans} and ${UP_TO}`, ...cellsOf(plans)));
  }

  /** Removes the first rows of which this holds, at most so many, and no more than may still be. */
  #remove(table: string, where: string, most: number, ...cells: Cell[]): void {
    const limit = Math.min(most, this.#left);
    if (limit <= 0) return;
    this.#left -= this.#rows.run(
      `delete from ${table} where id in (select id from ${table} where ${where} limit ?)`,
      ...cells,
      limit,
    );
  }
}
