/**
 * Groups and fan-outs of plans: steps that are no action. A fan-out becomes steps, one for each item of a list; both gather what
 * came of the steps that they wait for, as the value of an action that was never queued, so that whatever comes after finds it
 * where it finds every result.
 *
 * J1 An item is in the plan from the turn in which its list was there, or not at all: there is no half of a fan-out.
 * J2 What is gathered is in the order of the list, and for a group by the names of what is in it.
 * J3 What cannot be stored, because it is too large together or too deep, fails the step and nothing else.
 */
import { isPerdureError } from '../errors.ts';
import { shown } from '../machines/option-keys.ts';
import { isSuccess, type OutcomeKind } from '../machines/outcome.ts';
import type { Clock } from '../persistence/clock.ts';
import { MAX_VALUE_BYTES, tooLarge } from '../persistence/codec.ts';
import type { Rows } from '../persistence/rows.ts';
import { SEALED } from '../persistence/sealing.ts';
import { actionKey, stepKey, type StepRow } from './plan-tables.ts';
import type { StepGraph } from './step-graph.ts';
import { fromText, sealed, toText, unsealed } from './values.ts';

/** How a group or a fan-out ended, and why if not well. */
export interface Joined {
  readonly kind: OutcomeKind;
  readonly reason: string | null;
}

/** What a join waits for, as it ended. */
interface Part {
  readonly step: string;
  readonly kind: OutcomeKind;
  readonly action: string;
  /** Of its value's text, in characters: as little as that has in bytes. 0 for one that is sealed, whose text may be shorter. */
  readonly length: number;
  readonly loss: number | null;
}

const PART = `s.step, s.kind, s.action, actions.quality_loss as loss,
  iif(substr(actions.value, 1, ${SEALED.length}) = '${SEALED}', 0, coalesce(length(actions.value), 0)) as length`;

export class Joins {
  readonly #rows: Rows;
  readonly #clock: Clock;
  readonly #steps: StepGraph;

  constructor(rows: Rows, clock: Clock, steps: StepGraph) {
    this.#rows = rows;
    this.#clock = clock;
    this.#steps = steps;
  }

