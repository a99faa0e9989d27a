/**
 * A store's file, read from beside: its owner may be another process, or have crashed. Nothing is written, and nobody is held up.
 *
 * B1  The file is looked at while somebody looks, and not otherwise; less often where looking takes long.
 * B2  What only the owner can read is shown as `[encrypted]`.
 * B3  A record is made of what was committed: of each turn where the store keeps its history, and of each actor that has changed,
 *     come or gone since the last look.
 * B4  One look tells a bounded number of turns, and the next goes on soon: actors are told, and listed, as of the turns that were told.
 *     What cannot be told has numbers that are told as dropped.
 * B5  Where another file takes its place, nothing is shown of either: whoever asks is refused with STORE_REPLACED.
 */
import { randomUUID } from 'node:crypto';
import { SUPERVISOR_TREE, supervisorTrees } from '../../actors/stored-standing.ts';
import { PerdureError, isPerdureError } from '../../errors.ts';
import { shown } from '../../machines/option-keys.ts';
import { newestTurns, readHistory } from '../../persistence/history.ts';
import { isLocked } from '../../persistence/lock.ts';
import { Payloads } from '../../persistence/payloads.ts';
import { redaction } from '../../persistence/redaction.ts';
import { isSealed } from '../../persistence/sealing.ts';
import { hasSupervisor, refuseOlderTable, StoreBeside, type StoreReader } from '../../persistence/store-reader.ts';
import type { Chart } from '../charts/chart.ts';
import { CommitTeller } from './commit-teller.ts';
import { Machines } from '../charts/machines.ts';
import type { ActorDetail, ActorInfo, InspectionRecord } from '../protocol.ts';
import { RecordLog, type Unnumbered } from '../recorder/record-log.ts';
import type { HeldRecords, PastQuery, Source, SourceListener } from './source.ts';
import { actorAsOf, RegistryReader, storedActor } from './stored-actors.ts';
import { turnRecord } from './turn-records.ts';
import type { ViewWorld } from './view-world.ts';
import { viewNames, viewOf } from './views.ts';
import { lastTurn } from '../views/overview.ts';

export interface StoreSourceOptions {
  /** Machines of the host, so that their charts can be shown. Perdure's own are known, and what is no machine is left out. */
  readonly machines?: Iterable<unknown>;
  /** Takes secrets out of what is shown. Default: `redaction()`. */
  readonly redact?: (value: unknown) => unknown;
  /** How often the file is looked at, ms. Default: 200. */
  readonly pollMs?: number;
  /** The tree of the supervisor that is shown. Default: of those in the store the one that was started or changed last. */
  readonly tree?: string | undefined;
}

const POLL_MS = 200;
/** Looking takes at most this part of the time. */
const SHARE = 0.1;
/** Whether somebody owns the store is asked at most so often, ms: to ask opens the file of the lock. */
const OWNED_MS = 1_000;
/** Turns of before that are told to who comes first, and turns that are told of one look. */
const TURNS = 200;
/** Of more turns that were not told, only the last are: records of all of them would not be held. */
const MOST_BEHIND = 5_000;

/**
 * Reads a store from beside. `tree` is that of the supervisor that it shows, undefined where there is none: a desk beside the same
 * store is given it, so that it commands the one that is shown. Throws STORE_UNOPENABLE, STORE_FOREIGN, STORE_NEWER, TREE_NOT_FOUND,
 * and OPTIONS_INVALID for an older store.
 *
 * @example
 * const source = storeSource('work.db');
 * await serveInspector(source, { commands: true, desk: deskBeside('work.db', { tree: source.tree }) });
 */
export function storeSource(
  path: string,
  options: StoreSourceOptions = {},
): Source & { readonly tree: string | undefined } {
  return new StoreSource(path, options);
}

