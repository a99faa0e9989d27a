/** Tells a host's logger what was refused and what failed, so seldom that nobody can fill a disk with it, and without secrets. */
import type { IncomingMessage } from 'node:http';
import { shown } from '../../machines/option-keys.ts';
import type { Refusal } from './guard.ts';
import type { InspectorLogger } from './options.ts';

/** So many are told in a minute; of the others only how many there were. */
const MOST_A_MINUTE = 20;
const MINUTE_MS = 60_000;

export class RefusalLog {
  readonly #logger: InspectorLogger | undefined;
  #since = -Infinity;
  #told = 0;
  #untold = 0;

  constructor(logger: InspectorLogger | undefined) {
    this.#logger = logger;
  }

  /** The path without its query, in which a token may be. */
  refused(request: IncomingMessage, { code, status }: Pick<Refusal, 'code' | 'status'>): void {
    const { method, socket, headers } = request;
    const [path = ''] = (request.url ?? '').split('?');
    this.#tell('The inspector refused a request.', {
      code,
      status,
      method,
      path: shown(path),
      host: shown(headers.host),
      origin: shown(headers.origin),
      from: socket.remoteAddress,
    });
  }

  /** Without what it says, which may be a secret. */
  refusedCommand(by: string, command: string, code: string): void {
    this.#tell('The inspector refused a command.', { code, command: shown(command), by: shown(by) });
  }

  /** @param part of the inspector. */
  failed(part: string, message: string): void {
    this.#tell('A part of the inspector failed.', { part, message });
  }

  #tell(message: string, facts: object): void {
    if (this.#logger === undefined) return;
    const now = performance.now();
    if (now - this.#since >= MINUTE_MS) {
      if (this.#untold > 0) this.#warn({ untold: this.#untold }, 'The inspector refused more than it told.');
      this.#since = now;
      this.#told = 0;
      this.#untold = 0;
    }
    if (this.#told++ < MOST_A_MINUTE) this.#warn(facts, message);
    else this.#untold += 1;
  }

  /** A logger that throws must not open a door. */
  #warn(facts: object, message: string): void {
    try {
      this.#logger?.warn(facts, message);
    } catch {
      // Nobody is left to tell.
    }
  }
}
