/** The tiny tree on which xstate-self-test.ts proves what xstate-port.ts leans on. */
import {
  assign,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate';
import type { PerdureError } from '../errors.ts';
import type * as xstatePort from './xstate-port.ts';
import type { AnyEventObject, AnyRef, AnySnapshot, Effect, Logic, Scheduler, TreeHooks } from './xstate-port.ts';

/** What the trees of a trial told. */
class Recorder implements TreeHooks, Scheduler {
  readonly dropped = false;
  readonly starting: boolean;
  readonly log: string[] = [];
  readonly effects = new Map<string, Effect>();
  readonly tells: (() => void)[] = [];
  readonly timers: { source: AnyRef; target: AnyRef; delayMs: number; id: string | undefined }[] = [];

  readonly #outside: Outside;

  constructor(starting: boolean, outside: Outside) {
    this.starting = starting;
    this.#outside = outside;
  }

  /** Whether it was told since the last time it was asked. */
  took(line: string): boolean {
    const found = this.log.includes(line);
    this.log.length = 0;
    return found;
  }

  born = (ref: AnyRef) => this.#note('born', ref);
  touched = (ref: AnyRef) => {
    this.#outside.steps += 1;
    this.#note('touched', ref);
  };
  effectEnded = (ref: AnyRef) => this.#note('ended', ref);
  resulted = (ref: AnyRef, { type }: AnyEventObject) => this.#note(type, ref);
  refused = ({ code }: PerdureError) => void this.log.push(`refused ${code}`);
  stepped = () => void (this.#outside.steps -= 1);
  effectCreated = (ref: AnyRef, effect: Effect) => void this.effects.set(ref.id, effect);
  enqueue = () => void this.log.push('enqueued');
  now = () => 0;
  delayedBy = () => [];
  delayUntil = () => {};
  incident = () => {};
  /** The trial writes none. */
  readonly rows = undefined as never;
  effectTold = (_: AnyRef, tell: () => void) => void this.tells.push(tell);

  schedule(source: AnyRef, target: AnyRef, _: AnyEventObject, delayMs: number, id: string | undefined): void {
    this.timers.push({ source, target, delayMs, id });
  }
  cancel = (source: AnyRef, id: string) => this.#note(`cancelled ${id} of`, source);
  cancelAll = (source: AnyRef) => this.#note('cancelled all of', source);

  #note(what: string, ref: AnyRef): void {
    this.log.push(`${what} ${ref.id}`);
  }
}

/** What the actors of the trial do to the outside, and what they find there. */
interface Outside {
  readonly log: unknown[];
  /** Steps that have begun and not ended; and how many they were when the entry of the root ran. */
  steps: number;
  entered: number | undefined;
  /** The state of `numbers`, seen while it still subscribes. */
  during: unknown;
}

/** A machine with one of each thing that the port leans on. */
function trialMachine(outside: Outside): Logic {
  const numbers = fromObservable(({ self }) => ({
    subscribe: ((observer: { next: (value: number) => void }) => {
      observer.next(1);
      outside.during = self.getSnapshot().context;
      return { unsubscribe: () => {} };
    }) as never,
  }));
  const line = fromCallback(({ receive }) => {
    receive(({ type }) => outside.log.push(type));
    return () => outside.log.push('closed');
  });
  const broken = fromCallback(() => {
    throw new Error('broken');
  });
  const promise = fromPromise(() => Promise.resolve());
  const leaf = fromTransition(() => undefined, undefined);
  const kid = setup({ actors: { leaf } }).createMachine({ id: 'kid', entry: spawnChild('leaf', { id: 'leaf' }) });
  const spawn = (src: string, options: object) => spawnChild(src, options as never);
  const heard = assign({
    heard: ({ context, event }) => [...(context as unknown as TrialContext).heard, event.type],
  });
  return setup({ actors: { kid, numbers, line, broken, promise } }).createMachine({
    id: 'trial',
    version: '1',
    context: { heard: [] },
    entry: () => {
      outside.entered = outside.steps;
    },
    invoke: { src: leaf, id: 'inline' },
    on: {
      spawn: {
        actions: [
          spawn('kid', { id: 'kid', systemId: 'kid', syncSnapshot: true }),
          ...['numbers', 'line', 'broken'].map((src) => spawn(src, { id: src })),
          ...['kept', 'lost'].map((id) => spawn('promise', { id })),
        ],
      },
      tell: { actions: sendTo('line', { type: 'told' }) },
      stop: { actions: [stopChild('line'), stopChild('kid')] },
      nameless: { actions: spawn('kid', {}) },
      'xstate.snapshot.kid': { actions: heard },
      'xstate.done.actor.*': { actions: heard },
      'xstate.error.actor.*': { actions: heard },
    },
    initial: 'young',
    states: {
      young: { after: { 1_000: 'old' }, on: { next: 'old' } },
      old: { on: { back: 'young' } },
    },
  } as never);
}

interface TrialContext {
  readonly heard: readonly string[];
}

/** What the probes of xstate-self-test.ts share. */
export class Trial {
  readonly port: typeof xstatePort;
  readonly outside: Outside = { log: [], steps: 0, entered: undefined, during: 'not asked' };
  readonly machine: Logic;
  /** Of the tree that begins, and of the one that comes back. */
  readonly first = new Recorder(false, this.outside);
  readonly second = new Recorder(true, this.outside);
  logic!: Logic;
  root!: AnyRef;
  back!: AnyRef;

  constructor(port: typeof xstatePort) {
    this.port = port;
    this.machine = trialMachine(this.outside);
  }

  children(root = this.root): Readonly<Record<string, AnyRef | undefined>> {
    return this.port.childrenOf(root.getSnapshot() as AnySnapshot) ?? {};
  }

  child(key: string, root = this.root): AnyRef {
    return this.children(root)[key] as AnyRef;
  }

  heard(type: string): boolean {
    return (this.root.getSnapshot() as { context: TrialContext }).context.heard.includes(type);
  }

  status(key: string): string {
    return (this.child(key).getSnapshot() as AnySnapshot).status;
  }
}

export function logicOf(ref: AnyRef): Logic {
  return (ref as unknown as { logic: Logic }).logic;
}
