/** The host's side of checkpoints: taking them, looking at them, going back to one, and going on from one elsewhere. */
import { PerdureError } from '../errors.ts';
import { shown, unknownKey } from '../machines/option-keys.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import type { Receipt } from '../persistence/durable.ts';
import { compareTurns, type TurnDifference } from '../persistence/compare-turns.ts';
import {
  checkpointTurn,
  listCheckpoints,
  readCheckpoint,
  refuseKept,
  type Checkpoint,
  type CheckpointInfo,
  type CheckpointQuery,
} from './checkpoint-ledger.ts';
import { checkpointStats, type CheckpointStats } from './checkpoint-stats.ts';
import { sealedVariables, variablesOf, variablesText, type Variables } from './checkpoint-tables.ts';
import { checkedLabel } from './checkpoint-label.ts';
import { checkObject, refuse } from './action-options.ts';
import type { Registry } from './actions.ts';
import { forkCheckpoint, type ForkOptions } from './forks.ts';
import { firstWhole, restorableTurns } from './restorable.ts';
import type { Restored, Restorer } from './restorer.ts';
import type { Tree } from './standing.ts';

/** Options of {@link SupervisorCheckpoints.create}. */
export interface CheckpointOptions {
  /** A name for it, 1 to 300 characters, not only digits and not `latest`; of several with the same the newest is meant. */
  readonly label?: string;
  /** Keeps it until it is let go. Default: false. */
  readonly pin?: boolean;
}

/** Options of {@link SupervisorCheckpoints.restore} and {@link SupervisorCheckpoints.remove}. */
interface ForceOptions {
  /** Does it also where it would be refused for what is under way, or is meant to be kept. Default: false. */
  readonly force?: boolean;
}

/** What checkpoints need of the supervisor. */
export interface CheckpointHost {
  tree(): Tree;
  now(): number;
  send(event: SupervisorCommand): Promise<Receipt>;
  readonly newId: () => string;
  readonly registry: Registry;
  readonly restorer: Restorer;
}

/** Checkpoints: names of committed turns that the whole tree can go back to. */
export class SupervisorCheckpoints {
  readonly #host: CheckpointHost;

  constructor(host: CheckpointHost) {
    this.#host = host;
  }

