/**
 * What waited in a kept turn, how far each plan was, and what a fork of it may give another input: `GET /v1/views/past-work?turn=`.
 *
 * What is shown is redacted. A secret of an input is not known here, so whoever gives another input says it again.
 */
import { keepsInput } from '../../actors/forks.ts';
import { readable } from '../../actors/unreadable.ts';
import { toText, unsealedText } from '../../actors/values.ts';
import type { OutcomeKind } from '../../machines/outcome.ts';
import { REDACTED } from '../../persistence/secrets.ts';
import { ENCRYPTED } from '../../persistence/store-reader.ts';
import { assertKept } from '../../persistence/time-travel.ts';
import type { Shown } from '../protocol.ts';
import { shownValue, type ViewWorld } from '../sources/view-world.ts';

/** An action or a step that had not settled. */
export interface PastWorkItem {
  /** By which a fork knows it: the id of the action, or `plan/step`. */
  readonly id: string;
  readonly kind: 'action' | 'step';
  /** What is run. */
  readonly name: string;
  /** The plan that it is of; null for none. */
  readonly plan: string | null;
  /** The state of then, such as `waiting`, `running` or `asking`. */
  readonly state: string;
  readonly input: Shown;
  /** Parts of the input are not shown, because they are secrets. */
  readonly isRedacted: boolean;
  /** Why it keeps its input in a fork, in words; null when it may get another. */
  readonly keeps: string | null;
}

/** Steps of a plan that stood alike. */
export interface PastSteps {
  /** How they had ended; else `running` or `asking`, as the action did that they had become; or `waiting`. */
  readonly standing: OutcomeKind | 'running' | 'asking' | 'waiting';
  readonly count: number;
  /** Their paths, the most urgent first; at most 20. */
  readonly steps: readonly string[];
}

/** A plan that had not settled. */
export interface PastPlan {
  readonly id: string;
  readonly name: string;
  readonly standings: readonly PastSteps[];
}

export interface PastWork {
  readonly turn: number;
  /** Those that may get another input first; at most 500. */
  readonly items: readonly PastWorkItem[];
  readonly more: boolean;
  /** Those that went on, the oldest first; at most 20. */
  readonly plans: readonly PastPlan[];
  readonly morePlans: boolean;
}

const MOST = 500;
const MOST_PLANS = 20;
const NAMED_STEPS = 20;
/** Characters of an input: a longer one is cut, and what is cut cannot be edited. */
const EDITABLE = 60_000;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly plan: string | null;
  readonly state: string;
  readonly input: string;
  readonly shortfall: string | null;
}

interface Version {
  readonly row: number;
  readonly from_turn: number;
}

interface Ended {
  readonly id: string;
  readonly to_turn: number;
  readonly from_turn: number;
}

/** Rows of each state, and versions of the past, that are looked at. */
const LOOKED_AT = 10_000;

const ofState = (index: string, state: string) => `actions indexed by ${index} where state = '${state}'`;

/** A dispatched step is told as the action that it has become. What is open now is found by an index of each state. */
const OPEN = {
  actions: {
    cells: 'id, name, plan, state, input, shortfall, seq as place',
    where: `state <> 'settled'`,
    now: [
      ofState('actions_lane', 'waiting'),
      ofState('actions_held_in', 'held'),
      ofState('actions_delayed', 'delayed'),
      ofState('actions_running', 'running'),
      ofState('actions_parked', 'parked'),
      `actions where state = 'asking' and id in (select action from approvals where state = 'open')`,
    ],
  },
  steps: {
    cells: 'id, name, plan, state, input, null as shortfall, -rank as place',
    where: `state not in ('settled', 'dispatched')`,
    now: [`steps where state in ('waiting', 'ready') and plan in (select id from plans where state <> 'settled')`],
  },
} as const;

/** Throws CHECKPOINT_UNKNOWN for a turn that is not kept. */
export function pastWork(world: ViewWorld, turn: number): PastWork {
  assertKept(world.statements, turn);
  const parts = (['actions', 'steps'] as const).map((table) => ({ table, ...openAt(world, table, turn) }));
  const found = parts.flatMap(({ table, open }) => open.map((row) => itemOf(world, table, row)));
  const ordered = [...found.filter(({ keeps }) => keeps === null), ...found.filter(({ keeps }) => keeps !== null)];
  const plans = plansAt(world, turn);
  const idle = idleAt(world, turn);
  return {
    turn,
    items: ordered.slice(0, MOST),
    more: ordered.length > MOST || parts.some(({ isCut }) => isCut),
    plans: plans
      .slice(0, MOST_PLANS)
      .map(({ id, name }) => ({ id, name, standings: standingsAt(world, id, turn, idle) })),
    morePlans: plans.length > MOST_PLANS,
  };
}

function plansAt({ rows }: Pick<ViewWorld, 'rows'>, turn: number): Pick<PastPlan, 'id' | 'name'>[] {
  const open = `select id, name, seq from`;
  return rows.all(
    `select id, name from (
       ${open} plans where state <> 'settled' and from_turn <= ? union all
       ${open} plans_past where state <> 'settled' and from_turn <= ? and to_turn > ?)
     order by seq limit ${MOST_PLANS + 1}`,
    turn,
    turn,
    turn,
  );
}

