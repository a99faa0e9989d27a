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
  /** Of an item of a fan-out. */
  readonly item?: unknown;
  readonly index?: number;
}

/** Runs shell text; its value is what the command wrote to `$PERDURE_OUTPUT`. */
export function commandAction(runner: CommandRunner): ActionDefinition<CommandInput, unknown> {
  return defineAction({
    run: (input: CommandInput, context) => runner.run(shellCommand(input, input.run), context),
    ...standIns<CommandInput>(runner, shellCommand),
  });
}

function shellCommand(input: CommandInput, run: string): ShellCommand {
  const { folder, cwd = folder, env } = input;
  if (env === undefined && input.index === undefined) return { run, cwd };
  return { run, cwd, env: { ...env, ...itemEnv(input) } };
}

/** What a command finds of its item: text as it is, and all else as JSON. */
function itemEnv({ item, index }: CommandInput): Record<string, string> {
  if (index === undefined) return {};
  const text = typeof item === 'string' ? item : (JSON.stringify(item) ?? '');
  return { PERDURE_ITEM: text, PERDURE_INDEX: String(index) };
}
