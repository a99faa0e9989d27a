/**
 * What a viewer may ask, and who carries it out. Every command is a row of the store's `commands` table: durable before it is
 * applied, applied once by its id, answered there. So the table is the audit too.
 */
import type { SupervisorCheckpoints } from '../../actors/checkpoints.ts';
import { Desk } from './desk.ts';
import { PlaceBeside } from './place-beside.ts';
import { PlaceHere, type Tree } from './place-here.ts';
import type { AuditEntry, CommandAnswer } from '../protocol.ts';

export { knownCommands } from './known-commands.ts';

/** A command that somebody gives. */
export interface GivenCommand {
  /** Makes a repeat harmless. */
  readonly id: string;
  readonly command: string;
  readonly params: { readonly [name: string]: unknown };
  /** Who asks: `page`, `http`, `cli`, with a name where there is one, such as `cli:alice`. */
  readonly by: string;
  /** Ends the making of a fork. */
  readonly signal?: AbortSignal;
}

/** Carries out commands, and remembers them. */
export interface CommandDesk {
  /** Carries out a command, or leaves it for whoever can. It throws only when the store fails: what is refused is answered so. */
  give(given: GivenCommand): Promise<CommandAnswer>;
  /** What was asked and what came of it, the newest first; `before` is the id of the last entry of the page before. */
  audit(limit: number, before?: string): AuditEntry[];
  close(): void;
}

/** The desk of a supervisor, or of any other durable tree, that runs in this process. */
export function deskOf(target: Supervised | Tree): CommandDesk {
  return new Desk(
    'durable' in target ? new PlaceHere(target.durable, target.checkpoints) : new PlaceHere(target, undefined),
  );
}

/**
 * The desk beside a store that another process may own, or nobody. Throws what is wrong with the file; the desk throws OPTIONS_INVALID
 * for a store of an older version, and STORE_REPLACED when another takes its place.
 *
 * @param forksAnywhere whether forks may be put outside of the folder of the store. Default: false.
 * @param tree of the supervisor that obeys. Default: of those in the store the one that was started or changed last.
 */
export function deskBeside(
  path: string,
  { forksAnywhere = false, tree }: { readonly forksAnywhere?: boolean; readonly tree?: string | undefined } = {},
): CommandDesk {
  return new Desk(new PlaceBeside(path, forksAnywhere, tree));
}

interface Supervised {
  readonly durable: Tree;
  readonly checkpoints: Pick<SupervisorCheckpoints, 'forkMarked'>;
}
