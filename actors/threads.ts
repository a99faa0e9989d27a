/**
 * The threads themselves, and what is said between them and this process. It knows nothing of who waits for one: whoever calls
 * `post` has a place.
 *
 * A call is one message there and one back. Progress, signs of life and aborts go by one port a thread, which the thread
 * opens before it loads anything.
 */
import { fileURLToPath } from 'node:url';
import { receiveMessageOnPort, type MessagePort, type Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { messageOf, PerdureError } from '../errors.ts';
import { field } from '../machines/error-class.ts';
import type { RunningCall } from './thread-call.ts';
import type { ThreadSettings } from './thread-options.ts';

const PROGRAM = fileURLToPath(new URL('./thread-worker.mjs', import.meta.url));
/** A thread with nothing to do is given back after this time, ms. */
const IDLE_MS = 30_000;

/** What a thread is asked to do, or to look at. */
export interface Order {
  readonly name: 'run' | 'inspect';
  readonly message: object;
  /** Bytes that go over, and are gone here. */
  readonly transfer: readonly ArrayBuffer[];
}

export class Threads {
  readonly #piscina: Piscina;
  readonly #calls = new Map<string, RunningCall>();
  readonly #ports = new Set<MessagePort>();
  #lastError: unknown;

  constructor({ size, memoryMb, env }: Pick<ThreadSettings, 'size' | 'memoryMb' | 'env'>) {
    this.#piscina = new Piscina({
      filename: PROGRAM,
      minThreads: 0,
      maxThreads: size,
      idleTimeout: IDLE_MS,
      env: { ...env },
      recordTiming: false,
      ...(memoryMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
    });
    this.#piscina.on('message', (word: unknown) => this.#meet(word));
    this.#piscina.on('error', (error: unknown) => void (this.#lastError = error));
    // What becomes of the call of a thread that is gone is known by then.
    this.#piscina.on('workerDestroy', () => setImmediate(() => this.#failStranded()));
  }

  resize(size: number): void {
    Object.assign(this.#piscina.options, { maxThreads: size });
  }

  /** What the thread answers. Rejects with how it ended, if it does not answer. */
  async post(call: RunningCall, { name, message, transfer }: Order): Promise<unknown> {
    const posted = {
      ...message,
      // It is read when the message is handed to a thread.
      get token(): string {
        call.post();
        return call.token;
      },
    };
    this.#calls.set(call.token, call);
    try {
      const answer: unknown = await this.#piscina.run(posted, {
        name,
        signal: call.killer,
        transferList: [...transfer] as never,
      });
      // What it told before it answered may still be on its way.
      if ((field(answer, 'told') as number) > call.heard) this.hear();
      return answer;
    } finally {
      this.#calls.delete(call.token);
    }
  }

  /** Ends the thread of a call, or takes the call back that has none yet; resolves when the thread is gone. */
  async kill(call: RunningCall): Promise<void> {
    const before: Worker[] = this.#piscina.threads;
    call.killer.aborted = true;
    call.killer.emit('abort');
    const left = new Set<Worker>(this.#piscina.threads);
    await Promise.all(before.filter((thread) => !left.has(thread)).map((thread) => thread.terminate()));
  }

  /** Asks the thread of a call to abort it. Which one that is, the threads know. */
  abort(token: string, reason: unknown): void {
    const code = field(reason, 'code');
    const word = {
      abort: token,
      reason: {
        name: reason instanceof Error ? reason.name : 'AbortError',
        message: messageOf(reason),
        ...(typeof code === 'string' ? { code } : {}),
      },
    };
    for (const port of this.#ports) port.postMessage(word);
  }

  /** Hears what threads have said and nobody has heard yet. */
  hear(): void {
    for (const port of this.#ports)
      for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port))
        this.#hear(got.message);
  }

  /** Ends all threads; resolves when they are gone. */
  async close(): Promise<void> {
    await this.#piscina.destroy();
    for (const port of this.#ports) port.close();
  }

  /** A thread that starts opens a port; whatever else the host's code says there is nobody's. */
  #meet(word: unknown): void {
    const port = field(word, 'perdure') === 'thread' ? (field(word, 'port') as MessagePort | undefined) : undefined;
    if (port === undefined) return;
    this.#ports.add(port);
    port.once('close', () => this.#ports.delete(port));
    port.on('message', (said: unknown) => this.#hear(said));
    // A thread that works keeps the process; a port does not.
    port.unref();
  }

  #hear(word: unknown): void {
    const call = this.#calls.get(field(word, 'token') as string);
    if (call !== undefined) call.hear(word as object);
  }

  /** A thread that could not even start takes no call with it, and a call that has none would wait for ever. */
  #failStranded(): void {
    const waiting = [...this.#calls.values()].filter((call) => !call.isPosted);
    const stranded = this.#calls.size - this.#piscina.threads.length;
    const cause = this.#lastError;
    const message = `No thread could be started: ${messageOf(cause ?? 'it ended at once')}`;
    for (const call of waiting.slice(0, Math.max(0, stranded)))
      call.stop(new PerdureError('THREAD_UNAVAILABLE', message, { cause, retryable: true }));
  }
}
