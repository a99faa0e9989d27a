/**
 * What the tracks' actions do: plans go on step by step, in rows, and every answer is an event to the tracks in the same
 * turn.
 */
import { isDeepStrictEqual } from 'node:util';
import { isSuccess, type OutcomeKind } from '../machines/outcome.ts';
import type { Settled, Submission } from '../machines/executor.ts';
import type { MemoPolicy, StoredPolicy } from '../machines/action-policy.ts';
import type { FilesRead, Plan, PlanKind, ReadRequest, TracksEvent } from '../machines/tracks.ts';
import type { Urgency } from '../machines/urgency.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import { policyOfText } from './earlier-versions.ts';
import { learnFrom } from './estimates.ts';
import { MOST_A_TURN, MemoTurns } from './memo-turns.ts';
import { NO_FILES, readsFiles, recall, remember, settleFrom } from './memos.ts';
import { stepKey, type PlanRow, type StepRow } from './plan-tables.ts';
import { Joins } from './joins.ts';
import { READY_STEP, StepGraph, type Counts, type ReadyStep } from './step-graph.ts';

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
  const memoTurns = new MemoTurns(world.rows);
  const plans = ({ self }: Self) => new Plans(world, memoTurns, (event) => self.send(event));
  return {
    putPlan: (args: Self, params: Parameters<Plans['putPlan']>[0]) => plans(args).putPlan(params),
    noteSettled: (args: Self, params: Parameters<Plans['noteSettled']>[0]) => plans(args).noteSettled(params),
    renew: (args: Self, params: Parameters<Plans['renew']>[0]) => plans(args).renew(params),
    proceed: (args: Self, params: Parameters<Plans['proceed']>[0]) => plans(args).proceed(params),
    withdraw: (args: Self, params: Parameters<Plans['withdraw']>[0]) => plans(args).withdraw(params),
  };
}

/** Notes, for the next commit, that the outcome of a plan was told. */
export function noteReported(rows: Rows, plan: string, at: number): void {
  rows.run('update plans set reported_at = ?, from_turn = ? where id = ?', at, rows.turn, plan);
}

/** A plan's row as this turn leaves it: the counts are written once, when all that the turn brings has been counted. */
type OpenPlan = { -readonly [K in keyof PlanRow]: PlanRow[K] } & Record<keyof Counts, number>;

class Plans {
  readonly #rows: Rows;
  readonly #clock: Clock;
  readonly #steps: StepGraph;
  readonly #joins: Joins;
  readonly #memoTurns: MemoTurns;
  /** What was read of files before this turn, by the ids of steps. */
  readonly #reads = new Map<string, ReadRequest>();
  readonly #answer: Answer;

  constructor({ rows, clock }: PlanWorld, memoTurns: MemoTurns, answer: Answer) {
    this.#rows = rows;
    this.#clock = clock;
    this.#steps = new StepGraph(rows);
    this.#joins = new Joins(rows, clock, this.#steps);
    this.#memoTurns = memoTurns;
    this.#answer = answer;
  }

  #open(id: string): OpenPlan | undefined {
    const row = this.#rows.get<PlanRow>('select * from plans where id = ?', id);
    if (row === undefined) return undefined;
    const { unsettled, dispatched } = row;
    return {
      ...row,
      ...(unsettled === null || dispatched === null ? this.#steps.counted(id) : { unsettled, dispatched }),
    };
  }

