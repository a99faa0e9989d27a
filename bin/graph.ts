/** `perdure graph`: the chart of a machine, as Mermaid, SVG or JSON. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnyStateMachine } from 'xstate';
import { PerdureError, messageOf } from '../errors.ts';
import { drawSvg } from '../inspector/charts/chart-drawing.ts';
import { chartOf } from '../inspector/charts/chart-of.ts';
import type { Chart } from '../inspector/charts/chart.ts';
import { mermaidOf } from '../inspector/charts/mermaid.ts';
import * as charts from '../machines/index.ts';
import { EXIT } from './failure.ts';
import { moduleReferenceProblem, parseModuleReference } from './module-reference.ts';

/** Nobody else waits for it. */
const DRAWN_WITHIN_MS = 120_000;

export interface GraphOptions {
  readonly mermaid?: boolean;
  readonly svg?: boolean;
  readonly json?: boolean;
  readonly output?: string;
}

/** Prints the chart of a machine, or the names of our own. Throws MACHINE_NOT_FOUND, MODULE_UNLOADABLE, CHART_TOO_LARGE. */
export async function graph(named: string | undefined, options: GraphOptions): Promise<number> {
  const own = ownMachines();
  if (named === undefined) {
    console.log([...own.keys()].join('\n'));
    return EXIT.ok;
  }
  const machine = own.get(named) ?? (await machineOfModule(named, [...own.keys()]));
  const text = await drawn(chartOf(machine), options);
  if (options.output === undefined) process.stdout.write(text);
  else writeFileSync(options.output, text);
  return EXIT.ok;
}

function drawn(chart: Chart, { svg, json }: GraphOptions): string | Promise<string> {
  if (svg === true) return drawSvg(chart, DRAWN_WITHIN_MS);
  return json === true ? `${JSON.stringify(chart, null, 2)}\n` : mermaidOf(chart);
}

function ownMachines(): Map<string, AnyStateMachine> {
  return new Map(
    Object.values(charts).flatMap((one): [string, AnyStateMachine][] => (isMachine(one) ? [[one.id, one]] : [])),
  );
}

/** The host's XState may be another copy than ours. */
function isMachine(value: unknown): value is AnyStateMachine {
  return typeof value === 'object' && value !== null && '__xstatenode' in value && 'root' in value;
}

async function machineOfModule(text: string, own: readonly string[]): Promise<AnyStateMachine> {
  const { path, export: name } = parseModuleReference(text);
  if (!/[./\\]/.test(path)) {
    throw new PerdureError(
      'MACHINE_NOT_FOUND',
      `There is no machine "${text}"; ours are ${own.join(', ')}. One of a module is named as ./machines.mjs#name.`,
    );
  }
  const problem = moduleReferenceProblem(text);
  if (problem !== undefined) throw new PerdureError('OPTIONS_INVALID', `The machine cannot be found: ${problem}.`);
  const exported = await exportsOf(resolve(path));
  const machine = exported[name];
  if (isMachine(machine)) return machine;
  const machines = Object.keys(exported).filter((key) => isMachine(exported[key]));
  const only = machines.length === 1 && !text.includes('#') ? exported[machines[0] as string] : undefined;
  if (isMachine(only)) return only;
  const there = machines.length === 0 ? 'it exports no machine' : `its machines are ${machines.join(', ')}`;
  throw new PerdureError('MACHINE_NOT_FOUND', `${path} exports no machine as "${name}": ${there}.`, {
    facts: { file: path },
  });
}

async function exportsOf(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new PerdureError('MODULE_UNLOADABLE', `The module ${path} cannot be used: ${messageOf(cause)}`, {
      cause,
      facts: { file: path },
    });
  }
}
