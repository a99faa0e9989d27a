/** How the subsystems of a supervisor stand, as the rows of its tree have it: in its own process and from beside alike. */
import type { BudgetContext } from '../machines/budget.ts';
import type { BudgetTier } from '../machines/budget-policy.ts';
import type { DegradationContext } from '../machines/degradation.ts';
import type { ExecutorContext } from '../machines/executor.ts';
import { supervisorMachine } from '../machines/supervisor.ts';
import { bindingOf, type ActorRow } from '../persistence/actor-rows.ts';
import type { Rows } from '../persistence/rows.ts';
import { isSealed } from '../persistence/sealing.ts';
import { ENCRYPTED } from '../persistence/store-reader.ts';
import type { ResourcesState } from './resource-watch.ts';
import type { Standing } from './standing.ts';
import { fromText } from './values.ts';

/** The state of an actor, as its row has it. */
export interface StoredState {
  readonly value: unknown;
  readonly context: unknown;
}

/** The tree of a supervisor, unless its host gives it another name. */
export const SUPERVISOR_TREE = 'main';

type Reader = Pick<Rows, 'all' | 'unseal'>;

/** The tree of the supervisor that uses a store: the usual one, or else the first that is one; undefined where there is none. */
export function supervisorTree(rows: Pick<Rows, 'get'>): string | undefined {
  return rows.get<{ name: string }>(
    `select trees.name from actors join trees using (tree) where actors.parent is null and (actors.machine = ? or actors.machine glob ?)
     order by trees.name = ? desc, trees.tree limit 1`,
    supervisorMachine.id,
    `${supervisorMachine.id}@*`,
    SUPERVISOR_TREE,
  )?.name;
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

function storedState(rows: Pick<Rows, 'unseal'>, row: ActorRow): StoredState | undefined {
  const { snapshot, attempt, from_turn } = row;
  const text = isSealed(snapshot) ? rows.unseal(snapshot, bindingOf(row, attempt, from_turn)) : snapshot;
  return text === ENCRYPTED ? undefined : (fromText(text) as StoredState);
}

/** What is known of a supervisor from its rows. */
export interface StoredStanding extends Standing {
  /** The supervisor's own state, such as `running`. */
  readonly state: string;
  /** Undefined in a tree that has not been told of resources yet. */
  readonly resources: ResourcesState | undefined;
}

/** Undefined where there is no supervisor, and where only its owner can read it. */
export function storedStanding(rows: Reader, tree: string = SUPERVISOR_TREE): StoredStanding | undefined {
  const [root] = rows
    .all<ActorRow>(
      `select actors.* from actors join trees using (tree) where trees.name = ? and actors.parent is null`,
      tree,
    )
    .flatMap((row) => storedState(rows, row) ?? []);
  const stateOf = (systemId: string) => storedStates(rows, systemId, tree)[0];
  const [executor, degradation, budget] = [stateOf('executor'), stateOf('degradation'), stateOf('budget')];
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
    resources: stateOf('resources') as ResourcesState | undefined,
  };
}
