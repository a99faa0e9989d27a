/** The approvals machine by itself on a real store, with everything that it tells written down when it is committed. */
import { emit } from 'xstate';
import { APPROVAL_TABLES } from '../../actors/approval-tables.ts';
import { approvalActions } from '../../actors/approvals.ts';
import { approvalsMachine, type ApprovalRequest, type ApprovalsNotice } from '../../machines/approvals.ts';
import { createDurableActor } from '../../persistence/create.ts';
import type { Sealing } from '../../persistence/sealing.ts';
import type { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';

export async function openApprovalsAt(path: string, clock: SimulatedClock, sealing?: Sealing) {
  const store = Store.open(path, { clock, durability: 'process-crash', ...(sealing === undefined ? {} : { sealing }) });
  store.declare(APPROVAL_TABLES);
  const { rows } = store;
  const told: ApprovalsNotice[] = [];
  const machine = approvalsMachine.provide({
    actions: {
      ...approvalActions({ rows, clock }),
      announce: emit((_, { notice }: { notice: ApprovalsNotice }) => notice),
    },
  });
  const durable = await createDurableActor(machine, { store, id: 'approvals' });
  durable.on('*', (notice) => void told.push(notice as unknown as ApprovalsNotice));
  return { durable, store, rows, told };
}

/** A request that waits for ever, unless told. */
export function requestFor(action: string, more: Partial<ApprovalRequest> = {}): ApprovalRequest {
  return {
    action,
    name: 'drop',
    summary: `drops ${action}`,
    risk: { band: 'ask', score: 0.2, factors: { impact: -1.5 } },
    undo: null,
    reason: 'gate',
    at: 0,
    expiresAt: null,
    onSilence: 'wait',
    ...more,
  };
}
