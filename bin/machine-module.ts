/** A module of the host's that says which machines its stores hold, and how to migrate what is stored. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnyStateMachine } from 'xstate';
import { PerdureError, messageOf } from '../errors.ts';
import type { Migrations } from '../persistence/migrations.ts';
import type { PayloadOptions } from '../persistence/payloads.ts';
import type { FindLogic } from '../persistence/rehearsal.ts';
import { isMachine, type Logic } from '../persistence/xstate-port.ts';

export interface MachineModule {
  readonly find: FindLogic;
  /** Those of its machines that have a chart. */
  readonly charted: readonly AnyStateMachine[];
  readonly migrate: Migrations | undefined;
  readonly payloads: PayloadOptions;
}

/** Loads the module. Its `machines` is an object of machines by name, or one machine for all trees; `sealing` opens what is sealed. Throws MODULE_UNLOADABLE. */
export async function loadMachines(file: string): Promise<MachineModule> {
  const path = resolve(file);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw unloadable(path, messageOf(cause), cause);
  }
  const { machines = module['default'], migrate, sealing } = module;
  if (typeof machines !== 'object' || machines === null) {
    throw unloadable(path, 'expected it to export `machines`: machines by name, or one machine');
  }
  const byName = machines as Readonly<Record<string, Logic>>;
  const only = isLogic(machines) ? machines : onlyOf(Object.values(byName));
  return {
    charted: (isLogic(machines) ? [machines] : Object.values(byName)).filter(isMachine) as AnyStateMachine[],
    find: (_tree, machine) => {
      if (machine === null || isLogic(machines)) return only;
      return Object.hasOwn(byName, machine) ? byName[machine] : undefined;
    },
    migrate: migrate as Migrations | undefined,
    payloads: sealing === undefined ? {} : { sealing: sealing as NonNullable<PayloadOptions['sealing']> },
  };
}

function onlyOf(all: readonly Logic[]): Logic | undefined {
  return all.length === 1 ? all[0] : undefined;
}

/** A machine of this package's XState, or other logic. */
function isLogic(value: object): value is Logic {
  return isMachine(value) || 'transition' in value;
}

function unloadable(path: string, why: string, cause?: unknown): PerdureError {
  return new PerdureError('MODULE_UNLOADABLE', `The module ${path} cannot be used: ${why}`, {
    facts: { file: path },
    ...(cause === undefined ? {} : { cause }),
  });
}
