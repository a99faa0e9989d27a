/**
 * What an operator may send to the actors of a supervisor's own tree. All their other events are Perdure's own: who sends them checks
 * what is in them, and the machine does not, so that one which lacks something would end the whole tree for good.
 */
const OPERATOR_EVENTS: Readonly<Record<string, readonly string[]>> = {
  supervisor: ['supervisor.pause', 'supervisor.resume'],
  component: ['component.bypass', 'component.restore', 'component.reset'],
};

/** By the name of the actor's machine, with its version or without; none for what is no machine. The events need an `at`, and nothing else. */
export function operatorEvents(machine: string | null): readonly string[] {
  const id = machine?.replace(/@[^@]*$/, '') ?? '';
  return Object.hasOwn(OPERATOR_EVENTS, id) ? (OPERATOR_EVENTS[id] as readonly string[]) : [];
}
