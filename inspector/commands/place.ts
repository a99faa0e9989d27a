/** Where commands are given: in the process that owns the store, or beside it. */
import type { ForkOptions } from '../../actors/forks.ts';
import type { Command, CommandRow } from '../../persistence/commands.ts';
import type { Store } from '../../persistence/store.ts';
import type { Reader } from './asking.ts';

export interface Place {
  /** The store's file. */
  readonly path: string;
  /** The tree of the supervisor. */
  readonly tree: string;
  /** Whether forks may be put anywhere; else they are made in the folder of the store. */
  readonly forksAnywhere: boolean;
  now(): number;
  /** Calls `read` with one consistent view of what is committed. Throws what is wrong with the file. */
  read<T>(read: (rows: Reader) => T): T;
  /** Throws OPTIONS_INVALID for a store that no supervisor of this version ever used. */
  refuseUnready(): void;
  /** Keeps a turn for the next commit, which may be one that forgets. */
  spare(turn: number): void;
  /** Leaves a command; resolves when it is durable. */
  post(command: Command): Promise<void>;
  /** Gives the command when it has an answer, or when there is none to be had soon. */
  answered(id: string): Promise<CommandRow | undefined>;
  /** Says better what came of a command that has an answer. */
  say(id: string, answer: string): Promise<void>;
  /** What may be shown of the event of a command; undefined where it cannot be read. */
  shown(row: CommandRow): unknown;
  /** Why there is no answer yet. */
  silence(): string;
  /** Whether the owner that would answer is there. */
  isOwned(): boolean;
  /** Does it as the owner, while nobody else is; undefined when somebody is. */
  whenFree<T>(act: (store: Store) => Promise<T>): Promise<T | undefined>;
  /** @param mark by which the fork is found again. */
  fork(turn: number, options: ForkOptions, mark: string): Promise<void>;
  close(): void;
}
