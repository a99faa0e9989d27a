/** The command that sends an event to an actor of a store. */
import { isSupervisorTree } from '../../actors/stored-standing.ts';
import { PerdureError } from '../../errors.ts';
import { operatorEvents } from '../../machines/operator-events.ts';
import { isObject, shown } from '../../machines/option-keys.ts';
import type { AnyEventObject } from '../../persistence/xstate-port.ts';
import { addressOf, type Address } from './address.ts';
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
  ask({ rows, params, tree: main, at }) {
    const given = eventOf(params.json('event'));
    const address = addressOf(rows, params.maybe('actor') ?? '', params.maybe('tree'), main);
    const { tree, actor, row } = address;
    return {
      label: `send ${given.type} to ${nameOf(address)}`,
      tree,
      actor,
      event: checkedEvent(rows, address, given, at),
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

/** What to give in place of an event of Perdure's own. */
const INSTEAD: Readonly<Record<string, readonly string[]>> = {
  'supervisor.cancel': ['cancel'],
  'supervisor.cancelPlan': ['cancel'],
  'supervisor.retryPlan': ['retry'],
  'supervisor.retryNow': ['retry'],
  'supervisor.runNow': ['run-now'],
  'supervisor.requeue': ['requeue'],
  'supervisor.discard': ['discard'],
  'supervisor.decide': ['approve', 'deny'],
  'approvals.decide': ['approve', 'deny'],
  'supervisor.queue': ['pause-queue', 'resume-queue'],
  'supervisor.schedule': ['pause-schedule', 'resume-schedule', 'trigger'],
  'supervisor.checkpoint': ['checkpoint'],
  'supervisor.changeCheckpoint': ['pin', 'unpin', 'remove-checkpoint'],
  'supervisor.restore': ['restore'],
  'supervisor.profiler': ['profiler'],
};

interface Row {
  readonly tree: number;
  readonly machine: string | null;
}

/** The actors of a supervisor's own tree take few events, and those with the time when they are sent. Throws EVENT_INTERNAL. */
function checkedEvent(rows: Reader, address: Address, event: AnyEventObject, at: number): AnyEventObject {
  const row = rows.get<Row>('select tree, machine from actors where id = ?', address.row);
  if (row === undefined || !isSupervisorTree(rows, row.tree)) return event;
  const takes = operatorEvents(row.machine);
  if (takes.includes(event.type)) return { ...event, at };
  const actor = nameOf(address);
  const what = takes.length === 0 ? 'no event from outside' : `from outside only ${takes.join(', ')}`;
  const instead = Object.hasOwn(INSTEAD, event.type) ? INSTEAD[event.type] : undefined;
  const hint = instead === undefined ? '' : `: give the command ${instead.map((name) => `"${name}"`).join(' or ')}`;
  throw new PerdureError('EVENT_INTERNAL', `The actor ${shown(actor)} is Perdure's own and takes ${what}${hint}.`, {
    facts: { actor, takes },
  });
}

function nameOf({ tree, actor }: Address): string {
  return actor === '' ? tree : `${tree}/${actor}`;
}

/** The row of an actor is written when its state is another one, and in no other turn. */
function changeOf(rows: Reader, row: number, turn: number): string | undefined {
  const found = rows.get<{ from_turn: number }>('select from_turn from actors where id = ?', row);
  if (found === undefined) return 'the actor is gone now';
  return found.from_turn < turn ? 'no transition: the state of the actor did not change' : undefined;
}
