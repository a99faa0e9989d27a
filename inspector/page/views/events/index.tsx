/** All that happened, in its order. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { InspectionRecord, RecordKind } from '../../../protocol.ts';
import { capabilities, feed, lastCommitted, loadHistory, records, wantDetail } from '../../connection.ts';
import { clockText, countText, timestampText } from '../../format.ts';
import type { IconName } from '../../icons.ts';
import { param, setParams } from '../../location.ts';
import { pageErrorOf } from '../../page-error.ts';
import type { Tone } from '../../tone.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button, IconButton } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Icon } from '../../ui/icon.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { ActorLink, Link } from '../../ui/link.tsx';
import { Search } from '../../ui/search.tsx';
import { SplitPane } from '../../ui/split-pane.tsx';
import { toast } from '../../ui/toast.tsx';
import { VirtualList } from '../../ui/virtual-list.tsx';
import { recordMatcher, summaryOf } from './record-filter.ts';
import { useRecords } from './use-records.ts';
import './events.css';

const KINDS: readonly RecordKind[] = ['event', 'snapshot', 'started', 'stopped', 'turn', 'microstep', 'action'];
const LOOKS: Readonly<Record<RecordKind, { readonly icon: IconName; readonly tone: Tone }>> = {
  event: { icon: 'bolt', tone: 'accent' },
  snapshot: { icon: 'chart', tone: 'ok' },
  started: { icon: 'play', tone: 'running' },
  stopped: { icon: 'stop', tone: 'waiting' },
  turn: { icon: 'history', tone: 'asking' },
  microstep: { icon: 'right', tone: 'neutral' },
  action: { icon: 'cpu', tone: 'degraded' },
};
const PAGE = 500;
const DETAIL = new Set<RecordKind>(['microstep', 'action']);

function keyOf(record: InspectionRecord): string | number {
  return record.kind === 'turn' ? `turn ${record.turn}` : record.seq;
}

function Events() {
  const kindParam = param('kind').value;
  const actor = param('actor').value;
  const text = param('q').value;
  const selected = param('seq').value;
  const isDetailed = param('detail').value !== '';
  const [isPaused, setPaused] = useState(false);
  const kinds = useMemo(() => new Set(KINDS.filter((kind) => kindParam.split(',').includes(kind))), [kindParam]);
  const key = `${kindParam}\n${actor}\n${text}`;
  const matches = useMemo(() => recordMatcher({ kinds, actor, text }), [key]);
  const { items, version } = useRecords(key, matches, isPaused);
  const history = useHistory();
  const shown = useMemo(
    () => (history.earlier.length === 0 ? items : [...history.earlier.filter(matches), ...items]),
    [history.earlier, items, version, matches],
  );
  useEffect(() => (isDetailed ? wantDetail() : undefined), [isDetailed]);
  const record =
    selected === ''
      ? undefined
      : (records.find(Number(selected)) ?? shown.find((one) => String(keyOf(one)) === selected));
  const toggle = (kind: RecordKind): void => {
    const next = new Set(kinds);
    if (!next.delete(kind)) next.add(kind);
    setParams({ kind: [...next].join(',') });
  };
  const list = (
    <VirtualList
      class="events-list"
      items={shown}
      rowHeight={28}
      keyOf={keyOf}
      label="What happened"
      selected={record === undefined ? null : keyOf(record)}
      follow={!isPaused && record === undefined}
      onSelect={(one) => setParams({ seq: keyOf(one) })}
      onOpen={(one) => setParams({ actor: one.actor })}
      empty={
        records.length === 0 && history.earlier.length === 0 ? (
          <Empty icon="list" title="Nothing since you look">
            Events, new states, starts and ends of actors appear here as they happen.
          </Empty>
        ) : (
          <Empty small icon="filter" title="Nothing matches">
            <Button small onClick={() => setParams({ kind: null, actor: null, q: null })}>
              Show all
            </Button>
          </Empty>
        )
      }
      row={(one) => <RecordRow record={one} />}
    />
  );
  return (
    <div class="view-fill events-view">
      <header class="toolbar">
        <Search
          value={text}
          onInput={(q) => setParams({ q })}
          label="Search what happened"
          placeholder="Any word, payloads too"
        />
        <label class="seq-type">
          <span class="faint">actor</span>
          <input
            type="text"
            value={actor}
            placeholder="id, and all below"
            spellcheck={false}
            onInput={(event) => setParams({ actor: event.currentTarget.value.trim() })}
          />
        </label>
        <span class="grow" />
        <span class="faint number">
          {shown.length === records.length
            ? countText(shown.length)
            : `${countText(shown.length)} of ${countText(records.length)}`}
        </span>
        <Button
          small
          pressed={isDetailed}
          title="Microsteps and actions too"
          onClick={() => setParams({ detail: !isDetailed })}
        >
          Detail
        </Button>
        {capabilities.value.history ? (
          <Button
            small
            icon="history"
            title="Load turns of the store's history that lie before"
            busy={history.isLoading}
            disabled={history.isAll}
            onClick={() => void history.load()}
          >
            {history.isAll ? 'All loaded' : 'Earlier'}
          </Button>
        ) : null}
        {feed.value?.kind === 'server' ? (
          <a
            class="button plain small"
            href="./v1/export"
            download="perdure.ndjson"
            title="All that is held and stored, as NDJSON"
          >
            <Icon name="download" size={14} />
            <span>Export</span>
          </a>
        ) : null}
        <Button small icon={isPaused ? 'play' : 'pause'} pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? 'Follow' : 'Pause'}
        </Button>
      </header>
      <div class="kinds" role="group" aria-label="Only these kinds">
        {KINDS.filter((kind) => isDetailed || !DETAIL.has(kind)).map((kind) => (
          <Button
            key={kind}
            small
            kind="quiet"
            icon={LOOKS[kind].icon}
            pressed={kinds.has(kind)}
            onClick={() => toggle(kind)}
          >
            {kind}
          </Button>
        ))}
      </div>
      <SplitPane id="events" side="right" size={400} min={260} label="Width of the details">
        {list}
        {record === undefined ? null : <RecordDetails record={record} />}
      </SplitPane>
    </div>
  );
}

/** Turns of the store's history that lie before all that is shown, loaded a page at a time. */
function useHistory() {
  const [earlier, setEarlier] = useState<readonly InspectionRecord[]>([]);
  const [isLoading, setLoading] = useState(false);
  const [isAll, setAll] = useState(false);
  const load = async (): Promise<void> => {
    const first = [...earlier, ...records.items].find((record) => record.kind === 'turn');
    const before = first?.kind === 'turn' ? first.turn : (lastCommitted.peek()?.turn ?? 0) + 1;
    const from = Math.max(0, before - PAGE);
    setLoading(true);
    try {
      const found = (await loadHistory(from, PAGE)).filter((record) => record.kind === 'turn' && record.turn < before);
      setEarlier([...found, ...earlier]);
      setAll(from === 0 || found.length === 0);
    } catch (error) {
      toast({ tone: 'failed', title: 'The history could not be read', text: pageErrorOf(error).message });
    } finally {
      setLoading(false);
    }
  };
  return { earlier, isLoading, isAll, load };
}

