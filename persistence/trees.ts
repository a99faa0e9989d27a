/**
 * The trees of one store that are opened on demand and closed when idle, so that a hundred thousand durable machines cost
 * the memory of those that are awake.
 *
 * N1  A tree is awake once: whoever wants it gets the same live tree.
 * N2  A tree is closed only when nothing is under way in it (no effect, no outbox row, no turn to commit) and no host
 *     holds it. Timers do not keep it awake: when the first of a closed tree is due, the tree is opened for it.
 * N3  After a crash, trees in which something was under way are opened again, a few at a time.
 * N4  A tree that cannot be opened harms no other: its senders are told, and an incident is noted. It is tried again when
 *     somebody sends to it or opens it.
 */
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import type { Commits } from './commits.ts';
import { DurableActor, type InputOf, type Receipt, type SendOptions, type TreeSettings } from './durable.ts';
import type { OutboxRow } from './outbox-rows.ts';
import { isStoreFailure } from './sqlite.ts';
import type { Store } from './store.ts';
import { findTree, type TreeRow } from './tree-rows.ts';
import type { AnyEventObject, Logic } from './xstate-port.ts';
import { proveXStateOnce } from './xstate-self-test.ts';

/** The machines of a store, by the names under which its trees are stored. */
export type Machines = Readonly<Record<string, Logic>>;

/** How trees are kept awake. */
export interface WakefulnessOptions {
  /** A tree that nobody holds is closed when nobody has sent to it for so long. ms. Default: 10,000. */
  readonly idleMs?: number;
  /** More trees than this, that nobody holds, are not kept awake longer than they must. Default: 1,000. */
  readonly maxAwake?: number;
}

/** A tree of a store, as {@link Store.trees} tells it. */
export interface TreeInfo {
  readonly id: string;
  /** The name of its machine in the store's `machines`; null for a tree of createDurableActor. */
  readonly machine: string | null;
  readonly createdAt: number;
  readonly isAwake: boolean;
}

interface Awake {
  readonly machine: string;
  readonly durable: DurableActor<Logic>;
  /** Resolves when it was started and that is committed. */
  readonly ready: Promise<void>;
  /** How many handles the host holds. */
  holders: number;
  usedAt: number;
}

const PAGE = 1_000;
/** Trees opened in one go after a crash, or for their timers. */
const WOKEN_AT_ONCE = 32;
/** Idle trees looked at when there are too many. */
const LOOKED_AT = 8;
/** The longest wait for the first timer of a closed tree: a suspended machine and a moved clock are seen then. */
const RECHECK_MS = 30_000;
/** The wait after the file could not be read. */
const RETRY_MS = 1_000;

