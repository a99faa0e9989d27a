/**
 * One `perdure run` from the opened store to the outcome: what is in the store, what is to be done about it, and doing it.
 *
 *   open ── decide (may refuse) ── spawn, gate shut ── enact ── gate opens ── outcome | stop ── close, wait, let go
 */
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Actions } from '../actors/actions.ts';
import { commandAction } from '../actors/command-action.ts';
import { CommandRunner } from '../actors/command-runner.ts';
import { DEFAULT_OUTPUT_LIMIT } from '../actors/command.ts';
import { DEFAULT_GRACE_MS } from '../actors/leftovers.ts';
import { newestPlan } from '../actors/ledger.ts';
import { moduleAction } from '../actors/module-action.ts';
import { ModuleOutput } from '../actors/module-output.ts';
import { PLAN_TABLES, type PlanRow } from '../actors/plan-tables.ts';
import { QUEUE_TABLES } from '../actors/queue-tables.ts';
import { spawnSupervisor } from '../actors/spawn.ts';
import { filesBeside } from '../actors/step-files.ts';
import { threadAction, threadActionName } from '../actors/thread-action.ts';
import type { PlanOptions } from '../actors/plan-input.ts';
import type { PlanHandle, Supervisor } from '../actors/supervisor.ts';
import { messageOf, PerdureError } from '../errors.ts';
import { Store } from '../persistence/store.ts';
import { foundSteps, type FoundStep } from './found-steps.ts';
import { planChanges, refuseFinished, type PlanChanges } from './plan-changes.ts';
import type { PlanFile } from './plan-file.ts';
import { componentsOf, stepOptions, threadTargets } from './plan-steps.ts';
import { decideRun, type RunDecision, type RunWish } from './run-decision.ts';
import { WorkGate } from './work-gate.ts';

export interface SessionOptions extends RunWish {
  readonly concurrency?: number;
  readonly acceptChanges?: boolean;
  /** Leaves out the steps that are unchanged since an earlier run. */
  readonly changed?: boolean;
  readonly graceMs?: number;
  readonly outputLimit?: number;
}

/** How much longer than the grace the end of what runs is waited for: a function of a module cannot be stopped. */
const LINGER_MS = 2_000;
const NO_CHANGES: PlanChanges = { finished: [], unfinished: [], added: [], removed: [] };

/** How many steps may run at once. */
export function slotsOf(plan: PlanFile, asked: number | undefined): number {
  return asked ?? plan.concurrency ?? Math.max(2, availableParallelism());
}

export class RunSession {
  readonly store: Store;
  readonly decision: RunDecision;
  readonly changes: PlanChanges;
  readonly supervisor: Supervisor<Actions>;
  /** What the resumed run was doing, before anything of it goes on. */
  readonly found: readonly FoundStep[];
  /** Keeps what modules print away from the result. */
  readonly output: ModuleOutput;
  readonly #plan: PlanFile;
  readonly #gate: WorkGate;
  readonly #changed: boolean;
  readonly #lingerMs: number;
  #restoreStreams = (): void => {};

  /** Throws PLAN_CHANGED, and what opening a store throws; then nothing was started. */
  static async open(plan: PlanFile, path: string, options: SessionOptions): Promise<RunSession> {
    const file = resolve(path);
    makeFolder(dirname(file), file);
    const store = Store.open(file);
    try {
      store.declare([...QUEUE_TABLES, ...PLAN_TABLES]);
      const newest = newestPlan(store.rows, plan.name);
      const decision = decideRun(plan.name, newest, options);
      const found = decision.kind === 'resume' ? foundSteps(store.rows, decision.id) : [];
      const stored = found.map(({ row }) => row);
      const changes = decision.kind === 'resume' ? planChanges(plan, stored) : NO_CHANGES;
      if (options.acceptChanges !== true) refuseFinished(decision.id, changes);
      const gate = new WorkGate();
      const files = filesBeside(store.path);
      const output = new ModuleOutput({ files, outputLimit: options.outputLimit ?? DEFAULT_OUTPUT_LIMIT });
      const actions = guardedActions(plan, gate, store, output, options);
      const supervisor = await spawnSupervisor({
        store,
        actions,
        concurrency: slotsOf(plan, options.concurrency),
        components: componentsOf(plan),
        threads: { root: dirname(plan.file), env: process.env as Record<string, string> },
        // Whoever runs a plan decides whether it is run again.
        maxInterruptions: Infinity,
        // Beside the store lie files of its runs.
        retention: { succeededMs: Infinity, failedMs: Infinity },
        ...(plan.budget === undefined ? {} : { budget: plan.budget }),
        ...(plan.queues === undefined ? {} : { queues: plan.queues }),
        ...(plan.keys === undefined ? {} : { keys: plan.keys }),
      });
      return new RunSession({
        store,
        decision,
        changes,
        supervisor,
        found,
        output,
        plan,
        gate,
        changed: options.changed ?? false,
        graceMs: options.graceMs ?? DEFAULT_GRACE_MS,
      });
    } catch (error) {
      store.close();
      throw error;
    }
  }

