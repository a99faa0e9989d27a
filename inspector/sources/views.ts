/** The views by name: what is asked of each is checked, and then read. */
import { PerdureError } from '../../errors.ts';
import { nearest } from '../../machines/nearest.ts';
import { shown } from '../../machines/option-keys.ts';
import { actorAsOf } from './stored-actors.ts';
import { ViewQuery, type ViewWorld } from './view-world.ts';
import { approvalsView } from '../views/approvals.ts';
import {
  budgetView,
  cpuProfileView,
  deadLettersView,
  profileView,
  resourcesView,
  schedulesView,
  traceView,
} from '../views/measures.ts';
import { keptTurn } from '../views/kept-turns.ts';
import { overview } from '../views/overview.ts';
import { pastWork } from '../views/past-work.ts';
import { checkpointsView, comparison, past } from '../views/past.ts';
import { planGraph, plans } from '../views/plan.ts';
import { MOST_TIMELINE_ROWS, timeline } from '../views/timeline.ts';
import { actionDetail, work, workQuery } from '../views/work.ts';

/** Trees that a refusal names. */
const MOST_TREES = 20;
const LATEST = Number.MAX_SAFE_INTEGER;

/** Checks what is asked, and gives what reads it. */
type View = (query: ViewQuery) => (world: ViewWorld) => unknown;

/** Those that any store has. */
const OF_STORES: Readonly<Record<string, View>> = {
  compare: (query) => {
    const [a, b, tree] = [query.whole('a', 0, LATEST), query.whole('b', 0, LATEST), query.text('tree')];
    if (a === undefined) query.needed('a');
    return (world) => comparison(world, tree ?? comparedTree(world), a as number, b);
  },
  past: (query) => {
    const turn = neededTurn(query);
    return (world) => past(world, turn);
  },
  'past-actor': (query) => {
    const [turn, id] = [neededTurn(query), query.needed('id')];
    return (world) => actorAsOf(world, turn, id) ?? notFound('actor', id, `in turn ${turn}`);
  },
};

/** Those of a supervisor. */
const OF_SUPERVISORS: Readonly<Record<string, View>> = {
  overview: () => overview,
  work: (query) => {
    const asked = workQuery(query);
    return (world) => work(world, asked);
  },
  action: (query) => {
    const id = query.needed('id');
    return (world) => actionDetail(world, id) ?? notFound('action', id);
  },
  plans: (query) => {
    const [after, name] = [query.whole('after', 0, LATEST), query.text('name')];
    return (world) => plans(world, after, name);
  },
  plan: (query) => {
    const id = query.needed('id');
    return (world) => planGraph(world, id) ?? notFound('run of a plan', id);
  },
  timeline: (query) => {
    const given = {
      from: query.number('from', 0, LATEST),
      to: query.number('to', 0, LATEST),
      plan: query.text('plan'),
      limit: query.whole('limit', 1, MOST_TIMELINE_ROWS),
    };
    const asked = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    return (world) => timeline(world, asked);
  },
  approvals: () => approvalsView,
  checkpoints: () => checkpointsView,
  'kept-turn': (query) => {
    const turn = neededTurn(query);
    return (world) => keptTurn(world, turn);
  },
  'past-work': (query) => {
    const turn = neededTurn(query);
    return (world) => pastWork(world, turn);
  },
  profile: (query) => {
    const plan = query.text('plan');
    return (world) => profileView(world, plan);
  },
  cpuprofile: (query) => {
    const plan = query.text('plan');
    return (world) => cpuProfileView(world, plan) ?? notFound('profile', plan ?? 'of all work');
  },
  trace: () => traceView,
  resources: () => resourcesView,
  budget: () => budgetView,
  'dead-letters': (query) => {
    const [after, limit] = [query.text('after'), query.whole('limit', 1, 1_000)];
    return (world) => deadLettersView(world, after, limit);
  },
  schedules: () => schedulesView,
};

/** The names of the views that can be asked for. */
export function viewNames(hasSupervisor: boolean): string[] {
  return [...Object.keys(hasSupervisor ? OF_SUPERVISORS : {}), ...Object.keys(OF_STORES)];
}

/** What reads a view. Throws VIEW_UNKNOWN, OPTIONS_INVALID. */
export function viewOf(name: string, given: URLSearchParams, known: readonly string[]): (world: ViewWorld) => unknown {
  const view = known.includes(name) ? { ...OF_SUPERVISORS, ...OF_STORES }[name] : undefined;
  if (view === undefined) throw unknownView(name, known);
  const query = new ViewQuery(name, given);
  const read = view(query);
  query.refuseOthers();
  return read;
}

export function unknownView(name: string, known: readonly string[]): PerdureError {
  const [meant] = nearest(name, known);
  const hint = meant === undefined ? '' : ` (did you mean "${meant}"?)`;
  const there = known.length === 0 ? 'there are none here' : `there are: ${known.join(', ')}`;
  return new PerdureError('VIEW_UNKNOWN', `There is no view ${shown(name)}${hint}; ${there}.`, {
    facts: { name, known },
  });
}

/** That of the supervisor, or the only one. Throws OPTIONS_INVALID where there are several. */
function comparedTree({ rows, tree }: ViewWorld): string {
  if (rows.get('select 1 from trees where name = ?', tree) !== undefined) return tree;
  const names = rows.all<{ name: string }>(`select name from trees order by tree limit ${MOST_TREES + 1}`);
  const [only, ...others] = names.map(({ name }) => name);
  if (only === undefined || others.length === 0) return only ?? tree;
  const known = names.slice(0, MOST_TREES).map(({ name }) => shown(name));
  const more = names.length > MOST_TREES ? ' and others' : '';
  const message = `The parameter "tree" of the view "compare": expected the name of a tree, got none; there are ${known.join(', ')}${more}.`;
  throw new PerdureError('OPTIONS_INVALID', message, { facts: { view: 'compare', parameter: 'tree' } });
}

function neededTurn(query: ViewQuery): number {
  return query.whole('turn', 0, LATEST) ?? Number(query.needed('turn'));
}

function notFound(what: 'actor' | 'action' | 'run of a plan' | 'profile', id: string, where = 'here'): never {
  const code = what === 'actor' ? 'ACTOR_NOT_FOUND' : 'ACTION_NOT_FOUND';
  throw new PerdureError(code, `There is no ${what} ${shown(id)} ${where}.`, { facts: { id } });
}
