/** The records that match, drawn again as they come, some fifteen times a second at most. */
import { effect } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { InspectionRecord } from '../../../protocol.ts';
import { hello, records, recordsVersion } from '../../connection.ts';
import { FilteredList } from './record-filter.ts';

const REST_MS = 66;

/** `key` names what `matches` asks, so that another question begins a new list. Paused, it stays as it is. */
export function useRecords(
  key: string,
  matches: (record: InspectionRecord) => boolean,
  isPaused = false,
): { readonly items: readonly InspectionRecord[]; readonly version: number } {
  // Numbers begin anew with each life of the process.
  const epoch = hello.value?.epoch ?? '';
  const list = useMemo(() => {
    const made = new FilteredList(matches);
    made.follow(records.items);
    return made;
  }, [key, epoch]);
  const [version, setVersion] = useState(0);

  useEffect(() => {
    if (isPaused) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const take = (): void => {
      timer = undefined;
      const [first, last] = [list.items[0], list.items.at(-1)];
      list.follow(records.items);
      if (list.items[0] !== first || list.items.at(-1) !== last) setVersion((before) => before + 1);
    };
    const stop = effect(() => {
      void recordsVersion.value;
      timer ??= setTimeout(take, REST_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [list, isPaused]);
  return { items: list.items, version };
}

/** Whose record it is: also a turn that changed the actor. */
export function isOf(record: InspectionRecord, actor: string): boolean {
  return record.actor === actor || (record.kind === 'turn' && record.changed.includes(actor));
}
