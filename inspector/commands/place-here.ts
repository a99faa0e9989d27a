/** The place of commands in the process that owns the store. */
import type { ForkOptions } from '../../actors/forks.ts';
import { forkCheckpoint } from '../../actors/forks.ts';
import type { SupervisorCheckpoints } from '../../actors/checkpoints.ts';
import { PerdureError } from '../../errors.ts';
import type { Command, CommandRow } from '../../persistence/commands.ts';
import type { Store } from '../../persistence/store.ts';
import type { Reader } from './asking.ts';
import type { Place } from './place.ts';

/** As long as from beside: the tree may be one that is not open. */
const ANSWERED_WITHIN_MS = 2_000;

/** A tree that is open here. */
export interface Tree {
  readonly id: string;
  readonly store: Store;
}

export class PlaceHere implements Place {
  readonly path: string;
  readonly tree: string;
  readonly forksAnywhere = false;
  readonly #store: Store;
  readonly #checkpoints: Pick<SupervisorCheckpoints, 'forkMarked'> | undefined;

  /** @param checkpoints those of the supervisor, if it is one. */
  constructor({ id, store }: Tree, checkpoints: Pick<SupervisorCheckpoints, 'forkMarked'> | undefined) {
    this.path = store.path;
    this.tree = id;
    this.#store = store;
    this.#checkpoints = checkpoints;
  }

  now(): number {
    return this.#store.clock.now();
  }

  read<T>(read: (rows: Reader) => T): T {
    this.#store.assertOpen();
    return read(this.#store.rows);
  }

  refuseUnready(): void {
    if (this.#checkpoints !== undefined) return;
    throw new PerdureError(
      'OPTIONS_INVALID',
      `The tree "${this.tree}" is no supervisor's: the only command that it knows is "send".`,
      { facts: { tree: this.tree } },
    );
  }

  spare(turn: number): void {
    this.#store.commits.versions.spare(turn);
  }

  post(command: Command): Promise<void> {
    return this.#store.commands.post(command);
  }

  async answered(id: string): Promise<CommandRow | undefined> {
    const { commands } = this.#store;
    await commands.answered(id, ANSWERED_WITHIN_MS);
    return commands.read(id);
  }

  say(id: string, answer: string): Promise<void> {
    return this.#store.commands.say(id, answer);
  }

  shown(row: CommandRow): unknown {
    return this.#store.commands.shown(row);
  }

  silence(): string {
    return `it waits in ${this.path}: it is obeyed as soon as its tree is open and has the time`;
  }

  isOwned(): boolean {
    return this.#store.isOpen;
  }

  whenFree(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async fork(turn: number, options: ForkOptions, mark: string): Promise<void> {
    const { path, rows } = this.#store;
    // A supervisor knows what its actions say of another input.
    await (this.#checkpoints?.forkMarked(turn, options, mark) ?? forkCheckpoint({ path, rows }, turn, options, mark));
  }

  close(): void {}
}
