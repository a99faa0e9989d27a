/** `perdure audit`: what was asked of a store, and what came of it. */
import { deskBeside } from '../inspector/commands/commands.ts';
import type { AuditEntry } from '../inspector/protocol.ts';
import { PerdureError } from '../errors.ts';
import { EXIT } from './failure.ts';
import { storeOf } from './named-store.ts';
import { textTable } from './text-table.ts';

export interface AuditOptions {
  readonly limit?: number;
  readonly before?: string;
  readonly json?: boolean;
}

/** Prints commands, the newest first. Throws OPTIONS_INVALID. */
export function listAudit(named: string | undefined, { limit = 100, before, json }: AuditOptions): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000)
    throw new PerdureError('OPTIONS_INVALID', `--limit is a whole number from 1 to 1000, got ${limit}.`);
  const store = storeOf(named);
  const found = deskBeside(store).audit(limit, before);
  const text = json === true ? JSON.stringify(found, null, 2) : textOf(found, store, limit).join('\n');
  process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

function textOf(entries: readonly AuditEntry[], store: string, limit: number): string[] {
  if (entries.length === 0) return [`nothing was asked of ${store}`];
  const table = textTable(entries, [
    { title: 'at', of: ({ at }) => new Date(at).toISOString() },
    { title: 'by', of: ({ by }) => by },
    { title: 'command', of: ({ command, event }) => command ?? event.type },
    { title: 'actor', of: ({ tree, actor }) => (actor === '' ? tree : `${tree}/${actor}`) },
    { title: 'answer', of: ({ answer }) => answer?.split('\n', 1)[0] ?? 'waits for the owner' },
  ]);
  const last = entries.at(-1) as AuditEntry;
  return entries.length < limit ? table : [...table, `more: perdure audit --before ${last.id}`];
}
