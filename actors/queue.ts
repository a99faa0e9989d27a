/**
 * What the executor's actions do: actions wait, run and settle in rows, and every answer is an event to the executor in the
 * same turn.
 *
 * Q1 An action is settled once, and in that turn its error budget is charged once, its outcome counted, its debt noted.
 */
import { declined, ended } from '../machines/action-result.ts';
import { isUntried } from '../machines/action-rules.ts';
import type { ActionResult, Reached, Shortfall } from '../machines/action-state.ts';
import type { StoredPolicy } from '../machines/action-policy.ts';
import { BY_SILENCE, type ApprovalRequest } from '../machines/approvals.ts';
import type { BudgetPolicy } from '../machines/budget-policy.ts';
import type {
  Claimed,
  ComponentState,
  Denial,
  ExecutorEvent,
  Question,
  QueueRequest,
  Reprioritisation,
  Settled,
  Submission,
  UrgencyNotice,
  WorkOff,
} from '../machines/executor.ts';
import { fingerprintOf } from '../machines/fingerprint.ts';
import type { ErrorRecord, OutcomeKind } from '../machines/outcome.ts';
import { NOT_URGENT } from '../machines/urgency.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import { historyOf, noteOutcome } from './action-history.ts';
import type { Registry } from './actions.ts';
import { mayEnter, noteUnique } from './admission.ts';
import { verdictsOn } from './approval-ledger.ts';
import { charge } from './budget.ts';
import { forgetCompensations } from './compensations.ts';
import { beginRound, discard } from './dead-letter-rows.ts';
import { incur, noteSettled, payDue, workOff } from './debts.ts';
import { qualityBefore } from './dependencies.ts';
import { firstReview, review, reviewAgain, tellIfLate } from './due.ts';
import { policyOfText } from './earlier-versions.ts';
import {
  admit,
  balance,
  balanceAnew,
  inOrder,
  leave,
  mayStart,
  noteKeyLimits,
  noteKeyStart,
  openKeys,
  type Placed,
} from './keys.ts';
import { endDelay, endWait } from './impatience.ts';
import { LaneRoom, type OpenLane } from './lane-room.ts';
import { PLAIN_LANE, countIn, laneFor, prepareLanes, type QueueStep } from './lanes.ts';
import { noteComponent, noteRefused } from './components-out.ts';
import { commandQueue } from './paused-queues.ts';
import { NO_LIMITS, type Queueing } from './queue-options.ts';
import { DATED, type ActionRow } from './queue-tables.ts';
import { rankByEstimate, rankByEstimates, reprioritise } from './reprioritise.ts';
import { takeBackStarts } from './untried.ts';
import { pendingOf } from './restored.ts';
import { sealed, summaryOf, unsealedText } from './values.ts';

/** What the actions of a machine are called with. */
type Self = { readonly self: { send(event: ExecutorEvent): void } };

type BackOff = {
  readonly id: string;
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: ErrorRecord | null;
};

/** What the executor's actions need of the world. */
export interface QueueWorld {
  readonly rows: Rows;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly budget: BudgetPolicy;
  /** Default: none. */
  readonly limits?: Queueing;
}

