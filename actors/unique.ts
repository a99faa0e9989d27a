/** Unique work: what is submitted with the key of an action that there is joins it. Whether there is one is decided in the turn. */
import { PerdureError } from '../errors.ts';
import type { Submission, Unique } from '../machines/executor.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import type { Rows } from '../persistence/rows.ts';
import { refuse, wrongWord, type Wrong } from './action-options.ts';
import { checkedId } from './plan-input.ts';
import type { ActionRow } from './queue-tables.ts';
import { sameText, unsealed } from './values.ts';

/** What makes a submission the same as another. */
export interface UniqueOptions {
  /** A text of 1 to 300 characters. */
  readonly key: string;
  /**
   * Which actions of the key are joined: one that has not settled, or also one that was submitted at most `withinMs` ago, as
   * long as its outcome is kept. Default: `unsettled`.
   */
  readonly scope?: 'unsettled' | { readonly withinMs: number };
  /** What happens when that has another action or input: `refuse` throws ACTION_CONFLICT, `join` joins it. Default: `refuse`. */
  readonly onConflict?: 'refuse' | 'join';
}

/** As it is stored. Throws OPTIONS_INVALID. */
export function uniqueOf(what: string, options: UniqueOptions): Unique {
  refuse(what, wrongUnique(options), {});
  const { key, scope } = options;
  return { key: checkedId(key, 'unique key'), withinMs: isObject(scope) ? (scope['withinMs'] as number) : null };
}

function wrongUnique(options: unknown): Wrong {
  if (!isObject(options)) return `unique must be an object with a key, got ${shown(options)}`;
  const { key, scope, onConflict } = options;
  const unknown = unknownKey(options, ['key', 'scope', 'onConflict']);
  if (unknown !== undefined) return `unique ${unknown}`;
  if (typeof key !== 'string') return `unique.key must be a text, got ${shown(key)}`;
  return wrongWord('unique.onConflict', onConflict ?? 'refuse', ['refuse', 'join']) ?? wrongScope(scope);
}

function wrongScope(scope: unknown): Wrong {
  if (scope === undefined || scope === 'unsettled') return undefined;
  const within = isObject(scope) && unknownKey(scope, ['withinMs']) === undefined ? scope['withinMs'] : undefined;
  if (typeof within === 'number' && within > 0 && within < Infinity) return undefined;
  return `unique.scope must be 'unsettled', or { withinMs } with ms above 0, got ${shown(isObject(scope) ? within : scope)}`;
}

type Holder = Pick<ActionRow, 'id' | 'name' | 'input'>;

/** The action that has the key, if it is one to join. */
export function holderOf(rows: Pick<Rows, 'get'>, { key, withinMs }: Unique, at: number): Holder | undefined {
  const open = rows.get<Holder>(
    `select id, name, input from actions where unique_key = ? and state <> 'settled' limit 1`,
    key,
  );
  if (open !== undefined || withinMs === null) return open;
  return rows.get<Holder>(
    `select id, name, input from actions where unique_key = ? and submitted_at > ? order by submitted_at desc limit 1`,
    key,
    at - withinMs,
  );
}

/** The id of the action that a submission joins, if there is one. Throws ACTION_CONFLICT. */
export function joined(
  rows: Pick<Rows, 'get' | 'unseal'>,
  { unique, name, input, at }: Submission,
  onConflict: UniqueOptions['onConflict'],
): string | undefined {
  const holder = unique && holderOf(rows, unique, at);
  if (unique === undefined || holder === undefined) return undefined;
  if (onConflict === 'join' || (holder.name === name && sameText(unsealed(rows, holder).input, input)))
    return holder.id;
  const other = holder.name === name ? 'other input' : `"${holder.name}"`;
  throw new PerdureError(
    'ACTION_CONFLICT',
    `The unique key ${shown(unique.key)} has the action "${holder.id}", which is for ${other}; now it came with "${name}": ` +
      `give another key, or onConflict: 'join'.`,
    { facts: { key: unique.key, id: holder.id } },
  );
}
