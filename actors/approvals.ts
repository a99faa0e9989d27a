/**
 * What the approvals' actions do: approvals open and settle in rows, and every answer is an event to the approvals in the
 * same turn. And how a host, or whoever looks from beside, reads them.
 */
import { PerdureError } from '../errors.ts';
import {
  BY_SILENCE,
  type ApprovalReason,
  type ApprovalRequest,
  type ApprovalsEvent,
  type OnSilence,
  type Requested,
  type SettledApproval,
  type Verdict,
} from '../machines/approvals.ts';
import type { Decision } from '../machines/gate.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import type { ApprovalRow, ApprovalState } from './approval-tables.ts';

/** What approvals need of the world. */
export interface ApprovalWorld {
  readonly rows: Rows;
  readonly clock: Pick<Clock, 'now'>;
}

/** What the actions of a machine are called with. */
type Self = { readonly self: { send(event: ApprovalsEvent): void } };

/** The approvals' actions, on rows. */
export function approvalActions(world: ApprovalWorld) {
  const approvals = ({ self }: Self) => new Approvals(world, (event) => self.send(event));
  return {
    putRequests: (args: Self, params: Parameters<Approvals['putRequests']>[0]) => approvals(args).putRequests(params),
    putVerdict: (args: Self, params: Verdict) => approvals(args).putVerdict(params),
    withdraw: (args: Self, params: Parameters<Approvals['withdraw']>[0]) => approvals(args).withdraw(params),
    expire: (args: Self, params: Parameters<Approvals['expire']>[0]) => approvals(args).expire(params),
  };
}

/** What a sealed text of an approval is bound to. */
const BINDING = 'approval';

class Approvals {
  readonly #rows: Rows;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #answer: (event: ApprovalsEvent) => void;

  constructor({ rows, clock }: ApprovalWorld, answer: (event: ApprovalsEvent) => void) {
    this.#rows = rows;
    this.#clock = clock;
    this.#answer = answer;
  }

  putRequests({ requests }: { requests: readonly ApprovalRequest[] }): void {
    const requested = requests.map((request) => this.#put(request)).filter((one) => one !== undefined);
    if (requested.length === 0) return;
    this.#answer({ type: 'approvals.requested', requested });
    this.#answerDue();
  }

  /** An action that is asked about already is not asked about twice. */
  #put(request: ApprovalRequest): Requested | undefined {
    const { action, name, summary, risk, undo, reason, at, onSilence } = request;
    const expiresAt = onSilence === 'wait' ? null : request.expiresAt;
    const { n } = this.#rows.get<{ n: number }>('select count(*) as n from approvals where action = ?', action) ?? {
      n: 0,
    };
    const id = `${action}?${n + 1}`;
    const changed = this.#rows.run(
      `insert into approvals(id, action, name, summary, risk, undo, reason, asked_at, expires_at, on_silence, state, from_turn)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', ?) on conflict do nothing`,
      id,
      action,
      name,
      this.#sealed(summary),
      JSON.stringify(risk),
      undo === null ? null : this.#sealed(undo),
      reason,
      at,
      expiresAt,
      onSilence,
      this.#rows.turn,
    );
    return changed === 0 ? undefined : { id, action, name, summary, reason, expiresAt, onSilence };
  }

  putVerdict({ id, decision, by, note, at }: Verdict): void {
    const row = this.#rows.get<ApprovalRow>(`select * from approvals where id = ? and state = 'open'`, id);
    if (row === undefined) return;
    this.#settle(row, decision === 'approve' ? 'approved' : 'denied', { by, note, at });
    this.#answerSettled([{ id, action: row.action, decision, by, note }]);
  }

  withdraw({ actions, at }: { actions: readonly string[]; at: number }): void {
    const settled = actions.flatMap((action): SettledApproval[] => {
      const row = openApprovalOf(this.#rows, action);
      if (row === undefined) return [];
      this.#settle(row, 'withdrawn', { by: null, note: null, at });
      return [{ id: row.id, action, decision: 'withdraw', by: null, note: null }];
    });
    if (settled.length > 0) this.#answerSettled(settled);
  }

  expire({ limit }: { limit: number }): void {
    const at = this.#clock.now();
    const due = this.#rows.all<ApprovalRow>(
      `select * from approvals where state = 'open' and expires_at is not null and expires_at <= ?
       order by expires_at, seq limit ?`,
      at,
      limit,
    );
    const settled = due.map((row): SettledApproval => {
      this.#settle(row, 'expired', { by: BY_SILENCE, note: null, at });
      const decision = row.on_silence === 'approve' ? 'approve' : 'deny';
      return { id: row.id, action: row.action, decision, by: BY_SILENCE, note: null };
    });
    if (settled.length > 0) this.#answer({ type: 'approvals.settled', settled });
    this.#answerDue();
  }

  #settle(
    { id }: { readonly id: string },
    state: ApprovalState,
    { by, note, at }: { readonly by: string | null; readonly note: string | null; readonly at: number },
  ): void {
    this.#rows.run(
      `update approvals set state = ?, decided_by = ?, note = ?, decided_at = ?, from_turn = ? where id = ? and state = 'open'`,
      state,
      by,
      note === null ? null : this.#sealed(note),
      at,
      this.#rows.turn,
      id,
    );
  }

  #answerSettled(settled: readonly SettledApproval[]): void {
    this.#answer({ type: 'approvals.settled', settled });
    this.#answerDue();
  }

  #answerDue(): void {
    const next = this.#rows.get<{ expires_at: number }>(
      `select expires_at from approvals where state = 'open' and expires_at is not null order by expires_at, seq limit 1`,
    );
    const dueAt = next?.expires_at ?? null;
    const waitMs = dueAt === null ? 0 : Math.max(0, dueAt - this.#clock.now());
    this.#answer({ type: 'approvals.due', dueAt, waitMs });
  }

  #sealed(text: string): string {
    return this.#rows.seal(JSON.stringify(text), BINDING);
  }
}

