/**
 * What the approvals' actions do: approvals open and settle in rows, and every answer is an event to the approvals in the
 * same turn.
 */
import {
  BY_SILENCE,
  type ApprovalRequest,
  type ApprovalsEvent,
  type Requested,
  type SettledApproval,
  type Verdict,
} from '../machines/approvals.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import { openApprovalOf } from './approval-ledger.ts';
import { sealedText, type ApprovalRow, type ApprovalState } from './approval-tables.ts';

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
      sealedText(this.#rows, summary),
      JSON.stringify(risk),
      undo === null ? null : sealedText(this.#rows, undo),
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
      by === null || by === BY_SILENCE ? by : sealedText(this.#rows, by),
      note === null ? null : sealedText(this.#rows, note),
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
}
