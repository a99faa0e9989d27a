/** Machines by the names under which the rows of actors know them: Perdure's own, and those of the host that are known here. */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import * as ours from '../machines/index.ts';
import { componentMachine } from '../machines/component.ts';
import { machineName, type AnyRef } from '../persistence/xstate-port.ts';
import { chartOf } from './chart-of.ts';
import type { Chart } from './chart.ts';
import type { ActorDetail } from './protocol.ts';

export class Machines {
  readonly #byName = new Map<string, AnyStateMachine>();
  /** By the id of the chart. */
  readonly #charts = new Map<string, Chart>();

  constructor(given: Iterable<AnyStateMachine> = []) {
    for (const machine of [...Object.values(ours), componentMachine, ...given])
      if (isMachine(machine)) this.add(machine);
  }

  add(machine: AnyStateMachine): void {
    const name = machineName(machine);
    if (name !== null) this.#byName.set(name, machine);
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

/** The machines of an actor and of what it may start, by the names that their setups give. */
export function machinesIn(root: AnyRef): AnyStateMachine[] {
  const found = new Set<AnyStateMachine>();
  const pending: unknown[] = [(root as unknown as { readonly logic: unknown }).logic];
  for (let logic = pending.pop(); logic !== undefined; logic = pending.pop()) {
    if (!isMachine(logic) || found.has(logic)) continue;
    found.add(logic);
    pending.push(...Object.values(logic.implementations.actors));
  }
  return [...found];
}

function isMachine(value: unknown): value is AnyStateMachine {
  return typeof value === 'object' && value !== null && 'root' in value && 'resolveState' in value;
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
