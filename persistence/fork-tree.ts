/**
 * Another tree of the same store that goes on from a kept turn of a tree: a copy of its rows under ids of their own, in one
 * commit. The original is only read.
 *
 * T1  Every reference from one actor of the tree to another is one within the copy; any other refers to nobody.
 * T2  What was under way outside follows `onRestore`, as after a restore; message ids are not taken along.
 */
import { PerdureError } from '../errors.ts';
import { bindingOf as actorBinding, checksumOf, seedOf, type ActorRow } from './actor-rows.ts';
import { renumbered } from './codec.ts';
import type { Commits } from './commits.ts';
import { bindingOf as outboxBinding, insertRow, type StoredRow } from './outbox-rows.ts';
import { rowsOf, type TreeTable } from './rows-as-of.ts';
import type { Store } from './store.ts';
import { assertWhole, putBack, storedTree } from './time-travel.ts';
import { bindingOf as timerBinding, checksumOf as timerChecksum, type TimerRow } from './timer-rows.ts';
import { insertTree, restoreTreeRow, findTree, type TreeRow } from './tree-rows.ts';
import { rolledBackTables } from './versioned-tables.ts';

/**
 * Makes the tree `newId` that goes on from the kept turn `turn` of `tree`; resolves with the turn in which it was made, when
 * that is committed. Open it with the same machine. Throws TREE_NOT_FOUND, CHECKPOINT_UNKNOWN, CHECKPOINT_DAMAGED, FORK_EXISTS when
 * there is such a tree, and OPTIONS_INVALID in a store with tables of subsystems, which both would share: use {@link forkStore}.
 */
export async function forkTree(store: Store, tree: string, turn: number, newId: string): Promise<number> {
  const { commits } = store;
  const { statements } = commits;
  store.assertOpen();
  const tables = rolledBackTables(statements);
  if (tables.length > 0) {
    throw new PerdureError(
      'OPTIONS_INVALID',
      `A tree of ${store.path} cannot be forked alone: the tables ${tables.join(', ')} are of the whole store. Fork that, with forkStore.`,
      { facts: { tree } },
    );
  }
  if (typeof newId !== 'string' || newId === '') {
    throw new PerdureError(
      'OPTIONS_INVALID',
      `The id of a tree is a text of at least one character; got ${String(newId)}.`,
    );
  }
  return commits.transact(() => {
    if (findTree(statements, newId) !== undefined || commits.participant(newId) !== undefined) throw taken(newId);
    const original = storedTree(statements, tree);
    assertWhole(statements, original, turn);
    commits.begin();
    new TreeCopy(commits, original, turn).write(newId);
  });
}

function taken(tree: string): PerdureError {
  return new PerdureError('FORK_EXISTS', `There is a tree "${tree}" in the store already: fork to another id.`, {
    facts: { tree },
  });
}

class TreeCopy {
  readonly #commits: Commits;
  readonly #original: TreeRow;
  readonly #turn: number;
  readonly #tree: number;
  readonly #ids = new Map<number, number>();

  constructor(commits: Commits, original: TreeRow, turn: number) {
    this.#commits = commits;
    this.#original = original;
    this.#turn = turn;
    this.#tree = commits.nextId();
  }

  write(name: string): void {
    const { statements, clock, file } = this.#commits;
    const { machine } = this.#original;
    const [tree, now] = [this.#tree, this.#commits.turn];
    // The order of ids is the order of children.
    const ids = [...this.#rows<ActorRow>('actors')].map(({ id }) => id).sort((a, b) => a - b);
    for (const id of ids) this.#ids.set(id, this.#commits.nextId());
    let digest = 0;
    for (const row of this.#rows<ActorRow>('actors')) digest ^= this.#writeActor(row, name);
    for (const row of this.#rows<TimerRow>('timers')) digest ^= this.#writeTimer(row);
    for (const row of this.#rows<StoredRow>('outbox')) this.#writeOutbox(row);
    const row = { tree, name, generation: file.generation, machine, created_at: clock.now() };
    insertTree(statements, row, now);
    restoreTreeRow(statements, findTree(statements, name) as TreeRow, { ...row, restored: now, digest });
    this.#commits.history?.changed(name, name);
  }

  #rows<TRow extends { readonly id: number }>(table: TreeTable): IterableIterator<TRow> {
    return rowsOf<TRow>(this.#commits.statements, table, { tree: this.#original.tree, turn: this.#turn });
  }

  #writeActor(row: ActorRow, name: string): number {
    const [tree, from_turn] = [this.#tree, this.#commits.turn];
    const parent = row.parent === null ? null : this.#idOf(row.parent);
    const key = row.parent === null ? name : row.key;
    const identity = { ...row, id: this.#idOf(row.id), tree, parent, key };
    const snapshot = this.#text(
      row.snapshot,
      () => actorBinding(row, row.attempt, row.from_turn),
      () => actorBinding(identity, row.attempt, from_turn),
    );
    const seed = seedOf(identity);
    const checksum = checksumOf(snapshot, seed, row.attempt, from_turn);
    putBack(this.#commits.statements, 'actors', { ...identity, snapshot, checksum, from_turn });
    return seed;
  }

  #writeTimer(row: TimerRow): number {
    const [tree, from_turn] = [this.#tree, this.#commits.turn];
    const place = { id: this.#commits.nextId(), source: this.#idOf(row.source), target: this.#idOf(row.target) };
    const event = this.#text(
      row.event,
      () => timerBinding(this.#original.tree, row),
      () => timerBinding(tree, { ...row, ...place }),
    );
    const copy = { ...row, ...place, tree, event, from_turn };
    const checksum = timerChecksum(copy);
    putBack(this.#commits.statements, 'timers', { ...copy, checksum });
    return checksum;
  }

  #writeOutbox(row: StoredRow): void {
    const place = { id: this.#commits.nextId(), source: this.#idOf(row.source) };
    const payload = this.#text(
      row.payload,
      () => outboxBinding(this.#original.tree, row),
      () => outboxBinding(this.#tree, { ...row, ...place }),
    );
    const said = (id: number) => () => `outbox ${id} error`;
    const { payloads } = this.#commits;
    const error = row.error === null ? null : payloads.seal(payloads.unseal(row.error, said(row.id)), said(place.id));
    insertRow(this.#commits.statements, this.#tree, { ...row, ...place, payload, error }, this.#commits.turn);
  }

  /** T1. */
  #text(text: string, from: () => string, to: () => string): string {
    const { payloads } = this.#commits;
    return payloads.seal(
      renumbered(payloads.unseal(text, from), (id) => this.#idOf(id)),
      to,
    );
  }

  /** One that is not of the tree, or gone, gets an id that is nobody's. */
  #idOf(id: number): number {
    const known = this.#ids.get(id);
    if (known !== undefined) return known;
    const fresh = this.#commits.nextId();
    this.#ids.set(id, fresh);
    return fresh;
  }
}
