/**
 * Runs the commands of the steps of a store: gives each its folder, and turns how it ended into a value or an error. It owns
 * no process: `command.ts` does.
 */
import { resolve } from 'node:path';
import { PerdureError } from '../errors.ts';
import type { ActionContext } from './action-context.ts';
import { generationOf, keyScope, standInKey, type KeyOfAction } from './action-key.ts';
import { endLeftovers, runCommand, type CommandResult, type FormerPlace } from './command.ts';
import type { EarlierMarks } from './leftovers.ts';
import { actionFolder, actionWord, generationFolder, standInFolder, type StandIn } from './step-files.ts';

/** What all commands of a store have in common. */
export interface CommandSettings {
  /** The store's id: commands of earlier versions are known by it. */
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
    const { id } = context;
    const { files } = this.#settings;
    return this.#perform(command, context, { key: this.#formerKey(id), directory: actionFolder(files, id) });
  }

  /** Runs a fallback of an action, or what undoes it. */
  runStandIn(standIn: StandIn, command: ShellCommand, context: ActionContext): Promise<unknown> {
    const { id } = context;
    const key = `${this.#formerKey(id)}/${actionWord(standIn)}`;
    return this.#perform(command, context, { key, directory: standInFolder(this.#settings.files, id, standIn) });
  }

  /** Ends what an earlier life of this process left running of an action, and of what stands in for it. */
  async cleanUp(id: string, key: string, standIns: readonly StandIn[]): Promise<void> {
    const earlier = this.#earlier({ id, key });
    const { graceMs } = this.#settings;
    await endLeftovers({ key, earlier }, graceMs);
    for (const standIn of standIns) await endLeftovers({ key: standInKey(key, standIn) }, graceMs);
  }

  /** Without a generation: what ran before there was one in keys is known by it. */
  #formerKey(id: string): string {
    return `${this.#settings.store}/${actionWord(id)}`;
  }

  /** All that is run for an action is in its folder, whoever stands in for it. */
  #earlier(of: KeyOfAction): EarlierMarks {
    return { folder: resolve(actionFolder(this.#settings.files, of.id)), present: keyScope(of) };
  }

  /** Its files are in the folder that the action, or what stands in for it, has in this generation. */
  async #perform(
    command: ShellCommand,
    context: ActionContext,
    former: Pick<FormerPlace, 'key' | 'directory'>,
  ): Promise<unknown> {
    const { key, attempt, signal, results } = context;
    const { graceMs, outputLimit } = this.#settings;
    const generation = generationOf(context);
    const result = await runCommand({
      ...command,
      key,
      attempt,
      directory: generationFolder(former.directory, generation),
      earlier: this.#earlier(context),
      // The number of a generation that is not the first is the time at which it began.
      former: { ...former, since: generation },
      input: results,
      signal,
      ...(graceMs === undefined ? {} : { graceMs }),
      ...(outputLimit === undefined ? {} : { outputLimit }),
    });
    if (result.exitCode !== 0) throw failureOf(result);
    return result.value;
  }
}

function failureOf({ exitCode, signal, outputFile }: CommandResult): PerdureError {
  const how = signal === null ? `exited with ${exitCode}` : `was ended by ${signal}`;
  return new PerdureError('COMMAND_FAILED', how, { facts: { exitCode, signal, outputFile }, retryable: true });
}
