/**
 * One SQLite file, its one owner, and the trees in it. This is the door; the work is done by
 *
 *   store-file.ts  the connection, the lock, the numbers that are given out
 *   commits.ts     turns to batches to commits
 *   trees.ts       trees that are opened on demand
 *   history.ts, versions.ts   what is kept of the past
 *   commands.ts    what other processes want
 */
import type { EventFromLogic, InspectionEvent, Observer } from 'xstate';
import { PerdureError } from '../errors.ts';
import { backUp, type BackupOptions } from './backup.ts';
import { TELEMETRY, assertIncident, type CommitReport, type Incident } from './batch.ts';
import { inWholeMs, systemClock, type Clock } from './clock.ts';
import type { CheckpointLimits } from './checkpoints.ts';
import { Commands } from './commands.ts';
import { Commits } from './commits.ts';
import type { DurableActor, InputOf, Receipt, SendOptions } from './durable.ts';
import { handleOf } from './handle.ts';
import { History, readHistory, type HistoryQuery, type TurnRecord } from './history.ts';
import { removeTree } from './remove-tree.ts';
import { readDeadLetter, readDeadLetters, reviveRow, type OutboxRow } from './outbox-rows.ts';
import type { Migrations } from './migrations.ts';
import { describeDamage } from './log-check.ts';
import { Payloads, type PayloadOptions } from './payloads.ts';
import { refuseUnknownOption } from './known-options.ts';
import { lastRetention, rememberRetention, type Retention } from './retention.ts';
import type { Rows } from './rows.ts';
import type { TableSpec } from './schema.ts';
import { sqliteError, type Durability } from './sqlite.ts';
import { StoreFile } from './store-file.ts';
import { Trees, type Machines, type TreeInfo, type WakefulnessOptions } from './trees.ts';
import { Versions, type RetentionLimits } from './versions.ts';
import type { AnyEventObject, Logic } from './xstate-port.ts';

export interface StoreOptions extends PayloadOptions {
  readonly clock?: Clock;
  /** Ids of what the store makes. Default: random UUIDs. */
  readonly newId?: () => string;
  /** What an acknowledgement survives. Default: `power-loss`, an fsync per commit. */
  readonly durability?: Durability;
  /** Told after every commit, before anybody else. */
  readonly onCommit?: (report: CommitReport) => void;
  /** How long the id of an accepted message is kept. Default: 7 days, in ms. */
  readonly dedupeForMs?: number;
  /** Keeps what happened, and the rows as they were, back to these limits. Default: false. `true` means the defaults. */
  readonly history?: RetentionLimits | boolean;
  /** How long named turns are kept. Default: all for an hour, one an hour for a day, one a day for 30 days. */
  readonly checkpoints?: CheckpointLimits;
  /**
   * What takes the place of damaged rows when a tree is opened: of each the newest version that is kept, or the tree as of the
   * newest checkpoint that is whole. Default: `row`. Where nothing can, the tree is refused with ROW_CORRUPT.
   */
  readonly onDamage?: 'row' | 'checkpoint';
}

/** Options of a store that opens trees by itself. */
export interface StoreWithTreesOptions<TMachines extends Machines> extends StoreOptions, WakefulnessOptions {
  /** The machines of its trees, by the names under which they are stored. Default: none. */
  readonly machines?: TMachines;
  /** Brings the stored state of other versions of the machines to these. */
  readonly migrate?: Migrations;
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void);
  readonly logger?: (...args: unknown[]) => void;
}

/** The keys of {@link StoreOptions}. */
export const STORE_OPTIONS: readonly string[] = Object.keys({
  sealing: 1,
  secrets: 1,
  redact: 1,
  maxValueBytes: 1,
  clock: 1,
  newId: 1,
  durability: 1,
  onCommit: 1,
  dedupeForMs: 1,
  history: 1,
  checkpoints: 1,
  onDamage: 1,
} satisfies Record<keyof StoreOptions, 1>);

