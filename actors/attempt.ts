/**
 * Carries out the attempts of actions: calls the registered handler, and turns whatever comes of it into data.
 *
 * An attempt that was aborted may still be running, because JavaScript cannot be stopped from outside; its late result
 * is nobody's. The `ender` waits for it, within a grace, so that the next attempt does not meet it.
 */
import { fromPromise } from 'xstate';
import type { AttemptInput, AttemptResult } from '../machines/action.ts';
import type { ErrorRecord } from '../machines/outcome.ts';
import { PerdureError, messageOf } from '../errors.ts';
import { systemClock, type Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import type { ActionContext, ActionDefinition, Registry } from './actions.ts';
import type { ActionRow } from './queue-tables.ts';
import { readAction } from './ledger.ts';
import { fromText, sealed, toText, unsealed } from './values.ts';

/** How long the end of an aborted attempt is waited for, ms. */
export const ENDING_GRACE_MS = 10_000;
/** Characters kept of an error: its record is part of a context, and contexts stay small. */
const MESSAGE_LIMIT = 500;
const NAME_LIMIT = 100;

/** What attempts need of the world. */
export interface AttemptWorld {
  readonly rows: Pick<Rows, 'get' | 'all' | 'seal' | 'unseal'>;
  readonly registry: Registry;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly onProgress: (id: string, value: unknown) => void;
}

/** The attempts of one supervisor: the logic of its `attempter` and its `ender`. */
export class Attempts {
  readonly #world: AttemptWorld;
  readonly #running = new Map<string, Promise<unknown>>();
  readonly attempter = fromPromise<AttemptResult, AttemptInput>(({ input, signal }) => this.#attempt(input, signal));
  readonly ender = fromPromise<number, { id: string }>(({ input }) => this.#end(input.id));

  constructor(world: AttemptWorld) {
    this.#world = world;
  }

  /** Resolves when no attempt is running any more, or after `graceMs`. */
  async idle(graceMs: number): Promise<void> {
    // Shutting down is a matter of the process: a simulated clock that stands still must not keep it.
    await within(systemClock, graceMs, Promise.allSettled(this.#running.values()));
  }

  async #attempt(input: AttemptInput, signal: AbortSignal): Promise<AttemptResult> {
    await this.#running.get(input.id);
    signal.throwIfAborted();
    const attempt = limited(this.#world, input, signal);
    this.#running.set(input.id, attempt);
    try {
      return await attempt;
    } finally {
      if (this.#running.get(input.id) === attempt) this.#running.delete(input.id);
    }
  }

  async #end(id: string): Promise<number> {
    const { clock } = this.#world;
    const attempt = this.#running.get(id);
    if (attempt === undefined) await cleanUp(this.#world, id);
    else await within(clock, ENDING_GRACE_MS, attempt);
    return clock.now();
  }
}

/**
 * An attempt within its time limit. One that exceeds it is aborted and waited for, within a grace; what it returns then
 * comes too late.
 */
async function limited(world: AttemptWorld, input: AttemptInput, signal: AbortSignal): Promise<AttemptResult> {
  const { timeoutMs } = input;
  if (timeoutMs === null) return perform(world, input, signal);
  const { clock } = world;
  const late = new AbortController();
  let handle: unknown;
  const timedOut = new Promise<void>((resolve) => {
    handle = clock.setTimeout(resolve, timeoutMs);
  });
  const attempt = perform(world, input, AbortSignal.any([signal, late.signal]));
  const result = await Promise.race([attempt, timedOut]);
  clock.clearTimeout(handle);
  if (result !== undefined) return result;
  const error = new PerdureError('ATTEMPT_TIMED_OUT', `The attempt took longer than ${timeoutMs} ms.`);
  late.abort(error);
  await within(clock, ENDING_GRACE_MS, attempt);
  return { kind: 'threw', error: recordOf(error), retryable: true, at: clock.now(), roll: world.random() };
}

async function perform(world: AttemptWorld, input: AttemptInput, signal: AbortSignal): Promise<AttemptResult> {
  const { rows, registry, clock } = world;
  const row = readAction(rows, input.id);
  const definition = row === undefined ? undefined : registry.find(row.name, row.version);
  if (row === undefined || definition === undefined) return { kind: 'unregistered', at: clock.now() };
  try {
    const context = contextOf(world, input, signal);
    const value = await workOf(definition, input)(fromText(row.input), context);
    const text = toText(value, `the value of the action "${input.id}"`);
    return { kind: 'returned', value: sealed(rows, text), at: clock.now() };
  } catch (error) {
    return {
      kind: 'threw',
      error: recordOf(error),
      retryable: isRetryable(error),
      at: clock.now(),
      roll: world.random(),
    };
  }
}

type Work = (input: unknown, context: ActionContext) => unknown;

function workOf(definition: ActionDefinition<unknown, unknown>, { work }: AttemptInput): Work {
  return work === 'fallback' && definition.fallback !== undefined
    ? (input, context) => definition.fallback?.(input, context)
    : (input, context) => definition.run(input, context);
}

function contextOf(world: AttemptWorld, { id, attempt }: AttemptInput, signal: AbortSignal): ActionContext {
  return { id, attempt, signal, results: resultsFor(world.rows, id), progress: (value) => world.onProgress(id, value) };
}

/** What the dependencies of a plan's step returned. */
function resultsFor(rows: Pick<Rows, 'all' | 'unseal'>, id: string): Record<string, unknown> {
  const found = rows.all<{ step: string; value: string }>(
    `select before.step as step, actions.value as value
     from steps me, json_each(me.after) named
     join steps before on before.id = me.plan || '/' || named.value
     join actions on actions.id = before.action
     where me.action = ? and actions.value is not null`,
    id,
  );
  return Object.fromEntries(found.map((row) => [row.step, fromText(unsealed(rows, row).value)]));
}

/** An action found in the store after a restart, with no attempt of this process: its handler knows what may be left. */
async function cleanUp({ rows, registry }: AttemptWorld, id: string): Promise<void> {
  const row = rows.get<ActionRow>('select * from actions where id = ?', id);
  await (row === undefined ? undefined : registry.find(row.name, row.version)?.cleanUp?.(id));
}

async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  let handle: unknown;
  const grace = new Promise<void>((resolve) => {
    handle = clock.setTimeout(resolve, ms);
  });
  // However the work ends, its attempt has told so itself.
  await Promise.race([work.catch(() => undefined), grace]);
  clock.clearTimeout(handle);
}

/** What is kept of anything thrown. */
export function recordOf(error: unknown): ErrorRecord {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return {
    name: (error instanceof Error ? error.name : typeof error).slice(0, NAME_LIMIT),
    code: code === null || code === undefined ? null : String(code as string).slice(0, NAME_LIMIT),
    message: messageOf(error).slice(0, MESSAGE_LIMIT),
  };
}

/** Everything is worth another attempt unless it says otherwise. */
function isRetryable(error: unknown): boolean {
  return !(typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === false);
}
