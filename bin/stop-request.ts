/** SIGINT and SIGTERM while a plan runs: the first asks to stop, the second does not ask. */

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** How often nothing is done. */
const STAY_MS = 3_600_000;

type StopSignal = keyof typeof EXIT_CODES;

/** Listens from its making until it is forgotten, and keeps the process so long: a run that waits for people does nothing else. */
export class StopRequest {
  /** Resolves, with the exit code it asks for, at the first signal. */
  readonly received: Promise<{ readonly signal: StopSignal; readonly exitCode: number }>;
  #count = 0;
  readonly #stay = setInterval(() => {}, STAY_MS);
  #receive: (stop: { signal: StopSignal; exitCode: number }) => void = () => {};

  constructor() {
    this.received = new Promise((resolve) => (this.#receive = resolve));
    process.on('SIGINT', this.#handle).on('SIGTERM', this.#handle);
  }

  forget(): void {
    clearInterval(this.#stay);
    process.off('SIGINT', this.#handle).off('SIGTERM', this.#handle);
  }

  readonly #handle = (name: NodeJS.Signals): void => {
    const signal = name as StopSignal;
    const exitCode = EXIT_CODES[signal];
    this.#count += 1;
    if (this.#count > 1) process.exit(exitCode);
    this.#receive({ signal, exitCode });
  };
}
