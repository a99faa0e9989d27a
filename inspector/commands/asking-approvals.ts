/** The commands that answer approvals. */
import { checkedAnswer } from '../../actors/answer.ts';
import { decidableApproval, openApprovals, readApproval, type Approval } from '../../actors/approval-ledger.ts';
import { stepActionOf, stepOfAction } from '../../actors/ledger.ts';
import { PerdureError } from '../../errors.ts';
import type { Asking, Reader } from './asking.ts';
import { awaitedDecisions, type Said } from './awaited-decisions.ts';

/** How many a message names. */
const LISTED = 10;

export const approving = deciding('approve', 'Lets an action run that asks.');
export const denying = deciding('deny', 'Does not let it run: its outcome is `denied`.');

function deciding(decision: Said['decision'], help: string): Asking {
  return {
    help,
    confirm: false,
    isOfSupervisor: true,
    params: [
      {
        name: 'id',
        kind: 'text',
        required: true,
        help: 'of the approval, or of the action or step that asks; or what the list calls it',
      },
      { name: 'note', kind: 'text', required: false, help: 'why: up to 2,000 characters' },
      { name: 'by', kind: 'text', required: false, help: 'who says so; default: whoever gives the command' },
    ],
    ask({ rows, params, by: asker, at }) {
      const { by, note } = checkedAnswer({ by: nameOf(asker, params.maybe('by')), note: params.maybe('note') ?? null });
      const { id } = decidable(rows, params.text('id'));
      return {
        label: `${decision} ${id} by ${by}`,
        event: { type: 'supervisor.decide', id, decision, by, note, at },
        after: (now) => {
          const approval = readApproval(now, id);
          // Somebody may have been faster, on the way to the owner.
          if (approval !== undefined && approval.state !== 'open') refuseOther(approval, decision, by);
          return undefined;
        },
      };
    },
  };
}

/** Whom the host's login knows has that name, whatever else is said. */
function nameOf(asker: string, said: string | undefined): string {
  const [, login] = /^page:(.+)$/s.exec(asker) ?? [];
  if (login === undefined) return said ?? asker;
  return said === undefined || said === login ? login : `${said} (asked by ${login})`;
}

function decidable(rows: Reader, id: string): Approval {
  const approval = decidableApproval(rows, stepActionOf(rows, id) ?? openNamed(rows, id) ?? id);
  refuseSaid(awaitedDecisions(rows).get(approval.id), approval);
  return approval;
}

/**
 * The id of the open approval that somebody means by what the list calls it, such as `nightly/deploy`, or by the step alone;
 * undefined when `id` is one itself, or means none. Throws OPTIONS_INVALID when it could mean several.
 */
function openNamed(rows: Reader, id: string): string | undefined {
  if (rows.get('select 1 from approvals where id = ? or action = ? limit 1', id, id) !== undefined) return undefined;
  const matches = openApprovals(rows, -1).filter(
    ({ name, action }) => name === id || stepOfAction(rows, action)?.step === id,
  );
  if (matches.length < 2) return matches[0]?.id;
  const ids = matches.map((approval) => approval.id);
  const shown = ids.slice(0, LISTED).join(', ') + (ids.length > LISTED ? ` and ${ids.length - LISTED} more` : '');
  throw new PerdureError('OPTIONS_INVALID', `"${id}" could mean ${ids.length} open approvals: give one of ${shown}.`, {
    facts: { id, matches: ids },
  });
}

function refuseSaid(said: Said | undefined, { id }: Approval): void {
  if (said === undefined) return;
  throw new PerdureError(
    'APPROVAL_DECIDED',
    `The approval "${id}" has an answer that waits for the next start of its store: ${said.decision} by ${said.by}: see \`perdure approvals\`.`,
    { facts: { id, state: 'open', by: said.by } },
  );
}

function refuseOther({ id, state, by, action }: Approval, decision: Said['decision'], asked: string): void {
  if (state === (decision === 'approve' ? 'approved' : 'denied') && by === asked) return;
  throw new PerdureError(
    'APPROVAL_DECIDED',
    `The approval "${id}" was ${state}${by === null ? '' : ` by ${by}`} before your answer came: see \`perdure show ${action}\`.`,
    { facts: { id, state, by } },
  );
}
