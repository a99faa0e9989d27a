/**
 * Carries out the attempts of actions, their undoing and their fallbacks: calls what is registered, and turns whatever comes of
 * it into data.
 *
 * An attempt that was aborted may still be running, because JavaScript cannot be stopped from outside; its late result
 * is nobody's. The `ender` waits for it, within a grace, so that the next attempt does not meet it.
 */
import { fromPromise } from 'xstate';
import type { AttemptInput, AttemptResult } from '../machines/action-state.ts';
import { isRetryable } from '../machines/error-class.ts';
import { PerdureError, saysRetryable } from '../errors.ts';
import { systemClock, type Clock } from '../persistence/clock.ts';
import { effectOf, type EffectIdentity } from '../persistence/effects.ts';
import type { Rows } from '../persistence/rows.ts';
import { onRestore } from '../persistence/xstate-port.ts';
import type { ActionContext } from './action-context.ts';
import { actionKey, standInKey } from './action-key.ts';
import type { ActionSpans, AttemptedRow } from './action-spans.ts';
import type { AnyAction, Registry, ThreadActionDefinition } from './actions.ts';
import { Compensations } from './compensations.ts';
import { resultsFor } from './dependencies.ts';
import { confirm } from './memos.ts';
import { recordOf } from './error-record.ts';
import { Interrupted, MAX_INTERRUPTIONS } from './interrupted.ts';
import type { ActionRow } from './queue-tables.ts';
import type { StallMonitor } from './stall-monitor.ts';
import type { ThreadPool } from './thread-pool.ts';
import { fallbackNamed } from './step-files.ts';
import { fromText, sealed, toText, unsealed } from './values.ts';

/** How long the end of an aborted attempt is waited for, ms. */
export const ENDING_GRACE_MS = 10_000;
/** How long an undoing, or a fallback, may take that has no limit of its own, ms: it must not hang for ever. */
export const STAND_IN_LIMIT_MS = 600_000;

/** What attempts need of the world. */
export interface AttemptWorld {
  readonly rows: Pick<Rows, 'get' | 'all' | 'run' | 'afterCommit' | 'turn' | 'seal' | 'unseal'>;
  readonly registry: Registry;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly onProgress: (id: string, value: unknown) => void;
  /** How often an attempt may be interrupted by the end of its process. Default: 3. */
  readonly maxInterruptions?: number;
  /** Notices when this process stands still. Default: nobody does. */
  readonly stalls?: StallMonitor;
  /** Where the work of thread actions is done. */
  readonly pool?: ThreadPool;
  /** Measures how long they take. Default: nobody does. */
  readonly spans?: ActionSpans;
}

