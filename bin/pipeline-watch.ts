/** Says what a supervisor tells of approvals, components, the budget, and undoing, of one run or of the whole. */
import { readApproval } from '../actors/approval-ledger.ts';
import type { Actions } from '../actors/actions.ts';
import type { Supervisor } from '../actors/supervisor.ts';
import {
  answeredLine,
  budgetLine,
  componentLine,
  pressureLine,
  requestedLines,
  slowLine,
  undoFailedLine,
} from './pipeline-lines.ts';
import { standingOf } from './standing.ts';
import type { Paint } from './terminal.ts';

/** How lines are said, and which step of the run an action is of: of others nothing is said. */
export interface Told {
  readonly say: (line: string) => void;
  readonly paint: Paint;
  readonly stepOf: (action: string) => string | undefined;
}

/** Follows from now on. */
export function watchPipeline(
  supervisor: Supervisor<Actions>,
  { say, paint, stepOf }: Told,
): { unsubscribe(): void }[] {
  const { store } = supervisor.durable;
  const of = (action: string, lines: (step: string) => readonly string[]) => {
    const step = stepOf(action);
    if (step !== undefined) lines(step).forEach(say);
  };
  return [
    supervisor.on('approval.requested', ({ id, action }) =>
      of(action, (step) => {
        const approval = readApproval(store.rows, id);
        return approval === undefined ? [] : requestedLines(step, approval, store.path, paint);
      }),
    ),
    supervisor.on('approval.settled', (settled) => of(settled.action, (step) => [answeredLine(step, settled, paint)])),
    supervisor.on('action.slow', ({ id, slowMs }) => of(id, (step) => [slowLine(step, slowMs, paint)])),
    supervisor.on('action.undoFailed', ({ id, error }) => of(id, (step) => [undoFailedLine(step, error, paint)])),
    supervisor.on('budget.changed', (notice) => say(budgetLine(notice, paint))),
    supervisor.on('pressure.acted', (notice) => {
      const line = pressureLine(notice, paint);
      if (line !== undefined) say(line);
    }),
    supervisor.on('component.changed', (notice) => {
      const known = standingOf(store.rows).components.find(({ name }) => name === notice.name);
      say(componentLine(notice, known?.status === notice.status ? known.openUntil : null, paint));
    }),
  ];
}

/** What asked already when the run was taken up again. */
export function openLines(supervisor: Supervisor<Actions>, { paint, stepOf }: Omit<Told, 'say'>): string[] {
  return supervisor.approvals().flatMap((approval) => {
    const step = stepOf(approval.action);
    return step === undefined ? [] : requestedLines(step, approval, supervisor.durable.store.path, paint);
  });
}
