/**
 * Runs the commands of the steps of a store: gives each its key and its folder, and turns how it ended into a value or an
 * error. It owns no process: `command.ts` does.
 */
import { PerdureError } from '../errors.ts';
import type { ActionContext } from './action-context.ts';
import { endLeftovers, runCommand, type CommandResult } from './command.ts';
import { actionFolder, actionWord, standInFolder, type StandIn } from './step-files.ts';

/** What all commands of a store have in common. */
export interface CommandSettings {
  /** The store's id: it tells the processes of one store from those of another. */
  readonly store: string;
  /** The folder for the files of all actions. */
  readonly files: string;
  /** From SIGTERM to SIGKILL, ms. */
  readonly graceMs?: number;
  /** Bytes of output kept for each attempt. */
  readonly outputLimit?: number;
}

/** A shell command and where it runs. */
export interface ShellCommand {
  readonly run: string;
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class CommandRunner {
  readonly #settings: CommandSettings;

  constructor(settings: CommandSettings) {
    this.#settings = settings;
  }

  /** Runs one attempt of an action; gives what it wrote to `$PERDURE_OUTPUT`. Throws COMMAND_FAILED. */
  run(command: ShellCommand, context: ActionContext): Promise<unknown> {
    return this.#perform(command, context, this.#keyOf(context.id), actionFolder(this.#settings.files, context.id));
  }

  /** Runs a fallback of an action, or what undoes it. */
  runStandIn(standIn: StandIn, command: ShellCommand, context: ActionContext): Promise<unknown> {
    const { id } = context;
    const folder = standInFolder(this.#settings.files, id, standIn);
    return this.#perform(command, context, standInKey(this.#keyOf(id), standIn), folder);
  }

  /** Ends what an earlier life of this process left running of an action, and of what stands in for it. */
  async cleanUp(id: string, standIns: readonly StandIn[]): Promise<void> {
    const key = this.#keyOf(id);
    await endLeftovers(key, this.#settings.graceMs);
    for (const standIn of standIns) await endLeftovers(standInKey(key, standIn), this.#settings.graceMs);
  }

  #keyOf(id: string): string {
    return `${this.#settings.store}/${actionWord(id)}`;
  }

  async #perform(command: ShellCommand, context: ActionContext, key: string, directory: string): Promise<unknown> {
    const { attempt, signal, results } = context;
    const { graceMs, outputLimit } = this.#settings;
    const result = await runCommand({
      ...command,
      key,
      attempt,
      directory,
      input: results,
      signal,
      ...(graceMs === undefined ? {} : { graceMs }),
      ...(outputLimit === undefined ? {} : { outputLimit }),
    });
    if (result.exitCode !== 0) throw failureOf(result);
    return result.value;
  }
}

function standInKey(key: string, standIn: StandIn): string {
  return `${key}/${actionWord(standIn)}`;
}

function failureOf({ exitCode, signal, outputFile }: CommandResult): PerdureError {
  const how = signal === null ? `exited with ${exitCode}` : `was ended by ${signal}`;
  return new PerdureError('COMMAND_FAILED', how, { facts: { exitCode, signal, outputFile }, retryable: true });
}
