/** Who waits for the outcome of what. An outcome is a row: whoever is woken looks, and waits on if there is none. */
import type { PerdureError } from '../errors.ts';

export class Settlements {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #onEnd = new Set<(error: PerdureError) => void>();
  #ended: PerdureError | undefined;

  /** Why nothing is settled any more. */
  get ended(): PerdureError | undefined {
    return this.#ended;
  }

  /** What `read` gives, as soon as it gives something. */
  of<T>(key: string, read: () => T | undefined): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const present = read();
      if (present !== undefined) return resolve(present);
      const done = () => {
        const value = read();
        if (value === undefined) return;
        this.#onEnd.delete(reject);
        this.#waiting.get(key)?.delete(done);
        resolve(value);
      };
      let waiting = this.#waiting.get(key);
      if (waiting === undefined) this.#waiting.set(key, (waiting = new Set()));
      waiting.add(done);
      this.#onEnd.add(reject);
    });
    // Whoever asks hears of a rejection; whoever does not must not crash the process.
    promise.catch(() => {});
    return promise;
  }

  wake(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    for (const done of waiting) done();
    if (waiting.size === 0) this.#waiting.delete(key);
  }

  wakeAll(): void {
    for (const key of this.#waiting.keys()) this.wake(key);
  }

  end(error: PerdureError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const reject of this.#onEnd) reject(error);
    this.#onEnd.clear();
    this.#waiting.clear();
  }
}
