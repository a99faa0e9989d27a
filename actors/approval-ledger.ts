/** Reads approvals, for the owner of a store and for whoever looks at it from beside. */
import { PerdureError } from '../errors.ts';
import { BY_SILENCE, type ApprovalReason, type OnSilence } from '../machines/approvals.ts';
import type { Decision } from '../machines/gate.ts';
import { isObject } from '../machines/option-keys.ts';
import type { Rows } from '../persistence/rows.ts';
import { unsealedText, type ApprovalRow, type ApprovalState } from './approval-tables.ts';
import { UNREADABLE, readable } from './unreadable.ts';

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

/** Those that nobody has answered, the oldest first; 1,000 at most unless told, all of them with -1. */
export function openApprovals(rows: Reader, limit = 1_000): Approval[] {
  return rows
    .all<ApprovalRow>(`select * from approvals where state = 'open' order by seq limit ?`, limit)
    .map((row) => approvalOf(rows, row));
}

/** Those that were answered, or are not asked for any more, the newest first. */
export function decidedApprovals(rows: Reader, limit: number): Approval[] {
  return rows
    .all<ApprovalRow>(`select * from approvals where state <> 'open' order by seq desc limit ?`, limit)
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
  const found = byAction === undefined ? (readApproval(rows, id) ?? lastOf(rows, id)) : approvalOf(rows, byAction);
  if (found?.state === 'open') return found;
  const facts = { id, state: found?.state ?? null };
  if (found === undefined) {
    throw new PerdureError(
      'APPROVAL_NOT_FOUND',
      `There is no open approval "${id}", and no action "${id}" that waits for one: see \`perdure approvals\`.`,
      { facts },
    );
  }
  throw new PerdureError(
    'APPROVAL_DECIDED',
    `The approval "${found.id}" is ${found.state} already, ${byWhom(found)}: see \`perdure show ${found.action}\`.`,
    {
      facts: { ...facts, by: found.by, decidedAt: found.decidedAt },
    },
  );
}

/** Of several approvals of one action, the last that was asked for. */
function lastOf(rows: Reader, action: string): Approval | undefined {
  const row = rows.get<ApprovalRow>('select * from approvals where action = ? order by seq desc limit 1', action);
  return row && approvalOf(rows, row);
}

function byWhom({ by, decidedAt }: Approval): string {
  return `since ${new Date(decidedAt ?? 0).toISOString()}${by === null ? '' : ` by ${by}`}`;
}

/** What people said at the gate to actions of this name last: how many times in a row they approved, or denied; at most 10. */
export function verdictsOn(rows: Pick<Rows, 'all'>, name: string): { approvals: number; denials: number } {
  const states = rows
    .all<Pick<ApprovalRow, 'state'>>(
      `select state from approvals where name = ? and reason = 'gate' and state in ('approved', 'denied')
       order by seq desc limit 10`,
      name,
    )
    .map(({ state }) => state);
  const change = states.findIndex((state) => state !== states[0]);
  const inARow = change < 0 ? states.length : change;
  return states[0] === 'denied' ? { approvals: 0, denials: inARow } : { approvals: inARow, denials: 0 };
}

/** The row of the open approval of an action. */
export function openApprovalOf(rows: Pick<Rows, 'get'>, action: string): ApprovalRow | undefined {
  return rows.get<ApprovalRow>(`select * from approvals where action = ? and state = 'open'`, action);
}

function approvalOf(rows: Pick<Rows, 'unseal'>, row: ApprovalRow): Approval {
  return {
    id: row.id,
    action: row.action,
    name: row.name,
    summary: textOf(rows, row.summary),
    risk: riskOf(row),
    undo: row.undo === null ? null : textOf(rows, row.undo),
    reason: row.reason,
    askedAt: row.asked_at,
    expiresAt: row.expires_at,
    onSilence: row.on_silence,
    state: row.state,
    by: row.decided_by === null || row.decided_by === BY_SILENCE ? row.decided_by : textOf(rows, row.decided_by),
    note: row.note === null ? null : textOf(rows, row.note),
    decidedAt: row.decided_at,
  };
}

function textOf(rows: Pick<Rows, 'unseal'>, stored: string): string {
  return readable(() => unsealedText(rows, stored), UNREADABLE);
}

/** Of one that was damaged: it asked, so nothing is known that speaks for it. */
function riskOf({ risk }: Pick<ApprovalRow, 'risk'>): Decision {
  const found = readable(() => JSON.parse(risk) as unknown, undefined);
  return isObject(found) ? (found as unknown as Decision) : { score: 0, factors: {}, band: 'ask' };
}
