/**
 * Gives back what is short, when the resources say so: asks the host's handlers to clean up, calls the cleanups that it
 * registered, moves the log into the database, and lets outcomes go that are old enough.
 *
 * What throws has not helped: it is told as a process warning, and the others have their turn. What is not done with one call is
 * not called again meanwhile.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { PerdureError, messageOf } from '../errors.ts';
import { shown } from '../machines/option-keys.ts';
import type { PressureLevel, Outlook } from '../machines/pressure.ts';
import { RESOURCES, type ResourceName, type Rung } from '../machines/resource-policy.ts';
import { isShort, type Relief, type ReliefInput, type Standings } from '../machines/resources.ts';

/** A resource that is short, or is going to be. */
export interface ShortResource {
  readonly name: ResourceName;
  readonly value: number;
  readonly limit: number;
  readonly level: PressureLevel;
  readonly forecast: Outlook;
  /** Until its limit is reached, ms; null when that is not forecast. */
  readonly etaMs: number | null;
}

/** What a handler of `onPressure` and a cleanup are told: what is short, the most urgent first. */
export interface Pressure {
  readonly resources: readonly ShortResource[];
}

/** Makes room. What it gives is waited for. */
export type OnPressure = (pressure: Pressure) => unknown;

/** Makes room; may give how many bytes. */
export type Cleanup = (pressure: Pressure) => number | void | Promise<number | void>;

/** What relief needs of the store. */
export interface ReliefStore {
  /** Moves the log into the database; gives how many bytes of the disk that gave back. */
  truncateLog(): number;
  /** Lets outcomes go that are old enough. */
  removeOld(): void;
  /** Bytes in use now of what is measured in bytes. */
  bytes(): Promise<Readonly<Partial<Record<ResourceName, number>>>>;
}

export class Reliever {
  readonly #store: ReliefStore;
  readonly #handlers = new Set<OnPressure>();
  readonly #cleanups = new Map<string, Cleanup>();
  /** Those that are being called. */
  readonly #calling = new Set<OnPressure>();
  readonly #callers = new AsyncLocalStorage<OnPressure>();

  constructor(store: ReliefStore) {
    this.#store = store;
  }

  /** Whether a handler, or a cleanup, is asking while it is being called. */
  get isCalling(): boolean {
    const caller = this.#callers.getStore();
    return caller !== undefined && this.#calling.has(caller);
  }

  /** Asked before anything else is done, until it is unsubscribed. */
  handle(handler: OnPressure): { unsubscribe(): void } {
    checkFunction('onPressure', handler);
    // Each call has a subscription of its own.
    const own: OnPressure = (pressure) => handler(pressure);
    this.#handlers.add(own);
    return { unsubscribe: () => void this.#handlers.delete(own) };
  }

  /** Called when what is milder did not do. Throws OPTIONS_INVALID for a name that is in use. */
  register(name: string, cleanup: Cleanup): { unsubscribe(): void } {
    checkFunction(`the cleanup ${shown(name)}`, cleanup);
    if (typeof name !== 'string' || name === '' || this.#cleanups.has(name)) {
      const why = this.#cleanups.has(name) ? 'there is one of this name already' : 'expected a name that is a text';
      throw new PerdureError('OPTIONS_INVALID', `The cleanup ${shown(name)} cannot be registered: ${why}.`, {
        facts: { name },
      });
    }
    const own: Cleanup = (pressure) => cleanup(pressure);
    this.#cleanups.set(name, own);
    return {
      unsubscribe: () => {
        if (this.#cleanups.get(name) === own) this.#cleanups.delete(name);
      },
    };
  }

  /** Climbs a rung of the ladder. */
  async relieve({ rung, standings }: ReliefInput): Promise<Relief> {
    const pressure = pressureOf(standings, rung);
    const before = await this.#store.bytes();
    const { did, said } = await this.#climb(rung, pressure);
    const freedBytes = said > 0 ? said : freed(before, await this.#store.bytes(), pressure);
    return { did, freedBytes };
  }

  async #climb(rung: ReliefInput['rung'], pressure: Pressure): Promise<{ did: string[]; said: number }> {
    switch (rung) {
      case 'cleanUp': {
        const all = Array.from(this.#handlers, (handler) => this.#call('onPressure', handler, pressure));
        const answers = (await Promise.all(all)).flat();
        return { did: answers.map(({ text }) => text), said: 0 };
      }
      case 'runCleanups': {
        const all = Array.from(this.#cleanups, ([name, cleanup]) => this.#call(name, cleanup, pressure));
        const answers = (await Promise.all(all)).flat();
        return { did: answers.map(({ text }) => text), said: sum(answers.map(({ bytes }) => bytes)) };
      }
      case 'prune': {
        this.#store.removeOld();
        const bytes = this.#store.truncateLog();
        return { did: ['old outcomes', 'the log'], said: bytes };
      }
    }
  }

  /** None while it is being called. */
  async #call(name: string, fn: OnPressure, pressure: Pressure): Promise<Answer[]> {
    if (this.#calling.has(fn)) return [];
    this.#calling.add(fn);
    try {
      return [await this.#callers.run(fn, () => called(name, fn, pressure))];
    } finally {
      this.#calling.delete(fn);
    }
  }
}

/** What a handler or a cleanup did, in words, and how many bytes it says that it freed. */
interface Answer {
  readonly text: string;
  readonly bytes: number;
}

/** Those that are short and that it helps, the one that is exhausted first coming first. */
function pressureOf(standings: Standings, rung: Rung): Pressure {
  const all = Object.entries(standings) as unknown as [ResourceName, Standings[ResourceName] & object][];
  const resources = all
    .filter(([name, standing]) => isShort(standing) && RESOURCES[name].rungs.includes(rung))
    .map(([name, { value, limit, level, forecast, etaMs }]) => ({ name, value, limit, level, forecast, etaMs }));
  const left = ({ etaMs, level }: ShortResource) => (level === 'critical' ? 0 : (etaMs ?? Infinity));
  return { resources: resources.toSorted((a, b) => left(a) - left(b)) };
}

async function called(name: string, fn: OnPressure, pressure: Pressure): Promise<Answer> {
  try {
    const answer = await fn(pressure);
    return { text: name, bytes: typeof answer === 'number' && answer > 0 && Number.isFinite(answer) ? answer : 0 };
  } catch (error) {
    process.emitWarning(`${name} made no room: ${messageOf(error)}`, {
      type: 'PerdureWarning',
      code: 'CLEANUP_FAILED',
      ...(error instanceof Error && error.stack !== undefined ? { detail: error.stack } : {}),
    });
    return { text: `${name} failed: ${messageOf(error)}`, bytes: 0 };
  }
}

/** What can be seen of it; null when nothing can: V8 gives memory back when it likes. */
function freed(
  before: Readonly<Partial<Record<ResourceName, number>>>,
  after: Readonly<Partial<Record<ResourceName, number>>>,
  { resources }: Pressure,
): number | null {
  const differences = resources.map(({ name }) => (before[name] ?? 0) - (after[name] ?? 0));
  const most = Math.max(0, ...differences);
  return most > 0 ? most : null;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

function checkFunction(what: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw new PerdureError('OPTIONS_INVALID', `${what}: expected a function, got ${shown(value)}.`, { facts: { what } });
}
