/** The tree of actors: of any size, walked through with the arrows. */
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { registry, untold } from '../../connection.ts';
import { countText } from '../../format.ts';
import { param, setParams } from '../../location.ts';
import { toneOf } from '../../tone.ts';
import { Button } from '../../ui/button.tsx';
import { Dot } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Icon } from '../../ui/icon.tsx';
import { onScrolled } from '../../ui/scrolled.ts';
import { Search } from '../../ui/search.tsx';
import { valueText } from './configuration.ts';
import { treeMove, treeRows, type Status, type TreeKey, type TreeRow } from './tree.ts';

const ROW = 28;
/** Rows that are drawn beyond what is in sight, and by which the drawn part moves. */
const STEP = 8;
/** The tree is drawn anew at most so often, however much goes on in it. */
const REST_MS = 100;
/** A tree of so many actors costs more to draw, and is drawn half as often. */
const MANY = 500;
const STATUSES: readonly Status[] = ['active', 'error', 'done', 'stopped'];

/** The registry, some ten times a second at most, five when it is large. */
function useRegistry() {
  const shown = useSignal(registry.peek());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useSignalEffect(() => {
    const latest = registry.value;
    if (latest === shown.peek()) return;
    timer.current ??= setTimeout(
      () => {
        timer.current = undefined;
        shown.value = registry.peek();
      },
      latest.size > MANY ? 2 * REST_MS : REST_MS,
    );
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  return shown.value;
}

export function ActorTree() {
  const actors = useRegistry();
  const text = param('q').value;
  const chosen = param('status').value;
  const selected = param('actor').value;
  const statuses = useMemo(() => new Set(STATUSES.filter((status) => chosen.split(',').includes(status))), [chosen]);
  const [toggled, setToggled] = useState<ReadonlyMap<string, boolean>>(new Map());
  const rows = useMemo(
    () => treeRows(actors.values(), { text, statuses, toggled, selected: selected === '' ? null : selected }),
    [actors, text, statuses, toggled, selected],
  );
  const tally = useMemo(() => {
    const counts: Record<Status, number> = { active: 0, error: 0, done: 0, stopped: 0 };
    for (const { status } of actors.values()) counts[status] += 1;
    return counts;
  }, [actors]);
  const toggle = (key: string, isOpen: boolean): void => setToggled((before) => new Map(before).set(key, isOpen));
  const filter = (status: Status): void => {
    const next = new Set(statuses);
    if (!next.delete(status)) next.add(status);
    setParams({ status: [...next].join(',') });
  };
  return (
    <div class="actor-tree">
      <header class="tree-head">
        <Search value={text} onInput={(q) => setParams({ q })} label="Search actors" placeholder="Id, state, tag" />
        <div class="tree-filters" role="group" aria-label="Only those that are">
          {STATUSES.filter((status) => tally[status] > 0 || statuses.has(status)).map((status) => (
            <Button key={status} small kind="quiet" pressed={statuses.has(status)} onClick={() => filter(status)}>
              <Dot tone={toneOf(status)} label={status} /> {status}{' '}
              <span class="faint number">{countText(tally[status])}</span>
            </Button>
          ))}
        </div>
      </header>
      {actors.size === 0 ? (
        <Empty icon="tree" title="No actors yet">
          Every actor appears here as soon as it starts.
        </Empty>
      ) : rows.length === 0 ? (
        <Empty small icon="search" title="No actor matches">
          <Button small onClick={() => setParams({ q: null, status: null })}>
            Show all
          </Button>
        </Empty>
      ) : (
        <TreeList rows={rows} selected={selected} onToggle={toggle} />
      )}
      {untold.value === 0 ? null : (
        <p class="tree-more" role="note">
          and {countText(untold.value)} more, which are not told: there are too many
        </p>
      )}
    </div>
  );
}

interface TreeListProps {
  readonly rows: readonly TreeRow[];
  readonly selected: string;
  readonly onToggle: (key: string, isOpen: boolean) => void;
}

const KEYS: Readonly<Record<string, TreeKey>> = {
  ArrowUp: 'ArrowUp',
  ArrowDown: 'ArrowDown',
  ArrowLeft: 'ArrowLeft',
  ArrowRight: 'ArrowRight',
  Home: 'Home',
  End: 'End',
  j: 'ArrowDown',
  k: 'ArrowUp',
};

function TreeList({ rows, selected, onToggle }: TreeListProps) {
  const box = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ first: 0, last: 40 });
  const [focused, setFocused] = useState<string | null>(selected === '' ? null : selected);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const read = (): void => {
      // In steps, so that most px of scrolling draw nothing.
      const from = Math.floor(element.scrollTop / ROW / STEP) * STEP;
      const next = { first: Math.max(0, from - STEP), last: from + Math.ceil(element.clientHeight / ROW) + 2 * STEP };
      setRange((was) => (was.first === next.first && was.last === next.last ? was : next));
    };
    return onScrolled(element, read);
  }, []);

  const reveal = (key: string): void => {
    const element = box.current;
    const at = rows.findIndex((row) => row.key === key);
    if (element === null || at < 0) return;
    if (at * ROW < element.scrollTop) element.scrollTop = at * ROW;
    else if ((at + 1) * ROW > element.scrollTop + element.clientHeight) {
      element.scrollTop = (at + 1) * ROW - element.clientHeight;
    }
  };
  // A selection made elsewhere, by a link or by Back, comes in sight; rows that come and go do not move the list.
  useLayoutEffect(() => {
    if (selected === '') return;
    setFocused(selected);
    reveal(selected);
  }, [selected]);

  const select = (row: TreeRow): void => {
    setFocused(row.key);
    if (row.kind === 'group') onToggle(row.key, row.isOpen !== true);
    else setParams({ actor: row.info.id, seq: null, against: null }, { replace: false });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows.find(({ key }) => key === focused);
    if ((event.key === 'Enter' || event.key === ' ') && row !== undefined) {
      event.preventDefault();
      select(row);
      return;
    }
    const key = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : undefined;
    if (key === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const move = treeMove(rows, focused, key);
    if (move === null) return;
    if ('toggle' in move) onToggle(move.toggle, move.open);
    else {
      setFocused(move.focus);
      reveal(move.focus);
      const next = rows.find((one) => one.key === move.focus);
      if (next?.kind === 'actor') setParams({ actor: next.info.id, seq: null, against: null });
    }
  };
  const first = Math.min(range.first, rows.length);
  const last = Math.min(rows.length, range.last);
  const idOf = (key: string | null) => (key === null ? undefined : `row ${key}`.replace(/\s/g, '_'));
  const isDrawn = rows.slice(first, last).some(({ key }) => key === focused);
  return (
    <div
      class="tree-list"
      role="tree"
      aria-label="Actors"
      tabIndex={0}
      ref={box}
      data-list
      aria-activedescendant={isDrawn ? idOf(focused) : undefined}
      onKeyDown={onKeyDown}
    >
      <div class="tree-all" role="presentation" style={{ height: `${rows.length * ROW}px` }}>
        {rows.slice(first, last).map((row, at) => (
          <div
            key={row.key}
            id={idOf(row.key)}
            class={`tree-row ${row.key === focused ? 'is-focused' : ''} ${row.kind === 'actor' && row.isPath ? 'is-path' : ''}`}
            role="treeitem"
            aria-level={row.level}
            aria-posinset={row.place}
            aria-setsize={row.siblings}
            aria-expanded={row.isOpen ?? undefined}
            aria-selected={row.kind === 'actor' && row.key === selected}
            style={{ transform: `translateY(${(first + at) * ROW}px)`, paddingLeft: `${4 + (row.level - 1) * 14}px` }}
            onClick={() => select(row)}
          >
            <Twist row={row} onToggle={onToggle} />
            {row.kind === 'actor' ? <ActorRow row={row} /> : <GroupRow row={row} />}
          </div>
        ))}
      </div>
    </div>
  );
}

