/**
 * What a viewer may ask, and who carries it out. Every command is a row of the store's `commands` table: durable before it is
 * applied, applied once by its id, answered there. So the table is the audit too.
 */
import type { AuditEntry, CommandAnswer } from './protocol.ts';

/** A command that somebody gives. */
export interface GivenCommand {
  /** Makes a repeat harmless. */
  readonly id: string;
  readonly command: string;
  readonly params: { readonly [name: string]: unknown };
  /** Who asks: `page`, `http`, `cli`, with a name where there is one, such as `cli:alice`. */
  readonly by: string;
}

/** Carries out commands, and remembers them. */
export interface CommandDesk {
  /** Carries out a command, or leaves it for whoever can. It throws only when the store fails: what is refused is answered so. */
  give(given: GivenCommand): Promise<CommandAnswer>;
  /** What was asked and what came of it, the newest first; `before` is the id of the last entry of the page before. */
  audit(limit: number, before?: string): AuditEntry[];
  close(): void;
}
