/** What waits, runs and has ended: the list of actions. `GET /v1/views/work`, `GET /v1/views/action?id=`. */
import { policyOfText } from '../../actors/earlier-versions.ts';
import { DEFAULT_QUEUE } from '../../actors/queue-options.ts';
import type { ActionRow, ActionState } from '../../actors/queue-tables.ts';
import { UNREADABLE, readable } from '../../actors/unreadable.ts';
import { unsealedPolicy } from '../../actors/values.ts';
import type { OutcomeKind } from '../../machines/outcome.ts';
import type { Cell } from '../../persistence/rows.ts';
import { cut, shownMessage, shownText, type Reader, type ViewQuery, type ViewWorld } from '../sources/view-world.ts';
import { canRetryPlan } from './plan-round.ts';

/** What is asked; all that is given must hold. In the query of `GET /v1/views/work`. */
export interface WorkQuery {
  /** `dead`: failed, and still on the list of the dead letters. */
  readonly state?: ActionState | 'retrying' | 'failed' | 'dead';
  /** A part of the id or the name. */
  readonly search?: string;
  readonly name?: string;
  readonly queue?: string;
  readonly plan?: string;
  readonly kind?: OutcomeKind;
  /** Those that were submitted before: the `next` of the page before, or the `seq` of the last one that was seen. */
  readonly after?: number;
  /** Default: 100, at most 1,000. */
  readonly limit?: number;
}

export interface WorkItem {
  readonly seq: number;
  readonly id: string;
  readonly name: string;
  readonly plan: string | null;
  readonly queue: string;
  readonly key: string | null;
  readonly state: ActionState;
  readonly kind: OutcomeKind | null;
  readonly attempts: number;
  readonly rank: number;
  readonly submittedAt: number;
  readonly startedAt: number | null;
  readonly settledAt: number | null;
  readonly notBefore: number | null;
  readonly dueAt: number | null;
  readonly retryAt: number | null;
  readonly error: string | null;
}

export interface Work {
  /** The newest first. */
  readonly items: readonly WorkItem[];
  /** Whether there may be more. */
  readonly more: boolean;
  /** Where to go on, as `after`; null when there are no more. A page may be empty and have a next one: of much only some is looked at. */
  readonly next: number | null;
  readonly queues: readonly {
    readonly name: string;
    readonly isPaused: boolean;
    readonly waiting: number;
    readonly running: number;
    readonly limit: number | null;
  }[];
  /** The names of actions that there are, for filters. */
  readonly names: readonly string[];
}

/** One action with all that is known of it: `GET /v1/views/action?id=`. Values are redacted, and cut at 64 KB. */
export interface ActionDetail extends WorkItem {
  readonly input: unknown;
  readonly value: unknown;
  readonly errorRecord: unknown;
  readonly policy: unknown;
  readonly score: number | null;
  readonly band: string | null;
  readonly qualityLoss: number;
  readonly via: string | null;
  readonly workMs: number;
  readonly slot: number | null;
  /** The id of the actor that carries it out; null when none does. */
  readonly actor: string | null;
  /** The commands that make sense for it now. */
  readonly commands: readonly string[];
  /** Whether it has failed for good, and the plan that it is a step of may be given another round. */
  readonly canRetryPlan: boolean;
}

const STATES = [
  'delayed',
  'held',
  'waiting',
  'running',
  'asking',
  'parked',
  'settled',
  'retrying',
  'failed',
  'dead',
] as const;
const KINDS = ['ok', 'recovered', 'degraded', 'skipped', 'failed', 'denied', 'cancelled'] as const;
const DEFAULT_LIMIT = 100;
const MOST = 1_000;
/** Actions that one page looks at. */
const LOOKED_AT = 10_000;
const NAMES = 1_000;

