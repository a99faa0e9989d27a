/**
 * Groups what waits in lanes, so that what may not run now costs a claim nothing: all of a lane may run, or none of it. A lane
 * is a queue, the component that its actions lean on, and whether they wait while that is out of use.
 *
 * L1 Every waiting row has a lane, and `waiting` of the lane is how many these are; not of the plain one, which is not counted.
 */
import type { UrgencyNotice } from '../machines/executor.ts';
import type { ActionPolicy } from '../machines/action-policy.ts';
import type { Rows } from '../persistence/rows.ts';
import type { LaneRow } from './lane-tables.ts';
import { DEFAULT_QUEUE, type Queueing } from './queue-options.ts';

/** What the actions of a queue share in one step: rows, limits, the time, when they want to be woken, what is told. */
export interface QueueStep {
  readonly rows: Rows;
  readonly limits: Queueing;
  readonly now: () => number;
  /** Something can change at that time, ms since 1970. */
  readonly wakeBy: (at: number) => void;
  /** The world is to hear of it. */
  readonly tell: (notice: UrgencyNotice) => void;
}

/** The lane of the default queue for actions without a component: it has no row. */
export const PLAIN_LANE = 0;

/** What of an action decides, beside its queue, in which lane it waits. */
export type Leaning = Pick<ActionPolicy, 'component' | 'whenOpen' | 'deadlineMs'>;

const LEANS_ON_NOTHING: Leaning = { component: null, whenOpen: 'reject', deadlineMs: null };

/** The lane, made if there was none. One with a deadline must ask its component in time, and so does not wait for it here. */
export function laneFor(rows: Rows, queue: string | null, { component, whenOpen, deadlineMs }: Leaning): number {
  const name = queue ?? DEFAULT_QUEUE;
  if (name === DEFAULT_QUEUE && component === null) return PLAIN_LANE;
  const waits = component !== null && whenOpen === 'wait' && deadlineMs === null ? 1 : 0;
  const found = () =>
    rows.get<LaneRow>('select id from lanes where queue = ? and component is ? and waits = ?', name, component, waits);
  const lane = found();
  if (lane !== undefined) return lane.id;
  rows.run(
    'insert into lanes(queue, component, waits, from_turn) values (?, ?, ?, ?)',
    name,
    component,
    waits,
    rows.turn,
  );
  return (found() as LaneRow).id;
}

/** L1. */
export function countIn(rows: Rows, lane: number | null, by: number): void {
  if (lane === null || lane === PLAIN_LANE || by === 0) return;
  rows.run('update lanes set waiting = waiting + ?, from_turn = ? where id = ?', by, rows.turn, lane);
}

/**
 * Gives rows of before there were lanes theirs, and each queue that is declared one, so that it is known to whoever reads the
 * store; and counts all anew: at the start.
 */
export function prepareLanes(rows: Rows, declared: Iterable<string>): void {
  for (const queue of declared) laneFor(rows, queue, LEANS_ON_NOTHING);
  const groups = rows.all<{ component: string | null; waits: number }>(
    `select distinct ${COMPONENT} as component, ${WAITS} as waits from actions where ${LANELESS}`,
  );
  for (const { component, waits } of groups)
    rows.run(
      `update actions set lane = ?, from_turn = ? where ${LANELESS} and ${COMPONENT} is ? and ${WAITS} = ?`,
      laneFor(rows, null, { component, whenOpen: waits === 1 ? 'wait' : 'reject', deadlineMs: null }),
      rows.turn,
      component,
      waits,
    );
  rows.run(
    `update lanes set from_turn = ?,
       waiting = (select count(*) from actions where state = 'waiting' and lane = lanes.id)
     where waiting <> (select count(*) from actions where state = 'waiting' and lane = lanes.id)`,
    rows.turn,
  );
}

const COMPONENT = `json_extract(policy, '$.component')`;
const WAITS = `(json_extract(policy, '$.whenOpen') is 'wait' and json_extract(policy, '$.deadlineMs') is null)`;
const LANELESS = `lane is null and state in ('waiting', 'asking', 'parked', 'running')`;
