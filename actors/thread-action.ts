/** The step of a plan that is a function of a module and runs in a thread, as an action: one for each function. */
import { relative, sep } from 'node:path';
import { defineAction, type ThreadActionDefinition } from './actions.ts';
import type { CommandRunner } from './command-runner.ts';
import type { ModuleInput } from './module-action.ts';
import { standIns } from './stand-ins.ts';

/** A function of a module. */
export interface ThreadTarget {
  /** Absolute path of the file, which is in `folder`. */
  readonly module: string;
  readonly export: string;
  /** The folder of the plan. */
  readonly folder: string;
}

/** The name of its action; that of another plan's folder has another version. */
export function threadActionName(target: ThreadTarget): string {
  return `${pathOf(target)}#${target.export}`;
}

/** As `threads.root`, which is the plan's folder, has it. */
function pathOf({ folder, module }: ThreadTarget): string {
  return `./${relative(folder, module).replaceAll(sep, '/')}`;
}

/** Calls the function in a thread, with what the step is given, and what a function of the main thread gets, too. */
export function threadAction(
  runner: CommandRunner,
  target: ThreadTarget,
): ThreadActionDefinition<ModuleInput, unknown> {
  return defineAction({
    thread: { module: pathOf(target), export: target.export },
    version: target.folder,
    prepare: ({ input, item, index }: ModuleInput) => ({ input, ...(index === undefined ? {} : { item, index }) }),
    ...standIns<ModuleInput>(runner, ({ folder: cwd }, run) => ({ run, cwd })),
  });
}
