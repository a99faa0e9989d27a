/**
 * Plans and their steps, as rows: what the tracks' actions do. A step `waits` for `missing` dependencies, is `ready`,
 * `dispatched` as an action, or `settled`. Freeing the dependants of a step costs as much as it has dependants.
 */
import { isSuccess, type OutcomeKind } from '../machines/outcome.ts';
import type { Settled, Submission } from '../machines/executor.ts';
import type { Plan, PlanKind, PlannedStep, TracksEvent } from '../machines/tracks.ts';
import type { ActionPolicy } from '../machines/action.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';
import { sameText } from './values.ts';

export interface PlanRow {
  readonly id: string;
  readonly name: string;
  readonly policy: Plan['policy'];
  readonly concurrency: number | null;
  readonly state: 'running' | 'stopping' | 'settled';
  readonly kind: PlanKind | null;
  readonly submitted_at: number;
  readonly settled_at: number | null;
  /** When whoever had it run was told how it ended. */
  readonly reported_at: number | null;
}

export interface StepRow {
  readonly id: string;
  readonly plan: string;
  readonly step: string;
  readonly name: string;
  readonly version: string;
  readonly input: string;
  readonly after: string;
  readonly policy: string;
  readonly rank: number;
  readonly estimate_ms: number;
  readonly missing: number;
  readonly state: 'waiting' | 'ready' | 'dispatched' | 'settled';
  readonly kind: OutcomeKind | null;
  readonly reason: string | null;
  readonly round: number;
  /** The action of the present round. */
  readonly action: string;
}

export const PLAN_TABLES: readonly TableSpec[] = [
  {
    name: 'plans',
    key: 'id',
    columns: [
      'seq integer primary key',
      'id text not null unique',
      'name text not null',
      'policy text not null',
      'concurrency integer',
      'state text not null',
      'kind text',
      'submitted_at real not null',
      'settled_at real',
      'reported_at real',
    ],
    indexes: ['create index if not exists plans_name on plans(name, seq)'],
  },
  {
    name: 'steps',
    key: 'id',
    columns: [
      'id text primary key',
      'plan text not null',
      'step text not null',
      'name text not null',
      'version text not null',
      'input text not null',
      'after text not null',
      'policy text not null',
      'rank real not null',
      'estimate_ms real not null',
      'missing integer not null',
      'state text not null',
      'kind text',
      'reason text',
      'round integer not null',
      'action text not null',
    ],
    indexes: [
      'create index if not exists steps_plan on steps(plan, state, rank desc)',
      'create index if not exists steps_action on steps(action)',
    ],
  },
  {
    name: 'edges',
    key: 'id',
    columns: ['id text primary key', 'plan text not null', 'step text not null', 'dependant text not null'],
    indexes: ['create index if not exists edges_step on edges(plan, step)'],
  },
];

type Self = { readonly self: { send(event: TracksEvent): void } };

/** The id of a step's row, and of its action in the first round. */
export function stepKey(plan: string, step: string): string {
  return `${plan}/${step}`;
}

/** The id of a step's action in a round. */
function actionKey(step: string, round: number): string {
  return round === 1 ? step : `${step}#${round}`;
}

/** Notes, for the next commit, that the outcome of a plan was told. */
export function noteReported(rows: Rows, plan: string, at: number): void {
  rows.run('update plans set reported_at = ?, from_turn = ? where id = ?', at, rows.turn, plan);
}