  putPlan({ plan, removed }: { plan: Plan; removed: readonly string[] }): void {
    const { id } = plan;
    const isNew = this.#rows.get('select 1 from plans where id = ?', id) === undefined;
    this.#rows.run(
      `insert into plans(id, name, policy, concurrency, slots, state, submitted_at, joins, from_turn)
       values (?, ?, ?, ?, ?, 'running', ?, ?, ?)
       on conflict(id) do update set policy = excluded.policy, concurrency = excluded.concurrency, joins = excluded.joins,
         slots = max(coalesce(slots, 0), excluded.slots), from_turn = excluded.from_turn`,
      id,
      plan.name,
      plan.policy,
      plan.concurrency,
      plan.slots ?? null,
      plan.at,
      plan.steps.filter(({ role }) => role !== undefined).length,
      this.#rows.turn,
    );
    const outdated = removed.flatMap((step) => this.#steps.remove(stepKey(id, step)));
    if (!isNew) {
      this.#rows.run('delete from edges where plan = ?', id);
      this.#steps.removeGroups(id, new Set(plan.steps.map((step) => step.id)));
      outdated.push(...plan.steps.flatMap((step) => this.#steps.redefine(stepKey(id, step.id), step)));
    }
    const rounds = this.#steps.unusedRounds(`${id}/`);
    for (const step of plan.steps) this.#steps.put(id, step, rounds.get(stepKey(id, step.id)) ?? 1);
    const open = this.#open(id) as OpenPlan;
    this.#reconsider(open);
    if (outdated.length > 0) this.#answer({ type: 'tracks.withdrawn', ids: outdated, at: plan.at });
    this.#proceed(open);
  }

  /** Counts anew what waits, and closes of it what the plan's policy forbids after the outcomes that there are. */
  #reconsider(plan: OpenPlan): void {
    const { id, policy } = plan;
    this.#steps.recount(id);
    Object.assign(plan, this.#steps.counted(id));
    if (plan.state === 'stopping') plan.unsettled -= this.#steps.closeWaiting(id, 'cancelled', PLAN_CANCELLED);
    else if (policy !== 'continue')
      for (const step of this.#steps.unsuccessful(id)) this.#skipAfter(plan, step, step.kind);
  }

  proceed({ plans, reads }: { plans: readonly string[]; reads: readonly ReadRequest[] }): void {
    this.#memoTurns.renew();
    for (const read of reads) this.#reads.set(read.step, read);
    for (const id of plans) {
      const plan = this.#open(id);
      if (plan !== undefined) this.#proceed(plan);
    }
  }

  /** Dispatches what is ready and allowed, or finishes the plan; and notes its counts. */
  #proceed(plan: OpenPlan): void {
    if (plan.state === 'settled') return;
    if (plan.state === 'running') this.#join(plan);
    const submissions = plan.state === 'running' ? this.#dispatch(plan) : [];
    const isDone = plan.unsettled === 0;
    if (isDone) this.#finish(plan);
    this.#rows.run(
      'update plans set unsettled = ?, dispatched = ?, from_turn = ? where id = ?',
      plan.unsettled,
      plan.dispatched,
      this.#rows.turn,
      plan.id,
    );
    if (submissions.length > 0) this.#answer({ type: 'tracks.dispatched', submissions });
    if (isDone) this.#answer({ type: 'tracks.finished', plan: plan.id, kind: plan.kind as PlanKind });
  }

  /** Expands the fan-outs whose list is there, and settles the groups and fan-outs that wait for nothing more. */
  #join(plan: OpenPlan): void {
    if (plan.joins === 0) return;
    for (let due = this.#nextJoin(plan.id); due !== undefined; due = this.#nextJoin(plan.id)) {
      if (due.role === 'each' && due.items === null) {
        const items = this.#joins.expand(due);
        if (typeof items === 'string') this.#settle(plan, due, 'failed', items);
        else plan.unsettled += items;
      } else {
        const { kind, reason } = this.#joins.gather(this.#steps.claimed(due));
        this.#settle(plan, due, kind, reason);
      }
    }
  }

