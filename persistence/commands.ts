/**
 * How another process speaks to the owner of a store: it inserts a row here and writes nothing else. The owner notices,
 * applies it as a durable send whose id is the row's, and writes the answer; without an owner the row waits for the
 * next one.
 */
import { isPerdureError, messageOf } from '../errors.ts';
import type { Commits } from './commits.ts';
import type { Rows } from './rows.ts';
import { isStoreFailure, openBeside } from './sqlite.ts';
import type { AnyEventObject } from './xstate-port.ts';

const POLL_MS = 200;
/** How long the answer to a command is kept. */
const KEPT_MS = 7 * 86_400_000;

interface CommandRow {
  readonly id: string;
  readonly tree: string;
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

/** Who applies commands. */
export interface CommandHost {
  /** Whether the tree is live or can be opened: a command for another one waits. */
  canReach(tree: string): boolean;
  send(tree: string, event: AnyEventObject, options: { id: string; to?: string }): Promise<{ readonly turn: number }>;
}

/** Applies the commands that other processes leave in a store, those that waited first. */
export class Commands {
  readonly #commits: Commits;
  readonly #host: CommandHost;
  readonly #underway = new Set<string>();
  #seen: unknown;
  #handle: NodeJS.Timeout | undefined;

  constructor(commits: Commits, host: CommandHost) {
    this.#commits = commits;
    this.#host = host;
    commits.statements.of('delete from commands where answered_at < ?').run(commits.clock.now() - KEPT_MS);
    this.#watch();
  }

  /** Looks now, because somebody who can be reached has come. */
  look(): void {
    this.#seen = undefined;
    this.#takeUp();
  }

  close(): void {
    clearTimeout(this.#handle);
  }

  /** Other processes live in real time, also when the store's clock is moved by hand. */
  #watch(): void {
    this.#handle = setTimeout(() => {
      this.#takeUp();
      this.#watch();
    }, POLL_MS).unref();
  }

  #takeUp(): void {
    if (!this.#commits.isOpen) return;
    try {
      const version = JSON.stringify(this.#commits.statements.of('pragma data_version').get());
      if (version === this.#seen) return;
      this.#seen = version;
      for (const row of this.#open()) if (this.#host.canReach(row.tree)) this.#apply(row);
    } catch (error) {
      // A file that cannot be read now is looked at again; a commit will say what is wrong with it.
      if (!isStoreFailure(error)) throw error;
      this.#seen = undefined;
    }
  }

  #open(): CommandRow[] {
    return this.#commits.statements
      .of(
        `select id, coalesce(tree, 'main') as tree, actor, event from commands where answered_at is null order by at, id`,
      )
      .all() as CommandRow[];
  }

  /**
   * What could not be answered now, for instance because the file was busy, is taken up at the next look: the command
   * itself is applied once, by its id.
   */
  #apply(row: CommandRow): void {
    if (this.#underway.has(row.id)) return;
    this.#underway.add(row.id);
    const again = () => (this.#seen = undefined);
    void applied(row, this.#host)
      .then((answer) => this.#answer(row.id, answer))
      .catch(again)
      .finally(() => this.#underway.delete(row.id));
  }

  async #answer(id: string, answer: string): Promise<void> {
    if (!this.#commits.isOpen) return;
    const { rows, clock, payloads } = this.#commits;
    await this.#commits.transact(() => {
      const shown = payloads.shownText(answer);
      rows.run('update commands set answered_at = ?, answer = ? where id = ?', clock.now(), shown, id);
    });
  }
}

async function applied({ id, tree, actor, event }: CommandRow, host: CommandHost): Promise<string> {
  try {
    const parsed = JSON.parse(event) as AnyEventObject;
    const { turn } = await host.send(tree, parsed, { id, ...(actor === '' ? {} : { to: actor }) });
    return `applied in turn ${turn}`;
  } catch (error) {
    if (isPerdureError(error) && error.code.startsWith('STORE_')) throw error;
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

/** Whoever left a command does not want it any more: nobody takes it up. */
export function withdrawCommand(rows: Pick<Rows, 'run'>, id: string, at: number): void {
  rows.run(
    `update commands set answered_at = ?, answer = 'refused: it was withdrawn' where id = ? and answered_at is null`,
    at,
    id,
  );
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
