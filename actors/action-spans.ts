/**
 * The spans of actions: from their being queued to their outcome being committed, and in that the phases. Nothing of the action is
 * wrapped for it: whoever carries out attempts says when one begins and ends, and the supervisor's events tell the rest.
 *
 *   mail ├─ queued ─┼─ attempt ─┼─ back-off ─┼─ attempt ─┼─ commit ─┤
 *
 * Of one that had to be approved all the time before it began is the approval's.
 *
 * An action that never began, because it was cancelled, denied or skipped, took no time and is no span. What the process was down
 * for is no span either: in the next life an action begins again with its attempt.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { AttemptInput } from '../machines/action-state.ts';
import type { ActionPhase } from '../machines/profile-report.ts';
import type { Profile } from '../machines/profile.ts';
import { isSuccess, type OutcomeKind } from '../machines/outcome.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import { policyOfText } from './earlier-versions.ts';
import { kindOf } from './estimates.ts';
import { readRun } from './profile-tables.ts';
import type { ActionRow } from './queue-tables.ts';
import type { ActiveSpan, MeasuredRun, SpanRecorder } from './span-recorder.ts';

/** Actions that are followed at a time. */
const MOST_ACTIONS = 10_000;

const PHASES = { run: 'attempt', undo: 'undo', fallback: 'fallback' } as const satisfies Record<string, ActionPhase>;

/** What is to be known of an action whose attempt begins. */
export type AttemptedRow = Pick<
  ActionRow,
  'id' | 'name' | 'plan' | 'policy' | 'submitted_at' | 'not_before' | 'round' | 'approved'
>;

interface Followed {
  readonly span: ActiveSpan;
  /** When its last attempt ended. */
  endedAt: number;
}

/** What the spans of actions need. */
export interface ActionSpansWorld {
  readonly rows: Pick<Rows, 'get' | 'all'>;
  readonly clock: Clock;
  readonly recorder: SpanRecorder;
  /** What was measured of a run before. */
  readonly read: (run: string) => Profile;
}

export class ActionSpans {
  readonly #world: ActionSpansWorld;
  readonly #followed = new Map<string, Followed>();
  #context: AsyncLocalStorage<ActiveSpan | undefined> | undefined;

  constructor(world: ActionSpansWorld) {
    this.#world = world;
  }

  /** Which span the running code is in. Made when it is first asked for: it makes every promise of the process dearer. */
  get context(): AsyncLocalStorage<ActiveSpan | undefined> {
    return (this.#context ??= new AsyncLocalStorage());
  }

  /** Carries out an attempt. */
  async attempt<T>(row: AttemptedRow, input: AttemptInput, work: () => Promise<T>): Promise<T> {
    const { recorder } = this.#world;
    const span = this.#begin(row, input);
    if (span === undefined) return this.#context === undefined ? work() : this.#context.run(undefined, work);
    let failed = true;
    try {
      const value = await (this.#context === undefined ? work() : this.#context.run(span, work));
      failed = false;
      return value;
    } finally {
      recorder.end(span, failed);
      const followed = this.#followed.get(row.id);
      if (followed !== undefined) followed.endedAt = recorder.now();
    }
  }

  /** An action has its outcome, and that is committed. */
  settled(id: string, kind: OutcomeKind): void {
    const followed = this.#followed.get(id);
    if (followed === undefined) return;
    const { recorder } = this.#world;
    this.#followed.delete(id);
    this.#rest(followed, 'commit');
    recorder.end(followed.span, !isSuccess(kind));
  }

  #begin(row: AttemptedRow, input: AttemptInput): ActiveSpan | undefined {
    const { recorder } = this.#world;
    if (recorder.mode === 'off') return undefined;
    const known = this.#followed.get(row.id);
    if (known !== undefined) this.#rest(known, 'back-off');
    const { span } = known ?? this.#follow(row, input);
    return recorder.begin(PHASES[input.work], 0, { within: span });
  }

  /** What lay between the end of the last attempt and now. */
  #rest({ span, endedAt }: Followed, name: ActionPhase): void {
    const { recorder } = this.#world;
    if (span.weight === 0) return;
    const rest = recorder.begin(name, 0, { kind: 'wait', within: span, at: endedAt });
    recorder.end(rest, false);
  }

  #follow(row: AttemptedRow, { attempt, work }: AttemptInput): Followed {
    const { recorder, clock } = this.#world;
    const now = recorder.now();
    const run = row.plan === null ? undefined : this.#runOf(row.plan, row.id);
    const weight = recorder.weightOf('actions', run?.of);
    // One that waits for its next attempt in another life, or is in another round, was not queued all the time.
    const isFirst = attempt === 1 && work === 'run' && row.round === 1;
    const since = Math.max(row.submitted_at, row.not_before ?? 0);
    const queuedMs = isFirst ? Math.max(0, clock.now() - since) : 0;
    const span = recorder.begin(weight === 0 ? row.name : subjectOf(row), weight, { at: now - queuedMs, run });
    if (weight > 0 && isFirst) {
      // Somebody had to be asked, which takes longer than any queue.
      const phase: ActionPhase = row.approved === 0 ? 'queued' : 'approval';
      const queued = recorder.begin(phase, 0, { kind: 'wait', within: span, at: now - queuedMs });
      recorder.end(queued, false, now);
    }
    const followed = { span, endedAt: now };
    if (this.#followed.size >= MOST_ACTIONS) this.#forgetOldest();
    this.#followed.set(row.id, followed);
    return followed;
  }

  #forgetOldest(): void {
    for (const [id, { span }] of this.#followed) {
      this.#followed.delete(id);
      return this.#world.recorder.abandon(span);
    }
  }

  /** What runs begins anew, or is there no more: the tree was read back. */
  reopened(): void {
    for (const { span } of this.#followed.values()) this.#world.recorder.abandon(span);
    this.#followed.clear();
  }

  /** The run that an action is a step of, and the name of the step; the members of a fan-out are of one kind. */
  #runOf(plan: string, action: string): { of: MeasuredRun; name: string } | undefined {
    const { rows, recorder } = this.#world;
    const step = rows.get<{ step: string }>('select step from steps where action = ?', action)?.step;
    if (step === undefined) return undefined;
    const of = recorder.runOf(plan, () => this.#opened(plan));
    return of && { of, name: kindOf(step) };
  }

  #opened(id: string): Pick<MeasuredRun, 'plan' | 'profile' | 'beganAt'> {
    const { rows, clock } = this.#world;
    const plan = rows.get<{ name: string }>('select name from plans where id = ?', id)?.name ?? id;
    const found = readRun(rows, id);
    return { plan, profile: this.#world.read(id), beganAt: found?.beganAt ?? clock.now() };
  }
}

/** What its history is kept under: all commands are one action, and each does something else. */
function subjectOf({ name, policy }: AttemptedRow): string {
  return policyOfText(policy).risk.subject ?? name;
}