/** The attempts of one supervisor: the logic of its `attempter` and its `ender`. */
export class Attempts {
  readonly #world: AttemptWorld;
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #interrupted: Interrupted;
  #isHeld = false;
  /** After a restore the executor asks about those that were under way: what is left of them runs. */
  readonly attempter = onRestore(
    'run',
    fromPromise<AttemptResult, AttemptInput>(({ input, signal, self }) => this.#attempt(input, signal, effectOf(self))),
  );
  readonly ender = onRestore(
    'run',
    fromPromise<number, { id: string }>(({ input, self }) => this.#end(input.id, actionKey(effectOf(self), input.id))),
  );

  constructor(world: AttemptWorld) {
    this.#world = world;
    this.#interrupted = new Interrupted(world.rows, world.maxInterruptions ?? MAX_INTERRUPTIONS);
  }

  /** What is under way is about to be aborted, because the process ends in order. */
  closing(): void {
    this.#interrupted.closing();
  }

  /** Begins no attempt any more: what would begin waits for the next life. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Resolves when no attempt is running any more, or after `graceMs`. */
  async idle(graceMs: number): Promise<void> {
    // Shutting down is a matter of the process: a simulated clock that stands still must not keep it.
    await within(systemClock, graceMs, Promise.allSettled(this.#running.values()));
  }

  async #attempt(input: AttemptInput, signal: AbortSignal, identity?: EffectIdentity): Promise<AttemptResult> {
    const broken = this.#interrupted.began(input.id, identity);
    if (broken !== undefined) return threw(this.#world, broken, this.#world.clock.now());
    try {
      await this.#running.get(input.id);
      signal.throwIfAborted();
      if (this.#isHeld) await aborted(signal);
      const work = { ...input, key: actionKey(identity, input.id) };
      return await this.#under(input.id, limited(this.#world, work, signal));
    } finally {
      this.#interrupted.ended(input.id, identity, signal.aborted);
    }
  }

  async #under(id: string, attempt: Promise<AttemptResult>): Promise<AttemptResult> {
    const { stalls } = this.#world;
    stalls?.enter();
    this.#running.set(id, attempt);
    try {
      return await attempt;
    } finally {
      stalls?.leave();
      if (this.#running.get(id) === attempt) this.#running.delete(id);
    }
  }

  async #end(id: string, key: string): Promise<number> {
    const { clock } = this.#world;
    const attempt = this.#running.get(id);
    if (attempt === undefined) await cleanUp(this.#world, id, key);
    else await within(clock, ENDING_GRACE_MS, attempt);
    // One that does not end must not keep its undoing.
    if (this.#running.get(id) === attempt) this.#running.delete(id);
    return clock.now();
  }
}

/** An attempt with the key of its action. */
interface KeyedAttempt extends AttemptInput {
  readonly key: string;
}

interface Limit {
  readonly ms: number;
  readonly code: 'ATTEMPT_TIMED_OUT' | 'DEADLINE_EXCEEDED';
}

/** The nearer of the attempt's own limit and what is left until the action's deadline. */
function limitOf({ timeoutMs, deadlineAt, work }: AttemptInput, now: number): Limit | undefined {
  const own = timeoutMs ?? (work === 'run' ? Infinity : STAND_IN_LIMIT_MS);
  // An attempt that an earlier version stored knows of no deadline.
  const left = deadlineAt == null ? Infinity : Math.max(0, deadlineAt - now);
  if (own === Infinity && left === Infinity) return undefined;
  return left < own ? { ms: left, code: 'DEADLINE_EXCEEDED' } : { ms: own, code: 'ATTEMPT_TIMED_OUT' };
}

const WORK = { run: 'attempt', undo: 'undoing', fallback: 'fallback' } as const;

function exceeded({ code, ms }: Limit, work: AttemptInput['work']): PerdureError {
  if (code === 'DEADLINE_EXCEEDED')
    return new PerdureError(code, `The deadline of the action came after ${ms} ms of this ${WORK[work]}.`);
  return new PerdureError(code, `The ${WORK[work]} took longer than ${ms} ms.`, { retryable: true });
}

/**
 * An attempt within its time limit. One that exceeds it is aborted and waited for, within a grace; what it returns then
 * comes too late.
 */
async function limited(world: AttemptWorld, input: KeyedAttempt, signal: AbortSignal): Promise<AttemptResult> {
  const { clock } = world;
  const startedAt = clock.now();
  const nearest = limitOf(input, startedAt);
  if (nearest === undefined) return perform(world, input, signal);
  if (nearest.ms === 0) return threw(world, exceeded(nearest, input.work), startedAt);
  const late = new AbortController();
  let handle: unknown;
  let arm: (limit: Limit | undefined) => void = () => {};
  const timedOut = new Promise<Limit>((resolve) => {
    arm = (limit) => {
      if (handle !== undefined) clock.clearTimeout(handle);
      handle = limit && clock.setTimeout(() => resolve(limit), limit.ms);
    };
  });
  // While it waits for a thread only the deadline comes nearer.
  arm(limitOf({ ...input, timeoutMs: null, work: 'run' }, startedAt));
  const begun = () => arm(limitOf(input, clock.now()));
  const attempt = perform(world, input, AbortSignal.any([signal, late.signal]), begun);
  const ended = await Promise.race([attempt, timedOut]);
  arm(undefined);
  if ('kind' in ended) return ended;
  const error = exceeded(ended, input.work);
  late.abort(error);
  await within(clock, ENDING_GRACE_MS, attempt);
  return threw(world, error, startedAt);
}

async function perform(
  world: AttemptWorld,
  input: KeyedAttempt,
  signal: AbortSignal,
  begun = () => {},
): Promise<AttemptResult> {
  const { rows, registry, clock, spans } = world;
  const startedAt = clock.now();
  const row = readWork(rows, input.id);
  const definition = row === undefined ? undefined : registry.find(row.name, row.version);
  if (row === undefined || definition === undefined) return { kind: 'unregistered', at: startedAt };
  try {
    const work = () => carryOut(world, definition, row, input, signal, begun);
    const value = await (spans === undefined ? work() : spans.attempt(row, input, work));
    const text = toText(value, `the value of the action "${input.id}"`);
    const at = clock.now();
    return { kind: 'returned', value: sealed(rows, text), at, ms: at - startedAt };
  } catch (error) {
    return threw(world, error, startedAt, definition);
  }
}

function threw(world: AttemptWorld, error: unknown, startedAt: number, definition?: AnyAction): AttemptResult {
  const { clock, registry, random } = world;
  const at = clock.now();
  const record = recordOf(error, at, definition && registry.classifierOf(definition));
  const retryable = isRetryable(record.class, saysRetryable(error));
  return { kind: 'threw', error: record, retryable, at, ms: at - startedAt, roll: random() };
}

/** What there is to do. Every attempt reads it: no more of the row than that. */
type WorkRow = Pick<ActionRow, 'version' | 'input' | 'pays'> & AttemptedRow;

const WORK_ROW =
  'select id, name, version, input, plan, policy, pays, submitted_at, not_before, round, approved from actions where id = ?';

function readWork(rows: Pick<Rows, 'get' | 'unseal'>, id: string): WorkRow | undefined {
  const row = rows.get<WorkRow>(WORK_ROW, id);
  return row && unsealed(rows, row);
}

async function carryOut(
  world: AttemptWorld,
  definition: AnyAction,
  row: WorkRow,
  input: KeyedAttempt,
  signal: AbortSignal,
  begun: () => void,
): Promise<unknown> {
  if (input.work !== 'run' || definition.thread === undefined) begun();
  const given = fromText(row.input);
  const context = contextOf(world, definition, row, input, signal);
  if (input.work === 'undo') return new Compensations(world.rows, row.id).undo(definition, given, context);
  if (input.work === 'fallback') return standIn(world, definition, row, input.fallback)(given, context);
  const value = await work(world, definition, given, context, begun);
  if (definition.verify !== undefined && (await definition.verify(value, given, context)) === false) {
    throw new PerdureError('VERIFY_FAILED', `What the action "${input.id}" returned was not verified as good.`);
  }
  if (row.plan !== null) await confirm(world.rows, row.id);
  return value;
}

function work(
  { pool }: AttemptWorld,
  definition: AnyAction,
  given: unknown,
  context: ActionContext,
  begun: () => void,
): unknown {
  if (definition.thread === undefined) return definition.run(given, context);
  if (pool === undefined)
    throw new PerdureError('NOT_PROVIDED', 'An action runs in threads: spawn it with spawnSupervisor.');
  return inThread(pool, definition, given, context, begun);
}

async function inThread(
  pool: ThreadPool,
  definition: ThreadActionDefinition<unknown, unknown>,
  given: unknown,
  context: ActionContext,
  begun: () => void,
): Promise<unknown> {
  const { thread, verify } = definition;
  if (definition.prepare === undefined)
    return pool.run(thread, given, context, { movesInput: verify === undefined, begun });
  // Who prepared it may need it again, so its bytes stay here.
  return pool.run(thread, await definition.prepare(given, context), context, { movesInput: false, begun });
}

type Work = (input: unknown, context: ActionContext) => unknown;

function standIn({ registry }: AttemptWorld, definition: AnyAction, row: WorkRow, name: string | null): Work {
  const { component } = JSON.parse(row.policy) as { component?: string | null };
  const fallback = registry.fallbackOf(definition, component ?? null, name ?? '');
  if (fallback !== undefined) return (input, context) => fallback.run(input, context);
  throw new PerdureError(
    'ACTION_UNKNOWN',
    `The fallback "${name}" of the action "${row.name}" is not registered any more.`,
  );
}

function contextOf(
  world: AttemptWorld,
  { undo }: AnyAction,
  row: WorkRow,
  input: KeyedAttempt,
  signal: AbortSignal,
): ActionContext {
  const { id, attempt, fix, fallback } = input;
  return {
    id,
    key: keyOf(input),
    attempt,
    signal,
    fix,
    fallback,
    results: resultsFor(world.rows, row),
    progress: (value) => world.onProgress(id, value),
    willUndo: (name, data) => new Compensations(world.rows, id).note(undo, name, data, signal),
  };
}

/** What undoes the work, or stands in for it, is another effect than the work. */
function keyOf({ key, work, fallback }: KeyedAttempt): string {
  if (work === 'run') return key;
  return standInKey(key, work === 'undo' ? work : fallbackNamed(fallback ?? 'fallback'));
}

/** An action found in the store after a restart, with no attempt of this process: its handler knows what may be left. */
async function cleanUp({ rows, registry }: AttemptWorld, id: string, key: string): Promise<void> {
  const row = readWork(rows, id);
  if (row !== undefined) await registry.find(row.name, row.version)?.cleanUp?.(id, fromText(row.input), key);
}

/** Rejects when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );
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
