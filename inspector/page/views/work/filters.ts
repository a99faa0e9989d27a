/** What of the work is shown: the tabs, the filters that somebody saved, and how both are written in the address of the page. */
import type { WorkQuery } from '../../../views/work.ts';

/** What can be asked for; each is a parameter of the address, under its own name. */
export const FILTER_NAMES = ['state', 'search', 'name', 'queue', 'plan', 'kind'] as const;

export type FilterName = (typeof FILTER_NAMES)[number];
export type Filter = { readonly [name in FilterName]?: string };

/** A tab: a filter that has a name. */
export interface FilterTab {
  readonly id: string;
  readonly label: string;
  readonly filter: Filter;
  readonly hint: string;
}

export const tabs: readonly FilterTab[] = [
  { id: 'all', label: 'All', filter: {}, hint: 'Every action that the store still knows' },
  { id: 'running', label: 'Running', filter: { state: 'running' }, hint: 'Has a slot now' },
  {
    id: 'retrying',
    label: 'Retrying now',
    filter: { state: 'retrying' },
    hint: 'Failed, and is going to be tried again',
  },
  { id: 'waiting', label: 'Waiting', filter: { state: 'waiting' }, hint: 'Could run, and waits for a slot' },
  { id: 'delayed', label: 'Delayed', filter: { state: 'delayed' }, hint: 'Not before its time' },
  { id: 'asking', label: 'Asking', filter: { state: 'asking' }, hint: 'Waits for somebody to say whether it may run' },
  { id: 'failed', label: 'Failed', filter: { state: 'failed' }, hint: 'Ended with an error' },
  { id: 'dead', label: 'Dead', filter: { state: 'dead' }, hint: 'Failed, and nobody has looked after it yet' },
  { id: 'settled', label: 'Settled', filter: { state: 'settled' }, hint: 'Has its outcome' },
];

/** The filter that an address asks for. */
export function filterOf(params: Readonly<Record<string, string | undefined>>): Filter {
  const found: [FilterName, string][] = [];
  for (const name of FILTER_NAMES) {
    const value = params[name]?.trim();
    if (value !== undefined && value !== '') found.push([name, value]);
  }
  return Object.fromEntries(found);
}

/** The parameters of the address for a filter: those it does not ask for are empty, which takes them out. */
export function paramsOf(filter: Filter): Record<FilterName, string> {
  return Object.fromEntries(FILTER_NAMES.map((name) => [name, filter[name] ?? ''])) as Record<FilterName, string>;
}

export function isSameFilter(one: Filter, other: Filter): boolean {
  return FILTER_NAMES.every((name) => (one[name] ?? '') === (other[name] ?? ''));
}

/** The tab that a filter is: the same one, or the one of its state, so that a search stays in its tab. */
export function tabOf(filter: Filter, saved: readonly FilterTab[] = []): FilterTab {
  const same = [...saved, ...tabs].find((tab) => isSameFilter(tab.filter, filter));
  return same ?? tabs.find((tab) => tab.filter.state === filter.state) ?? tabs[0]!;
}

/** A filter, when a tab is chosen: its own; of one that is built in, with what was searched for. */
export function switched(filter: Filter, tab: FilterTab): Filter {
  if (!tabs.includes(tab)) return tab.filter;
  const { state: _, kind: __, ...rest } = filter;
  return { ...rest, ...tab.filter };
}

/** What is asked of the server. */
export function queryOf(filter: Filter, limit: number, after: number | null): Partial<Record<keyof WorkQuery, string>> {
  return { ...filter, limit: String(limit), ...(after === null ? {} : { after: String(after) }) };
}

/** The filters that somebody saved, from what the browser kept; what is no such list is nothing. */
export function savedFrom(text: string | null): FilterTab[] {
  if (text === null) return [];
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(found)) return [];
  return found.flatMap((entry: unknown) => {
    const { label, filter } = (entry ?? {}) as { label?: unknown; filter?: unknown };
    if (typeof label !== 'string' || label === '' || typeof filter !== 'object' || filter === null) return [];
    const texts = Object.entries(filter).filter(([, value]) => typeof value === 'string');
    return [savedTab(label, filterOf(Object.fromEntries(texts) as Record<string, string>))];
  });
}

export function savedTab(label: string, filter: Filter): FilterTab {
  return { id: `saved:${label}`, label, filter, hint: describeFilter(filter) };
}

export function savedText(saved: readonly FilterTab[]): string {
  return JSON.stringify(saved.map(({ label, filter }) => ({ label, filter })));
}

/** A filter in words. */
export function describeFilter(filter: Filter): string {
  const words = FILTER_NAMES.flatMap((name) => (filter[name] === undefined ? [] : [`${name} ${filter[name]}`]));
  return words.length === 0 ? 'everything' : words.join(', ');
}