/** The executor's actions, on rows. */
export function queueActions(world: QueueWorld) {
  const run = ({ self }: Self, act: (queue: Queue) => void) => {
    const queue = new Queue(world, (event) => self.send(event));
    act(queue);
    queue.finish();
  };
  return {
    putQueued: (args: Self, params: Parameters<Queue['putQueued']>[0]) => run(args, (queue) => queue.putQueued(params)),
    claim: (args: Self, params: Parameters<Queue['claim']>[0]) => run(args, (queue) => queue.claim(params)),
    noteAttempt: (args: Self, params: Parameters<Queue['noteAttempt']>[0]) =>
      run(args, (queue) => queue.noteAttempt(params)),
    noteBackOff: (args: Self, params: Parameters<Queue['noteBackOff']>[0]) =>
      run(args, (queue) => queue.noteBackOff(params)),
    park: (args: Self, params: Parameters<Queue['park']>[0]) => run(args, (queue) => queue.park(params)),
    ask: (args: Self, params: Parameters<Queue['ask']>[0]) => run(args, (queue) => queue.ask(params)),
    answer: (args: Self, params: Parameters<Queue['answer']>[0]) => run(args, (queue) => queue.answer(params)),
    requeue: (args: Self, params: Parameters<Queue['requeue']>[0]) => run(args, (queue) => queue.requeue(params)),
    discard: (args: Self, params: Parameters<Queue['discard']>[0]) => run(args, (queue) => queue.discard(params)),
    workOff: (args: Self, params: Parameters<Queue['workOff']>[0]) => run(args, (queue) => queue.workOff(params)),
    putOutcome: (args: Self, params: Parameters<Queue['putOutcome']>[0]) =>
      run(args, (queue) => queue.putOutcome(params)),
    reprioritise: (args: Self, params: Reprioritisation) => run(args, (queue) => queue.reprioritise(params)),
    retryNow: (args: Self, params: Parameters<Queue['retryNow']>[0]) => run(args, (queue) => queue.retryNow(params)),
    runNow: (args: Self, params: Parameters<Queue['runNow']>[0]) => run(args, (queue) => queue.runNow(params)),
    review: (args: Self, params: Parameters<Queue['review']>[0]) => run(args, (queue) => queue.review(params)),
    commandQueue: (args: Self, params: Parameters<Queue['commandQueue']>[0]) =>
      run(args, (queue) => queue.commandQueue(params)),
    noteComponent: (args: Self, params: Parameters<Queue['noteComponent']>[0]) =>
      run(args, (queue) => queue.noteComponent(params)),
    defer: (args: Self, params: Parameters<Queue['defer']>[0]) => run(args, (queue) => queue.defer(params)),
    wake: (args: Self) => run(args, (queue) => queue.wake()),
    lookBack: (args: Self) => run(args, (queue) => queue.lookBack()),
    shed: (args: Self) => run(args, (queue) => queue.shed()),
    cancelQueued: (args: Self, params: Parameters<Queue['cancelQueued']>[0]) =>
      run(args, (queue) => queue.cancelQueued(params)),
  };
}

/** How an action ended that never ran, or not to its end. */
type Ending = Pick<ActionResult, 'kind' | 'attempts' | 'qualityLoss' | 'workMs'> & Partial<ActionResult>;

/** What must be known of an action to let it run. */
type Waiting = Pick<
  ActionRow,
  'id' | 'name' | 'version' | 'plan' | 'approved' | 'shortfall' | 'started_at' | 'policy' | 'pays'
>;

/** The first of a lane. */
type Head = Waiting & Pick<ActionRow, 'key' | 'lane' | 'optional' | 'rank' | 'seq'>;

/** And to settle it. */
type Settling = Pick<
  ActionRow,
  'id' | 'name' | 'plan' | 'policy' | 'state' | 'approved' | 'pays' | 'key' | 'lane' | 'due_at' | 'review_at'
> & { readonly has_dated: number };

/** Whether anything that waits has a due time: most often nothing has, and then nothing is ranked anew. */
const HAS_DATED = `exists (select 1 from actions where ${DATED})`;

/** None of them has an attempt under way. */
const CANCELLED_AT_ONCE: ReadonlySet<ActionRow['state']> = new Set(['delayed', 'held', 'waiting', 'parked', 'asking']);

const NO_VERDICTS = { approvals: 0, denials: 0 } as const;
const NEVER_RAN = { attempts: 0, qualityLoss: 1, workMs: 0 } as const;

/** What `approved` holds: the gate's question, and that for less quality than the floor, are answered each on its own. */
const PASSES_GATE = 1;
const WAIVES_FLOOR = 2;

/** Of these something was expected of the system, so that they spend its error budget or do not: all others are nobody's failure. */
const COSTS: Readonly<Partial<Record<OutcomeKind, (qualityLoss: number) => number>>> = {
  ok: () => 0,
  recovered: () => 0,
  degraded: (qualityLoss) => qualityLoss,
  failed: () => 1,
};

let lastPolicy: { readonly text: string; readonly policy: StoredPolicy } | undefined;

