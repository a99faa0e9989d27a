/** The table of what a host wants to find again in every checkpoint: one row, JSON, sealed as the store's option `sealing` says. */
import { isPerdureError, PerdureError } from '../errors.ts';
import { isObject, shown } from '../machines/option-keys.ts';
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';
import { isSealed } from '../persistence/sealing.ts';
import { fromText, toText } from './values.ts';

/** Plain data that a host keeps with its checkpoints. */
export type Variables = Readonly<Record<string, unknown>>;

/** Every version that a checkpoint sees is kept. */
const LONGEST = 64 * 1_024;
const BINDING = 'checkpoint';

export const CHECKPOINT_TABLES: readonly TableSpec[] = [
  { name: 'checkpoint_variables', key: 'id', columns: ['id integer primary key', 'text text not null'] },
];

/** The variables as they are stored. Throws OPTIONS_INVALID, and CODEC_REFUSED for what is not plain data. */
export function variablesText(variables: unknown): string {
  if (!isObject(variables))
    throw new PerdureError('OPTIONS_INVALID', `The variables of checkpoints are an object, got ${shown(variables)}.`);
  const text = toText(variables, 'the variables of checkpoints');
  const bytes = Buffer.byteLength(text);
  if (bytes <= LONGEST) return text;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `The variables of checkpoints are at most ${LONGEST} bytes of JSON, got ${bytes}: keep what is large beside, and its name here.`,
    { facts: { bytes, limit: LONGEST } },
  );
}

export function sealedVariables(rows: Pick<Rows, 'seal'>, text: string): string {
  return rows.seal(text, BINDING);
}

/** The variables of a row; none where it could not be unsealed, from beside a store. */
export function variablesOf(rows: Pick<Rows, 'unseal'>, row: { readonly text: string } | undefined): Variables {
  if (row === undefined) return {};
  try {
    return fromText(isSealed(row.text) ? rows.unseal(row.text, BINDING) : row.text) as Variables;
  } catch (cause) {
    if (!isPerdureError(cause, 'ROW_CORRUPT')) throw cause;
    throw new PerdureError(
      'ROW_CORRUPT',
      'The variables of a checkpoint cannot be read, for their row was damaged: go back to another checkpoint, or set them again.',
      { facts: { table: 'checkpoint_variables' }, cause },
    );
  }
}

export function putVariables(rows: Rows, text: string): void {
  rows.run(
    `insert into checkpoint_variables(id, text, from_turn) values (1, ?, ?)
     on conflict(id) do update set text = excluded.text, from_turn = excluded.from_turn`,
    text,
    rows.turn,
  );
}
