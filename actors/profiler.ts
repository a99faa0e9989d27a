/** The host's side of the profiler: `supervisor.profiler`. The mode is a turn; what is measured is telemetry. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import {
  chromeTraceOf,
  cpuProfileOf,
  flameOf,
  type ChromeTrace,
  type CpuProfile,
  type Flame,
} from '../machines/profile-exports.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import { PROFILER_MODES, type ProfilerMode } from '../machines/profiler.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import type { Rows } from '../persistence/rows.ts';
import { refuse } from './action-options.ts';
import { noProfile, reportOn, type Profiled, type ProfileReport } from './profile-report.ts';
import { readTrace } from './profile-tables.ts';
import type { Profiling } from './profiling.ts';
import { openOf, type ActiveSpan } from './span-recorder.ts';

/** A span of the host's own: see {@link SupervisorProfiler.span}. */
export interface Span extends Disposable {
  /** Ends it, as gone well unless it says otherwise. Only the first end counts. */
  end(outcome?: { readonly failed?: boolean }): void;
}

/** Of what is asked. */
export interface ProfileQuery {
  /** A run of a plan. Default: all work. */
  readonly plan?: string;
}

const NOTHING: Span = { end: () => {}, [Symbol.dispose]: () => {} };

/** Throws OPTIONS_INVALID unless it is a mode. */
export function checkedMode(mode: unknown): ProfilerMode {
  const isMode = (PROFILER_MODES as readonly unknown[]).includes(mode);
  refuse('profiler', isMode ? undefined : `must be one of ${PROFILER_MODES.join(', ')}, got ${shown(mode)}`, {
    option: 'profiler',
  });
  return mode as ProfilerMode;
}

/** What the profiler needs of the supervisor. */
export interface ProfilerHost {
  rows(): Rows;
  now(): number;
  send(event: SupervisorCommand): Promise<unknown>;
  readonly profiling: Profiling;
  readonly path: string;
}

/** Where time goes: measures it, and tells. */
export class SupervisorProfiler {
  readonly #host: ProfilerHost;

  constructor(host: ProfilerHost) {
    this.#host = host;
  }

  /** How much is measured. */
  get currentMode(): ProfilerMode {
    return this.#host.profiling.mode;
  }

  /**
   * Measures nothing (`off`), as much as costs little (`sampling`), or everything, with the turns and actors of the supervisor
   * itself (`full`). Stays after a restart; resolves when it is durable. Throws OPTIONS_INVALID.
   */
  async mode(mode: ProfilerMode): Promise<void> {
    const { now, send } = this.#host;
    await send({
      type: 'supervisor.profiler',
      event: { type: 'profiler.configure', mode: checkedMode(mode), at: now() },
    });
  }

  /**
   * Begins a span of your own, within the one that this code runs in: an attempt of an action, or another span. Code that runs
   * beside other code needs {@link wrap}, or all of it would lie in whatever span was begun last. Throws OPTIONS_INVALID.
   *
   * @example
   * {
   *   using span = supervisor.profiler.span('parse');
   *   parse(text);
   * }
   */
  span(name: string): Span {
    checkName(name);
    const { recorder } = this.#host.profiling;
    if (recorder.mode === 'off') return NOTHING;
    const context = this.#context;
    const outer = openOf(context.getStore());
    const span = this.#begin(name, outer);
    context.enterWith(span);
    const end = ({ failed = false }: { readonly failed?: boolean } = {}) => {
      if (span.isOver) return;
      recorder.end(span, failed);
      if (context.getStore() === span) context.enterWith(openOf(outer));
    };
    return { end, [Symbol.dispose]: () => end() };
  }

