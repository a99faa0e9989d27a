/** What a command asks of whom: one that can be refused is refused before it is left, with a code. */
import type { CommandRow } from '../../persistence/commands.ts';
import type { Rows } from '../../persistence/rows.ts';
import type { Store } from '../../persistence/store.ts';
import type { AnyEventObject } from '../../persistence/xstate-port.ts';
import type { Params } from './command-params.ts';
import type { Place } from './place.ts';
import type { KnownCommand } from '../protocol.ts';

/** What commands read. */
export type Reader = Pick<Rows, 'get' | 'all' | 'unseal'>;

/** Where and when a command is given, and by whom. */
export interface Occasion {
  readonly id: string;
  readonly rows: Reader;
  readonly params: Params;
  readonly by: string;
  /** Of the command and its parameters: by it a repeat is told from another command. */
  readonly digest: string;
  /** Wall-clock ms. */
  readonly at: number;
  /** The tree of the supervisor. */
  readonly tree: string;
  /** The store's file. */
  readonly path: string;
}

/** What came of it, for people and for programs. */
export interface Done {
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** What is left in the store. */
export interface Asked {
  /** What is asked, in a few words: `pause yearly`. */
  readonly label: string;
  /** Default: the supervisor's. */
  readonly tree?: string;
  /** Default: the root. */
  readonly actor?: string;
  readonly event: AnyEventObject;
  /** What is to be said of it beside that it was applied. Throws what the answer hides. */
  after?(rows: Reader, turn: number): string | undefined;
  /** For programs. */
  data?(turn: number): Readonly<Record<string, unknown>>;
  /** Does it as the owner of the store, while nobody is. */
  asleep?(store: Store): Promise<Done>;
}

/** A command. */
interface Known extends Omit<KnownCommand, 'name'> {
  /** It is for a supervisor; the others are for any tree. */
  readonly isOfSupervisor: boolean;
}

/** A command, and how it becomes an event. */
export interface Asking extends Known {
  /** Throws why it cannot be obeyed. */
  ask(occasion: Occasion): Asked;
}

/** A command that is more than an event. */
export interface Undertaking extends Known {
  /** Gives nothing when it is not done yet, and will be. Throws why it cannot be obeyed. */
  undertake(occasion: Undertaken, place: Place, signal: AbortSignal | undefined): Promise<Done | undefined>;
  /** What came of the event of a row that says only that an owner took it up; undefined while that is not known. */
  outcome?(rows: Reader, row: Pick<CommandRow, 'at'>, event: Readonly<Record<string, unknown>>): string | undefined;
}

/** Where and when a command is carried out by whoever gave it. */
export interface Undertaken extends Omit<Occasion, 'rows'> {
  /** Notes that it begins: given again, it is gone on with. */
  begin(): Promise<void>;
}
