/**
 * How another process speaks to the owner of a store: it inserts a row here and writes nothing else. The owner notices,
 * applies it as a durable send whose id is the row's, and writes the answer; without an owner the row waits for the
 * next one.
 */
import { messageOf } from '../errors.ts';
import { openBeside } from './sqlite.ts';
import type { Store } from './store.ts';
import type { AnyEventObject } from './xstate-port.ts';

const POLL_MS = 200;
/** How long the answer to a command is kept. */
const KEPT_MS = 7 * 86_400_000;

interface CommandRow {
  readonly id: string;
  readonly actor: string;
  readonly event: string;
}

/** A command to an actor of a store that somebody else owns. */
export interface Command {
  readonly id: string;
  /** The tree; default `main`. */
  readonly tree?: string;
  /** A systemId or a path; empty for the root. */
  readonly actor: string;
  readonly event: AnyEventObject;
}

type Send = (event: AnyEventObject, options: { id: string; to?: string }) => Promise<{ readonly turn: number }>;

/** Applies the commands for a tree, those that waited first. Gives the function that stops it. */
export function watchCommands(store: Store, tree: string, send: Send): () => void {
  let seen: unknown;
  let handle: NodeJS.Timeout | undefined;
  const underway = new Set<string>();
  const look = () => {
    if (!store.isOpen) return;
    const version: unknown = store.statements.of('pragma data_version').get();
    const changed = JSON.stringify(version);
    if (changed !== seen) {
      seen = changed;
      for (const row of openCommands(store, tree)) {
        // What could not be answered now, for instance because the file was busy, is taken up at the next look: the
        // command itself is applied once, by its id.
        apply(store, row, send, underway).catch(() => (seen = undefined));
      }
    }
    // Other processes live in real time, also when the tree's clock is moved by hand.
    handle = setTimeout(look, POLL_MS).unref();
  };
  forgetAnswered(store);
  look();
  return () => clearTimeout(handle);
}

function forgetAnswered(store: Store): void {
  store.statements.of('delete from commands where answered_at < ?').run(store.clock.now() - KEPT_MS);
}

function openCommands(store: Store, tree: string): CommandRow[] {
  return store.statements
    .of('select id, actor, event from commands where answered_at is null and coalesce(tree, ?) = ? order by at, id')
    .all('main', tree) as CommandRow[];
}

async function apply(store: Store, row: CommandRow, send: Send, underway: Set<string>): Promise<void> {
  if (underway.has(row.id)) return;
  underway.add(row.id);
  try {
    const answer = await applied(row, send);
    if (!store.isOpen) return;
    store.rows.run('update commands set answered_at = ?, answer = ? where id = ?', store.clock.now(), answer, row.id);
    store.flush();
  } finally {
    underway.delete(row.id);
  }
}

async function applied({ id, actor, event }: CommandRow, send: Send): Promise<string> {
  try {
    const parsed = JSON.parse(event) as AnyEventObject;
    const { turn } = await send(parsed, { id, ...(actor === '' ? {} : { to: actor }) });
    return `applied in turn ${turn}`;
  } catch (error) {
    return `refused: ${messageOf(error)}`;
  }
}

/** Leaves a command in a store that another process may own. Repeating it with the same id is harmless. */
export function postCommand(path: string, command: Command, at: number): void {
  const db = openBeside(path, false);
  try {
    db.prepare(
      'insert into commands(id, at, tree, actor, event) values (?, ?, ?, ?, ?) on conflict(id) do nothing',
    ).run(command.id, at, command.tree ?? null, command.actor, JSON.stringify(command.event));
  } finally {
    db.close();
  }
}

/** The answer to a command; undefined while nobody has taken it. */
export function readAnswer(path: string, id: string): string | undefined {
  const db = openBeside(path, true);
  try {
    const answer = db.prepare('select answer from commands where id = ?').pluck().get(id) as string | null | undefined;
    return answer ?? undefined;
  } finally {
    db.close();
  }
}
