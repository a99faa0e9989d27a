/**
 * ELK in a thread of its own, for whoever lays out in Node. It begins when it is needed and ends when it is idle; what takes too long,
 * or too much memory, ends it, and the next chart gets another. Whoever uses it asks for one layout at a time.
 */
import { Worker } from 'node:worker_threads';
import type { Elk } from './chart-layout.ts';

const PROGRAM = new URL('./elk-program.mjs', import.meta.url);
/** It holds some 50 MB. */
const IDLE_MS = 10_000;
const MOST_MB = 1_024;

/** The layout was not there in time, or the thread could not do it. */
export class ElkEnded extends Error {
  override readonly name = 'ElkEnded';
}

export class ElkThread {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** Lays out within so many ms from now on, in all. A layout that does not rejects with an {@link ElkEnded}, and so do all later ones. */
  within(ms: number): Elk {
    const until = performance.now() + ms;
    let ended: ElkEnded | undefined;
    return {
      layout: async (graph) => {
        if (ended !== undefined) throw ended;
        try {
          return await this.#layout(graph, until - performance.now());
        } catch (error) {
          if (error instanceof ElkEnded) ended = error;
          throw error;
        }
      },
    };
  }

  #layout(graph: unknown, ms: number): Promise<unknown> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#begin());
    worker.ref();
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(impatience);
        worker.off('message', answered).off('error', failed).off('exit', failed);
      };
      const answered = ({ result, error }: { readonly result?: unknown; readonly error?: string }) => {
        settle();
        this.#rest(worker);
        if (error === undefined) resolve(result);
        else reject(new Error(error));
      };
      const failed = (cause: unknown) => {
        settle();
        this.#end(worker);
        reject(new ElkEnded('The thread that lays out has ended.', { cause }));
      };
      const impatience = setTimeout(failed, Math.max(0, ms));
      worker.on('message', answered).on('error', failed).on('exit', failed);
      worker.postMessage(graph);
    });
  }

  #begin(): Worker {
    const worker = new Worker(PROGRAM, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: MOST_MB } });
    // Also while it is idle, and when it is ended.
    return worker.on('error', () => this.#end(worker)).on('exit', () => this.#end(worker));
  }

  /** What waits for nothing keeps no process. */
  #rest(worker: Worker): void {
    worker.unref();
    this.#idle = setTimeout(() => this.#end(worker), IDLE_MS).unref();
  }

  #end(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    void worker.terminate();
  }
}