  /**
   * The function, measured: each call is a span, up to its return, or until the promise that it returns is settled. What it gives
   * is what it gave, the very same promise too, and what it throws is thrown, and counted. Name, length and properties are those of
   * the function. A promise is looked at from the side, so that its rejection counts as handled: the process does not end of one
   * that nobody waits for. Of generators, and of thenables that are no `Promise`, only the call is measured, and `new` is not
   * measured at all. Throws OPTIONS_INVALID.
   *
   * @param name what it is called in reports; default: the function's own name.
   * @example
   * const load = supervisor.profiler.wrap('load', async (id) => fetchRow(id));
   */
  wrap<TFn extends Measurable>(fn: TFn): TFn;
  wrap<TFn extends Measurable>(name: string, fn: TFn): TFn;
  wrap<TFn extends Measurable>(...given: [TFn] | [string, TFn]): TFn {
    const fn = given.at(-1) as TFn;
    const wrong = typeof fn === 'function' ? undefined : `measures a function, got ${shown(fn)}`;
    refuse('profiler.wrap()', wrong, {});
    const name = given.length === 2 ? given[0] : fn.name || 'anonymous';
    checkName(name);
    const { recorder } = this.#host.profiling;
    const context = this.#context;
    const apply = (target: TFn, self: unknown, args: unknown[]): unknown => {
      if (recorder.mode === 'off') return Reflect.apply(target, self, args);
      const span = this.#begin(name, openOf(context.getStore()));
      const end = (failed: boolean) => recorder.end(span, failed);
      return ended(() => context.run(span, () => Reflect.apply(target, self, args)), end);
    };
    return new Proxy(fn, { apply });
  }

  /**
   * Where time went: operations by the time of their own, bottlenecks, hot paths, what a cure would be worth; of a run also its
   * critical path, and what has become slower. Throws ACTION_NOT_FOUND for a run of which nothing was measured, OPTIONS_INVALID.
   *
   * @example
   * const { bottlenecks, recommendations } = supervisor.profiler.report();
   */
  report(query: ProfileQuery = {}): ProfileReport {
    return reportOn(this.#host.rows(), this.#profiled(query));
  }

  /** The same as a flame graph. */
  flame(query: ProfileQuery = {}): Flame {
    return flameOf(this.#profiled(query).profile);
  }

  /** The same in V8's format, to be kept as a `.cpuprofile`. */
  cpuProfile(query: ProfileQuery = {}): CpuProfile {
    return cpuProfileOf(this.#profiled(query).profile);
  }

  /** Single spans of late, up to 250 of every 5 seconds, in Chrome's trace format. Resolves when the latest are among them. */
  async chromeTrace(): Promise<ChromeTrace> {
    await this.#host.profiling.flush();
    return chromeTraceOf(readTrace(this.#host.rows()));
  }

  /** Forgets all that was measured, earlier runs of plans included. */
  clear(): Promise<void> {
    return this.#host.profiling.clear();
  }

  get #context(): AsyncLocalStorage<ActiveSpan | undefined> {
    return this.#host.profiling.actions.context;
  }

  #begin(name: string, outer: ActiveSpan | undefined): ActiveSpan {
    const { recorder } = this.#host.profiling;
    return recorder.begin(name, outer === undefined ? recorder.weightOf('spans') : 0, { within: outer });
  }

  #profiled(query: ProfileQuery): Profiled {
    checkQuery(query);
    const { plan } = query;
    // Throws when the store is closed.
    this.#host.rows();
    const found = this.#host.profiling.profiled(plan);
    if (found === undefined) throw noProfile(plan, this.#host.path);
    return found;
  }
}

type Measurable = (...args: never[]) => unknown;

/** Calls it, and tells when it has ended: at once, or when its promise is settled. */
function ended(call: () => unknown, end: (failed: boolean) => void): unknown {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    end(true);
    throw error;
  }
  // Other thenables may do their work only when somebody waits for them.
  if (result instanceof Promise)
    void Promise.prototype.then.call(
      result,
      () => end(false),
      () => end(true),
    );
  else end(false);
  return result;
}

function checkQuery(query: unknown): asserts query is ProfileQuery {
  refuse('What is asked of the profiler', wrongQuery(query), {});
}

function wrongQuery(query: unknown): string | undefined {
  if (!isObject(query)) return `must be an object such as { plan: 'nightly:1' }, got ${shown(query)}`;
  const { plan } = query;
  if (plan !== undefined && typeof plan !== 'string') return `plan must be the id of a run, got ${shown(plan)}`;
  return unknownKey(query, ['plan']);
}

function checkName(name: unknown): asserts name is string {
  const isName = typeof name === 'string' && name !== '';
  refuse('A span', isName ? undefined : `has a name, a text that is not empty; got ${shown(name)}`, { name });
}
