/** A supervisor with its inspector: what a host app starts. Nothing of the inspector is loaded where none is asked for. */
import type { Actions } from '../actors/actions.ts';
import {
  SUPERVISOR_OPTIONS,
  spawnSupervisor as spawn,
  type SupervisorOptions as SpawnOptions,
} from '../actors/spawn.ts';
import type { Supervisor } from '../actors/supervisor.ts';
import { isObject } from '../machines/option-keys.ts';
import { refuseUnknownOption } from '../persistence/known-options.ts';
import { inspectorSetting, type SupervisedInspectorOptions } from './server/options.ts';
import type { InspectorServer } from './server/server.ts';

/** Options of {@link spawnSupervisor}. */
export interface SupervisorOptions<TActions extends Actions> extends SpawnOptions<TActions> {
  /**
   * Serves an inspector of this supervisor: true, or where and how. It is closed with the supervisor, and keeps no process alive.
   * Default: none.
   */
  readonly inspector?: boolean | SupervisedInspectorOptions;
}

type Served = Pick<InspectorServer, 'url' | 'port' | 'viewers' | 'close'>;

/** A supervisor, and its inspector where one was asked for. */
export type InspectedSupervisor<TActions extends Actions> = Supervisor<TActions> & {
  readonly inspector: Served | undefined;
};

/**
 * Starts a supervisor, or brings it back with everything it was doing. Throws OPTIONS_INVALID, INSPECTOR_PORT_TAKEN before the store is
 * touched, and what {@link createDurableActor} throws.
 *
 * @example
 * const supervisor = await spawnSupervisor({ store: 'work.db', actions, inspector: { commands: true } });
 * console.log(supervisor.inspector.url);
 */
export function spawnSupervisor<TActions extends Actions>(
  options: SupervisorOptions<TActions> & { readonly inspector: true | SupervisedInspectorOptions },
): Promise<Supervisor<TActions> & { readonly inspector: Served }>;
export function spawnSupervisor<TActions extends Actions>(
  options: SupervisorOptions<TActions>,
): Promise<InspectedSupervisor<TActions>>;
export async function spawnSupervisor<TActions extends Actions>(
  options: SupervisorOptions<TActions>,
): Promise<InspectedSupervisor<TActions>> {
  const { inspector: asked, ...rest } = Object(options) as SupervisorOptions<TActions>;
  refuseUnknownOption('spawnSupervisor', options, [...SUPERVISOR_OPTIONS, 'inspector']);
  const setting = inspectorSetting(asked);
  // What is no object is refused there.
  const supervised = isObject(options) ? rest : options;
  if (setting === undefined) return withInspector(await spawn<TActions>(supervised as typeof options), undefined);
  const { announce = printAddress, ...serving } = setting;
  const { Listening } = await import('./server/server.ts');
  const listening = await Listening.open(serving);
  let supervisor: Supervisor<TActions> | undefined;
  try {
    supervisor = await spawn<TActions>(rest);
    const inspector = listening.serve(supervisor);
    inspector.unref();
    announce(inspector.url);
    return withInspector(supervisor, inspector);
  } catch (error) {
    await listening.close();
    await supervisor?.close();
    throw error;
  }
}

function withInspector<TActions extends Actions>(
  supervisor: Supervisor<TActions>,
  inspector: InspectorServer | undefined,
): InspectedSupervisor<TActions> {
  Object.defineProperty(supervisor, 'inspector', { value: inspector, enumerable: true });
  if (inspector === undefined) return supervisor as InspectedSupervisor<TActions>;
  const close = supervisor.close.bind(supervisor);
  // Whoever looks must not read a store that is closed.
  const closeBoth: typeof close = async (options) => {
    await inspector.close();
    await close(options);
  };
  Object.defineProperty(supervisor, 'close', { value: closeBoth });
  // It may have been closed by its signal while it was started.
  if (!supervisor.durable.store.isOpen) void inspector.close();
  return supervisor as InspectedSupervisor<TActions>;
}

/** The only place that the token is ever written to. */
function printAddress(url: string): void {
  process.stderr.write(`Inspector: ${url}\n`);
}