/** Throws OPTIONS_INVALID. */
export function workQuery(query: ViewQuery): WorkQuery {
  const given = {
    state: query.oneOf('state', STATES),
    search: query.text('search'),
    name: query.text('name'),
    queue: query.text('queue'),
    plan: query.text('plan'),
    kind: query.oneOf('kind', KINDS),
    after: query.whole('after', 0, Number.MAX_SAFE_INTEGER),
    limit: query.whole('limit', 1, MOST),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

export function work(world: ViewWorld, query: WorkQuery): Work {
  const { items, next } = pageOf(world.rows, query);
  return {
    items: items.map((row) => itemOf(world, row)),
    more: next !== null,
    next,
    queues: queuesIn(world),
    names: namesIn(world.rows),
  };
}

interface Page {
  readonly items: readonly ActionRow[];
  readonly next: number | null;
}

/** Of a state that few are in all are looked at, by its index; else the newest are, page by page. */
function pageOf(rows: Reader, query: WorkQuery): Page {
  const { after = Number.MAX_SAFE_INTEGER, limit = DEFAULT_LIMIT } = query;
  const { conditions, cells } = conditionsOf(query);
  const indexed = indexedOf(query);
  const few = indexed.find((one) => isFew(rows, one));
  if (few !== undefined) {
    const others = indexed.filter((one) => one !== few);
    const where = [few.where, ...others.map((one) => one.where), ...conditions, '+seq < ?'].join(' and ');
    const found = rows.all<ActionRow>(
      `select * from ${few.from} where ${where} order by +seq desc limit ?`,
      ...few.cells,
      ...others.flatMap((one) => one.cells),
      ...cells,
      after,
      limit + 1,
    );
    return { items: found.slice(0, limit), next: found.length > limit ? (found[limit - 1]?.seq ?? null) : null };
  }
  const newest = lastBefore(rows, after);
  if (newest === undefined) return { items: [], next: null };
  const lowest = newest - LOOKED_AT + 1;
  const where = ['seq between ? and ?', ...indexed.map((one) => one.where), ...conditions].join(' and ');
  const found = rows.all<ActionRow>(
    `select * from actions not indexed where ${where} order by seq desc limit ?`,
    lowest,
    newest,
    ...indexed.flatMap((one) => one.cells),
    ...cells,
    limit + 1,
  );
  if (found.length > limit) return { items: found.slice(0, limit), next: found[limit - 1]?.seq ?? null };
  return { items: found, next: lastBefore(rows, lowest) === undefined ? null : lowest };
}

/** What is told apart by a column that no index has. */
function conditionsOf({ state, search, name, queue, kind }: WorkQuery): { conditions: string[]; cells: Cell[] } {
  const asked: [string, string | undefined][] = [
    ['name = ?', name],
    [`coalesce(queue, '${DEFAULT_QUEUE}') = ?`, queue],
    ['kind = ?', kind],
    [`state = ?`, state === 'settled' ? state : undefined],
    [`instr(lower(id || char(0) || name), ?) > 0`, search?.toLowerCase()],
  ];
  const given = asked.filter((one): one is [string, string] => one[1] !== undefined);
  return { conditions: given.map(([condition]) => condition), cells: given.map(([, cell]) => cell) };
}

/** A part of the actions that an index finds. */
interface Indexed {
  readonly from: string;
  readonly where: string;
  readonly cells: readonly Cell[];
}

const by = (index: string, where: string): Indexed => ({ from: `actions indexed by ${index}`, where, cells: [] });

const BY_STATE: Readonly<Partial<Record<NonNullable<WorkQuery['state']>, Indexed>>> = {
  waiting: by('actions_lane', `state = 'waiting'`),
  held: by('actions_held_in', `state = 'held'`),
  delayed: by('actions_delayed', `state = 'delayed'`),
  running: by('actions_running', `state = 'running'`),
  retrying: by('actions_running', `state = 'running' and retry_at is not null`),
  parked: by('actions_parked', `state = 'parked'`),
  failed: by('actions_failed', `kind = 'failed'`),
  dead: by('actions_dead', `kind = 'failed' and discarded_at is null and pays is null`),
  asking: {
    from: 'actions',
    where: `state = 'asking' and id in (select action from approvals where state = 'open')`,
    cells: [],
  },
};

/** The parts of the actions that an index finds, of which all that is asked is in each. */
function indexedOf({ state, plan }: WorkQuery): Indexed[] {
  const ofState = state === undefined ? undefined : BY_STATE[state];
  const ofPlan = {
    from: 'actions indexed by actions_plan',
    where: 'plan = ?',
    cells: plan === undefined ? [] : [plan],
  };
  return [...(plan === undefined ? [] : [ofPlan]), ...(ofState === undefined ? [] : [ofState])];
}

/** No more than that are counted: an index of many is not walked to its end. */
function isFew(rows: Reader, { from, where, cells }: Indexed): boolean {
  const sql = `select count(*) as n from (select 1 from ${from} where ${where} limit ${LOOKED_AT + 1})`;
  return (rows.get<{ n: number }>(sql, ...cells)?.n ?? 0) <= LOOKED_AT;
}

function lastBefore(rows: Reader, seq: number): number | undefined {
  return rows.get<{ seq: number | null }>('select max(seq) as seq from actions where seq < ?', seq)?.seq ?? undefined;
}

function itemOf(world: ViewWorld, row: ActionRow): WorkItem {
  return {
    seq: row.seq,
    id: row.id,
    name: row.name,
    plan: row.plan,
    queue: row.queue ?? DEFAULT_QUEUE,
    key: row.key,
    state: row.state,
    kind: row.kind,
    attempts: row.attempts,
    rank: row.rank,
    submittedAt: row.submitted_at,
    startedAt: row.started_at,
    settledAt: row.settled_at,
    notBefore: row.not_before,
    dueAt: row.due_at,
    retryAt: row.retry_at,
    error: shownMessage(world, row.error),
  };
}

/** Lanes count what waits, but for the plain one: that of the default queue without a component. */
function queuesIn({ rows, live }: ViewWorld): Work['queues'] {
  const waiting = countsBy(
    rows,
    `select queue, sum(n) as n from (
       select queue, waiting as n from lanes
       union all select '${DEFAULT_QUEUE}', count(*) from actions where state = 'waiting' and lane = 0) group by 1`,
  );
  const running = countsBy(
    rows,
    `select coalesce(queue, '${DEFAULT_QUEUE}') as queue, count(*) as n from actions where state = 'running' group by 1`,
  );
  const paused = new Set(rows.all<{ queue: string }>('select queue from paused_queues').map(({ queue }) => queue));
  return [...new Set([DEFAULT_QUEUE, ...waiting.keys(), ...running.keys(), ...paused])].sort().map((name) => ({
    name,
    isPaused: paused.has(name),
    waiting: waiting.get(name) ?? 0,
    running: running.get(name) ?? 0,
    limit: live?.limitOf(name) ?? null,
  }));
}

function countsBy(rows: Reader, sql: string): Map<string, number> {
  return new Map(rows.all<{ queue: string; n: number }>(sql).map(({ queue, n }) => [queue, n]));
}

/** Of those that have settled, and that run. */
function namesIn(rows: Reader): string[] {
  const sql = `select name from action_history union select name from actions where state = 'running' order by 1 limit ${NAMES}`;
  return rows.all<{ name: string }>(sql).map(({ name }) => name);
}

/** An action with all that is known of it; undefined when there is none of this id. */
export function actionDetail(world: ViewWorld, id: string): ActionDetail | undefined {
  const { rows, tree } = world;
  const row = rows.get<ActionRow>('select * from actions where id = ?', id);
  if (row === undefined) return undefined;
  return {
    ...itemOf(world, row),
    input: shownText(world, row.input),
    value: shownText(world, row.value),
    errorRecord: shownText(world, row.error),
    policy: readable(() => cut(world.payloads.shown(unsealedPolicy(rows, policyOfText(row.policy)))), UNREADABLE),
    score: row.score,
    band: row.band,
    qualityLoss: row.quality_loss,
    via: row.via,
    workMs: row.work_ms,
    slot: row.slot,
    actor: row.state === 'running' && row.slot !== null ? `${tree}/executor/slot.${row.slot}` : null,
    commands: commandsFor(row),
    canRetryPlan: row.kind === 'failed' && canRetryPlan(rows, row.plan),
  };
}

/** What somebody may want done with an action as it is. */
function commandsFor({ state, kind, retry_at, discarded_at, pays, plan }: ActionRow): string[] {
  switch (state) {
    case 'waiting':
    case 'held':
    case 'parked':
      return ['cancel'];
    case 'delayed':
      return ['run-now', 'cancel'];
    case 'asking':
      return ['approve', 'deny', 'cancel'];
    case 'running':
      return retry_at === null ? ['cancel'] : ['retry', 'cancel'];
    case 'settled': {
      const isDead = kind === 'failed' && discarded_at === null && pays === null;
      if (!isDead) return [];
      // A step has another round with its plan.
      return plan === null ? ['requeue', 'discard'] : ['discard'];
    }
  }
}
