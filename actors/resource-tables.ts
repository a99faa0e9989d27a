/**
 * The rows of what was sampled, and of what forecasts came to. They are telemetry: written every few seconds outside of any turn,
 * a crash loses what came since, and a restore leaves them as they are.
 */
import type { ForecastTally } from '../machines/forecast-score.ts';
import type { ResourceName } from '../machines/resource-policy.ts';
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';
import type { Figures } from './resource-figures.ts';

/** One reading of all figures. */
export interface Sample {
  /** Wall-clock ms since 1970. */
  readonly at: number;
  readonly figures: Figures;
}

/** Samples that are kept, the latest: an hour of them, at one in 5 s. */
export const KEPT_SAMPLES = 720;
/** What no kept turn sees, no version is kept of. */
const NO_TURN = Number.MAX_SAFE_INTEGER;

export const RESOURCE_TABLES: readonly TableSpec[] = [
  {
    name: 'resource_samples',
    key: 'slot',
    // `n` counts them: the wall clock may go back.
    columns: ['slot integer primary key', 'n integer not null', 'at real not null', 'figures text not null'],
    rolledBack: false,
  },
  {
    name: 'resource_tallies',
    key: 'resource',
    columns: ['resource text primary key', 'tally text not null'],
    rolledBack: false,
  },
];

type Reader = Pick<Rows, 'all' | 'get'>;
type Tallies = ReadonlyMap<ResourceName, ForecastTally>;

/** Writes samples into a ring, so that nothing need be removed. */
export function putSamples(rows: Pick<Rows, 'get' | 'run'>, samples: readonly Sample[]): void {
  const last = rows.get<{ n: number | null }>('select max(n) as n from resource_samples')?.n ?? -1;
  const put = `insert into resource_samples(slot, n, at, figures, from_turn) values (?, ?, ?, ?, ?)
    on conflict(slot) do update set n = excluded.n, at = excluded.at, figures = excluded.figures`;
  samples.forEach(({ at, figures }, i) => {
    const n = last + 1 + i;
    rows.run(put, n % KEPT_SAMPLES, n, at, JSON.stringify(figures), NO_TURN);
  });
}

/** What is kept, or the last of it, the oldest first. */
export function readSamples(rows: Reader, limit: number = KEPT_SAMPLES): Sample[] {
  return rows
    .all<{ at: number; figures: string }>('select at, figures from resource_samples order by n desc limit ?', limit)
    .reverse()
    .map(({ at, figures }) => ({ at, figures: parsed<Figures>(figures) ?? {} }));
}

export function putTallies(rows: Pick<Rows, 'run'>, tallies: Tallies): void {
  for (const [resource, tally] of tallies)
    rows.run(
      `insert into resource_tallies(resource, tally, from_turn) values (?, ?, ?)
       on conflict(resource) do update set tally = excluded.tally`,
      resource,
      JSON.stringify(tally),
      NO_TURN,
    );
}

/** What forecasts came to so far. Of one that was open in another life nobody can say how it would have come out. */
export function readTallies(rows: Reader): Map<ResourceName, ForecastTally> {
  const found = rows.all<{ resource: ResourceName; tally: string }>('select resource, tally from resource_tallies');
  return new Map(
    found.flatMap(({ resource, tally: text }) => {
      const tally = parsed<ForecastTally>(text);
      return tally === undefined ? [] : [[resource, { ...tally, open: null }]];
    }),
  );
}

/** Telemetry that is damaged must keep nobody from starting. */
function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
