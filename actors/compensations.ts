/**
 * What must be undone if an action fails: a saga, as rows (H. Garcia-Molina and K. Salem, "Sagas", 1987). An attempt notes each
 * step before it takes it; undoing takes them back in reverse order, and forgets each that is undone, so that a crash in
 * between repeats at most one.
 */
import { PerdureError, messageOf } from '../errors.ts';
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';
import type { ActionContext } from './action-context.ts';
import { undoStepKey } from './action-key.ts';
import type { AnyAction } from './actions.ts';
import { fromText, sealed, toText, unsealedText } from './values.ts';

export const COMPENSATION_TABLES: readonly TableSpec[] = [
  {
    name: 'compensations',
    key: 'seq',
    columns: ['seq integer primary key', 'action text not null', 'name text not null', 'data text not null'],
    indexes: ['create index if not exists compensations_action on compensations(action, seq)'],
  },
];

interface CompensationRow {
  readonly seq: number;
  readonly name: string;
  readonly data: string;
  readonly from_turn: number;
}

/** The action went well: what it noted will not be undone any more. */
export function forgetCompensations(rows: Pick<Rows, 'run'>, action: string): void {
  rows.run('delete from compensations where action = ?', action);
}

type CompensationRows = Pick<Rows, 'all' | 'run' | 'afterCommit' | 'turn' | 'seal' | 'unseal'>;
type Step = (data: unknown, context: ActionContext) => unknown;

/** The compensations of one action. */
export class Compensations {
  readonly #rows: CompensationRows;
  readonly #action: string;

  constructor(rows: CompensationRows, action: string) {
    this.#rows = rows;
    this.#action = action;
  }

  /**
   * Notes a step that is about to be taken; resolves once that is durable, rejects when the attempt is aborted. Throws
   * OPTIONS_INVALID for one that nobody can undo, before it is taken.
   */
  async note(undo: AnyAction['undo'], name: string, data: unknown, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#refuseUnknown(undo, name);
    const text = sealed(this.#rows, toText(data, `what undoes "${name}" of the action "${this.#action}"`));
    this.#rows.run(
      'insert into compensations(action, name, data, from_turn) values (?, ?, ?, ?)',
      this.#action,
      name,
      text,
      this.#rows.turn,
    );
    await this.#committed(signal);
  }

  /** Takes back what was noted, the last first, or what the action as a whole did. Throws UNDO_FAILED. */
  async undo(definition: AnyAction, input: unknown, context: ActionContext): Promise<null> {
    const { undo } = definition;
    for (const { seq, name, data, from_turn: turn } of this.#noted()) {
      context.signal.throwIfAborted();
      const key = undoStepKey(context.key, name, turn, seq);
      await this.#take(name, stepOf(undo, name), fromText(unsealedText(this.#rows, data)), { ...context, key });
      this.#rows.run('delete from compensations where seq = ?', seq);
    }
    if (typeof undo === 'function') await this.#take('undo', undo as Step, input, context);
    return null;
  }

  #refuseUnknown(undo: AnyAction['undo'], name: string): void {
    if (stepOf(undo, name) !== undefined) return;
    throw new PerdureError(
      'OPTIONS_INVALID',
      `willUndo("${name}") of the action "${this.#action}" needs a function undo.${name}: name it in \`undo\` of its definition.`,
      { facts: { action: this.#action, step: name } },
    );
  }

  #noted(): CompensationRow[] {
    return this.#rows.all<CompensationRow>(
      'select seq, name, data, from_turn from compensations where action = ? order by seq desc',
      this.#action,
    );
  }

  async #take(name: string, step: Step | undefined, data: unknown, context: ActionContext): Promise<void> {
    if (step === undefined) {
      throw new PerdureError(
        'UNDO_FAILED',
        `"${name}" of the action "${this.#action}" cannot be undone: there is no undo.${name}.`,
      );
    }
    try {
      await step(data, context);
    } catch (cause) {
      context.signal.throwIfAborted();
      throw new PerdureError(
        'UNDO_FAILED',
        `"${name}" of the action "${this.#action}" was not undone: ${messageOf(cause)}`,
        {
          cause,
          facts: { action: this.#action, step: name },
        },
      );
    }
  }

  #committed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      this.#rows.afterCommit(() => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
    });
  }
}

function stepOf(undo: AnyAction['undo'], name: string): Step | undefined {
  return typeof undo === 'object' && Object.hasOwn(undo, name) ? (undo[name] as Step) : undefined;
}
