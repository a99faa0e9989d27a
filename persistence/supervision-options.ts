/** What the options of `supervise` say, and whether they can be meant. */
import { PerdureError } from '../errors.ts';
import type { Clock } from './clock.ts';
import type { Allowance, RestartType, Strategy } from './supervision.ts';
import { isMachine, type AnyStateMachine } from './xstate-port.ts';

/** How the children of one `src` are supervised. */
export interface ChildSpec {
  /** `permanent` (default): restarted always, also when it finished; `transient`: after an error only; `temporary`: never. */
  readonly restart?: RestartType;
  /**
   * From where it begins again: the state before the event that killed it (`committed`, the default), or its initial
   * state with the same input. A child that finished, or that never had a good state, begins from its initial one.
   */
  readonly from?: 'committed' | 'initial';
  /**
   * How it is stopped when others are restarted with it, or when the supervisor gives up: at once (`brutal_kill`, the
   * default), or asked by a `supervisor.shutdown` event and given so many ms to finish.
   */
  readonly shutdown?: 'brutal_kill' | number;
}

/** Options of {@link supervise}. */
export interface SupervisionOptions<TSrc extends string = string> {
  readonly strategy: Strategy;
  /** How many restarts are admitted within the period; the next one is an escalation. Default: 1. */
  readonly intensity?: number;
  /** Default: 5000 ms. */
  readonly periodMs?: number;
  /** Which children are supervised, by the names of their logic. Children of other names are left to XState. */
  readonly children: { readonly [K in TSrc]?: ChildSpec };
  /**
   * The time of a system in memory, from its outermost supervisor; a durable tree has a clock of its own. Default: the
   * clock given to `createActor`, if it has a `now`, or else the wall clock.
   */
  readonly clock?: Pick<Clock, 'now'>;
}

/** The names under which a machine knows its actors: those for which it takes implementations. */
export type SrcOf<TMachine> = TMachine extends { provide(implementations: infer TImplementations): unknown }
  ? TImplementations extends { actors?: infer TActors }
    ? keyof NonNullable<TActors> & string
    : never
  : never;

/** How the children of one `src` are supervised, with its defaults. */
export type CheckedSpec = Required<ChildSpec>;

/** The options, with their defaults. */
export type Policy = Allowance &
  Pick<SupervisionOptions, 'strategy' | 'clock'> & {
    readonly children: Readonly<Record<string, CheckedSpec>>;
  };

const STRATEGIES = new Set<unknown>(['one_for_one', 'one_for_all', 'rest_for_one'] satisfies Strategy[]);
const RESTARTS = new Set<unknown>(['permanent', 'transient', 'temporary'] satisfies RestartType[]);

/** Throws OPTIONS_INVALID. */
export function checked(machine: AnyStateMachine, options: SupervisionOptions): Policy {
  const { strategy, intensity = 1, periodMs = 5_000, clock } = options;
  demand(isMachine(machine), 'machine', 'an XState machine', machine);
  demand(STRATEGIES.has(strategy), 'strategy', 'one_for_one, one_for_all or rest_for_one', strategy);
  demand(Number.isSafeInteger(intensity) && intensity >= 0, 'intensity', 'a whole number, 0 or more', intensity);
  demand(Number.isFinite(periodMs) && periodMs > 0, 'periodMs', 'a number of ms greater than 0', periodMs);
  demand(typeof options.children === 'object' && options.children !== null, 'children', 'an object', options.children);
  const children = Object.entries(options.children).map(([src, spec]) => [src, checkedChild(machine, src, spec)]);
  const timed = clock === undefined ? {} : { clock };
  return { strategy, intensity, periodMs, ...timed, children: Object.fromEntries(children) as Policy['children'] };
}

function checkedChild(machine: AnyStateMachine, src: string, spec: ChildSpec | undefined): CheckedSpec {
  const { restart = 'permanent', from = 'committed', shutdown = 'brutal_kill' } = spec ?? {};
  const known = Object.keys(machine.implementations.actors as object);
  demand(
    known.includes(src),
    `children.${src}`,
    `an actor that the machine implements (${known.join(', ') || 'none'})`,
    src,
  );
  demand(RESTARTS.has(restart), `children.${src}.restart`, 'permanent, transient or temporary', restart);
  demand(from === 'committed' || from === 'initial', `children.${src}.from`, 'committed or initial', from);
  const isTime = typeof shutdown === 'number' && Number.isFinite(shutdown) && shutdown >= 0;
  demand(shutdown === 'brutal_kill' || isTime, `children.${src}.shutdown`, 'brutal_kill or ms, 0 or more', shutdown);
  return { restart, from, shutdown };
}

function demand(holds: boolean, option: string, expected: string, got: unknown): void {
  if (holds) return;
  throw new PerdureError('OPTIONS_INVALID', `supervise: \`${option}\` must be ${expected}; got ${String(got)}.`, {
    facts: { option, got },
  });
}
