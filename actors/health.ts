/** Gathers what the health of a supervisor is judged by. Answers also when the store does not: that is when it is asked. */
import { isPerdureError, type PerdureError } from '../errors.ts';
import { healthOf, type Health, type HealthFacts } from '../machines/health.ts';
import type { Standings } from '../machines/resources.ts';
import { spentOf } from '../machines/burn.ts';
import type { Rows } from '../persistence/rows.ts';
import { countOpenApprovals } from './approval-ledger.ts';
import { countBudget } from './budget.ts';
import { stateOf } from './resource-watch.ts';
import { roomOf, standingOf, type Standing, type Tree } from './standing.ts';
import { gateStats } from './stats.ts';

/** @param ended why nothing is committed any more, if so. */
export function healthNow(durable: Tree, ended: PerdureError | undefined): Health {
  if (ended !== undefined) return healthOf({ ...NOTHING, ended: ended.message });
  try {
    durable.store.assertOpen();
    const { rows, clock } = durable.store;
    return storedHealth(rows, standingOf(durable), stateOf(durable)?.context.standings ?? {}, clock.now());
  } catch (error) {
    if (!isPerdureError(error)) throw error;
    const { message, retryable } = error;
    return healthOf({ ...NOTHING, ...(retryable ? { suspended: message } : { ended: message }) });
  }
}

const NOTHING: HealthFacts = {
  ended: null,
  suspended: null,
  isAdmitting: false,
  waiting: 0,
  room: 0,
  parked: 0,
  asking: 0,
  tier: 'healthy',
  spent: 0,
  level: 'full',
  components: {},
  resources: {},
  scored: 0,
  calibrationError: null,
  owed: 0,
};

/** The health of a supervisor whose store is well: from its rows, and from how its subsystems stand. */
export function storedHealth(
  rows: Pick<Rows, 'get' | 'all'>,
  { executor, degradation, budget, tier, isAdmitting }: Standing,
  resources: Standings,
  now: number,
): Health {
  const { scored, calibrationError } = gateStats(executor);
  const count = (from: string) => countOf(rows, from);
  return healthOf({
    ...NOTHING,
    isAdmitting,
    waiting: executor.waiting.length,
    // When the room has become smaller, more than that may be under way.
    room: Math.max(roomOf(executor), executor.busy.length),
    parked: count(`actions where state = 'parked'`),
    asking: countOpenApprovals(rows),
    tier,
    spent: tier === 'healthy' ? 0 : spentOf(budget.policy, countBudget(rows, budget.policy, now)),
    level: degradation.level,
    components: degradation.components,
    resources,
    scored,
    calibrationError,
    owed: count(`debts where state in ('owed', 'unpayable')`),
  });
}

function countOf(rows: Pick<Rows, 'get'>, from: string): number {
  return rows.get<{ n: number }>(`select count(*) as n from ${from}`)?.n ?? 0;
}
