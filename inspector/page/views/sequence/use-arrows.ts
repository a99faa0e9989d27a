/** The arrows of the records, kept up to date: each record is looked at once. */
import { useMemo, useRef } from 'preact/hooks';
import type { InspectionRecord } from '../../../protocol.ts';
import { hello } from '../../connection.ts';
import { FilteredList, firstFrom } from '../events/record-filter.ts';
import { useRecords } from '../events/use-records.ts';
import { ArrowList, arrowMatcher, type Arrow, type ArrowFilter } from './lanes.ts';

function isDrawn(record: InspectionRecord): boolean {
  const { kind } = record;
  // That an actor starts is a record of its own.
  if (kind === 'event' && record.event.type === 'xstate.init') return false;
  return kind === 'event' || kind === 'started' || kind === 'stopped' || kind === 'turn';
}

export interface Arrows {
  readonly all: readonly Arrow[];
  /** Those that match the filter. */
  readonly shown: readonly Arrow[];
  readonly version: number;
}

export function useArrows(filter: ArrowFilter, key: string, isPaused: boolean): Arrows {
  const { items, version } = useRecords('sequence', isDrawn, isPaused);
  const epoch = hello.value?.epoch ?? '';
  const list = useMemo(() => new ArrowList(), [epoch]);
  const next = useRef({ list, seq: -Infinity });
  if (next.current.list !== list) next.current = { list, seq: -Infinity };
  for (const record of items.slice(firstFrom(items, next.current.seq))) {
    list.add(record);
    next.current.seq = record.seq + 1;
  }
  if (items[0] !== undefined && (list.arrows[0]?.seq ?? Infinity) < items[0].seq) list.dropBefore(items[0].seq);
  const filtered = useMemo(() => new FilteredList(arrowMatcher(filter)), [key, list]);
  return { all: list.arrows, shown: filtered.follow(list.arrows), version };
}
