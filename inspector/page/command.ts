/** Gives commands, and tells what came of them. */
import { computed, signal, type ReadonlySignal } from '@preact/signals';
import type { CommandAnswer, KnownCommand } from '../protocol.ts';
import { capabilities, feed, whyNoCommands } from './connection.ts';
import { PageError, pageErrorOf } from './page-error.ts';
import { confirm } from './ui/dialog.tsx';
import { toast } from './ui/toast.tsx';

/** The commands that there are. */
export const knownCommands = signal<readonly KnownCommand[]>([]);

/** How many this page has given. */
export const commandsGiven = signal(0);

/** Whether commands are obeyed; what gives one is disabled else. */
export const canCommand: ReadonlySignal<boolean> = computed(() => capabilities.value.commands);

export interface GiveOptions {
  /** Said instead of the command's help, in the question whether it is meant. */
  readonly question?: string;
  /** Whether it is asked again before. Default: what the command says of itself. */
  readonly confirm?: boolean;
}

/**
 * Gives a command, asks again first where that is right, and shows the answer. Never rejects: what goes wrong is an answer too,
 * `refused`, with a code; `CANCELLED` when whoever was asked again said no.
 */
export async function give(
  command: string,
  params: Readonly<Record<string, unknown>> = {},
  options: GiveOptions = {},
): Promise<CommandAnswer> {
  const id = crypto.randomUUID();
  const why = whyNoCommands.peek();
  if (why !== null) {
    toast({ tone: 'failed', title: `${titleOf(command)}: refused`, text: why });
    return { type: 'answer', id, state: 'refused', code: 'NOT_CONNECTED', message: why };
  }
  const known = knownCommands.peek().find(({ name }) => name === command);
  if (options.confirm ?? known?.confirm ?? false) {
    const isMeant = await confirm({
      title: `${titleOf(command)}?`,
      text: options.question ?? known?.help ?? '',
      action: titleOf(command),
      isDangerous: true,
    });
    if (!isMeant) return { type: 'answer', id, state: 'refused', code: 'CANCELLED', message: 'Nothing was done.' };
  }
  const answer = await sent({ type: 'command', id, command, params });
  commandsGiven.value += 1;
  toast({
    tone: answer.state === 'applied' ? 'ok' : answer.state === 'waiting' ? 'waiting' : 'failed',
    title: `${titleOf(command)}: ${answer.state}`,
    text: answer.message,
  });
  return answer;
}

async function sent(request: Parameters<NonNullable<typeof feed.value>['give']>[0]): Promise<CommandAnswer> {
  try {
    const to = feed.peek();
    if (to === null) throw new PageError('NOT_CONNECTED', 'There is no connection yet.');
    return await to.give(request);
  } catch (error) {
    const { code, message } = pageErrorOf(error);
    return { type: 'answer', id: request.id, state: 'refused', code, message };
  }
}

/** `run-now` as `Run now`. */
export function titleOf(command: string): string {
  const words = command.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
