/** Goes on from a checkpoint in another store, with other inputs where that is wanted. */
import { PerdureError } from '../errors.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import { forkWith } from '../persistence/fork.ts';
import type { Rows } from '../persistence/rows.ts';
import { isSealed } from '../persistence/sealing.ts';
import type { Db } from '../persistence/sqlite.ts';
import { checkObject, refuse } from './action-options.ts';
import { sealed, toText } from './values.ts';

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
  readonly rows: Pick<Rows, 'get' | 'seal'>;
}

/** Another input, for a row of one of the two tables that hold inputs. */
interface Edit {
  readonly table: 'actions' | 'steps';
  readonly id: string;
  readonly input: string;
}

const BEGUN: ReadonlySet<string> = new Set(['running', 'settled', 'dispatched']);

/** Makes the store. Throws as {@link SupervisorCheckpoints.fork} says; then nothing is left at `to`. */
export async function forkCheckpoint(source: ForkSource, turn: number, options: ForkOptions): Promise<void> {
  checkObject('A fork', options);
  refuse('A fork', unknownKey(options, ['to', 'input', 'signal']), {});
  const { to, input = {}, signal } = options;
  if (typeof to !== 'string' || to === '')
    throw new PerdureError('OPTIONS_INVALID', `A fork needs the path of a file as \`to\`, got ${shown(to)}.`);
  if (!isObject(input))
    throw new PerdureError('OPTIONS_INVALID', `The inputs of a fork are an object by ids, got ${shown(input)}.`);
  const edits = Object.entries(input).map(([id, value]) => editOf(source.rows, turn, id, value));
  await forkWith(source.path, turn, to, signal === undefined ? {} : { signal }, (db) => edit(db, edits));
}

function editOf(rows: ForkSource['rows'], turn: number, id: string, value: unknown): Edit {
  const text = sealed(rows, toText(value, `the input of "${id}"`));
  for (const table of ['actions', 'steps'] as const) {
    const found = rowAt(rows, table, id, turn);
    if (found === undefined) continue;
    const { state } = found;
    if (isSealed(found.input) && !isSealed(text)) throw keyless(id);
    if (!BEGUN.has(state)) return { table, id, input: text };
    throw new PerdureError(
      'ACTION_CONFLICT',
      `"${id}" is ${state} at turn ${turn}: its input cannot be another any more.`,
      {
        facts: { id, turn, state },
      },
    );
  }
  throw new PerdureError('ACTION_NOT_FOUND', `There is no action and no step "${id}" at turn ${turn}.`, {
    facts: { id, turn },
  });
}

interface Found {
  readonly state: string;
  readonly input: string;
}

function rowAt(rows: Pick<Rows, 'get'>, table: Edit['table'], id: string, turn: number): Found | undefined {
  return rows.get<Found>(
    `select state, input from ${table} where id = ? and from_turn <= ? union all
     select state, input from ${table}_past where id = ? and from_turn <= ? and to_turn > ?`,
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

/** The rows of the new store begin with these inputs. */
function edit(db: Db, edits: readonly Edit[]): void {
  db.transaction(() => {
    for (const { table, id, input } of edits) db.prepare(`update ${table} set input = ? where id = ?`).run(input, id);
  })();
}
