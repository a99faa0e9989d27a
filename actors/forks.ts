/** Goes on from a checkpoint in another store, with other inputs where that is wanted. */
import { existsSync } from 'node:fs';
import { PerdureError } from '../errors.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import { forkWith } from '../persistence/fork.ts';
import type { Rows } from '../persistence/rows.ts';
import { isSealed } from '../persistence/sealing.ts';
import { openBeside, type Db } from '../persistence/sqlite.ts';
import { checkObject, refuse } from './action-options.ts';
import { SUMMARY_LIMIT, type Registry } from './actions.ts';
import { policyOfText } from './earlier-versions.ts';
import { sealed, sealedPolicy, toText, unsealedPolicy } from './values.ts';

/** Options of {@link SupervisorCheckpoints.fork}. */
export interface ForkOptions {
  /** The file of the new store, which must not exist. */
  readonly to: string;
  /** Inputs by the ids of actions that wait, or of steps that have not begun, `plan/step`. Default: as they were. */
  readonly input?: Readonly<Record<string, unknown>>;
  /** Ends it, and leaves nothing. */
  readonly signal?: AbortSignal;
}

/** The store of which a fork is made. */
export interface ForkSource {
  readonly path: string;
  readonly rows: Pick<Rows, 'get' | 'seal' | 'unseal'>;
  /** Absent for the command line, which does not know what an action says of its input. */
  readonly registry?: Pick<Registry, 'find' | 'policyOf'>;
}

/** Another input, for a row of one of the two tables that hold inputs, and what is said of the action with it. */
interface Edit {
  readonly table: 'actions' | 'steps';
  readonly id: string;
  readonly input: string;
  readonly policy: string;
}

/** Of these the input is settled: it was used, or somebody is asked about it. */
const BEGUN: ReadonlySet<string> = new Set(['running', 'settled', 'dispatched', 'asking']);

/** Why a fork leaves the input of an action or a step as it is, in words; null for one that may get another. */
export function keepsInput(state: string, shortfall: string | null): string | null {
  if (state === 'asking') return 'somebody is asked about it';
  if (shortfall !== null) return 'it has begun';
  return BEGUN.has(state) ? `it is ${state}` : null;
}

/**
 * Makes the store. Throws as {@link SupervisorCheckpoints.fork} says; then nothing is left at `to`.
 *
 * @param mark by which {@link forkedTurn} finds it again.
 */
export async function forkCheckpoint(
  source: ForkSource,
  turn: number,
  options: ForkOptions,
  mark?: string,
): Promise<void> {
  checkObject('A fork', options);
  refuse('A fork', unknownKey(options, ['to', 'input', 'signal']), {});
  const { to, input = {}, signal } = options;
  if (typeof to !== 'string' || to === '')
    throw new PerdureError('OPTIONS_INVALID', `A fork needs the path of a file as \`to\`, got ${shown(to)}.`);
  if (!isObject(input))
    throw new PerdureError('OPTIONS_INVALID', `The inputs of a fork are an object by ids, got ${shown(input)}.`);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new PerdureError('OPTIONS_INVALID', `The \`signal\` of a fork is an AbortSignal, got ${shown(signal)}.`);
  const edits = Object.entries(input).map(([id, value]) => editOf(source, turn, id, value));
  await forkWith(source.path, turn, to, signal === undefined ? {} : { signal }, (db) => {
    edit(db, edits);
    db.prepare('delete from meta where key = ?').run(MADE_BY);
    if (mark !== undefined) db.prepare('insert into meta values (?, ?)').run(MADE_BY, JSON.stringify({ mark, turn }));
  });
}

/** A copy of a fork has it too, but is not where the fork was to be. */
const MADE_BY = 'fork';

/** The turn from which the store at `path` goes on, when it is the fork that was made with this mark. */
export function forkedTurn(path: string, mark: string): number | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const db = openBeside(path, true);
    try {
      const made = db.prepare('select value from meta where key = ?').pluck().get(MADE_BY) as string | undefined;
      const found = JSON.parse(made ?? '{}') as { readonly mark?: string; readonly turn?: number };
      return found.mark === mark ? found.turn : undefined;
    } finally {
      db.close();
    }
  } catch {
    // Something else is there.
    return undefined;
  }
}