export class Trees {
  readonly #store: Store;
  readonly #commits: Commits;
  readonly #machines: Machines;
  readonly #idleMs: number;
  readonly #maxAwake: number;
  readonly #settings: Pick<TreeSettings<Logic>, 'inspect' | 'logger' | 'migrate'>;
  /** In the order in which they were used, the longest unused first. */
  readonly #awake = new Map<string, Awake>();
  readonly #toWake = new Set<string>();
  /** Trees that could not be opened: not tried again by themselves. */
  readonly #broken = new Set<string>();
  #alarm: { readonly at: number; readonly handle: unknown } | undefined;
  #sweeping: unknown;
  #waking: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(
    store: Store,
    machines: Machines,
    { idleMs = 10_000, maxAwake = 1_000 }: WakefulnessOptions,
    settings: Pick<TreeSettings<Logic>, 'inspect' | 'logger' | 'migrate'>,
  ) {
    this.#store = store;
    this.#commits = store.commits;
    this.#machines = machines;
    this.#idleMs = idleMs;
    this.#maxAwake = maxAwake;
    this.#settings = settings;
  }

  /** A live tree, created if it does not exist, that stays awake until the host closes it as often as it opened it. */
  open(machine: string, id: string, input: unknown): Pick<Awake, 'durable' | 'ready'> {
    const stored = this.#awake.get(id) ?? this.#row(id);
    if (stored !== undefined && stored.machine !== machine) throw otherMachine(id, stored.machine, machine);
    const awake = this.#awake.get(id) ?? this.#open(machine, id, input);
    this.#use(id, awake);
    awake.holders += 1;
    return awake;
  }

  /** The live tree, opened if it must be. Throws TREE_NOT_FOUND, MACHINE_UNKNOWN, and what a restore throws. */
  wake(id: string): DurableActor<Logic> {
    const live = this.#commits.participant(id);
    const awake = this.#awake.get(id);
    if (awake !== undefined) {
      this.#use(id, awake);
      return awake.durable;
    }
    if (live instanceof DurableActor) return live as DurableActor<Logic>;
    const row = this.#row(id);
    if (row === undefined) {
      throw new PerdureError('TREE_NOT_FOUND', `There is no tree "${id}" in ${this.#store.path}: open it first.`, {
        facts: { tree: id },
      });
    }
    if (row.machine === null) {
      throw new PerdureError(
        'MACHINE_UNKNOWN',
        `The tree "${id}" was made by createDurableActor, so the store cannot open it by itself: open it with its machine first.`,
        { facts: { tree: id }, retryable: true },
      );
    }
    return this.#open(row.machine, id, undefined).durable;
  }

  /** Whether the tree is live, or could be opened. */
  canReach(id: string): boolean {
    if (this.#commits.participant(id) !== undefined) return true;
    const machine = this.#row(id)?.machine;
    return typeof machine === 'string' && Object.hasOwn(this.#machines, machine);
  }

  /** Sends to a tree; `row` is that of the outbox from which the event comes. */
  send(id: string, event: AnyEventObject, options: SendOptions, row?: OutboxRow): Promise<Receipt> {
    return this.wake(id).apply(event, options, row);
  }

  /** Sends what somebody left in the store. */
  obey(id: string, event: AnyEventObject, options: SendOptions): Promise<Receipt> {
    return this.wake(id).obey(event, options);
  }

  /** Closes the tree, if it is live. */
  release(id: string): void {
    const live = this.#commits.participant(id);
    this.#awake.delete(id);
    this.#toWake.delete(id);
    this.#broken.delete(id);
    if (live instanceof DurableActor) live.discard();
  }

  *list(): IterableIterator<TreeInfo> {
    const read = this.#commits.statements.of(
      'select tree, name, machine, created_at from trees where name > ? order by name limit ?',
    );
    for (let last = '', more = true; more;) {
      const rows = read.all(last, PAGE) as TreeRow[];
      for (const { name: id, machine, created_at: createdAt } of rows) {
        yield { id, machine, createdAt, isAwake: this.#commits.participant(id) !== undefined };
      }
      last = rows.at(-1)?.name ?? last;
      more = rows.length === PAGE;
    }
  }

  /** Something that kept the tree awake is over. */
  rested(durable: DurableActor<Logic>): void {
    if (this.#awake.has(durable.id)) this.#sweepLater();
  }

  close(): void {
    this.#closed = true;
    const { clock } = this.#commits;
    if (this.#alarm !== undefined) clock.clearTimeout(this.#alarm.handle);
    if (this.#sweeping !== undefined) clock.clearTimeout(this.#sweeping);
    clearImmediate(this.#waking);
    for (const { durable } of this.#awake.values()) durable.discard();
    this.#awake.clear();
  }

  #open(machine: string, id: string, input: unknown): Awake {
    const durable = this.#restore(machine, id, input);
    const usedAt = this.#commits.clock.now();
    const awake: Awake = { machine, durable, ready: durable.opened(), holders: 0, usedAt };
    this.#awake.set(id, awake);
    const forget = () => this.#awake.get(id) === awake && this.#awake.delete(id);
    void durable.ended.then(forget);
    awake.ready.then(
      () => this.#broken.delete(id),
      (error: unknown) => {
        forget();
        durable.discard();
        this.#failed(id, error);
      },
    );
    if (this.#awake.size > this.#maxAwake) this.#closeSome();
    this.#sweepLater();
    return awake;
  }

  /** The tree, joined and not started. */
  #restore(machine: string, id: string, input: unknown): DurableActor<Logic> {
    try {
      const settings = { ...this.#settings, id, input: input as InputOf<Logic> };
      const ownership = { machine, letGo: () => this.#letGo(id, durable) };
      const durable: DurableActor<Logic> = new DurableActor(this.#logic(machine, id), this.#store, settings, ownership);
      this.#commits.join(durable);
      return durable;
    } catch (error) {
      this.#failed(id, error);
      throw error;
    }
  }

  #logic(machine: string, id: string): Logic {
    const logic = Object.hasOwn(this.#machines, machine) ? this.#machines[machine] : undefined;
    if (logic !== undefined) return logic;
    throw new PerdureError(
      'MACHINE_UNKNOWN',
      `The tree "${id}" is a "${machine}", which is not among the machines of the store (${Object.keys(this.#machines).join(', ') || 'none'}): ` +
        'pass it to Store.open({ machines }).',
      { facts: { tree: id, machine }, retryable: true },
    );
  }

  #row(id: string): TreeRow | undefined {
    return findTree(this.#commits.statements, id);
  }

  #use(id: string, awake: Awake): void {
    awake.usedAt = this.#commits.clock.now();
    this.#awake.delete(id);
    this.#awake.set(id, awake);
  }

  /** The host lets go of a tree that it opened; one in which something is under way stays awake until that is over. */
  #letGo(id: string, durable: DurableActor<Logic>): void {
    const awake = this.#awake.get(id);
    // It may have been given up and opened anew, for others.
    if (awake?.durable !== durable || awake.holders === 0) return;
    awake.holders -= 1;
    this.#closeIdle(id, awake);
    this.#sweepLater();
  }

  // N2.

  #sweepLater(): void {
    if (this.#sweeping !== undefined || this.#closed) return;
    const { clock } = this.#commits;
    this.#sweeping = clock.setTimeout(() => this.#sweep(), this.#idleMs);
    (this.#sweeping as { unref?: () => void }).unref?.();
  }

  #sweep(): void {
    this.#sweeping = undefined;
    const oldest = this.#commits.clock.now() - this.#idleMs;
    for (const [id, awake] of this.#awake) if (awake.usedAt <= oldest) this.#closeIdle(id, awake);
    if (this.#awake.size > 0) this.#sweepLater();
  }

  #closeSome(): void {
    const oldest = [...take(this.#awake, LOOKED_AT)];
    for (const [id, awake] of oldest) {
      if (this.#awake.size <= this.#maxAwake) return;
      if (this.#closeIdle(id, awake)) continue;
      // Others are looked at next time.
      this.#awake.delete(id);
      this.#awake.set(id, awake);
    }
  }

  /** Gives whether it could be closed. */
  #closeIdle(id: string, { holders, durable }: Awake): boolean {
    if (holders > 0 || !durable.isIdle) return false;
    const due = durable.nextDue;
    this.#awake.delete(id);
    durable.discard();
    if (due !== undefined) this.#alarmAt(due);
    return true;
  }

  // N2, N3: who must be opened without being asked.

  /** Opens the trees in which something is under way: after a crash, and when a store that failed is open again. */
  resume(): void {
    if (Object.keys(this.#machines).length === 0) return;
    proveXStateOnce();
    const { statements } = this.#commits;
    const underway = statements.of(
      `select name from trees where machine is not null and tree in
         (select tree from actors where attempt > 0 union select tree from outbox where dead_at is null)`,
    );
    for (const { name } of underway.all() as { name: string }[]) this.#toWake.add(name);
    if (this.#waking === undefined) this.#wakeSome();
    this.#ring();
  }

  #wakeSome(): void {
    this.#waking = undefined;
    let woken = 0;
    for (const id of this.#toWake) {
      if (woken++ >= WOKEN_AT_ONCE) break;
      if (!this.#wakeAlone(id)) return this.#lookAgain();
      this.#toWake.delete(id);
    }
    if (this.#toWake.size > 0 && !this.#closed) this.#waking = setImmediate(() => this.#wakeSome());
  }

  /** False when the file could not be read, which says nothing of the tree. */
  #wakeAlone(id: string): boolean {
    if (this.#closed || !this.#commits.isOpen || this.#broken.has(id)) return true;
    try {
      // One that was deleted meanwhile has nothing under way.
      if (this.#row(id) !== undefined) this.wake(id);
    } catch (error) {
      if (isStoreFailure(error)) return false;
      this.#failed(id, error);
    }
    return true;
  }

  /** N4: told once for each tree and reason. The failure of the whole store is no tree's. */
  #failed(id: string, error: unknown): void {
    if (this.#closed || !this.#commits.isOpen || this.#broken.has(id) || isStoreFault(error)) return;
    const row = this.#row(id);
    // Of one that was never stored, who wanted to make it is told, and nobody else is concerned.
    if (row === undefined) return;
    this.#broken.add(id);
    const detail = `The tree "${id}" could not be opened: ${messageOf(error)}`;
    this.#commits.incident({ kind: 'tree.unopenable', detail, tree: row.tree, once: true });
  }

  #alarmAt(due: number): void {
    if (this.#closed || (this.#alarm !== undefined && this.#alarm.at <= due)) return;
    const { clock } = this.#commits;
    if (this.#alarm !== undefined) clock.clearTimeout(this.#alarm.handle);
    const wait = Math.min(Math.max(0, due - clock.now()), RECHECK_MS);
    this.#alarm = { at: due, handle: clock.setTimeout(() => this.#ring(), wait) };
  }

  /** Opens the closed trees that have a timer due, and sets the alarm for the next one. */
  #ring(): void {
    this.#alarm = undefined;
    if (this.#closed || !this.#commits.isOpen) return;
    try {
      this.#wakeDue();
    } catch (error) {
      if (!isStoreFailure(error)) throw error;
      this.#lookAgain();
    }
  }

  /** A file that cannot be read now is asked again; a commit will say what is wrong with it. */
  #lookAgain(): void {
    this.#alarmAt(this.#commits.clock.now() + RETRY_MS);
  }

  #wakeDue(): void {
    const { statements, clock } = this.#commits;
    const now = clock.now();
    const due = statements.of(
      `select distinct name from timers join trees using (tree) where due <= ? and machine is not null`,
    );
    for (const { name } of due.all(now) as { name: string }[]) {
      if (this.#commits.participant(name) === undefined) this.#toWake.add(name);
    }
    if (this.#toWake.size > 0 && this.#waking === undefined) this.#wakeSome();
    const next = statements.of('select min(due) as due from timers where due > ?').get(now) as { due: number | null };
    if (next.due !== null) this.#alarmAt(next.due);
  }
}

function otherMachine(id: string, stored: string | null, machine: string): PerdureError {
  const as = stored === null ? 'a tree of createDurableActor' : `"${stored}"`;
  return new PerdureError(
    'MACHINE_CHANGED',
    `The tree "${id}" is stored as ${as}, and cannot be opened as "${machine}".`,
    {
      facts: { tree: id, stored, machine },
    },
  );
}

function isStoreFault(error: unknown): boolean {
  return isStoreFailure(error) || (isPerdureError(error) && error.code.startsWith('STORE_'));
}

function* take<T>(items: Iterable<T>, count: number): IterableIterator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ >= count) return;
    yield item;
  }
}
