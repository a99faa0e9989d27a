/** The shell commands of a plan's step beside its work: what stands in for it, and what undoes it. */
import { PerdureError } from '../errors.ts';
import type { ActionContext } from './action-context.ts';
import type { ActionDefinition } from './actions.ts';
import type { CommandRunner, ShellCommand } from './command-runner.ts';
import { fallbackNamed } from './step-files.ts';

/** A fallback of a step, with what it costs. */
export interface ShellFallback {
  readonly run: string;
  /** From 0, as good as the real thing, to 1, nothing at all. */
  readonly qualityLoss?: number;
  /** Whether the real work is owed. */
  readonly owes?: boolean;
}

/** What is stored of them, with the input of the step's action. */
export interface StandIns {
  /** Run when the work has failed for good: one command, or some by name. */
  readonly fallback?: string | Readonly<Record<string, ShellFallback>>;
  /** Run when the work has begun, and then failed for good or was cancelled. */
  readonly undo?: string;
}

/** The step's fallbacks by name; a command without a name is called `fallback`. */
export function fallbacksOf({ fallback = {} }: StandIns): Readonly<Record<string, ShellFallback>> {
  return typeof fallback === 'string' ? { fallback: { run: fallback } } : fallback;
}

/** The parts of an action that run the step's stand-ins; `shell` gives a command its surroundings. */
export function standIns<TInput extends StandIns>(
  runner: CommandRunner,
  shell: (input: TInput, run: string) => ShellCommand,
): Required<Pick<ActionDefinition<TInput, unknown>, 'fallback' | 'undo' | 'cleanUp'>> {
  return {
    fallback: (input: TInput, context: ActionContext) => {
      const name = context.fallback ?? 'fallback';
      return runner.runStandIn(fallbackNamed(name), shell(input, runOf(input, name)), context);
    },
    undo: (input: TInput, context: ActionContext) => runner.runStandIn('undo', shell(input, input.undo ?? ''), context),
    cleanUp: (id, input, key) => {
      const fallbacks = Object.keys(fallbacksOf(input)).map(fallbackNamed);
      return runner.cleanUp(id, key, [...fallbacks, ...(input.undo === undefined ? [] : ['undo' as const])]);
    },
  };
}

function runOf(input: StandIns, name: string): string {
  const all = fallbacksOf(input);
  const found = Object.hasOwn(all, name) ? all[name] : undefined;
  if (found !== undefined) return found.run;
  throw new PerdureError('ACTION_UNKNOWN', `The step has no fallback "${name}" any more.`, { facts: { name } });
}
