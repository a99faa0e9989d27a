/** What waits for a person, and what was decided of late: `GET /v1/views/approvals`. */
import type { Approval } from '../../actors/approval-ledger.ts';

export interface Approvals {
  /** The oldest first, each with the input of its action, redacted. */
  readonly open: readonly (Approval & { readonly input: unknown })[];
  /** The newest 100 that were decided. */
  readonly decided: readonly Approval[];
}
