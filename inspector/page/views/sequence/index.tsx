/** Who sent what to whom, in the order of time. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { records, registry } from '../../connection.ts';
import { countText, timestampText } from '../../format.ts';
import { param, setParams } from '../../location.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { ActorLink, Link } from '../../ui/link.tsx';
import { Search } from '../../ui/search.tsx';
import { SplitPane } from '../../ui/split-pane.tsx';
import { VirtualList } from '../../ui/virtual-list.tsx';
import { valueText } from '../actors/configuration.ts';
import { firstFrom } from '../events/record-filter.ts';
import { OTHERS, OUTSIDE, lanesOf, type Arrow, type Lane } from './lanes.ts';
import { ROW, SequenceRow, TIME, type LaneScale } from './sequence-row.tsx';
import { useArrows } from './use-arrows.ts';
import { isNarrow } from '../../narrow.ts';
import './sequence.css';

/** Px under which the name of a lane cannot be read. */
const NARROWEST = 104;
/** Lanes that nobody chose move at most so often. */
const LANES_REST_MS = 3_000;

function nameOf(actor: string): string {
  return registry.peek().get(actor)?.name ?? actor.slice(actor.lastIndexOf('/') + 1);
}

function Sequence() {
  const types = param('type').value;
  const text = param('q').value;
  const actor = param('actor').value;
  const laneParam = param('lanes').value;
  const selected = param('seq').value;
  const [isPaused, setPaused] = useState(false);
  const filter = useMemo(
    () => ({ types, text, ...(actor === '' ? {} : { actors: new Set([actor]) }) }),
    [types, text, actor],
  );
  const { all, shown, version } = useArrows(filter, `${types}\n${text}\n${actor}`, isPaused);
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const chosen = useMemo(() => (laneParam === '' ? [] : laneParam.split('\n')), [laneParam]);
  const most = Math.max(3, Math.floor((width - TIME) / 132) - 2);
  const lanes = useLanes(shown, version, chosen, most);
  const scale = useMemo<LaneScale>(
    () => ({
      index: new Map(lanes.map((lane, index) => [lane.actor, index])),
      count: lanes.length,
      width: Math.max(NARROWEST, Math.floor((width - TIME - 16) / Math.max(1, lanes.length))),
      parentOf,
      nameOf,
    }),
    [lanes, width],
  );
  const arrow = selected === '' ? undefined : shown.find(({ key }) => key === selected);
  const setLanes = (to: readonly string[]): void => setParams({ lanes: to.join('\n') });
  const list = (
    <div class="seq-list" ref={box}>
      <VirtualList
        items={shown}
        rowHeight={ROW}
        keyOf={({ key }) => key}
        label="Events between actors"
        {...(isNarrow.value
          ? {}
          : {
              head: <LaneHeads lanes={lanes} scale={scale} isChosen={chosen.length > 0} onLanes={setLanes} />,
              minWidth: TIME + scale.count * scale.width,
            })}
        selected={arrow?.key ?? null}
        follow={!isPaused && arrow === undefined}
        onSelect={({ key }) => setParams({ seq: key })}
        onOpen={({ actor: to }) => setParams({ actor: to })}
        empty={
          all.length === 0 ? (
            <Empty icon="sequence" title="No events yet">
              Events between actors appear here as they are sent.
            </Empty>
          ) : (
            <Empty small icon="filter" title="No event matches">
              <Button small onClick={() => setParams({ type: null, q: null, actor: null })}>
                Show all
              </Button>
            </Empty>
          )
        }
        row={(one, index) => (
          <SequenceRow
            arrow={one}
            before={shown[index - 1]}
            scale={scale}
            isInGroup={arrow?.group === one.group}
            hintOf={hintOf}
          />
        )}
      />
    </div>
  );
  return (
    <div class="view-fill sequence-view">
      <header class="toolbar">
        <Search
          value={text}
          onInput={(q) => setParams({ q })}
          label="Search events"
          placeholder="Event, sender, receiver"
        />
        <label class="seq-type">
          <span class="faint">type</span>
          <input
            type="text"
            value={types}
            placeholder="work.* order.paid"
            spellcheck={false}
            onInput={(event) => setParams({ type: event.currentTarget.value })}
          />
        </label>
        <AddLane lanes={lanes} onLanes={setLanes} />
        {actor === '' ? null : (
          <Button small icon="cross" title="Show the events of all actors" onClick={() => setParams({ actor: null })}>
            only {nameOf(actor)}
          </Button>
        )}
        <span class="grow" />
        <span class="faint number">
          {shown.length === all.length
            ? countText(all.length)
            : `${countText(shown.length)} of ${countText(all.length)}`}
        </span>
        <Button small icon={isPaused ? 'play' : 'pause'} pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? 'Follow' : 'Pause'}
        </Button>
      </header>
      <SplitPane id="sequence" side="right" size={360} min={240} label="Width of the details">
        {list}
        {arrow === undefined ? null : <ArrowDetails arrow={arrow} all={all} />}
      </SplitPane>
    </div>
  );
}

