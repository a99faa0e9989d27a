/** The host's side of resources: `supervisor.resources`. It reads what was sampled, and sends events. */
import { scoreOf, type ForecastScore } from '../machines/forecast-score.ts';
import { nearest } from '../machines/nearest.ts';
import { shown } from '../machines/option-keys.ts';
import type { Outlook } from '../machines/pressure.ts';
import { RESOURCES, type ResourceName } from '../machines/resource-policy.ts';
import type { PressureAction, ResourcesNotice, Standings } from '../machines/resources.ts';
import { PerdureError } from '../errors.ts';
import type { Cleanup, OnPressure } from './relief.ts';
import type { SamplingCost } from './resource-sampler.ts';
import { stateOf, type ResourceWatch } from './resource-watch.ts';
import type { Tree } from './standing.ts';

/** How the resources are. */
export interface ResourceReport {
  /** What of it could be had: how much is used, the most that can be, the level, and what is forecast. */
  readonly resources: Standings;
  /** Whether less runs than may: `throttled`, or `shedding` when optional work is left out as well. */
  readonly admission: 'open' | 'throttled' | 'shedding';
  /** How many actions may run at once because of that; null: as many as the concurrency. */
  readonly limit: number | null;
  /** What watching costs. */
  readonly cost: SamplingCost;
}

/** One sample of one resource. */
export interface ResourceSample {
  /** ms since 1970. */
  readonly at: number;
  readonly value: number;
  readonly limit: number;
}

/** A resource that will be exhausted if it goes on as it does. */
export interface ResourceForecast {
  readonly resource: ResourceName;
  /** `imminent` within the horizon, `watch` within twice that; `none` when it is too early to rely on it. */
  readonly outlook: Outlook;
  /** ms from now, and its interval; `latestMs` is null when it may as well never be. */
  readonly etaMs: number;
  readonly earliestMs: number | null;
  readonly latestMs: number | null;
}

/** How good the forecasts were, of all resources and of each. */
export interface ResourceScore extends ForecastScore {
  readonly resources: Readonly<Partial<Record<ResourceName, ForecastScore>>>;
}

/** What {@link Resources.optimize} did. */
export interface ResourceOptimization {
  readonly actions: readonly PressureAction[];
  /** What was gained in bytes, as far as that could be seen. */
  readonly freedBytes: number;
  /** How many actions may run at once now; null: as many as the concurrency. */
  readonly limit: number | null;
}

type Acted = Extract<ResourcesNotice, { type: 'pressure.acted' }>;

/** What the supervisor runs on: how much of it is left, and what is done when it runs short. */
export class Resources {
  readonly #durable: Tree;
  readonly #watch: ResourceWatch | undefined;
  #ended: Error | undefined;

