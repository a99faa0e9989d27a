/** A statechart as it is drawn: plain data, whatever it was made of. */

export interface ChartTransition {
  /** Unique in the chart. */
  readonly id: string;
  /** The id of the state that it leaves. */
  readonly source: string;
  /** The ids of the states that it enters; empty for one that stays where it is. */
  readonly targets: readonly string[];
  /** The event, as written; `always` has the empty text, a delay `after`, the end of an actor `done` or `error`. */
  readonly event: string;
  /** The type of the event as XState has it, such as `xstate.done.actor.0.order.paying`: what microsteps name. */
  readonly eventType: string;
  /** Of the end of an actor or of a state: its id. */
  readonly of: string | null;
  /** Of the end of an actor: the name of its logic, when it has one. */
  readonly logic?: string;
  readonly on: 'event' | 'always' | 'after' | 'done' | 'error';
  /** Of a delay: ms, or its name. */
  readonly delay: number | string | null;
  /** A name, or `inline`. */
  readonly guard: string | null;
  readonly actions: readonly string[];
  /** Whether the source is left and entered again. */
  readonly reenter: boolean;
  readonly description: string | null;
}

export interface ChartState {
  /** `machine.parent.child`, as XState has it. */
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly parent: string | null;
  /** The child that is entered first, of a compound one. */
  readonly initial: string | null;
  /** Of a history state: whether it goes back into the states inside, too. */
  readonly history: 'shallow' | 'deep' | null;
  readonly children: readonly string[];
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly invokes: readonly { readonly id: string; readonly src: string }[];
  readonly tags: readonly string[];
  readonly description: string | null;
}

export interface Chart {
  /** A hash of all the rest: the same chart has the same id in every process. */
  readonly id: string;
  /** The id of the machine. */
  readonly name: string;
  readonly root: string;
  /** Parents before their children, in the order of the machine. */
  readonly states: readonly ChartState[];
  readonly transitions: readonly ChartTransition[];
}
