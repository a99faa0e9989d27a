/**
 * The desk of actors that are not durable: it sends them events. Nothing of it is kept when the process ends, and every answer says so.
 *
 * A1  A command that is given again gets the answer that it got, for as long as it is remembered; the id of one is not taken by another.
 * A2  So many commands are remembered and no more: the oldest is forgotten first.
 */
import { isPerdureError, messageOf, PerdureError } from '../../errors.ts';
import { nearest } from '../../machines/nearest.ts';
import { shown } from '../../machines/option-keys.ts';
import { isActorRef, type AnyRef } from '../../persistence/xstate-port.ts';
import { idInside } from '../recorder/recorded-actor.ts';
import type { AuditEntry, CommandAnswer } from '../protocol.ts';
import { eventOf, sending } from './asking-send.ts';
import { checkedParams } from './command-params.ts';
import type { CommandDesk, GivenCommand } from './commands.ts';
import { digestOf, taken } from './digest.ts';
import { commandOf } from './known-commands.ts';

const MOST_ENTRIES = 1_000;
const LONGEST_BY = 200;
/** So many actors are looked through for the one that is meant. */
const LOOKED_AT = 100_000;

interface Remembered {
  readonly digest: string;
  readonly entry: AuditEntry;
  readonly answer: CommandAnswer;
}

/** The desk of an actor of XState, and of those inside. `tree` is what the root is called; `redact` takes secrets out of the audit. */
export function deskOfActor(root: AnyRef, tree: string, redact: (value: unknown) => unknown): CommandDesk {
  return new ActorDesk(root, tree, redact);
}

class ActorDesk implements CommandDesk {
  readonly #root: AnyRef;
  readonly #tree: string;
  readonly #redact: (value: unknown) => unknown;
  /** The oldest first. */
  readonly #given = new Map<string, Remembered>();

  constructor(root: AnyRef, tree: string, redact: (value: unknown) => unknown) {
    this.#root = root;
    this.#tree = tree;
    this.#redact = redact;
  }

  async give(given: GivenCommand): Promise<CommandAnswer> {
    const { id } = given;
    try {
      const digest = digestOf(given);
      const earlier = this.#given.get(id);
      if (earlier !== undefined && earlier.digest !== digest) throw taken(id);
      return earlier?.answer ?? this.#give(given, digest);
    } catch (error) {
      return refused(id, error);
    }
  }

  audit(limit: number, before?: string): AuditEntry[] {
    const entries = [...this.#given.values()].map(({ entry }) => entry).toReversed();
    const last = entries.findIndex(({ id }) => id === before);
    // What was forgotten was the oldest: nothing is older.
    if (before !== undefined && last === -1) return [];
    return entries.slice(last + 1, last + 1 + Math.max(1, Math.floor(limit)));
  }

  close(): void {
    this.#given.clear();
  }

  #give(given: GivenCommand, digest: string): CommandAnswer {
    const { id, command } = given;
    if (commandOf(command) !== sending) throw notHere(command);
    const params = checkedParams(command, sending.params, given.params);
    const event = eventOf(params.json('event'));
    let actor = params.maybe('actor') ?? this.#tree;
    let answer: CommandAnswer;
    try {
      const found = this.#actorOf(actor);
      actor = found.id;
      found.ref.send(event);
      const message = `send ${event.type} to ${actor}: delivered; nothing of it is kept, as the actor is not durable`;
      answer = { type: 'answer', id, state: 'applied', message };
    } catch (error) {
      answer = refused(id, error);
    }
    const said = answer.state === 'applied' ? answer.message : `refused: ${answer.message}`;
    this.#remember(id, {
      digest,
      answer,
      entry: {
        id,
        at: Date.now(),
        by: given.by.slice(0, LONGEST_BY),
        command,
        tree: this.#tree,
        actor: actor.startsWith(`${this.#tree}/`) ? actor.slice(this.#tree.length + 1) : '',
        event: this.#redact(event) as AuditEntry['event'],
        answeredAt: Date.now(),
        answer: said,
      },
    });
    return answer;
  }

  #remember(id: string, one: Remembered): void {
    this.#given.set(id, one);
    // A2.
    for (const oldest of this.#given.keys()) {
      if (this.#given.size <= MOST_ENTRIES) return;
      this.#given.delete(oldest);
    }
  }

  /** By the id that is shown, by a path without the root, or by a systemId. Throws ACTOR_NOT_FOUND, ACTOR_STOPPED. */
  #actorOf(asked: string): { readonly id: string; readonly ref: AnyRef } {
    const ids: string[] = [];
    for (const { id, ref } of within(this.#root, this.#tree)) {
      if (id !== asked && id !== `${this.#tree}/${asked}` && systemIdOf(ref) !== asked) {
        ids.push(id);
        continue;
      }
      const { status } = ref.getSnapshot() as { readonly status: string };
      if (status === 'active') return { id, ref };
      const message = `The actor ${shown(id)} is ${status}: it takes no events any more.`;
      throw new PerdureError('ACTOR_STOPPED', message, { facts: { actor: id, status } });
    }
    const [meant] = nearest(asked, ids.slice(0, 2_000));
    const hint = meant === undefined ? '' : ` Did you mean ${shown(meant)}?`;
    throw new PerdureError('ACTOR_NOT_FOUND', `There is no actor ${shown(asked)} in ${shown(this.#tree)}.${hint}`, {
      facts: { actor: asked },
    });
  }
}

/** The root and all inside, with the ids that the inspector shows, parents before their children. */
function* within(root: AnyRef, tree: string): Generator<{ readonly id: string; readonly ref: AnyRef }> {
  const open = [{ id: tree, ref: root }];
  for (let at = 0; at < open.length && at < LOOKED_AT; at += 1) {
    const one = open[at] as (typeof open)[number];
    yield one;
    const { children = {} } = (one.ref.getSnapshot() ?? {}) as {
      readonly children?: Readonly<Record<string, unknown>>;
    };
    for (const child of Object.values(children)) {
      if (isActorRef(child)) open.push({ id: idInside(one.id, child as AnyRef), ref: child as AnyRef });
    }
  }
}

function systemIdOf(ref: AnyRef): string | undefined {
  return (ref as { readonly systemId?: string }).systemId;
}

function notHere(command: string): PerdureError {
  return new PerdureError(
    'OPTIONS_INVALID',
    `The command "${command}" is for a supervisor: an actor that is not durable is only sent events, by "send".`,
    { facts: { command } },
  );
}

/** What the actor itself throws is not hidden. */
function refused(id: string, error: unknown): CommandAnswer {
  if (!isPerdureError(error)) throw new Error(`The event could not be sent: ${messageOf(error)}`, { cause: error });
  return { type: 'answer', id, state: 'refused', message: error.message, code: error.code };
}
