/**
 * A value that comes from elsewhere and may take its time. One fetch is under way at a time, and what is too old is not given:
 * whoever reads it never waits for a disk that does not answer.
 */

/** Default age from which on a value is not given, ms. */
const STALE_MS = 1_000;

interface FetchOptions {
  /** Told what a fetch threw. */
  readonly failed: (error: unknown) => void;
  /** Fetches are so far apart at least, ms. Default: 0. */
  readonly everyMs?: number;
  /** An older value is not given, ms. */
  readonly staleMs?: number;
}

export class Fetched<T> {
  readonly #get: () => Promise<T>;
  readonly #failed: (error: unknown) => void;
  readonly #everyMs: number;
  readonly #staleMs: number;
  #value: T | undefined;
  #at = -Infinity;
  #askedAt = -Infinity;
  #pending: Promise<void> | undefined;

  constructor(get: () => Promise<T>, { failed, everyMs = 0, staleMs = STALE_MS }: FetchOptions) {
    this.#get = get;
    this.#failed = failed;
    this.#everyMs = everyMs;
    this.#staleMs = staleMs;
  }

  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  /** Resolves when there is a new one, or none to be had. */
  fetch(now: number): Promise<void> {
    if (this.#pending === undefined && now - this.#askedAt >= this.#everyMs) {
      this.#askedAt = now;
      this.#pending = this.#ask();
    }
    return this.#pending ?? Promise.resolve();
  }

  /** The latest, unless it is stale. */
  value(now: number): T | undefined {
    return now - this.#at <= this.#staleMs ? this.#value : undefined;
  }

  async #ask(): Promise<void> {
    try {
      this.#value = await this.#get();
      this.#at = performance.now();
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#pending = undefined;
    }
  }
}
