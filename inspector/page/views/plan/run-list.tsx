import { useEffect, useState } from 'preact/hooks';
import type { PlanInfo } from '../../../views/plan.ts';
import { loadView } from '../../connection.ts';
import { countText } from '../../format.ts';
import { pageErrorOf } from '../../page-error.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { Search } from '../../ui/search.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { toast } from '../../ui/toast.tsx';
import { Time } from '../../ui/time.tsx';
import { VirtualList } from '../../ui/virtual-list.tsx';
import { useView } from '../../use-view.ts';
import { toneOf } from '../../tone.ts';
import { runParts, runText } from './standing.ts';

/** Runs that are listed above the graph, where the page is narrow. */
const MOST_ROWS = 3;

interface Plans {
  readonly plans: readonly PlanInfo[];
  readonly next?: number | null;
}

/** The runs that there are, the newest first; older ones come as somebody scrolls. */
export function RunList({
  selected,
  onSelect,
  onFirst,
}: {
  readonly selected: string | null;
  readonly onSelect: (id: string) => void;
  /** Told which one is the newest, once. */
  readonly onFirst: (id: string) => void;
}) {
  const { data, error, isLoading, reload } = useView<Plans>('plans');
  const [older, setOlder] = useState<Plans>({ plans: [], next: null });
  const [isBusy, setBusy] = useState(false);
  const [search, setSearch] = useState('');
  const newest = data?.plans ?? [];
  const first = newest[0]?.id;
  useEffect(() => {
    if (first !== undefined) onFirst(first);
  }, [first]);

  const next = older.plans.length > 0 ? older.next : data?.next;
  const more = async (): Promise<void> => {
    if (next === null || next === undefined || isBusy) return;
    setBusy(true);
    try {
      const page = await loadView<Plans>('plans', { after: String(next) });
      setOlder((before) => ({ plans: [...before.plans, ...page.plans], next: page.next ?? null }));
    } catch (failure) {
      const { message } = pageErrorOf(failure);
      toast({ tone: 'failed', title: 'The older runs could not be had', text: message });
    } finally {
      setBusy(false);
    }
  };
  const known = new Set(newest.map(({ id }) => id));
  const all = [...newest, ...older.plans.filter(({ id }) => !known.has(id))];
  const wanted = search.trim().toLowerCase();
  const shown = wanted === '' ? all : all.filter(({ id, name }) => `${id} ${name}`.toLowerCase().includes(wanted));
  if (error !== undefined && data === undefined) {
    return <Failure code={error.code} message={error.message} onRetry={reload} />;
  }
  if (isLoading) return <Spinner label="Looking for runs" />;
  return (
    <div class="runs" style={{ '--rows': Math.min(MOST_ROWS, Math.max(1, shown.length)) }}>
      <Search value={search} onInput={setSearch} label="Search runs" />
      <VirtualList
        label="Runs of plans"
        items={shown}
        rowHeight={58}
        keyOf={({ id }) => id}
        selected={selected}
        onSelect={({ id }) => onSelect(id)}
        onNearEnd={() => void more()}
        empty={
          <Empty small icon="graph" title={wanted === '' ? 'No plan was run yet' : 'No run is called so'}>
            {wanted === '' ? (
              <>
                Run one with <code>perdure run plan.yaml</code>, or submit one with <code>submitPlan()</code>.
              </>
            ) : null}
          </Empty>
        }
        row={(plan) => <Run plan={plan} />}
      />
    </div>
  );
}

function Run({ plan }: { readonly plan: PlanInfo }) {
  const { id, state, kind, submittedAt } = plan;
  const parts = runParts(plan);
  const word = kind ?? state;
  return (
    <div class="run">
      <div class="run-line">
        <span class="cut run-name" title={id}>
          {id}
        </span>
        <Badge tone={toneOf(word)}>{word}</Badge>
      </div>
      <div class="run-line soft">
        <span class="number cut" title={runText(plan)}>
          {parts.map(({ part, count }, i) => (
            <span key={part} class={part === 'failed' || part === 'denied' ? 'tone-failed run-failed' : ''}>
              {i === 0 ? '' : ', '}
              {countText(count)} {part}
            </span>
          ))}
        </span>
        <span class="grow" />
        <Time at={submittedAt} />
      </div>
      <div class="run-bar" aria-hidden="true">
        {parts.map(({ part, tone, count }) => (
          <span key={part} class={part === 'to do' ? 'run-rest' : `tone-${tone}`} style={{ flexGrow: count }} />
        ))}
      </div>
    </div>
  );
}
