/** The commands that send an event, tell what was asked of a store, and open the inspector. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { listAudit, type AuditOptions } from './audit.ts';
import { inspect, type InspectCommandOptions } from './inspect.ts';
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
  program
    .command('inspect')
    .description('serve the inspector of a store, also while it is in use or after its owner crashed, or of an export')
    .argument('[file]', `${STORE}; or an exported history`)
    .option('--port <n>', 'where to listen; default: 7337, or the next that is free; 0 for any', port)
    .option('--host <address>', 'default: 127.0.0.1; one that others reach needs --token and --hosts')
    .option('--hosts <names...>', 'names under which it is reached, such as inspector.example.com')
    .addOption(token())
    .option('--tree <id>', 'the supervisor that is shown and obeys; default: the one that was started or changed last')
    .option('--commands', 'let whoever looks give commands; default: it is read-only')
    .option('--machines <module>', 'a module that exports `machines`, for their charts')
    .option('--open', 'open it in the browser')
    .addHelpText(
      'after',
      `
The address, with the token in it, is the one line on stdout. Ctrl+C ends it.

Examples:
  perdure inspect work.db --open
  perdure inspect work.db --commands --machines machines.mjs
  perdure inspect history.ndjson`,
    )
    .action(async (file: string | undefined, options: InspectCommandOptions) => exit(await inspect(file, options)));
}

export function token(when = ''): Option {
  const meaning = `${when}what whoever looks must know; default: a new one`;
  return new Option('--token <text>', meaning).env('PERDURE_INSPECTOR_TOKEN');
}

export function port(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= 65_535) return number;
  throw new InvalidArgumentError('Expected the number of a port, from 0 to 65535.');
}
