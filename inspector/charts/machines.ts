/** Machines by the names under which the rows of actors know them: Perdure's own, and those of the host that are known here. */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import * as ours from '../../machines/index.ts';
import { operatorEvents } from '../../machines/operator-events.ts';
import { isMachine, machineName, type Logic } from '../../persistence/xstate-port.ts';
import { chartOf } from './chart-of.ts';
import type { Chart } from './chart.ts';
import type { ActorDetail } from '../protocol.ts';

export class Machines {
  readonly #byName = new Map<string, AnyStateMachine>();
  /** By the id of the chart. */
  readonly #charts = new Map<string, Chart>();

  /** @param given machines of the host; those that they may start are known too. What is no machine is left out. */
  constructor(given: Iterable<unknown> = []) {
    const seen = new Set<unknown>();
    const pending: unknown[] = [...given, ...Object.values(ours)];
    for (let logic = pending.pop(); logic !== undefined; logic = pending.pop()) {
      if (!isLogic(logic) || seen.has(logic)) continue;
      seen.add(logic);
      this.#byName.set(machineName(logic) ?? logic.id, logic);
      pending.push(...Object.values(logic.implementations.actors));
    }
  }

  /** By the id of a machine, with its version where it has one. */
  named(name: string | null): AnyStateMachine | undefined {
    return name === null ? undefined : this.#byName.get(name);
  }

  /** The id of the chart of a machine; null for one that is not known. */
  chartOf(name: string | null): string | null {
    const machine = this.named(name);
    if (machine === undefined) return null;
    const chart = chartOf(machine);
    this.#charts.set(chart.id, chart);
    return chart.id;
  }

  chart(id: string): Chart | undefined {
    const known = this.#charts.get(id);
    if (known !== undefined) return known;
    for (const name of this.#byName.keys()) if (this.chartOf(name) === id) return this.#charts.get(id);
    return undefined;
  }
}

function isLogic(value: unknown): value is AnyStateMachine {
  return typeof value === 'object' && value !== null && isMachine(value as Logic);
}

/** What is known of a state beside its value. */
export interface KnownState {
  readonly tags: readonly string[];
  readonly accepts: ActorDetail['accepts'];
}

const NOTHING: KnownState = { tags: [], accepts: [] };

/** What a machine says of a state; nothing of one that it does not have, being of another version. */
export function knownState(machine: AnyStateMachine | undefined, value: unknown): KnownState {
  if (machine === undefined) return NOTHING;
  let snapshot: AnyMachineSnapshot;
  try {
    snapshot = machine.resolveState({ value: value as never, context: {} as never });
  } catch {
    return NOTHING;
  }
  const { events = {} } = (machine.schemas ?? {}) as { readonly events?: Readonly<Record<string, unknown>> };
  const types = snapshot._nodes.flatMap((node) => node.ownEvents as string[]);
  return {
    tags: [...snapshot.tags] as string[],
    accepts: [...new Set(types)]
      .filter((type) => type !== '' && !type.startsWith('xstate.'))
      .sort()
      .map((type) => ({ type, schema: events[type] ?? null })),
  };
}

/** What of that may be sent to an actor of a supervisor's own tree, by the name of its machine. */
export function operable(
  machine: string | null,
  accepts: ActorDetail['accepts'],
): Pick<ActorDetail, 'accepts' | 'isInternal'> {
  const events = operatorEvents(machine);
  return { accepts: accepts.filter(({ type }) => events.includes(type)), isInternal: true };
}
