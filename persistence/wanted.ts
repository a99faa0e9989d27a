/**
 * What the turn of a tree wants done after its commit: durable actions, and events for other trees. It becomes rows of the
 * outbox with the turn; what a transition that throws wanted is forgotten.
 */
import { PerdureError } from '../errors.ts';
import type { ActorRegister } from './actor-register.ts';
import { decode, type Refs } from './codec.ts';
import type { Commits } from './commits.ts';
import type { Outbox } from './outbox.ts';
import { bindingOf, type OutboxRow } from './outbox-rows.ts';
import { isStorable, pathOf, type AnyRef } from './xstate-port.ts';

/** What it needs of its tree. */
export interface WantedHost {
  readonly number: number;
  readonly commits: Commits;
  readonly outbox: Outbox;
  /** The names of the durable actions that can be found again. */
  readonly actions: ReadonlyMap<string, unknown>;
  /** It cannot be carried out later: the turn must not be committed. */
  refused(error: PerdureError): void;
}

interface Want {
  readonly ref: AnyRef;
  readonly kind: OutboxRow['kind'];
  readonly name: string;
  readonly payload: unknown;
}

export class Wanted {
  readonly #tree: WantedHost;
  readonly #actors: ActorRegister;
  #wants: Want[] = [];
  /** How many there were when each of the running transitions began. */
  readonly #before: number[] = [];

  constructor(tree: WantedHost, actors: ActorRegister) {
    this.#tree = tree;
    this.#actors = actors;
  }

  /** A transition begins. */
  enterStep(): void {
    this.#before.push(this.#wants.length);
  }

  leaveStep(threw: boolean): void {
    const before = this.#before.pop() ?? 0;
    if (threw) this.#wants.length = before;
  }

  add(ref: AnyRef, kind: OutboxRow['kind'], name: string, payload: unknown): void {
    if (kind === 'action' && !this.#tree.actions.has(name)) this.#tree.refused(undeclared(ref, name));
    if (kind === 'event' && !isAddress(name)) this.#tree.refused(unaddressed(ref, name));
    this.#wants.push({ ref, kind, name, payload });
  }

  /** Writes the rows of the outbox. */
  write(turn: number): void {
    const { commits, number, outbox } = this.#tree;
    for (const { ref, kind, name, payload } of this.#wants) {
      const row = { id: commits.nextId(), source: this.#actors.idOf(ref) ?? 0, kind, name };
      const refs = kind === 'event' ? NO_REFS : this.#actors;
      const where = () => `what "${pathOf(ref)}" wants done by "${name}"`;
      const text = commits.payloads.write(payload, refs, where, () => bindingOf(number, row));
      outbox.write({ ...row, payload: text }, turn);
    }
    this.#wants = [];
    // An action of the host's may have the store write in the midst of a transition.
    this.#before.fill(0);
  }

  /** What a row of the outbox is to carry out. */
  payloadOf(row: OutboxRow): unknown {
    const { commits, number } = this.#tree;
    const actors = this.#actors;
    const text = commits.payloads.unseal(row.payload, () => bindingOf(number, row));
    return decode(text, { idOf: (ref) => actors.idOf(ref), refOf: (id) => actors.actorOf(id) ?? actors.refOf(id) });
  }
}

/** A reference means nothing in another tree. */
const NO_REFS: Refs = {
  idOf: () => undefined,
  refOf: (id) => {
    throw new Error(`an event for another tree refers to the actor ${id}`);
  },
};

function isAddress(name: unknown): boolean {
  return typeof name === 'string' && isStorable(name);
}

function unaddressed(ref: AnyRef, name: unknown): PerdureError {
  const facts = { actor: pathOf(ref) };
  return new PerdureError(
    'CODEC_REFUSED',
    `"${facts.actor}" sent an event to the tree ${JSON.stringify(name) ?? String(name)}: the id of a tree is a text, without ` +
      'halves of surrogate pairs.',
    { facts },
  );
}

function undeclared(ref: AnyRef, name: string): PerdureError {
  const facts = { actor: pathOf(ref), action: name };
  return new PerdureError(
    'NOT_PROVIDED',
    `"${facts.actor}" took the durable action "${name}", which could not be found again after a restart: declare it in ` +
      'setup({ actions }) of a machine of the tree.',
    { facts },
  );
}
