/**
 * Reads a plan, in YAML or in JSON, into a value that needs no more checking: its shape is right, its graph can run to
 * the end, its paths are absolute, its defaults are filled in. All that is wrong is said at once, each with its line.
 * It runs nothing, and does not look whether the folders and modules that a plan names are there.
 *
 * F1 The code of the error is PLAN_STEP_UNKNOWN or PLAN_CYCLE only if that is all that is wrong; else PLAN_INVALID.
 */

import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { isPerdureError, messageOf, PerdureError } from '../errors.ts';
import type { PerdureErrorCode } from '../errors.ts';
import type { StandIns } from '../actors/stand-ins.ts';
import type { BudgetOptions } from '../machines/budget-policy.ts';
import type { ComponentOptions } from '../machines/component-policy.ts';
import type { ForEachOptions } from '../actors/plan-input.ts';
import type { KeyOptions, Queues } from '../actors/queue-options.ts';
import { checkGraph } from '../machines/graph.ts';
import type { GraphNode, UnknownDependency } from '../machines/graph.ts';
import { DEEPEST, flattened, type Flat, type Nested } from '../machines/nesting.ts';
import { canonicalJson } from './canonical-json.ts';
import { parseModuleReference } from './module-reference.ts';
import { PlanDocument } from './plan-document.ts';
import type { Path, PlanProblem } from './plan-document.ts';
import { checkShape } from './plan-schema.ts';
import type { CheckedGroup, CheckedPlan, CheckedStep } from './plan-schema.ts';
import { standInsOf, stepPolicyOf, type StepPolicy } from './plan-step-policy.ts';
import { isMapping, withoutGaps, type Finding } from './plan-values.ts';

/** A plan that was read and checked. */
export interface PlanFile {
  readonly name: string;
  /** How many steps may run at a time; whoever runs the plan decides if it is left out. */
  readonly concurrency?: number;
  readonly policy: 'stop' | 'continue' | 'skip-dependants';
  /** The dependencies that its steps lean on, by name. */
  readonly components?: Readonly<Record<string, ComponentOptions>>;
  readonly budget?: BudgetOptions;
  /** What its steps wait in, beside `default`, by name. */
  readonly queues?: Queues;
  /** How much of each key may run. */
  readonly keys?: KeyOptions;
  /** All of them, with paths for ids; those in a group before what comes after it. */
  readonly steps: readonly PlanStep[];
  /** The groups, as nodes that come after what is in them. */
  readonly groups: readonly Pick<GraphNode, 'id' | 'after'>[];
  /** Absolute. */
  readonly file: string;
}

export interface PlanRetry {
  /** Attempts in total, the first included. */
  readonly attempts: number;
  /** The first back-off. */
  readonly delayMs: number;
  /** The longest back-off. */
  readonly capMs: number;
}

interface CommonStep extends StandIns {
  /** Its path, `phase/task/step`. */
  readonly id: string;
  /** Paths of steps and groups, each once, in the order of the file; then those that its groups come after. */
  readonly after: readonly string[];
  /** How long it will take; learned from earlier runs if it is left out. */
  readonly estimateMs?: number;
  readonly timeoutMs?: number;
  readonly retry?: PlanRetry;
  /** What it reads and writes, as patterns of files: it may be left out while those, and all that it is made of, are as they were. */
  readonly files?: { readonly inputs: readonly string[]; readonly outputs: readonly string[] };
  /** What it is done for each item of. */
  readonly forEach?: ForEachOptions;
  /** What the gate, its component and the queue must know, if anything was said. */
  readonly policy?: StepPolicy;
}

