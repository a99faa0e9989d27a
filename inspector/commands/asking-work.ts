/** The commands about runs, actions, queues, schedules and dead letters. */
import { AT_ONCE, refuseNone, refuseRound } from '../../actors/dead-letters.ts';
import { backingOffId, delayedId } from '../../actors/impatience.ts';
import { readAction, readPlan, stepActionOf } from '../../actors/ledger.ts';
import type { StepRow } from '../../actors/plan-tables.ts';
import { checkedMode } from '../../actors/profiler.ts';
import { refuseUnknownQueue } from '../../actors/queues.ts';
import { occurrenceId } from '../../actors/schedule-rows.ts';
import { readSchedule, refuseUnknownSchedule } from '../../actors/schedules.ts';
import { PerdureError } from '../../errors.ts';
import type { QueueCommand } from '../../machines/executor.ts';
import { nearest } from '../../machines/nearest.ts';
import { shown } from '../../machines/option-keys.ts';
import { PROFILER_MODES } from '../../machines/profiler.ts';
import type { ScheduleCommand } from '../../machines/schedules.ts';
import type { SupervisorCommand } from '../../machines/supervisor.ts';
import { kindOf } from './command-params.ts';
import type { Asked, Asking, Reader } from './asking.ts';
import type { CommandParam } from '../protocol.ts';

const supervisor = { isOfSupervisor: true, confirm: false, params: [] as readonly CommandParam[] } as const;
const ofId = (help: string): readonly CommandParam[] => [{ name: 'id', kind: 'text', required: true, help }];

export const pausing: Asking = {
  ...supervisor,
  confirm: true,
  help: 'Begins nothing more; what runs may end.',
  ask: () => ask('pause', { type: 'supervisor.pause' }),
};

export const resuming: Asking = {
  ...supervisor,
  help: 'Begins again what waits.',
  ask: () => ask('resume', { type: 'supervisor.resume' }),
};

export const cancelling: Asking = {
  ...supervisor,
  confirm: true,
  help: 'Cancels a run, an action, or a step that has become one.',
  params: ofId('such as nightly:1, nightly:1/test, or the id of an action'),
  ask({ rows, params, at }) {
    const id = params.text('id');
    if (readPlan(rows, id) !== undefined)
      return ask(`cancel ${id}`, { type: 'supervisor.cancelPlan', plan: id, at }, endingOf(rows, 'plans', id));
    const step = rows.get<StepRow>('select * from steps where id = ?', id);
    const action = readAction(rows, step?.action ?? id);
    if (action !== undefined)
      return ask(
        `cancel ${id}`,
        { type: 'supervisor.cancel', ids: [action.id], at },
        endingOf(rows, 'actions', action.id),
      );
    if (step !== undefined) throw withoutAction(step);
    throw unknownWork(rows, id);
  },
};

export const retrying: Asking = {
  ...supervisor,
  help: 'Gives what failed in a run another round; or begins the next attempt of an action that backs off now.',
  params: ofId('of a run, or of an action or a step that waits for its next attempt'),
  ask({ rows, params, at }) {
    const id = params.text('id');
    const plan = readPlan(rows, id);
    if (plan === undefined) {
      refuseUnknownWork(rows, id);
      return ask(`retry ${id}`, { type: 'supervisor.retryNow', id: backingOffId(rows, id) });
    }
    if (plan.kind === 'ok')
      throw new PerdureError('ACTION_CONFLICT', `The run "${id}" went well: there is nothing to be done again.`, {
        facts: { id },
      });
    return ask(`retry ${id}`, { type: 'supervisor.retryPlan', plan: id, at });
  },
};

export const runningNow: Asking = {
  ...supervisor,
  help: 'Queues an action now that was submitted for later, or submits an occurrence of a schedule.',
  params: ofId('of an action that is delayed, or of a schedule'),
  ask({ rows, params, at }) {
    const id = params.text('id');
    const isAction = readAction(rows, id) !== undefined || stepActionOf(rows, id) !== undefined;
    if (!isAction && readSchedule(rows, id) !== undefined) return triggered(id, at);
    if (!isAction) throw unknownWork(rows, id, ['select id from schedules order by id limit 1000']);
    return ask(`run-now ${id}`, { type: 'supervisor.runNow', id: delayedId(rows, id) });
  },
};

const dead = (name: string, help: string, confirm: boolean, refuse: typeof refuseNone, type: Dead): Asking => ({
  ...supervisor,
  help,
  confirm,
  params: [{ name: 'ids', kind: 'json', required: true, help: 'the id of a dead letter, or a list of ids' }],
  ask({ rows, params, at }) {
    const ids = listed(name, params.json('ids'));
    for (const id of ids) refuse(rows, id);
    return ask(`${name} ${ids.join(', ')}`, { type, ids, at });
  },
});

type Dead = 'supervisor.requeue' | 'supervisor.discard';

