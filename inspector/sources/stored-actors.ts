/** Actors as their rows have them: those of now, and those that a kept turn saw. */
import { isSupervisorTree } from '../../actors/stored-standing.ts';
import { UNREADABLE, readable } from '../../actors/unreadable.ts';
import { isObject } from '../../machines/option-keys.ts';
import { bindingOf, type ActorRow } from '../../persistence/actor-rows.ts';
import { rowsAsOf } from '../../persistence/rows-as-of.ts';
import { isSealed } from '../../persistence/sealing.ts';
import { shownState } from '../../persistence/shown-state.ts';
import { ENCRYPTED } from '../../persistence/store-reader.ts';
import { assertKept } from '../../persistence/time-travel.ts';
import { bindingOf as timerBinding, type TimerRow } from '../../persistence/timer-rows.ts';
import { knownState, operable } from '../charts/machines.ts';
import type { ActorDetail, ActorInfo } from '../protocol.ts';
import { withoutSecretTexts } from '../../persistence/shown-texts.ts';
import { cut, type ViewWorld } from './view-world.ts';

/** Of one that only the owner can read. */
const SEALED = '[encrypted]';
/** Characters of JSON of a context. */
const CONTEXT_LIMIT = 262_144;
const TIMERS = 100;

type World = Pick<ViewWorld, 'rows' | 'statements' | 'payloads' | 'machines'>;
type Row = ActorRow & { readonly at?: number | null };

/** What a row says without its snapshot: whose it is, and since when it is as it is. */
type ActorVersion = Pick<ActorRow, 'id' | 'from_turn'>;

/** Actors that a registry has: those that came first, so that parents are there with their children. */
export const MOST_ACTORS = 20_000;

/** The row ids of the actors, and since when they are as they are. */
function actorVersions({ rows }: Pick<World, 'rows'>): ActorVersion[] {
  return rows.all<ActorVersion>('select id, from_turn from actors order by id limit ?', MOST_ACTORS);
}

const CELLS = `actors.*, (select at from turns where turns.turn = actors.from_turn) as at`;

/** Keeps the registry, and reads again only what has changed. */
export class RegistryReader {
  readonly #known = new Map<number, { readonly version: number; readonly info: ActorInfo }>();
  #more = 0;

