/** The list of actions as far as somebody has scrolled, kept up to date where it is looked at. */
import { effect } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Work, WorkItem } from '../../../views/work.ts';
import { feed, lastCommitted, loadView } from '../../connection.ts';
import { pageErrorOf, type PageError } from '../../page-error.ts';
import { queryOf, type Filter } from './filters.ts';
import { cursorBefore, emptyList, isComplete, withPage, type Page, type SeqList } from './pages.ts';

const PAGE = 500;
/** It is looked again this long after the last time, at the earliest. */
const REST_MS = 400;

export interface WorkList {
  readonly list: SeqList<WorkItem>;
  readonly queues: Work['queues'];
  readonly names: readonly string[];
  readonly error: PageError | null;
  /** Nothing has come yet of what is asked for now. */
  readonly isLoading: boolean;
  /** Which rows are looked at: they are what is asked for again. */
  look(first: number, last: number): void;
  loadMore(): void;
  reload(): void;
}

/** `more` is all that an older server says. */
function pageOf(work: Work & { readonly next?: number | null }): Page<WorkItem> {
  const last = work.items.at(-1)?.seq ?? null;
  return { items: work.items, next: work.next === undefined ? (work.more ? last : null) : work.next };
}

interface Held {
  readonly key: string;
  readonly list: SeqList<WorkItem>;
  readonly error: PageError | null;
}

/** Loads the first page of what a filter finds, more as somebody comes near to the end, and again after commits. */
export function useWorkList(filter: Filter): WorkList {
  const key = JSON.stringify(filter);
  const [held, setHeld] = useState<Held>({ key: '', list: emptyList, error: null });
  const [around, setAround] = useState<Pick<Work, 'queues' | 'names'>>({ queues: [], names: [] });
  const loader = useMemo(() => loaderOf(filter, key, setHeld, setAround), [key]);
  const current = held.key === key ? held : null;
  useEffect(() => loader.start(), [loader]);
  const latest = useRef(emptyList as SeqList<WorkItem>);
  latest.current = current?.list ?? emptyList;
  loader.read = () => latest.current;
  return {
    list: latest.current,
    ...around,
    error: current?.error ?? null,
    isLoading: current === null,
    look: loader.look,
    loadMore: loader.more,
    reload: loader.again,
  };
}

function loaderOf(
  filter: Filter,
  key: string,
  setHeld: (change: (before: Held) => Held) => void,
  setAround: (around: Pick<Work, 'queues' | 'names'>) => void,
) {
  let isOver = false;
  let isBusy = false;
  let isStale = false;
  let wantsMore = false;
  let first = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const loader = {
    read: (): SeqList<WorkItem> => emptyList,
    start(): () => void {
      isOver = false;
      const onVisible = (): void => loader.again();
      document.addEventListener('visibilitychange', onVisible);
      const stop = effect(() => {
        void lastCommitted.value;
        if (feed.value !== null) loader.again();
      });
      return () => {
        isOver = true;
        clearTimeout(timer);
        stop();
        document.removeEventListener('visibilitychange', onVisible);
      };
    },
    look(from: number, _to: number): void {
      first = from;
    },
    again(): void {
      isStale = true;
      void take();
    },
    more(): void {
      wantsMore = true;
      void take();
    },
  };

  /** One page at a time: first what somebody scrolled to, then what may be old. */
  async function take(): Promise<void> {
    if (isOver || isBusy || document.hidden || feed.peek() === null) return;
    const list = loader.read();
    const isMore = wantsMore && !isComplete(list) && list !== emptyList;
    wantsMore = false;
    if (!isMore && !isStale) return;
    if (!isMore) isStale = false;
    isBusy = true;
    const after = isMore ? list.next : cursorBefore(list, first - PAGE / 4, PAGE);
    try {
      const page = await loadView<Work>('work', queryOf(filter, PAGE, after));
      if (isOver) return;
      setAround({ queues: page.queues, names: page.names });
      setHeld((before) => ({
        key,
        error: null,
        list: withPage(before.key === key ? before.list : emptyList, after, pageOf(page)),
      }));
    } catch (error) {
      if (isOver) return;
      const failure = pageErrorOf(error);
      setHeld((before) => ({ key, error: failure, list: before.key === key ? before.list : emptyList }));
    } finally {
      isBusy = false;
    }
    if (wantsMore) void take();
    else timer = setTimeout(() => void take(), REST_MS);
  }
  return loader;
}