/** Most actions have the policy of the one before. */
function policyFrom(text: string): StoredPolicy {
  if (lastPolicy?.text !== text) lastPolicy = { text, policy: policyOfText(text) };
  return lastPolicy.policy;
}

/** Why what is optional was left out. */
const LOAD_SHED: ErrorRecord = {
  name: 'PerdureError',
  code: 'LOAD_SHED',
  message:
    'The action is optional, and was left out because a resource had nearly run out: see `supervisor.resources`.',
  class: 'permanent',
  fingerprint: fingerprintOf({ name: 'PerdureError', code: 'LOAD_SHED', message: 'LOAD_SHED' }),
};
const SHED_AT_ONCE = 1_000;
/** What pays a debt was promised, and what others depend on is needed by them. */
const SHEDDABLE = `
  select id from actions a
  where state = 'waiting' and lane in (select ${PLAIN_LANE} union all select id from lanes where waiting > 0)
    and optional = 1 and pays is null and (plan is null or not exists
      (select 1 from steps s join edges e on e.plan = s.plan and e.step = s.step where s.action = a.id))
  limit ${SHED_AT_ONCE + 1}`;

/** So much that was delayed, or parked, and so many keys, get their turn in one turn. */
const WOKEN_AT_ONCE = 1_000;
/** So many that turn out not to be able to run are put aside in one claim. */
const PASSED_AT_ONCE = 1_000;

const COLUMNS =
  'seq, id, name, version, plan, approved, shortfall, started_at, policy, pays, key, lane, optional, rank';
const IS_STOPPING = `select 1 from plans where id = ? and state = 'stopping'`;
const PLACED = 'select id, lane, key, state from actions where id = ?';
const IN_LANE = `select ${COLUMNS} from actions where state = 'waiting' and lane = ?`;
/** What is optional comes last, so that one index serves both. */
const FIRST_WAITING = `${IN_LANE} order by optional, rank desc, seq limit 1`;
const FIRST_NEEDED = `${IN_LANE} and optional = 0 order by rank desc, seq limit 1`;

/** What is said of work that a restored checkpoint holds. */
const UNDER_WAY =
  'it was under way in the checkpoint that was restored, and may have been done since: approved, it begins again';

/** Nothing undoes what stands in. */
function undoneOf({ isUndone }: Reached): string | null {
  return isUndone ? 'what it did was undone' : null;
}

class Queue {
  readonly #world: QueueWorld;
  readonly #rows: Rows;
  readonly #answer: (event: ExecutorEvent) => void;
  readonly #step: QueueStep;
  readonly #told: UrgencyNotice[] = [];
  #wakeAt = Infinity;

  constructor(world: QueueWorld, answer: (event: ExecutorEvent) => void) {
    this.#world = world;
    this.#rows = world.rows;
    this.#answer = (event) => {
      // What led to it is heard of first.
      if (this.#told.length > 0) answer({ type: 'executor.told', notices: this.#told.splice(0) });
      answer(event);
    };
    this.#step = {
      rows: world.rows,
      limits: world.limits ?? NO_LIMITS,
      now: () => world.clock.now(),
      wakeBy: (at) => void (this.#wakeAt = Math.min(this.#wakeAt, at)),
      tell: (notice) => void this.#told.push(notice),
    };
  }

