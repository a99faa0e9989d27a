/** What a host submits, checked: a call that is repeated under its id is the same work, or it is refused. */
import { PerdureError } from '../errors.ts';
import { shown } from '../machines/option-keys.ts';
import type { Submission } from '../machines/executor.ts';
import type { Plan } from '../machines/tracks.ts';
import type { Rows } from '../persistence/rows.ts';
import { versionOf, type PolicyOverrides, type Registry } from './actions.ts';
import { readAction, stepOfAction } from './ledger.ts';
import { checkedId } from './plan-input.ts';
import { stepKey } from './plan-tables.ts';
import { checkOverrides } from './submission-options.ts';
import { sameText, toText } from './values.ts';

/** What a submission says of itself, beside the action and its input. */
export interface SubmissionOptions extends PolicyOverrides {
  readonly id: string;
  readonly rank?: number;
  readonly optional?: boolean;
}

/** An action as it will be queued. Throws ACTION_UNKNOWN, CODEC_REFUSED, OPTIONS_INVALID. */
export function submissionOf(
  registry: Registry,
  name: string,
  input: unknown,
  options: SubmissionOptions,
  at: number,
): Submission {
  const id = checkedId(options.id, 'action');
  checkOverrides(`The options of the action "${id}"`, options, ['id', 'signal', 'rank', 'optional']);
  checkRank(options.rank);
  return {
    id,
    name,
    version: versionOf(registry.get(name)),
    input: toText(input, `the input of the action "${id}"`),
    policy: registry.policyOf(name, options, input),
    optional: options.optional ?? false,
    rank: options.rank ?? 0,
    plan: null,
    at,
  };
}

function checkRank(rank: number | undefined): void {
  if (rank === undefined || Number.isFinite(rank)) return;
  throw new PerdureError('OPTIONS_INVALID', `rank must be a finite number, got ${shown(rank)}.`);
}

/** Whether the id is in the store already, for the same work. Throws ACTION_CONFLICT when it is for other work. */
export function isKnown(rows: Rows, { id, name, version, input }: Submission): boolean {
  const row = readAction(rows, id);
  if (row === undefined) {
    const step = stepOfAction(rows, id);
    if (step === undefined) return false;
    throw new PerdureError(
      'ACTION_CONFLICT',
      `The id "${id}" belongs to a step of the plan "${step.plan}": give another.`,
      { facts: { id, plan: step.plan } },
    );
  }
  if (row.name === name && row.version === version && sameText(row.input, input)) return true;
  const was =
    row.name === name ? (row.version === version ? 'other input' : `version ${row.version}`) : `"${row.name}"`;
  throw new PerdureError(
    'ACTION_CONFLICT',
    `The id "${id}" was used for ${was} before; now it came with "${name}", version ${version}: give this one another id.`,
    { facts: { id, name, version, was: { name: row.name, version: row.version } } },
  );
}

/** The actions of its steps get ids of their own, which nobody else may have. Throws ACTION_CONFLICT. */
export function refuseTaken(rows: Rows, plan: Plan): void {
  refuseOthers(rows, plan);
  const { id, steps } = plan;
  const taken = steps
    .map((step) => stepKey(id, step.id))
    .find((key) => rows.get('select 1 from actions where id = ?', key) !== undefined);
  if (taken === undefined) return;
  throw new PerdureError(
    'ACTION_CONFLICT',
    `The plan "${id}" would call the action of a step "${taken}", but there is an action of that id: give the plan another id.`,
    { facts: { id: taken } },
  );
}

/** `b/c` of the plan `a` and `c` of the plan `a/b` would be one row. Throws ACTION_CONFLICT. */
export function refuseOthers(rows: Rows, { id, steps }: Plan): void {
  for (const step of steps) {
    const key = stepKey(id, step.id);
    const found = rows.get<{ plan: string }>('select plan from steps where id = ? and plan <> ?', key, id);
    if (found === undefined) continue;
    throw new PerdureError(
      'ACTION_CONFLICT',
      `The step "${step.id}" of the plan "${id}" would be "${key}", which is a step of the plan "${found.plan}": give the plan another id.`,
      { facts: { id: key, plan: found.plan } },
    );
  }
}
