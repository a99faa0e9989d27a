/** Tells a command that is given again from another one. */
import { createHash } from 'node:crypto';
import { PerdureError } from '../../errors.ts';
import { isObject, shown } from '../../machines/option-keys.ts';
import { readCommand, type Command } from '../../persistence/commands.ts';
import { isStorable } from '../../persistence/xstate-port.ts';
import type { GivenCommand } from './commands.ts';
import type { Place } from './place.ts';

/** A restore asks again under ids that are made of this one. */
const LONGEST_ID = 200;

export function taken(id: string): PerdureError {
  return new PerdureError(
    'COMMAND_CONFLICT',
    `The id ${shown(id)} is that of another command: give each command an id of its own, such as a UUID.`,
    { facts: { id } },
  );
}

/**
 * Tells a repeat from another command, also where what was asked may not be kept. The id is part of it: what is asked twice has two
 * digests. Throws OPTIONS_INVALID.
 */
export function digestOf({ id, command, params }: GivenCommand): string {
  if (typeof id !== 'string' || id === '' || id.length > LONGEST_ID || !isStorable(id))
    throw new PerdureError(
      'OPTIONS_INVALID',
      `A command needs an id of 1 to ${LONGEST_ID} characters, got ${shown(id)}.`,
    );
  try {
    return createHash('sha256')
      .update(JSON.stringify([id, command, params], sortedKeys))
      .digest('hex');
  } catch {
    throw new PerdureError('OPTIONS_INVALID', `The parameters of a command are JSON, got ${shown(params)}.`);
  }
}

/** Leaves a command. Throws COMMAND_CONFLICT when somebody has left another one of its id meanwhile. */
export async function leave(place: Place, command: Command): Promise<void> {
  await place.post(command);
  const { id, digest } = command;
  if (place.read((rows) => readCommand(rows, id))?.digest !== digest) throw taken(id);
}

/** The same, in whatever order somebody wrote the keys. */
function sortedKeys(_: string, value: unknown): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