  /** Reads; says what has changed since it last did. */
  read(world: World): { readonly changed: readonly ActorInfo[]; readonly gone: readonly ActorInfo[] } {
    const { rows } = world;
    const versions = actorVersions(world);
    const isAll = versions.length < MOST_ACTORS;
    this.#more = isAll ? 0 : (rows.get<{ n: number }>('select count(*) as n from actors')?.n ?? 0) - MOST_ACTORS;
    const stale = versions.filter(({ id, from_turn }) => this.#known.get(id)?.version !== from_turn);
    const there = new Set(versions.map(({ id }) => id));
    const gone = [...this.#known].filter(([id]) => !there.has(id));
    for (const [id] of gone) this.#known.delete(id);
    const found = rows.all<Row>(
      `select ${CELLS} from actors where id in (select value from json_each(?)) order by id`,
      JSON.stringify(stale.map(({ id }) => id)),
    );
    // Ids of new actors need those of their parents, which may not have changed.
    const changed = infosOf(world, found, treesOf(world), (id) => this.#known.get(id)?.info.id);
    for (const { row, info } of changed) this.#known.set(row.id, { version: row.from_turn, info });
    return { changed: changed.map(({ info }) => info), gone: gone.map(([, { info }]) => info) };
  }

  /** How many actors there were beside these. */
  get more(): number {
    return this.#more;
  }

  /** As of the last reading, parents before their children. */
  get all(): ActorInfo[] {
    const sorted = [...this.#known].sort(([a], [b]) => a - b);
    return sorted.map(([, { info }]) => info);
  }
}

/** An actor as it is; undefined when there is none of this id. */
export function storedActor(world: World, id: string): ActorDetail | undefined {
  const { rows } = world;
  const parts = id.split('/');
  const tree = rows.get<{ tree: number; name: string }>(
    `select tree, name from trees where name in (select value from json_each(?)) order by length(name) desc limit 1`,
    JSON.stringify(parts.map((_, i) => parts.slice(0, i + 1).join('/'))),
  );
  if (tree === undefined) return undefined;
  const { tree: number, name } = tree;
  const keys = id === name ? [] : id.slice(name.length + 1).split('/');
  const root = rows.get<Row>(`select ${CELLS} from actors where tree = ? and parent is null`, number);
  const row = root && descend(world, root, keys);
  return row && detailOf(world, row, id);
}

/** The name of a child may have a `/` in it. */
function descend(world: World, from: Row, keys: readonly string[]): Row | undefined {
  if (keys.length === 0) return from;
  for (let length = keys.length; length > 0; length -= 1) {
    const key = keys.slice(0, length).join('/');
    const child = world.rows.get<Row>(
      `select ${CELLS} from actors where tree = ? and parent = ? and key = ?`,
      from.tree,
      from.id,
      key,
    );
    const found = child && descend(world, child, keys.slice(length));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The actors that a kept turn saw. Throws CHECKPOINT_UNKNOWN. */
export function registryAsOf(world: World, turn: number): ActorInfo[] {
  const { found, trees } = asOf(world, turn);
  return infosOf(world, found, trees).map(({ info }) => info);
}

/** An actor that a kept turn saw. Throws CHECKPOINT_UNKNOWN. */
export function actorAsOf(world: World, turn: number, id: string): ActorDetail | undefined {
  const { found, trees } = asOf(world, turn);
  const one = infosOf(world, found, trees).find(({ info }) => info.id === id);
  if (one === undefined) return undefined;
  const timers = rowsAsOf<TimerRow & { tree: number }>(world.statements, { table: 'timers', tree: one.row.tree }, turn);
  return detailOf(world, one.row, id, timers);
}

function asOf(world: World, turn: number): { found: Row[]; trees: Map<number, string> } {
  const { statements } = world;
  assertKept(statements, turn);
  const trees = rowsAsOf<{ tree: number; name: string }>(statements, { table: 'trees' }, turn);
  const time = statements.of('select at from turns where turn = ?');
  const found = rowsAsOf<Row>(statements, { table: 'actors' }, turn).map((row) => ({
    ...row,
    at: (time.get(row.from_turn) as { at: number } | undefined)?.at ?? null,
  }));
  found.sort((a, b) => a.id - b.id);
  return { found, trees: new Map(trees.map(({ tree, name }) => [tree, name])) };
}

function treesOf({ rows }: Pick<World, 'rows'>): Map<number, string> {
  const trees = rows.all<{ tree: number; name: string }>('select tree, name from trees order by length(name) desc');
  return new Map(trees.map(({ tree, name }) => [tree, name]));
}

/** The rows with what is told of them. What has no tree or no parent any more was damaged, and is left out. */
function infosOf(
  world: World,
  found: readonly Row[],
  trees: ReadonlyMap<number, string>,
  known: (id: number) => string | undefined = () => undefined,
): { row: Row; info: ActorInfo }[] {
  const ids = new Map<number, string>();
  return found.flatMap((row) => {
    const tree = trees.get(row.tree);
    const parent = row.parent === null ? null : (ids.get(row.parent) ?? known(row.parent));
    if (tree === undefined || parent === undefined) return [];
    const id = parent === null ? tree : `${parent}/${row.key}`;
    ids.set(row.id, id);
    return [{ row, info: infoOf(world, row, id) }];
  });
}

const STATUSES = ['active', 'done', 'error', 'stopped'] as const;

interface Stored {
  readonly status: ActorInfo['status'];
  readonly value?: unknown;
}

/** Undefined where only the owner can read it. */
function textOf({ rows }: Pick<World, 'rows'>, row: Row): string | undefined {
  const { snapshot, attempt, from_turn } = row;
  const text = isSealed(snapshot) ? rows.unseal(snapshot, bindingOf(row, attempt, from_turn)) : snapshot;
  return text === ENCRYPTED ? undefined : text;
}

function infoOf(world: World, row: Row, id: string): ActorInfo {
  const { machines } = world;
  const text = readable(() => textOf(world, row), '');
  const stored = text === undefined ? unknown(SEALED) : readable(() => storedOf(text), unknown(UNREADABLE));
  const { status, value = null } = stored;
  const isMachine = row.machine !== null;
  // The key itself may have a `/` in it.
  const end = id.length - row.key.length;
  return {
    id,
    parent: row.parent === null ? null : id.slice(0, end - 1),
    name: row.parent === null ? id : row.key,
    systemId: row.system_id,
    src: row.src ?? row.machine?.replace(/@[^@]*$/, '') ?? null,
    chart: machines.chartOf(row.machine),
    status,
    value: isMachine ? value : null,
    tags: isMachine && text !== undefined ? knownState(machines.named(row.machine), value).tags : [],
    changedAt: row.at ?? null,
  };
}

const unknown = (value: string): Stored => ({ status: 'active', value });

/** Throws what is wrong with a row that was damaged. */
function storedOf(text: string): Stored {
  const { status, value } = JSON.parse(text) as Stored;
  return { status: STATUSES.find((known) => known === status) ?? 'active', value };
}

function detailOf(world: World, row: Row, id: string, timers = timersOf(world, row)): ActorDetail {
  const { payloads, machines } = world;
  const info = infoOf(world, row, id);
  const text = readable(() => textOf(world, row), '');
  const state = (text === undefined ? { context: SEALED } : shownStateOf(payloads, text)) as Shown;
  const isKnown = info.status === 'active' && text !== undefined;
  const accepts = isKnown ? knownState(machines.named(row.machine), info.value).accepts : [];
  return {
    ...info,
    context: cut(state.context ?? null, CONTEXT_LIMIT),
    output: cut(state.output ?? null, CONTEXT_LIMIT),
    error: cut(state.error ?? null, CONTEXT_LIMIT),
    timers: timers
      .filter(({ source }) => source === row.id)
      .slice(0, TIMERS)
      .map((timer) => ({ event: timerEvent(world, row.tree, timer), due: timer.due, delayMs: timer.delay })),
    ...(isSupervisorTree(world.rows, row.tree) ? operable(row.machine, accepts) : { accepts }),
  };
}

type Shown = Readonly<Partial<Record<'context' | 'output' | 'error', unknown>>>;

function shownStateOf(payloads: World['payloads'], text: string): Shown {
  const shown = readable(() => withoutSecretTexts(payloads, shownState(payloads, text)), undefined);
  return isObject(shown) ? shown : { context: UNREADABLE };
}

function timersOf({ rows }: World, { tree, id }: Row): TimerRow[] {
  return rows.all<TimerRow>('select * from timers where tree = ? and source = ? order by due, id', tree, id);
}

function timerEvent({ rows }: World, tree: number, timer: TimerRow): string {
  const { event } = timer;
  return readable(() => {
    const text = isSealed(event) ? rows.unseal(event, timerBinding(tree, timer)) : event;
    return text === ENCRYPTED ? SEALED : String((JSON.parse(text) as { readonly type?: unknown }).type);
  }, UNREADABLE);
}
