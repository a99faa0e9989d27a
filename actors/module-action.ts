/** The step of a plan that is a function of a module, as an action. It runs in this process. */
import { pathToFileURL } from 'node:url';
import { messageOf, PerdureError } from '../errors.ts';
import type { ActionContext } from './action-context.ts';
import { defineAction, type ActionDefinition } from './actions.ts';
import type { CommandRunner } from './command-runner.ts';
import type { ModuleOutput } from './module-output.ts';
import { standIns, type StandIns } from './stand-ins.ts';

/** What a `module` is given: plain data, stored with the action. */
export interface ModuleInput extends StandIns {
  /** Absolute path of the file. */
  readonly module: string;
  readonly export: string;
  readonly input?: unknown;
  /** Where its fallbacks and its undoing run. */
  readonly folder: string;
  /** Of an item of a fan-out. */
  readonly item?: unknown;
  readonly index?: number;
}

/** What the function of a step is called with. */
export interface StepCall extends ActionContext {
  /** The step's `input` in the plan. */
  readonly input: unknown;
  /** Of an item of a fan-out: the item, and which it is, from 0. */
  readonly item?: unknown;
  readonly index?: number;
}

type StepFunction = (call: StepCall, context: ActionContext) => unknown;

/** Calls an export of a module; its value is what the function returned. */
export function moduleAction(runner: CommandRunner, output: ModuleOutput): ActionDefinition<ModuleInput, unknown> {
  return defineAction({
    run: (step: ModuleInput, context) =>
      output.collect(context, async () => {
        const call = await load(step);
        const { input, item, index } = step;
        return call({ ...context, input, ...(index === undefined ? {} : { item, index }) }, context);
      }),
    ...standIns<ModuleInput>(runner, ({ folder: cwd }, run) => ({ run, cwd })),
  });
}

async function load({ module, export: name }: ModuleInput): Promise<StepFunction> {
  const found = (await imported(module))[name];
  if (typeof found === 'function') return found as StepFunction;
  throw new PerdureError(
    'MODULE_UNLOADABLE',
    `expected ${module} to export a function "${name}", got ${found === undefined ? 'no such export' : typeof found}`,
    { facts: { module, export: name } },
  );
}

async function imported(module: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(module).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new PerdureError('MODULE_UNLOADABLE', `the module ${module} could not be loaded: ${messageOf(cause)}`, {
      cause,
      facts: { module },
    });
  }
}
