/**
 * The graph of a plan's steps, as rows. Freeing or skipping the dependants of a step costs as much as it has dependants,
 * whatever the size of the plan; only a change of the graph, or of a step that was running, counts a whole plan anew.
 *
 * Invariants:
 * G1 `missing` counts the dependencies without an outcome, whatever it will be; what an outcome forbids, the plan closes.
 * G2 No action serves two rounds of a step, nor a step that was removed and another of its name that came later.
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

export class StepGraph {
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /** Gives the action that nobody waits for any more. */
  remove(id: string): string[] {
    const step = this.#rows.get<StepRow>('select * from steps where id = ?', id);
    this.#rows.run('delete from steps where id = ?', id);
    return step?.state === 'dispatched' ? [step.action] : [];
  }

  /** A dispatched step with another definition gets another round, once the action of this one, which is given, has ended. */
  redefine(id: string, planned: PlannedStep): string[] {
    const step = this.#rows.get<StepRow>('select * from steps where id = ?', id);
    if (step?.state !== 'dispatched') return [];
    const stored = unsealed(this.#rows, { ...step, policy: unsealedPolicy(this.#rows, policyOfText(step.policy)) });
    const wanted = unsealed(this.#rows, { ...planned, policy: unsealedPolicy(this.#rows, planned.policy) });
    if (isDefinedAs(stored, wanted)) return [];
    this.#rows.run('update steps set round = round + 1, from_turn = ? where id = ?', this.#rows.turn, id);
    return [step.action];
  }

  put(plan: string, planned: PlannedStep, round: number): void {
    const { id: step, name, version, input, after, policy, rank, estimateMs } = planned;
    const id = stepKey(plan, step);
    this.#rows.run(
      `insert into steps(id, plan, step, name, version, input, after, policy, rank, estimate_ms, missing, state, round, action, from_turn)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 'waiting', ?, ?, ?)
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
   * Of each step that has had an action, the round after the last: one of this name may have run before, and have been
   * removed. What is not named begins with the first.
   */
  unusedRounds(plan: string): Map<string, number> {
    const rounds = new Map<string, number>();
    // The ids that begin with the plan's and a slash, by their own index; "0" is the character after the slash.
    const used = this.#rows.all<{ id: string }>(
      `select id from actions where id > ? || '/' and id < ? || '0'`,
      plan,
      plan,
    );
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
      `update steps set from_turn = ?, missing = (
         select count(*) from edges e join steps s on s.id = e.plan || '/' || e.step
         where e.plan = steps.plan and e.dependant = steps.step and s.state <> 'settled')
       where plan = ? and state in ('waiting', 'ready')`,
      this.#rows.turn,
      plan,
    );
    this.#rows.run(
      `update steps set state = iif(missing = 0, 'ready', 'waiting'), from_turn = ? where plan = ? and state in ('waiting', 'ready')`,
      this.#rows.turn,
      plan,
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

  /** One dependency less to wait for; what waits for none is ready. */
  free(plan: string, step: string): void {
    this.#rows.run(
      `update steps set missing = missing - 1, state = iif(missing = 1, 'ready', 'waiting'), from_turn = ?
       where state = 'waiting' and id in (select plan || '/' || dependant from edges where plan = ? and step = ?)`,
      this.#rows.turn,
      plan,
      step,
    );
  }

  /** Skips whatever waits for the step, directly or not. Gives how many. */
  skipDependants(plan: string, step: string, reason: string): number {
    let skipped = 0;
    const queue = [step];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const dependants = this.#rows.all<Pick<StepRow, 'id' | 'step'>>(
        `select s.id, s.step from edges e join steps s on s.id = e.plan || '/' || e.dependant
         where e.plan = ? and e.step = ? and s.state in ('waiting', 'ready')`,
        plan,
        next,
      );
      for (const { id, step: dependant } of dependants) {
        this.close(id, 'skipped', reason);
        queue.push(dependant);
      }
      skipped += dependants.length;
    }
    return skipped;
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

  /** Makes a step wait for its next round; what it waits for is still to be counted. */
  renew({ id, round }: StepRow): void {
    this.#rows.run(
      `update steps set state = 'waiting', action = ?, from_turn = ? where id = ?`,
      actionKey(id, round),
      this.#rows.turn,
      id,
    );
  }
}

type Defined = Omit<StepRow, 'policy'> & { readonly policy: StoredPolicy };

/** Whether what is under way is what is wanted; a rank or an estimate is no reason to begin anew. */
function isDefinedAs(step: Defined, { name, version, input, after, policy }: PlannedStep): boolean {
  return (
    step.name === name &&
    step.version === version &&
    sameText(step.input, input) &&
    sameText(JSON.stringify(step.policy), JSON.stringify(policy)) &&
    sameMembers(JSON.parse(step.after) as string[], after)
  );
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  const { size } = new Set([...a, ...b]);
  return new Set(a).size === size && new Set(b).size === size;
}
