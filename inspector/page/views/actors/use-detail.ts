/** An actor in full: as it is, kept up to date, or as it was after a record. */
import { effect } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { ActorDetail } from '../../../protocol.ts';
import { feed, loadActor, records, recordsVersion, registry } from '../../connection.ts';
import { pageErrorOf, type PageError } from '../../page-error.ts';
import { firstFrom } from '../events/record-filter.ts';
import { isOf } from '../events/use-records.ts';

export interface Detail {
  readonly data: ActorDetail | undefined;
  readonly error: PageError | undefined;
}

/** At most five times a second, and for at most half of the time: whoever answers has other things to do. */
const REST_MS = 200;

/** The actor as it is. What was known of it stays while it is asked for again, and after it is gone. */
export function useDetail(id: string): Detail {
  const [known, setKnown] = useState<Detail & { readonly id: string }>({ id, data: undefined, error: undefined });
  useEffect(() => {
    let isOver = false;
    let isBusy = false;
    let isStale = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let seen = records.items.at(-1)?.seq ?? -Infinity;
    let info = registry.peek().get(id);
    const ask = async (): Promise<void> => {
      if (isBusy || isOver || feed.peek() === null) return;
      isBusy = true;
      isStale = false;
      const began = performance.now();
      try {
        const data = await loadActor(id);
        if (!isOver) setKnown({ id, data, error: undefined });
      } catch (error) {
        if (!isOver) {
          setKnown((before) => ({ id, data: before.id === id ? before.data : undefined, error: pageErrorOf(error) }));
        }
      }
      timer = setTimeout(
        () => {
          isBusy = false;
          if (isStale) void ask();
        },
        Math.max(REST_MS, performance.now() - began),
      );
    };
    const stop = effect(() => {
      void recordsVersion.value;
      const is = registry.value.get(id);
      if (feed.value === null) return;
      const fresh = records.items.slice(firstFrom(records.items, seen + 1));
      seen = records.items.at(-1)?.seq ?? seen;
      if (is !== info || fresh.some((record) => isOf(record, id))) isStale = true;
      info = is;
      if (isStale) void ask();
    });
    return () => {
      isOver = true;
      stop();
      clearTimeout(timer);
    };
  }, [id]);
  return known.id === id ? known : { data: undefined, error: undefined };
}

const MOST_KEPT = 64;
const kept = new Map<string, Promise<ActorDetail>>();

/** The actor after a record, which never changes. Rejects with PageError where it is not held any more. */
async function loadPast(id: string, seq: number): Promise<ActorDetail> {
  const key = `${seq} ${id}`;
  let found = kept.get(key);
  if (found === undefined) {
    found = loadActor(id, seq);
    kept.set(key, found);
    found.catch(() => kept.delete(key));
    const [oldest] = kept.keys();
    if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
  }
  return await found;
}

/** As it was after a record; of null, nothing. */
export function usePast(id: string, seq: number | null): Detail {
  const key = `${seq} ${id}`;
  const [known, setKnown] = useState<Detail & { readonly key: string }>({ key: '', data: undefined, error: undefined });
  useEffect(() => {
    if (seq === null) return;
    let isOver = false;
    loadPast(id, seq).then(
      (data) => isOver || setKnown({ key, data, error: undefined }),
      (error: unknown) => isOver || setKnown({ key, data: undefined, error: pageErrorOf(error) }),
    );
    return () => {
      isOver = true;
    };
  }, [key]);
  return known.key === key ? known : { data: undefined, error: undefined };
}
