/** The resources as they were sampled last, and as the machine that decides sees them: from rows. */
import { CALM, type ResourceStanding } from '../machines/pressure.ts';
import type { ResourceName } from '../machines/resource-policy.ts';
import type { Sample } from './resource-tables.ts';
import type { ResourcesState } from './resource-watch.ts';

/** A resource, as it was sampled last. */
export interface SampledResource extends ResourceStanding {
  readonly name: ResourceName;
  /** `value` as a part of `limit`. */
  readonly used: number;
}

/** The machine is told of levels and forecasts, and of figures only now and then. */
export function sampledResources({ figures }: Sample, state: ResourcesState | undefined): SampledResource[] {
  const names = Object.keys(figures) as ResourceName[];
  return names.flatMap((name) => {
    const figure = figures[name];
    if (figure === undefined) return [];
    return [{ ...(state?.context.standings[name] ?? CALM), name, ...figure, used: figure.value / figure.limit }];
  });
}