/** In the order of what should be known first: what went wrong, what goes on, what is done. */
const STANDINGS = [
  'failed',
  'denied',
  'cancelled',
  'skipped',
  'degraded',
  'asking',
  'running',
  'waiting',
  'recovered',
  'ok',
];

/** Actions that are otherwise now, and then neither ran nor had settled: what each was, as JSON. Only the first few are looked at. */
function idleAt({ rows }: Pick<ViewWorld, 'rows'>, turn: number): string {
  const found = rows.get<{ states: string }>(
    `select json_group_object(id, state) as states from (
       select id, state, from_turn from actions_past where to_turn > ? order by to_turn limit ${LOOKED_AT})
     where from_turn <= ? and state not in ('running', 'settled')`,
    turn,
    turn,
  );
  return found?.states ?? '{}';
}

function standingsAt({ rows }: Pick<ViewWorld, 'rows'>, plan: string, turn: number, idle: string): PastSteps[] {
  const versions = (table: string) =>
    `select s.step, s.rank, case when s.state = 'settled' then s.kind
       when s.state <> 'dispatched' or coalesce(a.state, past.state) in ('waiting', 'held', 'delayed', 'parked') then 'waiting'
       when coalesce(a.state, past.state) = 'asking' then 'asking' else 'running' end as standing
     from ${table} s left join actions a on a.id = s.action and a.from_turn <= ? left join past on past.id = s.action
     where s.plan = ? and s.from_turn <= ?`;
  const found = rows.all<{ standing: PastSteps['standing']; count: number; step: string }>(
    `with past as materialized (select key as id, value as state from json_each(?))
     select standing, count, step from (
       select standing, step, rank, count(*) over (partition by standing) as count,
         row_number() over (partition by standing order by rank desc, step) as place from (
           ${versions('steps')} union all ${versions('steps_past')} and s.to_turn > ?))
     where place <= ${NAMED_STEPS} order by rank desc, step`,
    idle,
    turn,
    plan,
    turn,
    turn,
    plan,
    turn,
    turn,
  );
  const standings = [...new Set(found.map(({ standing }) => standing))];
  standings.sort((a, b) => STANDINGS.indexOf(a) - STANDINGS.indexOf(b));
  return standings.map((standing) => {
    const own = found.filter((one) => one.standing === standing);
    return { standing, count: own[0]?.count ?? 0, steps: own.map(({ step }) => step) };
  });
}

/**
 * What the turn saw: the version of now, where that is as old, or one of the past. Those that have begun come last. Of many only the
 * first of each index are looked at.
 */
function openAt(
  { rows }: Pick<ViewWorld, 'rows'>,
  table: keyof typeof OPEN,
  turn: number,
): { open: Row[]; isCut: boolean } {
  const { cells, where, now } = OPEN[table];
  const versions = now.map((from) =>
    rows.all<Version>(`select rowid as row, from_turn from ${from} limit ${LOOKED_AT + 1}`),
  );
  const ended = rows.all<Ended>(
    `select id, to_turn, from_turn from ${table}_past where to_turn > ? order by to_turn limit ${LOOKED_AT + 1}`,
    turn,
  );
  const isSeen = (one: { readonly from_turn: number }) => one.from_turn <= turn;
  const open = rows.all<Row>(
    `select * from (
       select ${cells} from ${table} where rowid in (select value from json_each(?)) union all
       select ${cells} from ${table}_past where ${where} and (to_turn, id) in (
         select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?)))
     order by state in ('running', 'asking'), place limit ${MOST + 1}`,
    JSON.stringify(
      versions
        .flat()
        .filter(isSeen)
        .map(({ row }) => row),
    ),
    JSON.stringify(ended.filter(isSeen).map(({ to_turn, id }) => [to_turn, id])),
  );
  return { open, isCut: [...versions, ended].some(({ length }) => length > LOOKED_AT) };
}

function itemOf(world: ViewWorld, table: keyof typeof OPEN, row: Row): PastWorkItem {
  const text = readable(() => unsealedText(world.rows, row.input), '');
  const input = shownValue(world, text);
  const { id, name, plan, state } = row;
  return {
    id,
    kind: table === 'actions' ? 'action' : 'step',
    name,
    plan,
    state,
    input,
    isRedacted: text === ENCRYPTED || (JSON.stringify(input) ?? '').includes(REDACTED),
    keeps: keepsInput(state, row.shortfall) ?? notEditable(text),
  };
}

/** What cannot be written as JSON would become something else when it is written back. */
function notEditable(text: string): string | null {
  if (text === ENCRYPTED) return 'it is encrypted';
  if (text.length > EDITABLE) return 'its input is too long to be edited here';
  const again = readable(() => toText(JSON.parse(text), 'an input'), undefined);
  if (again === undefined) return 'its input cannot be read: its row was damaged';
  return again === text ? null : 'its input holds what JSON has no words for, such as a date';
}
