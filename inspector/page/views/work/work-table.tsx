import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { WorkItem } from '../../../views/work.ts';
import { countText, durationText, timestampText } from '../../format.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { useNow } from '../../ui/clock.ts';
import { Link } from '../../ui/link.tsx';
import { onScrolled } from '../../ui/scrolled.ts';
import { Countdown, Elapsed, Time } from '../../ui/time.tsx';
import { moveOnKey } from '../../ui/walk.ts';

const ROW = 36;
const OVERSCAN = 10;
/** Rows of the document are used again for others: more of them than are ever in sight at once. */
const POOL = 256;

export interface WorkTableProps {
  readonly items: readonly WorkItem[];
  readonly isComplete: boolean;
  readonly open: string | null;
  readonly picked: ReadonlySet<string>;
  readonly onOpen: (item: WorkItem) => void;
  /** `isRange`: all from the last one that was picked up to this one. */
  readonly onPick: (item: WorkItem, index: number, isRange: boolean) => void;
  readonly onPickAll: () => void;
  readonly onLook: (first: number, last: number) => void;
  readonly onNearEnd: () => void;
}

interface Drawn {
  readonly item: WorkItem;
  readonly index: number;
  readonly isOpen: boolean;
  readonly isPicked: boolean;
  readonly isActive: boolean;
  readonly node: VNode;
}

/**
 * The table of actions, of any length: only what is in sight is in the document, and a row is drawn again only when it is another.
 * j, k and the arrows move, Enter opens, x picks.
 */
export function WorkTable(props: WorkTableProps) {
  const { items, isComplete, picked, open } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ first: 0, last: 40 });
  const [active, setActive] = useState<number | null>(null);
  const drawn = useRef(new Map<number, Drawn>());

  useLayoutEffect(() => {
    const element = box.current!;
    const read = (): void => {
      const first = Math.max(0, Math.floor(element.scrollTop / ROW) - OVERSCAN);
      const last = Math.ceil((element.scrollTop + element.clientHeight) / ROW) + OVERSCAN;
      setView((before) => (before.first === first && before.last === last ? before : { first, last }));
    };
    return onScrolled(element, read);
  }, []);

  const last = Math.min(items.length, view.last);
  useEffect(() => {
    props.onLook(view.first, last);
    if (!isComplete && last + 150 >= items.length) props.onNearEnd();
  }, [view.first, last, items.length, isComplete]);

  const move = (to: number): void => {
    const index = Math.min(items.length - 1, Math.max(0, to));
    setActive(index);
    const element = box.current!;
    const top = index * ROW;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + ROW > element.scrollTop + element.clientHeight) element.scrollTop = top + ROW - element.clientHeight;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
    const at = active ?? -1;
    const page = Math.floor(box.current!.clientHeight / ROW) - 1;
    const to = moveOnKey(event.key, at, page, items.length);
    const item = items[at];
    if (to !== null) move(to);
    else if (event.key === 'Enter' && item !== undefined) props.onOpen(item);
    else if ((event.key === 'x' || event.key === ' ') && item !== undefined) props.onPick(item, at, event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const shown: VNode[] = [];
  const next = new Map<number, Drawn>();
  for (let index = view.first; index < last; index++) {
    const item = items[index]!;
    const as = { item, index, isOpen: item.id === open, isPicked: picked.has(item.id), isActive: index === active };
    const before = drawn.current.get(item.seq);
    const isSame =
      before !== undefined &&
      before.item === item &&
      before.index === index &&
      before.isOpen === as.isOpen &&
      before.isPicked === as.isPicked &&
      before.isActive === as.isActive;
    const row = isSame
      ? before
      : { ...as, node: <Row key={index % POOL} {...as} table={props} activate={setActive} /> };
    next.set(item.seq, row);
    shown.push(row.node);
  }
  drawn.current = next;

  return (
    <div class="work-table" role="presentation">
      <div
        ref={box}
        class="work-scroll"
        role="grid"
        aria-label="Actions"
        aria-rowcount={isComplete ? items.length + 1 : -1}
        aria-multiselectable="true"
        aria-activedescendant={active === null ? undefined : `action-${items[active]?.seq}`}
        tabIndex={0}
        data-list
        onKeyDown={onKeyDown}
      >
        <div class="work-head work-grid" role="row" aria-rowindex={1}>
          <div role="columnheader" class="work-pick">
            <input
              type="checkbox"
              aria-label="Pick all that are loaded"
              checked={items.length > 0 && picked.size >= items.length}
              indeterminate={picked.size > 0 && picked.size < items.length}
              onChange={props.onPickAll}
            />
          </div>
          <Head>State</Head>
          <Head>Action</Head>
          <Head wide>Queue</Head>
          <Head wide>Plan</Head>
          <Head right>Tries</Head>
          <Head right>Submitted</Head>
          <Head right>Took</Head>
          <Head>What is next, or went wrong</Head>
        </div>
        <div class="work-all" role="rowgroup" style={{ height: `${items.length * ROW}px` }}>
          {shown}
        </div>
      </div>
    </div>
  );
}

