/** The commands about queues, about what is submitted by itself, and about what has failed for good. */
import { InvalidArgumentError, type Command } from 'commander';
import { discardDead, listDead, requeueDead, type DeadListOptions } from './dead-letters.ts';
import { commandQueue, listQueues } from './queues.ts';
import type { RemoteOptions } from './remote.ts';
import { commandSchedule, listSchedules } from './schedules.ts';
import { STORE } from './named-store.ts';

export function declareQueueing(program: Command, exit: (code: number) => void): void {
  declareQueues(program, exit);
  declareSchedules(program, exit);
  declareDeadLetters(program, exit);
}

function declareQueues(program: Command, exit: (code: number) => void): void {
  const queue = program.command('queue').description('list the queues, pause them, resume them');
  queue
    .command('ls', { isDefault: true })
    .description('list the queues that hold something, and how much, also while the store is in use')
    .option('--store <file>', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  perdure queue ls --store work.db')
    .action((options: RemoteOptions & { json?: boolean }) => exit(listQueues(options)));
  const asking = (command: 'pause' | 'resume', description: string) =>
    queue
      .command(command)
      .description(description)
      .argument('<name>', 'of the queue')
      .option('--store <file>', STORE)
      .addHelpText('after', `\nExample:\n  perdure queue ${command} mail`)
      .action(async (name: string, options: RemoteOptions) => exit(await commandQueue(command, name, options)));
  asking('pause', 'begin nothing more of a queue: what runs ends, what comes waits');
  asking('resume', 'go on with a queue');
}

function declareSchedules(program: Command, exit: (code: number) => void): void {
  const schedule = program.command('schedule').description('list schedules, pause them, resume them, trigger them now');
  schedule
    .command('ls', { isDefault: true })
    .description('list the schedules and when they are due, also while the store is in use')
    .option('--store <file>', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  perdure schedule ls --store work.db')
    .action((options: RemoteOptions & { json?: boolean }) => exit(listSchedules(options)));
  const asking = (command: 'pause' | 'resume' | 'trigger', description: string) =>
    schedule
      .command(command)
      .description(description)
      .argument('<id>', 'of the schedule')
      .option('--store <file>', STORE)
      .addHelpText('after', `\nExample:\n  perdure schedule ${command} nightly`)
      .action(async (id: string, options: RemoteOptions) => exit(await commandSchedule(command, id, options)));
  asking('pause', 'let a schedule rest: what is due meanwhile does not happen');
  asking('resume', 'go on with the next time that is to come');
  asking('trigger', 'submit an occurrence now, also of a schedule that is paused');
}

function declareDeadLetters(program: Command, exit: (code: number) => void): void {
  const dead = program.command('dead').description('list what has failed for good, queue it again, or put it away');
  dead
    .command('ls', { isDefault: true })
    .description(
      'list what has failed for good, in the order in which it was submitted, also while the store is in use',
    )
    .option('--store <file>', STORE)
    .option('--limit <n>', 'at most so many; default: 100', count)
    .option('--after <id>', 'those that were submitted after this one')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  perdure dead ls --store work.db --json')
    .action((options: DeadListOptions) => exit(listDead(options)));
  const asking = (name: string, description: string, run: typeof requeueDead) =>
    dead
      .command(name)
      .description(description)
      .argument('<ids...>', 'of the actions')
      .option('--store <file>', STORE)
      .addHelpText('after', `\nExample:\n  perdure dead ${name} mail:17 mail:18`)
      .action(async (ids: string[], options: RemoteOptions) => exit(await run(ids, options)));
  asking('requeue', 'queue them again, under the same ids: their attempts count from 0', requeueDead);
  asking('discard', 'take them off the list; their outcomes stay', discardDead);
}

function count(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= 10_000) return number;
  throw new InvalidArgumentError('Expected a whole number from 1 to 10000.');
}
