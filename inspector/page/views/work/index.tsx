import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { WorkItem } from '../../../views/work.ts';
import { plural } from '../../format.ts';
import { go, param, route, setParams } from '../../location.ts';
import { remember, remembered } from '../../memory.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { awaitList } from '../../ui/focus.ts';
import { Search } from '../../ui/search.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { ActionPanel } from './action-detail.tsx';
import { BulkBar } from './bulk-bar.tsx';
import {
  describeFilter,
  filterOf,
  isSameFilter,
  paramsOf,
  savedFrom,
  savedTab,
  savedText,
  switched,
  tabOf,
  tabs,
  type Filter,
  type FilterTab,
} from './filters.ts';
import { isComplete } from './pages.ts';
import { QueueStrip } from './queue-strip.tsx';
import { useWorkList, type WorkList } from './use-work-list.ts';
import { WorkTable } from './work-table.tsx';
import './work.css';

const SAVED = 'work.filters';
const KINDS = ['ok', 'recovered', 'degraded', 'skipped', 'failed', 'denied', 'cancelled'];

function show(filter: Filter): void {
  setParams(paramsOf(filter));
}

function Work() {
  const { params } = route.value;
  const text = JSON.stringify(filterOf(params));
  const filter = useMemo(() => JSON.parse(text) as Filter, [text]);
  const work = useWorkList(filter);
  const { list } = work;
  const open = params['action'] ?? null;
  const [picked, setPicked] = useState<ReadonlyMap<string, WorkItem>>(new Map());
  const last = useRef(0);
  useEffect(() => setPicked(new Map()), [text]);
  // What is picked is as it is now, as far as it is still in the list.
  const current = useMemo(() => {
    if (picked.size === 0) return [];
    const now = new Map(list.items.map((item) => [item.id, item]));
    return [...picked.values()].map((item) => now.get(item.id) ?? item);
  }, [picked, list]);

  const pick = useCallback(
    (item: WorkItem, index: number, isRange: boolean): void => {
      const [from, to] = [Math.min(last.current, index), Math.max(last.current, index)];
      const range = isRange ? list.items.slice(from, to + 1) : [item];
      last.current = index;
      setPicked((before) => {
        const next = new Map(before);
        if (!isRange && next.delete(item.id)) return next;
        for (const one of range) next.set(one.id, one);
        return next;
      });
    },
    [list],
  );
  const pickAll = (): void =>
    setPicked((before) =>
      before.size >= list.items.length ? new Map() : new Map(list.items.map((item) => [item.id, item])),
    );

  return (
    <div class="work-view">
      <div class="work-main">
        <QueueStrip
          queues={work.queues}
          selected={filter.queue}
          onSelect={(queue) => setParams({ queue: queue ?? null })}
        />
        <Filters filter={filter} names={work.names} />
        {current.length > 0 ? <BulkBar items={current} onClear={() => setPicked(new Map())} /> : null}
        {work.isLoading ? (
          <div class="work-loading">
            <Spinner label="Looking at the queue" />
          </div>
        ) : list.items.length === 0 ? (
          <Nothing filter={filter} work={work} />
        ) : (
          <WorkTable
            items={list.items}
            isComplete={isComplete(list)}
            open={open}
            picked={useKeys(picked)}
            onOpen={({ id }) => setParams({ action: id === open ? null : id, from: null }, { replace: false })}
            onPick={pick}
            onPickAll={pickAll}
            onLook={work.look}
            onNearEnd={work.loadMore}
          />
        )}
        <div class="work-foot" role="status">
          {list.items.length === 0
            ? ''
            : `${plural(list.items.length, 'action')}${isComplete(list) ? '' : ' so far; more as you scroll'}`}
        </div>
      </div>
      {open === null ? null : <ActionPanel id={open} onClose={() => close(open)} />}
    </div>
  );
}

/** Whoever came from the dead letters goes back to them. */
function close(action: string): void {
  if (param('from').peek() !== 'dead-letters') return setParams({ action: null });
  awaitList();
  go('dead-letters', { action });
}

function useKeys(picked: ReadonlyMap<string, WorkItem>): ReadonlySet<string> {
  return useMemo(() => new Set(picked.keys()), [picked]);
}

