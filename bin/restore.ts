/** `perdure restore` and `fork`: goes back to a checkpoint, or on from one in another store. */
import { resolve } from 'node:path';
import { PerdureError } from '../errors.ts';
import { asJson, give, type RemoteOptions } from './remote.ts';

export interface RestoreCommandOptions extends RemoteOptions {
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Goes back to a checkpoint. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_BUSY, CHECKPOINT_DAMAGED, KEY_UNKNOWN. */
export function restoreCheckpoint(
  id: string,
  { force = false, json, ...options }: RestoreCommandOptions,
): Promise<number> {
  return give(options, { command: 'restore', params: { id, force }, ...asJson(json) });
}

export interface ForkCommandOptions extends RemoteOptions {
  readonly to: string;
  /** `id=JSON`. */
  readonly input?: readonly string[];
  readonly json?: boolean;
}

/** Makes a new store of a checkpoint. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_DAMAGED, FORK_EXISTS, OPTIONS_INVALID. */
export async function forkFromStore(
  id: string,
  { to, input = [], json, ...options }: ForkCommandOptions,
): Promise<number> {
  const params = { id, to: resolve(to), input: Object.fromEntries(input.map(inputOf)) };
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    return await give(options, { command: 'fork', params, signal: stop.signal, ...asJson(json) });
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

function inputOf(text: string): readonly [string, unknown] {
  const at = text.indexOf('=');
  try {
    if (at > 0) return [text.slice(0, at), JSON.parse(text.slice(at + 1))];
  } catch {
    // Told below, as what has no `=` is.
  }
  throw new PerdureError('OPTIONS_INVALID', `--input is the id of an action or a step, =, and JSON; got ${text}.`);
}
