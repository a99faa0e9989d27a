import { useState } from 'preact/hooks';
import type { Approvals } from '../../../views/approvals.ts';
import { param } from '../../location.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { ActionLink } from '../../ui/link.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Search } from '../../ui/search.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Time } from '../../ui/time.tsx';
import { walkOnKey } from '../../ui/walk.ts';
import { useView } from '../../use-view.ts';
import { ApprovalCard } from './card.tsx';
import { decidedIn, useHeld } from './use-held.ts';

/** Cards are tall, and so many of them slow a page down. */
const AT_ONCE = 50;

/** What waits for a person, and what was decided. */
function ApprovalsView() {
  const { data, error, isLoading, reload } = useView<Approvals>('approvals');
  const { cards, onClickCapture } = useHeld(data?.open ?? []);
  const [most, setMost] = useState(AT_ONCE);
  const search = param('search');
  if (error !== undefined && data === undefined) {
    return <Failure code={error.code} message={error.message} onRetry={reload} />;
  }
  if (isLoading || data === undefined) return <Spinner label="Loading…" />;
  const typed = search.value.toLowerCase();
  const found = cards.filter(({ item }) => textOf(item).includes(typed));
  return (
    <div class="view-column">
      <div class="toolbar">
        <Search value={search.value} onInput={(text) => (search.value = text)} label="Search approvals" />
      </div>
      <div class="view-column" data-list tabIndex={-1} onKeyDown={walkOnKey}>
        <Panel
          title="Waiting for a person"
          icon="person"
          count={found.filter(({ goneAt }) => goneAt === null).length}
          flush
        >
          {found.length > 0 ? null : typed === '' ? (
            <Empty icon="person" title="Nobody is asked anything">
              An action whose score is too low to pass the gate by itself waits here until somebody approves or denies
              it.
            </Empty>
          ) : (
            <Empty small icon="person" title="Nothing that asks says that" />
          )}
          <div onClickCapture={onClickCapture}>
            {found.slice(0, most).map((card) => (
              <ApprovalCard key={card.item.id} approval={card.item} decided={decidedIn(data, card)} />
            ))}
          </div>
          {found.length <= most ? null : (
            <p class="approvals-more">
              <Button onClick={() => setMost(most + AT_ONCE)}>
                Show {Math.min(AT_ONCE, found.length - most)} more of {found.length - most}
              </Button>
            </p>
          )}
        </Panel>
        <Decided decided={data.decided.filter((approval) => textOf(approval).includes(typed))} />
      </div>
    </div>
  );
}

function textOf({ id, action, name, summary, undo, by, note }: Approvals['decided'][number]): string {
  return [id, action, name, summary, undo, by, note].join(' ').toLowerCase();
}

function Decided({ decided }: { readonly decided: Approvals['decided'] }) {
  if (decided.length === 0) return null;
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
