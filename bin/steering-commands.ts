/** The commands that send an event, tell what was asked of a store, and open the inspector. */
import type { Command } from 'commander';
import { listAudit, type AuditOptions } from './audit.ts';
import { STORE } from './named-store.ts';
import { sendEvent, type SendCommandOptions } from './send.ts';

export function declareSteering(program: Command, exit: (code: number) => void): void {
  program
    .command('send')
    .description('send an event to an actor of a store')
    .argument('<actor>', "a path, a systemId, or the id of its tree: `perdure trees` lists those; '' for the root")
    .argument('<event>', 'JSON with a `type`, or a type alone')
    .option('--tree <id>', 'the tree; default: the one that <actor> begins with, or main')
    .option('--store <file>', STORE)
    .addHelpText(
      'after',
      `\nExamples:\n  perdure send order-1 pay\n  perdure send order-1/parcel '{"type":"lost","at":"sea"}'`,
    )
    .action(async (actor: string, event: string, options: SendCommandOptions) =>
      exit(await sendEvent(actor, event, options)),
    );
  program
    .command('audit')
    .description('list what was asked of a store, by whom, and what came of it, the newest first')
    .argument('[store]', STORE)
    .option('--limit <n>', 'at most so many, up to 1000; default: 100', Number)
    .option('--before <id>', 'those that were given before this one')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  perdure audit\n  perdure audit work.db --json')
    .action((store: string | undefined, options: AuditOptions) => exit(listAudit(store, options)));
}
