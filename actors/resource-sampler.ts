/**
 * Watches what the process and its machine have left. Every few seconds it reads the figures, folds each into the watch of its
 * resource (machines/pressure.ts), keeps what was sampled, and says what changed.
 *
 * W1  A sample is no turn. The machine hears of a level or a forecast that changes, and, while anything is not as it should be,
 *     that this is so from time to time: it takes silence for calm.
 * W2  What is kept in memory is bounded: a watch for each resource, and the samples that have no row yet.
 * W3  It tells what it costs: the time for which it kept the event loop.
 * W4  A figure that cannot be had is told once, and nothing else comes of it.
 * W5  Samples are as far apart as they are meant to be: whoever only wants to know looks, which changes nothing.
 * W6  When room was made, and a resource fell, it begins anew: what rises again from there would else pass for a swing that
 *     comes and goes by itself, until it is higher than ever.
 */
import { messageOf } from '../errors.ts';
import { RESOURCES, type PressurePolicy, type ResourceName } from '../machines/resource-policy.ts';
import { NO_FORECASTS, noteActed, tallied, type ForecastTally } from '../machines/forecast-score.ts';
import { CALM, hasChanged, presentValue, standingOf, watched, type Watch } from '../machines/pressure.ts';
import type { Standings } from '../machines/resources.ts';
import { systemClock, type Clock } from '../persistence/clock.ts';
import type { Figure, Figures } from './resource-figures.ts';
import type { Sample } from './resource-tables.ts';

/** Room was made when so much of what was used is left. */
const FALLEN = 0.8;

/** What sampling costs. */
export interface SamplingCost {
  readonly samples: number;
  /** For how long a sample kept the event loop, ms. */
  readonly meanMs: number;
  readonly maxMs: number;
  /** The part of the time since it began that was spent so. */
  readonly share: number;
}

/** Where the figures come from. */
export interface FigureSource {
  read(): Promise<Figures>;
  /** The same now, beside the readings: the next is as if this had not been. */
  look(): Promise<Figures>;
  /** For how long the last reading kept the event loop, ms. */
  readonly blockedMs: number;
  /** What cannot be read, as sentences. */
  readonly problems: readonly string[];
  close(): void;
}

interface SamplerOptions {
  readonly source: FigureSource;
  readonly sampleMs: number;
  readonly policy: PressurePolicy;
  /** While something is not as it should be, that is said so often, ms. */
  readonly remindMs: number;
  /** What moves the samples. Default: the clock of the machine. */
  readonly clock?: Clock;
  /** Wall-clock ms. */
  readonly now: () => number;
  /** What forecasts came to in earlier lives. */
  readonly tallies?: Iterable<readonly [ResourceName, ForecastTally]>;
}

/** Who hears of it. */
export interface SamplerHost {
  sampled(sample: Sample): void;
  /** W1. */
  changed(standings: Standings): void;
  /** W4. */
  unreadable(problem: string): void;
}

