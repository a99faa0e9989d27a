/** Who waits for the outcome of what. An outcome is a row: whoever is woken looks, and waits on if there is none. */
import { PerdureError } from '../errors.ts';

interface Waiting {
  /** Settles it, if there is an outcome. */
  readonly look: () => void;
  readonly reject: (error: PerdureError) => void;
}

export class Settlements {
  readonly #waiting = new Map<string, Set<Waiting>>();
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
      const look = () => {
        const value = read();
        if (value === undefined) return;
        this.#onEnd.delete(reject);
        this.#waiting.get(key)?.delete(one);
        resolve(value);
      };
      const one: Waiting = { look, reject };
      let waiting = this.#waiting.get(key);
      if (waiting === undefined) this.#waiting.set(key, (waiting = new Set()));
      waiting.add(one);
      this.#onEnd.add(reject);
    });
    // Whoever asks hears of a rejection; whoever does not must not crash the process.
    promise.catch(() => {});
    return promise;
  }

  wake(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    for (const { look } of waiting) look();
    if (waiting.size === 0) this.#waiting.delete(key);
  }

  wakeAll(): void {
    for (const key of this.#waiting.keys()) this.wake(key);
  }

  /** After a restore: what does not exist any more will have no outcome. */
  lookAgain(isThere: (key: string) => boolean): void {
    for (const [key, waiting] of this.#waiting) {
      if (isThere(key)) continue;
      this.#waiting.delete(key);
      for (const { reject } of waiting) {
        this.#onEnd.delete(reject);
        reject(undoneError(key));
      }
    }
  }

  end(error: PerdureError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const reject of this.#onEnd) reject(error);
    this.#onEnd.clear();
    this.#waiting.clear();
  }
}

function undoneError(key: string): PerdureError {
  return new PerdureError(
    'ACTION_NOT_FOUND',
    `"${key}" was submitted after the checkpoint that was restored, so it is not there any more: submit it again.`,
    { facts: { id: key } },
  );
}
