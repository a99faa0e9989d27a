/**
 * The root of the tree. Read this file first: its children know each other only by the events that pass through here. One
 * shortcut there is: an action asks its component, by its systemId, whether it may be called, and tells it how that went.
 *
 *   host ──supervisor.submit──> executor ──executor.settled──> tracks, checkpoint, budget, and out (`action.settled`)
 *   host ──supervisor.plan────> tracks ──executor.submit──> executor
 *                               tracks ──plan.settled──> out
 *   executor ──executor.asked─> approvals ──approvals.decided──> executor; and out (`approval.requested`)
 *   schedules ─executor.submit─> executor
 *   budget ───budget.changed──> executor, which gets stricter or lets go; and out
 *   pool ─supervisor.background─> background, which is there once an action runs in threads; background.* out
 *   executor ──executor.risky──> checkpoint, before what could do harm
 *   resources ─executor.admit─> executor; and out (`pressure.*`). Last of all ──supervisor.checkpoint, and supervisor.restartAdvised out
 *   profiler ──profiler.*──> out; what it measures never comes here
 *   degradation ──component.changed──> out, and executor, where what waits for it rests; when it is back, what is owed is worked off
 */
import { assign, emit, enqueueActions, sendTo, setup } from 'xstate';
import type { ActionNotice } from './action-state.ts';
import { approvalsMachine, type ApprovalRequest, type ApprovalsNotice, type Verdict } from './approvals.ts';
import { backgroundMachine, type BackgroundCommand, type BackgroundNotice } from './background.ts';
import { budgetMachine, type BudgetNotice } from './budget.ts';
import { measuresOf } from './burn.ts';
import type { BudgetPolicy } from './budget-policy.ts';
import { checkpointMachine } from './checkpoint.ts';
import type {
  CheckpointChange,
  CheckpointInput,
  CheckpointNotice,
  CheckpointRequest,
  RestoreRequest,
} from './checkpoint-state.ts';
import type { ComponentCommand, ComponentNotice } from './component.ts';
import type { ComponentPolicy } from './component-policy.ts';
import { degradationMachine, type DegradationNotice } from './degradation.ts';
import {
  executorMachine,
  type ExecutorNotice,
  type UrgencyNotice,
  type Reprioritisation,
  type QueueNotice,
  type QueueRequest,
  type Settled,
  type Submission,
  type WorkOff,
} from './executor.ts';
import { resourcesMachine, type ResourcesCommand, type ResourcesNotice } from './resources.ts';
import { profilerMachine, type ProfilerCommand, type ProfilerNotice } from './profiler.ts';
import { retentionMachine } from './retention.ts';
import { schedulesMachine, type Schedule, type ScheduleNotice, type ScheduleRequest } from './schedules.ts';
import { tracksMachine, type Plan, type PlanKind, type TracksNotice } from './tracks.ts';

export interface SupervisorInput {
  /** How many actions run at once. */
  readonly concurrency: number;
  readonly checkpoint: CheckpointInput;
  readonly budget: BudgetPolicy;
}

type Components = Readonly<Record<string, ComponentPolicy>>;

