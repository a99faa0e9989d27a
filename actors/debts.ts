/**
 * What is owed since a fallback stood in for the real work: a test that was skipped is still to be run. A debt is paid by an
 * action of its own, the same work without fallbacks; when that fails the debt stays.
 */
import type { StoredPolicy } from '../machines/action-policy.ts';
import type { Rows } from '../persistence/rows.ts';
import { policyOfText } from './earlier-versions.ts';
import type { ActionRow, DebtRow } from './queue-tables.ts';

/** How many debts are worked off at once: the next ones when these are paid, or when somebody asks. */
const PAID_AT_ONCE = 100;
/** What waits for its first chance goes before what is made up for. */
const LAST = -1e12;

const SUFFIX = '!owed';

/** The action that pays a debt: the first id that nobody has. */
function paymentOf(rows: Rows, { id }: DebtRow): string {
  for (let n = 1; ; n++) {
    const payment = `${id}${SUFFIX}${n}`;
    if (rows.get('select 1 from actions where id = ?', payment) === undefined) return payment;
  }
}

export function incur(
  rows: Rows,
  action: Pick<ActionRow, 'id' | 'name' | 'policy'>,
  fallback: string,
  qualityLoss: number,
  at: number,
): void {
  const { component } = policyOfText(action.policy);
  rows.run(
    `insert into debts(id, name, component, fallback, quality_loss, incurred_at, state, from_turn)
     values (?, ?, ?, ?, ?, ?, 'owed', ?) on conflict(id) do nothing`,
    action.id,
    action.name,
    component,
    fallback,
    qualityLoss,
    at,
    rows.turn,
  );
}

/** Whether the action of this id pays a debt. */
export function isPayment(id: string): boolean {
  return id.includes(SUFFIX);
}

/** Those that were tried least go first, so that one that nobody can pay keeps none from its turn. */
const TRIED = `coalesce(cast(substr(payment, length(id) + ${SUFFIX.length + 1}) as integer), 0)`;

/** Queues the real work of the debts of a component, or of all: the least tried, the oldest first. Gives how many. */
export function workOff(rows: Rows, component: string | null, at: number): number {
  const debts = rows.all<DebtRow>(
    `select * from debts where state = 'owed' and (? is null or component = ?) order by ${TRIED}, incurred_at limit ${PAID_AT_ONCE}`,
    component,
    component,
  );
  for (const debt of debts) pay(rows, debt, at);
  return debts.length;
}

function pay(rows: Rows, debt: DebtRow, at: number): void {
  const action = rows.get<ActionRow>('select * from actions where id = ?', debt.id);
  if (action === undefined) return;
  const payment = paymentOf(rows, debt);
  const policy: StoredPolicy = { ...policyOfText(action.policy), fallbacks: [] };
  rows.run(
    `insert into actions(id, name, version, input, policy, rank, plan, state, submitted_at, attempts, quality_loss, optional, approved, from_turn)
     values (?, ?, ?, ?, ?, ${LAST}, null, 'waiting', ?, 0, 0, 1, ?, ?)`,
    payment,
    action.name,
    action.version,
    action.input,
    JSON.stringify(policy),
    at,
    action.approved,
    rows.turn,
  );
  rows.run(`update debts set state = 'paying', payment = ?, from_turn = ? where id = ?`, payment, rows.turn, debt.id);
}

/** Notes what came of a payment. Costs nothing for an action that is none. */
export function noteSettled(rows: Rows, id: string, isPaid: boolean, at: number): void {
  if (!isPayment(id)) return;
  const changed = rows.run(
    `update debts set state = ?, paid_at = ?, from_turn = ? where payment = ? and state = 'paying'`,
    isPaid ? 'paid' : 'owed',
    isPaid ? at : null,
    rows.turn,
    id,
  );
  if (changed > 0 && isPaid) payNext(rows, id, at);
}

/** Where one was paid the next can be, if nobody tried: one that was tried in vain waits for the next recovery. */
function payNext(rows: Rows, payment: string, at: number): void {
  const next = rows.get<DebtRow>(
    `select * from debts where state = 'owed' and payment is null
       and component is (select component from debts where payment = ?) order by incurred_at limit 1`,
    payment,
  );
  if (next !== undefined) pay(rows, next, at);
}

/** What is owed and not paid yet, the oldest first. */
export function openDebts(rows: Pick<Rows, 'all'>): DebtRow[] {
  return rows.all<DebtRow>(`select * from debts where state <> 'paid' order by incurred_at, id`);
}