export interface CommandStep extends CommonStep {
  readonly kind: 'command';
  readonly run: string;
  /** Absolute. */
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

export interface ModuleStep extends CommonStep {
  /** Where the function is called: here, or in a thread. */
  readonly kind: 'module' | 'thread';
  /** Absolute path of the file. */
  readonly module: string;
  readonly export: string;
  readonly input?: unknown;
}

export type PlanStep = CommandStep | ModuleStep;

const LARGEST_BYTES = 1024 * 1024;
const LISTED_PROBLEMS = 50;

/** As short as it can be and still be opened from here. */
function shownFile(file: string): string {
  const near = relative(process.cwd(), file);
  return near === '' || near.startsWith('..') || isAbsolute(near) ? file : near;
}

function planError(file: string, code: PerdureErrorCode, problems: readonly PlanProblem[], facts = {}): PerdureError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted.slice(0, LISTED_PROBLEMS).map(({ line, column, path, message }) => {
    return `${shownFile(file)}:${line}:${column}${path === '' ? '' : ` ${path}`}: ${message}`;
  });
  if (sorted.length > lines.length) lines.push(`and ${sorted.length - lines.length} more problems`);
  return new PerdureError(code, lines.join('\n'), { facts: { file, problems: sorted, ...facts } });
}

/** A step or a group as far as its place in the graph can be seen. */
interface VisibleStep extends Nested<VisibleStep> {
  readonly after: readonly string[];
  readonly path: Path;
}

function visibleStep(value: unknown, path: Path): VisibleStep | undefined {
  if (!isMapping(value) || path.length > 2 * DEEPEST) return undefined;
  const { id, after, steps: inner, 'for-each': each } = value;
  const names = (Array.isArray(after) ? (after as unknown[]) : [after]).filter((item) => typeof item === 'string');
  const from = isMapping(each) ? each['from'] : each;
  const steps = Array.isArray(inner) ? visibleSteps(inner as unknown[], path) : undefined;
  if (typeof id !== 'string' || (Array.isArray(inner) && steps === undefined)) return undefined;
  return { id, after: names, path, steps, forEach: typeof from === 'string' ? { from } : undefined };
}

/** The steps as far as a graph can be seen in them, even if the plan has other faults; undefined if not every id can. */
function visibleSteps(list: readonly unknown[], path: Path): VisibleStep[] | undefined {
  const steps = list.map((item, index) => visibleStep(item, [...path, 'steps', index]));
  return steps.every((step) => step !== undefined) ? steps : undefined;
}

type Node = GraphNode & { readonly flat: Flat<VisibleStep> };

function visibleGraph(value: unknown): Node[] | undefined {
  const list = isMapping(value) && Array.isArray(value['steps']) ? (value['steps'] as unknown[]) : [];
  const steps = visibleSteps(list, []);
  return (
    steps && flattened<VisibleStep>(steps).map((flat) => ({ id: flat.id, after: flat.after, estimateMs: 0, flat }))
  );
}

/** In the order of the file. */
function duplicates(nodes: readonly Node[], document: PlanDocument): Finding[] {
  const lines = new Map<string, number>();
  const placed = nodes.map(({ id, flat }) => ({ id, path: [...flat.step.path, 'id'] }));
  const lineOf = (path: Path) => document.problem(path, '').line;
  return placed
    .toSorted((a, b) => lineOf(a.path) - lineOf(b.path))
    .flatMap(({ id, path }) => {
      const first = lines.get(id);
      if (first !== undefined) return [{ path, message: `duplicate id "${id}", first given on line ${first}` }];
      lines.set(id, lineOf(path));
      return [];
    });
}

/** One step for each id, so that the graph can be looked at although some ids are taken twice. */
function firstOfEach(nodes: readonly Node[]): readonly Node[] {
  const seen = new Set<string>();
  return nodes.filter(({ id }) => !seen.has(id) && seen.add(id));
}

/** Where the step with this id names that dependency: in its list, as its only one, or where the step itself is. */
function placeOf(value: unknown, nodes: readonly Node[], step: string, dependency: string): Path {
  const { path } = nodes.find(({ id }) => id === step)!.flat.step;
  const written = path.reduce<unknown>((at, key) => (at as Record<string | number, unknown>)[key], value);
  const { after, 'for-each': each } = written as { readonly after?: unknown; readonly 'for-each'?: unknown };
  const names = (name: unknown) =>
    typeof name === 'string' && (name === `/${dependency}` || `/${dependency}`.endsWith(`/${name}`));
  if (Array.isArray(after) && after.some(names)) return [...path, 'after', after.findIndex(names)];
  if (names(after)) return [...path, 'after'];
  if (names(each)) return [...path, 'for-each'];
  if (isMapping(each) && names(each['from'])) return [...path, 'for-each', 'from'];
  return [...path, 'id'];
}

