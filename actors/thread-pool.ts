/**
 * The pool of threads of a supervisor: who gets one, how a call ends, and how all of them end. What is tried again, and when, is
 * the action's to decide, and whose threads die too often the background machine's.
 *
 *   run ──place──> call ──answer──> value, or what was thrown there
 *                    └──the thread ends by itself──> THREAD_*; the next call gets a new thread
 *
 * P1. A call has a thread for itself, and has a place first (`thread-places.ts`): nothing waits behind that.
 * P2. A call is over when its answer is here or its thread is gone: no two attempts of an action overlap.
 * P3. Whatever a call does to its thread ends that call, and no other.
 * P4. A module is loaded in threads only, and only if the host named it at the start.
 * P5. After `close` no thread is left, and no handle.
 */
import { isPerdureError, PerdureError } from '../errors.ts';
import { systemClock } from '../persistence/clock.ts';
import type { ActionContext } from './action-context.ts';
import type { StallMonitor } from './stall-monitor.ts';
import { RunningCall } from './thread-call.ts';
import { deathOf, thrownIn, type DeathCode, type ThrownData } from './thread-error.ts';
import { checkInspected, moduleUrl, unloadable, type Inspection } from './thread-modules.ts';
import type { ThreadSettings } from './thread-options.ts';
import { ThreadPlaces } from './thread-places.ts';
import { threadCall, type ThreadCall, type ThreadWork } from './thread-work.ts';
import { Threads, type Order } from './threads.ts';

/** How long a module may take to load at the start, ms. */
const LOADING_MS = 30_000;

/** Whom the pool tells, and asks. */
export interface PoolHost {
  died(module: string, code: DeathCode): void;
  /** Calls wait for a thread, or do so no more. */
  pressed(isPressed: boolean): void;
  /** For how long calls of the module fail at once, ms; 0 when they need not. */
  quarantineMs(module: string): number;
}

/** The threads, in figures. */
export interface BackgroundStats {
  /** Threads that there may be. */
  readonly size: number;
  /** Calls that have one. */
  readonly busy: number;
  /** Calls that wait for one. */
  readonly queued: number;
  /** Calls that returned or threw, in this life. */
  readonly completed: number;
  /** Threads that ended by themselves, in this life. */
  readonly deaths: number;
  /** The part of all thread time that was used, from 0 to 1. */
  readonly utilisation: number;
}

/** What a call is given beside its place. */
export interface CallOptions {
  /** Whether the bytes of the input may be moved: nobody needs them afterwards. */
  readonly movesInput: boolean;
  /** Called when it has a thread: its time begins. */
  readonly begun: () => void;
}

/** A module that was looked at. */
interface Work extends ThreadCall {
  readonly url: string;
}

type Answer = { readonly value: unknown } | { readonly threw: ThrownData };

/** Runs exports of modules in threads. */
export class ThreadPool {
  readonly #settings: ThreadSettings;
  readonly #monitor: StallMonitor;
  readonly #threads: Threads;
  readonly #places: ThreadPlaces;
  readonly #works = new Map<ThreadWork, Work>();
  readonly #attached: Promise<PoolHost>;
  #attach: (host: PoolHost) => void = () => {};
  #completed = 0;
  #deaths = 0;
  #isClosed = false;

