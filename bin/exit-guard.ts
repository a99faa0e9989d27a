/**
 * Keeps the exit code true. A function of a module runs in this process and can end it at any moment: with
 * `process.exit(0)` a run that is not finished would look as if it had gone well.
 */
import { EXIT } from './failure.ts';

export class ExitGuard {
  readonly #run: string;
  /** Taken before modules run, whose output goes elsewhere. */
  readonly #complain = process.stderr.write.bind(process.stderr);
  #concluded: number | undefined;

  /** Guards from its making until it is forgotten. */
  constructor(run: string) {
    this.#run = run;
    process.on('exit', this.#handle);
  }

  /** The run is over, or told to stop: from now on whoever ends the process ends it with this code. */
  conclude(code: number): void {
    this.#concluded = code;
  }

  forget(): void {
    process.off('exit', this.#handle);
  }

  readonly #handle = (): void => {
    process.exitCode ||= this.#concluded ?? EXIT.failed;
    if (this.#concluded !== undefined) return;
    this.#complain(
      `perdure: ${this.#run} was left unfinished: a module called process.exit, or an error was caught by nobody; ` +
        'it goes on with the next `perdure run`\n',
    );
  };
}