  /** @param watch there unless nothing is watched. */
  constructor(durable: Tree, watch: ResourceWatch | undefined) {
    this.#durable = durable;
    this.#watch = watch;
    void durable.ended.then((reason) => (this.#ended = reason));
  }

  /**
   * How the resources are: how much is used now, and the levels and forecasts of the last sample, which came by itself. To ask
   * changes nothing, however often.
   *
   * @example
   * const { resources, admission } = await supervisor.resources.now();
   * console.log(resources.heap?.level, admission);
   */
  async now(): Promise<ResourceReport> {
    const resources = await this.#needed.sampler.look();
    const state = stateOf(this.#durable);
    return {
      resources,
      admission: state?.value.admission ?? 'open',
      limit: state?.context.limit ?? null,
      cost: this.#needed.sampler.cost,
    };
  }

  /** What was sampled of a resource, the oldest first, earlier lives included: at most 720 samples. Throws OPTIONS_INVALID. */
  history(resource: ResourceName): ResourceSample[] {
    checkName(resource);
    return this.#needed
      .samples()
      .flatMap(({ at, figures: { [resource]: figure } }) => (figure === undefined ? [] : [{ at, ...figure }]));
  }

  /** What will be exhausted if it goes on as it does, the first to be coming first. */
  forecasts(): ResourceForecast[] {
    const all = Object.entries(this.#needed.sampler.standings) as unknown as [
      ResourceName,
      Standings[ResourceName] & object,
    ][];
    return all
      .flatMap(([resource, { forecast: outlook, etaMs, earliestMs, latestMs }]) =>
        etaMs === null ? [] : [{ resource, outlook, etaMs, earliestMs, latestMs }],
      )
      .toSorted((a, b) => a.etaMs - b.etaMs);
  }

  /** How good the forecasts were, since the store was made. */
  score(): ResourceScore {
    const { tallies } = this.#needed.sampler;
    const each = Array.from(tallies, ([name, tally]) => [name, scoreOf([tally])] as const);
    return { ...scoreOf([...tallies.values()]), resources: Object.fromEntries(each) };
  }

  /**
   * Asks the handler to make room when a resource is critical, or will be exhausted within the horizon: at most once in
   * `coolDownMs`, before anything harder is done. What it gives is waited for, and until then it is not called again; one that
   * throws is told as a process warning.
   *
   * @example
   * supervisor.resources.onPressure(({ resources }) => {
   *   if (resources.some(({ name }) => name === 'heap')) cache.clear();
   * });
   */
  onPressure(handler: OnPressure): { unsubscribe(): void } {
    return this.#needed.reliever.handle(handler);
  }

  /**
   * Registers what may be called when asking has not helped; it may give how many bytes it freed. Throws OPTIONS_INVALID for a name
   * that is in use.
   */
  registerCleanup(name: string, cleanup: Cleanup): { unsubscribe(): void } {
    return this.#needed.reliever.register(name, cleanup);
  }

  /**
   * Does at once what is to be done next, by the last sample: nothing when nothing is short, nor when it is asked by a handler or a
   * cleanup that is being called.
   */
  async optimize(): Promise<ResourceOptimization> {
    const { reliever } = this.#needed;
    // Whoever makes room would wait for itself.
    if (reliever.isCalling) return { actions: [], freedBytes: 0, limit: stateOf(this.#durable)?.context.limit ?? null };
    const told: Acted[] = [];
    const isRelieved = () => stateOf(this.#durable)?.value.relief !== 'relieving';
    let relieved = () => {};
    const relief = new Promise<void>((resolve) => (relieved = resolve));
    const subscription = this.#durable.on('pressure.acted', (event) => {
      told.push(event as unknown as Acted);
      if (isRelieved()) relieved();
    });
    try {
      await this.#durable.send({ type: 'supervisor.resources', event: { type: 'resources.optimize' } });
      if (!isRelieved()) await Promise.race([relief, rejected(this.#durable.ended)]);
    } finally {
      subscription.unsubscribe();
    }
    return {
      actions: told.filter(({ relief }) => relief?.did.length !== 0).map(({ action }) => action),
      freedBytes: told.reduce((sum, { relief }) => sum + (relief?.freedBytes ?? 0), 0),
      limit: stateOf(this.#durable)?.context.limit ?? null,
    };
  }

  /** Throws OPTIONS_INVALID when nothing is watched, and what the tree has ended with. */
  get #needed(): ResourceWatch {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#watch !== undefined) return this.#watch;
    throw new PerdureError(
      'OPTIONS_INVALID',
      'No resource is watched: the supervisor was started with `resources: false`.',
      {
        facts: { option: 'resources' },
      },
    );
  }
}

async function rejected(reason: Promise<Error>): Promise<never> {
  throw await reason;
}

function checkName(name: string): void {
  if (Object.hasOwn(RESOURCES, name)) return;
  const known = Object.keys(RESOURCES);
  const [meant] = nearest(String(name), known);
  const hint = meant === undefined ? `there are: ${known.join(', ')}` : `did you mean "${meant}"?`;
  throw new PerdureError('OPTIONS_INVALID', `There is no resource ${shown(name)} (${hint}).`, {
    facts: { name, known },
  });
}