function RecordRow({ record }: { readonly record: InspectionRecord }) {
  const { icon } = LOOKS[record.kind];
  return (
    <div class={`record-row kind-${record.kind}`}>
      <span class="number faint" title={timestampText(record.at)}>
        {clockText(record.at)}
      </span>
      <span class="record-kind">
        <Icon name={icon} size={14} />
        {record.kind}
      </span>
      <span class="cut record-actor" title={record.actor}>
        {record.actor}
      </span>
      <span class="cut mono record-summary" title={summaryOf(record)}>
        {summaryOf(record)}
      </span>
      <span class="cut faint record-more">{moreOf(record)}</span>
    </div>
  );
}

/** What else is worth a word. */
function moreOf(record: InspectionRecord): string {
  switch (record.kind) {
    case 'event':
      return record.from === null ? 'from outside' : `from ${record.from.slice(record.from.lastIndexOf('/') + 1)}`;
    case 'snapshot':
      return `${record.contextChanged ? 'context changed ' : ''}after ${record.event}`;
    case 'microstep':
      return record.event;
    case 'turn':
      return `${record.changed.length} changed`;
    default:
      return '';
  }
}

function RecordDetails({ record }: { readonly record: InspectionRecord }) {
  const { icon, tone } = LOOKS[record.kind];
  return (
    <section class="record-details" aria-label="The chosen record">
      <header>
        <Badge tone={tone} icon={icon}>
          {record.kind}
        </Badge>
        <h2 class="mono">{summaryOf(record)}</h2>
        <IconButton icon="cross" label="Close the details" small closes onClick={() => setParams({ seq: null })} />
      </header>
      <dl class="facts">
        <dt>actor</dt>
        <dd>
          <ActorLink id={record.actor} />
        </dd>
        {record.kind === 'event' ? (
          <>
            <dt>from</dt>
            <dd>{record.from === null ? 'outside' : <ActorLink id={record.from} />}</dd>
          </>
        ) : null}
        <dt>at</dt>
        <dd>{timestampText(record.at)}</dd>
        <dt>number</dt>
        <dd class="number">{record.seq}</dd>
      </dl>
      <p class="links">
        {record.kind === 'snapshot' ? (
          <Link view="actors" params={{ actor: record.actor, tab: 'context', seq: record.seq }}>
            The context then
          </Link>
        ) : null}
        {record.kind === 'turn' ? (
          <Link view="checkpoints" params={{ turn: record.turn }}>
            The tree after this turn
          </Link>
        ) : null}
      </p>
      <h3>Record</h3>
      <JsonTree value={record} label="The record" depth={3} />
    </section>
  );
}

export const view = { component: Events };
