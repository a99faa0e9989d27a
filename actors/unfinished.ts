/** What keeps a long run from being done, read from rows: for the stop gate, and for whoever wants to know. */
import type { UnfinishedCounts, UnfinishedKind } from '../machines/stop-gate.ts';
import type { Rows } from '../persistence/rows.ts';

/** Something that is not finished, or not verified. */
export interface Unfinished {
  readonly kind: UnfinishedKind;
  /** Of the action, the plan, or the run itself. */
  readonly id: string;
  readonly why: string;
}

type Reader = Pick<Rows, 'get' | 'all'>;
type Countable = keyof UnfinishedCounts;

/** So many of a kind are listed. */
export const LISTED = 100;

/** Each is answered by an index of its own. `since` counts for what failed only. */
const FROM: Readonly<Record<Countable, string>> = {
  waiting: `select id, 'waits for a slot' as why from actions where state = 'waiting'
    union all select id, 'waits until others of its key have had their turn' as why from actions where state = 'held'
    union all select id, 'waits for its time' as why from actions where state = 'delayed'`,
  running: `select id, iif(retry_at is null, 'runs', 'backs off') as why from actions where state = 'running'`,
  asking: `select action as id, 'waits until somebody says that it may run' as why from approvals where state = 'open'`,
  parked: `select id, 'no handler of ' || name || ', version ' || version || ', is registered' as why
    from actions where state = 'parked'`,
  plan: `select id, 'the plan has steps to go' as why from plans where state <> 'settled'`,
  debt: `select id, fallback || ' stood in for ' || name || iif(state = 'unpayable',
    ', and the real work failed for good', ', and the real work is owed') as why
    from debts where state <> 'paid'`,
  // The failure of a step is its plan's, and that of a payment leaves the debt.
  failed: `select id, 'failed' as why from actions
    where kind = 'failed' and settled_at >= ? and plan is null and pays is null
    union all select id, 'the plan failed' as why from plans where kind = 'failed' and settled_at >= ?`,
};

const COUNTABLE = Object.keys(FROM) as Countable[];

/**
 * How many there are, each counted up to `most`.
 *
 * @param since what failed before is not counted, ms since 1970.
 */
export function countUnfinished(rows: Reader, since: number, most = Number.MAX_SAFE_INTEGER): UnfinishedCounts {
  const count = (kind: Countable) => {
    const sql = `select count(*) as n from (${FROM[kind]} limit ${most})`;
    return rows.get<{ n: number }>(sql, ...cellsOf(kind, since))?.n ?? 0;
  };
  return Object.fromEntries(COUNTABLE.map((kind) => [kind, count(kind)])) as Record<Countable, number>;
}

/** The first hundred of each kind. */
export function listUnfinished(rows: Reader, since: number): Unfinished[] {
  return COUNTABLE.flatMap((kind) =>
    rows
      .all<Omit<Unfinished, 'kind'>>(`${FROM[kind]} limit ${LISTED}`, ...cellsOf(kind, since))
      .map((one) => ({ kind, ...one })),
  );
}

function cellsOf(kind: Countable, since: number): number[] {
  return kind === 'failed' ? [since, since] : [];
}
