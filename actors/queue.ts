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
import type { Claimed, Denial, ExecutorEvent, Question, Settled, Submission, WorkOff } from '../machines/executor.ts';
import { fingerprintOf } from '../machines/fingerprint.ts';
import type { ErrorRecord, OutcomeKind } from '../machines/outcome.ts';
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
import { policyOfText } from './earlier-versions.ts';
import type { ActionRow } from './queue-tables.ts';
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
}

/** The executor's actions, on rows. */
export function queueActions(world: QueueWorld) {
  const queue = ({ self }: Self) => new Queue(world, (event) => self.send(event));
  return {
    putQueued: (args: Self, params: Parameters<Queue['putQueued']>[0]) => queue(args).putQueued(params),
    claim: (args: Self, params: Parameters<Queue['claim']>[0]) => queue(args).claim(params),
    noteAttempt: (args: Self, params: Parameters<Queue['noteAttempt']>[0]) => queue(args).noteAttempt(params),
    noteBackOff: (args: Self, params: Parameters<Queue['noteBackOff']>[0]) => queue(args).noteBackOff(params),
    park: (args: Self, params: Parameters<Queue['park']>[0]) => queue(args).park(params),
    ask: (args: Self, params: Parameters<Queue['ask']>[0]) => queue(args).ask(params),
    answer: (args: Self, params: Parameters<Queue['answer']>[0]) => queue(args).answer(params),
    requeue: (args: Self, params: Parameters<Queue['requeue']>[0]) => queue(args).requeue(params),
    discard: (args: Self, params: Parameters<Queue['discard']>[0]) => queue(args).discard(params),
    workOff: (args: Self, params: Parameters<Queue['workOff']>[0]) => queue(args).workOff(params),
    putOutcome: (args: Self, params: Parameters<Queue['putOutcome']>[0]) => queue(args).putOutcome(params),
    cancelQueued: (args: Self, params: Parameters<Queue['cancelQueued']>[0]) => queue(args).cancelQueued(params),
  };
}

/** How an action ended that never ran, or not to its end. */
type Ending = Pick<ActionResult, 'kind' | 'attempts' | 'qualityLoss' | 'workMs'> & Partial<ActionResult>;

/** What must be known of an action to let it run. */
type Waiting = Pick<
  ActionRow,
  'id' | 'name' | 'version' | 'plan' | 'approved' | 'shortfall' | 'started_at' | 'policy' | 'pays'
>;

/** And to settle it. */
type Settling = Pick<ActionRow, 'id' | 'name' | 'plan' | 'policy' | 'state' | 'approved' | 'pays'>;

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

const COLUMNS = 'id, name, version, plan, approved, shortfall, started_at, policy, pays';
/** What is optional comes last, so that one index serves both. */
const FIRST_WAITING = `select ${COLUMNS} from actions where state = 'waiting' order by optional, rank desc, seq limit 1`;
const FIRST_NEEDED = `select ${COLUMNS} from actions where state = 'waiting' and optional = 0 order by rank desc, seq limit 1`;

/** Nothing undoes what stands in. */
function undoneOf({ isUndone }: Reached): string | null {
  return isUndone ? 'what it did was undone' : null;
}

class Queue {
  readonly #world: QueueWorld;
  readonly #rows: Rows;
  readonly #answer: (event: ExecutorEvent) => void;

  constructor(world: QueueWorld, answer: (event: ExecutorEvent) => void) {
    this.#world = world;
    this.#rows = world.rows;
    this.#answer = answer;
  }

