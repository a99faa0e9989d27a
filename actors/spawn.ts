/**
 * What a host app starts: the supervisor machine, its effects and a store. There is nothing here that a host could not do
 * with a machine of its own and `createDurableActor`.
 */
import { availableParallelism } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { fromPromise, sendParent, type AnyActorRef, type InspectionEvent, type Observer } from 'xstate';
import { v7 as uuidv7 } from 'uuid';
import { PerdureError, messageOf } from '../errors.ts';
import { actionMachine } from '../machines/action.ts';
import type { ActionNotice } from '../machines/action-state.ts';
import { approvalsMachine, type ApprovalsNotice } from '../machines/approvals.ts';
import { backgroundMachine, type BackgroundNotice } from '../machines/background.ts';
import { budgetMachine, type BudgetNotice } from '../machines/budget.ts';
import { budgetPolicy, type BudgetOptions, type BudgetPolicy } from '../machines/budget-policy.ts';
import { componentMachine, type ComponentNotice } from '../machines/component.ts';
import { componentId, degradationMachine, type DegradationNotice } from '../machines/degradation.ts';
import type { ComponentPolicy } from '../machines/component-policy.ts';
import type { Classifier } from '../machines/error-class.ts';
import { checkpointMachine } from '../machines/checkpoint.ts';
import type { CheckpointNotice } from '../machines/checkpoint-state.ts';
import { executorMachine, type ExecutorNotice } from '../machines/executor.ts';
import { resourcesMachine, type Relief, type ReliefInput, type ResourcesNotice } from '../machines/resources.ts';
import { profilerMachine, type ProfilerMode, type ProfilerNotice } from '../machines/profiler.ts';
import { retentionMachine } from '../machines/retention.ts';
import { schedulesMachine, type SchedulesNotice } from '../machines/schedules.ts';
import { supervisorMachine, type SupervisorCommand, type SupervisorInput } from '../machines/supervisor.ts';
import { tracksMachine, type TracksNotice } from '../machines/tracks.ts';
import { createDurableActor } from '../persistence/create.ts';
import { type DurableActor } from '../persistence/durable.ts';
import { refuseUnknownOption } from '../persistence/known-options.ts';
import type { Rows } from '../persistence/rows.ts';
import { onRestore } from '../persistence/xstate-port.ts';
import { STORE_OPTIONS, Store, storeOptionsOf, type StoreOptions } from '../persistence/store.ts';
import type { Clock } from '../persistence/clock.ts';
import { componentActions } from './component-port.ts';
import { checkFunction } from './action-options.ts';
import { Registry, type Actions } from './actions.ts';
import { askCallback, type OnApproval } from './approval-callback.ts';
import { openApprovals } from './approval-ledger.ts';
import { APPROVAL_TABLES } from './approval-tables.ts';
import { approvalActions } from './approvals.ts';
import { Background } from './background.ts';
import { BUDGET_TABLES } from './budget-tables.ts';
import { budgetActions } from './budget.ts';
import { COMPENSATION_TABLES } from './compensations.ts';
import type { Components } from './components.ts';
import { checkedConcurrency } from './concurrency.ts';
import { Attempts } from './attempt.ts';
import { SUPERVISOR_MIGRATIONS } from './earlier-versions.ts';
import { checkedInterruptions } from './interrupted.ts';
import { checkpointSettings, type CheckpointSettings } from './checkpoint-options.ts';
import { checkpointActions } from './checkpoint-rows.ts';
import { CHECKPOINT_TABLES } from './checkpoint-tables.ts';
import { LANE_TABLES } from './lane-tables.ts';
import { ESTIMATE_TABLES } from './estimates.ts';
import { MEMO_TABLES } from './memos.ts';
import { PLAN_TABLES } from './plan-tables.ts';
import { fileReader } from './memo-files.ts';
import { planActions } from './plans.ts';
import { PROFILE_TABLES } from './profile-tables.ts';
import { checkedMode } from './profiler.ts';
import { Profiling, modeOf } from './profiling.ts';
import { Progress } from './progress.ts';
import { QUEUE_TABLES } from './queue-tables.ts';
import { NO_LIMITS, queueing, type KeyOptions, type Queues, type Queueing } from './queue-options.ts';
import { prepareQueue, queueActions } from './queue.ts';
import { resourceSettings, type ResourceOptions } from './resource-options.ts';
import { RESOURCE_TABLES } from './resource-tables.ts';
import { ResourceWatch, unwatched } from './resource-watch.ts';
import { retentionActions, retentionPolicy, type RetentionOptions, type RetentionPolicy } from './retention.ts';
import { Restorer } from './restorer.ts';
import { RUN_TABLES } from './run-tables.ts';
import { scheduleActions } from './schedule-rows.ts';
import { SCHEDULE_TABLES } from './schedule-tables.ts';
import { StallMonitor } from './stall-monitor.ts';
import { checkpointOf, standingOf } from './standing.ts';
import { checkCall } from './submission-options.ts';
import { Supervisor } from './supervisor.ts';
import { threadSettings, type ThreadOptions, type ThreadSettings } from './thread-options.ts';
import type { ThreadPool } from './thread-pool.ts';

