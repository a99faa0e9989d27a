/**
 * How somebody who is no part of a tree speaks to it: a row is inserted here. From another process no other rows are written.
 * The owner notices, applies it as a durable send whose id is the row's, and writes the answer; without an owner the row waits for
 * the next one. The rows are kept, so they tell who asked what, and what came of it.
 *
 * O1  A command is durable before it is applied, and applied once by its id, whenever the process ends.
 * O2  Once it is answered, its row holds no more of the event than may be shown. In an encrypted store both are sealed; plain is only
 *     whether it was applied, in which turn, or refused, with which code: who asks from beside has no keys. Of what was plain until
 *     then the files hold nothing once the store was closed.
 * O3  One of which its tree would end in an error is refused, and nothing of it happened: no store is lost by what was left in it.
 */
import { isPerdureError, messageOf, type PerdureErrorCode } from '../errors.ts';
import type { Commits } from './commits.ts';
import type { Payloads } from './payloads.ts';
import { shownMessageText, shownWithTexts } from './shown-texts.ts';
import type { Cell, Rows, Statements } from './rows.ts';
import { refuseOlder } from './schema.ts';
import { isSealed, SEALED } from './sealing.ts';
import { isStoreFailure, openBeside, type Db } from './sqlite.ts';
import { ENCRYPTED } from './store-reader.ts';
import type { AnyEventObject } from './xstate-port.ts';

const POLL_MS = 200;
/** How long a command is kept after it was answered. */
const KEPT_MS = 90 * 86_400_000;

/** A command's row. */
export interface CommandRow {
  readonly id: string;
  readonly at: number;
  readonly tree: string;
  readonly actor: string;
  /** JSON, sealed where the store is. */
  readonly event: string;
  readonly answered_at: number | null;
  readonly answer: string | null;
  readonly asked_by: string | null;
  /** What it is called, and a digest of that and its parameters; null for an event that was left as it is. */
  readonly command: string | null;
  readonly digest: string | null;
}

const COLUMNS = `id, at, coalesce(tree, 'main') as tree, actor, event, answered_at, answer, asked_by, command, digest`;

/** A command to an actor. */
export interface Command {
  readonly id: string;
  /** The tree; default `main`. */
  readonly tree?: string;
  /** A systemId or a path; empty for the root. */
  readonly actor: string;
  readonly event: AnyEventObject;
  /** Who asks, up to 200 characters. */
  readonly by?: string;
  readonly command?: string;
  readonly digest?: string;
  /** Given for what is only to be remembered: it is not applied. */
  readonly answer?: string;
}

/** Who applies commands. */
export interface CommandHost {
  /** Whether the tree is live or can be opened: a command for another one waits. */
  canReach(tree: string): boolean;
  /** O3. */
  send(tree: string, event: AnyEventObject, options: { id: string; to?: string }): Promise<{ readonly turn: number }>;
}

/** Applies the commands that other processes leave in a store, those that waited first. */
export class Commands {
  readonly #commits: Commits;
  readonly #host: CommandHost;
  readonly #underway = new Set<string>();
  readonly #held = new Set<string>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #seen: unknown;
  #handle: NodeJS.Timeout | undefined;

  constructor(commits: Commits, host: CommandHost) {
    this.#commits = commits;
    this.#host = host;
    this.#forget((sql, ...cells) => commits.statements.of(sql).run(...cells));
    this.#watch();
  }

  /** Looks now, because somebody who can be reached has come. */
  look(): void {
    this.#seen = undefined;
    this.#takeUp();
  }

