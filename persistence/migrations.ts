/** From the stored state of one version of a machine to the next: small steps, each from one version to another. */
import { PerdureError } from '../errors.ts';

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

/** The steps that lead from one name of a machine (`id@version`) to another; undefined when they do not. */
export function stepsBetween(
  from: string,
  to: string,
  migrations: Migrations | undefined,
): readonly MigrationStep[] | undefined {
  const steps: MigrationStep[] = [];
  const seen = new Set<MigrationStep>();
  for (let name = from; name !== to;) {
    const stored = Object.keys(migrations ?? {})
      .map((id) => versionOf(name, id))
      .find((version) => version !== undefined);
    const step = stored && migrations?.[stored.id]?.find((candidate) => candidate.from === stored.version);
    if (stored === undefined || step === undefined || seen.has(step)) return undefined;
    seen.add(step);
    steps.push(step);
    name = nameOf({ id: step.id ?? stored.id, version: step.to });
  }
  return steps;
}

/** The version of a stored name, if it is the name of the machine `id`. */
function versionOf(name: string, id: string): Version | undefined {
  if (name === id) return { id, version: undefined };
  return name.startsWith(`${id}@`) ? { id, version: name.slice(id.length + 1) } : undefined;
}

function nameOf({ id, version }: Version): string {
  return version === undefined ? id : `${id}@${version}`;
}

/** Takes a stored state through the steps. Throws MACHINE_CHANGED when they do not lead to the present machine, MIGRATION_FAILED. */
export function migrateState(
  state: StoredState,
  about: { readonly actor: string; readonly from: string; readonly to: string },
  migrations: Migrations | undefined,
): StoredState {
  const steps = stepsBetween(about.from, about.to, migrations);
  if (steps === undefined) {
    throw new PerdureError(
      'MACHINE_CHANGED',
      `The store holds the actor "${about.actor}" as ${about.from}; the machine is now ${about.to}: pass the steps that lead ` +
        'from one to the other as `migrate`, or run the old version until the tree is done.',
      { facts: about },
    );
  }
  return steps.reduce((before, step) => migratedBy(step, before, about), state);
}

function migratedBy(
  step: MigrationStep,
  state: StoredState,
  about: { readonly actor: string; readonly from: string; readonly to: string },
): StoredState {
  const facts = { ...about, step: `${step.from ?? '(none)'} to ${step.to ?? '(none)'}` };
  try {
    const next: unknown = step.migrate(state, { actor: about.actor });
    if (typeof next === 'object' && next !== null && 'status' in next) return next as StoredState;
  } catch (cause) {
    throw new PerdureError(
      'MIGRATION_FAILED',
      `The migration of the actor "${about.actor}" from ${facts.step} threw: nothing was changed.`,
      { cause, facts },
    );
  }
  throw new PerdureError(
    'MIGRATION_FAILED',
    `The migration of the actor "${about.actor}" from ${facts.step} must return the whole state ({ status, value, context, ... }).`,
    { facts },
  );
}