/** Options of {@link spawnSupervisor}. */
export interface SupervisorOptions<TActions extends Actions> extends StoreOptions {
  /** The path of the SQLite file, or a store that is open already. */
  readonly store: string | Store;
  /** What can be executed, by name. */
  readonly actions: TActions;
  /** The tree's id in the store. Default: `main`. */
  readonly id?: string;
  /** How many actions run at once. Default: the number of processors, at least 2. */
  readonly concurrency?: number;
  /** How often a turn is named, so that there is one to go back to. */
  readonly checkpoint?: CheckpointSettings;
  /** The dependencies that actions lean on, by name. One that an action names and that is not here has the defaults. */
  readonly components?: Components;
  /** The queues beside `default`, by name, and how much of each may run. */
  readonly queues?: Queues;
  /** How much of one key may run. Default: one at a time. */
  readonly keys?: KeyOptions;
  /** How long outcomes are kept. Default: those that did not fail for 30 days, the others for 90. */
  readonly retention?: RetentionOptions;
  /** How many failures are too many. Default: 90 % of the actions go well, in a run of 8 hours. */
  readonly budget?: BudgetOptions;
  /** Says of what class an error is; undefined leaves it to Perdure. An action's own goes first. */
  readonly classify?: Classifier;
  /**
   * Asked once a life about every approval that is open, those of earlier lives included, after it is durable. What it answers
   * decides; undefined leaves it open. One that throws is told as a process warning, and leaves it open too.
   */
  readonly onApproval?: OnApproval;
  /**
   * An attempt that was under way so many times when its process ended without `close()` fails with ATTEMPT_INTERRUPTED, and is a
   * dead letter: from 1, or Infinity. Default: 3.
   */
  readonly maxInterruptions?: number;
  /** The threads in which actions with `thread` run. */
  readonly threads?: ThreadOptions;
  /** What is watched of the process and its machine, and what is done when it runs short; false for nothing. Default: all. */
  readonly resources?: ResourceOptions | false;
  /** How much is measured of where time goes. Default: as it was before, and `sampling` at first. */
  readonly profiler?: ProfilerMode;
  /** Uniform in [0, 1). Default: Math.random. */
  readonly random?: () => number;
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void);
  readonly logger?: (...args: unknown[]) => void;
  /** Closes the supervisor when it is aborted. */
  readonly signal?: AbortSignal;
}

/** The keys of {@link SupervisorOptions}. */
export const SUPERVISOR_OPTIONS: readonly string[] = [
  ...STORE_OPTIONS,
  ...Object.keys({
    store: 1,
    actions: 1,
    id: 1,
    concurrency: 1,
    checkpoint: 1,
    components: 1,
    queues: 1,
    keys: 1,
    retention: 1,
    budget: 1,
    classify: 1,
    onApproval: 1,
    maxInterruptions: 1,
    threads: 1,
    resources: 1,
    profiler: 1,
    random: 1,
    inspect: 1,
    logger: 1,
    signal: 1,
  } satisfies Record<Exclude<keyof SupervisorOptions<Actions>, keyof StoreOptions>, 1>),
];

/** The tables of a supervisor. */
export const TABLES = [
  ...QUEUE_TABLES,
  ...LANE_TABLES,
  ...PLAN_TABLES,
  ...APPROVAL_TABLES,
  ...BUDGET_TABLES,
  ...COMPENSATION_TABLES,
  ...RUN_TABLES,
  ...SCHEDULE_TABLES,
  ...ESTIMATE_TABLES,
  ...MEMO_TABLES,
  ...CHECKPOINT_TABLES,
  ...RESOURCE_TABLES,
  ...PROFILE_TABLES,
] as const;