  /** Tells what this step has to tell, and when it wants to be woken. */
  finish(): void {
    if (this.#told.length > 0) this.#answer({ type: 'executor.told', notices: this.#told.splice(0) });
    if (this.#wakeAt === Infinity) return;
    const delayMs = Math.max(0, this.#wakeAt - this.#world.clock.now());
    this.#answer({ type: 'executor.sleep', until: this.#wakeAt, delayMs });
  }

  putQueued({ submissions }: { submissions: readonly Submission[] }): void {
    const added = new Map<number, number>();
    const keys = new Set<string>();
    for (const submission of submissions) {
      if (!mayEnter(this.#rows, submission)) continue;
      const { id, name, version, input, policy, rank, plan, at, optional } = submission;
      const { urgency, queue = null, key = null, notBefore = null } = submission;
      const { dueAt } = urgency ?? NOT_URGENT;
      const { estimateMs = 0 } = submission;
      const isDue = dueAt !== null;
      const lane = laneFor(this.#rows, queue, policy);
      const state = notBefore !== null && notBefore > at ? 'delayed' : key === null ? 'waiting' : 'held';
      const isNew = this.#rows.run(
        `insert into actions(id, name, version, input, policy, rank, plan, state, submitted_at, attempts, quality_loss, optional,
           urgency, queue, key, not_before, due_at, estimate_ms, estimate_of, review_at, lane, from_turn)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict(id) do nothing`,
        id,
        name,
        version,
        input,
        JSON.stringify(policy),
        rank,
        plan,
        state,
        at,
        optional ? 1 : 0,
        urgency === undefined ? null : JSON.stringify(urgency),
        queue,
        key,
        notBefore,
        dueAt,
        isDue ? estimateMs : null,
        // A step is ranked by its plan, which learns on its own.
        isDue && plan === null ? (policy.risk.subject ?? name) : null,
        isDue ? firstReview(this.#step, { dueAt }, { at, estimateMs }) : null,
        lane,
        this.#rows.turn,
      );
      if (isNew === 0) continue;
      noteUnique(this.#rows, submission);
      if (state === 'waiting') added.set(lane, (added.get(lane) ?? 0) + 1);
      if (state === 'held') keys.add(key as string);
      if (state === 'delayed') this.#step.wakeBy(notBefore as number);
    }
    for (const [lane, n] of added) countIn(this.#rows, lane, n);
    for (const key of keys) balance(this.#step, key);
  }

  /** Does what is due, at most so much in a turn, and asks to be woken for the rest. */
  wake(): void {
    const at = this.#world.clock.now();
    const due = this.#rows.all<Placed>(
      `select id, lane, key from actions where state = 'delayed' and not_before <= ? order by not_before limit ${WOKEN_AT_ONCE}`,
      at,
    );
    for (const row of due) admit(this.#step, row);
    balanceAnew(this.#step, WOKEN_AT_ONCE);
    openKeys(this.#step, WOKEN_AT_ONCE);
    rankByEstimates(this.#step, WOKEN_AT_ONCE);
    if (unparkSome(this.#step, this.#world.registry)) this.#step.wakeBy(at);
    const next = this.#rows.get<{ at: number | null }>(
      `select min(not_before) as at from actions where state = 'delayed'`,
    );
    if (next?.at != null) this.#step.wakeBy(next.at);
  }

  reprioritise(request: Reprioritisation): void {
    reprioritise(this.#step, request);
  }

  retryNow({ id }: { id: string }): void {
    const found = endWait(this.#step, id);
    if (found !== undefined) this.#answer({ type: 'executor.waits', id, ...found });
  }

  runNow({ id }: { id: string }): void {
    endDelay(this.#step, id);
  }

  review({ limit }: { limit: number }): void {
    review(this.#step, limit);
  }

  commandQueue(request: QueueRequest): void {
    const notice = commandQueue(this.#rows, request);
    if (notice !== undefined) this.#answer(notice);
  }

  noteComponent(state: ComponentState): void {
    noteComponent(this.#rows, state, this.#world.clock.now());
  }

  defer({ id, until }: { id: string; until: number }): void {
    const row = this.#rows.get<ActionRow>('select * from actions where id = ?', id);
    if (row?.state !== 'running') return;
    takeBackStarts(this.#step, row);
    const policy = policyFrom(row.policy);
    // In any other lane it would be claimed again at once, and again.
    const lane = laneFor(this.#rows, row.queue, policy);
    this.#rows.run(
      `update actions set lane = ?, slot = null, started_at = null, attempts = 0, retry_at = null, from_turn = ? where id = ?`,
      lane,
      this.#rows.turn,
      id,
    );
    noteRefused(this.#rows, policy.component as string, until, this.#world.clock.now());
    admit(this.#step, { ...row, lane });
  }

  claim({ limit, freezesOptional }: { limit: number; freezesOptional: boolean }): void {
    const claimed: Claimed[] = [];
    let free: readonly number[] | undefined;
    const room = new LaneRoom(this.#step);
    const headOf = (lane: OpenLane) => this.#rows.get<Head>(freezesOptional ? FIRST_NEEDED : FIRST_WAITING, lane.id);
    const heads = new Map<OpenLane, Head>();
    const look = (lane: OpenLane) => {
      const head = room.isOpen(lane) ? headOf(lane) : undefined;
      if (head === undefined) heads.delete(lane);
      else heads.set(lane, head);
    };
    for (const lane of room.lanes()) look(lane);
    let passed = 0;
    while (heads.size > 0) {
      if (passed >= PASSED_AT_ONCE) {
        this.#step.wakeBy(this.#world.clock.now());
        break;
      }
      // Most often nothing waits, and then it does not matter what is free.
      free ??= this.#freeSlots(limit);
      const slot = free[claimed.length];
      if (slot === undefined) break;
      const [lane, next] = [...heads].reduce((best, one) => (inOrder(one[1], best[1]) < 0 ? one : best));
      // Its plan is being cancelled, in several turns: the lane goes on after them.
      if (this.#isBeingCancelled(next)) {
        this.#answer({ type: 'executor.cancelLater', ids: [next.id], at: this.#world.clock.now() });
        heads.delete(lane);
        continue;
      }
      if (this.#passOver(next)) passed += 1;
      else {
        claimed.push(this.#take(next, slot));
        countIn(this.#rows, lane.id, -1);
        room.take(lane, next.id);
        if (next.key !== null) noteKeyStart(this.#step, next.key);
      }
      // Another of the queue, of the component or of the key may wait in another lane.
      const isChanged = (one: OpenLane, head: Head) =>
        one === lane || (next.key !== null && head.key === next.key) || !room.isOpen(one);
      for (const [one, head] of heads) if (isChanged(one, head)) look(one);
    }
    if (claimed.length > 0) this.#answer({ type: 'executor.claimed', claimed });
  }

  #isBeingCancelled({ plan }: Head): boolean {
    return plan !== null && this.#rows.get(IS_STOPPING, plan) !== undefined;
  }

  /** Puts aside what waits and cannot run. */
  #passOver({ id, name, version, key }: Head): boolean {
    if (this.#world.registry.find(name, version) === undefined) this.park({ id });
    else if (key !== null && !mayStart(this.#step, key)) balance(this.#step, key);
    else return false;
    return true;
  }

  /** At most so many in a turn; what is over is shed in the next. */
  shed(): void {
    const at = this.#world.clock.now();
    const optional = this.#rows.all<{ id: string }>(SHEDDABLE);
    const settled = optional
      .slice(0, SHED_AT_ONCE)
      .map(({ id }) => this.#settle(id, at, { ...NEVER_RAN, kind: 'skipped', error: LOAD_SHED }, 'waiting'))
      .filter((one) => one !== undefined);
    if (optional.length > SHED_AT_ONCE) this.#step.wakeBy(at);
    if (settled.length > 0) this.#answer({ type: 'executor.settled', settled });
  }

  #freeSlots(limit: number): number[] {
    const { slots } = this.#rows.get<{ slots: string }>(
      `select json_group_array(slot) as slots from actions where state = 'running'`,
    ) as { slots: string };
    const used = new Set(JSON.parse(slots) as number[]);
    const free: number[] = [];
    for (let slot = 0; used.size + free.length < limit; slot++) if (!used.has(slot)) free.push(slot);
    return free;
  }

  #take({ id, name, plan, pays, approved, policy: text, ...row }: Waiting, slot: number): Claimed {
    const at = this.#world.clock.now();
    const reached = this.#shortfallOf(row)?.reached ?? null;
    const isBegun = reached !== null && !isUntried(reached);
    this.#rows.run(
      `update actions set state = 'running', slot = ?, started_at = ?, attempts = ?, from_turn = ? where id = ?`,
      slot,
      isBegun ? (row.started_at ?? at) : at,
      isBegun ? reached.attempt : 1,
      this.#rows.turn,
      id,
    );
    const { risk, ...policy } = policyFrom(text);
    const { impact, reversible, clarity, confidence, subject = name } = risk;
    const summary = summaryOf(this.#rows, risk);
    const { slowMs, ...history } = historyOf(this.#rows, subject);
    // People are asked about what could do harm, and that is where their answers count.
    const verdicts = impact === 'low' && confidence === null ? NO_VERDICTS : verdictsOn(this.#rows, subject);
    const evidence = { impact, reversible, clarity, confidence, summary, ...history, ...verdicts };
    const quality = qualityBefore(this.#rows, { id, plan, pays });
    return {
      id,
      slot,
      at,
      policy,
      slowMs,
      quality,
      evidence: { ...evidence, hasUndo: policy.hasUndo, approved: (approved & PASSES_GATE) !== 0 },
      waivesFloor: (approved & WAIVES_FLOOR) !== 0,
      reached,
    };
  }

  #shortfallOf({ shortfall }: Pick<ActionRow, 'shortfall'>): Shortfall | null {
    return shortfall === null ? null : (JSON.parse(unsealedText(this.#rows, shortfall)) as Shortfall);
  }

  noteAttempt({ id, attempt }: { id: string; attempt: number }): void {
    this.#rows.run(
      `update actions set attempts = ?, retry_at = null, from_turn = ? where id = ? and state = 'running'`,
      attempt,
      this.#rows.turn,
      id,
    );
  }

  noteBackOff({ id, attempt, delayMs, error }: BackOff): void {
    this.#rows.run(
      `update actions set attempts = ?, retry_at = ?, error = ?, from_turn = ? where id = ? and state = 'running'`,
      attempt,
      this.#world.clock.now() + delayMs,
      this.#textOf(error),
      this.#rows.turn,
      id,
    );
  }

  park({ id }: { id: string }): void {
    const row = this.#rows.get<Placed & Pick<ActionRow, 'state'>>(PLACED, id);
    this.#rows.run(`update actions set state = 'parked', slot = null, from_turn = ? where id = ?`, this.#rows.turn, id);
    if (row !== undefined) leave(this.#step, row, row.state);
  }

  ask({ questions }: { questions: readonly Question[] }): void {
    const at = this.#world.clock.now();
    const requests = questions.map((question) => this.#setAside(question, at));
    this.#answer({ type: 'executor.asked', requests });
  }

  lookBack(): void {
    const pending = pendingOf(this.#rows, this.#world.registry);
    if (pending.length > 0) this.#answer({ type: 'executor.pending', pending });
  }

  #setAside({ id, decision, shortfall, reason: given }: Question, at: number): ApprovalRequest {
    const reached = shortfall?.reached ?? null;
    const isBegun = reached !== null && !isUntried(reached);
    this.#rows.run(
      `update actions set state = 'asking', slot = null, started_at = iif(?, started_at, null), attempts = ?, retry_at = null,
         band = 'ask', score = ?, error = ?, work_ms = ?, fix = ?, undo = ?, shortfall = ?, from_turn = ? where id = ?`,
      isBegun ? 1 : 0,
      reached?.attempt ?? 0,
      decision.score,
      this.#textOf(reached?.error),
      reached?.workMs ?? 0,
      reached?.fix ?? null,
      reached?.isUndone === true ? 'done' : null,
      this.#textOf(shortfall),
      this.#rows.turn,
      id,
    );
    const row = this.#rows.get<ActionRow>('select * from actions where id = ?', id) as ActionRow;
    if (!isBegun) takeBackStarts(this.#step, row);
    leave(this.#step, row, 'running');
    const { name, policy } = row;
    const { risk, hasUndo } = policyOfText(policy);
    const reason = given ?? (shortfall === null ? 'gate' : 'quality');
    const why = shortfall?.message ?? (reason === 'restore' ? UNDER_WAY : '');
    const summary = summaryOf(this.#rows, risk);
    return {
      action: id,
      name: risk.subject ?? name,
      summary: why === '' ? summary : `${summary}: ${why}`,
      risk: decision,
      undo: isBegun ? undoneOf(reached) : hasUndo ? `what it did is undone when it fails` : null,
      reason,
      at,
      // Silence was meant to answer the gate: nobody meant that what may have been done is done twice, or given up.
      ...(reason === 'restore'
        ? { expiresAt: null, onSilence: 'wait' as const }
        : { expiresAt: risk.silenceMs === null ? null : at + risk.silenceMs, onSilence: risk.silence }),
    };
  }

  answer({ approved, denied }: { approved: readonly string[]; denied: readonly Denial[] }): void {
    for (const id of approved) this.#approve(id);
    const settled = denied.map((denial) => this.#deny(denial)).filter((one) => one !== undefined);
    if (settled.length > 0) this.#answer({ type: 'executor.settled', settled });
  }

  #approve(id: string): void {
    this.#rows.run(
      `update actions set approved = approved | iif(shortfall is null, ${PASSES_GATE}, ${WAIVES_FLOOR}),
         from_turn = ? where id = ? and state = 'asking'`,
      this.#rows.turn,
      id,
    );
    const row = this.#rows.get<Placed & Pick<ActionRow, 'state'>>(PLACED, id);
    if (row?.state === 'asking') admit(this.#step, row);
  }

  #deny({ action, by, note }: Denial): Settled | undefined {
    const who = by === BY_SILENCE ? 'by silence' : `by ${by ?? 'nobody'}`;
    const denied = `denied ${who}${note === null ? '' : `: ${note.slice(0, 300)}`}.`;
    const row = this.#rows.get<ActionRow>('select * from actions where id = ?', action);
    const shortfall = row === undefined ? null : this.#shortfallOf(row);
    const at = this.#world.clock.now();
    // Its work has failed, and was denied only what would have stood in for it.
    if (shortfall !== null) return this.#settle(action, at, declined(shortfall, `Less was ${denied}`), 'asking');
    const message = `The action was ${denied}`;
    const [name, code] = ['PerdureError', 'APPROVAL_DENIED'];
    const error: ErrorRecord = {
      name,
      code,
      message,
      class: 'permanent',
      fingerprint: fingerprintOf({ name, code, message: code }),
    };
    return this.#settle(action, at, { ...NEVER_RAN, kind: 'denied', error }, 'asking');
  }

  requeue({ ids }: { ids: readonly string[] }): void {
    for (const id of ids) {
      if (!beginRound(this.#rows, this.#world.registry, id)) continue;
      const row = this.#rows.get<Placed>(PLACED, id);
      if (row === undefined) continue;
      admit(this.#step, row);
      reviewAgain(this.#step, id);
    }
  }

  discard({ ids, at }: { ids: readonly string[]; at: number }): void {
    for (const id of ids) discard(this.#rows, id, at);
  }

  workOff({ component, at, asked = false }: WorkOff): void {
    workOff(this.#step, component, at, asked);
  }

  putOutcome({ id, at, result }: { id: string; at: number | null; result: ActionResult }): void {
    const settled = this.#settle(id, at ?? this.#world.clock.now(), result);
    // Its slot is free in any case, and the next one is claimed when outcomes have been told.
    this.#answer({ type: 'executor.settled', settled: settled === undefined ? [] : [settled] });
  }

  #textOf(record: ErrorRecord | Shortfall | null | undefined): string | null {
    return record == null ? null : sealed(this.#rows, JSON.stringify(record));
  }

  /** Q1. */
  #settle(id: string, at: number, result: Ending, from?: ActionRow['state']): Settled | undefined {
    const row = this.#rows.get<Settling>(
      `select id, name, plan, policy, state, approved, pays, key, lane, due_at, review_at, ${HAS_DATED} as has_dated
       from actions where id = ?`,
      id,
    );
    if (row === undefined || row.state === 'settled' || (from !== undefined && row.state !== from)) return undefined;
    const { kind, value, error, attempts, qualityLoss, workMs, band, score, raw, via, fix, undo, owes } = result;
    this.#rows.run(
      `update actions set state = 'settled', slot = null, settled_at = ?, kind = ?, value = ?, error = ?, attempts = ?,
         retry_at = null, quality_loss = ?, work_ms = ?, band = coalesce(?, band), score = coalesce(?, score), via = ?, fix = ?,
         undo = ?, shortfall = null, review_at = null, from_turn = ? where id = ?`,
      at,
      kind,
      value ?? null,
      this.#textOf(error),
      attempts,
      qualityLoss,
      workMs,
      band ?? null,
      score ?? null,
      via ?? null,
      fix ?? null,
      undo === 'done' ? undo : this.#textOf(undo),
      this.#rows.turn,
      id,
    );
    tellIfLate(this.#step, row, at);
    leave(this.#step, row, row.state);
    const { name, plan, policy: text } = row;
    const { component, hasUndo, risk } = policyFrom(text);
    const asked = from === 'asking' || (row.approved !== 0 && row.pays === null);
    noteOutcome(this.#rows, risk.subject ?? name, { kind, workMs, attempts, asked });
    if (row.has_dated !== 0 && (kind === 'ok' || kind === 'recovered'))
      rankByEstimate(this.#step, risk.subject ?? name, WOKEN_AT_ONCE);
    // What failed to be undone stays, for whoever has to.
    if (hasUndo && (kind === 'ok' || kind === 'recovered')) forgetCompensations(this.#rows, id);
    const cost = COSTS[kind]?.(qualityLoss);
    // What a payment that fails loses was charged when the fallback stood in.
    const bad = row.pays !== null && cost !== 0 ? undefined : cost;
    if (bad !== undefined)
      charge(this.#rows, { at, bad, error: bad > 0 ? (error ?? null) : null, component }, this.#world.budget);
    if (via !== undefined && owes === true) incur(this.#rows, row, via, qualityLoss, at);
    if (row.pays !== null) noteSettled(this.#rows, { id, pays: row.pays, kind, error, at });
    if (kind === 'ok' || kind === 'recovered') payDue(this.#step, component, row.pays !== null, at);
    const learns = risk.impact !== 'low' && cost !== undefined && score !== undefined && raw !== undefined;
    const chargedAt = bad !== undefined && bad > 0 ? at : null;
    return { id, kind, plan, chargedAt, scores: learns ? { score, raw } : null };
  }

  cancelQueued({ ids, at }: { ids: readonly string[]; at: number }): void {
    const settled: Settled[] = [];
    const asked: string[] = [];
    for (const id of ids) {
      const row = this.#rows.get<ActionRow>('select * from actions where id = ?', id);
      if (row?.state === 'running') this.#answer({ type: 'executor.found', id, slot: row.slot as number, at });
      if (row?.state === 'asking') asked.push(id);
      if (row === undefined || !CANCELLED_AT_ONCE.has(row.state)) continue;
      const reached = this.#shortfallOf(row)?.reached;
      const ending = reached === undefined ? NEVER_RAN : ended({ context: reached });
      const one = this.#settle(id, at, { ...ending, kind: 'cancelled' });
      if (one !== undefined) settled.push(one);
    }
    if (asked.length > 0) this.#answer({ type: 'executor.withdrawn', actions: asked, at });
    if (settled.length > 0) this.#answer({ type: 'executor.settled', settled });
  }
}

/** Counts the lanes anew, notes the limits of keys, and lets the first actions wait again whose handlers have come back: the others when it wakes. */
export function prepareQueue({ rows, registry, limits, clock }: Omit<QueueWorld, 'budget'>): void {
  const known = limits ?? NO_LIMITS;
  prepareLanes(rows, known.queues.keys());
  const step: QueueStep = { rows, limits: known, now: () => clock.now(), wakeBy: () => {}, tell: () => {} };
  noteKeyLimits(step);
  unparkSome(step, registry);
}

/** Lets actions wait that are parked and have a handler, so many at once. Gives whether there may be more. */
function unparkSome(step: QueueStep, registry: Registry): boolean {
  const parked = step.rows.all<Placed>(
    `select a.id, a.lane, a.key from json_each(?) known
       cross join actions a on a.state = 'parked' and a.name = known.value ->> 0 and a.version = known.value ->> 1
     limit ${WOKEN_AT_ONCE}`,
    JSON.stringify(registry.names),
  );
  for (const row of parked) admit(step, row);
  return parked.length === WOKEN_AT_ONCE;
}