/** What a host, or the command line, may ask. */
export type SupervisorCommand =
  | { readonly type: 'supervisor.submit'; readonly submissions: readonly Submission[] }
  | { readonly type: 'supervisor.plan'; readonly plan: Plan }
  | { readonly type: 'supervisor.amendPlan'; readonly plan: Plan; readonly removed: readonly string[] }
  | { readonly type: 'supervisor.retryPlan'; readonly plan: string; readonly at: number }
  | { readonly type: 'supervisor.cancelPlan'; readonly plan: string; readonly at: number }
  | { readonly type: 'supervisor.cancel'; readonly ids: readonly string[]; readonly at: number }
  | { readonly type: 'supervisor.putSchedule'; readonly schedule: Schedule; readonly at: number }
  | ({ readonly type: 'supervisor.schedule' } & ScheduleRequest)
  | ({ readonly type: 'supervisor.queue' } & QueueRequest)
  | { readonly type: 'supervisor.requeue'; readonly ids: readonly string[] }
  | { readonly type: 'supervisor.discard'; readonly ids: readonly string[]; readonly at: number }
  | ({ readonly type: 'supervisor.reprioritise' } & Reprioritisation)
  /** An action that waits for its next attempt, or its component, does not wait any longer. */
  | { readonly type: 'supervisor.retryNow'; readonly id: string }
  /** An action that was to begin later is queued now. */
  | { readonly type: 'supervisor.runNow'; readonly id: string }
  | { readonly type: 'supervisor.configure'; readonly concurrency: number }
  /** What the components and the budget of this life are like. */
  | {
      readonly type: 'supervisor.equip';
      readonly components: Components;
      readonly budget: BudgetPolicy;
      readonly at: number;
    }
  | ({ readonly type: 'supervisor.decide' } & Verdict)
  | {
      readonly type: 'supervisor.component';
      readonly component: string;
      readonly command: ComponentCommand;
      readonly at: number;
    }
  | ({ readonly type: 'supervisor.workOff' } & WorkOff)
  /** What becomes of the pool of threads. */
  | { readonly type: 'supervisor.background'; readonly event: BackgroundCommand }
  /** Where the resources stand, and what becomes of them. */
  | { readonly type: 'supervisor.resources'; readonly event: ResourcesCommand }
  /** How much is measured, and what was found. */
  | { readonly type: 'supervisor.profiler'; readonly event: ProfilerCommand }
  /** Moves the gate to where the outcomes say. */
  | { readonly type: 'supervisor.optimize' }
  /** Forgets what was charged and learned, and closes every breaker. */
  | { readonly type: 'supervisor.reset'; readonly components: readonly string[]; readonly at: number }
  | { readonly type: 'supervisor.pause' }
  | { readonly type: 'supervisor.resume' }
  | ({ readonly type: 'supervisor.checkpoint' } & CheckpointRequest)
  | ({ readonly type: 'supervisor.changeCheckpoint' } & CheckpointChange)
  | ({ readonly type: 'supervisor.configureCheckpoints' } & CheckpointInput)
  /** What the host wants to find again in every checkpoint: JSON. */
  | { readonly type: 'supervisor.setVariables'; readonly variables: string }
  /** Goes back to a checkpoint. */
  | ({ readonly type: 'supervisor.restore' } & RestoreRequest);

export type SupervisorEvent =
  | SupervisorCommand
  | ExecutorNotice
  | TracksNotice
  | ApprovalsNotice
  | ScheduleNotice
  | BudgetNotice
  | BackgroundNotice
  | ProfilerNotice
  | DegradationNotice
  | CheckpointNotice
  | ResourcesNotice
  | {
      readonly type: 'runtime.resumed';
      readonly at: number;
      readonly turn: number;
      /** It is as it was in a turn of the past. */
      readonly restored?: true;
    };

/** What the supervisor tells the world, of committed turns. */
export type SupervisorEmitted =
  | {
      readonly type: 'action.settled';
      readonly id: string;
      readonly kind: Settled['kind'];
      readonly plan: string | null;
    }
  | { readonly type: 'action.attempting'; readonly id: string; readonly attempt: number }
  | Extract<ActionNotice, { type: 'action.backingOff' | 'action.slow' | 'action.undoFailed' | 'action.fallbackFailed' }>
  | UrgencyNotice
  | Extract<ApprovalsNotice, { type: 'approval.requested' | 'approval.settled' }>
  | ScheduleNotice
  | QueueNotice
  | BudgetNotice
  | BackgroundNotice
  | ProfilerNotice
  | DegradationNotice
  | CheckpointNotice
  /** The tree is as it was in a turn of the past: a checkpoint was restored, or a fork was opened. */
  | { readonly type: 'checkpoint.restored'; readonly at: number }
  | Extract<
      ResourcesNotice,
      { type: 'pressure.changed' | 'pressure.forecast' | 'pressure.acted' | 'supervisor.restartAdvised' }
    >
  | { readonly type: 'plan.settled'; readonly plan: string; readonly kind: PlanKind }
  | { readonly type: 'supervisor.paused' }
  | { readonly type: 'supervisor.resumed' };

