/** The place of commands beside a store, which another process may own: it reads, and writes nothing but rows of commands. */
import { setTimeout as sleep } from 'node:timers/promises';
import { forkCheckpoint, type ForkOptions } from '../../actors/forks.ts';
import { SUPERVISOR_TREE, supervisorTrees } from '../../actors/stored-standing.ts';
import { isPerdureError, PerdureError } from '../../errors.ts';
import {
  BEGUN,
  outcomeOf,
  postCommand,
  readCommand,
  sayCommand,
  type Command,
  type CommandRow,
} from '../../persistence/commands.ts';
import { isLocked } from '../../persistence/lock.ts';
import { redaction } from '../../persistence/redaction.ts';
import { isSealed } from '../../persistence/sealing.ts';
import { openBeside, sqliteError } from '../../persistence/sqlite.ts';
import {
  hasSupervisor,
  hasTable,
  readStore,
  refuseOlderTable,
  refuseOtherFile,
  StoreBeside,
  type FoundStore,
  type StoreReader,
} from '../../persistence/store-reader.ts';
import { Store } from '../../persistence/store.ts';
import type { Reader } from './asking.ts';
import type { Place } from './place.ts';

/** The owner looks every 200 ms, unless it is busy. */
const ANSWERED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 50;
const WRITTEN_WITHIN_MS = 5_000;
/** How long one try may hold up the event loop. */
const BUSY_MS = 20;

/** What the rows that commands read have had last. */
const NEWEST = [
  ['actions', 'unique_key'],
  ['checkpoint_variables', 'text'],
] as const;

export class PlaceBeside implements Place {
  readonly path: string;
  readonly forksAnywhere: boolean;
  readonly #redact = redaction();

  readonly #tree: string | undefined;
  /** What is asked is asked of this store, and of no other that takes its place. */
  readonly #found: FoundStore;

  /** @param tree of the supervisor. Default: the one that was started or changed last. */
  constructor(path: string, forksAnywhere: boolean, tree?: string) {
    this.path = path;
    this.#found = foundAt(path);
    this.#tree = tree;
    this.forksAnywhere = forksAnywhere;
  }

  /** Asked each time: another one may have been started. */
  get tree(): string {
    const found = () => this.read((rows) => (hasTable(rows, 'plans') ? supervisorTrees(rows)[0] : undefined));
    return this.#tree ?? found() ?? SUPERVISOR_TREE;
  }

  now(): number {
    return Date.now();
  }

  read<T>(read: (rows: Reader) => T): T {
    return this.#read((rows) => {
      refuseOlderTable(rows, this.path, 'commands', 'asked_by');
      return read(rows);
    });
  }

  refuseUnready(): void {
    this.#read((rows) => {
      if (!hasSupervisor(rows)) {
        throw new PerdureError(
          'OPTIONS_INVALID',
          `No supervisor ever used the store ${this.path}: the only command that it knows is "send".`,
          { facts: { path: this.path } },
        );
      }
      for (const [table, column] of NEWEST) refuseOlderTable(rows, this.path, table, column);
    });
  }

  /** The owner commits when it does. */
  spare(): void {}

  async post(command: Command): Promise<void> {
    const isKept = command.answer !== undefined;
    const row = isKept ? this.#shownIn(command) : command;
    await this.#write((busyMs) => postCommand(this.path, row, Date.now(), busyMs));
  }

  async answered(id: string): Promise<CommandRow | undefined> {
    const read = () => this.#read((rows) => readCommand(rows, id));
    const until = performance.now() + ANSWERED_WITHIN_MS;
    for (;;) {
      const row = read();
      if (row?.answer != null || performance.now() > until) return row;
      // An owner that goes away may have answered last.
      if (!this.isOwned()) return read();
      await sleep(LOOK_EVERY_MS);
    }
  }

  async say(id: string, answer: string): Promise<void> {
    // Its owner says it better there than whoever has no keys.
    const isEncrypted = this.#isEncrypted();
    const { answer: found } = this.#read((rows) => readCommand(rows, id)) ?? {};
    if (isEncrypted && found != null && found !== BEGUN) return;
    const said = isEncrypted ? outcomeOf(answer) : answer;
    await this.#write((busyMs) => sayCommand(this.path, id, said, Date.now(), busyMs));
  }

  shown({ event }: CommandRow): unknown {
    return isSealed(event) ? undefined : this.#redact(JSON.parse(event));
  }

  silence(): string {
    return this.isOwned()
      ? `the owner of ${this.path} is busy and has not answered yet: it obeys as soon as it can`
      : `nobody owns ${this.path} now: the request waits for the next start`;
  }

  /** Whoever owns a store holds its lock. */
  isOwned(): boolean {
    return isLocked(this.path);
  }

  /** Keeps what the last owner kept. */
  async whenFree<T>(act: (store: Store) => Promise<T>): Promise<T | undefined> {
    let store: Store;
    try {
      store = Store.openAsBefore(this.path);
    } catch (error) {
      if (isPerdureError(error, 'STORE_OWNED')) return undefined;
      throw error;
    }
    try {
      refuseOtherFile(this.path, this.#found);
      return await act(store);
    } finally {
      store.close();
    }
  }

  async fork(turn: number, options: ForkOptions, mark: string): Promise<void> {
    refuseOtherFile(this.path, this.#found);
    const db = openBeside(this.path, true);
    try {
      const get = <T>(sql: string, ...cells: (string | number)[]) => db.prepare(sql).get(...cells) as T | undefined;
      const rows = { get: get as StoreReader['get'], seal: (text: string) => text, unseal: (text: string) => text };
      await forkCheckpoint({ path: this.path, rows }, turn, options, mark);
    } finally {
      db.close();
    }
  }

  close(): void {}

  #read<T>(read: (rows: StoreReader) => T): T {
    return readStore(this.path, read, this.#found);
  }

  /** The owner may be in the midst of a commit: whoever else is served here does not wait with us. */
  async #write(write: (busyMs: number) => void): Promise<void> {
    const until = performance.now() + WRITTEN_WITHIN_MS;
    for (;;) {
      refuseOtherFile(this.path, this.#found);
      try {
        return write(BUSY_MS);
      } catch (error) {
        const isBusy = String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY');
        if (!isBusy || performance.now() > until) throw sqliteError(error, this.path);
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** Nobody goes through it after this: it holds what may be shown, and in an encrypted store nothing. */
  #shownIn(command: Command): Command {
    const { type } = command.event;
    if (this.#isEncrypted()) return { ...command, event: { type }, answer: outcomeOf(command.answer ?? '') };
    return { ...command, event: { ...(this.#redact(command.event) as object), type } };
  }

  #isEncrypted(): boolean {
    const row = this.#read((rows) => rows.get<{ snapshot: string }>('select snapshot from actors limit 1'));
    return row !== undefined && isSealed(row.snapshot);
  }
}

function foundAt(path: string): FoundStore {
  const store = new StoreBeside(path);
  store.close();
  const { file, id } = store;
  return { file, id };
}
