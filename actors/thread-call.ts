/**
 * One call in a thread, from the side of its owner: asked to end by the signal, and ended with its thread when it does not.
 *
 *   queued ──posted──> running ──answer──> over
 *      │                  ├──stop──> stopping ──answer, or killAfterMs──> over
 *      └──stop──> over    └──silence beyond heartbeatMs──> stopping
 *
 * Its time is that of the machine, whatever clock the supervisor has: a thread does not stand still with a simulated one.
 */
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { PerdureError } from '../errors.ts';
import { systemClock } from '../persistence/clock.ts';
import type { StallMonitor } from './stall-monitor.ts';
import type { ThreadCall } from './thread-work.ts';

/** A thread that starts, and loads its module, is silent for a reason; ms. */
const START_GRACE_MS = 10_000;

/** What a call needs of its pool. */
export interface CallHost {
  readonly monitor: StallMonitor;
  progress(value: unknown): void;
  /** Asks the thread of this call to abort it. */
  abort(token: string, reason: unknown): void;
  /** Hears what threads have said and nobody has heard yet. */
  hear(): void;
  /** Ends the thread of this call. */
  kill(call: RunningCall): Promise<void>;
}

/** A call that was handed to the pool. */
export class RunningCall {
  /** Only the thread that is given it knows it. */
  readonly token = randomUUID();
  /** Aborted to end the thread; an emitter costs less than a signal. */
  readonly killer = new EventEmitter() as EventEmitter & { aborted?: boolean; reason?: unknown };
  readonly #call: ThreadCall;
  readonly #host: CallHost;
  #timer: unknown;
  #heardAt: number;
  #silenceMs: number;
  #heard = 0;
  #isPosted = false;
  #stop: { readonly reason: unknown } | undefined;
  #killed: Promise<void> | undefined;
  #isOver = false;

  constructor(call: ThreadCall, host: CallHost) {
    this.#call = call;
    this.#host = host;
    this.#heardAt = host.monitor.awakeMs();
    this.#silenceMs = (call.heartbeatMs ?? Infinity) + START_GRACE_MS;
    if (call.heartbeatMs !== undefined) this.#listen();
  }

  /** Why it was told to end. */
  get stopped(): { readonly reason: unknown } | undefined {
    return this.#stop;
  }

  get isPosted(): boolean {
    return this.#isPosted;
  }

  /** Words of its thread that have come. */
  get heard(): number {
    return this.#heard;
  }

  /** It was handed to a thread. */
  post(): void {
    this.#isPosted = true;
  }

  /** Its thread says something. */
  hear(word: object): void {
    this.#heard += 1;
    this.#heardAt = this.#host.monitor.awakeMs();
    if (this.#heard === 1) this.#begin();
    if ('progress' in word) this.#host.progress(word.progress);
  }

  /** It works: the allowance for the start is over. */
  #begin(): void {
    const { heartbeatMs } = this.#call;
    if (heartbeatMs === undefined || this.#stop !== undefined) return;
    this.#silenceMs = heartbeatMs;
    this.#listen();
  }

  /** Asks it to end, and ends its thread if it has not after a while. */
  stop(reason: unknown): void {
    if (this.#stop !== undefined || this.#isOver) return;
    this.#stop = { reason };
    systemClock.clearTimeout(this.#timer);
    if (!this.#isPosted) return this.#kill();
    this.#host.abort(this.token, reason);
    this.#timer = systemClock.setTimeout(() => this.#kill(), this.#call.killAfterMs);
  }

  /** It has its answer, or will have none; resolves when nothing of it runs any more. */
  async end(): Promise<void> {
    this.#isOver = true;
    systemClock.clearTimeout(this.#timer);
    await this.#killed;
  }

  #kill(): void {
    this.#killed ??= this.#host.kill(this);
  }

  /** Sets the timer to the moment when the silence would be too long. */
  #listen(): void {
    systemClock.clearTimeout(this.#timer);
    const left = this.#heardAt + this.#silenceMs - this.#host.monitor.awakeMs();
    this.#timer = systemClock.setTimeout(() => this.#check(), Math.max(1, Math.ceil(left)));
  }

  #check(): void {
    // A word may have come while this process slept: it is heard before anything is judged.
    this.#host.hear();
    const silentMs = this.#host.monitor.awakeMs() - this.#heardAt;
    if (silentMs < this.#silenceMs) return this.#listen();
    const { heartbeatMs, module, export: name } = this.#call;
    const message = `${module}#${name} gave no sign of life for ${Math.round(silentMs)} ms; its heartbeatMs is ${heartbeatMs}.`;
    this.stop(new PerdureError('HEARTBEAT_MISSED', message, { retryable: true, facts: { heartbeatMs, silentMs } }));
  }
}