interface GraphFault {
  readonly code: PerdureErrorCode;
  readonly findings: readonly Finding[];
  readonly facts: Readonly<Record<string, unknown>>;
}

function graphFault(value: unknown, nodes: readonly Node[]): GraphFault | undefined {
  try {
    checkGraph(nodes);
    return undefined;
  } catch (error) {
    if (!isPerdureError(error)) throw error;
    const { code, facts, message } = error;
    if (code === 'PLAN_CYCLE') {
      const [step, next] = facts['cycle'] as readonly string[];
      return { code, facts, findings: [{ path: placeOf(value, nodes, step!, next ?? step!), message }] };
    }
    if (code !== 'PLAN_STEP_UNKNOWN') throw error;
    const unknown = facts['unknown'] as readonly UnknownDependency[];
    const findings = unknown.map((one) => ({
      path: placeOf(value, nodes, one.step, one.dependency),
      message: one.message,
    }));
    return { code, facts, findings };
  }
}

/** A number is passed on as it is written: `1.10` is a version more often than it is 1.1. */
function envOf(env: NonNullable<CheckedStep['env']>, path: Path, document: PlanDocument): Record<string, string> {
  const entries = Object.entries(env).map(([name, value]) => {
    const written = typeof value === 'number' ? document.sourceAt([...path, name]) : undefined;
    return [name, written ?? String(value)];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

/** A checked step in the words of the graph. */
interface GraphStep extends Nested<GraphStep> {
  readonly checked: CheckedStep | undefined;
}

function graphStep(checked: CheckedStep | CheckedGroup): GraphStep {
  const { id, after } = checked;
  if ('steps' in checked) return { id, after, steps: checked.steps.map(graphStep), checked: undefined };
  return { id, after, forEach: checked['for-each'], checked };
}

type FlatStep = Flat<GraphStep>;

function commonOf(step: CheckedStep, { id, after, source }: FlatStep): CommonStep {
  const { estimate, timeout, retry, inputs, outputs = [], 'for-each': each } = step;
  const policy = stepPolicyOf(step);
  return {
    id,
    after,
    ...(estimate !== undefined && { estimateMs: estimate }),
    ...(timeout !== undefined && { timeoutMs: timeout }),
    ...(retry !== undefined && { retry }),
    ...(inputs !== undefined && { files: { inputs, outputs } }),
    ...(each !== undefined && source !== null && { forEach: { ...each, from: source } }),
    ...(Object.keys(policy).length > 0 && { policy }),
    ...standInsOf(step),
  };
}

function stepOf(step: CheckedStep, flat: FlatStep, path: Path, document: PlanDocument, folder: string): PlanStep {
  const common = commonOf(step, flat);
  if (step.run !== undefined) {
    return {
      ...common,
      kind: 'command',
      run: step.run,
      ...(step.cwd !== undefined && { cwd: resolve(folder, step.cwd) }),
      ...(step.env !== undefined && { env: envOf(step.env, [...path, 'env'], document) }),
    };
  }
  const { thread } = step;
  const { path: file, export: name } =
    thread === undefined ? parseModuleReference(step.module!) : { path: thread.module, export: thread.export };
  const kind = thread === undefined ? 'module' : 'thread';
  const called = { ...common, kind, module: resolve(folder, file), export: name } as const;
  return step.input === undefined ? called : { ...called, input: step.input };
}

/** The steps and the groups of a checked plan, whose paths in the file are those of `nodes`. */
function flatOf(
  steps: CheckedPlan['steps'],
  nodes: readonly Node[],
  document: PlanDocument,
  folder: string,
): Pick<PlanFile, 'steps' | 'groups'> {
  const paths = new Map(nodes.map(({ id, flat }) => [id, flat.step.path]));
  const flat = flattened<GraphStep>(steps.map(graphStep));
  return {
    steps: flat.flatMap((one) => {
      const { checked } = one.step;
      return checked === undefined ? [] : [stepOf(checked, one, paths.get(one.id) ?? [], document, folder)];
    }),
    groups: flat.flatMap(({ id, after, isGroup }) => (isGroup ? [{ id, after }] : [])),
  };
}

/** The plan in `text`, whose relative paths start from the folder of `file`. Throws as {@link readPlanFile} does. */
export function parsePlan(text: string, file: string): PlanFile {
  const absolute = resolve(file);
  const document = new PlanDocument(text);
  if (document.problems.length > 0) throw planError(absolute, 'PLAN_INVALID', document.problems);
  if (document.value === null) {
    throw planError(absolute, 'PLAN_INVALID', [document.problem([], 'expected a plan, got an empty file')]);
  }
  const nodes = visibleGraph(document.value) ?? [];
  const repeated = duplicates(nodes, document);
  const { plan, findings } = checkShape(document.value);
  const fault = graphFault(document.value, firstOfEach(nodes));
  const wrong = [...findings, ...repeated];
  if (plan === undefined || wrong.length > 0 || fault !== undefined) {
    const problems = [...wrong, ...(fault?.findings ?? [])].map(({ path, message }) => document.problem(path, message));
    const code = fault !== undefined && wrong.length === 0 ? fault.code : 'PLAN_INVALID';
    throw planError(absolute, code, problems, fault?.facts);
  }
  const { name, policy, concurrency, components, budget, queues, keys, steps } = plan;
  const folder = dirname(absolute);
  return {
    name,
    policy,
    ...withoutGaps({ concurrency, components, budget, queues, keys }),
    ...flatOf(steps, nodes, document, folder),
    file: absolute,
  };
}

function unreadable(file: string, message: string, cause?: unknown): PerdureError {
  return new PerdureError('PLAN_INVALID', message, { facts: { file }, ...(cause !== undefined && { cause }) });
}

function bytesOf(file: string): Buffer {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined)
    throw unreadable(file, `expected a plan file at ${file}, got nothing: there is no such file`);
  if (stats.isDirectory()) throw unreadable(file, `expected a plan file at ${file}, got a folder`);
  if (!stats.isFile()) throw unreadable(file, `expected a plan file at ${file}, got something that is not a file`);
  if (stats.size > LARGEST_BYTES) {
    throw unreadable(
      file,
      `expected a plan file of at most 1 MB (${LARGEST_BYTES} bytes) at ${file}, got ${stats.size} bytes`,
    );
  }
  return readFileSync(file);
}

function textOf(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(file));
  } catch (cause) {
    if (isPerdureError(cause)) throw cause;
    const isEncoding =
      cause instanceof TypeError && (cause as { code?: unknown }).code === 'ERR_ENCODING_INVALID_ENCODED_DATA';
    const got = isEncoding ? 'bytes that are not UTF-8' : `an error: ${messageOf(cause)}`;
    throw unreadable(file, `expected a plan file in UTF-8 at ${file}, got ${got}`, cause);
  }
}

/**
 * Reads the plan at `path`. Throws a {@link PerdureError}: `PLAN_STEP_UNKNOWN` or `PLAN_CYCLE` if only its graph is
 * wrong, `PLAN_INVALID` for the rest. Its message has a line for each problem, `facts.problems` the same as data.
 */
export function readPlanFile(path: string): PlanFile {
  const file = resolve(path);
  return parsePlan(textOf(file), file);
}

/** A step without its timing: what its result depends on. */
function essence(step: PlanStep): Readonly<Record<string, unknown>> {
  const { kind, fallback, undo, forEach } = step;
  const from = forEach?.from;
  const after = step.after.toSorted();
  return step.kind === 'command'
    ? { kind, fallback, undo, after, from, run: step.run, cwd: step.cwd, env: step.env }
    : { kind, fallback, undo, after, from, module: step.module, export: step.export, input: step.input };
}

/**
 * What makes the step's result, as text that is equal for equal steps: how keys and `after` are ordered does not matter,
 * nor do the id, times, retries, the component, and what the gate asks about. A step whose text differs from an earlier run's has changed.
 */
export function definitionOf(step: PlanStep): string {
  return canonicalJson(essence(step));
}
