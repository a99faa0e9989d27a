/**
 * What a step of a plan works on: the actions of the steps that it depends on. A payment works on what the action whose work
 * it does had, whatever has become of the plan.
 */
import type { Rows } from '../persistence/rows.ts';
import type { ActionRow } from './queue-tables.ts';
import { fromText, unsealed } from './values.ts';

/** Whose dependencies are asked for. */
type Dependant = Pick<ActionRow, 'id' | 'plan' | 'pays'>;

const OF_STEP = `select before.step as step, before.action as action
  from steps me, json_each(me.after) named
  join steps before on before.id = me.plan || '/' || named.value
  where me.action = ?`;
const OF_DEBT = `select source.key as step, source.value as action from debts, json_each(debts.sources) source where debts.id = ?`;

/** An item has its part of the list as its input: what the whole list was is no result of it. */
const READ_BY_STEP = `${OF_STEP} and (me.fan is null or before.step <> me.source)`;

/** The query for its dependencies, and the key to ask with; undefined for an action that has none. */
function sourcesOf(
  { id, plan, pays }: Dependant,
  ofStep: string = OF_STEP,
): readonly [sql: string, key: string] | undefined {
  if (pays !== null) return [OF_DEBT, pays];
  return plan === null ? undefined : [ofStep, id];
}

/** The dependencies of a plan's step as JSON, to be kept. */
export function sourcesText(rows: Pick<Rows, 'get'>, action: string): string {
  const found = rows.get<{ sources: string }>(
    `select json_group_object(step, action) as sources from (${READ_BY_STEP})`,
    action,
  );
  return found?.sources ?? '{}';
}

/** What the dependencies returned, by the names of their steps. */
export function resultsFor(rows: Pick<Rows, 'all' | 'unseal'>, dependant: Dependant): Record<string, unknown> {
  return Object.fromEntries(resultTextsFor(rows, dependant).map(({ step, value }) => [step, fromText(value)]));
}

/** The same as texts, in the order of the steps' names: together they may be more than one text can be. */
export function resultTextsFor(
  rows: Pick<Rows, 'all' | 'unseal'>,
  dependant: Dependant,
): { readonly step: string; readonly value: string }[] {
  const sources = sourcesOf(dependant, READ_BY_STEP);
  if (sources === undefined) return [];
  const [sql, key] = sources;
  const found = rows.all<{ step: string; value: string }>(
    `select source.step as step, actions.value as value
     from (${sql}) source join actions on actions.id = source.action
     where actions.value is not null order by source.step`,
    key,
  );
  return found.map((row) => unsealed(rows, row));
}

/** What a step depends on is as good as its worst part; what is shared by two parts counts once. */
export function qualityBefore(rows: Pick<Rows, 'get'>, dependant: Dependant): number {
  const sources = sourcesOf(dependant);
  if (sources === undefined) return 1;
  const [sql, key] = sources;
  const worst = rows.get<{ loss: number }>(
    `select coalesce(max(actions.quality_loss), 0) as loss
     from (${sql}) source join actions on actions.id = source.action`,
    key,
  );
  return 1 - (worst?.loss ?? 0);
}
