/** What the command line asks of a store: of its owner, or of the next one. */
import { userInfo } from 'node:os';
import { v7 as uuidv7 } from 'uuid';
import { PerdureError, type PerdureErrorCode } from '../errors.ts';
import { deskBeside } from '../inspector/commands/commands.ts';
import type { CommandAnswer } from '../inspector/protocol.ts';
import { EXIT } from './failure.ts';
import { storeOf } from './named-store.ts';

export interface RemoteOptions {
  readonly store?: string;
}

/** A command as it was meant on the command line. */
interface Meant {
  readonly command: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal;
  /** How it is told that it was done. Default: as the answer says. */
  readonly told?: (answer: CommandAnswer) => string;
}

/** Gives a command, and says what came of it; gives the exit code. Throws what it was refused for. */
export async function give(
  { store: named }: RemoteOptions,
  { command, params = {}, signal, told }: Meant,
): Promise<number> {
  const answer = await deskBeside(storeOf(named), { forksAnywhere: true }).give({
    id: uuidv7(),
    command,
    params,
    by: `cli:${userName()}`,
    ...(signal === undefined ? {} : { signal }),
  });
  if (answer.state === 'refused') {
    throw new PerdureError((answer.code ?? 'ACTION_CONFLICT') as PerdureErrorCode, answer.message);
  }
  const lines = answer.message.split('\n');
  for (const line of lines.slice(0, -1)) process.stderr.write(`perdure: ${line}\n`);
  const text = answer.state === 'applied' && told !== undefined ? told(answer) : lines.at(-1);
  process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

/** What the answer says for programs, as JSON, or else as `text` says. */
export function asJson(json: boolean | undefined, text?: (answer: CommandAnswer) => string): Pick<Meant, 'told'> {
  if (json === true) return { told: ({ data }) => JSON.stringify(data) };
  return text === undefined ? {} : { told: text };
}

/** Who is asked for a name, and has none, is somebody all the same. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'somebody';
  }
}
