/**
 * What is owed since a fallback stood in for the real work: a test that was skipped is still to be run. A debt is paid by an
 * action of its own, the same work on the same input and results, without fallbacks.
 *
 *   owed ─▶ paying ─▶ paid
 *     ▲        ├─ failed of what passes: not again by itself until its time has come
 *     └────────┘
 *              └─ failed of what does not pass ─▶ unpayable, until somebody asks
 */
import type { StoredPolicy } from '../machines/action-policy.ts';
import { isRetryable } from '../machines/error-class.ts';
import { isSuccess, type ErrorRecord, type OutcomeKind } from '../machines/outcome.ts';
import { payAgainMs } from '../machines/stop-gate.ts';
import type { Rows } from '../persistence/rows.ts';
import { sourcesText } from './dependencies.ts';
import { admit } from './keys.ts';
import { laneFor, type QueueStep } from './lanes.ts';
import { policyOfText } from './earlier-versions.ts';
import type { ActionRow, DebtRow } from './queue-tables.ts';

/** How many debts are worked off at once: the next ones when these are paid, or when somebody asks. */
const PAID_AT_ONCE = 100;
/** What waits for its first chance goes before what is made up for. */
const LAST = -1e15;

/** The action that pays a debt, named by the number of the try: the first id from there on that nobody has. */
function paymentOf(rows: Rows, { id, tries }: DebtRow): string {
  for (let n = tries + 1; ; n++) {
    const payment = `${id}!owed${n}`;
    if (rows.get('select 1 from actions where id = ?', payment) === undefined) return payment;
  }
}

export function incur(
  rows: Rows,
  action: Pick<ActionRow, 'id' | 'name' | 'plan' | 'policy'>,
  fallback: string,
  qualityLoss: number,
  at: number,
): void {
  const { component } = policyOfText(action.policy);
  rows.run(
    `insert into debts(id, name, component, fallback, quality_loss, incurred_at, state, sources, from_turn)
     values (?, ?, ?, ?, ?, ?, 'owed', ?, ?) on conflict(id) do nothing`,
    action.id,
    action.name,
    component,
    fallback,
    qualityLoss,
    at,
    action.plan === null ? null : sourcesText(rows, action.id),
    rows.turn,
  );
}

/** Whether the action of this id pays a debt. */
export function isPayment(rows: Pick<Rows, 'get'>, id: string): boolean {
  return rows.get('select 1 from actions where id = ? and pays is not null', id) !== undefined;
}

/**
 * Queues the real work of the debts of a component, or of all: the least tried first, so that one that nobody can pay keeps
 * none from its turn, and of those the oldest. When somebody asked, also of those that are not to be tried by themselves.
 */
export function workOff(step: QueueStep, component: string | null, at: number, asked: boolean): void {
  const isOpen = asked ? `state in ('owed', 'unpayable')` : `state = 'owed' and coalesce(retry_at, 0) <= ?`;
  const debts = step.rows.all<DebtRow>(
    `select * from debts where (? is null or component = ?) and ${isOpen} order by tries, incurred_at limit ${PAID_AT_ONCE}`,
    component,
    component,
    ...(asked ? [] : [at]),
  );
  for (const debt of debts) pay(step, debt, at);
}

function pay(step: QueueStep, debt: DebtRow, at: number): void {
  const { rows } = step;
  const action = rows.get<ActionRow>('select * from actions where id = ?', debt.id);
  if (action === undefined) return;
  const payment = paymentOf(rows, debt);
  const policy: StoredPolicy = { ...policyOfText(action.policy), fallbacks: [] };
  const lane = laneFor(rows, action.queue, policy);
  rows.run(
    `insert into actions(id, name, version, input, policy, rank, plan, state, submitted_at, attempts, quality_loss, optional, approved, pays,
       queue, key, lane, from_turn)
     values (?, ?, ?, ?, ?, ${LAST}, null, 'parked', ?, 0, 0, 1, ?, ?, ?, ?, ?, ?)`,
    payment,
    action.name,
    action.version,
    action.input,
    JSON.stringify(policy),
    at,
    action.approved,
    debt.id,
    action.queue,
    action.key,
    lane,
    rows.turn,
  );
  admit(step, { id: payment, lane, key: action.key });
  rows.run(
    `update debts set state = 'paying', payment = ?, tries = tries + 1, from_turn = ? where id = ?`,
    payment,
    rows.turn,
    debt.id,
  );
}

/** How a payment ended. */
interface Payment {
  readonly id: string;
  /** The debt. */
  readonly pays: string;
  readonly kind: OutcomeKind;
  readonly error: ErrorRecord | undefined;
  readonly at: number;
}

/** Notes what came of a payment. */
export function noteSettled(rows: Rows, { id, pays, kind, error, at }: Payment): void {
  const debt = rows.get<DebtRow>(`select * from debts where id = ? and payment = ? and state = 'paying'`, pays, id);
  if (debt === undefined) return;
  const isPaid = isSuccess(kind);
  const isOwed = kind !== 'cancelled' && error !== undefined && mayPass(error);
  rows.run(
    `update debts set state = ?, paid_at = ?, retry_at = ?, from_turn = ? where id = ?`,
    isPaid ? 'paid' : isOwed ? 'owed' : 'unpayable',
    isPaid ? at : null,
    isOwed ? at + payAgainMs(debt.tries) : null,
    rows.turn,
    pays,
  );
}

/** What is down now may be back later, and what is shed now has its turn then. */
function mayPass({ code, class: kind }: ErrorRecord): boolean {
  return code === 'CIRCUIT_OPEN' || code === 'LOAD_SHED' || isRetryable(kind);
}

/**
 * Where one was paid the next can be. Where other work went well, one can be that was tried in vain and has waited for its
 * time: no recovery may follow that would try it.
 */
export function payDue(step: QueueStep, component: string | null, isPaid: boolean, at: number): void {
  if (!isPaid && component === null) return;
  // Each is in the order of an index, so that it costs no more when many are owed.
  const due = isPaid ? 'coalesce(retry_at, 0) <= ? order by incurred_at' : 'retry_at <= ? order by retry_at';
  const next = step.rows.get<DebtRow>(
    `select * from debts where state = 'owed' and component is ? and ${due} limit 1`,
    component,
    at,
  );
  if (next !== undefined) pay(step, next, at);
}

/** When the next debt may be paid, ms since 1970; null when none is tried again unless somebody asks. */
export function payableAt(rows: Pick<Rows, 'get'>): number | null {
  const next = rows.get<{ at: number | null }>(
    `select min(coalesce(retry_at, 0)) as at from debts where state = 'owed'`,
  );
  return next?.at ?? null;
}

/** What is owed and not paid yet, the oldest first. */
export function openDebts(rows: Pick<Rows, 'all'>): DebtRow[] {
  return rows.all<DebtRow>(`select * from debts where state <> 'paid' order by incurred_at, id`);
}