/** Starts a supervisor, or brings it back with everything it was doing. Throws OPTIONS_INVALID, and what {@link createDurableActor} throws. */
export async function spawnSupervisor<TActions extends Actions>(
  options: SupervisorOptions<TActions>,
): Promise<Supervisor<TActions>> {
  checkCall('the supervisor', options);
  refuseUnknownOption('spawnSupervisor', options, SUPERVISOR_OPTIONS);
  checkFunction('onApproval', options.onApproval);
  const mode = options.profiler === undefined ? undefined : checkedMode(options.profiler);
  options.signal?.throwIfAborted();
  const concurrency = checkedConcurrency(options.concurrency ?? Math.max(2, availableParallelism()));
  const { components, classify } = options;
  const registry = new Registry(options.actions, {
    ...(components === undefined ? {} : { components }),
    ...(classify === undefined ? {} : { classify }),
  });
  const maxInterruptions = checkedInterruptions(options.maxInterruptions);
  const threads = threadSettings(options.threads);
  const watching = resourceSettings(options.resources);
  const policies = registry.components;
  const limits = queueing(options);
  const budget = budgetPolicy(options.budget);
  const retention = retentionPolicy(options.retention);
  const checkpoint = checkpointSettings(options.checkpoint);
  const newId = options.newId ?? uuidv7;
  const owns = typeof options.store === 'string';
  const stalls = new StallMonitor();
  const pool = await poolOf(registry, threads, stalls);
  let store: Store | undefined;
  let watch: ResourceWatch | undefined;
  let obey: (() => void) | undefined;
  try {
    store =
      typeof options.store === 'string'
        ? Store.open(options.store, { ...storeOptionsOf(options), newId })
        : options.store;
    store.declare(TABLES);
    const { clock, rows } = store;
    prepareQueue({ rows, registry, limits, clock });
    const profiling = new Profiling(store);
    const progress = new Progress();
    const random = options.random ?? Math.random;
    const restorer = new Restorer(TABLES);
    const watched = (watch = watching && new ResourceWatch(store, watching));
    const world = {
      rows,
      registry,
      clock,
      random,
      budget,
      limits,
      maxInterruptions,
      retention,
      onProgress: (id: string, value: unknown) => progress.tell(id, value),
      stalls,
      restorer,
      profiling,
      spans: profiling.actions,
      ...(pool === undefined ? {} : { pool }),
      ...(watched === undefined ? {} : { relieve: (input: ReliefInput) => watched.relieve(input) }),
    };
    const attempts = new Attempts(world);
    // What was asked meanwhile is asked of the components and limits of this life.
    obey = store.commands.hold(options.id ?? 'main');
    const durable = await openTree(options, store, machineOf(world, attempts), { concurrency, budget, checkpoint });
    refuseStopped(durable);
    restorer.attach(durable);
    await configure(durable, { concurrency, checkpoint });
    const open = options.onApproval === undefined ? [] : openApprovals(rows, -1);
    equip(durable, policies, budget);
    if (mode !== undefined && mode !== modeOf(durable)) setMode(durable, mode);
    profiling.begin(durable);
    const background = pool && new Background(durable, pool);
    background?.begin(threads);
    if (watch === undefined) unwatched(durable);
    else watch.begin(durable);
    // What was restored may be of a life with other actions and options. That it could not be told is told by what it failed of.
    const life = { concurrency };
    durable.on('checkpoint.restored', () => {
      prepareQueue({ rows, registry, limits, clock });
      durable.send({ type: 'supervisor.configure', ...life }).catch(() => {});
      configure(durable, { ...life, checkpoint }).catch(() => {});
      equip(durable, policies, budget);
      background?.begin(threads);
    });
    const parts = {
      durable,
      registry,
      limits,
      newId,
      progress,
      attempts,
      stalls,
      restorer,
      life,
      profiling,
      closeStore: owns,
      ...(watch === undefined ? {} : { watch }),
      ...(background === undefined ? {} : { background }),
    };
    const supervisor = new Supervisor<TActions>(parts, options.signal);
    if (options.onApproval !== undefined) askCallback(supervisor, options.onApproval, open);
    return supervisor;
  } catch (error) {
    watch?.sampler.close();
    if (owns) store?.drop(error as PerdureError);
    await pool?.close();
    throw error;
  } finally {
    obey?.();
  }
}