function editOf(source: ForkSource, turn: number, id: string, value: unknown): Edit {
  const { rows } = source;
  const text = sealed(rows, toText(value, `the input of "${id}"`));
  for (const table of ['actions', 'steps'] as const) {
    const found = rowAt(rows, table, id, turn);
    if (found === undefined) continue;
    const { state, shortfall } = found;
    if (isSealed(found.input) && !isSealed(text)) throw keyless(id);
    const why = keepsInput(state, shortfall);
    if (why === null) return { table, id, input: text, policy: policyFor(source, id, found, value) };
    throw new PerdureError(
      'ACTION_CONFLICT',
      `"${id}" keeps its input at turn ${turn}, as ${why}: fork from a checkpoint before that.`,
      { facts: { id, turn, state } },
    );
  }
  throw new PerdureError('ACTION_NOT_FOUND', `There is no action and no step "${id}" at turn ${turn}.`, {
    facts: { id, turn },
  });
}

/** The policy as if it were submitted with this input: a summary that tells of another one would mislead whoever is asked. */
function policyFor({ rows, registry }: ForkSource, id: string, found: Found, value: unknown): string {
  const { name, version, role } = found;
  const policy = unsealedPolicy(rows, policyOfText(found.policy));
  const { summary } = policy.risk;
  const definition = registry?.find(name, version);
  // What a fan-out says is not said of its input.
  const isKept = role === 'each' || (summary === name && definition?.summary === undefined);
  if (isKept) return found.policy;
  if (registry === undefined || definition === undefined) throw unsaid(id, name, version);
  const said =
    definition.summary === undefined ? withAnother(summary) : registry.policyOf(name, {}, value).risk.summary;
  return JSON.stringify(sealedPolicy(rows, { ...policy, risk: { ...policy.risk, summary: said } }, name));
}

/** Whoever submitted it wrote this of the input of then. */
function withAnother(summary: string): string {
  return `With another input: ${summary}`.slice(0, SUMMARY_LIMIT);
}

function unsaid(id: string, name: string, version: string): PerdureError {
  return new PerdureError(
    'ACTION_UNKNOWN',
    `What "${id}" will do with another input only its action "${name}", version ${version}, can say: ` +
      'fork with `supervisor.checkpoints.fork`, where that is registered.',
    { facts: { id, name, version } },
  );
}

interface Found {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly input: string;
  readonly policy: string;
  /** Of an action: its work has failed, and less was approved, or is asked for. */
  readonly shortfall: string | null;
  /** Of a step. */
  readonly role: string | null;
}

function rowAt(rows: Pick<Rows, 'get'>, table: Edit['table'], id: string, turn: number): Found | undefined {
  const own = table === 'actions' ? 'shortfall, null as role' : 'null as shortfall, role';
  const columns = `name, version, state, input, policy, ${own}`;
  return rows.get<Found>(
    `select ${columns} from ${table} where id = ? and from_turn <= ? union all
     select ${columns} from ${table}_past where id = ? and from_turn <= ? and to_turn > ?`,
    id,
    turn,
    id,
    turn,
    turn,
  );
}

function keyless(id: string): PerdureError {
  return new PerdureError(
    'KEY_UNKNOWN',
    `The input of "${id}" is encrypted, and another one needs the same keys: fork with \`supervisor.checkpoints.fork\`.`,
    { facts: { id } },
  );
}

/** The rows of the new store begin with these inputs: nobody has approved them, and what comes of them is no outcome of the old ones. */
function edit(db: Db, edits: readonly Edit[]): void {
  db.transaction(() => {
    for (const { table, id, input, policy } of edits) {
      db.prepare(`update ${table} set input = ?, policy = ? where id = ?`).run(input, policy, id);
      if (table === 'steps') continue;
      db.prepare('update actions set approved = 0 where id = ?').run(id);
      db.prepare('update steps set memo_key = null where action = ?').run(id);
    }
  })();
}