const OPTIONS_WITH_TREES: readonly string[] = [
  ...STORE_OPTIONS,
  ...Object.keys({ idleMs: 1, maxAwake: 1, machines: 1, migrate: 1, inspect: 1, logger: 1 } satisfies Record<
    Exclude<keyof StoreWithTreesOptions<Machines>, keyof StoreOptions>,
    1
  >),
];

/** Those of some options that are a store's own. */
export function storeOptionsOf(options: StoreOptions): StoreOptions {
  return Object.fromEntries(Object.entries(options).filter(([key]) => STORE_OPTIONS.includes(key)));
}

/** Something that a tree wanted done and that was given up. */
export interface DeadLetter {
  readonly id: number;
  readonly tree: string;
  /** A durable action, or an event for another tree. */
  readonly kind: OutboxRow['kind'];
  /** The name of the action, or the tree that the event was for. */
  readonly name: string;
  readonly attempts: number;
  readonly error: string;
  /** Wall-clock ms. */
  readonly at: number;
}

/** What is kept how long, and how the next one who opens the store is told. */
interface Keeping {
  readonly retention: Retention;
  readonly remember: () => void;
}

/** One SQLite file and its one owner. `Store` alone is a store of any machines. */
// oxlint-disable-next-line typescript/no-explicit-any -- Machines stand on both sides of `open`, so nothing else takes all stores.
export class Store<TMachines extends Machines = any> implements AsyncDisposable {
  /** The batches and commits: for what runs in this store, not for hosts. */
  readonly commits: Commits;
  /** What is asked from outside of the trees: for whoever asks, not for hosts. */
  readonly commands: Commands;
  readonly onDamage: 'row' | 'checkpoint';
  readonly #file: StoreFile;
  readonly #versions: Versions;
  readonly #trees: Trees;

