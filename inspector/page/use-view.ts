/** What a view of the server gives, kept up to date while somebody looks. */
import { effect } from '@preact/signals';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { feed, lastCommitted, loadView, status } from './connection.ts';
import { pageErrorOf, type PageError } from './page-error.ts';

/** At most four times a second. */
const REST_MS = 250;

export interface View<T> {
  /** The last answer; it stays while a new one is fetched, unless another question is asked. */
  readonly data: T | undefined;
  readonly error: PageError | undefined;
  /** There is no answer yet to what is asked now. */
  readonly isLoading: boolean;
  readonly reload: () => void;
}

export type ViewQuery = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface ViewOptions {
  /** How long to rest at least before it is asked again, ms. Default: 250. */
  readonly restMs?: number;
}

/**
 * Asks `GET /v1/views/:name`, and again after each commit, while the page is visible. Without a name nothing is asked.
 * Empty values of the query are left out.
 */
export function useView<T>(name: string | null, query: ViewQuery = {}, options: ViewOptions = {}): View<T> {
  const asked = useMemo(() => JSON.stringify(cleaned(query)), [JSON.stringify(query)]);
  const key = `${name} ${asked}`;
  const [answer, setAnswer] = useState<{ key: string; data?: T; error?: PageError }>({ key: '' });
  const rest = useRef(REST_MS);
  rest.current = options.restMs ?? REST_MS;
  const load = useRef<() => void>(() => {});

  useEffect(() => {
    if (name === null) return;
    let isOver = false;
    let isBusy = false;
    let isStale = false;
    let timer: ReturnType<typeof setTimeout> | undefined;

    const ask = async (): Promise<void> => {
      if (isBusy || document.hidden || feed.peek() === null) {
        isStale = true;
        return;
      }
      isBusy = true;
      isStale = false;
      try {
        const data = await loadView<T>(name, JSON.parse(asked) as Record<string, string>);
        if (!isOver) setAnswer({ key, data });
      } catch (error) {
        if (!isOver) setAnswer((before) => ({ ...(before.key === key ? before : { key }), error: pageErrorOf(error) }));
      }
      timer = setTimeout(() => {
        isBusy = false;
        if (isStale && !isOver) void ask();
      }, rest.current);
    };
    const onVisible = (): void => {
      if (!document.hidden && isStale) void ask();
    };
    load.current = () => void ask();
    document.addEventListener('visibilitychange', onVisible);
    const stop = effect(() => {
      void lastCommitted.value;
      // Also when the connection is there again: what was asked meanwhile had no answer.
      if (feed.value !== null && status.value === 'open') void ask();
    });
    return () => {
      isOver = true;
      clearTimeout(timer);
      stop();
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [key]);

  const reload = useCallback(() => load.current(), []);
  const isCurrent = answer.key === key;
  return {
    data: isCurrent ? answer.data : undefined,
    error: isCurrent ? answer.error : undefined,
    isLoading: name !== null && !isCurrent,
    reload,
  };
}

function cleaned(query: ViewQuery): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') found[name] = String(value);
  }
  return found;
}
