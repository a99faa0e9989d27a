import { useState } from 'preact/hooks';
import type { CommandAnswer } from '../../../protocol.ts';
import type { DeadLettersView } from '../../../views/measures.ts';
import { canCommand, give } from '../../command.ts';
import { plural } from '../../format.ts';
import { isNarrow } from '../../narrow.ts';
import './dead-letters.css';
import { go, param } from '../../location.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { ActionLink, PlanLink } from '../../ui/link.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Search } from '../../ui/search.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { useView } from '../../use-view.ts';

type Dead = DeadLettersView['items'][number];

const LIMIT = 1_000;

/** Actions that failed for good: to be queued again, or let go. */
function DeadLetters() {
  const { data, error, reload } = useView<DeadLettersView>('dead-letters', { limit: LIMIT });
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const search = param('search');
  const sort = param('sort');
  const selected = param('action');
  if (error !== undefined && data === undefined) {
    return <Failure code={error.code} message={error.message} onRetry={reload} />;
  }
  if (data === undefined) return <Spinner label="Loading…" />;

  const typed = search.value.toLowerCase();
  const rows = data.items.filter((item) => textOf(item).includes(typed));
  const picked = rows.filter(({ id }) => chosen.has(id));
  const ids = picked.map(({ id }) => id);
  const free = picked.filter(({ plan }) => plan === null).map(({ id }) => id);
  // A step of a plan has another round with its plan; one that went well meanwhile needs none.
  const plans = [...new Set(picked.flatMap(({ plan, canRetryPlan }) => (canRetryPlan ? (plan ?? []) : [])))];
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const after = ({ state }: CommandAnswer, done: readonly string[]): void => {
    if (state !== 'refused') setChosen((before) => new Set([...before].filter((id) => !done.includes(id))));
    reload();
  };
  const requeue = async (): Promise<void> => after(await give('requeue', { ids: free }), free);
  const discard = async (): Promise<void> => {
    const question = `${plural(ids.length, 'dead letter')} will be taken off the list.`;
    after(await give('discard', { ids }, { question }), ids);
  };
  const retryPlans = async (): Promise<void> => {
    for (const plan of plans) {
      const steps = picked.filter((item) => item.plan === plan).map(({ id }) => id);
      after(await give('retry', { id: plan }), steps);
    }
  };
  const columns = canCommand.value ? [chooser(chosen, toggle), ...COLUMNS] : COLUMNS;
  return (
    <div class="view-fill">
      <div class="toolbar">
        <Search value={search.value} onInput={(text) => (search.value = text)} label="Search dead letters" />
        {canCommand.value && rows.length > 0 ? (
          <>
            <Button
              kind="quiet"
              onClick={() => setChosen(new Set(ids.length === rows.length ? [] : rows.map(({ id }) => id)))}
            >
              {ids.length === rows.length ? 'Choose none' : `Choose all ${rows.length}`}
            </Button>
            {ids.length > 0 && free.length === 0 ? null : (
              <Button icon="queue" kind="primary" gives disabled={free.length === 0} onClick={() => void requeue()}>
                {free.length === 0 ? 'Requeue' : `Requeue ${free.length}`}
              </Button>
            )}
            {plans.length === 0 ? null : (
              <Button
                icon="retry"
                gives
                title="Give the failed steps of the plan another round"
                onClick={() => void retryPlans()}
              >
                {plans.length === 1 ? 'Retry in its plan' : `Retry in ${plans.length} plans`}
              </Button>
            )}
            <Button icon="dead" kind="danger" gives disabled={ids.length === 0} onClick={() => void discard()}>
              Discard
            </Button>
          </>
        ) : null}
      </div>
      <Panel
        title={data.more ? `Dead letters, the first ${data.items.length}` : 'Dead letters'}
        icon="dead"
        count={rows.length}
        flush
        fill
      >
        <Table
          label="Dead letters"
          rows={rows}
          columns={columns}
          rowHeight={isNarrow.value ? 72 : 34}
          keyOf={({ id }) => id}
          selected={selected.value}
          onSelect={({ id }) => (selected.value = id)}
          onOpen={({ id }) => go('work', { action: id, from: 'dead-letters' })}
          sort={sort.value}
          onSort={(next) => (sort.value = next)}
          empty={
            <Empty icon="check" title={typed === '' ? 'Nothing has failed for good' : 'No dead letter says that'}>
              An action whose attempts are all used up comes here, with its error, and can be queued again.
            </Empty>
          }
        />
      </Panel>
    </div>
  );
}

const COLUMNS: readonly Column<Dead>[] = [
  {
    id: 'name',
    title: 'Action',
    width: 'minmax(90px, 1fr)',
    cell: ({ id, name }) => <ActionLink id={id} name={name} />,
    sort: ({ name }) => name,
  },
  {
    id: 'error',
    title: 'Error',
    width: 'minmax(160px, 3fr)',
    cell: ({ error }) =>
      error === null ? (
        <span class="faint">–</span>
      ) : (
        <span class="dead-error" title={error.message}>
          <b>{error.name}</b> {error.message}
        </span>
      ),
    sort: ({ error }) => error?.message ?? null,
  },
  {
    id: 'class',
    title: 'Class',
    width: '110px',
    cell: ({ error }) => (error === null ? null : <Badge>{error.class}</Badge>),
    sort: ({ error }) => error?.class ?? null,
    wide: true,
  },
  {
    id: 'attempts',
    title: 'Attempts',
    width: '80px',
    align: 'right',
    cell: ({ attempts, round }) => (
      <span class="number" title={round > 1 ? `round ${round}` : ''}>
        {attempts}
        {round > 1 ? <span class="faint"> ×{round}</span> : null}
      </span>
    ),
    sort: ({ attempts }) => attempts,
    wide: true,
  },
  {
    id: 'plan',
    title: 'Plan',
    width: 'minmax(90px, 1fr)',
    cell: ({ plan }) => (plan === null ? <span class="faint">–</span> : <PlanLink id={plan} />),
    sort: ({ plan }) => plan,
    wide: true,
  },
  {
    id: 'failedAt',
    title: 'Failed',
    width: '100px',
    cell: ({ failedAt }) => <Time at={failedAt} />,
    sort: ({ failedAt }) => failedAt,
    wide: true,
  },
];

function chooser(chosen: ReadonlySet<string>, toggle: (id: string) => void): Column<Dead> {
  return {
    id: 'chosen',
    title: 'Chosen',
    hidesTitle: true,
    width: '18px',
    cell: ({ id, name }) => (
      <input
        type="checkbox"
        aria-label={`Choose ${name} ${id}`}
        checked={chosen.has(id)}
        onClick={(event) => event.stopPropagation()}
        onChange={() => toggle(id)}
      />
    ),
  };
}

function textOf({ id, name, plan, error }: Dead): string {
  return `${id} ${name} ${plan ?? ''} ${error?.name ?? ''} ${error?.code ?? ''} ${error?.message ?? ''}`.toLowerCase();
}

export const view = { component: DeadLetters };
