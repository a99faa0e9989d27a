/** Whether a long run has reached what it is for. Asked once at a time; once it is reached, it stays so. */
import { PerdureError, messageOf } from '../errors.ts';
import type { ContinuousWorkOptions, WorkProgress } from './work-options.ts';

export class WorkGoal {
  readonly #run: string;
  readonly #options: Pick<ContinuousWorkOptions, 'goal'>;
  #isReached = false;
  #isAsking = false;
  #asksAgain = false;

  constructor(run: string, options: Pick<ContinuousWorkOptions, 'goal'>) {
    this.#run = run;
    this.#options = options;
  }

  /** What was answered last; null when there is nobody to ask. */
  get isReached(): boolean | null {
    return this.#options.goal === undefined ? null : this.#isReached;
  }

  /**
   * Asks. An answer that is a promise is waited for, and then, when somebody wanted to ask meanwhile, it is asked again.
   * Throws GOAL_FAILED.
   *
   * @param onAnswer called after an answer that was waited for, with what went wrong if something did.
   */
  ask(progress: () => WorkProgress, onAnswer: (error?: PerdureError) => void): void {
    if (this.isReached !== false) return;
    if (this.#isAsking) return void (this.#asksAgain = true);
    const answer = this.#answerTo(progress());
    if (typeof answer === 'boolean') return void (this.#isReached = answer);
    this.#isAsking = true;
    const again = () => {
      this.#isAsking = false;
      if (!this.#asksAgain) return;
      this.#asksAgain = false;
      this.ask(progress, onAnswer);
    };
    Promise.resolve(answer)
      .then((reached: unknown) => {
        this.#isReached = this.#checked(reached);
        again();
      }, this.#throw)
      .then(
        () => onAnswer(),
        (error: PerdureError) => onAnswer(error),
      );
  }

  #answerTo(progress: WorkProgress): boolean | PromiseLike<unknown> {
    let answer: unknown;
    try {
      answer = this.#options.goal?.(progress);
    } catch (cause) {
      return this.#throw(cause);
    }
    const isPromise = typeof (answer as PromiseLike<unknown> | null | undefined)?.then === 'function';
    return isPromise ? (answer as PromiseLike<unknown>) : this.#checked(answer);
  }

  #checked(answer: unknown): boolean {
    if (typeof answer === 'boolean') return answer;
    throw new PerdureError(
      'GOAL_FAILED',
      `The goal of the run "${this.#run}" must answer a boolean; got ${typeof answer}.`,
    );
  }

  readonly #throw = (cause: unknown): never => {
    throw new PerdureError('GOAL_FAILED', `The goal of the run "${this.#run}" threw: ${messageOf(cause)}`, { cause });
  };
}
