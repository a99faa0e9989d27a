/**
 * What an earlier version of Perdure stored, as this one knows it: the policies in the rows of actions and steps, and the
 * states of the supervisor, the executor, the checkpoint and of actions that were under way. Before version 2 there was no gate,
 * no component, no undoing, one nameless fallback and no error budget, and a checkpoint could not be gone back to.
 */
import { PerdureError } from '../errors.ts';
import type { ActionContext } from '../machines/action-state.ts';
import type { ActionPolicy, StoredPolicy } from '../machines/action-policy.ts';
import { budgetPolicy } from '../machines/budget-policy.ts';
import type { CheckpointContext } from '../machines/checkpoint-state.ts';
import { NO_OUTCOMES } from '../machines/calibration.ts';
import { fingerprintOf } from '../machines/fingerprint.ts';
import type { ErrorRecord } from '../machines/outcome.ts';
import type { Risk } from '../machines/risk.ts';
import { isObject } from '../machines/option-keys.ts';
import { DEFAULT_THRESHOLDS } from '../machines/thresholds.ts';
import type { MigrationStep, Migrations, StoredState } from '../persistence/migrations.ts';

/** Of one that was stored before there was a gate, nobody said that it could do harm. */
const RISK: Risk = {
  impact: 'low',
  reversible: null,
  clarity: null,
  confidence: null,
  summary: '',
  silence: 'wait',
  silenceMs: null,
};

type FirstPolicy = Pick<ActionPolicy, 'retry' | 'timeoutMs'> & { readonly hasFallback: boolean };

function completed({ retry, timeoutMs, hasFallback }: FirstPolicy): ActionPolicy {
  return {
    retry,
    timeoutMs,
    deadlineMs: null,
    component: null,
    whenOpen: 'reject',
    fallbacks: hasFallback ? [{ name: 'fallback', loss: 0.5, owes: false }] : [],
    qualityFloor: 0,
    belowFloor: 'fail',
    hasUndo: false,
  };
}

/** The policy of a row, also of one that an earlier version wrote. */
export function policyOfText(text: string): StoredPolicy {
  let policy: unknown;
  let cause: unknown;
  try {
    policy = JSON.parse(text);
  } catch (error) {
    cause = error;
  }
  if (!isPolicy(policy))
    throw new PerdureError(
      'ROW_CORRUPT',
      'The stored policy of an action or a step cannot be read: its row was damaged.',
      {
        cause,
      },
    );
  return 'risk' in policy ? policy : { ...completed(policy), risk: RISK };
}

function isPolicy(value: unknown): value is StoredPolicy | FirstPolicy {
  return isObject(value) && 'retry' in value;
}

type FirstAction = Pick<ActionContext, 'id' | 'slot' | 'attempt' | 'backOffMs' | 'retryable' | 'roll' | 'at'> & {
  readonly policy: FirstPolicy;
  readonly error: Omit<ErrorRecord, 'class' | 'fingerprint'> | null;
};

function errorOf(error: FirstAction['error']): ErrorRecord | null {
  return error === null ? null : { class: 'transient', fingerprint: fingerprintOf(error), ...error };
}

function toSecondAction(state: StoredState): StoredState {
  const before = state.context as FirstAction;
  const context: ActionContext = {
    ...before,
    policy: completed(before.policy),
    error: errorOf(before.error),
    band: 'immediate',
    score: 0.95,
    raw: 0.95,
    slowMs: 0,
    quality: 1,
    waivesFloor: false,
    startedAt: before.at,
    permit: null,
    fix: null,
    replaced: 0,
    isCancelled: state.value === 'ending',
    isHeld: false,
    undoError: null,
    isUndone: false,
    workMs: 0,
  };
  return { ...state, context };
}

function toSecondExecutor(state: StoredState): StoredState {
  const learned = { thresholds: DEFAULT_THRESHOLDS, outcomes: NO_OUTCOMES, borneOut: NO_OUTCOMES };
  const context = {
    ...(state.context as object),
    idle: [],
    waiting: [],
    caution: 0,
    share: 1,
    freezesOptional: false,
    ...learned,
  };
  return { ...state, context };
}

/** The budget is told at every start; its actor, and the others that are new, are spawned when the tree is back. */
function toSecondSupervisor(state: StoredState): StoredState {
  return { ...state, context: { ...(state.context as object), budget: budgetPolicy() } };
}

/** It did not tell whether it was closed in order, nor what a checkpoint cost; and it knew one interval only. */
function toSecondCheckpoint(state: StoredState): StoredState {
  const before = state.context as Pick<CheckpointContext, 'everyActions' | 'everyMs' | 'settledSince'>;
  const unknown = { costMs: null, lastAt: null, isDown: null, asked: null };
  const context: CheckpointContext = { ...before, upMs: 0, crashes: 0, ...unknown };
  return { ...state, context };
}

function toSecond(migrate: MigrationStep['migrate']): readonly MigrationStep[] {
  return [{ from: '1', to: '2', migrate }];
}

/** From every version of the supervisor's tree that was released. */
export const SUPERVISOR_MIGRATIONS: Migrations = {
  action: toSecond(toSecondAction),
  checkpoint: toSecond(toSecondCheckpoint),
  executor: toSecond(toSecondExecutor),
  supervisor: toSecond(toSecondSupervisor),
};
