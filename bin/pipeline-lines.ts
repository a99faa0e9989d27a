/** What a run says of what keeps it going: who is asked, what is down, how the budget stands, what is slow or not undone. */
import type { Approval } from '../actors/approval-ledger.ts';
import type { ComponentNotice } from '../machines/component.ts';
import type { BudgetNotice } from '../machines/budget.ts';
import type { SettledApproval } from '../machines/approvals.ts';
import type { ErrorRecord } from '../machines/outcome.ts';
import type { ResourcesNotice } from '../machines/resources.ts';
import { decisionCommand, riskText, silenceText } from './approval-text.ts';
import { shownDuration } from './duration.ts';
import { componentText, tierText } from './standing.ts';
import type { Paint } from './terminal.ts';

type Acted = Extract<ResourcesNotice, { type: 'pressure.acted' }>;

/** What it wants to do, how risky that is, what silence means, and how to answer. */
export function requestedLines(
  step: string,
  approval: Approval,
  store: string,
  paint: Paint,
  now = Date.now(),
): string[] {
  const { summary, action, undo } = approval;
  return [
    paint.warn(`? ${step} asks: ${firstLine(summary)}`) +
      ` (${riskText(approval)}; undo: ${undo ?? 'none'}); ${silenceText(approval, now)}`,
    paint.dim(`    ${decisionCommand('approve', action, store)}`),
    paint.dim(`    ${decisionCommand('deny', action, store)}`),
  ];
}

export function answeredLine(step: string, { decision, by, note }: SettledApproval, paint: Paint): string {
  if (decision === 'withdraw') return paint.dim(`? ${step} asks no more`);
  const who = `${by === null ? '' : ` by ${by}`}${note === null ? '' : `: ${firstLine(note)}`}`;
  return decision === 'approve' ? paint.good(`? ${step} approved`) + who : paint.bad(`? ${step} denied`) + who;
}

export function componentLine({ name, status }: ComponentNotice, openUntil: number | null, paint: Paint): string {
  const line = `⚡ component ${name}: ${componentText({ status, openUntil })}`;
  if (status === 'operational') return paint.good(line);
  return status === 'down' ? paint.bad(line) : paint.warn(line);
}

export function budgetLine({ tier, spent }: BudgetNotice, paint: Paint): string {
  const line = `⚖ error budget, ${Math.round(spent * 100)} % spent, is ${tierText(tier)}`;
  if (tier === 'healthy') return paint.good(line);
  return tier === 'exhausted' ? paint.bad(line) : paint.warn(line);
}

/** What a run has to do with it when something is short; undefined for what only makes room. */
export function pressureLine({ action, resources, limit }: Acted, paint: Paint): string | undefined {
  const short = `▼ short of ${resources.join(', ')}`;
  if (action === 'throttle') return paint.warn(`${short}: ${limit ?? 'all'} ${limit === 1 ? 'step' : 'steps'} at once`);
  if (action === 'shed') return paint.bad(`${short}: optional steps that wait are left out`);
  if (action === 'restart') return paint.bad(`${short}, and nothing helps: stop this run, and start it again`);
  return action === 'recover' ? paint.good('▲ nothing is short any more') : undefined;
}

export function slowLine(step: string, slowMs: number, paint: Paint): string {
  return paint.warn(`… ${step} is slow`) + `: it takes longer than ${shownDuration(slowMs)}, as it seldom did before`;
}

export function undoFailedLine(step: string, error: ErrorRecord, paint: Paint): string {
  return paint.bad(`✖ ${step} was not undone`) + `: ${firstLine(error.message)}`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