  private constructor(parts: {
    store: Store;
    decision: RunDecision;
    changes: PlanChanges;
    supervisor: Supervisor<Actions>;
    found: readonly FoundStep[];
    output: ModuleOutput;
    plan: PlanFile;
    gate: WorkGate;
    changed: boolean;
    graceMs: number;
  }) {
    this.store = parts.store;
    this.decision = parts.decision;
    this.changes = parts.changes;
    this.supervisor = parts.supervisor;
    this.found = parts.found;
    this.output = parts.output;
    this.#plan = parts.plan;
    this.#gate = parts.gate;
    this.#changed = parts.changed;
    this.#lingerMs = parts.graceMs + LINGER_MS;
  }

  /** Does what was decided, and only then lets work begin. */
  async enact(): Promise<PlanHandle> {
    const { decision, supervisor } = this;
    if (decision.kind === 'resume') await this.#resume(decision.id, decision.retry);
    if (decision.kind === 'start') await this.#start(decision.id, decision.abandon);
    this.#restoreStreams = this.output.divert();
    this.#gate.open();
    return supervisor.joinPlan(decision.id);
  }

  async #start(id: string, abandon: string | undefined): Promise<void> {
    if (abandon !== undefined) {
      const old = this.supervisor.joinPlan(abandon);
      await old.cancel();
      await old.outcome;
    }
    await this.supervisor.plan(this.#planOptions(id));
  }

  async #resume(id: string, retry: boolean): Promise<void> {
    await this.supervisor.amendPlan(this.supervisor.preparePlan(this.#planOptions(id)), this.changes.removed);
    if (retry) await this.supervisor.retryPlan(id);
  }

  #planOptions(id: string): PlanOptions {
    const { name, policy } = this.#plan;
    return { id, name, policy, steps: stepOptions(this.#plan, { changed: this.#changed }) };
  }

  /** Commits, asks what runs to end, waits until it has, and lets go of the store. */
  async close(): Promise<void> {
    await this.supervisor.close({ graceMs: this.#lingerMs });
    this.store.close();
    this.#restoreStreams();
  }
}

function makeFolder(folder: string, store: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new PerdureError(
      'STORE_UNOPENABLE',
      `The folder of the store ${store} cannot be made (${messageOf(cause)}): give another path with --store.`,
      { cause, facts: { store, folder } },
    );
  }
}

function guardedActions(
  plan: PlanFile,
  gate: WorkGate,
  store: Store,
  output: ModuleOutput,
  { graceMs, outputLimit }: SessionOptions,
): Actions {
  const runner = new CommandRunner({
    store: store.id,
    files: filesBeside(store.path),
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(outputLimit === undefined ? {} : { outputLimit }),
  });
  const threads = threadTargets(plan).map(
    (target) => [threadActionName(target), gate.guardThread(threadAction(runner, target))] as const,
  );
  return {
    command: gate.guard(commandAction(runner)),
    module: gate.guard(moduleAction(runner, output)),
    ...Object.fromEntries(threads),
  } as Actions;
}

/** Runs in the store that go on too, without the one that this run replaces. */
export function otherRuns(store: Store, decision: RunDecision): string[] {
  const left = decision.kind === 'start' ? (decision.abandon ?? '') : '';
  return store.rows
    .all<PlanRow>(`select * from plans where state <> 'settled' and id <> ? and id <> ?`, decision.id, left)
    .map(({ id }) => id);
}