  #nextJoin(plan: string): ReadyStep | undefined {
    return this.#rows.get<ReadyStep>(
      `select ${READY_STEP} from steps where plan = ? and role is not null and state = 'ready' limit 1`,
      plan,
    );
  }

  #dispatch(plan: OpenPlan): Submission[] {
    const submissions: Submission[] = [];
    const known: Settled[] = [];
    const reads: ReadRequest[] = [];
    let goesOn = true;
    // In pages: where a turn ends before the rest, no more of it has been read than that.
    for (let page = this.#ready(plan, 0); goesOn && page.length > 0; page = this.#ready(plan, reads.length)) {
      for (const found of page) {
        const policy = policyOfText(found.policy);
        const read = this.#readOf(found, policy.memo);
        if (read === undefined && policy.memo !== undefined) reads.push(requestOf(found, policy.memo));
        goesOn =
          reads.length < MOST_A_TURN &&
          (policy.memo === undefined || read === undefined || this.#memoTurns.mayLookUp());
        if (!goesOn) break;
        if (read === undefined) continue;
        plan.dispatched += 1;
        const step = this.#steps.claimed(found);
        this.#rows.run(`update steps set state = 'dispatched', from_turn = ? where id = ?`, this.#rows.turn, step.id);
        const submission = this.#submissionOf(step, policy, read);
        if (submission === undefined)
          known.push({ id: step.action, kind: 'ok', plan: plan.id, chargedAt: null, scores: null });
        else submissions.push(submission);
      }
    }
    if (known.length > 0) this.#answer({ type: 'tracks.remembered', settled: known });
    if (!goesOn || reads.length > 0) this.#answer({ type: 'tracks.read', plan: plan.id, reads });
    return submissions;
  }

  /** The next steps that are ready and allowed, the first of them first; without so many, which wait until their files are read. */
  #ready(plan: OpenPlan, waiting: number): ReadyStep[] {
    const room = (plan.concurrency ?? Infinity) - plan.dispatched - waiting;
    // Less than none when it was given less room meanwhile.
    if (room <= 0 || plan.unsettled === plan.dispatched) return [];
    return this.#rows.all<ReadyStep>(
      `select ${READY_STEP} from steps where plan = ? and state = 'ready' order by rank desc, rowid limit ? offset ?`,
      plan.id,
      Math.min(MOST_A_TURN, room),
      waiting,
    );
  }

  /** What was in the files of the step; undefined while that is not known. */
  #readOf(step: StepRow, memo: MemoPolicy | undefined): FilesRead | undefined {
    if (memo === undefined || !readsFiles(memo)) return NO_FILES;
    const read = this.#reads.get(step.id);
    return read !== undefined && isFor(read, requestOf(step, memo)) ? read.contents : undefined;
  }

  /** What a step submits; undefined for one that is settled, because its outcome is known. */
  #submissionOf(step: StepRow, stored: StoredPolicy, read: FilesRead): Submission | undefined {
    const { action, plan, name, version, input, rank } = step;
    const { optional = false, memo, queue, key, ...policy } = stored;
    const at = this.#clock.now();
    const remembered = recall(this.#rows, step, memo, read);
    if (remembered !== undefined) {
      settleFrom(this.#rows, step, remembered, JSON.stringify(policy), at);
      return undefined;
    }
    const order =
      step.urgency === null ? {} : { urgency: JSON.parse(step.urgency) as Urgency, estimateMs: step.estimate_ms };
    const place = { ...(queue === undefined ? {} : { queue }), ...(key === undefined ? {} : { key }) };
    return { id: action, name, version, input, policy, rank, ...order, ...place, plan, optional, at };
  }

  #finish(plan: OpenPlan): void {
    plan.state = 'settled';
    plan.kind = this.#steps.kindOf(plan.id);
    this.#rows.run(
      `update plans set state = 'settled', kind = ?, settled_at = ?, from_turn = ? where id = ?`,
      plan.kind,
      this.#clock.now(),
      this.#rows.turn,
      plan.id,
    );
  }

  noteSettled({ settled }: { settled: readonly Settled[] }): void {
    const ofPlans = new Map<string, Settled[]>();
    for (const one of settled) {
      if (one.plan === null) continue;
      const others = ofPlans.get(one.plan);
      if (others === undefined) ofPlans.set(one.plan, [one]);
      else others.push(one);
    }
    for (const [id, ofPlan] of ofPlans) this.#noteIn(id, ofPlan);
  }

  #noteIn(id: string, settled: readonly Settled[]): void {
    const plan = this.#open(id);
    if (plan === undefined) return;
    let isChanged = false;
    for (const { id: action, kind } of settled) {
      const step = this.#rows.get<StepRow>('select * from steps where action = ?', action);
      if (step === undefined || step.state !== 'dispatched') continue;
      plan.dispatched -= 1;
      if (this.#steps.isOutdated(step, plan)) {
        this.#steps.renew(step);
        isChanged = true;
        continue;
      }
      this.#settle(plan, step, kind, null);
    }
    if (isChanged) this.#reconsider(plan);
    this.#proceed(plan);
  }

  #settle(plan: OpenPlan, step: StepRow, kind: OutcomeKind, reason: string | null): void {
    this.#steps.close(step.id, kind, reason);
    plan.unsettled -= 1;
    if (isSuccess(kind)) this.#learn(step);
    if (plan.policy === 'continue' || isSuccess(kind)) this.#steps.free(step);
    else this.#skipAfter(plan, step, kind);
    if (step.fan !== null && step.at_once !== null) this.#steps.admit(step.plan, step.fan, step.at_once);
  }

  #learn(step: StepRow): void {
    // What joins others does nothing itself.
    if (step.role !== null) return;
    learnFrom(this.#rows, step.step, step.action);
    remember(this.#rows, step, this.#clock.now());
  }

  /** Skips what must not run any more after a step that ended without success; one that was skipped itself stops no plan. */
  #skipAfter(plan: OpenPlan, row: StepRow, kind: OutcomeKind): void {
    const { id, policy } = plan;
    const { step } = row;
    const ended = kind === 'failed' ? 'failed' : `was ${kind}`;
    plan.unsettled -=
      policy === 'stop' && kind !== 'skipped'
        ? this.#steps.closeWaiting(id, 'skipped', `"${step}" ${ended}, and the plan stops at the first failure`)
        : this.#steps.skipDependants(row, `it depends on "${step}", which ${ended}`);
  }

  renew({ plan: id, at }: { plan: string; at: number }): void {
    const plan = this.#open(id);
    if (plan === undefined) return;
    if (plan.state === 'stopping') this.#steps.outdateDispatched(id);
    const unsuccessful = this.#steps.unsuccessful(id);
    // Where a failure stops nothing, others have been given nothing in place of its result.
    const misled = plan.policy === 'continue' ? this.#steps.builtOn(unsuccessful) : [];
    const fans = this.#steps.withNewFoundations([...unsuccessful, ...misled]);
    const outdated = fans.flatMap((fan) => this.#steps.collapse(fan));
    for (const step of misled) outdated.push(...this.#steps.redo(step));
    for (const { id: step, round, kind } of unsuccessful)
      this.#steps.renew({ id: step, round: kind === 'skipped' ? round : round + 1 });
    this.#steps.takeBack(id);
    plan.state = 'running';
    this.#rows.run(
      `update plans set state = 'running', kind = null, settled_at = null, reported_at = null, from_turn = ? where id = ?`,
      this.#rows.turn,
      id,
    );
    this.#reconsider(plan);
    if (outdated.length > 0) this.#answer({ type: 'tracks.withdrawn', ids: outdated, at });
    this.#proceed(plan);
  }

  withdraw({ plan: id, at }: { plan: string; at: number }): void {
    const plan = this.#open(id);
    if (plan === undefined || plan.state === 'settled') return;
    plan.dispatched -= this.#steps.takeBack(id);
    plan.unsettled -= this.#steps.closeWaiting(id, 'cancelled', PLAN_CANCELLED);
    plan.state = 'stopping';
    this.#rows.run(`update plans set state = 'stopping', from_turn = ? where id = ?`, this.#rows.turn, id);
    const running = this.#rows.all<Pick<StepRow, 'action'>>(
      `select action from steps where plan = ? and state = 'dispatched'`,
      id,
    );
    this.#proceed(plan);
    if (running.length > 0) this.#answer({ type: 'tracks.withdrawn', ids: running.map(({ action }) => action), at });
  }
}

function requestOf({ id }: StepRow, { folder, files, outputs }: MemoPolicy): ReadRequest {
  return { step: id, folder, files, outputs };
}

function isFor({ contents: _, ...read }: ReadRequest, request: ReadRequest): boolean {
  return isDeepStrictEqual(read, request);
}
