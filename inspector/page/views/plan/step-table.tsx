import { useState } from 'preact/hooks';
import type { PlanStep } from '../../../views/plan.ts';
import { countText } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { useNow } from '../../ui/clock.ts';
import { Table } from '../../ui/table.tsx';
import { standingOf } from './shape.ts';
import { timeOf, toneOfStanding, wordOf } from './standing.ts';

/** The same run as a table: every step, what it waits for, and what came of it. */
export function StepTable({
  steps,
  selected,
  onSelect,
}: {
  readonly steps: readonly PlanStep[];
  readonly selected: string | null;
  readonly onSelect: (step: string) => void;
}) {
  const [sort, setSort] = useState('');
  const now = useNow();
  return (
    <Table
      label="Steps"
      rows={steps}
      keyOf={({ id }) => id}
      selected={selected}
      onSelect={({ id }) => onSelect(id)}
      sort={sort}
      onSort={setSort}
      columns={[
        {
          id: 'state',
          title: 'State',
          width: '120px',
          sort: (step) => standingOf(step),
          cell: (step) => <Badge tone={toneOfStanding(standingOf(step))}>{wordOf(step)}</Badge>,
        },
        {
          id: 'step',
          title: 'Step',
          width: 'minmax(160px, 2fr)',
          sort: ({ id }) => id,
          cell: (step) => (
            <span class="cut" title={step.id}>
              {step.id}
              {step.role === 'step' ? '' : ` (${step.role})`}
            </span>
          ),
        },
        {
          id: 'action',
          title: 'Action',
          width: 'minmax(90px, 1fr)',
          sort: ({ name }) => name,
          cell: ({ name }) => (
            <span class="cut soft" title={name}>
              {name}
            </span>
          ),
        },
        {
          id: 'after',
          title: 'After',
          width: 'minmax(120px, 1.4fr)',
          wide: true,
          cell: ({ after }) => (
            <span class="cut soft" title={after.join(', ')}>
              {after.length === 0 ? '–' : after.join(', ')}
            </span>
          ),
        },
        {
          id: 'critical',
          title: 'Critical',
          width: '76px',
          sort: ({ isCritical }) => (isCritical ? 0 : 1),
          cell: ({ isCritical }) => (isCritical ? <Badge tone="accent">critical</Badge> : null),
        },
        {
          id: 'tries',
          title: 'Tries',
          width: '60px',
          align: 'right',
          sort: ({ attempts }) => attempts,
          cell: ({ attempts }) => countText(attempts),
        },
        {
          id: 'time',
          title: 'Time',
          width: '140px',
          align: 'right',
          sort: (step) => (step.startedAt === null ? step.estimateMs : (step.settledAt ?? now) - step.startedAt),
          cell: (step) => timeOf(step, now),
        },
        {
          id: 'why',
          title: 'Why',
          width: 'minmax(120px, 2fr)',
          wide: true,
          cell: ({ error, reason }) => (
            <span class="cut soft" title={error ?? reason ?? undefined}>
              {error ?? reason ?? ''}
            </span>
          ),
        },
      ]}
    />
  );
}
