/** Who listens to committed turns. A listener that throws is the host's problem: it is reported as an uncaught error. */
import { PerdureError } from '../errors.ts';
import type { AnyEventObject } from './xstate-port.ts';

interface Subscription {
  unsubscribe(): void;
}

type OnSnapshot<TSnapshot> = (snapshot: TSnapshot) => void;
type OnEvent = (event: AnyEventObject) => void;

export class Listeners<TSnapshot> {
  readonly #snapshots = new Set<OnSnapshot<TSnapshot>>();
  readonly #events = new Map<string, Set<OnEvent>>();
  readonly #waiting = new Set<(error: PerdureError) => void>();
  #ended: PerdureError | undefined;
  #announceEnd = (_: PerdureError) => {};
  readonly ended = new Promise<PerdureError>((resolve) => (this.#announceEnd = resolve));

  onSnapshot(listener: OnSnapshot<TSnapshot>): Subscription {
    this.#snapshots.add(listener);
    return { unsubscribe: () => void this.#snapshots.delete(listener) };
  }

  on(type: string, listener: OnEvent): Subscription {
    let listeners = this.#events.get(type);
    if (listeners === undefined) this.#events.set(type, (listeners = new Set()));
    listeners.add(listener);
    return { unsubscribe: () => void listeners.delete(listener) };
  }

  snapshot(snapshot: TSnapshot): void {
    for (const listener of this.#snapshots) call(listener, snapshot);
  }

  emit(event: AnyEventObject): void {
    for (const listener of [...(this.#events.get(event.type) ?? []), ...(this.#events.get('*') ?? [])])
      call(listener, event);
  }

  waitFor(present: TSnapshot, predicate: (snapshot: TSnapshot) => boolean, signal?: AbortSignal): Promise<TSnapshot> {
    return new Promise((resolve, reject) => {
      try {
        if (predicate(present)) return resolve(present);
      } catch (error) {
        return reject(predicateThrew(error));
      }
      if (this.#ended !== undefined) return reject(this.#ended);
      const settle = () => {
        subscription.unsubscribe();
        this.#waiting.delete(fail);
        signal?.removeEventListener('abort', abort);
      };
      const fail = (error: PerdureError) => {
        settle();
        reject(error);
      };
      const abort = () =>
        fail(new PerdureError('ABORTED', 'The wait was aborted by its signal.', { cause: signal?.reason }));
      const subscription = this.onSnapshot((snapshot) => {
        try {
          if (!predicate(snapshot)) return;
          settle();
          resolve(snapshot);
        } catch (error) {
          fail(predicateThrew(error));
        }
      });
      this.#waiting.add(fail);
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Nothing more will be committed: whoever waits is told so. */
  end(error: PerdureError): void {
    this.#ended ??= error;
    this.#announceEnd(error);
    for (const fail of this.#waiting) fail(error);
    this.#snapshots.clear();
    this.#events.clear();
  }
}

function predicateThrew(cause: unknown): PerdureError {
  return new PerdureError('WAIT_FAILED', 'The predicate of waitFor threw.', { cause });
}

function call<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
