/** `perdure resources`: what the process that uses a store runs on, as it was sampled last, and how good its forecasts were. */
import { readSamples, readTallies } from '../actors/resource-tables.ts';
import { sampledResources, type SampledResource } from '../actors/sampled-resources.ts';
import type { ResourcesState } from '../actors/resource-watch.ts';
import { storedStates } from '../actors/stored-standing.ts';
import { scoreOf, type ForecastScore } from '../machines/forecast-score.ts';
import type { ResourceName } from '../machines/resource-policy.ts';
import { shownDuration } from './duration.ts';
import { EXIT } from './failure.ts';
import { storeOf } from './named-store.ts';
import { hasTable, readStore, type StoreReader } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

interface ResourceListing {
  readonly store: string;
  /** When it was sampled last, ms since 1970; null when it never was. */
  readonly at: number | null;
  readonly resources: readonly SampledResource[];
  /** Absent where only the owner can read it. */
  readonly admission?: ResourcesState['value']['admission'];
  /** How many actions may run at once; null: as many as the concurrency. */
  readonly limit?: number | null;
  readonly score: ForecastScore;
}

/** Prints the resources of a store, also while it is in use. */
export function listResources(named: string | undefined, { json }: { readonly json?: boolean }): number {
  const store = storeOf(named);
  const listing = readStore(store, (rows) => listingOf(rows, store));
  process.stdout.write(json === true ? `${JSON.stringify(listing, null, 2)}\n` : `${text(listing).join('\n')}\n`);
  return EXIT.ok;
}

function listingOf(rows: StoreReader, store: string): ResourceListing {
  const isThere = hasTable(rows, 'resource_samples');
  const last = isThere ? readSamples(rows).at(-1) : undefined;
  const state = storedStates(rows, 'resources')[0] as ResourcesState | undefined;
  return {
    store,
    at: last?.at ?? null,
    resources: last === undefined ? [] : sampledResources(last, state),
    ...(state === undefined ? {} : { admission: state.value.admission, limit: state.context.limit }),
    score: scoreOf(isThere ? [...readTallies(rows).values()] : []),
  };
}

function text({ store, at, resources, admission, limit, score }: ResourceListing): string[] {
  if (at === null) return [`nothing has been sampled in ${store}`];
  return [
    ...textTable(resources, [
      { title: 'resource', of: ({ name }) => name },
      { title: 'used', of: ({ name, value }) => shownAmount(name, value), align: 'right' },
      { title: 'of', of: ({ name, limit: most }) => shownAmount(name, most), align: 'right' },
      { title: '%', of: ({ used }) => (used * 100).toFixed(1), align: 'right' },
      { title: 'level', of: ({ level }) => level },
      { title: 'forecast', of: forecastText },
    ]),
    `sampled ${new Date(at).toISOString()}`,
    ...(admission === undefined || admission === 'open'
      ? []
      : [`${admission}: ${limit ?? 'all'} ${limit === 1 ? 'action' : 'actions'} at once`]),
    ...scoreLine(score),
  ];
}

function forecastText({ forecast, etaMs, earliestMs, latestMs }: SampledResource): string {
  if (forecast === 'none' || etaMs === null) return '';
  const from = earliestMs === null ? '' : `${shownDuration(earliestMs)} to `;
  return `${forecast}: used up in ${shownDuration(etaMs)} (${from}${latestMs === null ? 'never' : shownDuration(latestMs)})`;
}

function scoreLine({ judged, averted, precision, errorMs }: ForecastScore): string[] {
  if (judged + averted === 0) return [];
  const came = precision === null ? [] : [`${Math.round(precision * 100)} % of ${judged} came true`];
  const error = errorMs === null ? [] : [`${shownDuration(errorMs)} off on average`];
  return [`forecasts: ${[...came, ...error, `${averted} averted`].join(', ')}`];
}

const COUNTED: ReadonlySet<ResourceName> = new Set(['handles', 'cpu', 'hostCpu', 'loopUtilization']);

function shownAmount(name: ResourceName, value: number): string {
  if (name === 'loopDelay') return shownDuration(value);
  if (COUNTED.has(name)) return Number.isInteger(value) ? String(value) : value.toFixed(2);
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return `${(value / 2 ** (10 * unit)).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}