function parentOf(id: string): string | null {
  const known = registry.peek().get(id);
  if (known !== undefined) return known.parent;
  const at = id.lastIndexOf('/');
  return at < 0 ? null : id.slice(0, at);
}

function isSpecial(actor: string): boolean {
  return actor === OUTSIDE || actor === OTHERS;
}

function useWidth(box: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(1_000);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const sizes = new ResizeObserver(() => setWidth(element.clientWidth));
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);
  return width;
}

/** The lanes: those that were chosen, else the busiest, looked for anew every few seconds so that they do not jump about. */
function useLanes(arrows: readonly Arrow[], version: number, chosen: readonly string[], most: number): readonly Lane[] {
  const [round, setRound] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => setRound(version), arrows.length < 200 ? 300 : LANES_REST_MS);
    return () => clearTimeout(timer);
  }, [round, version === round]);
  return useMemo(() => lanesOf(arrows, { chosen, most, nameOf, parentOf }), [arrows, round, chosen, most]);
}

function LaneHeads({
  lanes,
  scale,
  isChosen,
  onLanes,
}: {
  readonly lanes: readonly Lane[];
  readonly scale: LaneScale;
  readonly isChosen: boolean;
  readonly onLanes: (lanes: readonly string[]) => void;
}) {
  const ids = lanes.filter(({ actor }) => !isSpecial(actor)).map(({ actor }) => actor);
  return (
    <div class="seq-heads" role="row">
      <div class="seq-heads-time" role="columnheader" style={{ width: `${TIME}px` }}>
        <span class="unseen">Time</span>
        {isChosen ? (
          <Button small kind="quiet" onClick={() => onLanes([])}>
            Busiest
          </Button>
        ) : null}
      </div>
      {lanes.map((lane) => (
        <div key={lane.actor} class="seq-head-lane" role="columnheader" style={{ width: `${scale.width}px` }}>
          {isSpecial(lane.actor) ? (
            <span class="seq-lane-name faint">{lane.name}</span>
          ) : (
            <Link view="actors" params={{ actor: lane.actor }} class="seq-lane-name" title={lane.actor}>
              {lane.name}
            </Link>
          )}
          <span class="faint number">{countText(lane.events)}</span>
          {isSpecial(lane.actor) ? null : (
            <IconButton
              icon="cross"
              small
              label={`Without the lane of ${lane.name}`}
              onClick={() => onLanes(ids.filter((id) => id !== lane.actor))}
            />
          )}
        </div>
      ))}
    </div>
  );
}

