/** The commands that there are, by name. */
import { PerdureError } from '../../errors.ts';
import { nearest } from '../../machines/nearest.ts';
import { shown } from '../../machines/option-keys.ts';
import { appliedIn, type CommandRow } from '../../persistence/commands.ts';
import { approving, denying } from './asking-approvals.ts';
import { checkpointing, forking, pinning, removing, unpinning } from './asking-checkpoints.ts';
import { sending } from './asking-send.ts';
import {
  cancelling,
  discarding,
  measuring,
  pausing,
  pausingQueue,
  pausingSchedule,
  requeueing,
  resuming,
  resumingQueue,
  resumingSchedule,
  retrying,
  runningNow,
  triggering,
} from './asking-work.ts';
import type { Asking, Reader, Undertaking } from './asking.ts';
import type { KnownCommand } from '../protocol.ts';
import { restoring } from './restoring.ts';

const COMMANDS: Readonly<Record<string, Asking | Undertaking>> = {
  send: sending,
  approve: approving,
  deny: denying,
  pause: pausing,
  resume: resuming,
  cancel: cancelling,
  retry: retrying,
  'run-now': runningNow,
  requeue: requeueing,
  discard: discarding,
  'pause-queue': pausingQueue,
  'resume-queue': resumingQueue,
  'pause-schedule': pausingSchedule,
  'resume-schedule': resumingSchedule,
  trigger: triggering,
  profiler: measuring,
  checkpoint: checkpointing,
  pin: pinning,
  unpin: unpinning,
  'remove-checkpoint': removing,
  restore: restoring,
  fork: forking,
};

/** What can be asked, for help and forms; those that are for any tree come first. */
export const knownCommands: readonly KnownCommand[] = Object.entries(COMMANDS).map(
  ([name, { help, confirm, params }]) => ({ name, help, confirm, params }),
);

/** Throws COMMAND_UNKNOWN. */
export function commandOf(name: unknown): Asking | Undertaking {
  if (typeof name === 'string' && Object.hasOwn(COMMANDS, name)) return COMMANDS[name] as Asking | Undertaking;
  const known = Object.keys(COMMANDS);
  const [meant] = typeof name === 'string' ? nearest(name, known) : [];
  const hint = meant === undefined ? `there are: ${known.join(', ')}.` : `did you mean "${meant}"?`;
  throw new PerdureError('COMMAND_UNKNOWN', `There is no command ${shown(name)}: ${hint}`, { facts: { name, known } });
}

/** What came of the command of a row: its answer, unless that says only that an owner took it up; null while it is not known. */
export function outcomeIn(rows: Reader, row: CommandRow, event: Event): string | null {
  const { command, answer } = row;
  const asking = command !== null && Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  const isTakenUp = answer !== null && appliedIn(answer) !== undefined;
  if (!isTakenUp || asking === undefined || !('outcome' in asking)) return answer;
  return asking.outcome?.(rows, row, event) ?? null;
}

type Event = Readonly<Record<string, unknown>>;
