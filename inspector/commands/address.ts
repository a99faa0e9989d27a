/** Finds the actor that somebody means: by a path, a systemId, or the id that the inspector shows. */
import { PerdureError } from '../../errors.ts';
import { nearest } from '../../machines/nearest.ts';
import { shown } from '../../machines/option-keys.ts';
import type { Reader } from './asking.ts';

/** An actor of a store. */
export interface Address {
  readonly tree: string;
  /** As `send` takes it; empty for the root. */
  readonly actor: string;
  /** The number of its row. */
  readonly row: number;
}

/** So many names are looked through for one that was meant. */
const LOOKED_AT = 2_000;

/** Throws TREE_NOT_FOUND, ACTOR_NOT_FOUND. */
export function addressOf(rows: Reader, actor: string, tree: string | undefined, main: string): Address {
  if (tree !== undefined) {
    const number = treeNumber(rows, tree);
    if (number === undefined) throw noTree(rows, tree);
    const found = inTree(rows, tree, number, actor) ?? inTree(rows, tree, number, withoutTree(actor, tree));
    if (found !== undefined) return found;
    throw noActor(rows, actor, tree, number);
  }
  const home = treeNumber(rows, main);
  const found = home === undefined ? undefined : inTree(rows, main, home, actor);
  if (found !== undefined) return found;
  for (const name of prefixes(actor)) {
    const number = treeNumber(rows, name);
    const there = number === undefined ? undefined : inTree(rows, name, number, withoutTree(actor, name));
    if (there !== undefined) return there;
  }
  if (home === undefined) throw noTree(rows, actor === '' ? main : actor);
  throw noActor(rows, actor, main, home);
}

/** The longest first: the name of a tree may have slashes. */
function prefixes(actor: string): string[] {
  const keys = actor.split('/');
  return keys.map((_, cut) => keys.slice(0, keys.length - cut).join('/'));
}

function withoutTree(actor: string, tree: string): string {
  if (actor === tree) return '';
  return actor.startsWith(`${tree}/`) ? actor.slice(tree.length + 1) : actor;
}

function treeNumber(rows: Reader, name: string): number | undefined {
  return rows.get<{ tree: number }>('select tree from trees where name = ?', name)?.tree;
}

function inTree(rows: Reader, tree: string, number: number, actor: string): Address | undefined {
  const id = (sql: string, ...cells: (string | number)[]) => rows.get<{ id: number }>(sql, number, ...cells)?.id;
  let row = id('select id from actors where tree = ? and parent is null');
  if (actor === '') return row === undefined ? undefined : { tree, actor, row };
  const named = id('select id from actors where tree = ? and system_id = ?', actor);
  if (named !== undefined) return { tree, actor, row: named };
  for (const key of actor.split('/')) {
    if (row === undefined) return undefined;
    row = id('select id from actors where tree = ? and parent = ? and key = ?', row, key);
  }
  return row === undefined ? undefined : { tree, actor, row };
}

function noTree(rows: Reader, tree: string): PerdureError {
  const names = rows.all<{ name: string }>(`select name from trees order by name limit ${LOOKED_AT}`);
  return new PerdureError(
    'TREE_NOT_FOUND',
    `There is no tree ${shown(tree)} in this store${hint(
      tree,
      names.map(({ name }) => name),
    )}`,
    { facts: { tree } },
  );
}

function noActor(rows: Reader, actor: string, tree: string, number: number): PerdureError {
  return new PerdureError(
    'ACTOR_NOT_FOUND',
    `There is no actor ${shown(actor)} in the tree ${shown(tree)}${hint(actor, names(rows, number))}`,
    { facts: { actor, tree } },
  );
}

/** The paths and systemIds of a tree. */
function names(rows: Reader, number: number): string[] {
  const all = rows.all<{ id: number; parent: number | null; key: string; system_id: string | null }>(
    `select id, parent, key, system_id from actors where tree = ? limit ${LOOKED_AT}`,
    number,
  );
  const byId = new Map(all.map((row) => [row.id, row]));
  const pathOf = (row: (typeof all)[number]): string => {
    const parent = row.parent === null ? undefined : byId.get(row.parent);
    return parent === undefined || parent.parent === null ? row.key : `${pathOf(parent)}/${row.key}`;
  };
  return all
    .filter(({ parent }) => parent !== null)
    .flatMap((row) => (row.system_id === null ? [pathOf(row)] : [pathOf(row), row.system_id]));
}

function hint(wanted: string, known: readonly string[]): string {
  const near = nearest(wanted, new Set(known));
  if (near.length > 0) return `: did you mean ${near.map((name) => shown(name)).join(' or ')}?`;
  const some = [...new Set(known)].slice(0, 10);
  return some.length === 0 ? '.' : `: there ${some.length === 1 ? 'is' : 'are'} ${some.join(', ')}.`;
}