/** A pool whose modules are looked at; none when no action runs in threads, which then cost nothing. Throws THREAD_MODULE_*. */
async function poolOf(
  registry: Registry,
  settings: ThreadSettings,
  stalls: StallMonitor,
): Promise<ThreadPool | undefined> {
  if (registry.threads.length === 0) return undefined;
  const { ThreadPool: Pool } = await import('./thread-pool.ts');
  const pool = new Pool(settings, stalls);
  try {
    // One after the other: a module that ends its thread must not end the look at another.
    for (const [name, thread] of registry.threads) await pool.load(name, thread);
    return pool;
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/** What the supervisor's tree does to the world. */
export interface SupervisorWorld {
  readonly rows: Rows;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly budget: BudgetPolicy;
  /** Default: none. */
  readonly limits?: Queueing;
  readonly onProgress: (id: string, value: unknown) => void;
  /** Default: 3. */
  readonly maxInterruptions?: number;
  readonly retention?: RetentionPolicy;
  readonly stalls?: StallMonitor;
  readonly pool?: ThreadPool;
  /** Goes back to checkpoints. Default: nobody does. */
  readonly restorer?: Restorer;
  /** Makes room where something is short. Default: nobody does. */
  readonly relieve?: (input: ReliefInput) => Promise<Relief>;
  readonly profiling?: Profiling;
}

/** The supervisor machine with everything that it needs provided. */
export function machineOf(world: SupervisorWorld, attempts = new Attempts(world)): typeof supervisorMachine {
  const { clock, restorer, relieve = nobodyRelieves } = world;
  const action = actionMachine.provide({
    actors: { attempter: attempts.attempter, ender: attempts.ender },
    actions: {
      ...componentActions(clock),
      announce: sendParent((_, { notice }: { notice: ActionNotice }) => notice),
    },
  });
  const component = componentMachine.provide({
    actions: { announce: sendParent((_, { notice }: { notice: ComponentNotice }) => notice) },
  });
  return supervisorMachine.provide({
    actors: {
      executor: executorMachine.provide({
        actions: {
          ...queueActions(world),
          announce: sendParent((_, { notice }: { notice: ExecutorNotice }) => notice),
        },
        actors: { action },
      }),
      tracks: tracksMachine.provide({
        actions: { ...planActions(world), announce: sendParent((_, { notice }: { notice: TracksNotice }) => notice) },
        actors: { reader: fileReader },
      }),
      checkpoint: checkpointMachine.provide({
        ...(restorer === undefined ? {} : { actors: { restorer: restorer.logic } }),
        actions: {
          ...checkpointActions({ ...world, onNamed: () => world.profiling?.checkpointed() }),
          announce: sendParent((_, { notice }: { notice: CheckpointNotice }) => notice),
        },
      }),
      approvals: approvalsMachine.provide({
        actions: {
          ...approvalActions(world),
          announce: sendParent((_, { notice }: { notice: ApprovalsNotice }) => notice),
        },
      }),
      schedules: schedulesMachine.provide({
        actions: {
          ...scheduleActions({ ...world, limits: world.limits ?? NO_LIMITS }),
          announce: sendParent((_, { notice }: { notice: SchedulesNotice }) => notice),
        },
      }),
      background: backgroundMachine.provide({
        actions: { announce: sendParent((_, { notice }: { notice: BackgroundNotice }) => notice) },
      }),
      profiler: profilerMachine.provide({
        actions: { announce: sendParent((_, { notice }: { notice: ProfilerNotice }) => notice) },
      }),
      retention: retentionMachine.provide({
        actions: retentionActions({ ...world, retention: world.retention ?? retentionPolicy() }),
      }),
      resources: resourcesMachine.provide({
        actors: {
          reliever: onRestore(
            'run',
            fromPromise<Relief, ReliefInput>(({ input }) => relieve(input)),
          ),
        },
        actions: { announce: sendParent((_, { notice }: { notice: ResourcesNotice }) => notice) },
      }),
      budget: budgetMachine.provide({
        actions: { ...budgetActions(world), announce: sendParent((_, { notice }: { notice: BudgetNotice }) => notice) },
      }),
      degradation: degradationMachine.provide({
        actions: { announce: sendParent((_, { notice }: { notice: DegradationNotice }) => notice) },
        actors: { component },
      }),
    },
  });
}

/** Where nothing is watched, what an earlier life found short is not helped. */
function nobodyRelieves(): Promise<Relief> {
  return Promise.resolve({ did: [], freedBytes: null });
}

type Tree = DurableActor<typeof supervisorMachine>;

function openTree<TActions extends Actions>(
  { id, inspect, logger }: SupervisorOptions<TActions>,
  store: Store,
  machine: typeof supervisorMachine,
  input: SupervisorInput,
): Promise<Tree> {
  return createDurableActor(machine, {
    store,
    ...(id === undefined ? {} : { id }),
    input,
    migrate: SUPERVISOR_MIGRATIONS,
    ...(inspect === undefined ? {} : { inspect }),
    ...(logger === undefined ? {} : { logger }),
  });
}

/** A supervisor that is in error stays so: better said at once than by every call. */
function refuseStopped(durable: Tree): void {
  const { id, store } = durable;
  const { status, error } = durable.getSnapshot();
  if (status === 'active') return;
  throw new PerdureError(
    'ACTOR_STOPPED',
    `The supervisor "${id}" of ${store.path} is ${status} and runs nothing: ${messageOf(error)}`,
    { facts: { id, status }, cause: error },
  );
}

function weightsOf(components: Readonly<Record<string, { readonly weight: number }>>): ReadonlyMap<string, number> {
  const weighing = Object.entries(components).filter(([, { weight }]) => weight > 0);
  return new Map(weighing.map(([name, { weight }]) => [name, weight]));
}

/** The components and the budget may be others than those that were stored. */
function equip(durable: Tree, components: Readonly<Record<string, ComponentPolicy>>, budget: BudgetPolicy): void {
  const { system } = durable.actor;
  const stored = (id: string) =>
    (system.get(id) as AnyActorRef | undefined)?.getSnapshot().context as { policy?: unknown };
  const { components: standing } = standingOf(durable).degradation;
  const policyOf = (name: string) => stored(componentId(name))?.policy as ComponentPolicy | undefined;
  // One that is gone must not weigh any more, and one that has come back must weigh again.
  const isKnown =
    isDeepStrictEqual(weightsOf(standing), weightsOf(components)) &&
    Object.entries(components).every(([name, policy]) => isDeepStrictEqual(policyOf(name), policy)) &&
    // Of one that is gone nothing may rest until it is back.
    Object.entries(standing).every(
      ([name, { status }]) =>
        Object.hasOwn(components, name) || (status === 'operational' && policyOf(name)?.breaker === null),
    );
  if (isKnown && isDeepStrictEqual(stored('budget').policy, budget)) return;
  const event: SupervisorCommand = { type: 'supervisor.equip', components, budget, at: durable.store.clock.now() };
  // It takes effect before whatever the host sends, and nothing waits for it: whoever starts must hear what comes of
  // actions that go on. That it could not be committed is told as any failure of the store is.
  durable.send(event).catch(() => {});
}

/** A host that starts again may ask for another concurrency than the one that was stored, and for other checkpoints. */
async function configure(
  durable: Tree,
  { concurrency, checkpoint }: Pick<SupervisorInput, 'concurrency' | 'checkpoint'>,
): Promise<void> {
  const { everyActions, everyMs } = checkpointOf(durable);
  const events: SupervisorCommand[] = [];
  if (!isDeepStrictEqual({ everyActions, everyMs }, checkpoint))
    events.push({ type: 'supervisor.configureCheckpoints', ...checkpoint });
  if (durable.getSnapshot().context.concurrency !== concurrency)
    events.push({ type: 'supervisor.configure', concurrency });
  await Promise.all(events.map((event) => durable.send(event)));
}

/** The mode is kept with the tree, unless the host says another. As with what it is equipped with, nothing waits for it. */
function setMode(durable: Tree, mode: ProfilerMode): void {
  const at = durable.store.clock.now();
  durable.send({ type: 'supervisor.profiler', event: { type: 'profiler.configure', mode, at } }).catch(() => {});
}
