/** Tells of commits, at most four times a second; of several meanwhile the last. */
const PAUSE_MS = 250;

export class CommitTeller {
  readonly #tell: (turn: number, at: number) => void;
  #toldAt = -Infinity;
  #pending: { turn: number; at: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (turn: number, at: number) => void) {
    this.#tell = tell;
  }

  committed(turn: number): void {
    this.#pending = { turn, at: Date.now() };
    if (this.#timer !== undefined) return;
    const left = this.#toldAt + PAUSE_MS - performance.now();
    if (left <= 0) this.#say();
    else this.#timer = setTimeout(() => this.#say(), left).unref();
  }

  /** What is not told yet is not told. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#pending = undefined;
  }

  #say(): void {
    const pending = this.#pending;
    this.close();
    if (pending === undefined) return;
    this.#toldAt = performance.now();
    this.#tell(pending.turn, pending.at);
  }
}