class StoreSource implements Source {
  readonly capabilities: Source['capabilities'];
  readonly store: { readonly path: string; readonly id: string };
  readonly epoch = randomUUID();
  readonly startedAt = null;
  readonly pid = null;
  readonly views: readonly string[];
  readonly #beside: StoreBeside;
  readonly #payloads: Payloads;
  /** Of a history that is encrypted it is still told who changed. */
  readonly #historyPayloads: Payloads;
  readonly #machines: Machines;
  readonly tree: string | undefined;
  readonly #pollMs: number;
  readonly #listeners = new Set<SourceListener>();
  readonly #log = new RecordLog();
  readonly #registry = new RegistryReader();
  readonly #teller = new CommitTeller((turn, at) => {
    for (const listener of this.#listeners) listener.committed(turn, at);
  });
  /** What the file was at when it was looked at last. */
  #seen:
    | {
        /** None of a file whose place another has taken. */
        readonly version: number | undefined;
        readonly isOwned: boolean;
        readonly turn: number;
        /** The last turn that was told, or cannot be. */
        readonly told: number;
        readonly isBehind: boolean;
      }
    | undefined;
  #owned = { at: -Infinity, is: false };
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, { machines, redact = redaction(), pollMs = POLL_MS, tree: asked }: StoreSourceOptions) {
    this.#machines = new Machines(machines);
    this.#payloads = new Payloads({ redact });
    this.#historyPayloads = new Payloads({ redact, sealing: { seal: (text) => text, unseal: openHistory } });
    this.#pollMs = pollMs;
    const beside = (this.#beside = new StoreBeside(path));
    try {
      beside.refuseOlder();
      const { tree, history } = beside.read((rows) => {
        const isSupervised = hasSupervisor(rows);
        if (isSupervised) refuseOlderTable(rows, path, 'profile_runs', 'id');
        return {
          tree: shownTree(rows, path, isSupervised, asked),
          history: rows.get('select 1 from turns limit 1') !== undefined,
        };
      });
      this.store = { path, id: beside.id };
      this.capabilities = { history, live: false, supervisor: tree !== undefined };
      this.tree = tree;
      this.views = viewNames(tree !== undefined);
    } catch (error) {
      beside.close();
      throw error;
    }
  }

  get nextSeq(): number {
    return this.#log.next;
  }

  subscribe(listener: SourceListener): { unsubscribe(): void } {
    this.#look();
    // The same listener may come twice.
    const own: SourceListener = {
      records: (records) => listener.records(records),
      dropped: (from, to) => listener.dropped?.(from, to),
      committed: (turn, at) => listener.committed(turn, at),
    };
    this.#listeners.add(own);
    this.#timer ??= setTimeout(this.#poll, this.#seen?.isBehind === true ? 0 : this.#pollMs).unref();
    return {
      unsubscribe: () => {
        if (!this.#listeners.delete(own) || this.#listeners.size > 0) return;
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#teller.close();
      },
    };
  }

  registry(): readonly ActorInfo[] {
    // While nobody looks, nobody goes on.
    this.#look(this.#timer === undefined ? MOST_BEHIND : TURNS);
    return this.#registry.all;
  }

  get moreActors(): number {
    return this.#registry.more;
  }

  recordsFrom(seq: number): HeldRecords {
    this.#beside.refuseReplaced();
    return this.#log.from(seq);
  }

  actor(id: string, seq?: number): ActorDetail | undefined {
    if (seq === undefined) return this.#read((world) => storedActor(world, id));
    const { from, records } = this.#log.from(0);
    if (seq < from - 1) return undefined;
    const turn = records.findLast((record) => record.kind === 'turn' && record.seq <= seq);
    if (turn?.kind === 'turn') return this.#asOf(turn.turn, id);
    // Without a history only the present is known.
    const isOfIt = (record: InspectionRecord) =>
      record.actor === id || (record.kind === 'turn' && record.changed.includes(id));
    const isPast = records.some((record) => record.seq > seq && isOfIt(record));
    return isPast ? undefined : this.actor(id);
  }

  /** Undefined of a turn that is not kept any more. */
  #asOf(turn: number, id: string): ActorDetail | undefined {
    try {
      return this.#read((world) => actorAsOf(world, turn, id));
    } catch (error) {
      if (isPerdureError(error, 'CHECKPOINT_UNKNOWN')) return undefined;
      throw error;
    }
  }

  chart(id: string): Chart | undefined {
    return this.#machines.chart(id);
  }

  view(name: string, query: URLSearchParams): unknown {
    return this.#read(viewOf(name, query, this.views));
  }

  async *history({ from = 0, ...query }: PastQuery = {}): AsyncIterable<InspectionRecord> {
    const source = { ...this.#historySource, assertOpen: () => this.#beside.refuseReplaced() };
    for await (const turn of readHistory(source, { from, ...query })) yield turnRecord(this.#payloads, turn, turn.turn);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#listeners.clear();
    this.#teller.close();
    this.#beside.close();
  }

  /** B1. */
  readonly #poll = (): void => {
    const began = performance.now();
    let isBehind = false;
    try {
      this.#look();
      isBehind = this.#seen?.isBehind === true;
    } catch (error) {
      // The file is locked, or was replaced. Whoever asks for something is told so; the next look may be luckier.
      if (isPerdureError(error, 'STORE_REPLACED')) this.#tellReplaced();
    }
    const tookMs = performance.now() - began;
    // Until it has caught up it takes half of the time.
    const delayMs = isBehind ? tookMs : Math.max(this.#pollMs, tookMs / SHARE);
    this.#timer = setTimeout(this.#poll, delayMs).unref();
  };

  /** Who shows something asks for it again, and is refused. */
  #tellReplaced(): void {
    if (this.#seen?.version === undefined) return;
    this.#seen = { ...this.#seen, version: undefined };
    this.#teller.committed(this.#seen.turn);
  }

  /** B3, B4. Tells who listens, but of the first look, which tells nobody what is new. */
  #look(most = TURNS): void {
    const { version } = this.#beside;
    const isOwned = this.#isOwned();
    const before = this.#seen;
    if (before?.version === version && !before.isBehind) {
      // An owner that dies commits nothing.
      if (before.isOwned !== isOwned) this.#teller.committed(before.turn);
      this.#seen = { ...before, isOwned };
      return;
    }
    const found = this.#read((world) => {
      const turn = lastTurn(world.rows);
      const { turns, upTo, isBehind } = this.#nextTurns(world, before?.told, most);
      const missing = before === undefined ? 0 : upTo - before.told - turns.length;
      const actors = isBehind ? [] : this.#changes(world);
      const records = before === undefined ? turns : [...turns, ...actors];
      return { records, missing, seen: { version, isOwned, turn, told: isBehind ? upTo : turn, isBehind } };
    });
    this.#seen = found.seen;
    if (found.missing > 0) {
      const { from, to } = this.#log.skip(found.missing);
      for (const listener of this.#listeners) listener.dropped?.(from, to);
    }
    const records = this.#log.add(found.records);
    if (before === undefined) return;
    if (records.length > 0) for (const listener of this.#listeners) listener.records(records);
    this.#teller.committed(found.seen.turn);
  }

  /** The turns that were not told yet, so many at most. */
  #nextTurns({ rows }: ViewWorld, told: number | undefined, most: number) {
    const { turn: newest } = rows.get<{ turn: number | null }>('select max(turn) as turn from turns') ?? { turn: null };
    // A history that is not kept any more is forgotten.
    const last = Math.max(newest ?? 0, told ?? 0);
    const isFar = told === undefined || last - told > MOST_BEHIND;
    const upTo = isFar ? last : Math.min(last, told + most);
    const found = newestTurns({ ...this.#historySource, turn: upTo + 1 }, told ?? 0, isFar ? TURNS : most);
    return { turns: found.map((one) => turnRecord(this.#payloads, one, 0)), upTo, isBehind: upTo < last };
  }

  /** The actors that have changed, come or gone. */
  #changes(world: ViewWorld): Unnumbered[] {
    const was = new Map(this.#registry.all.map((info) => [info.id, info]));
    const { changed, gone } = this.#registry.read(world);
    // Another may have come under the id of one that went.
    for (const { id } of gone) was.delete(id);
    return [...endsOf(gone, world.now), ...changesOf(changed, was, world.now)];
  }

  get #historySource() {
    const { statements } = this.#beside;
    return { statements, payloads: this.#historyPayloads, turn: Number.MAX_SAFE_INTEGER };
  }

  #read<T>(read: (world: ViewWorld) => T): T {
    const { statements } = this.#beside;
    const world = {
      statements,
      payloads: this.#payloads,
      now: Date.now(),
      tree: this.tree ?? SUPERVISOR_TREE,
      isOwned: this.#isOwned(),
      machines: this.#machines,
    };
    // SQLite's wrapper takes no promise out of a transaction, though its beginning may well be in it.
    return this.#beside.read((rows) => ({ found: read({ ...world, rows }) })).found;
  }

  #isOwned(): boolean {
    const now = performance.now();
    if (now - this.#owned.at >= OWNED_MS) this.#owned = { at: now, is: isLocked(this.store.path) };
    return this.#owned.is;
  }
}

/** The tree of the supervisor; undefined where there is none. Throws TREE_NOT_FOUND when another is asked for. */
function shownTree(
  rows: Pick<StoreReader, 'all'>,
  path: string,
  isSupervised: boolean,
  asked: string | undefined,
): string | undefined {
  const known = isSupervised ? supervisorTrees(rows) : [];
  if (asked === undefined) return known[0];
  if (known.includes(asked)) return asked;
  const there = known.length === 0 ? 'none' : known.map(shown).join(', ');
  throw new PerdureError(
    'TREE_NOT_FOUND',
    `There is no supervisor ${shown(asked)} in the store ${path}; there are: ${there}.`,
    { facts: { tree: asked, known } },
  );
}

/** What was sealed is no cause that can be told. */
function openHistory(stored: string): string {
  return isSealed(stored) ? '[]' : stored;
}

function changesOf(changed: readonly ActorInfo[], was: ReadonlyMap<string, ActorInfo>, now: number): Unnumbered[] {
  return changed.map((info) => {
    const { id: actor, status, value, tags } = info;
    const at = info.changedAt ?? now;
    if (!was.has(actor)) return { kind: 'started', actor, at, info };
    // Which event it was, and what of its context, is not in its row.
    return { kind: 'snapshot', actor, at, event: '', status, value, tags, contextChanged: true };
  });
}

function endsOf(gone: readonly ActorInfo[], at: number): Unnumbered[] {
  return gone.map(({ id: actor, status }) => ({
    kind: 'stopped',
    actor,
    at,
    status: status === 'active' ? 'stopped' : status,
  }));
}
