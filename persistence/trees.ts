/**
 * The trees of one store that are opened on demand and closed when idle, so that a hundred thousand durable machines cost
 * the memory of those that are awake.
 *
 * N1  A tree is awake once: whoever wants it gets the same live tree.
 * N2  A tree is closed only when nothing is under way in it (no effect, no outbox row, no turn to commit) and no host
 *     holds it. Timers do not keep it awake: when the first of a closed tree is due, the tree is opened for it.
 * N3  After a crash, trees in which something was under way are opened again, a few at a time.
 * N4  A tree that cannot be opened harms no other: its senders are told, and an incident is noted.
 */
import { PerdureError, messageOf } from '../errors.ts';
import type { Commits } from './commits.ts';
import { DurableActor, type InputOf, type SendOptions, type TreeSettings } from './durable.ts';
import type { Store } from './store.ts';
import type { AnyEventObject, Logic } from './xstate-port.ts';
import { proveXStateOnce } from './xstate-self-test.ts';

/** The machines of a store, by the names under which its trees are stored. */
export type Machines = Readonly<Record<string, Logic>>;

/** How trees are kept awake. */
export interface WakefulnessOptions {
  /** A tree that nobody holds is closed after so long without a turn. ms. Default: 10,000. */
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
  readonly durable: DurableActor<Logic>;
  /** Resolves when it was started and that is committed. */
  readonly ready: Promise<void>;
  /** How many handles the host holds. */
  holders: number;
  usedAt: number;
}

interface TreeRow {
  readonly tree: number;
  readonly name: string;
  readonly machine: string | null;
  readonly created_at: number;
}

const PAGE = 1_000;
/** Trees opened in one go after a crash, or for their timers. */
const WOKEN_AT_ONCE = 32;
/** Idle trees looked at when there are too many. */
const LOOKED_AT = 8;
/** The longest wait for the first timer of a closed tree: a suspended machine and a moved clock are seen then. */
const RECHECK_MS = 30_000;

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
    if (Object.keys(machines).length === 0) return;
    proveXStateOnce();
    this.#resume();
  }

  /** A live tree, created if it does not exist, that stays awake until the host closes it as often as it opened it. */
  open(machine: string, id: string, input: unknown): Pick<Awake, 'durable' | 'ready'> {
    const row = this.#row(id);
    if (row !== undefined && row.machine !== machine) {
      throw new PerdureError(
        'MACHINE_CHANGED',
        `The tree "${id}" is stored as ${row.machine === null ? 'a tree of createDurableActor' : `"${row.machine}"`}, and cannot be opened as "${machine}".`,
        { facts: { tree: id, stored: row.machine, machine } },
      );
    }
    const awake = this.#awake.get(id) ?? this.#open(machine, id, input);
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
        { facts: { tree: id } },
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

  send(id: string, event: AnyEventObject, options: SendOptions, alongside?: () => void) {
    const durable = this.wake(id);
    return durable.apply(event, options, alongside === undefined ? {} : { kind: 'outbox', alongside });
  }

  /** Closes the tree, if it is live. */
  release(id: string): void {
    const live = this.#commits.participant(id);
    this.#awake.delete(id);
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
    const logic = this.#logic(machine, id);
    const settings = { ...this.#settings, id, input: input as InputOf<Logic> };
    const durable = new DurableActor<Logic>(logic, this.#store, settings, { machine, letGo: () => this.#letGo(id) });
    this.#commits.join(durable);
    const awake: Awake = { durable, ready: durable.opened(), holders: 0, usedAt: this.#commits.clock.now() };
    this.#awake.set(id, awake);
    void durable.ended.then(() => this.#awake.get(id) === awake && this.#awake.delete(id));
    awake.ready.catch((error: unknown) => this.#failed(id, error));
    if (this.#awake.size > this.#maxAwake) this.#closeSome();
    this.#sweepLater();
    return awake;
  }

  #logic(machine: string, id: string): Logic {
    const logic = Object.hasOwn(this.#machines, machine) ? this.#machines[machine] : undefined;
    if (logic !== undefined) return logic;
    throw new PerdureError(
      'MACHINE_UNKNOWN',
      `The tree "${id}" is a "${machine}", which is not among the machines of the store (${Object.keys(this.#machines).join(', ') || 'none'}): ` +
        'pass it to Store.open({ machines }).',
      { facts: { tree: id, machine } },
    );
  }

  #row(id: string): TreeRow | undefined {
    return this.#commits.statements.of('select tree, name, machine, created_at from trees where name = ?').get(id) as
      TreeRow | undefined;
  }

  #use(id: string, awake: Awake): void {
    awake.usedAt = this.#commits.clock.now();
    this.#awake.delete(id);
    this.#awake.set(id, awake);
  }

  /** The host lets go of a tree that it opened; one in which something is under way stays awake until that is over. */
  #letGo(id: string): void {
    const awake = this.#awake.get(id);
    if (awake === undefined || awake.holders === 0) return;
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
    for (const [id, awake] of this.#awake) {
      if (awake.usedAt > oldest) break;
      this.#closeIdle(id, awake);
    }
    if (this.#awake.size > 0) this.#sweepLater();
  }

  #closeSome(): void {
    let looked = 0;
    for (const [id, awake] of this.#awake) {
      if (this.#awake.size <= this.#maxAwake || looked++ >= LOOKED_AT) return;
      this.#closeIdle(id, awake);
    }
  }

  #closeIdle(id: string, { holders, durable }: Awake): void {
    if (holders > 0 || !durable.isIdle) return;
    const due = durable.nextDue;
    this.#awake.delete(id);
    durable.discard();
    if (due !== undefined) this.#alarmAt(due);
  }

  // N2, N3: who must be opened without being asked.

  #resume(): void {
    const { statements } = this.#commits;
    const underway = statements.of(
      `select name from trees where machine is not null and tree in
         (select tree from actors where attempt > 0 union select tree from outbox where dead_at is null)`,
    );
    for (const { name } of underway.all() as { name: string }[]) this.#toWake.add(name);
    this.#wakeSome();
    this.#ring();
  }

  #wakeSome(): void {
    this.#waking = undefined;
    let woken = 0;
    for (const id of this.#toWake) {
      if (woken++ >= WOKEN_AT_ONCE) break;
      this.#toWake.delete(id);
      this.#wakeAlone(id);
    }
    if (this.#toWake.size > 0 && !this.#closed) this.#waking = setImmediate(() => this.#wakeSome());
  }

  #wakeAlone(id: string): void {
    if (this.#closed || !this.#commits.isOpen || this.#broken.has(id) || !this.canReach(id)) return;
    try {
      this.wake(id);
    } catch (error) {
      this.#failed(id, error);
    }
  }

  #failed(id: string, error: unknown): void {
    if (this.#closed || !this.#commits.isOpen) return;
    this.#broken.add(id);
    this.#awake.delete(id);
    this.#commits.incident({
      kind: 'tree.unopenable',
      detail: `The tree "${id}" could not be opened: ${messageOf(error)}`,
    });
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

  /** A store that failed is open again: what was missed meanwhile is made up for. */
  reopened(): void {
    if (Object.keys(this.#machines).length > 0) this.#ring();
  }
}
