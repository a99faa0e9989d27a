/** The step of a plan that is a shell command, as an action. */
import { defineAction, type ActionDefinition } from './actions.ts';
import type { CommandRunner, ShellCommand } from './command-runner.ts';
import { standIns, type StandIns } from './stand-ins.ts';

/** What a `command` is given: plain data, stored with the action. */
export interface CommandInput extends StandIns {
  readonly run: string;
  /** Where it runs, unless `cwd` says otherwise. */
  readonly folder: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs shell text; its value is what the command wrote to `$PERDURE_OUTPUT`. */
export function commandAction(runner: CommandRunner): ActionDefinition<CommandInput, unknown> {
  return defineAction({
    run: (input: CommandInput, context) => runner.run(shellCommand(input, input.run), context),
    ...standIns<CommandInput>(runner, shellCommand),
  });
}

function shellCommand({ folder, cwd, env }: CommandInput, run: string): ShellCommand {
  return { run, cwd: cwd ?? folder, ...(env === undefined ? {} : { env }) };
}
