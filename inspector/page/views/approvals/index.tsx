import type { Approvals } from '../../../views/approvals.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { ActionLink } from '../../ui/link.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Time } from '../../ui/time.tsx';
import { walkOnKey } from '../../ui/walk.ts';
import { useView } from '../../use-view.ts';
import { ApprovalCard } from './card.tsx';

/** What waits for a person, and what was decided. */
function ApprovalsView() {
  const { data, error, isLoading, reload } = useView<Approvals>('approvals');
  if (error !== undefined && data === undefined) {
    return <Failure code={error.code} message={error.message} onRetry={reload} />;
  }
  if (isLoading || data === undefined) return <Spinner label="Loading…" />;
  return (
    <div class="view-column" data-list tabIndex={-1} onKeyDown={walkOnKey}>
      <Panel title="Waiting for a person" icon="person" count={data.open.length} flush>
        {data.open.length === 0 ? (
          <Empty icon="person" title="Nobody is asked anything">
            An action whose score is too low to pass the gate by itself waits here until somebody approves or denies it.
          </Empty>
        ) : (
          data.open.map((approval) => <ApprovalCard key={approval.id} approval={approval} />)
        )}
      </Panel>
      {data.decided.length === 0 ? null : <Decided decided={data.decided} />}
    </div>
  );
}

function Decided({ decided }: { readonly decided: Approvals['decided'] }) {
  return (
    <Panel title="Decided" icon="audit" count={decided.length} flush>
      <ul>
        {decided.map((approval) => (
          <li key={approval.id} class="decided" data-item tabIndex={-1}>
            <StateBadge state={approval.state} />
            <span class="grow stack decided-what">
              <span class="cut">{approval.summary}</span>
              <span class="approval-facts">
                <ActionLink id={approval.action} name={approval.name} />
                <span>{approval.by === null ? 'by nobody' : `by ${approval.by}`}</span>
                {approval.note === null ? null : <span>“{approval.note}”</span>}
              </span>
            </span>
            <span class="faint">
              <Time at={approval.decidedAt} />
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export const view = { component: ApprovalsView };
