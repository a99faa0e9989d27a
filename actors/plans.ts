/**
 * What the tracks' actions do: plans go on step by step, in rows, and every answer is an event to the tracks in the same
 * turn.
 */
import { isSuccess, type OutcomeKind } from '../machines/outcome.ts';
import type { Settled, Submission } from '../machines/executor.ts';
import type { Plan, TracksEvent } from '../machines/tracks.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import { policyOfText } from './earlier-versions.ts';
import { learnFrom } from './estimates.ts';
import { recall, remember, settleFrom } from './memos.ts';
import { actionKey, stepKey, type PlanRow, type StepRow } from './plan-tables.ts';
import { StepGraph } from './step-graph.ts';

/** What plans need of the world. */
export interface PlanWorld {
  readonly rows: Rows;
  readonly clock: Clock;
}

const PLAN_CANCELLED = 'the plan was cancelled';

type Answer = (event: TracksEvent) => void;
type Self = { readonly self: { send(event: TracksEvent): void } };

/** The tracks' actions, on rows. */
export function planActions(world: PlanWorld) {
  const plans = ({ self }: Self) => new Plans(world, (event) => self.send(event));
  return {
    putPlan: (args: Self, params: Parameters<Plans['putPlan']>[0]) => plans(args).putPlan(params),
    noteSettled: (args: Self, params: Parameters<Plans['noteSettled']>[0]) => plans(args).noteSettled(params),
    renew: (args: Self, params: Parameters<Plans['renew']>[0]) => plans(args).renew(params),
    withdraw: (args: Self, params: Parameters<Plans['withdraw']>[0]) => plans(args).withdraw(params),
  };
}

/** Notes, for the next commit, that the outcome of a plan was told. */
export function noteReported(rows: Rows, plan: string, at: number): void {
  rows.run('update plans set reported_at = ?, from_turn = ? where id = ?', at, rows.turn, plan);
}

class Plans {
  readonly #rows: Rows;
  readonly #clock: Clock;
  readonly #steps: StepGraph;
  readonly #answer: Answer;

  constructor({ rows, clock }: PlanWorld, answer: Answer) {
    this.#rows = rows;
    this.#clock = clock;
    this.#steps = new StepGraph(rows);
    this.#answer = answer;
  }

  putPlan({ plan, removed }: { plan: Plan; removed: readonly string[] }): void {
    this.#rows.run(
      `insert into plans(id, name, policy, concurrency, slots, state, submitted_at, from_turn) values (?, ?, ?, ?, ?, 'running', ?, ?)
       on conflict(id) do update set policy = excluded.policy, concurrency = excluded.concurrency,
         slots = max(coalesce(slots, 0), excluded.slots), from_turn = excluded.from_turn`,
      plan.id,
      plan.name,
      plan.policy,
      plan.concurrency,
      plan.slots ?? null,
      plan.at,
      this.#rows.turn,
    );
    const outdated = removed.flatMap((step) => this.#steps.remove(stepKey(plan.id, step)));
    this.#rows.run('delete from edges where plan = ?', plan.id);
    for (const step of plan.steps) {
      outdated.push(...this.#steps.redefine(stepKey(plan.id, step.id), step));
      this.#steps.put(plan.id, step);
    }
    this.#reconsider(plan.id);
    if (outdated.length > 0) this.#answer({ type: 'tracks.withdrawn', ids: outdated, at: plan.at });
    this.#proceed(plan.id);
  }

  /** Counts anew what waits, and closes of it what the plan's policy forbids after the outcomes that there are. */
  #reconsider(id: string): void {
    this.#steps.recount(id);
    const plan = this.#rows.get<PlanRow>('select * from plans where id = ?', id);
    if (plan?.state === 'stopping') return this.#steps.closeWaiting(id, 'cancelled', PLAN_CANCELLED);
    if (plan === undefined || plan.policy === 'continue') return;
    for (const { step, kind } of this.#steps.unsuccessful(id)) this.#skipAfter(plan, step, kind);
  }

  /** Dispatches what is ready and allowed, or finishes the plan. */
  #proceed(id: string): void {
    const plan = this.#rows.get<PlanRow>('select * from plans where id = ?', id);
    if (plan === undefined || plan.state === 'settled') return;
    const submissions = plan.state === 'running' ? this.#dispatch(plan) : [];
    if (submissions.length > 0) this.#answer({ type: 'tracks.dispatched', submissions });
    else this.#finishIfDone(plan);
  }