  /** Applies nothing to a tree until the function that is given is called: whoever starts it is not ready yet. */
  hold(tree: string): () => void {
    this.#held.add(tree);
    return () => {
      if (this.#held.delete(tree)) this.look();
    };
  }

  /** Leaves a command here; resolves once it is durable, and then it is being applied. One of the same id is left as it is. */
  async post(command: Command): Promise<void> {
    const { rows, clock, payloads } = this.#commits;
    const text = command.answer === undefined ? JSON.stringify(command.event) : shownEvent(payloads, command.event);
    const event = payloads.seal(text, () => bindingOf(command.id));
    const seal = (one: string) => payloads.seal(one, () => bindingOf(command.id));
    const kept =
      command.answer === undefined
        ? command
        : { ...command, answer: sealedAnswer(payloads.shownText(command.answer), seal) };
    await this.#commits.transact(() => rows.run(INSERT, ...cellsOf(kept, event, clock.now())));
    if (command.answer === undefined) this.look();
  }

  /** The row of a command; its event only where it can be read. */
  read(id: string): CommandRow | undefined {
    return readCommand(this.#commits.rows, id);
  }

  /** What is known of an event in a row, as it may be shown. */
  shown({ id, event }: Pick<CommandRow, 'id' | 'event'>): unknown {
    const { payloads } = this.#commits;
    return JSON.parse(shownEvent(payloads, JSON.parse(opened(payloads, id, event)) as AnyEventObject));
  }

  /** Resolves when there is an answer, or after `ms` without one. */
  answered(id: string, ms: number): Promise<void> {
    if (this.read(id)?.answer != null) return Promise.resolve();
    return new Promise((resolve) => {
      const all = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, all);
      const done = () => {
        clearTimeout(timer);
        all.delete(done);
        if (all.size === 0) this.#waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(done, ms);
      all.add(done);
    });
  }

  /** Says better what came of a command that was applied. */
  async say(id: string, answer: string): Promise<void> {
    await this.#answer(id, answer);
  }

  close(): void {
    clearTimeout(this.#handle);
    for (const all of this.#waiting.values()) for (const done of all) done();
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
      for (const row of this.#open()) if (this.#isReady(row.tree)) this.#apply(row);
    } catch (error) {
      // A file that cannot be read now is looked at again; a commit will say what is wrong with it.
      if (!isStoreFailure(error)) throw error;
      this.#seen = undefined;
    }
  }

  #isReady(tree: string): boolean {
    return !this.#held.has(tree) && this.#host.canReach(tree);
  }

  #open(): CommandRow[] {
    return this.#commits.statements
      .of(`select ${COLUMNS} from commands where answered_at is null order by at, id`)
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
    void this.#applied(row)
      .then((answer) => this.#answer(row.id, answer, 'answered_at is null'))
      .catch(again)
      .finally(() => this.#underway.delete(row.id));
  }

  async #applied({ id, tree, actor, event: text }: CommandRow): Promise<string> {
    try {
      const event = JSON.parse(opened(this.#commits.payloads, id, text)) as AnyEventObject;
      const { turn } = await this.#host.send(tree, event, { id, ...(actor === '' ? {} : { to: actor }) });
      return `applied in turn ${turn}`;
    } catch (error) {
      if (isPerdureError(error) && error.code.startsWith('STORE_')) throw error;
      return refusal(error);
    }
  }

  /** @param where whoever obeys may have said more already than that it was applied. */
  async #answer(id: string, answer: string, where = 'true'): Promise<void> {
    if (!this.#commits.isOpen) return;
    const { rows, clock, payloads } = this.#commits;
    const { event, wasPlain } = this.#shownText(id);
    await this.#commits.transact(() => {
      if (wasPlain) rows.run('insert into meta values (?, 1) on conflict do nothing', PLAIN);
      rows.run(
        `update commands set answered_at = coalesce(answered_at, ?), answer = ?, event = coalesce(?, event) where id = ? and ${where}`,
        clock.now(),
        sealedAnswer(payloads.shownText(answer), (text) => payloads.seal(text, () => bindingOf(id))),
        event,
        id,
      );
      this.#forget((sql, ...cells) => rows.run(sql, ...cells));
    });
    for (const done of this.#waiting.get(id) ?? []) done();
  }

  #forget(run: (sql: string, ...cells: Cell[]) => unknown): void {
    const before = this.#commits.clock.now() - KEPT_MS;
    run('delete from commands where at < ? and answered_at < ?', before, before);
  }

  /** O2. Null for what cannot be read: it is left as it is. `wasPlain`: it is not any more. */
  #shownText(id: string): { readonly event: string | null; readonly wasPlain: boolean } {
    const row = this.read(id);
    try {
      if (row === undefined) return { event: null, wasPlain: false };
      const event = this.#commits.payloads.seal(JSON.stringify(this.shown(row)), () => bindingOf(id));
      return { event, wasPlain: isSealed(event) && !isSealed(row.event) };
    } catch {
      return { event: null, wasPlain: false };
    }
  }
}

/** Stands in `meta` from when an event that was plain is sealed until nothing is left of it. */
const PLAIN = 'plain_commands';

/** Leaves nothing in the database of events that were plain; in a transaction. */
export function erasePlainCommands(statements: Statements): void {
  if (statements.of('delete from meta where key = ?').run(PLAIN).changes === 0) return;
  rewriteCommands((sql) => statements.of(sql).run());
}

/**
 * Writes all commands anew, in a transaction. When SQLite moves rows from a page to others it leaves parts of them there, which
 * `secure_delete` never erases; of a table that is emptied at once it erases every page.
 */
export function rewriteCommands(run: (sql: string) => unknown): void {
  run('create temp table moved as select * from commands');
  run('delete from commands');
  run('insert into commands select * from moved order by at, id');
  run('drop table moved');
}

const INSERT = `
  insert into commands(id, at, tree, actor, event, answered_at, answer, asked_by, command, digest)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict(id) do nothing`;
const LONGEST_NAME = 200;
/** Characters of JSON that are kept of an event that was applied. */
const EVENT_LIMIT = 4_096;

function cellsOf(command: Command, event: string, at: number): Cell[] {
  const { id, tree = null, actor, by = null, answer = null, command: name = null, digest = null } = command;
  const answeredAt = answer === null ? null : at;
  return [id, at, tree, actor, event, answeredAt, answer, by?.slice(0, LONGEST_NAME) ?? null, name, digest];
}

function bindingOf(id: string): string {
  return `command ${id}`;
}

/** What another process left is plain: it has no keys. */
function opened(payloads: Payloads, id: string, text: string): string {
  return isSealed(text) ? payloads.unseal(text, () => bindingOf(id)) : text;
}

/** The event as it may be shown, as JSON. Its type stays, or nobody would know what was asked. */
function shownEvent(payloads: Payloads, event: AnyEventObject): string {
  const shown = shownWithTexts(payloads, event);
  const fields = typeof shown === 'object' && shown !== null ? shown : {};
  const type = shownMessageText(payloads, event.type);
  const text = payloads.secrets.redactText(JSON.stringify({ ...fields, type }));
  return text.length <= EVENT_LIMIT ? text : JSON.stringify({ type: type.slice(0, LONGEST_NAME), cut: text.length });
}

/** The answer with all sealed that is not the outcome. */
function sealedAnswer(answer: string, seal: (text: string) => string): string {
  const refused = refusalIn(answer);
  const text = refused?.message ?? answer;
  if (seal(text) === text || answer === BEGUN || appliedIn(answer) !== undefined) return answer;
  if (refused !== undefined) return `refused: ${seal(text)}${refused.code === undefined ? '' : ` [${refused.code}]`}`;
  const [outcome = 'done'] = /\bapplied in turn \d+/.exec(answer) ?? [];
  return `${seal(text)} ${outcome}`;
}

/** The answer of a command that whoever gave it carries out: it is noted before, and no owner takes it up. */
export const BEGUN = 'begun';

/** The turn in which an owner applied a command, where it says no more than that. */
export function appliedIn(answer: string): number | undefined {
  const [, turn] = /^applied in turn (\d+)$/.exec(answer) ?? [];
  return turn === undefined ? undefined : Number(turn);
}

const SEALED_PART = new RegExp(`${SEALED}\\S+`);

/** What an answer says beside its outcome is left out: for whoever has no keys, in a store that is encrypted. */
export function outcomeOf(answer: string): string {
  return sealedAnswer(answer, () => '[encrypted]');
}

/** The answer of a row, as far as it can be read. */
function openedAnswer<TRow extends Pick<CommandRow, 'id' | 'answer'>>({ unseal }: Opening, row: TRow): TRow {
  const [sealed] = SEALED_PART.exec(row.answer ?? '') ?? [];
  if (row.answer === null || sealed === undefined) return row;
  const given = unseal(sealed, bindingOf(row.id));
  const text = given === ENCRYPTED ? '[encrypted]' : given;
  // What was applied is sealed with its outcome.
  const isWhole = given !== ENCRYPTED && row.answer.startsWith(sealed);
  return { ...row, answer: isWhole ? text : row.answer.replace(sealed, () => text) };
}

interface Opening {
  readonly unseal: (text: string, binding: string) => string;
}

/** How a refusal is written down: with its code at the end. */
export function refusal(error: unknown): string {
  return `refused: ${messageOf(error)}${isPerdureError(error) ? ` [${error.code}]` : ''}`;
}

/** What a refusal that was written down says; undefined for another answer. */
export function refusalIn(answer: string): { readonly message: string; readonly code?: PerdureErrorCode } | undefined {
  const [, message, code] = /^refused: (.*?)(?: \[([A-Z_]+)\])?$/s.exec(answer) ?? [];
  if (message === undefined) return undefined;
  return { message, ...(code === undefined ? {} : { code: code as PerdureErrorCode }) };
}

/** The command of this id. */
export function readCommand(rows: Pick<Rows, 'get' | 'unseal'>, id: string): CommandRow | undefined {
  const row = rows.get<CommandRow>(`select ${COLUMNS} from commands where id = ?`, id);
  return row && openedAnswer(openingBy(rows), row);
}

/** What was asked, the newest first; `before`: only what is older than the command of this id. */
export function listCommands(rows: Pick<Rows, 'all' | 'unseal'>, limit: number, before?: string): CommandRow[] {
  const order = 'order by at desc, id desc limit ?';
  const older = 'where (at, id) < (select at, id from commands where id = ?)';
  const found =
    before === undefined
      ? rows.all<CommandRow>(`select ${COLUMNS} from commands ${order}`, limit)
      : rows.all<CommandRow>(`select ${COLUMNS} from commands ${older} ${order}`, before, limit);
  return found.map((row) => openedAnswer(openingBy(rows), row));
}

/** One answer that cannot be read hides no other. */
function openingBy(rows: Pick<Rows, 'unseal'>): Opening {
  return {
    unseal(text, binding) {
      try {
        return rows.unseal(text, binding);
      } catch {
        return ENCRYPTED;
      }
    },
  };
}

/**
 * Leaves a command in a store that another process may own. Repeating it with the same id is harmless. Throws OPTIONS_INVALID for a
 * store of an older schema, and what SQLite throws, SQLITE_BUSY when the file is locked for longer than `busyMs`; default: 5,000.
 */
export function postCommand(path: string, command: Command, at: number, busyMs?: number): void {
  writeBeside(path, busyMs, (db) => {
    refuseOlder(db, path);
    db.prepare(INSERT).run(...cellsOf(command, JSON.stringify(command.event), at));
  });
}

/** Says better, from beside, what came of a command; one without an answer is not taken up any more. Throws as {@link postCommand}. */
export function sayCommand(path: string, id: string, answer: string, at: number, busyMs?: number): void {
  const sql = 'update commands set answered_at = coalesce(answered_at, ?), answer = ? where id = ?';
  writeBeside(path, busyMs, (db) => db.prepare(sql).run(at, answer, id));
}

function writeBeside(path: string, busyMs: number | undefined, write: (db: Db) => void): void {
  const db = openBeside(path, false);
  try {
    if (busyMs !== undefined) db.pragma(`busy_timeout = ${busyMs}`);
    write(db);
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