type Reader = Pick<Rows, 'get' | 'all' | 'unseal'>;

/** An approval, as it is asked for and how it was answered. Times are wall-clock ms. */
export interface Approval {
  readonly id: string;
  /** The id of the action that waits. */
  readonly action: string;
  /** What the action is called. */
  readonly name: string;
  readonly summary: string;
  readonly risk: Decision;
  /** What would undo it, in words; null when nothing does. */
  readonly undo: string | null;
  readonly reason: ApprovalReason;
  readonly askedAt: number;
  readonly expiresAt: number | null;
  readonly onSilence: OnSilence;
  readonly state: ApprovalState;
  readonly by: string | null;
  readonly note: string | null;
  readonly decidedAt: number | null;
}

/** Those that nobody has answered, the oldest first; 1,000 at most unless told. */
export function openApprovals(rows: Reader, limit = 1_000): Approval[] {
  return rows
    .all<ApprovalRow>(`select * from approvals where state = 'open' order by seq limit ?`, limit)
    .map((row) => approvalOf(rows, row));
}

export function countOpenApprovals(rows: Pick<Rows, 'get'>): number {
  return rows.get<{ n: number }>(`select count(*) as n from approvals where state = 'open'`)?.n ?? 0;
}

export function readApproval(rows: Reader, id: string): Approval | undefined {
  const row = rows.get<ApprovalRow>('select * from approvals where id = ?', id);
  return row && approvalOf(rows, row);
}

/** The open approval of this id, or of the action of this id. Throws APPROVAL_NOT_FOUND, APPROVAL_DECIDED. */
export function decidableApproval(rows: Reader, id: string): Approval {
  const byAction = openApprovalOf(rows, id);
  const found = byAction === undefined ? readApproval(rows, id) : approvalOf(rows, byAction);
  if (found?.state === 'open') return found;
  const facts = { id, state: found?.state ?? null };
  if (found === undefined) {
    throw new PerdureError(
      'APPROVAL_NOT_FOUND',
      `There is no open approval "${id}", and no action "${id}" that waits for one: see \`perdure approvals\`.`,
      { facts },
    );
  }
  throw new PerdureError('APPROVAL_DECIDED', `The approval "${id}" is ${found.state} already, ${byWhom(found)}.`, {
    facts: { ...facts, by: found.by, decidedAt: found.decidedAt },
  });
}

function byWhom({ by, decidedAt }: Approval): string {
  return `since ${new Date(decidedAt ?? 0).toISOString()}${by === null ? '' : ` by ${by}`}`;
}

/** What people said to actions of this name last: how many times in a row they approved, or denied; at most 10. */
export function verdictsOn(rows: Pick<Rows, 'all'>, name: string): { approvals: number; denials: number } {
  const states = rows
    .all<Pick<ApprovalRow, 'state'>>(
      `select state from approvals where name = ? and state in ('approved', 'denied') order by seq desc limit 10`,
      name,
    )
    .map(({ state }) => state);
  const change = states.findIndex((state) => state !== states[0]);
  const inARow = change < 0 ? states.length : change;
  return states[0] === 'denied' ? { approvals: 0, denials: inARow } : { approvals: inARow, denials: 0 };
}

function openApprovalOf(rows: Pick<Rows, 'get'>, action: string): ApprovalRow | undefined {
  return rows.get<ApprovalRow>(`select * from approvals where action = ? and state = 'open'`, action);
}

function approvalOf(rows: Pick<Rows, 'unseal'>, row: ApprovalRow): Approval {
  const unsealed = (text: string) => JSON.parse(rows.unseal(text, BINDING)) as string;
  return {
    id: row.id,
    action: row.action,
    name: row.name,
    summary: unsealed(row.summary),
    risk: JSON.parse(row.risk) as Decision,
    undo: row.undo === null ? null : unsealed(row.undo),
    reason: row.reason,
    askedAt: row.asked_at,
    expiresAt: row.expires_at,
    onSilence: row.on_silence,
    state: row.state,
    by: row.decided_by,
    note: row.note === null ? null : unsealed(row.note),
    decidedAt: row.decided_at,
  };
}
