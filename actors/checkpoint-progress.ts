/** How far the work is when a turn is named: what runs, and of each plan that goes on what is done and what comes next. */
import type { Rows } from '../persistence/rows.ts';

/** What runs. */
export interface CheckpointTask {
  readonly id: string;
  readonly name: string;
  /** The plan that it is a step of; null for none. */
  readonly plan: string | null;
}

/** A plan that has not settled. The steps are named in the order of their urgency. */
export interface CheckpointPlan {
  readonly id: string;
  readonly name: string;
  /** Steps without an outcome; null in a plan of before that was counted. */
  readonly unsettled: number | null;
  /** Steps that had an outcome, of any kind; the first ten. */
  readonly completed: readonly string[];
  /** Steps that are under way or come next; the first ten. */
  readonly next: readonly string[];
}

/** What a checkpoint says of the work: the first few of each, so that it costs the same whatever there is. */
export interface CheckpointProgress {
  readonly tasks: readonly CheckpointTask[];
  readonly plans: readonly CheckpointPlan[];
}

const TASKS = 20;
const PLANS = 5;
const STEPS = 10;

/** Every query ends after a few rows of an index. */
export function progressNow(rows: Pick<Rows, 'all'>): CheckpointProgress {
  const tasks = rows.all<CheckpointTask>(
    `select id, name, plan from actions where state = 'running' order by slot limit ${TASKS}`,
  );
  const plans = rows.all<Pick<CheckpointPlan, 'id' | 'name' | 'unsettled'>>(
    `select id, name, unsettled from plans where state <> 'settled' order by seq limit ${PLANS}`,
  );
  const steps = (plan: string, state: string) =>
    rows
      .all<{ step: string }>(
        `select step from steps where plan = ? and state = ? order by rank desc limit ${STEPS}`,
        plan,
        state,
      )
      .map(({ step }) => step);
  return {
    tasks,
    plans: plans.map(({ id, name, unsettled }) => ({
      id,
      name,
      unsettled,
      completed: steps(id, 'settled'),
      next: [...steps(id, 'dispatched'), ...steps(id, 'ready'), ...steps(id, 'waiting')].slice(0, STEPS),
    })),
  };
}