/** The tracks' actions, on rows. */
export function planActions({ rows, clock }: { readonly rows: Rows; readonly clock: Clock }) {
  const answer = ({ self }: Self, event: TracksEvent) => self.send(event);

  function putPlan(args: Self, { plan, removed }: { plan: Plan; removed: readonly string[] }): void {
    rows.run(
      `insert into plans(id, name, policy, concurrency, state, submitted_at, from_turn) values (?, ?, ?, ?, 'running', ?, ?)
       on conflict(id) do update set policy = excluded.policy, concurrency = excluded.concurrency, from_turn = excluded.from_turn`,
      plan.id,
      plan.name,
      plan.policy,
      plan.concurrency,
      plan.at,
      rows.turn,
    );
    const outdated = removed.flatMap((step) => removeStep(stepKey(plan.id, step)));
    rows.run('delete from edges where plan = ?', plan.id);
    for (const step of plan.steps) {
      outdated.push(...redefine(stepKey(plan.id, step.id), step));
      putStep(plan.id, step);
    }
    recount(plan.id);
    if (outdated.length > 0) answer(args, { type: 'tracks.withdrawn', ids: outdated, at: plan.at });
    proceed(args, plan.id);
  }

  /** Gives the action that nobody waits for any more. */
  function removeStep(id: string): string[] {
    const step = rows.get<StepRow>('select * from steps where id = ?', id);
    rows.run('delete from steps where id = ?', id);
    return step?.state === 'dispatched' ? [step.action] : [];
  }

  /** A dispatched step with another definition gets another round, once the action of this one, which is given, has ended. */
  function redefine(id: string, { name, version, input }: PlannedStep): string[] {
    const step = rows.get<StepRow>('select * from steps where id = ?', id);
    if (step?.state !== 'dispatched') return [];
    if (step.name === name && step.version === version && sameText(step.input, input)) return [];
    rows.run('update steps set round = round + 1, from_turn = ? where id = ?', rows.turn, id);
    return [step.action];
  }

  function putStep(
    plan: string,
    { id: step, name, version, input, after, policy, rank, estimateMs }: PlannedStep,
  ): void {
    const id = stepKey(plan, step);
    rows.run(
      `insert into steps(id, plan, step, name, version, input, after, policy, rank, estimate_ms, missing, state, round, action, from_turn)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 'waiting', 1, ?, ?)
       on conflict(id) do update set name = excluded.name, version = excluded.version, input = excluded.input,
         after = excluded.after, policy = excluded.policy, rank = excluded.rank, estimate_ms = excluded.estimate_ms,
         from_turn = excluded.from_turn`,

      id,
      plan,
      step,
      name,
      version,
      input,
      JSON.stringify(after),
      JSON.stringify(policy),
      rank,
      estimateMs,
      id,
      rows.turn,
    );
    for (const before of after) {
      rows.run(
        'insert into edges(id, plan, step, dependant, from_turn) values (?, ?, ?, ?, ?)',
        `${plan}/${before}>${step}`,
        plan,
        before,
        step,
        rows.turn,
      );
    }
  }

  /** Counts what each waiting step of a plan still waits for, from the graph and the outcomes. */
  function recount(plan: string): void {
    rows.run(
      `update steps set from_turn = ?, missing = (
         select count(*) from edges e join steps s on s.id = e.plan || '/' || e.step
         where e.plan = steps.plan and e.dependant = steps.step and s.state <> 'settled')
       where plan = ? and state in ('waiting', 'ready')`,
      rows.turn,
      plan,
    );
    rows.run(
      `update steps set state = iif(missing = 0, 'ready', 'waiting'), from_turn = ? where plan = ? and state in ('waiting', 'ready')`,
      rows.turn,
      plan,
    );
  }

  /** Dispatches what is ready and allowed, or finishes the plan. */
  function proceed(args: Self, id: string): void {
    const plan = rows.get<PlanRow>('select * from plans where id = ?', id);
    if (plan === undefined || plan.state === 'settled') return;
    const submissions = plan.state === 'running' ? dispatch(plan) : [];
    if (submissions.length > 0) answer(args, { type: 'tracks.dispatched', submissions });
    else finishIfDone(args, plan);
  }

  function dispatch(plan: PlanRow): Submission[] {
    const room = plan.concurrency === null ? -1 : plan.concurrency - count(plan.id, 'dispatched');
    if (room === 0) return [];
    const ready = rows.all<StepRow>(
      `select * from steps where plan = ? and state = 'ready' order by rank desc, step limit ?`,
      plan.id,
      room,
    );
    return ready.map((step) => {
      rows.run(`update steps set state = 'dispatched', from_turn = ? where id = ?`, rows.turn, step.id);
      const { action, name, version, input, rank } = step;
      const policy = JSON.parse(step.policy) as ActionPolicy;
      return { id: action, name, version, input, policy, rank, plan: plan.id, at: clock.now() };
    });
  }

  function count(plan: string, state: StepRow['state']): number {
    return rows.get<{ n: number }>('select count(*) as n from steps where plan = ? and state = ?', plan, state)?.n ?? 0;
  }

  function finishIfDone(args: Self, { id }: PlanRow): void {
    if (count(id, 'dispatched') + count(id, 'ready') + count(id, 'waiting') > 0) return;
    const kind = kindOf(id);
    rows.run(
      `update plans set state = 'settled', kind = ?, settled_at = ?, from_turn = ? where id = ?`,
      kind,
      clock.now(),
      rows.turn,
      id,
    );
    answer(args, { type: 'tracks.finished', plan: id, kind });
  }

  function kindOf(plan: string): PlanKind {
    const kinds = rows
      .all<{ kind: OutcomeKind }>('select distinct kind from steps where plan = ?', plan)
      .map(({ kind }) => kind);
    if (kinds.every(isSuccess)) return 'ok';
    return kinds.includes('cancelled') && !kinds.includes('failed') ? 'cancelled' : 'failed';
  }

  function noteSettled(args: Self, { settled }: { settled: readonly Settled[] }): void {
    for (const { id, kind, plan } of settled) {
      if (plan === null) continue;
      const step = rows.get<StepRow>('select * from steps where action = ?', id);
      if (step === undefined || step.state === 'settled') continue;
      if (isOutdated(step)) renewStep(step);
      else {
        closeStep(step.id, kind, null);
        afterStep(step, kind);
      }
      proceed(args, plan);
    }
  }

  /** Whether the step was redefined while the action that has settled was under way, in a plan that goes on. */
  function isOutdated({ id, plan, action, round }: StepRow): boolean {
    if (action === actionKey(id, round)) return false;
    return rows.get<PlanRow>('select * from plans where id = ?', plan)?.state === 'running';
  }

  function renewStep({ id, plan, round }: StepRow): void {
    rows.run(
      `update steps set state = 'waiting', action = ?, from_turn = ? where id = ?`,
      actionKey(id, round),
      rows.turn,
      id,
    );
    recount(plan);
  }

  function closeStep(id: string, kind: OutcomeKind, reason: string | null): void {
    rows.run(
      `update steps set state = 'settled', kind = ?, reason = ?, from_turn = ? where id = ?`,
      kind,
      reason,
      rows.turn,
      id,
    );
  }

  function afterStep({ plan, step }: StepRow, kind: OutcomeKind): void {
    const policy = rows.get<PlanRow>('select * from plans where id = ?', plan)?.policy;
    if (isSuccess(kind) || policy === 'continue') return free(plan, step);
    if (policy === 'stop') return skipWaiting(plan, `"${step}" ${kind}, and the plan stops at the first failure`);
    skipDependants(plan, step, kind);
  }

  function dependantsOf(plan: string, step: string): StepRow[] {
    return rows.all<StepRow>(
      `select s.* from edges e join steps s on s.id = e.plan || '/' || e.dependant where e.plan = ? and e.step = ?`,
      plan,
      step,
    );
  }

  function free(plan: string, step: string): void {
    for (const { id, missing, state } of dependantsOf(plan, step)) {
      if (state !== 'waiting') continue;
      rows.run(
        'update steps set missing = ?, state = ?, from_turn = ? where id = ?',
        missing - 1,
        missing === 1 ? 'ready' : 'waiting',
        rows.turn,
        id,
      );
    }
  }

  function skipDependants(plan: string, step: string, kind: OutcomeKind): void {
    const queue = [step];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      for (const dependant of dependantsOf(plan, next)) {
        if (dependant.state !== 'waiting') continue;
        closeStep(dependant.id, 'skipped', `it depends on "${step}", which ${kind}`);
        queue.push(dependant.step);
      }
    }
  }

  function skipWaiting(plan: string, reason: string): void {
    rows.run(
      `update steps set state = 'settled', kind = 'skipped', reason = ?, from_turn = ? where plan = ? and state in ('waiting', 'ready')`,
      reason,
      rows.turn,
      plan,
    );
  }

  function renew(args: Self, { plan }: { plan: string; at: number }): void {
    const marks = ['failed', 'skipped', 'cancelled', 'denied'];
    const again = rows.all<StepRow>(
      `select * from steps where plan = ? and state = 'settled' and kind in (${marks.map(() => '?').join(', ')})`,
      plan,
      ...marks,
    );
    for (const { id, round, kind } of again) {
      const next = kind === 'skipped' ? round : round + 1;
      rows.run(
        `update steps set state = 'waiting', kind = null, reason = null, round = ?, action = ?, from_turn = ? where id = ?`,
        next,
        actionKey(id, next),
        rows.turn,
        id,
      );
    }
    rows.run(
      `update plans set state = 'running', kind = null, settled_at = null, reported_at = null, from_turn = ? where id = ?`,
      rows.turn,
      plan,
    );
    recount(plan);
    proceed(args, plan);
  }

  function withdraw(args: Self, { plan, at }: { plan: string; at: number }): void {
    const row = rows.get<PlanRow>('select * from plans where id = ?', plan);
    if (row === undefined || row.state === 'settled') return;
    rows.run(
      `update steps set state = 'settled', kind = 'cancelled', reason = 'the plan was cancelled', from_turn = ?
       where plan = ? and state in ('waiting', 'ready')`,
      rows.turn,
      plan,
    );
    rows.run(`update plans set state = 'stopping', from_turn = ? where id = ?`, rows.turn, plan);
    const running = rows.all<StepRow>(`select * from steps where plan = ? and state = 'dispatched'`, plan);
    if (running.length > 0) answer(args, { type: 'tracks.withdrawn', ids: running.map(({ action }) => action), at });
    else finishIfDone(args, row);
  }

  return { putPlan, noteSettled, renew, withdraw };
}