export const requeueing = dead(
  'requeue',
  'Queues again what has failed for good, under the same ids: its attempts count from 0.',
  false,
  refuseRound,
  'supervisor.requeue',
);
export const discarding = dead(
  'discard',
  'Takes what has failed for good off the list; its outcome stays.',
  true,
  refuseNone,
  'supervisor.discard',
);

const queue = (command: QueueCommand, help: string): Asking => ({
  ...supervisor,
  help,
  params: [{ name: 'name', kind: 'text', required: true, help: 'of the queue' }],
  ask({ rows, params, at }) {
    const name = params.text('name');
    refuseUnknownQueue(rows, name);
    return ask(`${command} ${name}`, { type: 'supervisor.queue', queue: name, command, at });
  },
});

export const pausingQueue = queue('pause', 'Begins nothing more of a queue: what runs ends, what comes waits.');
export const resumingQueue = queue('resume', 'Goes on with a queue.');

/** What the command line says of a schedule; of whatever it may be, `run-now` does. */
export const triggering: Asking = {
  ...supervisor,
  help: 'Submits an occurrence of a schedule now, also of one that is paused.',
  params: ofId('of the schedule'),
  ask({ rows, params, at }) {
    refuseUnknownSchedule(rows, params.text('id'));
    return triggered(params.text('id'), at);
  },
};

export const measuring: Asking = {
  ...supervisor,
  help: 'Lets more or less be measured of where time goes.',
  params: [{ name: 'mode', kind: 'text', required: true, help: `one of ${PROFILER_MODES.join(', ')}` }],
  ask({ params, at }) {
    const mode = checkedMode(params.text('mode'));
    return ask(`profiler ${mode}`, { type: 'supervisor.profiler', event: { type: 'profiler.configure', mode, at } });
  },
};

const schedule = (command: Exclude<ScheduleCommand, 'remove' | 'trigger'>, help: string): Asking => ({
  ...supervisor,
  help,
  params: ofId('of the schedule'),
  ask({ rows, params, at }) {
    const id = params.text('id');
    refuseUnknownSchedule(rows, id);
    return ask(`${command} ${id}`, { type: 'supervisor.schedule', id, command, at });
  },
});

export const pausingSchedule = schedule('pause', 'Lets a schedule rest: what is due meanwhile does not happen.');
export const resumingSchedule = schedule('resume', 'Goes on with the next time of a schedule that is to come.');

/** An occurrence of a schedule, of now. */
function triggered(id: string, at: number): Asked {
  const action = occurrenceId(id, at);
  return {
    ...ask(`trigger ${action}`, { type: 'supervisor.schedule', id, command: 'trigger', at }),
    data: () => ({ action }),
  };
}

function ask(
  label: string,
  event: SupervisorCommand | { type: Dead; ids: readonly string[]; at: number },
  note?: string,
): Asked {
  return { label, event, ...(note === undefined ? {} : { after: () => note }) };
}

/** What has ended already is not cancelled. */
function endingOf(rows: Reader, table: 'plans' | 'actions', id: string): string | undefined {
  const row = rows.get<{ kind: string | null }>(`select kind from ${table} where id = ? and state = 'settled'`, id);
  return row === undefined ? undefined : `it had ended already: ${row.kind}`;
}

function withoutAction({ step, plan, kind }: StepRow): PerdureError {
  const why =
    kind === null
      ? `step ${step} of ${plan} waits and has no action yet: cancel the run, or wait until it starts`
      : `step ${step} of ${plan} has ended already, without a start: ${kind}`;
  return new PerdureError('ACTION_CONFLICT', why, { facts: { step, plan } });
}

function refuseUnknownWork(rows: Reader, id: string): void {
  if (readAction(rows, id) === undefined && stepActionOf(rows, id) === undefined) throw unknownWork(rows, id);
}

/** Newest first: that is most likely what is meant. */
const NAMES = [
  'select id from plans order by seq desc limit 1000',
  'select id from actions order by seq desc limit 1000',
] as const;

function unknownWork(rows: Reader, id: string, more: readonly string[] = []): PerdureError {
  const known = [...NAMES, ...more].flatMap((sql) => rows.all<{ id: string }>(sql).map((row) => row.id));
  const near = nearest(id, new Set(known));
  const hint = near.length === 0 ? '' : `: did you mean ${near.map((name) => shown(name)).join(' or ')}?`;
  const what = more.length === 0 ? 'plan, step or action' : 'action, step or schedule';
  return new PerdureError('ACTION_NOT_FOUND', `there is no ${what} ${shown(id)} in this store${hint}`, {
    facts: { id },
  });
}

function listed(command: string, ids: unknown): readonly string[] {
  const all = typeof ids === 'string' ? [ids] : ids;
  const isList = Array.isArray(all) && all.every((id) => typeof id === 'string');
  if (isList && all.length > 0 && all.length <= AT_ONCE) return [...new Set(all as string[])];
  throw new PerdureError(
    'OPTIONS_INVALID',
    `The command "${command}" takes as "ids" an id, or a list of 1 to ${AT_ONCE} ids, got ${
      isList ? `${(all as string[]).length}` : kindOf(ids)
    }.`,
    { facts: { command } },
  );
}
