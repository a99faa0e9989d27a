/** The chart of a machine that runs elsewhere, of the definition that its process sent. */
import { createMachine } from 'xstate';
import type { Chart } from './chart.ts';
import { chartOf } from './chart-of.ts';

const LONGEST_DEFINITION = 512_000;
const MOST_KNOWN = 1_000;

/** The same machine is often sent many times. */
const known = new Map<string, Chart>();

/** Undefined for what is no machine, or none that XState takes. */
export function chartOfDefinition(definition: string): Chart | undefined {
  const before = known.get(definition);
  if (before !== undefined || definition.length > LONGEST_DEFINITION) return before;
  try {
    const config: unknown = JSON.parse(definition);
    // Of what is no machine only the name is sent.
    const isMachine = typeof config === 'object' && config !== null && Object.keys(config).some((key) => key !== 'id');
    if (!isMachine) return undefined;
    const chart = chartOf(createMachine({ ...config, context: {} }));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(definition, chart);
    return chart;
  } catch {
    // Whatever it is, its actors are shown without a chart.
    return undefined;
  }
}
