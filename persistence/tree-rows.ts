/**
 * One row per tree: its name and number, under a checksum. A name that is not found makes a new tree, so a damaged name, or a
 * damaged index of names, would make an empty tree in the place of a full one.
 */
import { crc32 } from 'node:zlib';
import { PerdureError } from '../errors.ts';
import type { Statements } from './rows.ts';

/** A row as it is read. */
export interface TreeRow {
  readonly tree: number;
  readonly name: string;
  readonly generation: number;
  /** The name of its machine in a store that opens its trees by itself. */
  readonly machine: string | null;
  readonly created_at: number;
  readonly digest: number | null;
  /** The last turn at which it was restored from a kept one; null for a tree that never was. What is older did not begin here. */
  readonly restored: number | null;
  readonly checksum: number;
}

/** The cells that the checksum covers. */
export type TreeIdentity = Pick<TreeRow, 'tree' | 'name' | 'generation' | 'machine' | 'created_at'> &
  Partial<Pick<TreeRow, 'restored'>>;

export function checksumOf({ tree, name, generation, machine, created_at, restored }: TreeIdentity): number {
  const cells = [tree, name, generation, machine, created_at];
  return crc32(JSON.stringify(restored === null || restored === undefined ? cells : [...cells, restored]));
}

/** The tree of this name. Throws ROW_CORRUPT. */
export function findTree(statements: Statements, name: string): TreeRow | undefined {
  const row = statements.of('select * from trees where name = ?').get(name) as TreeRow | undefined;
  if (row !== undefined && checksumOf(row) !== row.checksum) throw damaged(row.name);
  return row;
}

export function insertTree(statements: Statements, row: TreeIdentity, turn: number): void {
  const { tree, name, generation, machine, created_at } = row;
  statements
    .of(
      `insert into trees(tree, name, generation, created_at, machine, checksum, from_turn) values (?, ?, ?, ?, ?, ?, ?)
       on conflict do nothing`,
    )
    .run(tree, name, generation, created_at, machine, checksumOf(row), turn);
}

/** The tree goes on from a state of before: with other keys of effects, and with a digest of other rows. */
export function restoreTreeRow(
  statements: Statements,
  row: TreeRow,
  { generation, restored, digest }: Pick<TreeRow, 'generation' | 'restored' | 'digest'>,
): void {
  statements
    .of('update trees set generation = ?, restored = ?, digest = ?, checksum = ?, from_turn = ? where tree = ?')
    .run(generation, restored, digest, checksumOf({ ...row, generation, restored }), restored, row.tree);
}

/** Begins a new generation for every tree: part of the keys of their effects. */
export function renewTrees(statements: Statements, generation: number): void {
  const update = statements.of('update trees set generation = ?, checksum = ? where tree = ?');
  for (const row of pagesOf(statements)) update.run(generation, checksumOf({ ...row, generation }), row.tree);
}

/** Throws ROW_CORRUPT unless every tree is as it was written, and is found by its name. O(trees). */
export function verifyTrees(statements: Statements): void {
  const find = statements.of('select tree from trees where name = ?');
  for (const row of pagesOf(statements)) {
    const found = find.get(row.name) as { tree: number } | undefined;
    if (checksumOf(row) !== row.checksum || found?.tree !== row.tree) throw damaged(row.name);
  }
}

const PAGE = 1_000;

function* pagesOf(statements: Statements): IterableIterator<TreeRow> {
  const read = statements.of(`select * from trees not indexed where tree > ? order by tree limit ${PAGE}`);
  for (let last = Number.MIN_SAFE_INTEGER, more = true; more;) {
    const rows = read.all(last) as TreeRow[];
    yield* rows;
    last = rows.at(-1)?.tree ?? last;
    more = rows.length === PAGE;
  }
}

function damaged(name: string): PerdureError {
  return new PerdureError(
    'ROW_CORRUPT',
    `The row of the tree ${JSON.stringify(name)}, or the index by which it is found, was damaged. Nothing was changed; run ` +
      '`perdure doctor`, or restore a backup.',
    { facts: { tree: name } },
  );
}
