/** `perdure send`: any event to any actor. */
import { PerdureError } from '../errors.ts';
import { jsonFault, type JsonFault } from '../inspector/json-fault.ts';
import { give, type RemoteOptions } from './remote.ts';

export interface SendCommandOptions extends RemoteOptions {
  readonly tree?: string;
}

/** Sends an event. Throws ACTOR_NOT_FOUND, TREE_NOT_FOUND, EVENT_INVALID, OPTIONS_INVALID. */
export function sendEvent(actor: string, text: string, { tree, ...options }: SendCommandOptions): Promise<number> {
  const params = {
    event: eventOf(text),
    ...(actor === '' ? {} : { actor }),
    ...(tree === undefined ? {} : { tree }),
  };
  return give(options, { command: 'send', params });
}

/** What does not look like JSON is the type of an event that has nothing else. */
function eventOf(text: string): unknown {
  if (!/^\s*[[{"]/.test(text)) return { type: text };
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const { expected, line, column } = jsonFault(text) as JsonFault;
    // What it says may be a secret, and the error of the parser quotes it.
    throw new PerdureError(
      'OPTIONS_INVALID',
      `<event> is JSON such as '{"type":"pay"}', or a type alone; at line ${line}, column ${column} it needs ${expected}.`,
    );
  }
}
