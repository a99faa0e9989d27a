/** An actor that is being looked at: what is kept of it between two records, and what is told of it. */
import { hooksFor, isMachine, type AnyRef, type AnySnapshot, type Logic } from '../../persistence/xstate-port.ts';
import { chartOf } from '../charts/chart-of.ts';
import type { Chart } from '../charts/chart.ts';
import { childId, type ActorInfo } from '../protocol.ts';

export type ActorStatus = ActorInfo['status'];
export type EndStatus = Exclude<ActorStatus, 'active'>;

/** A state of an actor: of a machine, or of any other logic. */
export type AnyState = Omit<AnySnapshot, 'status'> & {
  readonly status: ActorStatus;
  readonly value?: unknown;
  readonly context?: unknown;
  readonly tags?: ReadonlySet<string>;
  readonly children?: Readonly<Record<string, unknown>>;
};

export class RecordedActor {
  readonly ref: AnyRef;
  readonly id: string;
  readonly parent: string | null;
  /** How many actors are around it. */
  readonly depth: number;
  state: AnyState | undefined;
  /** Of the record after which it had this state. */
  stateSeq: number;
  /** Whether that state can be asked for by its record. */
  isStateHeld = false;
  changedAt: number | null = null;
  /** The type of the event that it took last. */
  event = '';
  /** Events that it took, and that have not brought a state yet. */
  pending = 0;
  /** Whether it took a transition since its state was told. */
  hasMoved = false;
  /** How it ended. */
  ended: EndStatus | undefined;
  endedAt = 0;
  /** What its last state takes, about. */
  endedBytes = 0;

  constructor(ref: AnyRef, around: RecordedActor | undefined, tree: string, seq: number) {
    this.ref = ref;
    this.id = around === undefined ? tree : idInside(around.id, ref);
    this.parent = around?.id ?? null;
    this.depth = around === undefined ? 0 : around.depth + 1;
    this.state = stateOf(ref);
    this.stateSeq = seq;
  }
}

/** The id of an actor inside another. That of a durable one is made of its path, as the history and `send` have it. */
export function idInside(parent: string, ref: AnyRef): string {
  return hooksFor(ref) === undefined ? childId(parent, ref.id) : `${parent}/${ref.id}`;
}

/** The state of an actor now; undefined while it is being made. */
export function stateOf(ref: AnyRef): AnyState | undefined {
  try {
    return ref.getSnapshot() as AnyState | undefined;
  } catch {
    // The development build of XState says so by throwing.
    return undefined;
  }
}

export function logicOf(ref: AnyRef): Logic {
  return (ref as unknown as { readonly logic: Logic }).logic;
}

/** Its chart; undefined for what is no machine, or cannot be drawn. */
export function chartOfActor(ref: AnyRef): Chart | undefined {
  const logic = logicOf(ref);
  if (!isMachine(logic)) return undefined;
  try {
    return chartOf(logic);
  } catch {
    return undefined;
  }
}

/** The name under which its parent knows its logic, or the id of its machine. */
export function sourceOf(ref: AnyRef): string | null {
  if (typeof ref.src === 'string') return ref.src;
  const logic = logicOf(ref);
  return isMachine(logic) ? logic.id : null;
}
