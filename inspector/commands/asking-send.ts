/** The command that sends any event to any actor of a store. */
import { PerdureError } from '../../errors.ts';
import { isObject } from '../../machines/option-keys.ts';
import type { AnyEventObject } from '../../persistence/xstate-port.ts';
import { addressOf } from './address.ts';
import type { Asking, Reader } from './asking.ts';
import { kindOf } from './command-params.ts';

const LONGEST_TYPE = 256;
/** Somebody wrote the event as JSON in a text: what is in it would be shown as its name. */
const LOOKS_LIKE_JSON = /^\s*[[{"]/;

export const sending: Asking = {
  help: 'Sends an event to an actor.',
  confirm: false,
  isOfSupervisor: false,
  params: [
    { name: 'event', kind: 'json', required: true, help: 'an object with a `type`, or a type alone' },
    { name: 'actor', kind: 'text', required: false, help: 'a path, or a systemId; default: the root of the tree' },
    {
      name: 'tree',
      kind: 'text',
      required: false,
      help: 'default: the tree that `actor` begins with, or the main one',
    },
  ],
  ask({ rows, params, tree: main }) {
    const event = eventOf(params.json('event'));
    const { tree, actor, row } = addressOf(rows, params.maybe('actor') ?? '', params.maybe('tree'), main);
    return {
      label: `send ${event.type} to ${actor === '' ? tree : `${tree}/${actor}`}`,
      tree,
      actor,
      event,
      after: (now, turn) => changeOf(now, row, turn),
    };
  },
};

/** Throws OPTIONS_INVALID, and repeats nothing of what came. */
export function eventOf(given: unknown): AnyEventObject {
  const event = typeof given === 'string' ? { type: given } : given;
  const type = isObject(event) ? event['type'] : undefined;
  const wrong =
    typeof type !== 'string' || type === ''
      ? `got ${isObject(event) ? `one whose type is ${type === '' ? 'empty' : kindOf(type)}` : kindOf(given)}`
      : LOOKS_LIKE_JSON.test(type)
        ? `got a type that looks like JSON: give the event itself, not a text of it`
        : type.length > LONGEST_TYPE
          ? `got a type of ${type.length} characters: it may have ${LONGEST_TYPE}`
          : undefined;
  if (wrong === undefined) return event as AnyEventObject;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `The command "send" takes as "event" an object with a \`type\`, such as {"type":"pay"}, ${wrong}.`,
  );
}

/** The row of an actor is written when its state is another one, and in no other turn. */
function changeOf(rows: Reader, row: number, turn: number): string | undefined {
  const found = rows.get<{ from_turn: number }>('select from_turn from actors where id = ?', row);
  if (found === undefined) return 'the actor is gone now';
  return found.from_turn < turn ? 'no transition: the state of the actor did not change' : undefined;
}
