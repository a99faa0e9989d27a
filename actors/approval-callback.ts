/**
 * Asks the host about approvals, by a function instead of by hand. It owns no approval: what it answers goes the way of every
 * answer, so whoever was faster counts, and what it does not answer stays open for people, for silence, and for the next life.
 */
import { isPerdureError, messageOf, PerdureError } from '../errors.ts';
import { openApprovals, readApproval, type Approval } from './approval-ledger.ts';
import type { Actions } from './actions.ts';
import type { Supervisor } from './supervisor.ts';

/** A host's answer to an approval; undefined leaves it open. */
export type OnApproval = (
  approval: Approval,
) => 'approve' | 'deny' | undefined | void | Promise<'approve' | 'deny' | undefined | void>;

/** Asks about those that were open at the start, and about each that comes, once it is committed. */
export function askCallback<TActions extends Actions>(
  supervisor: Supervisor<TActions>,
  onApproval: OnApproval,
  open: readonly Approval[],
): void {
  const { rows } = supervisor.durable.store;
  const asked = new Set<string>();
  const ask = (approval: Approval | undefined) => {
    if (approval?.state !== 'open' || asked.has(approval.id)) return;
    asked.add(approval.id);
    void decide(supervisor, onApproval, approval);
  };
  supervisor.on('approval.requested', ({ id }) => ask(readApproval(rows, id)));
  supervisor.on('approval.settled', ({ id }) => asked.delete(id));
  // A restore opens some that had been settled, and takes others away, whose ids may come again.
  supervisor.on('checkpoint.restored', () => {
    for (const id of asked) if (readApproval(rows, id)?.state !== 'open') asked.delete(id);
    openApprovals(rows, -1).forEach(ask);
  });
  // Whoever starts a supervisor has it before its callback is called.
  queueMicrotask(() => open.forEach(ask));
}

async function decide<TActions extends Actions>(
  supervisor: Supervisor<TActions>,
  onApproval: OnApproval,
  approval: Approval,
): Promise<void> {
  try {
    const answer: unknown = await onApproval(approval);
    if (answer === undefined) return;
    if (answer === 'approve') await supervisor.approve(approval.id);
    else if (answer === 'deny') await supervisor.deny(approval.id);
    else throw new PerdureError('OPTIONS_INVALID', `expected 'approve', 'deny' or undefined, got ${shown(answer)}`);
  } catch (error) {
    // Somebody else was faster, or the next life asks again.
    if (isPerdureError(error, 'APPROVAL_DECIDED') || !supervisor.durable.store.isOpen) return;
    process.emitWarning(`onApproval decided nothing about "${approval.id}", which stays open: ${messageOf(error)}`, {
      type: 'PerdureWarning',
      code: 'APPROVAL_CALLBACK_FAILED',
      ...(error instanceof Error && error.stack !== undefined ? { detail: error.stack } : {}),
    });
  }
}

function shown(answer: unknown): string {
  return typeof answer === 'string' ? JSON.stringify(answer) : typeof answer;
}