function isCharged({ settled }: { readonly settled: readonly Settled[] }): boolean {
  return settled.some(({ chargedAt }) => chargedAt !== null);
}

function chargedAt({ settled }: { readonly settled: readonly Settled[] }): number {
  return Math.max(...settled.map((one) => one.chargedAt ?? 0));
}

const passingOn = {
  type: 'passOn',
  params: ({ event }: { event: Extract<ExecutorNotice, { type: 'executor.settled' }> }) => event,
} as const;

const restarting = [
  'spawnMissing',
  { type: 'tellCheckpoint', params: ({ event }: { event: { readonly restored?: true } }) => event },
] as const;
/** What was under way then comes before what begins now. */
const restored = [
  'askAgain',
  { type: 'announceRestored', params: ({ event }: { event: { readonly at: number } }) => event },
] as const;

/** Supervises the executor, the tracks, the checkpoint, the approvals, the error budget, the components, the resources and the threads. */
export const supervisorMachine = setup({
  types: {} as {
    input: SupervisorInput;
    context: SupervisorInput;
    events: SupervisorEvent;
    emitted: SupervisorEmitted;
  },
  actors: {
    executor: executorMachine,
    tracks: tracksMachine,
    checkpoint: checkpointMachine,
    approvals: approvalsMachine,
    schedules: schedulesMachine,
    retention: retentionMachine,
    resources: resourcesMachine,
    background: backgroundMachine,
    profiler: profilerMachine,
    budget: budgetMachine,
    degradation: degradationMachine,
  },
  actions: {
    setConcurrency: assign({ concurrency: (_, { concurrency }: { concurrency: number }) => concurrency }),
    configureExecutor: sendTo('executor', (_, { concurrency }: { concurrency: number }) => ({
      type: 'executor.configure' as const,
      limit: concurrency,
    })),
    submit: sendTo('executor', (_, { submissions }: { submissions: readonly Submission[] }) => ({
      type: 'executor.submit' as const,
      submissions,
    })),
    cancel: sendTo('executor', (_, { ids, at }: { ids: readonly string[]; at: number }) => ({
      type: 'executor.cancel' as const,
      ids,
      at,
    })),
    commandQueue: sendTo('executor', (_, { queue, command, at }: QueueRequest) => ({
      type: 'executor.queue' as const,
      queue,
      command,
      at,
    })),
    requeue: sendTo('executor', (_, { ids }: { ids: readonly string[] }) => ({
      type: 'executor.requeue' as const,
      ids,
    })),
    discard: sendTo('executor', (_, { ids, at }: { ids: readonly string[]; at: number }) => ({
      type: 'executor.discard' as const,
      ids,
      at,
    })),
    reprioritise: sendTo('executor', (_, { id, urgency }: Reprioritisation) => ({
      type: 'executor.reprioritise' as const,
      id,
      urgency,
    })),
    retryNow: sendTo('executor', (_, { id }: { id: string }) => ({ type: 'executor.retryNow' as const, id })),
    runNow: sendTo('executor', (_, { id }: { id: string }) => ({ type: 'executor.runNow' as const, id })),
    tell: enqueueActions(({ enqueue }, { notices }: { notices: readonly UrgencyNotice[] }) => {
      for (const notice of notices) enqueue.emit(notice);
    }),
    submitPlan: sendTo('tracks', (_, { plan }: { plan: Plan }) => ({ type: 'tracks.submit' as const, plan })),
    amendPlan: sendTo('tracks', (_, { plan, removed }: { plan: Plan; removed: readonly string[] }) => ({
      type: 'tracks.amend' as const,
      plan,
      removed,
    })),
    retryPlan: sendTo('tracks', (_, { plan, at }: { plan: string; at: number }) => ({
      type: 'tracks.retry' as const,
      plan,
      at,
    })),
    cancelPlan: sendTo('tracks', (_, { plan, at }: { plan: string; at: number }) => ({
      type: 'tracks.cancel' as const,
      plan,
      at,
    })),
    /** Tells of outcomes: the plans that they are of, the checkpoint, and the world. */
    passOn: enqueueActions(({ enqueue }, { settled }: { settled: readonly Settled[] }) => {
      const steps = settled.filter(({ plan }) => plan !== null);
      if (steps.length > 0) enqueue.sendTo('tracks', { type: 'tracks.settled', settled: steps });
      enqueue.sendTo('checkpoint', { type: 'checkpoint.count', settled: settled.length });
      for (const one of settled) enqueue.emit({ type: 'action.settled', ...one });
    }),
    nameTurn: sendTo('checkpoint', (_, params: CheckpointRequest) => ({
      ...params,
      type: 'checkpoint.request' as const,
    })),
    changeCheckpoint: sendTo('checkpoint', (_, { turn, command }: CheckpointChange) => ({
      type: 'checkpoint.change' as const,
      turn,
      command,
    })),
    configureCheckpoints: sendTo('checkpoint', (_, { everyActions, everyMs }: CheckpointInput) => ({
      type: 'checkpoint.configure' as const,
      everyActions,
      everyMs,
    })),
    setVariables: sendTo('checkpoint', (_, { variables }: { variables: string }) => ({
      type: 'checkpoint.set' as const,
      variables,
    })),
    restore: sendTo('checkpoint', (_, asked: RestoreRequest) => ({ ...asked, type: 'checkpoint.restore' as const })),
    /** There is something that the newest checkpoint does not hold. Most often it knows. */
    noteChange: enqueueActions(({ enqueue, self }) => {
      const state: unknown = self.getSnapshot().children['checkpoint']?.getSnapshot().value;
      if (state === 'clean') enqueue.sendTo('checkpoint', { type: 'checkpoint.note' });
    }),
    tellCheckpoint: sendTo('checkpoint', (_, { restored: isRestored = false }: { restored?: boolean }) => ({
      type: 'checkpoint.resumed' as const,
      isRestored,
    })),
    askAgain: sendTo('executor', { type: 'executor.restored' }),
    announceRestored: emit((_, { at }: { at: number }) => ({ type: 'checkpoint.restored' as const, at })),
    askFor: sendTo('approvals', (_, { requests }: { requests: readonly ApprovalRequest[] }) => ({
      type: 'approvals.request' as const,
      requests,
    })),
    withdraw: sendTo('approvals', (_, { actions, at }: { actions: readonly string[]; at: number }) => ({
      type: 'approvals.withdraw' as const,
      actions,
      at,
    })),
    decide: sendTo('approvals', (_, { id, decision, by, note, at }: Verdict) => ({
      type: 'approvals.decide' as const,
      id,
      decision,
      by,
      note,
      at,
    })),
    answer: sendTo('executor', (_, { approved, denied }: Extract<ApprovalsNotice, { type: 'approvals.decided' }>) => ({
      type: 'executor.answered' as const,
      approved,
      denied,
    })),
    putSchedule: sendTo('schedules', (_, { schedule, at }: { schedule: Schedule; at: number }) => ({
      type: 'schedules.put' as const,
      schedule,
      at,
    })),
    commandSchedule: sendTo('schedules', (_, { id, command, at }: ScheduleRequest) => ({
      type: 'schedules.command' as const,
      id,
      command,
      at,
    })),
    tellResources: sendTo('resources', (_, { event }: { event: ResourcesCommand }) => event),
    configureResources: sendTo('resources', (_, { concurrency }: { concurrency: number }) => ({
      type: 'resources.configure' as const,
      concurrency,
    })),
    admit: sendTo('executor', (_, { limit, shed }: Extract<ResourcesNotice, { type: 'executor.admit' }>) => ({
      type: 'executor.admit' as const,
      limit,
      shed,
    })),
    /** What time has done while nobody was there. */
    lookAround: enqueueActions(({ enqueue }) => {
      enqueue.sendTo('schedules', { type: 'schedules.review', after: '' });
      enqueue.sendTo('retention', { type: 'retention.look' });
    }),
    chargeBudget: sendTo('budget', (_, { at }: { at: number }) => ({ type: 'budget.charged' as const, at })),
    tighten: sendTo('executor', (_, { tier }: BudgetNotice) => ({
      type: 'executor.tighten' as const,
      ...measuresOf(tier),
    })),
    equip: enqueueActions(
      ({ enqueue }, { components, budget, at }: { components: Components; budget: BudgetPolicy; at: number }) => {
        enqueue.sendTo('degradation', { type: 'degradation.configure', components, at });
        enqueue.sendTo('budget', { type: 'budget.configure', policy: budget });
      },
    ),
    commandComponent: sendTo(
      'degradation',
      (_, { component, command, at }: { component: string; command: ComponentCommand; at: number }) => ({
        type: 'degradation.command' as const,
        component,
        command,
        at,
      }),
    ),
    workOff: sendTo('executor', (_, { component, at, asked = false }: WorkOff) => ({
      type: 'executor.workOff' as const,
      component,
      at,
      asked,
    })),
    tellOfComponent: sendTo('executor', (_, { name, status, openUntil }: ComponentNotice) => ({
      type: 'executor.component' as const,
      component: name,
      isOut: status !== 'operational',
      until: openUntil ?? null,
    })),
    adaptGate: sendTo('executor', { type: 'executor.adapt' }),
    reset: enqueueActions(({ enqueue }, { components, at }: { components: readonly string[]; at: number }) => {
      enqueue.sendTo('executor', { type: 'executor.reset' });
      enqueue.sendTo('budget', { type: 'budget.reset', at });
      for (const component of components)
        enqueue.sendTo('degradation', { type: 'degradation.command', component, command: 'reset', at });
    }),
    tellBackground: enqueueActions(({ enqueue, self }, { event }: { event: BackgroundCommand }) => {
      const isThere = self.getSnapshot().children['background'] !== undefined;
      if (isThere) enqueue.sendTo('background', event);
      else if (event.type === 'background.configure')
        enqueue.spawnChild('background', { id: 'background', systemId: 'background', input: event });
    }),
    tellProfiler: sendTo('profiler', (_, { event }: { event: ProfilerCommand }) => event),
    /** A tree of before there were these. */
    spawnMissing: enqueueActions(({ enqueue, context, self }) => {
      const { children } = self.getSnapshot();
      if (children['approvals'] === undefined)
        enqueue.spawnChild('approvals', { id: 'approvals', systemId: 'approvals' });
      if (children['schedules'] === undefined)
        enqueue.spawnChild('schedules', { id: 'schedules', systemId: 'schedules' });
      if (children['retention'] === undefined)
        enqueue.spawnChild('retention', { id: 'retention', systemId: 'retention' });
      if (children['budget'] === undefined)
        enqueue.spawnChild('budget', { id: 'budget', systemId: 'budget', input: { policy: context.budget } });
      if (children['profiler'] === undefined) enqueue.spawnChild('profiler', { id: 'profiler', systemId: 'profiler' });
      if (children['degradation'] === undefined)
        enqueue.spawnChild('degradation', { id: 'degradation', systemId: 'degradation', input: {} });
      const { concurrency } = context;
      if (children['resources'] === undefined)
        enqueue.spawnChild('resources', { id: 'resources', systemId: 'resources', input: { concurrency } });
    }),
    pauseExecutor: sendTo('executor', { type: 'executor.pause' }),
    resumeExecutor: sendTo('executor', { type: 'executor.resume' }),
    announce: emit(({ event }) => event as SupervisorEmitted),
    announcePaused: emit({ type: 'supervisor.paused' }),
    announceResumed: emit({ type: 'supervisor.resumed' }),
  },
}).createMachine({
  id: 'supervisor',
  version: '2',
  context: ({ input }) => input,
  invoke: [
    { id: 'executor', src: 'executor', systemId: 'executor', input: ({ context }) => ({ limit: context.concurrency }) },
    { id: 'tracks', src: 'tracks', systemId: 'tracks' },
    { id: 'checkpoint', src: 'checkpoint', systemId: 'checkpoint', input: ({ context }) => context.checkpoint },
    { id: 'approvals', src: 'approvals', systemId: 'approvals' },
    { id: 'schedules', src: 'schedules', systemId: 'schedules' },
    { id: 'retention', src: 'retention', systemId: 'retention' },
    { id: 'budget', src: 'budget', systemId: 'budget', input: ({ context }) => ({ policy: context.budget }) },
    { id: 'degradation', src: 'degradation', systemId: 'degradation', input: {} },
    {
      id: 'resources',
      src: 'resources',
      systemId: 'resources',
      input: ({ context: { concurrency } }) => ({ concurrency }),
    },
    { id: 'profiler', src: 'profiler', systemId: 'profiler' },
  ],
  initial: 'running',
  on: {
    'runtime.resumed': [
      { guard: ({ event }) => event.restored === true, actions: [...restarting, ...restored, 'lookAround'] },
      { actions: [...restarting, 'lookAround'] },
    ],
    'supervisor.submit': { actions: [{ type: 'submit', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.cancel': { actions: [{ type: 'cancel', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.queue': { actions: [{ type: 'commandQueue', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.requeue': { actions: [{ type: 'requeue', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.discard': { actions: [{ type: 'discard', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.reprioritise': { actions: [{ type: 'reprioritise', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.retryNow': { actions: [{ type: 'retryNow', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.runNow': { actions: [{ type: 'runNow', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.plan': { actions: [{ type: 'submitPlan', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.amendPlan': { actions: [{ type: 'amendPlan', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.retryPlan': { actions: [{ type: 'retryPlan', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.cancelPlan': { actions: [{ type: 'cancelPlan', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.checkpoint': { actions: { type: 'nameTurn', params: ({ event }) => event } },
    'supervisor.changeCheckpoint': { actions: { type: 'changeCheckpoint', params: ({ event }) => event } },
    'supervisor.configureCheckpoints': { actions: { type: 'configureCheckpoints', params: ({ event }) => event } },
    'supervisor.setVariables': { actions: { type: 'setVariables', params: ({ event }) => event } },
    'supervisor.restore': { actions: { type: 'restore', params: ({ event }) => event } },
    'checkpoint.named': { actions: 'announce' },
    'checkpoint.refused': { actions: 'announce' },
    'executor.risky': { actions: { type: 'nameTurn', params: { reason: 'risk' } } },
    'supervisor.configure': {
      actions: [
        { type: 'setConcurrency', params: ({ event }) => event },
        { type: 'configureExecutor', params: ({ event }) => event },
        { type: 'configureResources', params: ({ event }) => event },
      ],
    },
    'executor.submit': { actions: [{ type: 'submit', params: ({ event }) => event }, 'noteChange'] },
    'executor.cancel': { actions: [{ type: 'cancel', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.equip': { actions: { type: 'equip', params: ({ event }) => event } },
    'supervisor.background': { actions: { type: 'tellBackground', params: ({ event }) => event } },
    'supervisor.profiler': { actions: { type: 'tellProfiler', params: ({ event }) => event } },
    'profiler.changed': { actions: 'announce' },
    'profiler.regressed': { actions: 'announce' },
    'background.changed': { actions: 'announce' },
    'background.quarantined': { actions: 'announce' },
    'supervisor.decide': { actions: [{ type: 'decide', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.component': { actions: [{ type: 'commandComponent', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.putSchedule': { actions: [{ type: 'putSchedule', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.schedule': { actions: [{ type: 'commandSchedule', params: ({ event }) => event }, 'noteChange'] },
    'schedule.fired': { actions: ['announce', 'noteChange'] },
    'schedule.skipped': { actions: ['announce', 'noteChange'] },
    'queue.paused': { actions: 'announce' },
    'queue.resumed': { actions: 'announce' },
    'supervisor.workOff': { actions: [{ type: 'workOff', params: ({ event }) => event }, 'noteChange'] },
    'supervisor.optimize': { actions: ['adaptGate', 'noteChange'] },
    'supervisor.reset': { actions: [{ type: 'reset', params: ({ event }) => event }, 'noteChange'] },
    'executor.settled': [
      {
        guard: ({ event }) => isCharged(event),
        actions: [passingOn, { type: 'chargeBudget', params: ({ event }) => ({ at: chargedAt(event) }) }],
      },
      { actions: passingOn },
    ],
    'executor.told': { actions: { type: 'tell', params: ({ event }) => event } },
    'executor.asked': { actions: [{ type: 'askFor', params: ({ event }) => event }, 'noteChange'] },
    'executor.withdrawn': { actions: [{ type: 'withdraw', params: ({ event }) => event }, 'noteChange'] },
    'approval.requested': { actions: 'announce' },
    'approval.settled': { actions: 'announce' },
    'approvals.decided': { actions: [{ type: 'answer', params: ({ event }) => event }, 'noteChange'] },
    'budget.changed': { actions: [{ type: 'tighten', params: ({ event }) => event }, 'announce', 'noteChange'] },
    'degradation.changed': { actions: 'announce' },
    'supervisor.resources': { actions: { type: 'tellResources', params: ({ event }) => event } },
    'executor.admit': { actions: { type: 'admit', params: ({ event }) => event } },
    'pressure.changed': { actions: 'announce' },
    'pressure.forecast': { actions: 'announce' },
    'pressure.acted': { actions: 'announce' },
    'supervisor.restartAdvised': { actions: 'announce' },
    'component.changed': [
      {
        guard: ({ event }) => event.status === 'operational',
        actions: [
          'announce',
          'noteChange',
          { type: 'tellOfComponent', params: ({ event }) => event },
          { type: 'workOff', params: ({ event: { name: component, at } }) => ({ component, at }) },
        ],
      },
      // That it is probed changes nothing: they come one after the other as soon as its open time is over.
      { guard: ({ event }) => event.status === 'probing', actions: 'announce' },
      { actions: ['announce', 'noteChange', { type: 'tellOfComponent', params: ({ event }) => event }] },
    ],
    'action.attempting': { actions: ['announce', 'noteChange'] },
    'action.backingOff': { actions: ['announce', 'noteChange'] },
    'action.slow': { actions: 'announce' },
    'action.undoFailed': { actions: 'announce' },
    'action.fallbackFailed': { actions: 'announce' },
    'plan.settled': { actions: 'announce' },
  },
  states: {
    running: {
      on: {
        'supervisor.pause': { target: 'pausing', actions: 'noteChange' },
        // Handlers may have been registered meanwhile, and slots may have become free in a life that did not tell.
        'runtime.resumed': [
          {
            guard: ({ event }) => event.restored === true,
            actions: [...restarting, ...restored, 'resumeExecutor', 'lookAround'],
          },
          { actions: [...restarting, 'resumeExecutor', 'lookAround'] },
        ],
      },
    },
    pausing: {
      entry: 'pauseExecutor',
      on: { 'supervisor.resume': { target: 'resuming', actions: 'noteChange' }, 'executor.idle': 'paused' },
    },
    paused: {
      entry: 'announcePaused',
      on: { 'supervisor.resume': { target: 'resuming', actions: 'noteChange' } },
    },
    resuming: {
      entry: ['resumeExecutor', 'announceResumed'],
      always: 'running',
    },
  },
});
