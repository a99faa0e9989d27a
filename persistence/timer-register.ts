/** The rows of the timers of one live tree: written with the turn that set or removed them, read when the tree is restored. */
import { PerdureError } from '../errors.ts';
import type { ActorRegister } from './actor-register.ts';
import { decode } from './codec.ts';
import type { Commits } from './commits.ts';
import { renamed, type Renames } from './migrations.ts';
import type { Timer, Timers } from './timers.ts';
import { bindingOf, deleteTimer, insertTimer, readTimers, type TimerRow } from './timer-rows.ts';
import type { TreeDigest } from './tree-digest.ts';
import { pathOf, type AnyEventObject, type AnyRef } from './xstate-port.ts';

/** What it needs of its tree. */
export interface TimerRegisterHost {
  readonly number: number;
  readonly root: AnyRef;
  readonly commits: Commits;
  readonly digest: TreeDigest;
  readonly timers: Timers;
}

export class TimerRegister {
  readonly #tree: TimerRegisterHost;
  readonly #actors: ActorRegister;
  /** Those of a restored tree, until it starts. */
  #rows: readonly TimerRow[] = [];

  constructor(tree: TimerRegisterHost, actors: ActorRegister) {
    this.#tree = tree;
    this.#actors = actors;
  }

  /** Reads the rows of a restored tree, and says how many there are. */
  read(): number {
    const { commits, number, digest } = this.#tree;
    this.#rows = readTimers(commits.statements, number);
    for (const { checksum } of this.#rows) digest.read(checksum, checksum);
    return this.#rows.length;
  }

  /** Sets the timers of the rows that were read. `renames` are of actors whose machine was renamed, by their row. */
  adopt(renames: ReadonlyMap<number, Renames>): void {
    if (this.#rows.length === 0) return;
    const { commits, number, timers } = this.#tree;
    const refs = this.#actors.refs();
    for (const row of this.#rows) {
      const { id, source, target, key, due, delay, checksum } = row;
      const text = commits.payloads.unseal(row.event, () => bindingOf(number, row));
      const timer = timers.adopt({
        id,
        source: refs.refOf(source),
        target: refs.refOf(target),
        key,
        event: decode(text, refs) as AnyEventObject,
        due,
        delay,
        checksum,
      });
      const names = renames.get(source);
      if (names !== undefined) this.#rename(timer, names);
    }
    this.#rows = [];
  }

  /** The delayed event of an `after` is named after the machine, which now has another name. */
  #rename(timer: Timer, renames: Renames): void {
    const { commits, timers } = this.#tree;
    const key = renamed(timer.key, renames);
    if (key === timer.key) return;
    timers.cancel(timer.source, timer.key);
    const event = { ...timer.event, type: renamed(timer.event.type, renames) };
    timers.added.add(timers.adopt({ ...timer, id: commits.nextId(), key, event, checksum: 0 }));
  }

  write(turn: number): void {
    const { commits, digest, number: tree, root, timers } = this.#tree;
    const { statements } = commits;
    for (const timer of timers.removed) {
      deleteTimer(statements, timer.id);
      digest.toggle(timer.checksum);
    }
    for (const timer of timers.added) {
      const target = this.#actors.idOf(timer.target);
      if (target === undefined && timer.target.system !== root.system) throw strangeTarget(timer);
      if (target === undefined) continue;
      // A timer may outlive its source (T6), even one that came and went within this batch and has no row.
      const source = this.#actors.idOf(timer.source) ?? target;
      const where = () => `a delayed event of "${pathOf(timer.source)}"`;
      const text = commits.payloads.write(timer.event, this.#actors, where, () =>
        bindingOf(tree, { ...timer, source, target }),
      );
      timer.checksum = insertTimer(statements, { tree, source, target, timer, text }, turn);
      digest.toggle(timer.checksum);
      commits.count(1, text.length);
    }
  }
}

function strangeTarget({ source, target, event }: Timer): PerdureError {
  const facts = { source: pathOf(source), target: target.id, event: event.type };
  return new PerdureError(
    'CODEC_REFUSED',
    `"${facts.source}" delayed "${event.type}" for the actor "${target.id}" of another tree, which could not be found again ` +
      'after a restart: delay an event to itself, and send from there.',
    { facts },
  );
}
