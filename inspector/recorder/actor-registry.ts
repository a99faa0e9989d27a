/**
 * The actors that are being looked at: apart from the records, so that no ring evicts them. Those that have ended stay for a while,
 * so that it can be seen how; their number is bounded.
 */
import { isActorRef, type AnyRef } from '../../persistence/xstate-port.ts';
import { estimatedBytes } from './estimate.ts';
import { RecordedActor, stateOf, type EndStatus } from './recorded-actor.ts';

export interface RegistryLimits {
  /** Actors in all: of more, nothing is told. */
  readonly actors: number;
  /** Actors that have ended. */
  readonly ended: number;
  /** How long one that has ended stays at most. */
  readonly endedMs: number;
}

/** Of the states of those that have ended, about. */
const ENDED_BYTES = 8_000_000;

export class ActorRegistry {
  readonly #limits: RegistryLimits;
  readonly #byRef = new Map<AnyRef, RecordedActor>();
  readonly #byId = new Map<string, RecordedActor>();
  /** Those that had to make room: the last that is told of them may come later, and brings none of them back. */
  readonly #over = new WeakMap<AnyRef, RecordedActor>();
  /** The one that ended first, first. */
  readonly #ended = new Set<RecordedActor>();
  #endedBytes = 0;

  constructor(limits: RegistryLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#byId.size;
  }

  get isFull(): boolean {
    return this.#byRef.size >= this.#limits.actors;
  }

  /** Also of one that is listed no more. */
  of(ref: AnyRef): RecordedActor | undefined {
    return this.#byRef.get(ref) ?? this.#over.get(ref);
  }

  byId(id: string): RecordedActor | undefined {
    return this.#byId.get(id);
  }

  /** Parents before their children. */
  all(now: number): RecordedActor[] {
    this.#forget(now);
    return [...this.#byId.values()].toSorted((a, b) => a.depth - b.depth);
  }

  /**
   * Takes an actor in, and those around it, up to the root, that are not there. An earlier one of its id makes room for it.
   * Undefined of one that is not inside the root.
   */
  add(ref: AnyRef, root: AnyRef, tree: string, seq: number): RecordedActor | undefined {
    if (!isInside(ref, root)) return undefined;
    const line: AnyRef[] = [];
    let around: RecordedActor | undefined;
    for (let actor: AnyRef | undefined = ref; actor !== undefined; actor = actor === root ? undefined : actor._parent) {
      around = this.of(actor);
      if (around !== undefined) break;
      line.push(actor);
    }
    for (let next = line.pop(); next !== undefined; next = line.pop()) {
      around = new RecordedActor(next, around, tree, seq);
      this.#put(around);
    }
    return around;
  }

  #put(actor: RecordedActor): void {
    const before = this.#byId.get(actor.id);
    if (before !== undefined) {
      before.ended ??= 'stopped';
      this.remove(before);
    }
    this.#byRef.set(actor.ref, actor);
    this.#byId.set(actor.id, actor);
  }

  /** Takes in the actor and all those inside, as they are now. Of more than the limit, those nearest to it. */
  walk(root: AnyRef, tree: string, seq: number, now: number): void {
    const pending = [root];
    for (let at = 0; at < pending.length && !this.isFull; at += 1) {
      const ref = pending[at] as AnyRef;
      const actor = this.add(ref, root, tree, seq);
      if (actor === undefined) continue;
      const { status = 'active', children } = actor.state ?? {};
      if (status !== 'active') this.end(actor, status, now);
      for (const child of Object.values(children ?? {})) if (isActorRef(child)) pending.push(child);
    }
  }

  /** Those inside the root that have not ended, children before their parents, so that those that are forgotten first have none. */
  livingIn(root: AnyRef): RecordedActor[] {
    const living = [...this.#byRef.values()].filter(({ ref, ended }) => ended === undefined && isInside(ref, root));
    return living.sort((a, b) => b.depth - a.depth);
  }

  end(actor: RecordedActor, status: EndStatus, now: number): void {
    actor.ended = status;
    actor.endedAt = now;
    if (!this.#ended.has(actor)) {
      actor.endedBytes = estimatedBytes(actor.state?.context) + estimatedBytes(actor.state?.output);
      this.#endedBytes += actor.endedBytes;
    }
    this.#ended.add(actor);
    this.#forget(now);
  }

  /** How many living actors in this tree are not here. */
  countOthers(root: AnyRef): number {
    let others = 0;
    const pending = [root];
    for (let ref = pending.pop(); ref !== undefined; ref = pending.pop()) {
      const { status = 'active', children } = stateOf(ref) ?? {};
      if (status === 'active' && !this.#byRef.has(ref)) others += 1;
      for (const child of Object.values(children ?? {})) if (isActorRef(child)) pending.push(child);
    }
    return others;
  }

  #forget(now: number): void {
    for (const actor of this.#ended) {
      const isOld = now - actor.endedAt > this.#limits.endedMs;
      const isMuch = this.#ended.size > this.#limits.ended || this.#endedBytes > ENDED_BYTES;
      if (!isMuch && !isOld) return;
      this.remove(actor);
    }
  }

  remove(actor: RecordedActor): void {
    this.#over.set(actor.ref, actor);
    if (this.#ended.delete(actor)) this.#endedBytes -= actor.endedBytes;
    this.#byRef.delete(actor.ref);
    if (this.#byId.get(actor.id) === actor) this.#byId.delete(actor.id);
  }
}

/** Whether the actor is the root or one of those below it. */
export function isInside(ref: AnyRef, root: AnyRef): boolean {
  for (let actor: AnyRef | undefined = ref; actor !== undefined; actor = actor._parent) if (actor === root) return true;
  return false;
}