  #dispatch(plan: PlanRow): Submission[] {
    const room = this.#roomIn(plan);
    if (room <= 0) return [];
    const ready = this.#rows.all<StepRow>(
      `select * from steps where plan = ? and state = 'ready' order by rank desc, step limit ?`,
      plan.id,
      Number.isFinite(room) ? room : -1,
    );
    const known: Settled[] = [];
    const submissions = ready.flatMap((step): Submission[] => {
      this.#rows.run(`update steps set state = 'dispatched', from_turn = ? where id = ?`, this.#rows.turn, step.id);
      const { action, name, version, input, rank } = step;
      const { optional = false, memo, ...policy } = policyOfText(step.policy);
      const remembered = recall(this.#rows, step, memo);
      if (remembered !== undefined) {
        settleFrom(this.#rows, step, remembered, JSON.stringify(policy), this.#clock.now());
        known.push({ id: action, kind: 'ok', plan: plan.id, chargedAt: null, scores: null });
        return [];
      }
      return [{ id: action, name, version, input, policy, rank, plan: plan.id, optional, at: this.#clock.now() }];
    });
    if (known.length > 0) this.#answer({ type: 'tracks.remembered', settled: known });
    return submissions;
  }

  /** How many more of its steps may run; less than none when it was given less room meanwhile. */
  #roomIn({ id, concurrency }: PlanRow): number {
    return concurrency === null ? Infinity : concurrency - this.#steps.count(id, 'dispatched');
  }

  #finishIfDone({ id }: PlanRow): void {
    if (this.#steps.count(id, 'dispatched') + this.#steps.count(id, 'ready') + this.#steps.count(id, 'waiting') > 0)
      return;
    const kind = this.#steps.kindOf(id);
    this.#rows.run(
      `update plans set state = 'settled', kind = ?, settled_at = ?, from_turn = ? where id = ?`,
      kind,
      this.#clock.now(),
      this.#rows.turn,
      id,
    );
    this.#answer({ type: 'tracks.finished', plan: id, kind });
  }

  noteSettled({ settled }: { settled: readonly Settled[] }): void {
    for (const { id, kind, plan } of settled) {
      if (plan === null) continue;
      const step = this.#rows.get<StepRow>('select * from steps where action = ?', id);
      if (step === undefined || step.state === 'settled') continue;
      if (this.#steps.isOutdated(step)) {
        this.#steps.renew(step);
        this.#reconsider(plan);
      } else {
        this.#steps.close(step.id, kind, null);
        if (isSuccess(kind)) this.#learn(step);
        this.#afterStep(step, kind);
      }
      this.#proceed(plan);
    }
  }

  #learn(step: StepRow): void {
    learnFrom(this.#rows, step.step, step.action);
    remember(this.#rows, step, this.#clock.now());
  }

  #afterStep({ plan: id, step }: StepRow, kind: OutcomeKind): void {
    const plan = this.#rows.get<PlanRow>('select * from plans where id = ?', id);
    if (plan === undefined || plan.policy === 'continue' || isSuccess(kind)) return this.#steps.free(id, step);
    this.#skipAfter(plan, step, kind);
  }

  /** Skips what must not run any more after a step that ended without success; one that was skipped itself stops no plan. */
  #skipAfter({ id, policy }: PlanRow, step: string, kind: OutcomeKind): void {
    const ended = kind === 'failed' ? 'failed' : `was ${kind}`;
    if (policy === 'stop' && kind !== 'skipped')
      return this.#steps.closeWaiting(id, 'skipped', `"${step}" ${ended}, and the plan stops at the first failure`);
    this.#steps.skipDependants(id, step, `it depends on "${step}", which ${ended}`);
  }

  renew({ plan }: { plan: string; at: number }): void {
    const { state } = this.#rows.get<PlanRow>('select * from plans where id = ?', plan) ?? {};
    if (state === 'stopping') this.#steps.outdateDispatched(plan);
    for (const { id, round, kind } of this.#steps.unsuccessful(plan)) {
      const next = kind === 'skipped' ? round : round + 1;
      this.#rows.run(
        `update steps set state = 'waiting', kind = null, reason = null, round = ?, action = ?, from_turn = ? where id = ?`,
        next,
        actionKey(id, next),
        this.#rows.turn,
        id,
      );
    }
    this.#rows.run(
      `update plans set state = 'running', kind = null, settled_at = null, reported_at = null, from_turn = ? where id = ?`,
      this.#rows.turn,
      plan,
    );
    this.#reconsider(plan);
    this.#proceed(plan);
  }

  withdraw({ plan, at }: { plan: string; at: number }): void {
    const row = this.#rows.get<PlanRow>('select * from plans where id = ?', plan);
    if (row === undefined || row.state === 'settled') return;
    this.#steps.closeWaiting(plan, 'cancelled', PLAN_CANCELLED);
    this.#rows.run(`update plans set state = 'stopping', from_turn = ? where id = ?`, this.#rows.turn, plan);
    const running = this.#rows.all<StepRow>(`select * from steps where plan = ? and state = 'dispatched'`, plan);
    if (running.length > 0) this.#answer({ type: 'tracks.withdrawn', ids: running.map(({ action }) => action), at });
    else this.#finishIfDone(row);
  }
}
