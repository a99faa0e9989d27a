/** Reads checkpoints, for the owner of a store and for whoever looks at it from beside. */
import { PerdureError } from '../errors.ts';
import { shown, unknownKey } from '../machines/option-keys.ts';
import type { Rows } from '../persistence/rows.ts';
import { checkObject, refuse } from './action-options.ts';
import { LATEST } from './checkpoint-label.ts';
import type { CheckpointPlan, CheckpointProgress } from './checkpoint-progress.ts';
import { variablesOf, type Variables } from './checkpoint-tables.ts';

type Reader = Pick<Rows, 'get' | 'all' | 'unseal'>;

/** A checkpoint, as it is listed. */
export interface CheckpointInfo extends CheckpointProgress {
  /** The number of its turn, as text. */
  readonly id: string;
  readonly turn: number;
  /** Wall-clock ms. */
  readonly at: number;
  /** `actions`, `interval`, `risk`, `request`, `shutdown`, or `restore` for what was there before one was restored. */
  readonly reason: string;
  readonly label: string | null;
  /** It is kept until it is let go. */
  readonly isPinned: boolean;
}

/** How far a plan was. */
export interface CheckpointPlanProgress extends CheckpointPlan {
  readonly total: number;
  readonly done: number;
  /** From 0 to 1. */
  readonly progress: number;
}

/** A checkpoint, with all that is known of it. */
export interface Checkpoint extends Omit<CheckpointInfo, 'plans'> {
  readonly plans: readonly CheckpointPlanProgress[];
  /** What the host had set. */
  readonly variables: Variables;
}

/** Options of {@link SupervisorCheckpoints.list}. */
export interface CheckpointQuery {
  /** At most so many. Default: 100. */
  readonly limit?: number;
  /** Those that are older than this one. */
  readonly before?: string;
}

interface CheckpointRow {
  readonly turn: number;
  readonly at: number;
  readonly reason: string;
  readonly label: string | null;
  readonly detail: string | null;
  readonly pinned: number;
}

/** Checkpoints, the newest first. Throws OPTIONS_INVALID, and CHECKPOINT_UNKNOWN for a `before` that there is not. */
export function listCheckpoints(rows: Reader, query: CheckpointQuery = {}): CheckpointInfo[] {
  checkObject('A query of checkpoints', query);
  refuse('A query of checkpoints', unknownKey(query, ['limit', 'before']), {});
  const { limit = 100, before } = query;
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new PerdureError('OPTIONS_INVALID', `\`limit\` must be a whole number from 1, got ${shown(limit)}.`);
  const turn = before === undefined ? Number.MAX_SAFE_INTEGER : checkpointTurn(rows, before);
  return rows
    .all<CheckpointRow>('select * from checkpoints where turn < ? order by turn desc limit ?', turn, limit)
    .map(infoOf);
}

/** The turn that is meant: by its number, by the label of a checkpoint, or `latest`. Throws CHECKPOINT_UNKNOWN, OPTIONS_INVALID. */
export function checkpointTurn(rows: Pick<Rows, 'get'>, id: string): number {
  if (typeof (id as unknown) !== 'string')
    throw new PerdureError(
      'OPTIONS_INVALID',
      `A checkpoint is named by a text, its id or its label, got ${shown(id)}.`,
    );
  const turn = findTurn(rows, id);
  if (turn !== undefined) return turn;
  throw new PerdureError(
    'CHECKPOINT_UNKNOWN',
    `There is no checkpoint ${shown(id)}: give the id or the label of one that \`perdure checkpoints\` lists, or \`${LATEST}\`.`,
    { facts: { id } },
  );
}

function findTurn(rows: Pick<Rows, 'get'>, id: string): number | undefined {
  const turnOf = (where: string, ...cells: (string | number)[]) =>
    rows.get<{ turn: number }>(`select turn from ${where} order by turn desc limit 1`, ...cells)?.turn;
  if (id === LATEST) return turnOf('checkpoints');
  const number = /^\d{1,15}$/.test(id) ? Number(id) : undefined;
  const numbered =
    number === undefined
      ? undefined
      : (turnOf('checkpoints where turn = ?', number) ?? turnOf('turns where turn = ?', number));
  return numbered ?? turnOf('checkpoints where label = ?', id);
}

/** A checkpoint. Throws CHECKPOINT_UNKNOWN, also for a turn that only the history keeps. */
export function readCheckpoint(rows: Reader, id: string): Checkpoint {
  const turn = checkpointTurn(rows, id);
  const row = rows.get<CheckpointRow>('select * from checkpoints where turn = ?', turn);
  if (row === undefined)
    throw new PerdureError('CHECKPOINT_UNKNOWN', `The turn ${turn} is kept by the history, and is no checkpoint.`, {
      facts: { id, turn },
    });
  const { plans, ...info } = infoOf(row);
  const variables = rows.get<{ text: string }>(
    `select text from checkpoint_variables where from_turn <= ? union all
     select text from checkpoint_variables_past where from_turn <= ? and to_turn > ?`,
    turn,
    turn,
    turn,
  );
  return {
    ...info,
    plans: plans.map((plan) => withShare(plan, stepsAt(rows, turn, plan.id))),
    variables: variablesOf(rows, variables),
  };
}

/** Throws CHECKPOINT_KEPT for a checkpoint that is pinned, and for the last. */
export function refuseKept(rows: Reader, id: string): void {
  const { turn, isPinned } = readCheckpoint(rows, id);
  const isLast = rows.get('select 1 from checkpoints where turn <> ? limit 1', turn) === undefined;
  if (!isPinned && !isLast) return;
  throw new PerdureError(
    'CHECKPOINT_KEPT',
    `The checkpoint ${turn} is ${isPinned ? 'pinned' : 'the only one'}, and was not removed: say \`force\` if that is meant.`,
    { facts: { turn, isPinned } },
  );
}

function infoOf({ turn, at, reason, label, detail, pinned }: CheckpointRow): CheckpointInfo {
  return { id: String(turn), turn, at, reason, label, isPinned: pinned === 1, ...progressOf(detail) };
}

/** It is only shown: a damaged one must keep nobody from going back. */
function progressOf(detail: string | null): CheckpointProgress {
  let known: unknown;
  try {
    known = JSON.parse(detail ?? '{}');
  } catch {
    known = {};
  }
  const { tasks, plans } = (known ?? {}) as Partial<CheckpointProgress>;
  return { tasks: Array.isArray(tasks) ? tasks : [], plans: Array.isArray(plans) ? plans : [] };
}

function withShare(plan: CheckpointPlan, { total, done }: { total: number; done: number }): CheckpointPlanProgress {
  return { ...plan, total, done, progress: total === 0 ? 0 : done / total };
}

/** How many steps a plan had, and how many of them had settled. */
function stepsAt(rows: Reader, turn: number, plan: string): { total: number; done: number } {
  const counted = `select count(*) as total, coalesce(sum(state = 'settled'), 0) as done from`;
  const [now, past] = [
    rows.get<{ total: number; done: number }>(`${counted} steps where plan = ? and from_turn <= ?`, plan, turn),
    rows.get<{ total: number; done: number }>(
      `${counted} steps_past where plan = ? and from_turn <= ? and to_turn > ?`,
      plan,
      turn,
      turn,
    ),
  ];
  return { total: (now?.total ?? 0) + (past?.total ?? 0), done: (now?.done ?? 0) + (past?.done ?? 0) };
}
