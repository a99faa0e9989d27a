import { PerdureError } from '../errors.ts';

/**
 * The default of an action that only the runtime can carry out. XState skips what is not implemented in silence (X29);
 * a machine of ours says so instead.
 */
export function notProvided(machine: string, action: string): () => never {
  return () => {
    throw new PerdureError(
      'NOT_PROVIDED',
      `"${action}" of the ${machine} machine has no implementation: spawn it with spawnSupervisor, or give one with provide().`,
      { facts: { machine, action } },
    );
  };
}
