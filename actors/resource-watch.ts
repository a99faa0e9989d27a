/**
 * Between the sampler and the machine that decides: what changed is sent, what was sampled becomes rows, and what the machine wants
 * done is done by the reliever.
 *
 * K1  Rows are telemetry: they are written every few seconds and at the end, and those that the store did not take are tried
 *     again with the next, the oldest left out first.
 * K2  What an earlier life knew of its process is not true of this one, nor is what a tree knew that was read back from the file:
 *     the machine is told anew. Where a new process finds itself well at the first look, nothing is held back any more.
 */
import { isDeepStrictEqual } from 'node:util';
import type {
  Relief,
  ReliefInput,
  ResourcesCommand,
  ResourcesContext,
  ResourcesNotice,
  Standings,
} from '../machines/resources.ts';
import { RESOURCES, type ResourceName } from '../machines/resource-policy.ts';
import type { Store } from '../persistence/store.ts';
import { Reliever } from './relief.ts';
import { FigureReader } from './resource-figures.ts';
import type { ResourceSettings } from './resource-options.ts';
import { ResourceSampler } from './resource-sampler.ts';
import { KEPT_SAMPLES, putSamples, putTallies, readSamples, readTallies, type Sample } from './resource-tables.ts';
import type { Tree } from './standing.ts';

/** Rows are written so often, ms. */
const FLUSH_MS = 5_000;
/** While something is not as it should be, the machine is told so often, ms: it takes silence for calm. */
const REMIND_MS = 30_000;

/** How the machine stands. */
export interface ResourcesState {
  readonly value: { readonly admission: 'open' | 'throttled' | 'shedding'; readonly relief: string };
  readonly context: ResourcesContext;
}

export class ResourceWatch {
  readonly sampler: ResourceSampler;
  readonly reliever: Reliever;
  readonly #store: Store;
  readonly #settings: ResourceSettings;
  #durable: Tree | undefined;
  #pending: Sample[] = [];
  #flushedAt: number;
  #flushing: Promise<void> = Promise.resolve();

  constructor(store: Store, settings: ResourceSettings) {
    this.#store = store;
    this.#settings = settings;
    const source = new FigureReader({ store: store.path, limits: settings.limits });
    this.reliever = new Reliever({
      truncateLog: () => store.truncateLog(),
      removeOld: () =>
        void this.#durable?.send({ type: 'retention.look' } as never, { to: 'retention' }).catch(() => {}),
      bytes: () => source.bytes(),
    });
    for (const [name, cleanup] of Object.entries(settings.cleanups)) this.reliever.register(name, cleanup);
    if (settings.onPressure !== undefined) this.reliever.handle(settings.onPressure);
    this.#flushedAt = this.#now();
    this.sampler = new ResourceSampler({
      source,
      sampleMs: settings.sampleMs,
      policy: settings.pressure,
      remindMs: Math.min(REMIND_MS, settings.relief.silenceMs / 4),
      now: () => store.clock.now(),
      tallies: readTallies(store.rows),
    });
  }

  /** The tree is there: from now on it is told. K2. */
  begin(durable: Tree): void {
    this.#durable = durable;
    this.#acquaint(durable);
    if (stateOf(durable)?.context.limit != null) void this.#recover();
    durable.on('reopened', () => this.#acquaint(durable));
    durable.on('pressure.acted', (event) => {
      const { relief, resources } = event as unknown as Extract<ResourcesNotice, { type: 'pressure.acted' }>;
      if (relief?.did.length !== 0) this.sampler.noteActed(resources);
    });
    durable.on('checkpoint.named', () => void this.#flush());
    this.sampler.start({
      sampled: (sample) => this.#keep(sample),
      changed: (standings) => this.#say(standings),
      unreadable: (problem) => this.#unreadable(problem),
    });
    // Without a sampler nothing is known.
    void durable.ended.then(() => this.sampler.close());
  }

  /** K2. */
  #acquaint(durable: Tree): void {
    const { relief } = this.#settings;
    const state = stateOf(durable);
    if (state === undefined) return;
    if (!isDeepStrictEqual(state.context.policy, relief)) this.#tell({ type: 'resources.configure', policy: relief });
    const { isPressed, standings } = this.sampler;
    if (isPressed || Object.keys(state.context.standings).length > 0) this.#say(standings);
  }

  /** K2. */
  async #recover(): Promise<void> {
    const resources = Object.entries(await this.sampler.look());
    const { elevated } = this.#settings.pressure;
    // How late the event loop was while all began says nothing.
    const isWell = resources.every(([name, { value, limit }]) => {
      const { isStock, throttles } = RESOURCES[name as ResourceName];
      return !isStock || !throttles || value < elevated * limit;
    });
    if (isWell) this.#tell({ type: 'resources.disable' });
  }

  /** What was sampled, the oldest first: at most an hour of it, at one sample in 5 s. */
  samples(): Sample[] {
    return [...readSamples(this.#store.rows), ...this.#pending].slice(-KEPT_SAMPLES);
  }

  /** Does what the machine wants done. */
  relieve(input: ReliefInput): Promise<Relief> {
    return this.reliever.relieve(input);
  }

  /** Samples no more, and writes what has no row yet. */
  async close(): Promise<void> {
    this.sampler.close();
    await this.#flush();
  }

  #keep(sample: Sample): void {
    this.#pending = [...this.#pending, sample].slice(-KEPT_SAMPLES);
    if (this.#now() - this.#flushedAt >= FLUSH_MS) void this.#flush();
  }

  /** K1. */
  #flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write());
    return this.#flushing;
  }

  async #write(): Promise<void> {
    const [samples, tallies] = [this.#pending, this.sampler.tallies];
    if (samples.length === 0 || !this.#store.isOpen) return;
    this.#flushedAt = this.#now();
    this.#pending = [];
    try {
      // It may be called twice.
      await this.#store.telemetry((rows) => {
        putSamples(rows, samples);
        putTallies(rows, tallies);
      });
    } catch {
      this.#pending = [...samples, ...this.#pending].slice(-KEPT_SAMPLES);
    }
  }

  #say(standings: Standings): void {
    this.#tell({ type: 'resources.sample', at: this.#store.clock.now(), values: standings });
  }

  #unreadable(problem: string): void {
    if (this.#store.isOpen) this.#store.incident({ kind: 'resource.unreadable', detail: problem, once: true });
  }

  /** That it could not be committed is told as any failure of the store is. */
  #tell(event: ResourcesCommand): void {
    this.#durable?.send({ type: 'supervisor.resources', event }).catch(() => {});
  }

  #now(): number {
    return performance.now();
  }
}

/** Nothing is watched in this life: what an earlier one knew holds nothing back. */
export function unwatched(durable: Tree): void {
  const context = stateOf(durable)?.context;
  if (context === undefined || (Object.keys(context.standings).length === 0 && context.limit === null)) return;
  durable.send({ type: 'supervisor.resources', event: { type: 'resources.disable' } }).catch(() => {});
}

/** Undefined in a tree that has not been told of resources yet. */
export function stateOf(durable: Tree): ResourcesState | undefined {
  const children = durable.getSnapshot().children as Readonly<Record<string, { getSnapshot(): unknown } | undefined>>;
  return children['resources']?.getSnapshot() as ResourcesState | undefined;
}