  constructor(settings: ThreadSettings, monitor: StallMonitor) {
    this.#settings = settings;
    this.#monitor = monitor;
    this.#threads = new Threads(settings);
    this.#attached = new Promise((resolve) => (this.#attach = resolve));
    this.#places = new ThreadPlaces(
      settings.size,
      (isPressed) => void this.#attached.then((host) => host.pressed(isPressed)),
    );
  }

  /** P4: looks at the module of an action, in a thread. Throws THREAD_MODULE_*. */
  async load(action: string, thread: ThreadWork): Promise<void> {
    const call = threadCall(thread);
    const url = moduleUrl(action, call, this.#settings);
    checkInspected(action, call, await this.#inspect(action, call, url));
    this.#works.set(thread, { ...call, url });
  }

  /** Calls wait until there is somebody to ask. */
  attach(host: PoolHost): void {
    this.#attach(host);
  }

  /** Carries out one attempt. Throws what was thrown in the thread, THREAD_*, HEARTBEAT_MISSED, and the reason of the signal. */
  async run(thread: ThreadWork, input: unknown, context: ActionContext, options: CallOptions): Promise<unknown> {
    const work = this.#works.get(thread);
    if (work === undefined)
      throw new PerdureError('NOT_PROVIDED', `Nobody has looked at the module "${thread.module}" before it is to run.`);
    const host = await this.#attached;
    refuseQuarantined(work.module, host.quarantineMs(work.module));
    await this.#places.take(context.signal);
    try {
      options.begun();
      return await this.#perform(work, input, context, options);
    } catch (error) {
      if (isDeath(error)) {
        this.#deaths += 1;
        host.died(work.module, error.code);
      }
      throw error;
    } finally {
      this.#places.leave();
    }
  }

  get stats(): BackgroundStats {
    return {
      ...this.#places.figures,
      completed: this.#completed,
      deaths: this.#deaths,
    };
  }

  /** Lets another number of threads run. Calls beyond it may end. */
  resize(size: number): void {
    this.#places.resize(size);
    this.#threads.resize(size);
  }

  /** Begins no call any more; resolves when none is under way, or after `graceMs`. */
  drain(graceMs: number): Promise<void> {
    return this.#places.drain(graceMs);
  }

  /** P5. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#places.close();
    await this.#threads.close();
  }

  async #perform(work: Work, input: unknown, context: ActionContext, { movesInput }: CallOptions): Promise<unknown> {
    const { id, key, attempt, fix, results, signal } = context;
    // It may have been aborted since its place was free.
    signal.throwIfAborted();
    const call = this.#call(work, (value) => context.progress(value));
    const message = {
      module: work.url,
      export: work.export,
      beats: work.heartbeatMs !== undefined,
      input,
      id,
      key,
      attempt,
      fix,
      results,
    };
    const abort = () => call.stop(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      const transfer = movesInput ? movable(input) : [];
      const answer = (await this.#answer(
        call,
        { name: 'run', message, transfer },
        `${work.module}#${work.export}`,
      )) as Answer;
      this.#completed += 1;
      if ('threw' in answer) throw thrownIn(answer.threw);
      return answer.value;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #call(work: ThreadCall, progress: (value: unknown) => void): RunningCall {
    const threads = this.#threads;
    return new RunningCall(work, {
      monitor: this.#monitor,
      abort: (token, reason) => threads.abort(token, reason),
      hear: () => threads.hear(),
      kill: (call) => threads.kill(call),
      progress,
    });
  }

  /** The answer of a thread; throws how it ended instead. P2, P3. */
  async #answer(call: RunningCall, order: Order, where: string): Promise<unknown> {
    try {
      const answer = await this.#threads.post(call, order);
      if (call.stopped === undefined) return answer;
    } catch (error) {
      if (call.stopped === undefined) throw this.#ended(call, error, where);
    } finally {
      await call.end();
    }
    throw call.stopped.reason;
  }

  #ended(call: RunningCall, error: unknown, where: string): unknown {
    if (this.#isClosed)
      return new PerdureError('ABORTED', `The thread of ${where} was ended: the supervisor closes.`, { cause: error });
    return call.isPosted ? deathOf(error, where) : error;
  }

  async #inspect(action: string, work: ThreadCall, module: string): Promise<Inspection> {
    const call = this.#call({ ...work, heartbeatMs: undefined, killAfterMs: 0 }, () => {});
    const late = new PerdureError('ATTEMPT_TIMED_OUT', `it took longer than ${LOADING_MS} ms.`);
    const handle = systemClock.setTimeout(() => call.stop(late), LOADING_MS);
    try {
      return (await this.#answer(
        call,
        { name: 'inspect', message: { module }, transfer: [] },
        work.module,
      )) as Inspection;
    } catch (error) {
      throw unloadable(action, work.module, error);
    } finally {
      systemClock.clearTimeout(handle);
    }
  }
}

function isDeath(error: unknown): error is PerdureError & { readonly code: DeathCode } {
  return (['THREAD_OUT_OF_MEMORY', 'THREAD_EXITED', 'THREAD_CRASHED'] as const).some((code) =>
    isPerdureError(error, code),
  );
}

function refuseQuarantined(module: string, ms: number): void {
  if (ms === 0) return;
  const message = `The threads of the module "${module}" died too often; its actions fail at once for another ${ms} ms.`;
  const error = new PerdureError('THREAD_QUARANTINED', message, {
    retryable: true,
    facts: { module, retryAfterMs: ms },
  });
  throw Object.assign(error, { retryAfterMs: ms });
}

/** The bytes of an input that nothing else looks at: its own, or those of one of its fields. */
function movable(input: unknown): ArrayBuffer[] {
  if (typeof input !== 'object' || input === null) return [];
  const buffers = [input, ...Object.values(input)].flatMap((value: unknown) => {
    if (value instanceof ArrayBuffer) return [value];
    const isWhole = ArrayBuffer.isView(value) && value.byteLength === value.buffer.byteLength;
    return isWhole && value.buffer instanceof ArrayBuffer ? [value.buffer] : [];
  });
  return [...new Set(buffers)];
}
