/** What running work tells of itself. Telemetry: heard by those who listen now, stored nowhere. */

type Listener = (value: unknown) => void;

/** How many values a slow reader is kept, before the oldest are left out. */
const KEPT = 100;

export class Progress {
  readonly #listeners = new Map<string, Set<Listener>>();

  tell(id: string, value: unknown): void {
    for (const listener of this.#listeners.get(id) ?? []) listener(value);
  }

  listen(id: string, listener: Listener): () => void {
    let listeners = this.#listeners.get(id);
    if (listeners === undefined) this.#listeners.set(id, (listeners = new Set()));
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(id);
    };
  }

  /** The values told from now on, until `ended`. A reader that falls behind gets the last {@link KEPT}. */
  async *stream(id: string, ended: Promise<unknown>): AsyncGenerator {
    const values: unknown[] = [];
    let open = true;
    let wake = () => {};
    const stop = this.listen(id, (value) => {
      values.push(value);
      if (values.length > KEPT) values.shift();
      wake();
    });
    const end = () => {
      open = false;
      wake();
    };
    ended.then(end, end);
    try {
      while (open || values.length > 0) {
        if (values.length > 0) yield values.shift();
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      stop();
    }
  }
}