function AddLane({
  lanes,
  onLanes,
}: {
  readonly lanes: readonly Lane[];
  readonly onLanes: (lanes: readonly string[]) => void;
}) {
  const shown = new Set(lanes.map(({ actor }) => actor));
  const options = useMemo(() => [...registry.peek().keys()].slice(0, 500), [lanes]);
  return (
    <label class="seq-type">
      <span class="faint">lane</span>
      <input
        type="text"
        list="seq-actors"
        placeholder="add an actor"
        spellcheck={false}
        onChange={(event) => {
          const id = event.currentTarget.value.trim();
          if (!registry.peek().has(id) || shown.has(id)) return;
          event.currentTarget.value = '';
          onLanes([...[...shown].filter((actor) => !isSpecial(actor)), id]);
        }}
      />
      <datalist id="seq-actors">
        {options.map((id) => (
          <option key={id} value={id} />
        ))}
      </datalist>
    </label>
  );
}

const LONGEST_HINT = 400;

/** The event and the state after it, in a few lines. */
function hintOf(arrow: Arrow): string {
  const payload = JSON.stringify(payloadOf(arrow));
  const after = stateAfter(arrow);
  const from = arrow.from === OUTSIDE ? 'outside' : arrow.from;
  return [
    `${from} → ${arrow.actor}`,
    payload.length > LONGEST_HINT ? `${payload.slice(0, LONGEST_HINT)}…` : payload,
    ...(after === null ? [] : [`then ${after.state}`]),
  ].join('\n');
}

function payloadOf(arrow: Arrow): unknown {
  const record = records.find(arrow.seq);
  if (record?.kind === 'event') return record.event;
  if (record?.kind === 'turn') return record.causes.find(({ to }) => to === arrow.actor)?.event ?? null;
  return record ?? null;
}

function ArrowDetails({ arrow, all }: { readonly arrow: Arrow; readonly all: readonly Arrow[] }) {
  const payload = payloadOf(arrow);
  const after = stateAfter(arrow);
  const group = all.slice(firstFrom(all, arrow.group)).filter((one, at) => at < 2_000 && one.group === arrow.group);
  return (
    <section class="record-details" aria-label="The chosen event">
      <header>
        <h2 class="mono">{arrow.type}</h2>
        <IconButton icon="cross" label="Close the details" small closes onClick={() => setParams({ seq: null })} />
      </header>
      <dl class="facts">
        <dt>from</dt>
        <dd>{arrow.from === OUTSIDE ? 'outside' : <ActorLink id={arrow.from} />}</dd>
        <dt>to</dt>
        <dd>
          <ActorLink id={arrow.actor} />
        </dd>
        <dt>at</dt>
        <dd>{timestampText(arrow.at)}</dd>
        {after === null ? null : (
          <>
            <dt>then</dt>
            <dd>
              <Link view="actors" params={{ actor: arrow.actor, tab: 'context', seq: after.seq }}>
                {after.state}
              </Link>
            </dd>
          </>
        )}
      </dl>
      <h3>Event</h3>
      <JsonTree value={payload} label="The event" />
      {group.length < 2 ? null : (
        <>
          <h3>All that follows from it</h3>
          <ol class="seq-group">
            {group.slice(0, 200).map((one) => (
              <li key={one.key} style={{ paddingLeft: `${Math.min(8, one.depth) * 12}px` }}>
                <button
                  type="button"
                  class={one.key === arrow.key ? 'is-chosen' : ''}
                  onClick={() => setParams({ seq: one.key })}
                >
                  <span class="mono">{one.kind === 'started' ? 'starts' : one.type}</span>
                  <span class="faint"> {nameOf(one.actor)}</span>
                </button>
              </li>
            ))}
          </ol>
          {group.length > 200 ? <p class="faint">and {countText(group.length - 200)} more</p> : null}
        </>
      )}
    </section>
  );
}

/** The state that the receiver was in after the event, as recorded. */
function stateAfter(arrow: Arrow): { readonly seq: number; readonly state: string } | null {
  const { items } = records;
  const from = firstFrom(items, arrow.seq);
  for (const record of items.slice(from, from + 2_000)) {
    if (record.kind !== 'snapshot' || record.actor !== arrow.actor || record.event !== arrow.type) continue;
    return { seq: record.seq, state: valueText(record.value) || record.status };
  }
  return null;
}

export const view = { component: Sequence };
