/** From the stored state of one version of a machine to the next: small steps, each from one version to another. */
import { PerdureError, messageOf } from '../errors.ts';

/** What an actor's row holds of a machine: XState's own persisted state, without the children. */
export interface StoredState {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value?: unknown;
  readonly context?: unknown;
  readonly [key: string]: unknown;
}

/** A step of a migration. */
export interface MigrationStep {
  /** The version that is stored; undefined for a machine that had none. */
  readonly from: string | undefined;
  /** The version that this step makes of it. */
  readonly to: string | undefined;
  /** The machine's id from then on, where it was renamed. */
  readonly id?: string;
  /** The new state: values are as they were in the context (dates, maps, references); pure, for it may run more than once. */
  readonly migrate: (state: StoredState, about: { readonly actor: string }) => StoredState;
}

/** The steps by the id of the machine, as it was stored. */
export type Migrations = Readonly<Record<string, readonly MigrationStep[]>>;

interface Version {
  readonly id: string;
  readonly version: string | undefined;
}

/** The steps from one name of a machine (`id@version`) towards another, and how far they lead. */
interface Way {
  readonly steps: readonly MigrationStep[];
  readonly renames: Renames;
  readonly reached: string;
}

function wayBetween(from: string, to: string, migrations: Migrations): Way {
  const steps: MigrationStep[] = [];
  const renames: [string, string][] = [];
  const seen = new Set<string>();
  let reached = from;
  while (reached !== to && !seen.has(reached)) {
    seen.add(reached);
    const next = stepFrom(reached, migrations);
    if (next === undefined) break;
    steps.push(next.step);
    const id = next.step.id ?? next.id;
    if (id !== next.id) renames.push([next.id, id]);
    reached = nameOf({ id, version: next.step.to });
  }
  return { steps, renames, reached };
}

/** An id may hold an `@` itself, so each that fits is asked. */
function stepFrom(name: string, migrations: Migrations): { id: string; step: MigrationStep } | undefined {
  for (const [id, steps] of Object.entries(migrations)) {
    const stored = versionOf(name, id);
    const step = stored && steps.find((candidate) => candidate.from === stored.version);
    if (step !== undefined) return { id, step };
  }
  return undefined;
}

/** The version of a stored name, if it is the name of the machine `id`. */
function versionOf(name: string, id: string): Version | undefined {
  if (name === id) return { id, version: undefined };
  return name.startsWith(`${id}@`) ? { id, version: name.slice(id.length + 1) } : undefined;
}

function nameOf({ id, version }: Version): string {
  return version === undefined ? id : `${id}@${version}`;
}

interface About {
  readonly actor: string;
  readonly from: string;
  readonly to: string;
}

/** The ids of a machine before and after each step that renamed it. */
export type Renames = readonly (readonly [from: string, to: string])[];

/**
 * A name that XState made of a machine's id, after the machine was renamed: of a state, of the delayed event of an `after`,
 * of an invoked actor without an id of its own. Any other name stays.
 */
export function renamed(name: string, renames: Renames): string {
  return renames.reduce((before, [from, to]) => {
    const id = from.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    const made = new RegExp(`^(xstate\\.after\\..+?\\.|xstate\\.invoke\\.\\d+\\.|\\d+\\.|)${id}(?=\\.|$)`, 's');
    return before.replace(made, (_, kind: string) => `${kind}${to}`);
  }, name);
}

/** The state of history nodes refers to states by names that hold the machine's id. */
function withHistoryOf(state: StoredState, renames: Renames): StoredState {
  const history: unknown = state['historyValue'];
  if (renames.length === 0 || typeof history !== 'object' || history === null) return state;
  const entries = Object.entries(history).map(([key, nodes]: [string, unknown]) => [
    renamed(key, renames),
    Array.isArray(nodes)
      ? nodes.map((node: { id: string }) => ({ ...node, id: renamed(String(node.id), renames) }))
      : nodes,
  ]);
  return { ...state, historyValue: Object.fromEntries(entries) as unknown };
}

/** Takes a stored state through the steps. Throws MACHINE_CHANGED when they do not lead to the present machine, MIGRATION_FAILED. */
export function migrateState(
  state: StoredState,
  about: About,
  migrations: Migrations = {},
): { readonly state: StoredState; readonly renames: Renames } {
  const { steps, renames, reached } = wayBetween(about.from, about.to, migrations);
  if (reached !== about.to) {
    throw new PerdureError(
      'MACHINE_CHANGED',
      `The store holds the actor "${about.actor}" in the state ${shown(state)} of ${about.from}; the machine is now ` +
        `${about.to}, and no step leads on from ${reached}: pass it as \`migrate\`, or run the old version until the tree is done.`,
      { facts: { ...about, reached } },
    );
  }
  const migrated = steps.reduce((before, step) => migratedBy(step, before, about), state);
  return { state: withHistoryOf(migrated, renames), renames };
}

function shown({ value, status }: StoredState): string {
  return JSON.stringify(value ?? status);
}

const STATUSES = new Set<unknown>(['active', 'done', 'error', 'stopped']);

function migratedBy(step: MigrationStep, state: StoredState, about: About): StoredState {
  const facts = { ...about, step: `${step.from ?? '(none)'} to ${step.to ?? '(none)'}` };
  const what = `The migration of the actor "${about.actor}", in the state ${shown(state)} of ${about.from}, from ${facts.step}`;
  let next: unknown;
  try {
    next = step.migrate(state, { actor: about.actor });
  } catch (cause) {
    const message = `${what} threw (${messageOf(cause)}): nothing was changed.`;
    throw new PerdureError('MIGRATION_FAILED', message, { cause, facts });
  }
  if (typeof next === 'object' && next !== null && STATUSES.has((next as StoredState).status)) {
    return next as StoredState;
  }
  throw new PerdureError(
    'MIGRATION_FAILED',
    `${what} gave no whole state ({ status, value, context, ... }, with a status of XState's): nothing was changed.`,
    { facts },
  );
}
