/** The commands that are about an action: what they are called, and how the action is named in them. */
import type { KnownCommand } from '../../../protocol.ts';

const LABELS: Readonly<Record<string, string>> = {
  retry: 'Retry now',
  'run-now': 'Run now',
  requeue: 'Requeue',
  cancel: 'Cancel',
  approve: 'Approve',
  deny: 'Deny',
  discard: 'Discard',
};

export function commandLabel(command: string): string {
  return LABELS[command] ?? command.replaceAll('-', ' ').replace(/^./, (first) => first.toUpperCase());
}

/** The parameters of a command about an action: its id, under the name that the command has for it. */
export function actionParams(command: string, id: string, known: readonly KnownCommand[]): Record<string, unknown> {
  const params = known.find(({ name }) => name === command)?.params ?? [];
  const named = params.find(({ name }) => name === 'action' || name === 'id') ?? params.find((param) => param.required);
  return { [named?.name ?? 'id']: id };
}
