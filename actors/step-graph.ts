/**
 * The graph of a plan's steps, as rows. Freeing or skipping the dependants of a step costs as much as it has dependants,
 * whatever the size of the plan; only a change of the graph, or of a step that was running, counts a whole plan anew.
 *
 * Invariants:
 * G1 `missing` counts the dependencies without an outcome, whatever it will be; what an outcome forbids, the plan closes.
 *    A fan-out that has been expanded waits for its items, too; an item for nothing but its turn.
 * G2 No action serves two rounds of a step, nor a step that was removed and another of its name that came later, nor a step and
 *    somebody who submitted it.
 */
import { isSuccess, type OutcomeKind } from '../machines/outcome.ts';
import type { StoredPolicy } from '../machines/action-policy.ts';
import type { PlanKind, PlannedStep } from '../machines/tracks.ts';
import type { Rows } from '../persistence/rows.ts';
import { policyOfText } from './earlier-versions.ts';
import { actionKey, roundOf, stepKey, type PlanRow, type StepRow } from './plan-tables.ts';
import { sameText, unsealed, unsealedPolicy } from './values.ts';

/** Of a plan's steps. */
export interface Counts {
  readonly unsettled: number;
  readonly dispatched: number;
}

/** A step to be dispatched, and whether there is an action of its action's id already. */
export interface ReadyStep extends StepRow {
  readonly is_taken: 0 | 1;
}

/** The columns of one. */
export const READY_STEP = 'steps.*, exists (select 1 from actions where actions.id = steps.action) as is_taken';