export class ResourceSampler {
  readonly #options: SamplerOptions;
  readonly #clock: Clock;
  readonly #watches = new Map<ResourceName, Watch>();
  readonly #tallies: Map<ResourceName, ForecastTally>;
  /** What was used of each when something was done about it. */
  readonly #relieved = new Map<ResourceName, number>();
  readonly #told = new Set<string>();
  #host: SamplerHost | undefined;
  #timer: unknown;
  #remindAt = Infinity;
  #began: number;
  #samples = 0;
  #blockedMs = 0;
  #maxMs = 0;

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#tallies = new Map(options.tallies);
    this.#began = this.#monotonic();
  }

  /** Samples from now on, until {@link close}. */
  start(host: SamplerHost): void {
    this.#host = host;
    this.#began = this.#monotonic();
    this.#arm();
  }

  /** How much is used now; the levels and forecasts are those of the last sample. W5. */
  async look(): Promise<Standings> {
    const figures = await this.#options.source.look().catch((error: unknown) => this.#unread(error));
    const { standings } = this;
    const all = Object.entries(shown(figures)) as [ResourceName, Figure][];
    return Object.fromEntries(all.map(([name, figure]) => [name, { ...(standings[name] ?? CALM), ...figure }]));
  }

  /** Where each resource stands, as last sampled. */
  get standings(): Standings {
    return Object.fromEntries(Array.from(this.#watches, ([name, watch]) => [name, standingOf(watch)]));
  }

  /** Whether anything is not as it should be. */
  get isPressed(): boolean {
    return Array.from(this.#watches.values()).some(isPressed);
  }

  /** What forecasts came to, by resource. */
  get tallies(): ReadonlyMap<ResourceName, ForecastTally> {
    return this.#tallies;
  }

  /** Something was done about these: if they are not exhausted as forecast, that may be why. */
  noteActed(names: readonly ResourceName[]): void {
    for (const name of names) {
      const tally = this.#tallies.get(name);
      if (tally !== undefined) this.#tallies.set(name, noteActed(tally));
      const watch = this.#watches.get(name);
      if (watch !== undefined) this.#relieved.set(name, presentValue(watch));
    }
  }

  /** W3. */
  get cost(): SamplingCost {
    const ms = this.#monotonic() - this.#began;
    const [samples, maxMs] = [this.#samples, this.#maxMs];
    const share = ms > 0 ? this.#blockedMs / ms : 0;
    return { samples, meanMs: samples === 0 ? 0 : this.#blockedMs / samples, maxMs, share };
  }

  close(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#host = undefined;
    this.#options.source.close();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => {
      void this.#sample().then(() => {
        if (this.#host !== undefined) this.#arm();
      });
    }, this.#options.sampleMs);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  async #sample(): Promise<void> {
    const { source, now } = this.#options;
    const figures = await source.read().catch((error: unknown) => this.#unread(error));
    const began = performance.now();
    const at = this.#monotonic();
    const isNews = this.#fold(figures, at);
    const standings = this.standings;
    this.#host?.sampled({ at: now(), figures: shown(figures) });
    if (isNews || at >= this.#remindAt) this.#tell(standings, at);
    this.#tellProblems();
    this.#count(source.blockedMs + performance.now() - began);
  }

  /** Says whether there is news. Of what was not read nothing is known any more. */
  #fold(figures: Figures, at: number): boolean {
    const { policy } = this.#options;
    let isNews = false;
    for (const name of this.#watches.keys())
      if (figures[name] === undefined) {
        isNews ||= isPressed(this.#watches.get(name));
        this.#watches.delete(name);
      }
    for (const [name, figure] of Object.entries(figures) as [ResourceName, Figure][]) {
      const before = this.#begunAnew(name, figure.value);
      const watch = watched(before, { at, ...figure }, policy, RESOURCES[name].isStock);
      isNews ||= hasChanged(before, watch);
      this.#watches.set(name, watch);
      // What is critical from the start could not be seen coming.
      if (before === undefined || !RESOURCES[name].isStock) continue;
      this.#tallies.set(name, tallied(this.#tallies.get(name) ?? NO_FORECASTS, before, watch));
    }
    return isNews;
  }

  /** W6. */
  #begunAnew(name: ResourceName, value: number): Watch | undefined {
    const watch = this.#watches.get(name);
    const before = this.#relieved.get(name);
    if (watch === undefined || before === undefined) return watch;
    // Of a disk with much to spare the end that is looked at says how much is much.
    if (before - value < (1 - FALLEN) * (before > 0 ? before : watch.limit)) return watch;
    this.#relieved.delete(name);
    return { ...watch, samples: [] };
  }

  #tell(standings: Standings, at: number): void {
    this.#remindAt = this.isPressed ? at + this.#options.remindMs : Infinity;
    this.#host?.changed(standings);
  }

  #tellProblems(): void {
    for (const problem of this.#options.source.problems) this.#tellProblem(problem);
  }

  #tellProblem(problem: string): void {
    if (this.#told.has(problem)) return;
    this.#told.add(problem);
    this.#host?.unreadable(problem);
  }

  #unread(error: unknown): Figures {
    this.#tellProblem(`The resources cannot be read: ${messageOf(error)}`);
    return {};
  }

  #count(ms: number): void {
    this.#samples += 1;
    this.#blockedMs += ms;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  #monotonic(): number {
    return this.#clock.monotonic?.() ?? this.#clock.now();
  }
}

/** As it is told: of a disk with much to spare nothing is used. */
function shown(figures: Figures): Figures {
  const all = Object.entries(figures) as [ResourceName, Figure][];
  return Object.fromEntries(all.map(([name, { value, limit }]) => [name, { value: Math.max(0, value), limit }]));
}

function isPressed(watch: Watch | undefined): boolean {
  return watch !== undefined && (watch.level !== 'normal' || watch.outlook !== 'none');
}
