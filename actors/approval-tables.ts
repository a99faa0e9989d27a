/**
 * The table of approvals. A row is `open`, or settled for ever: `approved` or `denied` by somebody, `expired` when silence
 * decided as `on_silence` says, `withdrawn` when its action no longer asks. What people wrote is JSON, sealed as the store's
 * option `sealing` says.
 */
import type { ApprovalReason, OnSilence } from '../machines/approvals.ts';
import type { Rows } from '../persistence/rows.ts';
import { isSealed } from '../persistence/sealing.ts';
import type { TableSpec } from '../persistence/schema.ts';

export type ApprovalState = 'open' | 'approved' | 'denied' | 'expired' | 'withdrawn';

export interface ApprovalRow {
  /** The action's id, `?`, and which approval of that action it is. */
  readonly id: string;
  readonly action: string;
  readonly name: string;
  readonly summary: string;
  readonly risk: string;
  readonly undo: string | null;
  readonly reason: ApprovalReason;
  readonly asked_at: number;
  readonly expires_at: number | null;
  readonly on_silence: OnSilence;
  readonly state: ApprovalState;
  readonly decided_by: string | null;
  readonly note: string | null;
  readonly decided_at: number | null;
}

export const APPROVAL_TABLES: readonly TableSpec[] = [
  {
    name: 'approvals',
    key: 'id',
    columns: [
      'seq integer primary key',
      'id text not null unique',
      'action text not null',
      'name text not null',
      'summary text not null',
      'risk text not null',
      'undo text',
      'reason text not null',
      'asked_at real not null',
      'expires_at real',
      'on_silence text not null',
      'state text not null',
      'decided_by text',
      'note text',
      'decided_at real',
    ],
    indexes: [
      'create index if not exists approvals_action on approvals(action)',
      `create index if not exists approvals_open on approvals(seq) where state = 'open'`,
      `create unique index if not exists approvals_asked on approvals(action) where state = 'open'`,
      `create index if not exists approvals_expiry on approvals(expires_at, seq) where state = 'open' and expires_at is not null`,
      `create index if not exists approvals_verdicts on approvals(name, seq) where state in ('approved', 'denied')`,
    ],
  },
];

/** What a sealed text of an approval is bound to. */
const BINDING = 'approval';

export function sealedText(rows: Pick<Rows, 'seal'>, text: string): string {
  return rows.seal(JSON.stringify(text), BINDING);
}

export function unsealedText(rows: Pick<Rows, 'unseal'>, stored: string): string {
  const text: unknown = JSON.parse(isSealed(stored) ? rows.unseal(stored, BINDING) : stored);
  // From beside a store nobody has its keys: what stands for the text is no text.
  return typeof text === 'string' ? text : '[encrypted]';
}