  /** Puts a step for each item into the plan. Gives how many, or why there can be none. */
  expand(fan: StepRow): number | string {
    const { plan, step, most, at_once: atOnce } = fan;
    const list = this.#listOf(fan);
    if (!Array.isArray(list)) return list;
    if (most !== null && list.length > most)
      return `"${fan.source}" returned ${list.length} items, and the fan-out takes at most ${most}`;
    const given = fromText(unsealed(this.#rows, fan).input) as object | undefined;
    const rounds = this.#steps.unusedRounds(`${stepKey(plan, step)}[`);
    for (const [index, item] of list.entries()) {
      const text = textOf({ item: item as unknown, index, ...given }, `the input of the step "${step}[${index}]"`);
      if ('refusal' in text) {
        this.#rows.run('delete from steps where plan = ? and fan = ?', plan, step);
        return text.refusal;
      }
      this.#putItem(fan, index, sealed(this.#rows, text.stored), rounds);
    }
    this.#rows.run(
      'update steps set items = ?, missing = ?, state = ?, from_turn = ? where id = ?',
      list.length,
      list.length,
      list.length === 0 ? 'ready' : 'waiting',
      this.#rows.turn,
      fan.id,
    );
    this.#steps.admit(plan, step, atOnce);
    return list.length;
  }

  #listOf({ plan, source }: StepRow): unknown[] | string {
    const found = this.#rows.get<{ value: string | null }>(
      `select actions.value as value from steps join actions on actions.id = steps.action where steps.id = ?`,
      stepKey(plan, source as string),
    );
    if (found === undefined || found.value === null) return `"${source}" has no value, and a fan-out goes over a list`;
    const list = fromText(unsealed(this.#rows, found).value as string);
    return Array.isArray(list) ? list : `"${source}" returned ${shown(list)}, and a fan-out goes over a list`;
  }

  #putItem(fan: StepRow, index: number, input: string, rounds: ReadonlyMap<string, number>): void {
    const step = `${fan.step}[${index}]`;
    const id = stepKey(fan.plan, step);
    const round = rounds.get(id) ?? 1;
    this.#rows.run(
      `insert into steps(id, plan, step, name, version, input, after, policy, rank, estimate_ms, urgency, source, at_once, fan, item,
         missing, state, round, action, from_turn)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 'waiting', ?, ?, ?)`,
      id,
      fan.plan,
      step,
      fan.name,
      fan.version,
      input,
      fan.after,
      fan.policy,
      fan.rank,
      fan.estimate_ms,
      fan.urgency,
      fan.source,
      fan.at_once,
      fan.step,
      index,
      round,
      actionKey(id, round),
      this.#rows.turn,
    );
  }

  /** Gathers what came of the steps that it waited for, all of which have their outcomes. */
  gather(join: StepRow): Joined {
    const parts = join.role === 'each' ? this.#itemsOf(join) : this.#membersOf(join);
    const kind = kindOf(parts);
    const unsuccessful = parts.find((part) => !isSuccess(part.kind));
    if (join.role === 'each' || this.#isRead(join.plan, join.step)) {
      const text = this.#textOf(join, parts);
      if ('refusal' in text) return { kind: 'failed', reason: text.refusal };
      this.#putValue(join, kind, parts, text.stored);
    }
    const reason =
      unsuccessful === undefined
        ? null
        : `"${unsuccessful.step}" ${unsuccessful.kind === 'failed' ? 'failed' : `was ${unsuccessful.kind}`}`;
    return { kind, reason };
  }

  #itemsOf({ plan, step }: StepRow): Part[] {
    return this.#rows.all<Part>(
      `select ${PART}
       from steps s left join actions on actions.id = s.action where s.plan = ? and s.fan = ? order by s.item`,
      plan,
      step,
    );
  }

  #membersOf({ id }: StepRow): Part[] {
    return this.#rows.all<Part>(
      `select ${PART}
       from steps me, json_each(me.after) named join steps s on s.id = me.plan || '/' || named.value
       left join actions on actions.id = s.action where me.id = ? order by named.key`,
      id,
    );
  }

  /** Whether anything but the groups that it is in comes after the group, or after one of these. */
  #isRead(plan: string, step: string): boolean {
    const dependants = this.#rows.all<Pick<StepRow, 'step' | 'role'>>(
      `select s.step, s.role from edges e join steps s on s.id = e.plan || '/' || e.dependant where e.plan = ? and e.step = ?`,
      plan,
      step,
    );
    return dependants.some((one) => one.role !== 'group' || this.#isRead(plan, one.step));
  }

  /** Reads no more of the parts than can be stored together. */
  #textOf(join: StepRow, parts: readonly Part[]): Text {
    const where = `the value of the step "${join.step}"`;
    let bytes = parts.reduce((sum, { length }) => sum + length, 0);
    const values: unknown[] = [];
    for (const { action, length } of parts) {
      if (bytes > MAX_VALUE_BYTES) return { refusal: tooLarge(where, bytes, 'at least ', MAX_VALUE_BYTES).message };
      const found = this.#rows.get<{ value: string | null }>('select value from actions where id = ?', action);
      const text = found === undefined ? null : unsealed(this.#rows, found).value;
      bytes += (text?.length ?? 0) - length;
      values.push(text === null ? null : fromText(text));
    }
    const names = parts.map(({ step }) => step.slice(join.step.length + 1));
    return textOf(join.role === 'each' ? values : Object.fromEntries(values.map((one, n) => [names[n], one])), where);
  }

  #putValue(join: StepRow, kind: OutcomeKind, parts: readonly Part[], value: string): void {
    const at = this.#clock.now();
    this.#rows.run(
      `insert into actions(id, name, version, input, policy, rank, plan, state, submitted_at, settled_at, kind, value, attempts,
         quality_loss, from_turn)
       values (?, ?, ?, ?, ?, ?, ?, 'settled', ?, ?, ?, ?, 0, ?, ?)`,
      join.action,
      join.name,
      join.version,
      join.input,
      join.policy,
      join.rank,
      join.plan,
      at,
      at,
      kind,
      sealed(this.#rows, value),
      parts.reduce((worst, { loss }) => Math.max(worst, loss ?? 0), 0),
      this.#rows.turn,
    );
  }
}

/** Of a value; or why there can be none (J3). */
type Text = { readonly stored: string } | { readonly refusal: string };

function textOf(value: unknown, where: string): Text {
  try {
    return { stored: toText(value, where) };
  } catch (error) {
    if (isPerdureError(error) && error.code === 'CODEC_REFUSED') return { refusal: error.message };
    throw error;
  }
}

/** As good as the worst of it: one that failed weighs more than one that was cancelled. */
function kindOf(parts: readonly Part[]): OutcomeKind {
  const kinds = new Set(parts.map(({ kind }) => kind));
  if (parts.every(({ kind }) => isSuccess(kind))) return kinds.has('degraded') ? 'degraded' : 'ok';
  return kinds.has('cancelled') && !kinds.has('failed') ? 'cancelled' : 'failed';
}
