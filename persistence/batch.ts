/** What one commit gathers: the turns of many trees, with what began them and what waits for them. */
import { PerdureError } from '../errors.ts';
import type { Cause } from './history.ts';
import type { Cell, TurnName } from './rows.ts';

/** What every commit tells. */
export interface CommitReport {
  readonly turn: number;
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
}

/** A tree, as the store sees it. */
export interface Participant {
  /** The name of the tree, and its number. */
  readonly id: string;
  readonly number: number;
  /** Something that cannot be stored appeared in it: nothing of its open turns will be committed as it is. */
  readonly condemned: boolean;
  /** Writes what changed. Throws what cannot be made durable. */
  write(turn: number): void;
  /** The turn is on disk. */
  committed(turn: number): void;
  /** The host closes the store: the last chance to write. */
  closing(): void;
  /** Its turns were undone: go back to what is on disk. Throws what a restore throws. */
  reload(): void;
  /** The store failed, and is being opened again: nothing moves until `reload`. */
  suspended(error: PerdureError): void;
  /** Nothing more of it will ever be committed. */
  failed(error: PerdureError): void;
}

/** What begins a turn. */
export interface Stimulus {
  readonly participant: Participant;
  readonly cause: Cause;
  deliver(): void;
  resolve(turn: number): void;
  reject(error: PerdureError): void;
}

/** Something that went wrong and that nobody was told. */
export interface Incident {
  readonly kind: string;
  readonly detail: string;
  /** The tree's number. */
  readonly tree?: number;
  /** The path of the actor. */
  readonly actor?: string;
  /** Whether the same, word for word, is not noted again. */
  readonly once?: boolean;
  /** Whether it happened in a turn of its tree, and did not when that is undone. */
  readonly isOfTurn?: boolean;
}

const nothing = () => {};

/** Who writes rows that are no tree's. */
export const NOBODY: Participant = {
  id: '',
  number: 0,
  condemned: false,
  write: nothing,
  committed: nothing,
  closing: nothing,
  reload: nothing,
  suspended: nothing,
  failed: nothing,
};

/** Who measures: what it writes is no turn that history tells. */
export const TELEMETRY: Participant = { ...NOBODY };

export class Batch {
  stimuli: Stimulus[] = [];
  readonly participants = new Set<Participant>();
  afterCommit: { readonly tree: number | undefined; readonly fn: (commit?: CommitReport) => void }[] = [];
  /** Rows of the outbox that go with the turn of the tree that takes them. */
  readonly alongside = new Map<Participant, (() => void)[]>();
  readonly names: { readonly tree: number | undefined; readonly name: TurnName }[] = [];
  readonly incidents: Incident[] = [];
  /** The trees that wrote rows directly, by number. */
  readonly writers = new Set<number>();
  /** What was written outside of any turn, to be written again if the transaction is undone. */
  readonly loose: (readonly [sql: string, cells: readonly Cell[]])[] = [];
  /** Trees of which XState made an error of what refuses their turn, by number. */
  readonly condemned = new Map<number, PerdureError>();
  /** Trees that wrote no rows directly are being written. */
  isPastWriters = false;
  report: CommitReport | undefined;
  /** Trees whose turns could not be stored, and why. */
  refused: Map<Participant, PerdureError> | undefined;

  /** Nothing but what was measured. */
  get isTelemetry(): boolean {
    return this.loose.length === 0 && this.participants.size === 1 && this.participants.has(TELEMETRY);
  }

  /** Whether the turn that it began could not be stored. */
  isRefused({ participant }: Stimulus): boolean {
    return this.refused?.has(participant) === true;
  }

  /** Takes over what does not belong to these trees from a batch that was undone. */
  carry(undone: Batch, trees: ReadonlySet<Participant>): void {
    const numbers = new Set<number | undefined>(Array.from(trees, ({ number }) => number));
    const isOthers = ({ tree }: { tree: number | undefined }) => !numbers.has(tree);
    for (const participant of undone.participants) if (!trees.has(participant)) this.participants.add(participant);
    this.stimuli.push(...undone.stimuli.filter(({ participant }) => !trees.has(participant)));
    for (const [participant, writes] of undone.alongside) {
      if (!trees.has(participant)) this.alongside.set(participant, writes);
    }
    this.afterCommit.push(...undone.afterCommit.filter(isOthers));
    this.names.push(...undone.names.filter(isOthers));
    this.incidents.push(...undone.incidents.filter((incident) => !isUndone(incident, numbers)));
  }
}

/** One that cannot be stored would keep its whole batch from being stored, and each one that it is carried to. */
export function assertIncident({ kind, detail, actor = '', tree = 0 }: Incident): void {
  const isText = [kind, detail, actor].every((text) => typeof text === 'string');
  if (isText && Number.isSafeInteger(tree)) return;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `An incident has texts \`kind\` and \`detail\`, and a text \`actor\` and the number \`tree\` of a tree if any; got ` +
      `${[kind, detail, actor, tree].map((value) => typeof value).join(', ')}.`,
    { facts: { option: 'incident' } },
  );
}

/** Whether the incident belongs to a turn of one of these trees. */
export function isUndone({ isOfTurn, tree }: Incident, trees: ReadonlySet<number | undefined>): boolean {
  return isOfTurn === true && trees.has(tree);
}
