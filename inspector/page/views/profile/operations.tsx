import type { OperationReport } from '../../../../machines/profile-report.ts';
import { countText, percentText, plural } from '../../format.ts';
import { param } from '../../location.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { spanText } from './profile-words.ts';

const sort = param('sort');

function number(
  id: string,
  title: string,
  value: (operation: OperationReport) => number,
  text: (value: number) => string,
  width = '76px',
): Column<OperationReport> {
  return {
    id,
    title,
    width,
    align: 'right',
    sort: value,
    cell: (operation) => (value(operation) === 0 ? <span class="faint">–</span> : text(value(operation))),
  };
}

/** Work and waits are not added up: what waits takes nobody's time. */
const WHOLES: Readonly<Record<OperationReport['kind'], string>> = {
  work: 'all work',
  wait: 'all waits',
  runtime: 'the time of Perdure itself',
};

const COLUMNS: readonly Column<OperationReport>[] = [
  {
    id: 'name',
    title: 'Operation',
    width: 'minmax(160px, 2fr)',
    sort: ({ name }) => name,
    cell: ({ name, kind, inFlight }) => (
      <span class="pf-op" title={name}>
        <span class={`pf-swatch ${kind}`} role="img" aria-label={kind} />
        <span class="pf-op-name">{name}</span>
        {inFlight > 0 ? (
          <Badge tone="running" title="Under way: neither gone well nor failed">
            {countText(inFlight)}
          </Badge>
        ) : null}
      </span>
    ),
  },
  {
    id: 'share',
    title: 'Share',
    width: 'minmax(120px, 1fr)',
    align: 'right',
    sort: ({ share }) => share,
    cell: ({ share, kind }) => (
      <span class="pf-share" title={`${percentText(share)} of ${WHOLES[kind]}`}>
        <span class={`pf-share-bar ${kind}`} style={{ transform: `scaleX(${Math.min(1, share)})` }} />
        <span>
          {percentText(share)} <span class="faint">{kind === 'wait' ? 'of waits' : ''}</span>
        </span>
      </span>
    ),
  },
  number('self', 'Own', ({ selfMs }) => selfMs, spanText, '96px'),
  number('total', 'In all', ({ totalMs }) => totalMs, spanText, '96px'),
  number('count', 'Calls', ({ count }) => Math.round(count), countText, '68px'),
  number('p50', 'p50', ({ p50Ms }) => p50Ms, spanText, '68px'),
  number('p95', 'p95', ({ p95Ms }) => p95Ms, spanText, '68px'),
  number('p99', 'p99', ({ p99Ms }) => p99Ms, spanText, '68px'),
  {
    ...number('errors', 'Failed', ({ errorRate }) => errorRate, percentText, '64px'),
    cell: ({ errorRate, failures }) =>
      failures === 0 ? (
        <span class="faint">–</span>
      ) : (
        <span class={errorRate >= 0.2 ? 'pf-bad' : ''} title={plural(Math.round(failures), 'failure')}>
          {percentText(errorRate)}
        </span>
      ),
  },
];

export interface OperationsProps {
  readonly operations: readonly OperationReport[];
  readonly text: string;
  /** The name of the one that is lit in the flame graph. */
  readonly selected: string;
  readonly onSelect: (name: string) => void;
}

/** Every operation, wherever it was called from. */
export function Operations({ operations, text, selected, onSelect }: OperationsProps) {
  const sought = text.trim().toLowerCase();
  const found = sought === '' ? operations : operations.filter(({ name }) => name.toLowerCase().includes(sought));
  const keyOf = ({ kind, name }: OperationReport): string => `${kind} ${name}`;
  return (
    <Table
      rows={found}
      columns={COLUMNS}
      keyOf={keyOf}
      label={plural(found.length, 'operation')}
      selected={found.filter(({ name }) => name === selected).map(keyOf)[0] ?? null}
      onSelect={({ name }) => onSelect(name === selected ? '' : name)}
      sort={sort.value}
      onSort={(next) => (sort.value = next)}
      rowHeight={28}
      empty={<Empty small icon="flame" title="No operation is called so" />}
    />
  );
}
