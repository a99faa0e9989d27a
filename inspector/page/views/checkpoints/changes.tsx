import type { ActorDifference, ChangedPath, TableDifference } from '../../../../persistence/compare-turns.ts';
import type { Comparison } from '../../../views/past.ts';
import { countText, plural } from '../../format.ts';
import { setParams } from '../../location.ts';
import { useView } from '../../use-view.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { comparisonText, placeText, readComparison } from './comparison.ts';
import type { Kept } from './turn-scale.ts';
import { OF_NOW, OF_THEN, turnText, type Chosen } from './turns.ts';

const TONE: Readonly<Record<ActorDifference['change'], Tone>> = { added: 'ok', removed: 'failed', changed: 'running' };
const WORD: Readonly<Record<ActorDifference['change'], string>> = {
  added: 'came',
  removed: 'went',
  changed: 'changed',
};

/** What changed from a turn to another one, or to the present: the older is always the one before. */
export function Changes({ kept, chosen: { turn, other } }: { readonly kept: Kept; readonly chosen: Chosen }) {
  const isSame = turn === (other ?? kept.turn);
  const [a, b] = other === null || other > turn ? [turn, other] : [other, turn];
  const { data, error, reload } = useView<Comparison>(
    isSame ? null : 'compare',
    { a, b },
    b === null ? OF_NOW : OF_THEN,
  );
  return (
    <div class="cp-changes">
      <div class="cp-compare">
        <label class="cp-with">
          Compared with
          <select
            class="select"
            value={other === null ? '' : String(other)}
            onChange={({ currentTarget }) => setParams({ with: currentTarget.value })}
          >
            <option value="">the present</option>
            {other === null || kept.checkpoints.some((one) => one.turn === other) ? null : (
              <option value={other}>{turnText(kept, other)}</option>
            )}
            {kept.checkpoints.slice(0, 200).map((one) => (
              <option key={one.turn} value={one.turn} disabled={one.turn === turn}>
                {turnText(kept, one.turn)}
              </option>
            ))}
          </select>
        </label>
        {other === null ? null : (
          <Button small kind="quiet" icon="retry" onClick={() => setParams({ turn: other, with: turn })}>
            Swap
          </Button>
        )}
        <span class="cp-hint">or drag the second thumb</span>
      </div>
      {isSame ? (
        <Empty small icon="check" title="These are the same turn">
          Choose another one to compare it with.
        </Empty>
      ) : null}
      {error === undefined ? null : <Failure code={error.code} message={error.message} onRetry={reload} />}
      {!isSame && data === undefined && error === undefined ? <Spinner label="Comparing" /> : null}
      {data === undefined ? null : (
        <Differences comparison={data} title={`From ${turnText(kept, a)} to ${turnText(kept, b)}`} />
      )}
    </div>
  );
}

function Differences({ comparison, title }: { readonly comparison: Comparison; readonly title: string }) {
  const read = readComparison(comparison);
  const nothing = read.actors.length === 0 && read.tables.length === 0;
  return (
    <>
      <p class="cp-summary" role="status">
        <strong>{title}</strong> {comparisonText(read)}
        {comparison.more ? ' — and more than is shown' : ''}.
      </p>
      {nothing ? <Empty small icon="check" title="Nothing differs" /> : null}
      {read.tables.length === 0 ? null : <Tables tables={read.tables} />}
      {read.actors.map((actor) => (
        <ActorChanges key={`${actor.change} ${actor.actor}`} difference={actor} />
      ))}
    </>
  );
}

function Tables({ tables }: { readonly tables: readonly TableDifference[] }) {
  const most = Math.max(...tables.map(({ added, removed, changed }) => added + removed + changed));
  return (
    <details class="cp-tables" open>
      <summary>{plural(tables.length, 'table')} of rows</summary>
      <ul>
        {tables.map((table) => (
          <TableCounts key={table.table} table={table} most={most} />
        ))}
      </ul>
    </details>
  );
}

const CHANGES = ['added', 'removed', 'changed'] as const;

function TableCounts({ table, most }: { readonly table: TableDifference; readonly most: number }) {
  return (
    <li class="cp-table">
      <code>{table.table}</code>
      <span class="cp-bars" aria-hidden>
        {CHANGES.map((change) => (
          <span key={change} class={`cp-bar ${change}`} style={{ width: `${(table[change] / most) * 100}%` }} />
        ))}
      </span>
      <span class="cp-table-counts">
        {CHANGES.filter((change) => table[change] > 0).map((change) => (
          <span key={change} class={`cp-count ${change}`} title={keysText(table.keys[change])}>
            {{ added: '+', removed: '−', changed: '~' }[change]}
            {countText(table[change])} <span class="cp-count-word">{change}</span>
          </span>
        ))}
      </span>
    </li>
  );
}

function keysText(keys: readonly string[]): string {
  return keys.length > 20 ? `${keys.slice(0, 20).join(', ')}, …` : keys.join(', ');
}

function ActorChanges({ difference }: { readonly difference: ActorDifference }) {
  const { change, actor, paths, more } = difference;
  const head = (
    <>
      <Badge tone={TONE[change]} icon={{ added: 'plus', removed: 'minus', changed: 'retry' }[change] as 'plus'}>
        {WORD[change]}
      </Badge>
      <span class="cp-path">{actor}</span>
      {paths.length === 0 ? null : <span class="cp-places">{plural(paths.length + more, 'place')}</span>}
    </>
  );
  if (paths.length === 0) return <div class="cp-actor-change bare">{head}</div>;
  return (
    <details class="cp-actor-change" open={paths.length <= 4}>
      <summary>{head}</summary>
      <ul class="cp-diff">
        {paths.map((path) => (
          <Place key={path.path} path={path} />
        ))}
      </ul>
      {more === 0 ? null : <p class="cp-note">and {plural(more, 'more place')}</p>}
    </details>
  );
}

function Place({ path: { path, before, after } }: { readonly path: ChangedPath }) {
  return (
    <li class="cp-place">
      <code class="cp-place-name">{placeText(path)}</code>
      <span class="cp-values">
        <Value value={before} kind="before" />
        <span class="cp-arrow" aria-label="became">
          →
        </span>
        <Value value={after} kind="after" />
      </span>
    </li>
  );
}

function Value({ value, kind }: { readonly value: unknown; readonly kind: 'before' | 'after' }) {
  if (value === undefined) return <span class={`cp-value ${kind} nothing`}>nothing</span>;
  const text = JSON.stringify(value) ?? 'nothing';
  return (
    <code class={`cp-value ${kind}`} title={text.length > 80 ? text : undefined}>
      {text}
    </code>
  );
}
