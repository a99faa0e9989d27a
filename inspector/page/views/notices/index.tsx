import type { Overview } from '../../../views/overview.ts';
import { param } from '../../location.ts';
import { overviewNow } from '../../overview-now.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Search } from '../../ui/search.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';

type Notice = Overview['notices'][number];

/** As many as the overview tells of. */
const LISTED = 20;

const COLUMNS: readonly Column<Notice>[] = [
  { id: 'at', title: 'When', width: '110px', cell: ({ at }) => <Time at={at} />, sort: ({ at }) => at },
  {
    id: 'kind',
    title: 'What',
    width: '180px',
    cell: ({ kind }) => <Badge tone="degraded">{kind}</Badge>,
    sort: ({ kind }) => kind,
  },
  {
    id: 'detail',
    title: 'Detail',
    width: 'minmax(320px, 1fr)',
    cell: ({ detail }) => <span title={detail}>{detail}</span>,
  },
];

/** What went wrong with the store and its host. */
function Notices() {
  const overview = overviewNow.value;
  const search = param('search');
  const sort = param('sort');
  const selected = param('notice');
  if (overview === null) return <Spinner label="Loading…" />;
  const typed = search.value.toLowerCase();
  const rows = overview.notices.filter(({ kind, detail }) => `${kind} ${detail}`.toLowerCase().includes(typed));
  return (
    <div class="view-fill">
      <div class="toolbar">
        <Search value={search.value} onInput={(text) => (search.value = text)} label="Search notices" />
        {overview.notices.length < LISTED ? null : <span class="faint">The newest {LISTED}</span>}
      </div>
      <Panel title="Notices" icon="notice" count={rows.length} flush fill>
        <Table
          label="Notices"
          rows={rows}
          columns={COLUMNS}
          keyOf={({ id }) => String(id)}
          selected={selected.value}
          onSelect={({ id }) => (selected.value = String(id))}
          sort={sort.value}
          onSort={(next) => (sort.value = next)}
          empty={
            <Empty icon="check" title={typed === '' ? 'No notices' : 'No notice says that'}>
              What the store survived is told here: a row that was repaired, a delivery that was given up, an effect of
              which nobody knows whether it was done.
            </Empty>
          }
        />
      </Panel>
    </div>
  );
}

export const view = { component: Notices };
