/** The door for one machine: a tree of its own in a store, which is opened with it when only a path is given. */
import type { InspectionEvent, Observer } from 'xstate';
import type { PerdureError } from '../errors.ts';
import type { CommitReport } from './batch.ts';
import type { Clock } from './clock.ts';
import { DurableActor, type InputOf } from './durable.ts';
import { refuseUnknownOption } from './known-options.ts';
import type { Migrations } from './migrations.ts';
import { isSqliteError, sqliteError, type Durability } from './sqlite.ts';
import { STORE_OPTIONS, Store, storeOptionsOf, type StoreOptions } from './store.ts';
import type { Logic } from './xstate-port.ts';
import { proveXStateOnce } from './xstate-self-test.ts';

/** Options of {@link createDurableActor}. */
export interface DurableOptions<TLogic extends Logic> extends StoreOptions {
  /** The path of the SQLite file, or an open store, which keeps its own options. */
  readonly store: string | Store;
  /** Which tree in that store. Default: `main`. */
  readonly id?: string;
  /** Used only when the tree does not exist yet. */
  readonly input?: InputOf<TLogic>;
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void);
  readonly logger?: (...args: unknown[]) => void;
  readonly clock?: Clock;
  /** What an acknowledgement survives. Default: `power-loss`, an fsync per commit. */
  readonly durability?: Durability;
  /** Told after every commit, before anybody else. */
  readonly onCommit?: (report: CommitReport) => void;
  /** Brings the stored state of other versions of its machines to these, by the machine's id. */
  readonly migrate?: Migrations;
}

const KNOWN: readonly string[] = [
  ...STORE_OPTIONS,
  ...Object.keys({ store: 1, id: 1, input: 1, inspect: 1, logger: 1, migrate: 1 } satisfies Record<
    Exclude<keyof DurableOptions<Logic>, keyof StoreOptions>,
    1
  >),
];

/**
 * Makes the machine durable: created on the first run, brought back ever after.
 * Throws OPTIONS_INVALID, also for an option that there is not, XSTATE_UNSUPPORTED, and what {@link Store.open} and a restore throw.
 */
export async function createDurableActor<TLogic extends Logic>(
  logic: TLogic,
  options: DurableOptions<TLogic>,
): Promise<DurableActor<TLogic>> {
  refuseUnknownOption('createDurableActor', options, KNOWN);
  proveXStateOnce();
  const isOwn = typeof options.store === 'string';
  const store = typeof options.store === 'string' ? Store.open(options.store, storeOptionsOf(options)) : options.store;
  const settings = { ...options, id: options.id ?? 'main' };
  let durable: DurableActor<TLogic> | undefined;
  try {
    durable = new DurableActor(logic, store, settings, isOwn ? { onClose: () => store.close() } : {});
    store.commits.join(durable);
    await durable.opened();
    store.joined();
    return durable;
  } catch (error) {
    const reason = isSqliteError(error) ? sqliteError(error, store.path) : error;
    durable?.discard();
    if (isOwn) store.drop(reason as PerdureError);
    throw reason;
  }
}
