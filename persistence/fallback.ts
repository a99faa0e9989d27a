/**
 * A tree whose present rows are damaged goes back to its newest checkpoint that is whole; older ones are tried in turn.
 *
 * D1  Nothing is changed unless a checkpoint is whole, and what was damaged is put into the quarantine first.
 * D2  The incident `checkpoint.restored` tells which turn it was, and how many turns are lost.
 */
import { isPerdureError, messageOf } from '../errors.ts';
import type { Incident } from './batch.ts';
import type { Payloads } from './payloads.ts';
import { putAsideDamaged } from './quarantine.ts';
import type { Statements } from './rows.ts';
import { isStoreFailure } from './sqlite.ts';
import { goBack } from './time-travel.ts';
import type { TreeRow } from './tree-rows.ts';

/** Where a damaged tree went back to. */
export interface FallenBack<T> {
  readonly turn: number;
  readonly generation: number;
  /** What `check` made of it. */
  readonly checked: T;
  readonly incident: Incident;
}

/** What is needed to go back. */
export interface Fallback<T> {
  readonly statements: Statements;
  readonly payloads: Payloads;
  readonly tree: TreeRow;
  /** Tables of subsystems that go back with the tree. */
  readonly tables: readonly string[];
  /** The turn that is being built, and the time, wall-clock ms. */
  readonly now: { readonly turn: number; readonly at: number };
  /** What is damaged. */
  readonly reason: string;
  /** Proves that the rows make a tree. Throws where they do not: then an older checkpoint is tried. */
  readonly check: (generation: number) => T;
}

/** Goes back in the open transaction; undefined when no checkpoint is whole. Throws what SQLite throws. */
export function fallBack<T>(fallback: Fallback<T>): FallenBack<T> | undefined {
  const { statements, payloads, tree, tables, now, reason, check } = fallback;
  const named = statements.of('select turn, at from checkpoints order by turn desc').all() as Named[];
  for (const { turn, at } of named) {
    statements.of('savepoint fallback').run();
    try {
      putAsideDamaged(statements, tree.tree, now.at);
      const lost = lostAfter(statements, turn, now.turn);
      const generation = goBack(statements, payloads, { tree, turn, tables }, now);
      const checked = check(generation);
      statements.of('release fallback').run();
      const detail =
        `The tree "${tree.name}" was damaged (${reason}), and went back to its checkpoint of turn ${turn} (${new Date(at).toISOString()}): ` +
        `${lost} are lost.`;
      return { turn, generation, checked, incident: { kind: 'checkpoint.restored', detail, tree: tree.tree } };
    } catch (error) {
      if (isStoreFailure(error)) throw error;
      statements.of('rollback to fallback').run();
      statements.of('release fallback').run();
      // What is wrong with this one may be right in another; what is not said of rows is a fault of ours.
      if (!isPerdureError(error))
        throw new Error(`turn ${turn} could not be tried: ${messageOf(error)}`, { cause: error });
    }
  }
  return undefined;
}

interface Named {
  readonly turn: number;
  readonly at: number;
}

/** Without a history nobody counted them, and numbers may be left out. */
function lostAfter(statements: Statements, turn: number, present: number): string {
  const counted = statements.of('select count(*) as n from turns where turn > ?').get(turn) as { n: number };
  const seen = statements.of('select 1 from turns where turn <= ?').get(turn) !== undefined;
  return seen ? `the ${counted.n} turns after it` : `at most ${present - 1 - turn} turns after it`;
}
