/** Where a long run takes its work from: an iterator that may be slow, endless or broken. */
import { PerdureError, messageOf } from '../errors.ts';
import { checkItem, type ContinuousWorkOptions, type WorkItem } from './work-options.ts';

export class WorkSource {
  readonly #run: string;
  #iterator: Iterator<WorkItem> | AsyncIterator<WorkItem> | undefined;
  #taken = 0;

  constructor(run: string, work: ContinuousWorkOptions['work']) {
    this.#run = run;
    if (work === undefined) return;
    this.#iterator = Symbol.asyncIterator in work ? work[Symbol.asyncIterator]() : work[Symbol.iterator]();
  }

  /** How many items were taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Whether there may be more. */
  get hasMore(): boolean {
    return this.#iterator !== undefined;
  }

  /** The next item; undefined when there is none. Throws WORK_FAILED, OPTIONS_INVALID. */
  async take(): Promise<WorkItem | undefined> {
    const next = await this.#next();
    if (next === undefined || next.done === true) {
      this.#iterator = undefined;
      return undefined;
    }
    return checkItem(next.value, ++this.#taken);
  }

  async #next(): Promise<IteratorResult<unknown> | undefined> {
    try {
      return await this.#iterator?.next();
    } catch (cause) {
      this.#iterator = undefined;
      throw new PerdureError('WORK_FAILED', `The work of the run "${this.#run}" threw: ${messageOf(cause)}`, { cause });
    }
  }

  /** Lets go of the iterator. One that waits for its next item hears of it when that has come: nobody waits for that. */
  close(): void {
    void (async () => this.#iterator?.return?.())().catch(() => {});
  }
}