export class StepGraph {
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /** Gives the actions that nobody waits for any more. */
  remove(id: string): string[] {
    const step = this.#rows.get<StepRow>('select * from steps where id = ?', id);
    if (step === undefined) return [];
    this.#rows.run('delete from steps where id = ?', id);
    return [...(step.state === 'dispatched' ? [step.action] : []), ...this.#removeItems(step)];
  }

  #removeItems({ plan, step, items }: StepRow): string[] {
    if (items === null) return [];
    const dispatched = this.#rows.all<Pick<StepRow, 'action'>>(
      `select action from steps where plan = ? and fan = ? and state = 'dispatched'`,
      plan,
      step,
    );
    this.#rows.run('delete from steps where plan = ? and fan = ?', plan, step);
    return dispatched.map(({ action }) => action);
  }

  /** Makes a fan-out one that has not been expanded. Gives the actions that nobody waits for any more. */
  collapse(fan: StepRow): string[] {
    this.#rows.run('update steps set items = null, from_turn = ? where id = ?', this.#rows.turn, fan.id);
    return this.#removeItems(fan);
  }

  /** Groups that the plan does not have any more. */
  removeGroups(plan: string, kept: ReadonlySet<string>): void {
    const groups = this.#rows.all<Pick<StepRow, 'id' | 'step'>>(
      `select id, step from steps where plan = ? and role = 'group'`,
      plan,
    );
    for (const { id, step } of groups) if (!kept.has(step)) this.remove(id);
  }

  /**
   * A dispatched step with another definition gets another round, once the action of this one has ended; an expanded fan-out
   * is expanded anew. Gives the actions that nobody waits for any more.
   */
  redefine(id: string, planned: PlannedStep): string[] {
    const step = this.#rows.get<StepRow>('select * from steps where id = ?', id);
    if (step === undefined || step.state === 'settled') return [];
    if (step.state !== 'dispatched' && step.items === null) return [];
    const stored = unsealed(this.#rows, { ...step, policy: unsealedPolicy(this.#rows, policyOfText(step.policy)) });
    const wanted = unsealed(this.#rows, { ...planned, policy: unsealedPolicy(this.#rows, planned.policy) });
    if (isDefinedAs(stored, wanted, this.#hasBegun(step))) return [];
    if (step.items !== null) return this.collapse(step);
    this.#rows.run('update steps set round = round + 1, from_turn = ? where id = ?', this.#rows.turn, id);
    return [step.action];
  }

  #hasBegun({ action }: StepRow): boolean {
    return this.#rows.get(`select 1 from actions where id = ? and state = 'running'`, action) !== undefined;
  }

  put(plan: string, planned: PlannedStep, round: number): void {
    const { id: step, name, version, input, after, policy, rank, estimateMs } = planned;
    const { urgency = null, role = null, forEach } = planned;
    const id = stepKey(plan, step);
    this.#rows.run(
      `insert into steps(id, plan, step, name, version, input, after, policy, rank, estimate_ms, urgency, role, source, most,
         at_once, missing, state, round, action, from_turn)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 'waiting', ?, ?, ?)
       on conflict(id) do update set name = excluded.name, version = excluded.version, input = excluded.input,
         after = excluded.after, policy = excluded.policy, rank = excluded.rank, estimate_ms = excluded.estimate_ms,
         urgency = excluded.urgency, role = excluded.role, source = excluded.source, most = excluded.most,
         at_once = excluded.at_once, from_turn = excluded.from_turn`,
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
      urgency === null ? null : JSON.stringify(urgency),
      role,
      forEach?.from ?? null,
      forEach?.limit ?? null,
      forEach?.concurrency ?? null,
      round,
      actionKey(id, round),
      this.#rows.turn,
    );
    for (const before of new Set(after)) {
      this.#rows.run(
        'insert into edges(id, plan, step, dependant, from_turn) values (?, ?, ?, ?, ?)',
        `${plan}/${before}>${step}`,
        plan,
        before,
        step,
        this.#rows.turn,
      );
    }
  }

  /**
   * Of each step that has had an action and whose id begins so, the round after the last: one of this name may have run before,
   * and have been removed. What is not named begins with the first.
   */
  unusedRounds(prefix: string): Map<string, number> {
    const rounds = new Map<string, number>();
    const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
    const used = this.#rows.all<{ id: string }>('select id from actions where id > ? and id < ?', prefix, end);
    for (const { id } of used) {
      const round = roundOf(id);
      const step = round === 1 ? id : id.slice(0, id.lastIndexOf('#'));
      rounds.set(step, Math.max(rounds.get(step) ?? 1, round + 1));
    }
    return rounds;
  }

  /** Counts what each waiting step of a plan still waits for, from the graph and the outcomes. */
  recount(plan: string): void {
    this.#rows.run(
      `update steps set from_turn = ?, missing = iif(items is null, 0,
           (select count(*) from steps i where i.plan = steps.plan and i.fan = steps.step and i.state <> 'settled')) + (
         select count(*) from edges e join steps s on s.id = e.plan || '/' || e.step
         where e.plan = steps.plan and e.dependant = steps.step and s.state <> 'settled')
       where plan = ? and state in ('waiting', 'ready') and fan is null`,
      this.#rows.turn,
      plan,
    );
    this.#rows.run(
      `update steps set state = iif(missing = 0 and fan is null, 'ready', 'waiting'), from_turn = ?
       where plan = ? and state in ('waiting', 'ready')`,
      this.#rows.turn,
      plan,
    );
    const fans = this.#rows.all<Pick<StepRow, 'step' | 'at_once'>>(
      `select step, at_once from steps where plan = ? and role = 'each' and items is not null`,
      plan,
    );
    for (const { step, at_once: atOnce } of fans) this.admit(plan, step, atOnce);
  }

  /** Makes items of a fan-out ready, in their order, as many as may run at once. */
  admit(plan: string, fan: string, atOnce: number | null): void {
    const room =
      atOnce === null
        ? -1
        : Math.max(
            0,
            atOnce -
              (this.#rows.get<{ n: number }>(
                `select count(*) as n from steps where plan = ? and fan = ? and state in ('ready', 'dispatched')`,
                plan,
                fan,
              )?.n ?? 0),
          );
    this.#rows.run(
      `update steps set state = 'ready', from_turn = ? where id in (
         select id from steps where plan = ? and fan = ? and state = 'waiting' order by item limit ?)`,
      this.#rows.turn,
      plan,
      fan,
      room,
    );
  }

  /** Counts a plan's steps: when the graph has changed, and for a plan of before the counts were kept. */
  counted(plan: string): Counts {
    const counts = this.#rows.get<Counts>(
      `select count(*) as unsettled, total(state = 'dispatched') as dispatched
       from steps where plan = ? and state in ('waiting', 'ready', 'dispatched')`,
      plan,
    );
    return counts ?? { unsettled: 0, dispatched: 0 };
  }

  kindOf(plan: string): PlanKind {
    const kinds = this.#rows
      .all<{ kind: OutcomeKind }>('select distinct kind from steps where plan = ?', plan)
      .map(({ kind }) => kind);
    if (kinds.every(isSuccess)) return 'ok';
    return kinds.includes('cancelled') && !kinds.includes('failed') ? 'cancelled' : 'failed';
  }

  close(id: string, kind: OutcomeKind, reason: string | null): void {
    this.#rows.run(
      `update steps set state = 'settled', kind = ?, reason = ?, from_turn = ? where id = ?`,
      kind,
      reason,
      this.#rows.turn,
      id,
    );
  }

  /** What waited for the step has one dependency less; what waits for none is ready. */
  free({ plan, step, fan }: StepRow): void {
    const [waiting, cells] =
      fan === null
        ? [`id in (select plan || '/' || dependant from edges where plan = ? and step = ?)`, [plan, step]]
        : ['id = ?', [stepKey(plan, fan)]];
    this.#rows.run(
      `update steps set missing = missing - 1, state = iif(missing = 1, 'ready', 'waiting'), from_turn = ?
       where state = 'waiting' and ${waiting}`,
      this.#rows.turn,
      ...cells,
    );
  }

  /** Skips whatever waits for the step, directly or not. Gives how many. */
  skipDependants({ plan, step, fan }: StepRow, reason: string): number {
    let skipped = 0;
    const skip = (waiting: readonly Pick<StepRow, 'id' | 'step'>[]) => {
      for (const { id } of waiting) this.close(id, 'skipped', reason);
      skipped += waiting.length;
      return waiting.map((one) => one.step);
    };
    const queue = fan === null ? [step] : skip(this.#waiting('steps s where s.id = ?', stepKey(plan, fan)));
    const after = `edges e join steps s on s.id = e.plan || '/' || e.dependant where e.plan = ? and e.step = ?`;
    for (let next = queue.pop(); next !== undefined; next = queue.pop())
      queue.push(...skip(this.#waiting(after, plan, next)));
    return skipped;
  }

  #waiting(from: string, ...cells: string[]): Pick<StepRow, 'id' | 'step'>[] {
    return this.#rows.all(`select s.id, s.step from ${from} and s.state in ('waiting', 'ready')`, ...cells);
  }

  /** Gives all that waits its outcome without an attempt. Says how many that are. */
  closeWaiting(plan: string, kind: OutcomeKind, reason: string): number {
    return this.#rows.run(
      `update steps set state = 'settled', kind = ?, reason = ?, from_turn = ? where plan = ? and state in ('waiting', 'ready')`,
      kind,
      reason,
      this.#rows.turn,
      plan,
    );
  }

  /** The steps that ended, and not with success. */
  unsuccessful(plan: string): (StepRow & { readonly kind: OutcomeKind })[] {
    return this.#rows
      .all<StepRow & { readonly kind: OutcomeKind }>(
        `select * from steps where plan = ? and state = 'settled' order by step`,
        plan,
      )
      .filter(({ kind }) => !isSuccess(kind));
  }

  /** Whatever has begun, or ended with success, after one of these, directly or not. */
  builtOn(steps: readonly StepRow[]): StepRow[] {
    const known = new Set(steps.map(({ id }) => id));
    const found: StepRow[] = [];
    const queue = [...steps];
    for (let before = queue.pop(); before !== undefined; before = queue.pop()) {
      const after = this.#rows.all<StepRow>(
        `select s.* from edges e join steps s on s.id = e.plan || '/' || e.dependant where e.plan = ? and e.step = ?
           and (s.state in ('settled', 'dispatched') or s.items is not null)`,
        before.plan,
        before.step,
      );
      for (const step of after) {
        if (known.has(step.id)) continue;
        known.add(step.id);
        found.push(step);
        queue.push(step);
      }
    }
    return found;
  }

  /** Has what has begun, or ended, done once more. Gives the actions that nobody waits for any more. */
  redo(step: StepRow): string[] {
    const { id, state, round, action } = step;
    if (state === 'settled') this.renew({ id, round: round + 1 });
    if (state !== 'dispatched') return [];
    this.#rows.run('update steps set round = round + 1, from_turn = ? where id = ?', this.#rows.turn, id);
    return [action];
  }

  /** Of these, the expanded fan-outs that come after another of these: what their items were given is made anew. */
  withNewFoundations(renewed: readonly StepRow[]): StepRow[] {
    const names = new Set(renewed.map(({ step }) => step));
    const isRenewed = (after: string) => (JSON.parse(after) as string[]).some((one) => names.has(one));
    return renewed.filter(({ items, after }) => items !== null && isRenewed(after));
  }

  /** Whether the step was redefined while the action that has settled was under way, in a plan that goes on. */
  isOutdated({ id, action, round }: StepRow, plan: Pick<PlanRow, 'state'>): boolean {
    return action !== actionKey(id, round) && plan.state === 'running';
  }

  /** Whatever is dispatched gets another round when its action has ended, because that is being cancelled. */
  outdateDispatched(plan: string): void {
    this.#rows.run(
      `update steps set round = round + 1, from_turn = ? where plan = ? and state = 'dispatched'`,
      this.#rows.turn,
      plan,
    );
  }

  /** Makes a step wait for this round, or for the next that is not taken; what it waits for is still to be counted. */
  renew({ id, round }: Pick<StepRow, 'id' | 'round'>): void {
    const free = this.#unusedRound(id, round);
    this.#rows.run(
      `update steps set state = 'waiting', kind = null, reason = null, round = ?, action = ?, from_turn = ? where id = ?`,
      free,
      actionKey(id, free),
      this.#rows.turn,
      id,
    );
  }

  /** A step that is about to be dispatched, in a round whose action is nobody's yet. */
  claimed(step: ReadyStep): StepRow {
    if (step.is_taken === 0) return step;
    const { id } = step;
    const round = this.#unusedRound(id, step.round);
    const action = actionKey(id, round);
    this.#rows.run(
      'update steps set round = ?, action = ?, from_turn = ? where id = ?',
      round,
      action,
      this.#rows.turn,
      id,
    );
    return { ...step, round, action };
  }

  #unusedRound(id: string, from: number): number {
    let round = from;
    while (this.#rows.get('select 1 from actions where id = ?', actionKey(id, round)) !== undefined) round += 1;
    return round;
  }

  /** Makes the steps wait that were dispatched as an action which was another's, as earlier versions let happen. Says how many. */
  takeBack(plan: string): number {
    const taken = this.#rows.all<Pick<StepRow, 'id' | 'round'>>(
      `select s.id, s.round from steps s join actions on actions.id = s.action
       where s.plan = ? and s.state = 'dispatched' and actions.plan is not s.plan`,
      plan,
    );
    for (const step of taken) this.renew(step);
    return taken.length;
  }
}

type Defined = Omit<StepRow, 'policy'> & { readonly policy: StoredPolicy };

/** Whether what is under way is what is wanted; a rank, an estimate or a limit is no reason to begin anew. */
function isDefinedAs(step: Defined, wanted: PlannedStep, hasBegun: boolean): boolean {
  const { name, version, input, after, policy, role, forEach } = wanted;
  return (
    step.role === (role ?? null) &&
    step.source === (forEach?.from ?? null) &&
    step.name === name &&
    step.version === version &&
    sameText(step.input, input) &&
    sameText(essentialOf(step.policy, hasBegun), essentialOf(policy, hasBegun)) &&
    sameMembers(JSON.parse(step.after) as string[], after)
  );
}

/** Whether it may be left out is no matter once it is queued, nor what it waits behind once it runs. */
function essentialOf({ memo: _, queue, key, ...policy }: StoredPolicy, hasBegun: boolean): string {
  return JSON.stringify(hasBegun ? policy : { queue, key, ...policy });
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  const { size } = new Set([...a, ...b]);
  return new Set(a).size === size && new Set(b).size === size;
}
