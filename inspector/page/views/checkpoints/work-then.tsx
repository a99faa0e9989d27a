import type { PastPlan, PastSteps, PastWork, PastWorkItem } from '../../../views/past-work.ts';
import { countText, plural } from '../../format.ts';
import { param } from '../../location.ts';
import { useView } from '../../use-view.ts';
import { OF_THEN, standingsText } from './turns.ts';
import { toneOf, type Tone } from '../../tone.ts';
import { Badge, StateBadge } from '../../ui/badge.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Table, type Column } from '../../ui/table.tsx';

const chosen = param('item');
const sort = param('sort');

const COLUMNS: readonly Column<PastWorkItem>[] = [
  {
    id: 'state',
    title: 'State',
    width: '110px',
    cell: ({ state }) => <StateBadge state={state} />,
    sort: ({ state }) => state,
  },
  {
    id: 'name',
    title: 'What',
    width: 'minmax(100px, 1fr)',
    cell: ({ name }) => <span title={name}>{name}</span>,
    sort: ({ name }) => name,
  },
  {
    id: 'id',
    title: 'Id',
    width: 'minmax(120px, 1.4fr)',
    cell: ({ id }) => (
      <span class="id" title={id}>
        {id}
      </span>
    ),
    sort: ({ id }) => id,
  },
  {
    id: 'input',
    title: 'Input',
    width: 'minmax(120px, 2fr)',
    cell: ({ input }) => <span class="cp-json">{JSON.stringify(input)}</span>,
  },
];

/** What had not settled in a turn: what ran, what waited, and how far the plans were. */
export function WorkThen({ turn }: { readonly turn: number }) {
  const { data, error, isLoading, reload } = useView<PastWork>('past-work', { turn }, OF_THEN);
  const items = data?.items ?? [];
  const item = items.find(({ id }) => id === chosen.value);
  return (
    <div class="cp-work">
      {data === undefined ? null : <Plans plans={data.plans} more={data.morePlans} />}
      {error === undefined ? null : <Failure code={error.code} message={error.message} onRetry={reload} />}
      {isLoading ? <Spinner label="Reading what waited then" /> : null}
      {data === undefined ? null : (
        <div class={`cp-work-parts ${item === undefined ? '' : 'with-item'}`}>
          <Table
            rows={items}
            columns={COLUMNS}
            keyOf={({ id }) => id}
            label={`What had not settled: ${plural(items.length, 'action')}`}
            selected={chosen.value === '' ? null : chosen.value}
            onSelect={({ id }) => (chosen.value = id === chosen.value ? '' : id)}
            sort={sort.value}
            onSort={(next) => (sort.value = next)}
            empty={
              <Empty small icon="check" title="Nothing waited and nothing ran">
                All that was submitted before this turn had settled by then.
              </Empty>
            }
          />
          {item === undefined ? null : <Item item={item} />}
        </div>
      )}
      {data?.more === true ? <p class="cp-note">Only the first {items.length} are shown.</p> : null}
    </div>
  );
}

function Item({ item }: { readonly item: PastWorkItem }) {
  return (
    <aside class="cp-item" aria-label={`Input of ${item.id}`}>
      <p class="cp-item-head">
        <span class="id">{item.id}</span>
        {item.plan === null ? null : <Badge icon="graph">{item.plan}</Badge>}
      </p>
      <JsonTree value={item.input} label={`Input of ${item.id}`} depth={3} />
      <p class="cp-note">
        {item.keeps === null
          ? 'A fork from here can give it another input.'
          : `A fork from here keeps its input: ${item.keeps}.`}
        {item.isRedacted ? ' Secrets in it are not shown.' : ''}
      </p>
    </aside>
  );
}

/** What was left out looks like nothing that will come. */
function toneOfStanding(standing: PastSteps['standing']): Tone {
  return standing === 'skipped' || standing === 'cancelled' ? 'neutral' : toneOf(standing);
}

function Plans({ plans, more }: { readonly plans: readonly PastPlan[]; readonly more: boolean }) {
  if (plans.length === 0) return null;
  return (
    <ul class="cp-plans" aria-label="Plans that went on">
      {plans.map(({ id, name, standings }) => (
        <li key={id} class="cp-plan">
          <div class="cp-plan-head">
            <strong>{name}</strong>
            <span class="id">{id}</span>
            <span class="cp-plan-left">{standingsText(standings)}</span>
          </div>
          {standings.map(({ standing, count, steps }) => (
            <div key={standing} class="cp-steps">
              <span class="cp-standing">{standing}</span>
              {steps.map((step) => (
                <Badge key={step} tone={toneOfStanding(standing)} title={`${step}: ${standing}`}>
                  {step}
                </Badge>
              ))}
              {count > steps.length ? <span class="cp-note">and {countText(count - steps.length)} more</span> : null}
            </div>
          ))}
        </li>
      ))}
      {more ? <li class="cp-note">Only the first {plans.length} plans are shown.</li> : null}
    </ul>
  );
}