function Nothing({ filter, work }: { readonly filter: Filter; readonly work: WorkList }) {
  if (work.error !== null) {
    return <Failure code={work.error.code} message={work.error.message} onRetry={work.reload} />;
  }
  if (isSameFilter(filter, {})) {
    return (
      <Empty icon="queue" title="No action was submitted yet">
        Every action appears here as soon as it is submitted: by <code>submit()</code>, by a plan, or by a schedule.
      </Empty>
    );
  }
  return (
    <Empty icon="filter" title="Nothing is like this now">
      <p>You look for {describeFilter(filter)}.</p>
      <Button small onClick={() => show({})}>
        Show all actions
      </Button>
    </Empty>
  );
}

function Filters({ filter, names }: { readonly filter: Filter; readonly names: readonly string[] }) {
  const [saved, setSaved] = useState(() => savedFrom(remembered(SAVED)));
  const [search, setSearch] = useState(filter.search ?? '');
  useEffect(() => setSearch(filter.search ?? ''), [filter.search]);
  useEffect(() => {
    if (search === (filter.search ?? '')) return;
    const timer = setTimeout(() => setParams({ search }), 150);
    return () => clearTimeout(timer);
  }, [search]);
  const selected = tabOf(filter, saved);
  const isSaved = saved.includes(selected);
  const keep = (next: FilterTab[]): void => {
    setSaved(next);
    remember(SAVED, next.length === 0 ? null : savedText(next));
  };
  const isNew = !isSaved && !isSameFilter(selected.filter, filter);
  return (
    <div class="work-filters">
      <Tabs
        label="Saved filters"
        tabs={[...tabs, ...saved].map(({ id, label }) => ({ id, title: label }))}
        selected={selected.id}
        onSelect={(id) => {
          const tab = [...tabs, ...saved].find((one) => one.id === id);
          if (tab !== undefined) show(switched(filter, tab));
        }}
      />
      <div class="work-search">
        <Search value={search} onInput={setSearch} label="Search by id or name" />
        <Choice label="Name" value={filter.name} choices={names} onChoose={(name) => setParams({ name })} />
        <Choice label="Outcome" value={filter.kind} choices={KINDS} onChoose={(kind) => setParams({ kind })} />
        {filter.plan === undefined ? null : (
          <Chip label={`plan ${filter.plan}`} onClear={() => setParams({ plan: null })} />
        )}
        {filter.queue === undefined ? null : (
          <Chip label={`queue ${filter.queue}`} onClear={() => setParams({ queue: null })} />
        )}
        {isNew ? (
          <SaveTab filter={filter} onSave={(tab) => keep([...saved.filter(({ id }) => id !== tab.id), tab])} />
        ) : null}
        {isSaved ? (
          <Button
            small
            kind="quiet"
            icon="cross"
            onClick={() => {
              keep(saved.filter((tab) => tab !== selected));
              show({});
            }}
          >
            Forget this tab
          </Button>
        ) : null}
      </div>
    </div>
  );
}

function Choice({
  label,
  value,
  choices,
  onChoose,
}: {
  readonly label: string;
  readonly value: string | undefined;
  readonly choices: readonly string[];
  readonly onChoose: (value: string | null) => void;
}) {
  const all = value === undefined || choices.includes(value) ? choices : [value, ...choices];
  return (
    <label class={`work-choice ${value === undefined ? '' : 'is-set'}`}>
      <span>{label}</span>
      <select value={value ?? ''} onChange={(event) => onChoose(event.currentTarget.value || null)}>
        <option value="">any</option>
        {all.map((choice) => (
          <option key={choice} value={choice}>
            {choice}
          </option>
        ))}
      </select>
    </label>
  );
}

function Chip({ label, onClear }: { readonly label: string; readonly onClear: () => void }) {
  return (
    <span class="work-chip">
      {label}
      <IconButton icon="cross" small label={`Not only ${label}`} onClick={onClear} />
    </span>
  );
}

function SaveTab({ filter, onSave }: { readonly filter: Filter; readonly onSave: (tab: FilterTab) => void }) {
  const [name, setName] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), [name === null]);
  if (name === null) {
    return (
      <Button small kind="quiet" icon="plus" onClick={() => setName('')}>
        Save as a tab
      </Button>
    );
  }
  return (
    <form
      class="save-tab"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim() !== '') onSave(savedTab(name.trim(), filter));
        setName(null);
      }}
    >
      <input
        ref={input}
        aria-label="Name of the tab"
        placeholder="Name of the tab"
        maxLength={32}
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') setName(null);
        }}
      />
      <Button small type="submit" kind="primary">
        Save
      </Button>
    </form>
  );
}

export const view = { component: Work };