  /**
   * Names the present turn; gives the id of the checkpoint once it is durable. Throws OPTIONS_INVALID.
   *
   * @example
   * const id = await supervisor.checkpoints.create({ label: 'before the holidays', pin: true });
   */
  async create(options: CheckpointOptions = {}): Promise<string> {
    checkObject('A checkpoint', options);
    refuse('A checkpoint', unknownKey(options, ['label', 'pin']), {});
    const { label, pin = false } = options;
    if (label !== undefined) checkedLabel(label);
    if (typeof pin !== 'boolean')
      throw new PerdureError('OPTIONS_INVALID', `\`pin\` is true or false, got ${shown(pin)}.`);
    const sent = this.#host.send({
      type: 'supervisor.checkpoint',
      reason: 'request',
      pin,
      ...(label === undefined ? {} : { label }),
    });
    // Each is a turn of its own, or two that are taken at once would be the same.
    this.#store.flush();
    return String((await sent).turn);
  }

  /** Those that are kept, the newest first. Throws CHECKPOINT_UNKNOWN. */
  list(query: CheckpointQuery = {}): CheckpointInfo[] {
    return listCheckpoints(this.#rows, query);
  }

  /** A checkpoint by its id, its label, or `latest`. Throws CHECKPOINT_UNKNOWN. */
  show(id: string): Checkpoint {
    return readCheckpoint(this.#rows, id);
  }

  /**
   * What changed from one checkpoint to another: first the actors, each with what of its state did, then how many rows of each
   * table, and which. Throws CHECKPOINT_UNKNOWN.
   *
   * @example
   * for await (const difference of supervisor.checkpoints.compare('before the holidays', 'latest')) console.log(difference);
   */
  compare(a: string, b: string): AsyncIterableIterator<TurnDifference> {
    const [from, to] = [checkpointTurn(this.#rows, a), checkpointTurn(this.#rows, b)];
    return compareTurns(this.#store.commits, this.#host.tree().id, from, to);
  }

  /**
   * Puts the tree as it was in the checkpoint in the place of the present one, and goes on from there. What was under way then
   * asks somebody first, or does as `onRestore` of its action says. What was there before is a checkpoint too, so that this can
   * be undone. When the `latest` is damaged, the newest that is whole takes its place, and an incident `checkpoint.refused` tells.
   * Throws CHECKPOINT_UNKNOWN, CHECKPOINT_BUSY while actions are under way, unless `force` interrupts them, CHECKPOINT_DAMAGED.
   *
   * @example
   * const { before } = await supervisor.checkpoints.restore('before the holidays', { force: true });
   */
  async restore(id: string, options: ForceOptions = {}): Promise<Restored> {
    const force = checkedForce('The options of a restore', options);
    return firstWhole(restorableTurns(this.#rows, id), (turn) => this.#restore(turn, force));
  }

  async #restore(turn: number, force: boolean): Promise<Restored> {
    const { restorer, newId, send } = this.#host;
    const request = newId();
    const outcome = restorer.outcome(request);
    // The commit of the request may be one that forgets.
    this.#store.commits.versions.spare(turn);
    try {
      await send({ type: 'supervisor.restore', turn, force, request });
    } catch (error) {
      restorer.forget(request);
      throw error;
    }
    return outcome;
  }

  /**
   * Makes a new store of a checkpoint, which goes on with other ids of its effects when a supervisor is spawned on it; this one
   * does not change. `input` gives actions that wait, and steps that have not begun, another input, by their ids: it is as if they
   * were submitted with that, so what was approved before is not. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_DAMAGED, FORK_EXISTS,
   * ACTION_NOT_FOUND, ACTION_CONFLICT for an action that has begun, or that somebody is asked about, ACTION_UNKNOWN for one whose
   * summary nobody here can make, CODEC_REFUSED, ABORTED; then nothing is left at `to`.
   *
   * @example
   * await supervisor.checkpoints.fork('latest', { to: 'what-if.db', input: { 'invoice:7': { amount: 3 } } });
   */
  async fork(id: string, options: ForkOptions): Promise<void> {
    await this.forkMarked(checkpointTurn(this.#rows, id), options);
  }

  /** @internal The same of a turn, for a command, which finds its fork again by the mark. */
  async forkMarked(turn: number, options: ForkOptions, mark?: string): Promise<void> {
    const { path, rows } = this.#store;
    await forkCheckpoint({ path, rows, registry: this.#host.registry }, turn, options, mark);
  }

  /** Keeps a checkpoint until it is let go. Throws CHECKPOINT_UNKNOWN. */
  async pin(id: string): Promise<void> {
    await this.#change(id, 'pin');
  }

  /** Lets a checkpoint be forgotten in time. Throws CHECKPOINT_UNKNOWN. */
  async unpin(id: string): Promise<void> {
    await this.#change(id, 'unpin');
  }

  /** Forgets a checkpoint. Throws CHECKPOINT_UNKNOWN, and CHECKPOINT_KEPT for one that is pinned, and the last, unless `force`. */
  async remove(id: string, options: ForceOptions = {}): Promise<void> {
    if (!checkedForce('The options of a removal', options)) refuseKept(this.#rows, id);
    await this.#change(id, 'remove');
  }

  /**
   * What is to be found again in every checkpoint from now on, and what is there again after a restore: plain data, at most
   * 64 KiB, in place of what was set before. Throws OPTIONS_INVALID, CODEC_REFUSED.
   *
   * @example
   * await supervisor.checkpoints.set({ cursor: 17, phase: 'indexing' });
   */
  async set(variables: Variables): Promise<void> {
    const text = sealedVariables(this.#rows, variablesText(variables));
    await this.#host.send({ type: 'supervisor.setVariables', variables: text });
  }

  /** What was set last. */
  get variables(): Variables {
    return variablesOf(this.#rows, this.#rows.get('select text from checkpoint_variables'));
  }

  /** What checkpoints cost, and how often they are taken. */
  get stats(): CheckpointStats {
    this.#store.assertOpen();
    return checkpointStats(this.#host.tree());
  }

  async #change(id: string, command: 'pin' | 'unpin' | 'remove'): Promise<void> {
    const { turn } = readCheckpoint(this.#rows, id);
    await this.#host.send({ type: 'supervisor.changeCheckpoint', turn, command });
  }

  get #store() {
    const { store } = this.#host.tree();
    store.assertOpen();
    return store;
  }

  get #rows() {
    return this.#store.rows;
  }
}

/** Throws OPTIONS_INVALID. */
function checkedForce(what: string, options: ForceOptions): boolean {
  checkObject(what, options);
  const { force = false } = options;
  const wrong = typeof force === 'boolean' ? undefined : `: \`force\` is true or false, got ${shown(force)}`;
  refuse(what, unknownKey(options, ['force']) ?? wrong, {});
  return force;
}