  /**
   * Opens the file, or creates it, and owns it. Throws STORE_OWNED, STORE_NOT_A_DATABASE, STORE_NEWER, STORE_OLDER when an
   * older copy of the store was put in its place, OPTIONS_INVALID, and their like.
   */
  static open<TMachines extends Machines>(
    path: string,
    options: StoreWithTreesOptions<TMachines> = {},
  ): Store<TMachines> {
    refuseUnknownOption('Store.open', options, OPTIONS_WITH_TREES);
    return Store.#open<TMachines>(path, options, options.sealing !== undefined, (file) => {
      const { history, checkpoints, dedupeForMs } = options;
      const retention = { history: history === true ? {} : history || undefined, checkpoints, dedupeForMs };
      return { retention, remember: () => rememberRetention(file.statements, retention) };
    });
  }

  /**
   * Opens a store to do one thing in it, on behalf of its host: history, checkpoints and accepted message ids are kept as long as
   * the last owner said. Throws what {@link Store.open} throws.
   */
  static openAsBefore(path: string): Store {
    // The host may encrypt it.
    return Store.#open(path, {}, true, (file) => ({ retention: lastRetention(file.statements), remember: () => {} }));
  }

  static #open<TMachines extends Machines>(
    path: string,
    options: StoreWithTreesOptions<TMachines>,
    erases: boolean,
    keeping: (file: StoreFile) => Keeping,
  ): Store<TMachines> {
    const { newId = () => crypto.randomUUID(), durability = 'power-loss' } = options;
    const clock = options.clock === undefined ? systemClock : inWholeMs(options.clock);
    const file = new StoreFile(path, { clock, newId, durability, erases });
    try {
      return new Store<TMachines>(file, clock, options, keeping(file));
    } catch (error) {
      // Nobody gets hold of this store, so nobody else could let go of the file.
      file.close();
      throw sqliteError(error, path);
    }
  }

  private constructor(
    file: StoreFile,
    clock: Clock,
    options: StoreWithTreesOptions<TMachines>,
    { retention, remember }: Keeping,
  ) {
    this.#file = file;
    const { statements, damage } = file;
    this.onDamage = checkedOnDamage(options.onDamage ?? 'row');
    const { history: limits, checkpoints, dedupeForMs } = retention;
    const versions = (this.#versions = new Versions(statements, limits, checkpoints));
    const payloads = new Payloads(options);
    this.commits = new Commits(file, {
      clock,
      payloads,
      dedupeForMs,
      onCommit: options.onCommit,
      versions,
      history: limits === undefined ? undefined : new History(statements, clock, versions, payloads),
      onReopen: () => this.#reopened(),
    });
    versions.keep();
    remember();
    if (damage !== undefined) this.incident({ kind: 'log.damaged', detail: describeDamage(damage) });
    this.#trees = new Trees(this, options.machines ?? {}, options, options);
    this.commands = new Commands(this.commits, {
      canReach: (tree) => this.#trees.canReach(tree),
      send: async (tree, event, sending) => this.#trees.obey(tree, event, sending),
    });
    this.#trees.resume();
  }

  get path(): string {
    return this.#file.path;
  }

  /** The store's own id. */
  get id(): string {
    return this.#file.id;
  }

  get clock(): Clock {
    return this.commits.clock;
  }

  /**
   * Rows of the host's own, read now, and written with the next commit: of a commit that fails the incident `rows.lost` tells.
   * Throws what SQLite throws of the statement itself, and for a store that fails STORE_FAILED, STORE_READ_ONLY and their like.
   */
  get rows(): Rows {
    return this.commits.rows;
  }

  get isOpen(): boolean {
    return this.commits.isOpen;
  }

  /** Throws STORE_CLOSED, or what the store failed of, unless turns are accepted. */
  assertOpen(): void {
    this.commits.assertOpen();
  }

  /** Creates the tables of a subsystem where they do not exist yet. */
  declare(tables: readonly TableSpec[]): void {
    this.#file.declare(tables);
    this.#versions.declared();
  }

  /**
   * A tree of one of the store's machines, created if it does not exist. It stays awake until this handle, and every other one
   * of it, is closed; closing a handle again does nothing.
   * Throws MACHINE_UNKNOWN, MACHINE_CHANGED when it is stored as another machine's, and what a restore throws.
   */
  async open<TName extends keyof TMachines & string>(
    machine: TName,
    id: string,
    options: { readonly input?: InputOf<TMachines[TName]> } = {},
  ): Promise<DurableActor<TMachines[TName]>> {
    this.assertOpen();
    const { durable, ready } = this.#trees.open(machine, id, options.input);
    await ready;
    // One that was there could be reached before.
    if (durable.resumed === undefined) this.commands.look();
    return handleOf(durable, () => durable.close()) as unknown as DurableActor<TMachines[TName]>;
  }

  /**
   * Sends an event to a tree, which is opened for it when it is closed; resolves once the event and all that it caused are
   * durable. Throws TREE_NOT_FOUND, MACHINE_UNKNOWN, and what {@link DurableActor.send} throws.
   */
  async send(
    tree: string,
    event: EventFromLogic<TMachines[keyof TMachines]>,
    options: SendOptions = {},
  ): Promise<Receipt> {
    this.assertOpen();
    return this.#trees.send(tree, event as AnyEventObject, options);
  }

  /** The trees of the store, by id. */
  trees(): IterableIterator<TreeInfo> {
    this.assertOpen();
    return this.#trees.list();
  }

  /** Removes a tree with everything that it holds; closes it first. Gives false when there is none. */
  async delete(tree: string): Promise<boolean> {
    this.assertOpen();
    this.commits.flush();
    return removeTree(this.commits, tree, () => this.#trees.release(tree));
  }

  /**
   * The committed turns, oldest first, as far back as the option `history` keeps them. Reading goes page by page and never
   * holds the writer up; turns that are pruned meanwhile are left out. Throws ABORTED when the signal says so, STORE_CLOSED.
   */
  history(query: HistoryQuery = {}): AsyncIterableIterator<TurnRecord> {
    return readHistory(this.commits, query);
  }

  /** Copies the store to a new file while it is used. See {@link backUp}. */
  backup(target: string, options: BackupOptions = {}): Promise<void> {
    this.assertOpen();
    return backUp(this.#file, target, options, this.clock.now());
  }

  /** What was given up after its last attempt, oldest first. */
  deadLetters(): DeadLetter[] {
    this.assertOpen();
    return readDeadLetters(this.commits.statements).map(({ id, tree, kind, name, attempt, error, dead_at }) => {
      const said = this.commits.payloads.unseal(error ?? '', () => `outbox ${id} error`);
      return { id, tree, kind, name, attempts: attempt, error: said, at: dead_at ?? 0 };
    });
  }

  /**
   * Gives a dead letter another round of attempts; resolves once that is durable. One of a tree that the store cannot open by
   * itself waits until the tree is opened. Throws DEAD_LETTER_NOT_FOUND when there is none of this id.
   */
  async retry(id: number): Promise<void> {
    this.assertOpen();
    const { clock, rows, statements } = this.commits;
    const letter = readDeadLetter(statements, id);
    let isRevived = false;
    if (letter !== undefined) await this.commits.transact(() => (isRevived = reviveRow(rows, id, clock.now())));
    if (letter === undefined || !isRevived) {
      throw new PerdureError('DEAD_LETTER_NOT_FOUND', `There is no dead letter ${id} in ${this.path}.`, {
        facts: { id },
      });
    }
    if (!this.#trees.canReach(letter.tree)) return;
    this.#trees.wake(letter.tree).outbox.revive({ ...letter, attempt: 0, due: clock.now(), dead_at: null });
  }

  /**
   * Moves what the write-ahead log holds into the database, and gives its room on the disk back; gives how many bytes that were.
   * While somebody reads from it some of it stays. It holds the event loop up for as long as that takes. Throws STORE_FAILED.
   */
  truncateLog(): number {
    this.commits.flush();
    this.assertOpen();
    return this.#file.truncateLog();
  }

  /**
   * Writes telemetry: rows of tables with `rolledBack: false`, which are no turn of any tree. They go with the batch that gathers,
   * or alone, and resolves when that is committed; what another's refusal undoes is written again, so `write` must bear to be
   * called twice. Rejects with what the store fails of: nothing else is told of what was lost.
   */
  async telemetry(write: (rows: Rows) => void): Promise<void> {
    await this.commits.transact(() => write(this.rows), TELEMETRY);
  }

  /** Notes what went wrong and was not told to anybody, with the next commit. Throws OPTIONS_INVALID. */
  incident(incident: Incident): void {
    assertIncident(incident);
    this.commits.incident(incident);
  }

  /** Commits what is pending, now. */
  flush(): void {
    this.commits.flush();
  }

  /** Commits what is pending, and lets go of the file. Throws STORE_FAILED when {@link rows} that were written are lost. */
  close(): void {
    if (this.commits.isClosed) return this.#rest();
    this.commits.settle();
    this.#rest();
    this.commits.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Lets go of the file as a killed process would: nothing pending is committed. */
  drop(error: PerdureError): void {
    this.#rest();
    this.commits.drop(error);
  }

  // For the trees.

  /** A tree can be reached from now on. */
  joined(): void {
    this.commands.look();
  }

  /** Brings an event of one tree's outbox to another tree; its row goes in the turn that it begins there. */
  async deliver(row: OutboxRow, payload: unknown): Promise<void> {
    const { event, to } = payload as { event: AnyEventObject; to?: string };
    await this.#trees.send(row.name, event, to === undefined ? {} : { to }, row);
  }

  rested(durable: DurableActor<Logic>): void {
    this.#trees.rested(durable);
  }

  #rest(): void {
    this.commands.close();
    this.#trees.close();
  }

  #reopened(): void {
    this.#trees.resume();
    this.commands.look();
  }
}

function checkedOnDamage(value: unknown): 'row' | 'checkpoint' {
  if (value === 'row' || value === 'checkpoint') return value;
  throw new PerdureError('OPTIONS_INVALID', `onDamage is "row" or "checkpoint"; got ${JSON.stringify(value)}.`, {
    facts: { option: 'onDamage' },
  });
}