function Twist({ row, onToggle }: { readonly row: TreeRow; readonly onToggle: TreeListProps['onToggle'] }) {
  if (row.isOpen === null) return <span class="twist" />;
  return (
    <span
      class={`twist ${row.isOpen ? 'is-open' : ''}`}
      aria-hidden
      onClick={(event) => {
        event.stopPropagation();
        onToggle(row.key, row.isOpen !== true);
      }}
    >
      <Icon name="right" size={12} />
    </span>
  );
}

function ActorRow({ row }: { readonly row: Extract<TreeRow, { kind: 'actor' }> }) {
  const { info } = row;
  const state = valueText(info.value);
  return (
    <>
      <Dot tone={toneOf(info.status)} label={info.status} />
      <span class="tree-name" title={info.id}>
        {info.name}
      </span>
      {info.systemId === null || info.systemId === info.name ? null : (
        <span class="tree-system faint">{info.systemId}</span>
      )}
      {row.isOpen === false ? <span class="tree-below faint number">{countText(row.below)}</span> : null}
      <span class="tree-state" title={[state, ...info.tags.map((tag) => `#${tag}`)].join(' ')}>
        {info.status === 'active' ? state : info.status}
      </span>
    </>
  );
}

function GroupRow({ row }: { readonly row: Extract<TreeRow, { kind: 'group' }> }) {
  const all = STATUSES.reduce((sum, status) => sum + row.tally[status], 0);
  return (
    <>
      <span class="tree-name">
        {row.src} <span class="faint">× {countText(all)}</span>
      </span>
      <span class="tree-tally">
        {STATUSES.filter((status) => row.tally[status] > 0).map((status) => (
          <span key={status} class="number faint">
            <Dot tone={toneOf(status)} label={status} /> {countText(row.tally[status])}
          </span>
        ))}
      </span>
    </>
  );
}
