/** What waits for a person, and what was decided of late: `GET /v1/views/approvals`. */
import { decidedApprovals, openApprovals, type Approval } from '../../actors/approval-ledger.ts';
import { shownText, type Reader, type ViewWorld } from '../sources/view-world.ts';

export interface Approvals {
  /** The oldest first, each with the input of its action, redacted; at most 1,000. */
  readonly open: readonly (Approval & { readonly input: unknown })[];
  /** The newest 100 that were decided. */
  readonly decided: readonly Approval[];
}

const DECIDED = 100;

export function approvalsView(world: ViewWorld): Approvals {
  const { rows } = world;
  return {
    open: openApprovals(rows).map((approval) => ({
      ...shownApproval(world, approval),
      input: shownText(world, inputOf(rows, approval.action)),
    })),
    decided: decidedApprovals(rows, DECIDED).map((approval) => shownApproval(world, approval)),
  };
}

function inputOf(rows: Reader, action: string): string | null {
  return rows.get<{ input: string }>('select input from actions where id = ?', action)?.input ?? null;
}

/** What a host or a person wrote may hold what is not to be shown. */
function shownApproval({ payloads }: ViewWorld, approval: Approval): Approval {
  const { summary, undo, by, note } = approval;
  return {
    ...approval,
    summary: payloads.shownText(summary),
    undo: undo && payloads.shownText(undo),
    by: by && payloads.shownText(by),
    note: note && payloads.shownText(note),
  };
}
