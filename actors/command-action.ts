/** The step of a plan that is a shell command, as an action. */
import { defineAction, type ActionDefinition } from './actions.ts';
import type { CommandRunner, ShellCommand } from './command-runner.ts';

/** What a `command` is given: plain data, stored with the action. */
export interface CommandInput {
  readonly run: string;
  /** Run when the command has failed for good. */
  readonly fallback?: string;
  /** Where it runs, unless `cwd` says otherwise. */
  readonly folder: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs shell text; its value is what the command wrote to `$PERDURE_OUTPUT`. */
export function commandAction(runner: CommandRunner): ActionDefinition<CommandInput, unknown> {
  return defineAction({
    run: (input: CommandInput, context) => runner.run(shellCommand(input, input.run), context),
    fallback: (input, context) => runner.runFallback(shellCommand(input, input.fallback ?? ''), context),
    cleanUp: (id) => runner.cleanUp(id),
  });
}

function shellCommand({ folder, cwd, env }: CommandInput, run: string): ShellCommand {
  return { run, cwd: cwd ?? folder, ...(env === undefined ? {} : { env }) };
}
