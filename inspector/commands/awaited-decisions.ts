/** What was said about approvals while nobody owned the store: of two answers to one the first will count. */
import type { SupervisorCommand } from '../../machines/supervisor.ts';
import { isSealed } from '../../persistence/sealing.ts';
import type { Reader } from './asking.ts';

type Decide = Extract<SupervisorCommand, { type: 'supervisor.decide' }>;

/** What somebody said already. */
export type Said = Pick<Decide, 'decision' | 'by'>;

/** The first answer to each approval that waits for an owner, by the approval's id. */
export function awaitedDecisions(rows: Pick<Reader, 'all'>): Map<string, Said> {
  const waiting = rows.all<{ event: string }>(
    'select event from commands where answered_at is null order by at desc, id desc',
  );
  const decisions = waiting
    .filter(({ event }) => !isSealed(event))
    .map(({ event }) => JSON.parse(event) as Decide)
    .filter(({ type }) => type === 'supervisor.decide');
  return new Map(decisions.map(({ id, decision, by }) => [id, { decision, by }]));
}