  putQueued({ submissions }: { submissions: readonly Submission[] }): void {
    for (const submission of submissions) {
      if (!mayEnter(this.#rows, submission)) continue;
      const { id, name, version, input, policy, rank, plan, at, optional } = submission;
      const { urgency, queue = null, key = null, notBefore = null } = submission;
      const queued = this.#rows.run(
        `insert into actions(id, name, version, input, policy, rank, plan, state, submitted_at, attempts, quality_loss, optional,
           urgency, queue, key, not_before, due_at, from_turn)
         values (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, 0, 0, ?, ?, ?, ?, ?, ?, ?) on conflict(id) do nothing`,
        id,
        name,
        version,
        input,
        JSON.stringify(policy),
        rank,
        plan,
        at,
        optional ? 1 : 0,
        urgency === undefined ? null : JSON.stringify(urgency),
        queue,
        key,
        notBefore,
        urgency?.dueAt ?? null,
        this.#rows.turn,
      );
      if (queued > 0) noteUnique(this.#rows, submission);
    }
  }

  claim({ limit, freezesOptional }: { limit: number; freezesOptional: boolean }): void {
    const claimed: Claimed[] = [];
    let free: readonly number[] | undefined;
    const first = () => this.#firstWaiting(freezesOptional);
    for (let next = first(); next !== undefined; next = first()) {
      // Most often nothing waits, and then it does not matter what is free.
      free ??= this.#freeSlots(limit);
      const slot = free[claimed.length];
      if (slot === undefined) break;
      if (this.#world.registry.find(next.name, next.version) === undefined) this.park({ id: next.id });
      else claimed.push(this.#take(next, slot));
    }
    if (claimed.length > 0) this.#answer({ type: 'executor.claimed', claimed });
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

  #firstWaiting(needed: boolean): Waiting | undefined {
    return this.#rows.get<Waiting>(needed ? FIRST_NEEDED : FIRST_WAITING);
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
    this.#rows.run(`update actions set state = 'parked', slot = null, from_turn = ? where id = ?`, this.#rows.turn, id);
  }

  ask({ questions }: { questions: readonly Question[] }): void {
    const at = this.#world.clock.now();
    const requests = questions.map((question) => this.#setAside(question, at));
    this.#answer({ type: 'executor.asked', requests });
  }

  #setAside({ id, decision, shortfall }: Question, at: number): ApprovalRequest {
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
    const { name, policy } = this.#rows.get<ActionRow>('select * from actions where id = ?', id) as ActionRow;
    const { risk, hasUndo } = policyOfText(policy);
    return {
      action: id,
      name: risk.subject ?? name,
      summary:
        shortfall === null ? summaryOf(this.#rows, risk) : `${summaryOf(this.#rows, risk)}: ${shortfall.message}`,
      risk: decision,
      undo: isBegun ? undoneOf(reached) : hasUndo ? `what it did is undone when it fails` : null,
      reason: shortfall === null ? 'gate' : 'quality',
      at,
      expiresAt: risk.silenceMs === null ? null : at + risk.silenceMs,
      onSilence: risk.silence,
    };
  }

  answer({ approved, denied }: { approved: readonly string[]; denied: readonly Denial[] }): void {
    for (const id of approved) this.#approve(id);
    const settled = denied.map((denial) => this.#deny(denial)).filter((one) => one !== undefined);
    if (settled.length > 0) this.#answer({ type: 'executor.settled', settled });
  }

  #approve(id: string): void {
    this.#rows.run(
      `update actions set state = 'waiting', approved = approved | iif(shortfall is null, ${PASSES_GATE}, ${WAIVES_FLOOR}),
         from_turn = ? where id = ? and state = 'asking'`,
      this.#rows.turn,
      id,
    );
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
    for (const id of ids)
      if (beginRound(this.#rows, this.#world.registry, id))
        this.#rows.run(`update actions set state = 'waiting', from_turn = ? where id = ?`, this.#rows.turn, id);
  }

  discard({ ids, at }: { ids: readonly string[]; at: number }): void {
    for (const id of ids) discard(this.#rows, id, at);
  }

  workOff({ component, at, asked = false }: WorkOff): void {
    workOff(this.#rows, component, at, asked);
  }

  putOutcome({ id, at, result }: { id: string; at: number | null; result: ActionResult }): void {
    const settled = this.#settle(id, at ?? this.#world.clock.now(), result);
    if (settled !== undefined) this.#answer({ type: 'executor.settled', settled: [settled] });
  }

  #textOf(record: ErrorRecord | Shortfall | null | undefined): string | null {
    return record == null ? null : sealed(this.#rows, JSON.stringify(record));
  }

  /** Q1. */
  #settle(id: string, at: number, result: Ending, from?: ActionRow['state']): Settled | undefined {
    const row = this.#rows.get<Settling>(
      'select id, name, plan, policy, state, approved, pays from actions where id = ?',
      id,
    );
    if (row === undefined || row.state === 'settled' || (from !== undefined && row.state !== from)) return undefined;
    const { kind, value, error, attempts, qualityLoss, workMs, band, score, raw, via, fix, undo, owes } = result;
    this.#rows.run(
      `update actions set state = 'settled', slot = null, settled_at = ?, kind = ?, value = ?, error = ?, attempts = ?,
         retry_at = null, quality_loss = ?, work_ms = ?, band = coalesce(?, band), score = coalesce(?, score), via = ?, fix = ?,
         undo = ?, shortfall = null, from_turn = ? where id = ?`,
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
    const { name, plan, policy: text } = row;
    const { component, hasUndo, risk } = policyFrom(text);
    const asked = from === 'asking' || (row.approved !== 0 && row.pays === null);
    noteOutcome(this.#rows, risk.subject ?? name, { kind, workMs, attempts, asked });
    // What failed to be undone stays, for whoever has to.
    if (hasUndo && (kind === 'ok' || kind === 'recovered')) forgetCompensations(this.#rows, id);
    const cost = COSTS[kind]?.(qualityLoss);
    // What a payment that fails loses was charged when the fallback stood in.
    const bad = row.pays !== null && cost !== 0 ? undefined : cost;
    if (bad !== undefined)
      charge(this.#rows, { at, bad, error: bad > 0 ? (error ?? null) : null, component }, this.#world.budget);
    if (via !== undefined && owes === true) incur(this.#rows, row, via, qualityLoss, at);
    if (row.pays !== null) noteSettled(this.#rows, { id, pays: row.pays, kind, error, at });
    if (kind === 'ok' || kind === 'recovered') payDue(this.#rows, component, row.pays !== null, at);
    const learns = risk.impact !== 'low' && cost !== undefined && score !== undefined && raw !== undefined;
    const chargedAt = bad !== undefined && bad > 0 ? at : null;
    return { id, kind, plan, chargedAt, scores: learns ? { score, raw } : null };
  }

  cancelQueued({ ids, at }: { ids: readonly string[]; at: number }): void {
    const settled: Settled[] = [];
    const asked: string[] = [];
    for (const id of ids) {
      const row = this.#rows.get<ActionRow>('select * from actions where id = ?', id);
      if (row?.state === 'running') this.#answer({ type: 'executor.found', slot: row.slot as number, at });
      if (row?.state === 'asking') asked.push(id);
      if (row?.state !== 'waiting' && row?.state !== 'parked' && row?.state !== 'asking') continue;
      const reached = this.#shortfallOf(row)?.reached;
      const ending = reached === undefined ? NEVER_RAN : ended({ context: reached });
      const one = this.#settle(id, at, { ...ending, kind: 'cancelled' });
      if (one !== undefined) settled.push(one);
    }
    if (asked.length > 0) this.#answer({ type: 'executor.withdrawn', actions: asked, at });
    if (settled.length > 0) this.#answer({ type: 'executor.settled', settled });
  }
}

/** Lets actions wait again whose handlers have come back. Gives how many. */
export function unpark(rows: Rows, registry: Registry): number {
  return registry.names.reduce(
    (count, [name, version]) =>
      count +
      rows.run(
        `update actions set state = 'waiting', from_turn = ? where state = 'parked' and name = ? and version = ?`,
        rows.turn,
        name,
        version,
      ),
    0,
  );
}
