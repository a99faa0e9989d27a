/** How the subsystems of a supervisor stand, as the rows of its tree have it: in its own process and from beside alike. */
import { PerdureError } from '../errors.ts';
import type { BudgetContext } from '../machines/budget.ts';
import type { BudgetTier } from '../machines/budget-policy.ts';
import type { DegradationContext } from '../machines/degradation.ts';
import { executorMachine, type ExecutorContext } from '../machines/executor.ts';
import { isObject } from '../machines/option-keys.ts';
import { supervisorMachine } from '../machines/supervisor.ts';
import { bindingOf, type ActorRow } from '../persistence/actor-rows.ts';
import type { Rows } from '../persistence/rows.ts';
import { isSealed } from '../persistence/sealing.ts';
import { ENCRYPTED } from '../persistence/store-reader.ts';
import type { ResourcesState } from './resource-watch.ts';
import type { Standing } from './standing.ts';
import { readable } from './unreadable.ts';
import { fromText } from './values.ts';

/** The state of an actor, as its row has it. */
export interface StoredState {
  readonly value: unknown;
  readonly context: unknown;
}

/** The tree of a supervisor, unless its host gives it another name. */
export const SUPERVISOR_TREE = 'main';

type Reader = Pick<Rows, 'all' | 'unseal'>;

/** The trees of the supervisors that have used a store: the one that was started or changed last comes first. */
export function supervisorTrees(rows: Pick<Rows, 'all'>): string[] {
  return rows
    .all<{ name: string }>(
      `select name from trees where exists (
         select 1 from actors where actors.tree = trees.tree and parent is null and (actors.machine = ? or actors.machine glob ?))
       order by (select max(from_turn) from actors where actors.tree = trees.tree) desc, name = ? desc, tree`,
      supervisorMachine.id,
      `${supervisorMachine.id}@*`,
      SUPERVISOR_TREE,
    )
    .map(({ name }) => name);
}

/** Whether the tree of this number is a supervisor's own: a machine of a host may have the name of its. */
export function isSupervisorTree(rows: Pick<Rows, 'get'>, tree: number): boolean {
  const names = [supervisorMachine, executorMachine].flatMap(({ id }) => [id, `${id}@*`]);
  const found = rows.get(
    `select 1 from actors root join actors executor on executor.tree = root.tree and executor.parent = root.id
     where root.tree = ? and root.parent is null and (root.machine = ? or root.machine glob ?)
       and executor.key = 'executor' and (executor.machine = ? or executor.machine glob ?)`,
    tree,
    ...names,
  );
  return found !== undefined;
}

/** The states of actors whose systemId is like this; none where only the owner can read them. */
export function storedStates(rows: Reader, systemId: string, tree: string = SUPERVISOR_TREE): StoredState[] {
  return rows
    .all<ActorRow>(
      `select actors.* from actors join trees using (tree) where trees.name = ? and system_id like ? order by actors.id`,
      tree,
      systemId,
    )
    .flatMap((row) => storedState(rows, row) ?? []);
}

/** The states of actors by the keys under which their parents know them. */
export function storedByKey(
  rows: Reader,
  keys: readonly string[],
  tree: string = SUPERVISOR_TREE,
): Map<string, StoredState> {
  const found = rows.all<ActorRow>(
    `select actors.* from actors join trees using (tree) where trees.name = ? and key in (select value from json_each(?))`,
    tree,
    JSON.stringify(keys),
  );
  return new Map(
    found.flatMap((row) => {
      const state = storedState(rows, row);
      return state === undefined ? [] : [[row.key, state]];
    }),
  );
}

/** Undefined where only the owner can read it, and where it was damaged. */
function storedState(rows: Pick<Rows, 'unseal'>, row: ActorRow): StoredState | undefined {
  const state = readable(() => stateIn(rows, row), undefined);
  return state === 'encrypted' ? undefined : state;
}

/** Throws what is wrong with a row that was damaged. */
function stateIn(rows: Pick<Rows, 'unseal'>, row: ActorRow): StoredState | 'encrypted' {
  const { snapshot, attempt, from_turn } = row;
  const text = isSealed(snapshot) ? rows.unseal(snapshot, bindingOf(row, attempt, from_turn)) : snapshot;
  if (text === ENCRYPTED) return 'encrypted';
  const state = fromText(text);
  if (isObject(state) && isObject(state['context'])) return state as unknown as StoredState;
  throw new PerdureError('ROW_CORRUPT', `The state of the actor "${row.key}" is none: its row was damaged.`);
}

/** What is known of a supervisor from its rows. */
export interface StoredStanding extends Standing {
  /** The supervisor's own state, such as `running`. */
  readonly state: string;
  /** Undefined in a tree that has not been told of resources yet. */
  readonly resources: ResourcesState | undefined;
}

/** What could be read of it. */
export interface ReadStanding {
  /** Undefined where there is no supervisor, where only its owner can read it, and where a row of it was damaged. */
  readonly standing: StoredStanding | undefined;
  /** The actors of it whose rows were damaged, by their systemIds; the root by the name of its tree. */
  readonly unreadable: readonly string[];
}

/** What a part of the standing must have to be told of: of one that was damaged anything may be missing. */
const NEEDED = {
  executor: ['waiting', 'busy'],
  degradation: ['components', 'level'],
  budget: ['policy'],
  resources: ['standings'],
} as const;

/** How the supervisor of a tree stands, as far as its rows can be read. */
export function readStanding(rows: Reader, tree: string = SUPERVISOR_TREE): ReadStanding {
  const found = rows.all<ActorRow>(
    `select actors.* from actors join trees using (tree)
     where trees.name = ? and (actors.parent is null or system_id in (select value from json_each(?)))`,
    tree,
    JSON.stringify(Object.keys(NEEDED)),
  );
  const unreadable: string[] = [];
  const states = new Map<string, StoredState>();
  for (const row of found) {
    const name = row.parent === null ? tree : (row.system_id as keyof typeof NEEDED);
    const state = readable(() => stateIn(rows, row), undefined);
    if (state === 'encrypted') continue;
    const needed: readonly string[] = row.parent === null ? [] : NEEDED[name as keyof typeof NEEDED];
    if (state === undefined || needed.some((key) => !Object.hasOwn(state.context as object, key)))
      unreadable.push(name);
    else states.set(row.parent === null ? '' : name, state);
  }
  return { standing: standingOf(states), unreadable };
}

function standingOf(states: ReadonlyMap<string, StoredState>): StoredStanding | undefined {
  const [root, executor, degradation] = [states.get(''), states.get('executor'), states.get('degradation')];
  const budget = states.get('budget');
  if (root === undefined || executor === undefined || degradation === undefined || budget === undefined)
    return undefined;
  const state = typeof root.value === 'string' ? root.value : JSON.stringify(root.value);
  return {
    state,
    isAdmitting: state === 'running',
    executor: executor.context as ExecutorContext,
    degradation: degradation.context as DegradationContext,
    budget: budget.context as BudgetContext,
    tier: (budget.value as { readonly tier: BudgetTier }).tier,
    resources: states.get('resources') as ResourcesState | undefined,
  };
}