function Head({
  children,
  right = false,
  wide = false,
}: {
  readonly children: ComponentChildren;
  readonly right?: boolean;
  /** Left out where there is little room. */
  readonly wide?: boolean;
}) {
  return (
    <div role="columnheader" class={`${right ? 'right' : ''} ${wide ? 'work-wide' : ''}`}>
      {children}
    </div>
  );
}

type RowProps = Omit<Drawn, 'node'> & {
  readonly table: WorkTableProps;
  readonly activate: (index: number) => void;
};

function Row({ item, index, isOpen, isPicked, isActive, table, activate }: RowProps) {
  return (
    <div
      id={`action-${item.seq}`}
      class={`work-row work-grid ${isOpen ? 'is-open' : ''} ${isActive ? 'is-active' : ''} ${isPicked ? 'is-picked' : ''}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isPicked}
      style={{ transform: `translateY(${index * ROW}px)` }}
      onClick={(event) => {
        activate(index);
        if ((event.target as HTMLElement).closest('a, input') !== null) return;
        if (event.shiftKey) table.onPick(item, index, true);
        else table.onOpen(item);
      }}
    >
      <div role="gridcell" class="work-pick">
        <input
          type="checkbox"
          tabIndex={-1}
          aria-label={`Pick ${item.id}`}
          checked={isPicked}
          onClick={(event) => table.onPick(item, index, event.shiftKey)}
        />
      </div>
      <div role="gridcell">
        <StateBadge state={standing(item)} />
      </div>
      <div role="gridcell" class="work-name" title={`${item.name}\n${item.id}`}>
        <span class="work-title">{item.name === '' ? item.id.slice(item.id.lastIndexOf('/') + 1) : item.name}</span>
        {item.id === item.name ? null : <span class="work-id">{item.id}</span>}
      </div>
      <div
        role="gridcell"
        class="soft work-wide"
        title={item.key === null ? item.queue : `${item.queue}, key ${item.key}`}
      >
        {item.queue}
        {item.key === null ? null : <span class="work-key">{item.key}</span>}
      </div>
      <div role="gridcell" class="work-wide">
        {item.plan === null ? (
          <span class="faint">–</span>
        ) : (
          <Link view="plan" params={{ plan: item.plan }} title={item.plan}>
            {item.plan}
          </Link>
        )}
      </div>
      <div role="gridcell" class={`right number ${item.attempts > 1 ? 'tone-retrying' : 'soft'}`}>
        {countText(item.attempts)}
      </div>
      <div role="gridcell" class="right soft">
        <Time at={item.submittedAt} />
      </div>
      <div role="gridcell" class="right number">
        <Took item={item} />
      </div>
      <div role="gridcell" class="work-next">
        <Next item={item} />
      </div>
    </div>
  );
}

/** What an action is doing, in one word. */
export function standing({ state, kind, retryAt }: Pick<WorkItem, 'state' | 'kind' | 'retryAt'>): string {
  if (state === 'settled') return kind ?? state;
  return retryAt === null ? state : 'retrying';
}

function Took({ item }: { readonly item: WorkItem }) {
  const { startedAt, settledAt, state } = item;
  if (startedAt === null) return <span class="faint">–</span>;
  if (settledAt !== null) return <span>{durationText(settledAt - startedAt)}</span>;
  return state === 'running' ? <Elapsed since={startedAt} /> : <span class="faint">–</span>;
}

function Next({ item }: { readonly item: WorkItem }) {
  const { state, retryAt, notBefore, dueAt, error } = item;
  if (state !== 'settled' && retryAt !== null) {
    return (
      <>
        <span class="work-when tone-retrying">
          again <Countdown to={retryAt} />
        </span>
        <ErrorText text={error} />
      </>
    );
  }
  if (state === 'delayed' && notBefore !== null) {
    return (
      <span class="work-when">
        begins <Countdown to={notBefore} />
      </span>
    );
  }
  if (error !== null) return <ErrorText text={error} />;
  return state !== 'settled' && dueAt !== null ? <Due at={dueAt} /> : null;
}

function ErrorText({ text }: { readonly text: string | null }) {
  return text === null ? null : (
    <span class="work-error" title={text}>
      {text}
    </span>
  );
}

function Due({ at }: { readonly at: number }) {
  const isLate = useNow() > at;
  return (
    <span class={`work-when ${isLate ? 'tone-failed' : 'soft'}`} title={`wanted by ${timestampText(at)}`}>
      {isLate ? 'late since ' : 'due '}
      {isLate ? <Elapsed since={at} /> : <Countdown to={at} />}
    </span>
  );
}
