/** The commands of `perdure` that take checkpoints, look at them and go back to them. */
import { InvalidArgumentError, type Command } from 'commander';
import type { CheckpointChange } from '../machines/checkpoint-state.ts';
import { changeCheckpoint, showCheckpoint, type CheckpointChangeOptions } from './checkpoint-changes.ts';
import {
  listStoreCheckpoints,
  takeCheckpoint,
  type CheckpointListOptions,
  type CheckpointTakeOptions,
} from './checkpoints.ts';
import { compareCheckpoints } from './compare.ts';
import type { RemoteOptions } from './remote.ts';
import { forkFromStore, restoreCheckpoint, type ForkCommandOptions, type RestoreCommandOptions } from './restore.ts';
import { STORE } from './named-store.ts';

const ID = 'the id or the label of a checkpoint, or `latest`';

export function declareCheckpoints(program: Command, exit: (code: number) => void): void {
  program
    .command('checkpoints')
    .description('list the checkpoints, the newest first, also while the store is in use')
    .argument('[store]', STORE)
    .option('--limit <n>', 'at most so many; default: 100', count)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  perdure checkpoints work.db --json')
    .action((store: string | undefined, options: CheckpointListOptions) => exit(listStoreCheckpoints(store, options)));
  declareCheckpoint(program, exit);
  program
    .command('compare')
    .description('say what changed from one checkpoint to another, also while the store is in use')
    .argument('<a>', ID)
    .argument('<b>', ID)
    .option('--store <file>', STORE)
    .option('--json', 'one JSON document a line')
    .addHelpText('after', "\nExample:\n  perdure compare 'before the holidays' latest")
    .action(async (a: string, b: string, options: RemoteOptions & { json?: boolean }) =>
      exit(await compareCheckpoints(a, b, options)),
    );
  program
    .command('restore')
    .description('go back to a checkpoint: what is there now becomes a checkpoint too, so that this can be undone')
    .argument('<id>', ID)
    .option('--force', 'also while actions are under way: they are interrupted')
    .option('--store <file>', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  perdure restore 1204\n  perdure restore latest --force')
    .action(async (id: string, options: RestoreCommandOptions) => exit(await restoreCheckpoint(id, options)));
  program
    .command('fork')
    .description('make a new store that goes on from a checkpoint; this one does not change')
    .argument('<id>', ID)
    .requiredOption('--to <file>', 'the new store, which must not exist')
    .option('--input <id=json...>', 'another input for an action that waits, or a step that has not begun')
    .option('--store <file>', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', `\nExample:\n  perdure fork latest --to what-if.db --input 'invoice:7={"amount":3}'`)
    .action(async (id: string, options: ForkCommandOptions) => exit(await forkFromStore(id, options)));
}

function declareCheckpoint(program: Command, exit: (code: number) => void): void {
  const checkpoint = program
    .command('checkpoint')
    .description('take a checkpoint now, look at one, pin it, or remove it');
  checkpoint
    .command('take', { isDefault: true })
    .description('take a checkpoint now')
    .option('--label <text>', 'a name for it, up to 300 characters')
    .option('--pin', 'keep it until it is let go')
    .option('--store <file>', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', "\nExample:\n  perdure checkpoint --label 'before the holidays' --pin")
    .action(async (options: CheckpointTakeOptions) => exit(await takeCheckpoint(options)));
  const asking = (name: string, description: string) =>
    checkpoint
      .command(name)
      .description(description)
      .argument('<id>', ID)
      .option('--store <file>', STORE)
      .addHelpText('after', `\nExample:\n  perdure checkpoint ${name} 1204`);
  asking('show', 'print all that is known of a checkpoint, as JSON').action((id: string, options: RemoteOptions) =>
    exit(showCheckpoint(id, options)),
  );
  const changing = (command: CheckpointChange['command'], description: string) =>
    asking(command, description).action(async (id: string, options: CheckpointChangeOptions) =>
      exit(await changeCheckpoint(command, id, options)),
    );
  changing('pin', 'keep a checkpoint until it is let go');
  changing('unpin', 'let a checkpoint be forgotten in time');
  changing('remove', 'forget a checkpoint').option('--force', 'also one that is pinned, and the last');
}

function count(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= 10_000) return number;
  throw new InvalidArgumentError('Expected a whole number from 1 to 10000.');
}
