/** Whether a command is taken, before anybody looks at what it says: the same for WebSockets and HTTP. */
import { isObject } from '../../machines/option-keys.ts';
import { messageOf, isPerdureError } from '../../errors.ts';
import type { CommandDesk } from '../commands/commands.ts';
import type { CommandAnswer } from '../protocol.ts';
import type { RefusalLog } from './refusal-log.ts';
import { ReplyFailure, failureOf, type Failure } from './reply.ts';

/** Whoever gives a command. */
export interface Giver {
  /** For the audit. */
  readonly by: string;
  readonly commands: boolean;
}

const LONGEST_ID = 200;
const LONGEST_NAME = 100;
const COMMANDS_OFF = 'COMMANDS_OFF';

export class CommandGate {
  readonly #desk: CommandDesk | undefined;
  readonly #isOpen: boolean;
  readonly #log: RefusalLog;

  /** @param isOpen whether the host wants commands to be taken at all. */
  constructor(desk: CommandDesk | undefined, isOpen: boolean, log: RefusalLog) {
    this.#desk = desk;
    this.#isOpen = isOpen;
    this.#log = log;
  }

  get desk(): CommandDesk | undefined {
    return this.#desk;
  }

  takesFrom({ commands }: Giver): boolean {
    return this.#isOpen && commands && this.#desk !== undefined;
  }

  /** Throws a failure that is told for what is no command; what is not allowed is answered. */
  async give(request: unknown, giver: Giver): Promise<CommandAnswer> {
    if (!isObject(request)) throw invalid('an object');
    const { id, command, params = {} } = request;
    if (typeof id !== 'string' || id === '' || id.length > LONGEST_ID) throw invalid('an id, such as a UUID');
    if (typeof command !== 'string' || command.length > LONGEST_NAME) throw invalid('the name of a command');
    if (!isObject(params)) throw invalid('params, an object');
    if (this.#desk === undefined || !this.takesFrom(giver)) {
      const message = this.#isOpen
        ? 'You may look, and give no commands here.'
        : 'This inspector is read-only: its host allows commands with `commands: true`.';
      this.#log.refusedCommand(giver.by, command, COMMANDS_OFF);
      return { type: 'answer', id, state: 'refused', code: COMMANDS_OFF, message };
    }
    return this.#desk.give({ id, command, params, by: giver.by });
  }

  failureOf(error: unknown): Failure {
    if (!(error instanceof ReplyFailure) && !isPerdureError(error)) this.#log.failed('command', messageOf(error));
    return failureOf(error);
  }
}

function invalid(expected: string): ReplyFailure {
  return new ReplyFailure(400, 'COMMAND_INVALID', `A command has ${expected}.`);
}
