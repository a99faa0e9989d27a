/**
 * Goes back to a checkpoint when the machine says so, and tells whoever asked how that ended: the tree that was asked is gone
 * when it went well.
 */
import { fromPromise } from 'xstate';
import { isPerdureError, messageOf, PerdureError, type PerdureErrorCode } from '../errors.ts';
import type { RestoreFailure, RestoreRequest } from '../machines/checkpoint-state.ts';
import { refusal } from '../persistence/commands.ts';
import type { RestoreOptions } from '../persistence/durable.ts';
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';
import { onRestore } from '../persistence/xstate-port.ts';
import { countUnderWay } from './restored.ts';
import type { Tree } from './standing.ts';

/** What {@link SupervisorCheckpoints.restore} gives. */
export interface Restored {
  /** The turn that the tree is as of. */
  readonly turn: number;
  /** The checkpoint of what was there before: restoring it undoes the restore. */
  readonly before: string;
}

interface Waiting {
  resolve(restored: Restored): void;
  reject(error: unknown): void;
}

/** Which owner a store has now: it grows with each. */
export function epochOf(rows: Pick<Rows, 'get'>): number {
  return rows.get<{ value: number }>(`select value from meta where key = 'epoch'`)?.value ?? 0;
}

/** Why a checkpoint was not restored: an incident of this kind, with the request as its actor. */
export const REFUSED = 'checkpoint.refused';

export class Restorer {
  readonly #tree: Promise<Tree>;
  readonly #tables: readonly string[];
  readonly #waiting = new Map<string, Waiting>();
  #attach: (tree: Tree) => void = () => {};
  #isClosing = false;
  #underWay: Promise<void> = Promise.resolve();
  /** In the tree as it was in the turn before a restore it is under way, and is ended before it could begin again. */
  readonly logic = onRestore(
    'run',
    fromPromise<RestoreFailure, RestoreRequest>(({ input }) => this.#restore(input)),
  );

  /** @param tables those of the supervisor: a store may hold others. */
  constructor(tables: readonly TableSpec[]) {
    this.#tables = tables.filter(({ rolledBack }) => rolledBack !== false).map(({ name }) => name);
    this.#tree = new Promise((resolve) => (this.#attach = resolve));
  }

  /** The tree is there. */
  attach(tree: Tree): void {
    this.#attach(tree);
    tree.on('checkpoint.refused', ({ request, code, message }) => {
      const detail = `${message as string} [${code as string}]`;
      const error = new PerdureError(code as PerdureErrorCode, message as string);
      // Whoever asked from another process finds it there.
      if (tree.store.isOpen) {
        tree.store.incident({ kind: REFUSED, detail, tree: tree.number, actor: request as string });
        void say(tree, request as string, refusal(error));
      }
      this.#reject(request as string, error);
    });
    void tree.ended.then((error) => {
      for (const request of this.#waiting.keys()) this.#reject(request, error);
    });
  }

  /** How the restore of this request ends. */
  outcome(request: string): Promise<Restored> {
    const outcome = new Promise<Restored>((resolve, reject) => this.#waiting.set(request, { resolve, reject }));
    // It may come before whoever asked for it waits.
    outcome.catch(() => {});
    return outcome;
  }

  /** Nobody waits for it any more: it was not sent. */
  forget(request: string): void {
    this.#waiting.delete(request);
  }

  /** In a store of its own everything goes back with it, also what its host declared. */
  #destination({ store }: Tree): RestoreOptions {
    const { n } = store.rows.get<{ n: number }>('select count(*) as n from trees') ?? { n: 0 };
    return n > 1 ? { tables: this.#tables } : {};
  }

  #reject(request: string, error: unknown): void {
    this.#waiting.get(request)?.reject(error);
    this.#waiting.delete(request);
  }

  /** K3: whoever asked an owner before this one has given up, and new work may have begun. */
  #refuseWithdrawn({ store }: Tree, { turn, request, epoch }: RestoreRequest): void {
    if (this.#waiting.has(request) || epoch === epochOf(store.rows)) return;
    throw new PerdureError(
      'RESTORE_WITHDRAWN',
      `Turn ${turn} was not restored: whoever asked for it asked a process that has ended since. Ask again.`,
      { facts: { turn } },
    );
  }

  /** Begins no restore any more; resolves when the one that has begun has ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#underWay;
  }

  async #restore(asked: RestoreRequest): Promise<RestoreFailure> {
    const { turn, force, request } = asked;
    const tree = await this.#tree;
    try {
      if (this.#isClosing)
        throw new PerdureError('STORE_CLOSED', `Turn ${turn} was not restored: the supervisor is being closed.`);
      this.#refuseWithdrawn(tree, asked);
      refuseShared(tree.store.rows);
      if (!force) refuseBusy(tree, turn);
      const restoring = tree.restore(turn, this.#destination(tree));
      // How it ends is told below.
      this.#underWay = restoring.then(nothing, nothing);
      const { before } = await restoring;
      void say(tree, request, restoredText(turn, before));
      this.#waiting.get(request)?.resolve({ turn, before: String(before) });
      this.#waiting.delete(request);
      // There is nobody left who would hear it.
      return { code: 'RESTORED', message: '' };
    } catch (error) {
      // Before the machine forgets who asked: whenever the process ends, one or the other of them knows.
      await say(tree, request, refusal(error));
      this.#reject(request, error);
      return { code: isPerdureError(error) ? error.code : 'STORE_FAILED', message: messageOf(error) };
    }
  }
}

function nothing(): void {}

/** Whoever asked by a command finds in its row how that ended. */
async function say({ store }: Tree, request: string, answer: string): Promise<void> {
  try {
    if (store.isOpen && store.commands.read(request) !== undefined) await store.commands.say(request, answer);
  } catch {
    // What is wrong with the store is told by whatever else is written.
  }
}

/** What came of a restore. */
export function restoredText(turn: number, before: number): string {
  return `restored: everything is as it was in turn ${turn}; \`perdure restore ${before}\` undoes this`;
}

/** What every supervisor has, and nobody else. */
const STANDING = `'executor', 'tracks', 'checkpoint', 'approvals'`;

/** Two supervisors of one store share their tables. Throws OPTIONS_INVALID. */
export function refuseShared(rows: Pick<Rows, 'get'>): void {
  const { n } = rows.get<{ n: number }>(
    `select count(*) as n from (select tree from actors where system_id in (${STANDING}) group by tree having count(*) = 4)`,
  ) ?? { n: 0 };
  if (n < 2) return;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `The store has ${n} supervisors, whose rows are in the same tables: one cannot go back without the others. Give each a store.`,
    { facts: { supervisors: n } },
  );
}

function refuseBusy({ store }: Tree, turn: number): void {
  const running = countUnderWay(store.rows);
  if (running > 0) throw busyError(turn, running);
}

export function busyError(turn: number, running: number): PerdureError {
  return new PerdureError(
    'CHECKPOINT_BUSY',
    `Turn ${turn} was not restored, for ${running} ${running === 1 ? 'action is' : 'actions are'} under way: wait, ` +
      'or pause and wait, or let it interrupt them with `force`.',
    { facts: { turn, running }, retryable: true },
  );
}
